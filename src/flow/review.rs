//! Review: which verdicts a person is asked to look at, and how likely each was to be asked for. Pure: the answer hangs on the
//! verdict's key alone, so that anyone can check it and no restart changes it.
//!
//! Rejects and undecided parts are always put up for review. Of the passes a random share is, or nobody would know what escapes;
//! the chance stands in the verdict, so that what is learned from the labels can be weighed by it (see
//! [`crate::learn::sampling`]).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::verdict::Decision;

/// What a person says a judged part really is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// It has no defect.
    Good,
    /// It has one.
    Bad,
}

impl Truth {
    /// The truth's name in messages, tables and the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }
}

/// Whether a person is asked to look at a part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Review {
    /// Whether it is put up for review.
    pub asked: bool,
    /// How likely a part with this verdict is to be put up: 1 for rejected and undecided ones, the audit share for passed ones.
    pub probability: f64,
    /// The share of passed parts that is put up, 0 to 1, as it was then.
    pub audit_share: f64,
}

impl Review {
    /// Decides on the verdict `seq` of `epoch`: one that does not pass is always put up, one that does where its [`draw`] lies
    /// below `audit_share` (0 to 1).
    #[must_use]
    pub fn of(decision: Decision, audit_share: f64, epoch: Uuid, seq: u64) -> Self {
        let passes = decision == Decision::Pass;
        let probability = if passes { audit_share } else { 1.0 };
        Self { asked: !passes || draw(epoch, seq) < audit_share, probability, audit_share }
    }
}

/// A number that is uniform in 0 (included) to 1 (not) over the verdicts, and always the same for one of them: the first 53 bits
/// of SHA-256 over (epoch, seq). The verdicts below a share are a plain random sample of all, whatever was decided.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
pub fn draw(epoch: Uuid, seq: u64) -> f64 {
    let digest = Sha256::new().chain_update(epoch.as_bytes()).chain_update(seq.to_be_bytes()).finalize();
    let bits = digest.iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte)) >> 11;
    (bits as f64) / ((1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_share_of_passes_is_kept_within_its_binomial_error(key in any::<u128>(), share in 0.01..0.99f64) {
            let epoch = Uuid::from_u128(key);
            let parts = 4000_u32;
            let asked = (1..=u64::from(parts)).filter(|seq| Review::of(Decision::Pass, share, epoch, *seq).asked).count();
            let seen = f64::from(u32::try_from(asked).unwrap()) / f64::from(parts);
            // Six standard errors: beyond them once in five hundred million.
            let error = (share * (1.0 - share) / f64::from(parts)).sqrt();
            prop_assert!((seen - share).abs() < 6.0 * error, "{} of {}", seen, share);
        }

        #[test]
        fn one_key_has_one_answer_and_a_greater_share_asks_for_no_less(
            key in any::<u128>(), seq in 1_u64.., share in 0.0..=1.0f64, more in 0.0..=1.0f64
        ) {
            let epoch = Uuid::from_u128(key);
            let of = |share| Review::of(Decision::Pass, share, epoch, seq);
            prop_assert_eq!(of(share), of(share));
            prop_assert_eq!(of(share).probability.to_bits(), share.to_bits());
            prop_assert!(!of(share.min(more)).asked || of(share.max(more)).asked);
            prop_assert!(of(1.0).asked && !of(0.0).asked);
            for decision in [Decision::Reject, Decision::Undecided] {
                let review = Review::of(decision, share, epoch, seq);
                prop_assert!(review.asked && review.probability.to_bits() == 1_f64.to_bits());
            }
        }
    }

    #[test]
    fn the_draw_is_what_anyone_can_work_out() {
        // Python: int.from_bytes(sha256(bytes(15) + b"\x07" + (42).to_bytes(8, "big")).digest()[:8], "big") >> 11, over 2**53
        let seen = draw(Uuid::from_u128(7), 42);
        assert!((seen - 0.921_508_981_694_753_3).abs() < 1e-15, "{seen}");
    }
}
