//! Which faults a run has, and how often.

use std::time::Duration;

/// How often something lasts for a while.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Spell {
    /// The pause between two of them, on average; zero for never.
    pub(crate) every: Duration,
    /// How long it lasts at most.
    pub(crate) lasting: Duration,
}

/// Which faults a run has, and how often: between an application and its broker, in virtual time.
///
/// Begin with a preset and change what the test is about. A probability is that of one message, one answer or one
/// request; what lasts for a while has a mean pause and a longest duration. What exactly happens when, the seed decides.
///
/// ```
/// use natspubsub::testing::Profile;
/// use std::time::Duration;
///
/// let profile = Profile::gentle().lose_ack(0.05).partition(Duration::from_secs(60), Duration::from_secs(4));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    pub(crate) lose_ack: f64,
    pub(crate) no_room: f64,
    pub(crate) duplicate: f64,
    pub(crate) reorder: f64,
    pub(crate) delay: Duration,
    pub(crate) crash_before_handler: f64,
    pub(crate) crash_in_handler: f64,
    pub(crate) crash_after_handler: f64,
    pub(crate) crash_after_answer: f64,
    pub(crate) partition: Spell,
    pub(crate) slow_consumer: Spell,
    pub(crate) delete_consumer: f64,
    pub(crate) full_stream: Spell,
    pub(crate) unknown_publish: f64,
    pub(crate) deaf_signals: Spell,
}

fn probability(value: f64) -> f64 {
    assert!((0.0..=1.0).contains(&value), "{value} is no probability: it lies between 0 and 1");
    value
}

impl Profile {
    /// No faults: everything arrives at once.
    ///
    /// ```
    /// # use natspubsub::testing::Profile;
    /// assert_eq!(Profile::none(), Profile::default());
    /// ```
    pub fn none() -> Self {
        Self::default()
    }

    /// What a service meets in a good week: short delays, a lost answer, a short outage.
    ///
    /// ```
    /// # use natspubsub::testing::Profile;
    /// let profile = Profile::gentle();
    /// ```
    pub fn gentle() -> Self {
        Self::none()
            .delay(Duration::from_millis(5))
            .lose_ack(0.01)
            .duplicate(0.01)
            .unknown_publish(0.01)
            .crash_after_handler(0.002)
            .partition(Duration::from_secs(120), Duration::from_secs(2))
    }

    /// Every fault that there is, often.
    ///
    /// ```
    /// # use natspubsub::testing::Profile;
    /// let profile = Profile::harsh();
    /// ```
    pub fn harsh() -> Self {
        let seconds = Duration::from_secs;
        Self::none()
            .delay(Duration::from_millis(20))
            .lose_ack(0.03)
            .no_room(0.1)
            .duplicate(0.03)
            .reorder(0.05)
            .unknown_publish(0.05)
            .crash_before_handler(0.005)
            .crash_in_handler(0.01)
            .crash_after_handler(0.005)
            .crash_after_answer(0.005)
            .partition(seconds(20), seconds(6))
            .slow_consumer(seconds(30), seconds(5))
            .full_stream(seconds(20), seconds(4))
            .deaf_signals(seconds(20), seconds(8))
            .delete_consumer(0.002)
    }

    /// An answer never reaches the broker, though the connection stands.
    ///
    /// ```
    /// # use natspubsub::testing::Profile;
    /// let profile = Profile::none().lose_ack(0.1);
    /// ```
    ///
    /// # Panics
    /// When the probability does not lie between 0 and 1; this holds for each of them.
    #[must_use]
    pub fn lose_ack(mut self, of_each_answer: f64) -> Self {
        self.lose_ack = probability(of_each_answer);
        self
    }

    /// The connection has no room for an acknowledgement at this moment: it is handed over later.
    ///
    /// ```
    /// # use natspubsub::testing::Profile;
    /// let profile = Profile::none().no_room(0.1);
    /// ```
    #[must_use]
    pub fn no_room(mut self, of_each_acknowledgement: f64) -> Self {
        self.no_room = probability(of_each_acknowledgement);
        self
    }

    /// An acknowledged message is delivered again at once, as a server does that has forgotten the acknowledgement.
    ///
    /// ```
    /// # use natspubsub::testing::Profile;
    /// let profile = Profile::none().duplicate(0.1);
    /// ```
    #[must_use]
    pub fn duplicate(mut self, of_each_acknowledgement: f64) -> Self {
        self.duplicate = probability(of_each_acknowledgement);
        self
    }

    /// A delivery is overtaken by the next one of its pull: it is held back until that one has arrived, at most for the
    /// [`Profile::delay`], without which the order stays.
    ///
    /// ```
    /// # use natspubsub::testing::Profile;
    /// let profile = Profile::gentle().reorder(0.1);
    /// ```
    #[must_use]
    pub fn reorder(mut self, of_each_delivery: f64) -> Self {
        self.reorder = probability(of_each_delivery);
        self
    }

    /// Deliveries, answers and confirmations take a random time up to this one.
    ///
    /// Keep it below a twentieth of the shortest `ack_wait`: a subscriber counts on an answer that it sends in time to
    /// arrive in time.
    ///
    /// ```
    /// # use natspubsub::testing::Profile;
    /// let profile = Profile::none().delay(std::time::Duration::from_millis(10));
    /// ```
    #[must_use]
    pub fn delay(mut self, longest: Duration) -> Self {
        self.delay = longest;
        self
    }

    /// The process dies when a delivery arrives, before its handler begins.
    ///
    /// ```
    /// # use natspubsub::testing::Profile;
    /// let profile = Profile::none().crash_before_handler(0.01);
    /// ```
    #[must_use]
    pub fn crash_before_handler(mut self, of_each_delivery: f64) -> Self {
        self.crash_before_handler = probability(of_each_delivery);
        self
    }

    /// The process dies up to 100 ms after a delivery has arrived: most handlers run then.
    ///
    /// ```
    /// # use natspubsub::testing::Profile;
    /// let profile = Profile::none().crash_in_handler(0.01);
    /// ```
    #[must_use]
    pub fn crash_in_handler(mut self, of_each_delivery: f64) -> Self {
        self.crash_in_handler = probability(of_each_delivery);
        self
    }

    /// The process dies when the handler has ended, before the answer.
    ///
    /// ```
    /// # use natspubsub::testing::Profile;
    /// let profile = Profile::none().crash_after_handler(0.01);
    /// ```
    #[must_use]
    pub fn crash_after_handler(mut self, of_each_answer: f64) -> Self {
        self.crash_after_handler = probability(of_each_answer);
        self
    }

    /// The process dies when the broker has the answer.
    ///
    /// ```
    /// # use natspubsub::testing::Profile;
    /// let profile = Profile::none().crash_after_answer(0.01);
    /// ```
    #[must_use]
    pub fn crash_after_answer(mut self, of_each_answer: f64) -> Self {
        self.crash_after_answer = probability(of_each_answer);
        self
    }

    /// The connection breaks for a while: what is on its way is lost, and nothing passes before it stands again.
    ///
    /// ```
    /// # use natspubsub::testing::Profile;
    /// # use std::time::Duration;
    /// let profile = Profile::none().partition(Duration::from_secs(60), Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn partition(mut self, every: Duration, lasting: Duration) -> Self {
        self.partition = Spell { every, lasting };
        self
    }

    /// Deliveries trickle for a while: a random pause of up to half a second behind each one of a subscriber.
    ///
    /// ```
    /// # use natspubsub::testing::Profile;
    /// # use std::time::Duration;
    /// let profile = Profile::none().slow_consumer(Duration::from_secs(60), Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn slow_consumer(mut self, every: Duration, lasting: Duration) -> Self {
        self.slow_consumer = Spell { every, lasting };
        self
    }

    /// Somebody deletes the consumer that a pull request is for.
    ///
    /// ```
    /// # use natspubsub::testing::Profile;
    /// let profile = Profile::none().delete_consumer(0.01);
    /// ```
    #[must_use]
    pub fn delete_consumer(mut self, of_each_pull_request: f64) -> Self {
        self.delete_consumer = probability(of_each_pull_request);
        self
    }

    /// Streams are full for a while: every publish is refused with `maximum messages exceeded (10077)`.
    ///
    /// ```
    /// # use natspubsub::testing::Profile;
    /// # use std::time::Duration;
    /// let profile = Profile::none().full_stream(Duration::from_secs(60), Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn full_stream(mut self, every: Duration, lasting: Duration) -> Self {
        self.full_stream = Spell { every, lasting };
        self
    }

    /// A publish gets no confirmation; the message is stored, or it is not, each half the time.
    ///
    /// ```
    /// # use natspubsub::testing::Profile;
    /// let profile = Profile::none().unknown_publish(0.05);
    /// ```
    #[must_use]
    pub fn unknown_publish(mut self, of_each_publish: f64) -> Self {
        self.unknown_publish = probability(of_each_publish);
        self
    }

    /// In-progress signals do not reach the broker for a while, so that `ack_wait` passes while a handler runs.
    ///
    /// ```
    /// # use natspubsub::testing::Profile;
    /// # use std::time::Duration;
    /// let profile = Profile::none().deaf_signals(Duration::from_secs(60), Duration::from_secs(40));
    /// ```
    #[must_use]
    pub fn deaf_signals(mut self, every: Duration, lasting: Duration) -> Self {
        self.deaf_signals = Spell { every, lasting };
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "1.5 is no probability")]
    fn a_probability_is_checked() {
        let _ = Profile::none().duplicate(1.5);
    }
}
