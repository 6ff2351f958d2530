//! The outbox in SQLite, as a relay sees it.

use std::time::Duration;

use bytes::Bytes;
use sqlx::SqliteConnection;

use super::statements::Statements;
use super::{SqliteStore, duration, failed, leading, millis, settling};
use crate::error::Result;
use crate::store::migrations::MigratedStore;
use crate::store::{
    ClaimedMessage, FailedMessage, Lead, MessageEnd, OutboxDepth, OutboxMessage, OutboxStore, SettledMessage,
};

impl OutboxStore for SqliteStore {
    async fn check_outbox_tables(&self) -> Result<()> {
        let tables = self.tables();
        self.check(&[tables.outbox(), tables.outbox_leads(), tables.outbox_relays()]).await
    }

    async fn lead(&self, relay: &str, lease: Duration, busy: &[u16]) -> Result<Vec<Lead>> {
        let step = "lead shards of the outbox";
        let mut transaction = self.begin_writing(step).await?;
        let leads =
            leading::lead(self.statements(), &mut transaction, relay, lease, busy).await.map_err(failed(step))?;
        transaction.commit().await.map_err(failed(step))?;
        Ok(leads)
    }

    async fn resign(&self, relay: &str) -> Result<()> {
        let step = "resign from the outbox";
        let mut transaction = self.begin_writing(step).await?;
        leading::resign(self.statements(), &mut transaction, relay).await.map_err(failed(step))?;
        transaction.commit().await.map_err(failed(step))
    }

    async fn claim(&self, relay: &str, leads: &[Lead], limit: u32) -> Result<Vec<ClaimedMessage>> {
        let step = "claim messages of the outbox";
        // So that a relay that finds nothing holds up no writer.
        let is_due = sqlx::query_scalar(self.statements().is_anything_due.sql());
        if !is_due.fetch_one(&self.pool).await.map_err(failed(step))? {
            return Ok(Vec::new());
        }
        let mut transaction = self.begin_writing(step).await?;
        let claimed = claim(self.statements(), &mut transaction, relay, leads, limit).await.map_err(failed(step))?;
        transaction.commit().await.map_err(failed(step))?;
        Ok(claimed)
    }

    async fn settle(&self, settled: &[SettledMessage]) -> Result<u64> {
        let step = "write down what became of messages";
        if settled.is_empty() {
            return Ok(0);
        }
        let mut transaction = self.begin_writing(step).await?;
        let count = settling::settle(self.statements(), &mut transaction, settled).await.map_err(failed(step))?;
        transaction.commit().await.map_err(failed(step))?;
        Ok(count)
    }

    async fn delete_sent(&self, older_than: Duration, limit: u32) -> Result<u64> {
        let deleted = sqlx::query(self.statements().delete_sent.sql()).bind(millis(older_than)).bind(limit);
        Ok(deleted.execute(&self.pool).await.map_err(failed("delete sent messages"))?.rows_affected())
    }

    async fn outbox_depth(&self) -> Result<OutboxDepth> {
        let (pending, failed, oldest): (i64, i64, Option<i64>) = sqlx::query_as(self.statements().outbox_depth.sql())
            .fetch_one(&self.pool)
            .await
            .map_err(failed("count messages of the outbox"))?;
        let oldest = oldest.filter(|age| *age >= 0).map(duration);
        Ok(OutboxDepth { pending: pending.unsigned_abs(), failed: failed.unsigned_abs(), oldest })
    }

    async fn failed_messages(&self, limit: u32) -> Result<Vec<FailedMessage>> {
        let rows: Vec<(i64, String, String, u32, String)> = sqlx::query_as(self.statements().failed_messages.sql())
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(failed("read failed messages"))?;
        let failed = rows.into_iter().map(|(id, event_id, subject, attempts, error)| FailedMessage {
            id,
            event_id,
            subject,
            attempts,
            error,
        });
        Ok(failed.collect())
    }

    async fn retry_failed(&self, id: i64) -> Result<bool> {
        let retried = sqlx::query(self.statements().retry_failed.sql()).bind(id).execute(&self.pool).await;
        let count = retried.map_err(failed("make a failed message pending again"))?.rows_affected();
        self.bell.ring();
        Ok(count > 0)
    }

    async fn written(&self) -> Result<()> {
        self.bell.rung().await;
        Ok(())
    }
}

/// The columns of a claimed message, in their order.
type Row = (i64, u16, i64, u32, i64, Option<i64>, String, String, String, Option<String>, String, Vec<u8>);

async fn claim(
    statements: &Statements,
    connection: &mut SqliteConnection,
    relay: &str,
    leads: &[Lead],
    limit: u32,
) -> sqlx::Result<Vec<ClaimedMessage>> {
    let held = leading::leads(statements, connection, relay).await?;
    let shards = leading::bits(held.iter().filter(|lead| leads.contains(lead)).map(|lead| lead.shard));
    if shards == 0 {
        return Ok(Vec::new());
    }
    sqlx::query(statements.end_waits.sql()).execute(&mut *connection).await?;
    let rows: Vec<Row> =
        sqlx::query_as(statements.claim.sql()).bind(shards).bind(limit).fetch_all(&mut *connection).await?;
    let (mut claimed, mut unreadable) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        match message(row) {
            Ok(message) => claimed.push(message),
            Err(failed) => unreadable.push(failed),
        }
    }
    settling::settle(statements, connection, &unreadable).await?;
    claimed.sort_unstable_by_key(|message| message.id);
    Ok(claimed)
}

/// The message, or its end when somebody has made it unreadable.
fn message(row: Row) -> std::result::Result<ClaimedMessage, SettledMessage> {
    let (id, shard, epoch, attempts, age, first_claimed, event_id, message_id, subject, key, headers, body) = row;
    let lead = Lead { shard, epoch };
    let headers: Vec<(String, String)> = serde_json::from_str(&headers).map_err(|error| {
        let error = format!("its headers are no JSON array of names and values: {error}");
        SettledMessage { id, lead, end: MessageEnd::Failed { error } }
    })?;
    Ok(ClaimedMessage {
        id,
        lead,
        attempts,
        age: duration(age),
        first_claimed: first_claimed.map(duration),
        message: OutboxMessage {
            event_id,
            message_id,
            subject,
            key,
            headers: headers.into_iter().collect(),
            body: Bytes::from(body),
            delay: Duration::ZERO,
        },
    })
}
