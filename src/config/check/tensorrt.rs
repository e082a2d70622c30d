//! Checks `[runtime.tensorrt]`. ONNX Runtime's own parser of options lets pass what fails minutes later or not at all: a level
//! of 99, a negative core, profiles that are no shapes. Nothing of that gets by here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::super::document::Path;
use super::super::file;
use super::super::findings::Findings;
use super::super::settings::{EngineBuild, Profile, Provider, TensorRt};
use super::{MIB, Surroundings, reference};

/// Checks the table; what the schema has refused of it has its default here.
pub(super) fn tensorrt(file: &file::File, around: &Surroundings, findings: &mut Findings<'_>) -> TensorRt {
    let told = &file.runtime.tensorrt;
    let table = Path::of(&["runtime", "tensorrt"]);
    meanwhile(file, findings);
    if told.folder.as_os_str().is_empty() {
        let message = "`runtime.tensorrt.folder` is empty";
        findings.value(&table.then("folder"), message, "want a folder, such as \"state/engines\"");
    }
    // The schema has held these to their ranges.
    let small = |number: i64| u8::try_from(number).unwrap_or_default();
    TensorRt {
        folder: around.folder.join(&told.folder),
        fp16: told.fp16,
        int8: told.int8,
        tolerance: told.tolerance,
        dla_core: told.dla_core.map(small),
        workspace_mib: told.workspace_mib,
        optimisation_level: small(told.optimisation_level),
        cuda_graphs: told.cuda_graphs,
        timing_cache: told.timing_cache,
        exclude_operators: told.exclude_operators.clone(),
        profiles: profiles(file, around, &table, findings),
        engine_build: told.engine_build,
        idle_after: Duration::from_secs(told.idle_after_s),
        memory_reserve: told.memory_reserve_mib.saturating_mul(MIB),
        build_limit: Duration::from_secs(told.build_limit_s),
        program: None,
    }
}

/// While an engine is built somebody has to answer.
fn meanwhile(file: &file::File, findings: &mut Findings<'_>) {
    let (providers, when) = (&file.runtime.providers, file.runtime.tensorrt.engine_build);
    if providers.last() != Some(&Provider::TensorRt) || when == EngineBuild::BeforeStart {
        return;
    }
    let path = Path::of(&["runtime", "providers"]);
    let message = "`runtime.providers` ends with \"tensorrt\", and nobody answers while an engine is built";
    let wanted = "want \"cuda\" or \"cpu\" behind it";
    findings.value(&path, message, wanted).help("or `engine_build = \"before_start\"` in [runtime.tensorrt]");
}

/// Checks every profile; gives those that are whole, by the model's folder.
fn profiles(
    file: &file::File,
    around: &Surroundings,
    table: &Path,
    findings: &mut Findings<'_>,
) -> BTreeMap<PathBuf, BTreeMap<String, Profile>> {
    let models = super::models(file, around);
    let (mut seen, mut profiles) = (BTreeSet::new(), BTreeMap::new());
    for (index, told) in file.runtime.tensorrt.profiles.iter().enumerate() {
        let path = table.then("profiles").then(index);
        let (Some(model), Some(input)) = (&told.model, &told.input) else { continue };
        reference(findings, &path.then("model"), model, "model", file.models.iter().flatten().map(|(name, _)| name));
        unwritable(input, &path, findings);
        if !seen.insert((model.clone(), input.clone())) {
            let message = format!("there are two profiles for input {input:?} of model \"{model}\"");
            findings.value(&path.then("input"), message, "want one for each input");
        }
        let profile = shapes(told, &path, findings);
        if let (Some(folder), Some(profile)) = (models.get(model), profile) {
            let of_model: &mut BTreeMap<String, Profile> = profiles.entry(folder.clone()).or_default();
            of_model.insert(input.clone(), profile);
        }
    }
    profiles
}

/// Tells an input's name that would break the text in which profiles are handed on, `name:1x3x64x64,name:...`.
fn unwritable(input: &str, path: &Path, findings: &mut Findings<'_>) {
    if input.contains([':', ',']) || input.contains(char::is_control) {
        let path = path.then("input");
        let message = format!("{} is {input:?}", findings.document().describe(&path));
        let wanted = "want a name without `:` and `,`: ONNX Runtime's profiles know no way to write one";
        findings.value(&path, message, wanted);
    }
}

/// Three shapes of one length whose axes are positive and in order.
fn shapes(told: &file::Profile, path: &Path, findings: &mut Findings<'_>) -> Option<Profile> {
    let (min, opt, max) = (told.min.as_ref()?, told.opt.as_ref()?, told.max.as_ref()?);
    let mut whole = true;
    for (key, shape) in [("min", min), ("opt", opt), ("max", max)] {
        let path = path.then(key);
        let seen = findings.document().describe(&path);
        if let Some(length) = shape.iter().find(|length| !(1..=i64::from(i32::MAX)).contains(*length)) {
            findings.value(&path, format!("{seen} has an axis of {length}"), "want at least 1 for each axis");
            whole = false;
        }
        if shape.len() != min.len() {
            let (axes, wanted) = (shape.len(), min.len());
            findings.value(&path, format!("{seen} has {axes} axes"), format!("want {wanted}, as many as `min` has"));
            whole = false;
        }
    }
    for (lower, upper, key, than) in [(min, opt, "opt", "min"), (opt, max, "max", "opt")] {
        let less = lower.iter().zip(upper).position(|(lower, upper)| upper < lower);
        if let Some(axis) = less.filter(|_| whole) {
            let path = path.then(key);
            let message = format!("{} is less than `{than}` on axis {axis}", findings.document().describe(&path));
            findings.value(&path, message, "want min, opt and max in order on each axis");
            whole = false;
        }
    }
    let lengths = |shape: &[i64]| shape.iter().map(|&length| usize::try_from(length).ok()).collect::<Option<Vec<_>>>();
    whole.then_some(Profile { min: lengths(min)?, opt: lengths(opt)?, max: lengths(max)? })
}
