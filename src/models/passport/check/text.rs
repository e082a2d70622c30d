//! What must fit together in a text: inputs of tokens, maps of lines, characters; and the file that holds the characters.

use std::fs::File;
use std::io::Read;
use std::path::Path as FilePath;
use std::sync::Arc;

use crate::config::document::Path;
use crate::config::findings::Findings;
use crate::models::catalogue::sha256_of;
use crate::models::passport::input::{Bytes, TextInput, TokenPart, Tokens};
use crate::models::passport::text::{Characters, CharactersFile, TextRecognition};
use crate::models::passport::{Activation, Element, Output, Passport, Task};

/// The longest text, in tokens: far beyond any encoder of sensor lines.
const MAX_TOKENS: usize = 65_536;

/// The largest file of characters: every character there is, several times over.
const MAX_CHARACTER_BYTES: u64 = 16 * 1024 * 1024;

/// How many values a byte has.
const BYTE_VALUES: u16 = 256;

/// Finds what is wrong with an input of tokens: one text of a fixed length, in numbers that hold every token.
pub(super) fn input(input: &TextInput, table: &Path, findings: &mut Findings<'_>) {
    let path = table.then("shape");
    if !matches!(input.shape.as_slice(), &[1, length] if (1..=MAX_TOKENS).contains(&length)) {
        let message = format!("{} is {:?}", findings.document().describe(&path), input.shape);
        findings.value(&path, message, format!("want [1, length], the length from 1 to {MAX_TOKENS} tokens"));
    }
    element(input, table, findings);
    if let Tokens::Bytes(bytes) = &input.tokens {
        self::bytes(*bytes, &table.then("tokens").then("bytes"), findings);
        if input.part == TokenPart::Types {
            let path = table.then("part");
            let message = format!("{} is \"types\", but bytes have no types", findings.document().describe(&path));
            findings.value(&path, message, "want \"ids\" or \"mask\"");
        }
    }
}

/// A token is a whole number that binary16 and bytes cannot always hold.
fn element(input: &TextInput, table: &Path, findings: &mut Findings<'_>) {
    let holds_bytes = |bytes: &Bytes| bytes.offset == 0 && bytes.known.is_none();
    let fits = match (input.element, &input.tokens) {
        (Element::Int32 | Element::Int64 | Element::Float32 | Element::Float64, _) => true,
        (Element::Uint8, _) if !(0..i64::from(BYTE_VALUES)).contains(&input.padding) => false,
        (Element::Uint8, Tokens::Bytes(bytes)) => holds_bytes(bytes) || input.part == TokenPart::Mask,
        (Element::Uint8, Tokens::Tokenizer(_)) => input.part != TokenPart::Ids,
        (Element::Float16, _) => false,
    };
    if !fits {
        let path = table.then("element");
        let message = format!("{} is \"{}\"", findings.document().describe(&path), input.element);
        findings.value(&path, message, "want \"int32\" or \"int64\", which hold every token");
    }
}

/// Bytes that a model does not know have a token of their own.
fn bytes(bytes: Bytes, table: &Path, findings: &mut Findings<'_>) {
    match (bytes.known, bytes.unknown) {
        (Some(known), _) if !(1..BYTE_VALUES).contains(&known) => {
            let path = table.then("known");
            let message = format!("{} is {known}", findings.document().describe(&path));
            findings.value(&path, message, format!("want 1 to {}; without it all are known", BYTE_VALUES - 1));
        }
        (Some(_), None) => {
            findings.missing(&table.then("unknown"), ", which `known` needs").help("the token of every other byte");
        }
        (None, Some(_)) => {
            let path = table.then("unknown");
            let message = format!("{} is there, but every byte is known", findings.document().describe(&path));
            findings.key(&path, message, "belongs to `known`");
        }
        _ => {}
    }
}

/// Finds what is wrong with the output that a task of text reads.
pub(super) fn task(passport: &Passport, findings: &mut Findings<'_>) {
    let Some(output) = passport.outputs.first() else { return };
    match &passport.task {
        Task::TextDetection(_) => {
            activation(output, &[(Activation::Sigmoid, "sigmoid"), (Activation::None, "none")], findings);
            if !matches!(*output.shape, [1, 1, _, _] | [1, _, _]) {
                shape(output, "want [1, 1, height, width]: the map of the probability of text", findings);
            }
        }
        Task::TextRecognition(recognition) => {
            activation(output, &[(Activation::Softmax, "softmax"), (Activation::None, "none")], findings);
            classes(recognition, output, findings);
        }
        _ => {}
    }
}

/// What makes probabilities of the numbers is told, and fits the task.
fn activation(output: &Output, fitting: &[(Activation, &str)], findings: &mut Findings<'_>) {
    let path = Path::of(&["outputs"]).then(0).then("activation");
    let wanted: Vec<String> = fitting.iter().map(|(_, name)| format!("\"{name}\"")).collect();
    let wanted = wanted.join(" or ");
    match output.activation {
        None => {
            findings.missing(&path, "").help(format!("what makes probabilities of the numbers: {wanted}"));
        }
        Some(seen) if fitting.iter().all(|(fits, _)| *fits != seen) => {
            let message = format!("{} does not fit the task", findings.document().describe(&path));
            findings.value(&path, message, format!("want {wanted}"));
        }
        Some(_) => {}
    }
}

/// One class for each character and one for the blank.
fn classes(task: &TextRecognition, output: &Output, findings: &mut Findings<'_>) {
    let Ok(characters) = task.characters.list() else { return };
    if characters.is_empty() {
        let path = Path::of(&["task", "text-recognition", "characters"]);
        let message = format!("{} has none", findings.document().describe(&path));
        findings.value(&path, message, "want the characters that the model was trained on, in their order");
        return;
    }
    let classes = characters.len() + 1;
    if !matches!(*output.shape, [1, _, seen] | [_, 1, seen] if seen == classes) {
        let wanted = format!("want [1, steps, {classes}]: {} characters and the blank", characters.len());
        shape(output, &wanted, findings);
    }
}

fn shape(output: &Output, wanted: &str, findings: &mut Findings<'_>) {
    let path = Path::of(&["outputs"]).then(0).then("shape");
    let message = format!("{} is {:?}", findings.document().describe(&path), output.shape);
    findings.value(&path, message, wanted);
}

/// The path of the file of characters, where there is one.
pub(super) fn characters_file(passport: &mut Passport) -> Option<(&mut CharactersFile, Path)> {
    match &mut passport.task {
        Task::TextRecognition(TextRecognition { characters: Characters::File(file), .. }) => {
            Some((file, Path::of(&["task", "text-recognition", "characters", "file"])))
        }
        _ => None,
    }
}

/// Reads the file of characters beside the passport, if it is the one the passport speaks of.
pub(super) fn read_characters(file: &mut CharactersFile, table: &Path, folder: &FilePath, findings: &mut Findings<'_>) {
    let path = folder.join(&file.path);
    let shown = path.display();
    let mut bytes = Vec::new();
    let read = File::open(&path).and_then(|opened| opened.take(MAX_CHARACTER_BYTES + 1).read_to_end(&mut bytes));
    if let Err(cause) = read {
        findings.value(&table.then("path"), format!("{shown} cannot be read"), cause.to_string());
        return;
    }
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_CHARACTER_BYTES {
        let wanted = format!("want at most {MAX_CHARACTER_BYTES} bytes");
        findings.value(&table.then("path"), format!("{shown} is too large for a list of characters"), wanted);
        return;
    }
    let seen = sha256_of(&bytes);
    if seen != file.sha256 {
        let wanted = format!("the passport wants {}", file.sha256);
        findings
            .value(&table.then("sha256"), format!("{shown}: sha256 is {seen}"), wanted)
            .help("the file is not the one the passport was written for");
        return;
    }
    match String::from_utf8(bytes) {
        Ok(text) => file.characters = Some(text.lines().map(str::to_owned).collect::<Arc<[String]>>()),
        Err(_) => drop(findings.value(&table.then("path"), format!("{shown} is not a text"), "want UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use crate::models::catalogue::sha256_of;
    use crate::models::passport::Model;
    use crate::models::passport::tests::{PASSPORT, written};

    /// The messages of a passport's findings; `beside` is written as `characters.txt` beside it.
    fn findings(passport: &str, beside: &[u8]) -> Vec<String> {
        let (_folder, path) = written(passport);
        std::fs::write(path.join("characters.txt"), beside).unwrap();
        match Model::load(&path) {
            Ok(_) => Vec::new(),
            Err(error) => error.findings().iter().map(|finding| finding.message.clone()).collect(),
        }
    }

    /// The example with another task, which has no labels, and another shape of its output.
    fn with_task(task: &str, shape: &str, activation: &str) -> String {
        let (before, _) = PASSPORT.split_once("[labels]").unwrap();
        before
            .replace("task = \"classification\"\n", &format!("task = {task}\n"))
            .replace("shape = [1, 2]", &format!("shape = {shape}"))
            .replace("activation = \"softmax\"", activation)
    }

    fn with_text(more: &str) -> String {
        let (before, after) = PASSPORT.split_once("[[inputs]]").unwrap();
        let (_, after) = after.split_once("# Each output that is read").unwrap();
        format!("{before}[[inputs]]\nkind = \"text\"\nname = \"t\"\nkey = \"text\"\n{more}\n#{after}")
    }

    #[test]
    fn a_task_of_text_that_fits_is_read() {
        let task = "{ text-detection = { pixel_from = 0.3, line_from = 0.5, grow = 1.6 } }";
        let none = "activation = \"none\"";
        assert_eq!(findings(&with_task(task, "[1, 1, 320, 640]", none), b""), Vec::<String>::new());
        let listed = "{ text-recognition = { characters = { listed = [\"A\", \"7\"] } } }";
        assert_eq!(findings(&with_task(listed, "[1, 40, 3]", none), b""), Vec::<String>::new());
        let hash = sha256_of("A\n7\n \n".as_bytes());
        let file = format!(
            "{{ text-recognition = {{ characters = {{ file = {{ path = \"characters.txt\", sha256 = \"{hash}\" }} }} }} }}"
        );
        assert_eq!(findings(&with_task(&file, "[40, 1, 4]", none), "A\n7\n \n".as_bytes()), Vec::<String>::new());
        assert_eq!(findings(&with_task(&file, "[1, 40, 5]", none), "A\n7\n \n".as_bytes()).len(), 1, "classes");
        let altered = findings(&with_task(&file, "[1, 40, 4]", none), "A\n8\n \n".as_bytes());
        assert!(altered.len() == 1 && altered[0].contains("characters.txt: sha256 is "), "{altered:?}");
        let outside = file.replace("characters.txt", "../characters.txt");
        let outside = findings(&with_task(&outside, "[1, 40, 4]", none), b"");
        assert!(outside.len() == 1 && outside[0].contains("../characters.txt"), "{outside:?}");
    }

    #[test]
    fn a_task_of_text_that_does_not_fit_is_told() {
        let task = "{ text-detection = { pixel_from = 0.3, line_from = 0.5, grow = 1.6 } }";
        let both = findings(&with_task(task, "[1, 2]", "activation = \"softmax\""), b"");
        assert_eq!(both.len(), 2, "{both:?}");
        let missing = findings(&with_task(task, "[1, 1, 8, 8]", ""), b"");
        assert!(missing.len() == 1 && missing[0].contains("activation"), "{missing:?}");
        let empty = "{ text-recognition = { characters = { listed = [] } } }";
        assert_eq!(findings(&with_task(empty, "[1, 40, 1]", "activation = \"none\""), b"").len(), 1);
    }

    #[test]
    fn an_input_of_tokens_holds_every_token() {
        let fits =
            "shape = [1, 8]\nelement = \"int32\"\ntokens = { bytes = { known = 128, unknown = 128 } }\npadding = 0";
        assert_eq!(findings(&with_text(fits), b""), Vec::<String>::new());
        for (from, to) in [
            ("[1, 8]", "[8]"),
            ("[1, 8]", "[1, 0]"),
            ("\"int32\"", "\"float16\""),
            ("\"int32\"", "\"uint8\""),
            ("known = 128, ", "known = 256, "),
            ("known = 128, ", ""),
            (", unknown = 128", ""),
            ("padding = 0", "padding = 0\npart = \"types\""),
        ] {
            let seen = findings(&with_text(&fits.replace(from, to)), b"");
            assert_eq!(seen.len(), 1, "{to}: {seen:?}");
        }
        let plain = "shape = [1, 8]\nelement = \"uint8\"\ntokens = { bytes = {} }\npadding = 0";
        assert_eq!(findings(&with_text(plain), b""), Vec::<String>::new());
        assert_eq!(findings(&with_text(&plain.replace("padding = 0", "padding = 256")), b"").len(), 1);
    }
}
