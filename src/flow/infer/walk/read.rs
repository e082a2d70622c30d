//! Reading: a text on a frame becomes a reading of the part, as if a sensor had sent it.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::{crops, no_frame, the_frame, whole};
use crate::flow::infer::crew::Crew;
use crate::flow::infer::feed::Question;
use crate::flow::infer::turns::Urgency;
use crate::flow::plan::Read;
use crate::flow::{Answer, Findings, Part, Reading};
use crate::task::geometry::Region;
use crate::task::{TextLine, text};
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
    let mut found = vec![None];
    if let Some(finder) = station.lines {
        let answer = crew.ask(part, finder, whole(part, Some(frame)), Urgency::REQUIRED).await;
        found = lines(&answer)?.into_iter().take(MOST_LINES).map(Some).collect();
        answers.push(answer);
    }
    let asked = found.into_iter().map(|found: Option<TextLine>| async move {
        let corners = found.as_ref().and_then(|found| found.corners);
        let region = corners.map_or(Region::Whole, Region::Quadrilateral);
        let crop = crops::bounds(&region);
        let question = Question { region, ..whole(part, Some(frame)) };
        let answer = crew.ask(part, station.text, question, Urgency::REQUIRED).await;
        (found, Answer { crop, ..answer })
    });
    let mut all = Vec::new();
    for (found, answer) in join_all(asked).await {
        let read = lines(&answer);
        answers.push(answer);
        all.extend(read?.into_iter().map(|read| match &found {
            Some(found) => text::joined(found, read),
            None => read,
        }));
    }
    let read = text::reading(&all, station.sure_from).ok_or_else(|| {
        format!("no text was read with a confidence of {} or more, of {} lines", station.sure_from, all.len())
    })?;
    let values = BTreeMap::from([(station.key.clone(), Value::Text(read))]);
    Ok(Reading {
        sensor: station.sensor.clone(),
        captured: part.captured,
        part: Some(part.id.clone()),
        values,
        asker: None,
    })
}

/// The lines of an answer.
fn lines(answer: &Answer) -> Result<Vec<TextLine>, String> {
    match &answer.findings {
        Ok(Findings::Text { lines }) => Ok(lines.clone()),
        Ok(_) => Err("the model reads no text".into()),
        Err(why) => Err(why.to_string()),
    }
}
