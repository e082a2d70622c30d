//! The board: what the machine tells of itself. Files of the kernel are read below a root, so that a miniature tree can
//! stand in for a board.

mod clocks;
mod cooling;
pub mod fake;
mod files;
pub mod power;
pub mod readings;
pub mod release;
pub mod report;
pub mod sensors;
mod zones;

use std::path::Path;

use crate::name::{Name, NameError};

/// Which board this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// A name made of what the board tells, for the names of files: lower-case letters, digits and single hyphens.
    pub name: Name,
    /// What it tells.
    pub told: String,
}

impl Board {
    /// Reads which board this is: the model in the device tree, else the processor's name in `proc/cpuinfo`, else the
    /// architecture this build is for.
    ///
    /// # Errors
    /// None in practice: the name of an architecture is one.
    pub fn read(root: &Path) -> Result<Self, NameError> {
        let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
        // The device tree ends its texts with a null byte.
        let tree = read("proc/device-tree/model").trim_matches(|c: char| c == '\0' || c.is_whitespace()).to_owned();
        let told = [tree, processor(&read("proc/cpuinfo")).to_owned()].into_iter().find(|told| !slug(told).is_empty());
        let told = told.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
        Ok(Self { name: Name::new(&slug(&told))?, told })
    }
}

/// The value of `model name`, which x86 kernels tell of each core.
fn processor(cpuinfo: &str) -> &str {
    let value = |line: &&str| line.split_once(':').is_some_and(|(key, _)| key.trim() == "model name");
    cpuinfo.lines().find(value).and_then(|line| line.split_once(':')).map_or("", |(_, name)| name.trim())
}

/// Lower-case letters and digits, everything else as single hyphens between them.
fn slug(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    slug.chars().take(Name::MAX_BYTES).collect::<String>().trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_named_by_its_device_tree_or_its_processor() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let named = || Board::read(root.path()).unwrap().name.to_string();
        assert_eq!(named(), slug(std::env::consts::ARCH));
        write("proc/cpuinfo", "processor\t: 0\nmodel name\t: AMD EPYC (TM) 9, 2.0 GHz\nmodel name : other\n");
        assert_eq!(named(), "amd-epyc-tm-9-2-0-ghz");
        let jetson = "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super";
        write("proc/device-tree/model", &format!("{jetson}\0"));
        let board = Board::read(root.path()).unwrap();
        assert_eq!(board.told, jetson);
        assert_eq!(board.name.as_str(), "nvidia-jetson-orin-nano-engineering-reference-developer-kit-supe");
    }
}
