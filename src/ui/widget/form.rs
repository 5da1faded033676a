//! A few fields one below the other, and what is wrong with them.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use super::field::Field;
use crate::ui::keys::Action;
use crate::ui::look::Look;

/// Fields that are filled in one after the other.
#[derive(Debug)]
pub struct Form {
    fields: Vec<Field>,
    active: usize,
    /// What is wrong, until a key is pressed.
    wrong: Option<String>,
    touched: bool,
}

impl Form {
    pub fn new(fields: Vec<Field>) -> Self {
        Self { fields, active: 0, wrong: None, touched: false }
    }

    /// Whether somebody typed in it.
    pub fn is_touched(&self) -> bool {
        self.touched
    }

    /// What stands in a field, without space around it.
    pub fn text(&self, field: usize) -> &str {
        self.untrimmed(field).trim()
    }

    /// What stands in a field: a passphrase may begin with a space.
    pub fn untrimmed(&self, field: usize) -> &str {
        self.fields.get(field).map_or("", Field::text)
    }

    pub fn set(&mut self, field: usize, text: &str) {
        if let Some(field) = self.fields.get_mut(field) {
            field.set(text);
        }
    }

    /// Says what is wrong, at the field that is to be changed.
    pub fn refuse(&mut self, field: usize, why: impl Into<String>) {
        self.active = field.min(self.fields.len().saturating_sub(1));
        self.wrong = Some(why.into());
    }

    /// Moves between fields; `true` once the last one is submitted.
    pub fn act(&mut self, action: Action) -> bool {
        let count = self.fields.len().max(1);
        match action {
            Action::NextField => self.active = (self.active + 1) % count,
            Action::PreviousField => self.active = (self.active + count - 1) % count,
            Action::Submit if self.active + 1 < count => self.active += 1,
            Action::Submit => return true,
            _ => {}
        }
        false
    }

    pub fn key(&mut self, key: KeyEvent) {
        if self.fields.get_mut(self.active).is_some_and(|field| field.key(key)) {
            self.wrong = None;
            self.touched = true;
        }
    }

    pub fn paste(&mut self, text: &str) {
        if let Some(field) = self.fields.get_mut(self.active) {
            field.paste(text);
            self.wrong = None;
            self.touched = true;
        }
    }

    /// The field that is typed in.
    pub fn active(&self) -> usize {
        self.active
    }

    /// Lines it needs where labels stand beside their fields.
    pub fn rows(&self) -> u16 {
        u16::try_from(self.fields.len()).unwrap_or(u16::MAX)
    }

    /// Draws each field in one line, its label before it.
    pub fn draw_rows(&self, frame: &mut Frame<'_>, area: Rect, label_cells: u16, is_active: bool, look: Look) {
        let cells = label_cells.min(area.width);
        for (number, (field, y)) in self.fields.iter().zip(area.y..area.bottom()).enumerate() {
            let active = is_active && number == self.active;
            let line = Rect { y, height: 1, ..area };
            let style = if active { look.heading() } else { look.dim() };
            let label = Line::styled(field.label.as_ref(), style);
            frame.render_widget(Paragraph::new(label), Rect { width: cells, ..line });
            field.draw_line(frame, Rect { x: line.x + cells, width: line.width - cells, ..line }, active, look);
        }
    }

    /// Lines it needs, with one below for what is wrong.
    pub fn height(&self) -> u16 {
        u16::try_from(self.fields.len()).unwrap_or(u16::MAX).saturating_mul(3).saturating_add(3)
    }

    /// Draws the fields, and below them what is wrong or what is waited for.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, busy: Option<&str>, look: Look) {
        let mut rest = area;
        for (number, field) in self.fields.iter().enumerate() {
            let height = 3.min(rest.height);
            let part = Rect { height: 2.min(height), ..rest };
            rest = Rect { y: rest.y + height, height: rest.height - height, ..rest };
            field.draw(frame, part, number == self.active && busy.is_none(), look);
        }
        self.draw_wrong(frame, rest, busy, look);
    }

    /// Draws what is wrong or what is waited for, alone.
    pub fn draw_wrong(&self, frame: &mut Frame<'_>, area: Rect, busy: Option<&str>, look: Look) {
        let line = match (busy, &self.wrong) {
            (Some(busy), _) => Line::styled(busy, look.dim()),
            (None, Some(wrong)) => Line::styled(wrong.as_str(), look.bad()),
            (None, None) => return,
        };
        frame.render_widget(Paragraph::new(line).wrap(Wrap { trim: true }), area);
    }
}
