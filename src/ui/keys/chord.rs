//! A key as it is pressed and as a person reads it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with its modifiers. Shift counts only where the key has no shifted character of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chord {
    pub code: KeyCode,
    pub modifiers: KeyModifiers,
}

impl Chord {
    pub const fn plain(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::NONE }
    }

    pub const fn key(character: char) -> Self {
        Self::plain(KeyCode::Char(character))
    }

    pub const fn control(character: char) -> Self {
        Self { code: KeyCode::Char(character), modifiers: KeyModifiers::CONTROL }
    }

    pub const fn shift(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::SHIFT }
    }

    pub const fn alt(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::ALT }
    }

    /// As terminals send it: a capital letter comes with or without Shift.
    pub fn of(event: KeyEvent) -> Self {
        let mut modifiers = event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        if let KeyCode::Char(_) = event.code {
            modifiers.remove(KeyModifiers::SHIFT);
        }
        match event.code {
            KeyCode::BackTab => Self { code: KeyCode::Tab, modifiers: modifiers | KeyModifiers::SHIFT },
            code => Self { code, modifiers },
        }
    }

    /// As a person reads it.
    pub fn shown(self) -> String {
        let mut text = String::new();
        for (modifier, word) in
            [(KeyModifiers::CONTROL, "Ctrl+"), (KeyModifiers::ALT, "Alt+"), (KeyModifiers::SHIFT, "Shift+")]
        {
            if self.modifiers.contains(modifier) {
                text += word;
            }
        }
        match self.code {
            KeyCode::Char(' ') => text += "Space",
            KeyCode::Char(character) if self.modifiers.is_empty() => text.push(character),
            KeyCode::Char(character) => text.extend(character.to_uppercase()),
            KeyCode::Enter => text += "Enter",
            KeyCode::Esc => text += "Esc",
            KeyCode::Tab => text += "Tab",
            KeyCode::Backspace => text += "Backspace",
            KeyCode::Delete => text += "Del",
            KeyCode::Up => text += "↑",
            KeyCode::Down => text += "↓",
            KeyCode::Left => text += "←",
            KeyCode::Right => text += "→",
            KeyCode::PageUp => text += "PgUp",
            KeyCode::PageDown => text += "PgDn",
            KeyCode::Home => text += "Home",
            KeyCode::End => text += "End",
            KeyCode::F(number) => text += &format!("F{number}"),
            other => text += &format!("{other:?}"),
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capital_letter_is_one_key_with_and_without_shift() {
        let with = KeyEvent::new(KeyCode::Char('R'), KeyModifiers::SHIFT);
        let without = KeyEvent::new(KeyCode::Char('R'), KeyModifiers::NONE);
        assert_eq!(Chord::of(with), Chord::of(without));
    }
}
