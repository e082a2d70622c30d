//! What a video device says it can do, and how that is told to someone who asked for something else. Pure.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::config::{FrameFormat, Mode};

/// Seconds from picture to picture, as a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Interval {
    /// Seconds.
    pub numerator: u32,
    /// Pictures in these.
    pub denominator: u32,
}

impl Interval {
    /// How far a rate may be from what was asked and still be the same: 29.97 is 30000/1001, and not 30.
    const SAME: f64 = 1e-4;

    /// Pictures a second; infinite where the fraction is none.
    #[must_use]
    pub fn rate(self) -> f64 {
        f64::from(self.denominator) / f64::from(self.numerator)
    }

    /// Seconds from picture to picture; a second where the fraction is none.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::try_from_secs_f64(1.0 / self.rate())
            .ok()
            .filter(|span| !span.is_zero())
            .unwrap_or(Duration::from_secs(1))
    }

    /// Whether it is this rate.
    #[must_use]
    pub fn is(self, rate: f64) -> bool {
        (self.rate() - rate).abs() <= rate * Self::SAME
    }

    /// The fraction for a rate: whole, a whole number times 1000/1001, or to a thousandth.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are above 0 and at most 1000")]
    pub fn of(rate: f64) -> Self {
        let (whole, video) = (rate.round(), (rate * 1.001).round());
        let fractions = [(1.0, whole), (1001.0, video * 1000.0), (1000.0, (rate * 1000.0).round())];
        let made = fractions
            .map(|(numerator, denominator)| Self { numerator: numerator as u32, denominator: denominator as u32 });
        made.into_iter().find(|interval| interval.is(rate)).unwrap_or(made[2])
    }
}

/// The rates of a size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rates {
    /// These, and no others; empty where the device does not tell.
    List(Vec<Interval>),
    /// Anything between two intervals.
    Range {
        /// From picture to picture at the fastest.
        shortest: Interval,
        /// From picture to picture at the slowest.
        longest: Interval,
    },
}

/// Lengths of a side, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The least.
    pub least: u32,
    /// The most.
    pub most: u32,
    /// From one to the next.
    pub step: u32,
}

impl Side {
    /// One length only.
    #[must_use]
    pub const fn only(length: u32) -> Self {
        Self { least: length, most: length, step: 1 }
    }

    /// Whether a length is among them.
    #[must_use]
    pub const fn has(self, length: u32) -> bool {
        self.least <= length
            && length <= self.most
            && (length - self.least).is_multiple_of(if self.step == 0 { 1 } else { self.step })
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.least == self.most {
            write!(f, "{}", self.least)
        } else {
            write!(f, "({} to {} by {})", self.least, self.most, self.step)
        }
    }
}

/// A size, or a range of sizes, with its rates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Width in pixels.
    pub width: Side,
    /// Height in pixels.
    pub height: Side,
    /// Its rates.
    pub rates: Rates,
}

/// A format that a device offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// The four-character code.
    #[serde(serialize_with = "as_text")]
    pub fourcc: [u8; 4],
    /// What the driver calls it.
    pub description: String,
    /// What the config calls it; nothing where Kenpin does not read it.
    pub format: Option<FrameFormat>,
    /// Its sizes.
    pub sizes: Vec<Size>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde wants")]
fn as_text<S: serde::Serializer>(fourcc: &[u8; 4], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&code(*fourcc))
}

/// A four-character code as text; what cannot be shown is a dot.
#[must_use]
pub fn code(fourcc: [u8; 4]) -> String {
    let shown = |byte: u8| if byte.is_ascii_graphic() || byte == b' ' { char::from(byte) } else { '.' };
    fourcc.map(shown).iter().collect::<String>().trim_end().to_owned()
}

/// A rate in words.
#[must_use]
pub fn rate(interval: Option<Interval>) -> String {
    interval.map_or_else(|| "at a rate of its own".into(), |interval| format!("{} a second", number(interval)))
}

/// Pictures a second, with no more digits than are needed.
fn number(interval: Interval) -> String {
    let text = format!("{:.3}", interval.rate());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl fmt::Display for Rates {
    /// `30, 15 a second`; nothing where the device tells none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(rates) if rates.is_empty() => Ok(()),
            Self::List(rates) => {
                write!(f, "{} a second", rates.iter().map(|rate| number(*rate)).collect::<Vec<_>>().join(", "))
            }
            Self::Range { shortest, longest } => write!(f, "{} to {} a second", number(*longest), number(*shortest)),
        }
    }
}

/// The interval to ask for in order to get `asked` pictures a second: one that is offered where there is one.
#[must_use]
pub fn nearest(offers: &[Offer], mode: &Mode, asked: f64) -> Interval {
    let sizes = offers.iter().filter(|offer| offer.format == Some(mode.format)).flat_map(|offer| &offer.sizes);
    let mut fitting = sizes.filter(|size| size.width.has(mode.width) && size.height.has(mode.height));
    let offered = fitting.find_map(|size| match &size.rates {
        Rates::List(rates) => rates.iter().find(|rate| rate.is(asked)).copied(),
        Rates::Range { .. } => None,
    });
    offered.unwrap_or_else(|| Interval::of(asked))
}

/// What a device offers to someone who asked for something else: rates where the size is right, sizes where the format is,
/// else formats.
#[must_use]
pub fn instead(offers: &[Offer], mode: &Mode) -> String {
    let Some(offer) = offers.iter().find(|offer| offer.format == Some(mode.format)) else {
        let read: Vec<String> =
            offers.iter().filter_map(|offer| offer.format).map(|format| format.to_string()).collect();
        let others: Vec<String> =
            offers.iter().filter(|offer| offer.format.is_none()).map(|offer| code(offer.fourcc)).collect();
        return match (read.as_slice(), others.as_slice()) {
            (_, []) => format!("it offers {}", read.join(", ")),
            ([], _) => format!("it offers {}, which are not read", others.join(", ")),
            _ => format!("it offers {}, and what is not read: {}", read.join(", "), others.join(", ")),
        };
    };
    if let Some(size) = offer.sizes.iter().find(|size| size.width.has(mode.width) && size.height.has(mode.height)) {
        return format!("at {}x{} it offers {}", mode.width, mode.height, size.rates);
    }
    let sizes: Vec<String> = offer.sizes.iter().map(|size| format!("{}x{}", size.width, size.height)).collect();
    format!("of {} it offers {}", mode.format, sizes.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers() -> Vec<Offer> {
        let interval = |numerator, denominator| Interval { numerator, denominator };
        let size = |width, height, rates| Size { width: Side::only(width), height: Side::only(height), rates };
        let rates = Rates::List(vec![interval(1, 30), interval(1001, 15_000)]);
        let yuyv = vec![size(640, 480, rates.clone()), size(1280, 720, Rates::List(vec![interval(2, 20)]))];
        let range = Rates::Range { shortest: interval(1, 60), longest: interval(1, 5) };
        let wide = Size { width: Side { least: 16, most: 1920, step: 8 }, height: Side::only(8), rates: range };
        vec![
            Offer { fourcc: *b"YUYV", description: "YUYV 4:2:2".into(), format: Some(FrameFormat::Yuyv), sizes: yuyv },
            Offer { fourcc: *b"H264", description: "H.264".into(), format: None, sizes: vec![size(640, 480, rates)] },
            Offer { fourcc: *b"GREY", description: "Grey".into(), format: Some(FrameFormat::Grey), sizes: vec![wide] },
        ]
    }

    fn mode(format: FrameFormat, width: u32, height: u32) -> Mode {
        Mode { format, width, height, frames_per_second: None, yuv: None, sample_shift: None }
    }

    #[test]
    fn who_asked_for_something_else_is_told_what_there_is_instead() {
        let told = |mode| instead(&offers(), &mode);
        assert_eq!(told(mode(FrameFormat::Mjpeg, 640, 480)), "it offers yuyv, grey, and what is not read: H264");
        assert_eq!(told(mode(FrameFormat::Yuyv, 641, 480)), "of yuyv it offers 640x480, 1280x720");
        assert_eq!(told(mode(FrameFormat::Yuyv, 640, 480)), "at 640x480 it offers 30, 14.985 a second");
        assert_eq!(told(mode(FrameFormat::Grey, 641, 8)), "of grey it offers (16 to 1920 by 8)x8");
        assert_eq!(told(mode(FrameFormat::Grey, 640, 8)), "at 640x8 it offers 5 to 60 a second");
    }

    #[test]
    fn a_rate_becomes_the_fraction_that_is_offered_or_the_one_that_is_usual() {
        let asked = |rate, width, height| nearest(&offers(), &mode(FrameFormat::Yuyv, width, height), rate);
        assert_eq!(asked(10.0, 1280, 720), Interval { numerator: 2, denominator: 20 }, "as the device writes it");
        assert_eq!(asked(14.985, 640, 480), Interval { numerator: 1001, denominator: 15_000 });
        assert_eq!(asked(25.0, 640, 480), Interval { numerator: 1, denominator: 25 });
        assert_eq!(asked(29.97, 640, 480), Interval { numerator: 1001, denominator: 30_000 });
        assert_eq!(asked(12.5, 640, 480), Interval { numerator: 1000, denominator: 12_500 });
        assert_eq!(asked(0.2, 640, 480), Interval { numerator: 1000, denominator: 200 });
        assert!(!Interval { numerator: 1, denominator: 30 }.is(29.97), "which is another rate");
    }

    #[test]
    fn a_fraction_that_is_none_is_a_second() {
        let broken = Interval { numerator: 0, denominator: 0 };
        assert_eq!(broken.duration(), Duration::from_secs(1));
        assert_eq!(Interval { numerator: 0, denominator: 30 }.duration(), Duration::from_secs(1));
        assert_eq!(Interval { numerator: 1, denominator: 4 }.duration(), Duration::from_millis(250));
        assert!(!broken.is(30.0));
        assert_eq!(code(*b"Y16 "), "Y16");
        assert_eq!(code([0, b'A', 200, b'B']), ".A.B");
    }
}
