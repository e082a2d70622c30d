//! The integration tests: one binary, one module a capability.
mod journal;
mod mqtt;
mod support;
