//! Python literals, as exporters write them into metadata with `str()`: dicts, lists, tuples, texts, numbers, `True`,
//! `False`, `None`. Read into JSON values; anything else is no literal.
//!
//! A small reader of our own: the crates that read Python bring a parser generator with them. Promises an end for any
//! text, and no nesting deeper than [`DEPTH`].

use std::iter::Peekable;
use std::str::Chars;

use serde_json::{Map, Number, Value};

/// The deepest nesting that is read.
const DEPTH: usize = 8;

/// The longest text that is read, in bytes: room for some ten thousand labels.
const MAX_BYTES: usize = 1 << 20;

/// Reads a literal; `None` where the text is none. The keys of dicts become texts.
pub(super) fn literal(text: &str) -> Option<Value> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let mut rest = text.chars().peekable();
    let value = value(&mut rest, DEPTH)?;
    skip_blanks(&mut rest);
    rest.next().is_none().then_some(value)
}

type Rest<'t> = Peekable<Chars<'t>>;

fn skip_blanks(rest: &mut Rest<'_>) {
    while rest.next_if(|c| c.is_whitespace()).is_some() {}
}

fn value(rest: &mut Rest<'_>, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    skip_blanks(rest);
    match *rest.peek()? {
        '{' => dict(rest, depth),
        '[' => list(rest, ']', depth),
        '(' => list(rest, ')', depth),
        '\'' | '"' => text(rest).map(Value::String),
        _ => word(rest),
    }
}

fn dict(rest: &mut Rest<'_>, depth: usize) -> Option<Value> {
    rest.next()?;
    let mut map = Map::new();
    loop {
        skip_blanks(rest);
        if rest.next_if_eq(&'}').is_some() {
            return Some(Value::Object(map));
        }
        let key = match value(rest, depth)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        skip_blanks(rest);
        rest.next_if_eq(&':')?;
        map.insert(key, value(rest, depth)?);
        skip_blanks(rest);
        if rest.next_if_eq(&',').is_none() && *rest.peek()? != '}' {
            return None;
        }
    }
}

fn list(rest: &mut Rest<'_>, end: char, depth: usize) -> Option<Value> {
    rest.next()?;
    let mut items = Vec::new();
    loop {
        skip_blanks(rest);
        if rest.next_if_eq(&end).is_some() {
            return Some(Value::Array(items));
        }
        items.push(value(rest, depth)?);
        skip_blanks(rest);
        if rest.next_if_eq(&',').is_none() && *rest.peek()? != end {
            return None;
        }
    }
}

/// A text in single or double quotes, with the escapes that `repr` writes.
fn text(rest: &mut Rest<'_>) -> Option<String> {
    let quote = rest.next()?;
    let mut text = String::new();
    loop {
        match rest.next()? {
            end if end == quote => return Some(text),
            '\\' => text.push(match rest.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'x' => code(rest, 2)?,
                'u' => code(rest, 4)?,
                'U' => code(rest, 8)?,
                other @ ('\\' | '\'' | '"') => other,
                _ => return None,
            }),
            plain => text.push(plain),
        }
    }
}

fn code(rest: &mut Rest<'_>, digits: usize) -> Option<char> {
    let digits: String = (0..digits).map(|_| rest.next()).collect::<Option<_>>()?;
    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)
}

/// A number, `True`, `False` or `None`.
fn word(rest: &mut Rest<'_>) -> Option<Value> {
    let mut word = String::new();
    while let Some(c) = rest.next_if(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | '_')) {
        word.push(c);
    }
    match word.as_str() {
        "True" => Some(Value::Bool(true)),
        "False" => Some(Value::Bool(false)),
        "None" => Some(Value::Null),
        number => match number.parse::<i64>() {
            Ok(whole) => Some(Value::Number(whole.into())),
            Err(_) => Number::from_f64(number.parse().ok()?).map(Value::Number),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_exporters_write_is_read() {
        let names = r#"{0: 'person', 1: "driver's", 2: 'a\'b\\c\n\u00e9'}"#;
        assert_eq!(literal(names), Some(json!({"0": "person", "1": "driver's", "2": "a'b\\c\né"})));
        assert_eq!(literal("[640, 480]"), Some(json!([640, 480])));
        assert_eq!(literal("(1, 2.5,)"), Some(json!([1, 2.5])));
        let args = "{'batch': 1, 'half': False, 'iou': None, 'nms': True}";
        assert_eq!(literal(args), Some(json!({"batch": 1, "half": false, "iou": null, "nms": true})));
        for none in ["", "{0: 'a'", "{0 'a'}", "[1 2]", "'a", "x", "[1] 2", "'\\q'", "{[1]: 2}"] {
            assert_eq!(literal(none), None, "{none}");
        }
        assert_eq!(literal(&"[".repeat(1000)), None);
    }

    proptest! {
        #[test]
        fn any_text_has_an_end(text in "[\\[\\]{}(),:'\"0-9a-zA-Z\\\\ .-]{0,60}") {
            let _ = literal(&text);
        }

        #[test]
        fn texts_come_back(texts in prop::collection::vec("[a-zA-Z0-9 _.-]{0,12}", 0..6)) {
            let written = format!("[{}]", texts.iter().map(|text| format!("'{text}'")).collect::<Vec<_>>().join(", "));
            prop_assert_eq!(literal(&written), Some(json!(texts)));
        }
    }
}
