//! Kept images: the frames of parts someone may want to look at, as PNG under a byte cap.
//!
//! Owns one folder and the thread named `images`. Promises: the folder's images never exceed the cap, the oldest go first,
//! and whatever is kept, not kept or removed is counted. A name is `<epoch>-<seq>-<camera>.png` with the first eight digits
//! of the journal's epoch and the sequence number of the verdict, so names sort by age.
//! Deliberately never holds up the road: when the thread is behind, a frame is not kept, and that is told.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use uuid::Uuid;

use crate::config;
use crate::flow::review::draw;
use crate::flow::verdict::Decision;
use crate::flow::{Frame, Image, PixelFormat, bound};
use crate::name::Name;
use crate::telemetry::{Event, Telemetry};

/// Why images cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("image folder {}: {cause}", folder.display())]
pub struct ImagesError {
    /// The folder.
    pub folder: PathBuf,
    /// What the system said.
    pub cause: io::Error,
}

/// Whether a passed part is drawn for the audit: true for the given `share` (0 to 1) of all parts, on average, and always the
/// same for one verdict, by its [`draw`]: of the shares for review and for keeping frames, the smaller lies in the larger.
#[must_use]
pub fn audited(epoch: Uuid, seq: u64, share: f64) -> bool {
    draw(epoch, seq) < share
}

/// The frames of verdict `seq` that these `cameras` took and that are kept, as lossless PNG.
#[must_use]
pub fn kept<'c>(
    settings: Option<&config::Images>,
    epoch: Uuid,
    seq: u64,
    cameras: impl IntoIterator<Item = &'c Name>,
) -> Vec<PathBuf> {
    let Some(config::Images { folder, .. }) = settings else { return Vec::new() };
    let path = |camera| folder.join(file_name(epoch, seq, camera));
    cameras.into_iter().map(path).filter(|path| path.is_file()).collect()
}

/// What all files that belong to one verdict begin with: the first eight digits of the journal's epoch, and the sequence number.
#[must_use]
pub fn stem(epoch: Uuid, seq: u64) -> String {
    let epoch: String = epoch.simple().to_string().chars().take(8).collect();
    format!("{epoch}-{seq:012}")
}

/// The name of the kept frame of a camera.
#[must_use]
pub fn file_name(epoch: Uuid, seq: u64, camera: &Name) -> String {
    format!("{}-{camera}.png", stem(epoch, seq))
}

struct Job {
    seq: u64,
    frame: Arc<Frame>,
}

/// The keeper of images.
#[derive(Debug)]
pub struct Images {
    epoch: Uuid,
    audit_share: f64,
    queue: SyncSender<Job>,
    thread: JoinHandle<()>,
    telemetry: Telemetry,
}

impl Images {
    /// Makes the folder where it is missing, counts what lies in it, brings it under the cap and starts the thread.
    ///
    /// # Errors
    /// [`ImagesError`] when the folder cannot be made or read.
    pub fn open(settings: &config::Images, epoch: Uuid, telemetry: &Telemetry) -> Result<Self, ImagesError> {
        let told = |cause| ImagesError { folder: settings.folder.clone(), cause };
        let mut shelf = Shelf::open(settings, epoch, telemetry.clone()).map_err(told)?;
        let (queue, jobs) = sync_channel(bound::IMAGES);
        shelf.make_room(0);
        let thread = std::thread::Builder::new().name("images".into()).spawn(move || shelf.run(&jobs)).map_err(told)?;
        Ok(Self { epoch, audit_share: settings.audit_share, queue, thread, telemetry: telemetry.clone() })
    }

    /// Whether the frames of verdict `seq` are to be kept: rejects, undecided parts, and the audited share of passes.
    #[must_use]
    pub fn wants(&self, decision: Decision, seq: u64) -> bool {
        decision != Decision::Pass || audited(self.epoch, seq, self.audit_share)
    }

    /// Hands a frame over to be kept under verdict `seq`. Never waits.
    pub fn keep(&self, seq: u64, frame: &Arc<Frame>) {
        match self.queue.try_send(Job { seq, frame: Arc::clone(frame) }) {
            Ok(()) => {}
            Err(TrySendError::Full(job)) => self.telemetry.tell(
                Event::ImageDropped,
                format_args!("verdict {seq}, camera {}: {} images already wait", job.frame.camera, bound::IMAGES),
            ),
            Err(TrySendError::Disconnected(job)) => self.telemetry.tell(
                Event::ImageDropped,
                format_args!("verdict {seq}, camera {}: the image thread has ended", job.frame.camera),
            ),
        }
    }

    /// Writes what is queued and ends the thread. Blocks until then.
    pub fn close(self) {
        drop(self.queue);
        if self.thread.join().is_err() {
            tracing::error!("the image thread ended in a panic");
        }
    }
}

/// The folder, as the image thread knows it.
struct Shelf {
    folder: PathBuf,
    epoch: Uuid,
    max_bytes: u64,
    /// Sizes by name: the first is the oldest.
    kept: BTreeMap<String, u64>,
    bytes: u64,
    telemetry: Telemetry,
}

impl Shelf {
    fn open(settings: &config::Images, epoch: Uuid, telemetry: Telemetry) -> io::Result<Self> {
        std::fs::create_dir_all(&settings.folder)?;
        let mut kept = BTreeMap::new();
        for entry in std::fs::read_dir(&settings.folder)? {
            let entry = entry?;
            if let Some(name) = entry.file_name().to_str().filter(|name| is_kept_name(name)) {
                kept.insert(name.to_owned(), entry.metadata()?.len());
            }
        }
        let bytes = kept.values().sum();
        let (folder, max_bytes) = (settings.folder.clone(), settings.max_bytes);
        Ok(Self { folder, epoch, max_bytes, kept, bytes, telemetry })
    }

    fn run(mut self, jobs: &Receiver<Job>) {
        for Job { seq, frame } in jobs {
            match self.keep(seq, &frame) {
                Ok(name) => self.telemetry.tell(Event::ImageKept, format_args!("{name}")),
                Err(why) => self
                    .telemetry
                    .tell(Event::ImageDropped, format_args!("verdict {seq}, camera {}: {why}", frame.camera)),
            }
        }
    }

    fn keep(&mut self, seq: u64, frame: &Frame) -> Result<String, String> {
        let png = png(&frame.image).map_err(|error| error.to_string())?;
        let size = png.len() as u64;
        if size > self.max_bytes {
            return Err(format!("the image has {size} bytes, the whole folder may have {}", self.max_bytes));
        }
        self.make_room(size);
        if self.bytes + size > self.max_bytes {
            return Err(format!("no room: {} of {} bytes are taken and cannot be removed", self.bytes, self.max_bytes));
        }
        let name = file_name(self.epoch, seq, &frame.camera);
        let path = self.folder.join(&name);
        write(&path, &png).map_err(|error| format!("{}: {error}", path.display()))?;
        self.bytes += size;
        self.bytes -= self.kept.insert(name.clone(), size).unwrap_or_default();
        Ok(name)
    }

    /// Removes the oldest images until `more` bytes fit under the cap.
    fn make_room(&mut self, more: u64) {
        while self.bytes + more > self.max_bytes {
            let Some((name, size)) = self.kept.pop_first() else { return };
            match std::fs::remove_file(self.folder.join(&name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::error!("image {name} of {} cannot be removed: {error}", self.folder.display());
                    self.kept.insert(name, size);
                    return;
                }
                _ => {
                    self.bytes -= size;
                    self.telemetry.tell(Event::ImageExpired, format_args!("{name}: {size} bytes"));
                }
            }
        }
    }
}

/// Whether a file name is one of ours: eight hex digits, twelve or more digits, a camera, `.png`.
fn is_kept_name(name: &str) -> bool {
    let mut pieces = name.splitn(3, '-');
    let epoch = pieces.next().is_some_and(|text| text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let seq = pieces.next().is_some_and(|text| text.len() >= 12 && text.bytes().all(|byte| byte.is_ascii_digit()));
    epoch
        && seq
        && pieces.next().is_some_and(|camera| Path::new(camera).extension().is_some_and(|ending| ending == "png"))
}

/// Writes beside the name first, so that a file with a kept name is always whole.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = path.with_extension("partial");
    std::fs::write(&partial, bytes)?;
    std::fs::rename(&partial, path)
}

/// A lossless PNG of the pixels: 16-bit frames keep their 16 bits.
///
/// # Errors
/// What the encoder refuses.
pub fn png(image: &Image) -> image::ImageResult<Vec<u8>> {
    let colour = match image.format() {
        PixelFormat::Grey8 => ExtendedColorType::L8,
        PixelFormat::Grey16 => ExtendedColorType::L16,
        PixelFormat::Rgb8 => ExtendedColorType::Rgb8,
        PixelFormat::Rgb16 => ExtendedColorType::Rgb16,
    };
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Adaptive).write_image(
        image.bytes(),
        image.width(),
        image.height(),
        colour,
    )?;
    Ok(png)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Monotonic;
    use crate::flow::pool::Pool;
    use proptest::prelude::*;

    fn frame(shade: u16) -> Arc<Frame> {
        let mut pixels = Pool::new(1).take(6 * 4 * 2);
        let words: Vec<u8> = (0..24_u16).flat_map(|place| (shade + place).to_ne_bytes()).collect();
        pixels.bytes_mut().copy_from_slice(&words);
        Arc::new(Frame {
            camera: Name::new("top-left").unwrap(),
            sequence: 0,
            captured: Monotonic::default(),
            part: None,
            image: Image::new(6, 4, PixelFormat::Grey16, pixels).unwrap(),
        })
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_kept_image_has_the_very_pixels_of_the_frame() {
        let folder = tempfile::tempdir().unwrap();
        let settings = config::Images { folder: folder.path().join("kept"), max_bytes: 100_000, audit_share: 0.0 };
        let epoch = Uuid::now_v7();
        let images = Images::open(&settings, epoch, &Telemetry::default()).unwrap();
        assert!(images.wants(Decision::Reject, 7) && images.wants(Decision::Undecided, 7));
        assert!(!images.wants(Decision::Pass, 7));
        images.keep(7, &frame(40_000));
        images.close();
        let name = format!("{}-000000000007-top-left.png", &epoch.simple().to_string()[..8]);
        assert_eq!(names(&settings.folder), [name.as_str()]);
        let read = image::open(settings.folder.join(&name)).unwrap().into_luma16();
        assert_eq!(read.into_raw(), (40_000..40_024).collect::<Vec<u16>>());
    }

    #[test]
    fn the_oldest_go_first_and_those_of_earlier_runs_count() {
        let folder = tempfile::tempdir().unwrap();
        let size = png(&frame(1).image).unwrap().len() as u64;
        let settings = config::Images { folder: folder.path().into(), max_bytes: 3 * size + 8, audit_share: 0.0 };
        std::fs::write(folder.path().join("00000000-000000000001-a.png"), vec![0; 3 * usize::try_from(size).unwrap()])
            .unwrap();
        std::fs::write(folder.path().join("notes.txt"), "not ours").unwrap();
        let telemetry = Telemetry::default();
        let images = Images::open(&settings, Uuid::now_v7(), &telemetry).unwrap();
        (1..=4).for_each(|_| images.keep(2, &frame(1)));
        images.keep(3, &frame(1));
        images.keep(4, &frame(1));
        images.keep(5, &frame(1));
        images.close();
        let left = names(folder.path());
        assert_eq!(left.len(), 4, "three images and the note: {left:?}");
        assert!(left.iter().any(|name| name == "notes.txt"));
        for (seq, name) in (3..=5).zip(&left) {
            assert!(name.contains(&format!("-{seq:012}-")), "{left:?}");
        }
        let counts = (telemetry.count(Event::ImageKept), telemetry.count(Event::ImageExpired));
        assert_eq!(counts, (7, 2), "the earlier run's and verdict 2's");
    }

    #[test]
    fn an_image_larger_than_the_cap_is_told_and_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let settings = config::Images { folder: folder.path().into(), max_bytes: 10, audit_share: 1.0 };
        let telemetry = Telemetry::default();
        let images = Images::open(&settings, Uuid::now_v7(), &telemetry).unwrap();
        images.keep(1, &frame(1));
        images.close();
        assert_eq!((names(folder.path()).len(), telemetry.count(Event::ImageDropped)), (0, 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_audited_share_is_the_share_asked_for(epoch in any::<u128>(), share in 0.0..=1.0_f64) {
            let epoch = Uuid::from_u128(epoch);
            let drawn = (0..4_000).filter(|seq| audited(epoch, *seq, share)).count();
            let (mean, spread) = (4_000.0 * share, (4_000.0 * share * (1.0 - share)).sqrt());
            let drawn = f64::from(u32::try_from(drawn).unwrap());
            prop_assert!((drawn - mean).abs() <= 6.0 * spread + 1e-9, "{drawn} of 4000 for {share}");
        }

        #[test]
        fn the_draw_is_the_same_each_time_and_grows_with_the_share(seq in any::<u64>(), a in 0.0..=1.0_f64, b in 0.0..=1.0_f64) {
            let epoch = Uuid::from_u128(7);
            prop_assert_eq!(audited(epoch, seq, a), audited(epoch, seq, a));
            prop_assert!(!audited(epoch, seq, a.min(b)) || audited(epoch, seq, a.max(b)));
            prop_assert!(!audited(epoch, seq, 0.0) && audited(epoch, seq, 1.0));
        }
    }
}
