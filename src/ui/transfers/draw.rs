//! The transfers on the screen: two lines each, what and how far, then how fast or what it waits for.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

use super::Transfers;
use crate::encoding::text::shown;
use crate::node::api::{Progress, TransferView};
use crate::ui::look::Look;
use crate::ui::widget::amount::{bytes, duration, progress};
use crate::ui::widget::text::{hanging, shortened};
use crate::ui::worklist::arrived;

/// Rows of one transfer: its two lines and a blank one.
pub(super) const LINE_ROWS: u16 = 3;

/// Cells of the state, at the left.
const STATE_CELLS: usize = 12;

/// Most cells of a colleague's name.
const WHO_CELLS: usize = 34;

/// Rows below the list: what the chosen transfer waits for, whole.
const FOOT_ROWS: u16 = 3;

/// Where the transfers are listed.
pub(super) fn list_area(area: Rect) -> Rect {
    parts(area)[1]
}

fn parts(area: Rect) -> [Rect; 3] {
    Layout::vertical([Constraint::Length(2), Constraint::Min(1), Constraint::Length(FOOT_ROWS)]).areas(area)
}

/// How many fit.
pub(super) fn room(list: Rect) -> usize {
    usize::from((list.height.saturating_add(1) / LINE_ROWS).max(1))
}

pub(super) fn transfers(screen: &Transfers, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let [head, list, foot] = parts(area);
    let Some(lines) = &screen.lines else {
        frame.render_widget(Paragraph::new(Line::styled(" looking …", look.dim())), head);
        return;
    };
    let first = Line::styled(
        match (screen.trying.is_some(), lines.is_empty()) {
            (true, _) => " trying everybody who is missing …",
            (false, true) => "",
            (false, false) => " Nothing here is lost: what waits goes on by itself.",
        },
        if screen.trying.is_some() { look.warn() } else { look.dim() },
    );
    frame.render_widget(Paragraph::new(first), head);
    if lines.is_empty() {
        frame.render_widget(Paragraph::new(nothing(list.width, look)), list);
        return;
    }
    let room = room(list);
    let seen = lines.iter().enumerate().skip(screen.chosen.first_seen(room)).take(room);
    let rows = seen.flat_map(|(at, line)| transfer(line, at == screen.chosen.at, list.width, look));
    frame.render_widget(Paragraph::new(rows.collect::<Vec<_>>()), list);
    if let Some(why) = screen.chosen_line().and_then(|line| line.waits_for.as_deref()) {
        let block = Block::new().borders(Borders::TOP).border_style(look.dim());
        let words = Paragraph::new(format!(" Waits for {}", shown(why))).wrap(Wrap { trim: true });
        frame.render_widget(words.block(block), foot);
    }
}

fn transfer(line: &TransferView, is_chosen: bool, width: u16, look: Look) -> [Line<'static>; 3] {
    let (word, style) = state(line, look);
    let way = if line.direction == "giving" { "to  " } else { "from" };
    let what = format!("{way} {:<WHO_CELLS$.WHO_CELLS$}  {}", shown(&line.who), shown(&line.spoken));
    let first = Line::from(vec![
        Span::raw(" "),
        Span::styled(format!("{word:<STATE_CELLS$}"), style),
        Span::styled(what, if is_chosen { look.chosen() } else { look.plain() }),
    ]);
    let indent = " ".repeat(STATE_CELLS + 1);
    let room = usize::from(width).saturating_sub(indent.len());
    let how_far = how_far(line, room);
    let waits = line.waits_for.as_ref().map(|why| format!("waits for {}", shown(why))).unwrap_or_default();
    let dim = |text: &str| Line::styled(format!("{indent}{}", shortened(text, room)), look.dim());
    match (how_far.is_empty(), waits.is_empty()) {
        (true, _) => [first, dim(&waits), Line::raw("")],
        (false, true) => [first, Line::raw(format!("{indent}{how_far}")), Line::raw("")],
        (false, false) if how_far.width() + 2 + waits.width() <= room => {
            let both = vec![Span::raw(format!("{indent}{how_far}; ")), Span::styled(waits, look.dim())];
            [first, Line::from(both), Line::raw("")]
        }
        (false, false) => [first, Line::raw(format!("{indent}{how_far}")), dim(&waits)],
    }
}

/// What is done of what there is, in so many cells; nothing where it is not about images.
fn how_far(line: &TransferView, room: usize) -> String {
    let is_taking = line.direction == "taking";
    match line.state.as_str() {
        "complete" if is_taking => format!("all {} images, {}{}", line.images_total, bytes(line.bytes_total), at(line)),
        "complete" => format!("images given, {}{}", bytes(line.bytes_done), at(line)),
        "invited" => format!("{} images, {}", line.images_total, bytes(line.bytes_total)),
        _ if is_taking => {
            let bar = arrived(line.chunks_done, line.chunks_total);
            let images = format!("{} of {} images", line.images_done.unwrap_or(0), line.images_total);
            let whole = format!("{bar}  {images}, {}", amount(line, Some(line.bytes_total)));
            // Of a narrow line the time left is the last to go: the bar says how much there is.
            match (whole.width() <= room, pace(line)) {
                (false, Some(pace)) => format!("{bar}  {images}, {pace}"),
                _ => whole,
            }
        }
        _ if line.chunks_done == 0 && line.state != "giving" => String::new(),
        _ => {
            let amount = amount(line, None);
            let (given, rest) = amount.split_once(',').unwrap_or((amount.as_str(), ""));
            let rest = if rest.is_empty() { at(line) } else { format!(",{rest}") };
            format!("images: {given} given since the start{rest}")
        }
    }
}

/// Bytes, rate and time left.
fn amount(line: &TransferView, total: Option<u64>) -> String {
    progress(&Progress {
        stage: line.direction.clone(),
        done: line.bytes_done,
        total,
        unit: "bytes".into(),
        bytes_per_second: line.bytes_per_second,
        seconds_left: line.seconds_left,
    })
}

/// Rate and time left, once something moved.
fn pace(line: &TransferView) -> Option<String> {
    let rate = format!("{}/s", bytes(line.bytes_per_second?));
    Some(match line.seconds_left {
        Some(seconds) => format!("{rate}, {} left", duration(seconds)),
        None => rate,
    })
}

/// `, at 10:02 UTC`: the date is that of the program's start or later.
fn at(line: &TransferView) -> String {
    let clock = line.at.as_deref().and_then(|at| at.split_once('T')).and_then(|(_, clock)| clock.get(..5));
    clock.map(|clock| format!(", at {} UTC", shown(clock))).unwrap_or_default()
}

/// Its state in words; what failed in capitals too, since not everybody sees red.
fn state(line: &TransferView, look: Look) -> (String, Style) {
    match line.state.as_str() {
        failed @ ("not sent" | "refused" | "stalled") => (failed.to_uppercase(), look.bad()),
        moving @ ("arriving" | "giving") => (moving.to_owned(), look.key()),
        done @ ("complete" | "given") => (done.to_owned(), look.good()),
        waits => (shown(waits).chars().take(STATE_CELLS - 1).collect(), look.warn()),
    }
}

fn nothing(width: u16, look: Look) -> Vec<Line<'static>> {
    let words = "What you write goes to the members of its case by itself, as soon as a program of theirs can be \
                 reached; images follow where somebody asks for them. Until then it stands here.";
    let mut lines = vec![Line::styled("  Nothing is under way, and nothing waits.", look.heading()), Line::raw("")];
    lines.extend(hanging("  ", words, width.min(100)).into_iter().map(|row| Line::styled(row, look.dim())));
    lines
}
