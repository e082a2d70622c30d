//! Profiles: the shapes that an engine is built for where the graph leaves axes open.
//!
//! Without one TensorRT takes the first shape it meets for the only one, and builds anew, during inference, when another
//! comes. So every input with an axis that nothing pins gets a profile: the one of the settings, or the passport's shape with
//! batches of one to its `batch_up_to`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{Profile, Provider, Settings};
use crate::models::graph::{Axis, Graph};
use crate::models::passport::{Input, Model, Passport};
use crate::name::Name;

/// The profiles of a model by input; `told` are those of the settings, which are taken as they are. Inputs whose axes are all
/// fixed or pinned need none.
#[must_use]
pub fn of(passport: &Passport, graph: &Graph, told: Option<&BTreeMap<String, Profile>>) -> BTreeMap<String, Profile> {
    if let Some(told) = told.filter(|told| !told.is_empty()) {
        return told.clone();
    }
    let pins = graph.pins(passport);
    let open = |axis: &Axis| matches!(axis, Axis::Open(name) if !pins.contains_key(name));
    let loose = graph.inputs.iter().filter(|port| port.axes.as_ref().is_none_or(|axes| axes.iter().any(open)));
    let input = |name: &str| passport.inputs.iter().find(|input| input.name() == name);
    loose
        .filter_map(|port| input(&port.name))
        .map(|input| (input.name().to_owned(), natural(passport, input)))
        .collect()
}

/// The passport's shape, tuned for the largest batch.
fn natural(passport: &Passport, input: &Input) -> Profile {
    let batch = |many: Option<usize>| {
        let mut shape = input.shape().to_vec();
        if let (Some(first), Some(many)) = (shape.first_mut(), many) {
            *first = many;
        }
        shape
    };
    let most = passport.batch_up_to;
    Profile { min: batch(most.map(|_| 1)), opt: batch(most), max: batch(most) }
}

/// A sentence for everything in the settings of TensorRT that does not fit the models it speaks of.
#[must_use]
pub fn misfits(settings: &Settings, models: &BTreeMap<Name, Arc<Model>>) -> Vec<String> {
    if !settings.runtime.providers.contains(&Provider::TensorRt) {
        return Vec::new();
    }
    let tensorrt = &settings.runtime.tensorrt;
    let mut found = Vec::new();
    for model in models.values() {
        let passport = &model.passport;
        if let Some(most) = passport.batch_up_to.filter(|_| tensorrt.cuda_graphs) {
            found.push(format!(
                "`runtime.tensorrt.cuda_graphs` is on, and model {} answers batches of 1 to {most}: a recorded graph has \
                 one shape",
                passport.name
            ));
        }
        if let Some(profiles) = tensorrt.profiles.get(&model.folder) {
            found.extend(unfit(passport, profiles));
        }
    }
    found
}

/// What of the profiles of one model does not fit its inputs.
fn unfit(passport: &Passport, profiles: &BTreeMap<String, Profile>) -> Vec<String> {
    let name = &passport.name;
    let mut found = Vec::new();
    for (told, profile) in profiles {
        let told_of = format!("`runtime.tensorrt.profiles` for input {told:?} of model {name}");
        match passport.inputs.iter().find(|input| input.name() == told) {
            None => {
                let known: Vec<String> = passport.inputs.iter().map(|input| format!("{:?}", input.name())).collect();
                found.push(format!("{told_of}: there is no such input; the inputs are {}", known.join(", ")));
            }
            Some(input) => found.extend(outside(passport, input, profile).map(|why| format!("{told_of}: {why}"))),
        }
    }
    let missing = passport.inputs.iter().filter(|input| !profiles.contains_key(input.name()));
    // TensorRT wants all inputs of open shape or none.
    found.extend(missing.filter(|_| passport.batch_up_to.is_some()).map(|input| {
        format!("`runtime.tensorrt.profiles` has none for input {:?} of model {name}: all inputs or none", input.name())
    }));
    found
}

/// Why what this input is fed with lies outside its profile.
fn outside(passport: &Passport, input: &Input, profile: &Profile) -> Option<String> {
    let shape = input.shape();
    if profile.min.len() != shape.len() {
        return Some(format!("it has {} axes, the passport says {shape:?}", profile.min.len()));
    }
    let most = |axis: usize, length: usize| if axis == 0 { passport.batch_up_to.unwrap_or(length) } else { length };
    let axes = shape.iter().zip(profile.min.iter().zip(&profile.max)).enumerate();
    let out = axes.into_iter().find(|&(axis, (&length, (&min, &max)))| length < min || most(axis, length) > max);
    out.map(|(axis, (&length, (min, max)))| {
        let fed = most(axis, length);
        let fed = if fed == length { length.to_string() } else { format!("{length} to {fed}") };
        format!(
            "axis {axis} is fed with {fed}, and goes from {min} to {max}: an engine would be built while parts wait"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::tests::{fixture, settings};

    fn profile(min: &[usize], max: &[usize]) -> Profile {
        Profile { min: min.to_vec(), opt: min.to_vec(), max: max.to_vec() }
    }

    #[test]
    fn an_open_batch_gets_a_profile_and_a_pinned_one_none() {
        let mut model = fixture("colour");
        let graph = Graph::read(&model.file()).unwrap();
        assert!(of(&model.passport, &graph, None).is_empty(), "the batch is pinned to 1");
        model.passport.batch_up_to = Some(4);
        let wanted = Profile { min: vec![1, 3, 16, 12], opt: vec![4, 3, 16, 12], max: vec![4, 3, 16, 12] };
        assert_eq!(of(&model.passport, &graph, None), BTreeMap::from([("image".to_owned(), wanted)]));
        let told = BTreeMap::from([("image".to_owned(), profile(&[1, 3, 16, 12], &[8, 3, 16, 12]))]);
        assert_eq!(of(&model.passport, &graph, Some(&told)), told);
    }

    #[test]
    fn what_fits_no_input_is_told_with_the_model() {
        let mut model = fixture("colour");
        model.passport.batch_up_to = Some(4);
        let mut settings = settings(&model);
        settings.runtime.providers = vec![Provider::TensorRt, Provider::Cpu];
        let name = model.passport.name.clone();
        let told = |settings: &Settings| misfits(settings, &BTreeMap::from([(name.clone(), Arc::new(model.clone()))]));
        assert!(told(&settings).is_empty());
        let mut with = |input: &str, profile: Profile| {
            let profiles = BTreeMap::from([(input.to_owned(), profile)]);
            settings.runtime.tensorrt.profiles = BTreeMap::from([(model.folder.clone(), profiles)]);
            told(&settings).join("; ")
        };
        assert_eq!(with("image", profile(&[1, 3, 16, 12], &[4, 3, 16, 12])), "");
        let other = with("picture", profile(&[1, 3, 16, 12], &[4, 3, 16, 12]));
        assert!(other.contains("input \"picture\" of model colour: there is no such input; the inputs are \"image\""));
        assert!(other.contains("has none for input \"image\" of model colour"), "{other}");
        let flat = with("image", profile(&[1, 3], &[4, 3]));
        assert!(flat.contains("it has 2 axes, the passport says [1, 3, 16, 12]"), "{flat}");
        let short = with("image", profile(&[1, 3, 16, 12], &[2, 3, 16, 12]));
        assert!(short.contains("axis 0 is fed with 1 to 4, and goes from 1 to 2"), "{short}");
        let wide = with("image", profile(&[1, 3, 17, 12], &[4, 3, 32, 12]));
        assert!(wide.contains("axis 2 is fed with 16, and goes from 17 to 32"), "{wide}");
        settings.runtime.tensorrt.profiles.clear();
        settings.runtime.tensorrt.cuda_graphs = true;
        assert!(told(&settings)[0].contains("answers batches of 1 to 4"), "{:?}", told(&settings));
        settings.runtime.providers = vec![Provider::Cpu];
        assert!(told(&settings).is_empty(), "who does not ask for TensorRT is not bothered");
    }
}
