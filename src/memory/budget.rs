//! What one thing after another takes of the machine's memory, held against what they may take together.
//!
//! On a Jetson the GPU's memory is the machine's and counts in no process, so that a model takes what this process grew by or
//! what the machine has less, whichever is more. Others may use the machine meanwhile: the figures are about right, no more.

use std::path::Path;

use super::machine;
use super::resident::Resident;

const MIB: u64 = 1 << 20;

/// What is taken so far.
#[derive(Debug)]
pub struct Budget {
    most: Option<u64>,
    last: Held,
    taken: Vec<(String, u64)>,
}

/// Bytes that this process has, and that the machine still has; `None` where the kernel does not tell.
#[derive(Debug, Clone, Copy)]
struct Held {
    resident: Option<u64>,
    available: Option<u64>,
}

impl Held {
    fn now() -> Self {
        Self { resident: Resident::read().map(|held| held.now), available: machine::available(Path::new("/")) }
    }

    /// Bytes that were taken from `self` to `then`.
    fn taken_until(self, then: Self) -> u64 {
        let grown = then.resident.zip(self.resident).map_or(0, |(then, before)| then.saturating_sub(before));
        let gone = self.available.zip(then.available).map_or(0, |(before, then)| before.saturating_sub(then));
        grown.max(gone)
    }
}

impl Budget {
    /// From now on, `most` bytes may be taken; any number where it is `None`, and nothing is looked at then.
    #[must_use]
    pub fn begin(most: Option<u64>) -> Self {
        Self { most, last: Held::now(), taken: Vec::new() }
    }

    /// What was taken since the last note, or the begin, went to `what`.
    pub fn note(&mut self, what: &str) {
        if self.most.is_some() {
            let now = Held::now();
            self.taken.push((what.to_owned(), self.last.taken_until(now)));
            self.last = now;
        }
    }

    /// Whether all together keep to it.
    ///
    /// # Errors
    /// What is taken and by whom, the greatest first, and what may be, where it is more.
    pub fn keep(mut self) -> Result<(), (String, String)> {
        let Some(most) = self.most else { return Ok(()) };
        let sum: u64 = self.taken.iter().map(|(_, bytes)| bytes).sum();
        if sum <= most {
            return Ok(());
        }
        self.taken.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let each: Vec<String> = self.taken.iter().map(|(what, bytes)| format!("{what} {}", mib(*bytes))).collect();
        Err((format!("{} MiB ({})", mib(sum), each.join(", ")), format!("{} MiB", most / MIB)))
    }
}

/// Whole MiB, rounded up.
fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_the_greater_of_grown_and_gone() {
        let held = |resident, available| Held { resident, available };
        let before = held(Some(10), Some(100));
        assert_eq!(before.taken_until(held(Some(14), Some(99))), 4, "the processor's memory");
        assert_eq!(before.taken_until(held(Some(11), Some(70))), 30, "the GPU's");
        assert_eq!(before.taken_until(held(Some(9), Some(120))), 0);
        assert_eq!(before.taken_until(held(None, None)), 0);
    }

    #[test]
    fn who_takes_too_much_is_told_with_everybody() {
        let budget = |most| Budget {
            taken: vec![("student".into(), 2 * MIB), ("teacher".into(), 7 * MIB - 1)],
            ..Budget::begin(most)
        };
        assert_eq!(budget(Some(9 * MIB)).keep(), Ok(()));
        assert_eq!(budget(None).keep(), Ok(()));
        let told = Err(("9 MiB (teacher 7, student 2)".to_owned(), "8 MiB".to_owned()));
        assert_eq!(budget(Some(8 * MIB)).keep(), told);
    }

    #[test]
    fn memory_that_is_used_is_noted() {
        let mut budget = Budget::begin(Some(0));
        let used = std::hint::black_box(vec![1_u8; 64 << 20]);
        budget.note("a buffer");
        let (seen, wanted) = budget.keep().unwrap_err();
        let taken: u64 = seen.split(' ').next().unwrap().parse().unwrap();
        assert!(taken >= 64 && seen.ends_with(&format!("(a buffer {taken})")) && wanted == "0 MiB", "{seen}");
        assert_eq!(used.len(), 64 << 20);
    }
}
