//! Box fusion agrees with the Python package `ensemble-boxes` on 1,000 random cases without ties.
//!
//! `tests/fixtures/boxes/make.py` says what is compared, where the package departs from its papers, and how the inputs
//! are drawn from a seed on both sides. Suppression is compared in 64 bits; the package rounds fused boxes to 32.

use std::path::Path;

use kenpin::fusion::boxes::{Agreement, BoxFusion, Candidate, Corners, FusedBox, Member, Shape};

/// How far corners, which lie in 0 to 1, and confidences of fused boxes may lie from the package's, of 32 bits.
const FUSED: f64 = 1e-6;

/// How far confidences of suppressed boxes may lie from the package's, of 64 bits.
const SUPPRESSED: f64 = 1e-12;

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most as u64).unwrap()
    }

    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A case as `draw` in `make.py` draws it.
struct Case {
    methods: [BoxFusion; 5],
    members: Vec<Member>,
    candidates: Vec<Candidate>,
}

fn draw(seed: u32) -> Case {
    let mut stream = SplitMix64(seed.into());
    let (members, labels) = (1 + stream.below(4), 1 + stream.below(3));
    let iou_above = 0.3 + 0.4 * stream.unit();
    let sigma = 0.1 + 0.9 * stream.unit();
    let thresh = 0.001 + 0.1 * stream.unit();
    let skip_below = 0.3 * stream.unit();
    let mut weights: Vec<f64> = (0..members).map(|_| 0.25 + 3.75 * stream.unit()).collect();
    if stream.below(4) == 0 {
        weights.fill(1.0);
    }
    let fused = |confidence| BoxFusion::WeightedBoxes { iou_above, skip_below, confidence };
    let methods = [
        BoxFusion::Nms { iou_above, skip_below: 0.0 },
        BoxFusion::SoftNmsLinear { iou_above, skip_below: thresh },
        BoxFusion::SoftNmsGaussian { sigma, skip_below: thresh },
        fused(Agreement::Average),
        fused(Agreement::BoxAndModelAverage),
    ];
    let mut boxes: Vec<(Corners, usize, f64, usize)> = Vec::new();
    for member in 0..members {
        for _ in 0..stream.below(7) {
            let (corners, label) = if !boxes.is_empty() && stream.below(3) > 0 {
                let ([left, top, right, bottom], mut label, _, _) = boxes[stream.below(boxes.len())];
                let (across, down) = (0.2 * (right - left), 0.2 * (bottom - top));
                let corners = [(left, across), (top, down), (right, across), (bottom, down)]
                    .map(|(corner, reach)| (corner + reach * (stream.unit() - 0.5)).clamp(0.0, 1.0));
                if stream.below(6) == 0 {
                    label = stream.below(labels);
                }
                (corners, label)
            } else {
                let (left, top) = (0.1 + 0.5 * stream.unit(), 0.1 + 0.5 * stream.unit());
                let corners = [left, top, left + 0.05 + 0.25 * stream.unit(), top + 0.05 + 0.25 * stream.unit()];
                (corners, stream.below(labels))
            };
            boxes.push((corners, label, 0.01 + 0.98 * stream.unit(), member));
        }
    }
    let candidates = boxes.into_iter().map(|(corners, label, confidence, member)| {
        let shape = Shape::Upright(corners);
        Candidate { shape, confidence, label, member }
    });
    let candidates = candidates.collect();
    let members = weights.into_iter().map(|weight| Member { weight, ..Member::default() }).collect();
    Case { methods, members, candidates }
}

/// The stored answers, taken from the front.
struct Stored<'a>(&'a [u8]);

impl Stored<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self.0.split_first_chunk().expect("cases.bin ends in the middle of a case");
        self.0 = rest;
        *head
    }

    fn small(&mut self) -> usize {
        u8::from_le_bytes(self.take()).into()
    }

    fn narrow(&mut self) -> f64 {
        f32::from_le_bytes(self.take()).into()
    }
}

fn corners(found: &FusedBox) -> Corners {
    let Shape::Upright(corners) = found.shape else { panic!("an upright box came out turned") };
    corners
}

/// The greatest difference of confidences; that which boxes stay is the same is asserted.
fn suppressed(seed: u32, stored: &mut Stored<'_>, candidates: &[Candidate], mut found: Vec<FusedBox>) -> f64 {
    found.sort_by_key(|found| found.from[0]);
    let wanted: Vec<(usize, f64)> =
        (0..stored.small()).map(|_| (stored.small(), f64::from_le_bytes(stored.take()))).collect();
    let kept = |boxes: &[FusedBox]| boxes.iter().map(|found| found.from[0]).collect::<Vec<_>>();
    assert_eq!(kept(&found), wanted.iter().map(|wanted| wanted.0).collect::<Vec<_>>(), "case {seed}");
    assert!(found.iter().all(|found| found.shape == candidates[found.from[0]].shape), "case {seed}");
    let far = found.iter().zip(&wanted).map(|(found, wanted)| (found.confidence - wanted.1).abs());
    far.fold(0.0, f64::max)
}

/// The greatest differences of corners and of confidences, and how many confidences of the package exceed 1; that as
/// many boxes of each label come out is asserted.
fn fused(seed: u32, stored: &mut Stored<'_>, mut found: Vec<FusedBox>) -> (f64, f64, usize) {
    found.sort_by(|a, b| a.label.cmp(&b.label).then(corners(a)[0].total_cmp(&corners(b)[0])));
    let wanted: Vec<(usize, [f64; 5])> =
        (0..stored.small()).map(|_| (stored.small(), [(); 5].map(|()| stored.narrow()))).collect();
    let labels = |boxes: &[FusedBox]| boxes.iter().map(|found| found.label).collect::<Vec<_>>();
    assert_eq!(labels(&found), wanted.iter().map(|wanted| wanted.0).collect::<Vec<_>>(), "case {seed}");
    let (mut far, mut above) = ((0f64, 0f64), 0);
    for (found, (_, [left, top, right, bottom, confidence])) in found.iter().zip(wanted) {
        let apart = corners(found).into_iter().zip([left, top, right, bottom]).map(|(seen, want)| (seen - want).abs());
        far.0 = apart.fold(far.0, f64::max);
        far.1 = far.1.max((found.confidence - confidence.min(1.0)).abs());
        above += usize::from(confidence > 1.0);
    }
    (far.0, far.1, above)
}

#[test]
fn box_fusion_agrees_with_ensemble_boxes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/boxes/cases.bin");
    let bytes = std::fs::read(&path).unwrap();
    let mut stored = Stored(&bytes);
    let (mut cases, mut compared, mut above) = (0, [0usize; 5], 0);
    let mut far = [(0f64, 0f64); 5];
    while !stored.0.is_empty() {
        let seed = u32::from_le_bytes(stored.take());
        let case = draw(seed);
        for (place, method) in case.methods.iter().enumerate() {
            let outcome = method.fuse(&case.members, &case.candidates).unwrap();
            assert_eq!((outcome.refused, outcome.cut), (0, 0), "case {seed}");
            assert!(outcome.boxes.is_sorted_by(|a, b| a.confidence >= b.confidence), "case {seed}");
            compared[place] += outcome.boxes.len();
            if place < 3 {
                far[place].1 = far[place].1.max(suppressed(seed, &mut stored, &case.candidates, outcome.boxes));
            } else {
                let (corners, confidence, more) = fused(seed, &mut stored, outcome.boxes);
                far[place] = (far[place].0.max(corners), far[place].1.max(confidence));
                above += more;
            }
        }
        cases += 1;
    }
    let names = ["nms", "soft-nms linear", "soft-nms gaussian", "weighted average", "weighted box and model average"];
    for ((name, boxes), (corners, confidence)) in names.iter().zip(compared).zip(far) {
        println!("{name}: {boxes} boxes, farthest corner {corners:.1e}, farthest confidence {confidence:.1e}");
    }
    println!("{above} confidences of the package exceed 1 and are taken as 1");
    assert_eq!(cases, 1000);
    assert!(compared.iter().all(|&boxes| boxes > 3000), "{compared:?}");
    assert!(above > 0, "no case holds the bound of 1");
    assert!(far[..3].iter().all(|far| far.1 <= SUPPRESSED), "{far:?}");
    assert!(far[3..].iter().all(|far| far.0 <= FUSED && far.1 <= FUSED), "{far:?}");
}
