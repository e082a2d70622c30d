//! The study's second half: figures that look back at labelled parts. No I/O.

pub mod metrics;
