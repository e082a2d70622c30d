//! What stands beside Kenpin in the bench, each in a process of its own: a mosquitto broker, the floors, the plain Python
//! script.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::case::Case;
use crate::floor::Floors;
use crate::marks::Spent;
use crate::root;

/// A broker in a process of its own, ended with this value.
pub(crate) struct Broker {
    child: Child,
    /// Where it listens.
    pub(crate) address: String,
}

impl Broker {
    /// Starts mosquitto on a free loopback port and waits until it answers.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let program = if Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" };
        let child = Command::new(program)
            .args(["-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("mosquitto cannot be started: `cross/setup bench` installs it")?;
        let broker = Self { child, address: format!("127.0.0.1:{port}") };
        let begun = Instant::now();
        while std::net::TcpStream::connect(&broker.address).is_err() {
            if begun.elapsed() > Duration::from_secs(10) {
                bail!("mosquitto does not answer on {}", broker.address);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(broker)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that does a block of work for each line it is given and answers with a line.
struct Server {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Server {
    /// Starts it and waits until it is ready.
    fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let orders = child.stdin.take().context("no standard input")?;
        let answers = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut server = Self { child, orders, answers };
        if server.line()?.trim() != "ready" {
            bail!("the process did not get ready");
        }
        Ok(server)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("the process ended early");
        }
        Ok(line)
    }

    fn block<T: serde::de::DeserializeOwned>(&mut self, parts: usize) -> anyhow::Result<T> {
        writeln!(self.orders, "{parts}")?;
        let line = self.line()?;
        serde_json::from_str(&line).context(line)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The floors at work.
pub(crate) struct Floor(Server);

impl Floor {
    /// Starts the floors of a case, with its threads or (`pair`) as ONNX Runtime comes.
    pub(crate) fn start(case: &Case, pair: bool) -> anyhow::Result<Self> {
        let what = if pair { "floor-defaults" } else { "floor" };
        Ok(Self(Server::start(Command::new(std::env::current_exe()?).args([what, case.name])).context("the floors")?))
    }

    /// Lets them do `parts` parts.
    pub(crate) fn block(&mut self, parts: usize) -> anyhow::Result<Floors> {
        self.0.block(parts)
    }
}

/// The plain Python script at work.
pub(crate) struct Plain {
    server: Server,
    /// Seconds from starting the process to its first acknowledged verdict.
    pub(crate) first_verdict_s: f64,
}

/// What one block of the script cost, in seconds.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Block {
    cpu: f64,
    wall: f64,
    peak_mb: f64,
}

impl Plain {
    /// Starts the script on a case; 0 threads are the runtime's default.
    pub(crate) fn start(case: &Case, threads: usize, broker: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(root().join("target/setup/bench/bin/python"));
        command
            .arg(root().join("tests/bench/plain.py"))
            .arg(case.source.folder())
            .args([broker, &threads.to_string()])
            .args(case.files());
        let begun = Instant::now();
        let server = Server::start(&mut command)
            .context("the plain script cannot be started: `cross/setup bench` makes its Python environment")?;
        Ok(Self { server, first_verdict_s: begun.elapsed().as_secs_f64() })
    }

    /// Lets it do `parts` parts; what they cost, per part, and its peak memory in MB.
    pub(crate) fn block(&mut self, parts: usize) -> anyhow::Result<(Spent, f64)> {
        let Block { cpu, wall, peak_mb } = self.server.block(parts)?;
        Ok((Spent { cpu: cpu * 1e3, wall: wall * 1e3, ..Spent::default() }.per(parts), peak_mb))
    }
}
