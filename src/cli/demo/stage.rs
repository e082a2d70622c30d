//! What the demo plays with: the test cells and the config of the line.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::Args;
use super::cells::{Cell, clear, write};
use crate::config::Backend;

/// The demo's cells and files.
#[derive(Debug)]
pub(super) struct Stage {
    /// The test cells, in the order of the list.
    pub(super) cells: Vec<Cell>,
    /// The config that was written.
    pub(super) config: PathBuf,
}

impl Stage {
    /// Reads the data and writes the config; removes what an earlier demo left first.
    pub(super) fn prepare(args: &Args) -> anyhow::Result<Self> {
        let cells = args.source.test_cells()?;
        clear(&args.out, &["state", "report.json", "verdicts.jsonl"])?;
        write(&args.out.join("parts.txt"), args.source.pictures(&cells)?)?;
        let config = args.out.join("kenpin.toml");
        let backend = |backend: &Backend| match backend {
            Backend::OnnxRuntime => "onnxruntime",
            Backend::Tract => "tract",
        };
        let backends: Vec<&str> = args.backends.iter().map(backend).collect();
        let text = include_str!("demo.toml").replace("@BACKENDS@", &format!("{backends:?}"));
        write(&config, args.source.filled(&text, args.mqtt_port)?)?;
        Ok(Self { cells, config })
    }

    /// The lines that the line's computer sends: the type of every told cell.
    pub(super) fn type_lines(&self) -> String {
        self.cells.iter().filter(|cell| cell.told).fold(String::new(), |mut lines, cell| {
            let _ = writeln!(lines, "part={} type={}", cell.name, cell.kind);
            lines
        })
    }
}
