//! What several integration tests need: a broker, a subscriber and a Modbus server that are not ours, the daemon as a process, settings.

pub(crate) mod daemon;
pub(crate) mod modbus;
pub(crate) mod mosquitto;
