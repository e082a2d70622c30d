//! The integration tests: one binary, one module a capability.
mod conformance;
mod crew;
mod parity;
