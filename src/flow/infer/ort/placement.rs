//! Where the nodes of a session really run: the profile of its warm-up, counted by provider, and what that says about
//! the provider asked for. Touches no foreign library.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::flow::Placement;

/// A private folder for one profile, removed when dropped.
#[derive(Debug)]
pub(super) struct Profile {
    folder: PathBuf,
}

impl Profile {
    /// Makes the folder; without one (a full or read-only temporary folder) nodes are not counted, and that is told.
    pub(super) fn begin() -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("kenpin-profile-{}", uuid::Uuid::now_v7()));
        match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => Some(Self { folder }),
            Err(error) => {
                let folder = folder.display();
                tracing::warn!(%folder, %error, "no folder for the warm-up profile: nodes are not counted");
                None
            }
        }
    }

    /// What the runtime's profile file begins with.
    pub(super) fn prefix(&self) -> PathBuf {
        self.folder.join("warm-up")
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "the warm-up profile was not removed");
        }
    }
}

/// Nodes by provider, from the file the runtime wrote; none, and told, when it cannot be read.
pub(super) fn nodes(file: &Path) -> BTreeMap<String, usize> {
    let read = std::fs::read(file).map_err(|error| error.to_string());
    match read.and_then(|text| count(&text)) {
        Ok(nodes) => nodes,
        Err(error) => {
            let file = file.display();
            tracing::warn!(%file, error, "the warm-up profile cannot be read: nodes are not counted");
            BTreeMap::new()
        }
    }
}

/// One event of a profile, as far as it matters here.
#[derive(Deserialize)]
struct ProfileEvent {
    #[serde(default)]
    cat: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    args: ProfileArguments,
}

#[derive(Deserialize, Default)]
struct ProfileArguments {
    #[serde(default)]
    provider: String,
}

/// Counts the distinct nodes of a profile by the provider that ran them; a node that ran often counts once.
fn count(profile: &[u8]) -> Result<BTreeMap<String, usize>, String> {
    let events: Vec<ProfileEvent> = serde_json::from_slice(profile).map_err(|error| error.to_string())?;
    let ran = |event: &ProfileEvent| {
        event.cat == "Node" && event.name.ends_with("_kernel_time") && !event.args.provider.is_empty()
    };
    let nodes: BTreeSet<(String, String)> =
        events.into_iter().filter(ran).map(|event| (short_name(&event.args.provider), event.name)).collect();
    let mut counts = BTreeMap::new();
    for (provider, _) in nodes {
        *counts.entry(provider).or_default() += 1;
    }
    Ok(counts)
}

/// `TensorrtExecutionProvider` is `tensorrt`.
fn short_name(provider: &str) -> String {
    provider.strip_suffix("ExecutionProvider").unwrap_or(provider).to_lowercase()
}

/// Completes a placement: what was refused before becomes the fallback, and a provider that took no node at all gives
/// its place to the one that took most.
pub(super) fn finish(placement: &mut Placement, mut refused: Vec<String>) {
    let most = placement.nodes.iter().max_by_key(|(_, count)| **count);
    if let Some((provider, _)) = most.filter(|_| !placement.nodes.contains_key(&placement.provider)) {
        let total: usize = placement.nodes.values().sum();
        refused.push(format!("{}: took none of the {total} nodes", placement.provider));
        placement.provider.clone_from(provider);
    }
    placement.fallback = (!refused.is_empty()).then(|| refused.join("; "));
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = r#"[
        {"cat":"Session","name":"model_loading_array","args":{}},
        {"cat":"Node","name":"conv_fence_before","args":{"op_name":"Conv"}},
        {"cat":"Node","name":"conv_kernel_time","args":{"op_name":"Conv","provider":"CUDAExecutionProvider"}},
        {"cat":"Node","name":"conv_kernel_time","args":{"op_name":"Conv","provider":"CUDAExecutionProvider"}},
        {"cat":"Node","name":"gemm_kernel_time","args":{"op_name":"Gemm","provider":"CPUExecutionProvider"}},
        {"cat":"Node","name":"add_kernel_time","args":{"op_name":"Add","provider":"CPUExecutionProvider"}}
    ]"#;

    fn placement(provider: &str, nodes: &[(&str, usize)]) -> Placement {
        Placement {
            backend: "onnxruntime".into(),
            version: "1.17.3".into(),
            provider: provider.into(),
            nodes: nodes.iter().map(|(name, count)| ((*name).into(), *count)).collect(),
            fallback: None,
        }
    }

    #[test]
    fn a_profile_is_counted_by_node_and_provider() {
        let counted = count(PROFILE.as_bytes()).unwrap();
        assert_eq!(counted, BTreeMap::from([("cuda".into(), 1), ("cpu".into(), 2)]));
        assert!(count(b"[{\"cat\":").is_err());
        assert!(count(b"[]").unwrap().is_empty());
    }

    #[test]
    fn a_provider_that_took_no_node_is_not_claimed() {
        let mut claimed = placement("cuda", &[("cpu", 7)]);
        finish(&mut claimed, vec!["tensorrt: not in this build".into()]);
        assert_eq!(claimed.provider, "cpu");
        let why = "tensorrt: not in this build; cuda: took none of the 7 nodes";
        assert_eq!(claimed.fallback.as_deref(), Some(why));
        let mut shared = placement("cuda", &[("cpu", 7), ("cuda", 1)]);
        finish(&mut shared, Vec::new());
        assert_eq!((shared.provider.as_str(), shared.fallback), ("cuda", None));
    }

    #[test]
    fn the_folder_of_a_profile_is_removed() {
        let profile = Profile::begin().unwrap();
        let folder = profile.folder.clone();
        std::fs::write(profile.prefix(), PROFILE).unwrap();
        assert_eq!(nodes(&profile.prefix()).len(), 2);
        assert!(nodes(&folder.join("absent")).is_empty());
        drop(profile);
        assert!(!folder.exists());
    }
}
