//! Outputs: what the line does with a verdict. A pulse on a GPIO line or a Modbus coil ejects parts that are not good, and a
//! heartbeat says that Kenpin judges.
//!
//! Each output stands on a thread of its own ([`drive`]) and keeps the moment of each part by its own clock ([`schedule`]): it
//! waits for no disk, no broker and no other output. What it is told comes through a bounded queue: parts as they are let in,
//! verdicts as they are reached. A part without a verdict at its moment is treated as `none`, which ejects by default, and
//! whoever sent its trigger is told that it was missed; so is treated one whose trigger was refused. Promises: nothing is lost silently: what could not be done as wished is counted, logged and,
//! as long as a line cannot be driven, told in the status.

pub mod drive;
pub mod heart;
pub mod schedule;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::mpsc;

use crate::clock::Monotonic;
use crate::config::{self, LineAt};
use crate::flow::verdict::Decision;
use crate::flow::{PartId, Receipt};
use crate::gpio::Driven;
use crate::modbus::Server;
use crate::name::Name;
use crate::telemetry::{Event, Telemetry};
use drive::Driver;

/// Words waiting for one output: a part speaks twice, and a thousand parts are on no line at once.
const WORDS: usize = 2048;

/// A line that is driven: a GPIO line, a coil, or a fake one.
pub trait Line: Send {
    /// Switches it on or off, and comes back within a second.
    fn set(&mut self, on: bool) -> BoxFuture<'_, Result<(), String>>;
}

/// A coil of a Modbus TCP server.
struct Coil {
    server: Server,
    number: u16,
}

impl Line for Coil {
    fn set(&mut self, on: bool) -> BoxFuture<'_, Result<(), String>> {
        self.server.write_coil(self.number, on).boxed()
    }
}

impl Line for Driven {
    fn set(&mut self, on: bool) -> BoxFuture<'_, Result<(), String>> {
        // A system call that does not wait.
        std::future::ready(Self::set(self, on)).boxed()
    }
}

/// What an output is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// A part was captured then and is on its way; with the receipt of its trigger.
    Expect(PartId, Monotonic, Option<Receipt>),
    /// A part was captured then, is on its way, and will have no verdict: it was turned away.
    GoesBy(PartId, Monotonic),
    /// A part has its verdict.
    Verdict(PartId, Decision),
    /// The road lives.
    Alive,
}

/// The outputs that cannot be driven now, with the reason.
pub type Troubles = Arc<Mutex<BTreeMap<Name, String>>>;

/// The outputs at work.
#[derive(Debug, Default)]
pub struct Outputs {
    all: Vec<Output>,
    telemetry: Telemetry,
    troubles: Troubles,
}

/// One output at work.
#[derive(Debug)]
struct Output {
    name: Name,
    words: mpsc::Sender<Word>,
    thread: JoinHandle<()>,
}

impl Outputs {
    /// Takes every line and starts its thread. A GPIO line must be there; a Modbus server may come later.
    ///
    /// # Errors
    /// One sentence naming the output and what could not be had.
    pub fn open(settings: &BTreeMap<Name, config::Output>, telemetry: &Telemetry) -> Result<Self, String> {
        let mut outputs = Self { telemetry: telemetry.clone(), ..Self::default() };
        for (name, output) in settings {
            let named = |why: String| format!("output {name}: {why}");
            let line = line(name, &output.line).map_err(named)?;
            outputs.start(name, output.work.clone(), line).map_err(named)?;
        }
        Ok(outputs)
    }

    /// Starts one output on a line that is there.
    ///
    /// # Errors
    /// What the system said when its thread could not be started.
    pub fn start(&mut self, name: &Name, work: config::Work, line: Box<dyn Line>) -> Result<(), String> {
        let (words, heard) = mpsc::channel(WORDS);
        let (telemetry, troubles) = (self.telemetry.clone(), Arc::clone(&self.troubles));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let called = name.clone();
        let run = move || {
            let _inside = runtime.enter();
            let driver = Driver::new(called, work, line, telemetry, troubles, FINE);
            runtime.block_on(driver.run(heard));
        };
        let thread = std::thread::Builder::new().name(format!("output-{name}")).spawn(run);
        let thread = thread.map_err(|error| error.to_string())?;
        self.all.push(Output { name: name.clone(), words, thread });
        Ok(())
    }

    /// A part was captured then, its moment comes, and a verdict is owed: also to whoever sent the trigger of this `receipt`.
    pub fn expect(&self, part: &PartId, captured: Monotonic, receipt: Option<&Receipt>) {
        self.say(|| Word::Expect(part.clone(), captured, receipt.cloned()));
    }

    /// A part that was captured then is on its way and will have no verdict.
    pub fn goes_by(&self, part: &PartId, captured: Monotonic) {
        self.say(|| Word::GoesBy(part.clone(), captured));
    }

    /// A part has its verdict.
    pub fn verdict(&self, part: &PartId, decision: Decision) {
        self.say(|| Word::Verdict(part.clone(), decision));
    }

    /// The road lives; said at least once a second.
    pub fn alive(&self) {
        self.say(|| Word::Alive);
    }

    /// The outputs that cannot be driven now, with the reason.
    #[must_use]
    pub fn troubles(&self) -> BTreeMap<Name, String> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets every output finish the parts that are on their way, switches it off, and waits for that.
    pub fn close(self) {
        let threads = self.all.into_iter().map(|Output { name, words, thread }| {
            drop(words);
            (name, thread)
        });
        // All are told to end before the first is waited for.
        for (name, thread) in threads.collect::<Vec<_>>() {
            if thread.join().is_err() {
                tracing::error!("output {name}: its thread panicked");
            }
        }
    }

    /// Never waits: an output that cannot follow is told of.
    fn say(&self, word: impl Fn() -> Word) {
        for output in &self.all {
            if let Err(mpsc::error::TrySendError::Full(word)) = output.words.try_send(word()) {
                let detail = format_args!("output {}: {WORDS} words wait: {word:?} is lost on it", output.name);
                self.telemetry.tell(Event::OutputOverrun, detail);
            }
        }
    }
}

/// Takes a line.
fn line(name: &Name, at: &LineAt) -> Result<Box<dyn Line>, String> {
    Ok(match at {
        LineAt::Gpio { chip, line, active_low } => {
            Box::new(Driven::open(chip, *line, *active_low, &format!("kenpin-{name}"))?)
        }
        LineAt::Modbus { address, unit, coil } => {
            Box::new(Coil { server: Server::new(address.clone(), *unit), number: *coil })
        }
    })
}

/// How long before a moment the thread of an output is woken: two of the milliseconds that its timers count in.
const FINE: Duration = Duration::from_millis(2);

/// How long after a failed attempt a line is tried again.
const AGAIN: Duration = Duration::from_millis(100);
