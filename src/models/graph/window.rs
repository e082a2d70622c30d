//! A window onto a file for the protobuf reader: what is skipped is never read, so a file of gigabytes costs a few
//! kilobytes of memory.
//!
//! Promises the bytes of the file in order. A read that fails shows as zeroes, which are no protobuf; the failure itself
//! is kept and asked for with [`Window::failure`].

use std::io::{self, Read, Seek, SeekFrom};

use bytes::Buf;

/// Bytes read at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// A window onto a reader of known length.
#[derive(Debug)]
pub(super) struct Window<R> {
    inner: R,
    /// Bytes of the file that are not in the chunk yet.
    behind: usize,
    chunk: Vec<u8>,
    at: usize,
    failure: Option<io::Error>,
}

impl<R: Read + Seek> Window<R> {
    /// A window onto `inner`, which stands at its beginning and has `length` bytes.
    pub(super) fn new(inner: R, length: usize) -> Self {
        let mut window = Self { inner, behind: length, chunk: Vec::new(), at: 0, failure: None };
        window.load();
        window
    }

    /// Why reading failed, where it did.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    fn load(&mut self) {
        let wanted = self.behind.min(CHUNK_BYTES);
        self.chunk.clear();
        self.chunk.resize(wanted, 0);
        self.at = 0;
        self.behind -= wanted;
        if self.failure.is_none()
            && let Err(error) = self.inner.read_exact(&mut self.chunk)
        {
            self.chunk.fill(0);
            self.failure = Some(error);
        }
    }

    fn skip(&mut self, count: usize) {
        self.behind -= count;
        if self.failure.is_none()
            && let Err(error) = self.inner.seek(SeekFrom::Current(i64::try_from(count).unwrap_or(i64::MAX)))
        {
            self.failure = Some(error);
        }
    }
}

impl<R: Read + Seek> Buf for Window<R> {
    fn remaining(&self) -> usize {
        self.chunk.len() - self.at + self.behind
    }

    fn chunk(&self) -> &[u8] {
        self.chunk.get(self.at..).unwrap_or_default()
    }

    fn advance(&mut self, count: usize) {
        let here = count.min(self.chunk.len() - self.at);
        self.at += here;
        // The reader never asks for more than remains; what it asked beyond would be nothing.
        let beyond = (count - here).min(self.behind);
        if beyond > 0 {
            self.skip(beyond);
        }
        if self.at == self.chunk.len() || beyond > 0 {
            self.load();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shows_the_same_bytes_as_memory(
            length in 0_usize..60_000,
            steps in prop::collection::vec(1_usize..20_000, 0..12),
        ) {
            let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let mut window = Window::new(Cursor::new(bytes.clone()), length);
            let mut memory = bytes.as_slice();
            for step in steps {
                prop_assert_eq!(window.remaining(), memory.remaining());
                prop_assert_eq!(window.chunk().first(), memory.chunk().first());
                let step = step.min(memory.remaining());
                window.advance(step);
                memory.advance(step);
            }
            prop_assert_eq!(window.copy_to_bytes(window.remaining()), memory);
            prop_assert!(window.failure().is_none());
        }
    }

    #[test]
    fn a_file_that_ends_early_is_told() {
        let mut window = Window::new(Cursor::new(vec![1; 10]), 20);
        assert_eq!(window.chunk(), [0; 20]);
        assert_eq!(window.failure().unwrap().kind(), io::ErrorKind::UnexpectedEof);
    }
}
