//! The maps of all members of a panel become one, frame by frame, and speak with one voice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::votes::Voice;
use crate::flow::Findings;
use crate::flow::plan::{Panel, Plan};
use crate::fusion::maps::{Layer, Pixels, fuse as fuse_layers};
use crate::name::Name;
use crate::task::Map;

/// Takes the voices that rest on maps out of `voices`, fuses the maps and gives the one voice they speak with: the
/// greatest value of any fused map.
///
/// # Errors
/// One sentence when the maps of a frame cover different parts of it, or cannot be fused.
pub(super) fn fuse<'a>(plan: &Plan, panel: &Panel, voices: &mut Vec<Voice<'a>>) -> Result<Option<Voice<'a>>, String> {
    let mapped: Vec<Voice<'a>> = voices.extract_if(.., |voice| !maps_of(plan, panel, voice).is_empty()).collect();
    let cameras: BTreeSet<Option<&Name>> = mapped.iter().map(|voice| voice.camera).collect();
    let mut score = 0.0_f64;
    for camera in cameras {
        let seen: Vec<&Voice<'a>> = mapped.iter().filter(|voice| voice.camera == camera).collect();
        score = score.max(one_frame(plan, panel, &seen)?);
    }
    let seats: BTreeMap<usize, f64> = mapped.iter().map(|voice| (voice.seat, voice.weight)).collect();
    let defects: BTreeSet<Name> = mapped.iter().flat_map(|voice| voice.defects.iter().cloned()).collect();
    Ok(Voice::together(&seats.into_iter().collect::<Vec<_>>(), score, defects.into_iter().collect()))
}

/// The maps behind a voice that speak of defects: that of an anomaly model, those of the defect labels of a segmentation.
fn maps_of<'a>(plan: &Plan, panel: &Panel, voice: &Voice<'a>) -> Vec<&'a Arc<Map>> {
    match voice.findings {
        Some(Findings::Anomaly { map, .. }) => map.iter().collect(),
        Some(Findings::Segmentation { maps, .. }) => {
            let Some(seat) = panel.members.get(voice.seat) else { return Vec::new() };
            let labels = &plan.model(seat.model).passport.labels;
            let named = labels.names.iter().zip(maps);
            named.filter(|(label, _)| labels.defects.contains(label)).map(|(_, map)| map).collect()
        }
        _ => Vec::new(),
    }
}

/// The greatest value of the fused map of one frame, 0 to 1.
#[expect(clippy::float_cmp, reason = "maps of the same part were made from the same numbers")]
fn one_frame(plan: &Plan, panel: &Panel, seen: &[&Voice<'_>]) -> Result<f64, String> {
    let of_members: Vec<(usize, Vec<&Arc<Map>>)> =
        seen.iter().map(|voice| (voice.seat, maps_of(plan, panel, voice))).collect();
    let all = || of_members.iter().flat_map(|(_, maps)| maps);
    let (width, height) =
        all().map(|map| (map.width, map.height)).max_by_key(|(width, height)| width * height).unwrap_or_default();
    if let Some(first) = all().next()
        && let Some(other) = all().find(|map| map.covers != first.covers)
    {
        return Err(format!(
            "maps cover {:?} and {:?} of one frame: want maps of the same part",
            first.covers, other.covers
        ));
    }
    let (mut pixels, mut names) = (Vec::new(), Vec::new());
    for (seat, maps) in &of_members {
        let mut most = vec![0.0_f32; width * height];
        for map in maps {
            most.iter_mut().zip(map.resized(width, height)).for_each(|(most, value)| *most = most.max(value));
        }
        if let Some(member) = panel.members.get(*seat) {
            let calibration = member.calibration;
            for value in &mut most {
                *value = narrow(calibration.apply(f64::from(*value)));
            }
        }
        pixels.push(most);
        names.push(Name::new(&format!("seat-{seat}")).map_err(|error| error.to_string())?);
    }
    let layers: Vec<Layer<'_>> = seen
        .iter()
        .zip(pixels.iter().zip(&names))
        .map(|(voice, (pixels, member))| Layer {
            member,
            weight: voice.weight,
            width,
            height,
            pixels: Pixels::Values(pixels),
        })
        .collect();
    let fused = fuse_layers(panel.fusion.rule, &layers).map_err(|error| error.to_string())?;
    Ok(f64::from(fused.into_iter().fold(0.0, f32::max)).clamp(0.0, 1.0))
}

#[expect(clippy::cast_possible_truncation, reason = "a map holds binary32: the nearest one is meant")]
fn narrow(value: f64) -> f32 {
    value as f32
}
