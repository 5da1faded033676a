//! The locked screen: a passphrase, and nothing of anybody.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use super::keys::{Action, Place};
use super::look::Look;
use super::message::Ticket;
use super::screen::{Context, Dots, Go, Outcome, Screen};
use super::widget::field::Field;
use super::widget::popup;
use super::worklist::Worklist;
use crate::node::api::{FailureCode, Passphrase, Request};

/// Asks for the passphrase.
#[derive(Debug)]
pub struct Unlock {
    passphrase: Field,
    asked: Option<Ticket>,
    failed: Option<String>,
    /// No passphrase is taken before this time, in milliseconds since the start of the app.
    not_before_ms: u64,
    /// Seconds until then, as they were told last.
    left_seconds: u64,
    given: Option<Passphrase>,
}

impl Default for Unlock {
    fn default() -> Self {
        Self {
            passphrase: Field::secret("Passphrase"),
            asked: None,
            failed: None,
            not_before_ms: 0,
            left_seconds: 0,
            given: None,
        }
    }
}

impl Unlock {
    /// Tries a passphrase that was given at the start before it asks for one.
    pub fn new(given: Option<Passphrase>) -> Self {
        Self { given, ..Self::default() }
    }

    /// Counts down.
    fn count(&mut self, now_ms: u64) {
        self.left_seconds = self.not_before_ms.saturating_sub(now_ms).div_ceil(1000);
    }

    fn open(&mut self, passphrase: Passphrase, context: &mut Context<'_>) {
        self.failed = None;
        self.asked = Some(context.ask_with(Request::Unlock, Some(passphrase), None));
    }
}

impl Screen for Unlock {
    fn place(&self) -> Place {
        Place::Unlock
    }

    fn title(&self) -> String {
        "locked".into()
    }

    fn typing(&self) -> bool {
        true
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        if let Some(passphrase) = self.given.take() {
            self.open(passphrase, context);
        }
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        self.count(context.now_ms);
        // What comes too early stays in its field.
        let may_try = self.asked.is_none() && self.left_seconds == 0;
        if action == Action::Submit && may_try && !self.passphrase.text().is_empty() {
            let passphrase = Passphrase(self.passphrase.text().to_owned());
            self.passphrase.clear();
            self.open(passphrase, context);
        }
    }

    fn key(&mut self, key: KeyEvent, _context: &mut Context<'_>) {
        if self.asked.is_none() {
            self.passphrase.key(key);
        }
    }

    fn paste(&mut self, text: &str, _context: &mut Context<'_>) {
        self.passphrase.paste(text);
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if self.asked != Some(ticket) {
            return;
        }
        self.asked = None;
        match outcome {
            Ok(_) => context.go(Go::Only(Box::new(Worklist::default()))),
            Err(failure) => {
                self.failed = Some(match failure.code {
                    FailureCode::TooSoon => "It came too early and was not tried.".into(),
                    _ => failure.what.clone(),
                });
                let wait_ms = failure.wait_seconds.unwrap_or_default().saturating_mul(1000);
                self.not_before_ms = context.now_ms.saturating_add(wait_ms);
                self.count(context.now_ms);
            }
        }
    }

    fn tick(&mut self, context: &mut Context<'_>) {
        self.count(context.now_ms);
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let inside = popup::open(frame, popup::middle(area, 60, 8), "Overread is locked", look);
        self.passphrase.draw(frame, Rect { height: 2.min(inside.height), ..inside }, self.asked.is_none(), look);
        let below = Rect { y: inside.y + 3.min(inside.height), height: inside.height.saturating_sub(3), ..inside };
        let lines = match (&self.failed, self.asked) {
            (_, Some(_)) => vec![Line::styled("opening the vault …", look.dim())],
            (Some(failed), None) => {
                let mut lines = vec![Line::styled(failed.as_str(), look.bad())];
                lines.extend(match self.left_seconds {
                    0 => None,
                    left => Some(Line::styled(format!("The next one is taken in {}.", time(left)), look.warn())),
                });
                lines
            }
            (None, None) => {
                vec![Line::styled("Deliveries are taken in meanwhile; nothing is opened or signed.", look.dim())]
            }
        };
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), below);
    }
}

/// Minutes and seconds.
fn time(seconds: u64) -> String {
    match seconds / 60 {
        0 => format!("{seconds} s"),
        minutes => format!("{minutes} min {} s", seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::api::{Failure, Reply};
    use crate::ui::app::harness::{Harness, SIZES};

    /// A locked app whose node says this to every passphrase.
    fn refused(size: (u16, u16), failure: &Failure) -> Harness {
        let mut app = Harness::new(size, |_| None);
        app.control('l');
        let failure = failure.clone();
        app.script(move |request| matches!(request, Request::Unlock).then(|| Err(failure.clone())));
        app.asked.clear();
        app.keys("wrong horse").enter();
        app
    }

    #[test]
    fn after_a_wrong_passphrase_the_time_until_the_next_is_counted_down() {
        for size in SIZES {
            let wrong = Failure::new(FailureCode::WrongPassphrase, "The passphrase is wrong.").wait(75);
            let mut app = refused(size, &wrong);
            app.looks_like("unlock-wait");
            assert!(app.shows("The next one is taken in 1 min 15 s."), "{}", app.screen());
            app.pass(15_500);
            assert!(app.shows("The next one is taken in 1 min 0 s."), "{}", app.screen());
            // What is typed meanwhile is kept for when it may be tried.
            app.keys("right horse").enter();
            assert_eq!(app.asked.len(), 1);
            app.script(|request| matches!(request, Request::Unlock).then(|| Ok(Reply::Nothing {})));
            app.pass(59_400).enter();
            assert!(app.shows("in 1 s.") && app.asked.len() == 1, "{}", app.screen());
            app.pass(100);
            assert!(app.shows("The passphrase is wrong.") && !app.shows("taken in"), "{}", app.screen());
            app.enter();
            assert!(app.shows("No case yet"), "{}", app.screen());
        }
    }

    #[test]
    fn a_passphrase_that_came_too_early_is_said_to_be_untried() {
        let early =
            Failure::new(FailureCode::TooSoon, "After 2 wrong passphrases the next one is taken in 2 s.").wait(2);
        let mut app = refused((80, 24), &early);
        assert!(app.shows("not tried") && app.shows("taken in 2 s."), "{}", app.screen());
        app.pass(2_000).keys("x").enter();
        assert_eq!(app.asked.len(), 2);
    }
}
