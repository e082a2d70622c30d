//! What several integration tests need: a broker and a subscriber that are not ours, the daemon as a process, settings.

pub(crate) mod daemon;
pub(crate) mod mosquitto;
