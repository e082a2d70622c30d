//! A picture that no camera took, as the part that it would be on the line.

use std::sync::Arc;

use crate::clock::Monotonic;
use crate::config::Line;
use crate::flow::dispatch::recipe;
use crate::flow::plan::Plan;
use crate::flow::plan::choice::route;
use crate::flow::{Frame, Image, Part, PartId, Reading};
use crate::name::Name;

/// A picture with what sensors say of it.
#[derive(Debug)]
pub struct Shown<'s> {
    /// The picture.
    pub image: Image,
    /// The camera whose frame it stands for.
    pub camera: &'s Name,
    /// What sensors say, as if at the same moment.
    pub readings: Vec<Reading>,
    /// The rung to judge on, counted from the heaviest.
    pub rung: usize,
}

impl Shown<'_> {
    /// The part, joined `now` and routed by `plan` as on the line.
    #[must_use]
    pub fn part(self, line: &Line, plan: &Arc<Plan>, now: Monotonic) -> Part {
        let Self { image, camera, readings, rung } = self;
        let frame = Frame { camera: camera.clone(), sequence: 0, captured: now, part: None, image };
        let (recipe, unusable) = recipe(line.recipe_key.as_deref(), &line.recipe, &readings);
        let mut part = Part {
            id: PartId::generate(),
            id_given: false,
            recipe,
            captured: now,
            joined: now,
            frames: vec![Arc::new(frame)],
            readings: Arc::new(readings),
            notes: unusable.into_iter().collect(),
            plan: Arc::clone(plan),
            route: None,
            rung,
        };
        part.route = route(&part, plan);
        part
    }
}
