//! The thread of one camera: waits for its turn, takes a picture, hands it on.
//!
//! One named OS thread a camera (`camera-<name>`), because devices block. Every wait races the stop token, so that
//! stopping takes no longer than the picture that is being taken. A fixed rate keeps to an absolute schedule: a late
//! picture does not push the later ones back, and turns that were missed are not made up for. A camera that is lost is
//! started again, with growing pauses until it gives a picture; triggers that come meanwhile are refused.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Camera, DeviceError, Shot};
use crate::clock::Monotonic;
use crate::config::{self, Pace};
use crate::flow::frames::{self, Delivery, FrameSink, FrameSource};
use crate::flow::pool::Pool;
use crate::flow::retry::{Retry, draw};
use crate::flow::{Frame, Trigger, bound};
use crate::name::Name;
use crate::telemetry::{Event, Telemetry};

/// A camera at work.
#[derive(Debug)]
pub struct CameraTask {
    /// Where its frames come out.
    pub frames: FrameSource,
    /// Where its triggers go in; only a triggered camera has one. When all senders are gone, the camera ends.
    pub triggers: Option<mpsc::Sender<Trigger>>,
    /// Its thread, which ends with the device, with the token or when nobody takes its frames.
    pub thread: JoinHandle<Result<(), DeviceError>>,
}

/// Starts the thread of the camera `name`. Call it inside the tokio runtime.
///
/// # Errors
/// [`DeviceError::Failed`] when the thread cannot be started or there is no runtime.
pub fn spawn_camera(
    name: Name,
    camera: Box<dyn Camera>,
    settings: &config::Camera,
    pool: Pool,
    telemetry: Telemetry,
    stop: CancellationToken,
) -> Result<CameraTask, DeviceError> {
    let device = format!("camera {name}");
    let runtime = Handle::try_current().map_err(|error| DeviceError::failed(&device, &error))?;
    let (sink, frames) =
        if settings.supersedes() { frames::slot() } else { frames::queue(bound::FRAMES, settings.waits()) };
    let (turns, triggers) = turns(&settings.pace, &runtime);
    let thread_name = format!("camera-{name}");
    let (delay, retry) = (settings.delay, Retry::default());
    let worker = Worker { name, camera, delay, retry, pool, telemetry, stop, sink, runtime, sequence: 0, failures: 0 };
    let thread = std::thread::Builder::new()
        .name(thread_name)
        .spawn(move || worker.run(turns))
        .map_err(|error| DeviceError::failed(&device, &error))?;
    Ok(CameraTask { frames, triggers, thread })
}

fn turns(pace: &Pace, runtime: &Handle) -> (Turns, Option<mpsc::Sender<Trigger>>) {
    match pace {
        Pace::FreeRunning => (Turns::Always, None),
        Pace::Paced { frames_per_second } => {
            let _inside = runtime.enter();
            (Turns::Paced(Schedule { start: Instant::now(), frames_per_second: *frames_per_second, next: 0 }), None)
        }
        Pace::Triggered { queue, .. } => {
            let (sender, receiver) = mpsc::channel((*queue).max(1));
            (Turns::Triggered(receiver), Some(sender))
        }
    }
}

/// When a camera may take its next picture.
enum Turns {
    Always,
    Paced(Schedule),
    Triggered(mpsc::Receiver<Trigger>),
}

impl Turns {
    /// Waits for the next turn; `None` when there will be none. A camera that may wait takes no picture before there is
    /// room for it: a picture in its hand would be megabytes held for nothing.
    async fn next(&mut self, sink: &FrameSink) -> Option<Option<Trigger>> {
        match self {
            Self::Always => sink.room().await.then_some(None),
            Self::Paced(schedule) => {
                tokio::time::sleep_until(schedule.turn(Instant::now())).await;
                Some(None)
            }
            Self::Triggered(triggers) => triggers.recv().await.map(Some),
        }
    }
}

/// The turns of a fixed rate: the n-th is `n / frames_per_second` after the start.
#[derive(Debug)]
struct Schedule {
    start: Instant,
    frames_per_second: f64,
    next: u64,
}

impl Schedule {
    /// Further off than any run lasts (136 years), so that adding to a point in time cannot overflow.
    const FAR: Duration = Duration::from_secs(u32::MAX as u64);

    /// The earliest turn not yet taken that is not before `now`'s own period.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "turns stay far below 2^52, and the elapsed time is not negative"
    )]
    fn turn(&mut self, now: Instant) -> Instant {
        let elapsed = now.saturating_duration_since(self.start).as_secs_f64();
        let turn = self.next.max((elapsed * self.frames_per_second).floor() as u64);
        self.next = turn + 1;
        let span = Duration::try_from_secs_f64(turn as f64 / self.frames_per_second).unwrap_or(Self::FAR);
        self.start + span.min(Self::FAR)
    }
}

/// What the thread owns.
struct Worker {
    name: Name,
    camera: Box<dyn Camera>,
    delay: Duration,
    retry: Retry,
    pool: Pool,
    telemetry: Telemetry,
    stop: CancellationToken,
    sink: FrameSink,
    runtime: Handle,
    sequence: u64,
    /// Losses and vain attempts since the last picture.
    failures: u32,
}

impl Worker {
    fn run(mut self, mut turns: Turns) -> Result<(), DeviceError> {
        let runtime = self.runtime.clone();
        let stop = self.stop.clone();
        if let Err(error) = self.camera.start()
            && self.cope(error, &mut turns)?.is_break()
        {
            return Ok(());
        }
        while let Some(Some(trigger)) = runtime.block_on(stop.run_until_cancelled(turns.next(&self.sink))) {
            match self.camera.capture(&self.pool, &stop) {
                Ok(Some(shot)) => {
                    self.failures = 0;
                    let frame = self.frame(shot, trigger);
                    if !self.deliver(frame) {
                        break;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    if self.cope(error, &mut turns)?.is_break() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Tells an error, and waits until the next picture may be asked for; breaks when there will be none.
    fn cope(&mut self, error: DeviceError, turns: &mut Turns) -> Result<ControlFlow<()>, DeviceError> {
        match error {
            DeviceError::Unreadable { .. } => self.tell(Event::FrameUnreadable, &error),
            DeviceError::Stalled { .. } => self.tell(Event::CameraStalled, &error),
            DeviceError::Lost { .. } => {
                self.tell(Event::CameraLost, &error);
                return self.regain(turns);
            }
            DeviceError::Failed { .. } => {
                self.tell(Event::CameraFailed, &error);
                return Err(error);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Starts the camera again and again until it does.
    fn regain(&mut self, turns: &mut Turns) -> Result<ControlFlow<()>, DeviceError> {
        loop {
            self.failures = self.failures.saturating_add(1);
            if self.pause(turns, self.retry.after(self.failures, draw())).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            match self.camera.start() {
                Ok(()) => {
                    self.telemetry.tell(Event::CameraConnected, format_args!("camera {}", self.name));
                    return Ok(ControlFlow::Continue(()));
                }
                Err(error @ DeviceError::Failed { .. }) => return self.cope(error, turns),
                Err(error) => tracing::info!("camera {}: {error}; it is looked for again", self.name),
            }
        }
    }

    /// Waits for `span`, refusing what triggers meanwhile; breaks with the stop token, or when nobody can trigger any more.
    fn pause(&self, turns: &mut Turns, span: Duration) -> ControlFlow<()> {
        let refuse = async {
            match turns {
                Turns::Triggered(triggers) => {
                    while let Some(trigger) = triggers.recv().await {
                        let part = trigger.part.as_ref().map_or_else(String::new, |part| format!(" for part {part}"));
                        let detail = format_args!("camera {}: a trigger{part}; the camera is lost", self.name);
                        self.telemetry.tell(Event::TriggerOverrun, detail);
                    }
                }
                Turns::Always | Turns::Paced(_) => std::future::pending().await,
            }
        };
        self.runtime.block_on(async {
            tokio::select! {
                () = self.stop.cancelled() => ControlFlow::Break(()),
                () = refuse => ControlFlow::Break(()),
                () = tokio::time::sleep(span) => ControlFlow::Continue(()),
            }
        })
    }

    fn tell(&self, event: Event, error: &DeviceError) {
        self.telemetry.tell(event, format_args!("camera {}: {error}", self.name));
    }

    /// A shot as a frame. The trigger knows better than the device which part it was for.
    fn frame(&mut self, shot: Shot, trigger: Option<Trigger>) -> Arc<Frame> {
        if shot.missed > 0 {
            let detail = format_args!("camera {}: {} before frame {}", self.name, shot.missed, self.sequence);
            self.telemetry.tell_of(shot.missed, Event::FrameMissed, detail);
        }
        let part = trigger.and_then(|trigger| trigger.part).or(shot.part);
        let captured: Monotonic = shot.captured - self.delay;
        let frame = Frame { camera: self.name.clone(), sequence: self.sequence, captured, part, image: shot.image };
        self.sequence += 1;
        Arc::new(frame)
    }

    /// Hands the frame on; whether anybody will want another.
    fn deliver(&self, frame: Arc<Frame>) -> bool {
        let sequence = frame.sequence;
        self.telemetry.tell(Event::FrameCaptured, format_args!("camera {}: frame {sequence}", self.name));
        match self.runtime.block_on(self.stop.run_until_cancelled(self.sink.send(frame))) {
            None | Some(Delivery::Closed) => false,
            Some(Delivery::Delivered) => true,
            Some(Delivery::Superseded(older)) => {
                let detail = format_args!("camera {}: frame {} by frame {sequence}", self.name, older.sequence);
                self.telemetry.tell(Event::FrameSuperseded, detail);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests;
