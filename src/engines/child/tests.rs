//! Children that behave in every way a builder can: the shell stands in for it.

use std::cell::RefCell;

use super::*;

/// Runs a script of the shell.
fn script(text: &str, limits: &Limits<'_>) -> (Result<(), Stopped>, Vec<Told>) {
    let heard = RefCell::new(Vec::new());
    let call = Call {
        name: "the builder",
        program: Some(Path::new("/bin/sh")),
        arguments: ["-c".into(), text.into()].into(),
        input: b"job\n".to_vec(),
    };
    let done = run(&call, limits, |told| heard.borrow_mut().push(told));
    (done, heard.into_inner())
}

fn limits(root: &Path) -> Limits<'_> {
    Limits { time: Duration::from_mins(1), reserve: 0, root, called_off: &|| false }
}

fn told(text: &str) -> (Result<(), Stopped>, Vec<Told>) {
    script(text, &limits(Path::new("/")))
}

fn why(text: &str) -> String {
    told(text).0.unwrap_err().why
}

/// A last word that is quoted for the shell.
const DONE: &str = "echo '\"done\"'";

#[test]
fn a_child_is_heard_to_its_end() {
    let (done, heard) = told(&format!("read job; echo '{{\"stage\":\"at '$job'\"}}'; echo noise; {DONE}"));
    assert_eq!((done, heard), (Ok(()), vec![Told::Stage("at job".into())]));
}

#[test]
fn however_a_child_ends_one_sentence_says_so() {
    assert_eq!(why("kill -SEGV $$"), "the builder was killed by signal 11 (segmentation fault)");
    assert_eq!(why(&format!("{DONE}; kill -ABRT $$")), "the builder was killed by signal 6 (abort)");
    assert_eq!(why("kill -BUS $$"), "the builder was killed by signal 7 (bus error)");
    assert_eq!(why("kill -KILL $$"), "the builder was killed by signal 9: the kernel does that when memory runs out");
    assert_eq!(why("exit 7"), "the builder ended with exit code 7");
    assert_eq!(why(&format!("{DONE}; exit 1")), "the builder ended with exit code 1", "a last word is not enough");
    assert_eq!(why("exit 0"), "the builder ended without saying what came of it");
    assert_eq!(why("echo '{\"failed\":\"a reference is not reproduced\"}'; exit 1"), "a reference is not reproduced");
    assert_eq!(why("exec >&-; read job; exit 3"), "the builder ended with exit code 3", "a silent one too");
    let call = Call { name: "the builder", program: Some(Path::new("/no/such")), arguments: vec![], input: vec![] };
    let refused = run(&call, &limits(Path::new("/")), |_| ()).unwrap_err().why;
    assert!(refused.starts_with("the builder cannot be started from /no/such: "), "{refused}");
}

#[test]
fn a_child_that_takes_too_long_or_is_not_wanted_is_ended() {
    let root = Path::new("/");
    let slow = "read job; exec sleep 3600";
    let late = Limits { time: Duration::ZERO, ..limits(root) };
    assert_eq!(script(slow, &late).0.unwrap_err().why, "the builder was ended: it took longer than 0 s");
    let off = Limits { called_off: &|| true, ..limits(root) };
    let stopped = script(slow, &off).0.unwrap_err();
    assert!(stopped.called_off && stopped.why == "the builder was called off", "{stopped:?}");
}

/// A miniature root with this much memory available.
fn root(kib: u64) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("proc")).unwrap();
    let text = format!("MemTotal:       7853268 kB\nMemFree: 1 kB\nMemAvailable: {kib} kB\n");
    std::fs::write(root.path().join("proc/meminfo"), text).unwrap();
    root
}

#[test]
fn a_child_is_ended_before_memory_runs_out() {
    let root = root(431 * 1024);
    let short = Limits { reserve: 512 << 20, ..limits(root.path()) };
    let why = script("read job; exec sleep 3600", &short).0.unwrap_err().why;
    assert_eq!(why, "the builder was ended: 431 MiB of memory were available, 512 are kept in reserve");
    let enough = Limits { reserve: 431 << 20, ..limits(root.path()) };
    assert_eq!(script(DONE, &enough).0, Ok(()));
}

#[test]
fn a_child_is_the_first_to_die_and_the_last_to_be_served() {
    let (done, heard) =
        told(&format!("read job; echo \"{{\\\"stage\\\":\\\"$(cat /proc/$$/oom_score_adj) $(nice)\\\"}}\"; {DONE}"));
    assert_eq!((done, heard), (Ok(()), vec![Told::Stage("1000 15".into())]));
}
