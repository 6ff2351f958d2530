#![deny(warnings)]
//! `${name}` is filled in at start; a missing value is a fault.

use natspubsub::prelude::*;

#[topic_subscriber("task.${pod_id}.{kind}")]
async fn on_task(task: String, kind: String) {
    let _ = (task, kind);
}

fn main() {
    let config = Config::builder().url("memory:").app("tasks");
    let bound = config.clone().bind("pod_id", "pod-1").build().unwrap();
    App::builder().config(bound).build().unwrap();
    let error = App::builder().config(config.build().unwrap()).build().unwrap_err().to_string();
    assert!(error.contains("on_task: \"task.${pod_id}.{kind}\" needs a value for ${pod_id}"), "{error}");
    assert!(error.contains("NATSPUBSUB_BIND_POD_ID"), "{error}");
}
