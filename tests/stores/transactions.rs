//! What the caller's transaction promises, for every store in a database of `sqlx`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use natspubsub::store::{Claim, Entered, InboxKey, MessageEnd, OutboxMessage, SettledMessage, SqlStore};

pub(crate) const LONG: Duration = Duration::from_secs(600);

pub(crate) fn message(id: &str, key: &str) -> OutboxMessage {
    OutboxMessage {
        event_id: id.into(),
        message_id: id.into(),
        subject: "test.shop.order.created".into(),
        key: Some(key.into()),
        headers: Default::default(),
        body: Bytes::from_static(b"{}"),
        delay: Duration::ZERO,
    }
}

/// Writes and commits.
pub(crate) async fn write<S: SqlStore>(store: &S, messages: Vec<OutboxMessage>) -> Vec<bool> {
    let mut transaction = store.begin().await.unwrap();
    let new = store.write_messages(&mut transaction, &messages).await.unwrap();
    store.commit(transaction).await.unwrap();
    store.ring();
    new
}

/// The message ids of what a relay without others can claim, in their order.
pub(crate) async fn claimed<S: SqlStore>(store: &S) -> Vec<String> {
    let leads = store.lead("relay", LONG, &[]).await.unwrap();
    let claimed = store.claim("relay", &leads, 10_000).await.unwrap();
    claimed.into_iter().map(|claimed| claimed.message.message_id).collect()
}

/// What is rolled back, or dropped, was never there.
pub(crate) async fn a_rollback_leaves_nothing<S: SqlStore>(store: &S) {
    let key = InboxKey::new("consumer", "e-1");
    for is_dropped in [false, true] {
        let mut transaction = store.begin().await.unwrap();
        let new = store.write_messages(&mut transaction, &[message("m-1", "k")]).await.unwrap();
        assert_eq!(new, [true]);
        assert_eq!(store.enter_handling(&mut transaction, &key).await.unwrap(), Entered::First);
        if is_dropped {
            drop(transaction);
        } else {
            transaction.rollback().await.unwrap();
        }
        assert_eq!(store.outbox_depth().await.unwrap().pending, 0);
        assert_eq!(claimed(store).await, Vec::<String>::new());
    }
    assert_eq!(write(store, vec![message("m-1", "k")]).await, [true]);
    assert_eq!(claimed(store).await, ["m-1"]);
    let mut transaction = store.begin().await.unwrap();
    assert_eq!(store.enter_handling(&mut transaction, &key).await.unwrap(), Entered::First);
}

/// For each message whether it is new, whatever is in the outbox, in the transaction and in the call.
pub(crate) async fn a_message_id_is_written_once<S: SqlStore>(store: &S) {
    let of = |numbers: &[u32]| -> Vec<OutboxMessage> {
        numbers.iter().map(|number| message(&format!("m-{number}"), "k")).collect()
    };
    assert_eq!(write(store, Vec::new()).await, Vec::<bool>::new());
    assert_eq!(write(store, of(&[1, 1, 2, 1])).await, [true, false, true, false]);
    let mut transaction = store.begin().await.unwrap();
    assert_eq!(store.write_messages(&mut transaction, &of(&[2, 3])).await.unwrap(), [false, true]);
    assert_eq!(store.write_messages(&mut transaction, &of(&[3, 4])).await.unwrap(), [false, true]);
    store.commit(transaction).await.unwrap();
    // More than one statement takes, with some that are there.
    let many: Vec<u32> = (0..500).collect();
    let new = write(store, of(&many)).await;
    let old: Vec<usize> = (0..500).filter(|index| !new[*index]).collect();
    assert_eq!(old, [1, 2, 3, 4]);
    assert_eq!(claimed(store).await.len(), 500);
}

/// Writers of one key, one after the other on many connections: claimed in the order of their commits.
pub(crate) async fn messages_of_a_key_come_in_the_order_of_their_commits<S: SqlStore>(store: &S) {
    let turn = Arc::new(tokio::sync::Mutex::new(0));
    let writers = (0..8).map(|_| {
        let (store, turn) = (store.clone(), Arc::clone(&turn));
        async move {
            for _ in 0..5 {
                let mut turn = turn.lock().await;
                write(&store, vec![message(&format!("m-{turn:03}"), "k"), message(&format!("m-{turn:03}-b"), "k")])
                    .await;
                *turn += 1;
            }
        }
    });
    join_all(writers).await;
    let claimed = claimed(store).await;
    assert_eq!(claimed.len(), 80);
    assert!(claimed.is_sorted(), "{claimed:?}");
}

/// A handling in a transaction: new, processed, failed, leased.
pub(crate) async fn a_handling_is_entered_once<S: SqlStore>(store: &S) {
    let key = |event: &str| InboxKey::new("consumer", event);
    let enter = async |event: &str| {
        let mut transaction = store.begin().await.unwrap();
        let entered = store.enter_handling(&mut transaction, &key(event)).await.unwrap();
        store.commit(transaction).await.unwrap();
        entered
    };
    assert_eq!(enter("e-1").await, Entered::First);
    assert_eq!(enter("e-1").await, Entered::Processed);
    assert_eq!(store.claim_handling(&key("e-1"), LONG).await.unwrap(), Claim::Processed);

    store.fail_handling(&key("failed"), "no").await.unwrap();
    assert_eq!(enter("failed").await, Entered::First);
    store.fail_handling(&key("failed"), "too late").await.unwrap();
    assert_eq!(enter("failed").await, Entered::Processed);

    let Claim::Mine { fence } = store.claim_handling(&key("leased"), LONG).await.unwrap() else { panic!("it is free") };
    assert_eq!(enter("leased").await, Entered::Busy);
    assert!(store.give_handling_back(&key("leased"), fence, "no").await.unwrap());
    assert_eq!(enter("leased").await, Entered::First);
    assert!(!store.finish_handling(&key("leased"), fence).await.unwrap());
    assert_eq!(enter("leased").await, Entered::Processed);
}

/// Many at once: one is first, and nobody is told that it was handled before that is so.
pub(crate) async fn of_many_handlings_at_once_one_is_first<S: SqlStore>(store: &S) {
    for round in 0..5 {
        let key = InboxKey::new("consumer", format!("e-{round}"));
        let at_once = (0..8).map(|number| {
            let (store, key) = (store.clone(), key.clone());
            async move {
                let mut transaction = store.begin().await.unwrap();
                let entered = store.enter_handling(&mut transaction, &key).await.unwrap();
                if entered == Entered::First {
                    let effect = message(&format!("effect-{}-{number}", key.event_id), "k");
                    store.write_messages(&mut transaction, &[effect]).await.unwrap();
                }
                store.commit(transaction).await.unwrap();
                entered
            }
        });
        let entered = join_all(at_once).await;
        assert_eq!(entered.iter().filter(|entered| **entered == Entered::First).count(), 1, "{entered:?}");
    }
    assert_eq!(claimed(store).await.len(), 5);
}

/// What the relay does while transactions write: each message is sent once, in its order.
pub(crate) async fn a_relay_gets_everything_that_is_written_meanwhile<S: SqlStore>(store: &S) {
    const WRITERS: usize = 4;
    const EACH: usize = 25;
    let writers = join_all((0..WRITERS).map(|writer| {
        let store = store.clone();
        async move {
            for number in 0..EACH {
                write(&store, vec![message(&format!("{writer}-{number:03}"), &format!("key-{writer}"))]).await;
            }
        }
    }));
    let relay = async {
        let leads = store.lead("relay", LONG, &[]).await.unwrap();
        let mut sent: Vec<String> = Vec::new();
        while sent.len() < WRITERS * EACH {
            let claimed = store.claim("relay", &leads, 7).await.unwrap();
            let settled: Vec<SettledMessage> = claimed
                .iter()
                .map(|claimed| SettledMessage { id: claimed.id, lead: claimed.lead, end: MessageEnd::Sent })
                .collect();
            assert_eq!(store.settle(&settled).await.unwrap(), settled.len() as u64);
            sent.extend(claimed.into_iter().map(|claimed| claimed.message.message_id));
            tokio::task::yield_now().await;
        }
        sent
    };
    let both = futures::future::join(writers, relay);
    let ((), sent) = tokio::time::timeout(Duration::from_secs(60), async {
        let (_, sent) = both.await;
        ((), sent)
    })
    .await
    .expect("everything is sent within a minute");
    for writer in 0..WRITERS {
        let of: Vec<&String> = sent.iter().filter(|id| id.starts_with(&format!("{writer}-"))).collect();
        assert_eq!(of.len(), EACH, "writer {writer}");
        assert!(of.is_sorted(), "{of:?}");
    }
}
