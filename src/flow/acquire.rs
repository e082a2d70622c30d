//! Acquire, the first stage: pictures and sensor text come in and are stamped on `CLOCK_MONOTONIC`.
//!
//! Promises: a picture is decoded once, into a pooled buffer; every picture or line that is lost on the way is counted.
//! Does not join, judge or wait for anything downstream except where a queue says so.

pub mod camera;
pub mod decode;
pub mod lines;
pub mod replay;
pub mod sensor;

pub use camera::{CameraTask, spawn_camera};
pub use sensor::{SensorTask, open_sensor};

use std::fmt;

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
}

/// A device that takes pictures. It is called by its own thread only, which may block in it.
pub trait Camera: Send {
    /// Takes the next picture into a buffer of `pool`; `None` when the device has come to its end.
    ///
    /// # Errors
    /// [`DeviceError::Unreadable`] when this one picture is lost and the next may be asked for;
    /// [`DeviceError::Failed`] when there will be no next.
    fn capture(&mut self, pool: &Pool) -> Result<Option<Shot>, DeviceError>;
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
}

/// Opens the device behind a camera's settings.
///
/// # Errors
/// [`DeviceError::Failed`] when its source cannot be opened or holds no picture.
pub fn open_camera(settings: &config::Camera) -> Result<Box<dyn Camera>, DeviceError> {
    match &settings.source {
        config::CameraSource::Replay(replay) => Ok(Box::new(replay::ReplayCamera::open(replay)?)),
    }
}
