//! Sensor text: opens every sensor, and the one subscription that feeds those that read MQTT topics.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::{SensorSource, Settings};
use crate::flow::acquire::open_sensor;
use crate::flow::publish::outbox::Retry;
use crate::flow::publish::wire::{self, Address};
use crate::flow::{Reading, bound};
use crate::name::Name;
use crate::telemetry::Telemetry;

/// Every sensor of the line, open and heard.
pub(super) struct Text {
    /// Where the listening sensors listen.
    pub(super) listening: BTreeMap<Name, SocketAddr>,
    /// The readings of all sensors.
    pub(super) readings: mpsc::Receiver<Reading>,
    ended: CancellationToken,
}

impl Text {
    /// Opens every sensor; lines that come before the road runs wait in the queue.
    pub(super) async fn open(settings: &Settings, telemetry: &Telemetry) -> anyhow::Result<Self> {
        let (out, readings) = mpsc::channel(bound::READINGS);
        let ended = CancellationToken::new();
        let (mut listening, mut topics) = (BTreeMap::new(), BTreeMap::new());
        for (name, sensor) in &settings.sensors {
            let messages = if let SensorSource::Mqtt(topic) = &sensor.source {
                let (payloads, messages) = mpsc::channel(bound::READINGS);
                topics.insert(topic.clone(), payloads);
                Some(messages)
            } else {
                None
            };
            let task =
                open_sensor(name.clone(), sensor, messages, telemetry.clone(), out.clone(), ended.clone()).await?;
            if let Some(address) = task.local_addr {
                tracing::info!("sensor {name} listens on {address}");
                listening.insert(name.clone(), address);
            }
        }
        if let Some(mqtt) = settings.mqtt.as_ref().filter(|_| !topics.is_empty()) {
            let address = Address::new(mqtt, &settings.device, "sensors");
            tokio::spawn(subscribe(address, topics, ended.clone()));
        }
        Ok(Self { listening, readings, ended })
    }

    /// Ends the sensors when `stop` comes.
    pub(super) fn stop_with(&self, stop: CancellationToken) {
        let ended = self.ended.clone();
        tokio::spawn(async move {
            stop.cancelled().await;
            ended.cancel();
        });
    }
}

/// Hands the messages of each topic to its sensor, until `stop`.
async fn subscribe(address: Address, sensors: BTreeMap<String, mpsc::Sender<Vec<u8>>>, stop: CancellationToken) {
    let topics: Vec<String> = sensors.keys().cloned().collect();
    let (out, mut messages) = mpsc::channel::<(String, Vec<u8>)>(bound::READINGS);
    let hand_over = async {
        while let Some((topic, payload)) = messages.recv().await {
            if let Some(sensor) = sensors.get(&topic)
                && sensor.send(payload).await.is_err()
            {
                return;
            }
        }
    };
    tokio::select! {
        () = wire::listen(&address, &topics, &out, Retry::default(), &stop) => {}
        () = hand_over => {}
    }
}
