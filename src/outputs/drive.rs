//! The loop of one output: hears words, sleeps until the next moment, drives the line.
//!
//! Runs on whatever runtime it is put on: the daemon gives each output a thread and a runtime of its own, a test one whose clock
//! it holds. A line that cannot be driven is tried again ten times a second for as long as it should be in another state, and a
//! line whose state is not known is set anew; what was missed meanwhile is told, not made up for.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::mpsc;

use super::heart::Heart;
use super::schedule::{Schedule, Told};
use super::{AGAIN, Line, Troubles, Word};
use crate::clock::{Monotonic, Timers, milliseconds};
use crate::config;
use crate::flow::{PartId, Receipt};
use crate::name::Name;
use crate::telemetry::{Event, Telemetry};

/// How long parts that are on their way are waited for at the end: below the deadline of a stage of the road.
const LEAVE: Duration = Duration::from_secs(15);

/// How often switching off is tried at the end.
const LAST_TRIES: usize = 20;

/// What an output does.
#[derive(Debug)]
enum Work {
    Pulses(Schedule),
    Heart(Heart),
}

/// One output.
pub struct Driver {
    name: Name,
    work: Work,
    line: Box<dyn Line>,
    telemetry: Telemetry,
    troubles: Troubles,
    clock: Timers,
    /// What the line was set to last; `None` when that is not known.
    is: Option<bool>,
    /// When a line that could not be driven is tried again.
    again: Option<Monotonic>,
    /// Whether a heartbeat that stopped was told of.
    stopped: bool,
    /// The receipts of the parts whose moment is to come.
    receipts: BTreeMap<PartId, Receipt>,
    fine: Duration,
}

impl Driver {
    /// An output that begins now, inside a tokio runtime. Where it has a thread of its own, it may block that for the last
    /// `fine` before each moment; elsewhere that is zero, and moments are met to the millisecond.
    #[must_use]
    pub fn new(
        name: Name,
        work: config::Work,
        line: Box<dyn Line>,
        telemetry: Telemetry,
        troubles: Troubles,
        fine: Duration,
    ) -> Self {
        let clock = Timers::start();
        let work = match work {
            config::Work::Pulse(rule) => Work::Pulses(Schedule::new(rule)),
            config::Work::Heartbeat { half, stall } => Work::Heart(Heart::new(half, stall, clock.now())),
        };
        let (is, again, receipts) = (None, None, BTreeMap::new());
        Self { name, work, line, telemetry, troubles, clock, is, again, stopped: false, receipts, fine }
    }

    /// Runs until nobody speaks any more and the last part has gone by; then the line is off.
    pub async fn run(mut self, mut words: mpsc::Receiver<Word>) {
        self.drive(false).await;
        let (mut listening, mut leave) = (true, None);
        while listening || self.has_more(leave) {
            let next = [self.next(), self.again, leave].into_iter().flatten().min();
            tokio::select! {
                biased;
                word = words.recv(), if listening => if let Some(word) = word {
                    self.hear(word);
                } else {
                    (listening, leave) = (false, Some(self.clock.now() + LEAVE));
                },
                // The timers count whole milliseconds: the rest is slept through by the thread, which has nothing else to do.
                () = self.clock.sleep_until(next.map(|next| next - self.fine)) => {
                    std::thread::sleep(next.map_or(Duration::ZERO, |next| next.since(self.clock.now())));
                }
            }
            // Whatever was said before the moment counts for it.
            while let Ok(word) = words.try_recv() {
                self.hear(word);
            }
            let on = self.tick();
            self.drive(on).await;
        }
        self.leave_off().await;
    }

    /// Switches the line off for the last time, and tries again for a while where that fails.
    async fn leave_off(&mut self) {
        for _ in 0..LAST_TRIES {
            self.again = None;
            self.drive(false).await;
            if self.is == Some(false) {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
        tracing::error!("output {}: it could not be switched off", self.name);
    }

    /// A heartbeat without anybody who speaks ends; parts that are on their way are seen to their end, but not for ever.
    fn has_more(&self, leave: Option<Monotonic>) -> bool {
        match &self.work {
            Work::Pulses(schedule) if schedule.is_empty() => false,
            Work::Pulses(_) if leave.is_some_and(|leave| self.clock.now() >= leave) => {
                tracing::error!("output {}: stopping, with parts still on their way", self.name);
                false
            }
            Work::Pulses(_) => true,
            Work::Heart(_) => false,
        }
    }

    fn next(&self) -> Option<Monotonic> {
        match &self.work {
            Work::Pulses(schedule) => schedule.next(),
            Work::Heart(heart) => Some(heart.next()),
        }
    }

    fn hear(&mut self, word: Word) {
        let now = self.clock.now();
        match (&mut self.work, word) {
            (Work::Pulses(schedule), Word::Expect(part, captured, receipt)) => {
                self.receipts.extend(receipt.map(|receipt| (part.clone(), receipt)));
                schedule.expect(part, captured);
            }
            (Work::Pulses(schedule), Word::GoesBy(part, captured)) => schedule.expect(part, captured),
            (Work::Pulses(schedule), Word::Verdict(part, decision)) => schedule.verdict(&part, decision, now),
            (Work::Pulses(_), Word::Alive) => {}
            (Work::Heart(heart), Word::Expect(part, ..)) => heart.expect(part, now),
            (Work::Heart(heart), Word::Verdict(part, _)) => heart.verdict(&part, now),
            (Work::Heart(heart), Word::Alive | Word::GoesBy(..)) => heart.spoke(now),
        }
    }

    /// Whether the line is to be on now.
    fn tick(&mut self) -> bool {
        let now = self.clock.now();
        match &mut self.work {
            Work::Pulses(schedule) => {
                let on = schedule.tick(now);
                for told in schedule.take_told() {
                    tell(&self.telemetry, &self.name, &told);
                    if let Told::Unanswered(part) = &told
                        && let Some(receipt) = self.receipts.get(part)
                    {
                        receipt.miss(format_args!("no verdict in time for output {}", self.name));
                    }
                }
                self.receipts.retain(|part, _| schedule.awaits(part));
                on
            }
            Work::Heart(heart) => {
                let level = heart.tick(now);
                let stopped = heart.stopped();
                if let Some(why) = stopped.filter(|_| !self.stopped) {
                    self.telemetry.tell(Event::HeartbeatStopped, format_args!("output {}: {why}", self.name));
                }
                self.stopped = stopped.is_some();
                level
            }
        }
    }

    /// Switches the line where it is not what it should be; one that failed is not asked again too soon.
    async fn drive(&mut self, on: bool) {
        let now = self.clock.now();
        if self.is == Some(on) || self.again.is_some_and(|again| now < again) {
            return;
        }
        match self.line.set(on).await {
            Ok(()) => {
                self.is = Some(on);
                if self.again.take().is_some() {
                    tracing::info!("output {}: it can be driven again", self.name);
                    self.troubles.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
                }
            }
            Err(why) => {
                if self.again.is_none() {
                    self.telemetry.tell(Event::OutputFailed, format_args!("output {}: {why}", self.name));
                }
                self.is = None;
                self.again = Some(self.clock.now() + AGAIN);
                self.troubles.lock().unwrap_or_else(PoisonError::into_inner).insert(self.name.clone(), why);
            }
        }
    }
}

fn tell(telemetry: &Telemetry, name: &Name, told: &Told) {
    match told {
        Told::Pulsed(part, answer) => {
            let answer = answer.as_str();
            telemetry.tell(Event::OutputPulsed, format_args!("output {name}: part {part}, on {answer}"));
        }
        Told::Unanswered(part) => {
            telemetry.tell(Event::OutputUnanswered, format_args!("output {name}: part {part} had no verdict in time"));
        }
        Told::Late(part, Some(by)) => {
            let by = milliseconds(*by);
            let detail = format_args!("output {name}: the verdict on part {part} came {by:.1} ms too late");
            telemetry.tell(Event::OutputLate, detail);
        }
        Told::Late(part, None) => {
            telemetry.tell(Event::OutputLate, format_args!("output {name}: part {part} had gone by long before"));
        }
        Told::Missed(part, by) => {
            let by = milliseconds(*by);
            let detail =
                format_args!("output {name}: the pulse for part {part} was due {by:.1} ms ago and is not given");
            telemetry.tell(Event::OutputMissed, detail);
        }
        Told::Overrun(part) => {
            let detail =
                format_args!("output {name}: too many parts are on their way: part {part} is not looked after");
            telemetry.tell(Event::OutputOverrun, detail);
        }
    }
}

#[cfg(test)]
mod tests;
