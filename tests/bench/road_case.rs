//! One case measured: rounds of floors and road, interleaved; or its peak memory, alone.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use kenpin::app::App;
use kenpin::config::{self, Settings};
use kenpin::learn::metrics::percentile;
use tokio_util::sync::CancellationToken;

use crate::case::{Case, Measured};
use crate::floor::{Floor, Floors, Spent, spend};
use crate::root;

/// Rounds of floors and road.
pub(crate) fn ratios(case: &Case) -> anyhow::Result<Measured> {
    let images = images(case.images)?;
    let folder = tempfile::tempdir()?;
    let mut floor = Floor::open(
        &root().join("models").join(case.model),
        &settings(case, &images, folder.path())?.runtime,
        &images,
    )?;
    let mut rounds = Vec::new();
    for _ in 0..=case.rounds {
        let floors = floor.round(&images)?;
        rounds.push((floors, road(case, &images)?));
    }
    rounds.remove(0); // the first round warms caches and allocators
    Ok(summary(&rounds, images.len() as f64))
}

/// The most memory the process ever held, in MB of 10^6 bytes, with nothing but Kenpin in it.
pub(crate) fn peak_mb(case: &Case) -> anyhow::Result<f64> {
    road(case, &images(case.images)?)?;
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the kernel tells no VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024.0 / 1e6)
}

/// The whole daemon over all images, opening excluded.
fn road(case: &Case, images: &[PathBuf]) -> anyhow::Result<Spent> {
    let folder = tempfile::tempdir()?;
    let settings = settings(case, images, folder.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let app = runtime.block_on(App::open(settings))?;
    Ok(spend(|| runtime.block_on(app.run(CancellationToken::new())))?.0)
}

/// A line with one camera and one model.
fn settings(case: &Case, images: &[PathBuf], folder: &Path) -> anyhow::Result<Settings> {
    let list: Vec<String> = images.iter().map(|image| image.display().to_string()).collect();
    fs::write(folder.join("parts.txt"), list.join("\n"))?;
    let config = folder.join("kenpin.toml");
    let text = format!(
        "[device]\nid = \"bench\"\n[cameras.top]\nkind = \"replay\"\npath = \"parts.txt\"\n\
         [models.one]\nfolder = \"{}\"\n[[routes]]\nname = \"all\"\nmembers = [{{ model = \"one\" }}]\n\
         [runtime]\nthreads_per_session = {}\n[journal]\npath = \"journal.sqlite\"\n",
        root().join("models").join(case.model).display(),
        case.threads
    );
    fs::write(&config, text)?;
    Ok(config::load(&config)?)
}

/// Test cells of ELPV.
fn images(count: usize) -> anyhow::Result<Vec<PathBuf>> {
    let list = fs::read_to_string(root().join("models/elpv/test.txt")).context("models/elpv/test.txt")?;
    let folder = root().join("target/setup/elpv/elpv_dataset/data/images");
    Ok(list.split_whitespace().take(count).map(|name| folder.join(name).with_extension("png")).collect())
}

/// The figures of the rounds.
fn summary(rounds: &[(Floors, Spent)], parts: f64) -> Measured {
    let of = |figure: fn(&(Floors, Spent)) -> f64| rounds.iter().map(figure).collect::<Vec<f64>>();
    let median = |figure: fn(&(Floors, Spent)) -> f64| percentile(&of(figure), 0.5).unwrap_or(f64::NAN);
    let ratio: fn(&(Floors, Spent)) -> f64 =
        |(floors, road)| road.cpu / (floors.bare.cpu + floors.decode.cpu + floors.resize.cpu);
    let at = |share| percentile(&of(ratio), share).unwrap_or(f64::NAN);
    // Of 9 rounds the second smallest is exceeded by the true median with 98 % (binomial, 1 - 10/512).
    let mut sorted = of(ratio);
    sorted.sort_by(f64::total_cmp);
    Measured {
        ratio: at(0.5),
        ratio_low: sorted.get(1).copied().unwrap_or(f64::NAN),
        spread: [at(0.1), at(0.9)],
        ratio_bare: median(|(floors, road)| road.cpu / floors.bare.cpu),
        wall_ratio_bare: median(|(floors, road)| road.wall / floors.bare.wall),
        bare_ms: median(|(floors, _)| floors.bare.cpu) / parts,
        decode_ms: median(|(floors, _)| floors.decode.cpu) / parts,
        resize_ms: median(|(floors, _)| floors.resize.cpu) / parts,
        kenpin_ms: median(|(_, road)| road.cpu) / parts,
        rounds: rounds.len(),
    }
}
