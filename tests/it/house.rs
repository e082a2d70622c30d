//! Holds the shape of the house: who may import whom, and which file touches which foreign world.

use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust file under `src`, with its path relative to `src`.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    assert!(found.len() > 20, "the sources were not found");
    found
}

/// The first part of a path below `src`, without its extension: the module it belongs to.
fn module(path: &Path) -> String {
    Path::new(path.components().next().unwrap().as_os_str()).with_extension("").display().to_string()
}

/// The storey of a module; a file may import from its own storey and those below.
fn storey(module: &str) -> u8 {
    match module {
        "board" | "clock" | "gpio" | "memory" | "modbus" | "name" | "notify" | "pulse" | "value" | "telemetry"
        | "tensor" => 0,
        "fusion" | "config" | "engines" | "models" | "task" => 1,
        "doctor" | "explain" | "flow" | "govern" | "learn" | "outputs" | "record" | "simulate" | "view" => 2,
        "app" => 3,
        "cli" => 4,
        "main" | "lib" => 5,
        other => panic!("src/{other} has no storey: say here who may import it"),
    }
}

/// The `crate::` paths that the code of a file (not its tests) uses.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.match_indices("crate::").map(move |(at, _)| &line[at + "crate::".len()..]))
}

fn first_word(path: &str) -> &str {
    path.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap()
}

#[test]
fn imports_point_downwards() {
    for (path, text) in sources() {
        let own = storey(&module(&path));
        for import in imports(&text) {
            let used = first_word(import);
            assert!(storey(used) <= own, "src/{} imports crate::{used}, which stands above it", path.display());
        }
    }
}

#[test]
fn no_stage_imports_another_stage() {
    let stages = ["acquire", "dispatch", "infer", "inspect", "publish"];
    for (path, text) in sources() {
        let mut parts = path.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
        if parts.next().as_deref() != Some("flow") {
            continue;
        }
        let own = parts.next().unwrap_or_default();
        let own = own.trim_end_matches(".rs");
        for import in imports(&text) {
            let Some(rest) = import.strip_prefix("flow::") else { continue };
            let used = first_word(rest);
            let foreign = stages.contains(&used) && used != own;
            assert!(!foreign, "src/{} imports the stage {used}", path.display());
        }
    }
}

#[test]
fn each_foreign_world_is_touched_in_one_place() {
    let worlds: [(&str, &[&str]); 12] = [
        ("ort::", &["flow/infer/ort.rs", "flow/infer/ort/", "flow/infer/library.rs"]),
        ("gpiocdev::", &["gpio.rs"]),
        ("tokio_modbus::", &["modbus.rs"]),
        ("tokenizers::", &["flow/infer/tokens/file.rs"]),
        ("tract_onnx::", &["flow/infer/tract.rs"]),
        ("mqtt5::", &["flow/publish/wire", "flow/publish/broker.rs"]),
        ("v4l::", &["flow/acquire/v4l.rs"]),
        ("rusqlite", &["record/journal/"]),
        ("sd_notify::", &["notify.rs"]),
        ("tracing_journald::", &["cli/log.rs"]),
        (
            "plotters::",
            &[
                "cli/models/price/front.rs",
                "cli/fit/plot.rs",
                "cli/simulate/chart.rs",
                "cli/chart/plot.rs",
                "cli/teach/plot.rs",
            ],
        ),
        ("statrs::", &["learn/compare.rs", "learn/interval.rs", "learn/risk.rs"]),
    ];
    for (path, text) in sources() {
        let code = text.split("#[cfg(test)]").next().unwrap();
        let shown = path.display().to_string();
        for (world, homes) in worlds {
            let touched = code.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| {
                line.match_indices(world)
                    .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
            });
            let at_home = homes.iter().any(|home| shown.starts_with(home));
            assert!(!touched || at_home, "src/{shown} touches {world}, whose home is {homes:?}");
        }
    }
}

#[test]
fn files_stay_readable() {
    for (path, text) in sources() {
        let code = text.split("#[cfg(test)]").next().unwrap().lines().count();
        assert!(code <= 400, "src/{} has {code} lines of code: give a part of it a home", path.display());
        assert!(text.starts_with("//!"), "src/{} does not say at its top what it owns", path.display());
    }
}
