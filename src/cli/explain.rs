//! `kenpin explain`: why a verdict of the journal is what it is, after the fact. Reads the journal beside a running daemon, asks
//! the models again about the kept frames, and leaves pictures and a page.

mod account;
mod activation;
mod ask;
mod heat;
mod numbers;
mod page;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;

use super::{FINDINGS, check, load_settings, say, start_logging};
use crate::config::Settings;
use crate::flow::publish::message::{VERDICT, VerdictMessage};
use crate::models::catalogue;
use crate::models::passport::Model;
use crate::name::Name;
use crate::record::images::stem;
use crate::record::journal::past::Past;
use account::Account;
use heat::Looking;

/// Explain a verdict of the journal: what each member added, what would have changed it, and where the models looked.
///
/// Reads the verdict with the number SEQ from the journal of the config; a daemon may be at work on it. Says which route the part
/// took and why, what each member added to the fused score (exactly, for means and regressions, against a member that knows nothing)
/// or which one decided (for a maximum), and the least change of the score, of one member or of a threshold that would have led
/// to another verdict.
///
/// Where the frames were kept (`[images]`: rejects, undecided parts and audited passes), every member that looked at one is asked
/// again, as the line asks it, and its score is held against that of the verdict. The picture shows where it looked: for an anomaly
/// model or a segmentation their own map, for a detector its boxes. For a classifier it is the class activation (Zhou et al. 2016),
/// what each place of its last features says to its answer, where only linear layers stand behind the mean over the places, as in
/// `ResNet`, `EfficientNet` and the models of ELPV. For any other model it is RISE (Petsiuk et al. 2018): 300 random masks hide half
/// of the picture, and the log-odds of a defect tell which half it was. Which of the two it is, and why, is told. A map says what this
/// model's score rests on, not where the defect is: --curves tells how far it can be believed.
///
/// Leaves a picture for each member and a page that shows everything; nobody but you removes them. Exit code 1 when there is no such
/// verdict, it was made by another device, or a model is not the one that judged or does not give its score again: what can be told
/// is told. A frame that was not kept is no finding.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The config of the line that judged.
    config: PathBuf,
    /// The sequence number of the verdict, as it stands in its message.
    seq: u64,
    /// The folder that gets pictures and page; `explained/` in the folder of kept frames when not given, or beside the journal
    /// where none are kept.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Show every classifier by RISE, also where its class activation is to be had: slower by hundreds of runs, finer, and it sees
    /// what the mean over places hides.
    #[arg(long)]
    rise: bool,
    /// Hold each map against this many with its numbers scattered, and as many of itself misplaced: the mean score while the picture
    /// is put out of focus step by step, the hottest places first (deletion: lower is better), and while it is put in focus (insertion:
    /// higher is better; Petsiuk et al. 2018). Takes 42 runs of the model for each map.
    #[arg(long, value_name = "MAPS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=1000))]
    curves: u64,
    /// Print JSON instead of the words.
    #[arg(long)]
    json: bool,
}

/// Explains the verdict; exit code 1 where there is none, or something is not as it was.
///
/// # Errors
/// When the journal or a kept frame cannot be read, or something cannot be written.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    start_logging(true);
    let settings = match load_settings(&args.config) {
        Ok(settings) => settings,
        Err(code) => return Ok(code),
    };
    let message = match verdict(&settings, args.seq)? {
        Ok(message) => message,
        Err(why) => {
            eprintln!("kenpin: {why}");
            return Ok(ExitCode::from(FINDINGS));
        }
    };
    let models = catalogue::load_all(&settings)?;
    let plan = check::plan(&args.config.display().to_string(), &settings, &models)?;
    let mut account = Account::of(&message, &plan);
    let out = args.out.clone().unwrap_or_else(|| beside(&settings));
    std::fs::create_dir_all(&out).with_context(|| format!("{} cannot be made", out.display()))?;
    look(args, &settings, &models, &message, &out, &mut account)?;
    account.page = Some(page::write(&account, &out, &stem(message.epoch, message.seq))?);
    if args.json {
        say(serde_json::to_string_pretty(&account)?)?;
    } else {
        say(words::text(&account))?;
    }
    Ok(if account.refusals.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

/// The verdict, or one sentence on why there is none to explain.
fn verdict(settings: &Settings, seq: u64) -> anyhow::Result<Result<VerdictMessage, String>> {
    let path = settings.journal.path.display();
    let past = Past::open(&settings.journal.path)?;
    let Some(body) = past.verdict(seq)? else {
        let last = past.last_seq();
        let kept = past.first_seq()?.map_or_else(|| "none".to_owned(), |first| format!("{first} to {last}"));
        return Ok(Err(if (1..=last).contains(&seq) {
            format!("journal {path}: verdict {seq} is kept no more; kept are {kept}")
        } else {
            format!("journal {path}: there is no verdict {seq}; kept are {kept}")
        }));
    };
    let read = |why: String| format!("journal {path}: verdict {seq} cannot be read: {why}");
    let message: VerdictMessage = match serde_json::from_slice(&body) {
        Ok(message) => message,
        Err(error) => return Ok(Err(read(error.to_string()))),
    };
    if message.schema != VERDICT {
        return Ok(Err(read(format!("its schema is {:?}, want {VERDICT:?}", message.schema))));
    }
    if message.device != settings.device {
        let (seen, wanted) = (&message.device, &settings.device);
        return Ok(Err(format!("journal {path}: verdict {seq} is of device {seen}, the config is that of {wanted}")));
    }
    Ok(Ok(message))
}

/// Where pictures and page go when nobody says it.
fn beside(settings: &Settings) -> PathBuf {
    let journal = settings.journal.path.parent().unwrap_or(Path::new(""));
    settings.images.as_ref().map_or(journal, |images| images.folder.as_path()).join("explained")
}

/// Asks every member again that looked at a kept frame.
fn look(
    args: &Args,
    settings: &Settings,
    models: &BTreeMap<Name, Arc<Model>>,
    message: &VerdictMessage,
    out: &Path,
    account: &mut Account,
) -> anyhow::Result<()> {
    let looking = Looking { settings, models, message, out, rise: args.rise, random: args.curves };
    for (place, member) in account.members.iter_mut().enumerate() {
        match looking.at(place)? {
            Ok(looked) => {
                account.refusals.extend(looked.differs());
                member.looked = Some(looked);
            }
            Err(heat::Unseen::Nothing(why)) => member.unseen = Some(why),
            Err(heat::Unseen::Refused(why)) => {
                account.refusals.push(why.clone());
                member.unseen = Some(why);
            }
        }
    }
    Ok(())
}
