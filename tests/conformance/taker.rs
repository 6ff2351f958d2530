//! Takes deliveries of one consumer, one request for each.

use std::time::Duration;

use natspubsub::__port::{Delivery, Event, Port, Pull};

/// How long something that must happen may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);

/// An open pull.
pub(crate) struct Taker {
    pub(crate) pull: Pull,
    port: Port,
}

impl Taker {
    pub(crate) async fn open(port: &Port, stream: &str, consumer: &str) -> Self {
        Self { pull: port.pull(stream, consumer).await.expect("the pull opens"), port: port.clone() }
    }

    /// The next event that means something.
    pub(crate) async fn event(&mut self) -> Event {
        loop {
            match self.pull.next(LIMIT * 2).await.expect("a pull tells something in time") {
                Event::Ended(0) => {}
                event => return event,
            }
        }
    }

    /// The next delivery, if there is one before the request ends.
    pub(crate) async fn within(&mut self, expires: Duration) -> Option<Delivery> {
        self.pull.request(1, expires).await.expect("the request is sent");
        match self.event().await {
            Event::Delivery(delivery) => Some(*delivery),
            Event::Ended(1) => None,
            other => panic!("{other:?} instead of a delivery"),
        }
    }

    /// The next delivery.
    pub(crate) async fn take(&mut self) -> Delivery {
        self.within(LIMIT).await.expect("a delivery")
    }

    /// The number of the next delivery, which is acknowledged.
    pub(crate) async fn done(&mut self) -> u64 {
        let delivery = self.take().await;
        self.port.confirm(&delivery).await.expect("the acknowledgement is confirmed");
        delivery.sequence
    }

    /// The numbers of all deliveries until there is none for a moment; all are acknowledged.
    pub(crate) async fn all(&mut self) -> Vec<u64> {
        let mut taken = Vec::new();
        while let Some(delivery) = self.within(MOMENT).await {
            self.port.confirm(&delivery).await.expect("the acknowledgement is confirmed");
            taken.push(delivery.sequence);
        }
        taken
    }

    /// Checks that open requests are told nothing for a moment: they have reached the broker by then.
    pub(crate) async fn nobody_comes(&mut self) {
        let event = self.pull.next(MOMENT).await;
        assert!(matches!(event, None | Some(Event::Ended(0))), "{event:?} instead of nothing");
    }

    /// Checks that there is no delivery for a moment.
    #[track_caller]
    pub(crate) fn nothing(&mut self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let taken = self.within(MOMENT).await;
            assert!(taken.is_none(), "{caller}: {taken:?} instead of nothing");
        }
    }
}

/// How long nothing must happen.
const MOMENT: Duration = Duration::from_millis(150);
