//! The door of the road: the journal says who may enter, and the outputs learn who comes.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::settle::Desk;
use crate::clock::Monotonic;
use crate::flow::{Admission, Admitted, PartId, Receipt};

/// The door. A part that is turned away goes by the outputs all the same, without a verdict.
pub(super) struct Door {
    pub(super) desk: Arc<Desk>,
}

impl Admission for Door {
    fn admit(&self, part: PartId, captured: Monotonic, receipt: Option<Receipt>) -> BoxFuture<'_, Admitted> {
        let admit = async move {
            let admitted = self.desk.journal.admit(part.as_str(), receipt.is_some()).await;
            match admitted {
                Admitted::Accepted => self.desk.outputs.expect(&part, captured, receipt.as_ref()),
                Admitted::Refused { .. } => self.desk.outputs.goes_by(&part, captured),
                // It has been looked after when it came first.
                Admitted::Duplicate => {}
            }
            admitted
        };
        admit.boxed()
    }

    fn goes_by(&self, part: &PartId, captured: Monotonic) {
        self.desk.outputs.goes_by(part, captured);
    }
}
