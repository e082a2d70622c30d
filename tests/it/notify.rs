//! What systemd hears: the daemon as a process, and a Unix datagram socket in the place of the service manager.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use crate::support::daemon::{Daemon, Line};
use crate::support::mosquitto::DEADLINE;

/// The service manager's end of the socket.
pub(crate) struct Manager {
    socket: PathBuf,
    told: Receiver<String>,
}

impl Manager {
    pub(crate) fn new(line: &Line) -> Self {
        let socket = line.path().join("notify");
        let receiver = UnixDatagram::bind(&socket).unwrap();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = receiver.recv(&mut buffer) {
                if tell.send(String::from_utf8(buffer[..length].to_vec()).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { socket, told }
    }

    /// Starts the daemon with a watchdog of so many microseconds.
    pub(crate) fn start(&self, config: &std::path::Path, watchdog: &str) -> Daemon {
        let watchdog = PathBuf::from(watchdog);
        Daemon::start_with(config, &[("NOTIFY_SOCKET", &self.socket), ("WATCHDOG_USEC", &watchdog)])
    }

    /// Everything that is told up to the first message that begins with `wanted`.
    #[track_caller]
    pub(crate) fn until(&self, wanted: &str) -> Vec<String> {
        let (start, mut all) = (Instant::now(), Vec::new());
        while let Some(left) = DEADLINE.checked_sub(start.elapsed()) {
            let Ok(message) = self.told.recv_timeout(left) else { break };
            all.push(message);
            if all.last().is_some_and(|message| message.starts_with(wanted)) {
                return all;
            }
        }
        panic!("waited {DEADLINE:?} for {wanted}; told was {all:#?}");
    }
}

/// A line whose parts come when they are named on standard input.
const TRIGGERED: &str = "pace = \"triggered\"\ntrigger_sensor = \"plc\"\nrepeat = true\n\
                         [sensors.plc]\nkind = \"stdin\"\npart_key = \"part\"";

#[test]
fn an_idle_line_keeps_the_watchdog_fed_and_a_stop_is_announced() {
    let line = Line::with_parts(1);
    let manager = Manager::new(&line);
    let daemon = manager.start(&line.configure(TRIGGERED, ""), "2000000");
    let before = manager.until("READY=1");
    assert!(before.iter().any(|told| told.starts_with("EXTEND_TIMEOUT_USEC=60000000")), "{before:?}");
    for _ in 0..5 {
        manager.until("WATCHDOG=1\n");
    }
    let told = manager.until("STATUS=judging: 0 parts since the start, 0 verdicts wait for the broker");
    assert!(told.iter().all(|told| !told.contains("has not moved")), "{told:?}");
    daemon.hang_up();
    let reload = manager.until("RELOADING=1\nMONOTONIC_USEC=");
    assert!(!reload.iter().any(|told| told.starts_with("READY")), "{reload:?}");
    let now = kenpin::clock::Monotonic::now().as_nanos() / 1000;
    let told: u64 = reload.last().unwrap().trim().rsplit('=').next().unwrap().parse().unwrap();
    assert!(told <= now && now - told < 60_000_000, "microseconds of CLOCK_MONOTONIC: {told}, {now}");
    manager.until("READY=1");
    assert!(daemon.terminate().success());
    manager.until("STOPPING=1");
}

#[test]
fn a_model_that_never_answers_stops_the_pings_and_is_named() {
    use std::io::Write as _;
    let line = Line::with_parts(2);
    let white = image::GrayImage::from_pixel(8, 8, image::Luma([255]));
    white.save(line.path().join("parts/p0002.png")).unwrap();
    let manager = Manager::new(&line);
    let config = line.configure(TRIGGERED, "");
    let text = std::fs::read_to_string(&config).unwrap();
    let hangs = text.replace("tests/fixtures/onnx/brightness", "tests/fixtures/hangs");
    assert_ne!(text, hangs);
    std::fs::write(&config, hangs).unwrap();
    let mut daemon = manager.start(&config, "2000000");
    manager.until("READY=1");
    let mut stdin = daemon.stdin();
    writeln!(stdin, "part=first").unwrap();
    daemon.wait_for("part_judged", 1);
    manager.until("WATCHDOG=1\n");
    writeln!(stdin, "part=white").unwrap();
    manager.until("STATUS=model hangs has not moved for");
    daemon.wait_for("watchdog_withheld", 2);
    // From then on there is no ping, whatever else beats: all that is told is who is stuck.
    let since = manager.until("STATUS=model hangs has not moved for");
    assert!(since.iter().all(|told| !told.starts_with("WATCHDOG")), "{since:?}");
    daemon.kill_nine();
}
