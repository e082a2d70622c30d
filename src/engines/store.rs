//! The store: a folder of engines, each in a folder of its own with a manifest of every file.
//!
//! An engine is code: whoever deserialises it runs it. So nothing is used that is not ours alone (owner, no symbolic link, not
//! writable by others), not listed in its manifest with its size and SHA-256, or made of other ingredients than are wanted.
//! What is refused is refused with a reason and built anew; what is put in place is put there whole, by one rename.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Ingredients, Key};
use crate::models::catalogue;

/// The schema of the manifest this build writes and reads.
pub const SCHEMA: &str = "kenpin.engine/1";

/// The manifest of an engine, in its folder.
pub const MANIFEST: &str = "manifest.json";

/// What a folder that is being filled or taken away begins with.
const PASSING: &str = "passing-";

/// The largest manifest that is read, in bytes.
const MAX_MANIFEST: u64 = 1 << 20;

/// Of an engine: what it is made of, and each of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `kenpin.engine/1`.
    pub schema: String,
    /// When it was built.
    pub built: jiff::Timestamp,
    /// What it is made of; the key is their hash.
    pub ingredients: Ingredients,
    /// Its files by their path inside the folder.
    pub files: BTreeMap<String, FileMark>,
}

/// One file of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileMark {
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256, 64 hex digits.
    pub sha256: String,
}

/// Whether an engine can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is there and is what it should be.
    Ready,
    /// There is none under this key.
    Missing,
    /// There is one and it may not be used: why.
    Refused(String),
}

impl State {
    /// Why there is no engine to be used, as a placement says it; `None` where there is one.
    #[must_use]
    pub fn pending(&self) -> Option<String> {
        match self {
            Self::Ready => None,
            Self::Missing => Some("its engine is not built yet".into()),
            Self::Refused(why) => Some(format!("its engine is refused: {why}")),
        }
    }
}

/// One engine of the folder, whoever wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: Key,
    /// Its manifest, or why it may not be used.
    pub manifest: Result<Manifest, String>,
    /// Bytes of all its files.
    pub bytes: u64,
}

/// A folder of engines.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    owner: u32,
}

impl Store {
    /// The store in `folder`, which need not be there yet; its owner is the user of this process.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self::owned_by(folder, rustix::process::geteuid().as_raw())
    }

    /// The store in `folder` of the user with the number `owner`.
    #[must_use]
    pub fn owned_by(folder: &Path, owner: u32) -> Self {
        // ONNX Runtime and the builder may have another working directory.
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
        Self { folder, owner }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of one engine.
    #[must_use]
    pub fn folder_of(&self, key: &Key) -> PathBuf {
        self.folder.join(key.as_str())
    }

    /// Makes the folder where it is missing, closed to others.
    ///
    /// # Errors
    /// One sentence: it cannot be made, or is not ours alone.
    pub fn prepare(&self) -> Result<(), String> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|error| {
            format!("the folder for TensorRT engines, {}, cannot be made: {error}", self.folder.display())
        })?;
        self.ours(&self.folder, Kind::Folder).map(drop)
    }

    /// Whether the engine of these ingredients can be used.
    #[must_use]
    pub fn look(&self, wanted: &Ingredients) -> State {
        let key = wanted.key();
        if fs::symlink_metadata(self.folder_of(&key)).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return State::Missing;
        }
        match self.inspect(&key) {
            Ok(manifest) if manifest.ingredients == *wanted => State::Ready,
            Ok(_) => State::Refused("its manifest speaks of another engine".into()),
            Err(why) => State::Refused(why),
        }
    }

    /// The manifest of the engine under `key`, when everything is as it says.
    ///
    /// # Errors
    /// One sentence naming what is not.
    pub fn inspect(&self, key: &Key) -> Result<Manifest, String> {
        let folder = self.folder_of(key);
        self.ours(&self.folder, Kind::Folder)?;
        self.ours(&folder, Kind::Folder)?;
        let path = folder.join(MANIFEST);
        let length = self.ours(&path, Kind::File)?.len();
        if length > MAX_MANIFEST {
            return Err(format!("{} has {length} bytes, at most {MAX_MANIFEST} are read", path.display()));
        }
        let told = |why: String| format!("{}: {why}", path.display());
        let text = fs::read(&path).map_err(|error| told(error.to_string()))?;
        let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| told(error.to_string()))?;
        if manifest.schema != SCHEMA {
            return Err(told(format!("its schema is {:?}, want {SCHEMA:?}", manifest.schema)));
        }
        if manifest.ingredients.key() != *key {
            return Err(told("what it lists has another key than its folder".into()));
        }
        self.hold(&folder, &manifest)?;
        Ok(manifest)
    }

    /// Holds the files of a folder against its manifest: the same files, of the same size and hash, ours alone.
    fn hold(&self, folder: &Path, manifest: &Manifest) -> Result<(), String> {
        let seen = self.files(folder)?;
        if let Some(stray) = seen.keys().find(|name| !manifest.files.contains_key(*name)) {
            return Err(format!("{} is not in the manifest", folder.join(stray).display()));
        }
        for (name, mark) in &manifest.files {
            let path = folder.join(name);
            let Some(bytes) = seen.get(name) else { return Err(format!("{} is missing", path.display())) };
            if *bytes != mark.bytes {
                return Err(format!("{} has {bytes} bytes, the manifest says {}", path.display(), mark.bytes));
            }
            let sha256 = catalogue::sha256(&path).map_err(|error| error.to_string())?;
            if sha256 != mark.sha256 {
                return Err(format!("{}: sha256 is {sha256}, the manifest says {}", path.display(), mark.sha256));
            }
        }
        Ok(())
    }

    /// The files below a folder but the manifest, each by its path inside it, with its size; all of them ours alone.
    fn files(&self, folder: &Path) -> Result<BTreeMap<String, u64>, String> {
        let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_path_buf()]);
        while let Some(next) = folders.pop() {
            for path in entries(&next)? {
                let inside = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
                if fs::symlink_metadata(&path).is_ok_and(|seen| seen.is_dir()) {
                    self.ours(&path, Kind::Folder)?;
                    folders.push(path);
                } else if inside != MANIFEST {
                    found.insert(inside, self.ours(&path, Kind::File)?.len());
                }
            }
        }
        Ok(found)
    }

    /// Looks whether a path is what it should be and nobody else can change it.
    fn ours(&self, path: &Path, kind: Kind) -> Result<Metadata, String> {
        let shown = path.display();
        let seen = fs::symlink_metadata(path).map_err(|error| format!("{shown}: {error}"))?;
        let right = if kind == Kind::Folder { seen.is_dir() } else { seen.is_file() };
        if !right {
            let (is, want) = (if seen.is_symlink() { "a symbolic link" } else { "something else" }, kind.as_str());
            return Err(format!("{shown} is {is}, want {want}"));
        }
        if seen.uid() != self.owner {
            return Err(format!("{shown} belongs to user {}, want {}: engines are code", seen.uid(), self.owner));
        }
        if seen.mode() & 0o022 != 0 {
            let mode = seen.mode() & 0o777;
            return Err(format!("{shown} has mode {mode:03o}: others may write there, and engines are code"));
        }
        Ok(seen)
    }

    /// Every engine of the folder, in the order of their keys; none where there is no folder.
    ///
    /// # Errors
    /// One sentence when the folder cannot be listed.
    pub fn list(&self) -> Result<Vec<Listed>, String> {
        let mut all = Vec::new();
        for path in entries(&self.folder)? {
            let Some(key) = path.file_name().and_then(|name| name.to_str()).and_then(Key::parse) else { continue };
            let bytes = self.files(&path).unwrap_or_default().values().sum();
            all.push(Listed { manifest: self.inspect(&key), key, bytes });
        }
        all.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(all)
    }

    /// A new empty folder to build in, beside the engines; gone when dropped.
    ///
    /// # Errors
    /// One sentence when it cannot be made.
    pub fn passing(&self) -> Result<tempfile::TempDir, String> {
        let closed = Permissions::from_mode(0o700);
        let made = tempfile::Builder::new().prefix(PASSING).permissions(closed).tempdir_in(&self.folder);
        made.map_err(|error| format!("no folder can be made in {}: {error}", self.folder.display()))
    }

    /// Removes what a builder that was cut off has left. Only for who holds the lock.
    pub fn sweep(&self) {
        for path in entries(&self.folder).unwrap_or_default() {
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PASSING)) {
                remove(&path);
            }
        }
    }

    /// Puts what was built in `passing` in its place: closes the files to others, writes the manifest, brings all of it to the
    /// disk, and renames it over what was there.
    ///
    /// # Errors
    /// One sentence when there is no engine in it, or the disk refuses.
    pub fn install(&self, passing: tempfile::TempDir, ingredients: &Ingredients) -> Result<(), String> {
        let folder = passing.path();
        let told = |error: std::io::Error| format!("the engine in {} cannot be kept: {error}", folder.display());
        let files = close(folder).and_then(|()| self.files(folder))?;
        let engine = |name: &String| Path::new(name).extension().is_some_and(|extension| extension == "engine");
        if !files.keys().any(engine) {
            return Err("the builder says that it is done, and left no engine: TensorRT may have taken no node".into());
        }
        let mut marks = BTreeMap::new();
        for (name, bytes) in files {
            let path = folder.join(&name);
            let sha256 = catalogue::sha256(&path).map_err(|error| error.to_string())?;
            File::open(&path).and_then(|file| file.sync_all()).map_err(told)?;
            marks.insert(name, FileMark { bytes, sha256 });
        }
        let built = jiff::Timestamp::now();
        let manifest = Manifest { schema: SCHEMA.into(), built, ingredients: ingredients.clone(), files: marks };
        let text = serde_json::to_vec_pretty(&manifest).map_err(|error| error.to_string())?;
        write_closed(&folder.join(MANIFEST), &text).map_err(told)?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(told)?;
        self.replace(folder, &ingredients.key()).map_err(told)?;
        // What it was called is no more.
        let _ = passing.keep();
        Ok(())
    }

    fn replace(&self, from: &Path, key: &Key) -> std::io::Result<()> {
        let place = self.folder_of(key);
        let old = self.folder.join(format!("{PASSING}{}", uuid::Uuid::now_v7()));
        let replaced = match fs::rename(&place, &old) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        fs::rename(from, &place)?;
        if replaced {
            remove(&old);
        }
        File::open(&self.folder)?.sync_all()
    }

    /// The engines that none of `live` wants.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub fn unwanted(&self, live: &BTreeSet<Key>) -> Result<Vec<Listed>, String> {
        Ok(self.list()?.into_iter().filter(|engine| !live.contains(&engine.key)).collect())
    }

    /// Removes one engine.
    ///
    /// # Errors
    /// One sentence when it cannot be removed.
    pub fn remove(&self, key: &Key) -> Result<(), String> {
        let folder = self.folder_of(key);
        let gone = if folder.is_symlink() { fs::remove_file(&folder) } else { fs::remove_dir_all(&folder) };
        gone.map_err(|error| format!("{} cannot be removed: {error}", folder.display()))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    File,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Folder => "a folder",
            Self::File => "a file",
        }
    }
}

/// The paths in a folder, in order; none where there is no folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let told = |error: std::io::Error| format!("{} cannot be listed: {error}", folder.display());
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(told(error)),
    };
    let mut paths =
        listing.map(|entry| entry.map(|entry| entry.path()).map_err(told)).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

/// Closes everything below a folder to others: ONNX Runtime writes with whatever mask the process has.
fn close(folder: &Path) -> Result<(), String> {
    for path in entries(folder)? {
        let told = |error: std::io::Error| format!("{}: {error}", path.display());
        let seen = fs::symlink_metadata(&path).map_err(told)?;
        if seen.is_dir() {
            fs::set_permissions(&path, Permissions::from_mode(0o700)).map_err(told)?;
            close(&path)?;
        } else if seen.is_file() {
            fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(told)?;
        }
    }
    Ok(())
}

fn write_closed(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes a folder that nobody wants; one that stays is told and does no harm.
fn remove(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder) {
        tracing::warn!(folder = %folder.display(), %error, "a folder of an unfinished engine was not removed");
    }
}

#[cfg(test)]
mod tests;
