//! A video device as a camera: found, held to exactly what was asked, read, and found again after a loss.
//!
//! Owns the judgement: which device it is, whether it gives what was asked ([`offer`], [`controls`]), whether a buffer is a
//! picture, when silence is a stall and when it is a loss. Does not touch the kernel: that is behind [`Bus`] and [`Device`],
//! whose other inhabitant plays every fault in the tests. Pixels go from the mapped buffer through one conversion into the
//! pooled buffer.

pub mod controls;
pub mod finding;
pub mod offer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::decode::{decode_jpeg, raw::Layout};
use super::{Camera, DeviceError, Shot};
use crate::clock::Monotonic;
use crate::config::{FrameFormat, JpegScale, Mode, Raw, V4l, VideoDevice, YuvEncoding};
use crate::flow::Image;
use crate::flow::pool::Pool;
use controls::Control;
use finding::{Found, Identity};
use offer::{Interval, Offer};

/// The video devices of a machine.
pub trait Bus: Send {
    /// One of them, opened.
    type Device: Device;

    /// Those that capture pictures, in the order of their numbers; also those that cannot be opened, with the reason.
    fn devices(&self) -> Vec<Found>;

    /// The file that a path leads to, over links.
    fn resolve(&self, path: &Path) -> Option<PathBuf>;

    /// Opens the device.
    ///
    /// # Errors
    /// What the system said.
    fn open(&self, path: &Path) -> Result<Self::Device, String>;
}

/// One video device, opened. Every error is what the system said, in one sentence.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
pub trait Device: Send {
    /// What it says it can do.
    fn offers(&self) -> Result<Vec<Offer>, String>;
    /// What it is set to.
    fn format(&self) -> Result<Given, String>;
    /// Sets format and size; gives what it is then set to, which may be something else.
    fn set_format(&mut self, fourcc: [u8; 4], width: u32, height: u32) -> Result<Given, String>;
    /// Seconds from picture to picture, where it tells.
    fn interval(&self) -> Result<Option<Interval>, String>;
    /// Sets the interval; gives what it is then set to, where it tells.
    fn set_interval(&mut self, interval: Interval) -> Result<Option<Interval>, String>;
    /// Its controls.
    fn controls(&self) -> Result<Vec<Control>, String>;
    /// Sets a control.
    fn set_control(&mut self, control: &Control, value: i64) -> Result<(), String>;
    /// Begins to take pictures.
    fn start(&mut self) -> Result<(), String>;
    /// Waits for a picture; whether there is one.
    fn ready(&mut self, patience: Duration) -> Result<bool, String>;
    /// Takes the oldest picture that is ready, and gives the one before back to the device.
    fn next(&mut self) -> Result<Buffer<'_>, String>;
}

/// What a device is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// The four-character code of the format.
    pub fourcc: [u8; 4],
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bytes from the begin of a line to the next; 0 where the driver does not say.
    pub stride: u32,
    /// Bytes of a buffer.
    pub size: u32,
    /// What luminance and colour differences stand for.
    pub yuv: YuvEncoding,
    /// Whether a buffer holds a whole picture, and not every other line of it.
    pub whole: bool,
}

/// One picture in the memory it shares with the kernel.
#[derive(Debug, Clone, Copy)]
pub struct Buffer<'b> {
    /// The whole buffer.
    pub bytes: &'b [u8],
    /// How many of its bytes the driver says it has filled.
    pub used: usize,
    /// Whether the driver says that something is wrong with it.
    pub broken: bool,
    /// When it was taken, where the kernel stamped it on the monotonic clock.
    pub captured: Option<Monotonic>,
    /// The device's own count of pictures.
    pub sequence: u32,
}

/// How long the first picture may take: sensors have to wake up.
const FIRST: Duration = Duration::from_secs(5);
/// How long a device that tells no rate may take for a picture.
const UNTOLD: Duration = Duration::from_millis(500);
/// A shorter silence than this loses no camera: starting it again would take longer.
const LEAST: Duration = Duration::from_secs(1);
/// After so many unreadable pictures in a row the camera is started again.
const UNREADABLE: u32 = 8;
/// More pictures than any driver holds that were taken before they were asked for.
const STALE: u32 = 64;

/// A video device, played by the settings.
#[derive(Debug)]
pub struct VideoCamera<B: Bus> {
    bus: B,
    settings: V4l,
    every: bool,
    known: Option<Identity>,
    what: String,
    live: Option<Live<B::Device>>,
}

/// A device that does what was asked.
#[derive(Debug)]
struct Live<D> {
    device: D,
    reader: Reader,
    patience: Patience,
    silent: Duration,
    stalled: bool,
    unreadable: u32,
    sequence: Option<u32>,
}

/// When silence is a stall, and when a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Patience {
    stall: Duration,
    loss: Duration,
}

impl Patience {
    /// A stall is twice the interval. A loss is twice that, but never so soon that starting again would take longer.
    fn of(silence: Option<Duration>, interval: Option<Interval>) -> Self {
        let interval = interval.map_or(UNTOLD, Interval::duration);
        let (stall, loss) = (interval * 2, (interval * 4).max(LEAST));
        silence.map_or(Self { stall, loss }, |silence| Self { stall: silence, loss: silence })
    }

    /// How long to wait at a time: short against a stall, so that it is told in time, and against a stop.
    fn slice(self) -> Duration {
        let milliseconds = u64::try_from(self.stall.as_millis() / 8).unwrap_or(u64::MAX);
        Duration::from_millis(milliseconds.clamp(1, 100))
    }
}

impl<B: Bus> VideoCamera<B> {
    /// Finds the device and holds it to the settings. With `every` each picture is given in turn, else the first that is
    /// finished after it was asked for.
    ///
    /// # Errors
    /// [`DeviceError::Failed`]: there is no such device, it cannot be opened, or it does not give what is asked, with what it
    /// offers.
    pub fn open(bus: B, settings: V4l, every: bool) -> Result<Self, DeviceError> {
        let what = match &settings.device {
            VideoDevice::Path(path) => format!("video device {}", path.display()),
            VideoDevice::Card { card, bus } => {
                let bus = bus.as_ref().map_or_else(String::new, |bus| format!(" on {bus}"));
                format!("video device \"{card}\"{bus}")
            }
        };
        let mut camera = Self { bus, settings, every, known: None, what, live: None };
        camera.connect().map_err(|cause| DeviceError::failed(&camera.what, &cause))?;
        Ok(camera)
    }

    /// Finds the device, the same as before where there was one, and sets it up.
    fn connect(&mut self) -> Result<(), String> {
        let devices = self.bus.devices();
        let resolved = match &self.settings.device {
            VideoDevice::Path(path) => self.bus.resolve(path),
            VideoDevice::Card { .. } => None,
        };
        let found = finding::choose(&self.settings.device, resolved.as_deref(), self.known.as_ref(), &devices)?;
        let mut device = self.bus.open(&found.path)?;
        let (reader, interval) = set_up(&mut device, &self.settings)?;
        tracing::info!("{}: {found}, {reader}, {}", self.what, offer::rate(interval));
        self.known = Some(found.identity.clone());
        let patience = Patience::of(self.settings.silence, interval);
        let live =
            Live { device, reader, patience, silent: Duration::ZERO, stalled: false, unreadable: 0, sequence: None };
        self.live = Some(live);
        Ok(())
    }
}

/// Sets format, rate and controls, and refuses anything else than what was asked.
fn set_up<D: Device>(device: &mut D, settings: &V4l) -> Result<(Reader, Option<Interval>), String> {
    let mode = settings.mode;
    let given = device.set_format(mode.format.fourcc(), mode.width, mode.height)?;
    let reader = Reader::of(&mode, given, settings.jpeg_scale).map_err(|why| {
        let offers = device.offers().unwrap_or_default();
        format!("{why}; {}", offer::instead(&offers, &mode))
    })?;
    let interval = match mode.frames_per_second {
        None => device.interval()?,
        Some(asked) => {
            let offers = device.offers().unwrap_or_default();
            let given = device.set_interval(offer::nearest(&offers, &mode, asked))?;
            if !given.is_some_and(|given| given.is(asked)) {
                let seen = offer::rate(given);
                return Err(format!(
                    "it was set to {asked} pictures a second and gives {seen}; {}",
                    offer::instead(&offers, &mode)
                ));
            }
            given
        }
    };
    controls::apply(device, &settings.controls)?;
    Ok((reader, interval))
}

/// How buffers become pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reader {
    mode: (FrameFormat, u32, u32),
    /// Where the pixels lie; `None` where each buffer is a JPEG picture.
    layout: Option<Layout>,
    /// The most bytes that a buffer may have.
    most: usize,
    scale: JpegScale,
}

impl std::fmt::Display for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (format, width, height) = self.mode;
        write!(f, "{format} {width}x{height}")
    }
}

impl Reader {
    /// For what was given, which must be what was asked.
    fn of(mode: &Mode, given: Given, scale: JpegScale) -> Result<Self, String> {
        let Mode { format, width, height, .. } = *mode;
        if FrameFormat::of(given.fourcc) != Some(format) || (given.width, given.height) != (width, height) {
            let seen = format!("{} {}x{}", offer::code(given.fourcc), given.width, given.height);
            return Err(format!("it was set to {format} {width}x{height} and gives {seen}"));
        }
        if !given.whole {
            return Err("it gives every other line of a picture at a time, want whole pictures".into());
        }
        let stride = Some(given.stride).filter(|stride| *stride > 0);
        let yuv = mode.yuv.or(Some(given.yuv)).filter(|_| format.is_yuv());
        let raw = Raw { format, width, height, stride, yuv, sample_shift: mode.sample_shift };
        let layout = (format != FrameFormat::Mjpeg).then(|| Layout::of(raw)).transpose()?;
        let size = given.size as usize;
        let size = if size == 0 { usize::MAX } else { size };
        let most = layout.as_ref().map_or(size, |layout| layout.bytes().max(given.size as usize));
        Ok(Self { mode: (format, width, height), layout, most, scale })
    }

    /// The picture in a buffer.
    fn read(&self, buffer: Buffer<'_>, pool: &Pool) -> Result<Image, String> {
        let Buffer { bytes, used, broken, .. } = buffer;
        if broken {
            return Err(format!("the driver says that its {used} bytes are broken"));
        }
        if used > bytes.len() || used > self.most {
            let most = bytes.len().min(self.most);
            return Err(format!("the driver says that there are {used} bytes in a buffer of {most}"));
        }
        let Some(layout) = &self.layout else { return self.read_jpeg(&bytes[..used], pool) };
        layout.convert(&bytes[..used.min(layout.bytes())], pool)
    }

    fn read_jpeg(&self, bytes: &[u8], pool: &Pool) -> Result<Image, String> {
        let image = decode_jpeg(bytes, self.scale, pool)?;
        let (_, width, height) = self.mode;
        let scaled = |side: u32| (side * u32::from(self.scale.eighths())).div_ceil(8);
        if (image.width(), image.height()) != (scaled(width), scaled(height)) {
            let (wide, high) = (image.width(), image.height());
            return Err(format!("the picture is {wide}x{high}, want {}x{}", scaled(width), scaled(height)));
        }
        Ok(image)
    }
}

impl<B: Bus> Camera for VideoCamera<B> {
    fn start(&mut self) -> Result<(), DeviceError> {
        let ready = if self.live.is_some() { Ok(()) } else { self.connect() };
        let started = ready.and_then(|()| self.live.as_mut().map_or(Ok(()), |live| live.device.start()));
        started.map_err(|cause| {
            self.live = None;
            DeviceError::lost(&self.what, &cause)
        })
    }

    fn capture(&mut self, pool: &Pool, stop: &CancellationToken) -> Result<Option<Shot>, DeviceError> {
        let Some(live) = &mut self.live else { return Err(DeviceError::lost(&self.what, &"it is not started")) };
        let taken = live.take(self.every, pool, stop).map_err(|fault| fault.of(&self.what));
        if let Err(DeviceError::Lost { .. }) = taken {
            self.live = None;
        }
        taken
    }
}

/// Why there is no picture.
enum Fault {
    Unreadable(String),
    Stalled(String),
    Lost(String),
}

impl Fault {
    fn of(self, what: &str) -> DeviceError {
        let what = what.to_owned();
        match self {
            Self::Unreadable(cause) => DeviceError::Unreadable { what, cause },
            Self::Stalled(cause) => DeviceError::Stalled { what, cause },
            Self::Lost(cause) => DeviceError::Lost { what, cause },
        }
    }
}

impl<D: Device> Live<D> {
    /// The next picture, or the first that is finished from now on; `None` when `stop` came.
    fn take(&mut self, every: bool, pool: &Pool, stop: &CancellationToken) -> Result<Option<Shot>, Fault> {
        let asked = Monotonic::now();
        for _ in 0..STALE {
            if !self.wait(stop)? {
                return Ok(None);
            }
            let Self { device, reader, sequence, .. } = self;
            let buffer = device.next().map_err(Fault::Lost)?;
            let before = sequence.replace(buffer.sequence);
            let now = Monotonic::now();
            let captured = buffer.captured.unwrap_or(now).min(now);
            if !every && captured < asked {
                continue;
            }
            let image = reader.read(buffer, pool);
            let missed = before.filter(|_| every).map_or(0, |before| gap(before, buffer.sequence));
            return self.judge(image).map(|image| Some(Shot { image, captured, part: None, missed }));
        }
        Err(Fault::Unreadable(format!("{STALE} pictures in a row are stamped before they were asked for")))
    }

    /// Waits for a picture; false when `stop` came.
    fn wait(&mut self, stop: &CancellationToken) -> Result<bool, Fault> {
        let slice = self.patience.slice();
        while !stop.is_cancelled() {
            if self.device.ready(slice).map_err(Fault::Lost)? {
                (self.silent, self.stalled) = (Duration::ZERO, false);
                return Ok(true);
            }
            self.silent += slice;
            // Before the first picture there is nothing that could stall.
            let first = self.sequence.is_none();
            let Patience { stall, loss } = self.patience;
            let loss = if first { loss.max(FIRST) } else { loss };
            if self.silent >= loss {
                return Err(Fault::Lost(format!("no picture for {:.1?}, it is started again", self.silent)));
            }
            if !first && !self.stalled && self.silent >= stall {
                self.stalled = true;
                return Err(Fault::Stalled(format!("no picture for {:.1?}, want one within {stall:.1?}", self.silent)));
            }
        }
        Ok(false)
    }

    /// Counts unreadable pictures: one is lost by itself, many in a row are a device that went wrong.
    fn judge(&mut self, image: Result<Image, String>) -> Result<Image, Fault> {
        image.inspect(|_| self.unreadable = 0).map_err(|why| {
            self.unreadable += 1;
            if self.unreadable < UNREADABLE {
                return Fault::Unreadable(why);
            }
            Fault::Lost(format!("{UNREADABLE} pictures in a row cannot be read, the last: {why}"))
        })
    }
}

/// How many pictures are missing between two counts. A count that runs backwards began anew.
fn gap(before: u32, now: u32) -> u64 {
    match now.wrapping_sub(before) {
        steps @ 1..=0x7fff_ffff => u64::from(steps) - 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
