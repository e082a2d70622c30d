//! Listening for senders of sensor text, over TCP or on a Unix socket.
//!
//! A listener holds a bounded number of connections; a further one takes the place of the oldest, so that a sender that
//! lost power without closing cannot lock itself out.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Ear;
use super::unix::Socket;

/// The most connections to one listener: a cell has a handful of senders, and a dead one must not take the machine.
pub(super) const CONNECTIONS: usize = 16;

/// The pause after a connection that could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// Where senders connect to.
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(Socket),
}

impl Listener {
    /// The next connection, and who is at its other end.
    async fn accept(&self) -> std::io::Result<(Either<TcpStream, UnixStream>, String)> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                (Either::Left(stream), peer.to_string())
            }
            Self::Unix(socket) => {
                let (stream, peer) = socket.accept().await?;
                (Either::Right(stream), peer)
            }
        })
    }
}

/// Binds a TCP address; the listener and the address it really has.
pub(super) async fn bind(address: SocketAddr) -> std::io::Result<(Listener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    Ok((Listener::Tcp(listener), bound))
}

/// Accepts connections and hears them all, until stopped.
pub(super) async fn listen(listener: Listener, ear: Ear) {
    let tasks = TaskTracker::new();
    let mut connections: VecDeque<(String, CancellationToken)> = VecDeque::new();
    while let Some(accepted) = ear.stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                connections.retain(|(_, open)| !open.is_cancelled());
                make_room(&mut connections, &ear);
                let open = ear.stop.child_token();
                connections.push_back((peer.clone(), open.clone()));
                tasks.spawn(serve(stream, peer, Ear { stop: open, ..ear.clone() }));
            }
            Err(error) => {
                tracing::warn!("sensor {}: cannot accept a connection: {error}", ear.name);
                let _stopped = ear.stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
            }
        }
        if ear.out.is_closed() {
            break;
        }
    }
    tasks.close();
    tasks.wait().await;
}

/// Closes the oldest connection when there are as many as may be.
fn make_room(connections: &mut VecDeque<(String, CancellationToken)>, ear: &Ear) {
    if connections.len() < CONNECTIONS {
        return;
    }
    if let Some((peer, open)) = connections.pop_front() {
        tracing::warn!("sensor {}: {CONNECTIONS} connections are open; the oldest, from {peer}, is closed", ear.name);
        open.cancel();
    }
}

/// Hears one connection to its end, and marks it closed.
async fn serve(stream: Either<TcpStream, UnixStream>, peer: String, ear: Ear) {
    if let Err(error) = ear.converse(stream).await {
        tracing::warn!("sensor {}: lost the connection from {peer}: {error}", ear.name);
    }
    ear.stop.cancel();
}
