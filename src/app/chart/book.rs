//! All charts of a line: which verdict counts on which chart, and what is told of it. Pure, and kept whole.
//!
//! Each recipe, route and rung has its own chart, for each makes rejects at a rate of its own; a line that is changed over and back
//! goes on with the chart that it left. Another fit, or another plan where the route has none, makes another rate: its chart begins
//! anew, with a baseline of its own, and an alarm of the old one is over. Parts that were interrupted were judged by nobody and do not count.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::{Chart, ChartRate};
use crate::flow::publish::message::{ChartAlarm, ChartBaseline, ChartPlace};
use crate::flow::verdict::Decision;
use crate::learn::control_chart::Point;
use crate::learn::control_chart::monitor::{Baseline, Monitor, Turn};
use crate::name::Name;

/// The most charts: a reading may name any recipe. Beyond it the one goes that was seen last the longest ago.
const MOST: usize = 256;

/// What is read of a verdict.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Row {
    verdict: Decision,
    judged: Timestamp,
    recipe: Option<Name>,
    route: Vec<Name>,
    rung: Option<Name>,
    fit: Option<String>,
    /// `None` for a part that was interrupted.
    plan: Option<String>,
}

/// What a verdict changed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Told {
    /// A chart has its limits.
    Begun(String),
    /// A rate is out of control.
    Alarm(Box<ChartAlarm>),
    /// It is so no more.
    Over(String),
}

/// All charts, and up to which verdict they count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Book {
    epoch: Uuid,
    told: Chart,
    seq: u64,
    charts: Vec<Charted>,
}

/// One chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Charted {
    place: ChartPlace,
    judged_by: String,
    monitor: Monitor,
    /// The first verdict of the subgroup that is being filled.
    first_seq: u64,
    /// The last verdict that counted.
    last_seq: u64,
    /// The alarm that stands.
    alarm: Option<ChartAlarm>,
}

impl Book {
    /// Before the first verdict.
    pub(super) const fn new(epoch: Uuid, told: Chart) -> Self {
        Self { epoch, told, seq: 0, charts: Vec::new() }
    }

    /// Whether it is of the journal and the settings of `new`, and of no verdict behind `last`.
    pub(super) fn goes_on(&self, new: &Self, last: u64) -> bool {
        self.epoch == new.epoch && self.told == new.told && self.seq <= last
    }

    /// The last verdict that was counted.
    pub(super) const fn seq(&self) -> u64 {
        self.seq
    }

    /// The alarms that stand.
    pub(super) fn alarms(&self) -> impl Iterator<Item = &ChartAlarm> {
        self.charts.iter().filter_map(|chart| chart.alarm.as_ref())
    }

    /// Goes on behind verdicts that are kept no more.
    pub(super) const fn pass_over(&mut self, seq: u64) {
        self.seq = seq;
    }

    /// Counts a verdict, or none where it cannot be read; what it changed, and whether a subgroup became full.
    pub(super) fn see(&mut self, seq: u64, row: Option<&Row>) -> (Vec<Told>, bool) {
        self.seq = seq;
        let Some((row, recipe, plan)) = row.and_then(|row| Some((row, row.recipe.as_ref()?, row.plan.as_ref()?)))
        else {
            return (Vec::new(), false);
        };
        let Some(route) = row.route.last() else { return (Vec::new(), false) };
        let (mut changed, mut full) = (Vec::new(), false);
        for rate in self.told.rates.clone() {
            let place = ChartPlace { recipe: recipe.clone(), route: route.clone(), rung: row.rung.clone(), rate };
            let at = self.chart(place, row.fit.as_ref().unwrap_or(plan), &mut changed);
            if let Some(chart) = self.charts.get_mut(at) {
                changed.extend(chart.see(seq, row, &self.told));
                full |= chart.monitor.is_between();
            }
        }
        (changed, full)
    }

    /// All alarms are over, and the rules begin to count anew.
    pub(super) fn acknowledge(&mut self) -> Result<String, String> {
        let mut over = Vec::new();
        for chart in &mut self.charts {
            chart.monitor.acknowledge();
            over.extend(chart.alarm.take().map(|alarm| told_place(&alarm.place)));
        }
        if over.is_empty() { Err("no alarm stands".into()) } else { Ok(format!("acknowledged: {}", over.join("; "))) }
    }

    /// Every chart wants a new baseline.
    pub(super) fn begin_anew(&mut self) -> String {
        let count = self.charts.len();
        self.charts.clear();
        format!("{count} charts begin anew with the next part")
    }

    /// The chart of a place, which begins anew where other judges sit there now.
    fn chart(&mut self, place: ChartPlace, judged_by: &str, changed: &mut Vec<Told>) -> usize {
        let known = self.charts.iter().position(|chart| chart.place == place);
        let new = |place| Charted {
            place,
            judged_by: judged_by.to_owned(),
            monitor: Monitor::default(),
            first_seq: 0,
            last_seq: 0,
            alarm: None,
        };
        if let Some((at, chart)) = known.and_then(|at| Some((at, self.charts.get_mut(at)?))) {
            if chart.judged_by != judged_by {
                let left = std::mem::replace(chart, new(place));
                let over =
                    left.alarm.map(|alarm| Told::Over(format!("{}: others judge now", told_place(&alarm.place))));
                changed.extend(over);
            }
            return at;
        }
        if self.charts.len() >= MOST
            && let Some(oldest) = (0..self.charts.len()).min_by_key(|&at| self.charts[at].last_seq)
        {
            let left = self.charts.swap_remove(oldest);
            changed.push(Told::Over(format!(
                "{}: its chart makes room, {MOST} others are newer",
                told_place(&left.place)
            )));
        }
        self.charts.push(new(place));
        self.charts.len() - 1
    }
}

impl Charted {
    fn see(&mut self, seq: u64, row: &Row, told: &Chart) -> Option<Told> {
        if self.monitor.is_between() {
            self.first_seq = seq;
        }
        self.last_seq = seq;
        let counts = match self.place.rate {
            ChartRate::Rejected => Decision::Reject,
            ChartRate::Undecided => Decision::Undecided,
        };
        match self.monitor.see(row.verdict == counts, told)? {
            Turn::Begun(baseline) => Some(Told::Begun(begun(&self.place, &baseline, told))),
            Turn::Alarm(point) => {
                let alarm = self.alarm(&point, row.judged)?;
                self.alarm = Some(alarm.clone());
                Some(Told::Alarm(Box::new(alarm)))
            }
            Turn::Over(_) => {
                self.alarm = None;
                Some(Told::Over(format!("{}: eight subgroups in turn violate no rule", told_place(&self.place))))
            }
        }
    }

    /// The alarm that a point raises.
    fn alarm(&self, point: &Point, since: Timestamp) -> Option<ChartAlarm> {
        let Baseline { whole, mean, beyond, .. } = self.monitor.baseline()?;
        Some(ChartAlarm {
            place: self.place.clone(),
            judged_by: self.judged_by.clone(),
            since,
            rules: point.violated.clone(),
            first_seq: self.first_seq,
            last_seq: self.last_seq,
            parts: point.subgroup.parts,
            counted: point.subgroup.rejected,
            share: point.rate,
            lower: point.lower,
            upper: point.upper,
            distance: point.distance,
            baseline: ChartBaseline { parts: whole.parts, counted: whole.rejected, mean, beyond },
            told: sentence(&self.place, point, mean),
        })
    }
}

fn told_place(ChartPlace { recipe, route, rung, rate }: &ChartPlace) -> String {
    let rung = rung.as_ref().map_or_else(String::new, |rung| format!(" on rung {rung}"));
    format!("recipe {recipe}, route {route}{rung}, {} parts", rate.as_str())
}

/// A share in percent.
fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// The alarm in one sentence.
fn sentence(place: &ChartPlace, point: &Point, mean: f64) -> String {
    let rules: Vec<&str> = point.violated.iter().map(|rule| rule.as_str()).collect();
    let (counted, parts, distance) = (point.subgroup.rejected, point.subgroup.parts, point.distance);
    let (lower, upper, place, mean) = (percent(point.lower), percent(point.upper), told_place(place), percent(mean));
    let seen = percent(point.rate);
    format!(
        "{place}: {counted} of the last {parts}, {seen}, {distance:+.1} standard errors off the mean of {mean} (limits {lower} and \
         {upper}): {}",
        rules.join("; ")
    )
}

/// What a chart begins with in one sentence, and what to mind.
fn begun(place: &ChartPlace, Baseline { whole, mean, beyond, coarse }: &Baseline, told: &Chart) -> String {
    let (place, mean) = (told_place(place), percent(*mean));
    let begun = format!("{place}: {} of the first {} give the mean of {mean}", whole.rejected, whole.parts);
    let beyond = (*beyond > 0).then(|| {
        format!(
            "{beyond} of their {} subgroups lie beyond three standard errors: the line was not in control, look for the cause and \
             begin anew (command `chart`, `baseline`)",
            told.baseline
        )
    });
    let coarse = coarse.then(|| {
        "a subgroup expects fewer than five, so chance breaks the limits more often: take more `parts`".to_owned()
    });
    [Some(begun), beyond, coarse].into_iter().flatten().collect::<Vec<String>>().join("; ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::ChartRule;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn told(rates: &[ChartRate]) -> Chart {
        Chart { parts: 10, baseline: 5, rules: ChartRule::ALL.into(), rates: rates.iter().copied().collect() }
    }

    fn book() -> Book {
        Book::new(Uuid::from_u128(7), told(&[ChartRate::Rejected]))
    }

    fn row(recipe: &str, fit: &str, verdict: Decision) -> Row {
        let (judged, plan) = ("2026-11-26T12:00:00Z".parse().unwrap(), Some("p".to_owned()));
        Row {
            verdict,
            judged,
            recipe: Some(name(recipe)),
            route: vec![name("all")],
            rung: None,
            fit: Some(fit.into()),
            plan,
        }
    }

    /// Shows so many parts, of which so many of each ten are rejected; what changed.
    fn show(book: &mut Book, recipe: &str, fit: &str, parts: usize, of_ten: usize) -> Vec<Told> {
        let one = |place: usize| if place % 10 < of_ten { Decision::Reject } else { Decision::Pass };
        (0..parts).flat_map(|place| book.see(book.seq() + 1, Some(&row(recipe, fit, one(place)))).0).collect()
    }

    #[test]
    fn an_alarm_brings_its_evidence_and_its_place() {
        let mut book = book();
        let begun = show(&mut book, "default", "f", 50, 5);
        assert_eq!(begun.len(), 1, "{begun:?}");
        assert_eq!(show(&mut book, "default", "f", 4, 10), []);
        let turns = show(&mut book, "default", "f", 6, 10);
        let [Told::Alarm(alarm)] = turns.as_slice() else { panic!("{turns:?}") };
        assert_eq!((alarm.first_seq, alarm.last_seq, alarm.parts, alarm.counted), (51, 60, 10, 10));
        assert_eq!((alarm.baseline.parts, alarm.baseline.counted), (50, 25));
        assert!(
            alarm.told.starts_with(
                "recipe default, route all, rejected parts: 10 of the last 10, 100.00 %, +3.2 standard errors off the mean of \
                 50.00 % (limits 2.57 % and 97.43 %): beyond three standard errors"
            ),
            "{}",
            alarm.told
        );
        assert_eq!(book.alarms().collect::<Vec<_>>(), [&**alarm]);
        assert!(book.acknowledge().unwrap().contains("route all"));
        assert_eq!((book.alarms().count(), book.acknowledge()), (0, Err("no alarm stands".into())));
    }

    #[test]
    fn another_recipe_has_its_own_chart_and_another_fit_begins_anew() {
        let mut book = book();
        show(&mut book, "default", "f", 50, 5);
        assert_eq!(
            show(&mut book, "other", "f", 40, 10),
            [],
            "it has no baseline yet, and does not spoil the first one's"
        );
        assert_eq!(show(&mut book, "default", "f", 10, 5), []);
        assert!(matches!(show(&mut book, "default", "f", 10, 10)[..], [Told::Alarm(_)]), "it went on where it was");
        let turns = show(&mut book, "default", "g", 50, 10);
        assert!(matches!(turns[..], [Told::Over(_), Told::Begun(_)]), "{turns:?}");
        assert_eq!((book.alarms().count(), book.charts.len()), (0, 2));
        assert!(book.begin_anew().starts_with("2 charts begin anew"));
        assert_eq!(show(&mut book, "default", "g", 40, 1), []);
    }

    #[test]
    fn parts_that_nobody_judged_do_not_count_and_undecided_ones_have_a_chart_of_their_own() {
        let mut book = Book::new(Uuid::from_u128(7), told(&[ChartRate::Rejected, ChartRate::Undecided]));
        for _ in 0..50 {
            let interrupted =
                Row { plan: None, recipe: None, route: vec![], ..row("default", "f", Decision::Undecided) };
            book.see(book.seq() + 1, Some(&interrupted));
            book.see(book.seq() + 1, None);
        }
        assert_eq!((book.charts.len(), book.seq()), (0, 100));
        let mixed = |place: usize| [Decision::Pass, Decision::Reject, Decision::Undecided][place % 3];
        let mut turns = Vec::new();
        for place in 0..50 {
            turns.extend(book.see(book.seq() + 1, Some(&row("default", "f", mixed(place)))).0);
        }
        assert!(matches!(turns[..], [Told::Begun(_), Told::Begun(_)]), "{turns:?}");
        for _ in 0..10 {
            turns.extend(book.see(book.seq() + 1, Some(&row("default", "f", Decision::Undecided))).0);
        }
        let [.., Told::Alarm(alarm)] = turns.as_slice() else { panic!("{turns:?}") };
        assert_eq!((alarm.place.rate, turns.len()), (ChartRate::Undecided, 3), "no reject is no alarm yet: {turns:?}");
    }

    #[test]
    fn charts_have_a_bound() {
        let mut book = book();
        for number in 0..MOST + 3 {
            show(&mut book, &format!("r{number}"), "f", 1, 0);
        }
        assert_eq!(book.charts.len(), MOST);
        let known = |recipe: &str| book.charts.iter().any(|chart| chart.place.recipe == name(recipe));
        assert!(!known("r0") && !known("r2") && known("r3") && known("r258"));
    }

    #[test]
    fn it_goes_on_with_its_own_journal_and_settings_only() {
        let mut one = book();
        show(&mut one, "default", "f", 9, 5);
        assert!(one.goes_on(&book(), 9) && !one.goes_on(&book(), 8), "a book is never ahead of its journal");
        assert!(!one.goes_on(&Book::new(Uuid::from_u128(8), told(&[ChartRate::Rejected])), 9));
        assert!(!one.goes_on(&Book::new(Uuid::from_u128(7), told(&[ChartRate::Undecided])), 9));
    }

    proptest! {
        /// Cut off anywhere, with what was kept at the last full subgroup, a book that counts the rest again comes to the same.
        #[test]
        fn a_cut_changes_nothing(
            parts in proptest::collection::vec((0_u8..2, 0_u8..2, any::<bool>()), 1..300), cut in 0_usize..300
        ) {
            let rows: Vec<Row> = parts.iter().map(|(recipe, fit, bad)| {
                let verdict = if *bad { Decision::Reject } else { Decision::Pass };
                row(&format!("r{recipe}"), &format!("f{fit}"), verdict)
            }).collect();
            let count = |book: &mut Book, to: usize| {
                let mut kept = serde_json::to_string(&*book).unwrap();
                while book.seq() < to as u64 {
                    let next = usize::try_from(book.seq()).unwrap();
                    if book.see(next as u64 + 1, rows.get(next)).1 {
                        kept = serde_json::to_string(&*book).unwrap();
                    }
                }
                kept
            };
            let (mut whole, mut before) = (book(), book());
            count(&mut whole, rows.len());
            let mut after: Book = serde_json::from_str(&count(&mut before, cut.min(rows.len()))).unwrap();
            count(&mut after, rows.len());
            prop_assert_eq!(whole, after);
        }
    }
}
