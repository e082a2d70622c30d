//! The probe of a provider, in the child that may die of it: a session of one node on it, run once.

use ort::session::Session;
use ort::value::TensorRef;

use super::{Loaded, plain, providers, versions};
use crate::config::Provider;
use crate::engines::Versions;

/// A graph of one `Relu` over four numbers `x`, opset 13, IR version 8.
const MODEL: &[u8] = include_bytes!("probe.onnx");

/// Makes a session on `provider` alone and runs it; gives the versions of the libraries behind it.
pub(super) fn probe(loaded: &Loaded, provider: Provider) -> Result<Versions, String> {
    let dispatches = match provider {
        Provider::Cpu => Vec::new(),
        Provider::Cuda => vec![providers::cuda()],
        Provider::TensorRt => {
            // The least work for the builder: whether it can be made is all that is asked.
            let options = [("device_id", "0"), ("trt_builder_optimization_level", "0")];
            vec![providers::tensorrt(&options.map(|(key, value)| (key.to_owned(), value.to_owned())).into())]
        }
    };
    let told = |error: ort::Error| plain(&error);
    let builder = super::options(loaded, 1, false, dispatches, None).map_err(told)?;
    let mut session = commit(builder).map_err(told)?;
    let numbers = [-1.0_f32, 0.0, 1.0, 2.0];
    let input = TensorRef::from_array_view(([1_usize, 4], &numbers[..])).map_err(told)?;
    let answer = session.run(ort::inputs![input]).map_err(told)?;
    let seen = answer["y"].try_extract_tensor::<f32>().map_err(told)?.1;
    if seen != [0.0, 0.0, 1.0, 2.0] {
        return Err(format!("a session of one node answered {seen:?} to {numbers:?}, want no number below zero"));
    }
    Ok(versions::read(&loaded.version))
}

fn commit(mut builder: super::SessionBuilder) -> ort::Result<Session> {
    builder.commit_from_memory(MODEL)
}
