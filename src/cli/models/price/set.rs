//! The labelled set of a pricing: read and decoded once before anything is measured, and named by its content.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use indicatif::ProgressBar;

use crate::cli::labelled::{self, Labelled};
use crate::config::JpegScale;
use crate::flow::acquire::decode::read_image;
use crate::flow::pool::Pool;
use crate::models::catalogue;
use crate::models::price::MeasuredSet;

/// Reads the set at `path`, looks at every picture and works out what the set is.
///
/// # Errors
/// When the set or one of its pictures cannot be read, or it has no good or no defective part.
pub(super) fn read(path: &Path) -> anyhow::Result<(Vec<Labelled>, MeasuredSet)> {
    let set = labelled::read(path, &[])?;
    let defective = set.iter().filter(|labelled| labelled.defective).count();
    let (seen, good) = (path.display(), set.len() - defective);
    ensure!(good > 0 && defective > 0, "{seen} holds {good} good and {defective} defective parts, want some of both");
    let (pool, progress) = (Pool::new(1), ProgressBar::new(set.len() as u64));
    let mut lines = String::new();
    for Labelled { image, defective, .. } in &set {
        let shown = || image.display().to_string();
        read_image(image, JpegScale::Whole, &pool).map_err(anyhow::Error::msg).with_context(shown)?;
        let truth = if *defective { "defective" } else { "good" };
        writeln!(lines, "{} {truth}", catalogue::sha256(image)?)?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    let sha256 = catalogue::sha256_of(lines.as_bytes());
    let parts = set.len();
    Ok((set, MeasuredSet { path: path.into(), sha256, parts, defective }))
}
