//! A camera's thread at each pace: what arrives, what is lost and counted, and that it stops.

use super::*;
use crate::flow::{Image, PartId, PixelFormat};

/// A device that plays a list of outcomes, then ends.
struct Script(std::vec::IntoIter<Result<u64, DeviceError>>);

impl Camera for Script {
    fn capture(&mut self, pool: &Pool) -> Result<Option<Shot>, DeviceError> {
        let Some(outcome) = self.0.next() else { return Ok(None) };
        let image = Image::new(1, 1, PixelFormat::Grey8, pool.take(1)).unwrap();
        outcome.map(|nanoseconds| Some(Shot { image, captured: Monotonic::from_nanos(nanoseconds), part: None }))
    }
}

fn start(script: Vec<Result<u64, DeviceError>>, pace: &Pace) -> (CameraTask, Telemetry, CancellationToken) {
    let (telemetry, stop) = (Telemetry::default(), CancellationToken::new());
    let name = Name::new("top").unwrap();
    let delay = Duration::from_nanos(3);
    let camera = Box::new(Script(script.into_iter()));
    let task = spawn_camera(name, camera, pace, delay, Pool::new(2), telemetry.clone(), stop.clone()).unwrap();
    (task, telemetry, stop)
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
