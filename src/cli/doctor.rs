//! `kenpin doctor [CONFIG]`: what this machine lacks, and the command that mends each of it.

use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;

use super::{FINDINGS, check};
use crate::config;
use crate::doctor::facts::Facts;
use crate::doctor::gather::{Question, gather};
use crate::doctor::report::{Finding, Report, Severity};
use crate::doctor::{self};

/// Say what this machine lacks for its work, each with the command that mends it.
///
/// Looks at board and JetPack, libonnxruntime (which file, whether its providers have all they need and code for this GPU),
/// TensorRT with all it needs, CUDA, cuDNN, memory, swap, disks, power mode, clocks, cameras, permissions, the clock, the
/// service; with a config also at what the config asks for, its models and its broker. Changes nothing; where the library can
/// be loaded, a child process tries the providers that are wanted.
///
/// Exit code 0 when nothing needs to be mended, 1 with a warning or a failure, 3 when the machine cannot be looked at. Kenpin
/// itself has not been run on a Jetson: what is said of one rests on NVIDIA's packages and on listings of real boards.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The config file; what it asks for is looked at.
    config: Option<PathBuf>,
    /// The folder below which the machine's files lie. Below another one than `/` only files are read.
    #[arg(long, default_value = "/")]
    root: PathBuf,
    /// Who runs the daemon; without it the user `kenpin` where there is one, else who asks.
    #[arg(long)]
    user: Option<String>,
    /// Print JSON (`kenpin schema --doctor`) instead of lines.
    #[arg(long)]
    json: bool,
}

/// Looks and prints.
///
/// # Errors
/// When `--root` is no folder, there is no such user, or standard output cannot be written to.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(args.root.is_dir(), "--root is {}, want a folder", args.root.display());
    let config = args.config.as_deref().map(check::examine);
    let config = config.map(|examined| examined.map_err(|error| error.findings().iter().map(sentence).collect()));
    // Findings in its models do not hide what a config asks of the machine.
    let settings = args.config.as_deref().and_then(|path| config::survey(path).settings);
    let question =
        Question { root: &args.root, settings: settings.as_ref(), config: config.as_ref(), user: args.user.as_deref() };
    let facts = gather(question).map_err(anyhow::Error::msg)?;
    let report = Report::new(&facts.board, facts.simulated, doctor::examine(&facts), Timestamp::now());
    super::say(if args.json { serde_json::to_string_pretty(&report)? } else { shown(&facts, &report) })?;
    Ok(if report.worst >= Severity::Warn { ExitCode::from(FINDINGS) } else { ExitCode::SUCCESS })
}

/// A finding of the config in one sentence.
fn sentence(finding: &config::findings::Finding) -> String {
    let wanted = if finding.wanted.is_empty() { String::new() } else { format!(": {}", finding.wanted) };
    format!("{}{wanted}", finding.message)
}

/// The report for people.
fn shown(facts: &Facts, report: &Report) -> String {
    let mut lines = Vec::new();
    if facts.simulated {
        lines.push("SIMULATED: this board was made up by `kenpin board fake`".to_owned());
    }
    lines.extend(report.findings.iter().map(lines_of));
    let count = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    let (fails, warns, notes) = (count(Severity::Fail), count(Severity::Warn), count(Severity::Note));
    lines.push(format!("failures: {fails}, warnings: {warns}, notes: {notes}, ok: {}", count(Severity::Ok)));
    lines.join("\n")
}

fn lines_of(finding: &Finding) -> String {
    let further = |name: &str, text: &Option<String>| {
        text.as_ref().map_or_else(String::new, |text| format!("\n      {name:<18}{text}"))
    };
    let (severity, check) = (finding.severity.as_str(), finding.check.name());
    let (wanted, mend) = (further("want", &finding.wanted), further("mend", &finding.mend));
    format!("{severity:<6}{check:<18}{}{wanted}{mend}", finding.found.replace('\n', " "))
}
