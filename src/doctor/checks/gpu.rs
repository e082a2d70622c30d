//! What models run on: ONNX Runtime, its providers, and NVIDIA's libraries beneath them.

use std::collections::BTreeSet;

use super::board::{is_jetson, major};
use crate::doctor::facts::{Chip, Facts, Library, Plug};
use crate::doctor::report::{Check, Finding};
use crate::flow::infer::library::{OLDEST, numbers};

/// What belongs together: a release of Jetson Linux (major, least minor), CUDA, TensorRT and cuDNN of its `JetPack`, and the
/// ONNX Runtime versions that were built for them. Source: NVIDIA's `JetPack` archive and ONNX Runtime's table of TensorRT
/// versions; that of `JetPack` 7 by builds of third parties.
struct Set {
    release: (u64, u64),
    jetpack: &'static str,
    cuda: &'static str,
    tensorrt: &'static str,
    cudnn: &'static str,
    onnxruntime: (&'static str, &'static str),
}

const SETS: [Set; 5] = [
    Set { release: (39, 0), jetpack: "7.2", cuda: "13.2", tensorrt: "10.16", cudnn: "9", onnxruntime: ("1.25", "2") },
    Set { release: (38, 0), jetpack: "7.0", cuda: "13.0", tensorrt: "10.13", cudnn: "9", onnxruntime: ("1.23", "2") },
    Set { release: (36, 4), jetpack: "6.1", cuda: "12.6", tensorrt: "10.3", cudnn: "9", onnxruntime: ("1.19", "1.24") },
    Set { release: (36, 0), jetpack: "6.0", cuda: "12.2", tensorrt: "8.6", cudnn: "8", onnxruntime: ("1.17", "1.19") },
    Set { release: (35, 0), jetpack: "5.1", cuda: "11.4", tensorrt: "8.5", cudnn: "8", onnxruntime: ("1.17", "1.18") },
];

pub(in crate::doctor) fn all(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    match &facts.onnxruntime {
        None => {}
        Some(Err(why)) => found.push(
            Finding::fail(Check::Onnxruntime, why.clone())
                .want(format!(
                    "ONNX Runtime {OLDEST} or newer{}",
                    if is_jetson(facts) { ", built for this JetPack" } else { "" }
                ))
                .mend(get(facts)),
        ),
        Some(Ok(library)) => {
            found.push(onnxruntime(facts, library));
            found.extend(provider(facts, library, Check::CudaProvider, library.cuda.as_ref(), facts.wants.cuda));
            found.extend(provider(
                facts,
                library,
                Check::TensorrtProvider,
                library.tensorrt.as_ref(),
                facts.wants.tensorrt,
            ));
        }
    }
    if facts.wants.cuda || facts.wants.tensorrt {
        found.extend(toolkit(facts));
    }
    found.extend(dla_compiler(facts));
    found
}

fn set(facts: &Facts) -> Option<&'static Set> {
    let release = facts.release.as_ref()?;
    let minor = numbers(&release.l4t).get(1).copied().unwrap_or_default();
    SETS.iter().find(|set| set.release.0 == major(release) && set.release.1 <= minor)
}

/// How one gets a library that can use this machine.
fn get(facts: &Facts) -> String {
    let Some(set) = set(facts).filter(|_| is_jetson(facts)) else {
        return "pip install --upgrade onnxruntime".to_owned();
    };
    let short = set.cuda.replace('.', "");
    let major = set.jetpack.split('.').next().unwrap_or_default();
    // The name by which people know the release, where it is known.
    let jetpack = facts.release.as_ref().and_then(|release| release.jetpack.as_deref()).unwrap_or(set.jetpack);
    format!(
        "pip install --force-reinstall ./onnxruntime_gpu-*-linux_aarch64.whl   # a wheel made for JetPack {}: from NVIDIA's Jetson Zoo or the \
         Jetson AI Lab index (jp{major}/cu{short}), else built on the board with CMAKE_CUDA_ARCHITECTURES={}",
        jetpack,
        facts.chip.map_or_else(|| "native".to_owned(), |chip| chip.capability.to_string()),
    )
}

fn onnxruntime(facts: &Facts, library: &Library) -> Finding {
    let path = library.path.display();
    let version = library.version.as_deref().unwrap_or("of unknown version");
    let package = library.package.as_ref().map_or_else(String::new, |package| format!(", package {package}"));
    let found = format!("ONNX Runtime {version} at {path}{package}");
    let bad = |why: String| {
        let wanted = format!("ONNX Runtime {OLDEST} or newer for this processor");
        Finding::fail(Check::Onnxruntime, format!("{found}: {why}")).want(wanted).mend(get(facts))
    };
    let machine = if is_jetson(facts) { "aarch64" } else { std::env::consts::ARCH };
    if let Some(processor) = library.processor.filter(|processor| *processor != machine) {
        return bad(format!("built for {processor}, this machine is {machine}"));
    }
    if library.numbers().is_some_and(|version| version < numbers(OLDEST)) {
        return bad(format!("older than {OLDEST}"));
    }
    if let Some(Err(why)) = &library.loaded {
        return bad(format!("a child could not load it: {why}"));
    }
    let gpu = facts.wants.cuda || facts.wants.tensorrt;
    if let (true, Some(set), Some(version)) = (gpu, set(facts), library.numbers()) {
        let (from, below) = set.onnxruntime;
        if version < numbers(from) || version >= numbers(below) {
            return Finding::note(
                Check::Onnxruntime,
                format!("{found}: not a version that is known to have been built for JetPack {}", set.jetpack),
            )
            .want(format!("from {from} on, below {below}; whether this one works is said by its providers below"));
        }
    }
    let has = [("cuda", library.cuda.is_some()), ("tensorrt", library.tensorrt.is_some())];
    let has = has.iter().filter(|(_, has)| *has).map(|(name, _)| format!(", {name}"));
    Finding::ok(Check::Onnxruntime, format!("{found}; providers cpu{}", has.collect::<String>()))
}

/// Whether a provider can be used: it is there, all that it needs is there, it has code for this GPU, and a child could.
fn provider(facts: &Facts, library: &Library, check: Check, plug: Option<&Plug>, wanted: bool) -> Option<Finding> {
    let what = if check == Check::CudaProvider { "CUDA" } else { "TensorRT" };
    let bad = |why: String| {
        let found = format!("the {what} provider {why}");
        if wanted { Finding::fail(check, found) } else { Finding::note(check, found) }
    };
    let Some(plug) = plug else {
        let package = library.package.clone().unwrap_or_else(|| "this library".to_owned());
        let missing = bad(format!("is not beside the library: {package} was built without it"));
        return wanted.then(|| missing.want(format!("a library with the {what} provider")).mend(get(facts)));
    };
    if let Some(chip) = facts.chip.filter(|chip| !runs_on(plug, *chip)) {
        let has = if plug.portable.is_empty() { "and no PTX" } else { "and PTX for newer ones only" };
        let no_code = bad(format!(
            "has GPU code for compute capability {} {has}: it cannot use this {} ({})",
            list(plug.code.iter().copied().map(shown)),
            chip.name,
            shown(chip.capability)
        ));
        return Some(no_code.want(format!("GPU code for {}", shown(chip.capability))).mend(get(facts)));
    }
    if let Some((name, by)) = plug.lacks.iter().next() {
        let more = if plug.lacks.len() > 1 { format!(" (and {} more)", plug.lacks.len() - 1) } else { String::new() };
        let lacks = bad(format!("cannot be loaded: {by} needs {name}{more}, which is nowhere on this machine"));
        return Some(
            lacks.want(format!("every library that it needs: {}", list(plug.lacks.keys()))).mend(lack(facts, name)),
        );
    }
    Some(match &plug.tried {
        Some(Err(why)) => bad(format!("does not work: {why}"))
            .want("a session on it")
            .mend("kenpin engines child probe is what was tried; `RUST_LOG=debug` tells more"),
        Some(Ok(())) => Finding::ok(check, format!("the {what} provider: a child made a session on it and ran it")),
        None => {
            let code = if plug.code.is_empty() {
                String::new()
            } else {
                format!(", with GPU code for {}", list(plug.code.iter().copied().map(shown)))
            };
            Finding::ok(check, format!("the {what} provider is there with all that it needs{code}; it was not run"))
        }
    })
}

/// Whether a provider that holds GPU code has some that `chip` runs: its own machine code, for on Jetsons no other will do, or
/// PTX for it or an older one. Source: CUDA C++ Programming Guide, "Binary Compatibility" and "PTX Compatibility".
fn runs_on(plug: &Plug, chip: Chip) -> bool {
    let holds = !(plug.code.is_empty() && plug.portable.is_empty());
    !holds
        || plug.code.contains(&chip.capability)
        || plug.portable.first().is_some_and(|least| *least <= chip.capability)
}

/// What brings a missing library.
fn lack(facts: &Facts, library: &str) -> String {
    if library.starts_with("libnvdla_compiler") {
        return dla_package(facts);
    }
    let of_jetpack = ["libcu", "libnv", "libcudnn"].iter().any(|prefix| library.starts_with(prefix));
    match set(facts) {
        // A library of another major version than the JetPack has: the wheel is wrong, not the machine.
        Some(set) if of_jetpack && !belongs(library, set) => get(facts),
        Some(_) if library == "libcuda.so.1" => "sudo apt install --reinstall nvidia-l4t-cuda".to_owned(),
        Some(_) if of_jetpack => "sudo apt install nvidia-jetpack".to_owned(),
        _ => format!("apt-file search {library}   # then install the package that has it"),
    }
}

/// Whether a library's major version is that of the set; what is not numbered by these three is.
fn belongs(library: &str, set: &Set) -> bool {
    let Some((name, version)) = library.split_once(".so.") else { return true };
    let of = match name {
        "libcudart" | "libcublas" | "libcublasLt" => set.cuda,
        "libnvinfer" | "libnvinfer_plugin" | "libnvonnxparser" => set.tensorrt,
        "libcudnn" => set.cudnn,
        _ => return true,
    };
    numbers(version).first() == numbers(of).first()
}

/// CUDA, cuDNN and TensorRT: whether they are there and of one `JetPack`.
fn toolkit(facts: &Facts) -> Vec<Finding> {
    let (set, seen) = (set(facts), &facts.toolkit);
    let part = |check, what: &str, version: Option<&String>, of: fn(&Set) -> &'static str, wanted: bool| {
        let belongs = set.map(|set| format!("{what} {} of JetPack {}", of(set), set.jetpack));
        let mend = if is_jetson(facts) {
            "sudo apt install nvidia-jetpack"
        } else {
            "install it as NVIDIA's documentation for this system says"
        };
        let Some(version) = version else {
            let found = format!("no {what}");
            let finding = if wanted { Finding::fail(check, found) } else { Finding::note(check, found) };
            return finding.want(belongs.unwrap_or_else(|| what.to_owned())).mend(mend);
        };
        let fits = |set: &Set| numbers(version).starts_with(&numbers(of(set)));
        match set {
            Some(set) if !fits(set) => Finding::warn(check, format!("{what} {version}"))
                .want(belongs.unwrap_or_default())
                .mend(format!("{mend}   # and remove what came from elsewhere")),
            _ => Finding::ok(check, format!("{what} {version}")),
        }
    };
    vec![
        part(Check::Cuda, "CUDA", seen.cuda.as_ref(), |set| set.cuda, true),
        part(Check::Cudnn, "cuDNN", seen.cudnn.as_ref(), |set| set.cudnn, true),
        part(Check::Tensorrt, "TensorRT", seen.tensorrt.as_ref(), |set| set.tensorrt, facts.wants.tensorrt),
    ]
}

/// `libnvdla_compiler.so`, for which TensorRT asks on Jetsons though no DLA is used.
fn dla_compiler(facts: &Facts) -> Option<Finding> {
    // Where TensorRT's file does not tell, it is wanted up to JetPack 6: TensorRT asks for it there, and no longer on Thor.
    let told = || facts.toolkit.tensorrt.is_some() && facts.release.as_ref().is_some_and(|release| major(release) < 38);
    let needed = facts.toolkit.needs_dla_compiler.unwrap_or_else(told);
    if !(needed && facts.wants.tensorrt) {
        return None;
    }
    let bad = |found: String| {
        let wanted = "the file with its contents: TensorRT does not load without it, though no DLA is used";
        Some(Finding::fail(Check::DlaCompiler, found).want(wanted).mend(dla_package(facts)))
    };
    match &facts.toolkit.dla_compiler {
        None => bad("libnvdla_compiler.so is missing".to_owned()),
        Some((path, 0)) => bad(format!("{} is empty, as in a container whose host lacks it", path.display())),
        Some((path, _)) => Some(Finding::ok(Check::DlaCompiler, path.display().to_string())),
    }
}

/// The package with `libnvdla_compiler.so`: of its own since `JetPack` 6.
fn dla_package(facts: &Facts) -> String {
    let older = facts.release.as_ref().is_some_and(|release| major(release) < 36);
    let package = if older { "--reinstall nvidia-l4t-core" } else { "nvidia-l4t-dla-compiler" };
    format!("sudo apt install {package} && sudo ldconfig")
}

/// A compute capability as people write it: 87 is 8.7.
fn shown(capability: u32) -> String {
    format!("{}.{}", capability / 10, capability % 10)
}

fn list(items: impl Iterator<Item = impl ToString>) -> String {
    let items: BTreeSet<(Vec<u64>, String)> =
        items.map(|item| item.to_string()).map(|item| (numbers(&item), item)).collect();
    items.into_iter().map(|(_, item)| item).collect::<Vec<_>>().join(", ")
}
