//! `kenpin cameras shot`: one picture of a config's camera or of a device, as a PNG file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use tokio_util::sync::CancellationToken;

use crate::cli::line;
use crate::config::{Camera, CameraSource, FrameFormat, JpegScale, Mode, Pace, V4l, VideoDevice};
use crate::flow::acquire::{DeviceError, Shot, open_camera};
use crate::flow::pool::Pool;
use crate::name::Name;
use crate::record::images;

/// How many pictures may be unreadable: cameras often begin with a torn one.
const TRIES: usize = 8;

/// Take a picture with a config's camera, or with a device, and save it as PNG.
///
/// A camera of a config is opened exactly as `kenpin run` opens it: with its mode, its controls and its conversion, so the picture
/// is what models are shown. 16-bit pictures keep their 16 bits.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A config file, or the file of a video device such as /dev/video0.
    source: PathBuf,
    /// The config's camera, where it has several.
    #[arg(long, value_parser = |text: &str| Name::new(text))]
    camera: Option<Name>,
    /// Of a device: FORMAT:WIDTHxHEIGHT or FORMAT:WIDTHxHEIGHT@RATE, as yuyv:1280x720@30; without it what the device is set to.
    #[arg(long, value_parser = mode)]
    mode: Option<Mode>,
    /// The picture's file; it is overwritten.
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,
}

/// Reads `FORMAT:WIDTHxHEIGHT` with or without `@RATE`.
fn mode(text: &str) -> Result<Mode, String> {
    let (format, rest) = text.split_once(':').ok_or("want FORMAT:WIDTHxHEIGHT, as yuyv:1280x720")?;
    let known = FrameFormat::ALL.map(|(format, ..)| format);
    let format = known.into_iter().find(|known| known.to_string() == format).ok_or_else(|| {
        let names: Vec<String> = known.iter().map(FrameFormat::to_string).collect();
        format!("there is no format {format}, want one of {}", names.join(", "))
    })?;
    let (size, rate) = rest.split_once('@').map_or((rest, None), |(size, rate)| (size, Some(rate)));
    let sides = size.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let (width, height) = sides.ok_or_else(|| format!("{size} is no size, want WIDTHxHEIGHT, as 1280x720"))?;
    let rate = rate.map(|text| {
        let rate = text.parse().ok().filter(|rate: &f64| *rate > 0.0 && *rate <= 1000.0);
        rate.ok_or_else(|| format!("{text} is no rate, want pictures a second above 0 and at most 1000"))
    });
    Ok(Mode { format, width, height, frames_per_second: rate.transpose()?, yuv: None, sample_shift: None })
}

/// Takes the picture and saves it.
///
/// # Errors
/// What the config, the device or the file system refuse.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    super::super::start_logging(true);
    let settings = if args.source.starts_with("/dev") {
        anyhow::ensure!(
            args.camera.is_none(),
            "--camera names a camera of a config, and {} is a device",
            args.source.display()
        );
        device(&args.source, args.mode)?
    } else {
        anyhow::ensure!(
            args.mode.is_none(),
            "--mode is for a device: {} says its cameras' modes itself",
            args.source.display()
        );
        let settings = match super::super::load_settings(&args.source) {
            Ok(settings) => settings,
            Err(code) => return Ok(code),
        };
        let name = line::camera(args.camera.as_ref(), &args.source, &settings)?;
        settings.cameras.get(&name).with_context(|| format!("there is no camera {name}"))?.clone()
    };
    let Shot { image, .. } = take(&settings)?;
    let png = images::png(&image)?;
    std::fs::write(&args.out, &png).with_context(|| format!("{} cannot be written", args.out.display()))?;
    let (width, height, format) = (image.width(), image.height(), image.format());
    super::super::say(format_args!("{}: {width}x{height} {format:?}, {} bytes", args.out.display(), png.len()))?;
    Ok(ExitCode::SUCCESS)
}

/// A device by itself.
fn device(path: &Path, mode: Option<Mode>) -> anyhow::Result<Camera> {
    let device = VideoDevice::Path(path.into());
    let mode = mode.map_or_else(|| set_to(path), Ok)?;
    let source =
        CameraSource::V4l(V4l { device, mode, silence: None, controls: [].into(), jpeg_scale: JpegScale::Whole });
    Ok(Camera { source, pace: Pace::FreeRunning, expected: true, delay: std::time::Duration::ZERO })
}

/// What a device is set to.
#[cfg(all(feature = "v4l", target_os = "linux"))]
fn set_to(path: &Path) -> anyhow::Result<Mode> {
    use crate::flow::acquire::v4l::Devices;
    use crate::flow::acquire::video::{Bus as _, Device as _, offer};
    let asked = Devices.open(path).and_then(|device| device.format());
    let given = asked.map_err(|why| anyhow::anyhow!("{}: {why}", path.display()))?;
    let Some(format) = FrameFormat::of(given.fourcc) else {
        let (path, code) = (path.display(), offer::code(given.fourcc));
        bail!(
            "{path} is set to {code}, which is not read: say with --mode what else it is to give (`kenpin cameras` lists it)"
        );
    };
    let (width, height) = (given.width, given.height);
    Ok(Mode { format, width, height, frames_per_second: None, yuv: None, sample_shift: None })
}

#[cfg(not(all(feature = "v4l", target_os = "linux")))]
fn set_to(_path: &Path) -> anyhow::Result<Mode> {
    bail!("video devices: {}", crate::flow::acquire::NOT_BUILT)
}

/// The first picture that can be read.
fn take(settings: &Camera) -> anyhow::Result<Shot> {
    let (pool, stop) = (Pool::new(1), CancellationToken::new());
    let mut camera = open_camera(settings)?;
    camera.start()?;
    let mut last = None;
    for _ in 0..TRIES {
        match camera.capture(&pool, &stop) {
            Ok(Some(shot)) => return Ok(shot),
            Ok(None) => bail!("the camera has come to its end without a picture"),
            Err(error @ (DeviceError::Unreadable { .. } | DeviceError::Stalled { .. })) => last = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    Err(last.map_or_else(|| anyhow::anyhow!("no picture"), Into::into))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_format_size_and_rate() {
        let read = mode("bayer-rggb10:1280x720@29.97").unwrap();
        assert_eq!((read.format, read.width, read.height), (FrameFormat::BayerRggb10, 1280, 720));
        assert_eq!(read.frames_per_second, Some(29.97));
        assert_eq!(mode("yuyv:640x360").unwrap().frames_per_second, None);
        assert!(mode("yuv:640x360").unwrap_err().starts_with("there is no format yuv, want one of yuyv, uyvy"));
        assert!(mode("yuyv:640").unwrap_err().starts_with("640 is no size"));
        assert!(mode("yuyv:640x360@0").unwrap_err().starts_with("0 is no rate"));
        assert!(mode("yuyv").is_err());
    }
}
