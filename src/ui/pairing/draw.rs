//! Pairing on the screen: the code as large as the window allows.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::{CODE_LIFE_MS, CODES_MAX, Door, Guest, Pairing, Side, Spent, Stage};
use crate::encoding::text::shown;
use crate::ui::look::Look;
use crate::ui::screen::in_one_line;
use crate::ui::widget::{big, popup};

/// Lines around the large code: what to do above it, time and addresses below.
const WORDS_ROWS: u16 = 11;

/// Cells of the bar that shows how long the code is still good.
const BAR_CELLS: u64 = 24;

/// Most addresses that are shown; nobody reads more of them aloud.
const ADDRESSES_SHOWN: usize = 3;

pub(super) fn pairing(screen: &Pairing, frame: &mut Frame<'_>, area: Rect, look: Look) {
    match &screen.stage {
        Stage::Opening => waiting(frame, area, "opening the door …", look),
        Stage::Guest(door) => code(door, screen.now_ms, frame, area, look),
        Stage::Typing => form(screen, None, frame, area, look),
        Stage::Searching => {
            form(screen, Some("looking for the other machine, and trying the code …"), frame, area, look)
        }
        Stage::Decision(guest) => decision(guest, screen.side, frame, area, look),
        Stage::TheirDecision(guest) => {
            let words = format!("waiting for {} to say yes too …", shown(&guest.name));
            waiting(frame, area, &words, look);
        }
        Stage::Declining => waiting(frame, area, "telling the other side …", look),
        Stage::Ended(failure) => {
            let inside = popup::open(frame, popup::middle(area, 72, 10), "Not paired", look);
            let lines = vec![
                Line::styled(shown(&in_one_line(failure)).into_owned(), look.bad()),
                Line::raw(""),
                Line::raw("Enter opens the door again, with new codes."),
            ];
            frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), inside);
        }
    }
}

fn waiting(frame: &mut Frame<'_>, area: Rect, words: &str, look: Look) {
    let inside = popup::open(frame, popup::middle(area, 72, 5), "Pairing", look);
    let line = Rect { y: inside.y + inside.height / 2, height: 1.min(inside.height), ..inside };
    frame.render_widget(Paragraph::new(Line::styled(words.to_owned(), look.dim())), line);
}

fn code(door: &Door, now_ms: u64, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let area = Rect { x: area.x + 2, width: area.width.saturating_sub(4), ..area };
    let [head, rest] = popup::head(area, 3);
    let intro = vec![
        Line::raw(""),
        Line::raw("Read this code aloud to your colleague. She presses c, then t, and types it;"),
        Line::from(vec![
            Span::raw("or as a command: "),
            Span::styled(shown(&door.command).into_owned(), look.heading()),
        ]),
    ];
    frame.render_widget(Paragraph::new(intro), head);
    let spoken = shown(&door.code);
    let large = big::large(&spoken, area.width, area.height.saturating_sub(WORDS_ROWS))
        .unwrap_or_else(|| vec![Line::raw(spoken.clone().into_owned())]);
    let rows = u16::try_from(large.len()).unwrap_or(u16::MAX);
    // On a tall window the code stands in the middle of what is left.
    let spare = rest.height.saturating_sub(rows + WORDS_ROWS - 3) / 2;
    let [_, rest] = popup::head(rest, 1 + spare);
    let [middle, rest] = popup::head(rest, rows);
    frame.render_widget(Paragraph::new(large).style(look.heading()), middle);
    let [_, foot] = popup::head(rest, 1);
    frame.render_widget(Paragraph::new(below(door, now_ms, look)), foot);
}

fn below(door: &Door, now_ms: u64, look: Look) -> Vec<Line<'static>> {
    let left_ms = CODE_LIFE_MS.saturating_sub(now_ms.saturating_sub(door.opened_ms));
    let seconds = left_ms.div_ceil(1000);
    let style = if seconds <= 20 { look.warn() } else { look.plain() };
    let cells = left_ms * BAR_CELLS / CODE_LIFE_MS;
    let bar: String = (0..BAR_CELLS).map(|cell| if cell < cells { '█' } else { '░' }).collect();
    let mut lines = vec![
        Line::from(vec![
            Span::styled(format!("{bar}  {}:{:02} left", seconds / 60, seconds % 60), style),
            Span::raw(format!("   code {} of {CODES_MAX}; each can be tried once", door.number)),
        ]),
        match door.before {
            None => Line::raw(""),
            Some(Spent::RanOut) => Line::styled("The code before ran out of time.", look.warn()),
            Some(Spent::Guessed) => {
                Line::styled("A wrong code was tried: mistyped, or somebody else is guessing.", look.bad())
            }
        },
    ];
    let elsewhere: Vec<&String> = door.addresses.iter().filter(|address| !is_loopback(address)).collect();
    if !elsewhere.is_empty() {
        lines.push(Line::styled("On another network she also needs one of these addresses:", look.dim()));
        let addresses = elsewhere.into_iter().take(ADDRESSES_SHOWN);
        lines.extend(addresses.map(|address| Line::raw(format!("  {}", shown(address)))));
    }
    lines
}

/// Whether an address is of this machine only, and so of no use to anybody who is told it.
fn is_loopback(address: &str) -> bool {
    address.starts_with("/ip4/127.") || address.starts_with("/ip6/::1/")
}

fn form(screen: &Pairing, busy: Option<&str>, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let inside = popup::open(frame, popup::middle(area, 76, 16), "Type the code you hear", look);
    let [intro, rest] = popup::head(inside, 3);
    let words =
        "Your colleague opens the door on her machine (c, then p) and reads the code aloud. It can be tried once.";
    frame.render_widget(Paragraph::new(Line::raw(words)).wrap(Wrap { trim: true }), intro);
    screen.form.draw(frame, rest, busy, look);
}

fn decision(guest: &Guest, side: Side, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let inside = popup::open(frame, popup::middle(area, 72, 13), "Is this the person you are speaking with?", look);
    let field = |name: &'static str, value: &str| {
        Line::from(vec![
            Span::styled(format!("{name:<13}"), look.dim()),
            Span::styled(shown(value).into_owned(), look.heading()),
        ])
    };
    let whence = match side {
        Side::Opens => "Somebody typed your code.",
        Side::Joins => "The code was right.",
    };
    let lines = vec![
        Line::raw(whence),
        Line::raw(""),
        field("name", &guest.name),
        field("site", &guest.site),
        field("fingerprint", &guest.fingerprint),
        Line::raw(""),
        Line::raw("If you both say yes you are verified colleagues."),
        Line::raw(""),
        Line::styled("y yes, it is this person   n or Esc no", look.key()),
    ];
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inside);
}
