//! The desk at the end of the road: judges, puts the verdict into words, journals it, keeps the frames that must be kept.
//!
//! Promises: a verdict that the journal cannot write is tried again until it is written or the desk is told to give up. As it
//! holds one group commit of parts at most, a disk that stays full holds up the cameras and loses nothing.
//! The latency summary is over the newest 4,096 parts only; its `parts` counts all of them.

use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt as _;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::drift::Drift;
use super::pace::LinePace;
use crate::config;
use crate::flow::publish::message::{
    Drifting, FailingOutput, Health, Latency, Origin, Stamp, VerdictMessage, compose, compose_interrupted,
};
use crate::flow::retry::{Retry, draw};
use crate::flow::review::Review;
use crate::flow::verdict::{Decision, FrameQuality, Verdict};
use crate::flow::{Walked, bound, inspect};
use crate::learn::metrics::percentile;
use crate::outputs::Outputs;
use crate::pulse::Beat;
use crate::record::images::Images;
use crate::record::journal::{Entry, Journal, JournalError, OpenPart};
use crate::telemetry::{Event, Telemetry};

/// How many of the newest latencies the summary is over: a few minutes of a fast line.
const LATENCIES: usize = 4096;

/// Everything a verdict passes on its way into the journal.
pub(super) struct Desk {
    pub(super) origin: Origin,
    pub(super) journal: Journal,
    pub(super) images: Option<Images>,
    /// Which verdicts people are asked to look at.
    pub(super) review: Option<config::Review>,
    pub(super) health: watch::Sender<Health>,
    pub(super) pace: LinePace,
    /// Who watches for drift, where somebody does.
    pub(super) drift: Option<Drift>,
    pub(super) outputs: Outputs,
    pub(super) telemetry: Telemetry,
    pub(super) latencies: Mutex<Latencies>,
    /// The beat of the whole road; excused while the disk does not take verdicts.
    pub(super) road: Beat,
    /// Once cancelled, a verdict that cannot be written is not tried again.
    pub(super) give_up: CancellationToken,
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
    async fn settle(&self, mut walked: Walked) {
        let (verdict, drifting) = self.watched(&walked, judged(&walked));
        // Before anything that may wait: an output keeps its own time.
        self.outputs.verdict(&walked.part.id, verdict.decision);
        let mut message = compose(&walked, &verdict, &self.origin, Stamp::now());
        {
            let standing = &self.health.borrow().standing;
            message.degraded.extend(standing.safe_mode.iter().chain(&standing.recipe_lost).cloned());
        }
        message.drift = drifting;
        self.tell(&walked, &verdict);
        self.pace.note(&walked);
        if let Some(times) = message.milliseconds {
            self.note_latency(times.total);
        }
        if self.images.is_none() {
            // Nobody looks at the frames any more: their buffers need not wait for the disk.
            walked.part.frames.clear();
        }
        let part = walked.part.id.as_str();
        if let Some(seq) = self.write(part, message).await {
            self.keep_frames(seq, verdict.decision, &walked);
        }
    }

    /// Has drift watched, and the band of undecided widened while there is some; says so where it is.
    fn watched(&self, walked: &Walked, verdict: Verdict) -> (Verdict, Option<Drifting>) {
        let Some(drift) = &self.drift else { return (verdict, None) };
        drift.see(walked, &verdict);
        match drift.drifting(walked) {
            Some(drifting) => (inspect::widened(verdict, drifting.widened_by), Some(drifting)),
            None => (verdict, None),
        }
    }

    /// Writes a verdict and returns its number; tries again with growing pauses for as long as the journal may recover.
    async fn write(&self, part: &str, message: VerdictMessage) -> Option<u64> {
        let (mut failures, message) = (0, Arc::new(Mutex::new(message)));
        loop {
            let attempt = Arc::clone(&message);
            let review = self.review;
            let error = match self.journal.append(part, Box::new(move |seq| entry(&attempt, review, seq))).await {
                Ok(seq) => return Some(seq),
                Err(error) => error,
            };
            if matches!(error, JournalError::AlreadyJudged { .. } | JournalError::Closed) {
                tracing::error!("the verdict on part {part} is not in the journal: {error}");
                return None;
            }
            failures += 1;
            let pause = Retry::default().after(failures, draw());
            self.telemetry.tell(
                Event::VerdictUnwritten,
                format_args!("part {part}: {error}; failure {failures}, next try in {pause:?}"),
            );
            let _excuse = self.road.excused();
            if self.give_up.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                tracing::error!("the verdict on part {part} is given up, it is not in the journal: {error}");
                return None;
            }
        }
    }

    /// Gives its verdict to a part that was open when the daemon was last cut off.
    pub(super) async fn close_interrupted(&self, open: &OpenPart) -> anyhow::Result<()> {
        let part = &open.part;
        self.telemetry.tell(Event::PartInterrupted, format_args!("part {part} was open since {}", open.opened_utc));
        let opened = open.opened_utc.parse().ok();
        let message = Mutex::new(compose_interrupted(&open.run, part, opened, &self.origin, Stamp::now()));
        let review = self.review;
        self.journal.append_interrupted(open, Box::new(move |seq| entry(&message, review, seq))).await?;
        Ok(())
    }

    fn tell(&self, walked: &Walked, verdict: &Verdict) {
        let part = &walked.part.id;
        let decision = verdict.decision.as_str();
        self.telemetry.tell(Event::PartJudged, format_args!("part {part}: {decision}, score {:?}", verdict.score));
        for FrameQuality { camera, quality, beyond } in verdict.quality.iter().filter(|seen| !seen.beyond.is_empty()) {
            let what =
                format_args!("part {part}, camera {camera}: {beyond:?} of {quality:?} are beyond the fit's range");
            self.telemetry.tell(Event::QualityBeyond, what);
        }
    }

    fn keep_frames(&self, seq: u64, decision: Decision, walked: &Walked) {
        // Who is asked to look at a part should have something to look at.
        let asked = self.review.is_some_and(|review| put_up(review, decision, self.origin.epoch, seq).asked);
        if let Some(images) = self.images.as_ref().filter(|images| asked || images.wants(decision, seq)) {
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

    /// Puts the summary of the newest latencies where the publisher reads it.
    pub(super) fn refresh_health(&self) {
        let (parts, mut newest) = self.latencies_now();
        // `percentile` sorts what it is given, which costs next to nothing when it is sorted already.
        newest.sort_by(f64::total_cmp);
        let at = |share| percentile(&newest, share);
        let latency = at(0.5).zip(at(0.99)).zip(at(1.0));
        let latency = latency.map(|((p50, p99), max)| Latency { parts, p50, p99, max });
        self.outputs.alive();
        let failing = self.outputs.troubles().into_iter().map(|(output, why)| FailingOutput { output, why }).collect();
        self.health.send_modify(|health| (health.latency, health.standing.failing_outputs) = (latency, failing));
    }

    /// How many parts there were, and a copy of the newest latencies: the lock is held for the copying only.
    fn latencies_now(&self) -> (u64, Vec<f64>) {
        let latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        (latencies.parts, latencies.ring.clone())
    }

    /// Lets the last parts go by the outputs, writes what is queued for keeping and lets go of the journal.
    pub(super) fn close(self) -> Journal {
        self.outputs.close();
        if let Some(drift) = self.drift {
            drift.close();
        }
        if let Some(images) = self.images {
            images.close();
        }
        self.journal
    }
}

/// The verdict; where weights hang on pixels, every one is looked at, and other tasks of the runtime do not wait for it.
pub(super) fn judged(walked: &Walked) -> Verdict {
    if inspect::looks_at_pixels(walked) {
        tokio::task::block_in_place(|| inspect::judge(walked))
    } else {
        inspect::judge(walked)
    }
}

/// The message under its number, by which it is decided whether a person is asked; on the journal's thread.
fn entry(message: &Mutex<VerdictMessage>, review: Option<config::Review>, seq: u64) -> Entry {
    let mut message = message.lock().unwrap_or_else(PoisonError::into_inner);
    message.review = review.map(|review| put_up(review, message.verdict, message.epoch, seq));
    let asked = message.review.filter(|review| review.asked).map(|review| review.probability);
    Entry { body: message.body(seq), asked }
}

fn put_up(config::Review { audit_share }: config::Review, decision: Decision, epoch: Uuid, seq: u64) -> Review {
    Review::of(decision, audit_share, epoch, seq)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::name::Name;

    /// A trigger by which every verdict fails to be written, as on a full disk.
    const FULL: &str = "CREATE TRIGGER full BEFORE INSERT ON verdict BEGIN SELECT RAISE(ABORT, 'no space left'); END";

    fn desk(path: &Path) -> Desk {
        let (run, settings) = (Name::new("run-1").unwrap(), config::Journal { path: path.into(), max_bytes: 1 << 30 });
        let opened = Journal::open(&settings, &run, true).unwrap();
        let origin = Origin { device: Name::new("device-1").unwrap(), epoch: opened.epoch, run };
        let health = watch::channel(Health::default()).0;
        let (telemetry, latencies, give_up) = (Telemetry::default(), Mutex::default(), CancellationToken::new());
        let pace = LinePace::new(&std::collections::BTreeMap::new(), Duration::from_secs(1), &telemetry);
        let road = telemetry.pulse().listen("the road");
        Desk {
            origin,
            journal: opened.journal,
            images: None,
            review: None,
            health,
            pace,
            drift: None,
            outputs: Outputs::default(),
            telemetry,
            latencies,
            road,
            give_up,
        }
    }

    fn outside(path: &Path, sql: &str) {
        rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
    }

    fn message(desk: &Desk, part: &str) -> VerdictMessage {
        compose_interrupted("run-1", part, None, &desk.origin, Stamp::now())
    }

    #[tokio::test(start_paused = true)]
    async fn a_verdict_outlives_a_full_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let desk = desk(&path);
        assert_eq!(desk.write("a", message(&desk, "a")).await, Some(1));
        outside(&path, FULL);
        let (b, c) = (message(&desk, "b"), message(&desk, "c"));
        let room = async {
            while desk.telemetry.count(Event::VerdictUnwritten) < 6 {
                tokio::time::advance(Duration::from_secs(1)).await;
            }
            assert_eq!(*desk.journal.committed().borrow(), 1);
            outside(&path, "DROP TRIGGER full");
        };
        let (b, c, ()) = tokio::join!(desk.write("b", b), desk.write("c", c), room);
        let mut seqs = [b.unwrap(), c.unwrap()];
        seqs.sort_unstable();
        assert_eq!(seqs, [2, 3], "no number is lost and none given twice");
        let rows = desk.journal.waiting(0, 9).await.unwrap();
        assert_eq!(rows.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_mended_by_waiting_is_not_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let desk = desk(&path);
        let verdict = message(&desk, "a");
        assert_eq!(desk.write("a", verdict.clone()).await, Some(1));
        assert_eq!(desk.write("a", verdict).await, None, "a part is judged once");
        assert_eq!(desk.telemetry.count(Event::VerdictUnwritten), 0);

        outside(&path, FULL);
        desk.give_up.cancel();
        assert_eq!(desk.write("b", message(&desk, "b")).await, None, "given up");
        assert_eq!(desk.telemetry.count(Event::VerdictUnwritten), 1);

        desk.journal.clone().close().await;
        assert_eq!(desk.write("c", message(&desk, "c")).await, None, "the journal is closed");
        assert_eq!(desk.telemetry.count(Event::VerdictUnwritten), 1);
    }

    #[tokio::test]
    async fn the_latency_summary_is_over_the_newest_parts_only() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(&folder.path().join("j"));
        desk.refresh_health();
        assert_eq!(desk.health.borrow().latency, None);
        desk.note_latency(9_000.0);
        (0..LATENCIES).for_each(|place| desk.note_latency(if place % 2 == 0 { 3.0 } else { 1.0 }));
        desk.refresh_health();
        let told = desk.health.borrow().latency.unwrap();
        assert_eq!((told.parts, told.p50, told.p99, told.max), (4_097, 1.0, 3.0, 3.0));
    }
}
