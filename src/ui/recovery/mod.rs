//! The recovery code on paper: 24 words are shown, then three of them asked for.
//!
//! Typing words back is the only sign that the paper exists. Which three is rolled anew each time, and while they are
//! asked for the code is on no screen. It is all that stands between a stranger and this identity, so it is shown only to
//! who types the passphrase: an open screen is no proof of who stands before it.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use zeroize::Zeroizing;

use super::keys::{Action, Place};
use super::look::Look;
use super::message::Ticket;
use super::screen::{Context, Dots, Go, Outcome, Screen, in_one_line};
use super::widget::field::Field;
use super::widget::form::Form;
use super::widget::popup;
use crate::encoding::text::shown;
use crate::node::api::{FailureCode, Passphrase, Reply, Request};

/// Words asked for.
const ASKED: usize = 3;

/// How often wrong words may be typed before the code is shown again.
const TRIES_MAX: usize = 3;

/// So long after it came up no key counts, in milliseconds.
const HOLD_MS: u64 = 600;

/// Words one below the other.
const ROWS: usize = 6;

/// What the screen waits for.
enum Stage {
    /// Her passphrase, once she has paper and nobody looks over her shoulder.
    Ready(Form),
    /// The words from the node.
    Code,
    /// That they are on paper.
    Written(Zeroizing<Vec<String>>),
    /// Words at some places.
    Words { places: Vec<usize>, words: usize, form: Form, tries: usize },
}

/// The recovery code.
pub struct Recovery {
    stage: Stage,
    asked: Option<Ticket>,
    confirmed: Option<bool>,
    shown_ms: u64,
    /// The paper had other words.
    differed: bool,
}

impl Recovery {
    /// `confirmed`: whether it is on paper already, as far as that is known.
    pub fn new(confirmed: Option<bool>) -> Self {
        Self { stage: Stage::Ready(passphrase()), asked: None, confirmed, shown_ms: 0, differed: false }
    }

    /// Asks for the passphrase, then shows the code.
    fn ask_for_passphrase(&mut self) {
        self.stage = Stage::Ready(passphrase());
    }

    fn show(&mut self, context: &mut Context<'_>) {
        let Stage::Ready(form) = &mut self.stage else { return };
        let typed = form.untrimmed(0);
        if typed.is_empty() {
            form.refuse(0, "Your passphrase is needed: an open screen is no proof that it is you.");
            return;
        }
        let typed = Passphrase(typed.to_owned());
        self.stage = Stage::Code;
        self.asked = Some(context.ask_with(Request::RecoveryCode, Some(typed), None));
    }

    fn ask_for_words(&mut self, words: usize, tries: usize, context: &mut Context<'_>) {
        let places = places(words, || context.roll());
        let fields = places.iter().map(|place| Field::new(format!("Word {place}"), "")).collect();
        self.stage = Stage::Words { places, words, form: Form::new(fields), tries };
    }

    /// Sends the words typed with their places, or says which is missing.
    fn confirm(&mut self, context: &mut Context<'_>) {
        let Stage::Words { places, form, .. } = &mut self.stage else { return };
        if let Some(empty) = (0..places.len()).find(|field| form.text(*field).is_empty()) {
            form.refuse(empty, "All three words are needed.");
            return;
        }
        let typed = places.iter().enumerate();
        let typed: Vec<String> =
            typed.map(|(field, place)| format!("{place}:{}", form.text(field).to_lowercase())).collect();
        self.asked = Some(context.ask(Request::ConfirmRecoveryCode { words: typed.join(" ") }));
    }

    fn is_held(&self, context: &Context<'_>) -> bool {
        context.now_ms.saturating_sub(self.shown_ms) < HOLD_MS
    }

    fn submit(&mut self, context: &mut Context<'_>) {
        let is_held = self.is_held(context);
        match &mut self.stage {
            _ if self.asked.is_some() => {}
            // It may have come while she was about to press Enter on the worklist.
            Stage::Ready(_) if is_held => {}
            Stage::Ready(_) => self.show(context),
            Stage::Code => {}
            Stage::Written(words) => {
                let words = words.len();
                self.ask_for_words(words, 0, context);
            }
            Stage::Words { form, .. } => {
                if form.act(Action::Submit) {
                    self.confirm(context);
                }
            }
        }
    }
}

/// Different places from 1, in order.
fn places(words: usize, mut roll: impl FnMut() -> u64) -> Vec<usize> {
    let mut left: Vec<usize> = (1..=words).collect();
    let mut places = Vec::with_capacity(ASKED);
    while places.len() < ASKED && !left.is_empty() {
        // A code has 24 words: the remainder is far below any integer's end.
        let at = usize::try_from(roll() % left.len() as u64).unwrap_or_default();
        places.push(left.swap_remove(at));
    }
    places.sort_unstable();
    places
}

impl Screen for Recovery {
    fn place(&self) -> Place {
        match self.stage {
            Stage::Ready(_) | Stage::Words { .. } => Place::Form,
            Stage::Code | Stage::Written(_) => Place::Recovery,
        }
    }

    fn title(&self) -> String {
        "recovery code".into()
    }

    fn typing(&self) -> bool {
        matches!(self.stage, Stage::Ready(_) | Stage::Words { .. })
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        self.shown_ms = context.now_ms;
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        match (action, &mut self.stage) {
            (Action::Back, Stage::Words { .. }) => self.ask_for_passphrase(),
            (Action::Back, _) => {
                if self.confirmed != Some(true) {
                    context.say("The recovery code is not confirmed; R on the worklist comes back to it.");
                }
                context.go(Go::Back);
            }
            (Action::Submit, _) => self.submit(context),
            (action, Stage::Ready(form) | Stage::Words { form, .. }) => drop(form.act(action)),
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent, context: &mut Context<'_>) {
        let is_held = self.is_held(context);
        match (&mut self.stage, self.asked) {
            (Stage::Ready(_), _) if is_held => {}
            (Stage::Ready(form) | Stage::Words { form, .. }, None) => form.key(key),
            _ => {}
        }
    }

    fn paste(&mut self, text: &str, _context: &mut Context<'_>) {
        if let (Stage::Ready(form) | Stage::Words { form, .. }, None) = (&mut self.stage, self.asked) {
            form.paste(text);
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if self.asked != Some(ticket) {
            return;
        }
        self.asked = None;
        match (outcome.as_deref(), &self.stage) {
            (Ok(Reply::RecoveryCode { words }), _) => self.stage = Stage::Written(Zeroizing::new(words.clone())),
            (Ok(_), Stage::Words { .. }) => {
                context.say_good("Right. Keep the paper where you keep your diploma.");
                context.go(Go::Back);
            }
            (Ok(_), _) => {}
            (Err(failure), Stage::Words { words, tries, .. }) if failure.code == FailureCode::WrongUse => {
                let (words, tries) = (*words, *tries + 1);
                if tries >= TRIES_MAX {
                    self.differed = true;
                    self.ask_for_passphrase();
                    return;
                }
                self.ask_for_words(words, tries, context);
                if let Stage::Words { form, .. } = &mut self.stage {
                    form.refuse(0, "Those are not the words at those places. Look at the paper again; now these:");
                }
            }
            (Err(failure), Stage::Code) => {
                self.ask_for_passphrase();
                if let Stage::Ready(form) = &mut self.stage {
                    form.refuse(0, in_one_line(failure));
                }
            }
            (Err(failure), _) => context.say_failure(failure),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let inside = popup::open(frame, popup::middle(area, 78, 17), "Your recovery code", look);
        match &self.stage {
            Stage::Ready(form) => {
                let [head, rest] = popup::head(inside, 8);
                ready(self.differed, frame, head, look);
                form.draw(frame, rest, None, look);
            }
            Stage::Code => {
                frame.render_widget(Paragraph::new(Line::styled("reading the code …", look.dim())), inside);
            }
            Stage::Written(words) => written(words, self.differed, frame, inside, look),
            Stage::Words { form, .. } => {
                let [head, rest] = popup::head(inside, 2);
                let line = Line::raw("From your paper, please; Esc goes back to the code.");
                frame.render_widget(Paragraph::new(line), head);
                form.draw(frame, rest, self.asked.map(|_| "comparing …"), look);
            }
        }
    }
}

fn passphrase() -> Form {
    Form::new(vec![Field::secret("Your passphrase, to see the words")])
}

fn ready(differed: bool, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let first = if differed {
        Line::styled("What you typed was not on the list: look at the code again.", look.bad())
    } else {
        Line::raw(
            "24 words restore your identity on another machine. Without them a lost or broken laptop is a lost identity: your colleagues would have to verify you anew.",
        )
    };
    let lines = vec![
        first,
        Line::raw(""),
        Line::raw(
            "Take pen and paper, and see that nobody and no camera looks at the screen. Whoever has the words is you.",
        ),
    ];
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), area);
}

fn written(words: &[String], differed: bool, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let mut lines = vec![
        if differed {
            Line::styled("What you typed was not on this list: compare the paper word by word.", look.bad())
        } else {
            Line::styled("Write these words on paper, in order.", look.heading())
        },
        Line::raw("Keep the paper where you keep your diploma, and no photograph of it."),
        Line::raw(""),
    ];
    for row in 0..ROWS.min(words.len()) {
        let cells = (1..).zip(words).skip(row).step_by(ROWS).flat_map(|(place, word): (usize, &String)| {
            let word = format!("{:<10}  ", shown(word));
            [Span::styled(format!("{place:>4}  "), look.dim()), Span::styled(word, look.heading())]
        });
        lines.push(Line::from_iter(cells));
    }
    lines.push(Line::raw(""));
    lines.push(Line::styled("Enter it is on paper   Esc later", look.key()));
    frame.render_widget(Paragraph::new(lines), area);
}

#[cfg(test)]
mod tests;
