//! Looks for applications that appear while this one runs, for subscribers that read every application.

use std::sync::Arc;
use std::time::Duration;

use super::crew::{Crew, Opened};
use crate::consume::Shared;
use crate::error::Result;
use crate::topology::{Plan, SubscriberPlan, Terms, applications, denied, manage};

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(30);

/// Engages a subscriber for each application that appears; ends with the application.
pub(super) async fn welcome(crew: Arc<Crew>, everywhere: Vec<SubscriberPlan>, shared: Shared, terms: Terms) {
    loop {
        tokio::select! {
            biased;
            () = shared.stopping.cancelled() => return,
            () = shared.clock.sleep(LOOK) => {}
        }
        crew.dismiss_left();
        let unread = match look(&crew, &everywhere, &shared, &terms).await {
            Ok(unread) => unread,
            Err(error) => {
                let why = crate::error::chain(&error);
                vec![format!("it could not be looked whether applications have appeared: {why}")]
            }
        };
        unread.iter().for_each(|problem| tracing::warn!("{problem}"));
        crew.note_unread(unread);
    }
}

/// What cannot be read yet.
async fn look(crew: &Crew, everywhere: &[SubscriberPlan], shared: &Shared, terms: &Terms) -> Result<Vec<String>> {
    let (own, mut unread) = (&shared.namespace, Vec::new());
    for (of, stream) in applications(own, shared.transport.as_ref()).await? {
        for template in everywhere {
            let plan = template.of(&of, own, &stream);
            if crew.subscribers().iter().any(|subscriber| subscriber.reads(&plan)) {
                continue;
            }
            tracing::info!(stream = plan.stream, consumer = plan.durable, "an application has appeared");
            if let Err(fault) = engage(crew, plan, shared, terms).await {
                unread.push(format!("the topics of the application {:?} cannot be read yet: {fault}", of.app()));
            }
        }
    }
    Ok(unread)
}

async fn engage(crew: &Crew, plan: SubscriberPlan, shared: &Shared, terms: &Terms) -> Result<(), String> {
    let transport = shared.transport.as_ref();
    let mut plan = Plan::of_one(plan);
    manage(&mut plan, terms, transport, &*shared.clock).await.map_err(|faults| faults.join("; "))?;
    let denied = denied(&plan, &shared.namespace, transport).await;
    if !denied.is_empty() {
        return Err(denied.join("; "));
    }
    for subscriber in &plan.subscribers {
        let opened = Opened::of(subscriber, transport).await.map_err(|error| crate::error::chain(&error))?;
        crew.engage(subscriber, opened);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures::future::BoxFuture;
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::clock::{Clock, SharedClock, SystemClock};
    use crate::config::Config;
    use crate::handler::{CallFuture, Delivery, Outcome};
    use crate::registry::{Call, Origin, Source, Subscribe, SubscriberDescriptor, SubscriberOptions};
    use crate::transport::AssetConfig;
    use crate::{App, Health, HealthStatus, RunningApp};

    /// A clock that goes fast, so that half a minute is soon over.
    #[derive(Debug)]
    struct Fast(SharedClock);

    const FASTER: u32 = 100;

    impl Clock for Fast {
        fn now(&self) -> Timestamp {
            self.0.now()
        }

        fn monotonic(&self) -> Duration {
            self.0.monotonic() * FASTER
        }

        fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
            self.0.sleep(duration / FASTER)
        }

        fn random(&self) -> u64 {
            self.0.random()
        }
    }

    struct Audit;

    impl Subscribe for Audit {
        fn descriptor(&self) -> &'static SubscriberDescriptor {
            static DESCRIPTOR: SubscriberDescriptor = SubscriberDescriptor {
                origin: Origin { name: "audit", module: "m", crate_name: "c", file: "f", line: 1 },
                source: Source::Topic,
                patterns: &["user.*"],
                options: SubscriberOptions { app: Some("*"), ..SubscriberOptions::UNWRITTEN },
                payload: || "u32",
                requirements: Vec::new,
                transaction: false,
                call: Call::Each(|_: Delivery| -> CallFuture { Box::pin(async { Outcome::Ack }) }),
            };
            &DESCRIPTOR
        }
    }

    async fn start(url: &str, app: &str, watches: bool) -> RunningApp {
        let builder = App::builder().config(Config::builder().url(url).env("test").app(app).build().unwrap());
        let builder = if watches { builder.subscriber(Audit) } else { builder.publish_only() };
        let mut app = builder.build().unwrap();
        app.surroundings.clock = Arc::new(Fast(SystemClock::shared()));
        app.start().await.unwrap()
    }

    /// Its stream takes the application's topics only when `is_there`.
    fn stream_of_payments(is_there: bool) -> AssetConfig {
        let subject = if is_there { "test.payments.>" } else { "test.payments.not.yet" };
        let text = json!({ "name": "test-payments-stream", "subjects": [subject], "retention": "limits" });
        text.as_object().unwrap().clone()
    }

    #[tokio::test]
    async fn an_application_that_cannot_be_read_is_a_problem_until_it_can() {
        let watcher = start("memory:unread-newcomers", "watcher", true).await;
        let transport = watcher.shared.transport.clone();
        let stream = "test-payments-stream";
        transport.create_stream(&stream_of_payments(false)).await.unwrap();
        let other = json!({ "durable_name": "watcher-audit", "name": "watcher-audit", "deliver_policy": "new",
            "ack_policy": "explicit", "filter_subject": "test.payments.user.*" });
        transport.create_consumer(stream, other.as_object().unwrap()).await.unwrap();
        assert_eq!(watcher.health().status, HealthStatus::Healthy);
        transport.update_stream(&stream_of_payments(true)).await.unwrap();
        let health = until(&watcher, HealthStatus::Degraded).await;
        let told = "the topics of the application \"payments\" cannot be read yet: ";
        assert!(health.problems[0].starts_with(told) && health.problems[0].contains("deliver_policy"), "{health:?}");
        transport.delete_consumer(stream, "watcher-audit").await.unwrap();
        until(&watcher, HealthStatus::Healthy).await;
        assert!(watcher.shutdown().await.is_clean());
    }

    /// Within twenty of the clock's minutes.
    async fn until(app: &RunningApp, status: HealthStatus) -> Health {
        for _ in 0..1_200 {
            let health = app.health();
            if health.status == status {
                return health;
            }
            app.shared.clock.sleep(Duration::from_secs(1)).await;
        }
        panic!("{:?}", app.health());
    }

    #[tokio::test]
    async fn an_application_that_comes_later_is_read_from_its_first_message_on() {
        let url = "memory:newcomers";
        let watcher = start(url, "watcher", true).await;
        for (name, processed) in [("payments", 1), ("users", 2)] {
            let late = start(url, name, false).await;
            late.publisher().publish("user.created", &7).await.unwrap();
            // Twenty of the clock's minutes.
            let soon = Duration::from_secs(1_200);
            watcher.wait_until(|stats| stats.processed == processed, soon).await.unwrap();
            late.shutdown().await;
        }
        assert_eq!(watcher.crew.subscribers().len(), 4, "two that came, the own one, and the sweeper");
        assert!(watcher.shutdown().await.is_clean());
    }
}
