//! Protocol Buffers as bodies, with the feature `prost`.

use super::encode::Encode;

/// A Protocol Buffers message as the body of a message, with the feature `prost`: published without an envelope as
/// `application/protobuf`, and the first argument of a handler that reads one.
///
/// ```
/// use natspubsub::prelude::*;
/// use natspubsub::Proto;
///
/// // `String` stands for a message that prost generated; it is `google.protobuf.StringValue`.
/// #[topic_subscriber("order.created")]
/// async fn reserve(Proto(order_id): Proto<String>, publisher: Publisher) -> Result<()> {
///     publisher.publish("stock.reserved", &Proto(order_id)).await?;
///     Ok(())
/// }
/// # fn main() {}
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Proto<M>(pub M);

impl<M: prost::Message> Encode for Proto<M> {
    const CONTENT_TYPE: Option<&'static str> = Some("application/protobuf");

    fn encode(&self, into: &mut Vec<u8>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        into.reserve(self.0.encoded_len());
        Ok(self.0.encode(into)?)
    }
}
