//! Rules about what becomes of claimed messages.

use std::time::Duration;

use super::report::{Kept, expect, expect_that};
use super::yard::{LONG, SHORT, Yard, failed, ids, keyed, many, message, retry, settled};
use crate::store::{Lead, MessageEnd, OutboxStore, SettledMessage};

const NONE: Vec<&str> = Vec::new();

pub(super) async fn a_sent_message_never_comes_again(yard: &impl Yard) -> Kept {
    yard.write(vec![message("one")]).await;
    let leads = yard.lead_all("a").await?;
    let claimed = yard.claim_just("a", &leads, &["one"]).await?;
    expect("settled messages", 1, yard.settle(&claimed[0], MessageEnd::Sent).await?)?;
    expect("messages of the same leader", NONE, ids(&yard.claim("a", &leads).await?))?;
    yard.store().resign("a").await?;
    let leads = yard.lead_all("b").await?;
    expect("messages of the next leader", NONE, ids(&yard.claim("b", &leads).await?))?;
    expect("pending messages", 0, yard.store().outbox_depth().await?.pending)
}

pub(super) async fn a_message_is_settled_once(yard: &impl Yard) -> Kept {
    yard.write(vec![message("one")]).await;
    let leads = yard.lead_all("a").await?;
    let claimed = yard.claim_just("a", &leads, &["one"]).await?;
    expect("the first", 1, yard.settle(&claimed[0], MessageEnd::Sent).await?)?;
    expect("the second", 0, yard.settle(&claimed[0], failed("too late")).await?)?;
    expect("failed messages", 0, yard.store().outbox_depth().await?.failed)
}

pub(super) async fn a_message_is_settled_by_its_lead_only(yard: &impl Yard) -> Kept {
    yard.write(vec![message("one")]).await;
    let leads = yard.lead_all("a").await?;
    let claimed = yard.claim_just("a", &leads, &["one"]).await?;
    for epoch in [claimed[0].lead.epoch - 1, claimed[0].lead.epoch + 1] {
        let lead = Lead { epoch, ..claimed[0].lead };
        let wrong = SettledMessage { lead, ..settled(&claimed[0], MessageEnd::Sent) };
        expect("settled with another epoch", 0, yard.store().settle(&[wrong]).await?)?;
    }
    let unknown = SettledMessage { id: claimed[0].id + 1000, ..settled(&claimed[0], MessageEnd::Sent) };
    expect("settled with another number", 0, yard.store().settle(&[unknown]).await?)?;
    expect("settled with its own", 1, yard.settle(&claimed[0], MessageEnd::Sent).await?)
}

pub(super) async fn a_retry_comes_again_after_its_pause(yard: &impl Yard) -> Kept {
    yard.write(vec![message("one")]).await;
    let leads = yard.lead_all("a").await?;
    let first = yard.claim_just("a", &leads, &["one"]).await?;
    let begin = yard.clock().monotonic();
    expect("settled messages", 1, yard.settle(&first[0], retry(SHORT)).await?)?;
    let early = yard.claim("a", &leads).await?;
    if !yard.is_over(begin, SHORT) {
        expect("messages before the pause is over", NONE, ids(&early))?;
    }
    let again = if early.is_empty() { yard.claim_until("a", &leads, 1).await? } else { early };
    expect("messages when it is over", vec!["one"], ids(&again))?;
    expect("its number", first[0].id, again[0].id)?;
    let before = again[0].first_claimed.is_some_and(|before| before >= SHORT && before <= again[0].age);
    expect_that("it was claimed for the first time before the pause", before, &again[0])
}

pub(super) async fn only_a_counted_retry_is_an_attempt(yard: &impl Yard) -> Kept {
    yard.write(vec![message("one")]).await;
    let leads = yard.lead_all("a").await?;
    for (counted, expected) in [(true, 0), (false, 1), (true, 1), (true, 2)] {
        let claimed = yard.claim_until("a", &leads, 1).await?;
        expect("messages", vec!["one"], ids(&claimed))?;
        expect("attempts so far", expected, claimed[0].attempts)?;
        let end = MessageEnd::Retry { after: Duration::ZERO, error: "not now".into(), counted };
        yard.settle(&claimed[0], end).await?;
    }
    let claimed = yard.claim_until("a", &leads, 1).await?;
    expect("messages", vec!["one"], ids(&claimed))?;
    yard.settle(&claimed[0], failed("never")).await?;
    let failed = yard.store().failed_messages(10).await?;
    expect("attempts of a failed message", vec![4], failed.iter().map(|failed| failed.attempts).collect())
}

pub(super) async fn a_key_waits_for_its_retry(yard: &impl Yard) -> Kept {
    yard.write(vec![keyed("k-1", "k"), keyed("k-2", "k"), keyed("other-1", "other"), keyed("k-3", "k")]).await;
    let leads = yard.lead_all("a").await?;
    let claimed = yard.claim_just("a", &leads, &["k-1", "k-2", "other-1", "k-3"]).await?;
    let begin = yard.clock().monotonic();
    let again = |index: usize, after| settled(&claimed[index], retry(after));
    // What was in hand behind it goes back without a pause of its own.
    yard.store().settle(&[again(0, SHORT), again(1, Duration::ZERO), again(2, Duration::ZERO)]).await?;
    yard.store().settle(&[again(3, Duration::ZERO)]).await?;
    let early = yard.claim("a", &leads).await?;
    if !yard.is_over(begin, SHORT) {
        expect("messages while the first of a key waits", vec!["other-1"], ids(&early))?;
        let late = yard.claim_until("a", &leads, 3).await?;
        expect("messages afterwards", vec!["k-1", "k-2", "k-3"], ids(&late))?;
    }
    Ok(())
}

pub(super) async fn what_is_written_later_waits_for_the_retry_too(yard: &impl Yard) -> Kept {
    yard.write(vec![keyed("k-1", "k")]).await;
    let leads = yard.lead_all("a").await?;
    let claimed = yard.claim_just("a", &leads, &["k-1"]).await?;
    let uncounted = MessageEnd::Retry { after: LONG, error: "the stream is full".into(), counted: false };
    yard.settle(&claimed[0], uncounted).await?;
    yard.write(vec![keyed("k-2", "k"), keyed("other-1", "other"), message("without")]).await;
    let claimed = yard.claim("a", &leads).await?;
    expect("messages behind one that waits, of its key and others", vec!["other-1", "without"], ids(&claimed))?;
    // The next leader has to know it too.
    yard.store().resign("a").await?;
    let leads = yard.lead_all("b").await?;
    expect("messages of the next leader", vec!["other-1", "without"], ids(&yard.claim("b", &leads).await?))
}

pub(super) async fn a_retry_without_a_key_holds_up_no_other(yard: &impl Yard) -> Kept {
    yard.write(vec![message("one")]).await;
    let leads = yard.lead_all("a").await?;
    let claimed = yard.claim_just("a", &leads, &["one"]).await?;
    yard.settle(&claimed[0], retry(LONG)).await?;
    yard.write((0..64).map(|number| message(&format!("m-{number}"))).collect()).await;
    expect("messages without a key", 64, yard.claim("a", &leads).await?.len())
}

pub(super) async fn a_failed_message_stays_and_its_key_goes_on(yard: &impl Yard) -> Kept {
    yard.write(vec![keyed("k-1", "k")]).await;
    let leads = yard.lead_all("a").await?;
    let claimed = yard.claim_just("a", &leads, &["k-1"]).await?;
    yard.settle(&claimed[0], failed("larger than the server takes")).await?;
    yard.write(vec![keyed("k-2", "k")]).await;
    expect("messages behind one that failed", vec!["k-2"], ids(&yard.claim("a", &leads).await?))?;
    let failed = yard.store().failed_messages(10).await?;
    expect("failed messages", 1, failed.len())?;
    let (failed, message) = (&failed[0], &claimed[0].message);
    expect("its number", claimed[0].id, failed.id)?;
    expect("its event", &message.event_id, &failed.event_id)?;
    expect("its subject", &message.subject, &failed.subject)?;
    expect("its attempts", 1, failed.attempts)?;
    expect("its reason", "larger than the server takes", &*failed.error)
}

pub(super) async fn a_failed_message_is_tried_again_on_request(yard: &impl Yard) -> Kept {
    yard.write(vec![message("one"), message("two"), message("three"), message("sent")]).await;
    let leads = yard.lead_all("a").await?;
    let claimed = yard.claim_just("a", &leads, &["one", "two", "three", "sent"]).await?;
    for claimed in &claimed[..3] {
        yard.settle(claimed, failed("no")).await?;
    }
    yard.settle(&claimed[3], MessageEnd::Sent).await?;
    let events: Vec<String> =
        yard.store().failed_messages(2).await?.into_iter().map(|failed| failed.event_id).collect();
    expect("the oldest two that failed", vec!["event-one".to_owned(), "event-two".to_owned()], events)?;
    expect("a failed message", true, yard.store().retry_failed(claimed[1].id).await?)?;
    expect("one that is pending", false, yard.store().retry_failed(claimed[1].id).await?)?;
    expect("one that was sent", false, yard.store().retry_failed(claimed[3].id).await?)?;
    expect("one that never was", false, yard.store().retry_failed(claimed[3].id + 1000).await?)?;
    let again = yard.claim_just("a", &leads, &["two"]).await?;
    expect("its attempts", 0, again[0].attempts)?;
    expect("messages that are still failed", 2, yard.store().outbox_depth().await?.failed)
}

pub(super) async fn messages_are_settled_together(yard: &impl Yard) -> Kept {
    yard.write(many(60)).await;
    let leads = yard.lead_all("a").await?;
    let claimed = yard.claim("a", &leads).await?;
    let end = |index: usize| match index % 3 {
        0 => MessageEnd::Sent,
        1 => MessageEnd::Retry { after: LONG, error: format!("retry {index}"), counted: true },
        _ => MessageEnd::Failed { error: format!("failed {index}") },
    };
    let all: Vec<SettledMessage> =
        claimed.iter().enumerate().map(|(index, claimed)| settled(claimed, end(index))).collect();
    expect("settled messages", 60, yard.store().settle(&all).await?)?;
    expect("settled messages of an empty call", 0, yard.store().settle(&[]).await?)?;
    let depth = yard.store().outbox_depth().await?;
    expect("pending and failed", (20, 20), (depth.pending, depth.failed))?;
    let errors: Vec<String> = yard.store().failed_messages(3).await?.into_iter().map(|failed| failed.error).collect();
    expect("each with its own reason", vec!["failed 2", "failed 5", "failed 8"], errors.iter().map(|e| &**e).collect())
}

pub(super) async fn only_old_sent_messages_are_deleted(yard: &impl Yard) -> Kept {
    yard.write(many(5)).await;
    let leads = yard.lead_all("a").await?;
    let claimed = yard.claim_just("a", &leads, &["m-0000", "m-0001", "m-0002", "m-0003", "m-0004"]).await?;
    yard.settle(&claimed[0], failed("no")).await?;
    yard.settle(&claimed[1], retry(LONG)).await?;
    for claimed in &claimed[2..4] {
        yard.settle(claimed, MessageEnd::Sent).await?;
    }
    expect("deleted ones that were sent long ago", 0, yard.store().delete_sent(LONG, 10).await?)?;
    // So that they are older than nothing, also by a clock of whole milliseconds.
    yard.clock().sleep(Duration::from_millis(20)).await;
    expect("deleted with a limit of one", 1, yard.store().delete_sent(Duration::ZERO, 1).await?)?;
    expect("deleted afterwards", 1, yard.store().delete_sent(Duration::ZERO, 10).await?)?;
    expect("deleted when there are no more", 0, yard.store().delete_sent(Duration::ZERO, 10).await?)?;
    let depth = yard.store().outbox_depth().await?;
    expect("pending (retry, publishing) and failed", (2, 1), (depth.pending, depth.failed))?;
    expect("the one that was in hand", 1, yard.settle(&claimed[4], MessageEnd::Sent).await?)
}
