//! Messages are written into the outbox.

use std::collections::HashSet;

use sqlx::PgConnection;

use super::listen::channel;
use super::{PostgresStore, seconds, text};
use crate::store::message::OutboxMessage;

/// One array for each column; `$9` is the channel that is notified, NULL for none. Numbers are given in the order of the
/// arrays.
const WRITE: &str = "\
WITH given AS (
    SELECT event_id, message_id, subject, key, shard, headers, body, delay FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::text[], $7::bytea[], $8::float8[]
    ) WITH ORDINALITY AS message (event_id, message_id, subject, key, shard, headers, body, delay, place) ORDER BY place
), written AS (
    INSERT INTO natspubsub_outbox (event_id, message_id, subject, key, shard, headers, body, due_at, next_attempt_at)
    SELECT event_id, message_id, subject, key, shard, headers, body,
        clock_timestamp() + coalesce(delay, 0) * interval '1 second', clock_timestamp() + delay * interval '1 second'
    FROM given
    ON CONFLICT (message_id) DO NOTHING
    RETURNING message_id
), told AS MATERIALIZED (
    SELECT pg_notify($9, '') WHERE $9 IS NOT NULL AND EXISTS (SELECT FROM written)
)
SELECT message_id, (SELECT count(*) FROM told) FROM written";

impl PostgresStore {
    /// For each message whether it is new.
    pub(super) async fn write(
        &self,
        connection: &mut PgConnection,
        messages: &[OutboxMessage],
    ) -> sqlx::Result<Vec<bool>> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let texts = |of: fn(&OutboxMessage) -> &str| messages.iter().map(of).map(|it| text(it)).collect::<Vec<_>>();
        let delay = |message: &OutboxMessage| Some(message.delay).filter(|delay| !delay.is_zero()).map(seconds);
        let written: Vec<(String, i64)> = sqlx::query_as(self.sql(WRITE))
            .bind(texts(|message| &message.event_id))
            .bind(texts(|message| &message.message_id))
            .bind(texts(|message| &message.subject))
            .bind(messages.iter().map(|message| message.key.as_deref().map(text)).collect::<Vec<_>>())
            .bind(messages.iter().map(|message| message.shard().cast_signed()).collect::<Vec<_>>())
            .bind(messages.iter().map(headers).collect::<Vec<_>>())
            .bind(messages.iter().map(|message| &*message.body).collect::<Vec<_>>())
            .bind(messages.iter().map(delay).collect::<Vec<_>>())
            .bind(self.shared.notifies.then(|| channel(&self.shared.tables)))
            .fetch_all(connection)
            .await?;
        let mut new: HashSet<String> = written.into_iter().map(|(id, _)| id).collect();
        // One that stands there twice is new once.
        Ok(messages.iter().map(|message| new.remove(&*text(&message.message_id))).collect())
    }
}

/// As a JSON array of names and values, in order.
fn headers(message: &OutboxMessage) -> String {
    let pairs: Vec<(&str, &str)> = message.headers.iter().collect();
    serde_json::Value::from_iter(pairs.into_iter().map(|(name, value)| serde_json::json!([name, value]))).to_string()
}
