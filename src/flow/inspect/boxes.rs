//! The boxes of all detectors of a panel become one set, frame by frame, and speak with one voice.

use std::collections::{BTreeMap, BTreeSet};

use super::votes::Voice;
use crate::flow::Findings;
use crate::flow::plan::Panel;
use crate::flow::verdict::FusedDetection;
use crate::fusion::boxes::{BoxFusion, Candidate, FusedBox, Member, Shape};
use crate::name::Name;
use crate::task::Detected;

/// Takes the voices that rest on boxes out of `voices`, fuses their boxes and gives the one voice they speak with: the
/// surest fused box of a defect.
///
/// # Errors
/// One sentence when the boxes cannot be fused as the settings say.
pub(super) fn fuse<'a>(
    panel: &Panel,
    voices: &mut Vec<Voice<'a>>,
    settings: BoxFusion,
) -> Result<(Option<Voice<'a>>, Vec<FusedDetection>), String> {
    let boxed: Vec<Voice<'a>> =
        voices.extract_if(.., |voice| matches!(voice.findings, Some(Findings::Detection { .. }))).collect();
    let defects: BTreeSet<Name> = boxed.iter().flat_map(|voice| voice.defects.iter().cloned()).collect();
    let mut detections = Vec::new();
    let cameras: BTreeSet<Option<&Name>> = boxed.iter().map(|voice| voice.camera).collect();
    for camera in cameras {
        let seen: Vec<&Voice<'a>> = boxed.iter().filter(|voice| voice.camera == camera).collect();
        detections.extend(
            one_frame(panel, &seen, settings)?
                .into_iter()
                .map(|found| FusedDetection { camera: camera.cloned(), ..found }),
        );
    }
    let surest = detections.iter().filter(|found| defects.contains(&found.label)).map(|found| found.confidence);
    let score = surest.fold(0.0, f64::max);
    let seats: BTreeMap<usize, f64> = boxed.iter().map(|voice| (voice.seat, voice.weight)).collect();
    let seats: Vec<(usize, f64)> = seats.into_iter().collect();
    Ok((Voice::together(&seats, score, defects.into_iter().collect()), detections))
}

/// Fuses what several members found in one frame.
fn one_frame(panel: &Panel, seen: &[&Voice<'_>], settings: BoxFusion) -> Result<Vec<FusedDetection>, String> {
    let mut labels: Vec<Name> = Vec::new();
    let mut candidates = Vec::new();
    let mut members = Vec::new();
    for (member, voice) in seen.iter().enumerate() {
        let Some(seat) = panel.members.get(voice.seat) else { continue };
        members.push(Member { weight: seat.weight, calibration: seat.calibration });
        let Some(Findings::Detection { detections }) = voice.findings else { continue };
        for found in detections {
            let name = seat.rename.get(&found.label).unwrap_or(&found.label);
            let label = labels.iter().position(|known| known == name).unwrap_or_else(|| {
                labels.push(name.clone());
                labels.len() - 1
            });
            candidates.push(Candidate { shape: shape(found), confidence: found.confidence, label, member });
        }
    }
    let outcome = settings.fuse(&members, &candidates).map_err(|error| error.to_string())?;
    let told = |fused: FusedBox| {
        let seats = fused.from.iter().filter_map(|&from| Some(seen.get(candidates.get(from)?.member)?.seat));
        Some(FusedDetection {
            camera: None,
            label: labels.get(fused.label)?.clone(),
            confidence: fused.confidence,
            corners: bounds(&fused.shape),
            members: seats.collect::<BTreeSet<_>>().into_iter().collect(),
        })
    };
    Ok(outcome.boxes.into_iter().filter_map(told).collect())
}

fn shape(found: &Detected) -> Shape {
    found.oriented.map_or(Shape::Upright(found.corners), Shape::Oriented)
}

/// The upright box around a shape.
fn bounds(shape: &Shape) -> [f64; 4] {
    match shape {
        Shape::Upright(corners) => *corners,
        Shape::Oriented(points) => {
            let start = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
            points.iter().fold(start, |[left, top, right, bottom], &[x, y]| {
                [left.min(x), top.min(y), right.max(x), bottom.max(y)]
            })
        }
    }
}
