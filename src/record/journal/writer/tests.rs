//! The writer on a full disk, with labels beside verdicts, and where a group cannot be taken back.

use super::*;
use crate::config;
use crate::flow::review::Truth;
use crate::record::journal::labels::Way;

fn asked(writer: &mut Writer, part: &str, bytes: usize) -> oneshot::Receiver<Result<u64, JournalError>> {
    let (reply, answer) = oneshot::channel();
    let body: Body = Box::new(move |seq| vec![u8::try_from(seq % 256).unwrap(); bytes].into());
    writer.carry_out(Command::Append { run: "r".into(), part: part.into(), body, reply });
    answer
}

fn told(mut answer: oneshot::Receiver<Result<u64, JournalError>>) -> Result<u64, String> {
    answer.try_recv().unwrap().map_err(|error| error.to_string())
}

fn writer(folder: &tempfile::TempDir) -> Writer {
    let settings = config::Journal { path: folder.path().join("j"), max_bytes: 1 << 30 };
    let store = Store::open(&settings).unwrap();
    let (committed, backlog) = (watch::channel(0).0, watch::channel(Backlog::default()).0);
    Writer::new(store, true, &[], committed, backlog, Fresh::default())
}

fn admitted(writer: &mut Writer, part: &str) -> Admitted {
    writer.admit("r".into(), part.into(), false).unwrap().0
}

#[test]
fn a_full_disk_fails_the_whole_group_and_leaves_no_gap() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(&folder);
    let first = asked(&mut writer, "a", 10);
    writer.finish();
    assert_eq!(told(first), Ok(1));

    for part in ["b", "c", "d"] {
        assert_eq!(admitted(&mut writer, part), Admitted::Accepted);
    }
    writer.store.limit_pages(40);
    let group = [("b", 10), ("c", 1_000_000), ("d", 10)].map(|(part, bytes)| asked(&mut writer, part, bytes));
    writer.finish();
    for answer in group {
        let why = told(answer).unwrap_err();
        assert!(why.contains("the disk is full"), "{why}");
    }
    assert_eq!(*writer.committed.borrow(), 1);
    assert_eq!(writer.store.waiting(0, 9).unwrap(), [(1, vec![1; 10])]);
    assert_eq!(admitted(&mut writer, "b"), Admitted::Duplicate, "it is still on the road");

    writer.store.limit_pages(1_000_000);
    let again = [("b", 10), ("c", 1_000_000)].map(|(part, bytes)| asked(&mut writer, part, bytes));
    writer.finish();
    assert_eq!(again.map(told), [Ok(2), Ok(3)]);
    assert_eq!(writer.store.backlog().waiting, 3);
    assert_eq!(writer.admitted.iter().map(|(_, part)| part.as_str()).collect::<Vec<_>>(), ["d"]);
}

#[test]
fn a_label_is_answered_when_it_is_durable_and_a_wrong_one_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(&folder);
    let epoch = writer.store.epoch();
    let (mut answers, by) = (Vec::new(), crate::name::Name::new("anna").unwrap());
    let first = asked(&mut writer, "a", 10);
    for (epoch, seq, truth) in
        [(epoch, 1, Truth::Bad), (epoch, 2, Truth::Bad), (uuid::Uuid::nil(), 1, Truth::Bad), (epoch, 1, Truth::Good)]
    {
        let label = NewLabel { epoch, seq, truth, class: None, by: by.clone(), way: Way::Mqtt };
        let (reply, answer) = oneshot::channel();
        writer.carry_out(Command::Label { label, reply });
        answers.push(answer);
    }
    assert!(answers[0].try_recv().is_err(), "what is not on the disk is not told");
    let no_verdict = answers[1].try_recv().unwrap().unwrap_err().to_string();
    assert_eq!(no_verdict, "there is no verdict 2: the last one is 1");
    let other = answers[2].try_recv().unwrap().unwrap_err().to_string();
    assert!(other.starts_with("the label is for epoch 00000000"), "{other}");
    writer.finish();
    assert_eq!(told(first), Ok(1));
    let taken = answers[0].try_recv().unwrap().unwrap();
    assert_eq!(taken.to_string(), "verdict 1 on part \"a\": bad, says anna");
    let taken = answers[3].try_recv().unwrap().unwrap();
    assert_eq!(taken.to_string(), "verdict 1 on part \"a\": good, says anna; before that: bad, said anna");

    // A full disk: the label is not told as taken, and can be given again.
    writer.store.limit_pages(1);
    let label = NewLabel { epoch, seq: 1, truth: Truth::Bad, class: None, by, way: Way::Mqtt };
    let (reply, mut answer) = oneshot::channel();
    let large = asked(&mut writer, "b", 1_000_000);
    writer.carry_out(Command::Label { label, reply });
    writer.finish();
    told(large).unwrap_err();
    assert!(answer.try_recv().unwrap().is_err());
    drop(writer);
    let settings = config::Journal { path: folder.path().join("j"), max_bytes: 1 << 30 };
    let labels = crate::record::journal::beside::Beside::open(&settings).unwrap().labels().unwrap();
    let all: Vec<_> = labels.iter().map(|label| (label.truth, label.superseded)).collect();
    assert_eq!(all, [(Truth::Bad, true), (Truth::Good, false)]);
}

#[test]
fn a_group_that_cannot_be_taken_back_is_never_told_and_ends_with_the_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(&folder);
    writer.store.fail_roll_backs(true);
    let group = [asked(&mut writer, "a", 10), asked(&mut writer, "b", 10)];
    writer.failed = Some(JournalError::Closed);
    writer.finish();
    for answer in group {
        told(answer).unwrap_err();
    }
    assert_eq!(*writer.committed.borrow(), 0, "no number was announced");
    assert_eq!(*writer.backlog.borrow(), writer.store.backlog());
    assert_eq!(writer.store.backlog().waiting, 0);
    let why = told(asked(&mut writer, "a", 10)).unwrap_err();
    assert!(why.ends_with("no roll-back today"), "{why}");
    assert!(writer.store.waiting(0, 9).is_err(), "what hangs in the connection is not read");

    writer.store.fail_roll_backs(false);
    let again = asked(&mut writer, "b", 10);
    writer.finish();
    assert_eq!((told(again), *writer.committed.borrow()), (Ok(1), 1));
    assert_eq!(writer.store.waiting(0, 9).unwrap(), [(1, vec![1; 10])]);
}
