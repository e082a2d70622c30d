//! The wire: MQTT 5 over TCP, the only file that touches the MQTT crate's packets.
//!
//! A [`Connection`] is one connection and nothing more: clean start, no queue, no reconnecting, constant memory. Publications
//! leave in the order of the calls and each PUBACK is handed on with its packet identifier and reason code, which the crate's
//! own client does not promise for several at once; so its packets and transports are used and its client is not.
//! A dead connection is noticed even when idle: a ping goes out every [`KEEP_ALIVE`] / 2, and silence for one and a half
//! times [`KEEP_ALIVE`] ends it. [`listen`] subscribes to sensor topics on a client of its own.

mod subscription;

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mqtt5::packet::connect::ConnectPacket;
use mqtt5::packet::disconnect::DisconnectPacket;
use mqtt5::packet::publish::PublishPacket;
use mqtt5::packet::subscribe::SubscribePacket;
use mqtt5::transport::{PacketReader, PacketWriter};
use mqtt5::types::ReasonCode;
use mqtt5::{ConnectOptions, Packet, QoS, WillMessage};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use subscription::{Answer, Message, Subscription, listen};

use super::outbox::{Acknowledgement, Handed, Link, Publication};
use crate::config::{Broker, Mqtt};
use crate::flow::bound;
use crate::name::Name;

/// How long a connection may be silent before the broker may give it up (MQTT 5, 3.1.2.10).
pub const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// How long connecting, and each answer the broker owes at once, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest packet we accept: a sensor line of 65,536 bytes with its topic.
const MAX_PACKET: u32 = 128 * 1024;

/// MQTT 5.
const VERSION: u8 = 5;

/// The content type of a message of ours.
const JSON: &str = "application/json";

/// Where a broker is, and who we are there.
#[derive(Debug, Clone)]
pub struct Address {
    /// `host:port`.
    pub broker: String,
    /// The client identifier: one live connection each.
    pub client: String,
    /// The user name, where the broker wants one.
    pub username: Option<String>,
    /// The file that holds the password, read at each connect.
    pub password_file: Option<PathBuf>,
}

impl Address {
    /// The address of the configured broker for client `kenpin-<device>-<role>`.
    #[must_use]
    pub fn new(settings: &Mqtt, device: &Name, role: &str) -> Self {
        let broker = match &settings.broker {
            Broker::Embedded { listen } => listen.to_string(),
            Broker::Remote { address } => address.clone(),
        };
        let (username, password_file) = (settings.username.clone(), settings.password_file.clone());
        Self { broker, client: format!("kenpin-{device}-{role}"), username, password_file }
    }

    fn options(&self, will: Option<Publication>) -> Result<ConnectOptions, String> {
        let mut options = ConnectOptions::new(&self.client).with_clean_start(true).with_keep_alive(KEEP_ALIVE);
        options.protocol_options.properties.maximum_packet_size = Some(MAX_PACKET);
        options.protocol_options.properties.receive_maximum = u16::try_from(bound::PUBLICATIONS).ok();
        options.protocol_options.username.clone_from(&self.username);
        if let Some(path) = &self.password_file {
            let password = std::fs::read_to_string(path)
                .map_err(|error| format!("the password file {} cannot be read: {error}", path.display()))?;
            let password = password.trim_end_matches(['\r', '\n']);
            if password.is_empty() {
                return Err(format!("the password file {} is empty", path.display()));
            }
            options.protocol_options.password = Some(password.into());
        }
        options.protocol_options.will = will
            .map(|will| WillMessage::new(will.topic, will.body).with_qos(QoS::AtLeastOnce).with_retain(will.retain));
        Ok(options)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.broker)
    }
}

/// One live connection.
#[derive(Debug)]
pub struct Connection {
    writer: Arc<Mutex<OwnedWriteHalf>>,
    answers: mpsc::Receiver<Acknowledgement>,
    messages: mpsc::Receiver<PublishPacket>,
    /// Messages that came while the broker's word on something else was waited for.
    early: VecDeque<PublishPacket>,
    life: Life,
    last_packet: u16,
    window: usize,
    max_packet: usize,
}

/// What ends with a connection: its tasks, and the sentence on why.
#[derive(Debug, Clone)]
struct Life {
    ended: CancellationToken,
    subscribed: Arc<Notify>,
    why: Arc<std::sync::OnceLock<String>>,
}

impl Life {
    fn end(&self, why: impl Into<String>) {
        self.why.get_or_init(|| why.into());
        self.ended.cancel();
    }

    fn why(&self) -> String {
        self.why.get().cloned().unwrap_or_else(|| "the connection is closed".into())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.life.end("the connection was given up");
    }
}

impl Connection {
    /// Connects; the broker publishes `will` when the connection ends without [`leave`](Self::leave).
    ///
    /// # Errors
    /// One sentence: no route, no answer in time, credentials refused.
    pub async fn open(address: &Address, will: Option<Publication>) -> Result<Self, String> {
        let connect = ConnectPacket::new(address.options(will)?.protocol_options);
        let stream = timeout(PATIENCE, TcpStream::connect(&address.broker))
            .await
            .map_err(|_| format!("no connection within {PATIENCE:?}"))?
            .map_err(|error| format!("cannot connect: {error}"))?;
        stream.set_nodelay(true).map_err(|error| format!("cannot set the socket: {error}"))?;
        let (mut reader, mut writer) = stream.into_split();
        writer.write_packet(Packet::Connect(Box::new(connect))).await.map_err(sentence)?;
        let answer = timeout(PATIENCE, reader.read_packet(VERSION))
            .await
            .map_err(|_| format!("no answer to CONNECT within {PATIENCE:?}"))?
            .map_err(sentence)?;
        let Packet::ConnAck(granted) = answer else {
            return Err(format!("answered {} to CONNECT, want CONNACK", answer.packet_type_name()));
        };
        if granted.reason_code != ReasonCode::Success {
            let code = u8::from(granted.reason_code);
            return Err(format!("the broker refused the connection: {:?} ({code:#04x})", granted.reason_code));
        }
        let keep_alive = granted.properties.get_server_keep_alive().map_or(KEEP_ALIVE, |seconds| {
            Duration::from_secs(seconds.into()).clamp(Duration::from_secs(1), KEEP_ALIVE)
        });
        let window = granted.receive_maximum().map_or(bound::PUBLICATIONS, usize::from);
        let max_packet =
            granted.maximum_packet_size().and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX);
        Ok(Self::start(reader, writer, keep_alive, window, max_packet))
    }

    fn start(
        reader: OwnedReadHalf,
        writer: OwnedWriteHalf,
        keep_alive: Duration,
        window: usize,
        max_packet: usize,
    ) -> Self {
        let writer = Arc::new(Mutex::new(writer));
        let life = Life { ended: CancellationToken::new(), subscribed: Arc::default(), why: Arc::default() };
        let (answers_in, answers) = mpsc::channel(bound::PUBLICATIONS);
        let (messages_in, messages) = mpsc::channel(1);
        tokio::spawn(read(reader, keep_alive, life.clone(), answers_in, messages_in));
        tokio::spawn(ping(Arc::clone(&writer), keep_alive, life.clone()));
        Self { writer, answers, messages, early: VecDeque::new(), life, last_packet: 0, window, max_packet }
    }

    /// Tells `last` without waiting long for its acknowledgement, then disconnects in good order: no will is published.
    ///
    /// # Errors
    /// One sentence when the connection is lost before that; the broker then publishes the will.
    pub async fn leave(mut self, last: Publication) -> Result<(), String> {
        self.send(last).await?;
        timeout(PATIENCE, self.acknowledged()).await.map_err(|_| format!("no PUBACK within {PATIENCE:?}"))??;
        self.write(Packet::Disconnect(DisconnectPacket::normal())).await
    }

    async fn write(&self, packet: Packet) -> Result<(), String> {
        let mut writer = self.writer.lock().await;
        let written = tokio::select! {
            written = writer.write_packet(packet) => written,
            () = self.life.ended.cancelled() => return Err(self.life.why()),
        };
        written.map_err(|error| {
            self.life.end(sentence(error));
            self.life.why()
        })
    }

    /// Subscribes; returns when the broker has confirmed it.
    async fn subscribe(&mut self, topics: &[String]) -> Result<(), String> {
        let ask = topics.iter().fold(SubscribePacket::new(1), |ask, topic| ask.add_filter(topic, QoS::AtLeastOnce));
        self.write(Packet::Subscribe(ask)).await?;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            tokio::select! {
                () = self.life.subscribed.notified() => return Ok(()),
                // A broker may send retained messages before its SUBACK (MQTT 5, 3.8.4).
                Some(message) = self.messages.recv() => self.early.push_back(message),
                () = self.life.ended.cancelled() => return Err(self.life.why()),
                () = tokio::time::sleep_until(deadline) => return Err(format!("no SUBACK within {PATIENCE:?}")),
            }
        }
    }

    async fn message(&mut self) -> Result<PublishPacket, String> {
        match self.early.pop_front() {
            Some(message) => Ok(message),
            None => self.messages.recv().await.ok_or_else(|| self.life.why()),
        }
    }
}

impl Link for Connection {
    fn window(&self) -> usize {
        self.window
    }

    async fn send(&mut self, publication: Publication) -> Result<Handed, String> {
        self.publish(publication, JSON, None).await
    }

    async fn acknowledged(&mut self) -> Result<Acknowledgement, String> {
        self.answers.recv().await.ok_or_else(|| self.life.why())
    }
}

impl Connection {
    /// Sends a text of this content `kind`, with what a question gave for its answer to be known by.
    async fn publish(
        &mut self,
        publication: Publication,
        kind: &str,
        correlation: Option<Vec<u8>>,
    ) -> Result<Handed, String> {
        self.last_packet = self.last_packet.checked_add(1).unwrap_or(1);
        let Publication { topic, body, retain } = publication;
        // The fixed header takes at most five bytes.
        let mut packet = PublishPacket::new(topic, body, QoS::AtLeastOnce)
            .with_packet_id(self.last_packet)
            .with_retain(retain)
            .with_payload_format_indicator(true)
            .with_content_type(kind.into());
        if let Some(correlation) = correlation {
            packet = packet.with_correlation_data(correlation);
        }
        if packet.body_encoded_size().saturating_add(5) > self.max_packet {
            return Ok(Handed::Refused(ReasonCode::PacketTooLarge.into()));
        }
        self.write(Packet::Publish(packet)).await?;
        Ok(Handed::InFlight(self.last_packet))
    }
}

/// Reads until the connection ends, and hands on what comes.
async fn read(
    mut reader: OwnedReadHalf,
    keep_alive: Duration,
    life: Life,
    answers: mpsc::Sender<Acknowledgement>,
    messages: mpsc::Sender<PublishPacket>,
) {
    let silence = keep_alive.mul_f64(1.5);
    let reading = async {
        loop {
            let packet = match timeout(silence, reader.read_packet(VERSION)).await {
                Ok(Ok(packet)) => packet,
                Ok(Err(error)) => return sentence(error),
                Err(_) => return format!("the broker was silent for {silence:?}"),
            };
            let taken = match packet {
                Packet::PubAck(ack) => {
                    let answer = Acknowledgement { packet: ack.packet_id, code: ack.reason_code.into() };
                    answers.send(answer).await.is_ok()
                }
                Packet::Publish(message) => messages.send(message).await.is_ok(),
                Packet::SubAck(granted) => {
                    if let Some(refused) = granted.reason_codes.iter().find(|code| !code.is_success()) {
                        return format!("the broker refused a subscription: {refused:?}");
                    }
                    life.subscribed.notify_one();
                    true
                }
                Packet::Disconnect(reason) => return format!("the broker disconnected: {:?}", reason.reason_code),
                _ => true,
            };
            if !taken {
                return "the connection was given up".into();
            }
        }
    };
    tokio::select! {
        why = reading => life.end(why),
        () = life.ended.cancelled() => {}
    }
}

/// Pings, so that a broker that is gone is noticed by its silence.
async fn ping(writer: Arc<Mutex<OwnedWriteHalf>>, keep_alive: Duration, life: Life) {
    let pinging = async {
        loop {
            tokio::time::sleep(keep_alive / 2).await;
            if let Err(error) = writer.lock().await.write_packet(Packet::PingReq).await {
                return sentence(error);
            }
        }
    };
    tokio::select! {
        why = pinging => life.end(why),
        () = life.ended.cancelled() => {}
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn sentence(error: mqtt5::MqttError) -> String {
    format!("the connection failed: {error}")
}
