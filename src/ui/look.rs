//! Colours and styles: the sixteen colours every terminal has, or none of them (`NO_COLOR`).
//!
//! Nothing is told by colour alone: urgency, trust and delivery stand in words too.

use ratatui::style::{Color, Modifier, Style};

use crate::view::raster::{INK_MEMBER_FIRST, INKS};

/// How things look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether colours may be used at all.
    pub colour: bool,
}

impl Look {
    pub fn plain(self) -> Style {
        Style::new()
    }

    pub fn heading(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Both at once would be too dark to read.
    pub fn dim(self) -> Style {
        if self.colour { Style::new().fg(Color::DarkGray) } else { Style::new().add_modifier(Modifier::DIM) }
    }

    /// A key in the hints.
    pub fn key(self) -> Style {
        self.coloured(Color::Cyan, Modifier::BOLD)
    }

    pub fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub fn good(self) -> Style {
        self.coloured(Color::Green, Modifier::empty())
    }

    pub fn warn(self) -> Style {
        self.coloured(Color::Yellow, Modifier::empty())
    }

    pub fn bad(self) -> Style {
        self.coloured(Color::Red, Modifier::BOLD)
    }

    /// The bar at the top.
    pub fn bar(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// A member's own colour, the same as her marks have.
    pub fn member(self, number: usize) -> Style {
        let [red, green, blue] = INKS[usize::from(INK_MEMBER_FIRST) + number % 8];
        self.coloured(Color::Rgb(red, green, blue), Modifier::empty())
    }

    /// Words above a picture, whatever is under them.
    pub fn on_picture(self, style: Style) -> Style {
        match (self.colour, style.fg) {
            (false, _) => style,
            (true, None) => style.fg(Color::White).bg(Color::Black),
            (true, Some(_)) => style.bg(Color::Black),
        }
    }

    /// The colour of ink on a picture.
    pub fn ink(self, ink: u8) -> Style {
        let [red, green, blue] = INKS.get(usize::from(ink)).copied().unwrap_or([255; 3]);
        self.coloured(Color::Rgb(red, green, blue), Modifier::empty())
    }

    pub fn urgency(self, word: &str) -> Style {
        match word {
            "stat" => self.bad(),
            "urgent" => self.warn(),
            _ => self.plain(),
        }
    }

    /// A delivery state (promise 7).
    pub fn delivery(self, state: &str) -> Style {
        match state {
            "not sent" => self.bad(),
            "on the way" => self.warn(),
            _ => self.good(),
        }
    }

    /// How far a colleague is trusted.
    pub fn trust(self, trust: &str) -> Style {
        match trust {
            "verified" | "me" => self.good(),
            "unverified" => self.warn(),
            _ => self.bad(),
        }
    }

    fn coloured(self, colour: Color, modifier: Modifier) -> Style {
        let style = Style::new().add_modifier(modifier);
        if self.colour { style.fg(colour) } else { style }
    }
}
