//! What a running daemon cannot change: the parts of the settings that a reload refuses, and why each needs a restart.
//!
//! What a part is judged by may change: routes, models, fits, the ladder, the governor, and how models are run. What it comes
//! from and where its verdict goes may not: cameras, sensors, joining, outputs, the journal, the broker and names.

use std::collections::BTreeMap;

use super::Settings;
use crate::name::Name;

/// One sentence for each key that differs between the settings a daemon runs with and those it is to take over.
#[must_use]
pub fn fixed(running: &Settings, wanted: &Settings) -> Vec<String> {
    let (old, new) = (running, wanted);
    let (old_runtime, new_runtime) = (&old.runtime, &new.runtime);
    let mut keys: Vec<String> = [
        ("device.id", old.device == new.device),
        ("line", old.line == new.line),
        ("changeover", old.changeover == new.changeover),
        ("join", old.join == new.join),
        ("drift", old.drift == new.drift),
        ("chart", old.chart == new.chart),
        ("golden", old.golden == new.golden),
        ("journal", old.journal == new.journal),
        ("images", old.images == new.images),
        ("review", old.review == new.review),
        ("mqtt", old.mqtt == new.mqtt),
        ("runtime.onnxruntime_library", old_runtime.onnxruntime_library == new_runtime.onnxruntime_library),
        ("runtime.parts_in_flight", old_runtime.parts_in_flight == new_runtime.parts_in_flight),
    ]
    .into_iter()
    .filter(|(_, same)| !same)
    .map(|(key, _)| key.to_owned())
    .collect();
    keys.extend(differing(&old.cameras, &new.cameras).map(|name| format!("cameras.{name}")));
    keys.extend(differing(&old.sensors, &new.sensors).map(|name| format!("sensors.{name}")));
    keys.extend(differing(&old.outputs, &new.outputs).map(|name| format!("outputs.{name}")));
    let sentence = |key| format!("`{key}` cannot change while the daemon runs: restart it, or take the change back");
    keys.into_iter().map(sentence).collect()
}

/// The names that only one of two tables has, or that stand for different things.
fn differing<'s, T: PartialEq>(
    old: &'s BTreeMap<Name, T>,
    new: &'s BTreeMap<Name, T>,
) -> impl Iterator<Item = &'s Name> {
    let gone = old.iter().filter(|(name, was)| new.get(*name) != Some(*was));
    let came = new.iter().filter(|(name, _)| !old.contains_key(*name));
    gone.chain(came).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Surroundings, settings};

    const TEXT: &str = "[device]\nid = \"line-1\"\n[cameras.top]\nkind = \"replay\"\npath = \"parts\"\n\
                        [sensors.plc]\nkind = \"tcp-listen\"\naddress = \"127.0.0.1:5005\"\n\
                        [models.one]\nfolder = \"one\"\n[[routes]]\nname = \"all\"\nmembers = [{ model = \"one\" }]\n";

    fn read(text: &str) -> Settings {
        settings("kenpin.toml", &[("kenpin.toml".into(), text.into())], &Surroundings::default()).unwrap()
    }

    /// The keys that a changed text changes.
    fn changed(from: &str, to: &str) -> Vec<String> {
        assert!(TEXT.contains(from), "{from}");
        let told = fixed(&read(TEXT), &read(&TEXT.replacen(from, to, 1)));
        assert!(told.iter().all(|sentence| sentence.contains("restart")), "{told:?}");
        told.iter().map(|sentence| sentence.split('`').nth(1).unwrap().to_owned()).collect()
    }

    #[test]
    fn what_a_part_comes_from_and_where_its_verdict_goes_stays() {
        for (from, to, key) in [
            ("line-1", "line-2", "device.id"),
            ("\"parts\"", "\"others\"", "cameras.top"),
            ("cameras.top", "cameras.left", "cameras.top"),
            ("5005", "5006", "sensors.plc"),
            ("[models.one]", "[line]\nrun = \"r\"\n[models.one]", "line"),
            (
                "[models.one]",
                "[changeover]\naddress = \"plc:502\"\nregister = 1\nacknowledge = 2\n\
                 recipes = [{ number = 1, recipe = \"default\" }]\n[models.one]",
                "changeover",
            ),
            ("[models.one]", "[join]\nwindow_ms = 9\n[models.one]", "join"),
            ("[models.one]", "[fits]\nfolder = \"f\"\n[drift]\nwindow = 64\n[models.one]", "drift"),
            ("[models.one]", "[chart]\nparts = 50\n[models.one]", "chart"),
            ("[models.one]", "[golden]\npath = \"g\"\n[models.one]", "golden"),
            ("[models.one]", "[journal]\npath = \"j\"\n[models.one]", "journal"),
            ("[models.one]", "[images]\nfolder = \"i\"\n[models.one]", "images"),
            ("[models.one]", "[review]\n[models.one]", "review"),
            (
                "[models.one]",
                "[outputs.a]\nkind = \"modbus\"\naddress = \"plc:502\"\ncoil = 1\nwork = \"heartbeat\"\n[models.one]",
                "outputs.a",
            ),
            ("[models.one]", "[mqtt]\nbroker = \"b:1883\"\n[models.one]", "mqtt"),
            ("[models.one]", "[runtime]\nonnxruntime_library = \"l\"\n[models.one]", "runtime.onnxruntime_library"),
            ("[models.one]", "[runtime]\nparts_in_flight = 9\n[models.one]", "runtime.parts_in_flight"),
        ] {
            assert_eq!(changed(from, to).first().map(String::as_str), Some(key), "{from} to {to}");
        }
        assert_eq!(changed("cameras.top", "cameras.left"), ["cameras.top", "cameras.left"]);
    }

    #[test]
    fn what_a_part_is_judged_by_may_change() {
        for (from, to) in [
            ("folder = \"one\"", "folder = \"two\""),
            ("name = \"all\"", "name = \"every\"\nreject_from = 0.7"),
            ("[models.one]", "[models.two]\nfolder = \"two\"\n[models.one]"),
            ("[models.one]", "[fits]\nfolder = \"fits\"\n[models.one]"),
            ("[models.one]", "[governor]\nmargin_celsius = 3.0\ndeadline_ms = 50\n[models.one]"),
            ("[models.one]", "[runtime]\nthreads_per_session = 2\n[models.one]"),
        ] {
            assert_eq!(changed(from, to), [""; 0], "{from} to {to}");
        }
    }
}
