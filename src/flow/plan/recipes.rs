//! What a plan knows of recipes: those its routes speak of, and the models that the parts of one of them may need. Pure.

use std::collections::BTreeSet;

use super::{ModelIndex, Panel, Plan, Route, RouteIndex, Station};
use crate::config::Condition;
use crate::name::Name;

impl Plan {
    /// The recipes that the conditions of routes speak of.
    #[must_use]
    pub fn recipes(&self) -> BTreeSet<&Name> {
        let conditions = self.routes.iter().flat_map(|route| &route.when);
        conditions.filter_map(recipe_of).collect()
    }

    /// The models that may be asked about a part of `recipe`, on any rung: those of every route that does not want another
    /// recipe, and of the routes that its gates lead to.
    #[must_use]
    pub fn models_for(&self, recipe: &Name) -> BTreeSet<&Name> {
        let mut todo: Vec<RouteIndex> =
            self.routes().filter(|(_, route)| takes(route, recipe)).map(|(index, _)| index).collect();
        let (mut seen, mut models) = (vec![false; self.routes.len()], BTreeSet::new());
        while let Some(index) = todo.pop() {
            if std::mem::replace(&mut seen[index.0], true) {
                continue;
            }
            let route = self.route(index);
            if let Station::Gate(gate) = &route.station {
                todo.extend(gate.choose.values().copied().chain(gate.otherwise));
            }
            models.extend(asked(route).into_iter().map(|model| &self.model(model).passport.name));
        }
        models
    }
}

/// The recipe that a condition wants.
const fn recipe_of(condition: &Condition) -> Option<&Name> {
    if let Condition::Recipe(recipe) = condition { Some(recipe) } else { None }
}

/// Whether a part of `recipe` may take a route by its conditions.
fn takes(route: &Route, recipe: &Name) -> bool {
    !route.by_gate_only && route.when.iter().filter_map(recipe_of).all(|wanted| wanted == recipe)
}

/// The models that are asked at the end of a route.
fn asked(route: &Route) -> Vec<ModelIndex> {
    let of = |panel: &Panel| panel.members.iter().map(|member| member.model).collect::<Vec<_>>();
    let mut models = match &route.station {
        Station::Gate(gate) => vec![gate.model],
        Station::Panel(panel) => of(panel),
        Station::Read(read) => read.lines.into_iter().chain([read.text]).collect(),
    };
    models.extend(route.lighter.iter().flatten().flat_map(of));
    models
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Write as _;
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::config::{Surroundings, settings};
    use crate::flow::fakes::name;
    use crate::models::passport::Model;

    /// A plan over models that answer `bright` and `dark`, each under its own name.
    fn plan(models: &[&str], routes: &str) -> Plan {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx/brightness");
        let loaded = Model::load(&folder).unwrap();
        let mut text = "[device]\nid = \"d\"\n[cameras.top]\nkind = \"replay\"\npath = \"parts\"\n".to_owned();
        let mut all = BTreeMap::new();
        for model in models {
            writeln!(text, "[models.{model}]\nfolder = \"{model}\"").unwrap();
            let mut loaded = loaded.clone();
            loaded.passport.name = name(model);
            all.insert(name(model), Arc::new(loaded));
        }
        let files = [("test.toml".to_owned(), text + routes)];
        let settings =
            settings("test.toml", &files, &Surroundings::default()).unwrap_or_else(|error| panic!("{error}"));
        Plan::build(&settings, &all).unwrap()
    }

    fn names<'n>(set: &BTreeSet<&'n Name>) -> Vec<&'n str> {
        set.iter().map(|name| name.as_str()).collect()
    }

    #[test]
    fn a_recipe_needs_the_models_of_every_route_that_wants_no_other_and_of_where_its_gates_lead() {
        let routes = r#"
            [[routes]]
            name = "ask"
            when = [{ recipe = "mono" }]
            gate = { model = "gate", choose = { bright = "easy" }, otherwise = "hard" }
            [[routes]]
            name = "easy"
            by_gate_only = true
            members = [{ model = "a" }]
            rungs.light = { undecided = true }
            [[routes]]
            name = "hard"
            by_gate_only = true
            members = [{ model = "b" }]
            rungs.light = { members = [{ model = "c" }] }
            [[routes]]
            name = "poly"
            when = [{ recipe = "poly" }, { camera = "top" }]
            members = [{ model = "d" }]
            rungs.light = { undecided = true }
            [[routes]]
            name = "both"
            when = [{ recipe = "poly" }, { recipe = "mono" }]
            members = [{ model = "e" }]
            rungs.light = { undecided = true }
            [[routes]]
            name = "anything"
            members = [{ model = "f" }]
            rungs.light = { undecided = true }
            [[ladder]]
            rung = "full"
            [[ladder]]
            rung = "light"
        "#;
        let plan = plan(&["a", "b", "c", "d", "e", "f", "gate"], routes);
        assert_eq!(names(&plan.recipes()), ["mono", "poly"]);
        assert_eq!(names(&plan.models_for(&name("mono"))), ["a", "b", "c", "f", "gate"]);
        assert_eq!(names(&plan.models_for(&name("poly"))), ["d", "f"]);
        assert_eq!(names(&plan.models_for(&name("other"))), ["f"], "what has no route of its own");
    }
}
