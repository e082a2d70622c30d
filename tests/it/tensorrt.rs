//! ONNX Runtime's real TensorRT provider, without TensorRT: `make test-tensorrt` sets up what these tests need and runs them;
//! elsewhere they are shown as ignored.
//!
//! Every option that Kenpin emits goes through the provider's own parser, which also shows what that parser lets pass. And a
//! builder that cannot be made ends the child that tries, in ONNX Runtime's own code, while the daemon goes on.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use kenpin::config::{self, Settings, Surroundings};
use kenpin::engines::options::{self, Options};
use kenpin::engines::store::Store;
use kenpin::engines::{Key, profiles};
use ort::environment::Environment;
use ort::ep::{ArbitrarilyConfigurableExecutionProvider as _, TensorRT};
use ort::session::Session;

use crate::conformance::fixture;
use crate::support::daemon::{Daemon, Line};

/// Set for the process that loads the real provider: the loader looks into `LD_LIBRARY_PATH` as it was at the start.
const CHILD: &str = "KENPIN_TEST_TENSORRT_CHILD";

/// One of the two sets of libraries that `cross/tensorrt` makes.
fn set_up(kind: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tensorrt").join(kind);
    assert!(folder.join("libonnxruntime.so").exists(), "{} is missing: run `make test-tensorrt`", folder.display());
    folder
}

/// Settings with this in `[runtime.tensorrt]`, or the report of what is wrong with it.
fn settings(tensorrt: &str) -> Result<Settings, String> {
    let model = fixture("colour").folder;
    let text = format!(
        "device.id = \"d\"\n[cameras.c]\nkind = \"replay\"\npath = \"p\"\n[models.m]\nfolder = {:?}\n[[routes]]\n\
         name = \"r\"\nmembers = [{{ model = \"m\" }}]\n[runtime]\nproviders = [\"tensorrt\", \"cpu\"]\n\
         [runtime.tensorrt]\n{tensorrt}\n",
        model.display().to_string()
    );
    let read = config::settings("test", &[("test".into(), text)], &Surroundings::default());
    read.map_err(|error| error.render(200, false))
}

/// All options that come of a config.
fn emitted(tensorrt: &str) -> Options {
    let settings = settings(tensorrt).unwrap().runtime.tensorrt;
    let profiles = settings.profiles.values().next().cloned().unwrap_or_default();
    let mut all = options::of(&settings, &profiles, Some(8 << 30));
    let key = Key::parse(&"0".repeat(64)).unwrap();
    all.extend(options::cache(Path::new("/var/lib/kenpin/engines/0"), &key, settings.timing_cache).unwrap());
    all
}

/// What the real parser says to options; registering runs it, no session is made.
fn parse(options: &Options) -> Result<(), String> {
    static LOADED: OnceLock<Environment> = OnceLock::new();
    let environment = LOADED.get_or_init(|| {
        let library = set_up("with-driver").join("libonnxruntime.so");
        ort::init_from(library).unwrap().with_telemetry(false).build().unwrap()
    });
    let set = options.iter().fold(TensorRT::default(), |set, (key, value)| set.with_arbitrary_config(key, value));
    let builder = Session::builder(environment).unwrap().with_execution_providers([set.build().error_on_failure()]);
    builder.map(drop).map_err(|error| error.to_string())
}

/// The same for one option.
fn one(key: &str, value: &str) -> Result<(), String> {
    parse(&BTreeMap::from([(key.to_owned(), value.to_owned())]))
}

/// Everything that can be switched on.
const FULL: &str = "fp16 = true\nint8 = true\ndla_core = 1\nworkspace_mib = 300\noptimisation_level = 5\ncuda_graphs = true\n\
    exclude_operators = [\"NonMaxSuppression\", \"NonZero\"]\n\
    profiles = [{ model = \"m\", input = \"image\", min = [1, 3, 16, 12], opt = [4, 3, 16, 12], max = [8, 3, 16, 12] }]";

#[test]
#[ignore = "make test-tensorrt sets up what it needs"]
fn every_option_passes_the_real_parser_and_what_that_lets_pass_does_not_pass_ours() {
    if std::env::var_os(CHILD).is_none() {
        let this = std::env::current_exe().unwrap();
        let name = "tensorrt::every_option_passes_the_real_parser_and_what_that_lets_pass_does_not_pass_ours";
        let mut command = Command::new(this);
        command.args([name, "--exact", "--ignored", "--nocapture"]).env(CHILD, "1");
        let status = command.env("LD_LIBRARY_PATH", set_up("with-driver")).status().unwrap();
        assert!(status.success(), "the process with the real provider ended with {status}");
        return;
    }
    let (plain, full) = (emitted(""), emitted(FULL));
    for all in [&plain, &full] {
        assert_eq!(parse(all), Ok(()));
    }
    let mut union = plain.clone();
    union.extend(full.clone());
    for (key, value) in &union {
        assert_eq!(one(key, value), Ok(()), "{key}");
        let misspelt = key.to_uppercase();
        assert!(one(&misspelt, value).unwrap_err().contains("Unknown provider option"), "the parser knows its keys");
        println!("accepted by the real parser: {key} = {value}");
    }
    assert!(one("trt_fp16_enable", "perhaps").unwrap_err().contains("Failed to parse provider option"));

    // What is wrong, as the parser would get it and as our file says it; each is refused before it gets there.
    for (key, value, file, refusal) in [
        ("trt_builder_optimization_level", "99", "optimisation_level = 99", "want at most 5"),
        ("trt_dla_core", "-1", "dla_core = -1", "want at least 0"),
        ("trt_op_types_to_exclude", ",,", "exclude_operators = [\",,\"]", "want the name of an ONNX operator"),
        ("trt_profile_min_shapes", "image:4x3", &profile("image", [4, 3], [1, 3], [8, 3]), "in order on each axis"),
        ("trt_profile_max_shapes", "image:0x3", &profile("image", [1, 3], [1, 3], [0, 3]), "at least 1 for each axis"),
        ("trt_profile_opt_shapes", "x:0:1x3", &profile("x:0", [1, 3], [1, 3], [1, 3]), "without `:` and `,`"),
    ] {
        assert_eq!(one(key, value), Ok(()), "the real parser lets {key} = {value:?} pass");
        let told = settings(file).unwrap_err();
        assert!(told.contains(refusal), "{file}: {told}");
        println!("let pass by the real parser, refused by ours: {key} = {value:?}");
    }
    let nowhere = "/dev/null/engines";
    assert_eq!(one("trt_engine_cache_path", nowhere), Ok(()));
    let told = Store::new(Path::new(nowhere)).prepare().unwrap_err();
    assert!(told.contains("the folder for TensorRT engines, /dev/null/engines, cannot be made"), "{told}");
    println!("let pass by the real parser, refused by ours: trt_engine_cache_path = {nowhere:?}");
    // A profile for one of three, and for an input that is not there.
    assert_eq!(one("trt_profile_min_shapes", "image:1x3x16x12"), Ok(()), "without opt and max");
    let told = settings("profiles = [{ model = \"m\", input = \"image\", min = [1] }]").unwrap_err();
    assert!(told.contains("`opt`") && told.contains("`max`"), "{told}");
    let elsewhere = settings(&profile("picture", [1, 3], [1, 3], [1, 3])).unwrap();
    let shapes = ["min", "opt", "max"].map(|which| (format!("trt_profile_{which}_shapes"), "picture:1x3".to_owned()));
    assert_eq!(parse(&shapes.into()), Ok(()));
    let models = BTreeMap::from([(kenpin::name::Name::new("m").unwrap(), std::sync::Arc::new(fixture("colour")))]);
    let told = profiles::misfits(&elsewhere, &models).join("; ");
    assert!(told.contains("there is no such input; the inputs are \"image\""), "{told}");
    println!("let pass by the real parser, refused by ours: profiles without opt and max, profiles of no input");
}

fn profile(input: &str, min: [i64; 2], opt: [i64; 2], max: [i64; 2]) -> String {
    format!("profiles = [{{ model = \"m\", input = {input:?}, min = {min:?}, opt = {opt:?}, max = {max:?} }}]")
}

/// A probe of TensorRT by the real binary, with one of the sets of libraries: how it ended, its output, its errors.
fn probe(kind: &str) -> (std::process::ExitStatus, String, String) {
    let folder = set_up(kind);
    let mut command = Command::new(env!("CARGO_BIN_EXE_kenpin"));
    command.args(["engines", "child", "probe", "tensorrt"]).arg(folder.join("libonnxruntime.so"));
    let output = command.env("LD_LIBRARY_PATH", &folder).env("RUST_LOG", "off").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status, text(output.stdout), text(output.stderr))
}

#[test]
#[ignore = "make test-tensorrt sets up what it needs"]
fn a_probe_without_a_driver_says_so_and_one_without_a_builder_dies_in_onnxruntime() {
    let (status, told, _) = probe("without-driver");
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(told.contains("CUDA failure 35: CUDA driver version is insufficient"), "{told}");
    println!("without a driver: {}", told.trim());
    let (status, told, last) = probe("with-driver");
    assert_eq!(last, "stand-in for TensorRT: no builder can be made\n", "that is what it died of");
    assert_eq!((status.signal(), told.as_str()), (Some(11), ""), "ONNX Runtime follows a null pointer");
    println!("with a builder that cannot be made: {status}");
}

#[test]
#[ignore = "make test-tensorrt sets up what it needs"]
fn the_daemon_outlives_a_probe_that_really_crashes_and_names_it() {
    let folder = set_up("with-driver");
    let line = Line::with_parts(30);
    let library = folder.join("libonnxruntime.so");
    let runtime = format!("[runtime]\nproviders = [\"tensorrt\", \"cpu\"]\nonnxruntime_library = {library:?}\n");
    let config = line.configure("", &runtime);
    let daemon = Daemon::start_with(&config, &[("LD_LIBRARY_PATH", &folder)]);
    daemon.wait_for("part_judged", 30);
    let died = "tensorrt: the probe was killed by signal 11 (segmentation fault)";
    let told = daemon.lines.wait("the cause", |lines| {
        lines.iter().find(|line| line.contains("member_degraded") && line.contains(died)).cloned()
    });
    println!("{told}");
    assert!(daemon.wait().success(), "the daemon judged every part and ended by itself");
}
