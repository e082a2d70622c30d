//! The messages against their own schemas, and what composing puts into them.

use std::time::Duration;

use super::*;
use crate::clock::Monotonic;
use crate::config::{ChartRate, ChartRule};
use crate::models::fit::reference::Statistic;

fn origin() -> Origin {
    Origin { device: Name::new("cell-1").unwrap(), epoch: Uuid::from_u128(7), run: Name::new("night").unwrap() }
}

fn stamp() -> Stamp {
    Stamp { at: Monotonic::from_nanos(5_000_000_000), utc: "2026-01-02T03:04:05Z".parse().unwrap(), synchronised: true }
}

fn birth() -> BirthMessage {
    BirthMessage {
        schema: BIRTH.into(),
        device: origin().device,
        version: "0.1.0".into(),
        epoch: origin().epoch,
        run: origin().run,
        recipe: Name::new("mono").unwrap(),
        plan: "ab".repeat(32),
        models: vec![],
        started: stamp().utc,
    }
}

#[track_caller]
fn assert_valid(name: &str, message: &serde_json::Value) {
    let schemas = schemas();
    let validator = jsonschema::validator_for(&schemas[name]).unwrap();
    let findings: Vec<String> = validator.iter_errors(message).map(|finding| finding.to_string()).collect();
    assert!(findings.is_empty(), "{name}: {findings:?}");
    assert_eq!(message["schema"], name);
}

#[test]
fn an_interrupted_part_is_undecided_and_says_so() {
    let opened = "2026-01-01T00:00:00Z".parse().unwrap();
    let body = compose_interrupted("day", "p-9", Some(opened), &origin(), stamp()).into_body(42);
    let message: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_valid(VERDICT, &message);
    assert_eq!(
        (&message["seq"], &message["verdict"], &message["score"]),
        (&42.into(), &"undecided".into(), &().into())
    );
    assert_eq!((&message["run"], &message["part"]), (&"day".into(), &"p-9".into()), "the run it was accepted in");
    assert_eq!(message["reasons"], serde_json::json!([{ "reason": "interrupted" }]));
    assert_eq!(
        (&message["captured"], &message["judged"]),
        (&"2026-01-01T00:00:00Z".into(), &"2026-01-02T03:04:05Z".into())
    );
}

#[test]
fn a_vote_carries_its_answer_beside_its_score_and_reads_back() {
    let mut message = compose_interrupted("night", "p-1", None, &origin(), stamp());
    message.votes = vec![VoteMessage {
        member: 0,
        weight: 2.0,
        score: Some(0.75),
        answer: AnswerMessage {
            not_asked: None,
            crop: None,
            model: Name::new("general").unwrap(),
            sha256: "00".repeat(32),
            tier: Tier::Teacher,
            camera: None,
            findings: Some(Findings::Classification { classes: vec![] }),
            failure: None,
            placement: None,
            milliseconds: StageTimes::default(),
        },
    }];
    message.score = Some(0.1 + 0.2);
    let body = message.clone().into_body(0);
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_valid(VERDICT, &json);
    assert_eq!((&json["votes"][0]["model"], &json["votes"][0]["score"]), (&"general".into(), &0.75.into()));
    assert_eq!(serde_json::from_slice::<VerdictMessage>(&body).unwrap(), message, "scores keep every digit");
}

#[test]
fn drift_charts_and_the_golden_set_hold_to_their_schemas_and_topics() {
    let topics = Topics::new(&origin().device);
    let statistic = DriftedStatistic {
        statistic: Statistic::Brightness,
        psi: 1.5,
        ks: 0.5,
        p: 1e-9,
        median: 0.3,
        reference_median: 0.5,
    };
    let route = DriftingRoute {
        route: birth().device,
        rung: None,
        fit: "ab".repeat(32),
        camera: birth().device,
        since: stamp().utc,
        window: 32,
        reference_parts: 300,
        level: 1e-5,
        widened_by: 0.0,
        statistics: vec![statistic],
        told: "it is dark".into(),
    };
    let different = GoldenDifference {
        picture: "a.png".into(),
        expected: Decision::Pass,
        seen: None,
        score: None,
        why: "no such file".into(),
    };
    assert_eq!(different.to_string(), "a.png: expected pass, seen no verdict (no such file)");
    let judged = GoldenJudged {
        passed: false,
        cause: "start".into(),
        at: stamp().utc,
        plan: "ab".repeat(32),
        pictures: 3,
        differing: 1,
        differences: vec![different],
    };
    let (still, drifting) = (DriftMessage::new(&birth(), vec![]), DriftMessage::new(&birth(), vec![route]));
    assert_eq!((still.drifting, drifting.drifting), (false, true));
    let place = ChartPlace { recipe: birth().device, route: birth().device, rung: None, rate: ChartRate::Undecided };
    let alarm = ChartAlarm {
        place,
        judged_by: "ab".repeat(32),
        since: stamp().utc,
        rules: vec![ChartRule::EightOnOneSide],
        first_seq: 1,
        last_seq: 100,
        parts: 100,
        counted: 9,
        share: 0.09,
        lower: 0.0,
        upper: 0.1,
        distance: 2.5,
        baseline: ChartBaseline { parts: 2500, counted: 50, mean: 0.02, beyond: 0 },
        told: "it rises".into(),
    };
    let (quiet, alarmed) = (ChartMessage::new(&birth(), vec![]), ChartMessage::new(&birth(), vec![alarm]));
    assert_eq!((quiet.in_control, alarmed.in_control), (true, false));
    for (publication, name, topic) in [
        (topics.chart(&quiet), CHART, "kenpin/v1/cell-1/chart"),
        (topics.chart(&alarmed), CHART, "kenpin/v1/cell-1/chart"),
        (topics.drift(&still), DRIFT, "kenpin/v1/cell-1/drift"),
        (topics.drift(&drifting), DRIFT, "kenpin/v1/cell-1/drift"),
        (topics.golden(&GoldenMessage::new(&birth(), judged)), GOLDEN, "kenpin/v1/cell-1/golden"),
    ] {
        assert_valid(name, &serde_json::from_slice(&publication.body).unwrap());
        assert_eq!((publication.topic.as_str(), publication.retain), (topic, true));
    }
}

#[test]
fn status_birth_and_counters_hold_to_their_schemas_and_topics() {
    let topics = Topics::new(&origin().device);
    let failing_outputs = vec![FailingOutput { output: birth().device, why: "no chip".into() }];
    let standing = Standing { failing_outputs, ..Standing::default() };
    let status = StatusMessage::new(&birth(), State::Offline, Backlog { waiting: 3, refused: 1 }, standing, 9);
    let counters = CountersMessage::new(
        &birth(),
        crate::telemetry::Telemetry::default().counters(),
        Duration::from_millis(1500),
        Some(Latency { parts: 1, p50: 1.0, p99: 1.0, max: 1.0 }),
    );
    for (publication, name, topic, retain) in [
        (topics.status(&status), STATUS, "kenpin/v1/cell-1/status", true),
        (topics.birth(&birth()), BIRTH, "kenpin/v1/cell-1/birth", true),
        (topics.counters(&counters), COUNTERS, "kenpin/v1/cell-1/counters", false),
    ] {
        assert_valid(name, &serde_json::from_slice(&publication.body).unwrap());
        assert_eq!((publication.topic.as_str(), publication.retain), (topic, retain));
    }
}
