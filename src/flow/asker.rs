//! Who sent a reading and waits for a word on it.

use std::fmt;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Words waiting for one sender: as many as the largest queue of triggers holds.
const WORDS: usize = 1024;

/// The sender of readings who is told what becomes of each. Promises: telling never waits; a sender that does not take its
/// words is hung up on, for one that is not told everything is told nothing. It is owed words for as long as a clone lives.
#[derive(Debug, Clone)]
pub struct Asker {
    words: mpsc::Sender<String>,
    hang_up: CancellationToken,
}

impl Asker {
    /// An asker, and the words for it; `hang_up` ends its connection.
    #[must_use]
    pub fn new(hang_up: CancellationToken) -> (Self, mpsc::Receiver<String>) {
        let (words, to_say) = mpsc::channel(WORDS);
        (Self { words, hang_up }, to_say)
    }

    /// Tells it one line. One that has gone is told nothing.
    pub fn tell(&self, word: fmt::Arguments<'_>) {
        if let Err(mpsc::error::TrySendError::Full(word)) = self.words.try_send(word.to_string()) {
            tracing::warn!(
                "a sender that does not take what it is told is hung up on: {WORDS} lines wait, the next is {word:?}"
            );
            self.hang_up.cancel();
        }
    }
}

impl PartialEq for Asker {
    fn eq(&self, other: &Self) -> bool {
        self.words.same_channel(&other.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_does_not_listen_is_hung_up_on_and_who_has_gone_is_told_nothing() {
        let hang_up = CancellationToken::new();
        let (asker, mut to_say) = Asker::new(hang_up.clone());
        (0..WORDS).for_each(|word| asker.tell(format_args!("{word}")));
        assert!(!hang_up.is_cancelled());
        asker.tell(format_args!("too many"));
        assert!(hang_up.is_cancelled());
        assert_eq!(to_say.recv().await.as_deref(), Some("0"));
        drop(to_say);
        asker.tell(format_args!("gone"));
        assert_eq!(asker, asker.clone());
        assert_ne!(asker, Asker::new(hang_up).0);
    }
}
