//! Panels over fake models: who is asked, in what order, and what stands in the place of an answer.

use std::sync::{Arc, Mutex};

use super::*;
use crate::config::{self, UnlessSure};
use crate::flow::Unanswered;
use crate::flow::infer::crew::tests::{Behaviour, frame, member, name, opened, panel, part, plan};
use crate::telemetry::Event;

/// A teacher who is asked unless the student is sure.
fn cascade(says: [f32; 2]) -> (Arc<crate::flow::plan::Plan>, [Behaviour; 2]) {
    let sure = UnlessSure { of: name("student"), pass_below: 0.2, reject_from: 0.9 };
    let teacher = config::Member { unless_sure: Some(sure), ..member("teacher", None) };
    let plan = plan(&["student", "teacher"], vec![("only", panel(vec![teacher, member("student", None)]))]);
    (plan, [Behaviour::Says(says), Behaviour::Says([0.0, 0.0])])
}

#[tokio::test]
async fn a_sure_student_spares_the_teacher_and_an_unsure_one_does_not() {
    for (says, asked) in [([5.0, 0.0], false), ([0.0, 5.0], false), ([0.0, 0.5], true)] {
        let (plan, behaviours) = cascade(says);
        let crew = opened(&plan, &behaviours).await;
        let walked = crew.walk(part("p", &plan, vec![frame("c", 1)])).await;
        let [teacher, student] = walked.answers.as_slice() else { panic!("{:?}", walked.answers) };
        assert_eq!((teacher.member, student.member), (0, 1), "the order of the seats, whoever spoke first");
        assert!(student.answer.findings.is_ok());
        match &teacher.answer.findings {
            Ok(_) => assert!(asked, "{says:?}"),
            Err(Unanswered::NotNeeded { by, score }) => {
                assert!(!asked && *by == name("student") && (*score < 0.2 || *score >= 0.9), "{says:?} {score}");
            }
            Err(other) => panic!("{other}"),
        }
        assert_eq!(crew.count(Event::MemberFailed), 0, "nobody failed");
        crew.close();
    }
}

#[tokio::test]
async fn a_student_that_failed_spares_nobody() {
    let (plan, _) = cascade([0.0, 0.0]);
    let crew = opened(&plan, &[Behaviour::Fails, Behaviour::Says([0.0, 0.0])]).await;
    let walked = crew.walk(part("p", &plan, vec![frame("c", 1)])).await;
    assert!(walked.answers[0].answer.findings.is_ok() && walked.answers[1].answer.findings.is_err());
    crew.close();
}

#[tokio::test(start_paused = true)]
async fn an_optional_member_is_dropped_at_the_deadline_and_a_required_one_is_waited_for() {
    let (release, gate) = std::sync::mpsc::channel();
    let slow = config::Member { required: false, ..member("slow", None) };
    let config::Station::Panel(waiting) = panel(vec![slow, member("sound", None)]) else { panic!("a panel") };
    let station = config::Panel { deadline: Some(Duration::from_millis(80)), ..waiting };
    let plan = plan(&["slow", "sound"], vec![("only", config::Station::Panel(station))]);
    let crew = opened(&plan, &[Behaviour::Waits(Arc::new(Mutex::new(gate))), Behaviour::Says([0.0, 0.0])]).await;
    // The clock stands still and only jumps to the deadline, when nothing else is left to wait for.
    let walked = crew.walk(part("p", &plan, vec![frame("c", 1)])).await;
    assert_eq!(walked.answers[0].answer.findings, Err(Unanswered::Late { deadline: 80.0 }));
    assert_eq!(walked.answers[0].answer.camera, Some(name("c")));
    assert!(walked.answers[1].answer.findings.is_ok());
    assert_eq!((crew.count(Event::MemberLate), crew.count(Event::MemberFailed)), (1, 0));
    drop(release);
    crew.close();
}
