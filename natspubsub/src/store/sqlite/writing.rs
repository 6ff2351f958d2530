//! Messages are written into the outbox in SQLite.

use std::collections::HashSet;

use sqlx::SqliteConnection;

use super::statements::{Statement, Statements};
use super::{json, millis};
use crate::store::OutboxMessage;

/// How many messages the two larger statements write.
pub(super) const SOME: usize = 8;
pub(super) const MANY: usize = 64;

/// The statement that writes so many messages: each connection keeps three of them prepared.
pub(super) fn insert(messages: usize) -> String {
    let row = "(?, ?, ?, ?, ?, ?, ?, $now, $now + ?, $now + ?)";
    format!(
        "INSERT INTO natspubsub_outbox
            (event_id, message_id, subject, key, shard, headers, body, created_at, due_at, next_attempt_at)
        VALUES {} ON CONFLICT (message_id) DO NOTHING RETURNING message_id",
        vec![row; messages].join(", ")
    )
}

/// For each whether it is new.
pub(super) async fn write(
    statements: &Statements,
    connection: &mut SqliteConnection,
    messages: &[OutboxMessage],
) -> sqlx::Result<Vec<bool>> {
    let mut new = HashSet::with_capacity(messages.len());
    let mut rest = messages;
    while !rest.is_empty() {
        let (statement, count) = match rest.len() {
            MANY.. => (&statements.write_many, MANY),
            SOME.. => (&statements.write_some, SOME),
            _ => (&statements.write_one, 1),
        };
        let (now, later) = rest.split_at(count);
        new.extend(write_at_once(statement, connection, now).await?);
        rest = later;
    }
    Ok(messages.iter().map(|message| new.remove(&message.message_id)).collect())
}

async fn write_at_once(
    statement: &Statement,
    connection: &mut SqliteConnection,
    messages: &[OutboxMessage],
) -> sqlx::Result<Vec<String>> {
    let mut query = sqlx::query_scalar(statement.sql());
    for message in messages {
        query = query
            .bind(&message.event_id)
            .bind(&message.message_id)
            .bind(&message.subject)
            .bind(&message.key)
            .bind(message.shard())
            .bind(json(&message.headers.iter().collect::<Vec<_>>())?)
            .bind(&message.body[..])
            .bind(millis(message.delay))
            .bind((!message.delay.is_zero()).then(|| millis(message.delay)));
    }
    query.fetch_all(connection).await
}
