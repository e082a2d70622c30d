//! Infer: the third stage of the road. A part comes in with its route, models look at its frames, their answers go out.
//!
//! Each model stands on one named thread that owns its session ([`crew`]), each plan in force has its crew ([`crews`]); a walker follows a part through gates to its
//! panel ([`walk`]). What a session is, and which library runs it, is the business of [`session`] and [`backend`];
//! pixels become tensors in [`prepare`].
//!
//! Promises: one [`Walked`] for every part, whatever a model does; what was asked for and what was got both stand in the
//! [`Placement`](crate::flow::Placement). Deliberately not here: thresholds, fusion and verdicts.

pub mod backend;
pub mod crew;
pub mod crews;
pub mod engine;
pub mod feed;
pub mod hold;
pub mod library;
#[cfg(feature = "ort")]
mod ort;
mod poison;
pub mod prepare;
pub mod session;
mod tokens;
#[cfg(feature = "tract")]
mod tract;
pub mod turns;
pub mod walk;

use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;

use crate::flow::{Part, Walked};

pub use crew::Crew;
pub use crews::Crews;

/// Walks parts until `parts` ends: at most `in_flight` at once (at least one), each sent to `out` when its walk is done.
///
/// The order is that of completion. While `out` is full no further part is taken. When `out` is closed nobody wants
/// answers any more and the stage ends at once.
pub async fn run(mut parts: mpsc::Receiver<Part>, crews: Arc<Crews>, in_flight: usize, out: mpsc::Sender<Walked>) {
    let mut walks = FuturesUnordered::new();
    let mut more = true;
    while more || !walks.is_empty() {
        tokio::select! {
            part = parts.recv(), if more && walks.len() < in_flight.max(1) => match part {
                Some(part) => walks.push(crews.walk(part)),
                None => more = false,
            },
            Some(walked) = walks.next(), if !walks.is_empty() => {
                if out.send(walked).await.is_err() {
                    return;
                }
            }
        }
    }
}
