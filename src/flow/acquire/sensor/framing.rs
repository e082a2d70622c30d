//! Bytes to lines of bounded length. A bad line is an item of the stream, not its end.

use std::io;

use tokio_util::bytes::BytesMut;
use tokio_util::codec::{Decoder, LinesCodec, LinesCodecError};

/// Why a line could not be framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BrokenLine {
    /// Longer than allowed; it is skipped up to its newline.
    TooLong,
    /// Not UTF-8.
    NotUtf8,
}

/// [`LinesCodec`], but with its refusals as items: an error would end a framed stream for as long as no new bytes come.
#[derive(Debug)]
pub(super) struct BoundedLines(LinesCodec);

impl BoundedLines {
    /// Lines of at most `max_bytes` bytes without the newline.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self(LinesCodec::new_with_max_length(max_bytes))
    }
}

/// The codec only ever reads from memory: its I/O error is the one for invalid UTF-8.
fn as_item(line: Result<Option<String>, LinesCodecError>) -> Option<Result<String, BrokenLine>> {
    match line {
        Ok(line) => line.map(Ok),
        Err(LinesCodecError::MaxLineLengthExceeded) => Some(Err(BrokenLine::TooLong)),
        Err(LinesCodecError::Io(_)) => Some(Err(BrokenLine::NotUtf8)),
    }
}

impl Decoder for BoundedLines {
    type Item = Result<String, BrokenLine>;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Self::Item>> {
        Ok(as_item(self.0.decode(bytes)))
    }

    fn decode_eof(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Self::Item>> {
        Ok(as_item(self.0.decode_eof(bytes)))
    }
}

/// A message that is one line, held to the same bound; one newline at its end is allowed.
pub(super) fn whole_message(message: Vec<u8>, max_bytes: usize) -> Result<String, BrokenLine> {
    let mut line = String::from_utf8(message).map_err(|_| BrokenLine::NotUtf8)?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    if line.len() > max_bytes { Err(BrokenLine::TooLong) } else { Ok(line) }
}
