//! The subjects of the chat. `nats-server.conf` says who may use which.

/// Where a question waits for a worker; stored in `WORKFLOW_REQUESTS`.
pub fn execute(session_id: &str) -> String {
    format!("chat.workflow.execute.{session_id}")
}

/// Where one pod hears the chunks of its answers.
pub fn pod_response(pod_id: &str) -> String {
    format!("chat.pod.{pod_id}.response")
}

/// Where one pod hears that a worker is at it.
pub fn pod_heartbeat(pod_id: &str) -> String {
    format!("chat.pod.{pod_id}.heartbeat")
}

/// Where one pod answers whether it is there.
pub fn pod_health(pod_id: &str) -> String {
    format!("chat.pod.{pod_id}.health")
}

/// Where every pod hears the chunks of answers whose own pod is gone.
pub fn session_response(session_id: &str) -> String {
    format!("chat.session.{session_id}.response")
}

/// Whether a text can be the id of a session or a request: it becomes a token of a subject.
pub fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_token_and_no_wildcard() {
        for id in ["s-1", "A_b", &"a".repeat(64)] {
            assert!(is_id(id), "{id}");
        }
        for other in ["", "a.b", "*", ">", "a b", "ä", &"a".repeat(65)] {
            assert!(!is_id(other), "{other}");
        }
    }
}
