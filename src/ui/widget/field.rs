//! One line that is typed: a name, a passphrase, a filter.

use std::borrow::Cow;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthChar;
use zeroize::Zeroize;

use crate::encoding::text::shown;
use crate::ui::look::Look;

/// Longest text of a field, in bytes.
const FIELD_BYTES_MAX: usize = 4096;

/// A line under its label. Wiped when dropped: it may be a passphrase.
pub struct Field {
    pub label: Cow<'static, str>,
    /// What to type, shown while it is empty.
    pub example: &'static str,
    secret: bool,
    text: String,
    /// Place of the cursor, in bytes.
    cursor: usize,
}

impl Drop for Field {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[field {}]", self.label)
    }
}

impl Field {
    pub fn new(label: impl Into<Cow<'static, str>>, example: &'static str) -> Self {
        // Room at once: text that grows would leave copies of a passphrase behind.
        Self { label: label.into(), example, secret: false, text: String::with_capacity(FIELD_BYTES_MAX), cursor: 0 }
    }

    /// A field that shows only how much was typed.
    pub fn secret(label: impl Into<Cow<'static, str>>) -> Self {
        let mut field = Self::new(label, "");
        field.secret = true;
        field
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn set(&mut self, text: &str) {
        self.clear();
        self.paste(text);
    }

    /// Puts the cursor before the first character.
    pub fn go_to_start(&mut self) {
        self.cursor = 0;
    }

    pub fn clear(&mut self) {
        self.text.zeroize();
        self.cursor = 0;
    }

    /// Takes a key; `false` if it means nothing to a line of text.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('u') if control => self.clear(),
            KeyCode::Char('a') if control => self.go_to_start(),
            KeyCode::Char('e') if control => self.cursor = self.text.len(),
            KeyCode::Char('w') if control => {
                let kept = self.text[..self.cursor].trim_end();
                let start = kept.rfind(' ').map_or(0, |space| space + 1);
                self.text.replace_range(start..self.cursor, "");
                self.cursor = start;
            }
            KeyCode::Char(_) if control || key.modifiers.contains(KeyModifiers::ALT) => return false,
            KeyCode::Char(character) => self.insert(character),
            KeyCode::Backspace => {
                if let Some(before) = self.text[..self.cursor].chars().next_back() {
                    self.cursor -= before.len_utf8();
                    self.text.remove(self.cursor);
                }
            }
            KeyCode::Delete => {
                if self.cursor < self.text.len() {
                    self.text.remove(self.cursor);
                }
            }
            KeyCode::Left => {
                self.cursor -= self.text[..self.cursor].chars().next_back().map_or(0, char::len_utf8);
            }
            KeyCode::Right => self.cursor += self.text[self.cursor..].chars().next().map_or(0, char::len_utf8),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            _ => return false,
        }
        true
    }

    /// Takes the first line of a text that was pasted.
    pub fn paste(&mut self, text: &str) {
        for character in text.lines().next().unwrap_or_default().chars() {
            self.insert(character);
        }
    }

    fn insert(&mut self, character: char) {
        if !character.is_control() && self.text.len() + character.len_utf8() <= FIELD_BYTES_MAX {
            self.text.insert(self.cursor, character);
            self.cursor += character.len_utf8();
        }
    }

    /// Draws the label in one line and the text in the next.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, active: bool, look: Look) {
        let [label, line] = [0, 1].map(|row| Rect { y: area.y + row, height: 1, ..area }.intersection(area));
        let style = if active { look.heading() } else { look.dim() };
        frame.render_widget(Paragraph::new(Span::styled(self.label.as_ref(), style)), label);
        self.draw_line(frame, line, active, look);
    }

    /// Draws the text alone, with the cursor if it is active.
    pub fn draw_line(&self, frame: &mut Frame<'_>, area: Rect, active: bool, look: Look) {
        if area.is_empty() {
            return;
        }
        let prompt = Span::styled(if active { "› " } else { "  " }, look.key());
        let room = usize::from(area.width.saturating_sub(3));
        let (visible, column) = self.visible(room);
        let text = if self.text.is_empty() { Span::styled(self.example, look.dim()) } else { Span::raw(visible) };
        frame.render_widget(Paragraph::new(Line::from(vec![prompt, text])), area);
        if active {
            let x = area.x + 2 + u16::try_from(column).unwrap_or(area.width);
            frame.set_cursor_position(Position { x: x.min(area.right().saturating_sub(1)), y: area.y });
        }
    }

    /// The part around the cursor that fits, and the cursor's column in it.
    fn visible(&self, room: usize) -> (String, usize) {
        let cell = |character: char| if self.secret { 1 } else { character.width().unwrap_or(0) };
        let before: usize = self.text[..self.cursor].chars().map(cell).sum();
        let skip = before.saturating_sub(room);
        let (mut seen, mut at) = (String::new(), 0);
        for character in self.text.chars() {
            let width = cell(character);
            if at >= skip && at + width <= skip + room {
                seen.push(if self.secret { '•' } else { character });
            }
            at += width;
        }
        (shown(&seen).into_owned(), before - skip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(field: &mut Field, codes: &[KeyCode]) {
        for code in codes {
            field.key(KeyEvent::new(*code, KeyModifiers::NONE));
        }
    }

    #[test]
    fn text_is_edited_where_the_cursor_is() {
        let mut field = Field::new("Name", "");
        field.paste("Dr. Ämilia\nsecond line");
        assert_eq!(field.text(), "Dr. Ämilia");
        typed(&mut field, &[KeyCode::Home, KeyCode::Delete, KeyCode::End, KeyCode::Backspace, KeyCode::Left]);
        typed(&mut field, &[KeyCode::Char('é')]);
        assert_eq!(field.text(), "r. Ämiléi");
    }

    #[test]
    fn control_characters_never_enter() {
        let mut field = Field::new("Name", "");
        field.paste("a\u{1b}[31mb\u{7}");
        assert_eq!(field.text(), "a[31mb");
    }

    #[test]
    fn a_secret_shows_only_its_length() {
        let mut field = Field::secret("Passphrase");
        field.paste("wörd");
        assert_eq!(field.visible(20), ("••••".into(), 4));
        assert_eq!(format!("{field:?}"), "[field Passphrase]");
    }

    #[test]
    fn a_long_text_scrolls_with_its_cursor() {
        let mut field = Field::new("Name", "");
        field.paste("0123456789");
        assert_eq!(field.visible(4), ("6789".into(), 4));
        typed(&mut field, &[KeyCode::Home]);
        assert_eq!(field.visible(4), ("0123".into(), 0));
    }
}
