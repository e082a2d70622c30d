//! The log: lines on standard error, or entries with fields where standard error is systemd's journal.
//!
//! In the journal an event is found by its field: `journalctl -u kenpin KENPIN_EVENT=member_failed`.

use std::ffi::OsStr;
use std::io::IsTerminal as _;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// What the fields of an entry begin with.
const PREFIX: &str = "KENPIN";

/// Begins the log: `RUST_LOG` decides which lines, `quiet` leaves only errors unless it is set.
pub(super) fn start_logging(quiet: bool) {
    let usual = if quiet { "error" } else { "info,ort=warn,mqtt5=warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let (lines, failed) = match to_journal() {
        Some(Ok(journal)) => (journal, None),
        Some(Err(error)) => (to_stderr(), Some(error)),
        None => (to_stderr(), None),
    };
    // A second subscriber in one process can only come from a caller that has set one: theirs stays.
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
    if let Some(error) = failed {
        tracing::warn!("the journal cannot be written to with fields, lines go to standard error: {error}");
    }
}

type Lines = Box<dyn Layer<Registry> + Send + Sync>;

fn to_stderr() -> Lines {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(colour).boxed()
}

/// The way into the journal, where standard error leads there.
fn to_journal() -> Option<std::io::Result<Lines>> {
    let stream = std::env::var_os("JOURNAL_STREAM")?;
    let stat = rustix::fs::fstat(std::io::stderr()).ok()?;
    if !is_stream(&stream, stat.st_dev, stat.st_ino) {
        return None;
    }
    let journal = tracing_journald::layer()
        .map(|journal| journal.with_field_prefix(Some(PREFIX.into())).with_syslog_identifier("kenpin".into()).boxed());
    Some(journal)
}

/// Whether a file is the stream that `JOURNAL_STREAM` names, as `device:inode` (systemd.exec(5)). The variable is inherited,
/// so a standard error that was led elsewhere is told by it.
fn is_stream(variable: &OsStr, device: u64, inode: u64) -> bool {
    let numbers = variable.to_str().and_then(|text| text.split_once(':'));
    let numbers = numbers.and_then(|(device, inode)| Some((device.parse::<u64>().ok()?, inode.parse::<u64>().ok()?)));
    numbers == Some((device, inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_stream_is_the_journal() {
        let is = |text: &str| is_stream(OsStr::new(text), 9, 1234);
        assert!(is("9:1234"));
        for other in ["9:1235", "8:1234", "9", "", ":", "9:1234:1", "nine:1234"] {
            assert!(!is(other), "{other}");
        }
    }
}
