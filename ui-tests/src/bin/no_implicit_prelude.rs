#![no_implicit_prelude]
#![deny(warnings)]
//! Nothing that the expansions use comes from the scope of the user, who has names of their own for everything.

#[allow(dead_code)]
mod core {}
#[allow(dead_code)]
mod std {}
#[allow(dead_code)]
mod alloc {}
#[allow(dead_code)]
mod natspubsub {}
#[allow(dead_code)]
mod scope {
    pub struct Option;
    pub struct Some;
    pub struct None;
    pub struct Result;
    pub struct Ok;
    pub struct Err;
    pub struct Box;
    pub struct Vec;
    pub struct String;
    pub struct Send;
    pub struct Outcome;
    pub struct Delivery;
}
#[allow(unused_imports)]
use scope::*;

#[derive(::serde::Serialize, ::serde::Deserialize, ::natspubsub::Event)]
#[event(topic = "order.created", version = 2, key = "id", id = "order-{id}")]
struct Order {
    id: u32,
}

#[derive(Debug, ::natspubsub::HandlerError)]
enum Fault {
    #[transient(after = "1s", jitter)]
    Busy,
    #[infrastructure(pause = "1s")]
    Down,
    #[discard]
    Old,
    #[permanent]
    Never,
    #[validation]
    Wrong,
}

impl ::std::fmt::Display for Fault {
    fn fmt(&self, _: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        ::std::result::Result::Ok(())
    }
}

impl ::std::error::Error for Fault {}

#[::natspubsub::topic_subscriber("order.{tail..}", backoff = exponential("1s"), deliver = "new", rate_limit = "1/s", circuit_breaker())]
async fn on_order(_order: ::serde_json::Value, tail: ::std::string::String) -> ::std::result::Result<(), Fault> {
    ::std::mem::drop(tail);
    ::std::result::Result::Err(Fault::Busy)
}

#[::natspubsub::topic_subscriber(publishes = "order.created")]
async fn again(order: Order) -> ::std::option::Option<Order> {
    ::std::option::Option::Some(order)
}

#[::natspubsub::subject_subscriber("chat.*", transport = "core")]
async fn on_chat(_message: ::natspubsub::Raw) {}

#[::natspubsub::batch_subscriber]
async fn many(_orders: ::natspubsub::Batch<Order>) {}

#[::natspubsub::responder("chat.echo")]
async fn echo(ping: u32, ctx: ::natspubsub::Context) -> ::std::result::Result<u32, Fault> {
    ::std::mem::drop(ctx);
    ::std::result::Result::Ok(ping)
}

#[::natspubsub::dead_letter_handler("order.*")]
async fn letters(_letter: ::natspubsub::DeadLetter) {}

#[::natspubsub::stream(name = "S", subjects = ["s.>"], republish(from = "s.>", to = "t.>"))]
struct Stream;

#[::natspubsub::middleware]
async fn layer(delivery: ::natspubsub::Delivery, next: ::natspubsub::Next<'_>) -> ::natspubsub::Outcome {
    next.run(delivery).await
}

#[::natspubsub::health_check("check")]
async fn check(_limit: ::natspubsub::State<u32>) -> ::std::result::Result<(), Fault> {
    ::std::result::Result::Err(Fault::Down)
}

fn main() {
    let _ = (Stream, Fault::Old, Fault::Never, Fault::Wrong);
}
