//! The cameras as dispatch asks them: in turn, and each with one hand.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use futures::FutureExt as _;

use crate::flow::Frame;
use crate::flow::frames::FrameSource;
use crate::name::Name;

/// The cameras' passages, each with at most one frame in hand that waits for room.
pub(super) struct Cameras {
    pub(super) sources: Vec<Source>,
    /// Where the next round of asking begins, so that no camera is favoured.
    first: usize,
}

/// One camera's passage and its hand.
pub(super) struct Source {
    pub(super) frames: FrameSource,
    pub(super) held: Option<Arc<Frame>>,
    ended: bool,
}

impl Cameras {
    /// All hands are empty.
    pub(super) fn new(frames: Vec<(Name, FrameSource)>) -> Self {
        let sources = frames.into_iter().map(|(_, frames)| Source { frames, held: None, ended: false }).collect();
        Self { sources, first: 0 }
    }

    /// Whether a frame is in hand, or may still come.
    pub(super) fn any_left(&self) -> bool {
        self.sources.iter().any(|source| !source.ended || source.held.is_some())
    }

    /// The next frame of any camera whose hand is free, with the camera's place. Nothing is lost when it is cancelled.
    pub(super) async fn next(&mut self) -> (usize, Option<Arc<Frame>>) {
        poll_fn(|context| {
            let count = self.sources.len();
            for place in (0..count).map(|step| (self.first + step) % count) {
                let source = &mut self.sources[place];
                if source.ended || source.held.is_some() {
                    continue;
                }
                if let Poll::Ready(frame) = source.frames.poll_recv(context) {
                    self.first = place + 1;
                    return Poll::Ready((place, frame));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Puts what [`Self::next`] gave into the camera's hand.
    pub(super) fn put(&mut self, place: usize, frame: Option<Arc<Frame>>) {
        if let Some(source) = self.sources.get_mut(place) {
            source.ended = frame.is_none();
            source.held = frame;
        }
    }

    /// Takes what is ready now into the free hands. Outside tokio's budget: a channel that is asked once the budget is
    /// used up says that it is empty.
    pub(super) fn fill(&mut self) {
        while let Some((place, frame)) = tokio::task::unconstrained(self.next()).now_or_never() {
            self.put(place, frame);
        }
    }

    /// Empties the hands.
    pub(super) fn empty(&mut self) -> Vec<Arc<Frame>> {
        self.sources.iter_mut().filter_map(|source| source.held.take()).collect()
    }
}
