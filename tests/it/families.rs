//! Families: models of every form in use, run from their passport alone, give the answers of their family's reference.
//!
//! Each fixture below `tests/fixtures/families` is a passport, a tiny graph and the answers of the reference
//! implementation, which the script beside them names. One file a group of families; each prints the greatest difference
//! of every quantity it decodes.

mod text;
