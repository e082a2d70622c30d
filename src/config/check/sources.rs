//! Checks sensors: each kind with its own keys.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::super::document::Path;
use super::super::file::{self, SensorKind};
use super::super::findings::Findings;
use super::super::settings::{GpioEdges, LineFormat, Sensor, SensorSource};
use super::{Surroundings, is_host_and_port, stray};
use crate::name::Name;

/// Checks `[sensors]`; gives those that are whole.
pub(super) fn sensors(
    file: &file::File,
    surroundings: &Surroundings,
    findings: &mut Findings<'_>,
) -> BTreeMap<Name, Sensor> {
    let mut sensors: BTreeMap<Name, Sensor> = BTreeMap::new();
    for (name, told) in &file.sensors {
        let table = Path::of(&["sensors", name.as_str()]);
        text_has_one_key(told, &table, findings);
        acknowledges(told, &table, file, name, findings);
        let Some(source) = sensor_source(told, &table, surroundings, findings) else { continue };
        let shared = |other: &Sensor| match (&other.source, &source) {
            (SensorSource::Stdin, SensorSource::Stdin) => true,
            (SensorSource::TcpListen(one), SensorSource::TcpListen(other)) => one == other && one.port() != 0,
            (SensorSource::UnixListen(one), SensorSource::UnixListen(other)) => one == other,
            (SensorSource::Gpio(one), SensorSource::Gpio(other)) => (&one.chip, one.line) == (&other.chip, other.line),
            _ => false,
        };
        if let Some((first, _)) = sensors.iter().find(|(_, other)| shared(other)) {
            let message = format!("`sensors.{name}` and `sensors.{first}` read from the same place");
            findings.key(&table, message, "want a place of its own");
        }
        sensors.insert(name.clone(), sensor(told, source));
    }
    sensors
}

fn sensor(told: &file::Sensor, source: SensorSource) -> Sensor {
    Sensor {
        source,
        format: told.format,
        max_line_bytes: told.max_line_bytes,
        part_key: told.part_key.clone(),
        time_key: told.time_key.clone(),
        delay: Duration::from_millis(told.delay_ms),
        expected: told.expected,
        acknowledge: told.acknowledge,
    }
}

/// Only what triggers is acknowledged, and only where there is a way back.
fn acknowledges(told: &file::Sensor, table: &Path, file: &file::File, name: &Name, findings: &mut Findings<'_>) {
    let triggers = |camera: &file::Camera| camera.trigger_sensor.as_ref() == Some(name);
    if told.acknowledge && !file.cameras.iter().flatten().any(|(_, camera)| triggers(camera)) {
        let path = table.then("acknowledge");
        let message =
            format!("{} is set, but no camera is triggered by that sensor", findings.document().describe(&path));
        findings.key(
            &path,
            message,
            "want a camera with it as `trigger_sensor`: triggers are acknowledged, nothing else",
        );
    }
}

/// A line of plain text has the one key `text`.
fn text_has_one_key(told: &file::Sensor, table: &Path, findings: &mut Findings<'_>) {
    for (key, value) in [("part_key", &told.part_key), ("time_key", &told.time_key)] {
        if let (LineFormat::Text, Some(value)) = (told.format, value)
            && value != "text"
        {
            let path = table.then(key);
            let message =
                format!("{} is {value:?}, but plain text has no such key", findings.document().describe(&path));
            findings.value(&path, message, "want \"text\" with `format = \"text\"`");
        }
    }
}

fn sensor_source(
    told: &file::Sensor,
    table: &Path,
    surroundings: &Surroundings,
    findings: &mut Findings<'_>,
) -> Option<SensorSource> {
    let kind = told.kind?;
    own_keys(kind, table, findings);
    match kind {
        SensorKind::File => Some(SensorSource::File(surroundings.folder.join(told.path.as_ref()?))),
        SensorKind::Stdin => Some(SensorSource::Stdin),
        SensorKind::TcpListen => listen(told.address.as_ref()?, &table.then("address"), findings),
        SensorKind::TcpConnect => connect(told.address.as_ref()?, &table.then("address"), findings),
        SensorKind::UnixListen => socket(told.path.as_ref()?, surroundings, table, findings),
        SensorKind::Mqtt => topic(told.topic.as_ref()?, table, findings),
        SensorKind::Gpio => Some(SensorSource::Gpio(GpioEdges {
            chip: told.chip.clone()?,
            line: told.line?,
            edge: told.edge,
            debounce: Duration::from_millis(told.debounce_ms),
        })),
    }
}

/// Tells keys of other kinds, and those that this kind lacks.
fn own_keys(kind: SensorKind, table: &Path, findings: &mut Findings<'_>) {
    const LINES: &str = "the kinds that read text";
    const GPIO: &str = "`kind = \"gpio\"`";
    let chosen = format!("`kind = \"{}\"`", kind.as_str());
    let tcp = matches!(kind, SensorKind::TcpListen | SensorKind::TcpConnect);
    let gpio = kind == SensorKind::Gpio;
    let unix = kind == SensorKind::UnixListen;
    let needed = [
        ("path", "`kind = \"file\"` and `kind = \"unix-listen\"`", unix || kind == SensorKind::File),
        ("address", "the tcp kinds", tcp),
        ("topic", "`kind = \"mqtt\"`", kind == SensorKind::Mqtt),
        ("chip", GPIO, gpio),
        ("line", GPIO, gpio),
    ];
    for (key, owner, own) in needed {
        if !own {
            stray(findings, table, key, &chosen, owner);
        } else if !findings.document().has(&table.then(key)) {
            findings.missing(&table.then(key), &format!(", which {chosen} needs"));
        }
    }
    let text = ["format", "part_key", "time_key", "max_line_bytes"].map(|key| (key, LINES, !gpio));
    let edges = ["edge", "debounce_ms"].map(|key| (key, GPIO, gpio));
    let talks = [(
        "acknowledge",
        "the tcp kinds, `kind = \"unix-listen\"` and `kind = \"mqtt\"`",
        tcp || unix || kind == SensorKind::Mqtt,
    )];
    for (key, owner, own) in text.into_iter().chain(edges).chain(talks) {
        if !own {
            stray(findings, table, key, &chosen, owner);
        }
    }
}

fn listen(address: &str, path: &Path, findings: &mut Findings<'_>) -> Option<SensorSource> {
    if let Ok(address) = address.parse::<SocketAddr>() {
        return Some(SensorSource::TcpListen(address));
    }
    let message = format!("{} is {address:?}", findings.document().describe(path));
    findings.value(path, message, "want `ip:port` to listen on, such as \"0.0.0.0:5005\"");
    None
}

/// The longest path of a Unix socket in bytes (unix(7): 108 with the byte that ends it).
const LONGEST_SOCKET: usize = 107;

fn socket(
    told: &std::path::Path,
    surroundings: &Surroundings,
    table: &Path,
    findings: &mut Findings<'_>,
) -> Option<SensorSource> {
    let path = surroundings.runtime.as_ref().unwrap_or(&surroundings.folder).join(told);
    let length = path.as_os_str().len();
    if length <= LONGEST_SOCKET {
        return Some(SensorSource::UnixListen(path));
    }
    let key = table.then("path");
    let message = format!("{} is {}, {length} bytes long", findings.document().describe(&key), path.display());
    findings.value(&key, message, format!("want at most {LONGEST_SOCKET} bytes for a socket"));
    None
}

fn connect(address: &str, path: &Path, findings: &mut Findings<'_>) -> Option<SensorSource> {
    if is_host_and_port(address) {
        return Some(SensorSource::TcpConnect(address.to_owned()));
    }
    let message = format!("{} is {address:?}", findings.document().describe(path));
    findings.value(path, message, "want `host:port` to connect to, such as \"plc:5005\"");
    None
}

fn topic(topic: &str, table: &Path, findings: &mut Findings<'_>) -> Option<SensorSource> {
    let path = table.then("topic");
    if !findings.document().has(&Path::of(&["mqtt"])) {
        let message = format!("{} listens to MQTT, but there is no `[mqtt]`", findings.document().describe(table));
        findings.key(&table.then("kind"), message, "want a table `[mqtt]` that names the broker");
    }
    if is_topic_filter(topic) {
        return Some(SensorSource::Mqtt(topic.to_owned()));
    }
    let message = format!("{} is {topic:?}", findings.document().describe(&path));
    findings.value(&path, message, "want a topic; `+` stands for a whole level, `#` for all that follow");
    None
}

/// Whether a text is a topic filter (MQTT 5, section 4.7).
fn is_topic_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    let last = levels.len() - 1;
    let level = |(index, level): (usize, &&str)| match *level {
        "+" => true,
        "#" => index == last,
        plain => !plain.contains(['+', '#', '\0']),
    };
    !text.is_empty() && u16::try_from(text.len()).is_ok() && levels.iter().enumerate().all(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_filter_has_its_wildcards_alone_on_their_level() {
        for good in ["a", "a/b", "+/b", "a/#", "#", "/a", "a//b"] {
            assert!(is_topic_filter(good), "{good}");
        }
        for bad in ["", "a+", "a/#/b", "a#", "a\0"] {
            assert!(!is_topic_filter(bad), "{bad}");
        }
    }
}
