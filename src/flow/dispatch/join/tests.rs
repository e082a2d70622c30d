//! Joining by example, each outcome of the table once, and its promises for any order and any flood.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::flow::fakes::{at, frame, id, name, reading};

const WINDOW: u64 = 100;

fn names(of: &[&str]) -> BTreeSet<Name> {
    of.iter().copied().map(name).collect()
}

fn rules(open_parts: usize, waiting_readings: usize) -> config::Join {
    let (window, keep_readings) = (Duration::from_millis(WINDOW), Duration::from_millis(5 * WINDOW));
    config::Join { window, keep_readings, waiting_readings, open_parts }
}

fn joiner(cameras: &[&str], sensors: &[&str]) -> Joiner {
    Joiner::new(rules(8, 16), names(cameras), names(sensors))
}

fn told(joiner: &mut Joiner) -> Vec<Event> {
    joiner.take_told().into_iter().map(|(event, _)| event).collect()
}

/// A part in short: `id: cameras | sensors | notes`.
fn short(part: &Joined) -> String {
    let cameras: Vec<_> = part.frames.iter().map(|frame| frame.camera.as_str()).collect();
    let sensors: Vec<_> = part.readings.iter().map(|reading| reading.sensor.as_str()).collect();
    let notes: Vec<_> = part
        .notes
        .iter()
        .map(|note| match note {
            Note::MissingFrame { camera } => format!("no frame of {camera}"),
            Note::MissingReading { sensor } => format!("no reading of {sensor}"),
            Note::DuplicateFrame { camera } => format!("two frames of {camera}"),
            Note::DuplicateReading { sensor } => format!("two readings of {sensor}"),
            Note::UnusableRecipe { seen } => format!("no recipe {seen}"),
        })
        .collect();
    format!("{}: {} | {} | {}", part.id, cameras.join(" "), sensors.join(" "), notes.join(", "))
}

fn shorts(parts: &[Joined]) -> Vec<String> {
    parts.iter().map(short).collect()
}

#[test]
fn a_part_closes_with_its_last_expected_piece() {
    let mut joiner = joiner(&["side", "top"], &["scale"]);
    assert!(joiner.reading(reading("scale", Some("a"), at(0)), at(0)).is_empty());
    assert!(joiner.frame(frame("top", Some("a"), at(30)), at(1)).is_empty());
    let parts = joiner.frame(frame("side", Some("a"), at(20)), at(2));
    assert_eq!(shorts(&parts), ["a: side top | scale | "]);
    assert_eq!((parts[0].captured, parts[0].closed, parts[0].triggered), (at(20), at(2), false));
    assert_eq!((joiner.next_deadline(), told(&mut joiner)), (None, vec![]));
}

#[test]
fn what_is_missing_after_the_window_is_noted() {
    let mut joiner = joiner(&["side", "top"], &["scale", "type"]);
    joiner.frame(frame("top", Some("a"), at(0)), at(7));
    joiner.reading(reading("type", Some("a"), at(0)), at(8));
    assert_eq!(joiner.next_deadline(), Some(at(7 + WINDOW)), "the window runs from the opening");
    assert!(joiner.tick(at(6 + WINDOW)).is_empty());
    let parts = joiner.tick(at(7 + WINDOW));
    assert_eq!(shorts(&parts), ["a: top | type | no frame of side, no reading of scale"]);
}

#[test]
fn a_second_piece_is_noted_once_and_counted_each_time() {
    let mut joiner = joiner(&["side", "top"], &["scale"]);
    let first = frame("top", Some("a"), at(0));
    joiner.frame(Arc::clone(&first), at(0));
    for _ in 0..2 {
        joiner.frame(frame("top", Some("a"), at(1)), at(1));
        joiner.reading(reading("scale", Some("a"), at(1)), at(1));
    }
    let parts = joiner.frame(frame("side", Some("a"), at(2)), at(2));
    assert_eq!(shorts(&parts), ["a: side top | scale | two frames of top, two readings of scale"]);
    assert!(Arc::ptr_eq(&parts[0].frames[1], &first), "the first is kept");
    assert_eq!(told(&mut joiner), [Event::FrameDuplicate, Event::FrameDuplicate, Event::ReadingDuplicate]);
}

#[test]
fn what_comes_after_the_close_is_counted_by_what_it_is() {
    let mut joiner = joiner(&["side", "top"], &[]);
    joiner.frame(frame("top", Some("a"), at(0)), at(0));
    assert_eq!(joiner.tick(at(WINDOW)).len(), 1);
    for late in [frame("side", Some("a"), at(0)), frame("top", Some("a"), at(0))] {
        assert!(!joiner.would_open(&late));
        assert!(joiner.frame(late, at(WINDOW)).is_empty());
    }
    assert!(joiner.reading(reading("scale", Some("a"), at(0)), at(WINDOW)).is_empty());
    assert_eq!(told(&mut joiner), [Event::FrameLate, Event::PartDuplicate, Event::ReadingLate]);
    assert!(!joiner.has_open());
}

#[test]
fn a_reading_nobody_comes_for_is_counted() {
    let mut joiner = joiner(&["top"], &[]);
    joiner.reading(reading("scale", Some("a"), at(0)), at(0));
    joiner.reading(reading("scale", None, at(0)), at(0));
    assert_eq!(joiner.next_deadline(), Some(at(WINDOW)));
    joiner.tick(at(WINDOW));
    assert_eq!(told(&mut joiner), [Event::ReadingUnclaimed], "without a part it waits for one window");
    assert_eq!(joiner.next_deadline(), Some(at(5 * WINDOW)), "with a part it waits for keep_readings");
    joiner.tick(at(5 * WINDOW));
    assert_eq!((told(&mut joiner), joiner.next_deadline()), (vec![Event::ReadingUnclaimed], None));
}

#[test]
fn pieces_without_id_go_to_the_nearest_part_that_lacks_them() {
    let mut joiner = joiner(&["side", "top"], &["scale"]);
    joiner.frame(frame("top", None, at(0)), at(0));
    joiner.reading(reading("scale", None, at(70)), at(0));
    joiner.frame(frame("top", None, at(80)), at(0));
    joiner.reading(reading("scale", None, at(10)), at(0));
    assert!(joiner.frame(frame("top", None, at(300)), at(0)).is_empty(), "three parts are open");
    let second = joiner.frame(frame("side", None, at(75)), at(0));
    assert_eq!(second[0].readings[0].captured, at(70), "taken from the part it was promised to first");
    let first = joiner.frame(frame("side", None, at(5)), at(0));
    assert_eq!((first[0].captured, first[0].readings[0].captured), (at(0), at(10)));
    assert_ne!(first[0].id, second[0].id);
    let third = joiner.finish(at(0));
    assert_eq!(third[0].notes.len(), 2);
}

#[test]
fn a_trigger_opens_its_part_and_awaits_its_camera() {
    let mut joiner = joiner(&[], &["scale"]);
    assert!(joiner.trigger(id("a"), true, names(&["top"]), at(0), at(0)).is_empty());
    assert!(joiner.reading(reading("scale", Some("a"), at(0)), at(0)).is_empty());
    let parts = joiner.frame(frame("top", Some("a"), at(9)), at(9));
    assert_eq!(shorts(&parts), ["a: top | scale | "]);
    assert!(parts[0].triggered && parts[0].id_given);
    joiner.trigger(id("b"), false, names(&["top"]), at(20), at(20));
    let parts = joiner.tick(at(20 + WINDOW));
    assert_eq!(shorts(&parts), ["b:  |  | no frame of top, no reading of scale"]);
    assert_eq!(parts[0].captured, at(20));
    assert!(!parts[0].id_given);
}

#[test]
fn only_the_clock_closes_what_is_due_and_drops_what_is_over() {
    let mut joiner = joiner(&["back", "side", "top"], &["scale"]);
    joiner.reading(reading("scale", Some("b"), at(0)), at(0));
    joiner.frame(frame("top", Some("a"), at(0)), at(0));
    joiner.frame(frame("top", Some("c"), at(0)), at(0));
    let late = at(9 * WINDOW);
    assert!(joiner.frame(frame("side", Some("a"), at(1)), late).is_empty());
    assert!(joiner.reading(reading("scale", Some("a"), at(1)), late).is_empty());
    let complete = joiner.frame(frame("back", Some("a"), at(1)), late);
    assert_eq!(shorts(&complete), ["a: back side top | scale | "]);
    assert!(joiner.frame(frame("top", Some("b"), at(1)), late).is_empty(), "its reading has not been dropped");
    assert_eq!(told(&mut joiner), []);
    assert_eq!(shorts(&joiner.tick(late)), ["c: top |  | no frame of back, no frame of side, no reading of scale"]);
}

#[test]
fn a_promised_reading_outlives_its_own_time_without_a_deadline() {
    let mut joiner = joiner(&["side", "top"], &["scale"]);
    joiner.reading(reading("scale", None, at(0)), at(0));
    joiner.frame(frame("top", None, at(90)), at(90));
    assert!(joiner.tick(at(WINDOW)).is_empty());
    assert_eq!(joiner.next_deadline(), Some(at(90 + WINDOW)));
    joiner.reading(reading("scale", None, at(80)), at(WINDOW));
    assert_eq!(joiner.next_deadline(), Some(at(WINDOW)), "a nearer one has taken its place");
    joiner.tick(at(WINDOW));
    assert_eq!(told(&mut joiner), [Event::ReadingUnclaimed]);
    assert_eq!(joiner.tick(at(90 + WINDOW))[0].readings[0].captured, at(80));
}

#[test]
fn one_part_too_many_closes_the_oldest() {
    let mut joiner = Joiner::new(rules(2, 16), names(&["side", "top"]), names(&[]));
    for part in ["a", "b"] {
        assert!(joiner.frame(frame("top", Some(part), at(0)), at(0)).is_empty());
    }
    let next = frame("top", Some("c"), at(0));
    assert!(joiner.is_full() && joiner.would_open(&next) && !joiner.would_open(&frame("side", Some("b"), at(0))));
    assert_eq!(shorts(&joiner.frame(next, at(0))), ["a: top |  | no frame of side"]);
    assert_eq!(shorts(&joiner.finish(at(0))), ["b: top |  | no frame of side", "c: top |  | no frame of side"]);
}

/// One piece on its way.
#[derive(Debug, Clone)]
enum Piece {
    Frame(Arc<Frame>),
    Reading(Reading),
}

impl Piece {
    fn give(self, joiner: &mut Joiner, now: Monotonic) -> Vec<Joined> {
        match self {
            Self::Frame(frame) => joiner.frame(frame, now),
            Self::Reading(reading) => joiner.reading(reading, now),
        }
    }
}

const CAMERAS: [&str; 2] = ["side", "top"];
const SENSORS: [&str; 2] = ["scale", "type"];

/// For each of up to six parts: which of the two cameras and two sensors give something, and how far off centre.
fn any_lots() -> impl Strategy<Value = Vec<[Option<u64>; 4]>> {
    proptest::collection::vec(proptest::array::uniform4(proptest::option::weighted(0.8, 0..WINDOW)), 1..6)
}

/// The pieces of those parts, far enough apart that time alone tells them apart.
fn pieces(lots: &[[Option<u64>; 4]], with_ids: bool) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (index, lot) in lots.iter().enumerate() {
        let text = format!("p{index}");
        let part = with_ids.then_some(text.as_str());
        let when = |offset: u64| at(index as u64 * 3 * WINDOW + offset);
        for (camera, offset) in CAMERAS.iter().zip(&lot[..2]) {
            pieces.extend(offset.map(|offset| Piece::Frame(frame(camera, part, when(offset)))));
        }
        for (sensor, offset) in SENSORS.iter().zip(&lot[2..]) {
            pieces.extend(offset.map(|offset| Piece::Reading(reading(sensor, part, when(offset)))));
        }
    }
    pieces
}

/// What those parts must become, by lot: the cameras, sensors and notes; lots without a frame become nothing.
fn wanted(lots: &[[Option<u64>; 4]]) -> Vec<String> {
    let pick = |all: [&str; 2], lot: &[Option<u64>], there: bool| -> Vec<String> {
        all.iter().zip(lot).filter(|(_, piece)| piece.is_some() == there).map(|(name, _)| (*name).to_owned()).collect()
    };
    let mut wanted = Vec::new();
    for (index, lot) in lots.iter().enumerate().filter(|(_, lot)| lot[0].is_some() || lot[1].is_some()) {
        let no_frame = pick(CAMERAS, &lot[..2], false).into_iter().map(|camera| format!("no frame of {camera}"));
        let no_reading = pick(SENSORS, &lot[2..], false).into_iter().map(|sensor| format!("no reading of {sensor}"));
        let notes: Vec<_> = no_frame.chain(no_reading).collect();
        let (cameras, sensors) = (pick(CAMERAS, &lot[..2], true), pick(SENSORS, &lot[2..], true));
        wanted.push(format!("p{index}: {} | {} | {}", cameras.join(" "), sensors.join(" "), notes.join(", ")));
    }
    wanted.sort();
    wanted
}

/// The lot that a part without id came from, by its capture time.
fn with_lot(part: &Joined) -> String {
    let lot = (part.captured.as_nanos() - at(0).as_nanos()) / (3_000_000 * WINDOW);
    let text = short(part);
    format!("p{lot}{}", &text[text.find(':').unwrap()..])
}

/// Lots and an order in which their pieces arrive.
fn any_arrival() -> impl Strategy<Value = (Vec<[Option<u64>; 4]>, Vec<Piece>, bool)> {
    (any_lots(), any::<bool>()).prop_flat_map(|(lots, with_ids)| {
        let pieces = pieces(&lots, with_ids);
        (Just(lots), Just(pieces).prop_shuffle(), Just(with_ids))
    })
}

/// One step of a flood: anything, at any time, for few parts.
#[derive(Debug, Clone)]
enum Step {
    Piece(Piece),
    Trigger(PartId),
    Wait(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let part = || proptest::option::weighted(0.6, proptest::sample::select(vec!["a", "b", "c", "d"]));
    let camera = proptest::sample::select(vec!["side", "top", "extra"]);
    let sensor = proptest::sample::select(vec!["scale", "type", "extra"]);
    let time = || 0..8 * WINDOW;
    prop_oneof![
        4 => (camera, part(), time()).prop_map(|(c, p, t)| Step::Piece(Piece::Frame(frame(c, p, at(t))))),
        4 => (sensor, part(), time()).prop_map(|(s, p, t)| Step::Piece(Piece::Reading(reading(s, p, at(t))))),
        1 => "[a-d]".prop_map(|part| Step::Trigger(id(&part))),
        2 => (0..WINDOW).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_matter((lots, pieces, with_ids) in any_arrival()) {
        let mut joiner = joiner(&CAMERAS, &SENSORS);
        let mut parts = Vec::new();
        for piece in pieces {
            parts.extend(piece.give(&mut joiner, at(0)));
        }
        parts.extend(joiner.finish(at(1)));
        let mut seen: Vec<_> = parts.iter().map(|part| if with_ids { short(part) } else { with_lot(part) }).collect();
        seen.sort();
        prop_assert_eq!(seen, wanted(&lots));
        let unclaimed = lots.iter().filter(|lot| lot[0].is_none() && lot[1].is_none()).flat_map(|lot| &lot[2..]).flatten();
        prop_assert_eq!(told(&mut joiner), vec![Event::ReadingUnclaimed; unclaimed.count()]);
    }

    #[test]
    fn in_any_flood_nothing_is_lost_unseen_and_the_bounds_hold(
        steps in proptest::collection::vec(any_step(), 0..60),
        (open_parts, waiting_readings) in (1_usize..4, 0_usize..5),
    ) {
        let mut joiner = Joiner::new(rules(open_parts, waiting_readings), names(&CAMERAS), names(&SENSORS));
        let (mut now, mut parts, mut frames, mut readings) = (at(0), Vec::new(), Vec::new(), 0);
        let mut triggered = BTreeSet::new();
        for step in steps {
            let closed = match step {
                Step::Wait(span) => {
                    now = now + Duration::from_millis(span);
                    let closed = joiner.tick(now);
                    prop_assert!(joiner.next_deadline().is_none_or(|next| next > now), "a tick leaves nothing to do");
                    closed
                }
                Step::Trigger(part) if triggered.insert(part.clone()) && joiner.find_closed(&part).is_none() => {
                    joiner.trigger(part, true, names(&["extra"]), now, now)
                }
                Step::Trigger(_) => Vec::new(),
                Step::Piece(piece) => {
                    match &piece {
                        Piece::Frame(frame) => frames.push(Arc::clone(frame)),
                        Piece::Reading(_) => readings += 1,
                    }
                    piece.give(&mut joiner, now)
                }
            };
            parts.extend(closed);
            prop_assert!(joiner.open.len() <= open_parts && joiner.waiting.len() <= waiting_readings);
            prop_assert!(joiner.open.iter().all(|open| open.closes > now));
        }
        parts.extend(joiner.finish(now));
        prop_assert!(!joiner.has_open() && joiner.waiting.is_empty());

        let ids: BTreeSet<_> = parts.iter().map(|part| part.id.clone()).collect();
        prop_assert_eq!(ids.len(), parts.len(), "a part is closed once");
        let told = told(&mut joiner);
        let count = |events: &[Event]| told.iter().filter(|event| events.contains(event)).count();
        let in_parts: Vec<_> = parts.iter().flat_map(|part| &part.frames).map(Arc::as_ptr).collect();
        let distinct: BTreeSet<_> = in_parts.iter().copied().collect();
        prop_assert_eq!(distinct.len(), in_parts.len(), "a frame is in one part");
        let lost = count(&[Event::FrameDuplicate, Event::FrameLate, Event::PartDuplicate]);
        prop_assert_eq!(in_parts.len() + lost, frames.len(), "every frame is in a part or counted");
        let taken: usize = parts.iter().map(|part| part.readings.len()).sum();
        let lost = count(&[Event::ReadingDuplicate, Event::ReadingLate, Event::ReadingUnclaimed]);
        prop_assert_eq!(taken + lost, readings, "every reading is in a part or counted");

        for part in &parts {
            let has_frame = |camera: &Name| part.frames.iter().any(|frame| frame.camera == *camera);
            let has_reading = |sensor: &Name| part.readings.iter().any(|reading| reading.sensor == *sensor);
            for camera in names(&CAMERAS) {
                prop_assert_eq!(part.notes.contains(&Note::MissingFrame { camera: camera.clone() }), !has_frame(&camera));
            }
            for sensor in names(&SENSORS) {
                let noted = part.notes.contains(&Note::MissingReading { sensor: sensor.clone() });
                prop_assert_eq!(noted, !has_reading(&sensor));
            }
            prop_assert!(part.frames.is_sorted_by(|one, other| one.camera < other.camera));
            prop_assert!(part.readings.is_sorted_by(|one, other| one.sensor < other.sensor));
        }
    }
}
