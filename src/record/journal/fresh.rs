//! The verdicts of the last commits, kept in memory for the outbox: so that what was just written need not be read back
//! from the file. A copy for speed only; whatever is not here is in the file.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::flow::bound;
use crate::flow::publish::Row;

/// Committed verdicts that nobody has taken yet: the newest, without gaps, at most [`bound::VERDICTS`]. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Fresh(Arc<Mutex<VecDeque<Row>>>);

impl Fresh {
    /// Adds what a commit has made durable, in order; the oldest make room.
    pub(super) fn add(&self, rows: Vec<Row>) {
        let mut kept = self.lock();
        kept.extend(rows);
        let excess = kept.len().saturating_sub(bound::VERDICTS);
        kept.drain(..excess);
    }

    /// Takes up to `limit` of the verdicts behind sequence number `after`; `None` when they are not all here.
    pub(super) fn take(&self, after: u64, limit: usize) -> Option<Vec<Row>> {
        let mut kept = self.lock();
        while kept.front().is_some_and(|(seq, _)| *seq <= after) {
            kept.pop_front();
        }
        if kept.front()?.0 != after + 1 {
            return None;
        }
        let count = limit.min(kept.len());
        Some(kept.drain(..count).collect())
    }

    /// Forgets all: what is here may have been sent by another way.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Row>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(seqs: std::ops::RangeInclusive<u64>) -> Vec<Row> {
        seqs.map(|seq| (seq, vec![u8::try_from(seq % 256).unwrap()])).collect()
    }

    #[test]
    fn what_follows_without_a_gap_is_taken_once() {
        let fresh = Fresh::default();
        assert_eq!(fresh.take(0, 9), None);
        fresh.add(rows(5..=8));
        assert_eq!(fresh.take(3, 9), None, "number 4 is in the file only");
        assert_eq!(fresh.take(4, 2), Some(rows(5..=6)));
        assert_eq!(fresh.take(4, 2), None, "they are taken");
        assert_eq!(fresh.take(7, 9), Some(rows(8..=8)), "number 7 was passed over and is gone");
    }

    #[test]
    fn the_oldest_make_room_and_leave_no_gap() {
        let fresh = Fresh::default();
        let bound = bound::VERDICTS as u64;
        fresh.add(rows(1..=bound));
        fresh.add(rows(bound + 1..=bound + 3));
        assert_eq!(fresh.take(0, 1), None);
        assert_eq!(fresh.take(3, usize::MAX), Some(rows(4..=bound + 3)));
        fresh.add(rows(bound + 4..=bound + 4));
        fresh.clear();
        assert_eq!(fresh.take(bound + 3, 1), None);
    }
}
