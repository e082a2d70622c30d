//! The labelled pictures of a teaching, each with its vector, and those among them that the embedding model was trained on.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::embed::{Embedded, Embedder};
use super::{Args, untaught};
use crate::cli::leak::Trained;
use crate::learn::teach::Examples;
use crate::name::Name;

/// What is known of the examples.
#[derive(Debug)]
pub(super) struct Gathered {
    /// The classes, the good one first.
    pub(super) classes: Vec<Name>,
    /// The pictures, in the order of the classes.
    pub(super) pictures: Vec<PathBuf>,
    /// The hash of the decoded pixels of each.
    pub(super) pixels: Vec<String>,
    /// The vector and the class of each.
    pub(super) examples: Examples,
    /// Whether the embedding model was trained on each; `None` where nobody said what it was trained on.
    pub(super) seen: Option<Vec<bool>>,
}

impl Gathered {
    /// Embeds every picture; those that the embedding model was trained on are told.
    ///
    /// # Errors
    /// [`super::Untaught`] for one picture under two classes or twice under one; else when a file cannot be read or a picture not
    /// be embedded.
    pub(super) fn read(
        args: &Args,
        embedder: &mut Embedder,
        classes: Vec<(Name, Vec<PathBuf>)>,
    ) -> anyhow::Result<Self> {
        let trained = args.trained.as_deref().zip(args.pixels.as_deref());
        let trained = trained.map(|(list, pixels)| Trained::read(list, pixels)).transpose()?;
        let of_class = |(class, (_, pictures)): (usize, &(Name, Vec<PathBuf>))| vec![class; pictures.len()];
        let places: Vec<usize> = classes.iter().enumerate().flat_map(of_class).collect();
        let count = classes.len();
        let (names, pictures): (Vec<Name>, Vec<Vec<PathBuf>>) = classes.into_iter().unzip();
        let pictures = pictures.concat();
        let embedded = embedder.all(&pictures)?;
        let (vectors, pixels): (Vec<Vec<f64>>, Vec<String>) =
            embedded.into_iter().map(|Embedded { vector, pixels }| (vector, pixels)).unzip();
        twice(&pictures, &pixels)?;
        let seen = trained.map(|trained| pixels.iter().map(|hash| trained.name(hash).is_some()).collect::<Vec<bool>>());
        if let Some(seen) = &seen
            && let Some(first) = seen.iter().position(|is| *is)
        {
            let (many, all) = (seen.iter().filter(|is| **is).count(), seen.len());
            eprintln!(
                "kenpin: the embedding model was trained on {many} of the {all} examples, {} the first: they are not counted",
                pictures[first].display()
            );
        }
        Ok(Self { classes: names, pictures, pixels, examples: Examples { vectors, classes: places, count }, seen })
    }

    /// Whether a figure may rest on the example at `place`.
    pub(super) fn counts(&self, place: usize) -> bool {
        self.seen.as_ref().is_none_or(|seen| !seen[place])
    }
}

/// A picture that stands there twice would judge itself.
fn twice(pictures: &[PathBuf], pixels: &[String]) -> anyhow::Result<()> {
    let mut first: BTreeMap<&str, &PathBuf> = BTreeMap::new();
    for (picture, hash) in pictures.iter().zip(pixels) {
        if let Some(other) = first.insert(hash, picture) {
            let (picture, other) = (picture.display(), other.display());
            return Err(untaught(format!("{picture} and {other} are one picture: take one of them away")));
        }
    }
    Ok(())
}
