//! Engines under faults, with the real daemon and a stand-in for the child that probes and builds: whatever becomes of that, the
//! line goes on. And `kenpin engines` where there is no TensorRT.
//!
//! The stand-in is a script of the shell; no engine here is one, and none was ever built on a board.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use kenpin::app::App;
use kenpin::config::{self, Provider, Settings};
use kenpin::telemetry::{Event, Telemetry};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::support::daemon::{Line, library};
use crate::support::mosquitto::DEADLINE;

/// How a stand-in answers a probe when all is well.
const PROBED: &str = r#"echo '{"probed":{"onnxruntime":"1","tensorrt":"100300","cuda":"12060"}}'; echo '"done"'"#;

/// A line whose models want TensorRT, then the processor; the stand-in probes and builds as told. A build waits until
/// somebody opens the pipe `go`.
struct Bench {
    line: Line,
}

impl Bench {
    fn new(probe: &str, build: &str) -> Self {
        let bench = Self { line: Line::with_parts(30) };
        let script = format!(
            "#!/bin/sh\ncd {}\necho $3 >>asked\ncase $3 in\nprobe) {probe} ;;\nbuild) read job; read go <go; {build} ;;\nesac\n",
            bench.line.path().display()
        );
        std::fs::write(bench.program(), script).unwrap();
        std::fs::set_permissions(bench.program(), std::fs::Permissions::from_mode(0o700)).unwrap();
        assert!(Command::new("mkfifo").arg(bench.line.path().join("go")).status().unwrap().success());
        bench
    }

    fn program(&self) -> PathBuf {
        self.line.path().join("stand-in")
    }

    /// The settings of a daemon; `rest` goes into `[runtime.tensorrt]`.
    fn settings(&self, providers: &str, rest: &str) -> Settings {
        let runtime = format!("[runtime]\nproviders = [{providers}]\n[runtime.tensorrt]\n{rest}\n");
        let config = checked(&self.line.configure("repeat = true", &runtime));
        let mut settings = config::load(&config).unwrap();
        settings.runtime.onnxruntime_library = Some(library());
        settings.runtime.tensorrt.program = Some(self.program());
        settings
    }

    /// Lets the build go on.
    fn go(&self) {
        let go = self.line.path().join("go");
        std::thread::spawn(move || std::fs::write(go, "go\n").unwrap());
    }

    /// What the stand-in was asked for so far.
    fn asked(&self) -> String {
        std::fs::read_to_string(self.line.path().join("asked")).unwrap_or_default().replace('\n', " ")
    }

    /// The folders of engines that are in place.
    fn engines(&self) -> Vec<PathBuf> {
        let listing = std::fs::read_dir(self.line.path().join("state/engines")).into_iter().flatten().flatten();
        listing.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    }

    /// Runs the daemon until `EngineRefused` was told `outcomes` times by the build that was let go after the line had
    /// judged a while, and then a while longer. Gives why the processor answered, first and last.
    async fn run(&self, settings: Settings, outcomes: u64) -> (String, String) {
        let app = App::open(settings).await.unwrap();
        let (telemetry, stop) = (app.telemetry(), CancellationToken::new());
        let running = tokio::spawn(app.run(stop.clone()));
        while !self.asked().contains("build") {
            tokio::task::yield_now().await;
        }
        wait(&telemetry, Event::PartJudged, 60).await;
        self.go();
        wait(&telemetry, Event::EngineRefused, outcomes).await;
        wait(&telemetry, Event::PartJudged, telemetry.count(Event::PartJudged) + 60).await;
        stop.cancel();
        running.await.unwrap().unwrap();
        assert_eq!((telemetry.count(Event::MemberFailed), telemetry.count(Event::ModelStopped)), (0, 0));
        let told = self.verdicts();
        assert_eq!(told.len() as u64, telemetry.count(Event::PartJudged), "every part has its verdict");
        assert!(told.iter().all(|verdict| verdict["verdict"] != "undecided"), "the line judged throughout");
        let why = |verdict: &Value| {
            let placement = &verdict["votes"][0]["placement"];
            assert_eq!(placement["provider"], "cpu", "{verdict}");
            placement["fallback"].as_str().unwrap().to_owned()
        };
        (why(&told[0]), why(told.last().unwrap()))
    }

    fn verdicts(&self) -> Vec<Value> {
        let journal = rusqlite::Connection::open(self.line.path().join("state/journal.sqlite")).unwrap();
        let mut rows = journal.prepare("SELECT body FROM verdict ORDER BY seq").unwrap();
        let bodies = rows.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        bodies.map(|body| serde_json::from_slice(&body.unwrap()).unwrap()).collect()
    }
}

/// Gives the line of a config a model with references, without which there is no engine; gives the config.
fn checked(config: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = |path: &str| root.join(path).display().to_string();
    let text = std::fs::read_to_string(config).unwrap();
    let text = text.replace(&folder("tests/fixtures/onnx/brightness"), &folder("models/elpv-student"));
    std::fs::write(config, text).unwrap();
    config.to_owned()
}

/// Waits until `event` was told `count` times.
async fn wait(telemetry: &Telemetry, event: Event, count: u64) {
    let begun = Instant::now();
    while telemetry.count(event) < count {
        assert!(begun.elapsed() < DEADLINE, "waited {DEADLINE:?} for {event} to reach {count}");
        tokio::task::yield_now().await;
    }
}

const BOTH: &str = "\"tensorrt\", \"cpu\"";
const BACKGROUND: &str = "engine_build = \"background\"";
const PENDING: &str = "tensorrt: its engine is not built yet";
const BUILT: &str = "echo engine >$4/a.engine; echo '\"done\"'";

/// The daemon with a builder that behaves like `build`; gives the last reason for the processor.
async fn faulty(build: &str) -> String {
    let bench = Bench::new(PROBED, build);
    let settings = bench.settings(BOTH, BACKGROUND);
    let (first, last) = bench.run(settings, 1).await;
    assert_eq!(first, PENDING);
    assert_eq!(bench.engines(), Vec::<PathBuf>::new(), "nothing was put in place");
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn a_builder_that_crashes_leaves_the_line_judging_with_the_cause_named() {
    let last = faulty("echo part >$4/a.engine; kill -SEGV $$").await;
    assert_eq!(last, "tensorrt: the builder was killed by signal 11 (segmentation fault)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_builder_that_the_kernel_kills_leaves_the_line_judging() {
    let last = faulty("kill -KILL $$").await;
    assert_eq!(last, "tensorrt: the builder was killed by signal 9: the kernel does that when memory runs out");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_with_wrong_answers_is_not_put_in_place() {
    let why = "model elpv-student: output \"y\" at [0, 1] of case \"dark\" is 3, the reference wants 2";
    let last =
        faulty(&format!("echo part >$4/a.engine; echo '{{\"failed\":\"{}\"}}'; exit 1", why.replace('"', "\\\\\"")))
            .await;
    assert_eq!(last, format!("tensorrt: {}", why.replace('"', "\\\"").replace("\\\"", "\"")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_this_process_cannot_load_changes_nothing_and_one_that_was_cut_short_is_refused() {
    let bench = Bench::new(PROBED, BUILT);
    let (first, last) = bench.run(bench.settings(BOTH, BACKGROUND), 1).await;
    assert_eq!(first, PENDING);
    // The library of this test has no TensorRT: the stand-in's engine cannot be opened.
    assert!(last.starts_with("tensorrt: model elpv-student: ") && last.contains("not enabled in this build"), "{last}");
    let [engine] = &bench.engines()[..] else { panic!("{:?}", bench.engines()) };
    std::fs::write(engine.join("a.engine"), "eng").unwrap();
    let mut settings = bench.settings(BOTH, BACKGROUND);
    settings.line.run = kenpin::name::Name::new("second").unwrap();
    std::fs::remove_file(bench.line.path().join("asked")).unwrap();
    std::fs::remove_file(bench.line.path().join("state/journal.sqlite")).unwrap();
    let (first, _) = bench.run(settings, 2).await;
    assert!(first.starts_with("tensorrt: its engine is refused: "), "{first}");
    assert!(first.ends_with("a.engine has 3 bytes, the manifest says 7"), "{first}");
    assert_eq!(std::fs::read_to_string(engine.join("a.engine")).unwrap(), "engine\n", "it was built anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_is_not_wanted_any_more_is_ended_with_the_daemon() {
    let bench = Bench::new(PROBED, BUILT);
    let app = App::open(bench.settings(BOTH, BACKGROUND)).await.unwrap();
    let (telemetry, stop) = (app.telemetry(), CancellationToken::new());
    let running = tokio::spawn(app.run(stop.clone()));
    while !bench.asked().contains("build") {
        tokio::task::yield_now().await;
    }
    wait(&telemetry, Event::PartJudged, 30).await;
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(bench.engines(), Vec::<PathBuf>::new(), "nobody let it go, and its folder is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_start_and_with_nobody_else_to_answer_the_model_waits_for_its_engine() {
    let bench = Bench::new(PROBED, "kill -SEGV $$");
    bench.go();
    let app = App::open(bench.settings(BOTH, "engine_build = \"before_start\"")).await.unwrap();
    assert_eq!(bench.asked(), "probe build ", "the build is over before the daemon is open");
    assert_eq!(app.telemetry().count(Event::MemberDegraded), 1);
    let stop = CancellationToken::new();
    stop.cancel();
    app.run(stop).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_dies_leaves_the_daemon_on_the_next_provider_or_stops_the_model() {
    let bench = Bench::new("kill -SEGV $$", "echo never");
    let app = App::open(bench.settings("\"tensorrt\", \"cuda\", \"cpu\"", "")).await.unwrap();
    let (telemetry, stop) = (app.telemetry(), CancellationToken::new());
    let running = tokio::spawn(app.run(stop.clone()));
    wait(&telemetry, Event::PartJudged, 30).await;
    stop.cancel();
    running.await.unwrap().unwrap();
    let died = "the probe was killed by signal 11 (segmentation fault)";
    let fallback = &bench.verdicts()[0]["votes"][0]["placement"]["fallback"];
    assert_eq!(*fallback, format!("tensorrt: {died}; cuda: {died}"));
    assert_eq!(bench.asked(), "probe probe ", "each once a process");

    let mut alone = bench.settings("\"tensorrt\"", "engine_build = \"before_start\"");
    alone.line.run = kenpin::name::Name::new("second").unwrap();
    let app = App::open(alone).await.unwrap();
    assert_eq!(app.telemetry().count(Event::ModelStopped), 1);
    let stop = CancellationToken::new();
    stop.cancel();
    app.run(stop).await.unwrap();
    assert_eq!(bench.asked(), "probe probe ", "the answer is remembered");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_the_processor_alone_starts_no_child() {
    let bench = Bench::new(PROBED, BUILT);
    let settings = bench.settings("\"cpu\"", "");
    assert_eq!(settings.runtime.providers, [Provider::Cpu]);
    let app = App::open(settings).await.unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    app.run(stop).await.unwrap();
    assert!(!bench.line.path().join("asked").exists() && !bench.line.path().join("state/engines").exists());
}

fn engines(arguments: &[&str], config: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kenpin"));
    command.arg("engines").arg(arguments[0]).arg(config).args(&arguments[1..]);
    command.env("ORT_DYLIB_PATH", library()).env("NO_COLOR", "1").output().unwrap()
}

#[test]
fn without_tensorrt_engines_are_neither_known_nor_pruned() {
    let line = Line::with_parts(1);
    let cpu = line.configure("", "");
    let output = engines(&["list"], &cpu);
    assert_eq!(output.status.code(), Some(3));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("`runtime.providers` does not list \"tensorrt\": this config has no engines"), "{told}");
    let config = checked(&line.configure("", "[runtime]\nproviders = [\"tensorrt\", \"cpu\"]\n"));
    let engine = line.path().join("state/engines").join("0".repeat(64));
    std::fs::create_dir_all(&engine).unwrap();
    for action in ["list", "build", "prune"] {
        let output = engines(&[action], &config);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told.contains("the engine of model elpv-student is not known: "), "{told}");
        assert!(told.contains("TensorRT execution provider is not enabled in this build"), "{told}");
    }
    assert!(engine.exists(), "what is wanted is not known, so nothing is removed");
    let output = engines(&["verify", "--json"], &config);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((rows[0]["state"].as_str(), rows[0]["key"].as_str()), (Some("refused"), Some("0".repeat(64).as_str())));
}
