//! The execution providers to register for a session. What is not the CPU is touched only after a child has tried it, and
//! TensorRT only with an engine that lies ready: an engine that is missing is built by a child, now or later, never here.

use ort::ep::{ArbitrarilyConfigurableExecutionProvider as _, CUDA, ExecutionProviderDispatch, TensorRT};

use super::Loaded;
use crate::config::{EngineBuild, Provider, Runtime};
use crate::engines::options::Options;
use crate::engines::{Place, build, probe};
use crate::models::passport::Model;

/// The providers for one try: the one asked for, and behind TensorRT also CUDA where the list goes on with it, so that a node
/// TensorRT declines stays on the same device.
pub(super) fn dispatches(
    loaded: &Loaded,
    model: &Model,
    runtime: &Runtime,
    (provider, later): (Provider, &[Provider]),
) -> Result<Vec<ExecutionProviderDispatch>, String> {
    let probed = |provider| probe::probe(provider, runtime, loaded.path()).map(drop);
    match provider {
        Provider::Cpu => Ok(Vec::new()),
        Provider::Cuda => probed(Provider::Cuda).map(|()| vec![cuda()]),
        Provider::TensorRt => {
            let place = engine(loaded, model, runtime, later.is_empty())?;
            if later.contains(&Provider::Cuda) {
                probed(Provider::Cuda)?;
            }
            on_engine(&place, &runtime.providers)
        }
    }
}

/// TensorRT with the engine at `place`, and CUDA behind it where `providers` has it later.
pub(super) fn on_engine(place: &Place, providers: &[Provider]) -> Result<Vec<ExecutionProviderDispatch>, String> {
    let mut list = vec![tensorrt(&place.all_options()?)];
    let later = providers.iter().skip_while(|provider| **provider != Provider::TensorRt);
    list.extend(later.filter(|provider| **provider == Provider::Cuda).map(|_| cuda()));
    Ok(list)
}

/// TensorRT with these options, by their names in ONNX Runtime.
pub(super) fn tensorrt(options: &Options) -> ExecutionProviderDispatch {
    let bare = TensorRT::default();
    let set = options.iter().fold(bare, |set, (key, value)| set.with_arbitrary_config(key, value));
    set.build().error_on_failure()
}

pub(super) fn cuda() -> ExecutionProviderDispatch {
    CUDA::default().build().error_on_failure()
}

/// The engine of a model, where it lies ready or may be built now: before the start, or where nobody else would answer.
fn engine(loaded: &Loaded, model: &Model, runtime: &Runtime, alone: bool) -> Result<Place, String> {
    let wanted = loaded.wanted(model, runtime)?;
    let Some(pending) = wanted.state.pending() else { return Ok(wanted.place) };
    if runtime.tensorrt.engine_build != EngineBuild::BeforeStart && !alone {
        return Err(pending);
    }
    tracing::warn!(model = %model.passport.name, key = %wanted.place.key, "{pending}: building it, which takes minutes");
    let stage = |stage: &str| tracing::info!(model = %model.passport.name, "the builder: {stage}");
    let surroundings: (_, &dyn Fn() -> bool) = (std::path::Path::new("/"), &|| false);
    let built = build::build(&wanted, (model, runtime, loaded.path()), surroundings, stage);
    built.map(|()| wanted.place).map_err(|stopped| stopped.why)
}
