//! What the schedule promises, by hand and over random lines.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::flow::fakes::id;

const MS: Duration = Duration::from_millis(1);

fn at(milliseconds: u64) -> Monotonic {
    Monotonic::default() + MS * u32::try_from(milliseconds).unwrap()
}

fn rule(gap: Option<u64>) -> Rule {
    let gap = gap.map(|gap| MS * u32::try_from(gap).unwrap());
    Rule {
        on: [Answer::Reject, Answer::Undecided, Answer::None].into(),
        delay: MS * 100,
        pulse: MS * 20,
        gap,
        parts: 8,
    }
}

/// Plays a schedule to its end, waking whenever it asks to; the spans in which the line was on, in milliseconds, and what was
/// told.
fn play(schedule: &mut Schedule) -> (Vec<(u64, u64)>, Vec<Told>) {
    let (mut spans, mut since, mut told) = (Vec::new(), None, Vec::new());
    while let Some(now) = schedule.next() {
        let on = schedule.tick(now);
        told.extend(schedule.take_told());
        let now = now.as_nanos() / 1_000_000;
        match (since, on) {
            (None, true) => since = Some(now),
            (Some(start), false) => {
                spans.push((start, now));
                since = None;
            }
            _ => {}
        }
    }
    assert!(since.is_none() && schedule.is_empty(), "the line is off in the end");
    (spans, told)
}

#[test]
fn parts_that_are_not_good_are_ejected_at_their_moment() {
    let mut line = Schedule::new(rule(None));
    for (part, captured) in [("good", 0), ("bad", 30), ("open", 60), ("silent", 90)] {
        line.expect(id(part), at(captured));
    }
    line.verdict(&id("bad"), Decision::Reject, at(95));
    line.verdict(&id("good"), Decision::Pass, at(96));
    line.verdict(&id("open"), Decision::Undecided, at(97));
    let (spans, told) = play(&mut line);
    assert_eq!(spans, [(130, 150), (160, 180), (190, 210)]);
    let pulsed = |part, answer| Told::Pulsed(id(part), answer);
    let wanted = [
        pulsed("bad", Answer::Reject),
        pulsed("open", Answer::Undecided),
        Told::Unanswered(id("silent")),
        pulsed("silent", Answer::None),
    ];
    assert_eq!(told, wanted);
    line.verdict(&id("silent"), Decision::Pass, at(195));
    assert_eq!(line.take_told(), [Told::Late(id("silent"), Some(MS * 5))], "it was ejected though it was good");
    line.verdict(&id("silent"), Decision::Pass, at(196));
    assert_eq!(line.take_told(), [Told::Late(id("silent"), None)], "told once with its lateness");
}

#[test]
fn pulses_that_overlap_are_one_or_are_kept_apart() {
    let bad = |gap| {
        let mut line = Schedule::new(rule(gap));
        for (part, captured) in [("a", 0), ("b", 10), ("c", 15)] {
            line.expect(id(part), at(captured));
            line.verdict(&id(part), Decision::Reject, at(50));
        }
        let (spans, told) = play(&mut line);
        assert_eq!(told.len(), 3, "each is told: {told:?}");
        spans
    };
    assert_eq!(bad(None), [(100, 135)]);
    assert_eq!(bad(Some(5)), [(100, 120), (125, 145), (150, 170)]);
}

#[test]
fn a_moment_that_has_gone_by_is_not_made_up_for() {
    let mut line = Schedule::new(rule(None));
    line.expect(id("a"), at(0));
    line.expect(id("b"), at(15));
    line.verdict(&id("a"), Decision::Reject, at(1));
    line.verdict(&id("b"), Decision::Reject, at(1));
    assert!(line.tick(at(125)), "what is left of the second pulse is given");
    let told = line.take_told();
    assert_eq!(told, [Told::Missed(id("a"), MS * 25), Told::Pulsed(id("b"), Answer::Reject)]);
    assert_eq!(line.next(), Some(at(135)), "it ends when it would have");
    assert!(!line.tick(at(135)));
}

#[test]
fn a_pulse_that_ends_late_pushes_the_next_one_on() {
    let mut line = Schedule::new(rule(Some(5)));
    for part in ["a", "b"] {
        line.expect(id(part), at(0));
        line.verdict(&id(part), Decision::Reject, at(1));
    }
    assert!(line.tick(at(100)));
    // Switching it on took until 130: by the clock the second pulse, from 125 on, has begun.
    assert!(!line.tick(at(130)), "it is off before it is on again");
    assert_eq!(line.next(), Some(at(135)));
    assert!(line.tick(at(135)) && line.tick(at(154)) && !line.tick(at(155)));
}

#[test]
fn a_part_beyond_the_bound_is_told_and_its_verdict_is_not_late() {
    let mut line = Schedule::new(Rule { parts: 2, ..rule(None) });
    for part in ["a", "b", "c", "a"] {
        line.expect(id(part), at(0));
    }
    assert_eq!(line.take_told(), [Told::Overrun(id("c"))], "a part is expected once");
    line.verdict(&id("c"), Decision::Pass, at(1));
    assert_eq!(line.take_told(), []);
    line.verdict(&id("never seen"), Decision::Pass, at(1));
    assert_eq!(line.take_told(), [Told::Late(id("never seen"), None)]);
}

/// One part of a random line: when it is captured, and when its verdict comes and which, if one does.
fn parts() -> impl Strategy<Value = Vec<(u64, Option<(u64, Decision)>)>> {
    let decision = prop_oneof![Just(Decision::Pass), Just(Decision::Reject), Just(Decision::Undecided)];
    let part = (0_u64..2000, prop::option::weighted(0.8, (0_u64..180, decision)));
    prop::collection::vec(part, 1..40)
}

/// What happens on a line: a part is captured, or judged.
#[derive(Debug, Clone)]
enum Happens {
    Captured(PartId, u64),
    Judged(PartId, Decision),
}

/// What happens, in order of time.
fn happenings(parts: &[(u64, Option<(u64, Decision)>)]) -> Vec<(u64, Happens)> {
    let mut all = Vec::new();
    for (number, (captured, verdict)) in parts.iter().enumerate() {
        let part = id(&number.to_string());
        all.push((*captured, Happens::Captured(part.clone(), *captured)));
        all.extend(verdict.map(|(after, decision)| (captured + after, Happens::Judged(part, decision))));
    }
    all.sort_by_key(|(when, _)| *when);
    all
}

proptest! {
    #[test]
    fn every_part_is_settled_once_and_the_line_is_on_for_pulses_only(
        parts in parts(), gap in prop::option::of(0_u64..30), sleepy in prop::collection::vec(0_u64..60, 1..8),
    ) {
        let bound = 12;
        let mut line = Schedule::new(Rule { parts: bound, ..rule(gap) });
        let (mut told, mut turn, mut now, mut on_at) = (Vec::new(), 0, 0, Vec::new());
        let mut all: VecDeque<_> = happenings(&parts).into();
        // Whoever wakes the schedule may oversleep.
        while !(all.is_empty() && line.is_empty()) {
            let asked = line.next().map(|next| next.as_nanos() / 1_000_000);
            let happens = all.front().map(|(when, _)| *when);
            let late = sleepy[turn % sleepy.len()];
            turn += 1;
            let wakes = asked.map(|asked| asked + late);
            now = now.max(match (happens, wakes) {
                (Some(happens), Some(wakes)) => happens.min(wakes),
                (happens, wakes) => happens.or(wakes).unwrap(),
            });
            while let Some((_, happens)) = all.pop_front_if(|(when, _)| *when <= now) {
                match happens {
                    Happens::Captured(part, captured) => line.expect(part, at(captured)),
                    Happens::Judged(part, decision) => line.verdict(&part, decision, at(now)),
                }
            }
            let on = line.tick(at(now));
            prop_assert!(line.tickets.len() + line.spans.len() <= bound && line.gone.len() <= bound);
            told.extend(line.take_told());
            on_at.push((now, on));
        }
        prop_assert!(!on_at.last().unwrap().1, "the line is off in the end");

        let count = |test: &dyn Fn(&Told) -> Option<PartId>| {
            let all: Vec<PartId> = told.iter().filter_map(test).collect();
            let once: BTreeSet<PartId> = all.iter().cloned().collect();
            assert_eq!(all.len(), once.len(), "told once: {all:?}");
            once
        };
        let overrun = count(&|told| if let Told::Overrun(part) = told { Some(part.clone()) } else { None });
        let pulsed = count(&|told| if let Told::Pulsed(part, _) = told { Some(part.clone()) } else { None });
        let missed = count(&|told| if let Told::Missed(part, _) = told { Some(part.clone()) } else { None });
        let silent = count(&|told| if let Told::Unanswered(part) = told { Some(part.clone()) } else { None });
        let late = count(&|told| if let Told::Late(part, _) = told { Some(part.clone()) } else { None });
        for (number, (_, verdict)) in parts.iter().enumerate() {
            let part = id(&number.to_string());
            let settled = [&overrun, &pulsed, &missed].iter().filter(|set| set.contains(&part)).count();
            let good = matches!(verdict, Some((_, Decision::Pass)));
            let passed = !silent.contains(&part) && good;
            prop_assert_eq!(settled, usize::from(overrun.contains(&part) || !passed), "part {}: {:?}", number, told);
            if silent.contains(&part) {
                prop_assert_eq!(late.contains(&part), verdict.is_some(), "part {}: {:?}", number, told);
            }
        }
        // Where pulses are kept apart, each one told is an edge of its own, however late the looks.
        if gap.is_some_and(|gap| gap > 0) {
            let before = std::iter::once(false).chain(on_at.iter().map(|(_, on)| *on));
            let edges = before.zip(&on_at).filter(|(before, (_, on))| !before && *on).count();
            prop_assert_eq!(edges, pulsed.len(), "{:?}", told);
        }
        // Where pulses may be one, the line is on exactly while some part's pulse lasts, at every look.
        if gap.is_none() {
            let spans: Vec<u64> = (0..parts.len()).filter(|number| {
                let part = id(&number.to_string());
                pulsed.contains(&part) || missed.contains(&part)
            }).map(|number| parts[number].0 + 100).collect();
            for (now, on) in on_at {
                let wanted = spans.iter().any(|start| (*start..start + 20).contains(&now));
                prop_assert_eq!(on, wanted, "at {} of {:?}", now, spans);
            }
        }
    }
}
