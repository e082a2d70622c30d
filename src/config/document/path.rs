//! Paths into a document: pure steps, without knowledge of what stands there.

use std::fmt;

/// The way from the root of a document to one of its values: keys, and indices as decimal numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path(Vec<String>);

impl Path {
    /// The path with these steps.
    #[must_use]
    pub fn of(steps: &[&str]) -> Self {
        Self(steps.iter().map(|&step| step.to_owned()).collect())
    }

    /// The path that a JSON pointer (RFC 6901) names.
    #[must_use]
    pub fn of_pointer(pointer: &str) -> Self {
        Self(pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect())
    }

    /// One step further.
    #[must_use]
    pub fn then(&self, step: impl fmt::Display) -> Self {
        let mut steps = self.0.clone();
        steps.push(format!("{step}"));
        Self(steps)
    }

    /// One step back; the root stays the root.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self(self.0.split_last().map(|(_, steps)| steps.to_vec()).unwrap_or_default())
    }

    /// The last step.
    #[must_use]
    pub fn last(&self) -> Option<&str> {
        self.0.last().map(String::as_str)
    }

    /// All steps.
    #[must_use]
    pub fn steps(&self) -> &[String] {
        &self.0
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `other` is this path or leads to it.
    #[must_use]
    pub fn starts_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_unescaped_step_by_step() {
        assert_eq!(Path::of_pointer("/a~1b/~01/0"), Path::of(&["a/b", "~1", "0"]));
        assert!(Path::of_pointer("").is_root());
        assert_eq!(Path::of_pointer("/").steps(), [""]);
    }

    #[test]
    fn a_path_starts_with_what_leads_to_it() {
        let path = Path::of(&["routes"]).then(3).then("name");
        assert!(path.starts_with(&path.parent()) && path.starts_with(&Path::default()));
        assert!(!path.parent().starts_with(&path));
        assert_eq!((path.last(), Path::default().parent()), (Some("name"), Path::default()));
    }
}
