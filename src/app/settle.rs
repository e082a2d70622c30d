//! The desk at the end of the road: judges, puts the verdict into words, journals it, keeps the frames that must be kept.

use std::sync::{Mutex, PoisonError};

use futures::StreamExt as _;
use tokio::sync::{mpsc, watch};

use crate::flow::publish::message::{Health, Latency, Origin, Stamp, compose, compose_interrupted};
use crate::flow::verdict::{Decision, Verdict};
use crate::flow::{Walked, bound, inspect};
use crate::learn::metrics::percentile;
use crate::record::images::Images;
use crate::record::journal::{Journal, OpenPart};
use crate::telemetry::{Event, Telemetry};

/// How many of the newest latencies the summary is over: a few minutes of a fast line.
const LATENCIES: usize = 4096;

/// Everything a verdict passes on its way into the journal.
pub(super) struct Desk {
    pub(super) origin: Origin,
    pub(super) journal: Journal,
    pub(super) images: Option<Images>,
    pub(super) health: watch::Sender<Health>,
    pub(super) telemetry: Telemetry,
    pub(super) latencies: Mutex<Latencies>,
}

/// The newest latencies, in milliseconds, in a ring.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    ring: Vec<f64>,
    parts: u64,
}

impl Desk {
    /// Settles every part that comes from the models; up to one group commit of them at once.
    pub(super) async fn run(&self, walked: mpsc::Receiver<Walked>) {
        let arriving = futures::stream::unfold(walked, |mut walked| async { Some((walked.recv().await?, walked)) });
        arriving.for_each_concurrent(bound::VERDICTS, |walked| self.settle(walked)).await;
    }

    /// Judges one part and makes the verdict durable before anything else happens with it.
    async fn settle(&self, walked: Walked) {
        let verdict = inspect::judge(&walked);
        let message = compose(&walked, &verdict, &self.origin, Stamp::now());
        self.tell(&walked, &verdict);
        if let Some(times) = message.milliseconds {
            self.note_latency(times.total);
        }
        let part = walked.part.id.as_str();
        match self.journal.append(part, Box::new(|seq| message.into_body(seq))).await {
            Ok(seq) => self.keep_frames(seq, verdict.decision, &walked),
            Err(error) => tracing::error!("the verdict on part {part} is not in the journal: {error}"),
        }
    }

    /// Gives its verdict to a part that was open when the daemon was last cut off.
    pub(super) async fn close_interrupted(&self, open: &OpenPart) -> anyhow::Result<()> {
        let part = &open.part;
        self.telemetry.tell(Event::PartInterrupted, format_args!("part {part} was open since {}", open.opened_utc));
        let opened = open.opened_utc.parse().ok();
        let message = compose_interrupted(&open.run, part, opened, &self.origin, Stamp::now());
        self.journal.append_interrupted(open, Box::new(|seq| message.into_body(seq))).await?;
        Ok(())
    }

    fn tell(&self, walked: &Walked, verdict: &Verdict) {
        let part = &walked.part.id;
        for why in verdict.votes.iter().filter_map(|vote| vote.failure.as_ref()) {
            self.telemetry.tell(Event::MemberFailed, format_args!("part {part}: {why}"));
        }
        let decision = verdict.decision.as_str();
        self.telemetry.tell(Event::PartJudged, format_args!("part {part}: {decision}, score {:?}", verdict.score));
    }

    fn keep_frames(&self, seq: u64, decision: Decision, walked: &Walked) {
        if let Some(images) = self.images.as_ref().filter(|images| images.wants(decision, seq)) {
            walked.part.frames.iter().for_each(|frame| images.keep(seq, frame));
        }
    }

    fn note_latency(&self, milliseconds: f64) {
        let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        let place = usize::try_from(latencies.parts % LATENCIES as u64).unwrap_or_default();
        latencies.parts += 1;
        match latencies.ring.get_mut(place) {
            Some(oldest) => *oldest = milliseconds,
            None => latencies.ring.push(milliseconds),
        }
    }

    /// Puts the latencies so far where the publisher reads them.
    pub(super) fn refresh_health(&self) {
        let latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        let at = |share| percentile(&latencies.ring, share);
        let latency = at(0.5).zip(at(0.99)).zip(at(1.0));
        let parts = latencies.parts;
        let latency = latency.map(|((p50, p99), max)| Latency { parts, p50, p99, max });
        self.health.send_modify(|health| health.latency = latency);
    }

    /// Writes what is queued for keeping and lets go of the journal.
    pub(super) fn close(self) -> Journal {
        if let Some(images) = self.images {
            images.close();
        }
        self.journal
    }
}
