//! Handlings are entered in the transaction of their handler, or claimed with a lease.

use std::time::Duration;

use sqlx::{PgConnection, PgExecutor};

use super::{PostgresStore, duration, seconds};
use crate::store::inbox::{Claim, InboxKey};
use crate::store::sql::Entered;

/// `$1` lock, `$2` consumer, `$3` event id. The lock is held until the transaction ends, and nobody waits for it; without
/// it, the insertion would wait for the end of another transaction that has inserted the same row. No row: there is one.
const ENTER_NEW: &str = "\
INSERT INTO natspubsub_inbox (consumer, event_id, status, processed_at)
SELECT $2, $3, 'processed', clock_timestamp() WHERE pg_try_advisory_xact_lock($1)
ON CONFLICT DO NOTHING";

/// As [`ENTER_NEW`], also where an earlier handling has failed, or was given up.
const ENTER: &str = "\
INSERT INTO natspubsub_inbox AS handling (consumer, event_id, status, processed_at)
SELECT $2, $3, 'processed', clock_timestamp() WHERE pg_try_advisory_xact_lock($1)
ON CONFLICT (consumer, event_id) DO UPDATE SET
    status = 'processed', processed_at = clock_timestamp(), lease_until = NULL,
    fence = handling.fence + 1, attempts = handling.attempts + 1
WHERE handling.status = 'failed' OR (handling.status = 'processing' AND handling.lease_until <= clock_timestamp())";

/// As [`ENTER`], and `$4` is the lease in seconds.
const TAKE: &str = "\
INSERT INTO natspubsub_inbox AS handling (consumer, event_id, status, lease_until)
SELECT $2, $3, 'processing', clock_timestamp() + $4 * interval '1 second' WHERE pg_try_advisory_xact_lock($1)
ON CONFLICT (consumer, event_id) DO UPDATE SET
    status = 'processing', lease_until = excluded.lease_until,
    fence = handling.fence + 1, attempts = handling.attempts + 1
WHERE handling.status = 'failed' OR (handling.status = 'processing' AND handling.lease_until <= clock_timestamp())
RETURNING fence";

const LOOK: &str = "\
SELECT status = 'processed', extract(epoch FROM lease_until - clock_timestamp())::float8
FROM natspubsub_inbox WHERE consumer = $1 AND event_id = $2";

/// How long somebody is left alone of whom only the lock is seen.
const UNSEEN: Duration = Duration::from_secs(1);

/// What is known of a handling that somebody else has.
enum Seen {
    Processed,
    /// For so long, where that is known.
    Busy(Option<Duration>),
}

impl PostgresStore {
    pub(super) async fn enter(&self, connection: &mut PgConnection, key: &InboxKey) -> sqlx::Result<Entered> {
        // Nearly all are new, and the first statement is the cheaper one.
        for enter in [ENTER_NEW, ENTER] {
            let query = sqlx::query(self.sql(enter)).bind(self.lock_of(key)).bind(&key.consumer).bind(&key.event_id);
            if query.execute(&mut *connection).await?.rows_affected() > 0 {
                return Ok(Entered::First);
            }
        }
        Ok(match self.look(connection, key).await? {
            Seen::Processed => Entered::Processed,
            Seen::Busy(_) => Entered::Busy,
        })
    }

    pub(super) async fn take_handling(&self, key: &InboxKey, lease: Duration) -> sqlx::Result<Claim> {
        let query = sqlx::query_scalar(self.sql(TAKE)).bind(self.lock_of(key)).bind(&key.consumer).bind(&key.event_id);
        if let Some(fence) = query.bind(seconds(lease)).fetch_optional(&self.pool).await? {
            return Ok(Claim::Mine { fence });
        }
        Ok(match self.look(&self.pool, key).await? {
            Seen::Processed => Claim::Processed,
            Seen::Busy(remaining) => Claim::Busy { remaining: remaining.unwrap_or(UNSEEN).min(lease) },
        })
    }

    /// A statement of its own, because what it looks for may have been committed after the first one began.
    async fn look(&self, executor: impl PgExecutor<'_>, key: &InboxKey) -> sqlx::Result<Seen> {
        let query = sqlx::query_as(self.sql(LOOK)).bind(&key.consumer).bind(&key.event_id);
        let row: Option<(bool, Option<f64>)> = query.fetch_optional(executor).await?;
        Ok(match row {
            Some((true, _)) => Seen::Processed,
            Some((false, remaining)) => Seen::Busy(remaining.map(duration)),
            // Not committed yet, or deleted meanwhile: the next look finds it new.
            None => Seen::Busy(None),
        })
    }

    /// Locks are those of a whole database; two handlings that share one by chance wait for each other, no more.
    fn lock_of(&self, key: &InboxKey) -> i64 {
        let table = self.shared.tables.inbox();
        let texts = [table.as_bytes(), key.consumer.as_bytes(), key.event_id.as_bytes()];
        // FNV-1a, because all releases have to agree on it; no text contains 0xff.
        let bytes = texts.into_iter().flat_map(|text| text.iter().chain(&[0xff]));
        let hash = bytes
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        hash.cast_signed()
    }
}
