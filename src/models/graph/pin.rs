//! What a graph leaves open and its passport settles: the lengths of named axes, and the files that hold weights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, PathBuf};

use super::{Axis, Graph};
use crate::models::ModelError;
use crate::models::passport::{Input, Passport};

impl Graph {
    /// The lengths that the passport gives to named open axes of the inputs, so that a runtime can plan for fixed shapes.
    ///
    /// Some exporters write one name, such as `?`, on axes of different lengths; such a name says nothing and is left out,
    /// as are axes without a name, and the batch where the passport allows more than one question a run.
    #[must_use]
    pub fn pins(&self, passport: &Passport) -> BTreeMap<String, usize> {
        let mut lengths: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for (port, input) in self.inputs.iter().filter_map(|port| Some((port, of_name(passport, &port.name)?))) {
            for (place, (axis, length)) in port.axes.iter().flatten().zip(input.shape()).enumerate() {
                let Axis::Open(name) = axis else { continue };
                let batch = passport.batch_up_to.filter(|_| place == 0);
                lengths.entry(name).or_default().extend([*length].into_iter().chain(batch));
            }
        }
        let single = |(name, lengths): (&str, BTreeSet<usize>)| match lengths.len() {
            1 if !name.is_empty() => Some((name.to_owned(), *lengths.first()?)),
            _ => None,
        };
        lengths.into_iter().filter_map(single).collect()
    }

    /// Holds the files with weights that the graph names against those of the passport, whose hashes were checked: a
    /// runtime reads no other.
    ///
    /// # Errors
    /// [`ModelError::Signature`] with both lists.
    pub fn check_external(&self, passport: &Passport) -> Result<(), ModelError> {
        let plain = |path: &PathBuf| -> PathBuf {
            path.components().filter(|component| *component != Component::CurDir).collect()
        };
        let seen: BTreeSet<PathBuf> = self.external.iter().map(plain).collect();
        let wanted: BTreeSet<PathBuf> = passport.file.external.iter().map(|file| plain(&file.path)).collect();
        if seen == wanted {
            return Ok(());
        }
        let list = |files: &BTreeSet<PathBuf>| match files.len() {
            0 => "none".to_owned(),
            _ => files.iter().map(|file| format!("{:?}", file.display().to_string())).collect::<Vec<_>>().join(", "),
        };
        Err(ModelError::Signature {
            model: passport.name.to_string(),
            what: "the list of external files".into(),
            seen: list(&seen),
            wanted: list(&wanted),
        })
    }
}

fn of_name<'p>(passport: &'p Passport, name: &str) -> Option<&'p Input> {
    passport.inputs.iter().find(|input| input.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::graph::Port;
    use crate::models::passport::{EXAMPLE, ExternalFile};
    use crate::tensor::Element;

    fn passport() -> Passport {
        toml_edit::de::from_str(EXAMPLE).unwrap()
    }

    fn graph(axes: &[&str]) -> Graph {
        let axis = |text: &&str| text.parse().map_or_else(|_| Axis::Open((*text).to_owned()), Axis::Fixed);
        let axes = Some(axes.iter().map(axis).collect());
        let image = Port { name: "image".into(), axes, element: Some(Element::Float32), made_by: None };
        Graph { inputs: vec![image], ..Graph::default() }
    }

    #[test]
    fn named_axes_get_the_lengths_of_the_passport() {
        let pinned = graph(&["batch", "3", "height", "width"]).pins(&passport());
        let wanted = [("batch", 1), ("height", 64), ("width", 96)].map(|(name, length)| (name.to_owned(), length));
        assert_eq!(pinned, BTreeMap::from(wanted));
        let batched = Passport { batch_up_to: Some(4), ..passport() };
        assert!(!graph(&["batch", "3", "height", "width"]).pins(&batched).contains_key("batch"), "it stays open");
        assert_eq!(graph(&["", "3", "?", "?"]).pins(&passport()), BTreeMap::new(), "one name, two lengths");
    }

    #[test]
    fn every_external_file_stands_in_the_passport() {
        let mut passport = passport();
        let mut graph = graph(&["1", "3", "64", "96"]);
        assert!(graph.check_external(&passport).is_ok());
        graph.external.insert("../weights.bin".into());
        let told = graph.check_external(&passport).unwrap_err().to_string();
        assert_eq!(told, "model example: the list of external files is \"../weights.bin\", the passport wants none");
        graph.external = BTreeSet::from(["./weights.bin".into()]);
        passport.file.external.push(ExternalFile { path: "weights.bin".into(), sha256: String::new() });
        assert!(graph.check_external(&passport).is_ok());
    }
}
