//! Which video device is meant: by its file, a link or its card, and after a loss the same one again, whatever number it has
//! now. Pure: who is there is handed in.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::VideoDevice;

/// What tells one device from another, whatever its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The name of the card that the driver tells.
    pub card: String,
    /// Where it is plugged in.
    pub bus: String,
    /// Which of the card's own devices it is.
    pub index: u32,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" on {}", self.card, self.bus)?;
        if self.index > 0 { write!(f, " (its device {})", self.index) } else { Ok(()) }
    }
}

/// A video device of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Its file: `/dev/video0`.
    pub path: PathBuf,
    /// Links that lead to it and stay when devices are numbered anew.
    pub links: Vec<PathBuf>,
    /// Who it is; of one that cannot be opened only what the system's files tell.
    #[serde(flatten)]
    pub identity: Identity,
    /// The driver's name.
    pub driver: String,
    /// Why it cannot be used, where it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.path.display(), self.identity)
    }
}

/// The device that is meant: as named, and where it is `known` from before the same one again. `resolved` is the file that a
/// named path leads to.
///
/// # Errors
/// One sentence with who is there instead.
pub fn choose<'d>(
    named: &VideoDevice,
    resolved: Option<&Path>,
    known: Option<&Identity>,
    devices: &'d [Found],
) -> Result<&'d Found, String> {
    let chosen = match named {
        VideoDevice::Path(path) => by_path(path, resolved, known, devices),
        VideoDevice::Card { card, bus } => by_card(card, bus.as_deref(), known, devices),
    }?;
    match &chosen.problem {
        None => Ok(chosen),
        Some(problem) => Err(format!("{}: {problem}", chosen.path.display())),
    }
}

fn by_path<'d>(
    path: &Path,
    resolved: Option<&Path>,
    known: Option<&Identity>,
    devices: &'d [Found],
) -> Result<&'d Found, String> {
    let there = resolved.and_then(|resolved| devices.iter().find(|device| device.path == resolved));
    let Some(known) = known else {
        return there.ok_or_else(|| format!("there is no such device; {}", present(devices)));
    };
    // A link made by udev names the device or its place itself; it may be plugged in elsewhere.
    let trusted = path.starts_with("/dev/v4l");
    let same = |device: &&Found| device.identity == *known;
    let again = there.filter(|device| same(device) || (trusted && device.identity.card == known.card));
    again.or_else(|| devices.iter().find(same)).ok_or_else(|| match there {
        Some(other) => format!("{} is there now, want {known}", other.identity),
        None => format!("{known} is gone; {}", present(devices)),
    })
}

fn by_card<'d>(
    card: &str,
    bus: Option<&str>,
    known: Option<&Identity>,
    devices: &'d [Found],
) -> Result<&'d Found, String> {
    let meant = |device: &&Found| device.identity.card == card && bus.is_none_or(|bus| device.identity.bus == bus);
    let mut candidates = devices.iter().filter(meant);
    if let Some(same) = known.and_then(|known| candidates.clone().find(|device| device.identity == *known)) {
        return Ok(same);
    }
    let first = candidates.next().ok_or_else(|| format!("there is no such device; {}", present(devices)))?;
    // A card may have several devices; the first is the one that takes pictures.
    if let Some(other) = candidates.find(|other| other.identity.bus != first.identity.bus) {
        let (one, other) = (&first.identity.bus, &other.identity.bus);
        return Err(format!("several are there, on {one} and on {other}: say which with `bus`"));
    }
    Ok(first)
}

/// Who is there, in one sentence.
fn present(devices: &[Found]) -> String {
    if devices.is_empty() {
        return "no video device is there".into();
    }
    let all: Vec<String> = devices.iter().map(Found::to_string).collect();
    format!("there are: {}", all.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(number: u32, card: &str, bus: &str) -> Found {
        Found {
            path: format!("/dev/video{number}").into(),
            links: Vec::new(),
            identity: Identity { card: card.into(), bus: bus.into(), index: 0 },
            driver: "uvcvideo".into(),
            problem: None,
        }
    }

    fn path(text: &str) -> VideoDevice {
        VideoDevice::Path(text.into())
    }

    fn card(text: &str, bus: Option<&str>) -> VideoDevice {
        VideoDevice::Card { card: text.into(), bus: bus.map(str::to_owned) }
    }

    #[test]
    fn a_path_is_what_lies_there_and_later_the_same_device_wherever_it_lies() {
        let (named, video0) = (path("/dev/video0"), Path::new("/dev/video0"));
        let (left, right) = (device(0, "Cam", "usb-1"), device(1, "Cam", "usb-2"));
        let both = [left.clone(), right.clone()];
        assert_eq!(choose(&named, Some(video0), None, &both), Ok(&left));
        let swapped = [device(0, "Cam", "usb-2"), device(1, "Cam", "usb-1")];
        assert_eq!(choose(&named, Some(video0), Some(&left.identity), &swapped), Ok(&swapped[1]));
        let told = choose(&named, Some(video0), Some(&left.identity), &swapped[..1]).unwrap_err();
        assert_eq!(told, "\"Cam\" on usb-2 is there now, want \"Cam\" on usb-1");
        let told = choose(&named, None, Some(&left.identity), &[]).unwrap_err();
        assert_eq!(told, "\"Cam\" on usb-1 is gone; no video device is there");
        let told = choose(&path("/dev/video7"), None, None, &both).unwrap_err();
        assert!(told.ends_with("there are: /dev/video0, \"Cam\" on usb-1; /dev/video1, \"Cam\" on usb-2"), "{told}");
    }

    #[test]
    fn a_link_of_udev_may_lead_to_another_port_but_not_to_another_card() {
        let link = path("/dev/v4l/by-id/usb-Cam_1234-video-index0");
        let (known, moved) = (device(0, "Cam", "usb-1").identity, [device(3, "Cam", "usb-9")]);
        assert_eq!(choose(&link, Some(&moved[0].path), Some(&known), &moved), Ok(&moved[0]));
        let other = [device(3, "Other", "usb-9")];
        assert!(choose(&link, Some(&other[0].path), Some(&known), &other).is_err());
    }

    #[test]
    fn a_card_is_alone_or_named_with_its_bus() {
        let mut depth = device(1, "Cam", "usb-1");
        depth.identity.index = 2;
        let devices = [device(0, "Cam", "usb-1"), depth, device(2, "Cam", "usb-2"), device(3, "Other", "usb-3")];
        assert_eq!(choose(&card("Other", None), None, None, &devices), Ok(&devices[3]));
        assert_eq!(choose(&card("Cam", Some("usb-1")), None, None, &devices), Ok(&devices[0]));
        let told = choose(&card("Cam", None), None, None, &devices).unwrap_err();
        assert_eq!(told, "several are there, on usb-1 and on usb-2: say which with `bus`");
        assert_eq!(choose(&card("Cam", None), None, Some(&devices[2].identity), &devices), Ok(&devices[2]));
        assert!(choose(&card("Cam", Some("usb-7")), None, None, &devices).is_err());
    }

    #[test]
    fn one_that_cannot_be_opened_says_why() {
        let mut device = device(0, "Cam", "usb-1");
        device.problem = Some("Permission denied (os error 13)".into());
        let devices = [device];
        let told = choose(&card("Cam", None), None, None, &devices).unwrap_err();
        assert_eq!(told, "/dev/video0: Permission denied (os error 13)");
    }
}
