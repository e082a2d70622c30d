//! The exact texts of broken configurations and passports: each names the thing, the value seen and the value wanted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot be set up fails")]

use std::path::Path;

use kenpin::config::{ConfigError, DEFAULT, Surroundings, settings};
use kenpin::models::passport::{EXAMPLE, Model};
use proptest::prelude::*;

/// A file without findings, with something of everything.
const GOOD: &str = r#"[device]
id = "bench-1"

[line]
recipe = "elpv-cells"

[cameras.top]
kind = "replay"
path = "parts"

[cameras.side]
kind = "replay"
path = "side"
pace = "triggered"
trigger_sensor = "plc"

[sensors.plc]
kind = "tcp-listen"
address = "127.0.0.1:5005"
part_key = "part"

[models.teacher]
folder = "models/teacher"

[models.gate]
folder = "models/gate"

[[routes]]
name = "mono"
when = [{ sensor = "plc", key = "type", equals = "mono" }]
members = [{ model = "teacher", camera = "top" }]
reject_from = 0.6
pass_below = 0.4

[[routes]]
name = "by-eye"
gate = { model = "gate", choose = { mono = "mono" }, otherwise = "rest" }

[[routes]]
name = "rest"
by_gate_only = true
members = [{ model = "teacher" }]

[mqtt]
broker = "mqtt:1883"
username = "kenpin"
"#;

fn judge(files: &[(&str, &str)]) -> Result<(), ConfigError> {
    let files = files.iter().map(|&(label, text)| (label.to_owned(), text.to_owned())).collect::<Vec<_>>();
    settings("kenpin.toml", &files, &Surroundings::default()).map(drop)
}

/// The report on [`GOOD`] with each of `edits` made.
fn broken(edits: &[(&str, &str)]) -> String {
    let text = edits.iter().fold(GOOD.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from:?} is not in the file");
        text.replacen(from, to, 1)
    });
    report(&[("kenpin.toml", &text)])
}

fn report(files: &[(&str, &str)]) -> String {
    judge(files).expect_err("a finding").render(100, false)
}

#[test]
fn the_unbroken_file_has_no_findings() {
    judge(&[("kenpin.toml", GOOD)]).unwrap_or_else(|error| panic!("{error}"));
}

/// One snapshot a case: a name, and what is changed in [`GOOD`].
macro_rules! broken_configs {
    ($($name:ident: $($from:literal => $to:literal),+;)+) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(stringify!($name), broken(&[$(($from, $to)),+]));
            }
        )+
    };
}

broken_configs! {
    // What is watched.
    drift_window_that_its_looks_do_not_divide: "[models.teacher]" => "[fits]\nfolder = \"f\"\n[drift]\nwindow = 100\n\n[models.teacher]";
    drift_without_fits: "[models.teacher]" => "[drift]\n\n[models.teacher]";
    chart_without_a_rule: "[models.teacher]" => "[chart]\nrules = []\nbaseline = 2\n\n[models.teacher]";
    chart_of_an_unknown_rule: "[models.teacher]" => "[chart]\nrules = [\"beyond-four\"]\n\n[models.teacher]";
    golden_set_of_no_camera: "[models.teacher]" => "[golden]\npath = \"golden\"\n\n[models.teacher]";
    golden_set_of_an_unknown_camera: "[models.teacher]" => "[golden]\npath = \"golden\"\ncamera = \"tip\"\n\n[models.teacher]";
    // What the schema finds.
    unknown_key: "path = \"parts\"" => "pth = \"parts\"";
    unknown_key_far_from_all: "path = \"parts\"" => "path = \"parts\"\nexposure_us = 500";
    unknown_table: "[line]" => "[lines]";
    key_of_another_unit: "part_key" => "delay_s = 1\npart_key";
    text_for_a_number: "[models.teacher]" => "[join]\nwindow_ms = \"fast\"\n\n[models.teacher]";
    fraction_for_a_whole_number: "[models.teacher]" => "[join]\nopen_parts = 2.5\n\n[models.teacher]";
    not_a_number: "reject_from = 0.6" => "reject_from = nan";
    a_date: "equals = \"mono\"" => "equals = 2026-01-01";
    number_out_of_range: "[models.teacher]" => "[join]\nwindow_ms = 0\n\n[models.teacher]";
    threshold_out_of_range: "reject_from = 0.6" => "reject_from = 60";
    weight_of_zero: "camera = \"top\" }]" => "camera = \"top\", weight = 0 }]";
    not_a_choice: "pace = \"triggered\"" => "pace = \"trigger\"";
    not_a_choice_at_all: "kind = \"tcp-listen\"" => "kind = \"opc-ua\"";
    provider_twice: "[models.teacher]" => "[runtime]\nproviders = [\"cuda\", \"cuda\"]\n\n[models.teacher]";
    tensorrt_level: "[models.teacher]" => "[runtime]\nproviders = [\"tensorrt\", \"cpu\"]\ntensorrt.optimisation_level = 99\n\n[models.teacher]";
    tensorrt_tolerance: "[models.teacher]" => "[runtime]\nproviders = [\"tensorrt\", \"cpu\"]\ntensorrt.tolerance = 0\n\n[models.teacher]";
    tensorrt_core: "[models.teacher]" => "[runtime]\nproviders = [\"tensorrt\", \"cpu\"]\ntensorrt.dla_core = -1\n\n[models.teacher]";
    tensorrt_folder: "[models.teacher]" => "[runtime]\nproviders = [\"tensorrt\", \"cpu\"]\ntensorrt.folder = \"\"\n\n[models.teacher]";
    tensorrt_operator: "[models.teacher]" => "[runtime]\nproviders = [\"tensorrt\", \"cpu\"]\ntensorrt.exclude_operators = [\"NonZero,Relu\"]\n\n[models.teacher]";
    tensorrt_alone: "[models.teacher]" => "[runtime]\nproviders = [\"tensorrt\"]\n\n[models.teacher]";
    tensorrt_profiles: "[models.teacher]" =>
        "[runtime]\nproviders = [\"tensorrt\", \"cpu\"]\n[runtime.tensorrt]\nprofiles = [\n\
         { model = \"teacher\", input = \"a\", min = [1, 0], opt = [1, 3], max = [1, 3] },\n\
         { model = \"teacher\", input = \"b\", min = [4, 3], opt = [2, 3], max = [8, 3] },\n\
         { model = \"teacher\", input = \"c\", min = [1, 3], opt = [1, 3], max = [1] },\n\
         { model = \"teacher\", input = \"c\", min = [1, 3], opt = [4, 3], max = [2, 3] },\n\
         { model = \"teacher\", input = \"x:0\", min = [1], opt = [1] },\n\
         { model = \"techer\", input = \"d\", min = [1], opt = [1], max = [1] },\n\
         ]\n\n[models.teacher]";
    missing_device: "[device]\nid = \"bench-1\"\n" => "";
    missing_kind: "kind = \"tcp-listen\"\n" => "";
    bad_name: "id = \"bench-1\"" => "id = \"bench 1\"";
    bad_name_of_a_table: "[models.gate]" => "[models.\"gate/1\"]", "{ model = \"gate\"" => "{ model = \"teacher\"";
    inline_password: "username = \"kenpin\"" => "username = \"kenpin\"\npassword = \"secret\"";
    no_members: "members = [{ model = \"teacher\" }]" => "members = []";
    // What is not TOML.
    not_toml: "id = \"bench-1\"" => "id = bench-1";
    not_toml_unclosed: "when = [{ sensor" => "when = [ sensor";
    same_key_twice: "path = \"side\"" => "path = \"side\"\npath = \"other\"";
    // What only shows across keys.
    unknown_model: "{ model = \"teacher\", camera" => "{ model = \"techer\", camera";
    unknown_camera: "camera = \"top\"" => "camera = \"bottom\"";
    unknown_sensor_in_a_condition: "sensor = \"plc\", key" => "sensor = \"pcl\", key";
    unknown_trigger_sensor: "trigger_sensor = \"plc\"" => "trigger_sensor = \"light-barrier\"";
    unknown_route: "otherwise = \"rest\"" => "otherwise = \"later\"", "by_gate_only = true\n" => "";
    trigger_without_sensor: "trigger_sensor = \"plc\"\n" => "";
    paced_without_rate: "path = \"parts\"" => "path = \"parts\"\npace = \"paced\"";
    rate_without_pace: "path = \"parts\"" => "path = \"parts\"\nframes_per_second = 10";
    raw_frames_at_a_smaller_scale:
        "path = \"side\"" => "path = \"side\"\njpeg_scale = \"1/2\"\nraw = { format = \"yuyv\", width = 8, height = 8 }";
    raw_frames_that_are_no_raw_frames: "path = \"side\"" => "path = \"side\"\nraw = { format = \"mjpeg\", width = 8, height = 8 }";
    raw_frames_with_keys_of_other_formats: "path = \"side\"" =>
        "path = \"side\"\nraw = { format = \"grey\", width = 8, height = 8, stride = 7, yuv = \"bt709\", sample_shift = 2 }";
    filtered_frames_of_one_line: "path = \"side\"" => "path = \"side\"\nraw = { format = \"bayer-rggb8\", width = 8, height = 1 }";
    camera_with_keys_of_other_kinds: "path = \"side\"" =>
        "path = \"side\"\ncommand = [\"cat\"]\nmode = { format = \"grey\", width = 8, height = 8 }\nsilence_ms = 100";
    video_without_device_and_mode: "kind = \"replay\"\npath = \"side\"" => "kind = \"v4l\"";
    video_with_device_and_card: "kind = \"replay\"\npath = \"side\"" =>
        "kind = \"v4l\"\ndevice = \"/dev/video0\"\ncard = \"Cam\"\nmode = { format = \"grey\", width = 8, height = 8 }";
    video_of_an_unknown_format: "kind = \"replay\"\npath = \"side\"" =>
        "kind = \"v4l\"\ncard = \"Cam\"\nmode = { format = \"yuv\", width = 8, height = 8 }";
    video_at_a_smaller_scale: "kind = \"replay\"\npath = \"side\"" =>
        "kind = \"v4l\"\ndevice = \"/dev/video0\"\nbus = \"usb-1\"\njpeg_scale = \"1/2\"\nmode = { format = \"uyvy\", width = 8, height = 8 }";
    pipe_without_command: "kind = \"replay\"\npath = \"side\"" => "kind = \"pipe\"";
    pipe_without_program: "kind = \"replay\"\npath = \"side\"" => "kind = \"pipe\"\ncommand = [\"\"]";
    sensor_with_a_key_of_another_kind: "address = \"127.0.0.1:5005\"" => "topic = \"line/plc\"";
    listen_address_without_port: "127.0.0.1:5005" => "127.0.0.1";
    two_sensors_on_one_port: "[models.teacher]" =>
        "[sensors.scale]\nkind = \"tcp-listen\"\naddress = \"127.0.0.1:5005\"\n\n[models.teacher]";
    mqtt_sensor_without_mqtt: "kind = \"tcp-listen\"\naddress = \"127.0.0.1:5005\"" => "kind = \"mqtt\"\ntopic = \"line/plc\"",
        "[mqtt]\nbroker = \"mqtt:1883\"\nusername = \"kenpin\"\n" => "";
    bad_topic: "kind = \"tcp-listen\"\naddress = \"127.0.0.1:5005\"" => "kind = \"mqtt\"\ntopic = \"line/#/plc\"";
    text_has_no_keys: "part_key = \"part\"" => "format = \"text\"\npart_key = \"part\"";
    recipe_key_without_sensors: "recipe = \"elpv-cells\"" => "recipe = \"elpv-cells\"\nrecipe_key = \"recipe\"",
        "[sensors.plc]\nkind = \"tcp-listen\"\naddress = \"127.0.0.1:5005\"\npart_key = \"part\"\n" => "",
        "pace = \"triggered\"\ntrigger_sensor = \"plc\"\n" => "",
        "sensor = \"plc\", " => "";
    thresholds_in_the_wrong_order: "pass_below = 0.4" => "pass_below = 0.7";
    weight_without_weighted_mean: "camera = \"top\" }]" => "camera = \"top\", weight = 2.0 }]";
    gate_and_members: "gate = {" => "members = [{ model = \"teacher\" }]\ngate = {";
    neither_gate_nor_members: "by_gate_only = true\nmembers = [{ model = \"teacher\" }]" => "by_gate_only = true";
    thresholds_on_a_gate: "otherwise = \"rest\" }" => "otherwise = \"rest\" }\nreject_from = 0.7";
    route_twice: "name = \"rest\"" => "name = \"mono\"", "otherwise = \"rest\"" => "otherwise = \"mono\"";
    route_behind_an_open_one: "by_gate_only = true\n" => "", ", otherwise = \"rest\"" => "";
    by_gate_only_without_a_gate: ", otherwise = \"rest\"" => "";
    gates_in_a_circle: "by_gate_only = true\nmembers = [{ model = \"teacher\" }]" =>
        "by_gate_only = true\ngate = { model = \"gate\", choose = { poly = \"by-eye\" } }";
    condition_without_subject: "sensor = \"plc\", key = \"type\", equals" => "equals";
    condition_with_two_subjects: "sensor = \"plc\", key = \"type\", equals" => "recipe = \"a\", key = \"type\", equals";
    condition_without_test: ", equals = \"mono\"" => "";
    condition_with_two_tests: "equals = \"mono\"" => "at_least = 1, at_most = 2";
    condition_with_a_needless_test: "sensor = \"plc\", key = \"type\", equals = \"mono\"" => "camera = \"top\", present = true";
    gpio_sensor_reads_no_text: "kind = \"tcp-listen\"\naddress = \"127.0.0.1:5005\"" => "kind = \"gpio\"\nchip = \"/dev/gpiochip0\"";
    socket_with_too_long_a_path: "kind = \"tcp-listen\"\naddress = \"127.0.0.1:5005\"" =>
        "kind = \"unix-listen\"\npath = \"/run/kenpin/of-a-name-that-is-longer/than-the-kernel-has-room-for/in-the-address-of-a-socket-which-is-108-bytes\"";
    acknowledging_what_triggers_nothing: "[models.teacher]" =>
        "[sensors.lot]\nkind = \"stdin\"\nacknowledge = true\n\n[models.teacher]";
    register_of_recipes_that_there_are_not: "recipe = \"elpv-cells\"" =>
        "recipe = \"elpv-cells\"\n\n[changeover]\naddress = \"plc\"\nregister = 1\nacknowledge = 1\nrecipes = [{ number = 1, recipe = \"elpv-cell\" }, { number = 0, recipe = \"elpv-cells\" }]";
    register_of_recipes_with_shared_numbers: "recipe = \"elpv-cells\"" =>
        "recipe = \"elpv-cells\"\n\n[changeover]\naddress = \"plc:502\"\nregister = 1\nrecipes = [{ number = 1, recipe = \"elpv-cells\" }, { number = 2, recipe = \"elpv-cells\" }, { number = 2, recipe = \"mono\" }]",
        "{ sensor = \"plc\", key = \"type\", equals = \"mono\" }" => "{ recipe = \"mono\" }";
    output_without_its_keys: "[models.teacher]" => "[outputs.ejector]\nkind = \"gpio\"\nperiod_ms = 500\ncoil = 3\n\n[models.teacher]";
    output_to_no_address: "[models.teacher]" => "[outputs.alive]\nkind = \"modbus\"\naddress = \"plc\"\ncoil = 3\nwork = \"heartbeat\"\non = [\"none\"]\n\n[models.teacher]";
    one_line_driven_twice: "[models.teacher]" => "[outputs.a]\nkind = \"gpio\"\nchip = \"/dev/gpiochip0\"\nline = 1\nwork = \"heartbeat\"\n\n[outputs.b]\nkind = \"gpio\"\nchip = \"/dev/gpiochip0\"\nline = 1\nactive_low = true\nwork = \"heartbeat\"\n\n[sensors.eye]\nkind = \"gpio\"\nchip = \"/dev/gpiochip0\"\nline = 1\n\n[models.teacher]";
    broker_without_port: "broker = \"mqtt:1883\"" => "broker = \"mqtt\"";
    broker_with_scheme: "broker = \"mqtt:1883\"" => "broker = \"mqtt://broker:1883\"";
    password_twice: "username = \"kenpin\"" => "password_file = \"pw\"\npassword_credential = \"pw\"";
    credential_outside_of_systemd: "username = \"kenpin\"" => "password_credential = \"mqtt\"";
    wrong_entry_of_a_list_hides_nothing: "[models.teacher]" => "[runtime]\nproviders = [\"cdua\", \"cpu\"]\n\n[models.teacher]",
        "equals = \"mono\"" => "one_of = [\"mono\", []]",
        "pass_below = 0.4" => "pass_below = 0.7";
    // Everything at once.
    several_findings_at_once: "id = \"bench-1\"" => "id = \"bench 1\"\nsite = \"north\"",
        "kind = \"tcp-listen\"" => "kind = \"tcp\"",
        "folder = \"models/gate\"" => "foldr = \"models/gate\"",
        "pass_below = 0.4" => "pass_below = 0.7",
        "equals = \"mono\"" => "equal = \"mono\"",
        "otherwise = \"rest\"" => "otherwise = \"rset\"",
        "broker = \"mqtt:1883\"" => "broker = \"mqtt\"\npassword = \"secret\"";
}

#[cfg(feature = "broker")]
broken_configs! {
    embedded_broker_for_everyone: "broker = \"mqtt:1883\"\nusername = \"kenpin\"" => "broker = \"embedded\"\nlisten = \"0.0.0.0:1883\"";
    embedded_broker_with_a_password: "broker = \"mqtt:1883\"" => "broker = \"embedded\"";
}

#[cfg(not(feature = "broker"))]
broken_configs! {
    embedded_broker_that_is_not_built: "broker = \"mqtt:1883\"\nusername = \"kenpin\"" => "broker = \"embedded\"";
}

#[cfg(not(feature = "tract"))]
broken_configs! {
    tract_that_is_not_built: "[models.teacher]" => "[runtime]\nbackends = [\"onnxruntime\", \"tract\"]\n\n[models.teacher]";
}

#[test]
fn an_empty_file() {
    insta::assert_snapshot!(report(&[("kenpin.toml", "")]));
}

#[test]
fn a_finding_in_a_fragment_shows_the_fragment() {
    let fragment = "# night shift\n[cameras.top]\npace = \"paced\"\nframes_per_second = 0\n";
    insta::assert_snapshot!(report(&[("kenpin.toml", GOOD), ("conf.d/night.toml", fragment)]));
}

#[test]
fn a_file_that_is_not_there() {
    let error = kenpin::config::load(Path::new("tests/no-such-file.toml")).expect_err("a finding");
    insta::assert_snapshot!(error.render(100, false));
}

#[test]
fn a_credential_is_looked_for_beside_the_config_where_systemd_gives_none() {
    assert!(std::env::var_os("CREDENTIALS_DIRECTORY").is_none(), "these tests are no unit's");
    let folder = tempfile::tempdir().unwrap();
    let (config, credentials) = (folder.path().join("kenpin.toml"), folder.path().join("credentials"));
    std::fs::write(&config, GOOD.replace("username = \"kenpin\"", "password_credential = \"mqtt-password\"")).unwrap();
    let told = kenpin::config::load(&config).expect_err("a finding").render(400, false);
    assert!(told.contains(&format!("there is no folder {}", credentials.display())), "{told}");
    std::fs::create_dir(&credentials).unwrap();
    let mqtt = kenpin::config::load(&config).unwrap().mqtt.unwrap();
    assert_eq!(mqtt.password_file, Some(credentials.join("mqtt-password")));
}

/// The report on the [`EXAMPLE`] with each of `edits` made.
fn broken_passport(edits: &[(&str, &str)]) -> String {
    let text = edits.iter().fold(EXAMPLE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from:?} is not in the passport");
        text.replacen(from, to, 1)
    });
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("example");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("passport.toml"), text).unwrap();
    let report = Model::load(&folder).expect_err("a finding").render(100, false);
    report.replace(&format!("{}/", root.path().display()), "")
}

macro_rules! broken_passports {
    ($($name:ident: $($from:literal => $to:literal),+;)+) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(stringify!($name), broken_passport(&[$(($from, $to)),+]));
            }
        )+
    };
}

broken_passports! {
    passport_of_a_newer_schema: "kenpin.passport/1" => "kenpin.passport/2", "opset = 17" => "opset = 17\nquantised = true";
    passport_of_no_schema: "kenpin.passport/1" => "1.0";
    passport_with_an_unknown_key: "standard_deviation" => "std";
    passport_in_another_folder: "name = \"example\"" => "name = \"sample\"";
    passport_with_a_short_hash: "00000000\"" => "\"";
    passport_with_a_file_outside: "path = \"model.onnx\"" => "path = \"../other/model.onnx\"";
    passport_with_an_absolute_file: "path = \"model.onnx\"" => "path = \"/srv/model.onnx\"";
    passport_with_one_mean_for_three_channels: "mean = [0.485, 0.456, 0.406]" => "mean = [0.449]";
    passport_with_a_deviation_of_zero: "[0.229, 0.224, 0.225]" => "[0.229, 0.0, 0.225]";
    passport_with_an_infinite_deviation: "[0.229, 0.224, 0.225]" => "[0.229, inf, 0.225]";
    passport_with_a_shape_in_the_other_layout: "layout = \"nchw\"" => "layout = \"nhwc\"";
    passport_with_three_axes: "shape = [1, 3, 64, 96]" => "shape = [3, 64, 96]";
    passport_with_a_batch_of_eight: "shape = [1, 3, 64, 96]" => "shape = [8, 3, 64, 96]";
    passport_with_grey_for_three_channels: "colour = \"rgb\"" => "colour = \"grey\"",
        "[0.485, 0.456, 0.406]" => "[0.449]", "[0.229, 0.224, 0.225]" => "[0.226]";
    passport_without_fill: "fill = 114\n" => "";
    passport_with_a_needless_fill: "fit = \"letterbox\"" => "fit = \"stretch\"";
    passport_with_a_label_twice: "names = [\"good\", \"defective\"]" => "names = [\"defective\", \"defective\"]";
    passport_with_an_unknown_defect: "defects = [\"defective\"]" => "defects = [\"defect\"]";
    passport_with_too_few_numbers: "shape = [1, 2]" => "shape = [1, 3]";
    detector_with_too_few_planes: "task = \"classification\"" => "task = { detection = { head = \"yolov8\", confidence_from = 0.25 } }",
        "shape = [1, 2]" => "shape = [1, 5, 8400]";
    detector_of_no_known_form: "task = \"classification\"" => "task = { detection = { head = \"yolov9\", confidence_from = 0.25 } }";
    detector_with_an_unknown_output: "task = \"classification\"" => "task = { detection = { confidence_from = 0.25, head = { boxes-scores = { boxes = \"logit\", scores = \"logits\", format = \"corners\", unit = \"frame-pixels\" } } } }";
    detector_with_rows_that_make_no_box: "task = \"classification\"" => "task = { detection = { confidence_from = 0.25, every_label = true, across_labels = true, masks = { prototypes = \"grids\" }, head = { rows = { output = \"logits\", columns = [\"label\", \"score\", \"left\", \"left\"], unit = \"input-pixels\" } } } }";
    detector_with_too_few_cells: "task = \"classification\"" => "task = { detection = { confidence_from = 0.25, head = { distribution = { levels = [{ stride = 8, scores = \"logits\", boxes = \"logits\" }] } } } }",
        "shape = [1, 2]" => "shape = [1, 90, 33]";
    passport_with_several_findings: "fill = 114" => "scal = 1.0", "shape = [1, 2]" => "shape = [2]",
        "defects = [\"defective\"]" => "defects = [\"bad\"]", "mean = [0.485, 0.456, 0.406]" => "mean = [0.5]";
}

/// The default file with every switched-off key switched on: the largest valid shape there is.
fn everything() -> String {
    let line = |line: &'static str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest,
        _ => line,
    };
    DEFAULT.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Cuts `text` at two of its characters and puts `between` in the place of what lies between.
fn spliced(text: &str, at: usize, length: usize, between: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let start = at % (characters.len() + 1);
    let end = (start + length).min(characters.len());
    let (head, tail) = (characters[..start].iter().collect::<String>(), characters[end..].iter().collect::<String>());
    head + between + &tail
}

/// Whatever was found can be told.
fn told(text: &str) -> bool {
    match judge(&[("kenpin.toml", text)]) {
        Ok(()) => true,
        Err(error) => !error.findings().is_empty() && !error.render(80, false).is_empty(),
    }
}

/// A line that is nearly TOML.
const TOML_LIKE: &str =
    "(\\[{1,2}[a-z.\"]{0,9}\\]{1,2}|[a-z.\"]{1,6} ?= ?([0-9.e+-]{1,6}|\"[^\"]{0,5}\"|\\[\\{?|\\}|\\]))";

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_the_parser(text in "(?s).{0,200}") {
        prop_assert!(told(&text));
    }

    #[test]
    fn no_toml_like_text_panics_the_parser(lines in prop::collection::vec(TOML_LIKE, 0..12)) {
        let text = lines.join("\n");
        prop_assert!(told(&text));
    }

    #[test]
    fn no_mutation_of_a_valid_file_panics_the_parser(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40, prop_oneof![
            Just(""), Just("\""), Just("["), Just("]"), Just("{"), Just("}"), Just("="), Just("\n"), Just("-1"), Just("nan"),
            Just("1e999"), Just("99999999999999999999"), Just("[]"), Just("{}"), Just("\"\""), Just("\u{0}"), Just("検品"),
            Just("0.5"), Just("true"), Just("[[routes]]\n"), Just("[cameras]\n"), Just("name = \"all\"\n"), Just("gate = 3\n"),
        ]), 1..4)
    ) {
        let text = edits.iter().fold(everything(), |text, (at, length, between)| {
            spliced(&text, at.index(text.chars().count() + 1), *length, between)
        });
        prop_assert!(told(&text));
    }
}
