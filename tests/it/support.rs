//! What several integration tests need: a broker and a subscriber that are not ours, and settings to try things with.

pub(crate) mod mosquitto;
