//! Sensor text from the outside world: a file, standard input, TCP both ways, a Unix socket, MQTT messages handed in by the app.
//!
//! Promises: a line is stamped when it is complete; one that is too long or cannot be understood is counted and the
//! stream goes on; blank lines mean nothing; every wait races the stop token. A sender that wants to know what becomes of its
//! triggers is told in the order in which that is decided, also after it has ended its own half of the connection. Does not
//! interpret a line (see `lines`).

mod framing;
mod gpio;
mod listen;
mod tcp;
mod unix;

use std::net::SocketAddr;
use std::sync::Arc;

use futures::StreamExt as _;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::codec::FramedRead;
use tokio_util::sync::CancellationToken;

use super::DeviceError;
use super::lines::{self, Arrival};
use crate::clock::{self, Monotonic};
use crate::config::{Sensor, SensorSource};
use crate::flow::{Asker, Reading};
use crate::name::Name;
use crate::telemetry::{Event, Telemetry};
use framing::{BoundedLines, BrokenLine};

/// A message for a sensor: one line, and who is told what becomes of it.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The line.
    pub payload: Vec<u8>,
    /// Who sent it, where the message names a topic for answers.
    pub asker: Option<Asker>,
}

/// A sensor at work.
#[derive(Debug)]
pub struct SensorTask {
    /// Where it listens, for a sensor that does.
    pub local_addr: Option<SocketAddr>,
    /// Its task, which ends with its source, with the token or when nobody takes its readings.
    pub handle: JoinHandle<()>,
}

/// Opens the sensor `name` and sends its readings to `out`. When it returns, a listener is bound and a file is open.
/// `messages` are those of an MQTT sensor's topic; other sensors take none.
///
/// # Errors
/// [`DeviceError::Failed`] when the source cannot be opened, or an MQTT sensor has no messages to read.
pub async fn open_sensor(
    name: Name,
    settings: &Sensor,
    messages: Option<mpsc::Receiver<Letter>>,
    telemetry: Telemetry,
    out: mpsc::Sender<Reading>,
    stop: CancellationToken,
) -> Result<SensorTask, DeviceError> {
    let device = format!("sensor {name}");
    let ear = Ear { name, settings: Arc::new(settings.clone()), telemetry, out, stop, asker: None };
    let mut local_addr = None;
    let handle = match &settings.source {
        SensorSource::File(path) => {
            let file = tokio::fs::File::open(path).await;
            let file =
                file.map_err(|error| DeviceError::failed(&format_args!("{device}: {}", path.display()), &error))?;
            tokio::spawn(async move { ear.follow_to_end(file).await })
        }
        SensorSource::Stdin => {
            let stdin = stdin().map_err(|error| DeviceError::failed(&device, &error))?;
            tokio::spawn(async move { ear.follow_to_end(stdin).await })
        }
        SensorSource::TcpListen(address) => {
            let bound = listen::bind(*address).await;
            let (listener, bound) = bound
                .map_err(|error| DeviceError::failed(&format_args!("{device}: cannot listen on {address}"), &error))?;
            local_addr = Some(bound);
            tokio::spawn(listen::listen(listener, ear))
        }
        SensorSource::UnixListen(path) => {
            let socket = unix::Socket::bind(path).map_err(|error| {
                DeviceError::failed(&format_args!("{device}: cannot listen on {}", path.display()), &error)
            })?;
            tracing::info!("{device} listens on {}", path.display());
            tokio::spawn(listen::listen(listen::Listener::Unix(socket), ear))
        }
        SensorSource::TcpConnect(address) => tokio::spawn(tcp::connect(address.clone(), ear)),
        SensorSource::Gpio(edges) => {
            let edges = edges.clone();
            let open = gpio::open(&edges, &ear.name);
            let lines = open.map_err(|cause| DeviceError::failed(&device, &cause))?;
            tokio::task::spawn_blocking(move || gpio::follow(&lines, &edges, &ear))
        }
        SensorSource::Mqtt(topic) => {
            let messages = messages
                .ok_or_else(|| DeviceError::failed(&device, &format_args!("nobody subscribes to the topic {topic}")))?;
            tokio::spawn(async move { ear.follow_messages(messages).await })
        }
    };
    Ok(SensorTask { local_addr, handle })
}

/// Whether there is more to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// The source has ended.
    End,
    /// Stopped, or nobody takes readings any more.
    Stop,
}

/// What understands the lines of one sensor, shared by its connections.
#[derive(Debug, Clone)]
struct Ear {
    name: Name,
    settings: Arc<Sensor>,
    telemetry: Telemetry,
    out: mpsc::Sender<Reading>,
    stop: CancellationToken,
    /// Who is told what becomes of a reading.
    asker: Option<Asker>,
}

impl Ear {
    /// Hears every line of `stream` and, where its sender wants to know, tells it what becomes of its triggers.
    async fn converse(&self, stream: impl AsyncRead + AsyncWrite) -> std::io::Result<Heard> {
        let (read, mut write) = tokio::io::split(stream);
        if !self.settings.acknowledge {
            return self.follow(read).await;
        }
        let hang_up = self.stop.child_token();
        let (asker, mut words) = Asker::new(hang_up.clone());
        let ear = Self { asker: Some(asker), stop: hang_up.clone(), ..self.clone() };
        // Moved in: the last asker goes with the last reading that is not decided on, and then there is nothing more to say.
        let hear = async move { ear.follow(read).await };
        let say = async move {
            while let Some(word) = words.recv().await {
                write.write_all(format!("{word}\n").as_bytes()).await?;
            }
            write.shutdown().await
        };
        let (heard, said) = tokio::join!(hear, hang_up.run_until_cancelled(say));
        said.unwrap_or(Ok(()))?;
        // A sender that was hung up on ends its own connection, not the sensor.
        let hung_up = hang_up.is_cancelled() && !self.stop.is_cancelled();
        heard.map(|heard| if hung_up { Heard::End } else { heard })
    }

    /// Hears every line of `stream`.
    async fn follow(&self, stream: impl AsyncRead + Unpin) -> std::io::Result<Heard> {
        let mut lines = FramedRead::new(stream, BoundedLines::new(self.settings.max_line_bytes));
        loop {
            match self.stop.run_until_cancelled(lines.next()).await {
                None => return Ok(Heard::Stop),
                Some(None) => return Ok(Heard::End),
                Some(Some(line)) => {
                    if !self.hear(line?).await {
                        return Ok(Heard::Stop);
                    }
                }
            }
        }
    }

    async fn follow_to_end(&self, stream: impl AsyncRead + Unpin) {
        if let Err(error) = self.follow(stream).await {
            tracing::warn!("sensor {}: {error}; nothing more is read", self.name);
        }
    }

    /// Hears every message and, where its sender wants to know, tells it what becomes of its trigger.
    async fn follow_messages(mut self, mut messages: mpsc::Receiver<Letter>) {
        while let Some(Some(Letter { payload, asker })) = self.stop.run_until_cancelled(messages.recv()).await {
            let line = framing::whole_message(payload, self.settings.max_line_bytes);
            self.asker = asker.filter(|_| self.settings.acknowledge);
            let more = self.hear(line).await;
            // Else it would be owed a word until the next message comes.
            self.asker = None;
            if !more {
                return;
            }
        }
    }

    /// Takes one line; whether anybody wants another.
    async fn hear(&self, line: Result<String, BrokenLine>) -> bool {
        let name = &self.name;
        let (event, why) = match line {
            Ok(line) if line.trim().is_empty() => return true,
            Ok(line) => match lines::parse(&line, name, &self.settings, self.arrival()) {
                Ok(reading) => {
                    self.telemetry.tell(Event::ReadingTaken, format_args!("sensor {name}: part {:?}", reading.part));
                    let reading = Reading { asker: self.asker.clone(), ..reading };
                    return matches!(self.stop.run_until_cancelled(self.out.send(reading)).await, Some(Ok(())));
                }
                Err(error) => (Event::ReadingGarbled, error.to_string()),
            },
            Err(BrokenLine::TooLong) => {
                (Event::ReadingTooLong, format!("a line of more than {} bytes", self.settings.max_line_bytes))
            }
            Err(BrokenLine::NotUtf8) => (Event::ReadingGarbled, "a line that is not UTF-8".into()),
        };
        self.telemetry.tell(event, format_args!("sensor {name}: {why}"));
        if let Some(asker) = &self.asker {
            asker.tell(format_args!("garbled: {why}"));
        }
        true
    }

    fn arrival(&self) -> Arrival {
        let synchronised = self.settings.time_key.is_some() && clock::synchronised();
        Arrival { at: Monotonic::now(), utc: jiff::Timestamp::now(), synchronised }
    }
}

/// Standard input through a thread of its own, for a read from a terminal cannot be called off; the thread ends with
/// the input or the process.
fn stdin() -> std::io::Result<tokio::io::DuplexStream> {
    use std::io::Read as _;
    use tokio::io::AsyncWriteExt as _;

    let runtime = tokio::runtime::Handle::current();
    let (stream, mut feed) = tokio::io::duplex(8192);
    std::thread::Builder::new().name("stdin".into()).spawn(move || {
        let mut chunk = [0; 4096];
        let mut stdin = std::io::stdin().lock();
        while let Ok(count @ 1..) = stdin.read(&mut chunk) {
            if runtime.block_on(feed.write_all(&chunk[..count])).is_err() {
                return;
            }
        }
    })?;
    Ok(stream)
}

#[cfg(test)]
mod tests;
