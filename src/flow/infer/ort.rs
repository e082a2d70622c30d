//! ONNX Runtime: the only file that touches `ort`. Loads the library once per process and makes sessions.
//!
//! A session is tried with one execution provider after another, each with "error on failure"; what failed is kept as
//! the placement's fallback, and a profiled warm-up run counts the nodes by the provider that really ran them. Spinning
//! is off, so that sessions side by side do not eat each other's cores.
//! The TensorRT and CUDA ways have never run on a board: their refusals are tested, their results are not.

mod contents;
mod placement;
mod probe;
mod providers;
mod versions;

use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use ort::environment::Environment;
use ort::ep::ExecutionProviderDispatch;
use ort::logging::LogLevel;
use ort::session::builder::SessionBuilder;
use ort::session::{Session as Inner, SessionInputValue, SessionOutputs};
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};

use super::hold;
use super::library::OLDEST;
use super::session::{Number, Port, PortElement, Session, Signature, Tensor, TensorData};
use crate::config::{Provider, Runtime};
use crate::engines::{Place, Versions, Wanted};
use crate::flow::Placement;
use crate::memory;
use crate::models::ModelError;
use crate::models::passport::{Element, Model, Output};
use crate::models::reference::Case;
use contents::Contents;
use placement::Profile;

/// The library, loaded.
#[derive(Debug)]
pub(super) struct Loaded {
    environment: Environment,
    path: PathBuf,
    version: String,
}

static LOADED: OnceLock<Loaded> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

impl Loaded {
    /// Loads the library at `path`; a process loads one, so the same path again gives the same library.
    ///
    /// # Errors
    /// One sentence: not a library, not ONNX Runtime, too old (both versions), or another one is loaded already.
    pub(super) fn load(path: &Path) -> Result<&'static Self, String> {
        let _one_at_a_time = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        let path = path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?;
        if let Some(loaded) = LOADED.get() {
            return if loaded.path == path {
                Ok(loaded)
            } else {
                let (seen, wanted) = (loaded.path.display(), path.display());
                Err(format!("this process has loaded ONNX Runtime from {seen} and cannot load {wanted} as well"))
            };
        }
        let environment = ort::init_from(&path).map_err(|error| load_sentence(&path, &error))?;
        let environment = environment
            .with_name("kenpin")
            .with_telemetry(false)
            .build()
            .map_err(|error| format!("ONNX Runtime at {} cannot be started: {error}", path.display()))?;
        // `ort` asks for every message there is, several a run; what is not told need not be worded.
        environment.set_log_level(LogLevel::Warning);
        let version = version_of(&path).unwrap_or_else(|| "unknown".into());
        tracing::info!(version, path = %path.display(), "ONNX Runtime is loaded");
        Ok(LOADED.get_or_init(|| Self { environment, path, version }))
    }

    /// The engine that a model wants of TensorRT; see [`Wanted::of`].
    ///
    /// # Errors
    /// As [`Wanted::of`].
    pub(super) fn wanted(&self, model: &Model, runtime: &Runtime) -> Result<Wanted, String> {
        Wanted::of(model, runtime, &self.path, Path::new("/"))
    }

    /// Where the library lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a tiny session on a provider; see [`probe`].
    ///
    /// # Errors
    /// One sentence: what the runtime said.
    pub(super) fn probe(&self, provider: Provider) -> Result<Versions, String> {
        probe::probe(self, provider)
    }
}

/// Why a library could not be loaded, in one sentence.
fn load_sentence(path: &Path, error: &ort::LoadDynamicError) -> String {
    let path = path.display();
    match error {
        ort::LoadDynamicError::BadVersion { version_str, .. } => {
            format!("ONNX Runtime at {path} is version {version_str}, {OLDEST} or newer is wanted")
        }
        ort::LoadDynamicError::MissingApi { .. } => {
            format!("{path} is not an ONNX Runtime library: it has no OrtGetApiBase")
        }
        other => format!("ONNX Runtime cannot be loaded: {other}"),
    }
}

/// The version that the loaded library at `path` tells of itself. `ort` reads it too, but keeps it for itself.
#[expect(unsafe_code, reason = "the version string is only reachable through the C entry point of the library")]
fn version_of(path: &Path) -> Option<String> {
    use std::os::unix::ffi::OsStrExt as _;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: the library is loaded and never unloaded (RTLD_NOLOAD gives its handle or null), `OrtGetApiBase` has
    // exactly this signature in every ONNX Runtime, and the version is a static string that ends with a null byte.
    unsafe {
        let handle = libc::dlopen(path.as_ptr(), libc::RTLD_NOLOAD | libc::RTLD_LAZY);
        let symbol = if handle.is_null() { return None } else { libc::dlsym(handle, c"OrtGetApiBase".as_ptr()) };
        if symbol.is_null() {
            return None;
        }
        let entry: unsafe extern "C" fn() -> *const ort::sys::OrtApiBase = std::mem::transmute(symbol);
        let base = entry().as_ref()?;
        Some(CStr::from_ptr((base.GetVersionString)()).to_str().ok()?.to_owned())
    }
}

/// A model on ONNX Runtime.
#[derive(Debug)]
pub(super) struct OrtSession {
    inner: Inner,
    model: String,
    outputs: Vec<Output>,
    signature: Signature,
    placement: Placement,
    answers: Vec<Tensor>,
}

impl OrtSession {
    /// Makes a session from a model's file, on the first provider of the list that takes it, and warms it up on `cases`;
    /// see [`hold::warm_up`]. `fallback` says why ONNX Runtime serves at all, where it was not the first choice.
    ///
    /// # Errors
    /// [`ModelError::Signature`] and [`ModelError::Reference`], which no further provider mends; or [`ModelError::Run`]
    /// with what each provider said.
    pub(super) fn open(
        loaded: &'static Loaded,
        model: &Model,
        cases: &[Case],
        runtime: &Runtime,
        fallback: Option<&str>,
    ) -> Result<Self, ModelError> {
        let file = Contents::of(model)?;
        let mut refused: Vec<String> = fallback.into_iter().map(str::to_owned).collect();
        for (place, provider) in runtime.providers.iter().enumerate() {
            let later = runtime.providers.get(place + 1..).unwrap_or_default();
            let dispatches = providers::dispatches(loaded, model, runtime, (*provider, later));
            let dispatches = match dispatches {
                Ok(dispatches) => dispatches,
                Err(why) => {
                    refused.push(format!("{}: {why}", provider.as_str()));
                    continue;
                }
            };
            match Self::attempt(loaded, &file, cases, runtime, (*provider, dispatches)) {
                Ok(mut session) => {
                    placement::finish(&mut session.placement, refused);
                    return Ok(session);
                }
                Err(error @ ModelError::Signature { .. }) => return Err(error),
                // An engine computes with lower precision: the next provider may do better.
                Err(error @ ModelError::Reference { .. }) if *provider != Provider::TensorRt => return Err(error),
                Err(ModelError::Run { cause, .. }) => refused.push(format!("{}: {cause}", provider.as_str())),
                Err(other) => refused.push(format!("{}: {other}", provider.as_str())),
            }
        }
        if refused.is_empty() {
            refused.push("`[runtime] providers` is empty: name tensorrt, cuda or cpu".into());
        }
        Err(ModelError::Run { model: model.passport.name.to_string(), cause: refused.join("; ") })
    }

    /// Makes a session on TensorRT with the engine at `place`, which is built there when it is missing, and warms it up.
    ///
    /// # Errors
    /// As [`OrtSession::open`]; also when TensorRT took none of the nodes.
    pub(super) fn on_engine(
        loaded: &'static Loaded,
        model: &Model,
        cases: &[Case],
        runtime: &Runtime,
        place: &Place,
    ) -> Result<Self, ModelError> {
        let told = |cause: String| ModelError::Run { model: model.passport.name.to_string(), cause };
        let dispatches = providers::on_engine(place, &runtime.providers).map_err(told)?;
        let file = Contents::of(model)?;
        let mut session = Self::attempt(loaded, &file, cases, runtime, (Provider::TensorRt, dispatches))?;
        placement::finish(&mut session.placement, Vec::new());
        match session.placement.fallback.take() {
            Some(why) => Err(told(why)),
            None => Ok(session),
        }
    }

    /// One try with one provider.
    fn attempt(
        loaded: &'static Loaded,
        file: &Contents<'_>,
        cases: &[Case],
        runtime: &Runtime,
        (provider, dispatches): (Provider, Vec<ExecutionProviderDispatch>),
    ) -> Result<Self, ModelError> {
        let passport = &file.model.passport;
        let run_error = |cause: String| ModelError::Run { model: passport.name.to_string(), cause };
        let profile = Profile::begin();
        let full = runtime.full_placement && provider != Provider::Cpu;
        let mut builder = options(loaded, runtime.threads_per_session, full, dispatches, profile.as_ref())
            .and_then(|builder| file.pin(builder))
            .map_err(|error| run_error(plain(&error)))?;
        let inner = file.commit(&mut builder).map_err(|error| run_error(plain(&error)))?;
        // The graph as it was read, and the code that read it, are not to stand beside the tensors of the warm-up.
        memory::give_back();
        let signature = signature_of(&inner);
        signature.check(passport)?;
        let placement = Placement {
            backend: "onnxruntime".into(),
            version: loaded.version.clone(),
            provider: provider.as_str().into(),
            nodes: std::collections::BTreeMap::new(),
            fallback: None,
        };
        let (model, outputs) = (passport.name.to_string(), passport.outputs.clone());
        let answers = passport.outputs.iter().map(|output| Tensor::zeros(&output.shape, output.element)).collect();
        let mut session = Self { inner, model, outputs, signature, placement, answers };
        let engine = provider == Provider::TensorRt;
        let tolerance = runtime.tensorrt.tolerance.filter(|_| engine);
        let loosened = tolerance.map(|tolerance| hold::with_tolerance(passport, tolerance));
        hold::warm_up(&mut session, loosened.as_ref().unwrap_or(passport), cases)?;
        if engine && runtime.tensorrt.cuda_graphs {
            // The first runs record, the next replay: what is replayed is held against the references too.
            for _ in 0..2 {
                hold::warm_up(&mut session, loosened.as_ref().unwrap_or(passport), cases)?;
            }
        }
        session.count_nodes(profile.as_ref());
        Ok(session)
    }

    /// Counts the nodes by provider from the profile of the warm-up.
    fn count_nodes(&mut self, profile: Option<&Profile>) {
        if profile.is_some() {
            match self.inner.end_profiling() {
                Ok(file) => self.placement.nodes = placement::nodes(Path::new(&file)),
                Err(error) => {
                    tracing::warn!(model = self.model, %error, "the profile of the warm-up could not be ended");
                }
            }
        }
    }

    fn error(&self, cause: impl std::fmt::Display) -> ModelError {
        ModelError::Run { model: self.model.clone(), cause: cause.to_string() }
    }
}

impl Session for OrtSession {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn placement(&self) -> &Placement {
        &self.placement
    }

    fn run(&mut self, inputs: &[Tensor]) -> Result<&[Tensor], ModelError> {
        let told = |cause: String| ModelError::Run { model: self.model.clone(), cause };
        if inputs.len() != self.signature.inputs.len() {
            return Err(self.error(format!("{} tensors for {} inputs", inputs.len(), self.signature.inputs.len())));
        }
        let views: Vec<SessionInputValue<'_>> =
            inputs.iter().map(view).collect::<Result<_, _>>().map_err(|error| told(plain(&error)))?;
        let answer = self.inner.run(&views[..]).map_err(|error| told(plain(&error)))?;
        for (output, kept) in self.outputs.iter().zip(&mut self.answers) {
            extract(&answer, output, kept).map_err(&told)?;
        }
        Ok(&self.answers)
    }
}

/// The sentence in an error of the runtime, on one line, without the place in its source and its own error code.
fn plain(error: &ort::Error) -> String {
    let text = error.to_string();
    let sentence = text.rsplit_once("[ONNXRuntimeError] : ").and_then(|(_, coded)| coded.splitn(3, " : ").nth(2));
    sentence.unwrap_or(&text).trim().replace('\n', " ")
}

/// A tensor as the runtime reads it: in place, without a copy.
fn view(tensor: &Tensor) -> ort::Result<SessionInputValue<'_>> {
    let shape = tensor.shape();
    Ok(match tensor.data() {
        TensorData::F16(numbers) => TensorRef::from_array_view((shape, numbers.as_slice()))?.into(),
        TensorData::F32(numbers) => TensorRef::from_array_view((shape, numbers.as_slice()))?.into(),
        TensorData::F64(numbers) => TensorRef::from_array_view((shape, numbers.as_slice()))?.into(),
        TensorData::U8(numbers) => TensorRef::from_array_view((shape, numbers.as_slice()))?.into(),
        TensorData::I32(numbers) => TensorRef::from_array_view((shape, numbers.as_slice()))?.into(),
        TensorData::I64(numbers) => TensorRef::from_array_view((shape, numbers.as_slice()))?.into(),
    })
}

/// Copies one output out of the runtime's memory, into memory that is kept from run to run.
fn extract(answer: &SessionOutputs<'_>, output: &Output, kept: &mut Tensor) -> Result<(), String> {
    let name = &output.name;
    let value = answer.get(name).ok_or_else(|| format!("the run gave no output \"{name}\""))?;
    let told = |error: ort::Error| format!("output \"{name}\": {}", plain(&error));
    match output.element {
        Element::Float16 => value.try_extract_tensor::<half::f16>().map(|(shape, numbers)| keep(kept, shape, numbers)),
        Element::Float32 => value.try_extract_tensor::<f32>().map(|(shape, numbers)| keep(kept, shape, numbers)),
        Element::Float64 => value.try_extract_tensor::<f64>().map(|(shape, numbers)| keep(kept, shape, numbers)),
        Element::Uint8 => value.try_extract_tensor::<u8>().map(|(shape, numbers)| keep(kept, shape, numbers)),
        Element::Int32 => value.try_extract_tensor::<i32>().map(|(shape, numbers)| keep(kept, shape, numbers)),
        Element::Int64 => value.try_extract_tensor::<i64>().map(|(shape, numbers)| keep(kept, shape, numbers)),
    }
    .map_err(told)?
}

/// Overwrites a tensor with another one's shape and numbers.
fn keep<T: Number>(kept: &mut Tensor, shape: &[i64], numbers: &[T]) -> Result<(), String> {
    kept.overwrite(shape.iter().map(|&axis| usize::try_from(axis).unwrap_or_default()), numbers)
}

/// The options of a session.
fn options(
    loaded: &Loaded,
    threads: usize,
    full_placement: bool,
    providers: Vec<ExecutionProviderDispatch>,
    profile: Option<&Profile>,
) -> ort::Result<SessionBuilder> {
    let mut builder =
        Inner::builder(&loaded.environment)?.with_intra_threads(threads)?.with_intra_op_spinning(false)?;
    // A plan of all tensors in one block holds 22 MB more for a 640 pixel detector and buys no time.
    builder = builder.with_memory_pattern(false)?;
    if full_placement {
        builder = builder.with_disable_cpu_fallback()?;
    }
    if let Some(profile) = profile {
        builder = builder.with_profiling(profile.prefix())?;
    }
    Ok(builder.with_execution_providers(providers)?)
}

/// What the runtime tells of a graph's inputs and outputs.
fn signature_of(inner: &Inner) -> Signature {
    let ports = |outlets: &[Outlet]| outlets.iter().map(port).collect();
    Signature { inputs: ports(inner.inputs()), outputs: ports(inner.outputs()) }
}

fn port(outlet: &Outlet) -> Port {
    let name = outlet.name().to_owned();
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let element = match ty {
                TensorElementType::Float16 => PortElement::Known(Element::Float16),
                TensorElementType::Float32 => PortElement::Known(Element::Float32),
                TensorElementType::Float64 => PortElement::Known(Element::Float64),
                TensorElementType::Uint8 => PortElement::Known(Element::Uint8),
                TensorElementType::Int32 => PortElement::Known(Element::Int32),
                TensorElementType::Int64 => PortElement::Known(Element::Int64),
                other => PortElement::Other(other.to_string()),
            };
            Port { name, shape: shape.iter().map(|&axis| usize::try_from(axis).ok()).collect(), element }
        }
        other => Port { name, shape: Vec::new(), element: PortElement::Other(format!("{other:?}")) },
    }
}
