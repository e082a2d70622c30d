//! The study's second half: figures that look back at labelled parts. No I/O.

pub mod bootstrap;
pub mod compare;
pub mod metrics;
pub mod scored;
pub mod worth;
