//! Rules about leaders that lead no more.

use super::report::{Kept, expect, expect_that};
use super::yard::{LONG, SHORT, Yard, ids, keyed, message, retry, settled};
use crate::store::{Lead, MessageEnd, OUTBOX_SHARDS, OutboxStore};

const NONE: Vec<&str> = Vec::new();

pub(super) async fn nobody_claims_without_a_lead(yard: &impl Yard) -> Kept {
    yard.write(vec![message("one"), keyed("two", "k")]).await;
    let unknown: Vec<Lead> = (0..OUTBOX_SHARDS).map(|shard| Lead { shard, epoch: 1 }).collect();
    expect("a relay that never led", NONE, ids(&yard.claim("a", &unknown).await?))?;
    let leads = yard.lead_all("a").await?;
    expect("a claim of no shards", NONE, ids(&yard.claim("a", &[]).await?))?;
    expect("another relay with these leads", NONE, ids(&yard.claim("b", &leads).await?))?;
    for (step, what) in [(-1, "an epoch that is over"), (1, "an epoch to come")] {
        let wrong: Vec<Lead> = leads.iter().map(|lead| Lead { epoch: lead.epoch + step, ..*lead }).collect();
        expect(what, NONE, ids(&yard.claim("a", &wrong).await?))?;
    }
    expect("the leader", vec!["one", "two"], ids(&yard.claim("a", &leads).await?))
}

pub(super) async fn nobody_claims_with_a_lease_that_is_over(yard: &impl Yard) -> Kept {
    let leads = yard.store().lead("a", SHORT, &[]).await?;
    yard.write(vec![message("one")]).await;
    yard.clock().sleep(SHORT + SHORT / 4).await;
    expect("a leader whose lease is over", NONE, ids(&yard.claim("a", &leads).await?))
}

pub(super) async fn what_a_leader_left_is_claimed_again_at_once(yard: &impl Yard) -> Kept {
    yard.write(vec![keyed("one", "k"), keyed("two", "k"), message("three"), message("sent")]).await;
    let leads = yard.lead_all("a").await?;
    let first = yard.claim_just("a", &leads, &["one", "two", "three", "sent"]).await?;
    yard.settle(&first[3], MessageEnd::Sent).await?;
    yard.store().resign("a").await?;
    let leads = yard.lead_all("b").await?;
    let second = yard.claim("b", &leads).await?;
    expect("what it left", vec!["one", "two", "three"], ids(&second))?;
    for claimed in &second {
        let before = claimed.first_claimed.is_some_and(|before| before <= claimed.age);
        expect_that("it was claimed before", before, claimed)?;
        expect("its attempts", 0, claimed.attempts)?;
    }
    Ok(())
}

pub(super) async fn an_old_leader_settles_nothing(yard: &impl Yard) -> Kept {
    yard.write(vec![message("one"), message("two"), message("three"), message("four")]).await;
    let old_leads = yard.lead_all("a").await?;
    let old = yard.claim_just("a", &old_leads, &["one", "two", "three", "four"]).await?;
    yard.store().resign("a").await?;
    let leads = yard.lead_all("b").await?;
    expect("pending messages that an old leader settles", 0, yard.settle(&old[0], MessageEnd::Sent).await?)?;
    let new = yard.claim("b", &leads).await?;
    expect("messages of the second leader", ids(&old), ids(&new))?;
    let ends = [MessageEnd::Sent, retry(LONG), MessageEnd::Failed { error: "old".into() }, MessageEnd::Sent];
    let late: Vec<_> = old.iter().zip(ends).map(|(claimed, end)| settled(claimed, end)).collect();
    expect("publishing messages that an old leader settles", 0, yard.store().settle(&late).await?)?;
    let depth = yard.store().outbox_depth().await?;
    expect("pending and failed after that", (4, 0), (depth.pending, depth.failed))?;
    let sent: Vec<_> = new.iter().map(|claimed| settled(claimed, MessageEnd::Sent)).collect();
    expect("what the new leader settles", 4, yard.store().settle(&sent).await?)
}

pub(super) async fn an_old_leader_claims_nothing(yard: &impl Yard) -> Kept {
    let old = yard.store().lead("a", SHORT, &[]).await?;
    let new = yard.lead_until("b", LONG, OUTBOX_SHARDS.into()).await?;
    yard.write(vec![message("one")]).await;
    expect("the old leader", NONE, ids(&yard.claim("a", &old).await?))?;
    expect("the old leader with the new epochs", NONE, ids(&yard.claim("a", &new).await?))?;
    expect("the new leader with the old epochs", NONE, ids(&yard.claim("b", &old).await?))?;
    expect("the new leader", vec!["one"], ids(&yard.claim("b", &new).await?))
}
