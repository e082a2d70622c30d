//! Asking what a file cannot say: on a terminal one question after another, elsewhere all of them in one message.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::bail;
use dialoguer::Input;

use crate::models::propose::{Given, Question, Refusal};

/// The exit code for arguments that are missing.
const USAGE: u8 = 2;

/// How asking went.
pub(super) enum Asked {
    /// The answers stand among what is given.
    Answered,
    /// Nobody is there to answer: everything that is missing has been told.
    Nobody(ExitCode),
}

/// Gets the answers to what was refused.
///
/// # Errors
/// The sentence of a refusal that no answer mends, or an answer that cannot be read.
pub(super) fn answers(refusal: Refusal, given: &mut Given, yes: bool) -> anyhow::Result<Asked> {
    let questions = match refusal {
        Refusal::Asked(questions) => questions,
        Refusal::Impossible(why) => bail!("{why}"),
    };
    let usual = |question: &Question| yes && !question.usual.is_empty();
    let (taken, open): (Vec<Question>, Vec<Question>) = questions.into_iter().partition(usual);
    if !open.is_empty() && (yes || !std::io::stdin().is_terminal()) {
        eprintln!("kenpin: the file does not say everything; want");
        for Question { flag, text, usual } in open.iter().chain(&taken) {
            let usual = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
            eprintln!("  --{flag}: {text}{usual}");
        }
        return Ok(Asked::Nobody(ExitCode::from(USAGE)));
    }
    for Question { flag, usual, .. } in taken {
        put(given, flag, usual)?;
    }
    for Question { flag, text, usual } in open {
        let asked = Input::<String>::new().with_prompt(text).allow_empty(true);
        let asked = if usual.is_empty() { asked } else { asked.default(usual) };
        put(given, flag, asked.interact_text()?)?;
    }
    Ok(Asked::Answered)
}

/// Puts an answer where its flag would have put it.
fn put(given: &mut Given, flag: &str, answer: String) -> anyhow::Result<()> {
    let list =
        |text: &str| text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
    match flag {
        "task" => given.task = Some(answer),
        "labels" => given.labels = Some(list(&answer)),
        "labels-file" => {
            given.labels = Some(std::fs::read_to_string(&answer)?.lines().map(str::to_owned).collect());
        }
        "defects" => given.defects = Some(list(&answer)),
        "licence" => given.licence = Some(answer),
        "normalise" => given.normalise = Some(answer),
        "size" => given.size = Some(size(&answer).map_err(anyhow::Error::msg)?),
        other => bail!("give --{other} on the command line: it cannot be answered here"),
    }
    Ok(())
}

/// Height and width as `640x480`.
pub(super) fn size(text: &str) -> Result<(usize, usize), String> {
    let sides = text.split_once(['x', 'X']).and_then(|(height, width)| Some((side(height)?, side(width)?)));
    sides.ok_or_else(|| format!("{text:?} is no size, want HEIGHTxWIDTH with sides from 1 to 8192"))
}

fn side(text: &str) -> Option<usize> {
    text.trim().parse().ok().filter(|side| (1..=8192).contains(side))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_height_and_width() {
        assert_eq!(size("480x640"), Ok((480, 640)));
        for wrong in ["", "640", "0x5", "5x9000", "axb"] {
            assert!(size(wrong).unwrap_err().contains("HEIGHTxWIDTH"), "{wrong}");
        }
    }
}
