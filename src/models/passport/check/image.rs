//! What must fit together in an input that is fed with pixels.

use crate::config::document::Path;
use crate::config::findings::Findings;
use crate::models::passport::{Colour, Fit, ImageInput, Layout};

/// Finds what is wrong with an input of pixels.
pub(super) fn check(input: &ImageInput, table: &Path, findings: &mut Findings<'_>) {
    shape(input, table, findings);
    let per_channel = [("mean", &input.mean), ("standard_deviation", &input.standard_deviation)];
    for (key, values) in per_channel {
        let (path, wanted) = (table.then(key), input.colour.channels());
        if values.len() != wanted {
            let message = format!("{} is {values:?}", findings.document().describe(&path));
            findings.value(&path, message, format!("want {wanted} in the list, one a channel of {}", colour(input)));
        }
    }
    for (index, deviation) in input.standard_deviation.iter().enumerate() {
        if *deviation <= 0.0 {
            let path = table.then("standard_deviation");
            let message = format!("{} holds {deviation}", findings.document().describe(&path));
            findings.value(&path.then(index), message, "want a number above 0: it divides");
        }
    }
    if input.scale == 0.0 {
        let path = table.then("scale");
        let message = format!("{} is 0", findings.document().describe(&path));
        findings
            .value(&path, message, "want a number other than 0: it multiplies every pixel")
            .help("1.0 keeps 0 to 255, 0.00392156862745098 (1/255) brings it to 0 to 1");
    }
    fill(input, table, findings);
}

/// The colour as a reader would say it.
fn colour(input: &ImageInput) -> &'static str {
    match input.colour {
        Colour::Grey => "`grey`",
        Colour::Rgb => "`rgb`",
        Colour::Bgr => "`bgr`",
    }
}

/// Four axes, a batch of one, no empty side, as many channels as the colour has.
fn shape(input: &ImageInput, table: &Path, findings: &mut Findings<'_>) {
    let path = table.then("shape");
    let (height, width, channels) = input.height_width_channels();
    let described = findings.document().describe(&path);
    let order = match input.layout {
        Layout::Nchw => "[1, channels, height, width]",
        Layout::Nhwc => "[1, height, width, channels]",
    };
    let wanted = if input.shape.len() != 4 {
        "want four axes".to_owned()
    } else if input.shape.first() != Some(&1) {
        "want a batch of 1 as the first axis".to_owned()
    } else if height == 0 || width == 0 || height > MAX_SIDE || width > MAX_SIDE {
        format!("want sides from 1 to {MAX_SIDE}")
    } else if channels != input.colour.channels() {
        format!("want {} on the axis of channels, as {} has", input.colour.channels(), colour(input))
    } else {
        return;
    };
    let layout = if input.layout == Layout::Nchw { "nchw" } else { "nhwc" };
    findings
        .value(&path, format!("{described} is {:?}", input.shape), wanted)
        .help(format!("`layout = \"{layout}\"` is {order}"));
}

/// The longest side of an input, in pixels: far beyond any model, and small enough to be allocated.
const MAX_SIDE: usize = 8192;

/// A fill value belongs to a letterbox, and a letterbox to a fill value.
fn fill(input: &ImageInput, table: &Path, findings: &mut Findings<'_>) {
    let path = table.then("fill");
    match (input.fit, input.fill) {
        (Fit::Letterbox, None) => {
            findings
                .missing(&path, ", which `fit = \"letterbox\"` needs")
                .help("the value of the border, 0 to 255, as in training; 114 and 0 are common");
        }
        (Fit::Stretch | Fit::Crop, Some(value)) => {
            let message = format!("{} is {value}, but nothing is filled", findings.document().describe(&path));
            findings.key(&path, message, "belongs to `fit = \"letterbox\"`");
        }
        _ => {}
    }
    if input.fit != Fit::Letterbox && input.anchor.is_some() {
        let path = table.then("anchor");
        let message = format!("{} has no letterbox to lie in", findings.document().describe(&path));
        findings.key(&path, message, "belongs to `fit = \"letterbox\"`");
    }
}
