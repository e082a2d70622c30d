//! The demo's run: the daemon in this process, a subscriber at its broker, the type text over its socket.

use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
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
    pub(super) messages: Vec<Vec<u8>>,
    /// Where the broker listened.
    pub(super) broker: std::net::SocketAddr,
}

/// Runs the line once over all cells.
pub(super) async fn inspect(stage: &Stage, args: &Args) -> anyhow::Result<Seen> {
    let settings = config::load(&stage.config).context("the demo's own config was refused")?;
    let device = settings.device.clone();
    let app = App::open(settings).await?;
    let broker = app.broker().context("this build has no embedded broker: build with the feature `broker`")?;
    let types = app.sensor("cell-type").context("the daemon does not listen for cell types")?;
    let address =
        Address { broker: broker.to_string(), client: "kenpin-demo".into(), username: None, password_file: None };
    let topics = [Topics::new(&device).verdict()];
    let mut verdicts = Subscription::open(&address, &topics).await.map_err(anyhow::Error::msg)?;
    hold(args, broker).await;

    let mut line = TcpStream::connect(types).await.context("the type text cannot be sent")?;
    let text = stage.type_lines();
    let sending = tokio::spawn(async move { line.write_all(text.as_bytes()).await });
    let road = tokio::spawn(app.run(CancellationToken::new()));
    let messages = collect(&mut verdicts, stage.cells.len(), road).await?;
    sending.await?.context("the type text could not be sent to its end")?;
    Ok(Seen { messages, broker })
}

/// Gives others the time to subscribe.
async fn hold(args: &Args, broker: std::net::SocketAddr) {
    let subscribe = format!("mosquitto_sub -V 5 -h {} -p {} -t 'kenpin/#' -v", broker.ip(), broker.port());
    if args.hold_s > 0 {
        eprintln!("waiting {} s for subscribers: {subscribe}", args.hold_s);
        tokio::time::sleep(Duration::from_secs(args.hold_s)).await;
    }
}

/// Collects messages until the road is empty and nothing more arrives.
async fn collect(
    verdicts: &mut Subscription,
    cells: usize,
    mut road: tokio::task::JoinHandle<anyhow::Result<()>>,
) -> anyhow::Result<Vec<Vec<u8>>> {
    let progress = ProgressBar::new(cells as u64).with_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} verdicts  {per_sec}  {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let mut messages = Vec::with_capacity(cells);
    let mut running = true;
    while running || messages.len() < cells {
        tokio::select! {
            message = verdicts.next() => match message {
                Ok((_, message)) => {
                    messages.push(message);
                    progress.set_position(messages.len() as u64);
                }
                Err(_) if messages.len() >= cells => break,
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
    Ok(messages)
}
