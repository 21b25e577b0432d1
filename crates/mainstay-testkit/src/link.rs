//! A TCP connection that a test can cut, slow down or half-open.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::EngineError;

const CHUNK_LEN_BYTES: usize = 16 * 1024;

/// A proxy on a free loopback port that passes bytes to one target, until told otherwise.
///
/// It lives on the runtime that started it and ends when dropped, with all its connections.
#[derive(Debug)]
pub struct Link {
    addr: SocketAddr,
    state: watch::Sender<State>,
    // Ended when dropped.
    _acceptor: JoinSet<()>,
}

/// What happens to bytes, the same in both directions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct State {
    mode: Mode,
    delay: Duration,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Whole,
    Cut,
    HalfOpen,
}

impl Link {
    /// Starts a link to `target`.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn to(target: SocketAddr) -> Result<Self, EngineError> {
        let doing = "bind a link";
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(EngineError::io(doing))?;
        let addr = listener.local_addr().map_err(EngineError::io(doing))?;
        let (state, watched) = watch::channel(State::default());
        let mut acceptor = JoinSet::new();
        acceptor.spawn(accept(listener, target, watched));
        Ok(Self { addr, state, _acceptor: acceptor })
    }

    /// Starts a link to a port of this machine.
    ///
    /// # Errors
    /// As [`Link::to`].
    pub async fn to_port(port: u16) -> Result<Self, EngineError> {
        Self::to((Ipv4Addr::LOCALHOST, port).into()).await
    }

    /// Where to connect instead of the target.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The port of [`Link::addr`].
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// Closes every connection; a new one is accepted and closed at once.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.mode = Mode::Cut);
    }

    /// Connections stay open and nothing passes: what a pulled cable or a dead peer looks like. Bytes sent meanwhile
    /// are held, and arrive after [`Link::heal`].
    pub fn half_open(&self) {
        self.state.send_modify(|state| state.mode = Mode::HalfOpen);
    }

    /// Bytes pass again, without delay.
    pub fn heal(&self) {
        self.state.send_replace(State::default());
    }

    /// Holds each piece of data for `delay` before it goes on, in each direction.
    pub fn delay(&self, delay: Duration) {
        self.state.send_modify(|state| state.delay = delay);
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, state: watch::Receiver<State>) {
    // Dropped with this future, and with it every connection.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((near, _)) = accepted else { return };
                if state.borrow().mode != Mode::Cut {
                    connections.spawn(connect(near, target, state.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Passes bytes until either side ends or the link is cut. An error ends the connection, as on a real line.
async fn connect(near: TcpStream, target: SocketAddr, mut state: watch::Receiver<State>) {
    let Ok(far) = TcpStream::connect(target).await else { return };
    near.set_nodelay(true).and(far.set_nodelay(true)).ok();
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    let there = pass(near_in, far_out, state.clone());
    let back = pass(far_in, near_out, state.clone());
    tokio::select! {
        _ = async { tokio::join!(there, back) } => {}
        _ = state.wait_for(|state| state.mode == Mode::Cut) => {}
    }
}

async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut state: watch::Receiver<State>,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_LEN_BYTES];
    loop {
        let read = from.read(&mut chunk).await?;
        let delay = state.borrow().delay;
        sleep_until(Instant::now() + delay).await;
        if state.wait_for(|state| state.mode == Mode::Whole).await.is_err() {
            return Ok(());
        }
        match chunk.get(..read) {
            Some([]) | None => return to.shutdown().await,
            Some(bytes) => to.write_all(bytes).await?,
        }
    }
}
