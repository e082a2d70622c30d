//! The checks: facts in, findings out. Nothing here looks at the machine.

pub(super) mod access;
pub(super) mod board;
pub(super) mod gpu;
pub(super) mod line;
pub(super) mod pace;
pub(super) mod room;
