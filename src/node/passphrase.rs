//! Who may open the vault, and how often she may try.
//!
//! After a wrong passphrase the next is not taken before some time has passed, longer with each ([`delay_after`]).
//! Nothing waits for that: what comes too early is refused at once and says how long it is, and the node goes on
//! meanwhile. The count outlives locking, and ends with the process: who can end that, or copy the vault, is held up by
//! the cost of each guess alone. Time is measured by a clock that nobody can set, so that setting the machine's clock
//! neither opens early nor locks out for longer.

use std::time::{Duration, Instant};

use super::api::{Failure, FailureCode, Passphrase};
use super::core::Node;
use super::home::{no_vault, secret, vault_failure};
use crate::identity::trust::TestCards;
use crate::identity::vault::delay_after;

/// Wrong passphrases in a row, and from when on the next is taken.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    wrong: u32,
    not_before: Option<Instant>,
}

impl Attempts {
    /// How long it is until a passphrase is taken; none, if one is taken now.
    fn wait(&self, now: Instant) -> Option<Duration> {
        let wait = self.not_before?.saturating_duration_since(now);
        (!wait.is_zero()).then_some(wait)
    }

    fn was_right(&mut self) {
        *self = Self::default();
    }

    fn was_wrong(&mut self, now: Instant) {
        self.wrong = self.wrong.saturating_add(1);
        self.not_before = now.checked_add(delay_after(self.wrong));
    }

    /// Refuses what comes too early, without counting it.
    fn check(&self, now: Instant) -> Result<(), Failure> {
        let Some(wait) = self.wait(now) else { return Ok(()) };
        let seconds = whole_seconds(wait);
        let wrong =
            if self.wrong == 1 { "a wrong passphrase".into() } else { format!("{} wrong passphrases", self.wrong) };
        Err(Failure::new(FailureCode::TooSoon, format!("After {wrong} the next one is taken in {seconds} s."))
            .hint("Nothing was tried. Wait, then type it once more.")
            .wait(seconds))
    }
}

/// So many seconds that it is over after them.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

impl Node {
    /// Opens the vault unless it is open.
    pub async fn unlock(&mut self, passphrase: Option<Passphrase>) -> Result<(), Failure> {
        if self.is_open() {
            return Ok(());
        }
        if self.home.vault_file()?.is_none() {
            return Err(no_vault());
        }
        let passphrase = passphrase.ok_or_else(|| needed("The vault is locked."))?;
        let test_cards = if self.options.test_cards { TestCards::Allow } else { TestCards::Refuse };
        let store = self.store.clone();
        let (open, store) = self.try_passphrase(|node| node.home.open(&passphrase, store, test_cards))?;
        self.opened(open, store).await
    }

    /// Checks that who asks knows the passphrase of the open vault: whoever stands at an unlocked screen is not yet its
    /// owner.
    pub fn prove(&mut self, passphrase: Option<Passphrase>) -> Result<(), Failure> {
        let passphrase =
            passphrase.ok_or_else(|| needed("This needs the passphrase of the vault, though it is open."))?;
        let check = |node: &Self| node.me()?.vault.check_passphrase(&secret(&passphrase)).map_err(vault_failure);
        self.try_passphrase(check)
    }

    fn try_passphrase<T>(&mut self, open: impl FnOnce(&Self) -> Result<T, Failure>) -> Result<T, Failure> {
        self.attempts.check(Instant::now())?;
        let opened = tokio::task::block_in_place(|| open(self));
        match opened {
            Ok(opened) => {
                self.attempts.was_right();
                Ok(opened)
            }
            Err(failure) if failure.code == FailureCode::WrongPassphrase => {
                let now = Instant::now();
                self.attempts.was_wrong(now);
                let seconds = self.attempts.wait(now).map_or(0, whole_seconds);
                Err(failure
                    .hint(format!("The next one is taken in {seconds} s, and later after each wrong one."))
                    .wait(seconds))
            }
            Err(failure) => Err(failure),
        }
    }
}

fn needed(what: &str) -> Failure {
    Failure::new(FailureCode::Locked, what)
        .hint("Give the passphrase: --passphrase-file F, OVERREAD_PASSPHRASE, or at the prompt.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::vault::PASSPHRASE_DELAY_MAX;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_next_passphrase_is_taken_when_the_time_is_over_and_not_before() {
        let begun = Instant::now();
        let mut attempts = Attempts::default();
        assert!(attempts.check(begun).is_ok());
        for (wrong, seconds) in [(1, 1), (2, 2), (3, 4), (4, 8)] {
            attempts.was_wrong(begun);
            let failure = attempts.check(begun).unwrap_err();
            assert_eq!((failure.code, failure.wait_seconds), (FailureCode::TooSoon, Some(seconds)), "{wrong}");
            let over = begun + seconds as u32 * SECOND;
            assert_eq!(attempts.check(over - SECOND / 10).unwrap_err().wait_seconds, Some(1));
            assert!(attempts.check(over).is_ok());
        }
        attempts.was_right();
        assert!(attempts.check(begun).is_ok(), "a right one ends the row");
    }

    #[test]
    fn what_comes_too_early_makes_it_no_later() {
        let begun = Instant::now();
        let mut attempts = Attempts::default();
        attempts.was_wrong(begun);
        for _ in 0..100 {
            assert!(attempts.check(begun + SECOND / 2).is_err());
        }
        assert!(attempts.check(begun + SECOND).is_ok());
    }

    #[test]
    fn nobody_is_locked_out_for_longer_than_the_longest_delay() {
        let begun = Instant::now();
        let mut attempts = Attempts { wrong: u32::MAX, not_before: None };
        attempts.was_wrong(begun);
        assert_eq!(attempts.wait(begun), Some(PASSPHRASE_DELAY_MAX));
        // Not even by a clock that goes back, as none should.
        let earlier = begun.checked_sub(SECOND).unwrap_or(begun);
        assert!(attempts.wait(earlier) <= Some(PASSPHRASE_DELAY_MAX + SECOND));
        assert!(attempts.check(begun + PASSPHRASE_DELAY_MAX).is_ok());
    }

    #[test]
    fn the_words_say_how_many_and_how_long() {
        let begun = Instant::now();
        let mut attempts = Attempts::default();
        attempts.was_wrong(begun);
        assert_eq!(attempts.check(begun).unwrap_err().what, "After a wrong passphrase the next one is taken in 1 s.");
        attempts.was_wrong(begun);
        assert_eq!(attempts.check(begun).unwrap_err().what, "After 2 wrong passphrases the next one is taken in 2 s.");
    }
}
