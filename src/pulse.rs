//! The pulse: which threads still move, and since when one does not.
//!
//! Each thread and stage that must live has a [`Beat`] here and beats when it takes something up: a part, a question, or a
//! heartbeat that was sent through it because nothing else came. [`stuck`] decides, pure, whether one of them has been
//! silent for too long. Promises: a thread that has ended is no longer listened to; one that waits for another is excused,
//! because then that other one is listened to. Kills nobody.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::clock::Monotonic;

/// Everyone who must live, shared by clones.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    places: Mutex<Vec<Weak<Place>>>,
    work: AtomicU64,
}

#[derive(Debug)]
struct Place {
    name: String,
    /// Nanoseconds on the monotonic clock.
    last: AtomicU64,
    excuses: AtomicUsize,
}

/// The beat of one thread or stage; it is listened to until this is dropped.
#[derive(Debug)]
pub struct Beat {
    place: Arc<Place>,
    all: Arc<Shared>,
}

/// What was heard of one thread or stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Its name, for a sentence: `model elpv-gate`.
    pub name: String,
    /// When it moved last.
    pub last: Monotonic,
    /// Whether it waits for another, or for the world outside.
    pub excused: bool,
}

impl Pulse {
    /// Listens to `name` from now on.
    #[must_use]
    pub fn listen(&self, name: impl Into<String>) -> Beat {
        let last = AtomicU64::new(Monotonic::now().as_nanos());
        let place = Arc::new(Place { name: name.into(), last, excuses: AtomicUsize::new(0) });
        let mut places = self.0.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|place| place.strong_count() > 0);
        places.push(Arc::downgrade(&place));
        Beat { place, all: Arc::clone(&self.0) }
    }

    /// What was heard of everyone, in the order in which listening began.
    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        let places = self.0.places.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = |place: Arc<Place>| Heard {
            name: place.name.clone(),
            last: Monotonic::from_nanos(place.last.load(Ordering::Relaxed)),
            excused: place.excuses.load(Ordering::Relaxed) > 0,
        };
        places.iter().filter_map(Weak::upgrade).map(heard).collect()
    }

    /// How much work was done by everyone: answers of models, models that were opened.
    #[must_use]
    pub fn work(&self) -> u64 {
        self.0.work.load(Ordering::Relaxed)
    }

    /// A piece of work was done.
    pub fn worked(&self) {
        self.0.work.fetch_add(1, Ordering::Relaxed);
    }
}

impl Beat {
    /// It moves.
    pub fn moved(&self) {
        self.place.last.store(Monotonic::now().as_nanos(), Ordering::Relaxed);
    }

    /// It has done a piece of work.
    pub fn worked(&self) {
        self.all.work.fetch_add(1, Ordering::Relaxed);
        self.moved();
    }

    /// It waits for another, or for the world outside, until the guard is dropped.
    #[must_use]
    pub fn excused(&self) -> Excuse<'_> {
        self.place.excuses.fetch_add(1, Ordering::Relaxed);
        Excuse(self)
    }
}

/// Somebody is excused as long as this lives.
#[derive(Debug)]
pub struct Excuse<'b>(&'b Beat);

impl Drop for Excuse<'_> {
    fn drop(&mut self) {
        // In this order: it must not be seen as one that has been silent for as long as it was excused.
        self.0.moved();
        self.0.place.excuses.fetch_sub(1, Ordering::Release);
    }
}

/// Who has been silent for longer than `bound` at `now` without an excuse; of several the one that fell silent first.
#[must_use]
pub fn stuck(heard: &[Heard], now: Monotonic, bound: Duration) -> Option<&Heard> {
    let silent = heard.iter().filter(|heard| !heard.excused && now.since(heard.last) > bound);
    silent.min_by_key(|heard| heard.last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_has_ended_is_not_listened_to_and_who_waits_is_excused() {
        let pulse = Pulse::default();
        let (first, second) = (pulse.listen("first"), pulse.listen("second"));
        let names = || pulse.heard().into_iter().map(|heard| (heard.name, heard.excused)).collect::<Vec<_>>();
        assert_eq!(names(), [("first".into(), false), ("second".into(), false)]);
        let excuses = (second.excused(), second.excused());
        drop(excuses.0);
        assert_eq!(names()[1], ("second".into(), true), "it waits for two");
        drop(excuses.1);
        assert_eq!(names()[1], ("second".into(), false));
        drop(first);
        assert_eq!(names(), [("second".into(), false)]);
        second.worked();
        pulse.worked();
        assert_eq!(pulse.work(), 2);
    }

    #[test]
    fn an_excuse_that_ends_is_a_beat() {
        let pulse = Pulse::default();
        let beat = pulse.listen("it");
        let before = pulse.heard()[0].last;
        drop(beat.excused());
        let excused = pulse.heard()[0].last;
        assert!(excused > before);
        beat.moved();
        assert!(pulse.heard()[0].last > excused);
    }

    fn heard() -> impl Strategy<Value = Heard> {
        ("[a-c]", 0_u64..1000, any::<bool>()).prop_map(|(name, last, excused)| Heard {
            name,
            last: Monotonic::from_nanos(last),
            excused,
        })
    }

    proptest! {
        /// Somebody is named exactly when there is somebody silent without an excuse, and nobody was silent for longer.
        #[test]
        fn the_longest_silence_is_named(all in prop::collection::vec(heard(), 0..8), now in 0_u64..1500, bound in 0_u64..1000) {
            let silence = |heard: &Heard| now.saturating_sub(heard.last.as_nanos());
            let guilty = all.iter().filter(|heard| !heard.excused && silence(heard) > bound);
            let longest = guilty.map(silence).max();
            let named = stuck(&all, Monotonic::from_nanos(now), Duration::from_nanos(bound));
            prop_assert_eq!(named.map(silence), longest);
            prop_assert!(named.is_none_or(|named| !named.excused));
        }

        /// Waiting never mends it, a beat of the one who was named does, or brings the next one to light.
        #[test]
        fn only_a_beat_mends_it(all in prop::collection::vec(heard(), 1..8), now in 0_u64..1500, later in 0_u64..1500, bound in 0_u64..1000) {
            let bound = Duration::from_nanos(bound);
            let at = |nanos| Monotonic::from_nanos(nanos);
            if let Some(named) = stuck(&all, at(now), bound) {
                prop_assert_eq!(stuck(&all, at(now + later), bound), Some(named));
                let mut mended = all.clone();
                let place = all.iter().position(|heard| heard == named).unwrap();
                mended[place].last = at(now);
                let next = stuck(&mended, at(now), bound);
                prop_assert!(next.is_none_or(|next| next.last >= named.last));
                let count = |all: &[Heard]| all.iter().filter(|heard| stuck(std::slice::from_ref(heard), at(now), bound).is_some()).count();
                prop_assert_eq!(count(&mended) + 1, count(&all));
            }
        }
    }
}
