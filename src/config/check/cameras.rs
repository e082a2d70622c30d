//! Checks cameras: each kind with its own keys, each format with its own, and who triggers whom.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::document::Path;
use super::super::file::{self, CameraKind};
use super::super::findings::Findings;
use super::super::settings::{
    Camera, CameraSource, FrameFormat, JpegScale, Makeup, Pace, Pipe, Raw, Replay, V4l, VideoDevice,
};
use super::{Surroundings, not_built, reference, stray};
use crate::name::Name;

/// Whether this build can read video devices.
const READS_VIDEO: bool = cfg!(all(feature = "v4l", target_os = "linux"));

/// The keys that belong to some kinds only.
const OWNERS: [(&str, &[CameraKind], &str); 12] = [
    ("path", &[CameraKind::Replay], "`kind = \"replay\"`"),
    ("repeat", &[CameraKind::Replay], "`kind = \"replay\"`"),
    ("part_id", &[CameraKind::Replay], "`kind = \"replay\"`"),
    ("raw", &[CameraKind::Replay, CameraKind::Pipe], "the kinds \"replay\" and \"pipe\"; a `mode` says the same"),
    ("device", &[CameraKind::V4l], "`kind = \"v4l\"`"),
    ("card", &[CameraKind::V4l], "`kind = \"v4l\"`"),
    ("bus", &[CameraKind::V4l], "`kind = \"v4l\"`"),
    ("mode", &[CameraKind::V4l], "`kind = \"v4l\"`; `raw` says the same of other kinds"),
    ("controls", &[CameraKind::V4l], "`kind = \"v4l\"`"),
    ("command", &[CameraKind::Pipe], "`kind = \"pipe\"`"),
    ("silence_ms", &[CameraKind::V4l, CameraKind::Pipe], "live cameras"),
    ("jpeg_scale", &[CameraKind::Replay, CameraKind::V4l, CameraKind::Pipe], "every kind"),
];

/// Checks `[cameras]`; gives those that are whole.
pub(super) fn cameras(
    file: &file::File,
    surroundings: &Surroundings,
    findings: &mut Findings<'_>,
) -> BTreeMap<Name, Camera> {
    let mut cameras = BTreeMap::new();
    for (name, told) in file.cameras.iter().flatten() {
        let table = Path::of(&["cameras", name.as_str()]);
        let source = camera_source(told, &table, surroundings, findings);
        let pace = pace(told, &table, file, findings);
        if let (Some(source), Some(pace)) = (source, pace) {
            let delay = Duration::from_millis(told.delay_ms);
            cameras.insert(name.clone(), Camera { source, pace, expected: told.expected, delay });
        }
    }
    cameras
}

fn camera_source(
    told: &file::Camera,
    table: &Path,
    surroundings: &Surroundings,
    findings: &mut Findings<'_>,
) -> Option<CameraSource> {
    let kind = told.kind?;
    for (key, owners, owner) in OWNERS {
        if !owners.contains(&kind) {
            stray(findings, table, key, &format!("`kind = \"{}\"`", kind.as_str()), owner);
        }
    }
    match kind {
        CameraKind::Replay => {
            raw(told, table, findings);
            let path = needed(told.path.as_ref(), table, "path", kind, A_FOLDER, findings)?;
            let path = surroundings.folder.join(path);
            let file::Camera { repeat, part_id, raw, jpeg_scale, .. } = *told;
            Some(CameraSource::Replay(Replay { path, repeat, part_id, raw, jpeg_scale }))
        }
        CameraKind::V4l => v4l(told, table, surroundings, findings).map(CameraSource::V4l),
        CameraKind::Pipe => {
            raw(told, table, findings);
            let command = needed(told.command.as_ref(), table, "command", kind, A_COMMAND, findings)?.clone();
            if command.first().is_none_or(String::is_empty) {
                findings.value(&table.then("command"), "the command has no program", format!("want {A_COMMAND}"));
                return None;
            }
            let silence = told.silence_ms.map_or(SILENCE, Duration::from_millis);
            Some(CameraSource::Pipe(Pipe { command, raw: told.raw, silence, jpeg_scale: told.jpeg_scale }))
        }
    }
}

/// How long a command may be silent where nothing is said.
const SILENCE: Duration = Duration::from_secs(5);

const A_FOLDER: &str = "a folder of images, or a text file with one path a line";
const A_COMMAND: &str = "a list of the program and its arguments, such as [\"ffmpeg\", \"-i\", \"rtsp://...\"]";

/// A key that a kind cannot do without.
fn needed<'t, T>(
    told: Option<&'t T>,
    table: &Path,
    key: &str,
    kind: CameraKind,
    help: &str,
    findings: &mut Findings<'_>,
) -> Option<&'t T> {
    if told.is_none() && !findings.document().has(&table.then(key)) {
        let why = format!(", which `kind = \"{}\"` needs", kind.as_str());
        findings.missing(&table.then(key), &why).help(help);
    }
    told
}

/// Checks what raw frames are said to be.
fn raw(told: &file::Camera, table: &Path, findings: &mut Findings<'_>) {
    let Some(raw) = told.raw else { return };
    let path = table.then("raw");
    if told.jpeg_scale != JpegScale::Whole {
        let key = table.then("jpeg_scale");
        findings.value(&key, "raw frames are decoded whole", "leave out `raw` or `jpeg_scale`");
    }
    let least = raw.format.line_bytes(raw.width);
    if let Some(stride) = raw.stride.map(u64::from).filter(|stride| *stride < least) {
        let message = format!("{} is {stride}", findings.document().describe(&path.then("stride")));
        let wanted = format!("want at least the {least} bytes of {} pixels of {}", raw.width, raw.format);
        findings.value(&path.then("stride"), message, wanted);
    }
    if raw.format == FrameFormat::Mjpeg {
        findings
            .value(&path.then("format"), "\"mjpeg\" is no raw format", "leave out `raw`")
            .help("without `raw` a replay plays picture files, and a pipe JPEG pictures one after the other");
        return;
    }
    layout(raw, &path, findings);
}

/// Checks the keys that only some formats have, and how small a frame may be.
fn layout(raw: Raw, path: &Path, findings: &mut Findings<'_>) {
    let Raw { format, width, height, yuv, sample_shift, .. } = raw;
    if yuv.is_some() && !format.is_yuv() {
        let message = format!("{} has no use with {format}", findings.document().describe(&path.then("yuv")));
        findings.key(&path.then("yuv"), message, "belongs to yuyv, uyvy and nv12");
    }
    if sample_shift.is_some() && !format.is_deep() {
        let message = format!("{} has no use with {format}", findings.document().describe(&path.then("sample_shift")));
        findings.key(&path.then("sample_shift"), message, "belongs to formats with more than 8 bits a sample");
    }
    if matches!(format.makeup(), Makeup::Bayer(..)) && width.min(height) < 2 {
        let message = format!("{} is {width}x{height}", findings.document().describe(path));
        findings.value(path, message, "want at least 2x2 pixels behind a colour filter");
    }
}

fn v4l(told: &file::Camera, table: &Path, surroundings: &Surroundings, findings: &mut Findings<'_>) -> Option<V4l> {
    if !READS_VIDEO {
        let what = format!("{} is \"v4l\"", findings.document().describe(&table.then("kind")));
        not_built(findings, &table.then("kind"), &what, "v4l");
    }
    let device = device(told, table, surroundings, findings);
    let mode = needed(told.mode.as_ref(), table, "mode", CameraKind::V4l, A_MODE, findings);
    let mode = *mode?;
    let path = table.then("mode");
    layout(
        Raw { yuv: mode.yuv, sample_shift: mode.sample_shift, ..Raw::dense(mode.format, mode.width, mode.height) },
        &path,
        findings,
    );
    if told.jpeg_scale != JpegScale::Whole && mode.format != FrameFormat::Mjpeg {
        let key = table.then("jpeg_scale");
        findings.value(&key, format!("frames of {} are decoded whole", mode.format), "belongs to \"mjpeg\"");
    }
    let (silence, controls) = (told.silence_ms.map(Duration::from_millis), told.controls.clone());
    Some(V4l { device: device?, mode, silence, controls, jpeg_scale: told.jpeg_scale })
}

const A_MODE: &str = "such as { format = \"yuyv\", width = 1280, height = 720, frames_per_second = 30 }; `kenpin cameras` lists what there is";

/// How a video device is named: by its file, or by its card.
fn device(
    told: &file::Camera,
    table: &Path,
    surroundings: &Surroundings,
    findings: &mut Findings<'_>,
) -> Option<VideoDevice> {
    match (&told.device, &told.card) {
        (Some(_), Some(_)) => {
            let message = format!("{} has both a `device` and a `card`", findings.document().describe(table));
            findings.key(&table.then("card"), message, "want one of them");
            None
        }
        (Some(device), None) => {
            stray(findings, table, "bus", "`device`", "`card`");
            Some(VideoDevice::Path(surroundings.folder.join(device)))
        }
        (None, Some(card)) => Some(VideoDevice::Card { card: card.clone(), bus: told.bus.clone() }),
        (None, None) => {
            needed(None::<&String>, table, "device", CameraKind::V4l, A_DEVICE, findings);
            None
        }
    }
}

const A_DEVICE: &str =
    "such as \"/dev/video0\" or a link in /dev/v4l/by-id; or the name of the `card`, which `kenpin cameras` lists";

fn pace(told: &file::Camera, table: &Path, file: &file::File, findings: &mut Findings<'_>) -> Option<Pace> {
    if findings.is_condemned(&table.then("pace")) {
        return None;
    }
    let chosen = match told.pace {
        file::Pace::FreeRunning => "`pace = \"free-running\"`",
        file::Pace::Paced => "`pace = \"paced\"`",
        file::Pace::Triggered => "`pace = \"triggered\"`",
    };
    if told.pace != file::Pace::Paced {
        stray(findings, table, "frames_per_second", chosen, "`pace = \"paced\"`");
    }
    if told.pace != file::Pace::Triggered {
        stray(findings, table, "trigger_sensor", chosen, "`pace = \"triggered\"`");
        stray(findings, table, "trigger_queue", chosen, "`pace = \"triggered\"`");
    }
    match told.pace {
        file::Pace::FreeRunning => Some(Pace::FreeRunning),
        file::Pace::Paced => {
            if told.frames_per_second.is_none() {
                findings.missing(&table.then("frames_per_second"), ", which `pace = \"paced\"` needs");
            }
            Some(Pace::Paced { frames_per_second: told.frames_per_second? })
        }
        file::Pace::Triggered => {
            let path = table.then("trigger_sensor");
            match &told.trigger_sensor {
                Some(sensor) => reference(findings, &path, sensor, "sensor", file.sensors.keys()),
                None => drop(findings.missing(&path, ", which `pace = \"triggered\"` needs")),
            }
            Some(Pace::Triggered { sensor: told.trigger_sensor.clone()?, queue: told.trigger_queue })
        }
    }
}
