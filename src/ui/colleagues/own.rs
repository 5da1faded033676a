//! My own card: what colleagues see of me, and the card itself as a QR code where the window is large enough.
//!
//! A card carries keys that withstand quantum computers, so that its code is a large one: most windows cannot show it
//! whole, and part of a QR code is nothing. Then it says how large the window would have to be.

use qrcode::{EcLevel, QrCode};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Padding, Paragraph, Wrap};

use super::draw::{addresses, day, short};
use super::forms::CardForm;
use crate::encoding::text::shown;
use crate::node::api::{CardView, Reply, Request};
use crate::ui::keys::{Action, Place};
use crate::ui::look::Look;
use crate::ui::message::Ticket;
use crate::ui::screen::{Context, Dots, Go, Outcome, Screen};

/// White around a QR code, in modules: what ISO/IEC 18004 asks for.
const QUIET_MODULES: usize = 4;

/// My card.
#[derive(Debug, Default)]
pub struct OwnCard {
    card: Option<CardView>,
    code: Option<Modules>,
    asked: Option<Ticket>,
}

/// A QR code: dark or light, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Modules {
    width: usize,
    dark: Vec<bool>,
}

impl Modules {
    /// The code of a card's text, without the lines for people above it. `None` if it is too long for any.
    fn of(text: &str) -> Option<Self> {
        let card = text.find("-----BEGIN").and_then(|start| text.get(start..)).unwrap_or(text);
        // The least correction: what is scanned from a screen has no scratches, and a smaller code fits more windows.
        let code = QrCode::with_error_correction_level(card.trim(), EcLevel::L).ok()?;
        Some(Self { width: code.width(), dark: code.into_colors().iter().map(|c| *c == qrcode::Color::Dark).collect() })
    }

    fn is_dark(&self, column: usize, row: usize) -> bool {
        let inside = |at: usize| at.checked_sub(QUIET_MODULES).filter(|at| *at < self.width);
        let (Some(column), Some(row)) = (inside(column), inside(row)) else { return false };
        self.dark.get(row * self.width + column) == Some(&true)
    }

    /// Columns and lines it takes.
    fn size(&self) -> (usize, usize) {
        let modules = self.width + 2 * QUIET_MODULES;
        (modules, modules.div_ceil(2))
    }

    /// Two modules a cell, one above the other. Ink is the light half: most terminals are dark.
    fn lines(&self, look: Look) -> Vec<Line<'static>> {
        let (columns, rows) = self.size();
        // Colours make it right on a light terminal too; without them it is light ink on what is taken to be dark.
        let style = if look.colour { Style::new().fg(Color::White).bg(Color::Black) } else { Style::new() };
        let cell = |column: usize, row: usize| match (self.is_dark(column, row * 2), self.is_dark(column, row * 2 + 1))
        {
            (false, false) => '█',
            (false, true) => '▀',
            (true, false) => '▄',
            (true, true) => ' ',
        };
        let line = |row: usize| (0..columns).map(|column| cell(column, row)).collect::<String>();
        (0..rows).map(|row| Line::styled(line(row), style)).collect()
    }
}

impl Screen for OwnCard {
    fn place(&self) -> Place {
        Place::OwnCard
    }

    fn title(&self) -> String {
        "my card".into()
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        if self.asked.is_none() {
            self.asked = Some(context.ask(Request::CardShow { who: None }));
        }
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        match action {
            Action::Back => context.go(Go::Back),
            Action::ExportCard => context.go(Go::Over(Box::new(CardForm::export()))),
            _ => {}
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if self.asked != Some(ticket) {
            return;
        }
        self.asked = None;
        match outcome.as_deref() {
            Ok(Reply::Card(card)) => {
                self.code = card.text.as_deref().and_then(Modules::of);
                self.card = Some(card.clone());
            }
            Ok(_) => {}
            Err(failure) => context.say_failure(failure),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let Some(card) = &self.card else {
            frame.render_widget(Paragraph::new(Line::styled(" reading your card …", look.dim())), area);
            return;
        };
        let mut lines = facts(card, look);
        let block = Block::new().padding(Padding::horizontal(1));
        let Some(code) = &self.code else {
            frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), area);
            return;
        };
        let (columns, rows) = code.size();
        let (room_columns, room_rows) = (usize::from(area.width), usize::from(area.height));
        if columns <= room_columns && rows <= room_rows {
            frame.render_widget(Paragraph::new(code.lines(look)), area);
            let beside = u16::try_from(columns + 2).unwrap_or(u16::MAX).min(area.width);
            let beside = Rect { x: area.x + beside, width: area.width - beside, ..area };
            frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), beside);
            return;
        }
        lines.push(Line::raw(""));
        lines.push(Line::styled(
            format!(
                "As a QR code your card needs {columns} columns and {rows} lines; this window has {room_columns} and \
                 {room_rows}. A smaller font may do, or e writes the card to a file."
            ),
            look.warn(),
        ));
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), area);
    }
}

fn facts(card: &CardView, look: Look) -> Vec<Line<'static>> {
    let mut lines = vec![Line::raw(""), Line::styled(shown(&card.name).into_owned(), look.heading())];
    let mut field = |name: &'static str, value: String| {
        if !value.is_empty() {
            lines.push(Line::from(vec![Span::styled(format!("{name:<12}"), look.dim()), Span::raw(value)]));
        }
    };
    field("site", shown(&card.site).into_owned());
    field("phone", shown(card.phone.as_deref().unwrap_or_default()).into_owned());
    field("fingerprint", shown(&card.fingerprint).into_owned());
    field("id", short(&card.identity));
    for device in &card.devices {
        field("device", short(device));
    }
    field("card", format!("number {}, valid until {}", card.serial, day(card.expires.as_deref().unwrap_or_default())));
    lines.extend(addresses(&card.addresses, look));
    lines
}
