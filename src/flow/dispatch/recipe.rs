//! Which recipe is in force for a part. Pure.

use crate::flow::{Note, Reading};
use crate::name::Name;

/// How much of a word that is no recipe stands in the note, in characters.
const SHOWN: usize = 80;

/// The recipe that a reading names under `key`, the first in the order of `readings`; else the line's, `in_force` when the part
/// was captured. What is named but cannot be a name is noted, and the line's recipe is in force.
#[must_use]
pub fn recipe(key: Option<&str>, in_force: &Name, readings: &[Reading]) -> (Name, Option<Note>) {
    let named = key.and_then(|key| readings.iter().find_map(|reading| reading.values.get(key)));
    let Some(named) = named.map(ToString::to_string) else { return (in_force.clone(), None) };
    Name::new(&named).map_or_else(
        |_| (in_force.clone(), Some(Note::UnusableRecipe { seen: named.chars().take(SHOWN).collect() })),
        |recipe| (recipe, None),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flow::fakes::{at, name, reading, valued};
    use crate::value::Value;

    proptest! {
        #[test]
        fn the_first_word_under_the_key_is_the_recipe_or_a_note(first in ".{0,100}", second in "[a-z]{1,8}") {
            let text = |text: &str| Value::Text(text.into());
            let mut readings = vec![
                reading("a", None, at(0)),
                valued("b", None, at(0), "type", text(&first)),
                valued("c", None, at(0), "type", text(&second)),
            ];
            let seen = first.chars().take(SHOWN).collect();
            let wanted = Name::new(&first).map_or_else(
                |_| (name("mono"), Some(Note::UnusableRecipe { seen })),
                |first| (first, None),
            );
            prop_assert_eq!(recipe(Some("type"), &name("mono"), &readings), wanted);
            prop_assert_eq!(recipe(Some("other"), &name("mono"), &readings), (name("mono"), None));
            prop_assert_eq!(recipe(None, &name("mono"), &readings), (name("mono"), None));
            readings.remove(1);
            prop_assert_eq!(recipe(Some("type"), &name("mono"), &readings), (name(&second), None));
        }
    }
}
