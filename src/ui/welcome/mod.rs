//! First start: who she is, or her identity back from its recovery code; and a passphrase.
//!
//! The words of the code are typed as they stand on the paper, so they can be read on the screen, as where the code is
//! written down. They leave this form only for the node; going back or leaving it alone for a while wipes them.

mod draw;
mod restored;

use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use zeroize::Zeroizing;

use super::keys::{Action, Place};
use super::look::Look;
use super::message::Ticket;
use super::screen::{Context, Dots, Go, Outcome, Screen, in_one_line};
use super::widget::field::Field;
use super::widget::form::Form;
use super::worklist::Worklist;
use crate::identity::recovery::RecoveryCode;
use crate::identity::vault::PASSPHRASE_CHARS_MIN;
use crate::node::api::{Passphrase, RecoveryWords, Reply, Request};

use restored::Restored;

// A new identity.
const NAME: usize = 0;
const SITE: usize = 1;
const PHONE: usize = 2;

// One that is restored.
const WORDS: usize = 0;
const RESTORED_NAME: usize = 1;
const RESTORED_SITE: usize = 2;

// Both.
const PASSPHRASE: usize = 3;
const AGAIN: usize = 4;

/// Words of a recovery code stay on the screen so long without a key, in milliseconds: before there is a vault nothing
/// locks.
const WORDS_SHOWN_MS: u64 = 10 * 60 * 1000;

/// The form of the first start.
#[derive(Debug)]
pub struct Welcome {
    new: Form,
    /// The other form, while she restores an identity.
    restore: Option<Form>,
    asked: Option<Ticket>,
    touched_ms: u64,
}

impl Default for Welcome {
    fn default() -> Self {
        let new = Form::new(vec![
            Field::new("Your name, as colleagues know it", "Dr. Anna Weber"),
            Field::new("Your hospital or practice", "St. Vinzenz, Köln"),
            Field::new("Phone or pager for urgent findings (may stay empty)", "+49 221 …"),
            Field::secret("A passphrase for this machine"),
            Field::secret("The passphrase again"),
        ]);
        Self { new, restore: None, asked: None, touched_ms: 0 }
    }
}

fn restore() -> Form {
    Form::new(vec![
        Field::new("The 24 words, in their order", "crane velvet honey …"),
        Field::new("Your name, as colleagues know it", "Dr. Anna Weber"),
        Field::new("Your hospital or practice", "St. Vinzenz, Köln"),
        Field::secret("A passphrase for this machine"),
        Field::secret("The passphrase again"),
    ])
}

impl Welcome {
    fn form(&mut self) -> &mut Form {
        self.restore.as_mut().unwrap_or(&mut self.new)
    }

    fn submit(&mut self, context: &mut Context<'_>) {
        if let Some((field, why)) = self.mistake() {
            self.form().refuse(field, why);
            return;
        }
        let passphrase = Passphrase(self.form().untrimmed(PASSPHRASE).to_owned());
        self.asked = Some(match &self.restore {
            None => {
                let text = |field| self.new.text(field).to_owned();
                let phone = Some(text(PHONE)).filter(|phone| !phone.is_empty());
                let request = Request::Init { name: text(NAME), site: text(SITE), phone };
                context.ask_with(request, Some(passphrase), None)
            }
            Some(form) => {
                let text = |field| form.text(field).to_owned();
                let words = RecoveryWords(text(WORDS));
                let (name, site) = (text(RESTORED_NAME), text(RESTORED_SITE));
                context.ask(Request::VaultRecover { words, new: passphrase, name, site })
            }
        });
    }

    /// The first field that is not right, and why.
    fn mistake(&self) -> Option<(usize, String)> {
        let (form, name, site) = match &self.restore {
            None => (&self.new, NAME, SITE),
            Some(form) => (form, RESTORED_NAME, RESTORED_SITE),
        };
        if self.restore.is_some() {
            if form.text(WORDS).is_empty() {
                return Some((WORDS, "The words on your paper are needed.".into()));
            }
            // The node decides; what it would say about the words is said before they leave the form.
            if let Err(error) = RecoveryCode::parse(form.text(WORDS)) {
                return Some((WORDS, format!("This is not a recovery code: {error}.")));
            }
        }
        let passphrase = form.untrimmed(PASSPHRASE);
        if form.text(name).is_empty() {
            Some((name, "Your colleagues see this name.".into()))
        } else if form.text(site).is_empty() {
            Some((site, "Your colleagues see this place.".into()))
        } else if passphrase.is_empty() {
            Some((PASSPHRASE, "Nothing is stored without a passphrase.".into()))
        } else if passphrase.chars().count() < PASSPHRASE_CHARS_MIN {
            let why =
                format!("It is shorter than {PASSPHRASE_CHARS_MIN} characters. Take four or more unrelated words.");
            Some((PASSPHRASE, why))
        } else if form.untrimmed(AGAIN) != passphrase {
            Some((AGAIN, "The two passphrases differ.".into()))
        } else {
            None
        }
    }
}

impl Screen for Welcome {
    fn place(&self) -> Place {
        if self.restore.is_some() { Place::Restore } else { Place::Welcome }
    }

    fn title(&self) -> String {
        if self.restore.is_some() { "restore your identity".into() } else { "first start".into() }
    }

    fn typing(&self) -> bool {
        true
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        self.touched_ms = context.now_ms;
        if self.asked.is_some() {
            return;
        }
        match action {
            Action::RestoreIdentity if self.restore.is_none() => self.restore = Some(restore()),
            Action::Back => self.restore = None,
            action => {
                if self.form().act(action) {
                    self.submit(context);
                }
            }
        }
    }

    fn key(&mut self, key: KeyEvent, context: &mut Context<'_>) {
        self.touched_ms = context.now_ms;
        if self.asked.is_none() {
            self.form().key(key);
        }
    }

    fn paste(&mut self, text: &str, context: &mut Context<'_>) {
        self.touched_ms = context.now_ms;
        if self.asked.is_some() {
            return;
        }
        match &mut self.restore {
            // A code is copied line by line as often as in one line. What is pasted or typed next is another word.
            Some(form) if form.active() == WORDS => {
                let mut words = Zeroizing::new(String::with_capacity(text.len() + 1));
                for word in text.split_whitespace() {
                    words.push_str(word);
                    words.push(' ');
                }
                form.paste(&words);
            }
            _ => self.form().paste(text),
        }
    }

    fn pointer(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        let at = Position::new(pointer.column, pointer.row);
        let is_click = pointer.kind == MouseEventKind::Down(MouseButton::Left);
        if is_click && self.restore.is_none() && draw::choice(context.area).contains(at) {
            self.act(Action::RestoreIdentity, context);
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if self.asked != Some(ticket) {
            return;
        }
        self.asked = None;
        match outcome.as_deref() {
            Ok(reply) => {
                context.go(Go::Only(Box::new(Worklist::default())));
                if let (Reply::Initialised(made), true) = (reply, self.restore.is_some()) {
                    context.go(Go::Over(Box::new(Restored::new(&made.identity))));
                }
            }
            Err(failure) => {
                let field = self.form().active();
                self.form().refuse(field, in_one_line(failure));
            }
        }
    }

    fn tick(&mut self, context: &mut Context<'_>) {
        let is_left_alone = context.now_ms.saturating_sub(self.touched_ms) >= WORDS_SHOWN_MS;
        if is_left_alone && self.asked.is_none() && self.restore.take().is_some() {
            context.say("The words were taken off the screen: nobody had typed for ten minutes.");
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        match &self.restore {
            None => draw::new(&self.new, self.asked.is_some(), frame, area, look),
            Some(form) => draw::restore(form, self.asked.is_some(), frame, area, look),
        }
    }
}

#[cfg(test)]
mod tests;
