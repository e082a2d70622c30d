//! Frames out of a stream of bytes: raw ones by their length, JPEG pictures by their markers (ITU-T T.81, annex B).
//!
//! Whatever the bytes are, every one of them ends up in a frame or in a sentence, and no more than one frame is held.

use std::io::{self, Read};

use crate::clock::Monotonic;

/// The most bytes of one JPEG picture: more than any camera writes.
const MOST: usize = 64 << 20;
/// Bytes that are read at a time where the length of a frame is not known.
const READ: usize = 64 << 10;

/// How frames follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Raw frames of so many bytes.
    Raw(usize),
    /// JPEG pictures one after the other.
    Jpeg,
}

/// What came out of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// A frame, with the moment at which its first byte was there.
    Frame(Vec<u8>, Monotonic),
    /// Bytes that are no frame, in one sentence.
    Torn(String),
}

/// Reads frames from a stream.
pub(super) struct Frames<R> {
    source: R,
    framing: Framing,
    /// Bytes that belong to no frame yet.
    held: Vec<u8>,
    scan: Scan,
    /// When the last bytes were there.
    read: Monotonic,
    /// When the first of `held` was.
    first: Monotonic,
}

impl<R: Read> Frames<R> {
    pub(super) fn new(source: R, framing: Framing) -> Self {
        let never = Monotonic::default();
        Self { source, framing, held: Vec::new(), scan: Scan::default(), read: never, first: never }
    }

    /// The next piece, into `spare` where it is a frame; `None` at the end of the stream.
    pub(super) fn next(&mut self, spare: Vec<u8>) -> io::Result<Option<Piece>> {
        match self.framing {
            Framing::Raw(bytes) => self.next_raw(bytes, spare),
            Framing::Jpeg => self.next_jpeg(spare),
        }
    }

    fn next_raw(&mut self, bytes: usize, mut frame: Vec<u8>) -> io::Result<Option<Piece>> {
        frame.resize(bytes, 0);
        let mut filled = 0;
        while filled < bytes {
            match self.source.read(&mut frame[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Ok(Some(Piece::Torn(format!("it ends after {filled} of {bytes} bytes of a frame")))),
                Ok(count) => {
                    if filled == 0 {
                        self.first = Monotonic::now();
                    }
                    filled += count;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(Piece::Frame(frame, self.first)))
    }

    fn next_jpeg(&mut self, mut frame: Vec<u8>) -> io::Result<Option<Piece>> {
        loop {
            let found = self.scan.go_on(&self.held);
            let cut = match found {
                Found::Nothing if self.held.len() < MOST => {
                    if self.more()? {
                        continue;
                    }
                    let left = std::mem::take(&mut self.held).len();
                    return Ok((left > 0).then(|| Piece::Torn(format!("it ends after {left} bytes of a picture"))));
                }
                Found::Nothing => self.held.len(),
                Found::Picture(end) | Found::Torn(end) | Found::Foreign(end) => end,
            };
            let piece = match found {
                Found::Picture(_) => {
                    frame.clear();
                    frame.extend_from_slice(&self.held[..cut]);
                    Piece::Frame(frame, self.first)
                }
                Found::Nothing => Piece::Torn(format!("{cut} bytes without the end of a picture")),
                Found::Torn(_) => Piece::Torn(format!("a picture breaks off after {cut} bytes")),
                Found::Foreign(_) => Piece::Torn(format!("{cut} bytes that belong to no picture")),
            };
            self.held.drain(..cut);
            (self.scan, self.first) = (Scan::default(), self.read);
            return Ok(Some(piece));
        }
    }

    /// Reads on; false at the end of the stream.
    fn more(&mut self) -> io::Result<bool> {
        let before = self.held.len();
        self.held.resize(before + READ, 0);
        let count = loop {
            match self.source.read(&mut self.held[before..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.held.truncate(before + count.as_ref().copied().unwrap_or_default());
        self.read = Monotonic::now();
        if before == 0 {
            self.first = self.read;
        }
        count.map(|count| count > 0)
    }
}

/// What the bytes held so far begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Nothing whole.
    Nothing,
    /// A picture of so many bytes.
    Picture(usize),
    /// So many bytes of a picture that does not go on.
    Torn(usize),
    /// So many bytes before the first picture.
    Foreign(usize),
}

/// How far a picture was followed.
#[derive(Debug, Clone, Copy, Default)]
struct Scan {
    at: usize,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// Before the start of the picture.
    #[default]
    Start,
    /// At a marker.
    Marker,
    /// In compressed pixels.
    Pixels,
}

impl Scan {
    /// Follows the picture through `bytes`, which are those of the last call and more.
    fn go_on(&mut self, bytes: &[u8]) -> Found {
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            match self.phase {
                Phase::Start => match rest {
                    [0xff, 0xd8, 0xff, ..] => (self.at, self.phase) = (2, Phase::Marker),
                    [] | [0xff] | [0xff, 0xd8] => return Found::Nothing,
                    _ => return foreign(bytes),
                },
                Phase::Marker => match rest {
                    [0xff, 0xff, ..] => self.at += 1,
                    [0xff, 0xd9, ..] => return Found::Picture(self.at + 2),
                    [0xff, 0xd8 | 0x00, ..] => return Found::Torn(self.at),
                    [0xff, 0x01 | 0xd0..=0xd7, ..] => self.at += 2,
                    [] | [0xff] | [0xff, _] | [0xff, _, _] => return Found::Nothing,
                    [0xff, marker, high, low, ..] => {
                        self.at += 2 + usize::from(u16::from_be_bytes([*high, *low])).max(2);
                        if *marker == 0xda {
                            self.phase = Phase::Pixels;
                        }
                    }
                    _ => return Found::Torn(self.at),
                },
                Phase::Pixels => match memchr::memchr(0xff, rest) {
                    None => {
                        self.at = self.at.max(bytes.len());
                        return Found::Nothing;
                    }
                    Some(place) => {
                        self.at += place;
                        match bytes.get(self.at + 1) {
                            None => return Found::Nothing,
                            Some(0x00 | 0xd0..=0xd7) => self.at += 2,
                            Some(_) => self.phase = Phase::Marker,
                        }
                    }
                },
            }
        }
    }
}

/// The bytes before the first that could begin a picture.
fn foreign(bytes: &[u8]) -> Found {
    let starts = memchr::memchr_iter(0xff, bytes).find(|at| {
        let rest = &bytes[*at..];
        *at > 0 && [0xff, 0xd8, 0xff].starts_with(&rest[..rest.len().min(3)])
    });
    Found::Foreign(starts.unwrap_or(bytes.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives its bytes in chunks of the lengths in turn.
    struct Chunks<'b>(&'b [u8], std::iter::Cycle<std::vec::IntoIter<usize>>);

    impl Read for Chunks<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.next().unwrap().min(into.len()).min(self.0.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn pieces(bytes: &[u8], framing: Framing, chunks: Vec<usize>) -> Vec<Piece> {
        let mut frames = Frames::new(Chunks(bytes, chunks.into_iter().cycle()), framing);
        let mut pieces = Vec::new();
        while let Some(mut piece) = frames.next(Vec::new()).unwrap() {
            if let Piece::Frame(_, captured) = &mut piece {
                *captured = Monotonic::default();
            }
            pieces.push(piece);
        }
        pieces
    }

    fn frame(bytes: &[u8]) -> Piece {
        Piece::Frame(bytes.to_vec(), Monotonic::default())
    }

    /// A picture as the markers see it: a segment that holds an end marker (a thumbnail), two scans, stuffed bytes.
    fn picture(pixels: u8) -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9];
        bytes.extend([0xff, 0xda, 0, 3, 1, pixels, 0xff, 0x00, 0xff, 0xd3, pixels]);
        bytes.extend([0xff, 0xff, 0xc4, 0, 2, 0xff, 0xda, 0, 2, pixels, 0xff, 0xd9]);
        bytes
    }

    #[test]
    fn raw_frames_are_cut_by_length_and_a_last_one_that_is_short_is_torn() {
        let torn = Piece::Torn("it ends after 1 of 3 bytes of a frame".into());
        let wanted = vec![frame(b"abc"), frame(b"def"), torn];
        assert_eq!(pieces(b"abcdefg", Framing::Raw(3), vec![2, 1, 4]), wanted);
        assert_eq!(pieces(b"", Framing::Raw(3), vec![1]), []);
    }

    #[test]
    fn pictures_are_cut_by_their_markers_and_foreign_bytes_are_told() {
        let (one, other) = (picture(1), picture(2));
        let stream = [&one[..], &other, b"--boundary\xff\r\n", &one, &one[..18], &other, &one[..9]].concat();
        let told = |text: &str| Piece::Torn(text.into());
        let wanted = vec![
            frame(&one),
            frame(&other),
            told("13 bytes that belong to no picture"),
            frame(&one),
            told("a picture breaks off after 18 bytes"),
            frame(&other),
            told("it ends after 9 bytes of a picture"),
        ];
        assert_eq!(pieces(&stream, Framing::Jpeg, vec![stream.len()]), wanted);
    }

    proptest! {
        #[test]
        fn how_the_bytes_arrive_changes_nothing(
            order in proptest::collection::vec(0_u8..5, 0..6), chunks in proptest::collection::vec(1_usize..40, 1..5),
        ) {
            let stream: Vec<u8> = order.iter().flat_map(|kind| match kind {
                0 => b"junk\xff".to_vec(),
                1 => picture(1)[..usize::from(*kind) + 13].to_vec(),
                other => picture(*other),
            }).collect();
            let at_once = pieces(&stream, Framing::Jpeg, vec![usize::MAX]);
            let whole = |pieces: &[Piece]| pieces.iter().filter(|piece| matches!(piece, Piece::Frame(..))).count();
            if order.iter().all(|kind| *kind > 1) {
                prop_assert_eq!(whole(&at_once), order.len());
                prop_assert_eq!(at_once, pieces(&stream, Framing::Jpeg, chunks));
            } else {
                prop_assert_eq!(whole(&at_once), whole(&pieces(&stream, Framing::Jpeg, chunks)));
            }
        }

        #[test]
        fn every_byte_ends_up_somewhere(
            bytes in proptest::collection::vec(prop_oneof![Just(0xff_u8), Just(0xd8), Just(0xda), Just(0xd9), any::<u8>()], 0..300),
        ) {
            let mut count = 0;
            for piece in pieces(&bytes, Framing::Jpeg, vec![7]) {
                match piece {
                    Piece::Frame(frame, _) => {
                        prop_assert!(frame.starts_with(&[0xff, 0xd8, 0xff]) && frame.ends_with(&[0xff, 0xd9]));
                        count += frame.len();
                    }
                    Piece::Torn(told) => {
                        let number = told.split(' ').find_map(|word| word.parse::<usize>().ok());
                        count += number.unwrap();
                    }
                }
            }
            prop_assert_eq!(count, bytes.len());
        }
    }
}
