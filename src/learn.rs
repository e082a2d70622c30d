//! The study's second half: figures that look back at labelled parts, and what is fitted to them. No I/O.

pub mod bootstrap;
pub mod calibrate;
pub mod cascade;
pub mod class_weights;
pub mod compare;
pub mod concatenate;
pub mod control_chart;
pub mod curves;
pub mod drift;
pub mod ensemble;
pub mod folds;
pub mod gate;
pub mod gauge;
pub mod interval;
pub mod measured;
pub mod metrics;
mod newton;
pub mod panel;
pub mod rehearsal;
pub mod risk;
pub mod sampling;
pub mod scored;
pub mod stack;
pub mod teach;
pub mod thresholds;
pub mod weights;
pub mod worth;
