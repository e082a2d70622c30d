//! Checks `[drift]`: a window that its looks divide, and fits to hold the line against; and `[golden]`: a camera to stand for.

use super::super::document::Path;
use super::super::file;
use super::super::findings::Findings;
use super::super::settings::{Drift, Golden};
use super::reference;
use crate::config::Surroundings;

/// Checks `[drift]`.
pub(super) fn drift(file: &file::File, findings: &mut Findings<'_>) -> Option<Drift> {
    const LOOKS: usize = Drift::LOOKS;
    let told = file.drift.as_ref()?;
    let table = Path::of(&["drift"]);
    if !told.window.is_multiple_of(LOOKS) && !findings.is_condemned(&table.then("window")) {
        let message = format!("`drift.window` is {}", told.window);
        findings.value(&table.then("window"), message, format!("want a multiple of {LOOKS}, such as 256"));
    }
    if file.fits.is_none() && !findings.is_condemned(&Path::of(&["fits"])) {
        findings
            .key(
                &table,
                "`[drift]` is set, but there is no `[fits]`",
                "want the fits whose pictures the line is held against",
            )
            .help("`kenpin fit` keeps in each fit what its labelled pictures looked like");
    }
    Some(Drift { window: told.window, parts_per_false_alarm: told.parts_per_false_alarm, widen: told.widen })
}

/// Checks `[golden]`.
pub(super) fn golden(file: &file::File, surroundings: &Surroundings, findings: &mut Findings<'_>) -> Option<Golden> {
    let told = file.golden.as_ref()?;
    let (table, key) = (Path::of(&["golden"]), Path::of(&["golden", "camera"]));
    let mut cameras = file.cameras.iter().flatten().map(|(name, _)| name);
    let camera = if let Some(camera) = &told.camera {
        reference(findings, &key, camera, "camera", cameras);
        Some(camera)
    } else {
        let (only, further) = (cameras.next(), cameras.next());
        if let Some(other) = further {
            let message = format!("`[golden]` names no camera, and there are several, {other} among them");
            findings.key(&table, message, "want `camera`: the one whose frames the pictures stand for");
        }
        only
    };
    Some(Golden { path: surroundings.folder.join(told.path.as_ref()?), camera: camera?.clone() })
}
