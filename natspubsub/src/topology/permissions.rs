//! What the account must be allowed besides the requests of the start, tried before anything runs: the server says nothing
//! to a pull or an acknowledgement that it does not permit.

use futures::StreamExt;

use super::plan::{Plan, SubscriberPlan};
use crate::subject::Namespace;
use crate::transport::{Transport, Trial};

/// Trials on their way at once.
const TRIALS_AT_ONCE: usize = 64;

/// Something to try, what it is needed for, and where.
type Need = (Trial, String, String);

/// What is denied, one sentence each with the subscriber that needs it.
pub(crate) async fn denied(plan: &Plan, namespace: &Namespace, transport: &dyn Transport) -> Vec<String> {
    let mut needs: Vec<Need> = plan.consumers().flat_map(|consumer| needed(consumer, namespace)).collect();
    if let Some(first) = plan.subscribers.first() {
        needs.push((
            purge(namespace),
            "to take back what is recorded about deliveries".to_owned(),
            first.origin.place(),
        ));
    }
    let mut answers = Vec::with_capacity(needs.len());
    for need in needs {
        answers.push(tried(need, transport));
    }
    futures::stream::iter(answers).buffered(TRIALS_AT_ONCE).filter_map(std::future::ready).collect().await
}

async fn tried((trial, reason, place): Need, transport: &dyn Transport) -> Option<String> {
    let subject = transport.denies(&trial).await?;
    Some(format!("{place}: permission denied for {subject}, which is needed {reason}"))
}

/// Of a key that nobody writes: processes have ids of another form.
fn purge(namespace: &Namespace) -> Trial {
    Trial::Purge { stream: namespace.release_stream(), subject: namespace.at_work_subject("nobody") }
}

fn needed(consumer: &SubscriberPlan, namespace: &Namespace) -> Vec<Need> {
    let (stream, durable) = (consumer.stream.clone(), consumer.consumer_name().to_owned());
    let mut needed = vec![
        (Trial::Pull { stream: stream.clone(), durable: durable.clone() }, "to receive messages"),
        (Trial::Answer { stream: stream.clone(), durable }, "to acknowledge messages"),
    ];
    if consumer.settings.dead_letter {
        let letter = namespace.dead_letter_subject(&consumer.durable, "x");
        needed.push((Trial::Publish(letter), "to store dead letters"));
        let record = namespace.release_subject(&consumer.record_name(namespace), 0, "0");
        needed.push((Trial::Publish(record), "to record what a shutdown gives back"));
        needed.push((Trial::Read { stream }, "to store dead letters of messages that cannot be delivered"));
    }
    needed.into_iter().map(|(trial, reason)| (trial, reason.to_owned(), consumer.origin.place())).collect()
}
