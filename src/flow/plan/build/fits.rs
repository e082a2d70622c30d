//! Lays fits over the panels of a plan. A fit that was made for other models, or for a panel that is not there, is told and
//! never judges; neither does a rung without a fit of its own, where its route has one on another.

use std::sync::Arc;

use crate::config;
use crate::flow::plan::{Fitted, Panel, Route, Station, StudentFirst};
use crate::fusion::Rule;
use crate::fusion::boxes::Calibration;
use crate::models::fit::shelf::Shelved;
use crate::models::fit::{Fit, FittedMember, Method, Promise};
use crate::models::passport::Model;
use crate::name::Name;

use super::super::Member;
use super::Builder;
use super::seats::order;

impl Builder<'_> {
    /// Lays every fit over the panel it is for; one sentence for each that belongs to none.
    pub(super) fn lay(&mut self, routes: &mut [Route], fits: &[Shelved]) {
        for Shelved { path, sha256, fit } in fits {
            let laid = self.panel_of(routes, fit).and_then(|panel| self.lay_one(panel, fit, sha256));
            if let Err(why) = laid {
                let path = path.display();
                self.findings.push(format!(
                    "route {}: {path} {why}: fit again, or take it back with `kenpin fit --rollback`",
                    fit.route
                ));
            }
        }
        let half_fitted: Vec<String> = routes.iter().filter_map(|route| self.half_fitted(route)).collect();
        self.findings.extend(half_fitted);
    }

    /// A sentence where some rungs of a route judge by a fit and others do not: what one rung's scores are worth says nothing of
    /// another's.
    fn half_fitted(&self, route: &Route) -> Option<String> {
        let first = if let Station::Panel(panel) = &route.station { Some(panel) } else { None };
        let panels = std::iter::once(first).chain(route.lighter.iter().map(Option::as_ref));
        let rungs = self.settings.ladder.iter().map(|rung| &rung.name).zip(panels);
        let judging = rungs.filter_map(|(rung, panel)| Some((rung, panel?.fit.is_some())));
        let (fitted, bare): (Vec<_>, Vec<_>) = judging.partition(|(_, fitted)| *fitted);
        let names = |rungs: Vec<(&Name, bool)>| super::listed(rungs.into_iter().map(|(rung, _)| rung));
        (!fitted.is_empty() && !bare.is_empty()).then(|| {
            format!(
                "route {}: it has fits on [{}] and none on [{}], which may not judge without: fit them too (`kenpin fit --rung`), \
                 or let nobody judge there (`undecided = true`)",
                route.name,
                names(fitted),
                names(bare)
            )
        })
    }

    /// The panel a fit is for.
    fn panel_of<'r>(&self, routes: &'r mut [Route], fit: &Fit) -> Result<&'r mut Panel, String> {
        let route = routes.iter_mut().find(|route| route.name == fit.route);
        let route = route.ok_or("is a fit for this route, which the config does not have")?;
        let ladder: Vec<&Name> = self.settings.ladder.iter().map(|rung| &rung.name).collect();
        let place = match &fit.rung {
            None if ladder.is_empty() => Some(0),
            None => None,
            Some(rung) => ladder.iter().position(|known| *known == rung),
        };
        let place = place.ok_or_else(|| {
            let seen = fit.rung.as_ref().map_or_else(|| "no rung".to_owned(), |rung| format!("rung {rung}"));
            format!("is for {seen}, the ladder of the config is [{}]", super::listed(ladder))
        })?;
        let panel = match (&mut route.station, place.checked_sub(1)) {
            (Station::Panel(panel), None) => Some(panel),
            (Station::Panel(_), Some(below)) => route.lighter.get_mut(below).and_then(Option::as_mut),
            (Station::Gate(_) | Station::Read(_), _) => None,
        };
        panel.ok_or_else(|| "is a fit, but no panel judges there".into())
    }

    fn lay_one(&self, panel: &mut Panel, fit: &Fit, sha256: &str) -> Result<(), String> {
        if panel.members.len() != fit.members.len() {
            let (seen, wanted) = (fit.members.len(), panel.members.len());
            return Err(format!("was made for {seen} members, the panel has {wanted}"));
        }
        if panel.fusion.over != fit.over {
            let (seen, wanted) = (fit.over, panel.fusion.over);
            return Err(format!("is a fit over {seen:?}, the panel fuses {wanted:?}"));
        }
        for (member, fitted) in panel.members.iter().zip(&fit.members) {
            self.belongs(member, fitted)?;
        }
        if fit.adaptive.is_some() && panel.members.iter().any(|member| member.votes && member.crops.is_some()) {
            return Err(
                "has weights that move with the quality of whole frames, a member of the panel sees crops".into()
            );
        }
        if let Some(label) = self.unweighed(panel, fit) {
            return Err(format!("has no weights for the label {label}, which a member of the panel knows"));
        }
        for (member, FittedMember { weight, calibrator, .. }) in panel.members.iter_mut().zip(&fit.members) {
            member.fitted = Some(calibrator.clone());
            member.votes = *weight > 0.0;
            if member.votes {
                member.weight = *weight;
            }
        }
        panel.fusion.rule = match fit.method {
            Method::WeightedMean | Method::ClassWeights | Method::Adaptive => Rule::WeightedMean,
            Method::Maximum | Method::Cascade => Rule::Maximum,
            Method::Single
            | Method::Mean
            | Method::Stacking
            | Method::Concatenation
            | Method::Regression
            | Method::Boxes => Rule::Mean,
        };
        if let Some(boxes) = &fit.boxes {
            panel.fusion.boxes = Some(boxes.fusion);
            for member in &mut panel.members {
                member.calibration = Calibration::IDENTITY;
            }
        }
        if fit.promise != Promise::AsConfigured {
            panel.thresholds = fit.thresholds;
        }
        let student_first = fit.cascade.as_ref().map(|cascade| StudentFirst {
            student: cascade.student,
            teacher: cascade.teacher,
            bounds: cascade.bounds(),
        });
        if let Some(first) = student_first {
            self.put_first(panel, first)?;
        }
        panel.fit = Some(Box::new(Fitted {
            sha256: sha256.to_owned(),
            stacking: fit.stacking.clone(),
            concatenation: fit.concatenation.clone(),
            classes: fit.classes.clone(),
            measured: fit.measured.clone(),
            adaptive: fit.adaptive.clone(),
            student_first,
            reference: fit.reference.clone().map(Arc::new),
        }));
        Ok(())
    }

    /// A label of a voting member for which a fit by class has no weights.
    fn unweighed(&self, panel: &Panel, fit: &Fit) -> Option<Name> {
        if fit.method != Method::ClassWeights {
            return None;
        }
        let models: Vec<&Model> = self.models.values().map(AsRef::as_ref).collect();
        let mut labels = panel.members.iter().filter(|member| member.votes).flat_map(|member| {
            let names = models.get(member.model.get()).map(|model| model.passport.labels.names.as_slice());
            names.unwrap_or_default().iter().map(|label| member.rename.get(label).unwrap_or(label))
        });
        labels.find(|label| !fit.classes.iter().any(|class| class.label == **label)).cloned()
    }

    /// Whether a seat is the one that was fitted: the same model file, and a vote where one was fitted.
    fn belongs(&self, member: &Member, fitted: &FittedMember) -> Result<(), String> {
        let model: Option<&Model> = self.models.values().nth(member.model.get()).map(AsRef::as_ref);
        let Some(passport) = model.map(|model| &model.passport) else {
            return Err("is for no model of this plan".into());
        };
        let (name, seen, wanted) = (&passport.name, &fitted.sha256, &passport.file.sha256);
        if seen != wanted {
            let of = &fitted.model;
            return Err(format!(
                "was made for model {of} with the SHA-256 {seen}; on that seat is {name} with {wanted}"
            ));
        }
        if fitted.weight > 0.0 && !member.votes {
            return Err(format!("gives a weight to model {name}, which does not vote"));
        }
        Ok(())
    }

    /// The teacher is asked after the student, and only where that one is not sure.
    fn put_first(&self, panel: &mut Panel, first: StudentFirst) -> Result<(), String> {
        let name = |seat: usize| {
            let model = panel.members.get(seat).map(|member| member.model.get());
            model.and_then(|model| self.models.keys().nth(model)).cloned()
        };
        let of = name(first.student).ok_or("names a student without a seat")?;
        let config::Thresholds { reject_from, pass_below } = first.bounds;
        let sure = config::UnlessSure { of, pass_below, reject_from };
        for (seat, member) in panel.members.iter_mut().enumerate() {
            member.unless_sure = (seat == first.teacher).then(|| (first.student, sure.clone()));
        }
        panel.order = order(&panel.members).ok_or("makes student and teacher wait for each other")?;
        Ok(())
    }
}
