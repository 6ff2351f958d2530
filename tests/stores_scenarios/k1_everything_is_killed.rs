//! Goal: whatever is killed, and in whatever order, each order is charged once and booked once. Method: 20,000 orders (in each run 2,000) in waves, and
//! in the middle of each wave `kill -9` for one part: a relay, a worker, the nats-server, PostgreSQL. A transaction whose end
//! is not known is tried again under the same event id.

use std::time::Duration;

use natspubsub_tests::WorkerProcess;
use natspubsub_tests::shop::{Kind, OrderCreated, PaymentTaken, Shop, Writing, doubles};

use super::SHOP;

const LIMIT: Duration = Duration::from_secs(120);
const OUTAGE: Duration = Duration::from_millis(300);

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Relay,
    Worker,
    Nats,
    Postgres,
}

/// The processes of a shop.
struct Crew {
    relays: Vec<WorkerProcess>,
    workers: Vec<WorkerProcess>,
    hired: usize,
}

impl Crew {
    fn hire(shop: &Shop) -> Self {
        let mut crew = Self { relays: Vec::new(), workers: Vec::new(), hired: 0 };
        for _ in 0..2 {
            crew.add(shop, Part::Relay);
            crew.add(shop, Part::Worker);
        }
        crew
    }

    fn add(&mut self, shop: &Shop, part: Part) {
        self.hired += 1;
        match part {
            Part::Relay => self.relays.push(shop.start("relay", &format!("relay-{}", self.hired), &[])),
            _ => {
                let name = format!("worker-{}", self.hired);
                self.workers.push(shop.start("worker", &name, &[("NATSPUBSUB_RELAY", "false")]));
            }
        }
    }

    async fn kill(&mut self, shop: &mut Shop, part: Part) {
        match part {
            Part::Relay => self.relays.remove(0).kill(),
            Part::Worker => self.workers.remove(0).kill(),
            Part::Nats => {
                shop.nats.kill();
                shop.nats.stay_away_for(OUTAGE).await;
                shop.nats.restart().await;
            }
            Part::Postgres => {
                shop.database.server().kill_9();
                shop.nats.stay_away_for(OUTAGE).await;
                shop.database.server().restart().await;
            }
        }
        if matches!(part, Part::Relay | Part::Worker) {
            self.add(shop, part);
        }
    }
}

async fn everything_is_killed(kind: Kind, orders: u64, rounds: u64) {
    let mut shop = Shop::open_durable(SHOP, "k1", kind).await;
    shop.make_stream(shop.config()).await;
    let mut crew = Crew::hire(&shop);
    shop.settled(&["charge", "ship", "book"], LIMIT).await;
    let parts = match kind {
        Kind::Sqlite => vec![Part::Relay, Part::Worker, Part::Nats],
        Kind::Postgres => vec![Part::Relay, Part::Worker, Part::Nats, Part::Postgres],
    };
    let kills = rounds * parts.len() as u64;
    let wave = orders / kills;
    let mut written = 0;
    for kill in 0..kills {
        let part = parts[usize::try_from(kill).unwrap() % parts.len()];
        let from = kill * wave;
        let orders = if kill + 1 == kills { orders - from } else { wave };
        let writing =
            Writing { from, orders, keys: 50, writers: 4, per_transaction: 5, is_stubborn: true, ..Writing::default() };
        let (config, url) = (shop.config(), shop.database.url());
        let writing = tokio::spawn(async move { Shop::write_into(&url, &config, &writing).await });
        let middle = i64::try_from(from + wave / 4).unwrap();
        let effects = "SELECT count(*) FROM effects WHERE consumer = 'charge'";
        shop.wait_until("the middle of the wave", LIMIT, effects, |effects| effects >= middle).await;
        crew.kill(&mut shop, part).await;
        written += writing.await.unwrap();
    }
    assert_eq!(written, orders);
    shop.settled(&["charge", "ship"], LIMIT).await;
    shop.drained(LIMIT).await;
    shop.settled(&["charge", "ship", "book"], LIMIT).await;
    check(&shop, orders, kills).await;
}

async fn check(shop: &Shop, orders: u64, kills: u64) {
    let wanted = i64::try_from(orders).unwrap();
    let stored: Vec<OrderCreated> = shop.stored("order.created").await;
    assert!(doubles(stored.iter().map(|order| order.number)).is_empty(), "an order is stored twice");
    assert_eq!(stored.len() as u64, orders);
    let payments: Vec<PaymentTaken> = shop.stored("payment.taken").await;
    assert!(doubles(payments.iter().map(|payment| payment.number)).is_empty(), "a payment is stored twice");
    assert_eq!(payments.len() as u64, orders);
    assert_eq!(shop.database.effects("charge").await, (wanted, wanted));
    assert_eq!(shop.database.effects("book").await, (wanted, wanted));
    let (rows, events) = shop.database.effects("ship").await;
    assert_eq!(events, wanted);
    let doubled = u64::try_from(rows - events).unwrap();
    assert!(doubled <= kills * 32, "only what a kill interrupted may run again without a transaction: {doubled}");
    assert_eq!(shop.database.outbox("failed").await, 0);
    let inspector = shop.inspector().await;
    assert!(inspector.messages("test-k1-dlq").await.is_empty(), "nothing was condemned");
    let mut again = 0;
    for consumer in ["charge", "book"] {
        again += inspector.consumer(&shop.stream(), &shop.durable(consumer)).await.delivered.consumer_sequence - orders;
    }
    assert!(again > 0, "the kills came in the middle of the work");
}

mod on {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        everything_is_killed(Kind::Sqlite, 2_000, 1).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        everything_is_killed(Kind::Postgres, 2_000, 1).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "the whole size takes long"]
    async fn sqlite_long() {
        everything_is_killed(Kind::Sqlite, 20_000, 4).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "the whole size takes long"]
    async fn postgres_long() {
        everything_is_killed(Kind::Postgres, 20_000, 4).await;
    }
}
