//! A child that may crash: started, watched and, where it must be, ended; what became of it is told in one sentence.
//!
//! It is this program again with a hidden subcommand, never a fork. It says what it does in JSON lines on its standard output.
//! The first to die when memory runs out (`oom_score_adj` 1000) and the last to be served (nice, idle I/O); ended when the
//! memory that is available falls below a reserve, when its time is over, or when nobody wants its result any more. No limit
//! on its address space: CUDA reserves more than any board has.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Versions;
use crate::memory::machine;

/// How often limits are looked at while the child is silent.
const TICK: Duration = Duration::from_millis(100);

/// A line of what the child says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// What it does now, for people.
    Stage(String),
    /// What it found: the provider works, with these libraries.
    Probed(Versions),
    /// It has done what it was asked for.
    Done,
    /// It could not: one sentence.
    Failed(String),
}

/// Why a child gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Stopped {
    /// One sentence naming the cause.
    pub why: String,
    /// Whether it was only called off: trying again later makes sense.
    pub called_off: bool,
}

impl From<String> for Stopped {
    fn from(why: String) -> Self {
        Self { why, called_off: false }
    }
}

/// What a child is started with.
#[derive(Debug)]
pub struct Call<'a> {
    /// What it is called in sentences: "the builder".
    pub name: &'a str,
    /// The program; `None` is this one.
    pub program: Option<&'a Path>,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// What it reads on its standard input.
    pub input: Vec<u8>,
}

/// What ends a child before it ends itself.
pub struct Limits<'a> {
    /// The most time it may take.
    pub time: Duration,
    /// The least memory that must be available, in bytes.
    pub reserve: u64,
    /// Below which `proc/meminfo` is read.
    pub root: &'a Path,
    /// Whether nobody wants its result any more.
    pub called_off: &'a dyn Fn() -> bool,
}

/// Runs a child to its end; `told` gets each of its lines but the last word.
///
/// # Errors
/// [`Stopped`]: it could not be started, crashed, gave up, was ended, or ended without a last word.
pub fn run(call: &Call<'_>, limits: &Limits<'_>, mut told: impl FnMut(Told)) -> Result<(), Stopped> {
    let name = call.name;
    let mut child = Reaped(start(call)?);
    yield_to_others(child.0.id());
    // After that: a child reads its job first, and so is never the wrong one to die.
    if let Some(mut input) = child.0.stdin.take() {
        // One that has ended already is told of below.
        let _ = input.write_all(&call.input);
    }
    let lines = lines(&mut child.0);
    let begun = Instant::now();
    let mut last = None;
    let mut hear = |line: Told| match line {
        Told::Done | Told::Failed(_) => last = Some(line),
        other => told(other),
    };
    let status = loop {
        match lines.recv_timeout(TICK) {
            Ok(line) => hear(line),
            Err(RecvTimeoutError::Timeout) => {}
            // It has closed its output: it ends, or stays without a word.
            Err(RecvTimeoutError::Disconnected) => std::thread::park_timeout(TICK / 10),
        }
        let seen = child.0.try_wait().map_err(|error| format!("{name} cannot be waited for: {error}"))?;
        if let Some(status) = seen {
            break status;
        }
        over(name, limits, begun)?;
    };
    while let Ok(line) = lines.recv_timeout(TICK) {
        hear(line);
    }
    match last {
        Some(Told::Failed(why)) => Err(why.into()),
        Some(Told::Done) if status.success() => Ok(()),
        _ => Err(ended(name, status).into()),
    }
}

/// A child that is ended and waited for whatever happens.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // One that has been waited for already is left alone by both.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(call: &Call<'_>) -> Result<Child, Stopped> {
    let name = call.name;
    let own = || std::env::current_exe().map_err(|error| format!("the path of this program is not known: {error}"));
    let program = call.program.map_or_else(own, |program| Ok(PathBuf::from(program)))?;
    let mut command = Command::new(&program);
    command.args(&call.arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let child = command.spawn();
    Ok(child.map_err(|error| format!("{name} cannot be started from {}: {error}", program.display()))?)
}

/// The lines of a child, read on a thread of their own, which ends when the last who could write has gone.
fn lines(child: &mut Child) -> mpsc::Receiver<Told> {
    let (send, receive) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Libraries print what they like.
                let Ok(told) = serde_json::from_str(&line) else {
                    tracing::debug!(line, "the child says");
                    continue;
                };
                // The parent that has ended it listens no more.
                let _ = send.send(told);
            }
        });
    }
    receive
}

/// Lets everybody else go first: memory, processor, disk. What the system refuses of it is no reason not to go on.
fn yield_to_others(child: u32) {
    let _ = std::fs::write(format!("/proc/{child}/oom_score_adj"), "1000");
    let pid = i32::try_from(child).ok().and_then(rustix::process::Pid::from_raw);
    let _ = rustix::process::setpriority_process(pid, 15);
    idle_io(child);
}

/// The idle class of the disk's scheduler (Linux, `Documentation/block/ioprio.rst`).
#[expect(unsafe_code, reason = "the C library has no function for it")]
fn idle_io(child: u32) {
    const WHO_PROCESS: libc::c_long = 1;
    const IDLE: libc::c_long = 3 << 13;
    // SAFETY: the call takes three numbers.
    unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, libc::c_long::from(child), IDLE) };
}

/// Whether a limit is reached; the child is ended when its owner goes.
fn over(name: &str, limits: &Limits<'_>, begun: Instant) -> Result<(), Stopped> {
    if (limits.called_off)() {
        return Err(Stopped { why: format!("{name} was called off"), called_off: true });
    }
    if begun.elapsed() > limits.time {
        return Err(format!("{name} was ended: it took longer than {} s", limits.time.as_secs()).into());
    }
    if let Some(available) = machine::available(limits.root).filter(|available| *available < limits.reserve) {
        let (mib, reserve) = (available >> 20, limits.reserve >> 20);
        return Err(
            format!("{name} was ended: {mib} MiB of memory were available, {reserve} are kept in reserve").into()
        );
    }
    Ok(())
}

/// How a child ended that said no last word.
fn ended(name: &str, status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal @ libc::SIGKILL), _) => {
            format!("{name} was killed by signal {signal}: the kernel does that when memory runs out")
        }
        (Some(signal), _) => format!("{name} was killed by signal {signal} ({})", signal_name(signal)),
        (None, Some(0)) => format!("{name} ended without saying what came of it"),
        (None, code) => format!("{name} ended with exit code {}", code.unwrap_or_default()),
    }
}

const fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGSEGV => "segmentation fault",
        libc::SIGABRT => "abort",
        libc::SIGBUS => "bus error",
        libc::SIGILL => "illegal instruction",
        libc::SIGFPE => "arithmetic error",
        libc::SIGTERM => "terminated",
        libc::SIGINT => "interrupted",
        libc::SIGXCPU => "out of processor time",
        _ => "see `man 7 signal`",
    }
}

#[cfg(test)]
mod tests;
