//! Configuration: file (serde shape) -> check (all findings at once) -> [`Settings`] (trusted from here on).
//!
//! One main TOML file, and beside it an optional folder `conf.d` whose `*.toml` files are laid over it in the order of
//! their names: tables are merged key by key, everything else (a list such as `[[routes]]` too) is replaced as a whole.
//! A relative path, in whichever of the files, is relative to the folder of the main file.
//!
//! Nothing outside this module sees the file's shape, and nothing inside [`Settings`] needs a second check. Whether the
//! things that are named here exist on this machine (models, devices) is for those who open them.

mod check;
pub mod document;
pub mod file;
pub mod findings;
pub mod schema;
mod settings;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use findings::ConfigError;
pub use settings::*;

use document::Document;
use findings::Finding;

/// The default file with its comments, as `kenpin config default` prints it.
pub const DEFAULT: &str = include_str!("config/default.toml");

/// What a file is judged by besides its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The folder that relative paths start from.
    pub folder: PathBuf,
    /// systemd's `$CREDENTIALS_DIRECTORY`, where there is one.
    pub credentials: Option<PathBuf>,
}

/// Reads the file at `path` and the fragments in the folder `conf.d` beside it.
///
/// # Errors
/// [`ConfigError`] with every finding in these files.
pub fn load(path: &Path) -> Result<Settings, ConfigError> {
    let label = path.display().to_string();
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let mut files = vec![document::read(path).map_err(|finding| ConfigError::new(&label, vec![finding]))?];
    let mut unreadable = Vec::new();
    for fragment in fragments(&folder.join("conf.d")).map_err(|finding| ConfigError::new(&label, vec![finding]))? {
        match document::read(&fragment) {
            Ok(file) => files.push(file),
            Err(finding) => unreadable.push(finding),
        }
    }
    if !unreadable.is_empty() {
        return Err(ConfigError::new(&label, unreadable));
    }
    let surroundings =
        Surroundings { folder, credentials: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from) };
    settings(&label, &files, &surroundings)
}

/// Makes settings of files already read: pairs of label and text, the main one first.
///
/// # Errors
/// [`ConfigError`] with every finding in these files.
pub fn settings(label: &str, files: &[(String, String)], surroundings: &Surroundings) -> Result<Settings, ConfigError> {
    let document = Document::parse(files).map_err(|findings| ConfigError::new(label, findings))?;
    let (file, mut findings) = schema::read::<file::File>(&document);
    let settings = file.and_then(|file| check::settings(&file, surroundings, &mut findings));
    match (settings, findings.into_sorted()) {
        (Some(settings), found) if found.is_empty() => Ok(settings),
        (_, found) => Err(ConfigError::new(label, found)),
    }
}

/// The `*.toml` files of a folder in the order of their names; none where the folder is missing.
fn fragments(folder: &Path) -> Result<Vec<PathBuf>, Finding> {
    let refused = |cause: std::io::Error| Finding::of_file(folder, &cause.to_string());
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(refused(cause)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(refused)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
