//! Samples behind a colour filter to red, green and blue: each missing colour is the mean of the two or four nearest samples
//! of that colour (bilinear), rounded half up, as `OpenCV` does it inside the frame. At the border the frame is mirrored about
//! its outermost pixels, which keeps every colour at its place.

use crate::config::Filter;
use crate::flow::vectorised::vectorised;

/// A level of the image that is made.
pub(super) trait Level: Copy {
    /// From a level that fits.
    fn of(level: u32) -> Self;
}

impl Level for u8 {
    #[allow(clippy::inline_always, clippy::cast_possible_truncation, reason = "a part of the loop; means of bytes fit")]
    #[inline(always)]
    fn of(level: u32) -> Self {
        level as Self
    }
}

impl Level for u16 {
    #[allow(clippy::inline_always, clippy::cast_possible_truncation, reason = "a part of the loop; means of words fit")]
    #[inline(always)]
    fn of(level: u32) -> Self {
        level as Self
    }
}

/// Which colours the two pixels of a line have in turn.
#[derive(Debug, Clone, Copy)]
struct Phase {
    /// Whether the first is green.
    green_first: bool,
    /// Whether the other is red; else it is blue.
    red: bool,
}

impl Phase {
    fn of(filter: Filter, line: usize) -> Self {
        let [first, second] = if line.is_multiple_of(2) { [filter[0], filter[1]] } else { [filter[2], filter[3]] };
        Self { green_first: first == 1, red: first == 0 || second == 0 }
    }
}

vectorised! {
    /// One line. `above`, `here` and `below` have a mirrored sample before the first and after the last.
    fn line [L: Level](above: &[u16], here: &[u16], below: &[u16], rgb: &mut [[L; 3]], phase: Phase) {
        let width = rgb.len();
        // One length for all, so that no access in the loop needs a check of its own.
        let (above, here, below) = (&above[..width + 2], &here[..width + 2], &below[..width + 2]);
        #[expect(clippy::needless_range_loop, reason = "three more lines are read at the same place")]
        for x in 0..width {
            let at = |line: &[u16], x: usize| u32::from(line[x]);
            let (left, right) = (at(here, x), at(here, x + 2));
            let (up, down) = (at(above, x + 1), at(below, x + 1));
            let own = at(here, x + 1);
            let corners = at(above, x) + at(above, x + 2) + at(below, x) + at(below, x + 2);
            let green = x.is_multiple_of(2) == phase.green_first;
            let [same, middle, other] = if green {
                [(left + right).div_ceil(2), own, (up + down).div_ceil(2)]
            } else {
                [own, (left + right + up + down + 2) / 4, (corners + 2) / 4]
            };
            let (red, blue) = if phase.red { (same, other) } else { (other, same) };
            rgb[x] = [L::of(red), L::of(middle), L::of(blue)];
        }
    }
}

/// Makes an image of `width` pixels a line of at least two lines, of which `read` makes samples.
pub(super) fn demosaic<'l, L: Level>(
    filter: Filter,
    lines: impl Iterator<Item = &'l [u8]>,
    read: impl Fn(&[u8], &mut [u16]),
    image: &mut [L],
    width: usize,
) {
    let mut image = image.as_chunks_mut::<3>().0.chunks_exact_mut(width);
    let load = |line: &[u8], samples: &mut Vec<u16>| {
        samples.resize(width + 2, 0);
        read(line, &mut samples[1..=width]);
        samples[0] = samples[2];
        samples[width + 1] = samples[width - 1];
    };
    let [mut above, mut here, mut below] = [const { Vec::new() }; 3];
    let mut count = 0;
    for text in lines {
        load(text, &mut below);
        // The line before can be made now that this one is known; above the first is the second once more.
        if let Some(rgb) = (count > 0).then(|| image.next()).flatten() {
            let mirrored = if count == 1 { &below } else { &above };
            line(mirrored, &here, &below, rgb, Phase::of(filter, count - 1));
        }
        std::mem::swap(&mut above, &mut here);
        std::mem::swap(&mut here, &mut below);
        count += 1;
    }
    if let Some(rgb) = image.next().filter(|_| count > 1) {
        line(&above, &here, &above, rgb, Phase::of(filter, count - 1));
    }
}
