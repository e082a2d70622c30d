//! Judgements on facts that no machine at hand has.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::doctor::facts::{Broker, CHIPS, Disk, Library, Node, Person, Plug, Role, Unit, Wants};
use crate::doctor::report::{Check, Report, Severity};

const GIB: u64 = 1 << 30;

/// The one finding of a check: its severity, what was found and the command.
#[track_caller]
fn one(facts: &Facts, check: Check) -> (Severity, String, String) {
    let mut found = examine(facts).into_iter().filter(|finding| finding.check == check);
    let finding = found.next().unwrap();
    assert!(found.next().is_none(), "{check:?} is told once");
    (finding.severity, finding.found, finding.mend.unwrap_or_default())
}

fn disk(what: &str, device: u64, free: u64, grows: u64) -> Disk {
    Disk { what: what.into(), path: "/var/lib/kenpin".into(), device, free, total: 60 * GIB, grows }
}

#[test]
fn a_disk_must_hold_all_that_may_grow_on_it() {
    let judged = |disks: &[Disk]| {
        let facts = Facts { disks: disks.to_vec(), ..Facts::default() };
        let found = examine(&facts).into_iter().filter(|finding| finding.check == Check::Disk);
        found.map(|finding| (finding.severity, finding.wanted.unwrap_or_default())).collect::<Vec<_>>()
    };
    let (journal, images) = (disk("the journal", 1, 4 * GIB, 2 * GIB), disk("kept images", 1, 4 * GIB, 3 * GIB));
    let warned = judged(&[journal.clone(), images.clone()]);
    assert_eq!(warned, [(Severity::Warn, "room for the 5.0 GiB by which they may still grow".into())]);
    let apart = judged(&[journal.clone(), Disk { device: 2, ..images }]);
    assert_eq!(apart, [(Severity::Ok, String::new()), (Severity::Ok, String::new())], "each has its own disk");
    let full = judged(&[Disk { free: GIB / 8, grows: 0, ..journal.clone() }]);
    assert_eq!(full, [(Severity::Fail, "1.0 GiB free or more".into())]);
    assert_eq!(judged(&[Disk { free: GIB / 2, grows: 0, ..journal }])[0].0, Severity::Warn);
}

#[test]
fn a_node_is_open_by_owner_else_group_else_to_all() {
    let node = |mode| Node { path: "/dev/video0".into(), role: Role::Camera, mode, uid: 7, group: (44, None) };
    let person = |uid, groups: &[u32]| Person { name: "a".into(), uid, groups: groups.iter().copied().collect() };
    assert!(node(0o600).is_open_to(&person(7, &[])));
    assert!(
        !node(0o066).is_open_to(&person(7, &[44])),
        "the owner's bits count for the owner, whatever the others are"
    );
    assert!(node(0o060).is_open_to(&person(8, &[1, 44])) && !node(0o606).is_open_to(&person(8, &[44])));
    assert!(node(0o006).is_open_to(&person(8, &[])) && !node(0o004).is_open_to(&person(8, &[])));
    assert!(node(0).is_open_to(&person(0, &[])), "the superuser");
    let folder = Node { role: Role::Folder, ..node(0o060) };
    assert!(!folder.is_open_to(&person(8, &[44])), "a folder must be entered too");
}

#[test]
fn gpu_code_must_be_for_this_very_chip_or_portable() {
    let orin = CHIPS.into_iter().find(|chip| chip.name == "Orin");
    let judged = |code: &[u32], portable: &[u32]| {
        let cuda = Plug {
            code: code.iter().copied().collect(),
            portable: portable.iter().copied().collect(),
            ..Plug::default()
        };
        let library = Library { path: PathBuf::from("/l.so"), cuda: Some(cuda), ..Library::default() };
        let wants = Wants { cuda: true, ..Wants::default() };
        one(&Facts { chip: orin, wants, onnxruntime: Some(Ok(library)), ..Facts::default() }, Check::CudaProvider)
    };
    assert_eq!(judged(&[72, 87], &[]).0, Severity::Ok);
    let (severity, found, _) = judged(&[80, 86, 90], &[90]);
    assert_eq!(severity, Severity::Fail, "code for 8.6 runs on no Jetson, and PTX for 9.0 on no older GPU");
    assert!(found.contains("8.0, 8.6, 9.0 and PTX for newer ones only: it cannot use this Orin (8.7)"), "{found}");
    assert_eq!(judged(&[80, 86], &[86, 90]).0, Severity::Ok, "PTX for 8.6 is translated");
    assert_eq!(judged(&[], &[]).0, Severity::Ok, "a file that does not tell is not condemned");
}

#[test]
fn what_a_child_said_counts() {
    let library = |loaded: Result<&str, &str>, cuda: Result<(), &str>| {
        let plug = Plug { tried: Some(cuda.map_err(str::to_owned)), ..Plug::default() };
        let loaded = Some(loaded.map(str::to_owned).map_err(str::to_owned));
        let library = Library { path: "/l.so".into(), loaded, cuda: Some(plug), ..Library::default() };
        let wants = Wants { cuda: true, ..Wants::default() };
        Facts { wants, onnxruntime: Some(Ok(library)), ..Facts::default() }
    };
    let sound = library(Ok("1.23.0"), Ok(()));
    assert!(one(&sound, Check::CudaProvider).1.contains("a child made a session"));
    let broken = library(Err("no such symbol"), Err("CUDA failure 35"));
    assert_eq!(one(&broken, Check::Onnxruntime).0, Severity::Fail);
    assert!(one(&broken, Check::Onnxruntime).1.ends_with("a child could not load it: no such symbol"));
    assert_eq!(one(&broken, Check::CudaProvider).0, Severity::Fail);
}

#[test]
fn power_modes_are_ranked_by_their_names() {
    let judged = |set: u32, modes: &[&str]| {
        let modes: BTreeMap<u32, String> = (0..).zip(modes.iter().map(|name| (*name).to_owned())).collect();
        one(&Facts { power: (Some(set), modes), ..Facts::default() }, Check::PowerMode)
    };
    let orin = ["15W", "25W", "MAXN_SUPER", "7W"];
    assert_eq!(judged(2, &orin).0, Severity::Ok);
    assert_eq!((judged(1, &orin).0, judged(1, &orin).2), (Severity::Note, "sudo nvpmodel -m 2".into()));
    assert_eq!(judged(3, &orin).0, Severity::Warn);
    let xavier = ["MODE_15W_2CORE", "MODE_10W_4CORE", "MODE_20W_4CORE", "MODE_20W_6CORE"];
    assert_eq!((judged(1, &xavier).0, judged(1, &xavier).2), (Severity::Warn, "sudo nvpmodel -m 3".into()));
    assert_eq!(judged(2, &xavier).0, Severity::Note);
    assert_eq!(judged(0, &["MAXN"]).0, Severity::Ok, "the only one");
    assert_eq!(judged(9, &orin).0, Severity::Note, "one that is not listed");
}

#[test]
fn the_line_is_judged_by_what_it_asks_for() {
    let mut facts = Facts { synchronised: Some(false), ..Facts::default() };
    assert_eq!(one(&facts, Check::Time).0, Severity::Warn);
    facts.wants.wall_time = true;
    assert_eq!(one(&facts, Check::Time).0, Severity::Fail);
    let broker = |address: &str, reached: Result<(), &str>| {
        let broker = Broker { address: address.into(), reached: reached.map_err(str::to_owned) };
        one(&Facts { broker: Some(broker), ..Facts::default() }, Check::Broker)
    };
    assert_eq!(broker("mqtt:1883", Ok(())).0, Severity::Ok);
    let (severity, _, mend) = broker("mqtt:1883", Err("refused"));
    assert_eq!(severity, Severity::Warn);
    assert!(mend.starts_with("nc -vz mqtt 1883"), "{mend}");
    assert!(broker("127.0.0.1:1883", Err("refused")).2.contains("mosquitto"));
    let unit = |load: &str, active: &str, restarts| {
        let (load, active, result) = (load.into(), active.into(), "watchdog".into());
        one(&Facts { unit: Some(Unit { load, active, result, restarts }), ..Facts::default() }, Check::Service).0
    };
    let seen = [unit("not-found", "inactive", 0), unit("loaded", "active", 0), unit("loaded", "active", 2)];
    assert_eq!(seen, [Severity::Note, Severity::Ok, Severity::Warn]);
    assert_eq!([unit("loaded", "failed", 0), unit("loaded", "inactive", 0)], [Severity::Fail, Severity::Note]);
}

#[test]
fn every_ill_names_what_is_wanted_and_a_command() {
    let nothing = Facts { onnxruntime: Some(Err("none".into())), ..Facts::default() };
    let mut all = examine(&nothing);
    all.extend(examine(&Facts { wants: Wants { cuda: true, tensorrt: true, ..Wants::default() }, ..nothing }));
    let ills = all.iter().filter(|finding| finding.severity >= Severity::Warn);
    assert!(ills.clone().count() > 3);
    ills.for_each(|ill| assert!(ill.wanted.is_some() && ill.mend.is_some(), "{ill:?}"));
    let report = Report::new("a", false, all, jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(report.worst, Severity::Fail);
    assert_eq!(Report::new("a", false, Vec::new(), jiff::Timestamp::UNIX_EPOCH).worst, Severity::Ok);
    assert_eq!(Check::DlaCompiler.name(), "dla-compiler");
}
