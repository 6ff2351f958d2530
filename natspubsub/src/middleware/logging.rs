//! One line in the log for every handling: what, which attempt, how long, with what outcome. Never the payload.

use tracing::level_filters::LevelFilter;

use crate::handler::{Delivery, Middleware, Next, Outcome, redact};

/// How loud a line of the log is.
///
/// ```
/// use natspubsub::middleware::{LogLevel, Logging};
/// let logging = Logging::new().handled(LogLevel::Debug);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// No line.
    Off,
    /// `TRACE` of `tracing`.
    Trace,
    /// `DEBUG` of `tracing`.
    Debug,
    /// `INFO` of `tracing`.
    Info,
    /// `WARN` of `tracing`.
    Warn,
    /// `ERROR` of `tracing`.
    Error,
}

/// Logs each handling through `tracing`, with the fields `subject`, `topic`, `event_id`, `trace_id`, `stream`, `consumer`,
/// `delivery`, `elapsed_ms`, and `error` or `reason`.
///
/// Every application has it, outside of all other middleware; the setting `log_handled` says how loud successes are,
/// [`AppBuilder::logging`](crate::AppBuilder::logging) replaces it, and
/// [`AppBuilder::without_logging`](crate::AppBuilder::without_logging) leaves it out. State: none. Cost: two looks at the
/// clock, a copy of the context, and the line; nothing where nobody listens to any log.
///
/// ```
/// use natspubsub::middleware::{LogLevel, Logging};
/// let logging = Logging::new().handled(LogLevel::Debug).failed(LogLevel::Error);
/// let builder = natspubsub::App::builder().logging(logging);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logging {
    handled: LogLevel,
    duplicate: LogLevel,
    retried: LogLevel,
    discarded: LogLevel,
    failed: LogLevel,
}

impl Default for Logging {
    fn default() -> Self {
        Self::new()
    }
}

impl Logging {
    /// Success, a wish for another delivery and a discarded message at `Info`, duplicates at `Debug`, everything else at
    /// `Warn`.
    ///
    /// ```
    /// let logging = natspubsub::middleware::Logging::new();
    /// ```
    pub fn new() -> Self {
        let (info, warn) = (LogLevel::Info, LogLevel::Warn);
        Self { handled: info, duplicate: LogLevel::Debug, retried: info, discarded: info, failed: warn }
    }

    /// How loud a success is. Default: `Info`.
    ///
    /// ```
    /// # use natspubsub::middleware::{LogLevel, Logging};
    /// let logging = Logging::new().handled(LogLevel::Off);
    /// ```
    #[must_use]
    pub fn handled(mut self, level: LogLevel) -> Self {
        self.handled = level;
        self
    }

    /// How loud a message is that had been handled before. Default: `Debug`.
    ///
    /// ```
    /// # use natspubsub::middleware::{LogLevel, Logging};
    /// let logging = Logging::new().duplicate(LogLevel::Info);
    /// ```
    #[must_use]
    pub fn duplicate(mut self, level: LogLevel) -> Self {
        self.duplicate = level;
        self
    }

    /// How loud it is that a handler asks for another delivery. Default: `Info`.
    ///
    /// ```
    /// # use natspubsub::middleware::{LogLevel, Logging};
    /// let logging = Logging::new().retried(LogLevel::Debug);
    /// ```
    #[must_use]
    pub fn retried(mut self, level: LogLevel) -> Self {
        self.retried = level;
        self
    }

    /// How loud a message is that no longer matters. Default: `Info`.
    ///
    /// ```
    /// # use natspubsub::middleware::{LogLevel, Logging};
    /// let logging = Logging::new().discarded(LogLevel::Debug);
    /// ```
    #[must_use]
    pub fn discarded(mut self, level: LogLevel) -> Self {
        self.discarded = level;
        self
    }

    /// How loud a failure is, and a message that the handler gave up. Default: `Warn`.
    ///
    /// ```
    /// # use natspubsub::middleware::{LogLevel, Logging};
    /// let logging = Logging::new().failed(LogLevel::Error);
    /// ```
    #[must_use]
    pub fn failed(mut self, level: LogLevel) -> Self {
        self.failed = level;
        self
    }

    fn level(&self, outcome: &Outcome) -> LogLevel {
        match outcome {
            Outcome::Ack => self.handled,
            Outcome::Duplicate => self.duplicate,
            Outcome::Retry { .. } => self.retried,
            Outcome::Discard { .. } => self.discarded,
            Outcome::DeadLetter { .. } | Outcome::Failed(_) => self.failed,
        }
    }
}

impl Middleware for Logging {
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        let (clock, context) = (delivery.clock(), delivery.context().clone());
        let start = clock.monotonic();
        let outcome = next.run(delivery).await;
        let elapsed_ms = (clock.monotonic() - start).as_secs_f64() * 1_000.0;
        macro_rules! line {
            ($level:ident, $($text:tt)+) => {
                tracing::$level!(
                    subject = context.subject(),
                    topic = context.topic(),
                    event_id = context.event_id(),
                    trace_id = context.trace_id(),
                    stream = context.stream(),
                    consumer = context.durable(),
                    delivery = context.deliveries(),
                    elapsed_ms,
                    $($text)+
                )
            };
        }
        macro_rules! log {
            ($($text:tt)+) => {
                match self.level(&outcome) {
                    LogLevel::Off => {}
                    LogLevel::Trace => line!(trace, $($text)+),
                    LogLevel::Debug => line!(debug, $($text)+),
                    LogLevel::Info => line!(info, $($text)+),
                    LogLevel::Warn => line!(warn, $($text)+),
                    LogLevel::Error => line!(error, $($text)+),
                }
            };
        }
        let function = context.subscriber();
        match &outcome {
            Outcome::Duplicate => log!("{function} has handled the message before"),
            Outcome::Ack => log!("{function} handled the message"),
            Outcome::Retry { .. } => log!("{function} asked for another delivery"),
            Outcome::DeadLetter { reason } => log!(reason = redact(reason.clone()), "{function} rejected the message"),
            Outcome::Discard { reason } => log!(reason = redact(reason.clone()), "{function} discarded the message"),
            Outcome::Failed(failure) => log!(error = failure.describe(), "{function} failed"),
        }
        outcome
    }

    /// Whether nobody listens at all: through `tracing` or, as its feature `log` allows, through `log`.
    fn is_idle(&self) -> bool {
        LevelFilter::current() == LevelFilter::OFF && log::max_level() == log::LevelFilter::Off
    }
}
