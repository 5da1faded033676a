//! The worklist on the screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Table};

use super::Worklist;
use crate::encoding::text::shown;
use crate::encoding::time::Timestamp;
use crate::node::api::CaseSummary;
use crate::ui::look::Look;
use crate::ui::patient;
use crate::ui::widget::amount::bytes;
use crate::ui::widget::text::shortened;

/// Cells of the bar that shows how much of a case has arrived.
const BAR_CELLS: u64 = 8;

/// Cells between two columns.
const GAP: u16 = 1;

/// Which column is the case; question and colleague follow.
const CASE_COLUMN: usize = 2;

/// Narrowest screen with every column and room for the question, in cells.
const WIDE_MIN: u16 = 150;

pub(super) fn worklist(list: &Worklist, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let [head, body, glance] = list.parts(area);
    let mut lines = Vec::new();
    if let Some(left) = list.disk_low_bytes {
        let words = format!(" {} left on the disk: make room, or images cannot arrive any more", bytes(left));
        lines.push(Line::styled(words, look.bad()));
    }
    if list.recovery_confirmed == Some(false) {
        lines.push(Line::from(vec![
            Span::styled(" R ", look.key()),
            Span::styled("your recovery code is not on paper yet: a lost machine is a lost identity", look.warn()),
        ]));
    }
    frame.render_widget(Paragraph::new(lines), Rect { height: list.about_home().min(area.height), ..area });
    let Some(cases) = &list.cases else {
        frame.render_widget(Paragraph::new(Line::styled("reading the cases …", look.dim())), head);
        return;
    };
    if cases.is_empty() {
        nothing(frame, list.below_home(area), list, look);
        return;
    }
    let seen = list.seen();
    if list.filtering || !list.filter.text().is_empty() {
        let line = Rect { height: 1.min(head.height), ..head };
        list.filter.draw_line(frame, line, list.filtering, look);
    } else {
        let unread: usize = cases.iter().map(|case| case.unread).sum();
        let not_sent = cases.iter().filter(|case| case.not_sent).count();
        let mut spans = vec![Span::styled(format!(" sorted by {}", list.order.word()), look.dim())];
        if unread > 0 {
            let opinions = if unread == 1 { "opinion" } else { "opinions" };
            spans.push(Span::styled(format!("   {unread} {opinions} nobody here has read"), look.warn()));
        }
        if not_sent > 0 {
            spans.push(Span::styled(format!("   {not_sent} NOT SENT"), look.bad()));
            spans.push(Span::styled("  w", look.key()));
        }
        if list.arrived > 0 {
            spans.push(Span::styled(format!("   {}", arrivals(list.arrived)), look.good()));
            spans.push(Span::styled("  i", look.key()));
        }
        frame.render_widget(Paragraph::new(Line::from(spans)), Rect { height: 1.min(head.height), ..head });
    }
    let height = usize::from(body.height);
    let first = list.chosen.first_seen(height);
    let wide = area.width >= WIDE_MIN;
    let (widths, titles): (Vec<Constraint>, Vec<&str>) = columns(wide).into_iter().unzip();
    let rooms = Layout::horizontal(widths.clone()).spacing(GAP).split(body);
    let rows = seen.iter().enumerate().skip(first).take(height).map(|(number, case)| {
        let style = if number == list.chosen.at { look.chosen() } else { look.plain() };
        row(case, list.now, wide, &rooms, look).style(style)
    });
    let title = Row::new(titles).style(look.dim());
    let head_line = Rect { y: head.y + 1.min(head.height), height: head.height.saturating_sub(1), ..head };
    frame.render_widget(Table::new([title], widths.clone()).column_spacing(GAP), head_line);
    frame.render_widget(Table::new(rows, widths).column_spacing(GAP), body);
    if seen.is_empty() {
        frame.render_widget(Paragraph::new(Line::styled(" no case matches; Esc shows all", look.dim())), body);
    }
    let block = Block::new().borders(Borders::TOP).border_style(look.dim());
    frame.render_widget(block, glance);
    if let Some(case) = list.chosen_case() {
        if case.status == "damaged" {
            damaged(frame, glance_inside(glance), look);
        }
        list.preview.draw(frame, glance_inside(glance), &case.id, look);
    }
}

/// The glance at the chosen case, below its line.
pub(super) fn glance_inside(glance: Rect) -> Rect {
    Block::new().borders(Borders::TOP).inner(glance)
}

/// The columns: on a narrow screen the colleague stands only in the glance below the list.
fn columns(wide: bool) -> Vec<(Constraint, &'static str)> {
    let length = |narrow, broad| Constraint::Length(if wide { broad } else { narrow });
    let with = wide.then_some((Constraint::Length(26), "with"));
    [
        Some((length(6, 8), "")),
        Some((length(6, 8), "due")),
        Some((length(16, 34), "case")),
        Some((Constraint::Fill(1), "question")),
        with,
        Some((length(6, 8), "unread")),
        Some((length(6, 14), "images")),
        Some((Constraint::Length(8), "state")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn row(case: &CaseSummary, now: Option<Timestamp>, wide: bool, rooms: &[Rect], look: Look) -> Row<'static> {
    let fitted = |text: &str, column: usize| {
        let room = rooms.get(column).map_or(0, |room| room.width);
        Cell::new(shortened(&shown(text), usize::from(room)))
    };
    let urgency = match case.urgency.as_str() {
        "stat" | "urgent" if case.status == "open" => case.urgency.to_uppercase(),
        _ => String::new(),
    };
    let name = match &case.patient {
        Some(name) if case.other_patients > 0 => {
            format!("{} ({} and {} more)", shown(&case.spoken), patient::name(name), case.other_patients)
        }
        Some(name) => format!("{} ({})", shown(&case.spoken), patient::name(name)),
        None => shown(&case.spoken).into_owned(),
    };
    let (state, style) = state(case, look);
    let unread = if case.unread > 0 { format!("{} new", case.unread) } else { String::new() };
    let images = if wide { arrived(case.chunks_have, case.chunks_total) } else { share(case) };
    let with = wide.then(|| fitted(&case.people.join(", "), CASE_COLUMN + 2));
    Row::new(
        [
            Some(Cell::new(Span::styled(urgency, look.urgency(&case.urgency)))),
            Some(due(case.due.as_deref(), now, look)),
            Some(fitted(&name, CASE_COLUMN)),
            Some(fitted(&case.question, CASE_COLUMN + 1)),
            with,
            Some(Cell::new(Span::styled(unread, look.warn()))),
            Some(Cell::new(images)),
            Some(Cell::new(Span::styled(state, style))),
        ]
        .into_iter()
        .flatten(),
    )
}

/// How much of the images is here, in few characters.
fn share(case: &CaseSummary) -> String {
    match (case.chunks_have, case.chunks_total) {
        (_, 0) => String::new(),
        (have, total) if have >= total => "all".into(),
        (have, total) => format!("{}%", have.saturating_mul(100) / total),
    }
}

fn state(case: &CaseSummary, look: Look) -> (&'static str, Style) {
    match () {
        () if case.status == "damaged" => ("DAMAGED", look.bad()),
        () if case.not_sent => ("NOT SENT", look.bad()),
        () if case.standing == "invited" || case.standing == "offered" => ("invited", look.warn()),
        () if case.role == "none" => ("removed", look.warn()),
        () if case.status == "closed" => ("closed", look.dim()),
        () => ("open", look.good()),
    }
}

/// How long until a case is due, or since.
fn due(due: Option<&str>, now: Option<Timestamp>, look: Look) -> Cell<'static> {
    let (Some(due), Some(now)) = (due.and_then(Timestamp::parse), now) else { return Cell::new("") };
    let left_ms = due.0.saturating_sub(now.0);
    let words = duration(left_ms.unsigned_abs());
    if left_ms < 0 {
        return Cell::new(Span::styled(format!("-{words}"), look.bad()));
    }
    let style = if left_ms < 60 * 60 * 1000 { look.warn() } else { look.plain() };
    Cell::new(Span::styled(words, style))
}

/// A span of time in at most six characters.
pub(in crate::ui) fn duration(milliseconds: u64) -> String {
    let minutes = milliseconds / 60_000;
    match minutes {
        0..60 => format!("{minutes} min"),
        60..1_440 => format!("{}h{:02}", minutes / 60, minutes % 60),
        _ => format!("{} d", minutes / 1_440),
    }
}

/// How much of the images is here.
pub(in crate::ui) fn arrived(have: u64, total: u64) -> String {
    if total == 0 {
        return String::new();
    }
    let have = have.min(total);
    if have == total {
        return "all here".into();
    }
    // Both are counts of chunks, far below 2^60.
    let cells = have.saturating_mul(BAR_CELLS) / total;
    let percent = have.saturating_mul(100) / total;
    let bar: String = (0..BAR_CELLS).map(|cell| if cell < cells { '█' } else { '░' }).collect();
    format!("{bar} {percent:>3}%")
}

/// How much neighbours have sent.
fn arrivals(studies: usize) -> String {
    match studies {
        1 => "1 study arrived from the hospital".into(),
        studies => format!("{studies} studies arrived from the hospital"),
    }
}

/// Of a case whose stored history does not hold nothing else can be said.
fn damaged(frame: &mut Frame<'_>, area: Rect, look: Look) {
    let way = |key: &'static str, words: &'static str| {
        Line::from(vec![Span::styled(format!("{key:>5}  "), look.key()), Span::raw(words)])
    };
    let lines = vec![
        Line::styled("The stored history of this case is damaged. Nothing of it is shown or written.", look.bad()),
        way("v", "verify it: what of it is damaged"),
        way("Del", "delete it here; a colleague's program then sends it again"),
    ];
    frame.render_widget(Paragraph::new(lines), area);
}

/// What to do while there is no case.
fn nothing(frame: &mut Frame<'_>, area: Rect, list: &Worklist, look: Look) {
    let mut lines = vec![Line::raw(""), Line::styled("  No case yet.", look.heading()), Line::raw("")];
    let mut way = |key: &'static str, words: &'static str| {
        lines.push(Line::from(vec![Span::styled(format!("  {key:>3}  "), look.key()), Span::raw(words)]));
    };
    if list.has_colleague == Some(false) {
        way("c", "pair with a colleague: one of you reads the other a code");
    }
    way("n", "ask a colleague about an examination");
    way("i", "take an examination in; it is de-identified on the way");
    way("t", "the studies held here");
    way("b", "take in a bundle, such as one from a stick");
    way("?", "all keys");
    if list.arrived > 0 {
        lines.push(Line::raw(""));
        lines.push(Line::styled(format!("       {}: i shows them", arrivals(list.arrived)), look.good()));
    }
    frame.render_widget(Paragraph::new(lines), area);
}
