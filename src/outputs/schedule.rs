//! When a line is on: each part's moment, and what is done when it has come. Pure: time is handed in.
//!
//! A part's moment is its capture plus the delay. What is known of it then decides: its verdict, or that there is none. A verdict
//! that comes later changes nothing, for by then another part lies before the ejector; it is told. Promises: every part that
//! was expected is pulsed, passed by or told of ([`Told`]), exactly once; the line is never on outside of pulses; where pulses
//! are kept apart, each one told is an edge of its own, however late it is looked; what is remembered is bounded by
//! [`Rule::parts`].

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::clock::Monotonic;
use crate::config::{Answer, Pulse as Rule};
use crate::flow::PartId;
use crate::flow::verdict::Decision;

/// What a person should know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A pulse was given for this part, on this answer.
    Pulsed(PartId, Answer),
    /// The part's moment came and it had no verdict.
    Unanswered(PartId),
    /// Its verdict came too late by so much; `None` when that is not remembered any more.
    Late(PartId, Option<Duration>),
    /// Its pulse was due so long ago that it would have hit another part: it was not given.
    Missed(PartId, Duration),
    /// There were too many parts between camera and output: this one is not looked after.
    Overrun(PartId),
}

/// A part on its way to the output.
#[derive(Debug, Clone, Copy)]
struct Ticket {
    due: Monotonic,
    answer: Option<Decision>,
}

/// A pulse.
#[derive(Debug, Clone)]
struct Span {
    start: Monotonic,
    end: Monotonic,
    part: PartId,
    answer: Answer,
    begun: bool,
}

/// What became of a part that went by without a verdict.
#[derive(Debug, Clone, Copy)]
enum Gone {
    /// Its moment was then.
    Due(Monotonic),
    /// It was not looked after, and that is told already.
    Refused,
}

/// The parts between the camera and one output, and the pulses to come.
#[derive(Debug)]
pub struct Schedule {
    rule: Rule,
    tickets: BTreeMap<PartId, Ticket>,
    spans: VecDeque<Span>,
    /// When the last pulse ends, where they are kept apart.
    busy_until: Option<Monotonic>,
    /// The newest parts that went by without a verdict.
    gone: VecDeque<(PartId, Gone)>,
    told: Vec<Told>,
}

impl Schedule {
    /// An output without parts.
    #[must_use]
    pub fn new(rule: Rule) -> Self {
        let (tickets, spans, gone) = (BTreeMap::new(), VecDeque::new(), VecDeque::new());
        Self { rule, tickets, spans, busy_until: None, gone, told: Vec::new() }
    }

    /// A part that was captured then is on its way.
    pub fn expect(&mut self, part: PartId, captured: Monotonic) {
        if self.tickets.contains_key(&part) {
            return;
        }
        if self.tickets.len() + self.spans.len() >= self.rule.parts {
            self.forget(part.clone(), Gone::Refused);
            self.told.push(Told::Overrun(part));
            return;
        }
        self.tickets.insert(part, Ticket { due: captured + self.rule.delay, answer: None });
    }

    /// A part has its verdict.
    pub fn verdict(&mut self, part: &PartId, decision: Decision, now: Monotonic) {
        if let Some(ticket) = self.tickets.get_mut(part) {
            ticket.answer = Some(decision);
            return;
        }
        let place = self.gone.iter().position(|(gone, _)| gone == part);
        match place.and_then(|place| self.gone.remove(place)) {
            Some((_, Gone::Refused)) => {}
            Some((_, Gone::Due(due))) => self.told.push(Told::Late(part.clone(), Some(now.since(due)))),
            None => self.told.push(Told::Late(part.clone(), None)),
        }
    }

    /// Settles every part whose moment has come; whether the line is to be on now.
    pub fn tick(&mut self, now: Monotonic) -> bool {
        let mut due: Vec<(Monotonic, PartId)> =
            self.tickets.iter().filter(|(_, it)| it.due <= now).map(|(part, it)| (it.due, part.clone())).collect();
        due.sort();
        for (due, part) in due {
            self.settle(part, due);
        }
        self.rest(now);
        for span in &mut self.spans {
            if !span.begun && span.start <= now {
                span.begun = true;
                let part = span.part.clone();
                let by = now.since(span.start);
                self.told.push(if now < span.end { Told::Pulsed(part, span.answer) } else { Told::Missed(part, by) });
            }
        }
        self.spans.retain(|span| span.end > now);
        self.spans.iter().any(|span| span.start <= now)
    }

    /// The next point in time at which [`Self::tick`] has something to do.
    #[must_use]
    pub fn next(&self) -> Option<Monotonic> {
        let edges = self.spans.iter().flat_map(|span| [(!span.begun).then_some(span.start), Some(span.end)]);
        self.tickets.values().map(|ticket| ticket.due).chain(edges.flatten()).min()
    }

    /// Whether this part's moment is still to come.
    #[must_use]
    pub fn awaits(&self, part: &PartId) -> bool {
        self.tickets.contains_key(part)
    }

    /// Whether no part is on its way and no pulse to come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tickets.is_empty() && self.spans.is_empty()
    }

    /// Takes what a person should know of, in the order in which it happened.
    pub fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    fn settle(&mut self, part: PartId, due: Monotonic) {
        let Some(ticket) = self.tickets.remove(&part) else { return };
        let answer = match ticket.answer {
            Some(Decision::Pass) => Answer::Pass,
            Some(Decision::Reject) => Answer::Reject,
            Some(Decision::Undecided) => Answer::Undecided,
            None => {
                self.told.push(Told::Unanswered(part.clone()));
                self.forget(part.clone(), Gone::Due(due));
                Answer::None
            }
        };
        if self.rule.on.contains(&answer) {
            self.pulse(part, answer, due);
        }
    }

    /// Where pulses are kept apart and one has just ended, perhaps later than it should have: those behind it wait until the line
    /// has been off for the gap.
    fn rest(&mut self, now: Monotonic) {
        let Some(gap) = self.rule.gap else { return };
        let Some(ended) = self.spans.pop_front_if(|span| span.begun && span.end <= now) else { return };
        let mut from = now + gap;
        for span in &mut self.spans {
            span.start = span.start.max(from);
            span.end = span.start + self.rule.pulse;
            from = span.end + gap;
        }
        self.busy_until = Some(self.spans.back().map_or(ended.end.max(now), |last| last.end));
    }

    /// Queues a pulse: at its moment, or where pulses are kept apart so long after the one before it.
    fn pulse(&mut self, part: PartId, answer: Answer, due: Monotonic) {
        let after = self.busy_until.zip(self.rule.gap).map(|(until, gap)| until + gap);
        let start = after.map_or(due, |after| after.max(due));
        let end = start + self.rule.pulse;
        self.busy_until = Some(end);
        self.spans.push_back(Span { start, end, part, answer, begun: false });
    }

    fn forget(&mut self, part: PartId, gone: Gone) {
        if self.gone.len() >= self.rule.parts {
            self.gone.pop_front();
        }
        self.gone.push_back((part, gone));
    }
}

#[cfg(test)]
mod tests;
