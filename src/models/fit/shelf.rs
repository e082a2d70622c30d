//! The shelf of fits: a folder with the fit in force for each panel, and in `old/` those before it, by their numbers.
//!
//! Every change is one rename of a whole file, so a reader or a crash meets the old fit or the new one.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Fit, SCHEMA};
use crate::models::ModelError;
use crate::models::catalogue::sha256_of;
use crate::models::history::History;
use crate::models::price::{one_line, replace};
use crate::name::Name;

/// The folder of earlier fits inside the folder of fits.
const OLD: &str = "old";

/// A fit with the identity of its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Shelved {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of its bytes, 64 lower-case hex digits: what a verdict names.
    pub sha256: String,
    /// The fit, whose numbers are in their ranges.
    pub fit: Fit,
}

/// What is read of a fit before anything else.
#[derive(Deserialize)]
struct Told {
    schema: String,
}

/// What the fits of a panel are called: no name has a `~`.
fn stem(route: &Name, rung: Option<&Name>) -> String {
    rung.map_or_else(|| route.to_string(), |rung| format!("{route}~{rung}"))
}

/// Where the fit in force lies.
#[must_use]
pub fn path(folder: &Path, route: &Name, rung: Option<&Name>) -> PathBuf {
    folder.join(format!("{}.toml", stem(route, rung)))
}

/// Reads a fit.
///
/// # Errors
/// [`ModelError::Unreadable`]: not there, not of this schema, a key that is unknown or missing, a number out of its range, or
/// a file whose name is not that of its route and rung.
pub fn read(path: &Path) -> Result<Shelved, ModelError> {
    let refused = |cause: String| ModelError::Unreadable { path: path.into(), cause };
    let text = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    let told: Told = toml_edit::de::from_str(&text).map_err(|error| refused(one_line(&error)))?;
    if told.schema != SCHEMA {
        return Err(refused(format!("its schema is {:?}, want {SCHEMA:?}: fit again with this build", told.schema)));
    }
    let fit: Fit = toml_edit::de::from_str(&text).map_err(|error| refused(one_line(&error)))?;
    fit.check().map_err(refused)?;
    Ok(Shelved { path: path.into(), sha256: sha256_of(text.as_bytes()), fit })
}

/// Reads every fit in force in a folder, in the order of the files' names.
///
/// # Errors
/// [`ModelError::Unreadable`] for each that cannot be read, or whose name is not that of its route and rung; for the folder,
/// when it is not there.
pub fn read_all(folder: &Path) -> Result<Vec<Shelved>, Vec<ModelError>> {
    let refused =
        |cause: std::io::Error| vec![ModelError::Unreadable { path: folder.into(), cause: cause.to_string() }];
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    let (mut fits, mut wrong) = (Vec::new(), Vec::new());
    for path in paths {
        match read(&path).and_then(|shelved| named(folder, shelved)) {
            Ok(shelved) => fits.push(shelved),
            Err(error) => wrong.push(error),
        }
    }
    if wrong.is_empty() { Ok(fits) } else { Err(wrong) }
}

/// A file is named after the panel it is for, so that no panel has two.
fn named(folder: &Path, shelved: Shelved) -> Result<Shelved, ModelError> {
    let wanted = path(folder, &shelved.fit.route, shelved.fit.rung.as_ref());
    if wanted == shelved.path {
        return Ok(shelved);
    }
    let cause = format!("it is the fit of {}, want it to be called that", wanted.display());
    Err(ModelError::Unreadable { path: shelved.path, cause })
}

/// The number that the next fit of a panel gets.
///
/// # Errors
/// [`ModelError::Unreadable`] when the fits cannot be listed or the one in force cannot be read.
pub fn next_number(folder: &Path, route: &Name, rung: Option<&Name>) -> Result<u32, ModelError> {
    let path = path(folder, route, rung);
    history(folder, route, rung).next_number(if path.exists() { read(&path)?.fit.number } else { 0 })
}

/// Writes a fit; the one in force goes to `old/` under its number. Gives the path.
///
/// # Errors
/// [`ModelError::Unreadable`] when something cannot be read, made, moved or written; the older fit then stays in force, or
/// lies in `old/` whole.
pub fn write(folder: &Path, fit: &Fit) -> Result<PathBuf, ModelError> {
    let path = path(folder, &fit.route, fit.rung.as_ref());
    let refused =
        |cause: String| ModelError::Unreadable { path: path.clone(), cause: format!("cannot be written: {cause}") };
    let text = toml_edit::ser::to_string_pretty(fit).map_err(|error| refused(error.to_string()))?;
    fs::create_dir_all(folder).map_err(|error| refused(error.to_string()))?;
    if path.exists() {
        let number = read(&path)?.fit.number;
        // A second name for the old one: it stays in force until the new one takes its place.
        let kept = history(folder, &fit.route, fit.rung.as_ref()).place(number)?;
        match fs::hard_link(&path, &kept) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(refused(error.to_string())),
            _ => {}
        }
    }
    replace(folder, &path, text.as_bytes()).map_err(|error| refused(error.to_string()))?;
    Ok(path)
}

/// What a rollback did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RolledBack {
    /// The fit of this number is in force again, to the last byte.
    To(u32),
    /// There was none before: the route judges by its config again.
    ToConfig,
}

/// Takes the fit in force away, which is kept in `old/` as withdrawn, and puts the one before it in its place.
///
/// # Errors
/// [`ModelError::Unreadable`] when there is no fit in force, or a file cannot be moved.
pub fn roll_back(folder: &Path, route: &Name, rung: Option<&Name>) -> Result<RolledBack, ModelError> {
    let path = path(folder, route, rung);
    let current = read(&path)?.fit.number;
    let before = history(folder, route, rung).roll_back(&path, current)?;
    Ok(before.map_or(RolledBack::ToConfig, RolledBack::To))
}

/// The earlier fits of a panel.
fn history(folder: &Path, route: &Name, rung: Option<&Name>) -> History {
    History::new(folder.join(OLD).join(stem(route, rung)), ".toml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::fit::tests::fit;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn what_is_written_is_read_and_the_one_before_comes_back_to_the_last_byte() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("fits");
        let (route, rung) = (name("all"), name("full"));
        let mut told = fit(1);
        (told.route, told.rung) = (route.clone(), Some(rung.clone()));
        assert_eq!(next_number(&folder, &route, Some(&rung)).unwrap(), 1);
        let path = write(&folder, &told).unwrap();
        assert_eq!(path, folder.join("all~full.toml"));
        let first = std::fs::read(&path).unwrap();
        assert_eq!(read(&path).unwrap().fit, told);

        told.number = next_number(&folder, &route, Some(&rung)).unwrap();
        told.thresholds.pass_below = 0.125;
        write(&folder, &told).unwrap();
        let all = read_all(&folder).unwrap();
        assert_eq!((all.len(), all[0].fit.number, all[0].fit.thresholds.pass_below), (1, 2, 0.125));
        assert_ne!(all[0].sha256, sha256_of(&first));

        assert_eq!(roll_back(&folder, &route, Some(&rung)).unwrap(), RolledBack::To(1));
        assert_eq!(std::fs::read(&path).unwrap(), first);
        assert_eq!(next_number(&folder, &route, Some(&rung)).unwrap(), 2);
        assert_eq!(roll_back(&folder, &route, Some(&rung)).unwrap(), RolledBack::ToConfig);
        assert_eq!(read_all(&folder).unwrap(), []);
        let told = roll_back(&folder, &route, Some(&rung)).unwrap_err().to_string();
        assert!(told.contains("all~full.toml") && told.contains("No such file"), "{told}");
    }

    #[test]
    fn what_is_no_fit_is_refused_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), &fit(1)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let told = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_all(folder.path()).unwrap_err()[0].to_string()
        };
        assert!(told(&text.replace("fit/1", "fit/2")).contains("want \"kenpin.fit/1\""));
        assert!(told(&text.replace("number = 1", "numbers = 1")).contains("numbers"));
        let order = told(&text.replace("pass_below = 0.25", "pass_below = 0.75"));
        assert!(order.contains("its thresholds are 0.75 and 0.5"), "{order}");
        let elsewhere = told(&text.replace("route = \"all\"", "route = \"other\""));
        assert!(elsewhere.contains("it is the fit of") && elsewhere.contains("other.toml"), "{elsewhere}");
        assert!(read_all(&folder.path().join("nowhere")).unwrap_err()[0].to_string().contains("nowhere"));
    }
}
