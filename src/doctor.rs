//! The doctor: what a machine needs in order to inspect goods, what of it is there, and the command that mends the rest.
//!
//! [`gather`](gather::gather) looks and decides nothing; [`examine`] decides and looks at nothing, so that every judgement is
//! tested on facts that no machine at hand has. Nothing is ever changed: a remedy is a line for a person to run.
//! Written after NVIDIA's package lists, issue threads and listings of real boards; never run on a Jetson. What it says of a
//! library comes from the library's own file (what it needs, for which GPUs it holds code), not from a table of versions,
//! wherever the file tells.

mod checks;
pub mod facts;
pub mod gather;
pub mod report;

use facts::Facts;
use report::Finding;

/// All findings on these facts, in the order in which a machine is built up: board, libraries, memory, line.
#[must_use]
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let groups: [fn(&Facts) -> Vec<Finding>; 6] = [
        checks::board::all,
        checks::gpu::all,
        checks::room::all,
        checks::pace::all,
        checks::access::all,
        checks::line::all,
    ];
    groups.iter().flat_map(|group| group(facts)).collect()
}

#[cfg(test)]
mod tests;
