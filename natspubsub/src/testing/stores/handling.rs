//! Rules of an inbox.

use std::time::Duration;

use futures::future::try_join_all;

use super::report::{Broken, Kept, expect, expect_that};
use super::yard::{LONG, SHORT};
use crate::clock::{SharedClock, SystemClock};
use crate::store::{Claim, InboxDepth, InboxKey, InboxStore};

/// How long something that must happen is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

fn key(event: &str) -> InboxKey {
    InboxKey::new("shop-reserve", event)
}

/// Claims a handling that must be free.
async fn take(store: &impl InboxStore, key: &InboxKey, lease: Duration) -> Result<i64, Broken> {
    match store.claim_handling(key, lease).await? {
        Claim::Mine { fence } => Ok(fence),
        other => Err(Broken::new(format!("a claim of a free handling: expected Mine, came {other:?}"))),
    }
}

/// Claims a handling until the lease of its owner is over.
async fn take_over(store: &impl InboxStore, key: &InboxKey, clock: &SharedClock) -> Result<i64, Broken> {
    let begin = clock.monotonic();
    while clock.monotonic() < begin + PATIENCE {
        if let Claim::Mine { fence } = store.claim_handling(key, LONG).await? {
            return Ok(fence);
        }
        clock.sleep(Duration::from_millis(10)).await;
    }
    take(store, key, LONG).await
}

fn is_busy(claim: Claim, lease: Duration) -> bool {
    matches!(claim, Claim::Busy { remaining } if remaining > Duration::ZERO && remaining <= lease)
}

pub(super) async fn the_table_is_there(store: &impl InboxStore) -> Kept {
    Ok(store.check_inbox_table().await?)
}

pub(super) async fn a_handling_has_one_owner(store: &impl InboxStore) -> Kept {
    take(store, &key("e"), LONG).await?;
    for _ in 0..2 {
        let claim = store.claim_handling(&key("e"), LONG).await?;
        expect_that("another claim is busy, for the rest of the lease at most", is_busy(claim, LONG), claim)?;
    }
    Ok(())
}

pub(super) async fn handlings_are_told_apart(store: &impl InboxStore) -> Kept {
    for (consumer, event) in
        [("a", "b"), ("a", "B"), ("a", "bc"), ("ab", "c"), ("a b", "c"), ("a", "b c"), ("'", "\u{fc}")]
    {
        let key = InboxKey::new(consumer, event);
        let fence = take(store, &key, LONG).await?;
        expect(&format!("the end of {key:?}"), true, store.finish_handling(&key, fence).await?)?;
    }
    Ok(())
}

pub(super) async fn claims_at_once_have_one_winner(store: &impl InboxStore) -> Kept {
    let is_mine = |claims: &[Claim]| claims.iter().filter(|claim| matches!(claim, Claim::Mine { .. })).count();
    for round in 0..10 {
        let key = key(&format!("e-{round}"));
        let new = try_join_all((0..8).map(|_| store.claim_handling(&key, LONG))).await?;
        expect("winners of eight claims of a new handling", 1, is_mine(&new))?;
        store.fail_handling(&key, "no").await?;
        let failed = try_join_all((0..8).map(|_| store.claim_handling(&key, LONG))).await?;
        expect("winners of eight claims of a failed handling", 1, is_mine(&failed))?;
    }
    Ok(())
}

pub(super) async fn what_is_processed_stays_processed(store: &impl InboxStore) -> Kept {
    let fence = take(store, &key("e"), Duration::from_millis(1)).await?;
    expect("the end", true, store.finish_handling(&key("e"), fence).await?)?;
    SystemClock::shared().sleep(Duration::from_millis(20)).await;
    expect("a claim afterwards", Claim::Processed, store.claim_handling(&key("e"), LONG).await?)?;
    expect("another end", false, store.finish_handling(&key("e"), fence).await?)?;
    expect("a renewal", false, store.renew_handling(&key("e"), fence, LONG).await?)?;
    expect("giving it back", false, store.give_handling_back(&key("e"), fence, "no").await?)?;
    expect("a claim after all that", Claim::Processed, store.claim_handling(&key("e"), LONG).await?)
}

pub(super) async fn a_lease_that_is_over_is_taken_by_another(store: &impl InboxStore) -> Kept {
    let clock = SystemClock::shared();
    let begin = clock.monotonic();
    let first = take(store, &key("e"), SHORT).await?;
    let claim = store.claim_handling(&key("e"), LONG).await?;
    if clock.monotonic() < begin + SHORT {
        expect_that("it is busy before that", is_busy(claim, SHORT), claim)?;
        let second = take_over(store, &key("e"), &clock).await?;
        expect_that("the fence has grown", second > first, (first, second))?;
        expect_that("it was not earlier", clock.monotonic() >= begin + SHORT, clock.monotonic() - begin)?;
    }
    Ok(())
}

pub(super) async fn an_old_owner_changes_nothing(store: &impl InboxStore) -> Kept {
    let clock = SystemClock::shared();
    let old = take(store, &key("e"), Duration::from_millis(1)).await?;
    let new = take_over(store, &key("e"), &clock).await?;
    expect("a renewal of the old owner", false, store.renew_handling(&key("e"), old, LONG).await?)?;
    expect("the end of the old owner", false, store.finish_handling(&key("e"), old).await?)?;
    expect("what the old owner gives back", false, store.give_handling_back(&key("e"), old, "old").await?)?;
    let claim = store.claim_handling(&key("e"), LONG).await?;
    expect_that("the new owner still has it", is_busy(claim, LONG), claim)?;
    expect("the end of the new owner", true, store.finish_handling(&key("e"), new).await?)?;
    expect("the end of one that never began", false, store.finish_handling(&key("never"), 1).await?)
}

pub(super) async fn a_renewed_lease_begins_anew(store: &impl InboxStore) -> Kept {
    let clock = SystemClock::shared();
    let fence = take(store, &key("e"), SHORT).await?;
    expect("a renewal", true, store.renew_handling(&key("e"), fence, LONG).await?)?;
    clock.sleep(SHORT + SHORT / 4).await;
    let claim = store.claim_handling(&key("e"), LONG).await?;
    expect_that("it is busy after the first lease", is_busy(claim, LONG), claim)?;
    expect("a renewal to a shorter one", true, store.renew_handling(&key("e"), fence, SHORT).await?)?;
    take_over(store, &key("e"), &clock).await?;
    Ok(())
}

pub(super) async fn what_is_given_back_is_claimed_at_once(store: &impl InboxStore) -> Kept {
    let first = take(store, &key("e"), LONG).await?;
    expect("giving it back", true, store.give_handling_back(&key("e"), first, "the shelf is locked").await?)?;
    let second = take(store, &key("e"), LONG).await?;
    expect_that("the fence has grown", second > first, (first, second))?;
    expect("the end of the first owner", false, store.finish_handling(&key("e"), first).await?)?;
    expect("the end of the second owner", true, store.finish_handling(&key("e"), second).await?)
}

pub(super) async fn a_failed_handling_is_claimed_again(store: &impl InboxStore) -> Kept {
    store.fail_handling(&key("unseen"), "undecodable").await?;
    store.fail_handling(&key("unseen"), "undecodable, again").await?;
    let first = take(store, &key("unseen"), LONG).await?;
    store.fail_handling(&key("unseen"), "no").await?;
    let second = take(store, &key("unseen"), LONG).await?;
    expect_that("the fence has grown", second > first, (first, second))?;
    expect("its end", true, store.finish_handling(&key("unseen"), second).await?)?;
    expect("a claim afterwards", Claim::Processed, store.claim_handling(&key("unseen"), LONG).await?)
}

pub(super) async fn a_dead_letter_does_not_undo_what_is_processed(store: &impl InboxStore) -> Kept {
    let fence = take(store, &key("e"), LONG).await?;
    store.finish_handling(&key("e"), fence).await?;
    store.fail_handling(&key("e"), "too late").await?;
    expect("a claim afterwards", Claim::Processed, store.claim_handling(&key("e"), LONG).await?)
}

pub(super) async fn a_dead_letter_ends_what_is_running(store: &impl InboxStore) -> Kept {
    let fence = take(store, &key("e"), LONG).await?;
    store.fail_handling(&key("e"), "it was delivered too often").await?;
    expect("the end of who was at it", false, store.finish_handling(&key("e"), fence).await?)?;
    expect("a renewal of who was at it", false, store.renew_handling(&key("e"), fence, LONG).await?)?;
    expect("the depth", InboxDepth { processing: 0, failed: 1 }, store.inbox_depth().await?)
}

pub(super) async fn only_old_processed_handlings_are_deleted(store: &impl InboxStore) -> Kept {
    for event in ["processed-1", "processed-2"] {
        let fence = take(store, &key(event), LONG).await?;
        store.finish_handling(&key(event), fence).await?;
    }
    take(store, &key("processing"), LONG).await?;
    store.fail_handling(&key("failed"), "no").await?;
    expect("deleted ones of long ago", 0, store.delete_processed(LONG, 10).await?)?;
    // So that they are older than nothing, also by a clock of whole milliseconds.
    SystemClock::shared().sleep(Duration::from_millis(20)).await;
    expect("deleted with a limit of one", 1, store.delete_processed(Duration::ZERO, 1).await?)?;
    expect("deleted afterwards", 1, store.delete_processed(Duration::ZERO, 10).await?)?;
    expect("deleted when there are no more", 0, store.delete_processed(Duration::ZERO, 10).await?)?;
    expect("the depth", InboxDepth { processing: 1, failed: 1 }, store.inbox_depth().await?)?;
    take(store, &key("processed-1"), LONG).await.map(drop)
}

pub(super) async fn the_depth_is_what_is_processing_and_what_failed(store: &impl InboxStore) -> Kept {
    expect("the depth of an empty inbox", InboxDepth::default(), store.inbox_depth().await?)?;
    for event in ["processing-1", "processing-2", "processed", "failed"] {
        let fence = take(store, &key(event), LONG).await?;
        if event == "processed" {
            store.finish_handling(&key(event), fence).await?;
        }
    }
    store.fail_handling(&key("failed"), "no").await?;
    expect("the depth", InboxDepth { processing: 2, failed: 1 }, store.inbox_depth().await?)
}
