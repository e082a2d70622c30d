//! What the device tells of itself: birth and health, and the publisher that carries them with the verdicts; and what hears commands.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::chart::Orders;
use super::settle::Desk;
use super::shift::Changer;
use crate::config::Settings;
use crate::flow::infer::Crew;
use crate::flow::plan::Plan;
use crate::flow::publish::message::{BirthMessage, BornModel, ChartOrder, Health, LabelMessage, StoppedModel, Topics};
use crate::flow::publish::wire::Address;
use crate::flow::publish::{DRAIN, Publisher, commands};
use crate::flow::retry::Retry;
use crate::name::Name;
use crate::record::journal::Journal;
use crate::record::journal::labels::{NewLabel, Way};

/// The publisher, where the config names a broker.
pub(super) fn publisher(
    settings: &Settings,
    desk: &Desk,
    birth: watch::Receiver<BirthMessage>,
    health: watch::Receiver<Health>,
) -> Option<Publisher> {
    let mqtt = settings.mqtt.as_ref()?;
    Some(Publisher {
        address: Address::new(mqtt, &settings.device, "publisher"),
        topics: Topics::new(&settings.device),
        feed: Arc::new(desk.journal.clone()),
        birth,
        health,
        counters_every: mqtt.counters_every,
        drain: DRAIN,
        retry: Retry::default(),
        telemetry: desk.telemetry.clone(),
    })
}

/// What hears commands, where there is a broker. The payload of `recipe` is the recipe's name and nothing else, that of `chart` a
/// word: a name has no parts that a schema could tell apart, and a controller without JSON can send it.
pub(super) fn commands(
    settings: &Settings,
    changer: Changer,
    charts: Option<Orders>,
    desk: &Desk,
    stop: &CancellationToken,
) -> Option<impl Future<Output = ()> + use<>> {
    let (mqtt, journal) = (settings.mqtt.as_ref()?, desk.journal.clone());
    let address = Address::new(mqtt, &settings.device, "commands");
    let obey = move |verb: &str, payload: &[u8]| {
        let changer = changer.clone();
        match verb {
            "reload" => Some(async move { changer.reload().await }.boxed()),
            "recipe" => {
                let recipe = String::from_utf8_lossy(payload).into_owned();
                Some(async move { changer.change_over(&recipe).await }.boxed())
            }
            "chart" => Some(chart(charts.clone(), ChartOrder::read(payload)).boxed()),
            "label" => Some(label(journal.clone(), LabelMessage::read(payload)).boxed()),
            _ => None,
        }
    };
    Some(commands::serve(address, settings.device.clone(), Box::new(obey), Retry::default(), stop.clone()))
}

/// Gives an order to the control charts.
async fn chart(charts: Option<Orders>, order: Result<ChartOrder, String>) -> Result<String, String> {
    let charts = charts.ok_or("nobody draws control charts: the config has no [chart]")?;
    charts.give(order?).await
}

/// Writes what an operator says of a verdict: what stands in the journal then, in one sentence.
async fn label(journal: Journal, told: Result<LabelMessage, String>) -> Result<String, String> {
    let LabelMessage { epoch, seq, truth, class, by, .. } = told?;
    let taken = journal.label(NewLabel { epoch, seq, truth, class, by, way: Way::Mqtt }).await;
    taken.map(|taken| taken.to_string()).map_err(|error| error.to_string())
}

/// What the device is and judges with.
pub(super) fn birth(recipe: Name, plan: &Plan, crew: &Crew, desk: &Desk) -> BirthMessage {
    let placements: BTreeMap<_, _> = crew.placements().collect();
    let model = |model: &Arc<crate::models::passport::Model>| BornModel {
        model: model.passport.name.clone(),
        sha256: model.passport.file.sha256.clone(),
        tier: model.passport.tier,
        placement: placements.get(&model.passport.name).map(|placement| placement.as_ref().clone()),
    };
    let models = plan.models().iter().map(model).collect();
    BirthMessage::new(&desk.origin, recipe, plan.hash.clone(), models)
}

/// The models that do not judge.
pub(super) fn stopped(crew: &Crew) -> Vec<StoppedModel> {
    crew.stopped().map(|(model, why)| StoppedModel { model: model.clone(), why: why.into() }).collect()
}
