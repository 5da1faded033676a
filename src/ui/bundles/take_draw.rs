//! The taking in of a bundle on the screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::take::{Step, TakeBundle};
use super::{amounts, field, sentence};
use crate::encoding::text::shown;
use crate::node::api::{BundleView, CaseSummary};
use crate::ui::browse::{draw_list, draw_place};
use crate::ui::look::Look;
use crate::ui::widget::amount::{bytes, count, draw_busy};
use crate::ui::widget::text::{hanging, shortened};

/// Rows above the cases that a bundle brought.
const TAKEN_HEAD_ROWS: u16 = 4;

/// Rows below them at least: what went wrong, and what to do next.
const TAKEN_FOOT_ROWS: u16 = 8;

/// Cells of how much of a case's images is here.
const IMAGES_CELLS: usize = 16;

fn choose_parts(area: Rect) -> [Rect; 3] {
    Layout::vertical([Constraint::Length(4), Constraint::Min(1), Constraint::Length(3)]).areas(area)
}

/// Where files are listed.
pub(super) fn list_area(area: Rect) -> Rect {
    choose_parts(area)[1]
}

/// The line that takes it in when it is clicked.
pub(super) fn take_line(area: Rect) -> Rect {
    Rect { y: area.bottom().saturating_sub(1), height: 1.min(area.height), ..area }
}

/// Where the cases stand that a bundle brought.
pub(super) fn cases_area(area: Rect, cases: usize) -> Rect {
    let room = area.height.saturating_sub(TAKEN_HEAD_ROWS);
    let most = room.saturating_sub(TAKEN_FOOT_ROWS).max(1.min(room));
    let height = u16::try_from(cases).unwrap_or(u16::MAX).min(most);
    Rect { y: area.y + TAKEN_HEAD_ROWS.min(area.height), height, ..area }
}

/// Why a bundle is not taken in, and what to do about it.
pub(super) fn refusal(held: &BundleView) -> Option<String> {
    let words = match (held.for_me, held.standing.as_deref()) {
        (false, _) => {
            "It is sealed for others: this device cannot open it. Write your card to a file (c, then e), send it to your \
             colleague, and ask her for a bundle that names you."
        }
        (true, Some("blocked")) => {
            "You have blocked who packed it: nothing of it is taken in. What she wrote in cases you share still comes \
             through their other members."
        }
        (true, Some("unknown")) => {
            "You do not hold the card of who packed it: nothing of it is taken in. Ask her for her card, add it (c, then \
             a), compare words with her by phone (c, then v), then take the bundle in."
        }
        _ => return None,
    };
    Some(words.into())
}

/// What is to be known of a bundle that can be taken in.
fn caution(held: &BundleView) -> Option<&'static str> {
    match held.standing.as_deref() {
        Some("member") => Some(
            "Who packed it is a fellow member and no colleague of yours: only what it holds of cases you share is taken \
             in, no new case.",
        ),
        None => Some(
            "Who packed it cannot be told, since that part is damaged: only entries of cases that are here already are \
             taken in. Better let it be packed again.",
        ),
        _ => None,
    }
}

pub(super) fn take(screen: &TakeBundle, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let path = shown(&screen.path.to_string_lossy()).into_owned();
    let at = screen.busy.as_ref().and_then(|busy| busy.progress.as_ref());
    match screen.step {
        Step::Choose => choose(screen, frame, area, look),
        Step::Look => draw_busy(frame, area, "Reading and checking it; nothing is taken in.", &path, at, look),
        Step::TakeIn => draw_busy(frame, area, "Checking it and taking it in.", &path, at, look),
        Step::Held => held(screen, frame, area, look),
        Step::Taken => taken(screen, frame, area, look),
    }
}

fn choose(screen: &TakeBundle, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let [head, list, foot] = choose_parts(area);
    let line = |row: u16| Rect { y: head.y + row, height: 1, ..head }.intersection(head);
    let intro = " Choose the file of a bundle: first you see what it holds, nothing is taken in.";
    frame.render_widget(Paragraph::new(Line::styled(intro, look.dim())), line(0));
    draw_place(&screen.browser, frame, [line(1), line(2)], look);
    if screen.browser.rows() == 0 && screen.browser.folder().is_some() {
        let words = "  Nothing lies in this folder: ← goes to the one above, m to a stick or disc.";
        frame.render_widget(Paragraph::new(Line::styled(words, look.dim())), list);
    } else {
        draw_list(&screen.browser, frame, list, "", look);
    }
    let (words, style) = match &screen.trouble {
        Some(trouble) => (trouble.as_str(), look.bad()),
        None => ("m goes to a stick or disc; / types a path.", look.dim()),
    };
    let lines = hanging(" ", words, foot.width).into_iter().map(|line| Line::styled(line, style));
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), foot);
}

fn held(screen: &TakeBundle, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let [body, _] = Layout::vertical([Constraint::Min(0), Constraint::Length(2)]).areas(area);
    let lines = held_lines(screen, area.width, look);
    let last = lines.len().saturating_sub(usize::from(body.height));
    let first = u16::try_from(screen.chosen.at.min(last)).unwrap_or(u16::MAX);
    frame.render_widget(Paragraph::new(lines).scroll((first, 0)), body);
    let words = match refusal(&screen.held) {
        None => Line::from(vec![Span::styled(" Enter  ", look.key()), Span::raw("take it in")]),
        Some(_) => Line::from(vec![Span::styled(" Esc  ", look.key()), Span::raw("choose another file")]),
    };
    frame.render_widget(Paragraph::new(words), take_line(area));
}

/// What a bundle holds, and from whom.
pub(super) fn held_lines(screen: &TakeBundle, width: u16, look: Look) -> Vec<Line<'static>> {
    let held = &screen.held;
    let mut lines = vec![Line::raw("")];
    lines.extend(field("file", &shown(&screen.path.to_string_lossy()), width, look));
    lines.extend(field("size", &bytes(held.bytes), width, look));
    if held.for_me {
        let from = held.from.as_deref().map_or("cannot be told: that part is damaged".into(), shown);
        lines.extend(field("from", &from, width, look));
        if let Some(packed) = &held.packed {
            lines.extend(field("packed", &format!("{}, by her clock", minute(packed)), width, look));
        }
        lines.extend(field("for you", "yes", width, look));
        let cases: Vec<_> = held.cases.iter().map(|case| shown(case).into_owned()).collect();
        let cases = if cases.is_empty() { "none".to_owned() } else { cases.join(", ") };
        lines.extend(field("cases", &cases, width, look));
        lines.extend(field("holds", &amounts(held.entries, held.chunks), width, look));
    } else {
        lines.extend(field("for you", "no", width, look));
    }
    lines.push(Line::raw(""));
    if let Some(trouble) = &screen.trouble {
        lines.extend(sentence(trouble, look.bad(), width));
        lines.push(Line::raw(""));
    }
    match (refusal(held), caution(held)) {
        (Some(words), _) => lines.extend(sentence(&words, look.bad(), width)),
        (None, Some(words)) => lines.extend(sentence(words, look.warn(), width)),
        (None, None) => {
            let words = "Taking it in accepts the invitations in it. What is here already is not taken twice.";
            lines.extend(sentence(words, look.dim(), width));
        }
    }
    lines.extend(problem_lines(&held.problems, "It is damaged; the rest of it can be taken in", width, look));
    lines
}

fn problem_lines(problems: &[String], title: &str, width: u16, look: Look) -> Vec<Line<'static>> {
    if problems.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![Line::raw(""), Line::styled(format!("  {title}"), look.warn())];
    lines.extend(problems.iter().flat_map(|problem| hanging("  - ", &shown(problem), width)).map(Line::raw));
    lines
}

/// `2026-11-24 09:41 UTC`.
fn minute(time: &str) -> String {
    let minute: String = shown(time).chars().take(16).collect();
    format!("{} UTC", minute.replace('T', " "))
}

fn taken(screen: &TakeBundle, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let brought = &screen.brought;
    let list = cases_area(area, brought.cases.len());
    let head = Rect { height: TAKEN_HEAD_ROWS.min(area.height), ..area };
    let (words, style) = match (brought.entries_new, brought.chunks_new) {
        (0, 0) if brought.problems.is_empty() => {
            ("Nothing in it is new: all of it was here already.".to_owned(), look.plain())
        }
        (0, 0) => ("Nothing was taken in.".to_owned(), look.warn()),
        (entries, chunks) => (format!("Taken in, and new here: {}.", amounts(entries, chunks)), look.good()),
    };
    let new = brought.cases.iter().filter(|(id, _)| screen.is_new(id)).count();
    let cases = match (brought.cases.len(), new) {
        (0, _) => String::new(),
        (cases, 0) => format!("  {}", count(cases, "case")),
        (cases, new) => format!("  {}, {new} new here", count(cases, "case")),
    };
    let words = Line::styled(format!("  {words}"), style);
    let lines = vec![Line::raw(""), words, Line::raw(""), Line::styled(cases, look.heading())];
    frame.render_widget(Paragraph::new(lines), head);
    let room = usize::from(list.height);
    let seen = brought.cases.iter().enumerate().skip(screen.chosen.first_seen(room)).take(room);
    let rows = seen.map(|(at, case)| case_line(screen, case, at == screen.chosen.at, list.width, look));
    frame.render_widget(Paragraph::new(rows.collect::<Vec<_>>()), list);
    let foot = Rect { y: list.bottom(), height: area.bottom().saturating_sub(list.bottom()), ..area };
    let mut lines = Vec::new();
    if !brought.cases.is_empty() {
        lines.push(Line::raw(""));
        lines.extend(sentence(
            "Your answer goes back the same way: F in the case packs it into a file.",
            look.dim(),
            area.width,
        ));
    }
    lines.extend(problem_lines(&brought.problems, "What went wrong", area.width, look));
    let left = (lines.len() + 1).saturating_sub(usize::from(foot.height));
    if lines.len() > usize::from(foot.height) {
        lines.truncate(usize::from(foot.height).saturating_sub(1));
        lines.push(Line::styled(format!("  … {left} more lines: a larger terminal shows them"), look.warn()));
    }
    frame.render_widget(Paragraph::new(lines), foot);
}

fn case_line(
    screen: &TakeBundle,
    (id, spoken): &(String, String),
    is_at: bool,
    width: u16,
    look: Look,
) -> Line<'static> {
    let case = screen.cases.iter().find(|case| case.id == *id);
    let question = case.map(|case| shown(&case.question).into_owned()).unwrap_or_default();
    let urgency = case.map(|case| case.urgency.as_str()).filter(|urgency| matches!(*urgency, "stat" | "urgent"));
    let new = if screen.is_new(id) { "new" } else { "" };
    let room = usize::from(width).saturating_sub(16 + IMAGES_CELLS);
    let what = shortened(&format!("{}: {question}", shown(spoken)), room);
    let blank = " ".repeat(room.saturating_sub(unicode_width::UnicodeWidthStr::width(what.as_str())));
    Line::from(vec![
        Span::styled(format!("  {new:<4} "), look.good()),
        Span::styled(
            format!("{:<7}", urgency.unwrap_or_default().to_uppercase()),
            look.urgency(urgency.unwrap_or_default()),
        ),
        Span::styled(what, if is_at { look.chosen() } else { look.plain() }),
        Span::raw(format!("{blank}  ")),
        Span::styled(case.map(images).unwrap_or_default(), look.dim()),
    ])
}

fn images(case: &CaseSummary) -> String {
    match (case.chunks_have, case.chunks_total) {
        (_, 0) => "no images".into(),
        (have, total) if have >= total => "all images here".into(),
        (have, total) => format!("{}% of images", have.saturating_mul(100) / total),
    }
}
