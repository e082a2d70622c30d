//! The study's first half: what is kept of every part.

pub mod chart;
pub mod images;
pub mod journal;
pub mod recipe;
pub mod starts;
mod whole;
