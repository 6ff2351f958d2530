//! A message between its hand-over and its confirmation.

use std::future::ready;
use std::time::Duration;

use futures::FutureExt;
use futures::future::Either;

use super::draft::Prepared;
use super::outlet::{HandedOver, Place, Reserved};
use super::published::Published;
use super::publisher::Publisher;
use crate::error::Result;
use crate::transport::{Confirmation, PublishFault, Stored};

/// A message that the connection has taken.
pub(super) struct UnderWay<'a> {
    confirmation: Confirmation<'a>,
    sent: Sent<'a>,
}

struct Sent<'a> {
    publisher: &'a Publisher,
    prepared: Prepared,
    began: Option<Duration>,
    _place: Place<'a>,
}

impl<'a> UnderWay<'a> {
    /// Hands a message over, or gives it back when something has to be waited for.
    pub(super) fn begin(
        publisher: &'a Publisher,
        mut prepared: Prepared,
        place: Reserved<'a>,
        began: Option<Duration>,
    ) -> Result<Self, Box<(Prepared, Reserved<'a>)>> {
        match publisher.outlet().hand_over(publisher.lane(), &prepared.outbound, place) {
            Ok(HandedOver { confirmation, place }) => {
                publisher.measure(&mut prepared);
                Ok(Self { confirmation, sent: Sent { publisher, prepared, began, _place: place } })
            }
            Err(place) => Err(Box::new((prepared, place))),
        }
    }

    /// Waits for the confirmation; once.
    pub(super) async fn confirmed(&mut self) -> Result<Stored, PublishFault> {
        (&mut self.confirmation).await
    }

    /// Waits for the confirmation, and sends the message again as long as that helps. Small, because thousands of them
    /// wait at once.
    pub(super) fn end(self) -> impl Future<Output = Result<Published>> + use<'a> {
        let Self { confirmation, sent } = self;
        confirmation.then(|confirmed| match confirmed {
            Ok(stored) => Either::Left(ready(sent.told(Ok(stored)))),
            Err(fault) => Either::Right(Box::pin(sent.mend(fault))),
        })
    }

    /// Sends a message again whose first attempt failed; it keeps its place.
    pub(super) async fn mend(self, fault: PublishFault) -> Result<Published> {
        self.sent.mend(fault).await
    }

    /// What became of it, once the listener knows it.
    pub(super) fn told(self, stored: Result<Stored>) -> Result<Published> {
        self.sent.told(stored)
    }
}

impl Sent<'_> {
    async fn mend(self, fault: PublishFault) -> Result<Published> {
        let (publisher, outbound) = (self.publisher, &self.prepared.outbound);
        let stored = publisher.outlet().store_after(publisher.lane(), outbound, fault).await;
        self.told(stored)
    }

    fn told(self, stored: Result<Stored>) -> Result<Published> {
        self.publisher.told(self.prepared, stored, self.began)
    }
}
