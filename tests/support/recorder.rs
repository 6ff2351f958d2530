//! A listener that looks like a server without TLS and keeps what clients send to it: what arrives here could be read
//! by anybody on the way.

use std::future::ready;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::eventually;

/// How long a client may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(5);

const INFO: &str = r#"INFO {"server_id":"N","server_name":"n","version":"2.12.0","go":"go1","host":"127.0.0.1","port":1,"headers":true,"max_payload":1048576,"proto":1,"auth_required":true,"nonce":"MTIzNDU2Nzg5MDEyMzQ1Ng"}"#;

/// What a server says to bytes that it does not understand; it closes the connection too.
const REFUSAL: &[u8] = b"-ERR 'Unknown Protocol Operation'\r\n";

/// A running listener; dropping it ends it.
pub struct Recorder {
    port: u16,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Listens on a free port.
    ///
    /// # Panics
    /// When there is none.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("the port is known").port();
        let (received, end) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (received, end) = (Arc::clone(&received), Arc::clone(&end));
            move || listen(&listener, &received, &end)
        });
        Self { port, received, end, thread: Some(thread) }
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The first bytes of each connection that has ended.
    ///
    /// # Panics
    /// When the listener has panicked.
    pub fn received(&self) -> Vec<Vec<u8>> {
        self.received.lock().expect("the listener lives").clone()
    }

    /// As [`Recorder::received`], once so many connections have ended.
    pub async fn received_from(&self, connections: usize) -> Vec<Vec<u8>> {
        eventually("so many connections have ended", SILENCE_MAX * 2, || {
            ready(Some(self.received()).filter(|received| received.len() >= connections))
        })
        .await
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        // The listener looks at it when it hears a connection.
        let _ = TcpStream::connect(self.address());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(listener: &TcpListener, received: &Mutex<Vec<Vec<u8>>>, end: &AtomicBool) {
    for stream in listener.incoming() {
        if end.load(Ordering::Relaxed) {
            return;
        }
        let bytes = stream.and_then(serve).unwrap_or_default();
        received.lock().expect("the test lives").push(bytes);
    }
}

/// Greets, takes what comes, refuses, and reads on until the client has gone.
fn serve(mut stream: TcpStream) -> std::io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.write_all(format!("{INFO}\r\n").as_bytes())?;
    let mut bytes = vec![0; 64 * 1024];
    let mut count = stream.read(&mut bytes)?;
    stream.write_all(REFUSAL)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    while count < bytes.len() {
        match stream.read(&mut bytes[count..]) {
            Ok(0) | Err(_) => break,
            Ok(more) => count += more,
        }
    }
    bytes.truncate(count);
    Ok(bytes)
}
