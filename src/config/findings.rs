//! Findings: what is wrong in a file, where it stands, what is wanted instead; all of them at once.
//!
//! [`Findings`] collects while a document is checked, [`ConfigError`] carries the result and renders it. A finding about
//! something that another finding has already condemned is left out. Used for the configuration and for passports.

use std::fmt;
use std::path::Path as FilePath;
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

use super::document::{Document, Path, Place};

/// The width of a report without a terminal, in columns.
const PLAIN_WIDTH: usize = 100;

/// The text of a file under its label, for carets.
pub type Source = Arc<NamedSource<String>>;

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The thing and the value seen.
    pub message: String,
    /// The value wanted; stands at the caret.
    pub wanted: String,
    /// What to do, where that is known.
    pub help: Option<String>,
    /// Where it stands; `None` when a file could not be read at all.
    place: Option<(Source, Place)>,
}

impl Finding {
    /// A finding without a place: the file itself is the trouble.
    #[must_use]
    pub fn of_file(path: &FilePath, cause: &str) -> Self {
        Self::of_text(format!("{} cannot be read: {cause}", path.display()))
    }

    /// A finding without a place, in one sentence.
    #[must_use]
    pub fn of_text(message: String) -> Self {
        Self { message, wanted: String::new(), help: None, place: None }
    }

    /// A finding at a place of a source.
    #[must_use]
    pub(super) fn at(source: Source, place: Place, message: String, wanted: String) -> Self {
        Self { message, wanted, help: None, place: Some((source, place)) }
    }

    /// What findings are sorted by: file, then offset.
    fn order(&self) -> (usize, usize) {
        self.place.as_ref().map_or((0, 0), |(_, place)| (place.file, place.span.start))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Finding {}

impl Diagnostic for Finding {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|(source, _)| &**source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, place) = self.place.as_ref()?;
        let label = (!self.wanted.is_empty()).then(|| self.wanted.clone());
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(label, place.span.clone()))))
    }
}

/// Everything that is wrong with a configuration or a passport. Its `Display` is the whole report, so that no finding is
/// lost on the way to whoever reads it.
#[derive(Debug, Clone)]
pub struct ConfigError {
    /// The file that was asked for.
    label: String,
    /// At least one.
    findings: Vec<Finding>,
}

impl ConfigError {
    /// Joins the findings of the file called `label`.
    #[must_use]
    pub fn new(label: &str, findings: Vec<Finding>) -> Self {
        Self { label: label.to_owned(), findings }
    }

    /// Joins findings that have no place in a file, each a sentence of its own.
    #[must_use]
    pub fn of_sentences(label: &str, sentences: Vec<String>) -> Self {
        Self::new(label, sentences.into_iter().map(Finding::of_text).collect())
    }

    /// The findings in the order of the files and of the places within.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Takes the findings out.
    #[must_use]
    pub fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    /// All findings in one line, for a log: what is seen, then what is wanted.
    #[must_use]
    pub fn line(&self) -> String {
        let one = |finding: &Finding| match finding.wanted.as_str() {
            "" => finding.message.clone(),
            wanted => format!("{}, {wanted}", finding.message),
        };
        let all: Vec<String> = self.findings.iter().map(one).collect();
        format!("{}: {}", self.label, all.join("; "))
    }

    /// The whole report as text, `width` columns wide, each finding with its line and caret.
    #[must_use]
    pub fn render(&self, width: usize, colour: bool) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(width).with_links(false);
        let mut text = String::new();
        for finding in &self.findings {
            if handler.render_report(&mut text, finding).is_err() {
                text.push_str(&finding.message);
            }
            text.push('\n');
        }
        let count = self.findings.len();
        text + &format!("{count} {} in {}", if count == 1 { "finding" } else { "findings" }, self.label)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(PLAIN_WIDTH, false))
    }
}

impl std::error::Error for ConfigError {}

/// The findings of one document while it is being checked.
#[derive(Debug)]
pub struct Findings<'d> {
    document: &'d Document,
    /// Paths already condemned: what is said about them or below them is left out.
    condemned: Vec<Path>,
    found: Vec<Finding>,
}

impl<'d> Findings<'d> {
    /// No findings yet.
    #[must_use]
    pub fn new(document: &'d Document) -> Self {
        Self { document, condemned: Vec::new(), found: Vec::new() }
    }

    /// The document that is checked.
    #[must_use]
    pub fn document(&self) -> &'d Document {
        self.document
    }

    /// A finding at the value of `path`: what is seen there, what is wanted.
    pub fn value(&mut self, path: &Path, message: impl Into<String>, wanted: impl Into<String>) -> Note<'_> {
        let place = self.document.value_place(path);
        self.add(path, place, message.into(), wanted.into())
    }

    /// A finding at the key of `path`: the key itself, or a table as a whole, is the trouble.
    pub fn key(&mut self, path: &Path, message: impl Into<String>, wanted: impl Into<String>) -> Note<'_> {
        let place = self.document.key_place(path);
        self.add(path, place, message.into(), wanted.into())
    }

    /// Tells that `path` is missing, and ` why`; shown at the nearest table that exists.
    pub fn missing(&mut self, path: &Path, why: &str) -> Note<'_> {
        let (key, owner) = (path.last().unwrap_or_default(), path.parent());
        let message = if owner.is_root() {
            format!("`{key}` is missing{why}")
        } else {
            format!("{} has no `{key}`{why}", self.document.describe(&owner))
        };
        let place = self.document.key_place(&owner);
        self.add(path, place, message, format!("want the key `{key}`"))
    }

    /// Leaves out whatever is later said about `path` or below it.
    pub fn condemn(&mut self, path: Path) {
        self.condemned.push(path);
    }

    /// The paths that were condemned.
    #[must_use]
    pub fn condemned(&self) -> &[Path] {
        &self.condemned
    }

    /// Whether `path` or something above it has been condemned.
    #[must_use]
    pub fn is_condemned(&self, path: &Path) -> bool {
        self.condemned.iter().any(|condemned| path.starts_with(condemned))
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The findings in the order of the files and of the places within.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Finding> {
        self.found.sort_by_key(Finding::order);
        self.found
    }

    fn add(&mut self, path: &Path, place: Place, message: String, wanted: String) -> Note<'_> {
        if self.is_condemned(path) {
            return Note(None);
        }
        let source = self.document.source(place.file);
        self.found.push(Finding::at(source, place, message, wanted));
        Note(self.found.last_mut())
    }
}

/// The finding just told, to be given an advice.
#[derive(Debug)]
pub struct Note<'f>(Option<&'f mut Finding>);

impl Note<'_> {
    /// Adds what to do.
    pub fn help(self, text: impl Into<String>) {
        if let Some(finding) = self.0 {
            finding.help = Some(text.into());
        }
    }
}

/// Of `known`, the one that `seen` was probably meant to be: at most a third of its letters differ, or one holds the other.
pub fn nearest<'k>(seen: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let seen = seen.to_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&seen, known);
    let within = |known: &str| distance(known) * 3 <= known.chars().count().max(seen.chars().count());
    let holds = |known: &str| seen.len() >= 3 && known.len() >= 3 && (known.contains(&seen) || seen.contains(known));
    known.into_iter().filter(|known| within(known) || holds(known)).min_by_key(|known| distance(known))
}

/// The words of a list in backticks, with commas.
pub fn listed<'k>(words: impl IntoIterator<Item = &'k str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// The advice for a word that is not among `known`.
pub fn advice<'k>(seen: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    match nearest(seen, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known: {}", listed(known)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let known = ["path", "part_id", "frames_per_second", "kind"];
        assert_eq!(nearest("pth", known), Some("path"));
        assert_eq!(nearest("frame_per_second", known), Some("frames_per_second"));
        assert_eq!(nearest("Kind", known), Some("kind"));
        assert_eq!(nearest("exposure", known), None);
        assert_eq!(nearest("", known), None);
    }
}
