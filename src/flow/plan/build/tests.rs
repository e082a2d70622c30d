//! Plans that stand and plans that do not, each finding by its text.

use std::path::Path;

use super::*;
use crate::config::Surroundings;

/// The smallest classifiers, as models `one`, `two` and so on: the fixture labels `bright` and `dark`, `dark` a defect.
fn models(names: &[&str]) -> BTreeMap<Name, Arc<Model>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx/brightness");
    let model = Arc::new(Model::load(&folder).unwrap());
    names.iter().map(|name| (Name::new(name).unwrap(), Arc::clone(&model))).collect()
}

/// Settings with these routes.
fn settings(routes: &str) -> Settings {
    let text = format!(
        "[device]\nid = \"d\"\n[cameras.top]\nkind = \"replay\"\npath = \"parts\"\n\
         [models.one]\nfolder = \"one\"\n[models.two]\nfolder = \"two\"\n{routes}"
    );
    crate::config::settings("test.toml", &[("test.toml".into(), text)], &Surroundings::default()).unwrap()
}

const PANEL: &str =
    "[[routes]]\nname = \"judge\"\nby_gate_only = true\nmembers = [{ model = \"one\" }, { model = \"two\" }]\n";

fn findings(routes: &str, change: impl FnOnce(&mut BTreeMap<Name, Arc<Model>>)) -> Vec<String> {
    let mut models = models(&["one", "two"]);
    change(&mut models);
    Plan::build(&settings(routes), &models).map(|_| ()).unwrap_err()
}

#[test]
fn names_become_indices() {
    let gate = "[[routes]]\nname = \"ask\"\ngate = { model = \"two\", choose = { dark = \"judge\" } }\n";
    let plan = Plan::build(&settings(&format!("{PANEL}{gate}")), &models(&["one", "two"])).unwrap();
    let (judge, ask) = (plan.route(RouteIndex(0)), plan.route(RouteIndex(1)));
    let (Station::Panel(panel), Station::Gate(gate)) = (&judge.station, &ask.station) else { panic!("{plan:?}") };
    assert_eq!(panel.members.iter().map(|member| member.model).collect::<Vec<_>>(), [ModelIndex(0), ModelIndex(1)]);
    assert_eq!((gate.model, gate.choose[&Name::new("dark").unwrap()]), (ModelIndex(1), RouteIndex(0)));
    assert!(judge.by_gate_only && !ask.by_gate_only);
}

#[test]
fn a_label_that_the_gate_does_not_have_is_named() {
    let gate = "[[routes]]\nname = \"ask\"\ngate = { model = \"two\", choose = { murky = \"judge\" } }\n";
    let told = findings(&format!("{PANEL}{gate}"), |_| {});
    assert_eq!(told, ["route ask: gate brightness has no label murky; its labels are bright, dark"]);
}

#[test]
fn a_member_without_a_defect_label_is_named() {
    let told = findings("[[routes]]\nname = \"judge\"\nmembers = [{ model = \"one\" }]\n", |models| {
        let mut model = Model::clone(&models[&Name::new("one").unwrap()]);
        model.passport.labels.defects.clear();
        models.insert(Name::new("one").unwrap(), Arc::new(model));
    });
    assert_eq!(told, ["route judge: model brightness has no defect label, so it can be a gate but not a member"]);
}

#[test]
fn members_fused_by_class_must_agree_on_what_a_defect_is() {
    let told = findings(
        &format!(
            "{PANEL}fusion = {{ rule = \"mean\", over = \"classes\" }}\n[[routes]]\nname = \"x\"\ngate = {{ model = \"one\", choose = {{ dark = \"judge\" }} }}\n"
        ),
        |models| {
            let mut model = Model::clone(&models[&Name::new("two").unwrap()]);
            model.passport.labels.defects = vec![Name::new("bright").unwrap()];
            models.insert(Name::new("two").unwrap(), Arc::new(model));
        },
    );
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains("label bright is a defect for one of brightness and brightness"), "{told:#?}");
}

#[test]
fn the_hash_changes_with_what_decides_and_with_nothing_else() {
    let of = |routes: &str, models: &BTreeMap<_, _>| Plan::build(&settings(routes), models).unwrap().hash;
    let base = "[[routes]]\nname = \"judge\"\nmembers = [{ model = \"one\" }]\n";
    let two = models(&["one", "two"]);
    let same = of(base, &two);
    assert_eq!(same, of(base, &models(&["one", "two"])));
    assert_ne!(same, of(&format!("{base}reject_from = 0.6\n"), &two), "a threshold decides");
    let mut other = two.clone();
    let mut model = Model::clone(&two[&Name::new("one").unwrap()]);
    model.passport.file.sha256 = "0".repeat(64);
    other.insert(Name::new("one").unwrap(), Arc::new(model));
    assert_ne!(same, of(base, &other), "the weights decide");
}
