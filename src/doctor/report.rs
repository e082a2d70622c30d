//! What the doctor says, as a stable form for machines: `kenpin doctor --json`.

use schemars::JsonSchema;
use serde::Serialize;

/// The schema this build writes. Within a major version keys are only added.
pub const SCHEMA: &str = "kenpin.doctor/1";

/// How bad a finding is, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing needs to be done.
    Note,
    /// Kenpin runs, and will be slower, blind or in danger.
    Warn,
    /// Kenpin will not run as it was told.
    Fail,
}

impl Severity {
    /// As it stands in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// What is looked at: a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Which board this is.
    Board,
    /// Jetson Linux and `JetPack`.
    Jetpack,
    /// libonnxruntime: which file, which version, for this processor.
    Onnxruntime,
    /// Its CUDA provider: whether it is there, can be loaded and has code for this GPU.
    CudaProvider,
    /// Its TensorRT provider.
    TensorrtProvider,
    /// CUDA.
    Cuda,
    /// cuDNN.
    Cudnn,
    /// TensorRT.
    Tensorrt,
    /// `libnvdla_compiler.so`, without which TensorRT does not load on most Jetsons.
    DlaCompiler,
    /// Memory.
    Memory,
    /// Swap.
    Swap,
    /// Room on disks.
    Disk,
    /// The power mode.
    PowerMode,
    /// Clocks and their governors.
    Clocks,
    /// Cameras.
    Cameras,
    /// What the daemon's user may open.
    Access,
    /// The broker.
    Broker,
    /// Whether the clock is right.
    Time,
    /// The configuration and its models.
    Config,
    /// The systemd unit.
    Service,
}

impl Check {
    /// The name in reports: `dla-compiler`.
    #[must_use]
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| Some(name.as_str()?.to_owned())).unwrap_or_default()
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, in a sentence without its full stop.
    pub found: String,
    /// What is wanted instead; null where all is well.
    pub wanted: Option<String>,
    /// The command that mends it; null where all is well, or where there is none.
    pub mend: Option<String>,
}

impl Finding {
    fn new(check: Check, severity: Severity, found: impl Into<String>) -> Self {
        Self { check, severity, found: found.into(), wanted: None, mend: None }
    }

    /// All is well.
    pub(super) fn ok(check: Check, found: impl Into<String>) -> Self {
        Self::new(check, Severity::Ok, found)
    }

    /// Worth knowing.
    pub(super) fn note(check: Check, found: impl Into<String>) -> Self {
        Self::new(check, Severity::Note, found)
    }

    /// It will hurt.
    pub(super) fn warn(check: Check, found: impl Into<String>) -> Self {
        Self::new(check, Severity::Warn, found)
    }

    /// It does not work.
    pub(super) fn fail(check: Check, found: impl Into<String>) -> Self {
        Self::new(check, Severity::Fail, found)
    }

    /// What is wanted instead.
    pub(super) fn want(mut self, wanted: impl Into<String>) -> Self {
        self.wanted = Some(wanted.into());
        self
    }

    /// What mends it.
    pub(super) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }
}

/// All that the doctor says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Report {
    /// The version of this form, `kenpin.doctor/1`.
    pub schema: String,
    /// When it was looked, in UTC.
    #[schemars(with = "String")]
    pub read: jiff::Timestamp,
    /// What the board tells of itself.
    pub board: String,
    /// Whether the board was made up by `kenpin board fake`.
    pub simulated: bool,
    /// The worst of the findings.
    pub worst: Severity,
    /// The findings.
    pub findings: Vec<Finding>,
}

impl Report {
    /// What was found on `board` at the time `read`.
    #[must_use]
    pub fn new(board: &str, simulated: bool, findings: Vec<Finding>, read: jiff::Timestamp) -> Self {
        let worst = findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok);
        Self { schema: SCHEMA.to_owned(), read, board: board.to_owned(), simulated, worst, findings }
    }
}
