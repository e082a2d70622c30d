//! A case measured: rounds of floors, road and rival, interleaved, and the figures of the rounds.

use serde::Serialize;

use crate::case::Case;
use crate::daemon;
use crate::floor::Floors;
use crate::marks::Spent;
use crate::outer::{Broker, Floor, Plain};

/// Starts of the command, whose median is told.
const STARTS: usize = 3;

/// The figures of a case, per part.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    /// Kenpin's CPU time over the sum of the floors' CPU times: the median over the rounds.
    pub(crate) ratio: f64,
    /// The lower 95 % bound of that median (sign test on the order statistics).
    pub(crate) ratio_low: f64,
    /// The upper one.
    pub(crate) ratio_high: f64,
    /// The middle 80 % of the rounds.
    pub(crate) spread: [f64; 2],
    /// Kenpin's CPU time over the bare model's.
    pub(crate) ratio_bare: f64,
    /// CPU milliseconds: the bare model.
    pub(crate) bare_ms: f64,
    /// CPU milliseconds: reading and decoding the frame.
    pub(crate) decode_ms: f64,
    /// CPU milliseconds: the resize by the library.
    pub(crate) resize_ms: f64,
    /// CPU milliseconds: Kenpin, end to end.
    pub(crate) kenpin_ms: f64,
    /// Those of them spent in the kernel.
    pub(crate) kenpin_kernel_ms: f64,
    /// Microseconds of CPU beyond the floors.
    pub(crate) own_us: f64,
    /// The 95 % bounds of that median.
    pub(crate) own_us_bounds: [f64; 2],
    /// Wall milliseconds, Kenpin.
    pub(crate) wall_ms: f64,
    /// Allocations of the Rust code.
    pub(crate) allocations: f64,
    /// The most memory `kenpin run` ever held, in MB of 10^6 bytes.
    pub(crate) peak_mb: f64,
    /// Seconds from starting `kenpin run` to its first verdict at a subscriber.
    pub(crate) first_verdict_s: f64,
    pub(crate) parts: usize,
    pub(crate) rounds: usize,
    /// The plain Python script in the same rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plain: Option<Rival>,
}

/// What somebody else's way to do the same costs, per part.
#[derive(Debug, Serialize)]
pub(crate) struct Rival {
    pub(crate) ratio: f64,
    pub(crate) cpu_ms: f64,
    pub(crate) wall_ms: f64,
    pub(crate) peak_mb: f64,
    pub(crate) first_verdict_s: f64,
}

/// Two models for every part on two cores, per part.
#[derive(Debug, Serialize)]
pub(crate) struct Throughput {
    pub(crate) name: &'static str,
    /// Kenpin's parts a second over those of bare ONNX Runtime as it comes, one model after the other.
    pub(crate) ratio: f64,
    pub(crate) ratio_bounds: [f64; 2],
    pub(crate) kenpin_parts_per_s: f64,
    pub(crate) bare_parts_per_s: f64,
    pub(crate) plain_parts_per_s: f64,
    pub(crate) kenpin_cpu_ms: f64,
    pub(crate) bare_cpu_ms: f64,
    pub(crate) plain_cpu_ms: f64,
    pub(crate) peak_mb: f64,
    pub(crate) plain_peak_mb: f64,
    pub(crate) first_verdict_s: f64,
    pub(crate) plain_first_verdict_s: f64,
    pub(crate) rounds: usize,
}

/// One round.
struct Round {
    floors: Floors,
    road: Spent,
    plain: Option<Spent>,
}

/// Measures one model against its floors.
pub(crate) fn single(case: &Case) -> anyhow::Result<Measured> {
    let broker = Broker::start()?;
    let (peak_mb, first_verdict_s) = outside(case, &broker.address)?;
    let mut floor = Floor::start(case, false)?;
    let mut plain = case.rival.then(|| Plain::start(case, case.threads, &broker.address)).transpose()?;
    let (mut rounds, mut plain_peak) = (Vec::new(), 0.0);
    for number in 0..=case.rounds {
        let floors = floor.block(case.parts)?;
        let road = daemon::between_marks(case, case.parts, &broker.address)?;
        let block = plain.as_mut().map(|plain| plain.block(case.parts)).transpose()?;
        plain_peak = block.map_or(plain_peak, |(_, peak)| peak);
        // The first round warms caches and allocators.
        if number > 0 {
            rounds.push(Round { floors, road, plain: block.map(|(spent, _)| spent) });
        }
    }
    let rival = plain.map(|plain| Rival {
        ratio: median(&rounds, |round| cpu_of(round.plain) / round.floors.cpu()),
        cpu_ms: median(&rounds, |round| cpu_of(round.plain)),
        wall_ms: median(&rounds, |round| round.plain.map_or(f64::NAN, |plain| plain.wall)),
        peak_mb: plain_peak,
        first_verdict_s: plain.first_verdict_s,
    });
    Ok(figures(case, &rounds, (peak_mb, first_verdict_s), rival))
}

fn cpu_of(spent: Option<Spent>) -> f64 {
    spent.map_or(f64::NAN, |spent| spent.cpu)
}

fn figures(case: &Case, rounds: &[Round], (peak_mb, first_verdict_s): (f64, f64), plain: Option<Rival>) -> Measured {
    let ratio = sorted(rounds, |round| round.road.cpu / round.floors.cpu());
    let own = sorted(rounds, |round| (round.road.cpu - round.floors.cpu()) * 1e3);
    let [ratio_low, ratio_high] = bounds(&ratio);
    Measured {
        name: case.name,
        ratio: at(&ratio, 0.5),
        ratio_low,
        ratio_high,
        spread: [at(&ratio, 0.1), at(&ratio, 0.9)],
        ratio_bare: median(rounds, |round| round.road.cpu / round.floors.bare.cpu),
        bare_ms: median(rounds, |round| round.floors.bare.cpu),
        decode_ms: median(rounds, |round| round.floors.decode.cpu),
        resize_ms: median(rounds, |round| round.floors.resize.cpu),
        kenpin_ms: median(rounds, |round| round.road.cpu),
        kenpin_kernel_ms: median(rounds, |round| round.road.kernel),
        own_us: at(&own, 0.5),
        own_us_bounds: bounds(&own),
        wall_ms: median(rounds, |round| round.road.wall),
        allocations: median(rounds, |round| round.road.allocations),
        peak_mb,
        first_verdict_s,
        parts: case.parts,
        rounds: rounds.len(),
        plain,
    }
}

/// Measures two models a part on two cores: Kenpin's side by side, ONNX Runtime as it comes one after the other.
pub(crate) fn pair(case: &Case) -> anyhow::Result<Throughput> {
    let broker = Broker::start()?;
    let (peak_mb, first_verdict_s) = outside(case, &broker.address)?;
    let mut floor = Floor::start(case, true)?;
    let mut plain = Plain::start(case, 0, &broker.address)?;
    let (mut rounds, mut plain_peak_mb) = (Vec::new(), 0.0);
    for number in 0..=case.rounds {
        let bare = floor.block(case.parts)?.bare;
        let road = daemon::between_marks(case, case.parts, &broker.address)?;
        let (block, peak) = plain.block(case.parts)?;
        plain_peak_mb = peak;
        if number > 0 {
            rounds.push((bare, road, block));
        }
    }
    let ratio = sorted(&rounds, |(bare, road, _)| bare.wall / road.wall);
    Ok(Throughput {
        name: case.name,
        ratio: at(&ratio, 0.5),
        ratio_bounds: bounds(&ratio),
        kenpin_parts_per_s: 1e3 / median(&rounds, |(_, road, _)| road.wall),
        bare_parts_per_s: 1e3 / median(&rounds, |(bare, _, _)| bare.wall),
        plain_parts_per_s: 1e3 / median(&rounds, |(_, _, plain)| plain.wall),
        kenpin_cpu_ms: median(&rounds, |(_, road, _)| road.cpu),
        bare_cpu_ms: median(&rounds, |(bare, _, _)| bare.cpu),
        plain_cpu_ms: median(&rounds, |(_, _, plain)| plain.cpu),
        peak_mb,
        plain_peak_mb,
        first_verdict_s,
        plain_first_verdict_s: plain.first_verdict_s,
        rounds: rounds.len(),
    })
}

/// Peak memory and the first verdict of the command, the median of some starts.
fn outside(case: &Case, broker: &str) -> anyhow::Result<(f64, f64)> {
    let parts = 2 * case.frames()?.len().min(case.parts);
    let starts = (0..STARTS).map(|_| daemon::outside(case, parts, broker)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok((median(&starts, |start| start.peak_mb), median(&starts, |start| start.first_verdict_s)))
}

fn sorted<T>(rounds: &[T], figure: impl Fn(&T) -> f64) -> Vec<f64> {
    let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures
}

fn median<T>(rounds: &[T], figure: impl Fn(&T) -> f64) -> f64 {
    at(&sorted(rounds, figure), 0.5)
}

/// A quantile of sorted figures.
fn at(sorted: &[f64], share: f64) -> f64 {
    kenpin::learn::metrics::percentile(sorted, share).unwrap_or(f64::NAN)
}

/// The 95 % bounds, lower and upper, each for itself, of the median of sorted figures: the order statistics that the true
/// median exceeds, or stays below, with that probability at least (sign test, binomial with one half).
fn bounds(sorted: &[f64]) -> [f64; 2] {
    let count = sorted.len();
    let (mut chance, mut sum, mut place) = (0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX)), 0.0, 0);
    for below in 0..count {
        sum += chance;
        if sum > 0.05 {
            break;
        }
        place = below;
        chance *= (count - below) as f64 / (below + 1) as f64;
    }
    let figure = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
    [figure(place), figure(count.saturating_sub(place + 1))]
}
