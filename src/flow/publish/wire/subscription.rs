//! What is heard: subscriptions, each on a connection of its own.
//!
//! A message is acknowledged only after its receiver took it, so a slow receiver slows the broker down and loses nothing. An answer
//! that is not the end of a message's work leaves between messages, at most once.

use mqtt5::Packet;
use mqtt5::packet::puback::PubAckPacket;
use mqtt5::packet::publish::PublishPacket;
use mqtt5::protocol::v5::properties::{PropertyId, PropertyValue};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Address, Connection, JSON, PATIENCE};
use crate::flow::bound;
use crate::flow::publish::outbox::{Acknowledgement, Handed, Publication, REFUSED_FROM};
use crate::flow::retry::{Retry, draw};

/// The content type of an answer.
const TEXT: &str = "text/plain";

/// Subscribes to `topics` (`QoS` 1), sends each message into `out` and publishes the `answers`, over any number of connections,
/// until `stop` or until nobody listens. An answer that waits while there is no connection is published on the next one.
pub async fn listen(
    address: &Address,
    topics: &[String],
    (out, answers): (&mpsc::Sender<Message>, &mut mpsc::Receiver<Answer>),
    retry: Retry,
    stop: &CancellationToken,
) {
    let mut failures = 0;
    loop {
        let heard = tokio::select! {
            heard = hear(address, topics, (out, answers), &mut failures) => heard,
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
    (out, answers): (&mpsc::Sender<Message>, &mut mpsc::Receiver<Answer>),
    failures: &mut u32,
) -> Result<(), String> {
    let mut subscription = Subscription::open(address, topics).await?;
    *failures = 0;
    tracing::info!("sensor topics are heard at {address}");
    loop {
        if out.send(subscription.next_answering(answers).await?).await.is_err() {
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

/// A line of text for whoever sent a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Where it is wanted.
    pub topic: String,
    /// What it is to be known by.
    pub correlation: Option<Vec<u8>>,
    /// The line.
    pub line: String,
}

/// What comes next on a connection.
enum Next {
    Message(PublishPacket),
    Acknowledged(Acknowledgement),
    Answer(Answer),
}

/// A subscription (`QoS` 1) on one connection.
pub struct Subscription {
    connection: Connection,
    unacknowledged: Option<u16>,
    /// Answers that the broker has not acknowledged.
    in_flight: usize,
}

impl Subscription {
    /// Connects and subscribes to `topics`; everything published after this returned will be heard.
    ///
    /// # Errors
    /// One sentence when the broker cannot be reached or refuses.
    pub async fn open(address: &Address, topics: &[String]) -> Result<Self, String> {
        let mut connection = Connection::open(address, None).await?;
        connection.subscribe(topics).await?;
        Ok(Self { connection, unacknowledged: None, in_flight: 0 })
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
        self.acknowledge().await?;
        let packet = self.connection.message().await?;
        self.unacknowledged = packet.packet_id;
        Ok(message(packet))
    }

    /// As [`Self::next_message`], and publishes `answers` until it comes, without waiting for the broker's word on them: a refused
    /// one is told in the log.
    async fn next_answering(&mut self, answers: &mut mpsc::Receiver<Answer>) -> Result<Message, String> {
        self.acknowledge().await?;
        loop {
            match self.what_next(answers).await? {
                Next::Message(packet) => {
                    self.unacknowledged = packet.packet_id;
                    return Ok(message(packet));
                }
                Next::Acknowledged(Acknowledgement { code, .. }) => {
                    self.in_flight = self.in_flight.saturating_sub(1);
                    if code >= REFUSED_FROM {
                        tracing::warn!("the broker refused an answer to a sensor's message: reason code {code:#04x}");
                    }
                }
                Next::Answer(Answer { topic, correlation, line }) => {
                    let told = format!("the answer {line:?} on {topic}");
                    let publication = Publication { topic, body: line.into_bytes(), retain: false };
                    match self.connection.publish(publication, TEXT, correlation).await? {
                        Handed::InFlight(_) => self.in_flight += 1,
                        Handed::Refused(code) => tracing::warn!("{told} cannot be sent: reason code {code:#04x}"),
                    }
                }
            }
        }
    }

    /// Whatever comes first. Nothing is lost when it is cancelled.
    async fn what_next(&mut self, answers: &mut mpsc::Receiver<Answer>) -> Result<Next, String> {
        let room = self.in_flight < self.connection.window;
        let Connection { early, messages, answers: acknowledged, life, .. } = &mut self.connection;
        if let Some(packet) = early.pop_front() {
            return Ok(Next::Message(packet));
        }
        tokio::select! {
            packet = messages.recv() => packet.map(Next::Message),
            word = acknowledged.recv() => word.map(Next::Acknowledged),
            Some(answer) = answers.recv(), if room => Some(Next::Answer(answer)),
        }
        .ok_or_else(|| life.why())
    }

    /// The broker's word on what was published; messages that come before it wait here, as many as a sensor's may.
    async fn acknowledged(&mut self) -> Result<Acknowledgement, String> {
        let Connection { early, messages, answers, life, .. } = &mut self.connection;
        loop {
            tokio::select! {
                word = answers.recv() => return word.ok_or_else(|| life.why()),
                Some(packet) = messages.recv(), if early.len() < bound::READINGS => early.push_back(packet),
            }
        }
    }

    /// Acknowledges the message that was dealt with.
    async fn acknowledge(&mut self) -> Result<(), String> {
        match self.unacknowledged.take() {
            Some(packet) => self.connection.write(Packet::PubAck(PubAckPacket::new(packet))).await,
            None => Ok(()),
        }
    }

    /// Publishes an answer under the `correlation` of its question, and waits until the broker has it.
    ///
    /// # Errors
    /// One sentence when the connection is lost, or the broker refuses the answer.
    pub async fn answer(&mut self, publication: Publication, correlation: Option<Vec<u8>>) -> Result<(), String> {
        let topic = publication.topic.clone();
        let refused = |code: u8| format!("the broker refused an answer on {topic}: reason code {code:#04x}");
        if let Handed::Refused(code) = self.connection.publish(publication, JSON, correlation).await? {
            return Err(refused(code));
        }
        let answered = timeout(PATIENCE, self.acknowledged()).await;
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
