//! The thread of a world, and how a test asks it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::world::World;
use crate::error::{Error, ErrorKind, Result};

/// What a test asks of its world.
type Order = Box<dyn FnOnce(&mut World) + Send>;

/// A handle to a world on its thread; dropped, the world ends.
pub(super) struct Stage {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Stage {
    /// Makes a world on a thread of its own.
    pub(super) async fn raise(make: impl FnOnce() -> Result<World> + Send + 'static) -> Result<Self> {
        let (orders, ordered) = channel();
        let (told, made) = oneshot::channel();
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let work = move || tracing::dispatcher::with_default(&dispatch, || work(make, told, &ordered));
        let thread = std::thread::Builder::new().name("natspubsub-test".into()).spawn(work);
        let thread = thread.map_err(|error| {
            Error::new(ErrorKind::Start, "the thread of the test could not be started").with_source(error)
        })?;
        made.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Start, "the thread of the test panicked")))?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Asks the world, and waits for its answer. Dropping the future gives the answer up.
    ///
    /// # Panics
    /// When what is asked panics, and when it is asked from inside the world, which would wait for itself.
    pub(super) async fn ask<T: Send + 'static>(&self, order: impl FnOnce(&mut World) -> T + Send + 'static) -> T {
        let is_inside = self.thread.as_ref().is_some_and(|thread| thread.thread().id() == std::thread::current().id());
        assert!(
            !is_inside,
            "the TestApp is asked from inside its own application, which would wait for itself; take the Publisher there"
        );
        let (told, answer) = oneshot::channel();
        let given_up = CancellationToken::new();
        let _gives_up = given_up.clone().drop_guard();
        let order: Order = Box::new(move |world| {
            world.attend(given_up);
            let _ = told.send(catch_unwind(AssertUnwindSafe(|| order(world))));
        });
        let sent = self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok());
        match answer.await {
            Ok(Ok(answer)) if sent => answer,
            Ok(Err(panic)) => resume_unwind(panic),
            _ => panic!("the thread of the test has ended"),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id()) {
            let _ = thread.join();
        }
    }
}

fn work(make: impl FnOnce() -> Result<World>, told: oneshot::Sender<Result<()>>, orders: &Receiver<Order>) {
    let mut world = match make() {
        Ok(world) => world,
        Err(error) => return drop(told.send(Err(error))),
    };
    if told.send(Ok(())).is_err() {
        return;
    }
    while let Ok(order) = orders.recv() {
        order(&mut world);
    }
    world.crash();
}
