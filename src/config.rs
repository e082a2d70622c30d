//! Configuration: file (serde shape) -> check (all findings at once) -> [`Settings`] (trusted from here on).
//!
//! One main TOML file, and beside it an optional folder `conf.d` whose `*.toml` files are laid over it in the order of
//! their names: tables are merged key by key, everything else (a list such as `[[routes]]` too) is replaced as a whole.
//! A relative path, in whichever of the files, is relative to the folder of the main file.
//!
//! Nothing outside this module sees the file's shape, and nothing inside [`Settings`] needs a second check. Whether the
//! things that are named here exist on this machine (models, devices) is for those who open them.

mod check;
mod disk;
pub mod document;
pub mod file;
pub mod findings;
mod fixed;
pub mod schema;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use findings::ConfigError;
pub use fixed::fixed;
pub use settings::*;

use crate::name::Name;
use document::Document;
use findings::Finding;

/// The default file with its comments, as `kenpin config default` prints it.
pub const DEFAULT: &str = include_str!("config/default.toml");

/// What a file is judged by besides its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The folder that relative paths start from.
    pub folder: PathBuf,
    /// systemd's `$CREDENTIALS_DIRECTORY`, else the folder `credentials` beside the file, where there is one.
    pub credentials: Option<PathBuf>,
    /// systemd's `$RUNTIME_DIRECTORY`: where the sockets go that are not named by an absolute path.
    pub runtime: Option<PathBuf>,
}

impl Surroundings {
    /// Those of the main file at `path`.
    fn of(path: &Path) -> Self {
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        // Where systemd is too old for credentials (below 247, JetPack 5), the files lie beside the config.
        let beside = Some(folder.join("credentials")).filter(|folder| folder.is_dir());
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from).or(beside);
        // Of several, which only a drop-in can bring, the first.
        let runtime = std::env::var_os("RUNTIME_DIRECTORY").filter(|given| !given.is_empty());
        let runtime = runtime.and_then(|given| std::env::split_paths(&given).next());
        Self { folder, credentials, runtime }
    }
}

/// A configuration as far as it could be read, for who wants to tell everything about it at once.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// The settings; `None` when the text of the files has findings.
    pub settings: Option<Settings>,
    /// The folder of every model that the files name, whatever else is wrong with them.
    pub models: BTreeMap<Name, PathBuf>,
    /// What is wrong with the files, and what they name that is not on this disk.
    pub findings: Vec<Finding>,
}

/// Reads the file at `path` and the fragments in the folder `conf.d` beside it.
///
/// # Errors
/// [`ConfigError`] with every finding in these files.
pub fn load(path: &Path) -> Result<Settings, ConfigError> {
    Texts::read(path)?.settings()
}

/// The texts of a configuration as they were read: what another process can make the same settings of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// The main file.
    pub path: PathBuf,
    /// Pairs of label and text, the main one first.
    pub files: Vec<(String, String)>,
}

impl Texts {
    /// Reads the file at `path` and its fragments.
    ///
    /// # Errors
    /// [`ConfigError`] with each file that cannot be read.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let files = gather(path).map_err(|findings| ConfigError::new(&path.display().to_string(), findings))?;
        Ok(Self { path: path.into(), files })
    }

    /// Makes settings of them.
    ///
    /// # Errors
    /// [`ConfigError`] with every finding in them.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        settings(&self.path.display().to_string(), &self.files, &Surroundings::of(&self.path))
    }
}

/// Reads the same files as [`load`], goes on after findings, and looks whether the pictures to replay are there.
#[must_use]
pub fn survey(path: &Path) -> Survey {
    match gather(path) {
        Ok(files) => judge(&files, &Surroundings::of(path), true),
        Err(findings) => Survey { findings, ..Survey::default() },
    }
}

/// Files already read, as pairs of label and text.
type Files = Vec<(String, String)>;

/// The file at `path` and its fragments as pairs of label and text.
fn gather(path: &Path) -> Result<Files, Vec<Finding>> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut files = vec![document::read(path).map_err(|finding| vec![finding])?];
    let mut unreadable = Vec::new();
    for fragment in fragments(&folder.join("conf.d")).map_err(|finding| vec![finding])? {
        match document::read(&fragment) {
            Ok(file) => files.push(file),
            Err(finding) => unreadable.push(finding),
        }
    }
    if !unreadable.is_empty() {
        return Err(unreadable);
    }
    Ok(files)
}

/// Makes settings of files already read: pairs of label and text, the main one first.
///
/// # Errors
/// [`ConfigError`] with every finding in these files.
pub fn settings(label: &str, files: &[(String, String)], surroundings: &Surroundings) -> Result<Settings, ConfigError> {
    let Survey { settings, findings, .. } = judge(files, surroundings, false);
    settings.ok_or_else(|| ConfigError::new(label, findings))
}

/// Judges files already read; `on_disk` also looks for what they name.
fn judge(files: &[(String, String)], surroundings: &Surroundings, on_disk: bool) -> Survey {
    let document = match Document::parse(files) {
        Ok(document) => document,
        Err(findings) => return Survey { findings, ..Survey::default() },
    };
    let (file, mut findings) = schema::read::<file::File>(&document);
    let Some(file) = file else { return Survey { findings: findings.into_sorted(), ..Survey::default() } };
    let settings = check::settings(&file, surroundings, &mut findings).filter(|_| findings.is_empty());
    if on_disk {
        disk::look(&file, surroundings, &mut findings);
    }
    Survey { settings, models: check::models(&file, surroundings), findings: findings.into_sorted() }
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
