//! Recursive least squares with forgetting: a few parameters learned from one observation after the other. Pure.
//!
//! Source: K. Åström and B. Wittenmark, *Adaptive Control* (2nd ed. 1995), section 2.2, equations 2.21. Without excitation,
//! forgetting lets the covariance grow without bound (there, section 11.5); here it never grows above that of the prior.

/// Parameters and how sure they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Rls<const N: usize> {
    parameters: [f64; N],
    /// In units of the observations' variance.
    covariance: [[f64; N]; N],
    /// The diagonal of the first covariance, which none later exceeds.
    most: [f64; N],
    /// 0 to 1: the weight that an observation has left after one more.
    forgetting: f64,
}

impl<const N: usize> Rls<N> {
    /// Begins with a prior: parameters, and their covariance over the variance of an observation.
    #[must_use]
    pub fn new(parameters: [f64; N], covariance: [[f64; N]; N], forgetting: f64) -> Self {
        let most = std::array::from_fn(|place| covariance[place][place]);
        Self { parameters, covariance, most, forgetting }
    }

    /// The parameters now.
    #[must_use]
    pub fn parameters(&self) -> &[f64; N] {
        &self.parameters
    }

    /// Replaces the parameters: for whoever knows their bounds.
    pub fn set_parameters(&mut self, parameters: [f64; N]) {
        self.parameters = parameters;
    }

    /// The variance of a parameter over that of an observation.
    #[must_use]
    pub fn variance(&self, place: usize) -> f64 {
        self.covariance.get(place).and_then(|row| row.get(place)).copied().unwrap_or_default()
    }

    /// Learns that `inputs` times the parameters gave `seen`; gives what was seen less what was expected before. Numbers that
    /// are not finite teach nothing and give 0.
    pub fn learn(&mut self, inputs: &[f64; N], seen: f64) -> f64 {
        let error = seen - dot(inputs, &self.parameters);
        if !error.is_finite() || inputs.iter().any(|input| !input.is_finite()) {
            return 0.0;
        }
        let spread: [f64; N] = std::array::from_fn(|row| dot(&self.covariance[row], inputs));
        let scale = self.forgetting + dot(inputs, &spread);
        for (parameter, spread) in self.parameters.iter_mut().zip(&spread) {
            *parameter += spread / scale * error;
        }
        for (row, spread_row) in self.covariance.iter_mut().zip(&spread) {
            for (cell, spread_column) in row.iter_mut().zip(&spread) {
                *cell = (*cell - spread_row * spread_column / scale) / self.forgetting;
            }
        }
        self.hold();
        error
    }

    /// Scales rows and columns so that no variance is above the prior's: D P D stays positive definite.
    fn hold(&mut self) {
        let shrink: [f64; N] = std::array::from_fn(|place| {
            let variance = self.covariance[place][place];
            if variance > self.most[place] { (self.most[place] / variance).sqrt() } else { 1.0 }
        });
        for (row, by_row) in self.covariance.iter_mut().zip(&shrink) {
            for (cell, by_column) in row.iter_mut().zip(&shrink) {
                *cell *= by_row * by_column;
            }
        }
    }
}

fn dot<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_observation_of_one_parameter_is_weighed_against_the_prior() {
        // Prior 0 with variance 1, one observation of 2 with variance 1: the mean of both, with half the variance.
        let mut rls = Rls::new([0.0], [[1.0]], 1.0);
        assert!((rls.learn(&[1.0], 2.0) - 2.0).abs() < 1e-12);
        assert!((rls.parameters()[0] - 1.0).abs() < 1e-12 && (rls.variance(0) - 0.5).abs() < 1e-12);
        assert!(rls.learn(&[f64::NAN], 2.0).abs() < 1e-12 && (rls.parameters()[0] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_line_is_found_and_followed_and_the_covariance_stays_bounded() {
        let mut rls = Rls::new([0.0, 0.0], [[100.0, 0.0], [0.0, 100.0]], 0.95);
        for place in 0..400_u32 {
            let x = f64::from(place % 7);
            let slope = if place < 200 { 3.0 } else { -1.0 };
            rls.learn(&[x, 1.0], slope * x + 5.0);
        }
        let [slope, offset] = *rls.parameters();
        assert!((slope + 1.0).abs() < 1e-3 && (offset - 5.0).abs() < 1e-2, "{slope} {offset}");
        for _ in 0..5000 {
            rls.learn(&[0.0, 1.0], 5.0);
        }
        let again = rls.parameters()[0];
        assert!((again - slope).abs() < 1e-2, "nothing told of the slope, {slope}, now {again}");
        assert!(rls.variance(0) <= 100.0 + 1e-9, "{}", rls.variance(0));
    }
}
