//! The journal: numbers without gaps, one verdict a part, durability over kill -9, the disk budget, and its refusals.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kenpin::config;
use kenpin::flow::Admitted;
use kenpin::flow::review::Truth;
use kenpin::name::Name;
use kenpin::record::journal::beside::Beside;
use kenpin::record::journal::labels::{NewLabel, Way};
use kenpin::record::journal::{Entry, Journal, JournalError, Opened};
use proptest::prelude::*;

/// Tells the crash test's child where its journal lies.
const CHILD: &str = "KENPIN_TEST_JOURNAL";

fn settings(path: &Path, max_bytes: u64) -> config::Journal {
    config::Journal { path: path.into(), max_bytes }
}

fn open(path: &Path) -> Opened {
    Journal::open(&settings(path, 1 << 30), &Name::new("run-1").unwrap(), true).unwrap()
}

#[track_caller]
fn refusal(path: &Path) -> JournalError {
    Journal::open(&settings(path, 1 << 30), &Name::new("run-1").unwrap(), true).unwrap_err()
}

async fn append(journal: &Journal, part: &str, bytes: usize) -> u64 {
    let body = move |seq: u64| format!("{seq:0bytes$}").into_bytes().into();
    journal.append(part, Box::new(body)).await.unwrap()
}

#[tokio::test]
async fn numbers_run_from_one_without_gaps_and_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folder/journal.db");
    let first = open(&path);
    for seq in 1..=3 {
        assert_eq!(append(&first.journal, &format!("p{seq}"), 4).await, seq);
        assert_eq!(*first.journal.committed().borrow(), seq);
    }
    first.journal.close().await;
    let second = open(&path);
    assert_eq!(second.epoch, first.epoch);
    assert_eq!(append(&second.journal, "p4", 4).await, 4);
    let rows = second.journal.waiting(1, 2).await.unwrap();
    assert_eq!(rows, [(2, b"0002".to_vec()), (3, b"0003".to_vec())]);
    assert_eq!(second.journal.backlog().waiting, 4);
}

#[tokio::test]
async fn a_part_is_judged_once() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder.path().join("j")).journal;
    assert_eq!(journal.admit("a", false).await, Admitted::Accepted);
    assert_eq!(journal.admit("a", false).await, Admitted::Duplicate, "while it is on the road");
    append(&journal, "a", 1).await;
    assert_eq!(journal.admit("a", true).await, Admitted::Duplicate, "when it has its verdict");
    let again = journal.append("a", Box::new(|_| vec![].into())).await.unwrap_err();
    assert_eq!(again.to_string(), "part \"a\" of run run-1 already has verdict 1; a part is judged once");
    assert_eq!(append(&journal, "b", 1).await, 2, "the refused verdict used no number");
    journal.close().await;
    let other =
        Journal::open(&settings(&folder.path().join("j"), 1 << 30), &Name::new("run-2").unwrap(), true).unwrap();
    assert_eq!(other.journal.admit("a", false).await, Admitted::Accepted, "another run may have the same part id");
}

#[tokio::test]
async fn a_triggered_part_without_a_verdict_is_found_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let first = open(&path);
    for part in ["judged", "cut-off"] {
        assert_eq!(first.journal.admit(part, true).await, Admitted::Accepted);
    }
    assert_eq!(first.journal.admit("not-triggered", false).await, Admitted::Accepted);
    append(&first.journal, "judged", 1).await;
    first.journal.close().await;
    let second = Journal::open(&settings(&path, 1 << 30), &Name::new("run-2").unwrap(), true).unwrap();
    let parts: Vec<_> = second.interrupted.iter().map(|open| (open.run.as_str(), open.part.as_str())).collect();
    assert_eq!(parts, [("run-1", "cut-off")]);
    let seq = second.journal.append_interrupted(&second.interrupted[0], Box::new(|_| vec![].into())).await.unwrap();
    assert_eq!(seq, 2);
    second.journal.close().await;
    assert_eq!(open(&path).interrupted, []);
}

#[tokio::test]
async fn full_of_unsent_verdicts_it_refuses_parts_and_drops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let budget = 300_000;
    let run = Name::new("run-1").unwrap();
    let journal = Journal::open(&settings(&folder.path().join("j"), budget), &run, true).unwrap().journal;
    assert_eq!(journal.admit("on-the-road", true).await, Admitted::Accepted);
    let mut written = 0;
    let why = loop {
        match journal.admit(&format!("p{written}"), false).await {
            Admitted::Accepted => written = append(&journal, &format!("p{written}"), 4_000).await,
            Admitted::Refused { why } => break why,
            Admitted::Duplicate => panic!("p{written} is no duplicate"),
        }
    };
    let used = journal.backlog().bytes;
    assert_eq!(why, format!("journal is full: {used} bytes of {budget} are unsent verdicts"));
    assert!(used > budget && written > 30, "{written} verdicts in {used} bytes");
    assert_eq!(append(&journal, "on-the-road", 4_000).await, written + 1, "an admitted part always finds room");
    assert_eq!(journal.waiting(0, 1_000).await.unwrap().len() as u64, written + 1);
    journal.acknowledge((1..=written / 2).collect()).await.unwrap();
    assert_eq!(journal.admit("fresh", false).await, Admitted::Accepted, "acknowledged verdicts make room");
    let left = journal.waiting(0, 1_000).await.unwrap();
    assert_eq!(left.first().unwrap().0, written / 2 + 1);
    assert_eq!(left.len() as u64, written + 1 - written / 2, "only acknowledged ones were pruned");
}

#[tokio::test]
async fn pruning_never_gives_a_number_twice_and_holds_the_budget() {
    let folder = tempfile::tempdir().unwrap();
    let (path, budget) = (folder.path().join("j"), 200_000);
    let run = Name::new("run-1").unwrap();
    for start in [0, 300] {
        let journal = Journal::open(&settings(&path, budget), &run, false).unwrap().journal;
        for part in start..start + 300 {
            assert_eq!(journal.admit(&part.to_string(), true).await, Admitted::Accepted);
            assert_eq!(append(&journal, &part.to_string(), 2_000).await, part + 1);
            assert!(journal.backlog().bytes <= budget, "{:?}", journal.backlog());
        }
        assert_eq!(journal.admit(&(start + 299).to_string(), true).await, Admitted::Duplicate, "recent ones are kept");
        assert_eq!(journal.backlog().waiting, 0);
        journal.close().await;
    }
    let on_disk: u64 =
        ["j", "j-wal"].iter().filter_map(|name| folder.path().join(name).metadata().ok()).map(|m| m.len()).sum();
    assert!(on_disk <= budget, "{on_disk} bytes");
}

#[tokio::test]
async fn half_the_budget_is_kept_to_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (path, budget) = (folder.path().join("j"), 4 << 20);
    let run = Name::new("run-1").unwrap();
    let on_disk = || -> u64 {
        ["j", "j-wal"].iter().filter_map(|name| folder.path().join(name).metadata().ok()).map(|file| file.len()).sum()
    };
    let journal = Journal::open(&settings(&path, budget), &run, true).unwrap().journal;
    let written = 1_000;
    let parts: Vec<String> = (1..=written).map(|part| part.to_string()).collect();
    futures::future::join_all(parts.iter().map(|part| append(&journal, part, 3_000))).await;
    journal.acknowledge((1..=written).collect()).await.unwrap();
    journal.close().await;
    assert!(on_disk() > budget / 2, "{} bytes", on_disk());

    let journal = Journal::open(&settings(&path, budget / 2), &run, true).unwrap().journal;
    let low_water = budget / 2 / 16 * 15;
    assert!(on_disk() <= low_water && journal.backlog().bytes <= low_water, "{} bytes", on_disk());
    assert!(on_disk() > budget / 4, "no more is pruned than must be: {} bytes", on_disk());
    assert_eq!(journal.admit(&written.to_string(), false).await, Admitted::Duplicate, "recent ones are kept");
    assert_eq!(journal.admit("1", false).await, Admitted::Accepted, "a pruned part may come again");
    for part in 0..20 {
        let part = format!("fresh-{part}");
        assert_eq!(journal.admit(&part, true).await, Admitted::Accepted);
        append(&journal, &part, 3_000).await;
        assert!(journal.backlog().bytes <= budget / 2 && on_disk() <= budget / 2, "{:?}", journal.backlog());
    }
}

#[tokio::test]
async fn a_file_too_large_for_another_reason_is_not_blamed_on_unsent_verdicts() {
    let folder = tempfile::tempdir().unwrap();
    let journal =
        Journal::open(&settings(&folder.path().join("j"), 4096), &Name::new("run-1").unwrap(), true).unwrap().journal;
    let used = journal.backlog().bytes;
    let why = format!("journal is full: {used} bytes of 4096, though no verdict is unsent");
    assert_eq!(journal.admit("a", false).await, Admitted::Refused { why });
}

#[tokio::test]
async fn refusals_are_counted_until_the_verdict_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let journal = open(&path).journal;
    append(&journal, "a", 1).await;
    append(&journal, "b", 1).await;
    journal.refused(1, 0x87).await.unwrap();
    journal.refused(1, 0x97).await.unwrap();
    assert_eq!((journal.backlog().waiting, journal.backlog().refused), (2, 1));
    journal.close().await;
    let journal = open(&path).journal;
    assert_eq!((journal.backlog().waiting, journal.backlog().refused), (2, 1), "and over a restart");
    journal.acknowledge(vec![1, 1, 99]).await.unwrap();
    assert_eq!((journal.backlog().waiting, journal.backlog().refused), (1, 0));
}

#[tokio::test]
async fn what_cannot_be_a_journal_is_refused_in_plain_words() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let told = |error: JournalError| error.to_string().replace(&folder.path().display().to_string(), "");

    let held = open(&at("held"));
    assert_eq!(told(refusal(&at("held"))), "journal /held: another process has it open; one journal serves one daemon");
    held.journal.close().await;
    open(&at("held")).journal.close().await;

    rusqlite::Connection::open(at("held")).unwrap().pragma_update(None, "user_version", 9).unwrap();
    assert_eq!(told(refusal(&at("held"))), "journal /held: its schema is version 9, this build reads up to version 2");

    std::fs::write(at("garbage"), vec![b'x'; 8192]).unwrap();
    let garbage = told(refusal(&at("garbage")));
    assert!(garbage.starts_with("journal /garbage: not a sound Kenpin journal: "), "{garbage}");

    rusqlite::Connection::open(at("other")).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let other = "journal /other: not a sound Kenpin journal: its application id is 0x0, want 0x4b454e50";
    assert_eq!(told(refusal(&at("other"))), other);

    std::fs::write(at("file"), "").unwrap();
    let unwritable = told(refusal(&at("file").join("journal")));
    assert!(
        unwritable.starts_with("journal /file/journal: cannot be opened for writing: folder /file: "),
        "{unwritable}"
    );
}

/// A label of this journal.
fn label(epoch: uuid::Uuid, seq: u64, truth: Truth, by: &str) -> NewLabel {
    NewLabel { epoch, seq, truth, class: None, by: Name::new(by).unwrap(), way: Way::Cli }
}

#[tokio::test]
async fn an_older_journal_is_brought_up_to_date_and_keeps_all_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let first = open(&path);
    assert_eq!(append(&first.journal, "a", 4).await, 1);
    first.journal.close().await;
    // As version 1 had it.
    let back =
        "DROP TABLE label; DROP INDEX verdict_asked; ALTER TABLE verdict DROP COLUMN asked; PRAGMA user_version = 1";
    let older = || rusqlite::Connection::open(&path).unwrap().execute_batch(back).unwrap();
    older();
    let second = open(&path);
    assert_eq!(second.epoch, first.epoch);
    assert_eq!(second.journal.waiting(0, 9).await.unwrap(), [(1, b"0001".to_vec())]);
    assert_eq!(append(&second.journal, "b", 4).await, 2);
    second.journal.label(label(first.epoch, 1, Truth::Bad, "anna")).await.unwrap();
    second.journal.close().await;

    // A command line does it where no daemon of an older build has it open.
    older();
    let held = std::fs::File::options().write(true).open(folder.path().join("j.lock")).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let told = Beside::open(&settings(&path, 1 << 30)).unwrap_err().to_string();
    assert!(told.contains("its schema is version 1, want 2, and a daemon of an older build has it open"), "{told}");
    drop(held);
    let mut beside = Beside::open(&settings(&path, 1 << 30)).unwrap();
    beside.label(&label(first.epoch, 2, Truth::Good, "anna")).unwrap();
    let nowhere = Beside::open(&settings(&folder.path().join("nowhere"), 1)).unwrap_err().to_string();
    assert!(nowhere.contains("nowhere: cannot be read: No such file"), "{nowhere}");
    assert!(!folder.path().join("nowhere").exists());
}

#[tokio::test]
async fn labels_come_from_both_sides_supersede_each_other_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let Opened { journal, epoch, .. } = open(&path);
    let asked = |chance| move |seq: u64| Entry { body: seq.to_string().into_bytes(), asked: chance };
    for (part, chance) in [("a", Some(1.0)), ("b", Some(0.25)), ("c", None), ("d", Some(1.0))] {
        journal.append(part, Box::new(asked(chance))).await.unwrap();
    }
    let mut beside = Beside::open(&settings(&path, 1 << 30)).unwrap();
    assert_eq!((beside.epoch(), beside.count_unanswered().unwrap()), (epoch, 3));
    journal.label(label(epoch, 1, Truth::Good, "anna")).await.unwrap();
    beside.label(&label(epoch, 2, Truth::Bad, "anna")).unwrap();
    beside.label(&label(epoch, 3, Truth::Bad, "anna")).unwrap();
    assert_eq!(append(&journal, "e", 4).await, 5, "the daemon goes on");
    let taken = beside.label(&label(epoch, 1, Truth::Bad, "berta")).unwrap();
    assert_eq!(taken.to_string(), "verdict 1 on part \"a\": bad, says berta; before that: good, said anna");
    let again = journal.label(label(epoch, 1, Truth::Bad, "berta")).await.unwrap();
    assert_eq!(
        (again.said_before, again.to_string().as_str()),
        (true, "verdict 1 on part \"a\": bad, says berta, as before")
    );

    let all: Vec<_> =
        beside.labels().unwrap().into_iter().map(|one| (one.seq, one.truth, one.by, one.superseded)).collect();
    let wanted = [(1, Truth::Good, "anna", true), (2, Truth::Bad, "anna", false), (3, Truth::Bad, "anna", false)];
    let wanted = wanted.into_iter().chain([(1, Truth::Bad, "berta", false)]);
    assert_eq!(all, wanted.map(|(seq, truth, by, old)| (seq, truth, by.to_owned(), old)).collect::<Vec<_>>());
    let mut chances = Vec::new();
    beside.each_in_force(|one, body| chances.push((one.seq, one.probability, body))).unwrap();
    let body = |seq: u64| Some(seq.to_string().into_bytes());
    assert_eq!(chances, [(1, Some(1.0), body(1)), (2, Some(0.25), body(2)), (3, None, body(3))]);
    let mut waiting = Vec::new();
    beside.each_unanswered(9, |seq, _| waiting.push(seq)).unwrap();
    assert_eq!(waiting, [4]);
    let other = uuid::Uuid::from_u128(7);
    let told = journal.label(label(other, 1, Truth::Bad, "anna")).await.unwrap_err().to_string();
    assert_eq!(told, format!("the label is for epoch {other}, this journal is of epoch {epoch}"));
    for (seq, told) in
        [(0, "there is no verdict 0: the last one is 5"), (6, "there is no verdict 6: the last one is 5")]
    {
        assert_eq!(journal.label(label(epoch, seq, Truth::Bad, "anna")).await.unwrap_err().to_string(), told);
        assert_eq!(beside.label(&label(epoch, seq, Truth::Bad, "anna")).unwrap_err().to_string(), told);
    }
    journal.close().await;
    beside.label(&label(epoch, 4, Truth::Bad, "anna")).unwrap();
    assert_eq!(open(&path).epoch, epoch, "the command line holds no lock");
}

#[tokio::test]
async fn labelled_verdicts_are_spared_while_they_are_few_and_their_labels_always() {
    let folder = tempfile::tempdir().unwrap();
    let (path, budget, run) = (folder.path().join("j"), 600_000, Name::new("run-1").unwrap());
    let Opened { journal, epoch, .. } = Journal::open(&settings(&path, budget), &run, false).unwrap();
    let write = async |part: u64| append(&journal, &part.to_string(), 2_000).await;
    assert_eq!(write(0).await, 1);
    journal.label(label(epoch, 1, Truth::Bad, "anna")).await.unwrap();
    for part in 1..400 {
        write(part).await;
    }
    let pruned = journal.label(label(epoch, 2, Truth::Bad, "anna")).await.unwrap_err().to_string();
    assert_eq!(pruned, "verdict 2 is not kept any more: it was pruned to hold `[journal] max_mib`");
    let beside = Beside::open(&settings(&path, budget)).unwrap();
    let kept = |beside: &Beside| {
        let mut kept = Vec::new();
        beside.each_in_force(|one, body| kept.push((one.seq, body.is_some()))).unwrap();
        kept
    };
    assert_eq!(kept(&beside), [(1, true)]);
    // Where most are labelled, they make room for the line as the others do.
    for part in 400..800 {
        let seq = write(part).await;
        journal.label(label(epoch, seq, Truth::Good, "anna")).await.unwrap();
        assert!(journal.backlog().bytes <= budget, "{:?}", journal.backlog());
    }
    let all = kept(&beside);
    assert_eq!((all.len(), all[0], all[400].1), (401, (1, false), true));
}

#[tokio::test]
async fn a_closed_journal_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder.path().join("j")).journal;
    let other = journal.clone();
    assert!(other.heartbeat().await.is_ok());
    journal.close().await;
    let answer = other.admit("a", false).await;
    assert_eq!(answer, Admitted::Refused { why: "the journal is closed".into() });
    assert_eq!(other.heartbeat().await.unwrap_err().to_string(), "the journal is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_get_each_number_exactly_once() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder.path().join("j")).journal;
    let appends = (0..500).map(|part| {
        let journal = journal.clone();
        tokio::spawn(async move { append(&journal, &part.to_string(), 8).await })
    });
    let mut seqs: Vec<u64> = futures::future::join_all(appends).await.into_iter().map(Result::unwrap).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=500).collect::<Vec<_>>());
    for (seq, body) in journal.waiting(0, 1_000).await.unwrap() {
        assert_eq!(body, format!("{seq:08}").into_bytes(), "a body is made with its own number");
    }
}

/// What a part may have happen to it.
#[derive(Debug, Clone)]
enum Step {
    Admit { part: u8, triggered: bool },
    Append { part: u8 },
    Reopen,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn the_journal_agrees_with_a_model_of_itself(
        steps in proptest::collection::vec(prop_oneof![
            5 => (0_u8..8, any::<bool>()).prop_map(|(part, triggered)| Step::Admit { part, triggered }),
            5 => (0_u8..8).prop_map(|part| Step::Append { part }),
            1 => Just(Step::Reopen),
        ], 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        runtime.block_on(agrees(&folder.path().join("j"), steps));
    }
}

async fn agrees(path: &Path, steps: Vec<Step>) {
    let (mut judged, mut open_parts, mut on_road) = (Vec::new(), Vec::new(), Vec::new());
    let mut journal = open(path).journal;
    for step in steps {
        match step {
            Step::Admit { part, triggered } => {
                let known = judged.contains(&part) || on_road.contains(&part);
                let wanted = if known { Admitted::Duplicate } else { Admitted::Accepted };
                assert_eq!(journal.admit(&part.to_string(), triggered).await, wanted);
                if !known {
                    on_road.push(part);
                    open_parts.extend(triggered.then_some(part));
                }
            }
            Step::Append { part } => {
                let answer = journal.append(&part.to_string(), Box::new(|_| vec![].into())).await;
                if judged.contains(&part) {
                    assert!(matches!(answer, Err(JournalError::AlreadyJudged { .. })));
                } else {
                    judged.push(part);
                    assert_eq!(answer.unwrap(), judged.len() as u64);
                    on_road.retain(|other| *other != part);
                    open_parts.retain(|other| *other != part);
                }
            }
            Step::Reopen => {
                journal.close().await;
                let again = open(path);
                let mut found: Vec<u8> = again.interrupted.iter().map(|open| open.part.parse().unwrap()).collect();
                found.sort_unstable();
                open_parts.sort_unstable();
                assert_eq!(found, open_parts);
                on_road.clone_from(&open_parts);
                journal = again.journal;
            }
        }
    }
}

/// The crash test's other half: appends and tells each number it got, until it is killed. Does nothing on its own.
#[tokio::test]
async fn child_of_the_crash_test() {
    let Some(path) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let opened = open(&path);
    for open in &opened.interrupted {
        let seq =
            opened.journal.append_interrupted(open, Box::new(|seq| seq.to_string().into_bytes().into())).await.unwrap();
        println!("seq {seq} {}", open.part);
    }
    loop {
        let part = kenpin::flow::PartId::generate();
        assert_eq!(opened.journal.admit(part.as_str(), true).await, Admitted::Accepted);
        println!("admitted {part}");
        let body = Box::new(|seq: u64| seq.to_string().into_bytes().into());
        let seq = opened.journal.append(part.as_str(), body).await.unwrap();
        println!("seq {seq} {part}");
    }
}

/// Runs the child until it has told `lines` lines, kills it, and returns everything it told.
fn killed_after(lines: usize, journal: &Path) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["journal::child_of_the_crash_test", "--exact", "--nocapture"])
        .env(CHILD, journal)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = Vec::new();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    while told.len() < lines {
        let line = output.next().expect("the child ended by itself");
        told.extend(["admitted ", "seq "].iter().find_map(|word| line.find(word).map(|at| line[at..].to_owned())));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    told.extend(output.filter(|line| line.starts_with("admitted ") || line.starts_with("seq ")));
    told
}

#[tokio::test]
async fn nothing_that_was_answered_is_lost_by_kill_nine() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let (mut answered, mut admitted) = (Vec::<u64>::new(), Vec::<String>::new());
    for round in 0..20 {
        for line in killed_after(1 + round * 7 % 23, &path) {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["seq", seq, part] => {
                    answered.push(seq.parse().unwrap());
                    admitted.retain(|open| open != part);
                }
                ["admitted", part] => admitted.push(part.to_owned()),
                _ => {} // a line that the kill cut short
            }
        }
        let opened = open(&path);
        let rows = opened.journal.waiting(0, usize::MAX).await.unwrap();
        let seqs: Vec<u64> = rows.iter().map(|(seq, _)| *seq).collect();
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "no gaps after round {round}");
        assert!(answered.iter().max() <= seqs.last(), "an answered number is lost in round {round}");
        assert!(rows.iter().all(|(seq, body)| seq.to_string().as_bytes() == body), "each body has its own number");
        let open: Vec<&str> = opened.interrupted.iter().map(|open| open.part.as_str()).collect();
        // A verdict may have become durable just before the kill, without the child having told it.
        let unaccounted: Vec<_> = admitted.iter().filter(|part| !open.contains(&part.as_str())).collect();
        assert!(unaccounted.len() <= seqs.len() - answered.len(), "admitted parts are lost: {unaccounted:?}");
        answered = seqs;
        admitted.retain(|part| open.contains(&part.as_str()));
        opened.journal.close().await;
    }
    assert!(answered.len() > 50, "only {} verdicts in 20 rounds", answered.len());
}
