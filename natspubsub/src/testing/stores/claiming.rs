//! Rules about claims.

use std::collections::BTreeSet;

use futures::future::try_join_all;

use super::report::{Kept, expect, expect_that};
use super::yard::{LONG, Yard, ids, keyed, many, message, retry};
use crate::store::{ClaimedMessage, Lead, OutboxMessage, OutboxStore};

pub(super) async fn a_claim_takes_no_more_than_its_limit(yard: &impl Yard) -> Kept {
    yard.write(many(5)).await;
    let leads = yard.lead_all("a").await?;
    expect("message ids", vec!["m-0000", "m-0001"], ids(&yard.store().claim("a", &leads, 2).await?))?;
    expect("message ids", vec!["m-0002", "m-0003"], ids(&yard.store().claim("a", &leads, 2).await?))?;
    expect("message ids", vec!["m-0004"], ids(&yard.store().claim("a", &leads, 2).await?))
}

pub(super) async fn a_message_is_claimed_once(yard: &impl Yard) -> Kept {
    yard.write(vec![message("one"), keyed("two", "k"), keyed("three", "k")]).await;
    let leads = yard.lead_all("a").await?;
    expect("message ids of the first claim", vec!["one", "two", "three"], ids(&yard.claim("a", &leads).await?))?;
    expect("message ids of the second", Vec::<&str>::new(), ids(&yard.claim("a", &leads).await?))
}

/// Each of `written` came once.
fn expect_each_once(written: usize, claimed: &[ClaimedMessage]) -> Kept {
    let different: BTreeSet<&str> = ids(claimed).into_iter().collect();
    expect("claimed messages, and different ones among them", (written, written), (claimed.len(), different.len()))
}

pub(super) async fn claims_at_once_never_get_the_same_message(yard: &impl Yard) -> Kept {
    yard.write(many(160)).await;
    let leads = yard.lead_all("a").await?;
    let mut claimed = Vec::new();
    while claimed.len() < 160 {
        let at_once = try_join_all((0..8).map(|_| yard.store().claim("a", &leads, 10))).await?;
        let before = claimed.len();
        claimed.extend(at_once.into_iter().flatten());
        expect_that("claims go on until all are claimed", claimed.len() > before, before)?;
    }
    expect_each_once(160, &claimed)
}

pub(super) async fn two_relays_at_once_never_get_the_same_message(yard: &impl Yard) -> Kept {
    yard.write(many(160)).await;
    yard.lead_all("a").await?;
    yard.lead_all("b").await?;
    let a = yard.lead_all("a").await?;
    let b = yard.lead_all("b").await?;
    let both: Vec<Lead> = a.iter().chain(&b).copied().collect();
    let mut claimed = Vec::new();
    while claimed.len() < 160 {
        let before = claimed.len();
        let (of_a, of_b) =
            futures::future::try_join(yard.store().claim("a", &both, 20), yard.store().claim("b", &both, 20)).await?;
        expect_that("a gets what a leads", of_a.iter().all(|one| a.contains(&one.lead)), &of_a)?;
        expect_that("b gets what b leads", of_b.iter().all(|one| b.contains(&one.lead)), &of_b)?;
        claimed.extend(of_a.into_iter().chain(of_b));
        expect_that("claims go on until all are claimed", claimed.len() > before, before)?;
    }
    expect_each_once(160, &claimed)
}

pub(super) async fn only_shards_that_are_asked_for_are_claimed(yard: &impl Yard) -> Kept {
    let written = many(64);
    yard.write(written.clone()).await;
    let leads = yard.lead_all("a").await?;
    let (some, others) = leads.split_at(5);
    for leads in [some, others] {
        let asked = |message: &&OutboxMessage| leads.iter().any(|lead| lead.shard == message.shard());
        let expected = written.iter().filter(asked).map(|message| message.message_id.as_str()).collect();
        expect("message ids of these shards", expected, ids(&yard.claim("a", leads).await?))?;
    }
    Ok(())
}

pub(super) async fn blocked_keys_do_not_use_up_the_limit(yard: &impl Yard) -> Kept {
    // The same shard: of another, a claim might find it by another way.
    let of_the_same_shard = |number: &usize| keyed("", &format!("key-{number}")).shard() == keyed("", "slow").shard();
    let free = (0..).find(of_the_same_shard).map(|number| format!("key-{number}")).unwrap_or_default();
    yard.write((0..50).map(|number| keyed(&format!("slow-{number}"), "slow")).collect()).await;
    let leads = yard.lead_all("a").await?;
    for claimed in yard.store().claim("a", &leads, 1).await? {
        yard.settle(&claimed, retry(LONG)).await?;
    }
    yard.write(vec![keyed("free", &free)]).await;
    expect("message ids behind a key that waits", vec!["free"], ids(&yard.store().claim("a", &leads, 5).await?))
}
