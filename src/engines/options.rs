//! The options of ONNX Runtime's TensorRT provider that Kenpin emits, and what of the settings fits no board.
//!
//! Names and meanings after `tensorrt_provider_options.h`; `make test-tensorrt` puts every one of them through the provider's
//! real parser, which also shows what that parser lets pass: so values are checked with the config, before they come here. All
//! are known since ONNX Runtime 1.17 but `trt_op_types_to_exclude`, which 1.19 refuses and which is emitted only when asked for.

use std::collections::BTreeMap;
use std::path::Path;

use super::Key;
use crate::board::Board;
use crate::config::{Profile, TensorRt};

/// Options by their names in ONNX Runtime.
pub type Options = BTreeMap<String, String>;

/// The folder of measured kernel times inside that of an engine.
pub const TIMING_FOLDER: &str = "timing";

/// Bytes of a MiB.
const MIB: u64 = 1 << 20;

/// The options that an engine depends on: all but places on disk. `memory` is that of the board in bytes.
#[must_use]
pub fn of(settings: &TensorRt, profiles: &BTreeMap<String, Profile>, memory: Option<u64>) -> Options {
    let flag = |on: bool| if on { "1" } else { "0" }.to_owned();
    let workspace = settings.workspace_mib.unwrap_or_else(|| workspace_mib(memory)).saturating_mul(MIB);
    let mut options: Options = [
        ("device_id", "0".to_owned()),
        ("trt_fp16_enable", flag(settings.fp16)),
        ("trt_int8_enable", flag(settings.int8)),
        ("trt_max_workspace_size", workspace.to_string()),
        ("trt_builder_optimization_level", settings.optimisation_level.to_string()),
        ("trt_cuda_graph_enable", flag(settings.cuda_graphs)),
        ("trt_dla_enable", flag(settings.dla_core.is_some())),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    let mut add = |key: &str, value: String| options.insert(key.to_owned(), value);
    if let Some(core) = settings.dla_core {
        add("trt_dla_core", core.to_string());
    }
    if let Some(operators) = &settings.exclude_operators {
        add("trt_op_types_to_exclude", operators.join(","));
    }
    if !profiles.is_empty() {
        add("trt_profile_min_shapes", shapes(profiles, |profile| &profile.min));
        add("trt_profile_opt_shapes", shapes(profiles, |profile| &profile.opt));
        add("trt_profile_max_shapes", shapes(profiles, |profile| &profile.max));
    }
    options
}

/// Where an engine and the measured kernel times lie.
///
/// # Errors
/// One sentence when the folder's path is not text.
pub fn cache(folder: &Path, key: &Key, timing: bool) -> Result<Options, String> {
    let text = |path: &Path| {
        let text = path.to_str().map(str::to_owned);
        text.ok_or_else(|| format!("the folder for TensorRT engines, {}, is not UTF-8", path.display()))
    };
    let mut options = Options::from([
        ("trt_engine_cache_enable".to_owned(), "1".to_owned()),
        ("trt_engine_cache_path".to_owned(), text(folder)?),
        ("trt_engine_cache_prefix".to_owned(), key.as_str().to_owned()),
    ]);
    if timing {
        options.insert("trt_timing_cache_enable".to_owned(), "1".to_owned());
        options.insert("trt_timing_cache_path".to_owned(), text(&folder.join(TIMING_FOLDER))?);
    }
    Ok(options)
}

/// `name:1x3x64x64,name:...`, as the provider reads profiles.
fn shapes(profiles: &BTreeMap<String, Profile>, which: impl Fn(&Profile) -> &Vec<usize>) -> String {
    let one = |(name, profile): (&String, &Profile)| {
        let axes: Vec<String> = which(profile).iter().map(usize::to_string).collect();
        format!("{name}:{}", axes.join("x"))
    };
    profiles.iter().map(one).collect::<Vec<_>>().join(",")
}

/// The workspace of a board with this memory: an eighth, rounded down to a power of two so that a kernel that keeps a few
/// pages more for itself changes nothing; 256 to 4096 MiB. Memory is shared with the processor on these boards.
fn workspace_mib(memory: Option<u64>) -> u64 {
    let eighth = memory.unwrap_or_default() / MIB / 8;
    eighth.checked_ilog2().map_or(0, |bits| 1 << bits).clamp(256, 4096)
}

/// Refuses a deep learning accelerator that the board is known not to have.
///
/// # Errors
/// One sentence naming the board.
pub fn fits_board(settings: &TensorRt, board: &Board) -> Result<(), String> {
    match (settings.dla_core, dla_cores(&board.told)) {
        (Some(core), Some(cores)) if core >= cores => Err(format!(
            "`[runtime.tensorrt] dla_core` is {core}, and the board, {}, has {} deep learning accelerators: leave the \
             key out",
            board.told,
            if cores == 0 { "no".to_owned() } else { cores.to_string() }
        )),
        _ => Ok(()),
    }
}

/// How many deep learning accelerators a board has, by its name in the device tree; `None` where that does not say. Orin NX
/// has one or two by its memory, which its name does not tell.
fn dla_cores(told: &str) -> Option<u8> {
    let is = |part: &str| told.contains(part);
    match () {
        () if is("Orin Nano") || is("Jetson Nano") || is("Jetson TX") => Some(0),
        () if is("AGX Orin") || is("Xavier") => Some(2),
        () if is("Jetson") || is("Orin") || is("Thor") => None,
        () => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Name;
    use proptest::prelude::*;

    fn board(told: &str) -> Board {
        Board { name: Name::new("board").unwrap(), told: told.into() }
    }

    #[test]
    fn every_setting_becomes_its_option() {
        let profile = Profile { min: vec![1, 3], opt: vec![2, 3], max: vec![4, 3] };
        let profiles = BTreeMap::from([("a".to_owned(), profile.clone()), ("b".to_owned(), profile)]);
        let plain = of(&TensorRt::default(), &BTreeMap::new(), Some(8 << 30));
        let told = |options: &Options, key: &str| options.get(key).cloned().unwrap_or_default();
        assert_eq!(told(&plain, "trt_max_workspace_size"), (1_u64 << 30).to_string());
        assert_eq!((told(&plain, "trt_fp16_enable"), told(&plain, "trt_int8_enable")), ("0".into(), "0".into()));
        assert!(!plain.contains_key("trt_dla_core") && !plain.contains_key("trt_profile_min_shapes"));
        assert!(!plain.contains_key("trt_op_types_to_exclude"), "an older library does not know it");
        let full = TensorRt {
            fp16: true,
            int8: true,
            dla_core: Some(1),
            workspace_mib: Some(300),
            optimisation_level: 5,
            cuda_graphs: true,
            exclude_operators: Some(vec!["NonZero".into(), "RoiAlign".into()]),
            ..TensorRt::default()
        };
        let full = of(&full, &profiles, None);
        for (key, value) in [
            ("trt_fp16_enable", "1"),
            ("trt_int8_enable", "1"),
            ("trt_dla_enable", "1"),
            ("trt_dla_core", "1"),
            ("trt_max_workspace_size", "314572800"),
            ("trt_builder_optimization_level", "5"),
            ("trt_cuda_graph_enable", "1"),
            ("trt_op_types_to_exclude", "NonZero,RoiAlign"),
            ("trt_profile_min_shapes", "a:1x3,b:1x3"),
            ("trt_profile_opt_shapes", "a:2x3,b:2x3"),
            ("trt_profile_max_shapes", "a:4x3,b:4x3"),
        ] {
            assert_eq!(told(&full, key), value, "{key}");
        }
    }

    #[test]
    fn an_accelerator_that_is_not_there_is_refused() {
        let on = TensorRt { dla_core: Some(1), ..TensorRt::default() };
        let nano = "NVIDIA Jetson Orin Nano Developer Kit";
        let why = fits_board(&on, &board(nano)).unwrap_err();
        assert!(why.contains("dla_core` is 1") && why.contains(nano) && why.contains("has no deep"), "{why}");
        assert!(fits_board(&on, &board("AMD EPYC")).is_err());
        assert_eq!(fits_board(&on, &board("NVIDIA Jetson AGX Orin Developer Kit")), Ok(()));
        assert_eq!(fits_board(&on, &board("NVIDIA Orin NX Developer Kit")), Ok(()), "one or two: TensorRT says");
        assert_eq!(fits_board(&TensorRt::default(), &board(nano)), Ok(()));
    }

    proptest! {
        #[test]
        fn the_workspace_is_a_modest_share_and_steady(mib in 0_u64..2_000_000) {
            let chosen = workspace_mib(Some(mib * MIB));
            prop_assert!((256..=4096).contains(&chosen) && chosen.is_power_of_two());
            prop_assert!(chosen == 256 || chosen <= mib / 8);
            prop_assert!(chosen == 4096 || chosen * 16 > mib);
        }
    }
}
