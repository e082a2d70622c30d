//! Pooled pixel buffers: taken at capture, given back by themselves when the last reader lets go.
//!
//! The pool keeps at most `keep` idle buffers; more than that are freed. A buffer is filled once, while it is owned, and
//! then only read.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A shelf of idle buffers, shared by clones.
#[derive(Debug, Clone)]
pub struct Pool {
    shelf: Arc<Shelf>,
}

#[derive(Debug)]
struct Shelf {
    idle: Mutex<Vec<Vec<u16>>>,
    keep: usize,
}

impl Pool {
    /// A pool that keeps at most `keep` idle buffers.
    #[must_use]
    pub fn new(keep: usize) -> Self {
        Self { shelf: Arc::new(Shelf { idle: Mutex::new(Vec::with_capacity(keep)), keep }) }
    }

    /// A buffer of `bytes` bytes with unspecified content: an idle one where there is one, else a new one.
    #[must_use]
    pub fn take(&self, bytes: usize) -> Pooled {
        let wanted = bytes.div_ceil(2);
        let mut idle = self.shelf.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // One of the same length needs no zeroes written behind what it holds.
        let same = idle.iter().rposition(|words| words.len() == wanted);
        let taken = match same {
            Some(place) => Some(idle.swap_remove(place)),
            None => idle.pop(),
        };
        drop(idle);
        let mut words = taken.unwrap_or_default();
        words.resize(wanted, 0);
        Pooled { words, bytes, home: Arc::clone(&self.shelf) }
    }

    /// The number of idle buffers on the shelf.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.shelf.idle.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A buffer that returns to its pool when dropped. Its bytes are aligned for 16-bit words.
pub struct Pooled {
    words: Vec<u16>,
    bytes: usize,
    home: Arc<Shelf>,
}

impl Pooled {
    /// The number of bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes
    }

    /// Whether there are no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The bytes, to read.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.bytes]
    }

    /// The bytes, to fill.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.bytes]
    }
}

impl fmt::Debug for Pooled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pooled({} bytes)", self.bytes)
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let mut idle = self.home.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.home.keep {
            idle.push(std::mem::take(&mut self.words));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_and_is_used_again() {
        let pool = Pool::new(1);
        let mut first = pool.take(7);
        first.bytes_mut().copy_from_slice(b"1234567");
        let place = first.bytes().as_ptr();
        let second = pool.take(3);
        drop(first);
        drop(second);
        assert_eq!(pool.idle(), 1, "only as many as the pool keeps");
        let again = pool.take(6);
        assert_eq!((again.len(), again.bytes().as_ptr()), (6, place));
    }
}
