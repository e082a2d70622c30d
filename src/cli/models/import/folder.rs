//! The folder of a model in the making: a temporary one beside its target, removed unless it is finished.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::models::catalogue::sha256;
use crate::models::graph::Graph;
use crate::models::propose::Files;
use crate::name::Name;

/// The name of the ONNX file in a model's folder.
pub(in crate::cli) const MODEL: &str = "model.onnx";

/// A model's folder that is not finished yet.
#[derive(Debug)]
pub(in crate::cli) struct Unfinished {
    around: PathBuf,
    folder: PathBuf,
    name: Name,
}

impl Unfinished {
    /// Makes a temporary folder in `into`, and in it the model's, which has its name already.
    pub(in crate::cli) fn new(into: &Path, name: &Name) -> anyhow::Result<Self> {
        let around = into.join(format!(".import-{}", uuid::Uuid::now_v7()));
        let folder = around.join(name.as_str());
        let unfinished = Self { around, folder, name: name.clone() };
        std::fs::create_dir_all(&unfinished.folder)
            .with_context(|| format!("{} cannot be made", unfinished.folder.display()))?;
        Ok(unfinished)
    }

    /// The model's folder for the time being.
    pub(in crate::cli) fn path(&self) -> &Path {
        &self.folder
    }

    /// Copies the ONNX file, its weights and a tokenizer into the folder, and hashes the copies.
    pub(in crate::cli) fn copy(&self, file: &Path, graph: &Graph, tokenizer: Option<&Path>) -> anyhow::Result<Files> {
        let source = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let model = self.one(file, Path::new(MODEL))?;
        let mut external = Vec::new();
        for path in &graph.external {
            if !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
                bail!(
                    "{}: its weights lie in {:?}, want a file in the same folder",
                    file.display(),
                    path.display().to_string()
                );
            }
            external.push(self.one(&file.with_file_name("").join(path), path)?);
        }
        let tokenizer = tokenizer.map(|path| self.one(path, Path::new("tokenizer.json"))).transpose()?;
        Ok(Files { name: self.name.clone(), source, model, external, tokenizer })
    }

    /// Copies one file to its place in the folder; gives that place and its hash.
    fn one(&self, from: &Path, to: &Path) -> anyhow::Result<(String, String)> {
        let target = self.folder.join(to);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
        }
        std::fs::copy(from, &target)
            .with_context(|| format!("{} cannot be copied to {}", from.display(), target.display()))?;
        Ok((to.display().to_string(), sha256(&target)?))
    }

    /// Puts the folder in its place, where nothing may be.
    pub(in crate::cli) fn finish(self, target: &Path) -> anyhow::Result<()> {
        let cannot = || format!("{} cannot be put in its place", target.display());
        anyhow::ensure!(!target.exists(), "{} has appeared meanwhile: nothing was overwritten", target.display());
        std::fs::rename(&self.folder, target).with_context(cannot)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.around) {
            eprintln!("kenpin: {} cannot be removed: {error}", self.around.display());
        }
    }
}
