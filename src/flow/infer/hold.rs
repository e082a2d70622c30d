//! Hold: a model is held against its references before it judges. They must be reproduced on this machine, by the
//! provider that got the session; the runs are its warm-up.
//!
//! Two things are held apart: the pixels that preparation makes of a reference's picture, and the answers to what the
//! reference was fed. So the sentence says which of the two went wrong.

use super::prepare::Preparation;
use super::session::{Session, Tensor};
use crate::flow::pool::Pool;
use crate::flow::{Image, PixelFormat, Placement};
use crate::models::ModelError;
use crate::models::passport::{Model, Passport};
use crate::models::reference::{Case, Farthest, Picture, answer_bound, farthest, preparation_bound};
use crate::task::geometry::Region;

/// Holds the preparation against the pictures of the references.
///
/// # Errors
/// [`ModelError::Reference`] with the number farthest off.
pub fn preparation(model: &Model, cases: &[Case]) -> Result<(), ModelError> {
    let passport = &model.passport;
    let refuse = |cause: String| ModelError::Run { model: passport.name.to_string(), cause };
    let pictured = cases.iter().filter_map(|case| Some((case, case.frame.as_ref()?)));
    let images = passport.images();
    let mut preparation = Preparation::new(&images).map_err(refuse)?;
    let mut tensors: Vec<Tensor> = images.iter().map(|input| Tensor::zeros(&input.shape, input.element)).collect();
    for (case, picture) in pictured {
        let image = image(picture).map_err(refuse)?;
        let all = passport.inputs.iter().zip(&case.inputs);
        let wanted = all.filter_map(|(input, wanted)| Some((input.image()?, wanted)));
        for (place, ((input, wanted), seen)) in wanted.zip(&mut tensors).enumerate() {
            preparation.fill(place, &image, Region::Whole, seen).map_err(refuse)?;
            let bound = preparation_bound(input);
            if let Some(found) = farthest(seen, wanted, bound) {
                let what = format!("input \"{}\"", input.name);
                let cause = "the passport prepares pixels otherwise than the reference was prepared: compare colour, fit, \
                             filter, scale, mean and standard_deviation with the training";
                return Err(told(passport, case, &what, &found, bound, cause));
            }
        }
    }
    Ok(())
}

/// Warms a session up: every case is run and its answers are held against the reference. Without cases, one run on
/// zeroes.
///
/// # Errors
/// [`ModelError::Reference`] with the number farthest off; [`ModelError::Run`] when a run fails.
pub fn warm_up(session: &mut dyn Session, passport: &Passport, cases: &[Case]) -> Result<(), ModelError> {
    if cases.is_empty() {
        let zeroes: Vec<Tensor> =
            passport.inputs.iter().map(|input| Tensor::zeros(input.shape(), input.element())).collect();
        session.run(&zeroes)?;
    }
    let tolerance = passport.reference.as_ref().map_or(0.0, |reference| reference.tolerance);
    let cause = cause(session.placement());
    for case in cases {
        let seen = session.run(&case.inputs)?;
        for ((output, seen), wanted) in passport.outputs.iter().zip(seen).zip(&case.outputs) {
            let what = format!("output \"{}\"", output.name);
            if seen.shape() != wanted.shape() {
                return Err(ModelError::Reference {
                    model: passport.name.to_string(),
                    what: format!("the shape of {what} of case \"{}\"", case.name),
                    seen: format!("{:?}", seen.shape()),
                    wanted: format!("{:?}", wanted.shape()),
                    cause: cause.to_owned(),
                });
            }
            let bound = answer_bound(wanted, tolerance);
            if let Some(found) = farthest(seen, wanted, bound) {
                return Err(told(passport, case, &what, &found, bound, cause));
            }
        }
    }
    Ok(())
}

/// A passport whose references need only be come near to by `tolerance`.
#[must_use]
pub fn with_tolerance(passport: &Passport, tolerance: f64) -> Passport {
    let mut passport = passport.clone();
    if let Some(reference) = &mut passport.reference {
        reference.tolerance = tolerance;
    }
    passport
}

/// Where answers go wrong most often, by where they are made.
fn cause(placement: &Placement) -> &'static str {
    match placement.provider.as_str() {
        "tensorrt" => {
            "the engine computes with lower precision than its tolerance bears (`fp16` and `tolerance` in [runtime.tensorrt]), or the \
             file holds other weights than the reference was made with"
        }
        "cuda" => {
            "the file holds other weights than the reference was made with, or this provider computes with lower precision"
        }
        _ => "the file holds other weights than the reference was made with, or the reference is of another model",
    }
}

fn told(passport: &Passport, case: &Case, what: &str, found: &Farthest, bound: f64, cause: &str) -> ModelError {
    ModelError::Reference {
        model: passport.name.to_string(),
        what: format!("{what} at {:?} of case \"{}\"", found.place, case.name),
        seen: shown(found.seen),
        wanted: format!("{} within {}", shown(found.wanted), shown(bound)),
        cause: cause.to_owned(),
    }
}

/// A number in a sentence: five digits are enough to see the difference.
fn shown(number: f64) -> String {
    if number == 0.0 || (1e-3..1e7).contains(&number.abs()) { format!("{number:.5}") } else { format!("{number:e}") }
}

/// The picture of a reference as a frame's.
fn image(picture: &Picture) -> Result<Image, String> {
    let mut pixels = Pool::new(0).take(picture.levels.len());
    pixels.bytes_mut().copy_from_slice(&picture.levels);
    let format = if picture.channels == 1 { PixelFormat::Grey8 } else { PixelFormat::Rgb8 };
    Image::new(picture.width, picture.height, format, pixels)
}
