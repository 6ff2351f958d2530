//! What may be sent now.
//!
//! Two statements: the first claims and is committed at once, the second reads what was claimed. A relay that stands
//! still while it reads holds no lock that others wait for.

use bytes::Bytes;
use sqlx::Row;

use super::lead::columns;
use super::{PostgresStore, duration};
use crate::error::Result;
use crate::message::Headers;
use crate::store::fault::database;
use crate::store::message::OutboxMessage;
use crate::store::outbox::{ClaimedMessage, Lead, MessageEnd, SettledMessage};

/// `$1` relay, `$2` and `$3` shards and epochs that it believes to lead, `$4` limit, `$5` limit for each shard.
///
/// `id + 0` is the order of the index that has what is ready, and of no other. What an earlier leader of a shard left
/// `publishing`, under a lower epoch, is taken as pending. The leads are read, and read again with a lock when there is
/// anything to claim: a shard does not change hands in between, so that no message is claimed under a lead that is over.
pub(super) const CLAIM: &str = "\
WITH led AS MATERIALIZED (
    SELECT lead.shard, lead.epoch FROM natspubsub_outbox_leads AS lead
    JOIN unnest($2::smallint[], $3::bigint[]) AS believed (shard, epoch)
        ON believed.shard = lead.shard AND believed.epoch = lead.epoch
    WHERE lead.owner = $1 AND lead.until > clock_timestamp()
), due AS MATERIALIZED (
    SELECT may.id, led.shard, led.epoch, may.first_claimed_at FROM led CROSS JOIN LATERAL (
        (SELECT id, first_claimed_at FROM natspubsub_outbox AS ready
        WHERE ready.shard = led.shard AND sent_at IS NULL AND failed_at IS NULL AND next_attempt_at IS NULL
            AND (status = 'pending' OR epoch < led.epoch)
            AND NOT EXISTS (SELECT FROM natspubsub_outbox AS before
                WHERE before.retrying AND left(before.key, 200) = left(ready.key, 200) AND before.key = ready.key
                    AND before.id < ready.id AND (before.status = 'pending' OR before.epoch < led.epoch))
        ORDER BY id + 0 LIMIT $5)
        UNION ALL
        (SELECT id, first_claimed_at FROM natspubsub_outbox AS waiting
        WHERE waiting.shard = led.shard AND sent_at IS NULL AND failed_at IS NULL
            AND next_attempt_at <= statement_timestamp() AND (status = 'pending' OR epoch < led.epoch)
            AND NOT EXISTS (SELECT FROM natspubsub_outbox AS before
                WHERE before.retrying AND left(before.key, 200) = left(waiting.key, 200) AND before.key = waiting.key
                    AND before.id < waiting.id AND (before.status = 'pending' OR before.epoch < led.epoch))
        ORDER BY next_attempt_at LIMIT $5)
    ) AS may ORDER BY id LIMIT $4
), held AS MATERIALIZED (
    SELECT lead.shard, lead.epoch FROM natspubsub_outbox_leads AS lead
    WHERE lead.shard IN (SELECT shard FROM due) AND lead.owner = $1 AND lead.until > clock_timestamp()
    ORDER BY lead.shard FOR SHARE
)
UPDATE natspubsub_outbox AS claimed SET
    status = 'publishing', epoch = due.epoch,
    first_claimed_at = coalesce(claimed.first_claimed_at, clock_timestamp())
FROM due JOIN held ON held.shard = due.shard AND held.epoch = due.epoch
WHERE claimed.id = due.id AND claimed.sent_at IS NULL AND claimed.failed_at IS NULL
    AND (claimed.status = 'pending' OR claimed.epoch < due.epoch)
RETURNING claimed.id, due.shard, due.epoch,
    extract(epoch FROM clock_timestamp() - due.first_claimed_at)::float8 AS first_claimed";

/// How many messages of each shard are looked at at least. Looking at a whole batch of each would read sixteen times as much
/// as is taken.
const PART_MIN: u32 = 32;

/// `$1` numbers, `$2` epochs.
const READ: &str = "\
SELECT message.id, event_id, message_id, subject, key, headers, body, attempts,
    extract(epoch FROM clock_timestamp() - created_at)::float8 AS age
FROM natspubsub_outbox AS message
JOIN unnest($1::bigint[], $2::bigint[]) AS mine (id, epoch) ON mine.id = message.id AND mine.epoch = message.epoch
WHERE status = 'publishing' ORDER BY message.id";

/// What was claimed, without its content.
struct Taken {
    id: i64,
    shard: i16,
    epoch: i64,
    first_claimed: Option<f64>,
}

impl PostgresStore {
    pub(super) async fn claim_messages(&self, relay: &str, leads: &[Lead], limit: u32) -> Result<Vec<ClaimedMessage>> {
        if leads.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let fault = |error| database("claim messages of the outbox", error);
        let taken = self.take_all(relay, leads, limit).await.map_err(fault)?;
        let (claimed, unreadable) = self.read(&taken).await.map_err(fault)?;
        if !unreadable.is_empty() {
            self.settle_messages(&unreadable).await.map_err(fault)?;
        }
        Ok(claimed)
    }

    /// Claims a part of each shard, and where that is not enough because one has more than the others, again from those.
    async fn take_all(&self, relay: &str, leads: &[Lead], limit: u32) -> sqlx::Result<Vec<Taken>> {
        let shards = u32::try_from(leads.len()).unwrap_or(u32::MAX);
        let part = (limit.div_ceil(shards) * 2).clamp(PART_MIN, PART_MIN.max(limit));
        let mut taken = self.take(relay, leads, limit, part).await?;
        let missing = limit.saturating_sub(u32::try_from(taken.len()).unwrap_or(u32::MAX));
        if missing > 0 {
            let is_full = |lead: &&Lead| {
                let of = taken.iter().filter(|taken| taken.shard == lead.shard.cast_signed()).count();
                of >= part as usize
            };
            let full: Vec<Lead> = leads.iter().filter(is_full).copied().collect();
            if !full.is_empty() {
                taken.extend(self.take(relay, &full, missing, missing).await?);
            }
        }
        taken.sort_unstable_by_key(|taken| taken.id);
        Ok(taken)
    }

    /// Claims, and says what.
    async fn take(&self, relay: &str, leads: &[Lead], limit: u32, part: u32) -> sqlx::Result<Vec<Taken>> {
        let (shards, epochs) = columns(leads);
        let query = sqlx::query_as(self.sql(CLAIM)).bind(relay).bind(shards).bind(epochs);
        let query = query.bind(i64::from(limit)).bind(i64::from(part));
        let rows: Vec<(i64, i16, i64, Option<f64>)> = query.fetch_all(&self.pool).await?;
        let taken = |(id, shard, epoch, first_claimed)| Taken { id, shard, epoch, first_claimed };
        Ok(rows.into_iter().map(taken).collect())
    }

    /// What was claimed, in its order, and the failures of those that somebody has made unreadable.
    async fn read(&self, taken: &[Taken]) -> sqlx::Result<(Vec<ClaimedMessage>, Vec<SettledMessage>)> {
        if taken.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let (ids, epochs): (Vec<i64>, Vec<i64>) = taken.iter().map(|taken| (taken.id, taken.epoch)).unzip();
        let rows = self.query(READ).bind(ids).bind(epochs).fetch_all(&self.pool).await?;
        let (mut claimed, mut unreadable) = (Vec::with_capacity(rows.len()), Vec::new());
        let mut taken = taken.iter();
        for row in rows {
            let id: i64 = row.try_get("id")?;
            // Both are in the order of their numbers.
            let Some(taken) = taken.find(|taken| taken.id == id) else { break };
            let lead = Lead { shard: taken.shard.cast_unsigned(), epoch: taken.epoch };
            match message(&row)? {
                Ok(message) => claimed.push(ClaimedMessage {
                    id,
                    lead,
                    attempts: u32::try_from(row.try_get::<i32, _>("attempts")?).unwrap_or(0),
                    age: duration(row.try_get("age")?),
                    first_claimed: taken.first_claimed.map(duration),
                    message,
                }),
                Err(error) => unreadable.push(SettledMessage { id, lead, end: MessageEnd::Failed { error } }),
            }
        }
        Ok((claimed, unreadable))
    }
}

fn message(row: &sqlx::postgres::PgRow) -> sqlx::Result<Result<OutboxMessage, String>> {
    let headers: Vec<(String, String)> = match serde_json::from_str(row.try_get("headers")?) {
        Ok(headers) => headers,
        Err(error) => return Ok(Err(format!("its headers are no JSON array of names and values: {error}"))),
    };
    Ok(Ok(OutboxMessage {
        event_id: row.try_get("event_id")?,
        message_id: row.try_get("message_id")?,
        subject: row.try_get("subject")?,
        key: row.try_get("key")?,
        headers: headers.into_iter().collect::<Headers>(),
        body: Bytes::from(row.try_get::<Vec<u8>, _>("body")?),
        delay: std::time::Duration::ZERO,
    }))
}
