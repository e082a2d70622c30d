//! The control room: which rung of its ladder a role runs on, by heat, power and pace. It never touches a pixel, reads no
//! file and asks no clock: readings and time are handed in, orders are handed out.
//!
//! In reading order: [`ladder`] is what may be ordered and what it costs; [`evidence`] is what the board and the line tell;
//! [`thermal`] and [`draw`] learn, by [`rls`], how the board heats and what a rung draws; [`step`] decides by all of these,
//! and [`order`] is the decision with its cause, in words that people understand.
//!
//! # How a line is driven
//!
//! Once a second: [`evidence::Evidence::of`] the readings and the line's load, [`step::step`] with it, and run what
//! [`order::Orders::rung`] says from the next frame on. The states of both are handed back in the next second.
//!
//! # Invariants
//!
//! * Hard evidence of throttling (an alert, a clock held down, a rail over its limit, the trip reached) steps down in the
//!   very step it first shows in; dwell binds only steps up.
//! * A hotter reading never gives a heavier rung, for equal state and other readings.
//! * A rung that the site forbids is never ordered. A blind governor never goes heavier.
//!
//! Nothing here has run on a Jetson: it was tried on `simulate`'s boards.

pub mod draw;
pub mod evidence;
pub mod ladder;
pub mod order;
pub mod rls;
pub mod step;
pub mod thermal;
