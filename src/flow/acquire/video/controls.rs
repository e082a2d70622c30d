//! Controls of a video device by name: which value is asked of each, whether it can have it, and whether it then has it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Device;
use crate::value::Value;

/// One control of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Control {
    /// The kernel's number for it.
    pub id: u32,
    /// Its name in the config, as `v4l2-ctl` writes it: `exposure_time_absolute`.
    pub name: String,
    /// What it takes.
    pub kind: Kind,
    /// The least value.
    pub least: i64,
    /// The greatest value.
    pub most: i64,
    /// From one value to the next.
    pub step: u64,
    /// What the driver begins with.
    pub default: i64,
    /// What it is set to, where that can be read.
    pub value: Option<i64>,
    /// The choices of a menu.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub items: BTreeMap<i64, String>,
    /// Whether it can be set at all.
    pub settable: bool,
    /// Whether another control, such as an automatic one, has switched it off.
    pub inactive: bool,
}

/// What a control takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// On or off.
    Boolean,
    /// One of a few.
    Menu,
    /// A whole number.
    Integer,
    /// Something else, which Kenpin cannot set.
    Other,
}

/// A control's name as `v4l2-ctl` writes it: letters and digits in small, everything between them one underscore.
#[must_use]
pub fn name(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("_")
}

/// Sets what is asked, automatic and menu controls before numbers, for those decide what numbers are taken; then reads all of
/// it back.
///
/// # Errors
/// Everything at once: controls that are not there, values they cannot have, values they did not take, and numbers that have no
/// effect because another control has switched them off.
pub fn apply<D: Device>(device: &mut D, wanted: &BTreeMap<String, Value>) -> Result<(), String> {
    if wanted.is_empty() {
        return Ok(());
    }
    let known = device.controls()?;
    let settings = plan(wanted, &known)?;
    for (control, value) in &settings {
        device.set_control(control, *value).map_err(|why| format!("control {} to {value}: {why}", control.name))?;
    }
    let now = device.controls()?;
    let told: Vec<String> = settings.iter().filter_map(|(control, value)| deaf(control, *value, &now)).collect();
    if told.is_empty() { Ok(()) } else { Err(told.join("; ")) }
}

/// Why a control is not what it was set to, or nothing.
fn deaf(control: &Control, value: i64, now: &[Control]) -> Option<String> {
    let name = &control.name;
    match now.iter().find(|other| other.id == control.id) {
        None => Some(format!("control {name} is gone since it was set")),
        Some(Control { inactive: true, .. }) => Some(format!(
            "control {name} has no effect: another one, such as its automatic counterpart, has switched it off"
        )),
        Some(Control { value: Some(seen), .. }) if *seen != value => {
            Some(format!("control {name} was set to {value} and is {seen}"))
        }
        Some(Control { value: None, .. }) => {
            tracing::warn!("control {name} was set to {value}; the device does not let it be read back");
            None
        }
        Some(_) => None,
    }
}

/// What to set, in which order.
fn plan<'k>(wanted: &BTreeMap<String, Value>, known: &'k [Control]) -> Result<Vec<(&'k Control, i64)>, String> {
    let (mut settings, mut told) = (Vec::new(), Vec::new());
    for (name, value) in wanted {
        let Some(control) = known.iter().find(|control| control.name == *name) else {
            let names: Vec<&str> = known.iter().map(|control| control.name.as_str()).collect();
            told.push(format!("there is no control {name}; there are {}", names.join(", ")));
            continue;
        };
        match number(control, value) {
            Ok(number) => settings.push((control, number)),
            Err(why) => told.push(why),
        }
    }
    settings.sort_by_key(|(control, _)| control.kind);
    if told.is_empty() { Ok(settings) } else { Err(told.join("; ")) }
}

/// A value as the number that the kernel takes.
fn number(control: &Control, value: &Value) -> Result<i64, String> {
    let Control { name, kind, least, most, step, items, .. } = control;
    if !control.settable || *kind == Kind::Other {
        return Err(format!("control {name} cannot be set"));
    }
    let wanted = match kind {
        Kind::Boolean => "true or false".into(),
        Kind::Menu => {
            let items: Vec<String> = items.iter().map(|(number, item)| format!("{number} ({item:?})")).collect();
            format!("one of {}", items.join(", "))
        }
        Kind::Integer | Kind::Other => format!("{least} to {most} in steps of {step}"),
    };
    let taken = match (kind, value) {
        (Kind::Boolean, Value::Flag(flag)) => Some(i64::from(*flag)),
        (Kind::Menu, Value::Text(text)) => items.iter().find(|(_, item)| *item == text).map(|(number, _)| *number),
        (Kind::Menu, Value::Number(_)) => whole(value).filter(|number| items.contains_key(number)),
        (Kind::Integer, Value::Number(_)) => whole(value).filter(|number| {
            (*least..=*most).contains(number) && number.abs_diff(*least).is_multiple_of((*step).max(1))
        }),
        _ => None,
    };
    taken.ok_or_else(|| format!("control {name} is to be {value}, want {wanted}"))
}

#[expect(clippy::cast_possible_truncation, reason = "whole and far below 2^53")]
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(*number as i64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(name: &str, kind: Kind, least: i64, most: i64, step: u64) -> Control {
        Control {
            id: 0,
            name: name.into(),
            kind,
            least,
            most,
            step,
            default: least,
            value: Some(least),
            items: BTreeMap::new(),
            settable: true,
            inactive: false,
        }
    }

    fn known() -> Vec<Control> {
        let mut mode = control("exposure_mode", Kind::Menu, 0, 3, 1);
        mode.items = [(1, "Manual Mode".to_owned()), (3, "Aperture Priority Mode".to_owned())].into();
        let mut serial = control("serial", Kind::Integer, 0, 9, 1);
        serial.settable = false;
        vec![
            control("exposure_absolute", Kind::Integer, 3, 2047, 4),
            mode,
            control("white_balance_automatic", Kind::Boolean, 0, 1, 1),
            serial,
        ]
    }

    fn wanted(text: &str) -> BTreeMap<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn names_are_those_of_v4l2_ctl() {
        for (title, wanted) in [
            ("Exposure Time, Absolute", "exposure_time_absolute"),
            ("White Balance, Automatic", "white_balance_automatic"),
            ("Pan (Relative)", "pan_relative"),
            ("  Gain ", "gain"),
        ] {
            assert_eq!(name(title), wanted);
        }
    }

    #[test]
    fn automatic_ones_come_first_and_each_takes_what_it_can() {
        let known = known();
        let asked =
            wanted(r#"{"exposure_absolute": 203, "exposure_mode": "Manual Mode", "white_balance_automatic": false}"#);
        let plan = plan(&asked, &known).unwrap();
        let order: Vec<_> = plan.iter().map(|(control, value)| (control.name.as_str(), *value)).collect();
        assert_eq!(order, [("white_balance_automatic", 0), ("exposure_mode", 1), ("exposure_absolute", 203)]);
    }

    #[test]
    fn everything_that_cannot_be_is_told_at_once() {
        let asked = wanted(
            r#"{"exposure_absolute": 204, "exposure_mode": "Automatic", "gain": 1, "serial": 5, "white_balance_automatic": 1}"#,
        );
        let told = plan(&asked, &known()).unwrap_err();
        assert_eq!(
            told.split("; ").collect::<Vec<_>>(),
            [
                "control exposure_absolute is to be 204, want 3 to 2047 in steps of 4",
                "control exposure_mode is to be Automatic, want one of 1 (\"Manual Mode\"), 3 (\"Aperture Priority Mode\")",
                "there is no control gain",
                "there are exposure_absolute, exposure_mode, white_balance_automatic, serial",
                "control serial cannot be set",
                "control white_balance_automatic is to be 1, want true or false",
            ]
        );
    }
}
