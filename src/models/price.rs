//! The price of a model on a board: what it costs there and what it is worth on a labelled set, as `kenpin models price`
//! measured both.
//!
//! A passport is immutable and holds on every board; a price holds on one. It lies in the state directory as
//! `prices/<sha256 of the model file>-<board>-<provider>.toml`, one file a model, board and provider, replaced as a whole
//! when it is measured anew. Promises that a reader sees the old price or the new one, never a part of either.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ModelError;
use super::passport::Tier;
use crate::name::Name;

/// The schema this build writes and reads.
pub const SCHEMA: &str = "kenpin.price/1";

/// The folder of the prices inside the state directory.
pub const FOLDER: &str = "prices";

/// What a model costs and is worth, measured on one board with one provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The version of this file's form, `kenpin.price/1`.
    pub schema: String,
    /// The version of Kenpin that measured.
    pub kenpin: String,
    /// When it was measured, in UTC.
    #[schemars(with = "String")]
    pub measured: jiff::Timestamp,
    /// The model.
    pub model: Priced,
    /// Where it was measured.
    pub bench: Bench,
    /// What it costs.
    pub cost: Cost,
    /// What it is worth; absent for a model whose answers name no defect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worth: Option<Worth>,
}

/// The model that was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Priced {
    /// Its name.
    pub name: Name,
    /// The rung it stands on.
    pub tier: Tier,
    /// SHA-256 of the model file, 64 lower-case hex digits.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// Bytes of the model file and of the files with weights beside it.
    pub bytes: u64,
}

/// Where a model was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bench {
    /// The board's name, as it stands in the file's name.
    pub board: Name,
    /// What the board tells of itself.
    pub told: String,
    /// `onnxruntime` or `tract`.
    pub backend: String,
    /// The version the backend tells of itself.
    pub version: String,
    /// The execution provider: `tensorrt`, `cuda` or `cpu`.
    pub provider: String,
    /// Threads inside the session.
    pub threads: usize,
}

/// What a model costs for each picture it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Runs that were measured, after a warm-up.
    pub runs: u32,
    /// Wall milliseconds inside the runtime, the median of the runs.
    pub run_ms_p50: f64,
    /// The same, the 99th percentile by the nearest rank.
    pub run_ms_p99: f64,
    /// Wall milliseconds from pixels to tensor, the median; absent for a model that looks at no pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepare_ms_p50: Option<f64>,
    /// Wall milliseconds for preparing, running and reading the answer; the mean over the runs.
    pub wall_ms: f64,
    /// CPU milliseconds of all threads of the process, the kernel's part included, for preparing, running and reading the
    /// answer; the mean over the runs.
    pub cpu_ms: f64,
    /// Peak resident megabytes (10^6 bytes) that opening and running the model adds to a process that has loaded the library
    /// already; code of the library that only running touches is counted. Absent where the kernel does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<f64>,
    /// Energy; absent where the board has no INA3221 power monitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy: Option<Energy>,
}

/// What the board's power monitor told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Energy {
    /// The rails that were read and added up, by their labels.
    pub rails: Vec<String>,
    /// Milliwatt while nothing ran, the mean of the samples just before.
    pub idle_mw: f64,
    /// Milliwatt while the model was run again and again, the mean of the samples.
    pub running_mw: f64,
    /// Millijoule for each picture: the difference of the two over the pictures that were run in a second.
    pub picture_mj: f64,
}

/// What a model's decisions are worth on a labelled set.
///
/// Every interval is a percentile bootstrap interval over 2,000 stratified resamples of the set, the same for every model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Worth {
    /// The set.
    pub set: MeasuredSet,
    /// The score, 0 to 1, from which the model alone rejects; accuracy and agreement are counted at it.
    pub reject_from: f64,
    /// The share of right decisions.
    pub accuracy: Estimate,
    /// The mean of the share of defective parts rejected and the share of good parts passed.
    pub balanced_accuracy: Estimate,
    /// The area under the ROC curve.
    pub auc: Estimate,
    /// The greatest share of good parts that may be rejected where escapes are counted.
    pub false_reject_rate: f64,
    /// The score above which a part is rejected at that rate: the lowest that keeps it on this set. Where every part may be
    /// rejected it is below all scores, -1.
    pub reject_above: f64,
    /// The share of defective parts that pass at that rate.
    pub escapes: Estimate,
    /// How it stands against the teacher; absent for the teacher itself and where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against_teacher: Option<Comparison>,
}

/// A labelled set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasuredSet {
    /// The folder or list, as it was given.
    pub path: PathBuf,
    /// SHA-256 over a line for each picture in order: the SHA-256 of its file, a blank, `good` or `defective`; where boxes are
    /// labelled the SHA-256 of its label file's text in the place of that word.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// The number of parts.
    pub parts: usize,
    /// Those of them that are defective.
    pub defective: usize,
}

/// A figure with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The figure on the set.
    pub value: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

/// A model against the teacher, part by part of the same set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// The teacher.
    pub teacher: Name,
    /// SHA-256 of the teacher's model file.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub teacher_sha256: String,
    /// The share of parts that both decide alike.
    pub agreement: Estimate,
    /// The model's accuracy less the teacher's.
    pub accuracy_difference: Estimate,
    /// The model's AUC less the teacher's.
    pub auc_difference: Estimate,
    /// McNemar's exact test on the decisions.
    pub mcnemar: McNemar,
    /// DeLong's test on the areas; absent where the set has fewer than two good or two defective parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delong: Option<DeLong>,
}

/// McNemar's exact test: whether two models are wrong equally often on the same parts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct McNemar {
    /// Parts that only the model decides right.
    pub only_model: u32,
    /// Parts that only the teacher decides right.
    pub only_teacher: u32,
    /// The two-sided p value, 0 to 1.
    pub p: f64,
}

/// DeLong's test: whether two models rank the same parts equally well.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeLong {
    /// The model's AUC less the teacher's.
    pub difference: f64,
    /// The standard error of the difference.
    pub standard_error: f64,
    /// The two-sided p value, 0 to 1.
    pub p: f64,
}

impl Price {
    /// Where this price lies below the state directory `state`.
    #[must_use]
    pub fn path(&self, state: &Path) -> PathBuf {
        let Bench { board, backend, provider, .. } = &self.bench;
        // Another backend on the same processor has a price of its own.
        path(state, &self.model.sha256, board, if backend == "tract" { backend } else { provider })
    }

    /// Reads a price.
    ///
    /// # Errors
    /// [`ModelError::Unreadable`]: not there, not of this schema, or with a key that is unknown or missing.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let refused = |cause: String| ModelError::Unreadable { path: path.into(), cause };
        let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
        let told: Told = toml_edit::de::from_str(&text).map_err(|error| refused(one_line(&error)))?;
        if told.schema != SCHEMA {
            return Err(refused(format!(
                "its schema is {:?}, want {SCHEMA:?}: measure the price with this build",
                told.schema
            )));
        }
        toml_edit::de::from_str(&text).map_err(|error| refused(one_line(&error)))
    }

    /// Writes the price below `state`, over an older one of the same model, board and provider; gives the path.
    ///
    /// # Errors
    /// [`ModelError::Unreadable`] when a folder cannot be made or the file cannot be written; the older price then stays.
    pub fn write(&self, state: &Path) -> Result<PathBuf, ModelError> {
        let path = self.path(state);
        let refused =
            |cause: String| ModelError::Unreadable { path: path.clone(), cause: format!("cannot be written: {cause}") };
        let text = toml_edit::ser::to_string_pretty(self).map_err(|error| refused(error.to_string()))?;
        let folder = state.join(FOLDER);
        let written = std::fs::create_dir_all(&folder).and_then(|()| replace(&folder, &path, text.as_bytes()));
        written.map_err(|error| refused(error.to_string()))?;
        Ok(path)
    }
}

/// Where the price of a model file lies below the state directory `state`; `provider` is `tract` where that backend ran.
#[must_use]
pub fn path(state: &Path, sha256: &str, board: &Name, provider: &str) -> PathBuf {
    state.join(FOLDER).join(format!("{sha256}-{board}-{provider}.toml"))
}

/// Puts a whole file in the place of another: written beside it, brought to the disk, renamed.
pub(crate) fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // Prices are no secret: whoever runs the daemon reads them.
    let readable = std::fs::Permissions::from_mode(0o644);
    let mut file = tempfile::Builder::new().permissions(readable).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    std::fs::File::open(folder)?.sync_all()
}

/// What is read of a price before anything else.
#[derive(Deserialize)]
struct Told {
    schema: String,
}

/// What a reader of TOML says, on one line.
pub(super) fn one_line(error: &toml_edit::de::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A price with everything in it.
    pub(crate) fn price(model: &str, run_ms: f64, auc: f64) -> Price {
        let name = |text: &str| Name::new(text).unwrap();
        let estimate = |value: f64| Estimate { value, low: value - 0.02, high: value + 0.02 };
        let against = Comparison {
            teacher: name("teacher"),
            teacher_sha256: "1".repeat(64),
            agreement: estimate(0.9),
            accuracy_difference: estimate(-0.01),
            auc_difference: estimate(-0.02),
            mcnemar: McNemar { only_model: 3, only_teacher: 5, p: 0.7266 },
            delong: Some(DeLong { difference: -0.02, standard_error: 0.01, p: 0.0455 }),
        };
        let rails = vec!["VDD_IN".to_owned()];
        Price {
            schema: SCHEMA.into(),
            kenpin: "0.1.0".into(),
            measured: "2026-11-25T12:00:00Z".parse().unwrap(),
            model: Priced { name: name(model), tier: Tier::Student, sha256: "0".repeat(64), bytes: 7 },
            bench: Bench {
                board: name("board"),
                told: "Board".into(),
                backend: "onnxruntime".into(),
                version: "1.32.0".into(),
                provider: "cpu".into(),
                threads: 1,
            },
            cost: Cost {
                runs: 100,
                run_ms_p50: run_ms,
                run_ms_p99: run_ms * 1.5,
                prepare_ms_p50: Some(0.1),
                wall_ms: run_ms + 0.2,
                cpu_ms: run_ms + 0.1,
                memory_mb: Some(12.5),
                energy: Some(Energy { rails, idle_mw: 5000.0, running_mw: 7000.0, picture_mj: 4.0 }),
            },
            worth: Some(Worth {
                set: MeasuredSet { path: "set".into(), sha256: "2".repeat(64), parts: 20, defective: 8 },
                reject_from: 0.5,
                accuracy: estimate(0.85),
                balanced_accuracy: estimate(0.8),
                auc: estimate(auc),
                false_reject_rate: 0.05,
                reject_above: 0.61,
                escapes: estimate(0.3),
                against_teacher: Some(against),
            }),
        }
    }

    #[test]
    fn what_is_written_is_read_and_replaced_as_a_whole() {
        let state = tempfile::tempdir().unwrap();
        let full = price("student", 0.5, 0.9);
        let path = full.write(state.path()).unwrap();
        assert_eq!(path, state.path().join(format!("prices/{}-board-cpu.toml", "0".repeat(64))));
        assert_eq!(Price::read(&path).unwrap(), full);

        let mut bare = full;
        (bare.worth, bare.cost.energy, bare.cost.memory_mb) = (None, None, None);
        bare.write(state.path()).unwrap();
        assert_eq!(Price::read(&path).unwrap(), bare);
        assert!(!std::fs::read_to_string(&path).unwrap().contains("energy"), "what is not known is absent");
        let kept: Vec<_> = state.path().join(FOLDER).read_dir().unwrap().collect();
        assert_eq!(kept.len(), 1, "no temporary file stays");
    }

    #[test]
    fn what_is_no_price_is_refused_with_its_path() {
        let state = tempfile::tempdir().unwrap();
        let path = price("student", 0.5, 0.9).write(state.path()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let told = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Price::read(&path).unwrap_err().to_string()
        };
        let newer = told(&text.replace("price/1", "price/2"));
        assert!(
            newer.contains("-board-cpu.toml: its schema is \"kenpin.price/2\", want \"kenpin.price/1\""),
            "{newer}"
        );
        assert!(told(&text.replace("run_ms_p50", "run_ms_p51")).contains("run_ms_p51"));
        assert!(told("no toml").contains("-board-cpu.toml: "));
        std::fs::remove_file(&path).unwrap();
        assert!(Price::read(&path).unwrap_err().to_string().contains("No such file"));
    }
}
