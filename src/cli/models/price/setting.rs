//! How models are measured: the arguments that `kenpin models price` takes and hands on to the process of each model.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::config::{Backend, Provider, Runtime};

/// How models are measured.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct Setting {
    /// The labelled set: a folder with `good/` and `defective/`, or a CSV list with the columns `image` and `truth`.
    #[arg(long, value_name = "LABELLED")]
    pub(super) data: PathBuf,
    /// How often each model is run for its times, after a warm-up.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub(super) repeats: u32,
    /// The library that runs the models: onnxruntime or tract.
    #[arg(long, default_value = "onnxruntime", value_parser = word::<Backend>)]
    backend: Backend,
    /// The execution provider: tensorrt, cuda or cpu. A model that it does not take has no price.
    #[arg(long, default_value = "cpu", value_parser = word::<Provider>)]
    pub(super) provider: Provider,
    /// Threads inside a session.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    threads: u8,
    /// The ONNX Runtime library; searched for in the usual places when not given.
    #[arg(long)]
    library: Option<PathBuf>,
    /// Below which the board's files are read: its name and its power monitor.
    #[arg(long, default_value = "/")]
    pub(super) board_root: PathBuf,
}

/// A backend or provider by its name in the config.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

impl Setting {
    /// The library, provider and threads.
    pub(super) fn runtime(&self) -> Runtime {
        Runtime {
            backends: vec![self.backend],
            providers: vec![self.provider],
            threads_per_session: self.threads.into(),
            ..super::super::import::runtime(self.library.as_deref())
        }
    }

    /// The arguments that say the same on a command line.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let (backend, threads) = (super::super::word(&self.backend), usize::from(self.threads).to_string());
        let mut arguments: Vec<OsString> = ["--backend", &backend, "--provider", self.provider.as_str()]
            .into_iter()
            .chain(["--threads", &threads, "--repeats", &self.repeats.to_string()])
            .map(OsString::from)
            .collect();
        let paths = [("--data", Some(&self.data)), ("--library", self.library.as_ref())];
        for (flag, path) in paths.into_iter().chain([("--board-root", Some(&self.board_root))]) {
            arguments.extend(path.into_iter().flat_map(|path| [OsString::from(flag), path.into()]));
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        setting: Setting,
    }

    #[test]
    fn what_is_handed_on_is_what_was_given() {
        let given = "x --data set --repeats 7 --threads 3 --library lib.so --board-root /b --provider cuda";
        let first = Line::try_parse_from(given.split(' ')).unwrap().setting;
        let handed = std::iter::once("x".into()).chain(first.arguments());
        let second = Line::try_parse_from(handed).unwrap().setting;
        assert_eq!(format!("{first:?}"), format!("{second:?}"));
        let refused = Line::try_parse_from(["x", "--data", "set", "--provider", "npu"]).unwrap_err().to_string();
        assert!(refused.contains("unknown variant `npu`") && refused.contains("tensorrt"), "{refused}");
    }
}
