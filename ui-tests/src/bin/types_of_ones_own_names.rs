#![deny(warnings)]
//! Payloads of the user's may have the names of extractors, behind a path; a pattern with `${name}` may stand beside
//! one that it only may overlap.

mod domain {
    #[derive(serde::Deserialize)]
    pub struct Batch {
        pub size: u32,
    }

    #[derive(serde::Deserialize)]
    pub struct Metadata {
        pub title: String,
    }
}

use natspubsub::prelude::{App, Config, State, topic_subscriber};

#[topic_subscriber("batch.brewed")]
async fn on_batch(batch: domain::Batch) {
    let _ = batch.size;
}

#[topic_subscriber("film.described")]
async fn on_film(film: domain::Metadata, State(limit): State<u32>) {
    let _ = (film.title, limit);
}

#[topic_subscriber("task.${pod_id}.assigned", "task.all.assigned")]
async fn on_task(_task: u32) {}

fn main() {
    let config = |pod: &str| Config::builder().url("memory:").app("own").bind("pod_id", pod).build().unwrap();
    let app = |pod: &str| App::builder().config(config(pod)).state(7_u32).build();
    app("pod-1").unwrap();
    let error = app("all").unwrap_err().to_string();
    assert!(error.contains("which both match \"task.all.assigned\""), "{error}");
}
