//! The set-up check: what is as it should be, and what to do where it is not.

use crossterm::event::{MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use crate::encoding::text::shown;
use crate::node::api::{Check, Failure, Reply, Request};
use crate::ui::graphics::test_picture;
use crate::ui::keys::{Action, Place};
use crate::ui::look::Look;
use crate::ui::message::Ticket;
use crate::ui::screen::{Context, Dots, Go, Outcome, Screen, in_one_line};
use crate::ui::widget::list::moved;
use crate::ui::widget::wrap::wrapped;
use crate::view::raster::Scene;

/// Cells before a check's words.
const INDENT_CELLS: usize = 8;

/// Rows of the grey steps, and the least that leaves room for the checks above them.
const STEPS_ROWS: u16 = 8;
const ROWS_MIN: u16 = 20;

/// Columns of the grey steps.
const STEPS_COLUMNS: u16 = 72;

const CAPTION: &str = "  16, 32, 64 and 256 greys, and two patches: can you tell them apart?";

/// The set-up check.
#[derive(Debug, Default)]
pub struct Doctor {
    checks: Option<Vec<Check>>,
    failed: Option<Failure>,
    asked: Option<Ticket>,
    /// Of the terminal, which the node does not know.
    terminal: Vec<Check>,
    looking: Option<Ticket>,
    /// The first line that is seen.
    first: usize,
}

impl Doctor {
    fn check(&mut self, context: &mut Context<'_>) {
        if self.asked.is_none() {
            self.asked = Some(context.ask(Request::Doctor));
        }
        self.looking = Some(context.look_at_terminal());
    }

    /// What was found out so far; the terminal first, since its grey steps are seen beside it on a small screen, too.
    fn all(&self) -> impl Iterator<Item = &Check> {
        self.terminal.iter().chain(self.checks.iter().flatten())
    }

    fn lines(&self, cells: u16, look: Look) -> Vec<Line<'static>> {
        let room = usize::from(cells).saturating_sub(INDENT_CELLS + 1);
        let mut lines = vec![Line::raw("")];
        for check in self.all() {
            let (word, style) = if check.ok { ("ok", look.good()) } else { ("LOOK", look.warn()) };
            let mark = Span::styled(format!("  {word:<width$}", width = INDENT_CELLS - 2), style);
            lines.push(Line::from(vec![mark, Span::styled(shown(&check.name).into_owned(), look.heading())]));
            let mut below = |text: &str, style| {
                let parts = wrapped(&shown(text), room).into_iter();
                lines.extend(parts.map(|part| Line::styled(format!("{:INDENT_CELLS$}{part}", ""), style)));
            };
            below(&check.what, look.plain());
            if let Some(hint) = &check.hint {
                below(hint, look.dim());
            }
        }
        lines
    }
}

/// Where the checks, the words above the grey steps and these stand; on a small screen there are no grey steps.
fn parts(area: Rect) -> [Rect; 3] {
    let rows = if area.height < ROWS_MIN { 0 } else { STEPS_ROWS };
    let constraints = [Constraint::Min(0), Constraint::Length(rows.min(1)), Constraint::Length(rows)];
    let [checks, caption, steps] = Layout::vertical(constraints).areas(area);
    let indent = 2.min(steps.width);
    let width = (steps.width - indent).min(STEPS_COLUMNS);
    [checks, caption, Rect { x: steps.x + indent, width, ..steps }]
}

impl Screen for Doctor {
    fn place(&self) -> Place {
        Place::Doctor
    }

    fn title(&self) -> String {
        match &self.checks {
            Some(_) => match self.all().filter(|check| !check.ok).count() {
                0 => "set-up check: all is well".into(),
                1 => "set-up check: 1 thing to look at".into(),
                count => format!("set-up check: {count} things to look at"),
            },
            None => "set-up check".into(),
        }
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        self.check(context);
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        match action {
            Action::Back => context.go(Go::Back),
            Action::Refresh => self.check(context),
            action => {
                let page = usize::from(parts(context.area)[0].height);
                let lines = self.lines(context.area.width, Look { colour: false }).len();
                let first = moved(self.first, action, lines.saturating_sub(page) + 1, page);
                self.first = first.unwrap_or(self.first);
            }
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
        if self.looking == Some(ticket) {
            self.looking = None;
            if let Ok(Reply::Doctor { checks }) = outcome.as_deref() {
                self.terminal.clone_from(checks);
            }
            return;
        }
        if self.asked != Some(ticket) {
            return;
        }
        self.asked = None;
        match outcome.as_deref() {
            Ok(Reply::Doctor { checks }) => {
                self.checks = Some(checks.clone());
                self.failed = None;
            }
            Ok(_) => {}
            Err(failure) => self.failed = Some(failure.clone()),
        }
    }

    fn scenes(&mut self, area: Rect, dots: Dots) -> Vec<(Rect, Scene)> {
        let steps = parts(area)[2];
        let size = dots.size(steps);
        if steps.is_empty() { Vec::new() } else { vec![(steps, test_picture::scene(size.width, size.height))] }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let [area, caption, _] = parts(area);
        frame.render_widget(Paragraph::new(Line::styled(CAPTION, look.dim())), caption);
        let line = match (&self.failed, &self.checks) {
            (Some(failure), _) => Line::styled(format!("  {}", shown(&in_one_line(failure))), look.bad()),
            (None, None) => {
                Line::styled("  checking every stored entry and chunk, the network and your colleagues …", look.dim())
            }
            (None, Some(_)) => {
                let text = Paragraph::new(self.lines(area.width, look))
                    .scroll((u16::try_from(self.first).unwrap_or(u16::MAX), 0));
                frame.render_widget(text, area);
                return;
            }
        };
        frame.render_widget(Paragraph::new(vec![Line::raw(""), line]).wrap(Wrap { trim: false }), area);
    }
}
