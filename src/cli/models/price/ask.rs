//! Asking the process of a model: it is started, its lines are read, and what it says or how it ended is told.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use super::measure::{Told, arguments};
use super::setting::Setting;
use crate::flow::Placement;
use crate::models::passport::Model;
use crate::models::price::Cost;

/// What the process of a model told.
#[derive(Debug)]
pub(super) struct Measured {
    /// Where it ran.
    pub(super) placement: Placement,
    /// What it costs.
    pub(super) cost: Cost,
    /// A score, 0 to 1, for each picture of the set; or why there are none.
    pub(super) scores: Result<Vec<f64>, String>,
}

/// Measures a model in a process of its own; `told` is called for each line.
///
/// # Errors
/// Why it has no price: what its process said, or how it ended.
pub(super) fn ask(model: &Model, setting: &Setting, mut told: impl FnMut()) -> anyhow::Result<Measured> {
    let own = std::env::current_exe().context("the path of this program is not known")?;
    let mut command = Command::new(own);
    command.args(arguments(model.folder(), setting)).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().context("its process cannot be started")?;
    let lines = child.stdout.take().map(BufReader::new).into_iter().flat_map(BufReader::lines);
    let mut answer = Answer::default();
    for line in lines {
        let taken = line.context("what its process says cannot be read").and_then(|line| answer.take(&line));
        if let Err(error) = taken {
            // It may have ended by itself by now.
            _ = child.kill();
            _ = child.wait();
            return Err(error);
        }
        told();
    }
    let status = child.wait().context("its process cannot be waited for")?;
    if !status.success() {
        bail!("its process ended with {status}");
    }
    answer.whole()
}

/// What has been told so far.
#[derive(Debug, Default)]
struct Answer {
    cost: Option<(Placement, Box<Cost>, Option<String>)>,
    scores: Vec<f64>,
    failed: Option<String>,
}

impl Answer {
    fn take(&mut self, line: &str) -> anyhow::Result<()> {
        let told = serde_json::from_str(line).with_context(|| format!("its process said {line:?}"))?;
        match told {
            Told::Cost { placement, cost, unscored } => self.cost = Some((placement, cost, unscored)),
            Told::Score(score) => self.scores.push(score),
            Told::Failed(why) => self.failed = Some(why),
        }
        Ok(())
    }

    fn whole(self) -> anyhow::Result<Measured> {
        if let Some(why) = self.failed {
            bail!(why);
        }
        let (placement, cost, unscored) = self.cost.context("its process said nothing")?;
        Ok(Measured { placement, cost: *cost, scores: unscored.map_or(Ok(self.scores), Err) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_taken_at_its_word() {
        let told = |lines: &[&str]| {
            let mut answer = Answer::default();
            lines.iter().try_for_each(|line| answer.take(line))?;
            answer.whole()
        };
        assert_eq!(told(&[]).unwrap_err().to_string(), "its process said nothing");
        assert_eq!(told(&["{\"score\":0.5}", "{\"failed\":\"no\"}"]).unwrap_err().to_string(), "no");
        assert!(format!("{:#}", told(&["hello"]).unwrap_err()).starts_with("its process said \"hello\": "));
        let cost = "{\"cost\":{\"placement\":{\"backend\":\"b\",\"version\":\"1\",\"provider\":\"cpu\",\"nodes\":{}},\
                    \"cost\":{\"runs\":2,\"run_ms_p50\":1.0,\"run_ms_p99\":1.0,\"wall_ms\":1.0,\"cpu_ms\":1.0},\"unscored\":null}}";
        assert_eq!(told(&[cost, "{\"score\":0.5}"]).unwrap().scores, Ok(vec![0.5]));
        assert_eq!(told(&[&cost.replace("null", "\"why\"")]).unwrap().scores, Err("why".into()));
    }
}
