//! What the node did lately, whoever asked for it: who came and went, what arrived, what was refused.
//!
//! It shows what this app has heard since the vault was opened, and nothing from before: the node keeps no such record
//! for programs, and locking wipes ours, since a line names colleagues and cases.

mod happenings;

pub use happenings::{Happening, Happenings};

use std::collections::HashMap;

use crossterm::event::{KeyEvent, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Padding, Paragraph, Row, Table, Wrap};

use super::case::CaseScreen;
use super::keys::{Action, Place};
use super::look::Look;
use super::message::Ticket;
use super::screen::{Context, Dots, Go, Outcome, Screen};
use super::widget::field::Field;
use super::widget::list::Chosen;
use crate::encoding::text::shown;
use crate::node::api::{Reply, Request};

/// Characters of an id that are shown: the letter, the dash and eight.
const ID_SHOWN: usize = 10;

/// Lines for the chosen line whole, with the border above it.
const WHOLE_ROWS: u16 = 4;

/// The log.
#[derive(Debug)]
pub struct Log {
    happenings: Happenings,
    /// Spoken names of cases, by id.
    spoken: HashMap<String, String>,
    listing: Option<Ticket>,
    chosen: Chosen,
    filter: Field,
    filtering: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            happenings: Happenings::default(),
            spoken: HashMap::new(),
            listing: None,
            chosen: Chosen::default(),
            filter: Field::new("", "part of a line"),
            filtering: false,
        }
    }
}

impl Log {
    fn seen(&self) -> Vec<&Happening> {
        let wanted: Vec<String> = self.filter.text().split_whitespace().map(str::to_lowercase).collect();
        let matches = |line: &&Happening| {
            let text =
                format!("{} {} {}", words(&line.what), self.case_name(line), line.who.as_deref().unwrap_or_default());
            let text = text.to_lowercase();
            wanted.iter().all(|word| text.contains(word))
        };
        self.happenings.iter().filter(matches).collect()
    }

    fn case_name(&self, line: &Happening) -> String {
        let Some(id) = &line.case else { return String::new() };
        self.spoken.get(id).cloned().unwrap_or_else(|| id.chars().take(ID_SHOWN).collect())
    }

    fn list_cases(&mut self, context: &mut Context<'_>) {
        if self.listing.is_none() {
            self.listing = Some(context.ask(Request::CaseList));
        }
    }

    /// Filter, titles, lines, and the chosen line whole.
    fn parts(area: Rect) -> [Rect; 4] {
        let whole = WHOLE_ROWS.min(area.height / 3);
        let rows = [Constraint::Length(1), Constraint::Length(1), Constraint::Min(0), Constraint::Length(whole)];
        Layout::vertical(rows).areas(area)
    }
}

impl Screen for Log {
    fn place(&self) -> Place {
        Place::Log
    }

    fn title(&self) -> String {
        "log".into()
    }

    fn typing(&self) -> bool {
        self.filtering
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        self.happenings = context.happenings.clone();
        self.list_cases(context);
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        let page = usize::from(Self::parts(context.area)[2].height);
        if self.chosen.act(action, self.seen().len(), page) {
            return;
        }
        match action {
            Action::Filter => self.filtering = true,
            Action::Back if self.filtering || !self.filter.text().is_empty() => {
                self.filter.clear();
                self.filtering = false;
                self.chosen = Chosen::default();
            }
            Action::Back => context.go(Go::Back),
            Action::Open if self.filtering => self.filtering = false,
            Action::Open => {
                let seen = self.seen();
                let Some(line) = seen.get(self.chosen.at) else { return };
                match line.case.as_ref().and_then(|id| self.spoken.get_key_value(id)) {
                    Some((id, spoken)) => context.go(Go::Over(Box::new(CaseScreen::new(id, spoken)))),
                    None => context.say("This line is about no case that is here."),
                }
            }
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent, _context: &mut Context<'_>) {
        if self.filtering {
            self.filter.key(key);
            self.chosen = Chosen::default();
        }
    }

    fn paste(&mut self, text: &str, _context: &mut Context<'_>) {
        if self.filtering {
            self.filter.paste(text);
            self.chosen = Chosen::default();
        }
    }

    fn pointer(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        match pointer.kind {
            MouseEventKind::ScrollDown => self.act(Action::Down, context),
            MouseEventKind::ScrollUp => self.act(Action::Up, context),
            _ => {}
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, _context: &mut Context<'_>) {
        if self.listing != Some(ticket) {
            return;
        }
        self.listing = None;
        if let Ok(Reply::Cases { cases }) = outcome.as_deref() {
            self.spoken = cases.iter().map(|case| (case.id.clone(), case.spoken.clone())).collect();
        }
    }

    fn happened(&mut self, _what: &str, case: Option<&str>, context: &mut Context<'_>) {
        let before = self.seen().len();
        self.happenings = context.happenings.clone();
        // Who has moved down to an older line stays on it.
        if self.chosen.at > 0 {
            self.chosen.at += self.seen().len().saturating_sub(before);
        }
        self.chosen.keep_within(self.seen().len());
        if case.is_some_and(|case| !self.spoken.contains_key(case)) {
            self.list_cases(context);
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let [head, title, body, whole] = Self::parts(area);
        let seen = self.seen();
        if self.filtering || !self.filter.text().is_empty() {
            self.filter.draw_line(frame, head, self.filtering, look);
        } else {
            let words = " What the node did since the vault was opened, the newest first.";
            frame.render_widget(Paragraph::new(Line::styled(words, look.dim())), head);
        }
        let widths = [Constraint::Length(15), Constraint::Fill(3), Constraint::Fill(2), Constraint::Length(20)];
        frame.render_widget(
            Table::new([Row::new([" time (UTC)", "what", "who", "case"])], widths).style(look.dim()),
            title,
        );
        if seen.is_empty() {
            let words = if self.filter.text().is_empty() { " nothing yet" } else { " no line matches; Esc shows all" };
            frame.render_widget(Paragraph::new(Line::styled(words, look.dim())), body);
            return;
        }
        let height = usize::from(body.height);
        let first = self.chosen.first_seen(height);
        let rows = seen.iter().enumerate().skip(first).take(height).map(|(number, line)| {
            let style = if number == self.chosen.at { look.chosen() } else { look.plain() };
            Row::new([
                Cell::new(Span::styled(
                    format!(" {}", clock(line)),
                    if number == self.chosen.at { style } else { look.dim() },
                )),
                Cell::new(shown(words(&line.what)).into_owned()),
                Cell::new(shown(line.who.as_deref().unwrap_or_default()).into_owned()),
                Cell::new(shown(&self.case_name(line)).into_owned()),
            ])
            .style(style)
        });
        frame.render_widget(Table::new(rows, widths), body);
        if let Some(line) = seen.get(self.chosen.at) {
            let text: Vec<String> = [line.who.as_deref(), Some(words(&line.what)), line.case.as_deref()]
                .into_iter()
                .flatten()
                .map(|part| shown(part).into_owned())
                .collect();
            let block = Block::new().borders(Borders::TOP).border_style(look.dim()).padding(Padding::horizontal(1));
            frame.render_widget(Paragraph::new(text.join(": ")).wrap(Wrap { trim: true }).block(block), whole);
        }
    }
}

/// Words of the node that are too short for somebody who was not there.
fn words(what: &str) -> &str {
    match what {
        "entries" => "entries arrived",
        "written" => "written here",
        other => other,
    }
}

/// Month, day and time to the second.
fn clock(line: &Happening) -> String {
    line.time.to_string().chars().skip(5).take(14).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
