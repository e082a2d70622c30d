//! The list of video devices, as text and as JSON.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde::Serialize;

use crate::config::FrameFormat;
use crate::flow::acquire::video::controls::{Control, Kind};
use crate::flow::acquire::video::finding::Found;
use crate::flow::acquire::video::offer::{self, Interval, Offer};
#[cfg(all(feature = "v4l", target_os = "linux"))]
use crate::flow::acquire::video::{Bus, Device};

/// One device with all that it says of itself.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    found: Found,
    /// What it is set to.
    now: Option<Now>,
    formats: Vec<Offer>,
    controls: Vec<Control>,
}

/// What a device is set to.
#[derive(Debug, Serialize)]
struct Now {
    fourcc: String,
    format: Option<FrameFormat>,
    width: u32,
    height: u32,
    interval: Option<Interval>,
}

/// Prints every device.
///
/// # Errors
/// When this build reads none, or standard output cannot be written to.
pub(super) fn run(json: bool) -> anyhow::Result<ExitCode> {
    let reports = all()?;
    super::super::say(if json { serde_json::to_string_pretty(&reports)? } else { text(&reports) })?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(all(feature = "v4l", target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "other builds read none")]
fn all() -> anyhow::Result<Vec<Report>> {
    Ok(reports(&crate::flow::acquire::v4l::Devices))
}

#[cfg(not(all(feature = "v4l", target_os = "linux")))]
fn all() -> anyhow::Result<Vec<Report>> {
    anyhow::bail!("video devices: {}", crate::flow::acquire::NOT_BUILT)
}

/// Asks every device for what it can do. What it does not answer becomes its problem.
#[cfg(all(feature = "v4l", target_os = "linux"))]
fn reports<B: Bus>(bus: &B) -> Vec<Report> {
    let report = |mut found: Found| {
        let mut report = Report { now: None, formats: Vec::new(), controls: Vec::new(), found: found.clone() };
        if found.problem.is_none() {
            let filled = bus.open(&found.path).and_then(|device| fill(&mut report, &device));
            found.problem = filled.err();
        }
        report.found = found;
        report
    };
    bus.devices().into_iter().map(report).collect()
}

#[cfg(all(feature = "v4l", target_os = "linux"))]
fn fill<D: Device>(report: &mut Report, device: &D) -> Result<(), String> {
    report.formats = device.offers()?;
    report.controls = device.controls()?;
    let given = device.format()?;
    report.now = Some(Now {
        fourcc: offer::code(given.fourcc),
        format: FrameFormat::of(given.fourcc),
        width: given.width,
        height: given.height,
        interval: device.interval()?,
    });
    Ok(())
}

/// The list for people.
fn text(reports: &[Report]) -> String {
    if reports.is_empty() {
        return "no video device is there: there is no /dev/video* that takes pictures".into();
    }
    reports.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn one(report: &Report) -> String {
    let Report { found, now, formats, controls } = report;
    let mut text = format!("{found}, driver {}\n", if found.driver.is_empty() { "unknown" } else { &found.driver });
    // Writing into a text cannot fail.
    for link in &found.links {
        let _ = writeln!(text, "  also as   {}", link.display());
    }
    if let Some(problem) = &found.problem {
        let _ = writeln!(text, "  problem   {problem}");
    }
    if let Some(Now { fourcc, format, width, height, interval }) = now {
        let name = format.map_or_else(|| format!("{fourcc} (not read)"), |format| format.to_string());
        let _ = writeln!(text, "  set to    {name} {width}x{height}, {}", offer::rate(*interval));
    }
    for offer in formats {
        text.push_str(&format_lines(offer));
    }
    for control in controls {
        let _ = writeln!(text, "  control   {}", control_line(control));
    }
    text
}

/// A line for each size of a format.
fn format_lines(offer: &Offer) -> String {
    let Some(format) = offer.format else {
        return format!("  format    {} (not read): {}\n", offer::code(offer.fourcc), offer.description);
    };
    if offer.sizes.is_empty() {
        return format!("  format    {format}, sizes not told\n");
    }
    let line = |size: &offer::Size| {
        let rates = size.rates.to_string();
        let rates = if rates.is_empty() { "rates not told".into() } else { rates };
        format!("  format    {format} {}x{} at {rates}\n", size.width, size.height)
    };
    offer.sizes.iter().map(line).collect()
}

/// A control with what it takes and what it is.
fn control_line(control: &Control) -> String {
    let Control { name, kind, least, most, step, default, value, items, settable, inactive, .. } = control;
    let takes = match kind {
        Kind::Boolean => "true or false".into(),
        Kind::Menu => items.iter().map(|(number, item)| format!("{number} {item:?}")).collect::<Vec<_>>().join(", "),
        Kind::Integer => format!("{least} to {most} by {step}"),
        Kind::Other => "something that Kenpin cannot set".into(),
    };
    let shown = |value: i64| if *kind == Kind::Boolean { (value != 0).to_string() } else { value.to_string() };
    let now = value.map_or_else(String::new, |value| format!(", now {}", shown(value)));
    let usual = if *kind == Kind::Other { String::new() } else { format!(", {} by itself", shown(*default)) };
    let marks = [(!settable, "; cannot be set"), (*inactive, "; switched off by another")];
    let marks: String = marks.into_iter().filter(|(holds, _)| *holds).map(|(_, mark)| mark).collect();
    format!("{name}: {takes}{usual}{now}{marks}")
}

#[cfg(test)]
mod tests;
