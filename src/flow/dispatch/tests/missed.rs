//! Triggers that were accepted and for which no frame came: told to whoever sent them, once, and counted.

use super::*;

/// What is told of a trigger of `sensor` for part `a`, whose cameras then give these frames, and how many were missed.
async fn told(sensor: &str, frames: &[&'static str]) -> (Vec<String>, u64) {
    let mut bench = start(&["side", "top"], &[], 4, &[]);
    let (asker, mut words) = Asker::new(CancellationToken::new());
    bench.say(Reading { asker: Some(asker), ..reading(sensor, Some("a"), at(0)) }).await;
    assert!(bench.triggers.recv().await.is_some());
    for camera in frames {
        bench.shoot(camera, "a").await;
    }
    let mut told = Vec::new();
    while let Some(word) = words.recv().await {
        told.push(word);
    }
    assert_eq!(bench.next().await.unwrap().0, "a", "it is judged with what has come");
    assert!(bench.rest().await.is_empty());
    (told, bench.telemetry.count(Event::TriggerMissed))
}

#[tokio::test(start_paused = true)]
async fn a_trigger_without_a_frame_is_told_once_and_counted_and_nothing_is_told_of_cameras_that_were_not_triggered() {
    let accepted = "accepted a".to_owned();
    assert_eq!(told("gate", &["top", "side"]).await, (vec![accepted.clone()], 0));
    assert_eq!(told("gate", &["top"]).await, (vec![accepted.clone()], 0), "the side camera was not triggered");
    let missed = "missed a: no frame of camera top came".to_owned();
    assert_eq!(told("gate", &["side"]).await, (vec![accepted.clone(), missed.clone()], 1));
    assert_eq!(told("gate", &[]).await, (vec![accepted, missed.clone()], 1));
    let without = "accepted a, without camera side: it has ended".to_owned();
    assert_eq!(told("pair", &["top"]).await, (vec![without.clone()], 0), "that is told already");
    assert_eq!(told("pair", &[]).await, (vec![without, missed], 1));
}

#[tokio::test(start_paused = true)]
async fn it_is_told_while_the_road_has_no_room_and_counted_where_nobody_is_told() {
    let mut bench = start(&["top"], &[], 4, &[]);
    let (asker, mut words) = Asker::new(CancellationToken::new());
    for (part, asker) in [("a", None), ("b", None), ("c", Some(asker))] {
        bench.say(Reading { asker, ..reading("gate", Some(part), at(0)) }).await;
        assert!(bench.triggers.recv().await.is_some());
    }
    // Nobody takes a part from the road, which has room for one.
    assert_eq!(words.recv().await.as_deref(), Some("accepted c"));
    assert_eq!(words.recv().await.as_deref(), Some("missed c: no frame of camera top came"));
    assert_eq!(words.recv().await, None);
    assert_eq!(bench.telemetry.count(Event::TriggerMissed), 3);
    assert_eq!(bench.rest().await, ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn who_was_turned_away_is_told_nothing_more() {
    let mut bench = start(&["top"], &[], 4, &[("known", Admitted::Duplicate)]);
    let (asker, mut words) = Asker::new(CancellationToken::new());
    bench.say(Reading { asker: Some(asker), ..reading("gate", Some("known"), at(0)) }).await;
    assert_eq!(words.recv().await.as_deref(), Some("duplicate known"));
    assert_eq!(words.recv().await, None);
    assert!(bench.rest().await.is_empty());
    assert_eq!(bench.telemetry.count(Event::TriggerMissed), 0);
}
