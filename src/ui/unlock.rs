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
use crate::node::api::{Passphrase, Request};

/// Asks for the passphrase.
#[derive(Debug)]
pub struct Unlock {
    passphrase: Field,
    asked: Option<Ticket>,
    failed: Option<String>,
    given: Option<Passphrase>,
}

impl Default for Unlock {
    fn default() -> Self {
        Self { passphrase: Field::secret("Passphrase"), asked: None, failed: None, given: None }
    }
}

impl Unlock {
    /// Tries a passphrase that was given at the start before it asks for one.
    pub fn new(given: Option<Passphrase>) -> Self {
        Self { given, ..Self::default() }
    }

    fn open(&mut self, passphrase: Passphrase, context: &mut Context<'_>) {
        self.failed = None;
        // Any request opens the vault; this one also asks for what comes next.
        self.asked = Some(context.ask_with(Request::CaseList, Some(passphrase), None));
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
        if action == Action::Submit && self.asked.is_none() && !self.passphrase.text().is_empty() {
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
            Err(failure) => self.failed = Some(failure.what.clone()),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let inside = popup::open(frame, popup::middle(area, 60, 8), "Overread is locked", look);
        self.passphrase.draw(frame, Rect { height: 2.min(inside.height), ..inside }, self.asked.is_none(), look);
        let below = Rect { y: inside.y + 3.min(inside.height), height: inside.height.saturating_sub(3), ..inside };
        let line = match (&self.failed, self.asked) {
            (_, Some(_)) => Line::styled("opening the vault …", look.dim()),
            (Some(failed), None) => Line::styled(failed.as_str(), look.bad()),
            (None, None) => Line::styled("Deliveries are taken in meanwhile; nothing is opened or signed.", look.dim()),
        };
        frame.render_widget(Paragraph::new(line).wrap(Wrap { trim: true }), below);
    }
}
