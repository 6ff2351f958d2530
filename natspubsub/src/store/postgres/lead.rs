//! Who leads which shard.
//!
//! Each step is one statement that is committed at once, so that a relay that stands still in the middle of one holds no
//! lock that others wait for.

use std::time::Duration;

use super::{PostgresStore, seconds};
use crate::store::message::OUTBOX_SHARDS;
use crate::store::outbox::Lead;

const REGISTER: &str = "\
INSERT INTO natspubsub_outbox_relays AS relay (name, until)
VALUES ($1, clock_timestamp() + $2 * interval '1 second')
ON CONFLICT (name) DO UPDATE SET until = excluded.until";

/// `$1` relay, `$2` lease in seconds, `$3` busy shards, `$4` number of shards.
///
/// The shards are counted off, those that it has first, then the free ones: whatever stands within its part it keeps or
/// takes. Rows are always locked in the order of shards.
const LEAD: &str = "\
WITH gone AS (
    DELETE FROM natspubsub_outbox_relays WHERE name IN (
        SELECT name FROM natspubsub_outbox_relays WHERE until <= clock_timestamp() FOR UPDATE SKIP LOCKED)
), seats AS MATERIALIZED (
    SELECT shard, owner, epoch, until FROM natspubsub_outbox_leads ORDER BY shard FOR UPDATE
), held AS MATERIALIZED (
    SELECT shard,
        coalesce(owner = $1, false) AND until > clock_timestamp() AS mine,
        owner IS NULL OR until <= clock_timestamp() AS free,
        shard = ANY($3::smallint[]) AS busy
    FROM seats
), part AS (
    SELECT ceil($4::float8 / greatest(count(*), 1)) AS size FROM natspubsub_outbox_relays WHERE until > clock_timestamp()
), counted AS (
    SELECT shard, mine, free, busy, row_number() OVER (ORDER BY mine DESC, busy DESC, free DESC, shard) <= size AS within
    FROM held CROSS JOIN part
), decided AS MATERIALIZED (
    SELECT shard, mine, mine AND (busy OR within) AS keeps, free AND within AND NOT mine AS takes FROM counted
)
UPDATE natspubsub_outbox_leads AS lead SET
    owner = CASE WHEN keeps OR takes THEN $1 END,
    epoch = lead.epoch + takes::integer,
    until = CASE WHEN keeps OR takes THEN clock_timestamp() + $2 * interval '1 second' ELSE '-infinity' END
FROM decided WHERE lead.shard = decided.shard AND (mine OR takes)
RETURNING lead.shard, lead.epoch, keeps OR takes AS leads";

const RESIGN: &str = "\
WITH relay AS (
    DELETE FROM natspubsub_outbox_relays WHERE name = $1
), mine AS MATERIALIZED (
    SELECT shard FROM natspubsub_outbox_leads WHERE owner = $1 ORDER BY shard FOR UPDATE
)
UPDATE natspubsub_outbox_leads AS lead SET owner = NULL, until = '-infinity' FROM mine
WHERE lead.shard = mine.shard AND lead.owner = $1";

impl PostgresStore {
    pub(super) async fn take_leads(&self, relay: &str, lease: Duration, busy: &[u16]) -> sqlx::Result<Vec<Lead>> {
        self.query(REGISTER).bind(relay).bind(seconds(lease)).execute(&self.pool).await?;
        let busy: Vec<i16> = busy.iter().map(|&shard| shard.cast_signed()).collect();
        let led: Vec<(i16, i64, bool)> = sqlx::query_as(self.sql(LEAD))
            .bind(relay)
            .bind(seconds(lease))
            .bind(busy)
            .bind(f64::from(OUTBOX_SHARDS))
            .fetch_all(&self.pool)
            .await?;
        let mut leads: Vec<Lead> = led
            .into_iter()
            .filter(|(_, _, leads)| *leads)
            .map(|(shard, epoch, _)| Lead { shard: shard.cast_unsigned(), epoch })
            .collect();
        leads.sort_unstable();
        Ok(leads)
    }

    pub(super) async fn give_leads_up(&self, relay: &str) -> sqlx::Result<()> {
        self.query(RESIGN).bind(relay).execute(&self.pool).await?;
        Ok(())
    }
}

/// Shards and epochs, as PostgreSQL takes several rows.
pub(super) fn columns<'a>(leads: impl IntoIterator<Item = &'a Lead>) -> (Vec<i16>, Vec<i64>) {
    leads.into_iter().map(|lead| (lead.shard.cast_signed(), lead.epoch)).unzip()
}
