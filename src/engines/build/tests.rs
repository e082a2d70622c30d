//! Builds by a stand-in: the real parent, and a script of the shell for the builder.

use std::cell::RefCell;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::engines::store::{MANIFEST, State};
use crate::engines::tests::{fixture, settings, wanted};

/// A bench with a store, a model and a stand-in.
struct Bench {
    folder: tempfile::TempDir,
    model: Model,
    runtime: Runtime,
}

impl Bench {
    /// A bench whose stand-in runs this script: `$1` to `$3` are `engines child build`, `$4` is the folder to build in.
    fn new(script: &str) -> Self {
        let (folder, model) = (tempfile::tempdir().unwrap(), fixture("colour"));
        let program = folder.path().join("builder");
        std::fs::write(&program, format!("#!/bin/sh\nread job\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let mut runtime = settings(&model).runtime;
        runtime.tensorrt.program = Some(program);
        Self { folder, model, runtime }
    }

    fn wanted(&self) -> Wanted {
        wanted(&self.model, &self.folder.path().join("engines"))
    }

    fn build(&self) -> Result<Vec<String>, Stopped> {
        let stages = RefCell::new(Vec::new());
        let built = build(
            &self.wanted(),
            (&self.model, &self.runtime, Path::new("/lib/libonnxruntime.so")),
            (Path::new("/"), &|| false),
            |stage| stages.borrow_mut().push(stage.to_owned()),
        );
        built.map(|()| stages.into_inner())
    }

    /// What lies in the folder of engines, the lock aside.
    fn left(&self) -> Vec<String> {
        let listing = self.folder.path().join("engines").read_dir().unwrap();
        let names = listing.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != LOCK).collect()
    }
}

const BUILDS: &str =
    "echo '{\"stage\":\"building\"}'; echo engine > $4/a.engine; echo times >> $4/timing/t; echo '\"done\"'";

#[test]
fn what_the_child_builds_is_put_in_place_and_not_built_twice() {
    let bench = Bench::new(BUILDS);
    assert_eq!(bench.build(), Ok(vec!["building".to_owned()]));
    let wanted = bench.wanted();
    assert_eq!((wanted.state, bench.left()), (State::Ready, vec![wanted.place.key.as_str().to_owned()]));
    assert_eq!(bench.build(), Ok(vec![]), "there is nothing to do");
}

#[test]
fn the_child_is_told_everything_it_needs() {
    let bench = Bench::new(&format!("printf '%s' \"$job\" > \"$0.job\"; {BUILDS}"));
    bench.build().unwrap();
    let text = std::fs::read_to_string(bench.folder.path().join("builder.job")).unwrap();
    let job: Job = serde_json::from_str(&text).unwrap();
    let wanted = bench.wanted();
    assert_eq!(job.model, bench.model.folder);
    assert_eq!((&job.place.key, &job.place.options), (&wanted.place.key, &wanted.place.options));
    assert!(
        job.place.folder.starts_with(bench.folder.path().join("engines")) && job.place.folder != wanted.place.folder
    );
    assert_eq!(job.runtime.providers, [Provider::TensorRt], "the processor is not the builder's business");
    assert_eq!(job.runtime.onnxruntime_library.as_deref(), Some(Path::new("/lib/libonnxruntime.so")));
}

#[test]
fn a_build_that_fails_leaves_nothing_behind() {
    let part = "echo engine > $4/a.engine";
    for (script, why) in [
        (format!("{part}; kill -SEGV $$"), "the builder was killed by signal 11 (segmentation fault)"),
        (
            format!("{part}; kill -KILL $$"),
            "the builder was killed by signal 9: the kernel does that when memory runs out",
        ),
        (format!("{part}; echo '{{\"failed\":\"output y is 3\"}}'; exit 1"), "output y is 3"),
        (format!("{part}; exit 0"), "the builder ended without saying what came of it"),
        (
            "echo '\"done\"'".to_owned(),
            "the builder says that it is done, and left no engine: TensorRT may have taken no node",
        ),
    ] {
        let bench = Bench::new(&script);
        assert_eq!(bench.build(), Err(why.to_owned().into()));
        assert_eq!((bench.left(), bench.wanted().state), (vec![], State::Missing), "{why}");
    }
}

#[test]
fn an_engine_that_is_refused_is_replaced_and_stays_until_then() {
    let bench = Bench::new(BUILDS);
    bench.build().unwrap();
    let engine = bench.wanted().place.folder.join("a.engine");
    std::fs::write(&engine, "swapped").unwrap();
    assert!(matches!(bench.wanted().state, State::Refused(_)));
    bench.build().unwrap();
    assert_eq!(
        (bench.wanted().state, std::fs::read_to_string(&engine).unwrap()),
        (State::Ready, "engine\n".to_owned())
    );
}

#[test]
fn measured_times_go_from_engine_to_engine_of_one_board_and_toolchain() {
    let mut bench = Bench::new(BUILDS);
    let times = |bench: &Bench| std::fs::read_to_string(bench.wanted().place.folder.join("timing/t")).unwrap();
    bench.build().unwrap();
    assert_eq!(times(&bench), "times\n");
    bench.model.passport.file.sha256 = "1".repeat(64);
    bench.build().unwrap();
    assert_eq!(times(&bench), "times\ntimes\n", "the builder went on from those of the first");
    std::fs::write(bench.wanted().place.folder.join("timing/t"), "swapped").unwrap();
    let first = bench.left().into_iter().find(|name| *name != bench.wanted().place.key.as_str()).unwrap();
    std::fs::remove_file(bench.folder.path().join("engines").join(first).join(MANIFEST)).unwrap();
    bench.model.passport.file.sha256 = "2".repeat(64);
    bench.build().unwrap();
    assert_eq!(times(&bench), "times\n", "untrusted times are not taken over");
}

#[test]
fn one_builds_at_a_time() {
    let bench = Bench::new(BUILDS);
    let store = bench.wanted().store;
    store.prepare().unwrap();
    let held = lock(&store, &|| false).unwrap();
    let waited = std::cell::Cell::new(0);
    let stopped = lock(&store, &|| {
        waited.set(waited.get() + 1);
        true
    });
    assert!(stopped.unwrap_err().called_off && waited.get() == 1);
    let stale = store.passing().unwrap().keep();
    tidy(&store);
    assert!(stale.exists(), "somebody builds in it");
    drop(held);
    tidy(&store);
    assert!(!stale.exists());
    bench.build().unwrap();
}
