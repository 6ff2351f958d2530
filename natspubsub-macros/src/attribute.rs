//! The attributes and what tells them apart.

/// One of the attributes, without the derives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attribute {
    TopicSubscriber,
    SubjectSubscriber,
    BatchSubscriber,
    Responder,
    DeadLetterHandler,
    Stream,
    Middleware,
    HealthCheck,
}

/// A set of attributes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes(u8);

impl Attributes {
    pub(crate) const fn of(attribute: Attribute) -> Self {
        Self(1 << attribute as u8)
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn contains(self, attribute: Attribute) -> bool {
        self.0 & Self::of(attribute).0 != 0
    }
}

/// Which alphabet the literals of an attribute follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Literals {
    /// Topics of an application: `order.created`.
    Topics,
    /// Subjects as they are: `Chat.Pod.1`.
    Subjects,
}

impl Attribute {
    /// The name as the user writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::TopicSubscriber => "topic_subscriber",
            Self::SubjectSubscriber => "subject_subscriber",
            Self::BatchSubscriber => "batch_subscriber",
            Self::Responder => "responder",
            Self::DeadLetterHandler => "dead_letter_handler",
            Self::Stream => "stream",
            Self::Middleware => "middleware",
            Self::HealthCheck => "health_check",
        }
    }

    /// A function that the attribute fits, for help texts.
    pub(crate) const fn sample(self) -> &'static str {
        match self {
            Self::BatchSubscriber => "async fn on_orders(orders: Batch<OrderCreated>) { .. }",
            Self::Responder => "async fn health(ping: Ping) -> Health { .. }",
            Self::DeadLetterHandler => "async fn on_dead_letter(letter: DeadLetter) { .. }",
            Self::HealthCheck => "async fn database(State(db): State<Db>) -> Result<(), DbError> { .. }",
            _ => "async fn on_order(order: OrderCreated) { .. }",
        }
    }

    pub(crate) const fn literals(self) -> Literals {
        match self {
            Self::SubjectSubscriber | Self::Responder => Literals::Subjects,
            _ => Literals::Topics,
        }
    }

    /// The first argument, with a name, for help texts.
    pub(crate) const fn payload(self) -> &'static str {
        match self {
            Self::BatchSubscriber => "orders: Batch<OrderCreated>",
            Self::DeadLetterHandler => "letter: DeadLetter",
            _ => "order: OrderCreated",
        }
    }
}
