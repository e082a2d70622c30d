//! Debian's mosquitto as a broker and as a subscriber: an implementation of MQTT that is not ours.
//!
//! Nothing here sleeps: each wait is for a line that the program prints, up to [`DEADLINE`].

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before a test fails: generous, because machines are shared.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// The lines a child process has printed so far.
#[derive(Clone, Default)]
pub(crate) struct Lines {
    seen: Arc<(Mutex<Vec<String>>, Condvar)>,
}

impl Lines {
    pub(crate) fn of(output: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let seen = Arc::clone(&lines.seen);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                seen.0.lock().unwrap().push(line);
                seen.1.notify_all();
            }
        });
        lines
    }

    /// Waits until `found` gives something for the lines seen so far.
    #[track_caller]
    pub(crate) fn wait<T>(&self, what: &str, found: impl Fn(&[String]) -> Option<T>) -> T {
        let start = Instant::now();
        let mut lines = self.seen.0.lock().unwrap();
        loop {
            if let Some(found) = found(&lines) {
                return found;
            }
            let Some(left) = DEADLINE.checked_sub(start.elapsed()) else {
                let last: Vec<String> = lines.iter().rev().take(20).rev().cloned().collect();
                drop(lines);
                panic!("waited {DEADLINE:?} for {what}; the last lines: {last:#?}");
            };
            lines = self.seen.1.wait_timeout(lines, left).unwrap().0;
        }
    }
}

#[track_caller]
fn spawn(command: &mut Command) -> Child {
    command.spawn().unwrap_or_else(|error| {
        let program = command.get_program().display();
        panic!("{program} cannot be started ({error}): apt-get install mosquitto mosquitto-clients")
    })
}

/// A broker on a free loopback port that keeps sessions over a restart.
pub(crate) struct Mosquitto {
    pub(crate) port: u16,
    folder: TempDir,
    child: Option<Child>,
}

impl Mosquitto {
    /// Starts one that lets everyone do everything.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::with(None)
    }

    /// Starts one whose access list allows only what `rules` says, in mosquitto's own words.
    #[track_caller]
    pub(crate) fn with_rules(rules: &str) -> Self {
        Self::with(Some(rules))
    }

    #[track_caller]
    fn with(rules: Option<&str>) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        // 0 is without a bound; but then mosquitto 2.0.11 also drops the connection with each refusal it sends.
        let queue = if rules.is_some() { 1_000_000 } else { 0 };
        let mut config = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location {}/\n\
             max_queued_messages {queue}\nlog_dest stderr\n",
            folder.path().display()
        );
        if rules.is_some() {
            config = format!("{config}acl_file {}\n", folder.path().join("rules").display());
        }
        std::fs::write(folder.path().join("mosquitto.conf"), config).unwrap();
        let mut broker = Self { port, folder, child: None };
        if let Some(rules) = rules {
            broker.write_rules(rules);
        }
        broker.restart();
        broker
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts it again on the same port with what it had kept.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        let mut mosquitto = Command::new(Self::program());
        mosquitto.arg("-c").arg(self.folder.path().join("mosquitto.conf")).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = spawn(&mut mosquitto);
        let lines = Lines::of(child.stderr.take().unwrap());
        self.child = Some(child);
        lines.wait("mosquitto to run", |lines| lines.iter().any(|line| line.ends_with(" running")).then_some(()));
    }

    /// Ends it in good order: it writes down what it holds.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal(&child, rustix::process::Signal::TERM);
            child.wait().unwrap();
        }
    }

    /// Replaces the access list of a running broker.
    pub(crate) fn change_rules(&self, rules: &str) {
        self.write_rules(rules);
        signal(self.child.as_ref().unwrap(), rustix::process::Signal::HUP);
    }

    fn write_rules(&self, rules: &str) {
        std::fs::write(self.folder.path().join("rules"), rules).unwrap();
    }

    /// Debian puts it where only root's search path looks.
    fn program() -> PathBuf {
        let debian = PathBuf::from("/usr/sbin/mosquitto");
        if debian.exists() { debian } else { "mosquitto".into() }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(crate) fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

/// A subscriber with a session that outlives its connection; it connects again by itself.
pub(crate) struct Subscriber {
    child: Child,
    lines: Lines,
}

impl Subscriber {
    /// Returns when the subscription to `topic` is confirmed.
    #[track_caller]
    pub(crate) fn connect(port: u16, topic: &str) -> Self {
        // A session of its own for each topic, which survives the broker.
        let id = topic.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        // Line by line: into a pipe, mosquitto_sub would otherwise write in blocks.
        let mut subscriber = Command::new("stdbuf");
        subscriber
            .args(["-oL", "mosquitto_sub"])
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-t", topic, "-c", "-q", "1", "-i", &id, "-d"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = spawn(&mut subscriber);
        let lines = Lines::of(child.stdout.take().unwrap());
        lines.wait("the subscription", |lines| lines.iter().any(|line| line.starts_with("Subscribed")).then_some(()));
        Self { child, lines }
    }

    /// Waits until the messages received so far, of schema `schema`, satisfy `enough`, and returns them. Call it where
    /// blocking is allowed: other tasks need a thread of their own.
    #[track_caller]
    pub(crate) fn wait(&self, schema: &str, what: &str, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let found = |lines: &[String]| {
            let messages = lines.iter().filter(|line| line.starts_with('{'));
            let messages = messages.map(|line| serde_json::from_str::<Value>(line).unwrap());
            let messages: Vec<Value> = messages.filter(|message| message["schema"] == schema).collect();
            enough(&messages).then_some(messages)
        };
        tokio::task::block_in_place(|| self.lines.wait(what, found))
    }

    /// Waits for `count` lines of text that begin with one of these words, and returns them.
    #[track_caller]
    pub(crate) fn lines(&self, words: &[&str], count: usize) -> Vec<String> {
        let ours = |line: &&String| words.iter().any(|word| line.starts_with(word));
        self.lines.wait("lines of text", |lines| {
            let told: Vec<String> = lines.iter().filter(ours).cloned().collect();
            (told.len() >= count).then_some(told)
        })
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Publishes one retained message.
#[track_caller]
pub(crate) fn publish_retained(port: u16, topic: &str, text: &str) {
    let mut publisher = Command::new("mosquitto_pub");
    publisher.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-t", topic, "-m", text, "-q", "1", "-r"]);
    assert!(spawn(&mut publisher).wait().unwrap().success(), "mosquitto_pub failed");
}

/// Publishes each line as a message of its own, without waiting for anything in between.
#[track_caller]
pub(crate) fn publish_lines(port: u16, topic: &str, lines: &str) {
    let mut publisher = Command::new("mosquitto_pub");
    publisher.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-t", topic, "-l"]).stdin(Stdio::piped());
    let mut publisher = spawn(&mut publisher);
    publisher.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(publisher.wait().unwrap().success(), "mosquitto_pub failed");
}

/// Publishes a question with this correlation data, and gives the correlation data of the answer with the answer.
#[track_caller]
pub(crate) fn ask(port: u16, topic: &str, correlation: &str) -> (String, Value) {
    ask_with(port, topic, correlation, None)
}

/// The same with a payload.
#[track_caller]
pub(crate) fn ask_with(port: u16, topic: &str, correlation: &str, payload: Option<&str>) -> (String, Value) {
    let (data, answer) = ask_text(port, topic, correlation, payload);
    (data, serde_json::from_str(&answer).unwrap())
}

/// The same, where the answer is a line of text.
#[track_caller]
pub(crate) fn ask_text(port: u16, topic: &str, correlation: &str, payload: Option<&str>) -> (String, String) {
    let mut asking = Command::new("mosquitto_rr");
    asking.args(["-V", "5", "-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1", "-t", topic, "-e", "answers/1"]);
    match payload {
        Some(payload) => asking.args(["-m", payload]),
        None => asking.arg("-n"),
    };
    asking.args(["-D", "publish", "correlation-data", correlation, "-F", "%D %p"]);
    asking.args(["-W", &DEADLINE.as_secs().to_string()]);
    let output = asking.output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let (data, answer) = told.trim().split_once(' ').unwrap_or_else(|| panic!("no answer on {topic}: {told:?}"));
    (data.to_owned(), answer.to_owned())
}
