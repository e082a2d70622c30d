//! What a model's tensors mean: one file a task. Pure functions, no I/O, no clock.

pub mod classification;
