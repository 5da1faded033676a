//! One opinion over the case, with the whole width of the screen: what it says, what it rests on, who has read it.
//!
//! That it was read is written by the case below: an opinion on the screen has been read, here and in the panel.

use crossterm::event::{MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use super::panel::opinion_lines;
use crate::encoding::text::shown;
use crate::node::api::{BasisSeriesView, OpinionView};
use crate::ui::keys::{Action, Place};
use crate::ui::look::Look;
use crate::ui::screen::{Context, Dots, Go, Screen};
use crate::ui::widget::amount::count;
use crate::ui::widget::list::moved;
use crate::ui::widget::popup;

/// Widest text, in cells: longer lines are hard to read.
const WIDTH_MAX: u16 = 100;

/// Rows that a turn of the wheel moves.
const WHEEL_ROWS: usize = 3;

/// An opinion that is read.
#[derive(Debug)]
pub struct Reading {
    opinion: OpinionView,
    /// Its author's number among the members.
    author: usize,
    /// The first row that is seen.
    first: usize,
}

impl Reading {
    pub fn new(opinion: OpinionView, author: usize) -> Self {
        Self { opinion, author, first: 0 }
    }

    fn text(&self, look: Look) -> Paragraph<'static> {
        let mut lines = Vec::new();
        opinion_lines(&mut lines, self.author, &self.opinion, look);
        lines.extend([Line::raw(""), Line::styled("What it rests on", look.heading())]);
        lines.extend(self.basis().into_iter().map(Line::raw));
        Paragraph::new(lines).wrap(Wrap { trim: false })
    }

    /// What of the images was there and was displayed.
    fn basis(&self) -> Vec<String> {
        let series = &self.opinion.basis.series;
        if series.is_empty() {
            return vec!["No series of images.".into()];
        }
        let line = |(number, one): (usize, &BasisSeriesView)| {
            let displayed =
                one.displayed.map_or_else(|| "displayed: unknown".into(), |seen| format!("{seen} displayed"));
            format!("Series {}: {} of {} images arrived, {displayed}", number + 1, one.received, one.expected)
        };
        series.iter().enumerate().map(line).collect()
    }

    /// Where the text stands, and the line below it.
    fn parts(area: Rect) -> [Rect; 2] {
        let inside = popup::inside(Self::place_of(area));
        popup::head(inside, inside.height.saturating_sub(1))
    }

    fn place_of(area: Rect) -> Rect {
        popup::middle(area, WIDTH_MAX, area.height)
    }

    /// The first row that is seen at the end.
    fn first_max(&self, text: Rect) -> usize {
        self.text(Look { colour: false }).line_count(text.width).saturating_sub(usize::from(text.height))
    }

    fn scroll(&mut self, action: Action, times: usize, area: Rect) {
        let [text, _] = Self::parts(area);
        let last = self.first_max(text);
        for _ in 0..times {
            let first = moved(self.first.min(last), action, last + 1, usize::from(text.height));
            self.first = first.unwrap_or(self.first);
        }
    }
}

impl Screen for Reading {
    fn place(&self) -> Place {
        Place::Reading
    }

    fn title(&self) -> String {
        format!("opinion of {}", shown(&self.opinion.author))
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        match action {
            Action::Back => context.go(Go::Back),
            action => self.scroll(action, 1, context.area),
        }
    }

    fn pointer(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        match pointer.kind {
            MouseEventKind::ScrollDown => self.scroll(Action::Down, WHEEL_ROWS, context.area),
            MouseEventKind::ScrollUp => self.scroll(Action::Up, WHEEL_ROWS, context.area),
            _ => {}
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        popup::open(frame, Self::place_of(area), &format!("Opinion of {}", shown(&self.opinion.author)), look);
        let [text, foot] = Self::parts(area);
        let last = self.first_max(text);
        let first = self.first.min(last);
        frame.render_widget(self.text(look).scroll((u16::try_from(first).unwrap_or(u16::MAX), 0)), text);
        let words = match last - first {
            0 => "Esc goes back".into(),
            more => format!("{} below: ↓ and PgDn. Esc goes back", count(more, "more line")),
        };
        frame.render_widget(Paragraph::new(Line::styled(words, look.dim())), foot);
    }
}
