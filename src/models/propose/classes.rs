//! Labels in the alphabet of names, and a guess at which of them mean a defect, to be confirmed.

use std::collections::BTreeSet;

use crate::name::Name;

/// Labels in the alphabet of names: what lies outside becomes `-`; an empty or repeated one gets its number behind.
pub(super) fn names(written: &[String]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    written.iter().enumerate().map(|(place, label)| unique(name(label), place, &mut taken)).collect()
}

fn name(label: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let plain: String = label.trim().chars().map(kept).collect();
    let plain = plain.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).trim_end_matches('-');
    plain.chars().take(Name::MAX_BYTES - "-00000".len()).collect()
}

fn unique(name: String, place: usize, taken: &mut BTreeSet<String>) -> String {
    let mut name = if name.is_empty() { format!("label-{place}") } else { name };
    if !taken.insert(name.clone()) {
        name = format!("{name}-{place}");
        taken.insert(name.clone());
    }
    name
}

/// All labels but those whose name says that nothing is wrong.
pub(super) fn usual_defects(names: &[String]) -> String {
    let good = ["good", "ok", "pass", "normal", "0", "background", "intact", "fine"];
    let defects = names.iter().filter(|name| !good.contains(&name.to_lowercase().as_str()));
    defects.cloned().collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn labels_are_written_in_the_alphabet_of_names() {
        let written = ["hot dog", "person", " worker's mark ", "傷", "hot_dog", "hot/dog"].map(str::to_owned);
        assert_eq!(names(&written), ["hot-dog", "person", "worker-s-mark", "label-3", "hot_dog", "hot-dog-5"]);
        assert_eq!(usual_defects(&["good".into(), "crack".into(), "burr".into()]), "crack,burr");
    }

    proptest! {
        #[test]
        fn any_labels_become_names_of_their_own(written in prop::collection::vec(".{0,80}", 0..20)) {
            let names = names(&written);
            prop_assert_eq!(names.len(), written.len());
            prop_assert!(names.iter().all(|name| Name::new(name).is_ok()));
        }
    }
}
