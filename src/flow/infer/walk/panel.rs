//! A panel: its seats in order, side by side where none rests on another, optional ones until the deadline.
//!
//! Promises at least one answer for every seat, in the order of the seats, of the cameras and of the crops. A seat that is
//! not asked says why.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::{crops, no_frame, whole};
use crate::clock::{Monotonic, milliseconds};
use crate::flow::infer::crew::Crew;
use crate::flow::infer::feed::{Found, Question};
use crate::flow::infer::turns::Urgency;
use crate::flow::plan::{Member, Panel};
use crate::flow::{Answer, Findings, MemberAnswer, Part, Unanswered};
use crate::name::Name;
use crate::task;

/// Asks every seat of a panel.
pub(super) async fn ask(crew: &Crew, part: &Part, panel: &Panel) -> Vec<MemberAnswer> {
    let desk = Desk { crew, part, panel, deadline: panel.deadline.map(|after| deadline(part.captured, after)) };
    let mut answers = Vec::new();
    for seats in &panel.order {
        let asked = seats.iter().filter_map(|&seat| Some((seat, panel.members.get(seat)?)));
        let given = join_all(asked.map(|(seat, member)| desk.seat(seat, member, &answers))).await;
        answers.extend(given.into_iter().flatten());
    }
    // A stable sort: within a seat the order of cameras and crops stays.
    answers.sort_by_key(|given| given.member);
    answers
}

/// The moment on the runtime's clock that lies `after` the capture.
fn deadline(captured: Monotonic, after: Duration) -> (Instant, f64) {
    let left = after.saturating_sub(Monotonic::now().since(captured));
    (Instant::now() + left, milliseconds(after))
}

/// What the seats of one panel share while a part is asked about.
struct Desk<'d> {
    crew: &'d Crew,
    part: &'d Part,
    panel: &'d Panel,
    deadline: Option<(Instant, f64)>,
}

impl Desk<'_> {
    /// Asks one seat all it is to be asked, given what the seats before it answered.
    async fn seat(&self, seat: usize, member: &Member, given: &[MemberAnswer]) -> Vec<MemberAnswer> {
        let answers = if let Some(why) = self.not_needed(member, given) {
            vec![self.crew.unasked(member.model, None, why)]
        } else {
            let questions = self.questions(member, given);
            join_all(questions.into_iter().map(|question| self.answer(member, question))).await
        };
        answers.into_iter().map(|answer| MemberAnswer { member: seat, answer }).collect()
    }

    async fn answer(&self, member: &Member, question: Result<Question, (Option<Name>, Unanswered)>) -> Answer {
        let question = match question {
            Ok(question) => question,
            Err((camera, Unanswered::Failed(why))) => {
                return Answer { camera, ..self.crew.cannot_ask(self.part, member.model, why) };
            }
            Err((camera, why)) => return self.crew.unasked(member.model, camera, why),
        };
        let urgency = Urgency { required: member.required, value: member.value };
        let camera = question.frame.as_ref().map(|frame| frame.camera.clone());
        let crop = crops::bounds(&question.region);
        let asked = self.crew.ask(self.part, member.model, question, urgency);
        let answer = match self.deadline.filter(|_| !member.required) {
            None => asked.await,
            Some((at, deadline)) => match timeout_at(at, asked).await {
                Ok(answer) => answer,
                Err(_) => self.crew.late(self.part, member.model, camera, deadline),
            },
        };
        Answer { crop, ..answer }
    }

    /// Whether another member is so sure that this one is not asked: every one of its answers is.
    fn not_needed(&self, member: &Member, given: &[MemberAnswer]) -> Option<Unanswered> {
        let (seat, sure) = member.unless_sure.as_ref()?;
        let passport = &self.part.plan.model(self.panel.members.get(*seat)?.model).passport;
        let mut scores = Vec::new();
        for answer in given.iter().filter(|answer| answer.member == *seat) {
            scores.push(task::defect_score(answer.answer.findings.as_ref().ok()?, passport)?);
        }
        let greatest = scores.iter().copied().reduce(f64::max)?;
        let sure = greatest >= sure.reject_from || greatest < sure.pass_below;
        sure.then(|| Unanswered::NotNeeded { by: passport.name.clone(), score: greatest })
    }

    /// Everything one seat is to be asked, or why it cannot be.
    fn questions(&self, member: &Member, given: &[MemberAnswer]) -> Vec<Result<Question, (Option<Name>, Unanswered)>> {
        let model = self.part.plan.model(member.model);
        if let Some((seat, crops)) = &member.crops {
            return self.crops(member, (*seat, crops), given);
        }
        if !model.looks() {
            return vec![Ok(Question { found: self.found(member, None, given), ..whole(self.part, None) })];
        }
        let seen =
            self.part.frames.iter().filter(|frame| member.camera.as_ref().is_none_or(|camera| frame.camera == *camera));
        let questions: Vec<_> = seen
            .map(|frame| {
                let found = self.found(member, Some(&frame.camera), given);
                Ok(Question { found, ..whole(self.part, Some(frame)) })
            })
            .collect();
        if questions.is_empty() {
            return vec![Err((None, Unanswered::Failed(no_frame(member.camera.as_ref()))))];
        }
        questions
    }

    /// A question for each box that the other seat found in a frame this one looks at.
    fn crops(
        &self,
        member: &Member,
        (seat, crops): (usize, &crate::config::Crops),
        given: &[MemberAnswer],
    ) -> Vec<Result<Question, (Option<Name>, Unanswered)>> {
        let mut questions = Vec::new();
        for Answer { camera, findings, .. } in
            given.iter().filter(|given| given.member == seat).map(|given| &given.answer)
        {
            if member.camera.as_ref().is_some_and(|wanted| camera.as_ref() != Some(wanted)) {
                continue;
            }
            let frame = self.part.frames.iter().find(|frame| camera.as_ref() == Some(&frame.camera));
            let (Ok(findings), Some(frame)) = (findings, frame) else {
                let why = format!("model {} showed it nothing to look at, for it gave no answer", crops.of);
                questions.push(Err((camera.clone(), Unanswered::Failed(why))));
                continue;
            };
            let regions = crops::regions(findings, crops);
            if regions.is_empty() {
                questions.push(Err((camera.clone(), Unanswered::NothingToLookAt { by: crops.of.clone() })));
            }
            let found = self.found(member, camera.as_ref(), given);
            questions.extend(
                regions
                    .into_iter()
                    .map(|region| Ok(Question { region, found: found.clone(), ..whole(self.part, Some(frame)) })),
            );
        }
        questions
    }

    /// What the seats that feed this one found; of several frames in the same one, else in the first.
    fn found(&self, member: &Member, camera: Option<&Name>, given: &[MemberAnswer]) -> Vec<Found> {
        let feeding = |seat: &usize| {
            let answers = given.iter().filter(|given| given.member == *seat).map(|given| &given.answer);
            let same = answers.clone().find(|answer| camera.is_some() && answer.camera.as_ref() == camera);
            let answer = same.or_else(|| answers.clone().next())?;
            let findings: Findings = answer.findings.as_ref().ok()?.clone();
            Some(Found { model: std::sync::Arc::clone(self.part.plan.model(answer.model)), findings })
        };
        member.fed_by.iter().filter_map(feeding).collect()
    }
}

#[cfg(test)]
mod tests;
