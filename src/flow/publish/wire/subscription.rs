//! What is heard: subscriptions, each on a connection of its own.
//!
//! A message is acknowledged only after its receiver took it, so a slow receiver slows the broker down and loses nothing.

use mqtt5::Packet;
use mqtt5::packet::puback::PubAckPacket;
use mqtt5::packet::publish::PublishPacket;
use mqtt5::protocol::v5::properties::{PropertyId, PropertyValue};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Address, Connection, PATIENCE};
use crate::flow::publish::outbox::{Handed, Link as _, Publication, REFUSED_FROM};
use crate::flow::retry::{Retry, draw};

/// Subscribes to `topics` (`QoS` 1) and sends each message with its topic into `out`, over any number of connections, until
/// `stop` or until nobody listens.
pub async fn listen(
    address: &Address,
    topics: &[String],
    out: &mpsc::Sender<(String, Vec<u8>)>,
    retry: Retry,
    stop: &CancellationToken,
) {
    let mut failures = 0;
    loop {
        let heard = tokio::select! {
            heard = hear(address, topics, out, &mut failures) => heard,
            () = stop.cancelled() => return,
        };
        match heard {
            Ok(()) => return,
            Err(why) => tracing::warn!("broker {address}, sensor topics: {why}"),
        }
        failures += 1;
        tokio::select! {
            () = tokio::time::sleep(retry.after(failures, draw())) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Hears one connection to its end; `Ok` when nobody listens any more.
async fn hear(
    address: &Address,
    topics: &[String],
    out: &mpsc::Sender<(String, Vec<u8>)>,
    failures: &mut u32,
) -> Result<(), String> {
    let mut subscription = Subscription::open(address, topics).await?;
    *failures = 0;
    loop {
        if out.send(subscription.next().await?).await.is_err() {
            return Ok(());
        }
    }
}

/// A message, with what MQTT 5 has for questions (section 4.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The topic.
    pub topic: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// Whether the broker had kept it from an earlier time.
    pub retained: bool,
    /// Where an answer is wanted.
    pub response_topic: Option<String>,
    /// What the answer is to be known by.
    pub correlation: Option<Vec<u8>>,
}

/// A subscription (`QoS` 1) on one connection.
pub struct Subscription {
    connection: Connection,
    unacknowledged: Option<u16>,
}

impl Subscription {
    /// Connects and subscribes to `topics`; everything published after this returned will be heard.
    ///
    /// # Errors
    /// One sentence when the broker cannot be reached or refuses.
    pub async fn open(address: &Address, topics: &[String]) -> Result<Self, String> {
        let mut connection = Connection::open(address, None).await?;
        connection.subscribe(topics).await?;
        Ok(Self { connection, unacknowledged: None })
    }

    /// The next message as topic and payload. It is acknowledged when the one after it is asked for, and so by then dealt with.
    ///
    /// # Errors
    /// One sentence when the connection is lost.
    pub async fn next(&mut self) -> Result<(String, Vec<u8>), String> {
        let Message { topic, payload, .. } = self.next_message().await?;
        Ok((topic, payload))
    }

    /// As [`Self::next`], with all that came along.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn next_message(&mut self) -> Result<Message, String> {
        if let Some(packet) = self.unacknowledged.take() {
            self.connection.write(Packet::PubAck(PubAckPacket::new(packet))).await?;
        }
        let packet = self.connection.message().await?;
        self.unacknowledged = packet.packet_id;
        Ok(message(packet))
    }

    /// Publishes an answer under the `correlation` of its question, and waits until the broker has it.
    ///
    /// # Errors
    /// One sentence when the connection is lost, or the broker refuses the answer.
    pub async fn answer(&mut self, publication: Publication, correlation: Option<Vec<u8>>) -> Result<(), String> {
        let topic = publication.topic.clone();
        let refused = |code: u8| format!("the broker refused an answer on {topic}: reason code {code:#04x}");
        if let Handed::Refused(code) = self.connection.publish(publication, correlation).await? {
            return Err(refused(code));
        }
        let answered = timeout(PATIENCE, self.connection.acknowledged()).await;
        let code = answered.map_err(|_| format!("no PUBACK within {PATIENCE:?}"))??.code;
        if code >= REFUSED_FROM { Err(refused(code)) } else { Ok(()) }
    }
}

/// A packet as a message.
fn message(packet: PublishPacket) -> Message {
    let response_topic = match packet.properties.get(PropertyId::ResponseTopic) {
        Some(PropertyValue::Utf8String(topic)) => Some(topic.clone()),
        _ => None,
    };
    let correlation = match packet.properties.get(PropertyId::CorrelationData) {
        Some(PropertyValue::BinaryData(data)) => Some(data.to_vec()),
        _ => None,
    };
    let (topic, payload, retained) = (packet.topic_name, packet.payload.to_vec(), packet.retain);
    Message { topic, payload, retained, response_topic, correlation }
}
