//! `kenpin fit`: learns from labelled parts how the members of a panel become one score and where it becomes a decision.

mod arguments;
mod beside;
mod boxes;
mod gather;
mod journal;
mod learn;
mod measured;
mod out;
mod plot;
mod rehearsal;
mod scores;
mod seat;
mod values;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;

use super::labelled;
use super::leak::Trained;
use super::{FINDINGS, line, load_settings, say, start_logging};
use crate::config::{ConfigError, Settings};
use crate::flow::plan::Plan;
use crate::fusion::Over;
use crate::models::catalogue;
use crate::models::fit::shelf::{self, RolledBack};
use crate::models::fit::{FOLDER, Fit};
use gather::{Gathered, Labels, gather, sits_twice};
use learn::{assemble, learn, refused};
use measured::Measuring;
use out::Report;
use seat::{Seat, seat, unfitted};

pub(super) use arguments::Args;

/// What is fitted, by which arguments and settings, and where to.
#[derive(Clone, Copy)]
struct Fitting<'a> {
    args: &'a Args,
    settings: &'a Settings,
    /// The settings that the plan is built from, see [`scores::bare`].
    bare: &'a Settings,
    plan: &'a Arc<Plan>,
    seat: &'a Seat<'a>,
    /// The place of the rung on the ladder.
    rung: usize,
    /// The folder of the fits.
    folder: &'a Path,
}

/// Fits, prints, writes; or takes back.
///
/// # Errors
/// When something cannot be read, asked or written, or the arguments name what the config does not have.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    start_logging(true);
    let settings = match load_settings(&args.config) {
        Ok(settings) => settings,
        Err(code) => return Ok(code),
    };
    let models = catalogue::load_all(&settings)?;
    let bare = scores::bare(&settings);
    let label = args.config.display().to_string();
    let plan = Plan::build(&bare, &models).map_err(|told| ConfigError::of_sentences(&label, told))?;
    let plan = Arc::new(plan);
    let rung = line::rung(args.rung.as_ref(), &args.config, &plan)?;
    let seat = seat(args, &plan, rung)?;
    let folder = args.out.clone().or_else(|| settings.fits.clone()).unwrap_or_else(|| args.state.join(FOLDER));
    if args.rollback {
        return roll_back(&folder, &seat);
    }
    if let Some(twice) = sits_twice(&plan, seat.panel) {
        return Ok(refuse(&twice));
    }
    let fitting = Fitting { args, settings: &settings, bare: &bare, plan: &plan, seat: &seat, rung, folder: &folder };
    if seat.panel.fusion.over == Over::Boxes {
        return boxes::run(fitting);
    }
    let gathered = match labelled_parts(fitting)? {
        Ok(gathered) => gathered,
        Err(why) => return Ok(refuse(&why)),
    };
    if let Some((splits, bound)) = args.rehearse.zip(args.escape_bound) {
        return rehearsal::run(args, splits as usize, bound, &gathered.parts);
    }
    let fitted = match learn(args, &settings, &seat, &gathered.parts) {
        Ok(fitted) => fitted,
        Err(why) => return Ok(refuse(&why)),
    };
    let (crossed, reference) = (fitted.crossed.clone(), gathered.reference(&fitted));
    let number = shelf::next_number(&folder, seat.route, seat.rung)?;
    let (reviewed, census) = gathered.reviewed.unzip();
    let fit = Fit { reviewed, reference, ..assemble(fitting, fitted, gathered.labels, number) };
    let (code, fit) = conclude(fitting, (fit, gathered.left_out, census))?;
    // What was learned is told and kept, whatever becomes of the picture.
    if let Some(path) = &args.plot {
        plot::draw(&fit, &gathered.parts, &crossed, path)?;
    }
    Ok(code)
}

/// Writes a fit, where nothing speaks against it, and tells of it.
fn conclude(
    Fitting { args, plan, seat, folder, .. }: Fitting<'_>,
    (fit, left_out, labels): (Fit, usize, Option<journal::Census>),
) -> anyhow::Result<(ExitCode, Fit)> {
    fit.check().map_err(|why| anyhow::anyhow!("the fit is none: {why}"))?;
    let not_written = refused(args, &fit);
    let mut report = Report { written: None, not_written, left_out, labels, unfitted: Vec::new(), fit };
    if report.not_written.is_none() {
        report.written = Some(shelf::write(folder, &report.fit)?);
        report.unfitted = unfitted(plan, seat, folder);
    }
    say(if args.json { serde_json::to_string_pretty(&report)? } else { out::text(&report) })?;
    let done = report.written.is_some() || args.dry_run;
    Ok((if done { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) }, report.fit))
}

/// The labelled parts with what the members say of them, from the journal or from a set; a sentence where they are of no use.
fn labelled_parts(fitting: Fitting<'_>) -> anyhow::Result<Result<Gathered, String>> {
    let Fitting { args, settings, plan, seat, .. } = fitting;
    if args.journal {
        return journal::gather(args, settings, plan, seat);
    }
    let path = args.labelled.as_deref().context("no labelled parts are given")?;
    let sensors = settings.sensors.keys().collect::<Vec<_>>();
    let measuring = args.measured.as_ref().map(|quantity| Measuring::of(plan, seat, quantity)).transpose()?;
    let set = match (seat.panel.fusion.over, &measuring) {
        (_, Some(Measuring { limits, .. })) => {
            labelled::read_measured(path, &sensors, &limits.name, |value| limits.within(value) == Some(true))?
        }
        (Over::Classes, None) => labelled::read_by_class(path, &sensors, &beside::labels(plan, seat.panel))?,
        (_, None) => labelled::read(path, &sensors)?,
    };
    if let Some(leak) = leak(args, &set)? {
        return Ok(Err(leak));
    }
    gather(fitting, &Labels { set: &set, measuring }).map(Ok)
}

/// Tells why the parts give no fit.
fn refuse(why: &str) -> ExitCode {
    eprintln!("kenpin: nothing is fitted: {why}");
    ExitCode::from(FINDINGS)
}

/// A sentence where labelled pictures are among those that a member was trained on.
fn leak(args: &Args, set: &[labelled::Labelled]) -> anyhow::Result<Option<String>> {
    let Some((list, pixels)) = args.trained.as_deref().zip(args.pixels.as_deref()) else { return Ok(None) };
    let trained = Trained::read(list, pixels)?;
    let leaked = trained.among(set)?;
    Ok(leaked.first().map(|(image, name)| {
        let (count, all, image, list) = (leaked.len(), set.len(), image.display(), list.display());
        format!("{count} of {all} labelled pictures were trained on, {image} the first: it is {name} of {list}")
    }))
}

fn roll_back(folder: &Path, seat: &Seat<'_>) -> anyhow::Result<ExitCode> {
    let route = seat.route;
    let told = match shelf::roll_back(folder, route, seat.rung)? {
        RolledBack::To(number) => format!("route {route}: fit {number} is in force again"),
        RolledBack::ToConfig => {
            format!("route {route}: there is no fit before it, the route judges by its config again")
        }
    };
    say(told)?;
    Ok(ExitCode::SUCCESS)
}
