//! From the file's shape to [`Settings`]: what only shows across keys is found here, and everything that is found is told.
//!
//! A function here tells what it finds and gives `None` where it cannot go on; the caller goes on with the next thing.
//! Pure: the surroundings are handed in. Whether a path exists is for those who open it.

mod cameras;
mod changeover;
mod drift;
mod ladder;
mod outputs;
mod routes;
mod sources;
mod tensorrt;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::document::Path;
use super::findings::{Findings, advice};
use super::settings::{Backend, Broker, Chart, Images, Join, Journal, Line, Mqtt, Review, Runtime, Settings};
use super::{Surroundings, file};
use crate::name::Name;

/// Bytes of a MiB.
const MIB: u64 = 1024 * 1024;

/// Makes settings of a file; `None` when something was found that leaves a hole in them.
pub(super) fn settings(
    file: &file::File,
    surroundings: &Surroundings,
    findings: &mut Findings<'_>,
) -> Option<Settings> {
    let line = line(file, findings);
    let changeover = changeover::changeover(file, findings);
    let cameras = cameras::cameras(file, surroundings, findings);
    let sensors = sources::sensors(file, surroundings, findings);
    let models = models(file, surroundings);
    let routes = routes::routes(file, findings);
    let ladder = ladder::ladder(file, findings);
    let runtime = runtime(file, surroundings, findings);
    let outputs = outputs::outputs(file, findings);
    outputs::heard(&outputs, &sensors, findings);
    let drift = drift::drift(file, findings);
    let golden = drift::golden(file, surroundings, findings);
    let images = file.images.as_ref().map(|images| Images {
        folder: surroundings.folder.join(&images.folder),
        max_bytes: images.max_mib.saturating_mul(MIB),
        audit_share: images.audit_share,
    });
    let mqtt = file.mqtt.as_ref().map(|told| mqtt(told, surroundings, findings));
    Some(Settings {
        device: file.device.as_ref()?.id.clone()?,
        line: line?,
        changeover,
        cameras,
        sensors,
        join: join(&file.join),
        models,
        routes,
        ladder,
        governor: ladder::governor(&file.governor, surroundings),
        runtime,
        outputs,
        fits: file.fits.as_ref().and_then(|fits| Some(surroundings.folder.join(fits.folder.as_ref()?))),
        drift,
        chart: file.chart.clone().map(|file::Chart { parts, baseline, rules, rates }| Chart {
            parts,
            baseline,
            rules,
            rates,
        }),
        golden,
        journal: Journal {
            path: surroundings.folder.join(&file.journal.path),
            max_bytes: file.journal.max_mib.saturating_mul(MIB),
        },
        images,
        review: file.review.as_ref().map(|review| Review { audit_share: review.audit_share }),
        mqtt: match mqtt {
            Some(mqtt) => Some(mqtt?),
            None => None,
        },
    })
}

fn line(file: &file::File, findings: &mut Findings<'_>) -> Option<Line> {
    let mut name = |key: &str, text: &str| {
        let path = Path::of(&["line", key]);
        Name::new(text).map_err(|_| findings.value(&path, format!("`line.{key}` is {text:?}"), Name::WANTED)).ok()
    };
    let (recipe, run) = (name("recipe", &file.line.recipe), name("run", &file.line.run));
    if file.line.recipe_key.is_some() && !findings.document().has(&Path::of(&["sensors"])) {
        let message = "`line.recipe_key` is set, but there is no sensor that could name a recipe";
        findings.key(&Path::of(&["line", "recipe_key"]), message, "want at least one [sensors.<name>] with it");
    }
    Some(Line { recipe: recipe?, run: run?, recipe_key: file.line.recipe_key.clone() })
}

fn join(told: &file::Join) -> Join {
    Join {
        window: Duration::from_millis(told.window_ms),
        keep_readings: Duration::from_millis(told.keep_readings_ms),
        waiting_readings: told.waiting_readings,
        open_parts: told.open_parts,
    }
}

/// The folder of every model that has one.
pub(super) fn models(file: &file::File, surroundings: &Surroundings) -> BTreeMap<Name, PathBuf> {
    let told = file.models.iter().flatten();
    told.filter_map(|(name, model)| Some((name.clone(), surroundings.folder.join(model.folder.as_ref()?)))).collect()
}

fn runtime(file: &file::File, surroundings: &Surroundings, findings: &mut Findings<'_>) -> Runtime {
    let told = &file.runtime;
    for (index, backend) in told.backends.iter().enumerate() {
        let (built, feature, name) = match backend {
            Backend::OnnxRuntime => (cfg!(feature = "ort"), "ort", "onnxruntime"),
            Backend::Tract => (cfg!(feature = "tract"), "tract", "tract"),
        };
        if !built {
            let path = Path::of(&["runtime", "backends"]).then(index);
            not_built(findings, &path, &format!("`runtime.backends` lists {name:?}"), feature);
        }
    }
    Runtime {
        backends: told.backends.clone(),
        onnxruntime_library: told.onnxruntime_library.as_ref().map(|library| surroundings.folder.join(library)),
        providers: told.providers.clone(),
        full_placement: told.full_placement,
        threads_per_session: told.threads_per_session,
        models_at_once: told.models_at_once,
        parts_in_flight: told.parts_in_flight,
        memory_bytes: told.memory_mib.map(|mib| mib.saturating_mul(1 << 20)),
        tensorrt: tensorrt::tensorrt(file, surroundings, findings),
    }
}

fn mqtt(told: &file::Mqtt, surroundings: &Surroundings, findings: &mut Findings<'_>) -> Option<Mqtt> {
    let table = Path::of(&["mqtt"]);
    let address = told.broker.as_deref();
    let broker = match address {
        Some("embedded") => embedded(told, &table, findings),
        Some(address) => {
            stray(findings, &table, "listen", "a broker elsewhere", "`broker = \"embedded\"`");
            remote(address, &table, findings)
        }
        None => None,
    };
    if told.password_file.is_some() && told.password_credential.is_some() {
        let message = "`mqtt` has both a `password_file` and a `password_credential`";
        findings.key(&table.then("password_credential"), message, "want one of them");
    }
    let credential =
        told.password_credential.as_ref().and_then(|name| credential(name, &table, surroundings, findings));
    Some(Mqtt {
        broker: broker?,
        username: told.username.clone(),
        password_file: told.password_file.as_ref().map(|path| surroundings.folder.join(path)).or(credential),
        counters_every: Duration::from_secs(told.counters_every_s),
    })
}

fn embedded(told: &file::Mqtt, table: &Path, findings: &mut Findings<'_>) -> Option<Broker> {
    if !cfg!(feature = "broker") {
        not_built(findings, &table.then("broker"), "`mqtt.broker` is \"embedded\"", "broker");
    }
    for key in ["username", "password_file", "password_credential"] {
        stray(findings, table, key, "the embedded broker, which asks nobody who they are", "a broker elsewhere");
    }
    let path = table.then("listen");
    match told.listen.parse::<SocketAddr>() {
        Ok(listen) if listen.ip().is_loopback() => Some(Broker::Embedded { listen }),
        Ok(listen) => {
            let message = format!("`mqtt.listen` is \"{listen}\", which other machines could reach");
            findings
                .value(&path, message, "want a loopback address, such as \"127.0.0.1:1883\"")
                .help("the embedded broker asks nobody for a password; for other machines run a broker of its own");
            None
        }
        Err(_) => {
            let message = format!("`mqtt.listen` is {:?}", told.listen);
            findings.value(&path, message, "want `ip:port`, such as \"127.0.0.1:1883\"");
            None
        }
    }
}

fn remote(address: &str, table: &Path, findings: &mut Findings<'_>) -> Option<Broker> {
    if is_host_and_port(address) {
        return Some(Broker::Remote { address: address.to_owned() });
    }
    let message = format!("`mqtt.broker` is {address:?}");
    let note =
        findings.value(&table.then("broker"), message, "want \"embedded\" or `host:port`, such as \"mqtt:1883\"");
    if address.contains("://") {
        note.help("write the address without a scheme");
    } else if !address.contains(':') {
        note.help(format!("the usual port is 1883: \"{address}:1883\""));
    }
    None
}

fn credential(name: &Name, table: &Path, surroundings: &Surroundings, findings: &mut Findings<'_>) -> Option<PathBuf> {
    if surroundings.credentials.is_none() {
        let message = format!(
            "`mqtt.password_credential` is \"{name}\", but $CREDENTIALS_DIRECTORY is not set and there is no folder {}",
            surroundings.folder.join("credentials").display()
        );
        findings.value(&table.then("password_credential"), message, "want one of them").help(format!(
            "add `LoadCredential={name}:/path/to/secret` to the unit (systemd 247 and newer), make that folder with a file {name}, \
             or use `password_file`"
        ));
    }
    Some(surroundings.credentials.as_ref()?.join(name.as_str()))
}

/// Tells that something needs a cargo feature that this build lacks.
fn not_built(findings: &mut Findings<'_>, path: &Path, what: &str, feature: &str) {
    findings
        .value(
            path,
            format!("{what}, but this build is without it"),
            format!("want a build with the feature `{feature}`"),
        )
        .help(format!("build with `cargo build --release --features {feature}`"));
}

/// Tells a key that has no use beside what else was chosen.
fn stray(findings: &mut Findings<'_>, table: &Path, key: &str, chosen: &str, owner: &str) {
    let path = table.then(key);
    if findings.document().has(&path) {
        let message = format!("{} has no use with {chosen}", findings.document().describe(&path));
        findings.key(&path, message, format!("belongs to {owner}"));
    }
}

/// Tells a name that leads nowhere. `kind` is what should bear it and stands in the table `kind` + `s`.
fn reference<'k>(
    findings: &mut Findings<'_>,
    path: &Path,
    name: &Name,
    kind: &str,
    known: impl IntoIterator<Item = &'k Name>,
) {
    let known: Vec<&str> = known.into_iter().map(Name::as_str).collect();
    let table = Path::of(&[&format!("{kind}s")]);
    if known.contains(&name.as_str()) || findings.is_condemned(&table) || findings.is_condemned(&table.then(name)) {
        return;
    }
    let message = format!("{} is \"{name}\", but there is no such {kind}", findings.document().describe(path));
    let note = findings.value(path, message, format!("want the name of a {kind}"));
    if known.is_empty() {
        note.help(format!("this file has no {kind}s"));
    } else {
        note.help(advice(name.as_str(), known.iter().copied()));
    }
}

/// Whether a text is `host:port` with a port from 1 on.
fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
        !host.is_empty() && host.chars().all(plain) && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for good in ["mqtt:1883", "10.0.0.7:1", "[::1]:1883", "a.b-c:65535"] {
            assert!(is_host_and_port(good), "{good}");
        }
        for bad in ["", "mqtt", ":1883", "mqtt:0", "mqtt:65536", "tcp://mqtt:1883", "a b:1", "mqtt:"] {
            assert!(!is_host_and_port(bad), "{bad}");
        }
    }
}
