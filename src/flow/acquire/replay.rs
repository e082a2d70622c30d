//! The replay camera: image files, in order, as if a camera took them.
//!
//! A folder is read once, when the camera is opened, and sorted as people count (`cell2` before `cell10`); sub-folders
//! are not entered. A list is taken in its own order. A file that cannot be read is told and passed over.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::{Camera, DeviceError, Shot, decode};
use crate::clock::Monotonic;
use crate::config::{JpegScale, Raw, Replay, ReplayPartId};
use crate::flow::pool::Pool;
use crate::flow::{Image, PartId};

/// The file name extensions that make a file of a folder a picture, in any case.
pub const EXTENSIONS: [&str; 6] = ["png", "jpg", "jpeg", "bmp", "tif", "tiff"];

/// What a folder of raw frames holds.
const RAW: &str = "files that end in raw or yuyv";

/// Image files, played as a camera.
#[derive(Debug)]
pub struct ReplayCamera {
    source: PathBuf,
    files: Vec<PathBuf>,
    next: usize,
    /// The round that is being played, from 1.
    round: u64,
    round_has_pictures: bool,
    repeat: bool,
    part_id: ReplayPartId,
    raw: Option<Raw>,
    jpeg_scale: JpegScale,
}

impl ReplayCamera {
    /// Lists the files of a folder, or reads a text file with one path a line, relative to that file.
    ///
    /// # Errors
    /// [`DeviceError::Failed`] when the path cannot be read or names no pictures.
    pub fn open(settings: &Replay) -> Result<Self, DeviceError> {
        let source = settings.path.clone();
        let failed = |cause: &dyn std::fmt::Display| DeviceError::failed(&source.display(), cause);
        let (files, want) = if source.is_dir() {
            let wanted =
                if settings.raw.is_some() { RAW } else { "files that end in png, jpg, jpeg, bmp, tif or tiff" };
            (folder(&source, settings.raw.is_some()).map_err(|error| failed(&error))?, wanted)
        } else {
            (list(&source).map_err(|error| failed(&error))?, "one path a line")
        };
        if files.is_empty() {
            return Err(failed(&format_args!("there are no pictures to replay; want {want}")));
        }
        let Replay { repeat, part_id, raw, jpeg_scale, .. } = *settings;
        Ok(Self { source, files, next: 0, round: 1, round_has_pictures: false, repeat, part_id, raw, jpeg_scale })
    }

    /// The next file, beginning again where that is wanted. A round without one picture ends the replay.
    fn turn(&mut self) -> Result<Option<PathBuf>, DeviceError> {
        if self.next == self.files.len() {
            if !self.repeat {
                return Ok(None);
            }
            if !self.round_has_pictures {
                let cause = format!("not one of the {} files could be read as a picture", self.files.len());
                return Err(DeviceError::failed(&self.source.display(), &cause));
            }
            (self.next, self.round, self.round_has_pictures) = (0, self.round + 1, false);
        }
        let file = self.files.get(self.next).cloned();
        self.next += 1;
        Ok(file)
    }

    fn read(&self, file: &Path, pool: &Pool) -> Result<Image, String> {
        match self.raw {
            None => decode::read_image(file, self.jpeg_scale, pool),
            Some(raw) => {
                let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
                decode::raw::convert(&bytes, raw, pool)
            }
        }
    }

    fn part(&self, file: &Path) -> Result<Option<PartId>, String> {
        if self.part_id == ReplayPartId::None {
            return Ok(None);
        }
        let stem = file.file_stem().and_then(|stem| stem.to_str());
        let stem = stem.ok_or("its name, which names the part, is not UTF-8")?;
        let id = if self.round == 1 { PartId::new(stem) } else { PartId::new(&format!("{stem}#{}", self.round)) };
        id.map(Some).map_err(|error| error.to_string())
    }
}

impl Camera for ReplayCamera {
    fn capture(&mut self, pool: &Pool, _stop: &CancellationToken) -> Result<Option<Shot>, DeviceError> {
        let Some(file) = self.turn()? else { return Ok(None) };
        let captured = Monotonic::now();
        let shot = self
            .part(&file)
            .and_then(|part| self.read(&file, pool).map(|image| Shot { image, captured, part, missed: 0 }))
            .map_err(|cause| DeviceError::Unreadable { what: file.display().to_string(), cause })?;
        self.round_has_pictures = true;
        Ok(Some(shot))
    }
}

fn folder(path: &Path, raw: bool) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        if is_picture(&file, raw) && file.is_file() {
            files.push(file);
        }
    }
    files.sort_by(|one, other| natural_order(&one.to_string_lossy(), &other.to_string_lossy()));
    Ok(files)
}

fn is_picture(file: &Path, raw: bool) -> bool {
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let known: &[&str] = if raw { &["raw", "yuyv"] } else { &EXTENSIONS };
    known.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

fn list(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let base = path.parent().unwrap_or(Path::new(""));
    let text = std::fs::read_to_string(path)?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| base.join(line)).collect())
}

/// Compares as people count: runs of digits by their number, everything else by its bytes.
#[must_use]
pub fn natural_order(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one.as_bytes(), other.as_bytes());
    while let (Some(&first), Some(&second)) = (left.first(), right.first()) {
        let order = if first.is_ascii_digit() && second.is_ascii_digit() {
            let (number, rest) = take_digits(left);
            let (other_number, other_rest) = take_digits(right);
            (left, right) = (rest, other_rest);
            number.len().cmp(&other_number.len()).then_with(|| number.cmp(other_number))
        } else {
            (left, right) = (&left[1..], &right[1..]);
            first.cmp(&second)
        };
        if order.is_ne() {
            return order;
        }
    }
    left.len().cmp(&right.len()).then_with(|| one.cmp(other))
}

/// The leading digits without leading zeros, and what follows them.
fn take_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    (&digits[zeros..], rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_in_names_are_counted() {
        let mut names = ["cell10", "cell2", "cell02b", "cell", "a9", "cell1", "cell02"];
        names.sort_by(|one, other| natural_order(one, other));
        assert_eq!(names, ["a9", "cell", "cell1", "cell02", "cell2", "cell02b", "cell10"]);
    }

    proptest! {
        #[test]
        fn natural_order_is_a_total_order(names in proptest::collection::vec("[a0-3]{0,6}", 3)) {
            let [a, b, c] = [&names[0], &names[1], &names[2]];
            prop_assert_eq!(natural_order(a, b), natural_order(b, a).reverse());
            prop_assert_eq!(natural_order(a, b).is_eq(), a == b);
            if natural_order(a, b).is_le() && natural_order(b, c).is_le() {
                prop_assert!(natural_order(a, c).is_le());
            }
        }

        #[test]
        fn numbered_names_sort_by_their_number(one in 0_u64.., other in 0_u64..) {
            let names = [format!("part{one}.png"), format!("part{other}.png")];
            prop_assert_eq!(natural_order(&names[0], &names[1]), one.cmp(&other));
        }
    }

    #[test]
    fn a_round_without_pictures_ends_a_repeating_replay() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("broken.png"), b"not a picture").unwrap();
        let (part_id, jpeg_scale) = (ReplayPartId::FileStem, JpegScale::Whole);
        let settings = Replay { path: folder.path().into(), repeat: true, part_id, raw: None, jpeg_scale };
        let mut camera = ReplayCamera::open(&settings).unwrap();
        let pool = Pool::new(1);
        assert!(matches!(camera.capture(&pool, &CancellationToken::new()), Err(DeviceError::Unreadable { .. })));
        let error = camera.capture(&pool, &CancellationToken::new()).unwrap_err().to_string();
        assert!(error.ends_with("not one of the 1 files could be read as a picture"), "{error}");
    }
}
