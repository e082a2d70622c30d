//! Sensor text from a sender that Kenpin connects to over TCP. A lost connection is made again with growing, jittered pauses.

use std::time::Duration;

use tokio::net::TcpStream;

use super::{Ear, Heard};
use crate::flow::retry::{Retry, draw};

/// The pauses between attempts to connect: the longest is short against the time it takes to notice an idle line.
const RETRY: Retry = Retry { first: Duration::from_millis(100), cap: Duration::from_secs(10) };
/// How long one attempt to connect may take.
const PATIENCE: Duration = Duration::from_secs(10);

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
    ear.converse(stream).await
}
