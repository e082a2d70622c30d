//! A video device that does what it is told to play, fault by fault, and says that it waited instead of waiting.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::super::controls::{Control, Kind};
use super::super::finding::{Found, Identity};
use super::super::offer::{Interval, Offer, Rates, Side, Size};
use super::super::{Buffer, Bus, Device, Given};
use crate::clock::Monotonic;
use crate::config::{FrameFormat, JpegScale, Mode, V4l, VideoDevice, YuvEncoding};

/// What the device does when it is looked at next.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Act {
    /// A whole picture, taken now.
    Picture,
    /// A picture that was taken at this moment.
    TakenAt(Monotonic),
    /// A picture without a stamp.
    Unstamped,
    /// A picture under this count.
    Count(u32),
    /// The driver says that it filled so many bytes.
    Claims(usize),
    /// These bytes.
    Bytes(Vec<u8>),
    /// The driver says that the picture is broken.
    Broken,
    /// No picture for so many looks.
    Quiet(u32),
    /// Unplugged.
    Gone,
}

pub(super) struct World {
    pub(super) devices: Vec<Found>,
    pub(super) links_to: PathBuf,
    pub(super) given: Given,
    pub(super) interval: Option<Interval>,
    pub(super) controls: Vec<Control>,
    /// Whether controls take what they are given.
    pub(super) deaf: bool,
    pub(super) acts: VecDeque<Act>,
    pub(super) opened: Vec<PathBuf>,
    pub(super) set: Vec<(String, i64)>,
    pub(super) waited: Duration,
}

#[derive(Clone)]
pub(super) struct Fake(Arc<Mutex<World>>);

pub(super) struct FakeDevice {
    fake: Fake,
    bytes: Vec<u8>,
    sequence: u32,
}

impl Fake {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    pub(super) fn play(&self, acts: impl IntoIterator<Item = Act>) {
        self.world().acts.extend(acts);
    }
}

impl Bus for Fake {
    type Device = FakeDevice;

    fn devices(&self) -> Vec<Found> {
        self.world().devices.clone()
    }

    fn resolve(&self, _path: &Path) -> Option<PathBuf> {
        let world = self.world();
        world.devices.iter().any(|device| device.path == world.links_to).then(|| world.links_to.clone())
    }

    fn open(&self, path: &Path) -> Result<FakeDevice, String> {
        self.world().opened.push(path.into());
        Ok(FakeDevice { fake: self.clone(), bytes: Vec::new(), sequence: 0 })
    }
}

impl Device for FakeDevice {
    fn offers(&self) -> Result<Vec<Offer>, String> {
        let rates = Rates::List([30, 10].map(|denominator| Interval { numerator: 1, denominator }).to_vec());
        let sizes = vec![Size { width: Side::only(4), height: Side::only(2), rates }];
        Ok(vec![Offer { fourcc: *b"GREY", description: "grey".into(), format: Some(FrameFormat::Grey), sizes }])
    }

    fn format(&self) -> Result<Given, String> {
        Ok(self.fake.world().given)
    }

    fn set_format(&mut self, _fourcc: [u8; 4], _width: u32, _height: u32) -> Result<Given, String> {
        self.format()
    }

    fn interval(&self) -> Result<Option<Interval>, String> {
        Ok(self.fake.world().interval)
    }

    fn set_interval(&mut self, _interval: Interval) -> Result<Option<Interval>, String> {
        self.interval()
    }

    fn controls(&self) -> Result<Vec<Control>, String> {
        Ok(self.fake.world().controls.clone())
    }

    fn set_control(&mut self, control: &Control, value: i64) -> Result<(), String> {
        let mut world = self.fake.world();
        world.set.push((control.name.clone(), value));
        let deaf = world.deaf;
        let known = world.controls.iter_mut().find(|known| known.id == control.id).unwrap();
        if !deaf {
            known.value = Some(value);
        }
        Ok(())
    }

    fn start(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn ready(&mut self, patience: Duration) -> Result<bool, String> {
        let mut world = self.fake.world();
        world.waited += patience;
        match world.acts.front_mut() {
            Some(Act::Quiet(looks)) if *looks > 1 => {
                *looks -= 1;
                Ok(false)
            }
            None | Some(Act::Quiet(_)) => {
                world.acts.pop_front();
                Ok(false)
            }
            Some(_) => Ok(true),
        }
    }

    fn next(&mut self) -> Result<Buffer<'_>, String> {
        let act = self.fake.world().acts.pop_front().unwrap();
        if act == Act::Gone {
            return Err("No such device (os error 19)".into());
        }
        let whole = self.fake.world().given.size as usize;
        self.bytes = if let Act::Bytes(bytes) = &act { bytes.clone() } else { (0..whole).map(|_| 7).collect() };
        self.sequence = if let Act::Count(count) = act { count } else { self.sequence.wrapping_add(1) };
        Ok(Buffer {
            used: if let Act::Claims(used) = act { used } else { self.bytes.len() },
            broken: act == Act::Broken,
            captured: match act {
                Act::TakenAt(then) => Some(then),
                Act::Unstamped => None,
                _ => Some(Monotonic::now()),
            },
            sequence: self.sequence,
            bytes: &self.bytes,
        })
    }
}

pub(super) fn found(number: u32, card: &str, bus: &str) -> Found {
    Found {
        path: format!("/dev/video{number}").into(),
        links: Vec::new(),
        identity: Identity { card: card.into(), bus: bus.into(), index: 0 },
        driver: "fake".into(),
        problem: None,
    }
}

pub(super) fn gain() -> Control {
    Control {
        id: 7,
        name: "gain".into(),
        kind: Kind::Integer,
        least: 0,
        most: 100,
        step: 1,
        default: 10,
        value: Some(10),
        items: [].into(),
        settable: true,
        inactive: false,
    }
}

/// A grey camera of 4 by 2 pixels at 10 pictures a second: a stall is 200 ms, looked at every 25 ms, a loss a second.
pub(super) fn fake() -> Fake {
    Fake(Arc::new(Mutex::new(World {
        devices: vec![found(0, "Cam", "usb-1")],
        links_to: "/dev/video0".into(),
        given: Given {
            fourcc: *b"GREY",
            width: 4,
            height: 2,
            stride: 4,
            size: 8,
            yuv: YuvEncoding::Bt601,
            whole: true,
        },
        interval: Some(Interval { numerator: 1, denominator: 10 }),
        controls: vec![gain()],
        deaf: false,
        acts: VecDeque::new(),
        opened: Vec::new(),
        set: Vec::new(),
        waited: Duration::ZERO,
    })))
}

pub(super) fn settings() -> V4l {
    let mode = Mode {
        format: FrameFormat::Grey,
        width: 4,
        height: 2,
        frames_per_second: Some(10.0),
        yuv: None,
        sample_shift: None,
    };
    let device = VideoDevice::Path("/dev/video0".into());
    V4l { device, mode, silence: None, controls: [].into(), jpeg_scale: JpegScale::Whole }
}
