//! A stand-in for a service that the application asks.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::message::Headers;
use crate::message::headers::{SERVICE_ERROR, SERVICE_ERROR_CODE};
use crate::transport::{CONSUMING_LANE, CoreSubscription, Outbound, SharedTransport};

/// The code of a request that cannot be read.
const BAD_REQUEST: &str = "400";

/// From the body of a request to the body of the reply, or to the words of an error.
type Answer = dyn Fn(&[u8]) -> Result<Vec<u8>, String> + Send + Sync;

/// Answers the requests on a subject.
#[derive(Clone)]
pub(super) struct Responder {
    subject: String,
    answer: Arc<Answer>,
}

impl Responder {
    pub(super) fn new<T: DeserializeOwned, R: Serialize>(
        subject: &str,
        answer: impl Fn(T) -> R + Send + Sync + 'static,
    ) -> Self {
        let answer = move |body: &[u8]| {
            let asked = serde_json::from_slice(body).map_err(|error| format!("the request cannot be read: {error}"))?;
            serde_json::to_vec(&answer(asked)).map_err(|error| format!("the reply cannot be written: {error}"))
        };
        Self { subject: subject.to_owned(), answer: Arc::new(answer) }
    }

    pub(super) async fn subscribe(&self, broker: &SharedTransport) -> Result<Box<dyn CoreSubscription>> {
        broker.subscribe(&self.subject, None).await
    }

    /// Answers until the connection ends.
    pub(super) async fn serve(self, broker: SharedTransport, mut requests: Box<dyn CoreSubscription>) {
        while let Some(request) = requests.next().await {
            let Some(subject) = request.reply else { continue };
            let (body, fault) = match (self.answer)(&request.message.body) {
                Ok(body) => (Bytes::from(body), None),
                Err(fault) => (Bytes::new(), Some(fault)),
            };
            let faults = fault.into_iter().flat_map(|fault| {
                [(SERVICE_ERROR.to_owned(), fault), (SERVICE_ERROR_CODE.to_owned(), BAD_REQUEST.to_owned())]
            });
            let headers: Headers = faults.collect();
            if let Err(error) = broker.publish_core(CONSUMING_LANE, Outbound { subject, headers, body }).await {
                tracing::warn!(%error, "a reply of the test could not be sent");
            }
        }
    }
}
