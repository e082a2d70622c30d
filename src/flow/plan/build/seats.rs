//! The seats of a panel: who rests on whom, and so in what order they are asked; and the models that read text.

use super::{Builder, listed};
use crate::config;
use crate::flow::plan::{Member, Panel, Read};
use crate::models::passport::input::Input;
use crate::models::passport::{Model, Task};
use crate::name::Name;

impl Builder<'_> {
    /// A panel of a route.
    pub(super) fn panel(&mut self, route: &Name, told: &config::Panel) -> Option<Panel> {
        let config::Panel { members: told, fusion, thresholds, deadline } = told;
        let (fusion, thresholds, deadline) = (*fusion, *thresholds, *deadline);
        self.check_defects(route, told, fusion.over);
        let seats: Vec<Option<Member>> = told.iter().map(|member| self.member(route, member, told)).collect();
        let members = seats.into_iter().collect::<Option<Vec<_>>>()?;
        let order = order(&members);
        if order.is_none() {
            let names = listed(told.iter().map(|member| &member.model));
            self.findings.push(format!("route {route}: among {names}, members wait for each other in a circle"));
        }
        Some(Panel { members, fusion, thresholds, deadline, order: order?, fit: None })
    }

    fn member(&mut self, route: &Name, told: &config::Member, panel: &[config::Member]) -> Option<Member> {
        let model = self.model_index(route, &told.model)?;
        let seat = |of: &Name| panel.iter().position(|member| member.model == *of);
        let crops = told.crops.clone().and_then(|crops| Some((seat(&crops.of)?, crops)));
        let unless_sure = told.unless_sure.clone().and_then(|sure| Some((seat(&sure.of)?, sure)));
        if let Some((_, crops)) = &crops {
            self.check_crops(route, told, crops);
        }
        if let Some((_, sure)) = &unless_sure {
            self.check_judges(route, &sure.of, "be sure of a defect");
        }
        Some(Member {
            model,
            camera: told.camera.clone(),
            weight: told.weight,
            calibration: told.calibration,
            fitted: None,
            rename: told.rename.clone(),
            votes: told.votes,
            required: told.required,
            value: told.value,
            crops,
            unless_sure,
            fed_by: self.fed_by(route, told, panel),
        })
    }

    /// Crops come from a model that finds boxes or lines, with labels it knows, and go to one that looks at pixels.
    fn check_crops(&mut self, route: &Name, told: &config::Member, crops: &config::Crops) {
        if let Some(model) = self.models.get(&told.model).filter(|model| !model.looks()) {
            let name = &model.passport.name;
            self.findings.push(format!("route {route}: model {name} looks at no pixels, so it cannot be shown crops"));
        }
        let Some(finder) = self.models.get(&crops.of) else { return };
        let Model { passport, .. } = &**finder;
        if !matches!(passport.task, Task::Detection(_) | Task::TextDetection(_)) {
            let (name, task) = (&passport.name, passport.task.as_str());
            self.findings.push(format!("route {route}: crops of model {name}, which is for {task} and finds no boxes"));
        }
        for label in crops.labels.iter().filter(|label| !passport.labels.names.contains(label)) {
            let (name, known) = (&passport.name, listed(&passport.labels.names));
            self.findings.push(format!("route {route}: model {name} has no label {label}; its labels are {known}"));
        }
    }

    fn check_judges(&mut self, route: &Name, model: &Name, what: &str) {
        let Some(passport) = self.models.get(model).map(|model| &model.passport) else { return };
        let judges = passport.task.judges() && (!passport.task.has_labels() || !passport.labels.defects.is_empty());
        if !judges {
            let name = &passport.name;
            self.findings.push(format!("route {route}: model {name} says nothing of defects, so it cannot {what}"));
        }
    }

    /// The seats whose findings a model's inputs want.
    fn fed_by(&mut self, route: &Name, told: &config::Member, panel: &[config::Member]) -> Vec<usize> {
        let Some(model) = self.models.get(&told.model) else { return Vec::new() };
        let inputs = model.passport.inputs.iter();
        let wanted =
            inputs.filter_map(|input| if let Input::Findings(findings) = input { Some(findings) } else { None });
        let mut seats = Vec::new();
        let mut missing = Vec::new();
        for wanted in wanted.flat_map(|findings| &findings.values).map(|value| &value.model) {
            let named = |member: &config::Member| {
                self.models.get(&member.model).is_some_and(|known| known.passport.name == *wanted)
            };
            match panel.iter().position(named) {
                Some(seat) if !seats.contains(&seat) => seats.push(seat),
                Some(_) => {}
                None => missing.push(format!(
                    "route {route}: model {} is fed with findings of model {wanted}, which has no seat on this route",
                    model.passport.name
                )),
            }
        }
        self.findings.extend(missing);
        seats
    }

    /// Models that read a text.
    pub(super) fn read(&mut self, route: &Name, told: &config::Read) -> Option<Read> {
        let task = |model: &Name| self.models.get(model).map(|model| model.passport.task.as_str());
        for (model, wanted) in [(told.lines.as_ref(), "text-detection"), (Some(&told.text), "text-recognition")] {
            if let Some((model, seen)) =
                model.and_then(|model| Some((model, task(model)?))).filter(|(_, task)| *task != wanted)
            {
                self.findings.push(format!("route {route}: model {model} is for {seen}, {wanted} is wanted here"));
            }
        }
        let lines = match &told.lines {
            Some(lines) => Some(self.model_index(route, lines)?),
            None => None,
        };
        Some(Read {
            lines,
            text: self.model_index(route, &told.text)?,
            camera: told.camera.clone(),
            sensor: told.sensor.clone(),
            key: told.key.clone(),
            sure_from: told.sure_from,
        })
    }
}

/// The seats in lists, each seat behind all it rests on; `None` when some wait for each other.
pub(super) fn order(members: &[Member]) -> Option<Vec<Vec<usize>>> {
    let mut done = vec![false; members.len()];
    let mut order = Vec::new();
    while done.contains(&false) {
        let ready = |(seat, member): (usize, &Member)| {
            let asked = !done.get(seat).copied().unwrap_or(true);
            let free = member.after().all(|other| done.get(other).copied().unwrap_or(false));
            (asked && free).then_some(seat)
        };
        let next: Vec<usize> = members.iter().enumerate().filter_map(ready).collect();
        if next.is_empty() {
            return None;
        }
        next.iter().filter_map(|&seat| done.get_mut(seat).map(|done| *done = true)).for_each(drop);
        order.push(next);
    }
    Some(order)
}
