//! The seat of a fit: the panel of one route on one rung that the arguments mean, and the rungs beside it that want a fit too.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};

use super::Args;
use super::scores::voters;
use crate::flow::plan::{self, Plan, RouteIndex, Station};
use crate::fusion::Over;
use crate::models::fit::shelf;
use crate::models::passport::Task;
use crate::name::Name;

/// The panel that is fitted.
pub(super) struct Seat<'p> {
    pub(super) index: RouteIndex,
    pub(super) route: &'p Name,
    /// The name of the rung; `None` where there is no ladder.
    pub(super) rung: Option<&'p Name>,
    pub(super) panel: &'p plan::Panel,
}

/// The panel that the arguments mean.
pub(super) fn seat<'p>(args: &Args, plan: &'p Plan, rung: usize) -> anyhow::Result<Seat<'p>> {
    let config = args.config.display();
    let panels: Vec<RouteIndex> =
        plan.routes().filter(|(_, route)| matches!(route.station, Station::Panel(_))).map(|(index, _)| index).collect();
    let known = || panels.iter().map(|&index| plan.route(index).name.as_str()).collect::<Vec<_>>().join(", ");
    let index = match (&args.route, panels.as_slice()) {
        (Some(asked), _) => panels.iter().find(|&&index| plan.route(index).name == *asked).copied(),
        (None, [only]) => Some(*only),
        (None, _) => bail!("{config} has several routes that end at members: say with --route which of {}", known()),
    };
    let index = index.with_context(|| {
        let asked = args.route.as_ref().map_or("", Name::as_str);
        format!("{config} has no route {asked} that ends at members; those are [{}]", known())
    })?;
    let (route, rung_name) = (&plan.route(index).name, plan.rungs.get(rung));
    let panel = plan.panel(index, rung).with_context(|| {
        format!("nobody judges parts of route {route} on rung {}", rung_name.map_or("", Name::as_str))
    })?;
    match panel.fusion.over {
        Over::Defect | Over::Boxes => {}
        Over::Classes => fits_by_class(args, plan, route, panel)?,
        Over::Maps => bail!(
            "route {route} fuses maps; fits are made over defect, each member's probability of any defect, over classes, that of each \
             label, and over boxes"
        ),
    }
    let crops = args.adaptive && voters(panel).any(|(_, member)| member.crops.is_some());
    ensure!(!crops, "route {route} shows crops to a member; adaptive weights move with the quality of whole frames");
    Ok(Seat { index, route, rung: rung_name, panel })
}

/// Whether weights by class can be fitted as the arguments want: to classifiers that look at whole frames.
fn fits_by_class(args: &Args, plan: &Plan, route: &Name, panel: &plan::Panel) -> anyhow::Result<()> {
    for (_, member) in voters(panel) {
        let passport = &plan.model(member.model).passport;
        let (name, task) = (&passport.name, passport.task.as_str());
        ensure!(
            passport.task == Task::Classification && member.crops.is_none(),
            "route {route} fuses label by label; fits are made for that where all members are classifiers of whole frames, {name} is \
             for {task}"
        );
    }
    let other = args.adaptive || args.cascade.is_some() || args.scores.is_some();
    ensure!(!other, "route {route} fuses label by label, which --adaptive, --cascade and --scores know nothing of");
    Ok(())
}

/// The rungs on which members of the route judge and that have no fit in the folder.
pub(super) fn unfitted(plan: &Plan, seat: &Seat<'_>, folder: &Path) -> Vec<Name> {
    let judging = plan.rungs.iter().enumerate().filter(|(place, _)| plan.panel(seat.index, *place).is_some());
    let bare = judging.filter(|(_, rung)| !shelf::path(folder, seat.route, Some(rung)).is_file());
    bare.map(|(_, rung)| rung.clone()).collect()
}
