//! `kenpin board fake`: a miniature board in a folder, and a heat curve that is played into it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use clap::builder::PossibleValuesParser;

use crate::board::fake::curve::Curve;
use crate::board::fake::{Fake, Heat, Kernel, Kind};
use crate::cli::say;

/// Write a miniature board with made-up figures into a folder, and play a heat curve into it.
///
/// For trying things without a board: `kenpin board --root DIR` shows it. The folder must be new, empty or such a board
/// already; a file in it says that it is none. What was copied from real boards and what is only plausible stands in
/// src/board/fake/boards.rs.
///
/// With --heat the chip follows the curve in real time. Above its trip the board does as its kernel would: alerts rise, and
/// every second all clocks are held down one step more; below, one step less.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder.
    dir: PathBuf,
    /// Which board.
    #[arg(long, value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::name)))]
    board: String,
    /// A heat curve such as "0s 45C, 60s 98C, 2m 50C", or @FILE with one: a point a line or parted by commas, # for remarks.
    #[arg(long, value_name = "CURVE", value_parser = curve)]
    heat: Option<Curve>,
    /// Samples a second.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100), requires = "heat")]
    rate: u32,
    /// Play the curve again and again until interrupted.
    #[arg(long = "loop", requires = "heat")]
    again: bool,
}

/// Writes and plays.
///
/// # Errors
/// When the folder holds other files or cannot be written to, or the curve is none.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let kind = Kind::named(&args.board).ok_or_else(|| anyhow!("--board is {}, want a kind of board", args.board))?;
    let fake = Fake::create(&args.dir, kind).context("the fake board cannot be written")?;
    say(format_args!("{} made up in {}", kind.name(), args.dir.display()))?;
    if let Some(curve) = &args.heat {
        let mut kernel = Kernel::new(kind);
        loop {
            play(&fake, curve, &mut kernel, args.rate)?;
            if !args.again {
                break;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(in crate::cli) fn curve(text: &str) -> Result<Curve, String> {
    let text = match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).map_err(|error| format!("{file} cannot be read: {error}"))?,
        None => text.to_owned(),
    };
    Curve::parse(&text).map_err(|error| error.to_string())
}

/// Plays a curve once, its last point included, and says when throttling begins and ends.
pub(in crate::cli) fn play(fake: &Fake, curve: &Curve, kernel: &mut Kernel, rate: u32) -> anyhow::Result<()> {
    let begun = Instant::now();
    let between = 1.0 / f64::from(rate);
    let mut throttled = false;
    for sample in 0_u32.. {
        let seconds = (f64::from(sample) * between).min(curve.seconds());
        std::thread::sleep(Duration::from_secs_f64(seconds).saturating_sub(begun.elapsed()));
        let heat = kernel.heat(curve.celsius(seconds), between);
        fake.set(&heat).context("the fake board cannot be written")?;
        if heat.throttled != throttled {
            throttled = heat.throttled;
            say(changed(seconds, &heat))?;
        }
        if seconds >= curve.seconds() {
            break;
        }
    }
    Ok(())
}

fn changed(seconds: f64, heat: &Heat) -> String {
    let throttled = if heat.throttled { "throttles" } else { "no longer throttles, and lets its clocks go" };
    format!("{seconds:.1} s, {:.1} °C: the board {throttled}", heat.celsius)
}
