//! The embedding of a part, where a member of its panel gave one: what drift is watched by.

use crate::flow::{Findings, MemberAnswer, Walked};
use crate::models::fit::reference::Embedded;
use crate::name::Name;

/// The first embedding of the whole frame of `camera`, by the order of the seats: the answer of a member for embeddings, or what
/// stands behind the answer of another. `None` where no member gave one.
#[must_use]
pub fn embedding(walked: &Walked, camera: &Name) -> Option<Embedded> {
    walked.answers.iter().find_map(|MemberAnswer { member, answer }| {
        let of_frame = answer.camera.as_ref() == Some(camera) && answer.crop.is_none();
        let vector = match &answer.findings {
            Ok(Findings::Embedding { vector }) => Some(vector),
            _ => answer.embedding.as_ref(),
        };
        vector.filter(|_| of_frame).map(|vector| Embedded { member: *member, vector: vector.as_slice().into() })
    })
}
