//! The page: an account with its pictures in one HTML file, which names them beside itself and nothing else.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::account::Account;
use super::words::{added, heading, lines, looked, number, voter};

const STYLE: &str = "body{font:15px/1.4 sans-serif;max-width:70em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}\
                     td,th{padding:.2em .8em;border-bottom:1px solid #ccc;text-align:right}td:first-child,th:first-child{text-align:left}\
                     figure{display:inline-block;margin:1em 1em 0 0;vertical-align:top}figcaption{max-width:24em}img{max-width:24em}";

/// Writes the page as `<stem>.html` into a folder; gives its path.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(account: &Account, out: &Path, stem: &str) -> anyhow::Result<PathBuf> {
    let path = out.join(format!("{stem}.html"));
    std::fs::write(&path, page(account, stem)).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}

fn page(account: &Account, stem: &str) -> String {
    let title = escaped(&heading(account));
    let mut page = format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<style>{STYLE}</style>\n<h1>{title}</h1>\n<ul>\n"
    );
    for line in lines(account) {
        // Writing to a text cannot fail.
        let _ = writeln!(page, "<li>{}", escaped(&line));
    }
    for refusal in &account.refusals {
        let _ = writeln!(page, "<li><strong>not as it was: {}</strong>", escaped(refusal));
    }
    page.push_str("</ul>\n<table>\n<tr><th>member<th>score<th>weight<th>adds\n");
    for (place, member) in account.members.iter().enumerate() {
        let score = member.score.map_or_else(|| "-".to_owned(), number);
        let (voter, added) = (escaped(&voter(account, place)), added(account, place));
        let _ = writeln!(page, "<tr><td>{voter}<td>{score}<td>{:.4}<td>{added}", member.weight);
    }
    page.push_str("</table>\n");
    let mut shown: Vec<&str> = Vec::new();
    for member in account.members.iter().filter(|member| member.looked.is_some()) {
        let Some(camera) = member.camera.as_ref().map(crate::name::Name::as_str) else { continue };
        if !shown.contains(&camera) {
            shown.push(camera);
            figure(&mut page, &format!("{stem}-{camera}.png"), &format!("camera {camera}"));
        }
    }
    for (place, member) in account.members.iter().enumerate() {
        let words = format!("{}: {}", voter(account, place), looked(account, place));
        let file = member.looked.as_ref().and_then(|looked| looked.picture.file_name()).and_then(|name| name.to_str());
        match file {
            Some(file) => figure(&mut page, file, &words),
            None => {
                let _ = writeln!(page, "<p>{}", escaped(&words));
            }
        }
    }
    page
}

fn figure(page: &mut String, file: &str, words: &str) {
    let (file, words) = (escaped(file), escaped(words));
    let _ = writeln!(page, "<figure><img src=\"{file}\" alt=\"\"><figcaption>{words}</figcaption></figure>");
}

/// A text in HTML: a part may be called anything.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_a_tag() {
        assert_eq!(escaped("<a href=\"x\">&</a>"), "&lt;a href=&quot;x&quot;&gt;&amp;&lt;/a&gt;");
    }
}
