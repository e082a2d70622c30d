//! Video devices of Linux by the crate `v4l`: the only file that touches it.
//!
//! Owns nothing but the translation; what an answer means is judged in [`super::video`]. The crate has traps that are kept out
//! of here. Its `next` gives a buffer back before it waits, and after a time-out gives the same one back again, which the
//! kernel refuses: so nothing is asked of it before `poll` says that a picture is there, and after any error the device is
//! dropped. Its own start queues no buffer: all but the first are queued here, and that one by the first `next`. It panics
//! where a driver answers with what it does not know, and where giving up a device fails: every call is caught, and a device
//! that cannot be given up is left to the kernel. It knows no devices that capture in several planes.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use v4l::buffer::{Flags, Type};
use v4l::capability::Flags as Abilities;
use v4l::control::{Description, Flags as ControlFlags, MenuItem, Type as ControlType, Value};
use v4l::format::{Colorspace, FieldOrder, Quantization};
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::io::mmap::Stream as Mapped;
use v4l::io::traits::{CaptureStream as _, Stream as _};
use v4l::parameters::Capabilities;
use v4l::video::Capture as _;
use v4l::video::capture::Parameters;
use v4l::{Format, FourCC, Fraction};

use super::video::controls::{Control, Kind, name};
use super::video::finding::{Found, Identity};
use super::video::offer::{Interval, Offer, Rates, Side, Size};
use super::video::{Buffer, Bus, Device, Given};
use crate::clock::Monotonic;
use crate::config::{FrameFormat, YuvEncoding};

/// Buffers that are shared with the kernel: one in our hands, one being filled, two for a moment of delay.
const BUFFERS: u32 = 4;
/// More buffers than a driver gives.
const MOST_BUFFERS: usize = 64;

/// The video devices of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Devices;

/// One of them.
pub struct Video {
    device: v4l::Device,
    stream: Option<Mapped<'static>>,
}

/// Calls the crate; `what` says what for.
fn called<T>(what: &str, call: impl FnOnce() -> io::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(format!("{what}: {error}")),
        Err(_) => Err(format!("{what}: the driver answers with something that the crate `v4l` does not know")),
    }
}

impl Bus for Devices {
    type Device = Video;

    fn devices(&self) -> Vec<Found> {
        let number = |entry: io::Result<std::fs::DirEntry>| -> Option<u32> {
            entry.ok()?.file_name().to_str()?.strip_prefix("video")?.parse().ok()
        };
        let mut numbers: Vec<u32> = std::fs::read_dir("/dev").into_iter().flatten().filter_map(number).collect();
        numbers.sort_unstable();
        let links = links();
        numbers.into_iter().filter_map(|number| found(number, &links)).collect()
    }

    fn resolve(&self, path: &Path) -> Option<PathBuf> {
        path.canonicalize().ok()
    }

    fn open(&self, path: &Path) -> Result<Video, String> {
        let device = called("it cannot be opened", || v4l::Device::with_path(path))?;
        Ok(Video { device, stream: None })
    }
}

/// The links that udev makes, with the files they lead to.
fn links() -> Vec<(PathBuf, PathBuf)> {
    let folders = ["/dev/v4l/by-id", "/dev/v4l/by-path"].into_iter();
    let entries = folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let mut links: Vec<_> =
        entries.filter_map(|entry| Some((entry.path(), entry.path().canonicalize().ok()?))).collect();
    links.sort();
    links
}

/// The device with a number; nothing where it takes no pictures.
fn found(number: u32, links: &[(PathBuf, PathBuf)]) -> Option<Found> {
    let path = PathBuf::from(format!("/dev/video{number}"));
    let told = |file: &str| {
        let text = std::fs::read_to_string(format!("/sys/class/video4linux/video{number}/{file}"));
        text.map(|text| text.trim().to_owned()).unwrap_or_default()
    };
    let links = links.iter().filter(|(_, to)| *to == path).map(|(link, _)| link.clone()).collect();
    let index = told("index").parse().unwrap_or_default();
    let asked =
        Devices.open(&path).and_then(|video| called("it does not say what it is", || video.device.query_caps()));
    let (card, bus, driver, problem) = match asked {
        Err(why) => (told("name"), String::new(), String::new(), Some(why)),
        Ok(caps) => (caps.card, caps.bus, caps.driver, useless(caps.capabilities)?),
    };
    Some(Found { path, links, identity: Identity { card, bus, index }, driver, problem })
}

/// Why a device that takes pictures is of no use, or nothing; `None` where it takes none.
#[expect(clippy::option_option, reason = "takes no pictures, or takes them and may have a problem")]
fn useless(abilities: Abilities) -> Option<Option<String>> {
    let several = abilities.contains(Abilities::VIDEO_CAPTURE_MPLANE);
    if !several && !abilities.contains(Abilities::VIDEO_CAPTURE) {
        return None;
    }
    Some(if several {
        Some("it captures in several planes only, which Kenpin does not read: use a pipe".into())
    } else if !abilities.contains(Abilities::STREAMING) {
        Some("it shares no memory, which Kenpin needs".into())
    } else {
        None
    })
}

impl Device for Video {
    fn offers(&self) -> Result<Vec<Offer>, String> {
        let formats = called("it does not list its formats", || self.device.enum_formats())?;
        Ok(formats
            .into_iter()
            .map(|known| {
                let format = FrameFormat::of(known.fourcc.repr);
                let sizes = if format.is_some() { self.sizes(known.fourcc) } else { Vec::new() };
                Offer { fourcc: known.fourcc.repr, description: known.description, format, sizes }
            })
            .collect())
    }

    fn format(&self) -> Result<Given, String> {
        called("it does not say what it is set to", || self.device.format()).map(given)
    }

    fn set_format(&mut self, fourcc: [u8; 4], width: u32, height: u32) -> Result<Given, String> {
        let asked = Format::new(width, height, FourCC::new(&fourcc));
        called("its format cannot be set", || self.device.set_format(&asked)).map(given)
    }

    fn interval(&self) -> Result<Option<Interval>, String> {
        told(called("it does not say its rate", || rateless(self.device.params())))
    }

    fn set_interval(&mut self, interval: Interval) -> Result<Option<Interval>, String> {
        let asked = Parameters::new(Fraction::new(interval.numerator, interval.denominator));
        told(called("its rate cannot be set", || rateless(self.device.set_params(&asked))))
    }

    fn controls(&self) -> Result<Vec<Control>, String> {
        let known = called("it does not list its controls", || match self.device.query_controls() {
            // A device without controls.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOTTY | libc::EINVAL)) => Ok(Vec::new()),
            listed => listed,
        })?;
        let of_use =
            |known: &Description| known.typ != ControlType::CtrlClass && !known.flags.contains(ControlFlags::DISABLED);
        Ok(known.into_iter().filter(of_use).map(|known| self.control(known)).collect())
    }

    fn set_control(&mut self, control: &Control, value: i64) -> Result<(), String> {
        let value = if control.kind == Kind::Boolean { Value::Boolean(value != 0) } else { Value::Integer(value) };
        called("it does not take it", || self.device.set_control(v4l::Control { id: control.id, value }))
    }

    fn start(&mut self) -> Result<(), String> {
        let stream = called("it shares no memory", || Mapped::with_buffers(&self.device, Type::VideoCapture, BUFFERS))?;
        let stream = self.stream.insert(stream);
        // How many it gave is not told: the kernel refuses the first that is not there. Number 0 is queued by `next`.
        let queued = called("its memory cannot be used", || {
            Ok((1..MOST_BUFFERS).take_while(|index| stream.queue(*index).is_ok()).count())
        })?;
        if queued == 0 {
            return Err("it gives one buffer only, want two".into());
        }
        // Only in case that a picture which `poll` saw is gone.
        stream.set_timeout(Duration::from_secs(1));
        called("it cannot be started", || stream.start())
    }

    fn ready(&mut self, patience: Duration) -> Result<bool, String> {
        let milliseconds = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX).max(1);
        called("waiting for a picture", || match self.device.handle().poll(libc::POLLIN, milliseconds) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            polled => polled.map(|ready| ready > 0),
        })
    }

    fn next(&mut self) -> Result<Buffer<'_>, String> {
        let stream = self.stream.as_mut().ok_or("it is not started")?;
        let (bytes, told) = called("taking a picture", || stream.next())?;
        Ok(Buffer {
            bytes,
            used: told.bytesused as usize,
            broken: told.flags.contains(Flags::ERROR),
            captured: stamp(told.flags, told.timestamp),
            sequence: told.sequence,
        })
    }
}

/// A time on the monotonic clock; nothing where the driver stamps with another.
fn stamp(flags: Flags, time: v4l::Timestamp) -> Option<Monotonic> {
    let monotonic = flags & Flags::TIMESTAMP_MASK == Flags::TIMESTAMP_MONOTONIC;
    let (seconds, microseconds) = (u64::try_from(time.sec).ok()?, u64::try_from(time.usec).ok()?);
    let nanoseconds = seconds.checked_mul(1_000_000_000)?.checked_add(microseconds.checked_mul(1000)?)?;
    (monotonic && nanoseconds > 0).then(|| Monotonic::from_nanos(nanoseconds))
}

/// What a device is set to. Of the encodings those of BT.601 and BT.709 are told apart; what is neither counts as BT.601.
fn given(format: Format) -> Given {
    let full = matches!(format.quantization, Quantization::FullRange) || matches!(format.colorspace, Colorspace::JPEG);
    let yuv = match (format.colorspace, full) {
        (Colorspace::Rec709, false) => YuvEncoding::Bt709,
        (Colorspace::Rec709, true) => YuvEncoding::Bt709Full,
        (_, false) => YuvEncoding::Bt601,
        (_, true) => YuvEncoding::Bt601Full,
    };
    let whole = matches!(format.field_order, FieldOrder::Any | FieldOrder::Progressive | FieldOrder::Interlaced);
    let Format { width, height, fourcc, stride, size, .. } = format;
    Given { fourcc: fourcc.repr, width, height, stride, size, yuv, whole }
}

/// Parameters, or nothing from a device that has none.
fn rateless(asked: io::Result<Parameters>) -> io::Result<Option<Parameters>> {
    match asked {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOTTY | libc::EINVAL)) => Ok(None),
        answer => answer.map(Some),
    }
}

/// The interval in the answer.
fn told(answer: Result<Option<Parameters>, String>) -> Result<Option<Interval>, String> {
    let told = answer?.filter(|told| told.capabilities.contains(Capabilities::TIME_PER_FRAME));
    Ok(told.map(|told| interval(told.interval)).filter(|told| told.numerator > 0 && told.denominator > 0))
}

fn interval(fraction: Fraction) -> Interval {
    Interval { numerator: fraction.numerator, denominator: fraction.denominator }
}

impl Video {
    /// The sizes of a format, each with its rates; none where the device does not list them.
    fn sizes(&self, fourcc: FourCC) -> Vec<Size> {
        let sizes = called("", || self.device.enum_framesizes(fourcc)).unwrap_or_default();
        let sides = sizes.into_iter().map(|size| match size.size {
            FrameSizeEnum::Discrete(size) => (Side::only(size.width), Side::only(size.height)),
            FrameSizeEnum::Stepwise(range) => (
                Side { least: range.min_width, most: range.max_width, step: range.step_width },
                Side { least: range.min_height, most: range.max_height, step: range.step_height },
            ),
        });
        sides
            .map(|(width, height)| Size { width, height, rates: self.rates(fourcc, width.most, height.most) })
            .collect()
    }

    /// The rates of a size.
    fn rates(&self, fourcc: FourCC, width: u32, height: u32) -> Rates {
        let listed = called("", || self.device.enum_frameintervals(fourcc, width, height)).unwrap_or_default();
        let mut rates = Vec::new();
        for one in listed {
            match one.interval {
                FrameIntervalEnum::Discrete(fraction) => rates.push(interval(fraction)),
                FrameIntervalEnum::Stepwise(range) => {
                    return Rates::Range { shortest: interval(range.min), longest: interval(range.max) };
                }
            }
        }
        Rates::List(rates)
    }

    /// A control with its value, where the crate can read it.
    fn control(&self, known: Description) -> Control {
        let kind = match known.typ {
            _ if known.flags.contains(ControlFlags::HAS_PAYLOAD) => Kind::Other,
            ControlType::Boolean => Kind::Boolean,
            ControlType::Menu | ControlType::IntegerMenu => Kind::Menu,
            ControlType::Integer | ControlType::Integer64 => Kind::Integer,
            _ => Kind::Other,
        };
        let readable = kind != Kind::Other && !known.flags.contains(ControlFlags::WRITE_ONLY);
        let value = readable.then(|| called("", || self.device.control(known.id)).ok()).flatten();
        let items = known.items.into_iter().flatten().map(|(number, item)| (i64::from(number), words(item)));
        Control {
            id: known.id,
            name: name(&known.name),
            kind,
            least: known.minimum,
            most: known.maximum,
            step: known.step,
            default: known.default,
            value: value.and_then(|control| match control.value {
                Value::Integer(number) => Some(number),
                Value::Boolean(flag) => Some(i64::from(flag)),
                _ => None,
            }),
            items: items.collect::<BTreeMap<_, _>>(),
            settable: !known.flags.intersects(ControlFlags::READ_ONLY | ControlFlags::GRABBED),
            inactive: known.flags.contains(ControlFlags::INACTIVE),
        }
    }
}

fn words(item: MenuItem) -> String {
    match item {
        MenuItem::Name(name) => name.trim_end_matches('\0').to_owned(),
        MenuItem::Value(value) => value.to_string(),
    }
}

impl Drop for Video {
    fn drop(&mut self) {
        let Some(mut stream) = self.stream.take() else { return };
        // The crate panics when a stream cannot be stopped, unless the device is gone.
        match called("it cannot be stopped", || match stream.stop() {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
            stopped => stopped,
        }) {
            Ok(()) => drop(called("it cannot be given up", || {
                drop(stream);
                Ok(())
            })),
            Err(why) => {
                tracing::error!("a video device: {why}; its memory is left to the kernel");
                std::mem::forget(stream);
            }
        }
    }
}

impl std::fmt::Debug for Video {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Video").field("streams", &self.stream.is_some()).finish_non_exhaustive()
    }
}
