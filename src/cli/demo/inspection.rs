//! A demo's run: the daemon in this process, a subscriber at its broker, the type text over its socket.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Args;
use super::stage::Stage;
use crate::app::App;
use crate::config;
use crate::flow::publish::message::Topics;
use crate::flow::publish::wire::{Address, Subscription};

/// How long the subscriber waits for a message that the daemon says it has sent.
const STRAGGLER: Duration = Duration::from_secs(5);

/// What a subscriber saw.
#[derive(Debug)]
pub(super) struct Seen {
    /// The verdict messages, byte for byte, in the order of arrival.
    pub(super) verdicts: Vec<Vec<u8>>,
    /// The messages of the governor.
    pub(super) governed: Vec<Vec<u8>>,
    /// Where the broker listened.
    pub(super) broker: SocketAddr,
}

/// Messages as what they say.
pub(super) fn parsed<T: DeserializeOwned>(messages: &[Vec<u8>]) -> anyhow::Result<Vec<T>> {
    let parsed = |bytes: &Vec<u8>| serde_json::from_slice(bytes).context("a message cannot be read back");
    messages.iter().map(parsed).collect()
}

/// Messages as they came, one a line.
pub(super) fn lines(messages: &[Vec<u8>]) -> Vec<u8> {
    messages.iter().flat_map(|message| message.iter().copied().chain([b'\n'])).collect()
}

/// A daemon that is ready for its first part, and a subscriber that hears it.
pub(super) struct Opened {
    pub(super) app: App,
    pub(super) broker: SocketAddr,
    heard: Subscription,
    topics: Topics,
}

/// Opens the daemon of a demo's config and listens to its verdicts and its governor.
pub(super) async fn open(config: &Path) -> anyhow::Result<Opened> {
    let settings = config::load(config).context("the demo's own config was refused")?;
    let topics = Topics::new(&settings.device);
    let app = App::open(settings).await?;
    let broker = app.broker().context("this build has no embedded broker: build with the feature `broker`")?;
    let address =
        Address { broker: broker.to_string(), client: "kenpin-demo".into(), username: None, password_file: None };
    let heard = Subscription::open(&address, &[topics.verdict(), topics.governed()]).await;
    Ok(Opened { app, broker, heard: heard.map_err(anyhow::Error::msg)?, topics })
}

impl Opened {
    /// Runs the line until its cells are inspected, its camera has ended, or `stop`.
    pub(super) async fn run(self, cells: usize, stop: CancellationToken) -> anyhow::Result<Seen> {
        let Self { app, broker, heard, topics } = self;
        let road = tokio::spawn(app.run(stop.clone()));
        let mut seen = Seen { verdicts: Vec::with_capacity(cells), governed: Vec::new(), broker };
        collect(heard, &topics, cells, (road, stop), &mut seen).await?;
        Ok(seen)
    }
}

/// Runs the line once over all cells.
pub(super) async fn inspect(stage: &Stage, args: &Args) -> anyhow::Result<Seen> {
    let opened = open(&stage.config).await?;
    let types = opened.app.sensor("cell-type").context("the daemon does not listen for cell types")?;
    hold(args, opened.broker).await;

    let mut line = TcpStream::connect(types).await.context("the type text cannot be sent")?;
    let text = stage.type_lines();
    let sending = tokio::spawn(async move { line.write_all(text.as_bytes()).await });
    let seen = opened.run(stage.cells.len(), CancellationToken::new()).await?;
    sending.await?.context("the type text could not be sent to its end")?;
    Ok(seen)
}

/// Gives others the time to subscribe.
async fn hold(args: &Args, broker: SocketAddr) {
    let subscribe = format!("mosquitto_sub -V 5 -h {} -p {} -t 'kenpin/#' -v", broker.ip(), broker.port());
    if args.hold_s > 0 {
        eprintln!("waiting {} s for subscribers: {subscribe}", args.hold_s);
        tokio::time::sleep(Duration::from_secs(args.hold_s)).await;
    }
}

/// Collects messages until the road is empty and nothing more arrives.
async fn collect(
    mut heard: Subscription,
    topics: &Topics,
    cells: usize,
    (mut road, stop): (JoinHandle<anyhow::Result<()>>, CancellationToken),
    seen: &mut Seen,
) -> anyhow::Result<()> {
    let progress = ProgressBar::new(cells as u64).with_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} verdicts  {per_sec}  {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let mut running = true;
    while running || seen.verdicts.len() < cells {
        tokio::select! {
            message = heard.next() => match message {
                Ok((topic, message)) if topic == topics.verdict() => {
                    seen.verdicts.push(message);
                    progress.set_position(seen.verdicts.len() as u64);
                    if seen.verdicts.len() == cells {
                        stop.cancel();
                    }
                }
                Ok((_, message)) => seen.governed.push(message),
                Err(_) if seen.verdicts.len() >= cells => break,
                Err(why) => {
                    eprintln!("kenpin: the subscriber was cut off: {why}");
                    break;
                }
            },
            ended = &mut road, if running => {
                ended??;
                running = false;
            }
            () = tokio::time::sleep(STRAGGLER), if !running => break,
        }
    }
    progress.finish_and_clear();
    Ok(())
}
