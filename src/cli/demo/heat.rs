//! `kenpin demo heat`: the test cells of ELPV on a made-up board that grows hot and cools down. The thresholds of each rung are
//! fitted first, to out-of-fold scores of cells that are not among those inspected.

mod report;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::cells::{Cell, Source, clear, write};
use super::inspection;
use crate::board::fake::curve::Curve;
use crate::board::fake::{Fake, Kernel, Kind};
use crate::cli::board::fake::{curve, play};
use crate::cli::{runtime, say};
use crate::config;

/// A trigger each of these: twenty parts a second.
const BETWEEN_PARTS: Duration = Duration::from_millis(50);

/// How long verdicts are waited for behind the last trigger.
const STRAGGLERS: Duration = Duration::from_secs(20);

/// Times that the fake board is written a second.
const SAMPLES: u32 = 10;

/// Inspect the ELPV test cells on a made-up board that grows hot and cools down, and print what each rung did.
///
/// Fits the thresholds of each rung with `kenpin fit`, then runs the daemon at twenty cells a second while the curve is played.
/// Leaves `report.json`, `verdicts.jsonl`, `governor.jsonl` (what an MQTT subscriber received), `fits/` and `kenpin.toml` in the
/// output folder. Exit code 1 when a part was lost or judged twice, or no rung changed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// Where reports go; what an earlier demo left there is removed.
    #[arg(long, default_value = "target/demo-heat")]
    out: PathBuf,
    /// The loopback port of the embedded broker.
    #[arg(long, default_value_t = 18831)]
    mqtt_port: u16,
    /// The heat curve; the demo takes 33 seconds.
    #[arg(long, value_name = "CURVE", value_parser = curve, default_value = "0s 60C, 15s 60C, 17s 99.6C, 20s 99.6C, 21s 60C, 33s 60C")]
    heat: Curve,
    /// What an escape costs, in false rejects, when the thresholds are fitted.
    #[arg(long, default_value_t = 3.0)]
    escape_cost: f64,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let cells = args.source.test_cells()?;
    let config = prepare(args, &cells)?;
    fit(args, &config, &cells)?;
    let board = Fake::create(&args.out.join("board"), Kind::OrinNano).context("the fake board cannot be written")?;
    let mut kernel = Kernel::new(Kind::OrinNano);
    board.set(&kernel.heat(args.heat.celsius(0.0), 0.0)).context("the fake board cannot be written")?;
    let seen = runtime()?.block_on(async {
        let opened = inspection::open(&config).await?;
        let triggers = opened.app.sensor("plc").context("the daemon does not listen for triggers")?;
        let heat = args.heat.clone();
        let playing = thread::spawn(move || play(&board, &heat, &mut kernel, SAMPLES));
        let (parts, stop) = (cells.iter().map(|cell| cell.name.clone()).collect(), CancellationToken::new());
        let sending = tokio::spawn(trigger(triggers, parts, stop.clone()));
        let seen = opened.run(cells.len(), stop).await?;
        sending.await??;
        playing.join().map_err(|_| anyhow!("the thread that plays the heat broke off"))??;
        anyhow::Ok(seen)
    })?;
    report::tell(&cells, &seen, &args.out)
}

/// Sends a trigger for every part, as the line's controller would; stops the line where it does not stop by itself.
async fn trigger(to: SocketAddr, parts: Vec<String>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut line = TcpStream::connect(to).await.context("the triggers cannot be sent")?;
    let mut ticks = tokio::time::interval(BETWEEN_PARTS);
    for part in parts {
        ticks.tick().await;
        line.write_all(format!("part={part}\n").as_bytes()).await.context("a trigger could not be sent")?;
    }
    let _ = tokio::time::timeout(STRAGGLERS, stop.cancelled()).await;
    stop.cancel();
    Ok(())
}

/// Writes the line's config and its list of parts.
fn prepare(args: &Args, cells: &[Cell]) -> anyhow::Result<PathBuf> {
    clear(&args.out, &["state", "board", "fits", "report.json", "verdicts.jsonl", "governor.jsonl"])?;
    write(&args.out.join("parts.txt"), args.source.pictures(cells)?)?;
    let config = args.out.join("kenpin.toml");
    write(&config, args.source.filled(include_str!("heat.toml"), args.mqtt_port)?)?;
    Ok(config)
}

/// Fits the thresholds of every rung, by the command that a user would give.
fn fit(args: &Args, config: &Path, cells: &[Cell]) -> anyhow::Result<()> {
    let labelled = args.out.join("labelled.csv");
    write(&labelled, args.source.other_cells(cells)?)?;
    let program = std::env::current_exe().context("this program does not know where it lies")?;
    let scores = args.source.models.join("elpv/out_of_fold.csv");
    let cost = args.escape_cost.to_string();
    for rung in config::load(config)?.ladder {
        let rung = rung.name.as_str();
        let mut command = Command::new(&program);
        command.arg("fit").args([config, &labelled]).arg("--scores").arg(&scores);
        command.args(["--rung", rung, "--escape-cost", &cost]);
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        say(format_args!("$ kenpin {}", words.join(" ")))?;
        let done = command.status().context("`kenpin fit` could not be started")?;
        ensure!(done.success(), "`kenpin fit` of rung {rung} ended with {done}");
    }
    Ok(())
}
