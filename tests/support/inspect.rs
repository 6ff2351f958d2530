//! A look at the server from outside natspubsub, through plain async-nats.

use async_nats::jetstream::{self, consumer, message};
use futures::StreamExt;

/// A client that looks at streams and consumers.
pub struct Inspector {
    /// The plain client.
    pub client: async_nats::Client,
    /// Its JetStream context.
    pub jetstream: jetstream::Context,
}

impl Inspector {
    /// Connects to a server.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn connect(url: &str) -> Self {
        Self::of(async_nats::connect(url).await.expect("the server answers"))
    }

    /// Connects to a server as the user of [`crate::users`] who may do everything.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn connect_as_admin(server: &crate::NatsServer) -> Self {
        let options = async_nats::ConnectOptions::with_user_and_password("admin".into(), "admin".into());
        Self::of(options.connect(server.url()).await.expect("the server answers"))
    }

    fn of(client: async_nats::Client) -> Self {
        Self { jetstream: jetstream::new(client.clone()), client }
    }

    /// Waits until the server has read what this client wrote, such as a subscription.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn round_trip(&self) {
        self.jetstream.query_account().await.expect("the server answers");
    }

    /// Every message that a stream holds, in order.
    ///
    /// # Panics
    /// When the stream cannot be read.
    pub async fn messages(&self, stream: &str) -> Vec<message::StreamMessage> {
        let mut stream = self.jetstream.get_stream(stream).await.expect("the stream exists");
        let state = stream.info().await.expect("the stream answers").state.clone();
        let mut messages = Vec::new();
        for sequence in state.first_sequence..=state.last_sequence {
            if let Ok(message) = stream.get_raw_message(sequence).await {
                messages.push(message);
            }
        }
        messages
    }

    /// What the server says about a consumer.
    ///
    /// # Panics
    /// When the consumer cannot be read.
    pub async fn consumer(&self, stream: &str, durable: &str) -> consumer::Info {
        let stream = self.jetstream.get_stream(stream).await.expect("the stream exists");
        stream.consumer_info(durable).await.expect("the consumer exists")
    }

    /// Whether a consumer has nothing left: nothing pending, nothing unanswered.
    pub async fn is_settled(&self, stream: &str, durable: &str) -> bool {
        let info = self.consumer(stream, durable).await;
        info.num_pending == 0 && info.num_ack_pending == 0
    }

    /// The names of the consumers of a stream.
    ///
    /// # Panics
    /// When the stream cannot be read.
    pub async fn consumer_names(&self, stream: &str) -> Vec<String> {
        let stream = self.jetstream.get_stream(stream).await.expect("the stream exists");
        let mut names: Vec<String> = stream.consumer_names().map(|name| name.expect("a name")).collect().await;
        names.sort();
        names
    }

    /// The names of all streams.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn stream_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.jetstream.stream_names().map(|name| name.expect("a name")).collect().await;
        names.sort();
        names
    }
}
