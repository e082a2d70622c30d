//! A command whose standard output is a camera: raw frames or JPEG pictures, one after the other.
//!
//! For what V4L2 alone cannot serve: CSI sensors behind a `GStreamer` pipeline, network cameras behind `ffmpeg`. The command runs
//! in a process group of its own, which ends with the camera; what it writes to its standard error is logged. A thread reads
//! without a pause, so that what waits is never older than one frame. A frame's time is that of its first byte: `delay_ms`
//! takes off what the command needs before. Does not decode video.

mod framing;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio_util::sync::CancellationToken;

use super::decode::{decode_jpeg, raw::Layout};
use super::{Camera, DeviceError, Shot};
use crate::clock::Monotonic;
use crate::config::{JpegScale, Pipe};
use crate::flow::Image;
use crate::flow::pool::Pool;
use framing::{Frames, Framing, Piece};

/// How long to wait at a time for a frame, against a stop.
const SLICE: Duration = Duration::from_millis(50);
/// How long the first frame may take at least: pipelines have to be built up.
const FIRST: Duration = Duration::from_secs(10);
/// How often an ending command is looked at, and how many times before it is killed: a second.
const LOOK: (Duration, u32) = (Duration::from_millis(10), 100);
/// The longest piece of a line of standard error that is logged at once, in bytes.
const LINE: u64 = 1024;

/// A command, played as a camera.
#[derive(Debug)]
pub struct PipeCamera {
    command: Vec<String>,
    layout: Option<Layout>,
    scale: JpegScale,
    silence: Duration,
    every: bool,
    what: String,
    running: Option<Running>,
    has_run: bool,
}

impl PipeCamera {
    /// Prepares the command; it runs from the start of the camera. With `every` each frame is given in turn, else the first
    /// that begins after it was asked for.
    ///
    /// # Errors
    /// [`DeviceError::Failed`] when its frames are none that the road takes.
    pub fn new(settings: &Pipe, every: bool) -> Result<Self, DeviceError> {
        let Pipe { command, raw, silence, jpeg_scale } = settings;
        let what = format!("command {}", command.first().map_or("", String::as_str));
        let layout = raw.map(Layout::of).transpose().map_err(|why| DeviceError::failed(&what, &why))?;
        let (command, scale, silence) = (command.clone(), *jpeg_scale, *silence);
        Ok(Self { command, layout, scale, silence, every, what, running: None, has_run: false })
    }

    fn picture(&self, bytes: &[u8], pool: &Pool) -> Result<Image, String> {
        match &self.layout {
            Some(layout) => layout.convert(bytes, pool),
            None => decode_jpeg(bytes, self.scale, pool),
        }
    }

    /// The next piece, or the first frame that begins after `asked`; `None` when `stop` came.
    fn wait(&mut self, asked: Monotonic, stop: &CancellationToken) -> Result<Option<Piece>, String> {
        let Some(running) = &mut self.running else { return Err("it is not started".into()) };
        let patience = if running.has_given { self.silence } else { self.silence.max(FIRST) };
        let mut silent = Duration::ZERO;
        while !stop.is_cancelled() {
            match running.passage.take(SLICE) {
                Taken::Piece(piece) => {
                    running.has_given = true;
                    let stale = |captured: Monotonic| !self.every && captured < asked;
                    match piece {
                        Piece::Frame(bytes, captured) if stale(captured) => running.passage.give_back(bytes),
                        piece => return Ok(Some(piece)),
                    }
                }
                Taken::End(end) => return Err(running.ended(end)),
                Taken::Nothing => silent += SLICE,
            }
            if silent >= patience {
                return Err(format!("no frame for {patience:?}, it is started again"));
            }
        }
        Ok(None)
    }
}

impl Camera for PipeCamera {
    fn start(&mut self) -> Result<(), DeviceError> {
        use std::io::ErrorKind::{NotFound, PermissionDenied};
        let framing = self.layout.map_or(Framing::Jpeg, |layout| Framing::Raw(layout.bytes()));
        match Running::start(&self.command, framing, self.every) {
            Ok(running) => {
                (self.running, self.has_run) = (Some(running), true);
                Ok(())
            }
            Err(error) if !self.has_run && matches!(error.kind(), NotFound | PermissionDenied) => {
                Err(DeviceError::failed(&self.what, &error))
            }
            Err(error) => Err(DeviceError::lost(&self.what, &error)),
        }
    }

    fn capture(&mut self, pool: &Pool, stop: &CancellationToken) -> Result<Option<Shot>, DeviceError> {
        let piece = match self.wait(Monotonic::now(), stop) {
            Ok(Some(piece)) => piece,
            Ok(None) => return Ok(None),
            Err(why) => {
                self.running = None;
                return Err(DeviceError::lost(&self.what, &why));
            }
        };
        let unreadable = |cause| DeviceError::Unreadable { what: self.what.clone(), cause };
        let (bytes, captured) = match piece {
            Piece::Frame(bytes, captured) => (bytes, captured),
            Piece::Torn(why) => return Err(unreadable(why)),
        };
        let image = self.picture(&bytes, pool).map_err(unreadable);
        if let Some(running) = &self.running {
            running.passage.give_back(bytes);
        }
        image.map(|image| Some(Shot { image, captured, part: None, missed: 0 }))
    }
}

/// The command at work.
#[derive(Debug)]
struct Running {
    child: Child,
    passage: Arc<Passage>,
    has_given: bool,
}

impl Running {
    fn start(command: &[String], framing: Framing, every: bool) -> std::io::Result<Self> {
        let (program, arguments) = command.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(arguments).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        let passage = Arc::new(Passage { every, ..Passage::default() });
        // From here on dropping it ends the command.
        let running = Self { child, passage: Arc::clone(&passage), has_given: false };
        let thread = |name: &str| std::thread::Builder::new().name(name.into());
        if let Some(output) = output {
            thread("pipe-frames").spawn(move || read(output, framing, &passage))?;
        }
        if let Some(errors) = errors {
            let program = program.clone();
            thread("pipe-errors").spawn(move || log(&program, errors))?;
        }
        tracing::info!("command {program} started as process {}", running.child.id());
        Ok(running)
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Whether the command has ended. It stays a zombie, so that its number belongs to nobody else.
    fn is_over(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.pid().is_none_or(|pid| !matches!(waitid(WaitId::Pid(pid), look), Ok(None)))
    }

    /// Waits for the end of the command for a moment; whether it came.
    fn is_soon_over(&self) -> bool {
        let (pause, looks) = LOOK;
        (0..looks).any(|look| {
            if look > 0 {
                std::thread::sleep(pause);
            }
            self.is_over()
        })
    }

    /// Why the command gives no frames any more.
    fn ended(&mut self, end: End) -> String {
        if let End::Error(why) = end {
            return format!("its output cannot be read: {why}");
        }
        if !self.is_soon_over() {
            return "it has closed its output".into();
        }
        self.end_group(Signal::KILL);
        self.child.wait().map_or_else(|error| error.to_string(), |status| format!("it ended with {status}"))
    }

    /// Sends a signal to all processes of the group.
    fn end_group(&self, signal: Signal) {
        // Nobody left is what is wanted.
        let _ = self.pid().map(|pid| kill_process_group(pid, signal));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.passage.close();
        self.end_group(Signal::TERM);
        self.is_soon_over();
        self.end_group(Signal::KILL);
        if let Err(error) = self.child.wait() {
            tracing::error!("process {}: {error}", self.child.id());
        }
    }
}

/// Reads frames until there are no more or nobody wants them.
fn read(output: ChildStdout, framing: Framing, passage: &Passage) {
    let mut frames = Frames::new(output, framing);
    loop {
        match frames.next(passage.spare()) {
            Ok(Some(piece)) => {
                if !passage.put(piece) {
                    return;
                }
            }
            Ok(None) => return passage.end(End::Output),
            Err(error) => return passage.end(End::Error(error.to_string())),
        }
    }
}

/// Logs what a command writes to its standard error.
fn log(program: &str, errors: ChildStderr) {
    let mut errors = BufReader::new(errors);
    let mut line = Vec::new();
    while matches!(errors.by_ref().take(LINE).read_until(b'\n', &mut line), Ok(1..)) {
        tracing::info!("command {program}: {}", String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}

/// What lies between the thread that reads and the camera's: one piece.
#[derive(Debug, Default)]
struct Passage {
    /// Whether the reader waits until a piece is taken; else the newest replaces it.
    every: bool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    piece: Option<Piece>,
    spare: Vec<u8>,
    /// Why there is no more.
    end: Option<End>,
    closed: bool,
}

/// Why a command writes no more.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    /// Its output ended.
    Output,
    /// Its output cannot be read.
    Error(String),
}

/// What was in the passage.
enum Taken {
    Piece(Piece),
    End(End),
    Nothing,
}

impl Passage {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer that is no longer needed, so that none is made for each frame.
    fn spare(&self) -> Vec<u8> {
        std::mem::take(&mut self.lock().spare)
    }

    fn give_back(&self, bytes: Vec<u8>) {
        self.lock().spare = bytes;
    }

    /// Hands a piece over; whether anybody wants more.
    fn put(&self, piece: Piece) -> bool {
        let waits = |state: &mut State| self.every && state.piece.is_some() && !state.closed;
        let mut state = self.changed.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner);
        if let Some(Piece::Frame(bytes, _)) = state.piece.replace(piece) {
            state.spare = bytes;
        }
        self.changed.notify_all();
        !state.closed
    }

    fn end(&self, why: End) {
        self.lock().end = Some(why);
        self.changed.notify_all();
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Takes what is there, or comes within `patience`.
    fn take(&self, patience: Duration) -> Taken {
        let idle = |state: &mut State| state.piece.is_none() && state.end.is_none();
        let waited = self.changed.wait_timeout_while(self.lock(), patience, idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let taken = match (state.piece.take(), &state.end) {
            (Some(piece), _) => Taken::Piece(piece),
            (None, Some(why)) => Taken::End(why.clone()),
            (None, None) => Taken::Nothing,
        };
        self.changed.notify_all();
        taken
    }
}

#[cfg(test)]
mod tests;
