//! Acquire, the first stage: pictures and sensor text come in and are stamped on `CLOCK_MONOTONIC`.
//!
//! Promises: a picture is decoded once, into a pooled buffer; every picture or line that is lost on the way is counted.
//! Does not join, judge or wait for anything downstream except where a queue says so.

pub mod camera;
pub mod decode;
pub mod lines;
pub mod pipe;
pub mod replay;
pub mod sensor;
#[cfg(all(feature = "v4l", target_os = "linux"))]
pub mod v4l;
pub mod video;

pub use camera::{CameraTask, spawn_camera};
pub use sensor::{Letter, SensorTask, open_sensor};

use std::fmt;

use tokio_util::sync::CancellationToken;

use crate::clock::Monotonic;
use crate::config;
use crate::flow::pool::Pool;
use crate::flow::{Image, PartId};

/// One picture, fresh from a device.
#[derive(Debug)]
pub struct Shot {
    /// The picture.
    pub image: Image,
    /// When the device took it.
    pub captured: Monotonic,
    /// The part it shows, where the device knows.
    pub part: Option<PartId>,
    /// How many pictures the device took since the last one that nobody can have any more, by its own count.
    pub missed: u64,
}

/// A device that takes pictures. It is called by its own thread only, which may block in it, but not beyond the stop token.
pub trait Camera: Send {
    /// Begins to take pictures, or begins again after a loss. Files have nothing to begin.
    ///
    /// # Errors
    /// [`DeviceError::Lost`] when it cannot now, [`DeviceError::Failed`] when it never can.
    fn start(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }

    /// Takes the next picture into a buffer of `pool`; `None` when the device has come to its end, or `stop` came.
    ///
    /// # Errors
    /// [`DeviceError::Unreadable`] when this one picture is lost and [`DeviceError::Stalled`] when none came in time: the next
    /// may be asked for. [`DeviceError::Lost`] when the camera must be started again, [`DeviceError::Failed`] when there will
    /// be no next.
    fn capture(&mut self, pool: &Pool, stop: &CancellationToken) -> Result<Option<Shot>, DeviceError>;
}

/// What a device could not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// One picture is lost; the device goes on.
    #[error("{what} cannot be read as a picture: {cause}")]
    Unreadable {
        /// The file or buffer.
        what: String,
        /// What is wrong with it.
        cause: String,
    },
    /// No picture came in the time it should take; the device goes on.
    #[error("{what}: {cause}")]
    Stalled {
        /// The device.
        what: String,
        /// How long it was silent, and how long it may be.
        cause: String,
    },
    /// The device is gone or of no use; it may come back.
    #[error("{what}: {cause}")]
    Lost {
        /// The device.
        what: String,
        /// What was seen.
        cause: String,
    },
    /// The device cannot be used, or no longer.
    #[error("{what}: {cause}")]
    Failed {
        /// The device, its file or its address.
        what: String,
        /// What went wrong.
        cause: String,
    },
}

impl DeviceError {
    /// A [`DeviceError::Failed`] of `what`.
    pub(crate) fn failed(what: &dyn fmt::Display, cause: &dyn fmt::Display) -> Self {
        Self::Failed { what: what.to_string(), cause: cause.to_string() }
    }

    /// A [`DeviceError::Lost`] of `what`.
    pub(crate) fn lost(what: &dyn fmt::Display, cause: &dyn fmt::Display) -> Self {
        Self::Lost { what: what.to_string(), cause: cause.to_string() }
    }
}

/// Opens the device behind a camera's settings, and holds a video device to all that is asked of it. It takes no pictures
/// before it is started.
///
/// # Errors
/// [`DeviceError::Failed`] when its source cannot be opened or holds no picture, or the device does not do what is asked.
pub fn open_camera(settings: &config::Camera) -> Result<Box<dyn Camera>, DeviceError> {
    match &settings.source {
        config::CameraSource::Replay(replay) => Ok(Box::new(replay::ReplayCamera::open(replay)?)),
        config::CameraSource::Pipe(pipe) => Ok(Box::new(pipe::PipeCamera::new(pipe, settings.every())?)),
        #[cfg(all(feature = "v4l", target_os = "linux"))]
        config::CameraSource::V4l(video) => {
            Ok(Box::new(video::VideoCamera::open(self::v4l::Devices, video.clone(), settings.every())?))
        }
        #[cfg(not(all(feature = "v4l", target_os = "linux")))]
        config::CameraSource::V4l(_) => Err(DeviceError::failed(&"a video device", &NOT_BUILT)),
    }
}

/// What a build without video devices says of them.
#[cfg(not(all(feature = "v4l", target_os = "linux")))]
pub(crate) const NOT_BUILT: &str = "this build reads none: build for Linux with the feature `v4l`";
