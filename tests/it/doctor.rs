//! `kenpin doctor`: whole miniature machines have nothing to mend; of each planted fault the doctor says what it is and how it
//! is mended.

mod machine;

use std::process::{Command, Output};

use kenpin::board::fake::Kind;
use machine::{Machine, elf};
use serde_json::Value;

use crate::support::daemon::Line;

const BOARDS: [Kind; 3] = [Kind::OrinNano, Kind::XavierNx, Kind::Thor];

fn doctor(machine: &Machine, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kenpin"));
    command.args(["doctor", "--root"]).arg(machine.root()).args(more);
    command.env("NO_COLOR", "1").output().unwrap()
}

/// The report for people, without what is this machine's own: paths of the test and the room on its disk.
fn text(machine: &Machine, more: &[&str]) -> String {
    let output = doctor(machine, more);
    let text = String::from_utf8(output.stdout).unwrap().replace(machine.root().to_str().unwrap(), "");
    let own = |line: &str| line.starts_with("ok    disk") || line.starts_with("warn  disk");
    let lines = text.lines().map(|line| if own(line) { "(disk)" } else { line });
    format!("{}\nexit {}", lines.collect::<Vec<_>>().join("\n"), output.status.code().unwrap())
}

/// What is to be mended: check, severity, what was found and the command.
fn ills(machine: &Machine, more: &[&str]) -> Vec<[String; 4]> {
    let output = doctor(machine, &[&["--json"], more].concat());
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let findings = report["findings"].as_array().unwrap().iter();
    // The disk is that of the machine the test runs on.
    let ills = findings.filter(|it| ["warn", "fail"].iter().any(|bad| it["severity"] == *bad) && it["check"] != "disk");
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let ills: Vec<_> = ills.map(|it| ["check", "severity", "found", "mend"].map(|key| word(it, key))).collect();
    assert!(ills.is_empty() || output.status.code() == Some(1), "what is to be mended is no success");
    ills
}

/// Exactly these ills: check, severity, a part of what is found and a part of the command.
#[track_caller]
fn finds(machine: &Machine, more: &[&str], wanted: &[[&str; 4]]) {
    let seen = ills(machine, more);
    let fits = seen.len() == wanted.len()
        && seen.iter().zip(wanted).all(|(seen, wanted)| {
            seen[..2] == wanted[..2] && seen[2].contains(wanted[2]) && seen[3].contains(wanted[3])
        });
    assert!(fits, "{seen:#?}\nwanted {wanted:#?}");
}

#[test]
fn whole_boards_have_nothing_to_mend() {
    for kind in BOARDS {
        let machine = Machine::new(kind);
        assert_eq!(ills(&machine, &[]), Vec::<[String; 4]>::new(), "{}", kind.name());
        insta::assert_snapshot!(format!("doctor_{}", kind.name()), text(&machine, &[]));
    }
}

#[test]
fn the_report_is_what_its_schema_says() {
    let schema = Command::new(env!("CARGO_BIN_EXE_kenpin")).args(["schema", "--doctor"]).output().unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_slice(&schema.stdout).unwrap()).unwrap();
    let machine = Machine::new(Kind::OrinNano);
    machine.remove(&machine.dla_compiler());
    let report: Value = serde_json::from_slice(&doctor(&machine, &["--json"]).stdout).unwrap();
    assert!(schema.is_valid(&report), "{report}");
    assert_eq!((&report["schema"], &report["worst"]), (&"kenpin.doctor/1".into(), &"fail".into()));
    assert_eq!(report["simulated"], true);
}

#[test]
fn an_orin_with_the_wrong_wheel_and_no_dla_compiler() {
    let machine = Machine::new(Kind::OrinNano);
    let package = "apt install nvidia-l4t-dla-compiler";
    machine.remove(&machine.dla_compiler());
    let needs = "libnvinfer.so.10 needs libnvdla_compiler.so";
    let missing = [
        ["tensorrt-provider", "fail", needs, package],
        ["dla-compiler", "fail", "libnvdla_compiler.so is missing", package],
    ];
    finds(&machine, &[], &missing);
    machine.put(&machine.dla_compiler(), "");
    finds(&machine, &[], &[["dla-compiler", "fail", "is empty, as in a container", package]]);

    let machine = Machine::new(Kind::OrinNano);
    // As the wheel that its makers publish for arm64 servers is built.
    machine.wheel("onnxruntime_gpu", "1.31.1", &[89, 90, 120, 121], false);
    let wheel = "made for JetPack 6.2: from NVIDIA's Jetson Zoo or the Jetson AI Lab index (jp6/cu126)";
    finds(
        &machine,
        &[],
        &[
            ["cuda-provider", "fail", "GPU code for compute capability 8.9, 9.0, 12.0, 12.1 and no PTX", wheel],
            ["tensorrt-provider", "fail", "onnxruntime-gpu 1.31.1 was built without it", "CMAKE_CUDA_ARCHITECTURES=87"],
        ],
    );
}

#[test]
fn an_orin_that_is_slow_small_and_late() {
    let machine = Machine::new(Kind::OrinNano);
    machine.power_mode(3);
    finds(&machine, &[], &[["power-mode", "warn", "mode 3 (7W): the slowest of 4", "sudo nvpmodel -m 2"]]);
    machine.power_mode(1);
    assert_eq!(ills(&machine, &[]), Vec::<[String; 4]>::new(), "25 W is a choice");
    machine.power_mode(2);
    machine.put("proc/swaps", "Filename Type Size Used Priority\n/dev/zram0 partition 3900000 0 5\n");
    finds(
        &machine,
        &[],
        &[["swap", "warn", "0 MiB of swap on disk (3.7 GiB in compressed memory)", "fallocate -l 4G"]],
    );
    machine.put("proc/swaps", "");
    machine.put("proc/meminfo", "MemTotal: 7802872 kB\nMemAvailable: 102400 kB\n");
    machine.remove("run/systemd/timesync/synchronized");
    machine.put("sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "powersave\n");
    finds(
        &machine,
        &[],
        &[
            ["memory", "warn", "100 MiB available", "ps aux"],
            ["swap", "warn", "0 MiB of swap on disk", "swapon /swapfile"],
            ["clocks", "warn", "powersave", "echo schedutil"],
            ["time", "warn", "not synchronised", "timedatectl set-ntp true"],
        ],
    );
}

#[test]
fn devices_that_the_daemon_may_not_open() {
    let machine = Machine::new(Kind::OrinNano);
    machine.members("somebody");
    let group = "sudo usermod -aG video kenpin";
    finds(
        &machine,
        &[],
        &[
            ["access", "fail", "user kenpin may not open /dev/video0", group],
            ["access", "fail", "/dev/nvmap, /dev/nvhost-ctrl-gpu", group],
        ],
    );
    machine.members("kenpin");
    machine.mode("dev/video0", 0o600);
    let rule = "KERNEL==\"video*\", GROUP=\"video\", MODE=\"0660\"";
    finds(&machine, &[], &[["access", "fail", "may not open /dev/video0", rule]]);
    assert_eq!(ills(&machine, &["--user", "root"]), Vec::<[String; 4]>::new(), "root may");
    let nobody = doctor(&machine, &["--user", "nobody-here"]);
    assert_eq!(nobody.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("\"nobody-here\""), "{nobody:?}");
}

#[test]
fn a_xavier_with_libraries_of_elsewhere() {
    let machine = Machine::new(Kind::XavierNx);
    machine.wheel("onnxruntime_gpu", "1.15.1", &[72], true);
    let wheel = "(jp5/cu114)";
    finds(&machine, &[], &[["onnxruntime", "fail", "1.15.1 at", wheel]]);
    machine.wheel("onnxruntime", "1.17.0", &[], true);
    machine.put(&format!("{}/libonnxruntime.so.1.17.0", machine.capi()), elf("x86_64", &[], &[]));
    finds(&machine, &[], &[["onnxruntime", "fail", "built for x86_64, this machine is aarch64", wheel]]);
    machine.remove(&machine.capi());
    finds(&machine, &[], &[["onnxruntime", "fail", "no ONNX Runtime library was found", wheel]]);

    let machine = Machine::new(Kind::XavierNx);
    for file in ["libcudnn.so.8", "libcudnn.so.8.6.0"] {
        machine.remove(&format!("{}/{file}", Machine::LIBRARIES));
    }
    let needs = "needs libcudnn.so.8, which is nowhere";
    finds(
        &machine,
        &[],
        &[
            ["cuda-provider", "fail", needs, "apt install nvidia-jetpack"],
            ["tensorrt-provider", "fail", needs, "apt install nvidia-jetpack"],
            ["cudnn", "fail", "no cuDNN", "apt install nvidia-jetpack"],
        ],
    );
    let machine = Machine::new(Kind::XavierNx);
    machine.remove(&machine.dla_compiler());
    let found = ills(&machine, &[]);
    assert!(found.iter().all(|ill| ill[3].contains("--reinstall nvidia-l4t-core")) && found.len() == 2, "{found:?}");
}

#[test]
fn a_thor_with_a_tensorrt_of_elsewhere() {
    let machine = Machine::new(Kind::Thor);
    machine.library(Machine::LIBRARIES, "libnvinfer", "11.0.0", &[]);
    finds(&machine, &[], &[["tensorrt", "warn", "TensorRT 11.0.0", "apt install nvidia-jetpack"]]);
    machine.remove(&format!("{}/libnvinfer.so.10", Machine::LIBRARIES));
    machine.remove(&format!("{}/libcublas.so.13", Machine::CUDA));
    machine.power_mode(1);
    finds(
        &machine,
        &[],
        &[
            ["cuda-provider", "fail", "needs libcublas.so.13, which is nowhere", "apt install nvidia-jetpack"],
            ["tensorrt-provider", "fail", "(and 1 more)", "apt install nvidia-jetpack"],
            ["tensorrt", "warn", "TensorRT 11.0.0", "apt install nvidia-jetpack"],
            ["power-mode", "warn", "mode 1 (120W): the slowest of 2", "nvpmodel -m 0"],
        ],
    );
}

#[test]
fn an_older_jetpack_and_a_machine_that_is_no_jetson() {
    let machine = Machine::new(Kind::Nano);
    let found = ills(&machine, &[]);
    assert!(found.iter().any(|ill| ill[0] == "jetpack" && ill[2].contains("32.7.4") && ill[3].contains("SDK Manager")));
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kenpin"));
    let output = command.args(["doctor", "--json", "--root"]).arg(folder.path()).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks: Vec<&str> =
        report["findings"].as_array().unwrap().iter().filter_map(|it| it["check"].as_str()).collect();
    for only_on_jetsons in ["cuda", "tensorrt", "dla-compiler", "power-mode", "cuda-provider"] {
        assert!(!checks.contains(&only_on_jetsons), "{checks:?}");
    }
}

#[test]
fn a_config_tells_what_is_wanted() {
    let (machine, line) = (Machine::new(Kind::OrinNano), Line::with_parts(2));
    machine.mode("dev/video0", 0o666);
    // A port that was free a moment ago, and that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = line.configure("", &format!("[mqtt]\nbroker = \"127.0.0.1:{port}\"\n"));
    let user = ["--user", "root"];
    let more = [&[file.to_str().unwrap()], &user[..]].concat();
    let reached = "127.0.0.1";
    finds(&machine, &more, &[["broker", "warn", reached, "systemctl enable --now mosquitto"]]);
    // The GPU is not asked for: what it lacks is not looked at.
    machine.remove(&machine.dla_compiler());
    machine.wheel("onnxruntime", "1.20.1", &[], false);
    finds(&machine, &more, &[["broker", "warn", reached, "mosquitto"]]);
    let mode = "{ format = \"yuyv\", width = 640, height = 480, frames_per_second = 30 }";
    let cameras =
        [("front", "device = \"/dev/video0\""), ("left", "device = \"/dev/video7\""), ("right", "card = \"C920\"")];
    let cameras = cameras.map(|(name, which)| format!("[cameras.{name}]\nkind = \"v4l\"\n{which}\nmode = {mode}\n"));
    line.configure("", &cameras.concat());
    let unplugged = [
        ["cameras", "fail", "camera left: there is no /dev/video7", "kenpin cameras"],
        ["cameras", "fail", "camera right: there is no card \"C920\"", "`[cameras.right] device`"],
    ];
    finds(&machine, &more, &unplugged);
    std::fs::write(&file, "[device]\nid = \"a b\"\n").unwrap();
    let found = ills(&machine, &more);
    assert!(found.iter().any(|ill| ill[0] == "config" && ill[2].contains("device.id")), "{found:?}");
    assert!(found.iter().all(|ill| ill[0] != "config" || ill[3].contains("kenpin check")), "{found:?}");
}

#[test]
fn many_faults_at_once_are_all_told() {
    let orin = Machine::new(Kind::OrinNano);
    orin.remove(&orin.dla_compiler());
    orin.wheel("onnxruntime_gpu", "1.31.1", &[89, 90, 120, 121], false);
    orin.put("proc/swaps", "");
    orin.power_mode(3);
    orin.mode("dev/video0", 0o600);
    orin.remove("run/systemd/timesync/synchronized");
    insta::assert_snapshot!("doctor_orin-nano_faults", text(&orin, &[]));

    let xavier = Machine::new(Kind::XavierNx);
    xavier.remove("usr/local/cuda");
    xavier.members("");
    xavier.put("sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "powersave\n");
    xavier.remove("dev/video0");
    insta::assert_snapshot!("doctor_xavier-nx_faults", text(&xavier, &[]));

    let thor = Machine::new(Kind::Thor);
    thor.library(Machine::LIBRARIES, "libnvinfer", "11.0.0", &[]);
    thor.wheel("onnxruntime_gpu", "1.24.2", &[87], true);
    thor.power_mode(1);
    insta::assert_snapshot!("doctor_thor_faults", text(&thor, &[]));
}
