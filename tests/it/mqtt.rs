//! Publishing, against mosquitto: delivery, an outage, refusals, the last will, sensor topics; and the embedded broker.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kenpin::config;
use kenpin::flow::publish::message::{
    self, BIRTH, BirthMessage, COUNTERS, Health, Origin, STATUS, Stamp, Topics, VERDICT, compose_interrupted,
};
use kenpin::flow::publish::outbox::{Handed, Link, Publication};
use kenpin::flow::publish::wire::{self, Address, Answer, Connection};
use kenpin::flow::publish::{Publisher, run};
use kenpin::flow::retry::Retry;
use kenpin::name::Name;
use kenpin::record::journal::{Journal, Opened};
use kenpin::telemetry::{Event, Telemetry};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::mosquitto::{DEADLINE, Mosquitto, Subscriber, publish_retained};

const SOON: Retry = Retry { first: Duration::from_millis(20), cap: Duration::from_millis(200) };

fn device() -> Name {
    Name::new("cell-1").unwrap()
}

fn address(broker: &str) -> Address {
    Address { broker: broker.into(), client: "kenpin-cell-1-publisher".into(), username: None, password_file: None }
}

/// A journal and a publisher on it.
struct Line {
    journal: Journal,
    epoch: Uuid,
    telemetry: Telemetry,
    stop: CancellationToken,
    publisher: JoinHandle<()>,
    _folder: TempDir,
}

impl Line {
    fn start(broker: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = config::Journal { path: folder.path().join("journal"), max_bytes: 1 << 30 };
        let Opened { journal, epoch, .. } = Journal::open(&settings, &Name::new("run").unwrap(), true).unwrap();
        let (telemetry, stop) = (Telemetry::default(), CancellationToken::new());
        let publisher = Publisher {
            address: address(broker),
            topics: Topics::new(&device()),
            feed: Arc::new(journal.clone()),
            birth: watch::channel(birth(epoch)).1,
            health: watch::channel(Health::default()).1,
            counters_every: Duration::from_millis(50),
            drain: DEADLINE,
            retry: SOON,
            telemetry: telemetry.clone(),
        };
        let publisher = tokio::spawn(run(publisher, stop.clone()));
        Self { journal, epoch, telemetry, stop, publisher, _folder: folder }
    }

    async fn judge(&self, parts: std::ops::Range<u64>) {
        let origin = Origin { device: device(), epoch: self.epoch, run: Name::new("run").unwrap() };
        for part in parts {
            let part = format!("p{part}");
            let message = compose_interrupted("run", &part, None, &origin, Stamp::now());
            self.journal.append(&part, Box::new(|seq| message.into_body(seq).into())).await.unwrap();
        }
    }

    async fn drain(self) -> (Journal, Telemetry) {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.publisher).await.expect("the publisher drains in time").unwrap();
        (self.journal, self.telemetry)
    }
}

fn birth(epoch: Uuid) -> BirthMessage {
    BirthMessage {
        schema: BIRTH.into(),
        device: device(),
        version: "0.0.0".into(),
        epoch,
        run: Name::new("run").unwrap(),
        recipe: Name::new("mono").unwrap(),
        plan: "00".repeat(32),
        models: vec![],
        started: jiff::Timestamp::now(),
    }
}

fn seqs(messages: &[Value]) -> Vec<u64> {
    messages.iter().map(|message| message["seq"].as_u64().unwrap()).collect()
}

fn holds(count: u64) -> impl Fn(&[Value]) -> bool {
    move |messages| seqs(messages).into_iter().collect::<BTreeSet<_>>().len() as u64 >= count
}

/// All of 1 to `count`, the first delivery of each in order.
#[track_caller]
fn assert_in_order(messages: &[Value], count: u64) {
    let mut seen = BTreeSet::new();
    let first: Vec<u64> = seqs(messages).into_iter().filter(|seq| seen.insert(*seq)).collect();
    assert_eq!(first, (1..=count).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_reach_a_subscriber_in_order_between_birth_and_goodbye() {
    let broker = Mosquitto::start();
    let subscriber = Subscriber::connect(broker.port, "kenpin/v1/cell-1/#");
    let line = Line::start(&broker.address());
    line.judge(0..300).await;
    let verdicts = subscriber.wait(VERDICT, "300 verdicts", holds(300));
    assert_in_order(&verdicts, 300);
    assert_eq!(verdicts[0]["part"], "p0");
    let schemas = message::schemas();
    for (schema, enough) in [(BIRTH, 1), (STATUS, 1), (COUNTERS, 2), (VERDICT, 300)] {
        let validator = jsonschema::validator_for(&schemas[schema]).unwrap();
        for message in subscriber.wait(schema, schema, |messages| messages.len() >= enough) {
            assert!(validator.is_valid(&message), "{schema}: {message}");
        }
    }
    let (journal, telemetry) = line.drain().await;
    assert_eq!(journal.backlog().waiting, 0);
    assert_eq!(telemetry.count(Event::VerdictPublished), 300);
    let last = |messages: &[Value]| messages.last().is_some_and(|status| status["state"] == "offline");
    let statuses = subscriber.wait(STATUS, "the goodbye", last);
    assert!(statuses.iter().any(|status| status["state"] == "online"));
    assert_eq!(statuses.last().unwrap()["last_seq"], 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_200_verdicts_loses_nothing_and_keeps_the_order() {
    let mut broker = Mosquitto::start();
    let subscriber = Subscriber::connect(broker.port, "kenpin/v1/cell-1/verdict");
    let line = Line::start(&broker.address());
    for outage in 0..3 {
        let before = outage * 220;
        line.judge(before..before + 20).await;
        subscriber.wait(VERDICT, "the verdicts before the outage", holds(before + 20));
        broker.stop();
        line.judge(before + 20..before + 220).await;
        assert!(line.journal.backlog().waiting >= 200, "{:?}", line.journal.backlog());
        broker.restart();
        let verdicts = subscriber.wait(VERDICT, "the verdicts after the outage", holds(before + 220));
        assert_in_order(&verdicts, before + 220);
    }
    assert!(line.telemetry.count(Event::BrokerLost) >= 3);
    let (journal, _) = line.drain().await;
    assert_eq!(journal.backlog().waiting, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_verdicts_are_told_kept_and_sent_when_the_broker_allows_it() {
    let notes = "topic readwrite kenpin/v1/cell-1/status\ntopic readwrite kenpin/v1/cell-1/birth\n\
                 topic readwrite kenpin/v1/cell-1/counters\n";
    let broker = Mosquitto::with_rules(&format!("{notes}topic read kenpin/v1/cell-1/verdict\n"));
    let subscriber = Subscriber::connect(broker.port, "kenpin/v1/cell-1/#");
    let line = Line::start(&broker.address());
    line.judge(0..100).await;
    // No more than the window: mosquitto states a receive maximum of 20.
    let backlog = serde_json::json!({ "waiting": 100, "refused": 20 });
    let told = |messages: &[Value]| messages.last().is_some_and(|status| status["backlog"] == backlog);
    subscriber.wait(STATUS, "a status with 100 waiting, 20 of them refused", told);
    assert_eq!(line.telemetry.count(Event::VerdictPublished), 0);
    broker.change_rules(&format!("{notes}topic readwrite kenpin/v1/cell-1/verdict\n"));
    let verdicts = subscriber.wait(VERDICT, "the verdicts once allowed", holds(100));
    assert_eq!(seqs(&verdicts).into_iter().collect::<BTreeSet<_>>(), (1..=100).collect());
    let (journal, telemetry) = line.drain().await;
    assert_eq!((journal.backlog().waiting, journal.backlog().refused), (0, 0));
    assert!(telemetry.count(Event::VerdictRefused) >= 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_tells_of_a_device_that_vanished() {
    let broker = Mosquitto::start();
    let subscriber = Subscriber::connect(broker.port, "kenpin/v1/cell-1/status");
    let line = Line::start(&broker.address());
    let is = |state: &'static str| move |all: &[Value]| all.last().is_some_and(|status| status["state"] == state);
    subscriber.wait(STATUS, "online", is("online"));
    line.publisher.abort();
    subscriber.wait(STATUS, "the last will", is("offline"));
}

#[tokio::test]
async fn each_publication_is_acknowledged_by_itself() {
    let broker = Mosquitto::with_rules("topic readwrite allowed\n");
    let mut link = Connection::open(&address(&broker.address()), None).await.unwrap();
    for (topic, refused) in [("allowed", false), ("denied", true), ("allowed", false)] {
        let publication = Publication { topic: topic.into(), body: b"{}".to_vec(), retain: false };
        let Handed::InFlight(packet) = link.send(publication).await.unwrap() else { panic!("{topic} was not sent") };
        let answer = link.acknowledged().await.unwrap();
        assert_eq!(answer.packet, packet);
        assert_eq!(answer.code >= 0x80, refused, "{topic}: {:#04x}", answer.code);
        assert!(!refused || answer.code == 0x87, "not authorised: {:#04x}", answer.code);
    }
}

#[tokio::test]
async fn a_broker_that_falls_silent_is_noticed_though_nothing_is_sent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = address(&listener.local_addr().unwrap().to_string());
    let broker = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        // CONNACK: success, with a server keep-alive of one second; then nothing, with the connection left open.
        tokio::io::AsyncWriteExt::write_all(&mut stream, &[0x20, 6, 0, 0, 3, 0x13, 0, 1]).await.unwrap();
        stream
    };
    let (link, _stream) = tokio::join!(Connection::open(&silent, None), broker);
    let why = link.unwrap().acknowledged().await.unwrap_err();
    assert_eq!(why, "the broker was silent for 1.5s");
}

#[tokio::test]
async fn a_broker_that_is_not_there_or_refuses_is_named_in_one_sentence() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let why = Connection::open(&address(&free.to_string()), None).await.unwrap_err();
    assert!(why.starts_with("cannot connect: "), "{why}");
    let missing = Address { password_file: Some("/nowhere/password".into()), ..address(&free.to_string()) };
    let why = Connection::open(&missing, None).await.unwrap_err();
    assert!(why.starts_with("the password file /nowhere/password cannot be read: "), "{why}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "\n").unwrap();
    let empty = Address { password_file: Some(file.path().into()), ..address(&free.to_string()) };
    let why = Connection::open(&empty, None).await.unwrap_err();
    assert!(why.starts_with("the password file ") && why.ends_with(" is empty"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sensor_topics_are_heard_over_an_outage() {
    let mut broker = Mosquitto::start();
    publish_retained(broker.port, "line/type", "part=1 type=mono");
    let (out, mut lines) = mpsc::channel(4);
    let (say, mut answers) = mpsc::channel(4);
    let (at, stop) = (address(&broker.address()), CancellationToken::new());
    let listening = tokio::spawn({
        let stop = stop.clone();
        async move { wire::listen(&at, &["line/+".into()], (&out, &mut answers), SOON, &stop).await }
    });
    let told = tokio::task::block_in_place(|| Subscriber::connect(broker.port, "answers/1"));
    let mut heard = async || {
        let message = tokio::time::timeout(DEADLINE, lines.recv()).await.unwrap().unwrap();
        assert_eq!((message.topic.as_str(), &*message.payload), ("line/type", &b"part=1 type=mono"[..]));
    };
    let answer = |line: &str| Answer { topic: "answers/1".into(), correlation: None, line: line.into() };
    heard().await;
    broker.stop();
    // Whoever knocks has seen that its connection is gone: what it was given before might have gone with it.
    let gone = tokio::net::TcpListener::bind(("127.0.0.1", broker.port)).await.unwrap();
    loop {
        let (mut knock, _) = tokio::time::timeout(DEADLINE, gone.accept()).await.unwrap().unwrap();
        let mut first = [0; 256];
        let read = knock.read(&mut first).await.unwrap_or(0);
        // The subscriber of the answers knocks, too.
        if !first[..read].windows(9).any(|name| name == b"answers-1") {
            break;
        }
    }
    drop(gone);
    // It waits for the next connection.
    say.send(answer("accepted 1")).await.unwrap();
    broker.restart();
    // The retained message comes again with the new subscription.
    heard().await;
    // More than the broker is told of at once.
    for part in 2..=100 {
        say.send(answer(&format!("accepted {part}"))).await.unwrap();
    }
    let told = tokio::task::block_in_place(|| told.lines(&["accepted"], 100));
    assert_eq!(told, (1..=100).map(|part| format!("accepted {part}")).collect::<Vec<_>>());
    stop.cancel();
    tokio::time::timeout(DEADLINE, listening).await.unwrap().unwrap();
}

#[cfg(feature = "broker")]
mod embedded {
    use std::net::SocketAddr;

    use super::*;
    use kenpin::flow::publish::broker::Embedded;

    fn loopback() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_carries_verdicts_to_a_foreign_subscriber() {
        let broker = Embedded::start(loopback()).await.unwrap();
        let subscriber =
            tokio::task::block_in_place(|| Subscriber::connect(broker.local_addr.port(), "kenpin/v1/cell-1/#"));
        let line = Line::start(&broker.local_addr.to_string());
        line.judge(0..300).await;
        assert_in_order(&subscriber.wait(VERDICT, "300 verdicts", holds(300)), 300);
        let (journal, _) = line.drain().await;
        assert_eq!(journal.backlog().waiting, 0);
        broker.stop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_says_when_its_port_is_taken_or_open_to_the_world() {
        let broker = Embedded::start(loopback()).await.unwrap();
        let taken = broker.local_addr;
        let why = Embedded::start(taken).await.map(drop).unwrap_err();
        assert!(why.starts_with(&format!("the embedded broker cannot listen on {taken}: ")), "{why}");
        let world: SocketAddr = "0.0.0.0:0".parse().unwrap();
        let why = Embedded::start(world).await.map(drop).unwrap_err();
        assert_eq!(why, "the embedded broker knows no passwords: it listens on loopback only, not on 0.0.0.0:0");
    }
}
