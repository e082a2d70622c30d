//! How frames cross from a camera's thread to dispatch: a queue where none may be lost, a slot where the newest wins.
//!
//! Owns the two kinds of passage and nothing else: what is counted when a frame is superseded is the sender's business.
//! Both ends notice when the other is gone.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::mpsc;

use super::Frame;

/// Where a camera hands its frames in.
#[derive(Debug)]
pub enum FrameSink {
    /// Every frame arrives; the camera waits while the queue is full.
    Queue(mpsc::Sender<Arc<Frame>>),
    /// The newest frame replaces one that nobody has taken.
    Slot(SlotSink),
}

/// Where dispatch takes a camera's frames out.
#[derive(Debug)]
pub struct FrameSource {
    passage: Passage,
    patient: bool,
}

#[derive(Debug)]
enum Passage {
    Queue(mpsc::Receiver<Arc<Frame>>),
    Slot(SlotSource),
}

/// What became of a frame that was handed in.
#[derive(Debug)]
pub enum Delivery {
    /// It will be taken.
    Delivered,
    /// It will be taken in place of this older one.
    Superseded(Arc<Frame>),
    /// Nobody takes frames any more.
    Closed,
}

/// A queue of `capacity` frames (at least one). `patient` says whether its camera may be held up for as long as the road
/// likes, as files may and a moving belt may not.
#[must_use]
pub fn queue(capacity: usize, patient: bool) -> (FrameSink, FrameSource) {
    let (sink, source) = mpsc::channel(capacity.max(1));
    (FrameSink::Queue(sink), FrameSource { passage: Passage::Queue(source), patient })
}

/// A slot of one frame, in which the newest wins.
#[must_use]
pub fn slot() -> (FrameSink, FrameSource) {
    let slot = Arc::new(Mutex::new(Slot::default()));
    let source = FrameSource { passage: Passage::Slot(SlotSource(Arc::clone(&slot))), patient: false };
    (FrameSink::Slot(SlotSink(slot)), source)
}

impl FrameSink {
    /// Waits until a frame can be handed in without waiting; whether anybody still takes frames.
    pub async fn room(&self) -> bool {
        match self {
            Self::Queue(queue) => queue.reserve().await.is_ok(),
            Self::Slot(_) => true,
        }
    }

    /// Hands `frame` in; waits only for a full queue.
    pub async fn send(&self, frame: Arc<Frame>) -> Delivery {
        match self {
            Self::Queue(queue) => match queue.send(frame).await {
                Ok(()) => Delivery::Delivered,
                Err(_) => Delivery::Closed,
            },
            Self::Slot(slot) => slot.put(frame),
        }
    }
}

impl FrameSource {
    /// Whether the camera behind it may be held up: then dispatch leaves its frames until there is room.
    #[must_use]
    pub const fn is_patient(&self) -> bool {
        self.patient
    }

    /// The next frame; `None` when the camera has ended and everything is taken. Nothing is lost when it is cancelled.
    pub async fn recv(&mut self) -> Option<Arc<Frame>> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// As [`Self::recv`], for a task that waits for several cameras at once.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Arc<Frame>>> {
        match &mut self.passage {
            Passage::Queue(queue) => queue.poll_recv(context),
            Passage::Slot(slot) => slot.poll_take(context),
        }
    }
}

#[derive(Debug, Default)]
struct Slot {
    frame: Option<Arc<Frame>>,
    waiting: Option<Waker>,
    closed: bool,
}

/// The camera's end of a slot.
#[derive(Debug)]
pub struct SlotSink(Arc<Mutex<Slot>>);

#[derive(Debug)]
struct SlotSource(Arc<Mutex<Slot>>);

fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SlotSink {
    fn put(&self, frame: Arc<Frame>) -> Delivery {
        let mut slot = lock(&self.0);
        if slot.closed {
            return Delivery::Closed;
        }
        let older = slot.frame.replace(frame);
        let waiting = slot.waiting.take();
        drop(slot);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
        older.map_or(Delivery::Delivered, Delivery::Superseded)
    }
}

impl SlotSource {
    fn poll_take(&self, context: &Context<'_>) -> Poll<Option<Arc<Frame>>> {
        let mut slot = lock(&self.0);
        if slot.frame.is_some() || slot.closed {
            return Poll::Ready(slot.frame.take());
        }
        slot.waiting = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for SlotSink {
    fn drop(&mut self) {
        let mut slot = lock(&self.0);
        slot.closed = true;
        let waiting = slot.waiting.take();
        drop(slot);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

impl Drop for SlotSource {
    fn drop(&mut self) {
        lock(&self.0).closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::super::pool::Pool;
    use super::super::{Image, PixelFormat};
    use super::*;
    use crate::clock::Monotonic;
    use crate::name::Name;

    fn frame(sequence: u64) -> Arc<Frame> {
        let image = Image::new(1, 1, PixelFormat::Grey8, Pool::new(1).take(1)).unwrap();
        let camera = Name::new("top").unwrap();
        Arc::new(Frame { camera, sequence, captured: Monotonic::default(), part: None, image })
    }

    #[tokio::test]
    async fn in_a_slot_the_newest_wins_and_the_last_one_survives_the_camera() {
        let (sink, mut source) = slot();
        assert!(matches!(sink.send(frame(0)).await, Delivery::Delivered));
        assert!(matches!(sink.send(frame(1)).await, Delivery::Superseded(older) if older.sequence == 0));
        assert_eq!(source.recv().await.unwrap().sequence, 1);
        let later =
            tokio::spawn(async move { (source.recv().await.map(|f| f.sequence), source.recv().await.is_none()) });
        tokio::task::yield_now().await;
        assert!(matches!(sink.send(frame(2)).await, Delivery::Delivered));
        drop(sink);
        assert_eq!(later.await.unwrap(), (Some(2), true));
    }

    #[tokio::test]
    async fn both_passages_tell_the_camera_that_nobody_listens() {
        for (sink, source) in [queue(1, true), slot()] {
            drop(source);
            assert!(matches!(sink.send(frame(0)).await, Delivery::Closed));
        }
    }
}
