//! The integration tests: one binary, one module a capability.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]
#![allow(clippy::format_collect, clippy::struct_field_names, clippy::unnecessary_wraps, reason = "helpers of one test")]

mod board;
mod boxes;
mod changeover;
mod chart;
mod check;
mod cli;
mod conformance;
mod crew;
mod doctor;
mod drift;
mod engines;
mod explain;
mod families;
mod fit;
mod fit_boxes;
mod frames;
mod gauge;
mod govern;
mod heads;
mod house;
mod import;
mod journal;
mod label;
mod missed;
mod mqtt;
mod notify;
mod outputs;
mod parity;
mod price;
mod reload;
mod road;
mod safe;
mod simulate;
mod support;
mod teach;
mod tensorrt;
mod walks;
