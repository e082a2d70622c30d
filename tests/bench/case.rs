//! The cases of the bench: models, frames, threads.

use std::path::PathBuf;

use crate::root;

/// How frames are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Colour JPEG of quality 90, chroma at half size both ways.
    Jpeg,
    /// Raw, two bytes a pixel, chroma at half width.
    Yuyv,
}

impl Source {
    /// Where the frames are.
    pub(crate) fn folder(self) -> PathBuf {
        folder().join(if self == Self::Jpeg { "jpeg" } else { "yuyv" })
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// Tells model, source and threads.
    pub(crate) name: &'static str,
    /// The folders of the models under `target/bench/models`.
    pub(crate) models: &'static [&'static str],
    /// How frames are stored.
    pub(crate) source: Source,
    /// Threads inside each session.
    pub(crate) threads: usize,
    /// Parts in one round.
    pub(crate) parts: usize,
    /// Rounds, each of floors, road and, where it is asked for, the plain Python script.
    pub(crate) rounds: usize,
    /// Whether the plain Python script does the same in every round.
    pub(crate) rival: bool,
}

const fn case(
    name: &'static str,
    models: &'static [&'static str],
    source: Source,
    threads: usize,
    parts: usize,
    rival: bool,
) -> Case {
    Case { name, models, source, threads, parts, rounds: 13, rival }
}

/// One model, held against the floors.
pub(crate) const SINGLE: &[Case] = &[
    case("detector 640, JPEG, 1 thread", &["detector-640"], Source::Jpeg, 1, 6, true),
    case("detector 640, YUYV, 1 thread", &["detector-640"], Source::Yuyv, 1, 6, false),
    case("detector 640, JPEG, 2 threads", &["detector-640"], Source::Jpeg, 2, 6, false),
    case("detector 320, JPEG, 1 thread", &["detector-320"], Source::Jpeg, 1, 16, true),
    case("detector 320, YUYV, 1 thread", &["detector-320"], Source::Yuyv, 1, 16, false),
    case("detector 320, JPEG, 2 threads", &["detector-320"], Source::Jpeg, 2, 16, false),
    case("classifier 128, JPEG, 1 thread", &["classifier-128"], Source::Jpeg, 1, 64, true),
    case("classifier 128, YUYV, 1 thread", &["classifier-128"], Source::Yuyv, 1, 64, false),
    case("student 24 k, JPEG, 1 thread", &["student-96"], Source::Jpeg, 1, 96, true),
    case("student 24 k, YUYV, 1 thread", &["student-96"], Source::Yuyv, 1, 96, true),
];

/// Two models for every part, on two cores.
pub(crate) const PAIRS: &[Case] = &[
    case("two detectors 640, JPEG, 1 thread each", &["detector-640", "detector-640"], Source::Jpeg, 1, 6, true),
    case("two classifiers 128, JPEG, 1 thread each", &["classifier-128", "classifier-128"], Source::Jpeg, 1, 64, true),
];

impl Case {
    /// The case of this name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        SINGLE.iter().chain(PAIRS).find(|case| case.name == name)
    }

    /// The ONNX files.
    pub(crate) fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.models.iter().map(|model| folder().join("models").join(model).join("model.onnx"))
    }

    /// The frames, in the order of their names.
    pub(crate) fn frames(&self) -> anyhow::Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(self.source.folder())?;
        let mut files = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
        files.sort();
        Ok(files)
    }

    /// The side of the first model's square input.
    pub(crate) fn side(&self) -> anyhow::Result<u32> {
        let digits = self.models.first().and_then(|model| model.rsplit('-').next());
        Ok(digits.unwrap_or_default().parse()?)
    }

    /// Whether the first model wants its picture letterboxed rather than stretched.
    pub(crate) fn letterboxed(&self) -> bool {
        self.models.first().is_some_and(|model| model.starts_with("detector"))
    }
}

/// Where `make bench` puts models, frames and the report.
pub(crate) fn folder() -> PathBuf {
    root().join("target/bench")
}
