//! A model's own thread: it takes questions, feeds the session, reads the answer and replies.
//!
//! Questions that wait together are answered in one run where the passport allows batches; nobody waits for a batch to
//! fill. A question whose asker has gone is left alone, and so is a heartbeat, which is one. A better session, such as one on a finished engine, takes over between
//! two questions; each reply says where it was made.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use tokio::sync::mpsc;

use super::upgrade::Improvement;
use super::{Place, Reply, Request};
use crate::clock::milliseconds;
use crate::flow::infer::feed::{Feed, Question};
use crate::flow::infer::session::{Session, Tensor};
use crate::flow::infer::turns::Turns;
use crate::flow::{Placement, StageTimes};
use crate::models::ModelError;
use crate::models::passport::Model;
use crate::pulse::Beat;
use crate::task::geometry::Geometry;
use crate::task::{self, Read};

/// What a model's thread works with.
pub(super) struct Desk {
    model: Arc<Model>,
    session: Box<dyn Session>,
    /// Where the session runs, as replies tell it.
    placement: Arc<Placement>,
    feed: Feed,
    /// The inputs of a batch, one question behind the other; empty between batches.
    batch: Vec<Tensor>,
    /// The outputs of one question of a batch.
    row: Vec<Tensor>,
}

impl Desk {
    /// Works out how the model is fed and opens its session.
    ///
    /// # Errors
    /// What `open` says, or the input that cannot be fed as the passport says.
    pub(super) fn open(
        model: &Arc<Model>,
        open: impl FnOnce() -> Result<Box<dyn Session>, ModelError>,
    ) -> Result<Self, ModelError> {
        let refuse = |cause: String| ModelError::Run { model: model.passport.name.to_string(), cause };
        let feed = Feed::new(model).map_err(refuse)?;
        let empty = |shape: &[usize], element| {
            let behind: Vec<usize> = std::iter::once(0).chain(shape.iter().skip(1).copied()).collect();
            Tensor::zeros(&behind, element)
        };
        let (inputs, outputs) = (&model.passport.inputs, &model.passport.outputs);
        let batch = inputs.iter().map(|input| empty(input.shape(), input.element())).collect();
        let row = outputs.iter().map(|output| empty(&output.shape, output.element)).collect();
        let session = open()?;
        let placement = Arc::new(session.placement().clone());
        Ok(Self { model: Arc::clone(model), session, placement, feed, batch, row })
    }

    /// Where the session runs.
    pub(super) fn placement(&self) -> &Arc<Placement> {
        &self.placement
    }

    /// Takes what has become of the engine, and puts where the session now runs into `place`, which others read.
    fn improve(&mut self, improvement: Improvement, place: &Place) {
        match improvement {
            Improvement::Session(session) => {
                self.placement = Arc::new(session.placement().clone());
                self.session = session;
            }
            Improvement::Refused { pending, why } => {
                let mut placement = Placement::clone(&self.placement);
                placement.fallback = placement.fallback.map(|told| told.replace(&pending, &why));
                self.placement = Arc::new(placement);
            }
        }
        place.set(&self.placement);
    }

    /// Replies to requests until all who could ask are gone.
    pub(super) fn serve(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        improvements: &Receiver<Improvement>,
        (place, turns): (&Place, &Turns),
        beat: &Beat,
    ) {
        let most = self.model.passport.batch_up_to.unwrap_or(1);
        let mut waiting: Vec<Request> = Vec::with_capacity(most);
        while let Some(first) = requests.blocking_recv() {
            beat.moved();
            while let Ok(improvement) = improvements.try_recv() {
                self.improve(improvement, place);
            }
            let excuse = beat.excused();
            let turn = turns.take(first.urgency);
            drop(excuse);
            waiting.push(first);
            while waiting.len() < most
                && let Ok(next) = requests.try_recv()
            {
                waiting.push(next);
            }
            waiting.retain(|request| !request.reply.is_closed());
            if waiting.len() > 1 {
                self.answer_together(&mut waiting);
                beat.worked();
            } else if let Some(Request { question, asked, reply, .. }) = waiting.pop() {
                let mut times = StageTimes { wait: milliseconds(asked.elapsed()), ..StageTimes::default() };
                let read = self.answer(&question, &mut times);
                // A walker that no longer waits has been dropped with its part: there is nobody to tell.
                let _ = reply.send(Reply { read, times, placement: Some(Arc::clone(&self.placement)) });
                beat.worked();
            }
            drop(turn);
        }
    }

    /// A question to tensors, through the model, to findings; each step's time is kept even when the next one fails.
    fn answer(&mut self, question: &Question, times: &mut StageTimes) -> Result<Read, String> {
        let name = &self.model.passport.name;
        let begun = Instant::now();
        let (inputs, geometry) = self.feed.fill(question).map_err(|why| format!("model {name}: {why}"))?;
        let prepared = Instant::now();
        times.prepare = milliseconds(prepared - begun);
        let outputs = self.session.run(inputs);
        let run = Instant::now();
        times.run = milliseconds(run - prepared);
        let read = task::read(&self.model.passport, outputs.map_err(|error| error.to_string())?, &geometry);
        times.decode = milliseconds(run.elapsed());
        read.map_err(|why| format!("model {name}: {why}"))
    }

    /// Answers several questions in one run. The run's time stands in each reply, for each waited for all of it.
    fn answer_together(&mut self, waiting: &mut Vec<Request>) {
        let mut fed: Vec<(Request, StageTimes, Geometry)> = Vec::with_capacity(waiting.len());
        for tensor in &mut self.batch {
            tensor.clear();
        }
        for request in waiting.drain(..) {
            let mut times = StageTimes { wait: milliseconds(request.asked.elapsed()), ..StageTimes::default() };
            let begun = Instant::now();
            let seat = self.append(&request.question);
            times.prepare = milliseconds(begun.elapsed());
            match seat {
                Ok(geometry) => fed.push((request, times, geometry)),
                Err(why) => {
                    let placement = Some(Arc::clone(&self.placement));
                    let _ = request.reply.send(Reply { read: Err(why), times, placement });
                }
            }
        }
        let begun = Instant::now();
        let outputs = if fed.is_empty() { Ok(&[][..]) } else { self.session.run(&self.batch) };
        let outputs = outputs.map_err(|error| error.to_string());
        let run = milliseconds(begun.elapsed());
        let many = fed.len();
        for (place, (request, times, geometry)) in fed.into_iter().enumerate() {
            let begun = Instant::now();
            let read = outputs.clone().and_then(|outputs| {
                for (output, row) in outputs.iter().zip(&mut self.row) {
                    output.row((place, many), row)?;
                }
                task::read(&self.model.passport, &self.row, &geometry)
                    .map_err(|why| format!("model {}: {why}", self.model.passport.name))
            });
            let times = StageTimes { run, decode: milliseconds(begun.elapsed()), ..times };
            let placement = Some(Arc::clone(&self.placement));
            let _ = request.reply.send(Reply { read, times, placement });
        }
    }

    /// Puts the inputs of one question behind those of the batch.
    fn append(&mut self, question: &Question) -> Result<Geometry, String> {
        let told = |why: String| format!("model {}: {why}", self.model.passport.name);
        let (inputs, geometry) = self.feed.fill(question).map_err(told)?;
        for (batch, input) in self.batch.iter_mut().zip(inputs) {
            batch.append(input).map_err(told)?;
        }
        Ok(geometry)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::flow::Findings;
    use crate::flow::infer::crew::tests::{Behaviour, fake, frame, model};
    use crate::flow::infer::turns::Urgency;
    use crate::pulse::Pulse;
    use crate::task::geometry::Region;

    fn question(level: u8) -> Question {
        let frame = Some(frame("c", level));
        Question { frame, region: Region::Whole, readings: Arc::default(), found: Vec::new() }
    }

    fn serve(desk: Desk, requests: mpsc::Receiver<Request>) {
        let place = Place::new(desk.placement());
        let beat = Pulse::default().listen("m");
        desk.serve(requests, &std::sync::mpsc::channel().1, (&place, &Turns::new(1)), &beat);
    }

    #[test]
    fn questions_that_wait_together_are_answered_in_one_run_each_with_its_own_answer() {
        let mut many = Model::clone(&model("many"));
        many.passport.batch_up_to = Some(4);
        let (session, runs) = fake(Behaviour::Looks);
        let desk = Desk::open(&Arc::new(many), || Ok(session)).unwrap();
        let (send, requests) = mpsc::channel(8);
        let replies: Vec<_> = (0..6_u8)
            .map(|level| {
                let (reply, replied) = oneshot::channel();
                let (urgency, asked) = (Urgency::REQUIRED, Instant::now());
                send.try_send(Request { question: question(level), urgency, asked, reply }).unwrap();
                (level, replied)
            })
            .collect();
        drop(send);
        serve(desk, requests);
        assert_eq!(*runs.lock().unwrap(), [4, 2]);
        for (level, mut replied) in replies {
            let Reply { read, times, .. } = replied.try_recv().unwrap();
            let Findings::Classification { classes } = read.unwrap().findings else { panic!("level {level}") };
            let wanted = 1.0 / (1.0 + (-f64::from(level)).exp());
            assert!((classes[0].probability - wanted).abs() < 1e-6, "level {level}: {classes:?}");
            assert!(times.run > 0.0 && times.prepare > 0.0);
        }
    }

    #[test]
    fn a_better_session_takes_over_between_two_questions_and_a_failed_engine_is_named() {
        let desk = Desk::open(&model("m"), || Ok(fake(Behaviour::Says([0.0, 0.0])).0)).unwrap();
        let place = Arc::new(Place::new(desk.placement()));
        let (send, requests) = mpsc::channel(1);
        let (improve, improvements) = std::sync::mpsc::channel();
        let shared = Arc::clone(&place);
        let thread = std::thread::spawn(move || {
            let beat = Pulse::default().listen("m");
            desk.serve(requests, &improvements, (&shared, &Turns::new(1)), &beat);
        });
        let ask = || {
            let (reply, replied) = oneshot::channel();
            let (urgency, asked) = (Urgency::REQUIRED, Instant::now());
            send.blocking_send(Request { question: question(1), urgency, asked, reply }).unwrap();
            let reply = replied.blocking_recv().unwrap();
            let Findings::Classification { classes } = reply.read.unwrap().findings else { panic!("no classes") };
            (classes[1].probability, reply.placement.unwrap().fallback.clone())
        };
        let pending = || "a fake is all".to_owned();
        assert_eq!(ask(), (0.5, Some("a fake is all there is".into())));
        improve.send(Improvement::Refused { pending: pending(), why: "it crashed, and that is what".into() }).unwrap();
        assert_eq!(ask(), (0.5, Some("it crashed, and that is what there is".into())));
        improve.send(Improvement::Session(fake(Behaviour::Says([0.0, 9.0])).0)).unwrap();
        let (probability, fallback) = ask();
        assert!(probability > 0.99, "the new session answers: {probability}");
        assert_eq!(fallback.as_deref(), Some("a fake is all there is"), "as the new session says");
        assert_eq!(place.get().fallback, fallback);
        drop(send);
        thread.join().unwrap();
    }

    #[test]
    fn a_question_that_nobody_waits_for_is_left_alone() {
        let (session, runs) = fake(Behaviour::Looks);
        let desk = Desk::open(&model("m"), || Ok(session)).unwrap();
        let (send, requests) = mpsc::channel(1);
        let (reply, _) = oneshot::channel();
        let request = Request { question: question(1), urgency: Urgency::REQUIRED, asked: Instant::now(), reply };
        send.try_send(request).unwrap();
        drop(send);
        serve(desk, requests);
        assert!(runs.lock().unwrap().is_empty());
    }
}
