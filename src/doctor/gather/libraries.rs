//! Libraries: where they lie, of which version they are, and what of what they ask for is nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::elf;
use crate::config::Runtime;
use crate::doctor::facts::{Library, Plug, Toolkit};
use crate::flow::infer::library::{self, Surroundings, highest};

/// Folders in which the system looks for libraries, below the root; those of `ld.so.conf.d` come on top.
const FOLDERS: [&str; 14] = [
    "usr/lib/aarch64-linux-gnu",
    "usr/lib/aarch64-linux-gnu/nvidia",
    "usr/lib/aarch64-linux-gnu/tegra",
    "usr/lib/aarch64-linux-gnu/tegra-egl",
    "lib/aarch64-linux-gnu",
    "usr/lib/x86_64-linux-gnu",
    "lib/x86_64-linux-gnu",
    "usr/local/cuda/lib64",
    "usr/local/cuda/targets/aarch64-linux/lib",
    "usr/local/lib",
    "usr/lib",
    "lib",
    "usr/lib64",
    "lib64",
];

/// Libraries without which this program itself would not run: not looked for.
const BASICS: [&str; 9] =
    ["libc.so", "libm.so", "libdl.so", "libpthread.so", "librt.so", "libgcc_s.so", "libstdc++.so", "ld-linux", "ld64"];

/// The most libraries that are followed.
const MOST: usize = 512;

/// The folders in which the machine below `root` looks for libraries.
pub(super) fn folders(root: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    let mut lists = library::entries(&root.join("etc/ld.so.conf.d"), |_| true);
    lists.retain(|list| list.extension().is_some_and(|extension| extension == "conf"));
    lists.sort();
    for list in lists {
        let text = std::fs::read_to_string(list).unwrap_or_default();
        let lines = text.lines().map(str::trim).filter(|line| line.starts_with('/'));
        folders.extend(lines.map(|line| below(root, Path::new(line))));
    }
    folders.retain(|folder| folder.is_dir());
    folders
}

/// The library that Kenpin would load, and what its file tells.
pub(super) fn onnxruntime(root: &Path, runtime: Option<&Runtime>, folders: &[PathBuf]) -> Result<Library, String> {
    let configured = runtime.and_then(|runtime| runtime.onnxruntime_library.as_deref());
    let path = if super::is_this_machine(root) {
        library::find_here(configured)?
    } else {
        let configured = configured.map(|path| if path.is_absolute() { below(root, path) } else { path.to_owned() });
        let nothing = |_: &str| -> Option<OsString> { None };
        library::find(configured.as_deref(), &Surroundings { root, variable: &nothing, binary_folder: None })?
    };
    // Behind a link lies the file whose name has the version, and whose folder has the providers.
    let real = path.canonicalize().unwrap_or_else(|_| path.clone());
    let folder = real.parent().unwrap_or(Path::new(""));
    let package = package(folder);
    let name = real.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let versioned = name.strip_prefix("libonnxruntime.so.").filter(|version| version.contains('.'));
    let version = versioned.map(str::to_owned).or_else(|| Some(package.clone()?.1));
    Ok(Library {
        version,
        package: package.map(|(name, version)| format!("{name} {version}")),
        processor: elf::read(&real).and_then(|told| told.processor),
        loaded: None,
        cuda: plug(folder, "libonnxruntime_providers_cuda.so", folders),
        tensorrt: plug(folder, "libonnxruntime_providers_tensorrt.so", folders),
        path,
    })
}

/// The Python package whose folder `onnxruntime/capi` this is: its name and version, by its `dist-info`.
fn package(folder: &Path) -> Option<(String, String)> {
    let packages = folder.parent().filter(|parent| parent.ends_with("onnxruntime"))?.parent()?;
    let found = library::entries(packages, |name| name.starts_with("onnxruntime") && name.ends_with(".dist-info"));
    let name = found.first()?.file_stem()?.to_str()?;
    let (name, version) = name.split_once('-')?;
    Some((name.replace('_', "-"), version.to_owned()))
}

fn plug(folder: &Path, file: &str, folders: &[PathBuf]) -> Option<Plug> {
    let path = folder.join(file);
    if !path.is_file() {
        return None;
    }
    let told = elf::read(&path).unwrap_or_default();
    let (code, portable) = elf::gpu_code(&path, &told).unwrap_or_default();
    let around: Vec<PathBuf> = std::iter::once(folder.to_owned()).chain(folders.iter().cloned()).collect();
    Some(Plug { code, portable, lacks: lacks(&path, &around), tried: None })
}

/// What the library at `path`, and all that it asks for, asks for and is nowhere: each with the name of who asks.
fn lacks(path: &Path, folders: &[PathBuf]) -> BTreeMap<String, String> {
    let (mut lacks, mut seen, mut open) = (BTreeMap::new(), BTreeSet::new(), vec![path.to_owned()]);
    while let Some(path) = open.pop().filter(|_| seen.len() < MOST) {
        let asks = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        for name in elf::read(&path).unwrap_or_default().needed {
            let basic = BASICS.iter().any(|basic| name.starts_with(basic));
            if basic || !seen.insert(name.clone()) {
                continue;
            }
            match folders.iter().map(|folder| folder.join(&name)).find(|file| file.is_file()) {
                Some(file) => open.push(file),
                None => _ = lacks.insert(name, asks.clone()),
            }
        }
    }
    lacks
}

/// NVIDIA's libraries.
pub(super) fn toolkit(root: &Path, folders: &[PathBuf]) -> Toolkit {
    let newest = |name: &str| {
        let found = folders.iter().filter_map(|folder| highest(folder, name));
        let version = |path: &PathBuf| {
            let file = path.file_name()?.to_str()?;
            Some(file.strip_prefix(name)?.trim_start_matches('.').to_owned())
        };
        found.filter_map(|path| Some((version(&path)?, path))).max_by_key(|(version, _)| library::numbers(version))
    };
    let version = |name: &str| newest(name).map(|(version, _)| version);
    let infer = newest("libnvinfer.so");
    let told = infer.as_ref().and_then(|(_, path)| elf::read(path));
    let dla_compiler = folders.iter().map(|folder| folder.join(DLA_COMPILER)).find(|file| file.exists());
    Toolkit {
        cuda: cuda_release(root).or_else(|| version("libcudart.so")),
        cudnn: version("libcudnn.so"),
        tensorrt: infer.map(|(version, _)| version),
        needs_dla_compiler: told.map(|told| told.needed.iter().any(|name| name.starts_with(DLA_COMPILER))),
        dla_compiler: dla_compiler.map(|file| {
            let bytes = std::fs::metadata(&file).map_or(0, |seen| seen.len());
            (shown(root, &file), bytes)
        }),
    }
}

/// The library that TensorRT asks for on Jetsons.
const DLA_COMPILER: &str = "libnvdla_compiler.so";

/// CUDA's own note of its version: `{"cuda": {"version": "12.6.11"}}`.
fn cuda_release(root: &Path) -> Option<String> {
    let text = std::fs::read_to_string(root.join("usr/local/cuda/version.json")).ok()?;
    let told: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(told.pointer("/cuda/version")?.as_str()?.to_owned())
}

/// An absolute path as it lies below `root`.
pub(super) fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// A path below `root` as the machine has it.
pub(super) fn shown(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).map_or_else(|_| path.to_owned(), |rest| Path::new("/").join(rest))
}
