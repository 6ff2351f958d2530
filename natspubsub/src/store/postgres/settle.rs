//! What became of claimed messages.

use super::lead::columns;
use super::{PostgresStore, seconds, text};
use crate::store::outbox::{MessageEnd, SettledMessage};

/// `$1` numbers, `$2` shards, `$3` epochs.
const SENT: &str = "\
UPDATE natspubsub_outbox AS message SET status = 'sent', sent_at = clock_timestamp(), retrying = false
FROM unnest($1::bigint[], $2::smallint[], $3::bigint[]) AS settled (id, shard, epoch)
JOIN natspubsub_outbox_leads AS lead ON lead.shard = settled.shard AND lead.epoch = settled.epoch
WHERE message.id = settled.id AND message.shard = settled.shard AND message.epoch = settled.epoch
    AND message.status = 'publishing'";

/// `$1` numbers, `$2` shards, `$3` epochs, `$4` pauses in seconds, NULL for what failed, `$5` errors, `$6` whether it
/// counts.
const UNSENT: &str = "\
UPDATE natspubsub_outbox AS message SET
    status = CASE WHEN pause IS NULL THEN 'failed' ELSE 'pending' END,
    failed_at = CASE WHEN pause IS NULL THEN clock_timestamp() END,
    retrying = pause IS NOT NULL,
    next_attempt_at = clock_timestamp() + pause * interval '1 second',
    attempts = attempts + counted::integer,
    last_error = error
FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::float8[], $5::text[], $6::boolean[])
    AS settled (id, shard, epoch, pause, error, counted)
JOIN natspubsub_outbox_leads AS lead ON lead.shard = settled.shard AND lead.epoch = settled.epoch
WHERE message.id = settled.id AND message.shard = settled.shard AND message.epoch = settled.epoch
    AND message.status = 'publishing'";

impl PostgresStore {
    pub(super) async fn settle_messages(&self, settled: &[SettledMessage]) -> sqlx::Result<u64> {
        // In the order of their numbers, in which a claim locks them too.
        let mut settled: Vec<&SettledMessage> = settled.iter().collect();
        settled.sort_unstable_by_key(|settled| settled.id);
        let (sent, unsent): (Vec<_>, Vec<_>) = settled.into_iter().partition(|one| one.end == MessageEnd::Sent);
        Ok(self.settle_sent(&sent).await? + self.settle_unsent(&unsent).await?)
    }

    async fn settle_sent(&self, sent: &[&SettledMessage]) -> sqlx::Result<u64> {
        if sent.is_empty() {
            return Ok(0);
        }
        let (ids, shards, epochs) = names(sent);
        let done = self.query(SENT).bind(ids).bind(shards).bind(epochs).execute(&self.pool).await?;
        Ok(done.rows_affected())
    }

    async fn settle_unsent(&self, unsent: &[&SettledMessage]) -> sqlx::Result<u64> {
        if unsent.is_empty() {
            return Ok(0);
        }
        let (ids, shards, epochs) = names(unsent);
        let (mut pauses, mut errors, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for one in unsent {
            let (pause, error, counted) = match &one.end {
                MessageEnd::Retry { after, error, counted } => (Some(seconds(*after)), error.as_str(), *counted),
                MessageEnd::Failed { error } => (None, error.as_str(), true),
                MessageEnd::Sent => (None, "", false),
            };
            pauses.push(pause);
            errors.push(text(error).into_owned());
            counts.push(counted);
        }
        let query = self.query(UNSENT).bind(ids).bind(shards).bind(epochs).bind(pauses).bind(errors).bind(counts);
        Ok(query.execute(&self.pool).await?.rows_affected())
    }
}

fn names(settled: &[&SettledMessage]) -> (Vec<i64>, Vec<i16>, Vec<i64>) {
    let (shards, epochs) = columns(settled.iter().map(|one| &one.lead));
    (settled.iter().map(|one| one.id).collect(), shards, epochs)
}
