//! What a configuration names and this disk does not have. Apart from the rest of the checks, which are pure: a daemon
//! finds out for itself when it opens things, `kenpin check` wants to know before.

use std::io::ErrorKind;

use super::Surroundings;
use super::document::Path;
use super::file::{CameraKind, File};
use super::findings::Findings;

/// Tells every replay camera whose pictures are not there.
pub(super) fn look(file: &File, surroundings: &Surroundings, findings: &mut Findings<'_>) {
    for (name, camera) in file.cameras.iter().flatten() {
        let (Some(CameraKind::Replay), Some(told)) = (camera.kind, &camera.path) else { continue };
        let place = surroundings.folder.join(told);
        let Err(cause) = place.metadata() else { continue };
        let why = match cause.kind() {
            ErrorKind::NotFound => format!("there is no {}", place.display()),
            _ => format!("{} cannot be read: {cause}", place.display()),
        };
        let path = Path::of(&["cameras", name.as_str(), "path"]);
        let message = format!("{} is {:?}, but {why}", findings.document().describe(&path), told.display().to_string());
        findings
            .value(&path, message, "want a folder of images, or a text file with one path a line")
            .help("a relative path is relative to the folder of the main file");
    }
}
