//! `kenpin teach`: a new product or defect from a few labelled examples, on top of an embedding model.

mod curve;
mod embed;
mod examples;
mod folder;
mod head;
mod out;
mod plot;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::ValueEnum as _;

use super::labelled;
use super::{FINDINGS, say, start_logging};
use crate::models::taught;
use embed::Embedder;
use examples::Gathered;
use head::Built;
use out::{Next, Report};

/// Teach a new product or defect from 1 to 50 examples a class, on top of an embedding model.
///
/// An embedding model turns a picture into one vector, in which pictures of a kind lie close together. Only the small head
/// behind it is learned here, in seconds and without a deep-learning framework:
///
/// prototype: the class whose mean vector is nearest; the plainest.
/// ridge, logistic: a regression with an L2 penalty. On ELPV, cells of a type that the embedding has never seen, either is as good as
/// the nearest mean with a few examples a class and better with fifty (tests/teach.py).
/// memory-bank: from good examples alone; a part is unusual when its vector lies farther from the nearest good one than good ones
/// lie from each other. It gives a score and no map: the embedding is one vector a picture, and says nothing of places.
///
/// --examples is a folder with good/ and one folder for each kind of defect (bad/, or crack/, stain/, ...), or a CSV list with the
/// columns `image` and `truth`. With --out the model's folder is written: passport, ONNX file (the embedding's, with the head as
/// further nodes), references, `taught.toml` with the evidence, `trained.txt` and `pixels.csv` by which `kenpin fit --trained`
/// knows the examples again. The daemon loads it as any model. The version before it is kept in `old/` beside it.
///
/// How good it is: each example is judged by a head of the others (leave-one-out). With a few examples the interval is wide, and
/// it holds for parts drawn as the examples were. Of a class with one example nothing can be held out, and nothing is estimated.
///
/// --next names, of a folder of unlabelled pictures, those whose labels would teach most: first those that the heads quarrel
/// over, then those that the head is least sure of.
///
/// --curve 1,2,5,10,25,50 takes a larger labelled set instead: of each class so many examples are drawn, time and again, every
/// head is taught them, and judges all other parts. It shows how many examples are worth labelling.
///
/// Exit code 1 when the examples do not teach: none of a class, a memory bank from one picture, a model that is no embedding.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder of the embedding model.
    #[arg(long, value_name = "FOLDER", required_unless_present = "rollback")]
    embedding: Option<PathBuf>,
    /// The labelled pictures: a folder with good/ and one folder a kind of defect, or a CSV list.
    #[arg(long, value_name = "DIR", required_unless_present = "rollback")]
    examples: Option<PathBuf>,
    /// What is learned.
    #[arg(long, value_enum, default_value_t = head::Kind::Ridge)]
    head: head::Kind,
    /// The folder that the model gets, whose name is the model's; nothing is written when not given.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A folder of unlabelled pictures, of which the one to label next is wanted.
    #[arg(long, value_name = "DIR", conflicts_with = "curve")]
    next: Option<PathBuf>,
    /// How many good examples a memory bank keeps at most, chosen so that they cover the others (greedy k-centre).
    #[arg(long, value_name = "NUMBER", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    bank: u32,
    /// A list of the pictures that the embedding model was trained on, one name a line: examples that are among them are told, and
    /// not counted in the estimate; with --curve they are left out.
    #[arg(long, value_name = "LIST", requires = "pixels")]
    trained: Option<PathBuf>,
    /// With --trained: a CSV file `part,sha256` with the hash of each picture's decoded pixels, as the recipe writes it.
    #[arg(long, value_name = "FILE", requires = "trained")]
    pixels: Option<PathBuf>,
    /// Measure how good every head is with so many examples a class, drawn from the labelled pictures.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', conflicts_with_all = ["out", "rollback"])]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    curve: Vec<u32>,
    /// With --curve: how often examples are drawn.
    #[arg(long, default_value_t = 20, requires = "curve", value_parser = clap::value_parser!(u32).range(2..=10_000))]
    draws: u32,
    /// With --curve: an SVG file that gets the curves.
    #[arg(long, value_name = "FILE.svg", requires = "curve")]
    plot: Option<PathBuf>,
    /// Withdraw the version in --out: the one before it is in force again.
    #[arg(long, requires = "out", conflicts_with_all = ["embedding", "examples", "next", "trained"])]
    rollback: bool,
    /// The ONNX Runtime library; searched for in the usual places when not given.
    #[arg(long)]
    library: Option<PathBuf>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// Why examples do not teach: told, with exit code 1.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Untaught(String);

/// A sentence of what cannot be taught, as an error.
fn untaught(why: impl Into<String>) -> anyhow::Error {
    Untaught(why.into()).into()
}

/// Teaches, prints, writes; or draws the curve, or takes back.
///
/// # Errors
/// When something cannot be read, run or written.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    start_logging(true);
    match done(args) {
        Err(error) if error.is::<Untaught>() => {
            eprintln!("kenpin: nothing is taught: {error}");
            Ok(ExitCode::from(FINDINGS))
        }
        done => done.map(|()| ExitCode::SUCCESS),
    }
}

fn done(args: &Args) -> anyhow::Result<()> {
    let (embedding, examples) = match (&args.out, &args.embedding, &args.examples) {
        (Some(folder), _, _) if args.rollback => return roll_back(folder),
        (_, Some(embedding), Some(examples)) => (embedding, examples),
        _ => anyhow::bail!("want --embedding and --examples"),
    };
    // What the examples lack is told before a model is opened.
    let classes = labelled::classes(examples)?;
    if args.curve.is_empty() {
        head::check(args.head, &classes)?;
    }
    let mut embedder = Embedder::open(embedding, args.library.as_deref())?;
    let gathered = Gathered::read(args, &mut embedder, classes)?;
    if args.curve.is_empty() { teach(args, embedder, &gathered) } else { curve::run(args, &embedder, &gathered) }
}

fn teach(args: &Args, mut embedder: Embedder, gathered: &Gathered) -> anyhow::Result<()> {
    let built = Built::learn(args.head, gathered, args.bank as usize)?;
    let next = match &args.next {
        Some(folder) => Some(next(folder, &mut embedder, &built, gathered)?),
        None => None,
    };
    let number = args.out.as_deref().map_or(Ok(1), taught::next_number)?;
    let taught = built.taught(args.head, embedder.model(), gathered, number);
    // The session of the embedding is not to stand beside those of the trial.
    let embedding = embedder.close();
    if let Some(target) = &args.out {
        folder::write(target, &embedding, &built, &taught, gathered, args.library.as_deref())?;
    }
    let report =
        Report { written: args.out.as_deref(), taught: &taught, no_estimate: built.no_estimate.as_deref(), next };
    say(if args.json { serde_json::to_string_pretty(&report)? } else { out::text(&report) })
}

/// The pictures of a folder, those first whose labels would teach most.
fn next(folder: &Path, embedder: &mut Embedder, built: &Built, gathered: &Gathered) -> anyhow::Result<Vec<Next>> {
    let pictures = labelled::pictures(folder).with_context(|| folder.display().to_string())?;
    if pictures.is_empty() {
        return Err(untaught(format!("{} holds no picture to label next", folder.display())));
    }
    let embedded = embedder.all(&pictures)?;
    let vectors: Vec<Vec<f64>> = embedded.into_iter().map(|one| one.vector).collect();
    let class = |class: usize| built.class(class, gathered);
    let told = |doubt: crate::learn::teach::next::Doubt| Next {
        image: pictures[doubt.place].clone(),
        called: class(doubt.class),
        heads_against: doubt.against,
        margin: doubt.margin,
    };
    Ok(built.doubts(&vectors).into_iter().map(told).collect())
}

fn roll_back(folder: &Path) -> anyhow::Result<()> {
    let shown = folder.display();
    say(match taught::roll_back(folder)? {
        Some(number) => format!("{shown}: version {number} is in force again"),
        None => format!("{shown}: there was no version before it, the model is withdrawn"),
    })
}

/// The word of a head on the command line and in files.
fn word(kind: head::Kind) -> String {
    kind.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
