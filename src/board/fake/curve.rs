//! Heat curves that a person can type and a file can hold: `0s 45C, 60s 98C, 120s 50C`.
//!
//! Points are a time and a temperature, parted by commas or new lines; between two of them the temperature goes straight, and
//! before the first it is that of the first. In a file, what follows a `#` is a remark.

/// A heat curve: at least two points, their times growing.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Seconds and degrees Celsius.
    points: Vec<(f64, f64)>,
}

/// Why a text is no heat curve.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{seen}, want points such as \"0s 45C, 60s 98C, 2m 50C\": {wanted}")]
pub struct CurveError {
    seen: String,
    wanted: &'static str,
}

const POINT: &str = "a time (s, m or h) and a temperature from -40C to 200C";

impl Curve {
    /// Reads a curve.
    ///
    /// # Errors
    /// [`CurveError`] for a point that is none, times that do not grow, or fewer than two points.
    pub fn parse(text: &str) -> Result<Self, CurveError> {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
        let words = lines.flat_map(|line| line.split(',')).map(str::trim).filter(|word| !word.is_empty());
        let points = words.map(point).collect::<Result<Vec<_>, _>>()?;
        if let Some(pair) = points.windows(2).find(|pair| pair[1].0 <= pair[0].0) {
            let seen = format!("{} s comes behind {} s", pair[1].0, pair[0].0);
            return Err(CurveError { seen, wanted: "each time later than the one before" });
        }
        if points.len() < 2 {
            return Err(CurveError { seen: format!("{} points", points.len()), wanted: "two points or more" });
        }
        Ok(Self { points })
    }

    /// Degrees Celsius at a time, in seconds: linear between points, constant outside of them.
    #[must_use]
    pub fn celsius(&self, seconds: f64) -> f64 {
        let (first, last) = (self.points[0], self.points[self.points.len() - 1]);
        if seconds <= first.0 {
            return first.1;
        }
        let pair = self.points.windows(2).find(|pair| seconds <= pair[1].0);
        pair.map_or(last.1, |pair| {
            let share = (seconds - pair[0].0) / (pair[1].0 - pair[0].0);
            pair[0].1 + (pair[1].1 - pair[0].1) * share
        })
    }

    /// Seconds at which it ends.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.points[self.points.len() - 1].0
    }
}

fn point(text: &str) -> Result<(f64, f64), CurveError> {
    let error = || CurveError { seen: format!("{text:?} is no point"), wanted: POINT };
    let mut words = text.split_ascii_whitespace();
    let (Some(time), Some(heat), None) = (words.next(), words.next(), words.next()) else { return Err(error()) };
    let (number, unit) = match time.strip_suffix(['s', 'm', 'h']) {
        Some(number) if time.ends_with('m') => (number, 60.0),
        Some(number) if time.ends_with('h') => (number, 3600.0),
        Some(number) => (number, 1.0),
        None => (time, 1.0),
    };
    let seconds = number.parse::<f64>().ok().map(|number| number * unit).filter(|time| (0.0..=1e6).contains(time));
    let celsius = heat.trim_end_matches(['C', 'c']).trim_end_matches('°').parse::<f64>().ok();
    let celsius = celsius.filter(|celsius| (-40.0..=200.0).contains(celsius));
    seconds.zip(celsius).ok_or_else(error)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_curve_goes_straight_between_its_points() {
        let curve = Curve::parse("0s 45C, 60s 98C, 2m 50C").unwrap();
        let times = [-1.0, 0.0, 30.0, 60.0, 90.0, 120.0, 500.0];
        let seen = (curve.seconds(), times.map(|seconds| curve.celsius(seconds)));
        assert_eq!(seen, (120.0, [45.0, 45.0, 71.5, 98.0, 74.0, 50.0, 50.0]));
        let file = "# a hot day\n10 45\n\n0.5m 98.5 # noon\n0.01h 50°C\n";
        assert_eq!(Curve::parse(file).unwrap().points, [(10.0, 45.0), (30.0, 98.5), (36.0, 50.0)]);
    }

    #[test]
    fn what_is_no_curve_is_told() {
        let why = |text: &str| Curve::parse(text).unwrap_err().to_string();
        assert!(why("").starts_with("0 points, want points such as"));
        assert!(why("0s 45C").starts_with("1 points"));
        assert!(why("0s 45C, 0s 50C").starts_with("0 s comes behind 0 s"));
        for text in ["x 45C", "0s", "0s 45C 3", "0s 450C", "0s NaN", "-1s 45C", "infs 45C", "1e9s 45C"] {
            assert!(why(&format!("{text}, 1e5s 45C")).starts_with(&format!("{text:?} is no point")), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_curve_that_leaves_its_points(text in "[0-9smhC .,#\n-]{0,40}", seconds in -10.0..1e6_f64) {
            if let Ok(curve) = Curve::parse(&text) {
                let heats = || curve.points.iter().map(|point| point.1);
                let (low, high) = (heats().fold(f64::MAX, f64::min), heats().fold(f64::MIN, f64::max));
                let celsius = curve.celsius(seconds);
                prop_assert!(low - 1e-9 <= celsius && celsius <= high + 1e-9, "{celsius} of {curve:?}");
            }
        }
    }
}
