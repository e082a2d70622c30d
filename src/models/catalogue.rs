//! The catalogue: finds models on disk, reads their passports and verifies their files.
//!
//! Promises that every model it hands out has a passport without findings. Whether the file beside it has the hash that
//! the passport states is asked of [`verify`] or [`examine`]; whoever opens a session looks again, at the very bytes that
//! run, and holds the graph inside against the passport.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::ModelError;
use super::fit::shelf::{self, Shelved};
use super::passport::{FILE_NAME, Model};
use crate::config::findings::Finding;
use crate::config::{ConfigError, Settings};
use crate::name::Name;

/// Bytes hashed at once: a file of any size goes through this much memory.
const CHUNK_BYTES: usize = 64 * 1024;

/// The folders below `folder`, and `folder` itself, that hold a passport, in the order of their names; not deeper.
///
/// # Errors
/// [`ModelError::Unreadable`] when the folder cannot be listed.
pub fn find(folder: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let refused = |cause: std::io::Error| ModelError::Unreadable { path: folder.into(), cause: cause.to_string() };
    let mut found = Vec::new();
    if folder.join(FILE_NAME).is_file() {
        found.push(folder.to_path_buf());
    }
    for entry in std::fs::read_dir(folder).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        if path.join(FILE_NAME).is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The SHA-256 of a file, 64 hex digits in lower case.
///
/// # Errors
/// [`ModelError::Unreadable`] when it cannot be read to its end.
pub fn sha256(path: &Path) -> Result<String, ModelError> {
    let refused = |cause: std::io::Error| ModelError::Unreadable { path: path.into(), cause: cause.to_string() };
    let mut file = File::open(path).map_err(refused)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk).map_err(refused)? {
            0 => break,
            read => hash.update(chunk.get(..read).unwrap_or_default()),
        }
    }
    Ok(hex(&hash.finalize()))
}

/// The SHA-256 of bytes in memory, 64 hex digits in lower case.
#[must_use]
pub fn sha256_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as hex digits in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Verifies that the model's files, its external weights and its references are those its passport speaks of.
///
/// # Errors
/// [`ModelError::WrongHash`] with both hashes; [`ModelError::Unreadable`] when a file cannot be read.
pub fn verify(model: &Model) -> Result<(), ModelError> {
    is(model.file(), &model.passport.file.sha256)?;
    verify_external(model)?;
    let reference = model.passport.reference.as_ref();
    reference.map_or(Ok(()), |reference| is(model.folder.join(&reference.path), &reference.sha256))
}

/// Verifies the files with weights beside the model's file.
///
/// # Errors
/// As [`verify`].
pub fn verify_external(model: &Model) -> Result<(), ModelError> {
    let beside = |path: &Path| model.file().parent().unwrap_or(&model.folder).join(path);
    model.passport.file.external.iter().try_for_each(|file| is(beside(&file.path), &file.sha256))
}

/// Whether a file has a hash.
fn is(path: PathBuf, wanted: &str) -> Result<(), ModelError> {
    let seen = sha256(&path)?;
    if seen == wanted { Ok(()) } else { Err(ModelError::WrongHash { path, seen, wanted: wanted.to_owned() }) }
}

/// Reads the passport of every model of the settings. The files are left to those who open them: one that is not what
/// its passport says stops that model, not the line.
///
/// # Errors
/// [`ConfigError`] with the findings of all passports.
pub fn load_all(settings: &Settings) -> Result<BTreeMap<Name, Arc<Model>>, ConfigError> {
    let (models, findings) = passports(&settings.models);
    if findings.is_empty() { Ok(models) } else { Err(ConfigError::new("the models", findings)) }
}

/// Reads the fits that the settings name; none where they name no folder.
///
/// # Errors
/// [`ConfigError`] with a sentence for each that cannot be read.
pub fn fits(settings: &Settings) -> Result<Vec<Shelved>, ConfigError> {
    let Some(folder) = &settings.fits else { return Ok(Vec::new()) };
    shelf::read_all(folder).map_err(|wrong| {
        let sentences = wrong.into_iter().map(|error| error.to_string()).collect();
        ConfigError::of_sentences("the fits", sentences)
    })
}

/// Reads every passport and verifies every file: the models whose passports have no findings, and all findings, those of
/// each passport with their carets and a sentence for each [`ModelError`] of [`verify`].
#[must_use]
pub fn examine(folders: &BTreeMap<Name, PathBuf>) -> (BTreeMap<Name, Arc<Model>>, Vec<Finding>) {
    let (models, mut findings) = passports(folders);
    let wrong = |(name, model): (&Name, &Arc<Model>)| {
        Some(from_config(Finding::of_text(verify(model).err()?.to_string()), name))
    };
    findings.extend(models.iter().filter_map(wrong));
    (models, findings)
}

/// The models whose passports have no findings, and the findings of the others.
fn passports(folders: &BTreeMap<Name, PathBuf>) -> (BTreeMap<Name, Arc<Model>>, Vec<Finding>) {
    let mut models = BTreeMap::new();
    let mut findings = Vec::new();
    for (name, folder) in folders {
        match Model::load(folder) {
            Ok(model) => drop(models.insert(name.clone(), Arc::new(model))),
            Err(error) => findings.extend(error.into_findings().into_iter().map(|finding| from_config(finding, name))),
        }
    }
    (models, findings)
}

/// Says which table of the configuration led to a finding that has no advice of its own.
fn from_config(mut finding: Finding, name: &Name) -> Finding {
    finding.help.get_or_insert_with(|| format!("`[models.{name}]` of the configuration names this model"));
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Surroundings};
    use crate::models::passport::tests::{PASSPORT, written};

    /// SHA-256 of `abc` (FIPS 180-2, appendix B.1).
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn all_models_are_looked_at_before_anything_is_said() {
        let (folder, path) = written(PASSPORT);
        std::fs::write(path.join("model.onnx"), "abc").unwrap();
        let second = folder.path().join("second");
        std::fs::create_dir(&second).unwrap();
        std::fs::write(second.join(FILE_NAME), PASSPORT.replace("fill = 114\n", "")).unwrap();
        let text = "device.id = \"d\"\ncameras.c = { kind = \"replay\", path = \"p\" }\n\
                    models = { a = { folder = \"example\" }, b = { folder = \"second\" }, c = { folder = \"third\" } }\n\
                    routes = [{ name = \"r\", members = [{ model = \"a\" }] }]";
        let surroundings = Surroundings { folder: folder.path().into(), credentials: None, runtime: None };
        let settings = config::settings("kenpin.toml", &[("kenpin.toml".to_owned(), text.to_owned())], &surroundings);
        let mut settings = settings.unwrap();
        let (models, findings) = examine(&settings.models);
        let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!((models.len(), messages.len()), (1, 4), "{messages:#?}");
        assert!(messages[0].starts_with("`name` is \"example\""), "{}", messages[0]);
        assert!(messages[1].contains("has no `fill`"), "{}", messages[1]);
        assert!(messages[2].contains("third") && messages[2].contains("cannot be read"), "{}", messages[2]);
        assert!(messages[3].contains(ABC) && messages[3].contains(&"0".repeat(64)), "{}", messages[3]);

        let refused = load_all(&settings).unwrap_err();
        assert_eq!(refused.findings().len(), 3, "a start looks at passports only: {refused}");
        settings.models.retain(|name, _| name.as_str() == "a");
        let loaded = load_all(&settings).expect("a wrong file stops its model, not the start");
        assert_eq!(loaded.into_keys().collect::<Vec<_>>(), [Name::new("a").unwrap()]);
    }

    #[test]
    fn a_file_is_what_its_passport_says_or_both_hashes_are_told() {
        let (folder, path) = written(&PASSPORT.replace(&"0".repeat(64), ABC));
        let model = Model::load(&path).unwrap();
        std::fs::write(path.join("model.onnx"), "abc").unwrap();
        assert!(verify(&model).is_ok());
        std::fs::write(path.join("model.onnx"), "abd").unwrap();
        match verify(&model) {
            Err(ModelError::WrongHash { seen, wanted, .. }) => {
                assert_eq!(wanted, ABC);
                assert!(seen.starts_with("a52d159f"), "{seen}");
            }
            other => panic!("{other:?}"),
        }
        std::fs::remove_file(path.join("model.onnx")).unwrap();
        assert!(matches!(verify(&model), Err(ModelError::Unreadable { .. })));
        assert_eq!(find(folder.path()).unwrap(), [path]);
    }
}
