//! What every method promises, on small boxes full of ties, and a few answers by hand. The agreement with the reference
//! package stands in `tests/it/boxes.rs`.

use super::*;
use proptest::prelude::*;

const LIMIT: f64 = 0.437;

const METHODS: [BoxFusion; 5] = [
    BoxFusion::Nms { iou_above: LIMIT, skip_below: 0.1 },
    BoxFusion::SoftNmsLinear { iou_above: LIMIT, skip_below: 0.1 },
    BoxFusion::SoftNmsGaussian { sigma: 0.5, skip_below: 0.1 },
    BoxFusion::WeightedBoxes { iou_above: LIMIT, skip_below: 0.1, confidence: Agreement::Average },
    BoxFusion::WeightedBoxes { iou_above: LIMIT, skip_below: 0.1, confidence: Agreement::BoxAndModelAverage },
];

fn upright(corners: Corners, confidence: f64, label: usize, member: usize) -> Candidate {
    Candidate { shape: Shape::Upright(corners), confidence, label, member }
}

fn equal(members: usize) -> Vec<Member> {
    vec![Member::default(); members]
}

/// What can be told apart of a fused box when candidates are given in another order.
fn values(boxes: &[FusedBox]) -> Vec<(Vec<u64>, u64, usize)> {
    let bits = |shape: &Shape| match shape {
        Shape::Upright(corners) => corners.iter().map(|value| value.to_bits()).collect(),
        Shape::Oriented(points) => points.as_flattened().iter().map(|value| value.to_bits()).collect(),
    };
    boxes.iter().map(|found| (bits(&found.shape), found.confidence.to_bits(), found.label)).collect()
}

fn near(seen: f64, wanted: f64) {
    assert!((seen - wanted).abs() < 1e-12, "{seen}, want {wanted}");
}

/// Three boxes of 10 by 10: the second overlaps the first by 2 / 3, the third stands alone.
fn three() -> [Candidate; 3] {
    [
        upright([0.0, 0.0, 10.0, 10.0], 0.8, 0, 0),
        upright([2.0, 0.0, 12.0, 10.0], 0.6, 0, 1),
        upright([50.0, 0.0, 60.0, 10.0], 0.5, 0, 1),
    ]
}

#[test]
fn the_methods_by_hand() {
    let run = |method: BoxFusion| method.fuse(&equal(2), &three()).unwrap().boxes;
    let iou: f64 = 2.0 / 3.0;
    let [hard, linear, gaussian, average, hybrid] = METHODS.map(run);
    assert_eq!(hard.iter().map(|found| found.from.clone()).collect::<Vec<_>>(), [[0], [2]]);
    assert_eq!(linear.iter().map(|found| found.from.clone()).collect::<Vec<_>>(), [[0], [2], [1]]);
    near(linear[2].confidence, 0.6 * (1.0 - iou));
    near(gaussian[2].confidence, 0.6 * (-(iou * iou) / 0.5).exp());
    assert_eq!(average[0].from, [0, 1]);
    let Shape::Upright([left, top, right, bottom]) = average[0].shape else { panic!("upright boxes stay upright") };
    let shift = 2.0 * 0.6 / 1.4;
    near(left, shift);
    near(top, 0.0);
    near(right, 10.0 + shift);
    near(bottom, 10.0);
    near(average[0].confidence, 0.7);
    near(average[1].confidence, 0.25); // seen by one of two
    near(hybrid[0].confidence, 0.7);
    near(hybrid[1].confidence, 0.25);
}

#[test]
fn weights_count_whether_a_member_found_anything_or_not() {
    let members = [1.0, 3.0].map(|weight| Member { weight, ..Member::default() });
    let only = [upright([0.0, 0.0, 1.0, 1.0], 0.9, 0, 0)];
    let confidence = |method: BoxFusion| method.fuse(&members, &only).unwrap().boxes[0].confidence;
    near(confidence(METHODS[0]), 0.3);
    near(confidence(METHODS[3]), 0.225);
    near(confidence(METHODS[4]), 0.225);
}

#[test]
fn an_average_above_one_is_one() {
    let members = [10.0, 1.0].map(|weight| Member { weight, ..Member::default() });
    let twice = [0.9, 0.8].map(|confidence| upright([0.0, 0.0, 1.0, 1.0], confidence, 0, 0));
    let confidence = |method: BoxFusion| method.fuse(&members, &twice).unwrap().boxes[0].confidence;
    near(confidence(METHODS[3]), 1.0); // (9 + 8) / 2 x 2 / 11 is above 1
    near(confidence(METHODS[4]), 0.85 * 10.0 / 11.0);
}

#[test]
fn confidences_are_calibrated_before_they_are_compared() {
    let shy = Calibration { slope: 0.5, intercept: 0.0 };
    let members = [Member::default(), Member { weight: 1.0, calibration: shy }];
    let corners = [0.0, 0.0, 1.0, 1.0];
    let found = METHODS[0].fuse(&members, &[upright(corners, 0.8, 0, 0), upright(corners, 0.9, 0, 1)]).unwrap().boxes;
    assert_eq!(found[0].from, [0]); // 0.9 is worth 0.75
    assert!(METHODS[0].fuse(&members, &[upright(corners, 0.01, 0, 1)]).unwrap().boxes.is_empty()); // 0.01 is worth 0.091
}

#[test]
fn what_a_model_may_say_is_left_out_and_counted() {
    let sound = [0.0, 0.0, 1.0, 1.0];
    let mut candidates = vec![upright(sound, 0.5, 0, 0)];
    candidates.extend([f64::NAN, -0.1, 1.1, f64::INFINITY].map(|confidence| upright(sound, confidence, 0, 0)));
    let corners =
        [[0.0; 4], [1.0, 0.0, 0.0, 1.0], [f64::NAN; 4], [0.0, 0.0, f64::INFINITY, 1.0], [-1e300, 0.0, 1e300, 1.0]];
    candidates.extend(corners.map(|corners| upright(corners, 0.9, 0, 0)));
    for method in METHODS {
        let outcome = method.fuse(&equal(1), &candidates).unwrap();
        assert_eq!((outcome.boxes.len(), outcome.refused, outcome.cut), (1, 9, 0));
        assert_eq!(method.fuse(&[], &[]), Ok(Outcome::default()));
    }
}

#[test]
fn what_the_caller_may_get_wrong_is_refused() {
    let one = [upright([0.0, 0.0, 1.0, 1.0], 0.5, 0, 1)];
    let refusal = |method: BoxFusion, members: &[Member], candidates: &[Candidate]| {
        method.fuse(members, candidates).unwrap_err().to_string()
    };
    assert_eq!(
        refusal(METHODS[0], &equal(1), &one),
        "candidate 0 is of member 1, but there are 1 members, counted from 0"
    );
    let heavy = [Member { weight: f64::INFINITY, ..Member::default() }];
    assert_eq!(refusal(METHODS[0], &heavy, &[]), "member 0 has weight inf: want a finite number above 0");
    let flat = [Member { weight: 1.0, calibration: Calibration { slope: 0.0, intercept: 0.0 } }];
    assert!(refusal(METHODS[0], &flat, &[]).starts_with("member 0 has calibration"));
    let bad = BoxFusion::Nms { iou_above: f64::NAN, skip_below: 2.0 };
    assert_eq!(
        bad.check(),
        ["iou_above is NaN: want a number from 0 to 1", "skip_below is 2: want a number from 0 to 1"]
    );
    assert_eq!(refusal(bad, &equal(2), &one), "iou_above is NaN: want a number from 0 to 1");
    let bad = BoxFusion::SoftNmsGaussian { sigma: 0.0, skip_below: 0.0 };
    assert_eq!(bad.check(), ["sigma is 0: want a finite number above 0"]);
    let turned = Candidate { shape: Shape::Oriented([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [1.0, 2.0]]), ..one[0] };
    assert!(refusal(METHODS[3], &equal(2), &[turned]).contains("averages upright boxes only"));
    for method in METHODS {
        assert!(method.check().is_empty());
        assert_eq!(method.fuse(&equal(2), &[turned]).is_ok(), method.takes_oriented());
    }
}

#[test]
fn oriented_boxes_are_suppressed_by_their_own_overlap() {
    // Two crossed planks: the boxes around them are the same, the planks share little.
    let plank = |up: f64| {
        Shape::Oriented([
            [0.0, 5.0 - up],
            [1.0, 5.0 - up - up.signum()],
            [10.0, 5.0 + up],
            [9.0, 5.0 + up + up.signum()],
        ])
    };
    let candidates = [(4.0, 0.9), (-4.0, 0.8), (4.0, 0.7)].map(|(up, confidence)| Candidate {
        shape: plank(up),
        confidence,
        label: 0,
        member: 0,
    });
    let found = METHODS[0].fuse(&equal(1), &candidates).unwrap().boxes;
    assert_eq!(found.iter().map(|found| found.from[0]).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(found[1].shape, candidates[1].shape);
}

#[test]
fn a_hundred_thousand_boxes_are_cut_to_the_best() {
    let many: Vec<Candidate> = (0..100_000u32)
        .map(|at| {
            let left = f64::from(at % 10) * 20.0 + f64::from(at % 7) * 0.1;
            upright([left, 0.0, left + 10.0, 10.0], f64::from(at) / 1e5, 0, 0)
        })
        .collect();
    for method in METHODS {
        let outcome = method.fuse(&equal(1), &many).unwrap();
        assert_eq!((outcome.cut, outcome.refused), (90_000 - if method.skip_below() > 0.0 { 10_000 } else { 0 }, 0));
        assert!(outcome.boxes.iter().flat_map(|found| &found.from).all(|&at| at >= 90_000));
        assert!(outcome.boxes.len() >= 10);
    }
    let turned = |one: &Candidate| match one.shape {
        Shape::Upright([l, t, r, b]) => Candidate { shape: Shape::Oriented([[l, t], [r, t], [r, b], [l, b]]), ..*one },
        Shape::Oriented(_) => *one,
    };
    let many: Vec<Candidate> = many.iter().map(turned).collect();
    let outcome = METHODS[0].fuse(&equal(1), &many).unwrap();
    assert_eq!((outcome.cut, outcome.boxes.len()), (100_000 - 10_000 - MOST_ORIENTED, 10));
}

#[test]
fn settings_are_read_and_strange_ones_refused() {
    let read = |text: &str| serde_json::from_str::<BoxFusion>(text);
    assert_eq!(
        read(r#"{"method": "weighted-boxes", "iou_above": 0.55, "confidence": "average"}"#).unwrap(),
        BoxFusion::WeightedBoxes { iou_above: 0.55, skip_below: 0.0, confidence: Agreement::Average }
    );
    assert_eq!(
        read(r#"{"method": "soft-nms-gaussian", "sigma": 0.5}"#).unwrap(),
        BoxFusion::SoftNmsGaussian { sigma: 0.5, skip_below: 0.0 }
    );
    assert!(read(r#"{"method": "nms", "iou_above": 0.5, "sigma": 0.5}"#).is_err());
    assert!(read(r#"{"method": "wbf", "iou_above": 0.5}"#).is_err());
    for method in METHODS {
        assert_eq!(read(&serde_json::to_string(&method).unwrap()).unwrap(), method);
    }
}

/// Boxes on a coarse grid with few confidences: many ties of every kind.
fn tied() -> impl Strategy<Value = Candidate> {
    (0u8..4, 0u8..4, 1u8..4, 1u8..4, 0u8..6, 0usize..3, 0usize..3).prop_map(
        |(left, top, width, height, sure, label, member)| {
            let corners = [left, top, left + width, top + height].map(f64::from);
            upright(corners, f64::from(sure) / 5.0, label, member)
        },
    )
}

/// Boxes anywhere, of which some overlap strongly.
fn any() -> impl Strategy<Value = Candidate> {
    let place = (0.0..3.0f64, 0.0..3.0f64, 0.5..2.0f64, 0.5..2.0f64);
    (place, 0.0..=1.0f64, 0usize..2, 0usize..3).prop_map(|((left, top, width, height), confidence, label, member)| {
        upright([left, top, left + width, top + height], confidence, label, member)
    })
}

fn any_or_tied() -> impl Strategy<Value = Vec<Candidate>> {
    proptest::collection::vec(prop_oneof![any(), tied()], 0..24)
}

fn any_members() -> impl Strategy<Value = Vec<Member>> {
    let calibration = (0.3..3.0f64, -1.0..1.0f64).prop_map(|(slope, intercept)| Calibration { slope, intercept });
    let weight = prop_oneof![Just(1.0), Just(2.0), 0.1..4.0f64];
    let member = (weight, prop_oneof![Just(Calibration::IDENTITY), calibration]);
    proptest::collection::vec(member.prop_map(|(weight, calibration)| Member { weight, calibration }), 3)
}

proptest! {
    #[test]
    fn neither_the_order_of_candidates_nor_of_members_matters(
        (straight, shuffled) in any_or_tied().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        members in any_members(), turn in 0usize..3
    ) {
        for method in METHODS {
            let wanted = values(&method.fuse(&members, &straight).unwrap().boxes);
            let mut turned = members.clone();
            turned.rotate_right(turn);
            let moved: Vec<_> = shuffled.iter().map(|one| Candidate { member: (one.member + turn) % 3, ..*one }).collect();
            prop_assert_eq!(&values(&method.fuse(&turned, &moved).unwrap().boxes), &wanted);
        }
    }

    #[test]
    fn what_comes_out_is_bounded_sorted_and_made_of_its_own_label(candidates in any_or_tied(), members in any_members()) {
        for method in METHODS {
            let outcome = method.fuse(&members, &candidates).unwrap();
            prop_assert!(outcome.boxes.is_sorted_by(|a, b| a.order(b).is_lt()));
            let mut used: Vec<usize> = Vec::new();
            for found in &outcome.boxes {
                prop_assert!((0.0..=1.0).contains(&found.confidence));
                prop_assert!(!found.from.is_empty());
                let parts: Vec<&Candidate> = found.from.iter().map(|&at| &candidates[at]).collect();
                prop_assert!(parts.iter().all(|part| part.label == found.label));
                let Shape::Upright(corners) = found.shape else { unreachable!() };
                for (at, corner) in corners.into_iter().enumerate() {
                    let of = |part: &&Candidate| if let Shape::Upright(corners) = part.shape { corners[at] } else { 0.0 };
                    let least = parts.iter().map(of).fold(f64::INFINITY, f64::min);
                    let most = parts.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
                    prop_assert!((least..=most).contains(&corner));
                }
                let best = parts.iter().map(|part| members[part.member].calibration.apply(part.confidence)).fold(0.0, f64::max);
                let bound = if matches!(method, BoxFusion::WeightedBoxes { confidence: Agreement::Average, .. }) { 1.0 } else { best };
                prop_assert!(found.confidence <= bound + 1e-12);
                used.extend(&found.from);
            }
            let uses = used.len();
            used.sort_unstable();
            used.dedup();
            prop_assert_eq!(used.len(), uses, "a candidate was used twice");
        }
    }

    #[test]
    fn suppressing_chooses_among_the_candidates(candidates in any_or_tied()) {
        for method in &METHODS[..3] {
            for found in method.fuse(&equal(3), &candidates).unwrap().boxes {
                prop_assert_eq!(found.from.len(), 1);
                let chosen = candidates[found.from[0]];
                prop_assert_eq!(found.shape, chosen.shape);
                prop_assert!(found.confidence <= chosen.confidence);
                let unchanged = found.confidence.to_bits() == chosen.confidence.to_bits();
                let hard = matches!(method, BoxFusion::Nms { .. });
                prop_assert!(unchanged || !hard);
            }
        }
    }

    #[test]
    fn hard_suppression_twice_is_suppression_once(candidates in any_or_tied()) {
        let once = METHODS[0].fuse(&equal(3), &candidates).unwrap().boxes;
        let again: Vec<_> = once.iter().map(|found| candidates[found.from[0]]).collect();
        prop_assert_eq!(values(&METHODS[0].fuse(&equal(3), &again).unwrap().boxes), values(&once));
    }

    #[test]
    fn one_lone_box_of_one_model_passes_unchanged(one in prop_oneof![any(), tied()], weight in 0.1..9.0f64) {
        let one = Candidate { member: 0, confidence: one.confidence.max(0.1), ..one };
        for method in METHODS {
            let found = method.fuse(&[Member { weight, ..Member::default() }], &[one]).unwrap().boxes;
            let wanted = FusedBox { shape: one.shape, confidence: one.confidence, label: one.label, from: vec![0] };
            prop_assert_eq!(values(&found), values(&[wanted]));
        }
    }

    #[test]
    fn members_that_agree_wholly_give_what_one_of_them_gives(candidates in any_or_tied(), times in 1usize..6) {
        let alone: Vec<_> = candidates.iter().map(|one| Candidate { member: 0, ..*one }).collect();
        let apart = METHODS[0].fuse(&equal(1), &alone).unwrap().boxes;
        let copies: Vec<_> = (0..times)
            .flat_map(|member| apart.iter().map(move |found| Candidate { shape: found.shape, confidence: found.confidence, label: found.label, member }))
            .collect();
        for method in &METHODS[3..] {
            let fused = method.fuse(&equal(times), &copies).unwrap().boxes;
            prop_assert_eq!(fused.len(), apart.len());
            for wanted in &apart {
                let same = fused.iter().find(|found| found.shape == wanted.shape && found.label == wanted.label);
                prop_assert!(same.is_some_and(|found| (found.confidence - wanted.confidence).abs() < 1e-12));
            }
        }
    }

    #[test]
    fn labels_do_not_disturb_each_other(candidates in any_or_tied(), members in any_members()) {
        for method in METHODS {
            let mut apart: Vec<_> = (0..3)
                .flat_map(|label| {
                    let own: Vec<_> = candidates.iter().filter(|one| one.label == label).copied().collect();
                    values(&method.fuse(&members, &own).unwrap().boxes)
                })
                .collect();
            let mut together = values(&method.fuse(&members, &candidates).unwrap().boxes);
            apart.sort_unstable();
            together.sort_unstable();
            prop_assert_eq!(together, apart);
        }
    }
}
