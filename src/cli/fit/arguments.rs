//! The arguments of `kenpin fit`, which are its help too. Checks each by itself and which of them go together; what they mean for a
//! config is the business of the others.

use std::path::PathBuf;

use super::values::{inner_share, method, pair, positive};
use crate::models::fit::Method;
use crate::name::Name;
use crate::simulate::corrupt::Corruption;

/// Learn from labelled parts how the members of a route become one score, and where it becomes a decision.
///
/// Fits, for one route on one rung of the ladder: what each member's score is worth (temperature, Platt, beta or isotonic,
/// whichever has the least log loss on parts it was not fitted to), how the members become one (mean, weighted mean, maximum,
/// stacking or concatenation, by log loss), and the thresholds. Every figure of the ensemble comes from nested
/// cross-validation. Batches, where a CSV list has a column `batch`, are held out whole.
///
/// Concatenation is a logistic regression over everything that the members say: the log-odds of every label of a classifier with
/// more than two, every value of a regression (a model of the panel that does not vote may give readings, too), and of everybody
/// else the log-odds of any defect. Its L2 penalty is chosen by cross-validation inside of each fold. Where every member gives one
/// number it would be stacking over again and is not tried; nor with --scores, for such a file holds one number a member.
///
/// A route with `over = "classes"` gets weights by class: for each label by itself, how much each member's word counts. Parts then
/// lie in folders, one a label of the members, or a CSV list has a column `class`; in the journal it is what `kenpin label --class`
/// said. A class wants ten parts, and ten parts of others, for each weight that is free to move (of m members who know it, m - 1);
/// with fewer it keeps the weights of the route, one a member, and the report says so. Mean, weighted mean and maximum, label by
/// label, are what they compete with, by the log loss of the score.
///
/// With --measured, for a panel of regressions that give one quantity, a linear regression (least squares, or ridge where that is
/// nearer by cross-validation) makes their values one calibrated value, which stands in the verdict as `measured`. A part is defective
/// where its measured value lies outside of the limits in the passports; how far the value is usually off, by folds, makes it the
/// probability of that. The report tells how near each member comes, as it reads and with a gain and offset of its own.
///
/// Thresholds: with --escape-cost C an escape costs C false rejects and nobody stays undecided. With --escape-bound B at most a
/// share B of the defective parts passes, with --confidence, over the draw of the labelled parts: half of them fits, the other
/// half tests, parts between the thresholds stay undecided. Too few defective parts are refused: none may escape among 299 to
/// show 1 % with 95 %. The labelled parts must be drawn as the line makes them, not only those that somebody looked at.
///
/// With --cascade STUDENT,TEACHER, a panel of two, the student judges alone where it is sure; --loss-bound says how many false
/// rejects a part it may add to the teacher's own mistakes, an escape counting as --escape-cost of them.
///
/// With --adaptive, weights that move with the quality of the picture (sharpness, brightness, clipped share, noise) and with each
/// member's own doubt are tried too. Each labelled picture is then shown as it is and corrupted, which is simulated; all copies of
/// a picture are held out together, thresholds come from the pictures as they are. Adaptive weights win only where they beat
/// every other method by nested cross-validation.
///
/// What the labelled pictures looked like is kept in the fit, too, with their embeddings where a member gives some: `[drift]` in the
/// config holds the line's own parts against it.
///
/// With --journal the parts are the labelled verdicts of the line (`kenpin label`): what the members said stands in them, so no
/// model is asked and no picture is wanted. People look at every reject and at few passes, so each part weighs by one over the
/// chance with which it was put up for review. A bound cannot be shown by such weights: with --escape-bound or --cascade only the
/// parts count that a plain random sample of all parts holds, all of which must be labelled, and audited passes be among them.
///
/// On a route that fuses boxes (`over = "boxes"`) the labelled folder holds `images/` and `labels/`, one text file a picture in
/// YOLO form (number of the label, centre x and y, width, height as shares of the picture; or x and y of four corners); a picture
/// without a file has no box. Labels are numbered as in the members' passports, or in a `classes.txt` beside, one name a line. What
/// is fitted is the method by which boxes that overlap become one, its overlap and lowest confidence, and the members' weights, by
/// mean average precision (0.50 to 0.95); the ensemble's figure comes from pictures that had no part in choosing. The control, a
/// member's boxes as they are or joined among themselves, is held against it by the paired bootstrap over pictures, and thresholds
/// come from the surest box of a defect of each picture.
///
/// The best single member is the control: an ensemble whose ROC AUC is not greater with p < 0.05 (DeLong) is not written unless
/// --force. What is written is laid over the route's own values by `kenpin run` and `kenpin eval` where the config has
/// `[fits] folder = "..."`. Exit code 1 when nothing was written because of what the parts show.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(in crate::cli) struct Args {
    /// The config whose route is fitted.
    pub(super) config: PathBuf,
    /// The labelled folder or CSV list, as `kenpin eval` takes it.
    #[arg(required_unless_present_any = ["rollback", "journal"])]
    pub(super) labelled: Option<PathBuf>,
    /// Take the labels from the journal of the config, in the place of a labelled folder or list.
    #[arg(long, conflicts_with_all = ["labelled", "scores", "adaptive", "camera", "plot", "rollback"])]
    pub(super) journal: bool,
    /// Join what the members measure to one calibrated value: the quantity, which every voting member gives, and which the CSV list has
    /// a column for with what was really measured.
    #[arg(long, value_name = "QUANTITY", value_parser = |text: &str| Name::new(text),
        conflicts_with_all = ["journal", "scores", "adaptive", "cascade", "rollback"])]
    pub(super) measured: Option<Name>,
    /// The route; the only one that ends at a panel when not given.
    #[arg(long, value_parser = |text: &str| Name::new(text))]
    pub(super) route: Option<Name>,
    /// The rung of the ladder; the heaviest when not given.
    #[arg(long, value_parser = |text: &str| Name::new(text))]
    pub(super) rung: Option<Name>,
    /// The camera whose frames the images stand for; the config's only camera when not given.
    #[arg(long, value_parser = |text: &str| Name::new(text))]
    pub(super) camera: Option<Name>,
    /// The greatest share of defective parts that may pass, such as 0.05.
    #[arg(long, value_name = "SHARE", value_parser = inner_share, conflicts_with_all = ["escape_cost", "cascade"])]
    pub(super) escape_bound: Option<f64>,
    /// How sure a bound is to hold, over the draw of the labelled parts.
    #[arg(long, value_name = "SHARE", default_value_t = 0.95, value_parser = inner_share)]
    pub(super) confidence: f64,
    /// What an escape costs, in false rejects.
    #[arg(long, value_name = "COST", default_value_t = 1.0, value_parser = positive)]
    pub(super) escape_cost: f64,
    /// The student that judges first and the teacher that is woken where it is not sure, as the config names the models.
    #[arg(long, value_name = "STUDENT,TEACHER", value_parser = pair, requires = "loss_bound")]
    pub(super) cascade: Option<(Name, Name)>,
    /// The greatest expected cost, in false rejects a part, that the student may add, such as 0.02.
    #[arg(long, value_name = "COST", value_parser = positive, requires = "cascade")]
    pub(super) loss_bound: Option<f64>,
    /// Try weights that move with each picture too, on corrupted copies of the pictures.
    #[arg(long, conflicts_with_all = ["cascade", "scores", "rollback"])]
    pub(super) adaptive: bool,
    /// With --adaptive: how pictures are corrupted, as `kenpin eval --corrupt` takes it; once for each way. When not given: blur=2,
    /// blur=4, exposure=-40, exposure=-70, exposure=50, noise=10, noise=25.
    #[arg(long, value_name = "KIND=NUMBER", requires = "adaptive", allow_hyphen_values = true)]
    pub(super) corrupt: Vec<Corruption>,
    /// Only this method (mean, weighted-mean, maximum, stacking, concatenation, class-weights, regression or adaptive) in the place of the best.
    #[arg(long, value_parser = method, conflicts_with_all = ["cascade", "rollback"])]
    pub(super) method: Option<Method>,
    /// Read the members' scores from a CSV file (`part,fold,member,rung,logit`, as the recipe writes out-of-fold scores; for boxes
    /// `picture,member,label,confidence,left,top,right,bottom`, in pixels) instead of asking the models; every labelled image is
    /// then a part of the route, known by its file's stem.
    #[arg(long, value_name = "FILE")]
    pub(super) scores: Option<PathBuf>,
    /// A list of the parts that a member was trained on, one name a line: a labelled picture that is one of them is refused.
    #[arg(long, value_name = "LIST", requires = "pixels", conflicts_with = "scores")]
    pub(super) trained: Option<PathBuf>,
    /// With --trained: a CSV file `part,sha256` with the hash of each part's decoded pixels, as the recipe writes it.
    #[arg(long, value_name = "FILE", requires = "trained")]
    pub(super) pixels: Option<PathBuf>,
    /// The state directory, which keeps the members' scores, so that they are computed once, and gets the fits.
    #[arg(long, default_value = "state")]
    pub(super) state: PathBuf,
    /// The folder that gets the fit; that of `[fits]` in the config when not given, else `fits/` in the state directory.
    #[arg(long, value_name = "FOLDER")]
    pub(super) out: Option<PathBuf>,
    /// Fit nothing, but split the labelled parts so often at random, promise --escape-bound by three quarters of them and see on the
    /// last quarter whether it held, and how many parts stay undecided for it.
    #[arg(long, value_name = "SPLITS", requires = "escape_bound", value_parser = clap::value_parser!(u32).range(1..=100_000),
        conflicts_with_all = ["rollback", "plot", "force", "out"])]
    pub(super) rehearse: Option<u32>,
    /// Write the fit although the ensemble does not beat its best member.
    #[arg(long)]
    pub(super) force: bool,
    /// Write nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Take the fit in force back: the one before it is in force again to the last byte, or the config where there was none.
    #[arg(long, conflicts_with_all = ["labelled", "dry_run", "force", "scores"])]
    pub(super) rollback: bool,
    /// An SVG file that gets the evidence: ROC curves, what the score is worth, the thresholds.
    #[arg(long, value_name = "FILE.svg")]
    pub(super) plot: Option<PathBuf>,
    /// Print JSON instead of the tables.
    #[arg(long)]
    pub(super) json: bool,
}

/// How pictures are corrupted where nobody says it: each kind lightly and badly.
const CORRUPTIONS: [Corruption; 7] = [
    Corruption::Blur(2.0),
    Corruption::Blur(4.0),
    Corruption::Exposure(-40.0),
    Corruption::Exposure(-70.0),
    Corruption::Exposure(50.0),
    Corruption::Noise(10.0),
    Corruption::Noise(25.0),
];

impl Args {
    /// The ways in which each picture is corrupted; none unless adaptive weights are asked for.
    pub(super) fn corruptions(&self) -> &[Corruption] {
        match (self.adaptive, self.corrupt.as_slice()) {
            (false, _) => &[],
            (true, []) => &CORRUPTIONS,
            (true, told) => told,
        }
    }
}
