//! What travels: plain JSON without an envelope, so that programs in other languages can take part.

use serde::{Deserialize, Serialize};

/// A question for the workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowRequest {
    /// Which request it is; asked again, it keeps its id.
    pub request_id: String,
    /// The session that asks; the last token of the subject.
    pub session_id: String,
    /// The pod that waits for the answer.
    pub pod_id: String,
    /// The question.
    pub question: String,
    /// The first chunk that is wanted: 0, or more where the client has the others.
    #[serde(default)]
    pub from: u32,
}

/// One piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseChunk {
    /// Which request it answers.
    pub request_id: String,
    /// The session that asked.
    pub session_id: String,
    /// Who made it.
    pub worker_id: String,
    /// Which attempt made it; above 1 when a worker died over the request.
    pub attempt: u64,
    /// Its number, from 0, without gaps.
    pub number: u32,
    /// The text.
    pub text: String,
    /// Whether the answer ends with it.
    pub last: bool,
}

/// A worker is at it: sent every half second, while an answer is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatMessage {
    /// Which request.
    pub request_id: String,
    /// The session that asked.
    pub session_id: String,
    /// Who is at it.
    pub worker_id: String,
    /// Which attempt it is.
    pub attempt: u64,
    /// The number of the next chunk.
    pub next: u32,
}

/// Asks a pod whether it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthRequest {
    /// Who asks.
    pub worker_id: String,
}

/// The pod is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodHealth {
    /// Which pod it is.
    pub pod_id: String,
    /// How many answers it streams.
    pub streams: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_are_plain_json() {
        let json = r#"{"request_id":"r","session_id":"s","pod_id":"pod-1","question":"Why?"}"#;
        let request: WorkflowRequest = serde_json::from_str(json).unwrap();
        assert_eq!((request.from, request.question.as_str()), (0, "Why?"));
        let chunk = ResponseChunk {
            request_id: "r".into(),
            session_id: "s".into(),
            worker_id: "w".into(),
            attempt: 2,
            number: 3,
            text: "so ".into(),
            last: true,
        };
        let json =
            r#"{"request_id":"r","session_id":"s","worker_id":"w","attempt":2,"number":3,"text":"so ","last":true}"#;
        assert_eq!(serde_json::to_string(&chunk).unwrap(), json);
    }
}
