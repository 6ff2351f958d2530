//! Rules about who leads.

use std::collections::BTreeMap;

use futures::future::try_join_all;

use super::report::{Broken, Kept, expect, expect_that};
use super::yard::{LONG, SHORT, Yard, expect_all_shards, shards};
use crate::store::{Lead, OUTBOX_SHARDS, OutboxStore};

pub(super) async fn a_relay_alone_leads_everything(yard: &impl Yard) -> Kept {
    expect_all_shards("a relay alone", &yard.lead_all("a").await?)
}

pub(super) async fn leading_again_keeps_the_epochs(yard: &impl Yard) -> Kept {
    let sorted = |mut leads: Vec<Lead>| {
        leads.sort();
        leads
    };
    let first = sorted(yard.lead_all("a").await?);
    expect("leads of the second call", first, sorted(yard.lead_all("a").await?))
}

/// How many shards each of the relays leads when nothing changes any more; no two the same, and each has a leader.
async fn balance(yard: &impl Yard, relays: &[&str]) -> Result<Vec<usize>, Broken> {
    let mut parts = BTreeMap::new();
    for _ in 0..3 {
        for relay in relays {
            parts.insert(*relay, yard.store().lead(relay, LONG, &[]).await?);
        }
    }
    let all: Vec<Lead> = parts.values().flatten().copied().collect();
    expect_all_shards("the relays together", &all)?;
    let mut counts: Vec<usize> = parts.values().map(Vec::len).collect();
    counts.sort_unstable();
    Ok(counts)
}

pub(super) async fn relays_lead_equal_parts(yard: &impl Yard) -> Kept {
    expect("shards of each of two relays", vec![8, 8], balance(yard, &["a", "b"]).await?)?;
    let of_three = balance(yard, &["a", "b", "c"]).await?;
    expect_that("of three relays each leads 4 to 6 shards", of_three.iter().all(|n| (4..=6).contains(n)), &of_three)?;
    expect("shards of each of four relays", vec![4; 4], balance(yard, &["a", "b", "c", "d"]).await?)?;
    yard.store().resign("b").await?;
    yard.store().resign("d").await?;
    expect("shards of two relays after the others have left", vec![8, 8], balance(yard, &["a", "c"]).await?)
}

pub(super) async fn busy_shards_are_kept(yard: &impl Yard) -> Kept {
    let all: Vec<u16> = (0..OUTBOX_SHARDS).collect();
    let before = yard.lead_all("a").await?;
    yard.lead_all("b").await?;
    let kept = yard.store().lead("a", LONG, &all).await?;
    expect("shards when all are busy", shards(&before), shards(&kept))?;
    expect_that("busy shards keep their epochs", kept.iter().all(|lead| before.contains(lead)), &kept)?;
    let busy: Vec<u16> = (6..16).collect();
    let kept = yard.store().lead("a", LONG, &busy).await?;
    expect("shards when ten are busy", busy.iter().copied().collect(), shards(&kept))?;
    let kept = yard.store().lead("a", LONG, &busy[..3]).await?;
    expect("how many are led when three are busy", 8, kept.len())?;
    expect_that("they are among them", busy[..3].iter().all(|busy| shards(&kept).contains(busy)), &kept)
}

pub(super) async fn a_relay_that_resigns_is_followed_at_once(yard: &impl Yard) -> Kept {
    let before = yard.lead_all("a").await?;
    yard.store().resign("a").await?;
    let after = yard.lead_all("b").await?;
    expect_all_shards("who comes after it", &after)?;
    let grown = before.iter().all(|old| after.iter().any(|new| new.shard == old.shard && new.epoch > old.epoch));
    expect_that("each epoch has grown", grown, &after)?;
    yard.store().resign("nobody").await?;
    yard.store().resign("a").await?;
    expect_all_shards("b, after others have resigned", &yard.lead_all("b").await?)
}

pub(super) async fn a_relay_that_died_is_followed_when_its_lease_is_over(yard: &impl Yard) -> Kept {
    let begin = yard.clock().monotonic();
    let before = yard.store().lead("a", SHORT, &[]).await?;
    let early = yard.lead_all("b").await?;
    if !yard.is_over(begin, SHORT) {
        expect("leads of the second relay, before the lease of the first is over", Vec::new(), early)?;
    }
    let after = yard.lead_until("b", LONG, OUTBOX_SHARDS.into()).await?;
    expect_all_shards("who comes after it", &after)?;
    let grown = before.iter().all(|old| after.iter().any(|new| new.shard == old.shard && new.epoch > old.epoch));
    expect_that("each epoch has grown", grown, &after)
}

pub(super) async fn relays_that_start_at_once_never_lead_the_same(yard: &impl Yard) -> Kept {
    let mut leaders: BTreeMap<Lead, &str> = BTreeMap::new();
    let relays = ["a", "b", "c", "d"];
    let mut counts = Vec::new();
    for _ in 0..10 {
        let parts = try_join_all(relays.map(|relay| yard.store().lead(relay, LONG, &[]))).await?;
        for (relay, part) in relays.into_iter().zip(&parts) {
            for lead in part {
                let leader = *leaders.entry(*lead).or_insert(relay);
                expect(&format!("the leader of shard {} in epoch {}", lead.shard, lead.epoch), leader, relay)?;
            }
        }
        counts = parts.iter().map(Vec::len).collect();
    }
    expect("shards of each relay after ten calls", vec![4; 4], counts)
}
