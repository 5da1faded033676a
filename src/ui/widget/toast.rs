//! Short words about what happened, in the corner, gone after a while. They never take the keys.

use std::collections::VecDeque;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

use crate::encoding::text::shown;
use crate::ui::look::Look;

/// How long a toast stays, in milliseconds.
const TOAST_MS: u64 = 6_000;

/// Most toasts at once; older ones go.
const TOASTS_MAX: usize = 4;

/// Widest toast, in cells.
const WIDTH_MAX: u16 = 56;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    Good,
    Plain,
    Bad,
}

#[derive(Debug)]
struct Toast {
    text: String,
    weight: Weight,
    until_ms: u64,
}

#[derive(Debug, Default)]
pub struct Toasts {
    toasts: VecDeque<Toast>,
}

impl Toasts {
    /// Shows a text; one that stands already is shown longer, not twice.
    pub fn say(&mut self, text: &str, weight: Weight, now_ms: u64) {
        let text = shown(text).into_owned();
        self.toasts.retain(|toast| toast.text != text);
        self.toasts.push_back(Toast { text, weight, until_ms: now_ms.saturating_add(TOAST_MS) });
        while self.toasts.len() > TOASTS_MAX {
            self.toasts.pop_front();
        }
    }

    /// Takes away what has stood long enough; `true` if something went.
    pub fn tick(&mut self, now_ms: u64) -> bool {
        let before = self.toasts.len();
        self.toasts.retain(|toast| toast.until_ms > now_ms);
        self.toasts.len() != before
    }

    pub fn clear(&mut self) {
        self.toasts.clear();
    }

    #[cfg(test)]
    pub fn texts(&self) -> Vec<&str> {
        self.toasts.iter().map(|toast| toast.text.as_str()).collect()
    }

    /// Where toasts stand, from the bottom right upwards.
    pub fn areas(&self, area: Rect) -> Vec<Rect> {
        let width = WIDTH_MAX.min(area.width);
        let mut bottom = area.bottom();
        let mut areas = Vec::new();
        for toast in self.toasts.iter().rev() {
            let inside = usize::from(width.saturating_sub(2)).max(1);
            let lines = toast.text.chars().count().div_ceil(inside).clamp(1, 4);
            let height = u16::try_from(lines).unwrap_or(1) + 2;
            let Some(top) = bottom.checked_sub(height).filter(|top| *top >= area.y) else { break };
            bottom = top;
            areas.push(Rect { x: area.right() - width, y: bottom, width, height });
        }
        areas
    }

    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: Look) {
        for (toast, area) in self.toasts.iter().rev().zip(self.areas(area)) {
            let style = match toast.weight {
                Weight::Good => look.good(),
                Weight::Plain => look.plain(),
                Weight::Bad => look.bad(),
            };
            frame.render_widget(Clear, area);
            let text = Paragraph::new(Line::styled(toast.text.clone(), style)).wrap(Wrap { trim: true });
            frame.render_widget(text.block(Block::bordered().border_style(style)), area);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toast_finds_no_place_where_there_is_none() {
        let mut toasts = Toasts::default();
        toasts.say("The disk is full.", Weight::Bad, 0);
        for (width, height) in [(0, 0), (1, 0), (0, 1), (80, 1), (80, 2), (300, 0)] {
            assert!(toasts.areas(Rect::new(0, 0, width, height)).is_empty(), "{width}x{height}");
        }
        assert_eq!(toasts.areas(Rect::new(0, 0, 80, 3)).len(), 1);
    }
}
