//! A camera's thread at each pace: what arrives, what is lost and counted, and that it stops.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::*;
use crate::config::{CameraSource, JpegScale, Pipe, Replay, ReplayPartId};
use crate::flow::{Image, PartId, PixelFormat};

/// A device that plays a list of outcomes, then ends.
struct Script(std::vec::IntoIter<Result<u64, DeviceError>>);

impl Camera for Script {
    fn capture(&mut self, pool: &Pool, _stop: &CancellationToken) -> Result<Option<Shot>, DeviceError> {
        let Some(outcome) = self.0.next() else { return Ok(None) };
        let image = Image::new(1, 1, PixelFormat::Grey8, pool.take(1)).unwrap();
        outcome.map(|nanoseconds| {
            Some(Shot { image, captured: Monotonic::from_nanos(nanoseconds), part: None, missed: nanoseconds / 1000 })
        })
    }
}

fn start(script: Vec<Result<u64, DeviceError>>, pace: &Pace) -> (CameraTask, Telemetry, CancellationToken) {
    let (telemetry, stop) = (Telemetry::default(), CancellationToken::new());
    let name = Name::new("top").unwrap();
    let camera = Box::new(Script(script.into_iter()));
    let settings = files(pace);
    let task = spawn_camera(name, camera, &settings, Pool::new(2), telemetry.clone(), stop.clone()).unwrap();
    (task, telemetry, stop)
}

/// A replay with a delay of 3 ns.
fn files(pace: &Pace) -> config::Camera {
    let (path, part_id, jpeg_scale) = ("parts".into(), ReplayPartId::None, JpegScale::Whole);
    let source = CameraSource::Replay(Replay { path, repeat: false, part_id, raw: None, jpeg_scale });
    config::Camera { source, pace: pace.clone(), expected: true, delay: Duration::from_nanos(3) }
}

async fn ended(thread: JoinHandle<Result<(), DeviceError>>) -> Result<(), DeviceError> {
    tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap()
}

fn shots(count: u64) -> Vec<Result<u64, DeviceError>> {
    (0..count).map(|index| Ok(100 + index)).collect()
}

fn triggered(queue: usize) -> Pace {
    Pace::Triggered { sensor: Name::new("gate").unwrap(), queue }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn running_free_loses_nothing_and_takes_the_delay_off() {
    let (mut task, telemetry, _stop) = start(shots(20), &Pace::FreeRunning);
    assert!(task.frames.is_patient() && task.triggers.is_none());
    let mut seen = Vec::new();
    while let Some(frame) = task.frames.recv().await {
        seen.push((frame.sequence, frame.captured.as_nanos()));
    }
    assert_eq!(seen, (0..20).map(|index| (index, 97 + index)).collect::<Vec<_>>());
    assert_eq!(telemetry.count(Event::FrameCaptured), 20);
    ended(task.thread).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_unreadable_picture_is_passed_over_and_a_failed_device_ends() {
    let unreadable = DeviceError::Unreadable { what: "b.png".into(), cause: "broken".into() };
    let failed = DeviceError::failed(&"top", &"unplugged");
    let (mut task, telemetry, _stop) =
        start(vec![Ok(5), Err(unreadable), Ok(6), Err(failed.clone()), Ok(7)], &Pace::FreeRunning);
    let mut seen = Vec::new();
    while let Some(frame) = task.frames.recv().await {
        seen.push((frame.sequence, frame.captured.as_nanos()));
    }
    assert_eq!(seen, [(0, 2), (1, 3)]);
    assert_eq!(telemetry.count(Event::FrameUnreadable), 1);
    assert_eq!(telemetry.count(Event::CameraFailed), 1);
    assert_eq!(ended(task.thread).await, Err(failed), "and whoever joins the thread learns why");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn at_a_fixed_rate_the_newest_wins_and_the_others_are_counted() {
    let (mut task, telemetry, _stop) = start(shots(4), &Pace::Paced { frames_per_second: 1000.0 });
    ended(task.thread).await.unwrap();
    assert_eq!(task.frames.recv().await.map(|frame| frame.sequence), Some(3));
    assert!(task.frames.recv().await.is_none());
    assert_eq!(telemetry.count(Event::FrameSuperseded), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_triggered_camera_takes_one_picture_a_trigger_under_the_triggers_part() {
    let (mut task, ..) = start(shots(9), &triggered(4));
    let triggers = task.triggers.take().unwrap();
    for part in ["a", "b"] {
        let part = Some(PartId::new(part).unwrap());
        triggers.send(Trigger { part: part.clone(), at: Monotonic::default() }).await.unwrap();
        assert_eq!(task.frames.recv().await.unwrap().part, part);
    }
    drop(triggers);
    assert!(task.frames.recv().await.is_none(), "without senders there will be no trigger");
    ended(task.thread).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_wait_ends_with_the_token() {
    for pace in [Pace::FreeRunning, Pace::Paced { frames_per_second: 1e-6 }, triggered(1)] {
        let (mut task, _, stop) = start(shots(100), &pace);
        if task.triggers.is_none() {
            assert!(task.frames.recv().await.is_some(), "{pace:?}: the first picture comes at once");
        }
        stop.cancel();
        ended(task.thread).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_camera_ends_when_nobody_takes_its_frames() {
    for pace in [Pace::FreeRunning, Pace::Paced { frames_per_second: 1000.0 }] {
        let (task, ..) = start(shots(1_000_000), &pace);
        drop(task.frames);
        ended(task.thread).await.unwrap();
    }
}

#[tokio::test]
async fn the_schedule_does_not_drift_and_does_not_make_up_for_missed_turns() {
    let start = Instant::now();
    let mut schedule = Schedule { start, frames_per_second: 3.0, next: 0 };
    let mut turn_at = |milliseconds| {
        let turn = schedule.turn(start + Duration::from_millis(milliseconds));
        (turn - start).as_micros()
    };
    assert_eq!(turn_at(0), 0);
    assert_eq!(turn_at(1), 333_333, "the second turn is a third after the start, not after the first picture");
    assert_eq!(turn_at(340), 666_666);
    assert_eq!(turn_at(2_100), 2_000_000, "two turns were missed; the one that is running is taken at once");
    assert_eq!(turn_at(2_101), 2_333_333);
    let mut rare = Schedule { start, frames_per_second: f64::MIN_POSITIVE, next: 1 };
    assert!(rare.turn(start) > start + Duration::from_secs(1 << 30), "a turn beyond all time is only far away");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_live_camera_that_runs_free_is_not_held_up() {
    let pipe = Pipe { command: Vec::new(), raw: None, silence: Duration::ZERO, jpeg_scale: JpegScale::Whole };
    let settings = config::Camera { source: CameraSource::Pipe(pipe), ..files(&Pace::FreeRunning) };
    let (telemetry, camera) = (Telemetry::default(), Box::new(Script(shots(40).into_iter())));
    let (name, stop) = (Name::new("top").unwrap(), CancellationToken::new());
    let mut task = spawn_camera(name, camera, &settings, Pool::new(2), telemetry.clone(), stop).unwrap();
    ended(task.thread).await.unwrap();
    assert_eq!(task.frames.recv().await.map(|frame| frame.sequence), Some(39), "the newest");
    assert_eq!(telemetry.count(Event::FrameSuperseded), 39);
}

/// What a device does when it is started.
type Starts = Arc<Mutex<VecDeque<Result<(), DeviceError>>>>;

/// A script whose device is lost and found again.
struct Comes(Script, Starts);

impl Camera for Comes {
    fn start(&mut self) -> Result<(), DeviceError> {
        self.1.lock().unwrap().pop_front().unwrap_or(Ok(()))
    }

    fn capture(&mut self, pool: &Pool, stop: &CancellationToken) -> Result<Option<Shot>, DeviceError> {
        self.0.capture(pool, stop)
    }
}

/// Plays a camera that is lost and found again, with pauses of `pause`.
fn worker(
    script: Vec<Result<u64, DeviceError>>,
    starts: Vec<Result<(), DeviceError>>,
    pause: Duration,
) -> (Worker, FrameSource, Telemetry, Starts) {
    let (sink, frames) = frames::queue(64, true);
    let (telemetry, starts) = (Telemetry::default(), Arc::new(Mutex::new(VecDeque::from(starts))));
    let worker = Worker {
        name: Name::new("top").unwrap(),
        camera: Box::new(Comes(Script(script.into_iter()), Arc::clone(&starts))),
        delay: Duration::ZERO,
        retry: Retry { first: pause, cap: pause },
        pool: Pool::new(2),
        telemetry: telemetry.clone(),
        stop: CancellationToken::new(),
        sink,
        runtime: Handle::current(),
        sequence: 0,
        failures: 0,
    };
    (worker, frames, telemetry, starts)
}

fn lost() -> DeviceError {
    DeviceError::lost(&"top", &"unplugged")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lost_camera_is_started_again_until_it_does_and_its_count_goes_on() {
    let stalled = DeviceError::Stalled { what: "top".into(), cause: "silent".into() };
    let script = vec![Ok(1), Err(stalled), Ok(2), Err(lost()), Ok(3), Err(lost()), Ok(7004)];
    let starts = vec![Err(lost()), Ok(()), Err(lost()), Err(lost()), Ok(())];
    let (worker, mut frames, telemetry, starts) = worker(script, starts, Duration::ZERO);
    let ended = tokio::task::spawn_blocking(move || worker.run(Turns::Always)).await.unwrap();
    assert_eq!(ended, Ok(()));
    let mut seen = Vec::new();
    while let Some(frame) = frames.recv().await {
        seen.push((frame.sequence, frame.captured.as_nanos()));
    }
    assert_eq!(seen, [(0, 1), (1, 2), (2, 3), (3, 7004)]);
    assert!(starts.lock().unwrap().is_empty(), "every start was tried");
    let counts =
        [Event::CameraLost, Event::CameraConnected, Event::CameraStalled, Event::FrameMissed, Event::CameraFailed];
    assert_eq!(
        counts.map(|event| telemetry.count(event)),
        [3, 3, 1, 7, 0],
        "a loss counts once, however often it is tried"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_camera_that_never_will_ends_and_a_stop_ends_the_pause() {
    let failed = DeviceError::failed(&"top", &"burnt");
    let (worker, _frames, telemetry, _) =
        self::worker(vec![Err(lost())], vec![Ok(()), Err(failed.clone())], Duration::ZERO);
    let ended = tokio::task::spawn_blocking(move || worker.run(Turns::Always)).await.unwrap();
    assert_eq!((ended, telemetry.count(Event::CameraFailed)), (Err(failed), 1));

    let (worker, _frames, telemetry, _) = self::worker(vec![Err(lost())], Vec::new(), Duration::from_hours(1));
    let stop = worker.stop.clone();
    let thread = tokio::task::spawn_blocking(move || worker.run(Turns::Always));
    while telemetry.count(Event::CameraLost) == 0 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    assert_eq!(thread.await.unwrap(), Ok(()));
    assert_eq!(telemetry.count(Event::CameraConnected), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn triggers_of_a_lost_camera_are_refused_and_told() {
    let (worker, _frames, telemetry, _) = worker(vec![Err(lost())], Vec::new(), Duration::from_hours(1));
    let (sender, triggers) = mpsc::channel(8);
    let thread = tokio::task::spawn_blocking(move || worker.run(Turns::Triggered(triggers)));
    for part in ["a", "b", "c"] {
        let part = Some(PartId::new(part).unwrap());
        sender.send(Trigger { part, at: Monotonic::default() }).await.unwrap();
    }
    drop(sender);
    assert_eq!(thread.await.unwrap(), Ok(()), "without senders there will be no trigger");
    assert_eq!(telemetry.count(Event::TriggerOverrun), 2, "the first met the loss, the others the pause");
}
