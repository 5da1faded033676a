//! The recovery code on paper: 24 words are shown, then three of them asked for.
//!
//! Typing words back is the only sign that the paper exists. Which three is rolled anew each time, and while they are
//! asked for the code is on no screen. Whoever shows the code here has the vault open; it is shown only when asked for,
//! since it is all that stands between a stranger and this identity.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use zeroize::Zeroizing;

use super::keys::{Action, Place};
use super::look::Look;
use super::message::Ticket;
use super::screen::{Context, Dots, Go, Outcome, Screen};
use super::widget::field::Field;
use super::widget::form::Form;
use super::widget::popup;
use crate::encoding::text::shown;
use crate::node::api::{FailureCode, Reply, Request};

/// Words asked for.
const ASKED: usize = 3;

/// How often wrong words may be typed before the code is shown again.
const TRIES_MAX: usize = 3;

/// So long after it came up no key shows the code, in milliseconds.
const HOLD_MS: u64 = 600;

/// Words one below the other.
const ROWS: usize = 6;

/// What the screen waits for.
enum Stage {
    /// That she has paper, and nobody looks over her shoulder.
    Ready,
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
        Self { stage: Stage::Ready, asked: None, confirmed, shown_ms: 0, differed: false }
    }

    fn show(&mut self, context: &mut Context<'_>) {
        self.stage = Stage::Code;
        self.asked = Some(context.ask(Request::RecoveryCode));
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

    fn submit(&mut self, context: &mut Context<'_>) {
        match &mut self.stage {
            _ if self.asked.is_some() => {}
            // It may have come while she was about to press Enter on the worklist.
            Stage::Ready if context.now_ms.saturating_sub(self.shown_ms) < HOLD_MS => {}
            Stage::Ready => self.show(context),
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
            Stage::Words { .. } => Place::Form,
            Stage::Ready | Stage::Code | Stage::Written(_) => Place::Recovery,
        }
    }

    fn title(&self) -> String {
        "recovery code".into()
    }

    fn typing(&self) -> bool {
        matches!(self.stage, Stage::Words { .. })
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        self.shown_ms = context.now_ms;
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        match (action, &mut self.stage) {
            (Action::Back, Stage::Words { .. }) => self.show(context),
            (Action::Back, _) => {
                if self.confirmed != Some(true) {
                    context.say("The recovery code is not confirmed; R on the worklist comes back to it.");
                }
                context.go(Go::Back);
            }
            (Action::Submit, _) => self.submit(context),
            (action, Stage::Words { form, .. }) => drop(form.act(action)),
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent, _context: &mut Context<'_>) {
        if let (Stage::Words { form, .. }, None) = (&mut self.stage, self.asked) {
            form.key(key);
        }
    }

    fn paste(&mut self, text: &str, _context: &mut Context<'_>) {
        if let (Stage::Words { form, .. }, None) = (&mut self.stage, self.asked) {
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
                    self.show(context);
                    return;
                }
                self.ask_for_words(words, tries, context);
                if let Stage::Words { form, .. } = &mut self.stage {
                    form.refuse(0, "Those are not the words at those places. Look at the paper again; now these:");
                }
            }
            (Err(failure), _) => {
                context.say_failure(failure);
                if let Stage::Code = self.stage {
                    self.stage = Stage::Ready;
                }
            }
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let inside = popup::open(frame, popup::middle(area, 78, 17), "Your recovery code", look);
        match &self.stage {
            Stage::Ready | Stage::Code => ready(matches!(self.stage, Stage::Code), frame, inside, look),
            Stage::Written(words) => written(words, self.differed, frame, inside, look),
            Stage::Words { form, .. } => {
                let [head, rest] = popup::head(inside, 2);
                let line = Line::raw("From your paper, please; Esc shows the code once more.");
                frame.render_widget(Paragraph::new(line), head);
                form.draw(frame, rest, self.asked.map(|_| "comparing …"), look);
            }
        }
    }
}

fn ready(asked: bool, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let last = if asked {
        Line::styled("reading the code …", look.dim())
    } else {
        Line::styled("Enter shows the words   Esc later", look.key())
    };
    let lines = vec![
        Line::raw(
            "24 words restore your identity on another machine. Without them a lost or broken laptop is a lost identity: your colleagues would have to verify you anew.",
        ),
        Line::raw(""),
        Line::raw(
            "Take pen and paper, and see that nobody and no camera looks at the screen. Whoever has the words is you.",
        ),
        Line::raw(""),
        last,
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
