//! Each source, and the stated outcome of each line that is none.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::config::LineFormat;

const BOUND: usize = 16;

fn settings(source: SensorSource) -> Sensor {
    let delay = Duration::ZERO;
    let (part_key, time_key, format) = (Some("part".into()), None, LineFormat::KeyValue);
    Sensor { source, format, max_line_bytes: BOUND, part_key, time_key, delay, expected: true, acknowledge: false }
}

struct Bench {
    telemetry: Telemetry,
    readings: mpsc::Receiver<Reading>,
    out: mpsc::Sender<Reading>,
    stop: CancellationToken,
}

impl Bench {
    fn new() -> Self {
        let (out, readings) = mpsc::channel(64);
        Self { telemetry: Telemetry::default(), readings, out, stop: CancellationToken::new() }
    }

    async fn open(
        &self,
        source: SensorSource,
        messages: Option<mpsc::Receiver<Letter>>,
    ) -> Result<SensorTask, DeviceError> {
        let name = Name::new("scale").unwrap();
        open_sensor(name, &settings(source), messages, self.telemetry.clone(), self.out.clone(), self.stop.clone())
            .await
    }

    fn ear(&self) -> Ear {
        let settings = Arc::new(settings(SensorSource::Stdin));
        let (telemetry, out, stop) = (self.telemetry.clone(), self.out.clone(), self.stop.clone());
        Ear { name: Name::new("scale").unwrap(), settings, telemetry, out, stop, asker: None }
    }

    async fn part(&mut self) -> String {
        self.readings.recv().await.unwrap().part.unwrap().to_string()
    }
}

#[tokio::test]
async fn each_bad_line_has_its_outcome_and_the_stream_goes_on() {
    let table: [(&[u8], &[&str], Option<Event>); 9] = [
        (b"part=a\npart=b\n", &["a", "b"], None),
        (b"part=a\r\n\r\n \npart=b", &["a", "b"], None),
        (b"part=a\nnonsense\npart=b\n", &["a", "b"], Some(Event::ReadingGarbled)),
        (b"part=a\npart=\xff\xfe\npart=b\n", &["a", "b"], Some(Event::ReadingGarbled)),
        (b"part=a\npart=a part=b\npart=b\n", &["a", "b"], Some(Event::ReadingGarbled)),
        (b"part=a\npart=01234567890123456789 x=1\npart=b\n", &["a", "b"], Some(Event::ReadingTooLong)),
        (b"part=a\npart=01234567890\npart=b\n", &["a", "01234567890", "b"], None),
        (b"part=a\npart=012345678901\npart=b\n", &["a", "b"], Some(Event::ReadingTooLong)),
        (b"part=a\npart=b\npart=012345678901234567890123456789", &["a", "b"], Some(Event::ReadingTooLong)),
    ];
    for (bytes, want, event) in table {
        for chunk in [1, 7, 4096] {
            let mut bench = Bench::new();
            let (near, mut far) = tokio::io::duplex(chunk);
            let ear = bench.ear();
            let heard = tokio::spawn(async move { ear.follow(near).await });
            far.write_all(bytes).await.unwrap();
            drop(far);
            assert_eq!(heard.await.unwrap().unwrap(), Heard::End);
            bench.readings.close();
            let mut parts = Vec::new();
            while let Some(reading) = bench.readings.recv().await {
                parts.push(reading.part.unwrap().to_string());
            }
            let shown = String::from_utf8_lossy(bytes);
            assert_eq!(parts, want, "{shown}");
            assert_eq!(bench.telemetry.count(Event::ReadingTaken), want.len() as u64, "{shown}");
            for counted in [Event::ReadingGarbled, Event::ReadingTooLong] {
                assert_eq!(bench.telemetry.count(counted), u64::from(event == Some(counted)), "{counted:?}: {shown}");
            }
        }
    }
}

#[tokio::test]
async fn a_good_line_behind_a_long_one_does_not_wait_for_more_bytes() {
    let mut bench = Bench::new();
    let (near, mut far) = tokio::io::duplex(4096);
    let ear = bench.ear();
    let heard = tokio::spawn(async move { ear.follow(near).await });
    far.write_all(b"this line is far too long for it\npart=a\n").await.unwrap();
    assert_eq!(bench.part().await, "a");
    bench.stop.cancel();
    assert_eq!(heard.await.unwrap().unwrap(), Heard::Stop);
}

#[tokio::test]
async fn a_file_is_read_to_its_end_and_a_missing_one_is_an_error() {
    let mut bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines.txt");
    let error = bench.open(SensorSource::File(path.clone()), None).await.unwrap_err().to_string();
    assert!(error.starts_with("sensor scale: ") && error.contains("lines.txt: No such file"), "{error}");
    std::fs::write(&path, "part=a\npart=b").unwrap();
    let task = bench.open(SensorSource::File(path), None).await.unwrap();
    assert_eq!([bench.part().await, bench.part().await], ["a", "b"]);
    task.handle.await.unwrap();
}

#[tokio::test]
async fn messages_are_lines() {
    let mut bench = Bench::new();
    let (feed, messages) = mpsc::channel(8);
    let topic = SensorSource::Mqtt("cell/type".into());
    let error = bench.open(topic.clone(), None).await.unwrap_err().to_string();
    assert_eq!(error, "sensor scale: nobody subscribes to the topic cell/type");
    let task = bench.open(topic, Some(messages)).await.unwrap();
    for message in [&b"part=a\n"[..], b"\xff", b"part=a much too long line", b"part=b"] {
        feed.send(Letter { payload: message.to_vec(), asker: None }).await.unwrap();
    }
    drop(feed);
    assert_eq!([bench.part().await, bench.part().await], ["a", "b"]);
    task.handle.await.unwrap();
    assert_eq!(bench.telemetry.count(Event::ReadingGarbled), 1);
    assert_eq!(bench.telemetry.count(Event::ReadingTooLong), 1);
}

#[tokio::test]
async fn who_sent_a_message_is_told_what_becomes_of_it_where_that_is_wanted() {
    for acknowledge in [true, false] {
        let mut bench = Bench::new();
        let (feed, messages) = mpsc::channel(8);
        let settings = Sensor { acknowledge, ..settings(SensorSource::Mqtt("gate".into())) };
        let (name, telemetry) = (Name::new("gate").unwrap(), bench.telemetry.clone());
        let opened = open_sensor(name, &settings, Some(messages), telemetry, bench.out.clone(), bench.stop.clone());
        let task = opened.await.unwrap();
        let (asker, mut words) = Asker::new(CancellationToken::new());
        for payload in [&b"nonsense"[..], b"part=a"] {
            feed.send(Letter { payload: payload.to_vec(), asker: Some(asker.clone()) }).await.unwrap();
        }
        let reading = bench.readings.recv().await.unwrap();
        assert_eq!(reading.asker, acknowledge.then(|| asker.clone()));
        drop((asker, reading));
        let garbled = words.recv().await;
        assert_eq!(garbled.is_some_and(|word| word.starts_with("garbled: ")), acknowledge);
        assert_eq!(words.recv().await, None, "a sensor that waits for the next message owes nobody a word");
        drop(feed);
        task.handle.await.unwrap();
    }
}

#[tokio::test]
async fn a_listener_hears_all_and_a_connection_too_many_replaces_the_oldest() {
    let mut bench = Bench::new();
    let task = bench.open(SensorSource::TcpListen("127.0.0.1:0".parse().unwrap()), None).await.unwrap();
    let address = task.local_addr.unwrap();
    let mut senders = Vec::new();
    for index in 0..=listen::CONNECTIONS {
        let mut sender = TcpStream::connect(address).await.unwrap();
        sender.write_all(format!("part={index}\n").as_bytes()).await.unwrap();
        assert_eq!(bench.part().await, index.to_string());
        senders.push(sender);
    }
    assert_eq!(senders[0].read(&mut [0; 1]).await.unwrap(), 0, "the oldest is closed");
    senders[1].write_all(b"part=still\n").await.unwrap();
    assert_eq!(bench.part().await, "still");
    bench.stop.cancel();
    task.handle.await.unwrap();
}

/// The lines that come back, up to the end of the connection.
async fn told(stream: impl tokio::io::AsyncRead + Unpin) -> String {
    let (mut stream, mut text) = (stream, String::new());
    stream.read_to_string(&mut text).await.unwrap();
    text
}

impl Bench {
    /// Opens a socket whose senders are told what becomes of their triggers.
    async fn open_socket(&self, path: &std::path::Path) -> Result<SensorTask, DeviceError> {
        let settings = Sensor { acknowledge: true, ..settings(SensorSource::UnixListen(path.into())) };
        let (name, telemetry) = (Name::new("program").unwrap(), self.telemetry.clone());
        open_sensor(name, &settings, None, telemetry, self.out.clone(), self.stop.clone()).await
    }
}

#[tokio::test]
async fn a_sender_on_a_unix_socket_is_told_what_becomes_of_its_lines_also_after_it_has_said_all() {
    let (mut bench, folder) = (Bench::new(), tempfile::tempdir().unwrap());
    let path = folder.path().join("trigger.sock");
    let task = bench.open_socket(&path).await.unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o660);
    let mut sender = tokio::net::UnixStream::connect(&path).await.unwrap();
    sender.write_all(b"part=a\nnonsense\npart=b\n").await.unwrap();
    sender.shutdown().await.unwrap();
    let (a, b) = (bench.readings.recv().await.unwrap(), bench.readings.recv().await.unwrap());
    a.asker.as_ref().unwrap().tell(format_args!("accepted a"));
    b.asker.as_ref().unwrap().tell(format_args!("overrun b: too many parts are open"));
    drop((a, b));
    let told = told(sender).await;
    let mut lines: Vec<&str> = told.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), 3, "{told}");
    assert_eq!((lines[0], lines[2]), ("accepted a", "overrun b: too many parts are open"));
    assert!(lines[1].starts_with("garbled: "), "{told}");
    bench.stop.cancel();
    task.handle.await.unwrap();
    assert!(!path.exists(), "the socket goes with its listener");
}

#[tokio::test]
async fn a_sender_that_takes_no_words_is_hung_up_on_and_the_next_is_heard() {
    let (mut bench, folder) = (Bench::new(), tempfile::tempdir().unwrap());
    let path = folder.path().join("trigger.sock");
    let task = bench.open_socket(&path).await.unwrap();
    let mut deaf = tokio::net::UnixStream::connect(&path).await.unwrap();
    deaf.write_all(b"part=a\n").await.unwrap();
    let a = bench.readings.recv().await.unwrap();
    let long = "x".repeat(1 << 16);
    // More than the socket and the queue of words hold.
    (0..4096).for_each(|_| a.asker.as_ref().unwrap().tell(format_args!("{long}")));
    let mut end = Vec::new();
    // It ends, though the asker lives on.
    deaf.read_to_end(&mut end).await.unwrap();
    let mut next = tokio::net::UnixStream::connect(&path).await.unwrap();
    next.write_all(b"part=b\n").await.unwrap();
    assert_eq!(bench.part().await, "b");
    bench.stop.cancel();
    task.handle.await.unwrap();
}

#[tokio::test]
async fn a_socket_that_was_left_behind_is_replaced_and_one_in_use_or_another_file_is_not() {
    let (bench, folder) = (Bench::new(), tempfile::tempdir().unwrap());
    let path = folder.path().join("trigger.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "left behind");
    let first = bench.open_socket(&path).await.unwrap();
    let error = bench.open_socket(&path).await.unwrap_err().to_string();
    assert!(error.starts_with("sensor program: cannot listen on ") && error.contains("another process"), "{error}");
    tokio::net::UnixStream::connect(&path).await.unwrap();
    bench.stop.cancel();
    first.handle.await.unwrap();
    std::fs::write(&path, "mine").unwrap();
    let error = Bench::new().open_socket(&path).await.unwrap_err().to_string();
    assert!(error.contains("a file that is no socket"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}

#[tokio::test]
async fn a_lost_connection_is_made_again_until_stopped() {
    let mut bench = Bench::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = bench.open(SensorSource::TcpConnect(address), None).await.unwrap();
    for part in ["a", "b"] {
        let (mut sender, _) = listener.accept().await.unwrap();
        sender.write_all(format!("part={part}\n").as_bytes()).await.unwrap();
        assert_eq!(bench.part().await, part);
    }
    drop(listener);
    bench.stop.cancel();
    task.handle.await.unwrap();
}
