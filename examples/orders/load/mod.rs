//! The proof: services that kill themselves again and again, a customer who repeats what was not answered, and books that
//! are right at the end.

mod crew;
mod dice;
mod watch;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use futures::{StreamExt, TryStreamExt};
use natspubsub::{AppBuilder, Result};
use natspubsub_examples::{Fault, Server};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use self::crew::{Crew, SERVICES};
use self::dice::Dice;
use self::watch::{ABORT, Watch};
use crate::Database;
use crate::books::Books;
use crate::http::send;

/// How the line begins in which a service tells its address.
pub(crate) const LISTENING: &str = "listening on ";

/// The variable that repeats a run; without it, the clock is the seed.
const SEED: &str = "ORDERS_SEED";

/// Accounts of the customers, and what is on each.
const ACCOUNTS: u64 = 20;
const BALANCE: u64 = 1_000;

/// How many requests are under way at once.
const REQUESTS: usize = 8;

/// How long it must be quiet at the end, so that all deliveries of the dead have come again: twice `ack_wait`.
const QUIET: Duration = Duration::from_secs(2);

/// How long everything may take besides the time of each order.
const LIMIT: Duration = Duration::from_secs(120);
const LIMIT_OF_ORDER: Duration = Duration::from_millis(200);

const PAUSE: Duration = Duration::from_millis(20);

/// A service as the load run needs it, if it is part of one.
pub(crate) fn watched(app: AppBuilder) -> Result<AppBuilder, Fault> {
    match std::env::var(ABORT) {
        Ok(abort) => Ok(app.middleware(0, Watch::new(abort.parse()?)?)),
        Err(_) => Ok(app),
    }
}

/// Runs it; the exit code tells whether the books are right.
pub(crate) async fn run(database_url: &str, folder: TempDir, count: u64) -> Result<ExitCode, Fault> {
    let faults = attempt(database_url, &folder, count).await.unwrap_or_else(|fault| vec![fault.to_string()]);
    if faults.is_empty() {
        println!("no money is lost, none is doubled");
        return Ok(ExitCode::SUCCESS);
    }
    println!("not so:\n  {}\nlogs of the services: {}", faults.join("\n  "), folder.keep().display());
    Ok(ExitCode::FAILURE)
}

/// Runs it; everything that is not as it must be.
async fn attempt(database_url: &str, folder: &TempDir, count: u64) -> Result<Vec<String>, Fault> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let seed = std::env::var(SEED).map_or(Ok(now.as_secs()), |seed| seed.parse())?;
    let kind = database_url.split(':').next().unwrap_or_default();
    println!("{count} orders to {SERVICES} services on {kind} that kill themselves; repeat with {SEED}={seed}");

    let server = Server::start()?;
    let database = Database::connect(database_url).await?;
    database.migrate().await?;
    let crew = Crew::new(seed, server.url().await?, database_url.to_owned(), folder.path().to_owned(), count);
    let customer = Customer { crew: &crew, name: format!("{:x}", now.as_millis()), repeated: AtomicU64::new(0) };
    let services = futures::future::try_join_all((0..SERVICES).map(|service| crew.keep(service)));
    let shopping = async {
        let ended = timeout(LIMIT + LIMIT_OF_ORDER * u32::try_from(count)?, customer.shop(&database, count)).await;
        crew.end();
        ended.map_err(|_| "the orders are not settled in time")?
    };
    let ((money, posted), _) = tokio::try_join!(shopping, services)?;

    let books = database.books().await?.of(&customer.name);
    customer.tell(&books, money);
    let mut faults = books.faults(money, &posted);
    faults.extend(customer.bite());
    Ok(faults)
}

/// Who orders.
struct Customer<'a> {
    crew: &'a Crew,
    /// Before the names of accounts and orders: those of other runs may be there.
    name: String,
    repeated: AtomicU64,
}

impl Customer<'_> {
    /// Orders, and waits until nothing is under way; how much money there is, and which orders were answered.
    async fn shop(&self, database: &Database, count: u64) -> Result<(i64, BTreeSet<String>), Fault> {
        for account in 0..ACCOUNTS {
            self.request(account, &format!("PUT /accounts/{}-{account}", self.name), &BALANCE.to_string()).await?;
        }
        let money = database.books().await?.money();
        // A tenth more than there is money for.
        let price_max = ACCOUNTS * BALANCE * 22 / 10 / count.max(1);
        let mut dice = Dice::new(self.crew.seed, 0);
        let orders = (0..count).map(|number| (number, dice.below(ACCOUNTS), 1 + dice.below(price_max)));
        let orders = orders.map(|(number, account, amount)| self.order(number, account, amount));
        let posted = futures::stream::iter(orders).buffer_unordered(REQUESTS).try_collect().await?;
        while !(database.books().await?.of(&self.name).is_settled() && self.crew.quiet() > QUIET) {
            sleep(PAUSE).await;
        }
        Ok((money, posted))
    }

    async fn order(&self, number: u64, account: u64, amount: u64) -> Result<String, Fault> {
        let id = format!("{}-{number}", self.name);
        let order = json!({ "order_id": id, "customer": format!("{}-{account}", self.name), "amount": amount });
        self.request(number, "POST /orders", &order.to_string()).await?;
        Ok(id)
    }

    /// Sends a request to one service after the other until one has answered it.
    async fn request(&self, number: u64, request: &str, body: &str) -> Result<(), Fault> {
        for service in usize::try_from(number)?.. {
            let Some(address) = self.crew.address(service) else {
                sleep(PAUSE).await;
                continue;
            };
            match send(address, request, body).await {
                Ok(200 | 201) => return Ok(()),
                Ok(503) | Err(_) => self.repeated.fetch_add(1, Ordering::Relaxed),
                Ok(status) => return Err(format!("{request} {body} is answered {status}").into()),
            };
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// What makes the proof worthless.
    fn bite(&self) -> Option<String> {
        let tally = self.crew.tally();
        let has_bitten = tally.kills_after_payment > 0 && tally.duplicates >= tally.kills_after_payment;
        (!has_bitten).then(|| format!("the services did not die as they should: {tally:?}"))
    }

    fn tell(&self, books: &Books, money: i64) {
        let tally = self.crew.tally();
        let (kills, any_time, after_payment) = (tally.kills(), tally.kills_any_time, tally.kills_after_payment);
        println!(
            "kills     {kills}: {any_time} at any time, {after_payment} between a payment and its acknowledgement"
        );
        println!("requests  {} repeated", self.repeated.load(Ordering::Relaxed));
        let (handled, redelivered, duplicates) = (tally.handled, tally.redelivered, tally.duplicates);
        println!("messages  {handled} handled, {redelivered} of them redelivered, {duplicates} skipped as duplicates");
        println!("orders    {} paid, {} refused", books.count("paid"), books.count("refused"));
        println!("money     {money} before, {} after", books.money());
    }
}
