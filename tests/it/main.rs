//! The integration tests: one binary, one module a capability.

mod check;
mod conformance;
mod house;
mod parity;
