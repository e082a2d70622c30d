//! A video device that plays every fault: other sizes than asked, silence, loss, another card at its place, buffers that are
//! too short, too long, broken or old. Nothing here waits: the device says that it did.

mod fake;

use proptest::prelude::*;

use super::*;
use crate::value::Value;
use fake::{Act, Fake, World, fake, found, gain, settings};

fn opened(fake: &Fake, every: bool) -> VideoCamera<Fake> {
    let mut camera = VideoCamera::open(fake.clone(), settings(), every).unwrap_or_else(|error| panic!("{error}"));
    camera.start().unwrap();
    camera
}

fn refused(fake: Fake, settings: V4l) -> String {
    match VideoCamera::open(fake, settings, true) {
        Err(error @ DeviceError::Failed { .. }) => error.to_string(),
        other => panic!("{:?}", other.err()),
    }
}

fn capture(camera: &mut VideoCamera<Fake>) -> Result<Option<Shot>, DeviceError> {
    camera.capture(&Pool::new(1), &CancellationToken::new())
}

fn told(camera: &mut VideoCamera<Fake>) -> String {
    format!("{:?}", capture(camera).map(|shot| shot.map(|shot| shot.image.bytes().to_vec())))
}

#[test]
fn a_device_that_gives_something_else_is_refused_with_what_it_offers() {
    let with = |change: fn(&mut World)| {
        let fake = fake();
        change(&mut fake.world());
        refused(fake, settings())
    };
    assert_eq!(
        with(|world| world.given.width = 8),
        "video device /dev/video0: it was set to grey 4x2 and gives GREY 8x2; at 4x2 it offers 30, 10 a second"
    );
    assert_eq!(
        with(|world| world.interval = Some(Interval { numerator: 1, denominator: 15 })),
        "video device /dev/video0: it was set to 10 pictures a second and gives 15 a second; at 4x2 it offers 30, 10 a second"
    );
    assert_eq!(
        with(|world| world.interval = None),
        "video device /dev/video0: it was set to 10 pictures a second and gives at a rate of its own; at 4x2 it offers 30, 10 a \
         second"
    );
    assert!(with(|world| world.given.whole = false).contains("every other line of a picture"));
    assert!(with(|world| world.given.stride = 3).contains("lines of 3 bytes do not hold 4 pixels of grey"));
    assert!(with(|world| world.devices.clear()).ends_with("no video device is there"));
    let mut yuyv = settings();
    yuyv.mode.format = FrameFormat::Yuyv;
    let sentence = refused(fake(), yuyv);
    assert!(sentence.ends_with("it was set to yuyv 4x2 and gives GREY 4x2; it offers grey"), "{sentence}");
}

#[test]
fn a_lost_device_is_found_again_under_another_number_and_set_up_anew() {
    let fake = fake();
    let mut asked = settings();
    asked.controls = [("gain".to_owned(), Value::Number(33.0))].into();
    let mut camera = VideoCamera::open(fake.clone(), asked, true).unwrap();
    camera.start().unwrap();
    fake.play([Act::Picture, Act::Gone, Act::Picture]);
    assert!(capture(&mut camera).unwrap().is_some());
    let lost = capture(&mut camera).unwrap_err();
    assert_eq!(lost, DeviceError::lost(&"video device /dev/video0", &"No such device (os error 19)"));
    assert!(matches!(capture(&mut camera), Err(DeviceError::Lost { .. })), "and stays lost until it is started");
    fake.world().devices.clear();
    assert_eq!(
        camera.start().unwrap_err().to_string(),
        "video device /dev/video0: \"Cam\" on usb-1 is gone; no video device is there"
    );
    fake.world().devices = vec![found(0, "Other", "usb-9"), found(4, "Cam", "usb-1")];
    fake.world().controls = vec![gain()];
    camera.start().unwrap();
    assert!(capture(&mut camera).unwrap().is_some());
    assert_eq!(fake.world().opened, [PathBuf::from("/dev/video0"), "/dev/video4".into()]);
    assert_eq!(fake.world().set, [("gain".to_owned(), 33), ("gain".to_owned(), 33)]);
}

#[test]
fn another_card_at_the_same_place_is_not_taken_for_the_camera() {
    let fake = fake();
    let mut camera = opened(&fake, true);
    fake.play([Act::Gone]);
    capture(&mut camera).unwrap_err();
    fake.world().devices = vec![found(0, "Other", "usb-1")];
    let lost = camera.start().unwrap_err();
    assert_eq!(lost.to_string(), "video device /dev/video0: \"Other\" on usb-1 is there now, want \"Cam\" on usb-1");
    assert!(matches!(lost, DeviceError::Lost { .. }), "it may still come back");
    assert_eq!(fake.world().opened.len(), 1, "and the other is left alone");
}

#[test]
fn silence_is_a_stall_after_two_intervals_once_and_a_loss_after_a_second() {
    let fake = fake();
    let mut camera = opened(&fake, true);
    fake.play([Act::Picture, Act::Quiet(7), Act::Picture, Act::Quiet(8), Act::Picture, Act::Quiet(100)]);
    assert!(capture(&mut camera).unwrap().is_some());
    assert!(capture(&mut camera).unwrap().is_some(), "175 ms are no stall");
    let stalled = capture(&mut camera).unwrap_err();
    assert_eq!(stalled.to_string(), "video device /dev/video0: no picture for 200.0ms, want one within 200.0ms");
    assert!(matches!(stalled, DeviceError::Stalled { .. }));
    assert!(capture(&mut camera).unwrap().is_some(), "it goes on without being opened again");
    assert!(matches!(capture(&mut camera), Err(DeviceError::Stalled { .. })));
    let lost = capture(&mut camera).unwrap_err();
    assert_eq!(lost.to_string(), "video device /dev/video0: no picture for 1.0s, it is started again");
    assert_eq!(fake.world().opened.len(), 1);
}

#[test]
fn the_first_picture_may_take_five_seconds_and_what_is_triggered_from_outside_as_long_as_is_said() {
    let fake = fake();
    let mut camera = opened(&fake, true);
    assert!(told(&mut camera).contains("no picture for 5.0s, it is started again"));
    assert_eq!(fake.world().waited, FIRST);
    let minute = Patience::of(Some(Duration::from_mins(1)), Some(Interval { numerator: 1, denominator: 30 }));
    assert_eq!(minute, Patience { stall: Duration::from_mins(1), loss: Duration::from_mins(1) });
    let fast = Patience::of(None, Some(Interval { numerator: 1, denominator: 500 }));
    assert_eq!(fast, Patience { stall: Duration::from_millis(4), loss: LEAST });
    assert_eq!((fast.slice(), minute.slice()), (Duration::from_millis(1), Duration::from_millis(100)));
}

#[test]
fn a_stop_ends_every_wait() {
    let fake = fake();
    let mut camera = opened(&fake, true);
    let stop = CancellationToken::new();
    stop.cancel();
    assert!(camera.capture(&Pool::new(1), &stop).unwrap().is_none());
    assert_eq!(fake.world().waited, Duration::ZERO);
}

#[test]
fn a_driver_that_lies_costs_single_pictures_and_after_eight_the_camera_is_opened_again() {
    let fake = fake();
    let mut camera = opened(&fake, true);
    fake.play([
        Act::Claims(7),
        Act::Claims(9),
        Act::Claims(usize::MAX),
        Act::Bytes(vec![1; 3]),
        Act::Broken,
        Act::Picture,
    ]);
    let sentences: Vec<String> = (0..5).map(|_| capture(&mut camera).unwrap_err().to_string()).collect();
    let causes = [
        "a 4x2 frame of grey has 8 bytes, there are 7",
        "the driver says that there are 9 bytes in a buffer of 8",
        "the driver says that there are 18446744073709551615 bytes in a buffer of 8",
        "a 4x2 frame of grey has 8 bytes, there are 3",
        "the driver says that its 8 bytes are broken",
    ];
    assert_eq!(sentences, causes.map(|cause| format!("video device /dev/video0 cannot be read as a picture: {cause}")));
    assert_eq!(capture(&mut camera).unwrap().unwrap().image.bytes(), [7; 8]);
    fake.play(std::iter::repeat_n(Act::Broken, 8));
    for _ in 0..7 {
        assert!(matches!(capture(&mut camera), Err(DeviceError::Unreadable { .. })));
    }
    assert!(told(&mut camera).contains("8 pictures in a row cannot be read, the last: the driver says"));
}

#[test]
fn padding_behind_the_last_line_and_the_picture_is_no_fault() {
    let fake = fake();
    let given = fake.world().given;
    fake.world().given = Given { stride: 6, size: 4096, ..given };
    let mut camera = opened(&fake, true);
    fake.play([Act::Claims(10), Act::Claims(12), Act::Claims(4096), Act::Claims(9)]);
    for _ in 0..3 {
        assert_eq!(capture(&mut camera).unwrap().unwrap().image.bytes(), [7; 8]);
    }
    assert!(told(&mut camera).contains("a 4x2 frame of grey has 10 to 12 bytes, there are 9"));
}

#[test]
fn what_is_asked_for_is_finished_after_it_was_asked_for() {
    let fake = fake();
    let mut camera = opened(&fake, false);
    let before = Monotonic::now();
    fake.play([Act::TakenAt(Monotonic::from_nanos(5)), Act::TakenAt(before), Act::Picture, Act::Picture]);
    let shot = capture(&mut camera).unwrap().unwrap();
    assert!(shot.captured > before);
    assert_eq!((shot.missed, fake.world().acts.len()), (0, 1), "what was passed over was not wanted");
    fake.play([Act::Unstamped]);
    assert!(capture(&mut camera).unwrap().is_some());
    assert!(capture(&mut camera).unwrap().unwrap().captured > before, "without a stamp it is taken now");
    fake.play(std::iter::repeat_n(Act::TakenAt(before), 64));
    assert!(told(&mut camera).contains("64 pictures in a row are stamped before they were asked for"));
}

#[test]
fn a_stamp_from_the_future_is_now() {
    let fake = fake();
    let mut camera = opened(&fake, true);
    fake.play([Act::TakenAt(Monotonic::from_nanos(u64::MAX))]);
    assert!(capture(&mut camera).unwrap().unwrap().captured <= Monotonic::now());
}

#[test]
fn pictures_that_the_device_took_for_nobody_are_counted() {
    let fake = fake();
    let mut camera = opened(&fake, true);
    fake.play([40, 41, 45, 3, 4, u32::MAX, 0].map(Act::Count));
    let missed: Vec<u64> = (0..7).map(|_| capture(&mut camera).unwrap().unwrap().missed).collect();
    assert_eq!(missed, [0, 0, 3, 0, 0, 0, 0], "a count that begins anew is no loss, and one that runs over goes on");
}

#[test]
fn a_jpeg_picture_of_another_size_is_refused() {
    let fake = fake();
    let given = fake.world().given;
    fake.world().given = Given { fourcc: *b"MJPG", stride: 0, size: 0, ..given };
    let mut asked = settings();
    asked.mode.format = FrameFormat::Mjpeg;
    let mut camera = VideoCamera::open(fake.clone(), asked, true).unwrap();
    camera.start().unwrap();
    let jpeg = |width, height| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::GrayImage::from_pixel(width, height, [50].into())
            .write_to(&mut bytes, image::ImageFormat::Jpeg)
            .unwrap();
        Act::Bytes(bytes.into_inner())
    };
    fake.play([jpeg(4, 2), jpeg(8, 2), Act::Bytes(b"GIF".to_vec())]);
    assert_eq!(capture(&mut camera).unwrap().unwrap().image.bytes(), [50; 8]);
    assert!(told(&mut camera).contains("the picture is 8x2, want 4x2"));
    assert!(told(&mut camera).contains("3 bytes that begin with [47, 49, 46], want a JPEG picture"));
}

#[test]
fn a_control_that_does_not_take_its_value_is_refused() {
    let with = |change: fn(&mut World)| {
        let fake = fake();
        change(&mut fake.world());
        let mut asked = settings();
        asked.controls = [("gain".to_owned(), Value::Number(33.0))].into();
        refused(fake, asked)
    };
    assert!(with(|world| world.deaf = true).ends_with("control gain was set to 33 and is 10"));
    assert!(
        with(|world| world.controls[0].most = 20).ends_with("control gain is to be 33, want 0 to 20 in steps of 1")
    );
    assert!(with(|world| world.controls[0].inactive = true).contains("control gain has no effect"));
    assert!(with(|world| world.controls.clear()).contains("there is no control gain"));
}

proptest! {
    #[test]
    fn whatever_a_device_does_each_picture_is_whole_or_told(
        acts in proptest::collection::vec(prop_oneof![
            3 => Just(Act::Picture), 1 => any::<u64>().prop_map(|time| Act::TakenAt(Monotonic::from_nanos(time))),
            1 => Just(Act::Unstamped), 1 => any::<u32>().prop_map(Act::Count), 1 => (0_usize..20).prop_map(Act::Claims),
            1 => proptest::collection::vec(any::<u8>(), 0..12).prop_map(Act::Bytes), 1 => Just(Act::Broken),
            1 => (1_u32..60).prop_map(Act::Quiet), 1 => Just(Act::Gone),
        ], 0..30),
        every: bool,
    ) {
        let fake = fake();
        let mut camera = opened(&fake, every);
        let good = |act: &Act| match act {
            Act::Picture | Act::TakenAt(_) | Act::Unstamped | Act::Count(_) => true,
            Act::Bytes(bytes) => bytes.len() == 8,
            Act::Claims(used) => *used == 8,
            Act::Broken | Act::Quiet(_) | Act::Gone => false,
        };
        let wanted = acts.iter().filter(|act| good(act)).count();
        fake.play(acts);
        let mut pictures = 0;
        while !fake.world().acts.is_empty() {
            match capture(&mut camera) {
                Ok(Some(shot)) => {
                    prop_assert_eq!((shot.image.width(), shot.image.height()), (4, 2));
                    prop_assert!(shot.captured <= Monotonic::now());
                    pictures += 1;
                }
                Ok(None) => prop_assert!(false, "nobody stopped it"),
                Err(DeviceError::Lost { .. }) => camera.start().unwrap(),
                Err(error) => prop_assert!(!matches!(error, DeviceError::Failed { .. }), "{}", error),
            }
        }
        prop_assert!(pictures <= wanted && (!every || pictures == wanted), "{} of {}", pictures, wanted);
    }
}
