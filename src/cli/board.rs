//! `kenpin board`: what the machine tells of its heat, power and clocks, once or again and again; and miniature boards.

pub(super) mod fake;
mod table;

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;

use crate::board::Board;
use crate::board::report::Report;
use crate::board::sensors::Sensors;

/// Show what this machine tells of its heat, power and clocks.
///
/// Reads Jetson Orin, Xavier, Nano and Thor with JetPack 4 to 7 and any other Linux machine; needs no rights and changes
/// nothing. What it does not find it says; a figure that cannot be read is a dash, in JSON null, never zero. The paths are those
/// of NVIDIA's sources and of listings of real boards; Kenpin itself has not been run on a Jetson.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Without a board:  kenpin board fake miniature --board orin-nano --heat \"0s 45C, 60s 105C, 2m 50C\" &
                  kenpin board --root miniature --watch"
)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// The folder below which `sys`, `proc`, `etc` and `var` lie.
    #[arg(long, default_value = "/")]
    root: PathBuf,
    /// Read again every so many seconds, 1 when not given, until interrupted: on a terminal the table anew, else a line each.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1", value_parser = every)]
    watch: Option<Duration>,
    /// Print JSON (`kenpin schema --board`) instead of tables: with --watch one line a reading.
    #[arg(long)]
    json: bool,
}

/// What else `kenpin board` can do.
#[derive(Debug, clap::Subcommand)]
enum Action {
    // Without remarks of its own: the first line of its `Args` is shown.
    Fake(fake::Args),
}

fn every(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.01..=86_400.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "want seconds from 0.01 to 86400".into())
}

/// Looks and prints.
///
/// # Errors
/// When `--root` is no folder, or standard output cannot be written to.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(Action::Fake(args)) = &args.action {
        return fake::run(args);
    }
    anyhow::ensure!(args.root.is_dir(), "--root is {}, want a folder", args.root.display());
    let board = Board::read(&args.root).context("the machine has no name")?;
    let look = || Report::read(&board, &Sensors::find(&args.root), Timestamp::now());
    let Some(every) = args.watch else {
        let report = look();
        let text = if args.json { serde_json::to_string_pretty(&report)? } else { table::full(&report) };
        super::say(text)?;
        return Ok(ExitCode::SUCCESS);
    };
    let redraws = std::io::stdout().is_terminal();
    loop {
        // Found anew each time: devices may have got new numbers, or come late.
        let report = look();
        let text = match (args.json, redraws) {
            (true, _) => serde_json::to_string(&report)?,
            (false, true) => redrawn(&table::full(&report)),
            (false, false) => table::line(&report),
        };
        if !told(&text)? {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(every);
    }
}

/// A text over the one before: from the upper left corner, each line to its end, then the rest of the screen.
fn redrawn(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("{line}\x1b[K")).collect();
    format!("\x1b[H{}\x1b[J", lines.join("\n"))
}

/// Prints a reading; whether anybody still reads.
fn told(text: &str) -> anyhow::Result<bool> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("standard output cannot be written to"),
    }
}
