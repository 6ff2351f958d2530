//! Rules about what is written.

use std::time::Duration;

use bytes::Bytes;

use super::report::{Kept, expect, expect_that};
use super::yard::{LONG, SHORT, Yard, failed, ids, keyed, message, retry};
use crate::store::{MessageEnd, OutboxMessage, OutboxStore};

pub(super) async fn the_tables_are_there(yard: &impl Yard) -> Kept {
    Ok(yard.store().check_outbox_tables().await?)
}

pub(super) async fn a_message_comes_as_it_was_written(yard: &impl Yard) -> Kept {
    let headers = [("x-b", "2"), ("x-a", "gr\u{fc}n \"{}\" \\ '"), ("x-a", "again"), ("x-empty", "")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let bytes: Vec<u8> = (0..=255).collect();
    let full = OutboxMessage {
        event_id: "an event".into(),
        message_id: "a message; -- of 'it'".into(),
        subject: "production.shop.order.created.Z\u{fc}rich".into(),
        key: Some("key \u{1F511}".into()),
        headers: headers.into_iter().collect(),
        body: Bytes::from(bytes),
        delay: Duration::ZERO,
    };
    let empty = OutboxMessage { headers: Default::default(), body: Bytes::new(), ..message("without") };
    let written = vec![full, empty, keyed("a key without letters", "")];
    yard.write(written.clone()).await;
    let leads = yard.lead_all("a").await?;
    let claimed = yard.claim("a", &leads).await?;
    for claimed in &claimed {
        expect_that("it was not claimed before", claimed.first_claimed.is_none(), claimed)?;
        expect("attempts of a new message", 0, claimed.attempts)?;
        expect_that("it is led by one of the leads", leads.contains(&claimed.lead), claimed)?;
        expect("the shard", claimed.message.shard(), claimed.lead.shard)?;
        expect_that("it is young", claimed.age < LONG, claimed)?;
    }
    expect("messages", written, claimed.into_iter().map(|claimed| claimed.message).collect())
}

pub(super) async fn a_message_id_is_kept_once(yard: &impl Yard) -> Kept {
    yard.write(vec![message("one"), message("one"), message("two")]).await;
    yard.write(vec![message("one"), message("three")]).await;
    let leads = yard.lead_all("a").await?;
    let claimed = yard.claim("a", &leads).await?;
    expect("message ids", vec!["one", "two", "three"], ids(&claimed))?;
    for claimed in &claimed {
        yard.settle(claimed, MessageEnd::Sent).await?;
    }
    yard.write(vec![message("two")]).await;
    expect("message ids, where the first was sent", Vec::<&str>::new(), ids(&yard.claim("a", &leads).await?))
}

pub(super) async fn what_was_written_first_comes_first(yard: &impl Yard) -> Kept {
    let written: Vec<OutboxMessage> = (0..60).map(|n| keyed(&format!("m-{n:02}"), &format!("key-{}", n % 7))).collect();
    let (first, second) = written.split_at(30);
    yard.write(first.to_vec()).await;
    yard.write(second.to_vec()).await;
    let leads = yard.lead_all("a").await?;
    let mut claimed = Vec::new();
    for _ in 0..6 {
        claimed.extend(yard.store().claim("a", &leads, 10).await?);
    }
    expect("message ids", written.iter().map(|message| message.message_id.as_str()).collect(), ids(&claimed))?;
    let numbers: Vec<i64> = claimed.iter().map(|claimed| claimed.id).collect();
    expect_that("the numbers grow", numbers.is_sorted_by(|a, b| a < b), numbers)
}

pub(super) async fn a_message_with_a_delay_waits_and_holds_up_no_other(yard: &impl Yard) -> Kept {
    let leads = yard.lead_all("a").await?;
    let begin = yard.clock().monotonic();
    let late = OutboxMessage { delay: SHORT, ..keyed("late", "k") };
    let far = OutboxMessage { delay: LONG, ..keyed("far", "k") };
    yard.write(vec![far, late, keyed("now", "k")]).await;
    let mut claimed = yard.claim("a", &leads).await?;
    if !yard.is_over(begin, SHORT) {
        expect("message ids before the delay is over", vec!["now"], ids(&claimed))?;
    }
    if claimed.len() < 2 {
        claimed.extend(yard.claim_until("a", &leads, 1).await?);
    }
    expect_that("both come", claimed.len() == 2, ids(&claimed))?;
    let late = claimed.iter().find(|claimed| claimed.message.message_id == "late");
    expect_that("what has a delay comes when it is over", late.is_some_and(|late| late.age >= SHORT), late)
}

pub(super) async fn the_depth_is_what_waits_and_what_failed(yard: &impl Yard) -> Kept {
    let depth = async || yard.store().outbox_depth().await;
    expect("the depth of an empty outbox", Default::default(), depth().await?)?;
    yard.write(vec![OutboxMessage { delay: LONG, ..message("far") }]).await;
    let far = depth().await?;
    expect("pending and failed, with one that has a delay", (1, 0), (far.pending, far.failed))?;
    expect("the oldest that could have been sent", None, far.oldest)?;
    yard.write(["sent", "failed", "retry", "publishing"].map(message).to_vec()).await;
    let all = depth().await?;
    expect("pending and failed, before any is claimed", (5, 0), (all.pending, all.failed))?;
    expect_that("the oldest has an age", all.oldest.is_some_and(|oldest| oldest < LONG), all.oldest)?;
    let leads = yard.lead_all("a").await?;
    for claimed in yard.claim("a", &leads).await? {
        match &*claimed.message.message_id {
            "sent" => yard.settle(&claimed, MessageEnd::Sent).await?,
            "failed" => yard.settle(&claimed, failed("no")).await?,
            "retry" => yard.settle(&claimed, retry(LONG)).await?,
            _ => 0,
        };
    }
    let end = depth().await?;
    expect("pending (far, retry, publishing) and failed (failed)", (3, 1), (end.pending, end.failed))
}
