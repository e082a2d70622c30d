//! Commands as cameras: frames arrive whole and in order, ends and lies are told, and nothing outlives the camera.

use std::io::Cursor;
use std::path::Path;

use super::*;
use crate::config::{FrameFormat, Raw};

fn camera(command: &[&str], raw: Option<Raw>, every: bool) -> PipeCamera {
    let settings = Pipe {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        raw,
        silence: Duration::from_mins(1),
        jpeg_scale: JpegScale::Whole,
    };
    PipeCamera::new(&settings, every).unwrap()
}

fn shell(script: &str, raw: Option<Raw>, every: bool) -> PipeCamera {
    camera(&["sh", "-c", script], raw, every)
}

const FOUR: Raw = Raw::dense(FrameFormat::Grey, 2, 2);

fn capture(camera: &mut PipeCamera) -> Result<Vec<u8>, DeviceError> {
    let shot = camera.capture(&Pool::new(1), &CancellationToken::new())?;
    Ok(shot.unwrap().image.bytes().to_vec())
}

#[test]
fn raw_frames_come_whole_and_in_order_and_the_end_is_told_with_the_status() {
    let mut camera = shell("printf abcdefghij; exit 7", Some(FOUR), true);
    camera.start().unwrap();
    assert_eq!(capture(&mut camera).unwrap(), b"abcd");
    assert_eq!(capture(&mut camera).unwrap(), b"efgh");
    let torn = capture(&mut camera).unwrap_err();
    assert_eq!(torn.to_string(), "command sh cannot be read as a picture: it ends after 2 of 4 bytes of a frame");
    let lost = capture(&mut camera).unwrap_err();
    assert_eq!(lost, DeviceError::lost(&"command sh", &"it ended with exit status: 7"));
    assert!(matches!(capture(&mut camera), Err(DeviceError::Lost { .. })), "and stays lost until it is started");
    camera.start().unwrap();
    assert_eq!(capture(&mut camera).unwrap(), b"abcd", "it begins anew");
}

#[test]
fn jpeg_pictures_come_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stream.mjpeg");
    let mut stream = Vec::new();
    for level in [10, 200] {
        let mut bytes = Cursor::new(Vec::new());
        image::GrayImage::from_pixel(8, 8, [level].into()).write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
        stream.extend(bytes.into_inner());
    }
    std::fs::write(&file, &stream).unwrap();
    let mut camera = camera(&["cat", file.to_str().unwrap()], None, true);
    camera.start().unwrap();
    assert_eq!(capture(&mut camera).unwrap(), [10; 64]);
    assert_eq!(capture(&mut camera).unwrap(), [200; 64]);
    assert_eq!(capture(&mut camera).unwrap_err(), DeviceError::lost(&"command cat", &"it ended with exit status: 0"));
}

#[test]
fn a_frame_that_began_before_it_was_asked_for_is_passed_over() {
    // The second frame is written only when the first has been passed over: the command waits for a line from outside.
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    assert!(Command::new("mkfifo").arg(&gate).status().unwrap().success());
    let script = format!("printf aaaa; read line < {}; printf bbbb; exec cat", gate.display());
    let mut camera = shell(&script, Some(FOUR), false);
    camera.start().unwrap();
    let passage = Arc::clone(&camera.running.as_ref().unwrap().passage);
    let there = |state: &mut State| state.piece.is_none();
    drop(passage.changed.wait_while(passage.lock(), there).unwrap());
    let opener = std::thread::spawn(move || std::fs::write(gate, "go\n").unwrap());
    assert_eq!(capture(&mut camera).unwrap(), b"bbbb");
    opener.join().unwrap();
}

#[test]
fn the_whole_process_group_ends_with_the_camera() {
    // The grandchild holds the pipe open for as long as it lives: reading it to its end waits for that.
    let folder = tempfile::tempdir().unwrap();
    let held = folder.path().join("held");
    assert!(Command::new("mkfifo").arg(&held).status().unwrap().success());
    let script = format!("trap '' TERM; (exec sleep 1000 > {0}) & printf aaaa; wait", held.display());
    let mut camera = shell(&script, Some(FOUR), true);
    camera.start().unwrap();
    let mut held = std::fs::File::open(&held).unwrap();
    assert_eq!(capture(&mut camera).unwrap(), b"aaaa");
    let leader = camera.running.as_ref().unwrap().child.id();
    drop(camera);
    assert_eq!(held.read(&mut [0]).unwrap(), 0);
    assert!(!Path::new(&format!("/proc/{leader}")).exists(), "and the leader was waited for");
}

#[test]
fn a_command_that_cannot_be_started_is_refused_and_silence_is_a_loss() {
    let refused = camera(&["/no/such/program"], Some(FOUR), true).start().unwrap_err();
    assert!(matches!(refused, DeviceError::Failed { .. }), "{refused}");
    assert!(refused.to_string().starts_with("command /no/such/program: No such file or directory"), "{refused}");
    let wide = Raw { width: 0, ..FOUR };
    let settings = Pipe {
        command: vec!["true".into()],
        raw: Some(wide),
        silence: Duration::from_secs(1),
        jpeg_scale: JpegScale::Whole,
    };
    assert!(matches!(PipeCamera::new(&settings, true), Err(DeviceError::Failed { .. })));
}

#[test]
fn a_stop_ends_the_wait_for_a_frame() {
    let mut camera = shell("exec sleep 1000", Some(FOUR), true);
    camera.start().unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    assert!(camera.capture(&Pool::new(1), &stop).unwrap().is_none());
}

#[test]
fn a_reader_that_waits_for_room_ends_with_the_camera() {
    let passage = Arc::new(Passage { every: true, ..Passage::default() });
    let piece = || Piece::Torn("x".into());
    assert!(passage.put(piece()));
    let waiting = std::thread::spawn({
        let passage = Arc::clone(&passage);
        move || passage.put(piece())
    });
    passage.close();
    assert!(!waiting.join().unwrap());
}
