//! The watch on made lines: its promise on undisturbed ones within the binomial error, and what it must see and let pass.

use super::trial::{Change, Pool, run};
use super::*;
use crate::fusion::adaptive::Quality;
use crate::models::fit::reference::Embedded;
use crate::name::Name;

const WATCHING: Watching = Watching { window: 256, parts_per_false_alarm: 100_000.0 };

fn camera() -> Name {
    Name::new("top").unwrap()
}

/// A part of a made line: five numbers that hang on one another, as those of one picture do.
fn part(random: &mut fastrand::Rng, exposure: f64) -> Seen {
    let (light, grain) = (random.f64(), random.f64());
    let quality = Quality {
        sharpness: 100.0 * grain + 20.0 * light,
        brightness: (0.3 + 0.4 * light) * exposure,
        // Mostly 0, as it is.
        clipped: if light > 0.9 { light - 0.9 } else { 0.0 },
        noise: 1.0 + grain,
    };
    Seen {
        score: Some(if random.bool() { 0.1 * grain } else { 1.0 - 0.2 * light }),
        quality: Some(quality),
        embedding: None,
    }
}

fn parts(count: usize, seed: u64, exposure: f64) -> Vec<Seen> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..count).map(|_| part(&mut random, exposure)).collect()
}

#[test]
fn an_undisturbed_line_alarms_no_more_often_than_promised() {
    // 200 runs of 256 parts, each with a reference of its own, and one false alarm promised among 1,280 parts: at most a fifth
    // of the runs, 40, with a binomial standard error of 5.7.
    let watching = Watching { window: 128, parts_per_false_alarm: 1280.0 };
    let alarms = (0..200)
        .filter(|&seed| {
            let parts = parts(512, seed, 1.0);
            run(&Pool { parts: &parts, change: None }, watching, seed, &camera()).alarm.is_some()
        })
        .count();
    assert!(alarms <= 40 + 11, "{alarms} of 200 runs");
    // A watch that never alarms would pass this one too.
    assert!(alarms >= 2, "{alarms} of 200 runs: the promise is not used");
}

#[test]
fn darker_pictures_raise_the_alarm_and_name_the_brightness() {
    let (as_they_are, darker) = (parts(1024, 1, 1.0), parts(1024, 1, 0.7));
    for seed in 0..20 {
        let pool = Pool { parts: &as_they_are, change: Some(Change::Taken(&darker)) };
        let ran = run(&pool, WATCHING, seed, &camera());
        let alarm = ran.alarm.unwrap();
        assert!(!alarm.is_false && alarm.parts <= 128, "{alarm:?}");
        assert_eq!(alarm.statistics, [Statistic::Brightness]);
    }
}

#[test]
fn an_alarm_is_over_after_a_whole_window_that_is_like_the_reference() {
    let reference = Reference::of(camera(), &parts(400, 2, 1.0));
    let mut watch = Watch::new(WATCHING);
    let mut turns = |parts: Vec<Seen>| -> Vec<(usize, bool)> {
        let turn = |(place, seen)| watch.see(&seen, &reference).map(|turn| (place, matches!(turn, Turn::Began(_))));
        parts.into_iter().enumerate().filter_map(turn).collect()
    };
    assert_eq!(turns(parts(512, 3, 1.0)), []);
    let began = turns(parts(512, 4, 0.6));
    assert!(began.len() == 1 && began[0].1, "it stands for as long as the line drifts: {began:?}");
    let over = turns(parts(768, 5, 1.0));
    assert!(over.len() == 1 && !over[0].1, "{over:?}");
    assert!(over[0].0 >= 255, "not before a whole window: {over:?}");
    assert!(!watch.is_drifting());
}

#[test]
fn what_is_sure_and_small_is_no_drift_and_constants_are_none_either() {
    let look = |p, psi| {
        let seen =
            Difference { statistic: Statistic::Score, psi, distance: 0.1, p, median: 0.0, reference_median: 0.0 };
        Look { parts: 256, level: 1e-4, differences: vec![seen] }.is_drift()
    };
    assert!(look(1e-5, 0.2) && !look(1e-5, 0.05) && !look(1e-3, 0.2));

    let constant = |brightness| Seen {
        score: Some(0.5),
        quality: Some(Quality { sharpness: 0.0, brightness, clipped: 0.0, noise: 0.0 }),
        embedding: None,
    };
    let reference = Reference::of(camera(), &vec![constant(0.5); 100]);
    let mut watch = Watch::new(WATCHING);
    assert!((0..2048).all(|_| watch.see(&constant(0.5), &reference).is_none()));
    let began = (0..256).find_map(|_| watch.see(&constant(0.4), &reference));
    let Some(Turn::Began(look)) = began else { panic!("a constant that moves is drift: {began:?}") };
    assert_eq!(look.drifted().map(|seen| seen.statistic).collect::<Vec<_>>(), [Statistic::Brightness]);
    // Sixteen parts suffice: C(116, 16) orders, of which one lies wholly below.
    assert_eq!(look.parts, 16);
}

#[test]
fn a_part_without_a_score_or_a_picture_is_no_drift() {
    let reference = Reference::of(camera(), &parts(400, 6, 1.0));
    let mut watch = Watch::new(WATCHING);
    assert!((0..1024).all(|_| watch.see(&Seen::default(), &reference).is_none()));
}

/// The length of made embeddings: more numbers than parts choose their directions.
const NUMBERS: usize = 48;

/// A made line whose parts have embeddings too: two groups of vectors with three ways to differ, and noise in every number.
/// With `shift` they are moved along `axis`, which none of these ways has much of.
fn embedded(count: usize, seed: u64, axis: usize, shift: f64) -> Vec<Seen> {
    let mut random = fastrand::Rng::with_seed(seed);
    let one = |random: &mut fastrand::Rng| {
        let group = if random.f64() < 0.3 { 2.0 } else { -1.0 };
        let latent: [f64; 3] = std::array::from_fn(|way| (random.f64() - 0.5) * [6.0, 3.0, 1.5][way]);
        let number = |at: usize, random: &mut fastrand::Rng| {
            let along: f64 = (0..3).map(|way| latent[way] * f64::from(u8::from(at % 3 == way))).sum();
            let moved = if at == axis { shift } else { 0.0 };
            #[expect(clippy::cast_possible_truncation, reason = "numbers of a test")]
            let number = (group * f64::from(u8::from(at < 8)) + along + 3.0 * (random.f64() - 0.5) + moved) as f32;
            number
        };
        let vector: Vec<f32> = (0..NUMBERS).map(|at| number(at, random)).collect();
        Seen { embedding: Some(Embedded { member: 1, vector: vector.into() }), ..part(random, 1.0) }
    };
    (0..count).map(|_| one(&mut random)).collect()
}

#[test]
fn embeddings_leave_the_promise_as_it_is_and_without_halves_it_would_be_broken() {
    // As for a line without embeddings: at most a fifth of the runs, 24 of 120, with a binomial standard error of 4.4.
    let watching = Watching { window: 128, parts_per_false_alarm: 1280.0 };
    let alarms = (0..120)
        .filter(|&seed| {
            let parts = embedded(512, 1000 + seed, 0, 0.0);
            run(&Pool { parts: &parts, change: None }, watching, seed, &camera()).alarm.is_some()
        })
        .count();
    println!("undisturbed lines with embeddings: {alarms} false alarms in 120 runs of 256 parts, promised at most 24");
    assert!((1..=24 + 9).contains(&alarms), "{alarms} of 120 runs");

    // The same, but for distributions from the very parts that chose the directions, and few of them.
    let in_sample = (0..20).filter(|&seed| {
        let parts = embedded(320, 1000 + seed, 0, 0.0);
        let (labelled, line) = parts.split_at(64);
        let plain = Reference::of(camera(), labelled);
        let shown: Vec<&Embedded> = labelled.iter().filter_map(|seen| seen.embedding.as_ref()).collect();
        let chosen = space::chosen(1, &shown, &mut fastrand::Rng::with_seed(seed));
        let reference = plain.with_embeddings(chosen, &shown);
        let mut watch = Watch::new(watching);
        line.iter().any(|seen| watch.see(seen, &reference).is_some())
    });
    let in_sample = in_sample.count();
    println!("without halves: {in_sample} false alarms in 20 runs, promised at most 4");
    assert!(in_sample > 12, "{in_sample} of 20 runs: the halves would not be needed");
}

#[test]
fn a_change_of_the_embeddings_alone_is_seen_and_named() {
    for (axis, shift) in [(40, 6.0), (0, 4.0)] {
        let (as_they_are, moved) = (embedded(1024, 8, axis, 0.0), embedded(1024, 8, axis, shift));
        let mut until = Vec::new();
        for seed in 0..20 {
            let pool = Pool { parts: &as_they_are, change: Some(Change::Taken(&moved)) };
            let alarm = run(&pool, WATCHING, seed, &camera()).alarm.unwrap();
            assert!(!alarm.is_false, "{alarm:?}");
            assert!(alarm.statistics.iter().all(|seen| Statistic::OF_EMBEDDINGS.contains(seen)), "{alarm:?}");
            until.push(alarm.parts);
        }
        until.sort_unstable();
        println!("{shift} along {axis}: parts until the alarm {until:?}");
        assert!(until[10] <= 128 && until[19] <= 256, "{until:?}");
    }
}
