//! What happens and must be told: one event, one log line, one counter, from a closed list. Beside the counters everyone finds
//! the [`Pulse`], where the threads that must live beat.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use schemars::JsonSchema;
use serde::Serialize;
use tracing::Level;

use crate::pulse::Pulse;

/// What happened on the road and must be told: one event, one log line, one counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A frame was taken.
    FrameCaptured,
    /// A fresh frame replaced one that nobody had taken yet, or a stop came before it could open its part.
    FrameSuperseded,
    /// A file or buffer could not be read as a frame.
    FrameUnreadable,
    /// A device took pictures that were lost before anybody could take them, by its own count.
    FrameMissed,
    /// A camera gave no picture for twice the time it should need.
    CameraStalled,
    /// A camera is gone, or nothing it gives is of use; it is looked for again and again.
    CameraLost,
    /// A camera that was lost is back.
    CameraConnected,
    /// A camera failed for good.
    CameraFailed,
    /// A trigger was refused: its camera is busy or has ended, too many parts are open, or the daemon is stopping.
    TriggerOverrun,
    /// A trigger or part was refused for want of journal space.
    PartRefused,
    /// A reading was understood.
    ReadingTaken,
    /// A line could not be understood.
    ReadingGarbled,
    /// A line was longer than the sensor's bound.
    ReadingTooLong,
    /// A reading came after its part was closed.
    ReadingLate,
    /// A second reading of one sensor for one part.
    ReadingDuplicate,
    /// A reading waited for its part in vain.
    ReadingUnclaimed,
    /// A second frame of one camera for one part.
    FrameDuplicate,
    /// A frame came after its part was closed.
    FrameLate,
    /// A part came a second time in this run.
    PartDuplicate,
    /// A part was joined.
    PartJoined,
    /// A verdict was reached.
    PartJudged,
    /// A part was closed at start because the last run was cut off.
    PartInterrupted,
    /// A model could not be opened and does not judge.
    ModelStopped,
    /// A model failed on a part.
    MemberFailed,
    /// An optional member had not answered at its part's deadline and was left out.
    MemberLate,
    /// A session runs on something other than what was asked for first.
    MemberDegraded,
    /// A frame was taken otherwise than any that adaptive weights were fitted to; the weights are those at the border.
    QualityBeyond,
    /// The newest parts of a route look otherwise than those its fit was made with.
    DriftBegan,
    /// They look like those again.
    DriftOver,
    /// A part was not looked at for drift, for those before it were not done.
    DriftUnseen,
    /// The reject rate of a route, or that of undecided parts, went out of control.
    ChartAlarm,
    /// It is in control again, or somebody took note.
    ChartOver,
    /// The first subgroups gave a control chart its limits.
    ChartBegun,
    /// A verdict could not be read for the control charts, or they could not be kept.
    ChartUnkept,
    /// The golden set was judged beside the line.
    GoldenJudged,
    /// A picture of the golden set was judged otherwise than expected, or could not be judged.
    GoldenDiffers,
    /// An engine was built, held against the references and put to work.
    EngineBuilt,
    /// An engine is not what it should be, or could not be built; another provider answers.
    EngineRefused,
    /// Parts are judged on a lighter rung of the ladder from now on.
    RungLowered,
    /// Parts are judged on a heavier rung of the ladder from now on.
    RungRaised,
    /// The governor saw something a person should look at.
    GovernorAlarm,
    /// A sensor's line bounced: an edge came too soon after the one before it and triggers nothing.
    TriggerBounced,
    /// A trigger was missed: its edge was lost in the kernel, no frame came for it, or no verdict in time for an output.
    TriggerMissed,
    /// An output gave a pulse for a part.
    OutputPulsed,
    /// A part came to an output without a verdict and was treated as `none`.
    OutputUnanswered,
    /// A verdict came after its part had gone by an output.
    OutputLate,
    /// A pulse was due so long ago that it was not given.
    OutputMissed,
    /// More parts were on their way to an output than it looks after.
    OutputOverrun,
    /// An output could not be driven.
    OutputFailed,
    /// A heartbeat stopped, for a part or the road does not move.
    HeartbeatStopped,
    /// A verdict could not be written into the journal; it will be tried again.
    VerdictUnwritten,
    /// A verdict was acknowledged by the broker.
    VerdictPublished,
    /// The broker refused a verdict.
    VerdictRefused,
    /// The connection to the broker was made.
    BrokerConnected,
    /// The connection to the broker was lost.
    BrokerLost,
    /// A frame was kept as an image.
    ImageKept,
    /// An image that should have been kept was not.
    ImageDropped,
    /// A kept image was removed to make room.
    ImageExpired,
    /// Something that must move did not, and the watchdog was not fed.
    WatchdogWithheld,
    /// Configuration, models and fits were read anew; parts captured from then on are judged by them.
    PlanReloaded,
    /// They were read anew and refused; the line goes on as it was.
    ReloadRefused,
    /// The daemon began with the configuration that last ran well, because another one kept failing.
    SafeMode,
    /// The line was changed over: parts captured from then on are made by another recipe.
    RecipeChanged,
    /// A changeover was refused, or the recipe of the last one is not that of this start.
    RecipeRefused,
    /// The register by which a controller changes the recipe, or the one that tells it, cannot be reached.
    RecipeRegisterLost,
}

impl Event {
    /// All events, in the order of their counters.
    pub const ALL: [Self; Self::RecipeRegisterLost as usize + 1] = [
        Self::FrameCaptured,
        Self::FrameSuperseded,
        Self::FrameUnreadable,
        Self::FrameMissed,
        Self::CameraStalled,
        Self::CameraLost,
        Self::CameraConnected,
        Self::CameraFailed,
        Self::TriggerOverrun,
        Self::PartRefused,
        Self::ReadingTaken,
        Self::ReadingGarbled,
        Self::ReadingTooLong,
        Self::ReadingLate,
        Self::ReadingDuplicate,
        Self::ReadingUnclaimed,
        Self::FrameDuplicate,
        Self::FrameLate,
        Self::PartDuplicate,
        Self::PartJoined,
        Self::PartJudged,
        Self::PartInterrupted,
        Self::ModelStopped,
        Self::MemberFailed,
        Self::MemberLate,
        Self::MemberDegraded,
        Self::QualityBeyond,
        Self::DriftBegan,
        Self::DriftOver,
        Self::DriftUnseen,
        Self::ChartAlarm,
        Self::ChartOver,
        Self::ChartBegun,
        Self::ChartUnkept,
        Self::GoldenJudged,
        Self::GoldenDiffers,
        Self::EngineBuilt,
        Self::EngineRefused,
        Self::RungLowered,
        Self::RungRaised,
        Self::GovernorAlarm,
        Self::TriggerBounced,
        Self::TriggerMissed,
        Self::OutputPulsed,
        Self::OutputUnanswered,
        Self::OutputLate,
        Self::OutputMissed,
        Self::OutputOverrun,
        Self::OutputFailed,
        Self::HeartbeatStopped,
        Self::VerdictUnwritten,
        Self::VerdictPublished,
        Self::VerdictRefused,
        Self::BrokerConnected,
        Self::BrokerLost,
        Self::ImageKept,
        Self::ImageDropped,
        Self::ImageExpired,
        Self::WatchdogWithheld,
        Self::PlanReloaded,
        Self::ReloadRefused,
        Self::SafeMode,
        Self::RecipeChanged,
        Self::RecipeRefused,
        Self::RecipeRegisterLost,
    ];

    /// How loud the log line is: normal traffic whispers, whatever someone should look at is a warning.
    const fn level(self) -> Level {
        match self {
            Self::FrameCaptured
            | Self::ReadingTaken
            | Self::PartJoined
            | Self::PartJudged
            | Self::OutputPulsed
            | Self::TriggerBounced
            | Self::VerdictPublished
            | Self::ImageKept
            | Self::ImageExpired => Level::DEBUG,
            Self::BrokerConnected
            | Self::CameraConnected
            | Self::ChartBegun
            | Self::ChartOver
            | Self::DriftOver
            | Self::EngineBuilt
            | Self::GoldenJudged
            | Self::PartDuplicate
            | Self::FrameMissed
            | Self::FrameSuperseded
            | Self::PlanReloaded
            | Self::RecipeChanged => Level::INFO,
            _ => Level::WARN,
        }
    }
}

impl fmt::Display for Event {
    /// The event's name as in the counters: `part_judged`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// The counters of a process, shared by clones. Counting is one relaxed atomic addition.
#[derive(Debug, Clone)]
pub struct Telemetry {
    counts: Arc<[AtomicU64; Event::ALL.len()]>,
    pulse: Pulse,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { counts: Arc::new(std::array::from_fn(|_| AtomicU64::new(0))), pulse: Pulse::default() }
    }
}

impl Telemetry {
    /// Counts `event` and logs it with its `detail`: the thing, the value seen, the value wanted.
    pub fn tell(&self, event: Event, detail: fmt::Arguments<'_>) {
        self.tell_of(1, event, detail);
    }

    /// Counts `event` as often as it happened `times` at once, and logs it once.
    pub fn tell_of(&self, times: u64, event: Event, detail: fmt::Arguments<'_>) {
        self.counts[event as usize].fetch_add(times, Ordering::Relaxed);
        match event.level() {
            Level::WARN => tracing::warn!(%event, "{detail}"),
            Level::INFO => tracing::info!(%event, "{detail}"),
            _ => tracing::debug!(%event, "{detail}"),
        }
    }

    /// Where the threads of this process beat.
    #[must_use]
    pub const fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// How often `event` was told.
    #[must_use]
    pub fn count(&self, event: Event) -> u64 {
        self.counts[event as usize].load(Ordering::Relaxed)
    }

    /// All counters by event.
    #[must_use]
    pub fn counters(&self) -> BTreeMap<Event, u64> {
        Event::ALL.into_iter().map(|event| (event, self.count(event))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_its_own_counter() {
        for (place, event) in Event::ALL.into_iter().enumerate() {
            assert_eq!(event as usize, place);
        }
        assert_eq!(Event::PartJudged.to_string(), "part_judged");
        let telemetry = Telemetry::default();
        telemetry.tell(Event::PartJudged, format_args!("part a"));
        telemetry.clone().tell(Event::PartJudged, format_args!("part b"));
        assert_eq!(telemetry.count(Event::PartJudged), 2);
        assert_eq!(telemetry.counters().values().sum::<u64>(), 2);
    }
}
