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

/// The fit of a panel of both, as if read from its file.
fn shelved(change: impl FnOnce(&mut crate::models::fit::Fit)) -> Shelved {
    let mut fit = crate::models::fit::tests::fit(1);
    change(&mut fit);
    Shelved { path: "fits/all.toml".into(), sha256: "f".repeat(64), fit }
}

const ALL: &str =
    "[[routes]]\nname = \"all\"\nmembers = [{ model = \"one\" }, { model = \"two\" }]\nreject_from = 0.9\n";

#[test]
fn a_fit_is_laid_over_what_the_config_says() {
    let (settings, models) = (settings(ALL), models(&["one", "two"]));
    let plain = Plan::build(&settings, &models).unwrap();
    let plan = Plan::fitted(&settings, &models, &[shelved(|_| {})]).unwrap();
    let panel = plan.panel(RouteIndex(0), 0).unwrap();
    assert_eq!(panel.fusion.rule, crate::fusion::Rule::WeightedMean);
    assert_eq!(panel.thresholds, config::Thresholds { reject_from: 0.5, pass_below: 0.25 });
    assert_eq!(panel.members.iter().map(|member| member.weight).collect::<Vec<_>>(), [0.75, 0.25]);
    assert!((panel.members[0].calibrated(0.9) - 0.75).abs() < 1e-12, "odds 9 become odds 3");
    assert_eq!(panel.fit.as_ref().unwrap().sha256, "f".repeat(64));
    assert_ne!(plan.hash, plain.hash, "the fit decides");
    let other = Shelved { sha256: "e".repeat(64), ..shelved(|_| {}) };
    assert_ne!(Plan::fitted(&settings, &models, &[other]).unwrap().hash, plan.hash);
    assert_eq!(Plan::fitted(&settings, &models, &[]).unwrap().hash, plain.hash);
}

#[test]
fn a_fit_of_boxes_is_laid_over_boxes_only() {
    use crate::fusion::boxes::{BoxFusion, Calibration};
    use crate::models::fit::Promise;
    use crate::models::fit::boxes::tests::of_boxes;
    let boxes =
        ALL.replace("{ model = \"one\" }", "{ model = \"one\", calibration = { slope = 2.0, intercept = 0.0 } }");
    let boxes = format!("{boxes}fusion = {{ over = \"boxes\", boxes = {{ method = \"nms\", iou_above = 0.5 }} }}\n");
    let models = models(&["one", "two"]);
    let plan = |fit: &Shelved| Plan::fitted(&settings(&boxes), &models, std::slice::from_ref(fit));
    let mut fitted = shelved(of_boxes);
    fitted.fit.members[1].weight = 0.0;
    let plan_of = plan(&fitted).unwrap();
    let panel = plan_of.panel(RouteIndex(0), 0).unwrap();
    assert_eq!(panel.fusion.boxes, Some(BoxFusion::SoftNmsGaussian { sigma: 0.25, skip_below: 0.125 }));
    assert_eq!(panel.members[0].calibration, Calibration::IDENTITY, "confidences are taken as they are");
    assert_eq!(panel.members.iter().map(|member| member.votes).collect::<Vec<_>>(), [true, false]);
    assert_eq!(panel.thresholds, config::Thresholds { reject_from: 0.5, pass_below: 0.25 });
    fitted.fit.promise = Promise::AsConfigured;
    let plan_of = plan(&fitted).unwrap();
    let reject_from = plan_of.panel(RouteIndex(0), 0).unwrap().thresholds.reject_from;
    assert_eq!(reject_from.to_bits(), 0.9_f64.to_bits(), "the thresholds of the config");
    let told = plan(&shelved(|_| {})).unwrap_err();
    assert!(told[0].contains("is a fit over Defect, the panel fuses Boxes"), "{told:?}");
    let told = Plan::fitted(&settings(ALL), &models, &[shelved(of_boxes)]).unwrap_err();
    assert!(told[0].contains("is a fit over Boxes, the panel fuses Defect"), "{told:?}");
}

#[test]
fn a_student_goes_before_its_teacher_whatever_their_seats() {
    let first = |fit: &mut crate::models::fit::Fit| {
        fit.method = crate::models::fit::Method::Cascade;
        fit.cascade = Some(crate::models::fit::FittedCascade {
            student: 1,
            teacher: 0,
            pass_below: 0.1,
            reject_from: 0.8,
            loss_bound: 0.02,
            confidence: 0.95,
            added: 0.01,
            woken: 0.4,
            tested: 300,
        });
    };
    let plan = Plan::fitted(&settings(ALL), &models(&["one", "two"]), &[shelved(first)]).unwrap();
    let panel = plan.panel(RouteIndex(0), 0).unwrap();
    assert_eq!(panel.order, [vec![1], vec![0]]);
    let (seat, sure) = panel.members[0].unless_sure.as_ref().unwrap();
    assert_eq!((*seat, sure.of.as_str(), sure.pass_below, sure.reject_from), (1, "two", 0.1, 0.8));
    assert!(panel.members[1].unless_sure.is_none());
}

#[test]
fn a_fit_that_does_not_belong_is_refused_in_one_sentence() {
    let name = |text: &str| Name::new(text).unwrap();
    let told = |routes: &str, fit: Shelved| {
        let told = Plan::fitted(&settings(routes), &models(&["one", "two"]), &[fit]).map(|_| ()).unwrap_err();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].ends_with(": fit again, or take it back with `kenpin fit --rollback`"), "{told:?}");
        told[0].clone()
    };
    let other = told(ALL, shelved(|fit| fit.members[1].sha256 = "0".repeat(64)));
    assert!(
        other.starts_with("route all: fits/all.toml was made for model brightness with the SHA-256 00000")
            && other.contains("on that seat is brightness with 9f4ce5f"),
        "{other}"
    );
    assert!(told(ALL, shelved(|fit| fit.route = name("x"))).contains("this route, which the config does not have"));
    let rung = told(ALL, shelved(|fit| fit.rung = Some(name("full"))));
    assert!(rung.contains("is for rung full, the ladder of the config is [none]"), "{rung}");
    let fewer = told("[[routes]]\nname = \"all\"\nmembers = [{ model = \"one\" }]\n", shelved(|_| {}));
    assert!(fewer.contains("was made for 2 members, the panel has 1"), "{fewer}");
    let silent = ALL.replace("{ model = \"two\" }", "{ model = \"two\", votes = false }");
    assert!(told(&silent, shelved(|_| {})).contains("gives a weight to model brightness, which does not vote"));
    let classes = format!("{ALL}fusion = {{ over = \"classes\" }}\n");
    assert!(told(&classes, shelved(|_| {})).contains("is a fit over Defect, the panel fuses Classes"));
    let ladder = "[[ladder]]\nrung = \"full\"\n[[ladder]]\nrung = \"nobody\"\n";
    let laddered = format!("{ALL}rungs.nobody = {{ undecided = true }}\n{ladder}");
    assert!(told(&laddered, shelved(|_| {})).contains("is for no rung, the ladder of the config is [full, nobody]"));
    assert!(told(&laddered, shelved(|fit| fit.rung = Some(name("nobody")))).contains("no panel judges there"));
}

#[test]
fn a_rung_may_not_judge_by_the_fit_of_another() {
    let ladder = "[[ladder]]\nrung = \"full\"\n[[ladder]]\nrung = \"light\"\n[[ladder]]\nrung = \"nobody\"\n";
    let both = "members = [{ model = \"one\" }, { model = \"two\" }]";
    let rungs = format!("{ALL}rungs.light = {{ {both} }}\nrungs.nobody = {{ undecided = true }}\n{ladder}");
    let on = |rung: &str| shelved(|fit| fit.rung = Some(Name::new(rung).unwrap()));
    let (settings, models) = (settings(&rungs), models(&["one", "two"]));
    let plan = |fits: &[Shelved]| Plan::fitted(&settings, &models, fits).map(|_| ());
    for (fits, wanted) in [(on("full"), "[full] and none on [light]"), (on("light"), "[light] and none on [full]")] {
        let told = plan(&[fits]).unwrap_err();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("route all: it has fits on {wanted}, which may not judge")), "{told:?}");
    }
    plan(&[on("full"), on("light")]).unwrap();
    plan(&[]).unwrap();
}
