//! Lines of a GPIO chip: the only file that touches `gpiocdev`. Drives one line, or hears the edges of one.
//!
//! A line is asked for by its chip and its offset on it (`gpioinfo` lists both), and belongs to this process until it is let go.
//! What level a line keeps after that is the driver's business. Edges carry the kernel's own time on `CLOCK_MONOTONIC`.
//! Never run on a board: no machine at hand has a GPIO chip.

use std::path::Path;
use std::time::Duration;

use gpiocdev::Request;
use gpiocdev::line::{EdgeDetection, Value};

use crate::clock::Monotonic;

/// A line that is driven.
#[derive(Debug)]
pub struct Driven {
    request: Request,
    line: u32,
}

impl Driven {
    /// Takes the line, off. `consumer` is what `gpioinfo` shows as its user, at most 31 bytes of it.
    ///
    /// # Errors
    /// One sentence: the chip or line that cannot be had, and what the system said.
    pub fn open(chip: &Path, line: u32, active_low: bool, consumer: &str) -> Result<Self, String> {
        let mut builder = Request::builder();
        builder.on_chip(chip).with_consumer(short(consumer)).with_line(line).as_output(Value::Inactive);
        if active_low {
            builder.as_active_low();
        }
        let request = builder.request().map_err(|error| sentence(chip, line, &error))?;
        Ok(Self { request, line })
    }

    /// Switches it on or off.
    ///
    /// # Errors
    /// What the system said.
    pub fn set(&self, on: bool) -> Result<(), String> {
        let value = if on { Value::Active } else { Value::Inactive };
        self.request.set_value(self.line, value).map_err(|error| error.to_string())
    }
}

/// One edge of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// When it was, by the kernel.
    pub at: Monotonic,
    /// The kernel's count of the line's edges: a gap tells of some that its buffer had no room for.
    pub number: u32,
}

/// The edges of a line, of one direction.
#[derive(Debug)]
pub struct Edges(Request);

impl Edges {
    /// Listens to the line's rising edges, or its falling ones.
    ///
    /// # Errors
    /// One sentence: the chip or line that cannot be had, and what the system said.
    pub fn open(chip: &Path, line: u32, rising: bool, consumer: &str) -> Result<Self, String> {
        let edges = if rising { EdgeDetection::RisingEdge } else { EdgeDetection::FallingEdge };
        let mut builder = Request::builder();
        builder.on_chip(chip).with_consumer(short(consumer)).with_line(line).as_input().with_edge_detection(edges);
        builder.request().map(Self).map_err(|error| sentence(chip, line, &error))
    }

    /// The next edge; `None` when there was none for `patience`.
    ///
    /// # Errors
    /// What the system said: the chip has gone.
    pub fn next(&self, patience: Duration) -> Result<Option<Edge>, String> {
        let told = |error: gpiocdev::Error| error.to_string();
        if !self.0.wait_edge_event(patience).map_err(told)? {
            return Ok(None);
        }
        let edge = self.0.read_edge_event().map_err(told)?;
        Ok(Some(Edge { at: Monotonic::from_nanos(edge.timestamp_ns), number: edge.line_seqno }))
    }
}

/// What the kernel takes of a consumer's name (`GPIO_MAX_NAME_SIZE` less the null byte). Names are ASCII.
fn short(consumer: &str) -> &str {
    consumer.get(..31).unwrap_or(consumer)
}

fn sentence(chip: &Path, line: u32, error: &gpiocdev::Error) -> String {
    format!("line {line} of {}: {error}", chip.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chip_that_is_not_there_is_named() {
        let chip = Path::new("/dev/gpiochip-none");
        for why in [Driven::open(chip, 3, false, "a").unwrap_err(), Edges::open(chip, 3, true, "a").unwrap_err()] {
            assert!(why.starts_with("line 3 of /dev/gpiochip-none: "), "{why}");
        }
        assert_eq!(short(&"a".repeat(40)).len(), 31);
    }
}
