//! The recipe that the line was last changed over to, kept over a restart, and which one a start begins with.
//!
//! Owns one file beside the journal, `<journal>.recipe.json`; each change is one rename of a whole file. The last word wins: the
//! file keeps what the config said at the changeover, so that a config whose `[line] recipe` was changed since then overrules
//! it, and nothing else does; not a power cut, nor another production run. Deliberately not in the journal, which knows verdicts.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::whole;
use crate::name::Name;

/// A changeover, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changeover {
    /// The recipe that the line was changed over to.
    pub recipe: Name,
    /// What `[line] recipe` of the config said then.
    pub configured: Name,
    /// When, UTC.
    pub at: Timestamp,
}

/// The file in which the changeovers of one line are kept.
#[derive(Debug, Clone)]
pub struct Kept(PathBuf);

impl Kept {
    /// The file of the line whose journal is `journal`.
    #[must_use]
    pub fn beside(journal: &Path) -> Self {
        Self(journal.with_added_extension("recipe.json"))
    }

    /// The last changeover; `None` where there was none.
    ///
    /// # Errors
    /// One sentence naming the file that cannot be read.
    pub fn read(&self) -> Result<Option<Changeover>, String> {
        whole::read(&self.0).map_err(|error| format!("{} cannot be read: {error}", self.0.display()))
    }

    /// Keeps a changeover; it is on the disk when this returns.
    ///
    /// # Errors
    /// One sentence naming the file that cannot be written.
    pub fn write(&self, changeover: &Changeover) -> Result<(), String> {
        whole::write(&self.0, changeover).map_err(|error| format!("{} cannot be written: {error}", self.0.display()))
    }
}

/// The recipe that a start begins with, and why, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// The recipe.
    pub recipe: Name,
    /// Why this one.
    pub why: String,
    /// Whether the line was made by another one before and should have been now: nobody changed the config since.
    pub lost: bool,
}

/// The recipe that a start begins with, by what the config says and what was kept: pure. `known` says whether the routes of the
/// config can serve a recipe.
#[must_use]
pub fn beginning(
    configured: &Name,
    kept: &Result<Option<Changeover>, String>,
    known: impl Fn(&Name) -> bool,
) -> Beginning {
    let configs = |why, lost| Beginning { recipe: configured.clone(), why, lost };
    match kept {
        Err(why) => configs(format!("{why}; so the recipe is that of the config"), true),
        Ok(None) => configs("as the config says".into(), false),
        Ok(Some(Changeover { recipe, configured: then, at })) if then != configured => configs(
            format!("as the config says, which said {then} when the line was changed over to {recipe} at {at}"),
            false,
        ),
        Ok(Some(Changeover { recipe, at, .. })) if !known(recipe) => configs(
            format!(
                "the line was changed over to {recipe} at {at}, of which no route speaks any more; so the recipe is that of the config"
            ),
            true,
        ),
        Ok(Some(Changeover { recipe, at, .. })) => {
            let why = format!("the line was changed over to it at {at}; the config says {configured}");
            Beginning { recipe: recipe.clone(), why, lost: false }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn changeover(recipe: &str, configured: &str) -> Changeover {
        Changeover { recipe: name(recipe), configured: name(configured), at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn what_is_kept_is_read_again_and_what_cannot_be_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::beside(&folder.path().join("state/journal.sqlite"));
        assert_eq!(kept.read(), Ok(None));
        for recipe in ["mono", "poly"] {
            kept.write(&changeover(recipe, "default")).unwrap();
            assert_eq!(kept.read(), Ok(Some(changeover(recipe, "default"))));
        }
        let file = folder.path().join("state/journal.sqlite.recipe.json");
        std::fs::write(&file, "{").unwrap();
        assert!(kept.read().unwrap_err().contains("journal.sqlite.recipe.json cannot be read: EOF"));
        let nowhere = Kept::beside(&file.join("journal"));
        let why = nowhere.write(&changeover("mono", "default")).unwrap_err();
        assert!(why.contains("journal.recipe.json cannot be written: "), "{why}");
    }

    proptest! {
        /// The last word wins: that of the changeover, as long as the config says what it said then and knows the recipe.
        #[test]
        fn a_start_goes_on_with_the_last_word(configured in "[ab]", then in "[ab]", recipe in "[abc]", kept in 0_u8..3, is_known: bool) {
            let record = match kept {
                0 => Ok(None),
                1 => Ok(Some(changeover(&recipe, &then))),
                _ => Err("journal.recipe.json cannot be read: torn".to_owned()),
            };
            let Beginning { recipe: begun, why, lost } = beginning(&name(&configured), &record, |_| is_known);
            let stands = kept == 1 && configured == then;
            prop_assert_eq!(begun.as_str(), if stands && is_known { &recipe } else { &configured });
            prop_assert_eq!(lost, kept == 2 || (stands && !is_known), "{}", &why);
            prop_assert_eq!(lost, why.ends_with("so the recipe is that of the config"), "{}", &why);
        }
    }
}
