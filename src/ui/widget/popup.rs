//! A box in the middle of the screen, over everything else.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Padding, Paragraph, Wrap};

use crate::ui::look::Look;

/// Widest question, in cells.
const WIDTH_MAX: u16 = 76;

/// The middle of an area, not larger than it.
pub fn middle(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

/// Clears the box, draws its border, and gives what is inside.
pub fn open(frame: &mut Frame<'_>, area: Rect, title: &str, look: Look) -> Rect {
    frame.render_widget(Clear, area);
    frame.render_widget(block().title(format!(" {title} ")).title_style(look.heading()), area);
    inside(area)
}

/// What is inside of a box, so that a click finds what was drawn there.
pub fn inside(area: Rect) -> Rect {
    block().inner(area)
}

fn block() -> Block<'static> {
    Block::bordered().padding(Padding::horizontal(1))
}

/// Some lines at the top of an area, and the rest of it.
pub fn head(area: Rect, rows: u16) -> [Rect; 2] {
    let rows = rows.min(area.height);
    [Rect { height: rows, ..area }, Rect { y: area.y + rows, height: area.height - rows, ..area }]
}

/// A question that is answered with y or n.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub title: String,
    pub lines: Vec<String>,
}

impl Question {
    /// Draws it over an area. What to press stands at the bottom whatever the length of the text.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: Look) {
        let width = WIDTH_MAX.min(area.width);
        let lines: Vec<Line<'_>> = self.lines.iter().map(|line| Line::raw(line.as_str())).collect();
        let text = Paragraph::new(lines).wrap(Wrap { trim: false });
        // Border and padding take two cells each side, the answer and a blank line two rows.
        let needed = text.line_count(width.saturating_sub(4));
        let height = u16::try_from(needed).unwrap_or(u16::MAX).saturating_add(4);
        let inside = open(frame, middle(area, width, height), &self.title, look);
        let answer_y = inside.bottom().saturating_sub(1);
        let room = Rect { height: inside.height.saturating_sub(2), ..inside };
        frame.render_widget(text, room);
        let left = needed.saturating_sub(usize::from(room.height));
        if left > 0 {
            let more = Rect { y: room.bottom(), height: 1, ..inside }.intersection(inside);
            let words = format!("… {left} more lines do not fit; a larger terminal shows them");
            frame.render_widget(Paragraph::new(Line::styled(words, look.warn())), more);
        }
        let answer = Rect { y: answer_y, height: 1, ..inside }.intersection(inside);
        frame.render_widget(Paragraph::new(Line::styled("y yes   n or Esc no", look.key())), answer);
    }
}
