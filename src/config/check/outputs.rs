//! Checks outputs: each kind and each work with its own keys, and no line driven twice.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::document::Path;
use super::super::file::{self, OutputKind, OutputWork};
use super::super::findings::Findings;
use super::super::settings::{LineAt, Output, Pulse, SensorSource, Work};
use super::{is_host_and_port, stray};
use crate::name::Name;

/// Keys of each kind and each work, with what they belong to.
const KINDS: [(&str, OutputKind); 6] = [
    ("chip", OutputKind::Gpio),
    ("line", OutputKind::Gpio),
    ("active_low", OutputKind::Gpio),
    ("address", OutputKind::Modbus),
    ("unit", OutputKind::Modbus),
    ("coil", OutputKind::Modbus),
];
const WORKS: [(&str, OutputWork); 7] = [
    ("on", OutputWork::Pulse),
    ("delay_ms", OutputWork::Pulse),
    ("pulse_ms", OutputWork::Pulse),
    ("gap_ms", OutputWork::Pulse),
    ("parts", OutputWork::Pulse),
    ("period_ms", OutputWork::Heartbeat),
    ("stall_ms", OutputWork::Heartbeat),
];

/// Checks `[outputs]`; gives those that are whole.
pub(super) fn outputs(file: &file::File, findings: &mut Findings<'_>) -> BTreeMap<Name, Output> {
    let mut outputs: BTreeMap<Name, Output> = BTreeMap::new();
    for (name, told) in &file.outputs {
        let table = Path::of(&["outputs", name.as_str()]);
        let (line, work) = (line(told, &table, findings), work(told, &table, findings));
        let (Some(line), Some(work)) = (line, work) else { continue };
        if let Some((first, _)) = outputs.iter().find(|(_, other)| is_same(&other.line, &line)) {
            let message = format!("`outputs.{name}` and `outputs.{first}` drive the same line");
            findings.key(&table, message, "want a line of its own");
        }
        outputs.insert(name.clone(), Output { line, work });
    }
    outputs
}

/// Tells an output that drives a line which a sensor listens to.
pub(super) fn heard(
    outputs: &BTreeMap<Name, Output>,
    sensors: &BTreeMap<Name, super::super::settings::Sensor>,
    findings: &mut Findings<'_>,
) {
    for (sensor, source) in sensors.iter().map(|(name, sensor)| (name, &sensor.source)) {
        let SensorSource::Gpio(edges) = source else { continue };
        let heard = LineAt::Gpio { chip: edges.chip.clone(), line: edges.line, active_low: false };
        for (name, _) in outputs.iter().filter(|(_, output)| is_same(&output.line, &heard)) {
            let message = format!("`outputs.{name}` drives the line that `sensors.{sensor}` listens to");
            findings.key(&Path::of(&["outputs", name.as_str()]), message, "want a line of its own");
        }
    }
}

/// Whether two lines are one, whichever of its levels is on.
fn is_same(one: &LineAt, other: &LineAt) -> bool {
    match (one, other) {
        (LineAt::Gpio { chip, line, .. }, LineAt::Gpio { chip: chip_2, line: line_2, .. }) => {
            (chip, line) == (chip_2, line_2)
        }
        _ => one == other,
    }
}

fn line(told: &file::Output, table: &Path, findings: &mut Findings<'_>) -> Option<LineAt> {
    let kind = told.kind?;
    let (chosen, other) = match kind {
        OutputKind::Gpio => ("`kind = \"gpio\"`", "`kind = \"modbus\"`"),
        OutputKind::Modbus => ("`kind = \"modbus\"`", "`kind = \"gpio\"`"),
    };
    for (key, _) in KINDS.iter().filter(|(_, owner)| *owner != kind) {
        stray(findings, table, key, chosen, other);
    }
    let mut needs = |key: &str| {
        if !findings.document().has(&table.then(key)) {
            findings.missing(&table.then(key), &format!(", which {chosen} needs"));
        }
    };
    match kind {
        OutputKind::Gpio => {
            needs("chip");
            needs("line");
            Some(LineAt::Gpio { chip: told.chip.clone()?, line: told.line?, active_low: told.active_low })
        }
        OutputKind::Modbus => {
            needs("address");
            needs("coil");
            let address = told.address.clone()?;
            if !is_host_and_port(&address) {
                let message = format!("{} is {address:?}", findings.document().describe(&table.then("address")));
                findings.value(&table.then("address"), message, "want `host:port`, such as \"plc:502\"");
                return None;
            }
            Some(LineAt::Modbus { address, unit: told.unit, coil: told.coil? })
        }
    }
}

fn work(told: &file::Output, table: &Path, findings: &mut Findings<'_>) -> Option<Work> {
    if findings.is_condemned(&table.then("work")) {
        return None;
    }
    let (chosen, other) = match told.work {
        OutputWork::Pulse => ("`work = \"pulse\"`", "`work = \"heartbeat\"`"),
        OutputWork::Heartbeat => ("`work = \"heartbeat\"`", "`work = \"pulse\"`"),
    };
    for (key, _) in WORKS.iter().filter(|(_, owner)| *owner != told.work) {
        stray(findings, table, key, chosen, other);
    }
    match told.work {
        OutputWork::Heartbeat => Some(Work::Heartbeat {
            half: Duration::from_millis(told.period_ms) / 2,
            stall: Duration::from_millis(told.stall_ms),
        }),
        OutputWork::Pulse => {
            for key in ["delay_ms", "pulse_ms"] {
                if !findings.document().has(&table.then(key)) {
                    findings.missing(&table.then(key), &format!(", which {chosen} needs"));
                }
            }
            Some(Work::Pulse(Pulse {
                on: told.on.iter().copied().collect(),
                delay: Duration::from_millis(told.delay_ms?),
                pulse: Duration::from_millis(told.pulse_ms?),
                gap: told.gap_ms.map(Duration::from_millis),
                parts: told.parts,
            }))
        }
    }
}
