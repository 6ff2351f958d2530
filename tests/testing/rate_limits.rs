//! Goal: a rate limit holds in virtual time. Method: the times at which handlers began.

use natspubsub::prelude::*;

use crate::{orders, start};

#[topic_subscriber("mail.asked", rate_limit = "2/s")]
async fn send(_mail: u32) {}

#[tokio::test]
async fn a_rate_limit_spreads_messages_over_time() {
    let test = start(orders().subscriber(send {})).await;
    let mut ids = Vec::new();
    for mail in 0..6 {
        ids.push(test.publish("mail.asked", &mail).await.unwrap().event_id);
    }
    test.settled().await;
    let began: Vec<_> = ids.iter().map(|id| test.attempts(id)[0].began).collect();
    // Two at once, then one each half second.
    let all = began[5].duration_since(began[0]).as_secs_f64();
    assert!(all >= 1.9 && (test.is_live() || all < 2.1), "{all} s");
    test.assert_handled("send", 6);
}
