//! The leak guard: labelled pictures that a member was trained on say nothing of how good it is. A picture is known by its
//! decoded pixels, however its file is called or compressed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use sha2::{Digest as _, Sha256};

use crate::cli::labelled::Labelled;
use crate::config::JpegScale;
use crate::flow::acquire::decode::read_image;
use crate::flow::pool::Pool;
use crate::flow::{Image, PixelFormat};
use crate::models::catalogue::hex;

/// The parts that members were trained on: names by the hash of their pixels.
pub(super) struct Trained(BTreeMap<String, String>);

impl Trained {
    /// Reads a list of names, one a line, and the hashes of their pixels, a CSV file `part,sha256`, as the recipe writes them.
    ///
    /// # Errors
    /// When one cannot be read, or a name of the list has no hash.
    pub(super) fn read(list: &Path, pixels: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(list).with_context(|| format!("{} cannot be read", list.display()))?;
        let mut names: BTreeSet<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let shown = pixels.display();
        let mut rows = csv::Reader::from_path(pixels).with_context(|| format!("{shown} cannot be read"))?;
        let mut trained = BTreeMap::new();
        for row in rows.deserialize() {
            let (part, sha256): (String, String) =
                row.with_context(|| format!("{shown}: want the columns part, sha256"))?;
            if names.remove(part.as_str()) {
                trained.insert(sha256, part);
            }
        }
        let missing = names.first();
        ensure!(
            missing.is_none(),
            "{shown} has no hash of {}, which stands in {}",
            missing.unwrap_or(&""),
            list.display()
        );
        Ok(Self(trained))
    }

    /// The labelled pictures that are among them, each with its name there.
    ///
    /// # Errors
    /// When a picture cannot be read.
    pub(super) fn among<'s>(&self, set: &'s [Labelled]) -> anyhow::Result<Vec<(&'s PathBuf, &str)>> {
        let pool = Pool::new(1);
        let mut found = Vec::new();
        for Labelled { image: path, .. } in set {
            found.extend(self.name_of(path, &pool)?.map(|name| (path, name)));
        }
        Ok(found)
    }

    /// What the picture with these pixels is called among them.
    pub(super) fn name(&self, pixel_hash: &str) -> Option<&str> {
        self.0.get(pixel_hash).map(String::as_str)
    }

    /// The name of a picture among them, if it is one of them.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn name_of(&self, path: &Path, pool: &Pool) -> anyhow::Result<Option<&str>> {
        let image = read_image(path, JpegScale::Whole, pool).map_err(anyhow::Error::msg);
        let image = image.with_context(|| path.display().to_string())?;
        Ok(self.name(&pixel_hash(&image)))
    }
}

/// SHA-256 over a line with width, height and mode, and the pixels row by row, as the recipe's `data.pixel_hash`.
pub(super) fn pixel_hash(image: &Image) -> String {
    let mode = match image.format() {
        PixelFormat::Grey8 => "L",
        PixelFormat::Grey16 => "I;16",
        PixelFormat::Rgb8 | PixelFormat::Rgb16 => "RGB",
    };
    let mut hash = Sha256::new();
    hash.update(format!("{} {} {mode}\n", image.width(), image.height()));
    hash.update(image.bytes());
    hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_known_by_its_pixels_under_any_name_and_format() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let picture = |level: u8, name: &str| {
            image::GrayImage::from_pixel(3, 2, image::Luma([level])).save(path(name)).unwrap();
            Labelled {
                image: path(name),
                defective: false,
                class: None,
                measured: None,
                batch: None,
                corruption: None,
                sensors: BTreeMap::new(),
            }
        };
        let set = [picture(7, "renamed.tiff"), picture(8, "new.png"), picture(9, "held-out.png")];
        // Python: hashlib.sha256(b"3 2 L\n" + bytes([7] * 6)).hexdigest()
        let seven = crate::models::catalogue::sha256_of(&[b"3 2 L\n".as_slice(), &[7; 6]].concat());
        let nine = crate::models::catalogue::sha256_of(&[b"3 2 L\n".as_slice(), &[9; 6]].concat());
        std::fs::write(path("pixels.csv"), format!("part,sha256\ncell1,{seven}\ncell3,{nine}\n")).unwrap();
        std::fs::write(path("train.txt"), "cell1\n").unwrap();
        let trained = Trained::read(&path("train.txt"), &path("pixels.csv")).unwrap();
        assert_eq!(trained.among(&set).unwrap(), [(&path("renamed.tiff"), "cell1")]);
        std::fs::write(path("train.txt"), "cell1\ncell2\n").unwrap();
        let told = Trained::read(&path("train.txt"), &path("pixels.csv")).err().unwrap().to_string();
        assert!(told.contains("has no hash of cell2, which stands in"), "{told}");
    }
}
