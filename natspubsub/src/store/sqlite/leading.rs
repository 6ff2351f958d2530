//! Leases of shards in SQLite.

use std::time::Duration;

use sqlx::SqliteConnection;

use super::millis;
use super::statements::Statements;
use crate::store::Lead;
use crate::store::parts::{Leader, Parts, decide};

/// Shards as the bits of a number.
pub(super) fn bits(shards: impl IntoIterator<Item = u16>) -> i64 {
    shards.into_iter().fold(0, |bits, shard| bits | 1_i64.checked_shl(shard.into()).unwrap_or(0))
}

/// In a transaction that writes alone.
pub(super) async fn lead(
    statements: &Statements,
    connection: &mut SqliteConnection,
    relay: &str,
    lease: Duration,
    busy: &[u16],
) -> sqlx::Result<Vec<Lead>> {
    let lease = millis(lease);
    sqlx::query(statements.forget_relays.sql()).execute(&mut *connection).await?;
    sqlx::query(statements.know_relay.sql()).bind(relay).bind(lease).execute(&mut *connection).await?;
    let relays: i64 = sqlx::query_scalar(statements.count_relays.sql()).fetch_one(&mut *connection).await?;
    let leaders: Vec<(bool, bool)> =
        sqlx::query_as(statements.leaders.sql()).bind(relay).fetch_all(&mut *connection).await?;
    let leaders: Vec<Leader> = leaders.into_iter().map(leader).collect();
    let Parts { keep, give_up, take } = decide(&leaders, usize::try_from(relays).unwrap_or(1), busy);
    let (keep, give_up, take) = (bits(keep), bits(give_up), bits(take));
    if keep != 0 {
        sqlx::query(statements.renew_leads.sql()).bind(lease).bind(keep).execute(&mut *connection).await?;
    }
    if give_up != 0 {
        sqlx::query(statements.give_up_leads.sql()).bind(give_up).execute(&mut *connection).await?;
    }
    if take != 0 {
        let taken = sqlx::query(statements.take_leads.sql()).bind(relay).bind(lease).bind(take);
        taken.execute(&mut *connection).await?;
        sqlx::query(statements.reset_publishing.sql()).bind(take).execute(&mut *connection).await?;
    }
    leads(statements, connection, relay).await
}

fn leader((is_mine, is_led): (bool, bool)) -> Leader {
    match (is_mine, is_led) {
        (true, _) => Leader::Me,
        (false, true) => Leader::Another,
        (false, false) => Leader::Nobody,
    }
}

/// What a relay leads at this moment.
pub(super) async fn leads(
    statements: &Statements,
    connection: &mut SqliteConnection,
    relay: &str,
) -> sqlx::Result<Vec<Lead>> {
    let leads: Vec<(u16, i64)> = sqlx::query_as(statements.leads.sql()).bind(relay).fetch_all(connection).await?;
    Ok(leads.into_iter().map(|(shard, epoch)| Lead { shard, epoch }).collect())
}

pub(super) async fn resign(
    statements: &Statements,
    connection: &mut SqliteConnection,
    relay: &str,
) -> sqlx::Result<()> {
    sqlx::query(statements.resign_leads.sql()).bind(relay).execute(&mut *connection).await?;
    sqlx::query(statements.forget_relay.sql()).bind(relay).execute(connection).await?;
    Ok(())
}
