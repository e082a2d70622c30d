//! What a panel of regressions measures: the quantity that all voters give, its limits, and their values for a fit.

use anyhow::{Context as _, ensure};

use super::Seat;
use super::scores::voters;
use crate::flow::plan::{Member, Plan};
use crate::learn::measured::Measurements;
use crate::models::passport::Task;
use crate::models::passport::regression::RegressionValue;
use crate::name::Name;

/// A quantity that a panel measures.
pub(super) struct Measuring {
    pub(super) limits: RegressionValue,
    /// For each voter its seat and the place of the quantity among its values.
    places: Vec<(usize, usize)>,
}

impl Measuring {
    /// The quantity, as every voter of the panel gives it.
    ///
    /// # Errors
    /// Where a voter does not give it, sees crops, or has other limits than the others.
    pub(super) fn of(plan: &Plan, seat: &Seat<'_>, quantity: &Name) -> anyhow::Result<Self> {
        let mut limits: Option<RegressionValue> = None;
        let mut places = Vec::new();
        for (at, member) in voters(seat.panel) {
            let (name, value, place) = value(plan, member, quantity).with_context(|| {
                format!("--measured {quantity}: a voting member of route {} does not give it", seat.route)
            })?;
            ensure!(member.crops.is_none(), "--measured {quantity}: {name} sees crops, which may be many");
            ensure!(value.has_limits(), "--measured {quantity}: {name} has no limits for it, so no part is defective");
            let known = limits.get_or_insert_with(|| value.clone());
            ensure!(
                (known.at_least, known.at_most) == (value.at_least, value.at_most),
                "--measured {quantity}: {name} has the limits {:?} and {:?}, another member {:?} and {:?}; one value wants one pair",
                value.at_least,
                value.at_most,
                known.at_least,
                known.at_most
            );
            places.push((at, place));
        }
        let limits = limits.with_context(|| format!("--measured {quantity}: nobody votes on route {}", seat.route))?;
        Ok(Self { limits, places })
    }

    /// The values of parts: `said` holds what each seat says beside its score, `truth` what was measured. `None` where one is missing.
    pub(super) fn measurements(&self, said: &[&[Vec<f64>]], truth: Vec<Option<f64>>) -> Option<Measurements> {
        let values = |(seat, place): &(usize, usize)| {
            said.iter().map(|seats| seats.get(*seat)?.get(*place).copied()).collect::<Option<Vec<f64>>>()
        };
        Some(Measurements {
            quantity: self.limits.name.clone(),
            at_least: self.limits.at_least,
            at_most: self.limits.at_most,
            truth: truth.into_iter().collect::<Option<Vec<f64>>>()?,
            values: self.places.iter().map(values).collect::<Option<Vec<_>>>()?,
        })
    }
}

/// The model of a member, its value of a quantity, and the place of that.
fn value<'p>(plan: &'p Plan, member: &Member, quantity: &Name) -> Option<(&'p Name, &'p RegressionValue, usize)> {
    let passport = &plan.model(member.model).passport;
    let Task::Regression(task) = &passport.task else { return None };
    let place = task.values.iter().position(|value| value.name == *quantity)?;
    Some((&passport.name, &task.values[place], place))
}
