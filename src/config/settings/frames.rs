//! How the bytes of a frame lie: the formats of V4L2 that Kenpin reads, by name and by four-character code.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the bytes of a frame lie, after the pixel formats of V4L2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FrameFormat {
    /// `YUYV`: luminance and colour differences of two pixels in four bytes, luminance first.
    Yuyv,
    /// `UYVY`: the same, colour differences first.
    Uyvy,
    /// `NV12`: a plane of luminance, then one of colour differences at half the width and height.
    Nv12,
    /// `GREY`: a byte of luminance.
    Grey,
    /// `Y16 `: 16 bits of luminance, low byte first.
    Y16,
    /// `RGB3`: a byte each of red, green and blue.
    Rgb24,
    /// `BGR3`: a byte each of blue, green and red.
    Bgr24,
    /// `BA81`: a colour filter of blue and green over green and red, a byte a pixel.
    BayerBggr8,
    /// `GBRG`: green and blue over red and green, a byte a pixel.
    BayerGbrg8,
    /// `GRBG`: green and red over blue and green, a byte a pixel.
    BayerGrbg8,
    /// `RGGB`: red and green over green and blue, a byte a pixel.
    BayerRggb8,
    /// `BG10`: blue and green over green and red, 10 bits in 16, low byte first.
    BayerBggr10,
    /// `GB10`: green and blue over red and green, 10 bits in 16, low byte first.
    BayerGbrg10,
    /// `BA10`: green and red over blue and green, 10 bits in 16, low byte first.
    BayerGrbg10,
    /// `RG10`: red and green over green and blue, 10 bits in 16, low byte first.
    BayerRggb10,
    /// `BG12`: blue and green over green and red, 12 bits in 16, low byte first.
    BayerBggr12,
    /// `GB12`: green and blue over red and green, 12 bits in 16, low byte first.
    BayerGbrg12,
    /// `BA12`: green and red over blue and green, 12 bits in 16, low byte first.
    BayerGrbg12,
    /// `RG12`: red and green over green and blue, 12 bits in 16, low byte first.
    BayerRggb12,
    /// `BYR2`: blue and green over green and red, 16 bits, low byte first.
    BayerBggr16,
    /// `GB16`: green and blue over red and green, 16 bits, low byte first.
    BayerGbrg16,
    /// `GR16`: green and red over blue and green, 16 bits, low byte first.
    BayerGrbg16,
    /// `RG16`: red and green over green and blue, 16 bits, low byte first.
    BayerRggb16,
    /// `MJPG`: each frame is a JPEG picture. No raw format.
    Mjpeg,
}

/// The colour of each of the four pixels of a colour filter: 0 red, 1 green, 2 blue; row by row.
pub type Filter = [usize; 4];

const BGGR: Filter = [2, 1, 1, 0];
const GBRG: Filter = [1, 2, 0, 1];
const GRBG: Filter = [1, 0, 2, 1];
const RGGB: Filter = [0, 1, 1, 2];

/// How the pixels of a format are made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Makeup {
    /// Two pixels share colour differences.
    Packed,
    /// Four pixels share colour differences, which lie in a plane of their own.
    Planes,
    /// One sample of this many bits a pixel.
    Grey(u8),
    /// Three bytes a pixel.
    Colour,
    /// One sample of this many bits a pixel, behind a colour filter.
    Bayer(Filter, u8),
    /// Compressed.
    Jpeg,
}

impl FrameFormat {
    /// All of them, with the four-character code of V4L2 (`videodev2.h`) and what they are made of.
    pub const ALL: [(Self, [u8; 4], Makeup); Self::Mjpeg as usize + 1] = [
        (Self::Yuyv, *b"YUYV", Makeup::Packed),
        (Self::Uyvy, *b"UYVY", Makeup::Packed),
        (Self::Nv12, *b"NV12", Makeup::Planes),
        (Self::Grey, *b"GREY", Makeup::Grey(8)),
        (Self::Y16, *b"Y16 ", Makeup::Grey(16)),
        (Self::Rgb24, *b"RGB3", Makeup::Colour),
        (Self::Bgr24, *b"BGR3", Makeup::Colour),
        (Self::BayerBggr8, *b"BA81", Makeup::Bayer(BGGR, 8)),
        (Self::BayerGbrg8, *b"GBRG", Makeup::Bayer(GBRG, 8)),
        (Self::BayerGrbg8, *b"GRBG", Makeup::Bayer(GRBG, 8)),
        (Self::BayerRggb8, *b"RGGB", Makeup::Bayer(RGGB, 8)),
        (Self::BayerBggr10, *b"BG10", Makeup::Bayer(BGGR, 10)),
        (Self::BayerGbrg10, *b"GB10", Makeup::Bayer(GBRG, 10)),
        (Self::BayerGrbg10, *b"BA10", Makeup::Bayer(GRBG, 10)),
        (Self::BayerRggb10, *b"RG10", Makeup::Bayer(RGGB, 10)),
        (Self::BayerBggr12, *b"BG12", Makeup::Bayer(BGGR, 12)),
        (Self::BayerGbrg12, *b"GB12", Makeup::Bayer(GBRG, 12)),
        (Self::BayerGrbg12, *b"BA12", Makeup::Bayer(GRBG, 12)),
        (Self::BayerRggb12, *b"RG12", Makeup::Bayer(RGGB, 12)),
        (Self::BayerBggr16, *b"BYR2", Makeup::Bayer(BGGR, 16)),
        (Self::BayerGbrg16, *b"GB16", Makeup::Bayer(GBRG, 16)),
        (Self::BayerGrbg16, *b"GR16", Makeup::Bayer(GRBG, 16)),
        (Self::BayerRggb16, *b"RG16", Makeup::Bayer(RGGB, 16)),
        (Self::Mjpeg, *b"MJPG", Makeup::Jpeg),
    ];

    /// The four-character code of V4L2.
    #[must_use]
    pub const fn fourcc(self) -> [u8; 4] {
        Self::ALL[self as usize].1
    }

    /// What a pixel is made of.
    #[must_use]
    pub const fn makeup(self) -> Makeup {
        Self::ALL[self as usize].2
    }

    /// The format with this four-character code; `JPEG` is read as `MJPG`.
    #[must_use]
    pub fn of(fourcc: [u8; 4]) -> Option<Self> {
        let fourcc = if fourcc == *b"JPEG" { *b"MJPG" } else { fourcc };
        Self::ALL.iter().find(|(_, known, _)| *known == fourcc).map(|(format, ..)| *format)
    }

    /// Whether samples have more than 8 bits.
    #[must_use]
    pub const fn is_deep(self) -> bool {
        matches!(self.makeup(), Makeup::Grey(9..) | Makeup::Bayer(_, 9..))
    }

    /// Whether there are colour differences that an encoding gives a meaning.
    #[must_use]
    pub const fn is_yuv(self) -> bool {
        matches!(self.makeup(), Makeup::Packed | Makeup::Planes)
    }

    /// The fewest bytes of a line of `width` pixels; of NV12 of a line of either plane. 0 where frames are compressed.
    #[must_use]
    pub const fn line_bytes(self, width: u32) -> u64 {
        let width = width as u64;
        match self.makeup() {
            Makeup::Packed => width.div_ceil(2) * 4,
            Makeup::Planes => width.div_ceil(2) * 2,
            Makeup::Grey(bits) | Makeup::Bayer(_, bits) => width * bits.div_ceil(8) as u64,
            Makeup::Colour => width * 3,
            Makeup::Jpeg => 0,
        }
    }

    /// The lines of a frame of `height` pixels, those of all planes together.
    #[must_use]
    pub const fn lines(self, height: u32) -> u64 {
        match self.makeup() {
            Makeup::Planes => height as u64 + height.div_ceil(2) as u64,
            _ => height as u64,
        }
    }
}

impl std::fmt::Display for FrameFormat {
    /// The name as in the config: `bayer-rggb10`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

/// What luminance and colour differences stand for: the weights of the colours, and whether luminance goes from 16 to 235 or
/// uses all 256 levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum YuvEncoding {
    /// ITU-R BT.601, limited range: what V4L2 means where a driver says nothing.
    #[default]
    Bt601,
    /// ITU-R BT.601, full range, as in JPEG files.
    Bt601Full,
    /// ITU-R BT.709, limited range: high-definition video.
    Bt709,
    /// ITU-R BT.709, full range.
    Bt709Full,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_stands_at_its_place_with_a_code_of_its_own() {
        for (place, (format, fourcc, _)) in FrameFormat::ALL.into_iter().enumerate() {
            assert_eq!(format as usize, place);
            assert_eq!(FrameFormat::of(fourcc), Some(format));
        }
        assert_eq!(FrameFormat::BayerRggb10.to_string(), "bayer-rggb10");
        assert_eq!(FrameFormat::of(*b"JPEG"), Some(FrameFormat::Mjpeg));
        assert_eq!(FrameFormat::of(*b"pBAA"), None, "packed samples are not read");
    }

    #[test]
    fn odd_widths_share_their_last_colour_with_nobody() {
        assert_eq!(FrameFormat::Yuyv.line_bytes(5), 12);
        assert_eq!(FrameFormat::Nv12.line_bytes(5), 6);
        assert_eq!(FrameFormat::Nv12.lines(5), 8);
        assert_eq!(FrameFormat::BayerRggb10.line_bytes(5), 10);
    }
}
