//! Sensor text over TCP, listening or connecting.
//!
//! A listener holds a bounded number of connections; a further one takes the place of the oldest, so that a sender that
//! lost power without closing cannot lock itself out. A lost connection is made again with growing, jittered pauses.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Ear, Heard};
use crate::flow::retry::{Retry, draw};

/// The most connections to one listener: a cell has a handful of senders, and a dead one must not take the machine.
pub(super) const CONNECTIONS: usize = 16;
/// The pauses between attempts to connect: the longest is short against the time it takes to notice an idle line.
const RETRY: Retry = Retry { first: Duration::from_millis(100), cap: Duration::from_secs(10) };
/// How long one attempt to connect may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Binds `address`; the listener and the address it really has.
pub(super) async fn bind(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

/// Accepts connections and hears them all, until stopped.
pub(super) async fn listen(listener: TcpListener, ear: Ear) {
    let tasks = TaskTracker::new();
    let mut connections: VecDeque<(SocketAddr, CancellationToken)> = VecDeque::new();
    while let Some(accepted) = ear.stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                connections.retain(|(_, open)| !open.is_cancelled());
                make_room(&mut connections, &ear);
                let open = ear.stop.child_token();
                connections.push_back((peer, open.clone()));
                tasks.spawn(serve(stream, peer, Ear { stop: open, ..ear.clone() }));
            }
            Err(error) => {
                tracing::warn!("sensor {}: cannot accept a connection: {error}", ear.name);
                let _stopped = ear.stop.run_until_cancelled(tokio::time::sleep(RETRY.first)).await;
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
fn make_room(connections: &mut VecDeque<(SocketAddr, CancellationToken)>, ear: &Ear) {
    if connections.len() < CONNECTIONS {
        return;
    }
    if let Some((peer, open)) = connections.pop_front() {
        tracing::warn!("sensor {}: {CONNECTIONS} connections are open; the oldest, from {peer}, is closed", ear.name);
        open.cancel();
    }
}

/// Hears one connection to its end, and marks it closed.
async fn serve(stream: TcpStream, peer: SocketAddr, ear: Ear) {
    if let Err(error) = ear.follow(stream).await {
        tracing::warn!("sensor {}: lost the connection from {peer}: {error}", ear.name);
    }
    ear.stop.cancel();
}

/// Connects to `address`, hears it, and connects again after a loss, until stopped.
pub(super) async fn connect(address: String, ear: Ear) {
    let mut failures = 0;
    loop {
        match ear.stop.run_until_cancelled(attempt(&address, &ear)).await {
            None | Some(Ok(Heard::Stop)) => return,
            Some(Ok(Heard::End)) => {
                tracing::warn!("sensor {}: {address} has closed the connection", ear.name);
                failures = 1;
            }
            Some(Err(error)) => {
                failures += 1;
                let pause = RETRY.after(failures, 1.0);
                tracing::warn!("sensor {}: {address}: {error}; next attempt within {pause:?}", ear.name);
            }
        }
        if ear.stop.run_until_cancelled(tokio::time::sleep(RETRY.after(failures, draw()))).await.is_none() {
            return;
        }
    }
}

async fn attempt(address: &str, ear: &Ear) -> std::io::Result<Heard> {
    let stream = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await??;
    tracing::info!("sensor {}: connected to {address}", ear.name);
    ear.follow(stream).await
}
