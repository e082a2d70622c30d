//! The daemon as its users start it: the built binary, a config in a folder of its own, its log lines.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use tempfile::TempDir;

use super::mosquitto::Lines;

/// A line with one replay camera and the smallest model, in a temporary folder.
pub(crate) struct Line {
    folder: TempDir,
}

impl Line {
    /// A folder with `parts` tiny pictures named `p0001.png` and so on: every third dark, which the model calls a defect.
    pub(crate) fn with_parts(parts: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pictures = folder.path().join("parts");
        std::fs::create_dir(&pictures).unwrap();
        for part in 1..=parts {
            let luminance = if part % 3 == 0 { 10 } else { 240 };
            let picture = image::GrayImage::from_pixel(8, 8, image::Luma([luminance]));
            picture.save(pictures.join(format!("p{part:04}.png"))).unwrap();
        }
        Self { folder }
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the config: the camera's further keys, and whatever follows the tables that every line has.
    pub(crate) fn configure(&self, camera: &str, rest: &str) -> PathBuf {
        let mut text = "[device]\nid = \"line-1\"\n[cameras.top]\nkind = \"replay\"\npath = \"parts\"\n".to_owned();
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx/brightness");
        writeln!(text, "{camera}\n[models.brightness]\nfolder = \"{}\"", model.display()).unwrap();
        writeln!(text, "[[routes]]\nname = \"all\"\nmembers = [{{ model = \"brightness\" }}]").unwrap();
        writeln!(text, "[journal]\npath = \"state/journal.sqlite\"\n{rest}").unwrap();
        let config = self.path().join("kenpin.toml");
        std::fs::write(&config, text).unwrap();
        config
    }
}

/// The newest libonnxruntime that `make test` set up.
pub(crate) fn library() -> PathBuf {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/setup/libonnxruntime.so");
    assert!(library.exists(), "{} is missing: run `make test`, which fetches it", library.display());
    library
}

/// A running daemon.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) lines: Lines,
}

impl Daemon {
    /// Starts `kenpin run CONFIG`, logging every event.
    pub(crate) fn start(config: &Path) -> Self {
        Self::start_with(config, &[])
    }

    /// The same with further variables in its environment.
    pub(crate) fn start_with(config: &Path, variables: &[(&str, &Path)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kenpin"));
        command.arg("run").arg(config).env("ORT_DYLIB_PATH", library()).env("RUST_LOG", "kenpin=debug");
        command.envs(variables.iter().copied());
        command.env("NO_COLOR", "1").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = Lines::of(child.stderr.take().unwrap());
        Self { child, lines }
    }

    /// Waits until `count` log lines tell of `event`.
    #[track_caller]
    pub(crate) fn wait_for(&self, event: &str, count: usize) {
        let told = |lines: &[String]| lines.iter().filter(|line| line.contains(event)).count() >= count;
        self.lines.wait(event, |lines| told(lines).then_some(()));
    }

    /// How many log lines tell of `event` so far.
    pub(crate) fn count(&self, event: &str) -> usize {
        self.lines.wait(event, |lines| Some(lines.iter().filter(|line| line.contains(event)).count()))
    }

    /// Waits until `more` further log lines tell of `event`.
    #[track_caller]
    pub(crate) fn wait_for_more(&self, event: &str, more: usize) {
        self.wait_for(event, self.count(event) + more);
    }

    /// Asks it to read everything anew.
    pub(crate) fn hang_up(&self) {
        super::mosquitto::signal(&self.child, rustix::process::Signal::HUP);
    }

    /// Where the lines for standard input go.
    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Ends it without a chance to put anything in order.
    pub(crate) fn kill_nine(self) {
        drop(self);
    }

    /// Asks it to drain, and waits until it has.
    pub(crate) fn terminate(self) -> ExitStatus {
        super::mosquitto::signal(&self.child, rustix::process::Signal::TERM);
        self.wait()
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
