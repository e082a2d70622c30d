//! The schema check: JSON Schema made from the serde shape, and each of its complaints told as a [`Findings`] entry.
//!
//! [`read`] serves the configuration and passports alike. What the schema refuses is cut out before serde sees it, so
//! that one wrong value does not hide what else is wrong; serde itself should then have nothing left to say.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{JsonType, ValidationError};
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::document::{Document, Path, Unfit};
use super::findings::{Findings, advice, nearest};
use crate::name::Name;

/// The JSON Schema (2020-12) of a file shape. TOML has no null, so no key may be null.
#[must_use]
pub fn of<T: JsonSchema>() -> Schema {
    let mut schema = schemars::schema_for!(T);
    RecursiveTransform(without_null).transform(&mut schema);
    schema
}

/// Takes `null` out of a schema that `Option` put there.
fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            for (key, value) in only {
                schema.ensure_object().entry(key).or_insert(value);
            }
        }
    }
    if let Some(default) = schema.get_mut("default") {
        absent(default);
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
}

/// Takes keys that are `null` out of a default, those of tables inside it too.
fn absent(default: &mut Value) {
    if let Value::Object(keys) = default {
        keys.retain(|_, value| !value.is_null());
        keys.values_mut().for_each(absent);
    }
}

/// Reads a document as a `T`; `None` when what is wrong leaves nothing to go on with.
#[must_use]
pub fn read<T: JsonSchema + DeserializeOwned>(document: &Document) -> (Option<T>, Findings<'_>) {
    let mut findings = Findings::new(document);
    for Unfit { path, seen, wanted } in document.unfit() {
        findings.value(path, format!("{} is {seen}", document.describe(path)), *wanted);
        findings.condemn(path.clone());
    }
    let schema = of::<T>().to_value();
    let mut json = document.json();
    match jsonschema::validator_for(&schema) {
        Ok(validator) => {
            let errors: Vec<_> = validator.iter_errors(&json).collect();
            tell_all(&errors, &schema, &mut findings);
        }
        Err(error) => drop(findings.key(&Path::default(), format!("the schema itself is broken: {error}"), "")),
    }
    for path in findings.condemned().to_vec() {
        findings.condemn(prune(&mut json, path));
    }
    match serde_json::from_value(json) {
        Ok(value) => (Some(value), findings),
        Err(error) => {
            if findings.is_empty() {
                findings.key(&Path::default(), format!("the file cannot be read: {error}"), "");
            }
            (None, findings)
        }
    }
}

/// Removes the value at `path`; of an entry of a list the whole list, so that other entries keep their places. Gives the
/// path of what was removed.
fn prune(json: &mut Value, mut path: Path) -> Path {
    loop {
        let (Some(last), owner) = (path.last(), path.parent()) else { return path };
        let owner_value = owner.steps().iter().try_fold(&mut *json, |value, step| match value {
            Value::Object(table) => table.get_mut(step),
            Value::Array(entries) => entries.get_mut(step.parse::<usize>().ok()?),
            _ => None,
        });
        match owner_value {
            Some(Value::Array(_)) => path = owner,
            Some(Value::Object(table)) => {
                table.remove(last);
                return path;
            }
            _ => return path,
        }
    }
}

/// Tells every complaint; unknown keys first: a key that was meant to be another is not told a second time as the other
/// one missing.
fn tell_all(errors: &[ValidationError<'_>], schema: &Value, findings: &mut Findings<'_>) {
    let unknown = |error: &&ValidationError<'_>| matches!(error.kind(), Kind::AdditionalProperties { .. });
    let others = errors.iter().filter(|error| !unknown(error));
    for error in errors.iter().filter(unknown).chain(others) {
        tell(error, schema, findings);
    }
}

/// Tells one complaint of the validator in this house's words.
fn tell(error: &ValidationError<'_>, schema: &Value, findings: &mut Findings<'_>) {
    let path = Path::of_pointer(error.instance_path().as_str());
    let keyword = error.schema_path().as_str();
    let table = schema.pointer(keyword.rsplit_once('/').map_or("", |(table, _)| table));
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => {
            for key in unexpected {
                unexpected_key(&path, key, table, findings);
                findings.condemn(path.then(key));
            }
        }
        Kind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            let note = findings.missing(&path.then(key), "");
            if let Some(Value::String(meaning)) =
                table.and_then(|table| table.pointer(&format!("/properties/{key}/description")))
            {
                note.help(meaning);
            }
            findings.condemn(path.then(key));
        }
        kind if let Some(branch) = meant(kind, error.instance_path().as_str()) => {
            tell_all(branch, schema, findings);
        }
        kind => {
            let message = format!("{} is {}", findings.document().describe(&path), seen(error.instance()));
            let (wanted, help) = wanted(kind, error);
            let note = findings.value(&path, message, wanted);
            if let Some(help) = help {
                note.help(help);
            }
            findings.condemn(path);
        }
    }
}

/// Of several shapes that a table may have, the one its tag speaks for: the only one that does not refuse the tag itself.
fn meant<'e>(kind: &'e Kind, own: &str) -> Option<&'e [ValidationError<'static>]> {
    let (Kind::OneOfNotValid { context } | Kind::AnyOf { context }) = kind else { return None };
    let tagged = |branch: &&Vec<ValidationError<'static>>| {
        branch.iter().all(|error| match error.kind() {
            Kind::Constant { .. } => false,
            Kind::Type { .. } | Kind::Enum { .. } => error.instance_path().as_str() != own,
            Kind::Required { .. } | Kind::AdditionalProperties { .. } => {
                error.instance_path().as_str() != own || !external(branch, own)
            }
            _ => true,
        })
    };
    let mut branches = context.iter().filter(tagged);
    let only = branches.next()?;
    (branches.next().is_none() && !only.is_empty()).then_some(only)
}

/// Whether a branch refuses the only key of a table: the table is meant to be another variant.
fn external(branch: &[ValidationError<'static>], own: &str) -> bool {
    let here = |error: &&ValidationError<'static>| error.instance_path().as_str() == own;
    branch.iter().filter(here).any(|error| {
        let alone = error.instance().as_object().is_some_and(|table| table.len() == 1);
        alone && matches!(error.kind(), Kind::AdditionalProperties { .. })
    })
}

/// Tells a key that is not known, or a name of one's own that is not a name.
fn unexpected_key(owner: &Path, key: &str, table: Option<&Value>, findings: &mut Findings<'_>) {
    let path = owner.then(key);
    if table.is_some_and(|table| table.get("patternProperties").is_some()) {
        findings.key(&path, format!("{key:?} is not a name"), Name::WANTED);
        return;
    }
    let whose = if owner.is_root() {
        "at the top level".to_owned()
    } else {
        format!("in {}", findings.document().describe(owner))
    };
    let message = format!("unknown key `{key}` {whose}");
    if key == "password" {
        findings.key(&path, message, "secrets do not stand in this file").help(
            "put the password into a file of its own and write `password_file = \"...\"`, \
             or name a systemd credential with `password_credential = \"...\"`",
        );
        return;
    }
    let known: Vec<&str> = table
        .and_then(|table| table.get("properties"))
        .and_then(Value::as_object)
        .map(|properties| properties.keys().map(String::as_str).collect())
        .unwrap_or_default();
    findings.key(&path, message, "not a key of this table").help(advice(key, known.iter().copied()));
    let meant = nearest(key, known).map(|meant| owner.then(meant));
    if let Some(meant) = meant.filter(|meant| !findings.document().has(meant)) {
        findings.condemn(meant);
    }
}

/// What a keyword of the schema wants, and an advice where one is at hand.
fn wanted(kind: &Kind, error: &ValidationError<'_>) -> (String, Option<String>) {
    let wanted = match kind {
        Kind::Type { kind } => format!("want {}", types(kind)),
        Kind::Enum { .. } | Kind::OneOfNotValid { .. } | Kind::Constant { .. } => {
            return one_of(kind, error.instance());
        }
        Kind::AnyOf { context } => {
            let kinds = context.iter().flatten().filter_map(|inner| match inner.kind() {
                Kind::Type { kind } => Some(types(kind)),
                _ => None,
            });
            format!("want {}", kinds.collect::<Vec<_>>().join(" or "))
        }
        Kind::Minimum { limit } => format!("want at least {}", number(limit)),
        Kind::Maximum { limit } => format!("want at most {}", number(limit)),
        Kind::ExclusiveMinimum { limit } => format!("want above {}", number(limit)),
        Kind::MinItems { limit: 1 } | Kind::MinProperties { limit: 1 } => "want at least one entry".to_owned(),
        Kind::MinItems { limit } | Kind::MinProperties { limit } => format!("want at least {limit} entries"),
        Kind::MaxItems { limit } => format!("want at most {limit} entries"),
        Kind::MinLength { .. } => "want some text".to_owned(),
        Kind::UniqueItems => "want each only once".to_owned(),
        Kind::Pattern { pattern } if pattern == Name::PATTERN => Name::WANTED.to_owned(),
        Kind::Pattern { pattern } if pattern == "^[A-Za-z_][A-Za-z0-9_]*$" => {
            "want the name of an ONNX operator, such as \"NonMaxSuppression\"".to_owned()
        }
        Kind::Pattern { pattern } if pattern == "^[0-9a-f]{64}$" => "want 64 hex digits in lower case".to_owned(),
        _ => format!("the schema says: {error}"),
    };
    (wanted, None)
}

/// A limit without a needless fraction.
fn number(limit: &Value) -> String {
    limit.as_f64().map_or_else(|| limit.to_string(), |number| number.to_string())
}

/// The choices of an enumeration.
fn one_of(kind: &Kind, instance: &Value) -> (String, Option<String>) {
    let mut choices = Vec::new();
    collect_choices(kind, &mut choices);
    let near = instance.as_str().and_then(|text| nearest(text, choices.iter().map(String::as_str)));
    let quoted: Vec<String> = choices.iter().map(|choice| format!("{choice:?}")).collect();
    let wanted = match quoted.as_slice() {
        [only] => format!("want {only}"),
        all => format!("want one of {}", all.join(", ")),
    };
    (wanted, near.map(|near| format!("did you mean {near:?}?")))
}

fn collect_choices(kind: &Kind, choices: &mut Vec<String>) {
    match kind {
        Kind::Constant { expected_value } => choices.extend(expected_value.as_str().map(str::to_owned)),
        Kind::Enum { options } => {
            let options = options.as_array().into_iter().flatten();
            choices.extend(options.filter_map(Value::as_str).map(str::to_owned));
        }
        Kind::OneOfNotValid { context } => {
            context.iter().flatten().for_each(|inner| collect_choices(inner.kind(), choices));
        }
        _ => {}
    }
}

/// JSON types in TOML's words.
fn types(kind: &TypeKind) -> String {
    let word = |kind: JsonType| match kind {
        JsonType::Null => "nothing",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "text in quotes",
        JsonType::Array => "a list",
        JsonType::Object => "a table",
    };
    match kind {
        TypeKind::Single(kind) => word(*kind).to_owned(),
        TypeKind::Multiple(kinds) => kinds.iter().map(word).collect::<Vec<_>>().join(" or "),
    }
}

/// A value as a message names it: what is short as it is, text cut to 60 characters, long lists and tables by their kind.
#[must_use]
pub fn seen(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Array(entries) if entries.is_empty() => "an empty list".to_owned(),
        Value::Array(entries) => {
            let plain = entries.iter().all(|entry| !entry.is_array() && !entry.is_object());
            let shown = format!("[{}]", entries.iter().map(Value::to_string).collect::<Vec<_>>().join(", "));
            if plain && shown.chars().count() <= 60 { shown } else { format!("a list of {}", entries.len()) }
        }
        Value::Object(table) if table.is_empty() => "an empty table".to_owned(),
        Value::Object(_) => "a table".to_owned(),
        Value::String(text) if text.chars().count() > 60 => {
            format!("{:?} and more", text.chars().take(60).collect::<String>())
        }
        Value::String(text) => format!("{text:?}"),
        scalar => scalar.to_string(),
    }
}
