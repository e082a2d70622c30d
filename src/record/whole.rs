//! Small files of the state folder that are read and written as a whole: JSON, each change one rename. Promises: whoever reads
//! finds all of the old or all of the new, also after a power cut. What cannot be read or written is for the caller to tell.

use std::io::{Error, ErrorKind, Write as _};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads a file; `None` where there is none.
///
/// # Errors
/// What the system said, or why the content cannot be understood.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file onto the disk, in place of the one that may be there; its folder is made where it is missing.
///
/// # Errors
/// What the system said.
pub(super) fn write(path: &Path, content: &impl Serialize) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&serde_json::to_vec(content)?)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}
