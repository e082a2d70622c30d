//! Which recipe is in force for a part. Pure.

use crate::config;
use crate::flow::{Note, Reading};
use crate::name::Name;

/// How much of a word that is no recipe stands in the note, in characters.
const SHOWN: usize = 80;

/// The recipe that a reading names under the line's recipe key, the first in the order of `readings`; else the line's.
/// What is named but cannot be a name is noted, and the line's recipe is in force.
#[must_use]
pub fn recipe(line: &config::Line, readings: &[Reading]) -> (Name, Option<Note>) {
    let key = line.recipe_key.as_ref();
    let named = key.and_then(|key| readings.iter().find_map(|reading| reading.values.get(key)));
    let Some(named) = named.map(ToString::to_string) else { return (line.recipe.clone(), None) };
    Name::new(&named).map_or_else(
        |_| (line.recipe.clone(), Some(Note::UnusableRecipe { seen: named.chars().take(SHOWN).collect() })),
        |recipe| (recipe, None),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flow::fakes::{at, name, reading, valued};
    use crate::value::Value;

    fn line(key: Option<&str>) -> config::Line {
        config::Line { recipe: name("mono"), run: name("r"), recipe_key: key.map(Into::into) }
    }

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
            prop_assert_eq!(recipe(&line(Some("type")), &readings), wanted);
            prop_assert_eq!(recipe(&line(Some("other")), &readings), (name("mono"), None));
            prop_assert_eq!(recipe(&line(None), &readings), (name("mono"), None));
            readings.remove(1);
            prop_assert_eq!(recipe(&line(Some("type")), &readings), (name(&second), None));
        }
    }
}
