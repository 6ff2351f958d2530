//! Whether a store keeps the rules of its trait: for whoever writes one.

mod claiming;
mod fencing;
mod handling;
mod leading;
mod report;
mod settling;
mod writing;
mod yard;

use self::report::{Report, Rule};
use self::yard::Ground;
use crate::store::{InboxStore, OutboxMessage, OutboxStore};

/// Panics unless a store keeps every rule of [`OutboxStore`]; the text names each rule that is broken, what was expected,
/// and what came.
///
/// `make` gives an empty store with its tables, anew for each of some thirty rules; `write` puts messages into it and
/// commits them. All of it takes a few seconds, because some rules wait for the end of a lease of 400 ms.
///
/// ```
/// use natspubsub::store::MemoryStore;
/// use natspubsub::testing::stores;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// stores::check_outbox(
///     async || MemoryStore::new(),
///     async |store: &MemoryStore, messages| {
///         store.write(messages);
///     },
/// )
/// .await;
/// # }
/// ```
///
/// # Panics
/// When a rule is broken, or a call ends in an error.
pub async fn check_outbox<S: OutboxStore>(make: impl AsyncFn() -> S, write: impl AsyncFn(&S, Vec<OutboxMessage>)) {
    let mut report = Report::default();
    macro_rules! check {
        ($($room:ident { $($rule:ident)+ })+) => {$($(
            let ground = Ground::new(make().await, &write);
            report.note(Rule::named(stringify!($rule)), Box::pin($room::$rule(&ground))).await;
        )+)+};
    }
    check! {
        writing {
            the_tables_are_there
            a_message_comes_as_it_was_written
            a_message_id_is_kept_once
            what_was_written_first_comes_first
            a_message_with_a_delay_waits_and_holds_up_no_other
            the_depth_is_what_waits_and_what_failed
        }
        claiming {
            a_claim_takes_no_more_than_its_limit
            a_message_is_claimed_once
            claims_at_once_never_get_the_same_message
            two_relays_at_once_never_get_the_same_message
            only_shards_that_are_asked_for_are_claimed
            blocked_keys_do_not_use_up_the_limit
        }
        leading {
            a_relay_alone_leads_everything
            leading_again_keeps_the_epochs
            relays_lead_equal_parts
            busy_shards_are_kept
            a_relay_that_resigns_is_followed_at_once
            a_relay_that_died_is_followed_when_its_lease_is_over
            relays_that_start_at_once_never_lead_the_same
        }
        fencing {
            nobody_claims_without_a_lead
            nobody_claims_with_a_lease_that_is_over
            what_a_leader_left_is_claimed_again_at_once
            an_old_leader_settles_nothing
            an_old_leader_claims_nothing
        }
        settling {
            a_sent_message_never_comes_again
            a_message_is_settled_once
            a_message_is_settled_by_its_lead_only
            a_retry_comes_again_after_its_pause
            only_a_counted_retry_is_an_attempt
            a_key_waits_for_its_retry
            what_is_written_later_waits_for_the_retry_too
            a_retry_without_a_key_holds_up_no_other
            a_failed_message_stays_and_its_key_goes_on
            a_failed_message_is_tried_again_on_request
            messages_are_settled_together
            only_old_sent_messages_are_deleted
        }
    }
    report.end("an outbox");
}

/// Panics unless a store keeps every rule of [`InboxStore`]; the text names each rule that is broken, what was expected,
/// and what came.
///
/// `make` gives an empty store with its table, anew for each rule.
///
/// ```
/// use natspubsub::store::MemoryStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// natspubsub::testing::stores::check_inbox(async || MemoryStore::new()).await;
/// # }
/// ```
///
/// # Panics
/// When a rule is broken, or a call ends in an error.
pub async fn check_inbox<S: InboxStore>(make: impl AsyncFn() -> S) {
    let mut report = Report::default();
    macro_rules! check {
        ($($rule:ident)+) => {$(
            let store = make().await;
            report.note(Rule::named(stringify!($rule)), Box::pin(handling::$rule(&store))).await;
        )+};
    }
    check! {
        the_table_is_there
        a_handling_has_one_owner
        handlings_are_told_apart
        claims_at_once_have_one_winner
        what_is_processed_stays_processed
        a_lease_that_is_over_is_taken_by_another
        an_old_owner_changes_nothing
        a_renewed_lease_begins_anew
        what_is_given_back_is_claimed_at_once
        a_failed_handling_is_claimed_again
        a_dead_letter_does_not_undo_what_is_processed
        a_dead_letter_ends_what_is_running
        only_old_processed_handlings_are_deleted
        the_depth_is_what_is_processing_and_what_failed
    }
    report.end("an inbox");
}

/// The guide, whose examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/stores.md")]
struct Guide;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    #[tokio::test]
    async fn the_store_in_memory_keeps_the_rules() {
        let write = async |store: &MemoryStore, messages| drop(store.write(messages));
        check_outbox(async || MemoryStore::new(), write).await;
        check_inbox(async || MemoryStore::new()).await;
    }

    #[tokio::test]
    #[should_panic(expected = "- a message is claimed once: message ids of the first claim: expected")]
    async fn a_rule_that_is_broken_is_named() {
        check_outbox(async || MemoryStore::new(), async |_: &MemoryStore, _| {}).await;
    }
}
