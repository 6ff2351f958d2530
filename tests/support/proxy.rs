//! A TCP proxy inside the test process: it delays, swallows, resets and cuts what goes through it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What happens to bytes on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They go through.
    Pass,
    /// They go through after this time.
    Latency(Duration),
    /// Those in one direction, or in both, disappear; connections stay open.
    Blackhole {
        /// From the client to the server.
        up: bool,
        /// From the server to the client.
        down: bool,
    },
    /// New connections are reset at once.
    Refuse,
}

/// One state for all connections; the numbers count orders, so that each is carried out once.
#[derive(Debug, Clone, Copy)]
struct Orders {
    mode: Mode,
    resets: u64,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    resets: AtomicU64,
    swallowed: AtomicU64,
    /// Bytes from the server that may still pass before the connection is reset; `u64::MAX` is no limit.
    left: AtomicU64,
}

/// A proxy in front of one address; dropping it closes every connection.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    orders: watch::Sender<Orders>,
    counters: Arc<Counters>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port and connects to `target` for each connection.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn to(target: (&'static str, u16)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the port is known");
        let (orders, ordered) = watch::channel(Orders { mode: Mode::Pass, resets: 0 });
        let counters = Arc::new(Counters { left: AtomicU64::new(u64::MAX), ..Counters::default() });
        let accepting = tokio::spawn(accept(listener, target, ordered, counters.clone()));
        Self { address, orders, counters, accepting }
    }

    /// `nats://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what happens to bytes from now on, also on open connections.
    pub fn set(&self, mode: Mode) {
        self.orders.send_modify(|orders| orders.mode = mode);
    }

    /// Resets every open connection (RST, not FIN).
    pub fn reset(&self) {
        self.orders.send_modify(|orders| orders.resets += 1);
    }

    /// Resets the connection that carries the byte after the next `bytes` from the server: in the middle of a message.
    pub fn cut_after(&self, bytes: u64) {
        self.counters.left.store(bytes, Ordering::SeqCst);
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.counters.connections.load(Ordering::SeqCst)
    }

    /// Connections reset so far.
    pub fn resets(&self) -> u64 {
        self.counters.resets.load(Ordering::SeqCst)
    }

    /// Bytes swallowed so far.
    pub fn swallowed(&self) -> u64 {
        self.counters.swallowed.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: (&'static str, u16),
    orders: watch::Receiver<Orders>,
    counters: Arc<Counters>,
) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        let Ok((client, _)) = accepted else { continue };
        counters.connections.fetch_add(1, Ordering::SeqCst);
        let refused = orders.borrow().mode == Mode::Refuse;
        match TcpStream::connect(target).await {
            Ok(server) if !refused => {
                connections.spawn(carry(client, server, orders.clone(), counters.clone()));
            }
            _ => reset(&client),
        }
    }
}

/// Closing then sends RST.
fn reset(stream: &TcpStream) {
    #[expect(deprecated, reason = "a zero linger does not block: it drops what is unsent")]
    let _ = stream.set_linger(Some(Duration::ZERO));
}

async fn carry(client: TcpStream, server: TcpStream, mut orders: watch::Receiver<Orders>, counters: Arc<Counters>) {
    let before = orders.borrow_and_update().resets;
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (mut up, mut down) = (
        Way { from: from_client, to: to_server, orders: orders.clone(), counters: counters.clone(), down: false },
        Way { from: from_server, to: to_client, orders: orders.clone(), counters: counters.clone(), down: true },
    );
    let was_reset = tokio::select! {
        cut = up.run() => cut,
        cut = down.run() => cut,
        _ = orders.wait_for(|orders| orders.resets != before) => true,
    };
    if was_reset {
        counters.resets.fetch_add(1, Ordering::SeqCst);
        reset(down.to.as_ref());
        reset(up.to.as_ref());
    }
}

/// One direction of one connection.
struct Way {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    orders: watch::Receiver<Orders>,
    counters: Arc<Counters>,
    down: bool,
}

impl Way {
    /// Carries bytes until the connection ends; `true` when it is to be reset.
    async fn run(&mut self) -> bool {
        let mut buffer = vec![0_u8; 16 * 1024];
        loop {
            let Ok(read @ 1..) = self.from.read(&mut buffer).await else { return false };
            let mode = self.orders.borrow().mode;
            match mode {
                Mode::Blackhole { up, down } if (self.down && down) || (!self.down && up) => {
                    self.counters.swallowed.fetch_add(read as u64, Ordering::SeqCst);
                    continue;
                }
                Mode::Latency(delay) => tokio::time::sleep(delay).await,
                _ => {}
            }
            let allowed = if self.down { self.take_allowance(read as u64) } else { read };
            if self.to.write_all(&buffer[..allowed]).await.is_err() {
                return false;
            }
            if allowed < read {
                return true;
            }
        }
    }

    fn take_allowance(&self, read: u64) -> usize {
        let left = &self.counters.left;
        let before = left.load(Ordering::SeqCst);
        if before == u64::MAX {
            return usize::try_from(read).unwrap_or(usize::MAX);
        }
        // After the cut, the next connection has no limit.
        left.store(if read > before { u64::MAX } else { before - read }, Ordering::SeqCst);
        usize::try_from(read.min(before)).unwrap_or(usize::MAX)
    }
}
