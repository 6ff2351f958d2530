//! The checks of each store: its database answers, its outbox is published, its inbox answers.

use futures::future::BoxFuture;
use tokio::runtime::Handle;

use super::built_in::look_at;
use super::look::{at_once, on};
use super::parts::Parts;
use crate::error::{Error, chain};
use crate::handler::redact;
use crate::health::{CheckReport, Found, built_in as name};
use crate::store::InboxDepth;

/// The databases are asked on the runtime where their connections were made.
pub(super) fn looks<'a>(parts: &'a Parts, runtime: &'a Handle) -> Vec<BoxFuture<'a, CheckReport>> {
    let mut looks = Vec::new();
    for store in &parts.stores {
        let (outbox, inbox) = (store.outbox.clone(), store.inbox.clone());
        looks.push(look_at(parts, format!("{}{}", name::DATABASE, store.name), async move {
            let asked = on(runtime, async move { outbox.check_outbox_tables().await }).await;
            asked.map_or_else(|found| found, |asked| asked.map_or_else(down, |()| Found::healthy("it answers")))
        }));
        looks.push(look_at(parts, format!("{}{}", name::INBOX, store.name), async move {
            let asked = on(runtime, async move { inbox.inbox_depth().await }).await;
            asked.map_or_else(|found| found, |asked| asked.map_or_else(down, of_inbox))
        }));
    }
    for (store, board) in &parts.boards {
        let pending = board.stats().pending;
        let found = Found::by_problems(&board.problems(), format!("{pending} waiting"));
        looks.push(at_once(format!("{}{store}", name::OUTBOX), Found { message: redact(found.message), ..found }));
    }
    looks
}

fn down(error: Error) -> Found {
    Found::unhealthy(redact(chain(&error)))
}

fn of_inbox(InboxDepth { processing, failed }: InboxDepth) -> Found {
    let told = format!("{processing} handled now, {failed} failed");
    // A failed handling is a dead letter, or on its way there; replayed, it runs again.
    Found::healthy(told)
}
