//! Goal: messages that nobody stores, and requests.

use std::time::{Duration, Instant};

use natspubsub::__port::{CoreMessage, FaultKind, Listener};
use natspubsub::ErrorKind;
use serde_json::json;

use crate::broker::Broker;
use crate::taker::LIMIT;

cases! {
    everybody_who_listens_hears,
    nobody_hears_what_came_before,
    who_has_left_hears_nothing,
    one_member_of_each_group_hears,
    a_message_is_whole,
    a_request_is_answered,
    a_request_without_responders_fails_at_once,
    a_request_that_nobody_answers_takes_its_time,
    one_member_of_a_group_gets_the_request,
    many_answer_a_request,
    a_request_to_many_without_responders_is_told_at_once,
    who_leaves_hears_what_was_on_its_way,
    nothing_is_lost_when_a_member_of_a_group_leaves,
    a_stream_stores_what_is_published_on_its_subject,
    who_listens_hears_what_a_stream_stores,
    a_stream_confirms_a_request_on_its_subject,
    a_stream_confirms_a_request_that_others_hear,
    a_stream_says_why_it_refuses_a_request,
}

/// How long what must not come is waited for, behind something that has come.
const MOMENT: Duration = Duration::from_millis(50);

async fn heard(listener: &mut Listener) -> CoreMessage {
    listener.next(LIMIT).await.expect("a message")
}

async fn everybody_who_listens_hears(broker: Broker) {
    let other = broker.second().await;
    let mut exact = broker.subscribe("a.b", None).await.unwrap();
    let mut pattern = other.subscribe("a.*", None).await.unwrap();
    let mut elsewhere = other.subscribe("b.>", None).await.unwrap();
    broker.publish_core("a.b", &[], b"1").await.unwrap();
    other.publish_core("b.c", &[], b"2").await.unwrap();
    assert_eq!((&heard(&mut exact).await.body[..], &heard(&mut pattern).await.body[..]), (&b"1"[..], &b"1"[..]));
    assert_eq!(heard(&mut elsewhere).await.subject, "b.c");
    assert!(exact.next(MOMENT).await.is_none() && pattern.next(MOMENT).await.is_none());
}

async fn nobody_hears_what_came_before(broker: Broker) {
    broker.publish_core("a.b", &[], b"before").await.unwrap();
    let mut listener = broker.subscribe("a.b", None).await.unwrap();
    broker.publish_core("a.b", &[], b"after").await.unwrap();
    assert_eq!(&heard(&mut listener).await.body[..], b"after");
}

async fn who_has_left_hears_nothing(broker: Broker) {
    drop(broker.subscribe("a.b", None).await.unwrap());
    natspubsub_tests::eventually("nobody listens", LIMIT, async || {
        let fault = broker.request("a.b", b"", Duration::from_millis(100)).await.unwrap_err();
        (fault.kind == FaultKind::Asked(ErrorKind::NoResponders)).then_some(())
    })
    .await;
}

async fn one_member_of_each_group_hears(broker: Broker) {
    let other = broker.second().await;
    let mut members = [
        broker.subscribe("a.b", Some("q")).await.unwrap(),
        broker.subscribe("a.*", Some("q")).await.unwrap(),
        other.subscribe("a.b", Some("q")).await.unwrap(),
    ];
    let mut group = other.subscribe("a.b", Some("r")).await.unwrap();
    for number in 0..60_u8 {
        broker.publish_core("a.b", &[], &[number]).await.unwrap();
    }
    for number in 0..60 {
        assert_eq!(heard(&mut group).await.body[..], [number], "the other group hears all");
    }
    let mut numbers = Vec::new();
    for member in &mut members {
        while let Some(message) = member.next(MOMENT).await {
            numbers.push(message.body[0]);
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..60).collect::<Vec<_>>(), "each once");
}

async fn a_message_is_whole(broker: Broker) {
    let mut listener = broker.subscribe("a.>", None).await.unwrap();
    broker.publish_core("a.b.c", &[("x-name", "é"), ("x-name", "again")], b"\0\xff").await.unwrap();
    let message = heard(&mut listener).await;
    assert_eq!((message.subject.as_str(), &message.body[..], message.reply), ("a.b.c", &b"\0\xff"[..], None));
    assert_eq!(message.headers.iter().collect::<Vec<_>>(), [("x-name", "é"), ("x-name", "again")]);
}

async fn a_request_is_answered(broker: Broker) {
    let responder = broker.second().await;
    let mut listener = responder.subscribe("a.b", None).await.unwrap();
    let answer = async {
        let request = heard(&mut listener).await;
        let reply = request.reply.expect("an answer is expected");
        responder.publish_core(&reply, &[], &[b"re: ", &request.body[..]].concat()).await.unwrap();
        responder.publish_core(&reply, &[], b"too late").await.unwrap();
    };
    let (reply, ()) = futures::join!(broker.request("a.b", b"hello", LIMIT), answer);
    assert_eq!(&reply.unwrap()[..], b"re: hello");
}

async fn a_request_without_responders_fails_at_once(broker: Broker) {
    let start = Instant::now();
    let fault = broker.request("a.b", b"", LIMIT).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Asked(ErrorKind::NoResponders), "{fault:?}");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(fault.text, "nobody answers requests on a.b");
}

async fn a_request_that_nobody_answers_takes_its_time(broker: Broker) {
    let _silent = broker.subscribe("a.b", None).await.unwrap();
    let start = Instant::now();
    let fault = broker.request("a.b", b"", Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Asked(ErrorKind::Timeout), "{fault:?}");
    assert!(start.elapsed() >= Duration::from_millis(290), "{:?}", start.elapsed());
}

async fn one_member_of_a_group_gets_the_request(broker: Broker) {
    let mut members =
        [broker.subscribe("a.b", Some("q")).await.unwrap(), broker.subscribe("a.b", Some("q")).await.unwrap()];
    for _ in 0..8 {
        let [one, other] = &mut members;
        let answer = async {
            let request = tokio::select! { request = heard(one) => request, request = heard(other) => request };
            broker.publish_core(&request.reply.unwrap(), &[], b"x").await.unwrap();
        };
        let (reply, ()) = futures::join!(broker.request("a.b", b"", LIMIT), answer);
        reply.unwrap();
    }
    for member in &mut members {
        assert!(member.next(MOMENT).await.is_none(), "a request for each answer");
    }
}

async fn many_answer_a_request(broker: Broker) {
    let other = broker.second().await;
    let mut answering = [broker.subscribe("a.b", None).await.unwrap(), other.subscribe("a.*", None).await.unwrap()];
    let mut replies = broker.request_many("a.b", b"who?").await.unwrap();
    for (number, responder) in answering.iter_mut().enumerate() {
        let request = heard(responder).await;
        assert_eq!((request.subject.as_str(), &request.body[..]), ("a.b", &b"who?"[..]));
        for part in [b"x", b"y"] {
            other
                .publish_core(request.reply.as_ref().unwrap(), &[], &[&part[..], &[number as u8]].concat())
                .await
                .unwrap();
        }
    }
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(heard(&mut replies).await.body.to_vec());
    }
    assert_eq!(told, [b"x\0", b"y\0", b"x\x01", b"y\x01"], "every reply, each responder's in order");
    assert!(replies.next(MOMENT).await.is_none());
}

async fn a_request_to_many_without_responders_is_told_at_once(broker: Broker) {
    let mut replies = broker.request_many("a.b", b"who?").await.unwrap();
    assert!(heard(&mut replies).await.no_responders);
    assert!(replies.next(MOMENT).await.is_none());
}

async fn who_leaves_hears_what_was_on_its_way(broker: Broker) {
    let mut listener = broker.subscribe("a.b", None).await.unwrap();
    for number in 0..100_u8 {
        broker.publish_core("a.b", &[], &[number]).await.unwrap();
    }
    listener.stop().await;
    for number in 0..100 {
        assert_eq!(heard(&mut listener).await.body[..], [number]);
    }
    assert!(listener.next(LIMIT).await.is_none(), "and then it is the end");
    let fault = broker.request("a.b", b"", LIMIT).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Asked(ErrorKind::NoResponders), "the server knows that nobody listens");
}

async fn nothing_is_lost_when_a_member_of_a_group_leaves(broker: Broker) {
    const COUNT: usize = 5_000;
    let other = broker.second().await;
    let mut leaving = broker.subscribe("a.b", Some("q")).await.unwrap();
    let mut staying = broker.second().await.subscribe("a.b", Some("q")).await.unwrap();
    let publish = async {
        for number in 0..COUNT {
            other.publish_core("a.b", &[], number.to_string().as_bytes()).await.unwrap();
            if number % 50 == 0 {
                tokio::task::yield_now().await;
            }
        }
    };
    let leave = async {
        let mut heard = Vec::new();
        while heard.len() < COUNT / 10 {
            heard.push(self::heard(&mut leaving).await.body);
        }
        leaving.stop().await;
        while let Some(message) = leaving.next(LIMIT).await {
            heard.push(message.body);
        }
        heard
    };
    let ((), mut all) = futures::join!(publish, leave);
    assert!(all.len() < COUNT, "it left on the way: {}", all.len());
    while all.len() < COUNT {
        all.push(heard(&mut staying).await.body);
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), COUNT, "each once, by the one or the other");
}

async fn a_stream_stores_what_is_published_on_its_subject(broker: Broker) {
    broker.make_stream(json!({})).await;
    broker.publish_core("a.b", &[], b"x").await.unwrap();
    broker.wait_for(&[1]).await;
}

async fn who_listens_hears_what_a_stream_stores(broker: Broker) {
    broker.make_stream(json!({})).await;
    let mut listener = broker.subscribe("a.b", None).await.unwrap();
    broker.put("a.b").await;
    assert_eq!(heard(&mut listener).await.subject, "a.b");
}

async fn a_stream_confirms_a_request_on_its_subject(broker: Broker) {
    broker.make_stream(json!({})).await;
    let reply = broker.request("a.b", b"x", LIMIT).await.unwrap();
    let told: serde_json::Value = serde_json::from_slice(&reply).unwrap();
    assert_eq!((&told["stream"], &told["seq"]), (&json!("S"), &json!(1)));
}

async fn a_stream_confirms_a_request_that_others_hear(broker: Broker) {
    broker.make_stream(json!({})).await;
    let other = broker.second().await;
    let mut listener = other.subscribe("a.b", None).await.unwrap();
    // Whoever is first: the listener waits until the stream was.
    let reply = broker.request("a.b", b"x", LIMIT).await.unwrap();
    let told: serde_json::Value = serde_json::from_slice(&reply).unwrap();
    assert_eq!((&told["stream"], &told["seq"]), (&json!("S"), &json!(1)));
    assert!(heard(&mut listener).await.reply.is_some(), "it could have answered too");
}

async fn a_stream_says_why_it_refuses_a_request(broker: Broker) {
    broker.make_stream(json!({ "max_msgs": 1, "discard": "new" })).await;
    broker.put("a.b").await;
    let listener = broker.subscribe("a.b", None).await.unwrap();
    for listener in [Some(listener), None] {
        let reply = broker.request("a.b", b"x", LIMIT).await.unwrap();
        let told: serde_json::Value = serde_json::from_slice(&reply).unwrap();
        let wanted = json!({ "error": { "code": 503, "err_code": 10077, "description": "maximum messages exceeded" },
            "stream": "S", "seq": 0 });
        assert_eq!(told, wanted);
        drop(listener);
    }
}
