//! One coil of a Modbus TCP server: the only file that touches `tokio_modbus`.
//!
//! The connection is made when it is first needed, and again after any failure; each attempt to write has half a second.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::net::TcpStream;
use tokio_modbus::client::{Context, Writer as _, tcp};
use tokio_modbus::slave::Slave;

use super::Line;

/// How long a write may take, with the connection it may need.
const PATIENCE: Duration = Duration::from_millis(500);

/// A coil.
pub(super) struct Coil {
    address: String,
    unit: u8,
    number: u16,
    connected: Option<Context>,
}

impl Coil {
    /// The coil `number`, counted from 0, of the unit `unit` at `address`, `host:port`.
    pub(super) fn new(address: String, unit: u8, number: u16) -> Self {
        Self { address, unit, number, connected: None }
    }

    async fn write(&mut self, on: bool) -> Result<(), String> {
        // Taken out: a connection on which anything went wrong is not used again.
        let mut connected = match self.connected.take() {
            Some(connected) => connected,
            None => connect(&self.address, self.unit).await.map_err(|error| error.to_string())?,
        };
        let written = connected.write_single_coil(self.number, on).await;
        written.map_err(|error| error.to_string())?.map_err(|refused| format!("the server refused: {refused}"))?;
        self.connected = Some(connected);
        Ok(())
    }
}

impl Line for Coil {
    fn set(&mut self, on: bool) -> BoxFuture<'_, Result<(), String>> {
        let write = async move {
            let written = tokio::time::timeout(PATIENCE, self.write(on)).await;
            let written = written.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")));
            written.map_err(|why| format!("coil {} of {}: {why}", self.number, self.address))
        };
        write.boxed()
    }
}

async fn connect(address: &str, unit: u8) -> std::io::Result<Context> {
    let stream = TcpStream::connect(address).await?;
    // Twelve bytes that must not wait for more.
    stream.set_nodelay(true)?;
    Ok(tcp::attach_slave(stream, Slave(unit)))
}
