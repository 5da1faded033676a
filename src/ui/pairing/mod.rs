//! Two people on the phone become colleagues: one opens a door and reads a code aloud, the other types it.
//!
//! Who leaves this screen ends what it began, also by locking: no door stays open behind anybody's back. Whether the
//! code was right is decided by the node; the person decides whether the name is that of the voice she hears.

mod draw;

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;

use super::keys::{Action, Place};
use super::look::Look;
use super::message::{Ticket, Wish};
use super::screen::{Context, Dots, Go, Outcome, Screen, in_one_line};
use super::widget::field::Field;
use super::widget::form::Form;
use crate::encoding::text::shown;
use crate::node::api::{Event, Failure, FailureCode, Reply, Request};

/// How long a code is good for, in milliseconds; the node's clock decides, this one is shown.
const CODE_LIFE_MS: u64 = 120_000;

/// Codes of one opening of the door.
const CODES_MAX: usize = 3;

/// A code that is replaced so close to its end has run out, and was not used, in milliseconds.
const RAN_OUT_WITHIN_MS: u64 = 1_500;

const CODE: usize = 0;
const ADDRESS: usize = 1;

/// Which side of the door this person is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Opens,
    Joins,
}

/// What the screen waits for.
#[derive(Debug)]
enum Stage {
    /// The node opens the door.
    Opening,
    /// Somebody with the code.
    Guest(Door),
    /// The code is typed.
    Typing,
    /// The other's door is looked for, and the code tried.
    Searching,
    /// This person's yes or no.
    Decision(Guest),
    /// The other person's.
    TheirDecision(Guest),
    /// That the other side has heard this person's no.
    Declining,
    /// Nothing any more.
    Ended(Failure),
}

/// An open door.
#[derive(Debug, Clone)]
struct Door {
    code: String,
    addresses: Vec<String>,
    command: String,
    opened_ms: u64,
    /// Which of its codes it is, from 1.
    number: usize,
    /// Why the code before is not good any more.
    before: Option<Spent>,
}

/// What became of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spent {
    Guessed,
    RanOut,
}

/// Who stands at the door, as her card says.
#[derive(Debug, Clone)]
struct Guest {
    name: String,
    site: String,
    fingerprint: String,
}

/// Becoming colleagues.
#[derive(Debug)]
pub struct Pairing {
    side: Side,
    stage: Stage,
    form: Form,
    asked: Option<Ticket>,
    /// Codes the door has had since it was opened.
    codes: usize,
    now_ms: u64,
}

impl Pairing {
    /// Opens the door and shows the code.
    pub fn opening() -> Self {
        Self::new(Side::Opens, Stage::Opening)
    }

    /// Asks for the code that is read aloud.
    pub fn joining() -> Self {
        Self::new(Side::Joins, Stage::Typing)
    }

    fn new(side: Side, stage: Stage) -> Self {
        let form = Form::new(vec![
            Field::new("The code you hear", "a number and three words; four letters of each are enough"),
            Field::new("Address, if one was read to you (else it stays empty)", "/ip4/10.0.3.7/tcp/4010"),
        ]);
        Self { side, stage, form, asked: None, codes: 0, now_ms: 0 }
    }

    fn open(&mut self, context: &mut Context<'_>) {
        self.stage = Stage::Opening;
        self.codes = 0;
        self.asked = Some(context.ask(Request::PairOpen));
    }

    fn join(&mut self, context: &mut Context<'_>) {
        if self.form.text(CODE).is_empty() {
            self.form.refuse(CODE, "Type the code that is read to you.");
            return;
        }
        let at = Some(self.form.text(ADDRESS).to_owned()).filter(|address| !address.is_empty());
        let request = Request::PairJoin { code: self.form.text(CODE).to_owned(), at: at.into_iter().collect() };
        self.stage = Stage::Searching;
        self.asked = Some(context.ask(request));
    }

    fn decide(&mut self, yes: bool, context: &mut Context<'_>) {
        let (Stage::Decision(guest), Some(ticket)) = (&self.stage, self.asked) else { return };
        self.stage = if yes { Stage::TheirDecision(guest.clone()) } else { Stage::Declining };
        context.wish(Wish::Confirm { ticket, yes });
    }

    fn end(&mut self, context: &mut Context<'_>) {
        if let Some(ticket) = self.asked.take() {
            context.wish(Wish::Cancel { ticket });
        }
    }

    /// The code that is shown, and what became of the one before.
    fn door_opened(&mut self, code: &str, addresses: &[String], command: &str) {
        let ran_out =
            |door: &Door| self.now_ms.saturating_sub(door.opened_ms) >= CODE_LIFE_MS.saturating_sub(RAN_OUT_WITHIN_MS);
        let before = match &self.stage {
            _ if self.codes == 0 => None,
            Stage::Guest(door) if ran_out(door) => Some(Spent::RanOut),
            _ => Some(Spent::Guessed),
        };
        self.codes += 1;
        self.stage = Stage::Guest(Door {
            code: code.to_owned(),
            addresses: addresses.to_vec(),
            command: command.to_owned(),
            opened_ms: self.now_ms,
            number: self.codes,
            before,
        });
    }
}

impl Screen for Pairing {
    fn place(&self) -> Place {
        match self.stage {
            Stage::Opening | Stage::Guest(_) | Stage::Searching | Stage::TheirDecision(_) | Stage::Declining => {
                Place::Pairing
            }
            Stage::Typing => Place::Form,
            Stage::Decision(_) => Place::PairingConfirm,
            Stage::Ended(_) => Place::PairingEnded,
        }
    }

    fn title(&self) -> String {
        match self.side {
            Side::Opens => "pairing: read a code aloud".into(),
            Side::Joins => "pairing: type a code".into(),
        }
    }

    fn typing(&self) -> bool {
        matches!(self.stage, Stage::Typing)
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        self.now_ms = context.now_ms;
        if matches!(self.stage, Stage::Opening) && self.asked.is_none() {
            self.open(context);
        }
    }

    fn dropped(&mut self, context: &mut Context<'_>) {
        self.end(context);
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        match (action, &self.stage) {
            (Action::Back, _) => context.go(Go::Back),
            (Action::Accept, _) => self.decide(true, context),
            (Action::Decline, _) => self.decide(false, context),
            (Action::Submit, Stage::Ended(_)) => self.open(context),
            (action, Stage::Typing) if self.form.act(action) => self.join(context),
            // Most people are told no address: Enter behind the code is enough.
            (Action::Submit, Stage::Typing) if self.form.text(ADDRESS).is_empty() => self.join(context),
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent, _context: &mut Context<'_>) {
        if self.typing() {
            self.form.key(key);
        }
    }

    fn paste(&mut self, text: &str, _context: &mut Context<'_>) {
        if self.typing() {
            self.form.paste(text);
        }
    }

    fn on_the_way(&mut self, ticket: Ticket, event: &Event, context: &mut Context<'_>) {
        if self.asked != Some(ticket) {
            return;
        }
        self.now_ms = context.now_ms;
        match event {
            Event::PairingOpen { code, addresses, command } => self.door_opened(code, addresses, command),
            Event::ConfirmPerson { name, site, fingerprint } => {
                // Whoever reads a code aloud may be looking elsewhere.
                context.wish(Wish::Bell);
                let (name, site, fingerprint) = (name.clone(), site.clone(), fingerprint.clone());
                self.stage = Stage::Decision(Guest { name, site, fingerprint });
            }
            _ => {}
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if self.asked != Some(ticket) {
            return;
        }
        self.asked = None;
        match outcome.as_deref() {
            Ok(Reply::Paired { colleague }) => {
                let (name, site) = (shown(&colleague.name), shown(&colleague.site));
                context.say_good(&format!("{name}, {site} is now a {} colleague.", shown(&colleague.trust)));
                context.go(Go::Back);
            }
            Ok(_) => context.go(Go::Back),
            Err(failure) if self.side == Side::Joins => {
                // A code that was tried is used up: the next one is typed into an empty field.
                if !matches!(failure.code, FailureCode::WrongUse | FailureCode::NotReached) {
                    self.form.set(CODE, "");
                }
                self.form.refuse(CODE, in_one_line(failure));
                self.stage = Stage::Typing;
            }
            Err(failure) => self.stage = Stage::Ended(failure.clone()),
        }
    }

    fn tick(&mut self, context: &mut Context<'_>) {
        self.now_ms = context.now_ms;
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        draw::pairing(self, frame, area, look);
    }
}

#[cfg(test)]
mod tests;
