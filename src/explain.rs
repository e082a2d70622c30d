//! Explain: why a verdict is what it is, worked out after the fact from what was kept of the part. Pure; the rim that reads the
//! journal and asks the models is `kenpin explain`.
//!
//! Numbers first: what each member adds to the fused score ([`joining`]) and what would have changed the verdict ([`flips`]).
//! Then the picture: where a model looked ([`activation`] where its graph allows, else [`rise`]), and whether that map is to be
//! believed ([`deletion`]). Promises to say nothing of a fusion whose result it cannot reproduce; deliberately knows no journal, no
//! session and no words.

pub mod activation;
pub mod deletion;
pub mod flips;
pub mod joining;
pub mod rise;
pub mod veil;
