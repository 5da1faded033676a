//! First start: who she is, and a passphrase.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::keys::{Action, Place};
use super::look::Look;
use super::message::Ticket;
use super::screen::{Context, Dots, Go, Outcome, Screen, in_one_line};
use super::widget::field::Field;
use super::widget::popup;
use super::worklist::Worklist;
use crate::node::api::{Passphrase, Request};

const NAME: usize = 0;
const SITE: usize = 1;
const PHONE: usize = 2;
const PASSPHRASE: usize = 3;
const AGAIN: usize = 4;

/// The form of the first start.
#[derive(Debug)]
pub struct Welcome {
    fields: [Field; 5],
    active: usize,
    asked: Option<Ticket>,
    wrong: Option<String>,
}

impl Default for Welcome {
    fn default() -> Self {
        let fields = [
            Field::new("Your name, as colleagues know it", "Dr. Anna Weber"),
            Field::new("Your hospital or practice", "St. Vinzenz, Köln"),
            Field::new("Phone or pager for urgent findings (may stay empty)", "+49 221 …"),
            Field::secret("A passphrase for this machine"),
            Field::secret("The passphrase again"),
        ];
        Self { fields, active: 0, asked: None, wrong: None }
    }
}

impl Welcome {
    fn text(&self, field: usize) -> &str {
        self.fields.get(field).map_or("", Field::text)
    }

    /// The first field that is not right, and why.
    fn mistake(&self) -> Option<(usize, &'static str)> {
        if self.text(NAME).trim().is_empty() {
            Some((NAME, "Your colleagues see this name."))
        } else if self.text(SITE).trim().is_empty() {
            Some((SITE, "Your colleagues see this place."))
        } else if self.text(PASSPHRASE).is_empty() {
            Some((PASSPHRASE, "Nothing is stored without a passphrase."))
        } else if self.text(AGAIN) != self.text(PASSPHRASE) {
            Some((AGAIN, "The two passphrases differ."))
        } else {
            None
        }
    }
}

impl Screen for Welcome {
    fn place(&self) -> Place {
        Place::Welcome
    }

    fn title(&self) -> String {
        "first start".into()
    }

    fn typing(&self) -> bool {
        true
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        if self.asked.is_some() {
            return;
        }
        match action {
            Action::NextField => self.active = (self.active + 1) % self.fields.len(),
            Action::PreviousField => self.active = (self.active + self.fields.len() - 1) % self.fields.len(),
            Action::Submit if self.active < AGAIN => self.active += 1,
            Action::Submit => match self.mistake() {
                Some((field, why)) => {
                    self.active = field;
                    self.wrong = Some(why.into());
                }
                None => {
                    self.wrong = None;
                    let text = |field| self.text(field).trim().to_owned();
                    let phone = Some(text(PHONE)).filter(|phone| !phone.is_empty());
                    let request = Request::Init { name: text(NAME), site: text(SITE), phone };
                    let passphrase = Passphrase(self.text(PASSPHRASE).to_owned());
                    self.asked = Some(context.ask_with(request, Some(passphrase), None));
                }
            },
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent, _context: &mut Context<'_>) {
        if let Some(field) = self.fields.get_mut(self.active).filter(|_| self.asked.is_none()) {
            field.key(key);
        }
    }

    fn paste(&mut self, text: &str, _context: &mut Context<'_>) {
        if let Some(field) = self.fields.get_mut(self.active) {
            field.paste(text);
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if self.asked != Some(ticket) {
            return;
        }
        self.asked = None;
        match outcome {
            Ok(_) => context.go(Go::Only(Box::new(Worklist::default()))),
            Err(failure) => self.wrong = Some(in_one_line(failure)),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let inside = popup::open(frame, popup::middle(area, 84, 22), "Welcome to Overread", look);
        let intro = [
            Line::raw("Second opinions between radiologists, sealed to the colleagues you choose."),
            Line::from(vec![
                Span::styled("For review and consultation, not for primary diagnosis: ", look.warn()),
                Span::raw("a terminal is no calibrated display."),
            ]),
        ];
        let mut rest = inside;
        let mut take = |height: u16| {
            let part = Rect { height: height.min(rest.height), ..rest };
            rest = Rect { y: part.bottom(), height: rest.height - part.height, ..rest };
            part
        };
        frame.render_widget(Paragraph::new(intro.to_vec()).wrap(Wrap { trim: true }), take(4));
        for (number, field) in self.fields.iter().enumerate() {
            let area = take(if inside.height >= 19 { 3 } else { 2 });
            field.draw(frame, Rect { height: 2.min(area.height), ..area }, number == self.active, look);
        }
        let line = match (&self.wrong, self.asked) {
            (_, Some(_)) => Line::styled("making your keys and the vault …", look.dim()),
            (Some(wrong), None) => Line::styled(wrong.as_str(), look.bad()),
            (None, None) => Line::raw(""),
        };
        frame.render_widget(Paragraph::new(line).wrap(Wrap { trim: true }), rest);
    }
}
