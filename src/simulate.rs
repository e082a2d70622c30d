//! Boards that are not there: a shift of eight hours in a fraction of a second, to see what a policy is worth before a part is
//! at stake.
//!
//! In reading order: [`board`] is the file of all that is assumed; [`rungs`] makes a ladder for that board; [`plant`] is the
//! board itself, of another order than the governor believes and drawn around the file's figures; [`scenario`] is what
//! happens around it; [`policy`] decides what runs; [`oracle`] knows the future; [`shift`] plays one of each; [`trial`]
//! repeats that over draws.
//!
//! Beside them [`corrupt`] takes good pictures badly.
//!
//! Everything here is simulated: no figure was measured on a Jetson.

pub mod board;
pub mod corrupt;
pub mod oracle;
pub mod plant;
pub mod policy;
pub mod rungs;
pub mod scenario;
pub mod shift;
pub mod trial;
