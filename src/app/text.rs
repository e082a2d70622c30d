//! Sensor text: opens every sensor, and the one subscription that feeds those that read MQTT topics.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::{SensorSource, Settings};
use crate::flow::acquire::{Letter, open_sensor};
use crate::flow::publish::wire::{self, Address, Answer, Message};
use crate::flow::retry::Retry;
use crate::flow::{Asker, Reading, bound};
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
        let (mut listening, mut topics) = (BTreeMap::new(), Vec::new());
        for (name, sensor) in &settings.sensors {
            let messages = if let SensorSource::Mqtt(topic) = &sensor.source {
                let (letters, messages) = mpsc::channel(bound::READINGS);
                topics.push((topic.clone(), letters));
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

/// Hands each message to every sensor whose topic filter it matches, with a way back where it names one, until `stop`.
async fn subscribe(address: Address, sensors: Vec<(String, mpsc::Sender<Letter>)>, stop: CancellationToken) {
    let filters: BTreeSet<&String> = sensors.iter().map(|(filter, _)| filter).collect();
    let filters: Vec<String> = filters.into_iter().cloned().collect();
    let (out, mut messages) = mpsc::channel::<Message>(bound::READINGS);
    let (say, mut answers) = mpsc::channel(bound::READINGS);
    let hand_over = async {
        while let Some(Message { topic, payload, response_topic, correlation, .. }) = messages.recv().await {
            let asker = response_topic.map(|topic| correspondent(topic, correlation, say.clone()));
            for (_, sensor) in sensors.iter().filter(|(filter, _)| matches(filter, &topic)) {
                // A sensor that has ended no longer listens; the others do.
                let _ = sensor.send(Letter { payload: payload.clone(), asker: asker.clone() }).await;
            }
        }
    };
    tokio::select! {
        () = wire::listen(&address, &filters, (&out, &mut answers), Retry::default(), &stop) => {}
        () = hand_over => {}
    }
}

/// Who sent a message that names a topic for answers. Nobody can be hung up on here: more words than it may be owed are lost.
fn correspondent(topic: String, correlation: Option<Vec<u8>>, say: mpsc::Sender<Answer>) -> Asker {
    let (asker, mut words) = Asker::new(CancellationToken::new());
    tokio::spawn(async move {
        while let Some(line) = words.recv().await {
            if say.send(Answer { topic: topic.clone(), correlation: correlation.clone(), line }).await.is_err() {
                return;
            }
        }
    });
    asker
}

/// Whether a topic matches a filter: `+` is any one level, `#` the level it stands on and all below, neither begins a
/// match with `$` (MQTT 5, section 4.7).
fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') != filter.starts_with('$') {
        return false;
    }
    let (mut wanted, mut given) = (filter.split('/'), topic.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(level), Some(same)) if level == same => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn filters_match_as_the_standard_says() {
        for (filter, topic) in [
            ("line/1", "line/1"),
            ("line/+", "line/1"),
            ("line/+/plc", "line/1/plc"),
            ("line/#", "line"),
            ("line/#", "line/1/plc"),
            ("#", "line/1"),
            ("+/+", "/line"),
            ("$SYS/#", "$SYS/uptime"),
        ] {
            assert!(matches(filter, topic), "{filter} {topic}");
        }
        for (filter, topic) in [
            ("line/+", "line"),
            ("line/+", "line/1/plc"),
            ("line/1", "line/2"),
            ("+", "/line"),
            ("#", "$SYS/uptime"),
            ("+/uptime", "$SYS/uptime"),
        ] {
            assert!(!matches(filter, topic), "{filter} {topic}");
        }
    }
}
