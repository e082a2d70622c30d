//! A Modbus TCP server: the only file that touches `tokio_modbus`.
//!
//! The connection is made when it is first needed, and again after any failure; each request has half a second, with the
//! connection it may need. Errors are one sentence that names what was asked for and where.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio_modbus::client::{Context, Reader as _, Writer as _, tcp};
use tokio_modbus::slave::Slave;

/// How long a request may take, with the connection it may need.
const PATIENCE: Duration = Duration::from_millis(500);

/// One unit behind one server.
pub struct Server {
    address: String,
    unit: u8,
    connected: Option<Context>,
}

impl Server {
    /// The unit `unit` at `address`, `host:port`.
    #[must_use]
    pub const fn new(address: String, unit: u8) -> Self {
        Self { address, unit, connected: None }
    }

    /// Switches the coil `coil`, counted from 0.
    ///
    /// # Errors
    /// Why it was not switched.
    pub async fn write_coil(&mut self, coil: u16, on: bool) -> Result<(), String> {
        let write = async {
            let mut server = self.take().await?;
            let written = server.write_single_coil(coil, on).await;
            self.settle(server, written)
        };
        patiently(write).await.map_err(|why| format!("coil {coil} of {}: {why}", self.address))
    }

    /// Reads the holding register `register`, counted from 0.
    ///
    /// # Errors
    /// Why it was not read.
    pub async fn read_register(&mut self, register: u16) -> Result<u16, String> {
        let read = async {
            let mut server = self.take().await?;
            let words = server.read_holding_registers(register, 1).await;
            let words = self.settle(server, words)?;
            words.first().copied().ok_or_else(|| "the server answered without a number".to_owned())
        };
        patiently(read).await.map_err(|why| format!("register {register} of {}: {why}", self.address))
    }

    /// Writes the holding register `register`, counted from 0.
    ///
    /// # Errors
    /// Why it was not written.
    pub async fn write_register(&mut self, register: u16, number: u16) -> Result<(), String> {
        let write = async {
            let mut server = self.take().await?;
            let written = server.write_single_register(register, number).await;
            self.settle(server, written)
        };
        patiently(write).await.map_err(|why| format!("register {register} of {}: {why}", self.address))
    }

    /// The connection, taken out: one on which anything goes wrong is not used again.
    async fn take(&mut self) -> Result<Context, String> {
        match self.connected.take() {
            Some(connected) => Ok(connected),
            None => connect(&self.address, self.unit).await.map_err(|error| error.to_string()),
        }
    }

    /// The answer, and the connection put back where all went well.
    fn settle<T>(&mut self, connected: Context, answer: tokio_modbus::Result<T>) -> Result<T, String> {
        let answer = answer.map_err(|error| error.to_string())?;
        let answer = answer.map_err(|refused| format!("the server refused: {refused}"))?;
        self.connected = Some(connected);
        Ok(answer)
    }
}

async fn connect(address: &str, unit: u8) -> std::io::Result<Context> {
    let stream = TcpStream::connect(address).await?;
    // Twelve bytes that must not wait for more.
    stream.set_nodelay(true)?;
    Ok(tcp::attach_slave(stream, Slave(unit)))
}

async fn patiently<T>(request: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::time::timeout(PATIENCE, request).await.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")))
}
