//! Commands: what a device is told to do over MQTT, and what it answers.
//!
//! A command is a message on `kenpin/v1/<device>/command/<verb>`; the answer goes to the topic that the message names (MQTT 5,
//! 4.10) under its correlation data, else to `kenpin/v1/<device>/reply`. Promises: one command after the other, each answered
//! once it is done or refused. A retained command is left alone, for it would be carried out at every connect. Knows the verbs
//! only by whoever obeys them.

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::message::{ReplyMessage, Topics};
use super::wire::{Address, Message, Subscription};
use crate::flow::retry::{Retry, draw};
use crate::name::Name;

/// What carries out a verb with what the message says: what came of it, or why it was refused, in one sentence. `None` for a
/// verb it does not know.
pub type Obey = Box<dyn Fn(&str, &[u8]) -> Option<BoxFuture<'static, Result<String, String>>> + Send + Sync>;

/// Listens for the commands to `device` over any number of connections, until `stop`.
pub async fn serve(address: Address, device: Name, obey: Obey, retry: Retry, stop: CancellationToken) {
    let topics = Topics::new(&device);
    let mut failures = 0;
    loop {
        let heard = stop.run_until_cancelled(hear(&address, &device, &topics, &obey, &mut failures)).await;
        let Some(why) = heard else { return };
        tracing::warn!("broker {address}, commands: {why}");
        failures += 1;
        if stop.run_until_cancelled(tokio::time::sleep(retry.after(failures, draw()))).await.is_none() {
            return;
        }
    }
}

/// Hears one connection; gives why it ended.
async fn hear(address: &Address, device: &Name, topics: &Topics, obey: &Obey, failures: &mut u32) -> String {
    let heard = async {
        let mut commands = Subscription::open(address, &[topics.commands()]).await?;
        *failures = 0;
        tracing::info!("commands are heard on {}", topics.commands());
        loop {
            let message = commands.next_message().await?;
            if message.retained {
                tracing::warn!("{} is retained: a command is left alone that would come again", message.topic);
                continue;
            }
            let reply = carry_out(&message, device, topics, obey).await;
            tracing::info!("command {}: {}", reply.command, reply.told);
            let answer = topics.reply(&reply, message.response_topic.as_deref());
            commands.answer(answer, message.correlation).await?;
        }
    };
    let ended: Result<std::convert::Infallible, String> = heard.await;
    match ended {
        Err(why) => why,
    }
}

/// Carries out one command.
async fn carry_out(message: &Message, device: &Name, topics: &Topics, obey: &Obey) -> ReplyMessage {
    let command = topics.verb(&message.topic).unwrap_or_default().to_owned();
    let done = match obey(&command, &message.payload) {
        Some(done) => done.await,
        None => Err(format!("there is no command {command:?}")),
    };
    ReplyMessage::new(device.clone(), command, done)
}
