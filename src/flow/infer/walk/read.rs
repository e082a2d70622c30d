//! Reading: a text on a frame becomes a reading of the part, as if a sensor had sent it.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::{crops, no_frame, the_frame, whole};
use crate::config::{Crops, WhenNone};
use crate::flow::infer::crew::Crew;
use crate::flow::infer::feed::Question;
use crate::flow::infer::turns::Urgency;
use crate::flow::plan::Read;
use crate::flow::{Answer, Findings, Part, Reading};
use crate::name::Name;
use crate::task::TextLine;
use crate::task::geometry::Region;
use crate::value::Value;

/// The most lines of one frame that are read: a label with small print has fewer.
const MOST_LINES: usize = 64;

/// Reads the text off a frame of the part; every answer goes into `answers`.
///
/// # Errors
/// One sentence: no frame, a model that failed, or a text that no model is sure of.
pub(super) async fn read(
    crew: &Crew,
    part: &Part,
    station: &Read,
    answers: &mut Vec<Answer>,
) -> Result<Reading, String> {
    let frame = the_frame(part, station.camera.as_ref()).ok_or_else(|| no_frame(station.camera.as_ref()))?;
    let mut regions = vec![Region::Whole];
    if let Some(finder) = station.lines {
        let answer = crew.ask(part, finder, whole(part, Some(frame)), Urgency::REQUIRED).await;
        let found = answer.findings.clone();
        answers.push(answer);
        regions = lines_of(&found.map_err(|why| why.to_string())?, &part.plan.model(finder).passport.name);
    }
    let questions = regions.into_iter().map(|region| {
        let crop = crops::bounds(&region);
        let question = Question { region, ..whole(part, Some(frame)) };
        async move { Answer { crop, ..crew.ask(part, station.text, question, Urgency::REQUIRED).await } }
    });
    let mut sure = Vec::new();
    for answer in join_all(questions).await {
        let found = answer.findings.clone();
        answers.push(answer);
        if let Findings::Text { lines } = found.map_err(|why| why.to_string())? {
            sure.extend(lines.into_iter().filter(|line| line.confidence >= station.sure_from && !line.text.is_empty()));
        }
    }
    reading(part, station, &sure)
}

/// The regions of the lines that a model found.
fn lines_of(findings: &Findings, finder: &Name) -> Vec<Region> {
    let all =
        Crops { of: finder.clone(), labels: Vec::new(), margin: 0.0, most: MOST_LINES, when_none: WhenNone::Abstain };
    crops::regions(findings, &all)
}

/// The reading, lines joined by a blank; a text that nobody is sure of is none.
fn reading(part: &Part, station: &Read, lines: &[TextLine]) -> Result<Reading, String> {
    if lines.is_empty() {
        return Err(format!("no text was read with a confidence of {} or more", station.sure_from));
    }
    let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    let values = BTreeMap::from([(station.key.clone(), Value::Text(texts.join(" ")))]);
    Ok(Reading { sensor: station.sensor.clone(), captured: part.captured, part: Some(part.id.clone()), values })
}
