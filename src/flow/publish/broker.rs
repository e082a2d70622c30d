//! An MQTT broker in this process, for a line that has none: anonymous, on a loopback address, in memory.
//!
//! Promises to be reachable when [`Embedded::start`] returns. What it holds is gone with the process: the journal still has
//! every verdict, but subscribers that were away hear nothing of what was acknowledged meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use mqtt5::broker::config::{StorageBackend, StorageConfig};
use mqtt5::broker::{BrokerConfig, BrokerShutdownHandle, MqttBroker};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How long the broker outlives the last publication: an acknowledged verdict may still be on its way to a slow subscriber.
const LINGER: Duration = Duration::from_millis(500);

/// A running broker.
pub struct Embedded {
    /// Where it listens, with the port it really got.
    pub local_addr: SocketAddr,
    shutdown: BrokerShutdownHandle,
    task: JoinHandle<()>,
}

impl Embedded {
    /// Starts a broker on `listen`, which must be a loopback address; port 0 takes any free one.
    ///
    /// # Errors
    /// One sentence when the address is not loopback or is taken.
    pub async fn start(listen: SocketAddr) -> Result<Self, String> {
        if !listen.ip().is_loopback() {
            return Err(format!(
                "the embedded broker knows no passwords: it listens on loopback only, not on {listen}"
            ));
        }
        // The crate logs why a port is not to be had and returns a text over several lines; we ask the system ourselves.
        let free = TcpListener::bind(listen)
            .await
            .map_err(|error| format!("the embedded broker cannot listen on {listen}: {error}"))?;
        let listen = free.local_addr().map_err(|error| format!("the embedded broker has no address: {error}"))?;
        drop(free);
        let storage = StorageConfig::new().with_backend(StorageBackend::Memory).with_persistence(false);
        let mut config = BrokerConfig::new().with_bind_addresses(vec![listen]);
        config.storage_config = storage;
        config.sys_topics_enabled = false;
        let mut broker = MqttBroker::with_config(config)
            .await
            .map_err(|error| format!("the embedded broker cannot start on {listen}: {error}"))?;
        let local_addr = broker.local_addr().unwrap_or(listen);
        let (shutdown, mut ready) = (broker.shutdown_handle(), broker.ready_receiver());
        let task = tokio::spawn(async move {
            if let Err(error) = broker.run().await {
                tracing::error!("the embedded broker on {local_addr} ended: {error}");
            }
        });
        match ready.wait_for(|ready| *ready).await {
            Ok(_) => Ok(Self { local_addr, shutdown, task }),
            Err(_) => Err(format!("the embedded broker on {local_addr} ended while it started")),
        }
    }

    /// Ends it after a moment in which subscribers receive what is on its way to them; returns when its connections are
    /// closed.
    pub async fn stop(self) {
        tokio::time::sleep(LINGER).await;
        self.shutdown.shutdown();
        if let Err(error) = self.task.await {
            tracing::error!("the embedded broker ended badly: {error}");
        }
    }
}
