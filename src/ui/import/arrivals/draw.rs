//! What has arrived on the screen: who listens, the studies, and what becomes of them.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use unicode_width::UnicodeWidthChar;

use super::{Arrivals, count_studies};
use crate::encoding::text::shown;
use crate::encoding::time::Timestamp;
use crate::node::api::{InboxStudy, InboxView, ListenerView};
use crate::ui::look::Look;
use crate::ui::patient;
use crate::ui::widget::amount::{bytes, count};
use crate::ui::widget::text::hanging;

/// Lines above the list: pages, preset, and who listens.
const HEAD_LINES: u16 = 6;

/// Lines below it.
const FOOT_LINES: u16 = 3;

/// Narrowest screen on which a study takes two lines, in cells.
const WIDE_MIN: u16 = 120;

/// Most cells between the name of a patient and how complete the study is: the eye has to find its way across.
const WHO_CELLS_MAX: u16 = 100;

/// Addresses of this machine that are shown.
const HOSTS_MAX: usize = 3;

/// Lines of one study.
pub(in super::super) fn rows_of_study(width: u16) -> usize {
    if width >= WIDE_MIN { 2 } else { 3 }
}

/// Where studies are listed.
pub(in super::super) fn list_area(area: Rect) -> Rect {
    parts(area)[1]
}

fn parts(area: Rect) -> [Rect; 3] {
    Layout::vertical([Constraint::Length(HEAD_LINES), Constraint::Min(1), Constraint::Length(FOOT_LINES)]).areas(area)
}

impl Arrivals {
    /// Draws all but the two lines at the top, which are the import's.
    pub(in super::super) fn draw(&self, frame: &mut Frame<'_>, area: Rect, trouble: &[String], look: Look) {
        let [head, list, foot] = parts(area);
        let head = Rect { y: head.y + 2.min(head.height), height: head.height.saturating_sub(2), ..head };
        let Some(inbox) = &self.inbox else {
            frame.render_widget(Paragraph::new(Line::styled(" reading what has arrived …", look.dim())), head);
            return;
        };
        frame.render_widget(Paragraph::new(listener(inbox, look)).wrap(Wrap { trim: false }), head);
        if inbox.studies.is_empty() {
            frame.render_widget(Paragraph::new(nothing(inbox, list.width, look)), list);
            return;
        }
        let rows = rows_of_study(area.width);
        let room = (usize::from(list.height) / rows).max(1);
        let first = self.chosen.first_seen(room);
        let lines = inbox.studies.iter().enumerate().skip(first).take(room).flat_map(|(at, study)| {
            let style = if at == self.chosen.at { look.chosen() } else { look.plain() };
            self.study(study, list.width, rows, style, look)
        });
        frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), list);
        frame.render_widget(Paragraph::new(self.foot(inbox, trouble, look)), foot);
    }

    fn study(&self, study: &InboxStudy, width: u16, rows: usize, style: Style, look: Look) -> Vec<Line<'static>> {
        let mark = if self.marked.contains(&study.id) { " ✓ " } else { "   " };
        let (state, state_style) = state(study, look);
        let who = patient::who(&study.patient);
        let room = usize::from(width.min(WHO_CELLS_MAX)).saturating_sub(mark.len() + state.chars().count() + 2);
        let who = fitted(&who, room);
        let first = Line::from(vec![
            Span::styled(mark, look.good()),
            Span::styled(who, style),
            Span::styled(format!(" {state} "), state_style),
        ]);
        let modality = Some(shown(&study.modality)).filter(|modality| !modality.is_empty());
        let examination = patient::examination(&study.patient);
        let what = modality.map_or_else(|| examination.clone(), |modality| format!("{modality}, {examination}"));
        let how_much =
            format!("{} in {}, {}", count(study.instances, "image"), count(study.series, "series"), bytes(study.bytes));
        let came = format!("from {}{}", shown(&study.from), ago(&study.last, self.now));
        let mut lines = vec![first];
        if rows == 2 {
            lines.push(Line::raw(format!("     {}; {how_much}, {came}", what)));
        } else {
            lines.push(Line::raw(format!("     {}", what)));
            lines.push(Line::styled(format!("     {how_much}, {came}"), look.dim()));
        }
        lines
    }

    fn foot(&self, inbox: &InboxView, trouble: &[String], look: Look) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        if let Some(first) = trouble.first() {
            lines.push(Line::styled(format!(" Nothing to take in: {first}"), look.bad()));
        } else if self.marked.is_empty() {
            lines.push(Line::styled(" Nothing is marked: what the cursor is on is taken.", look.dim()));
        } else {
            let words = format!(" {} of {} marked.", self.marked.len(), count_studies(inbox.studies.len()));
            lines.push(Line::styled(words, look.good()));
        }
        let advice = self.chosen_study().map(|study| match study.state.as_str() {
            "arriving" => " It is still arriving: wait, or take in what is here and the rest later.",
            "incomplete" => " Have it sent again: what is here stays once, and what lacks comes.",
            _ if study.imported => " It was taken in, but not all of it: discard it once you have seen why.",
            _ => "",
        });
        lines.push(Line::styled(advice.unwrap_or_default(), look.warn()));
        let kept = " What is not taken in is gone when Overread ends or locks; the sender keeps it.";
        lines.push(Line::styled(kept, look.dim()));
        lines
    }
}

/// The text in exactly so many cells.
fn fitted(text: &str, cells: usize) -> String {
    let (mut fitted, mut used) = (String::new(), 0);
    for character in text.chars() {
        let wide = character.width().unwrap_or(0);
        if used + wide > cells {
            break;
        }
        fitted.push(character);
        used += wide;
    }
    fitted + &" ".repeat(cells - used)
}

/// How complete a study is, in words.
fn state(study: &InboxStudy, look: Look) -> (String, Style) {
    match study.state.as_str() {
        "arriving" => ("arriving …".into(), look.warn()),
        "incomplete" if study.missing > 0 => (format!("INCOMPLETE: {} not here", study.missing), look.bad()),
        "incomplete" => ("CUT OFF".into(), look.bad()),
        _ if study.imported => ("taken in in part".into(), look.warn()),
        _ => ("complete".into(), look.good()),
    }
}

/// `, 5 min ago`; nothing if the time is none.
fn ago(last: &str, now: Option<Timestamp>) -> String {
    let (Some(last), Some(now)) = (Timestamp::parse(last), now) else { return String::new() };
    match u64::try_from(now.0.saturating_sub(last.0)).unwrap_or(0) {
        0..60_000 => ", just now".into(),
        milliseconds => format!(", {} ago", crate::ui::worklist::duration(milliseconds).trim()),
    }
}

/// Who listens, and what neighbours enter; or that there is no room.
fn listener(inbox: &InboxView, look: Look) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if let Some(why) = &inbox.no_room {
        lines.push(Line::styled(format!(" REFUSED: {}.", shown(why)), look.bad()));
    }
    let Some(listener) = &inbox.listener else {
        let words =
            vec![Span::styled(" Nobody can send here now.  ", look.warn()), key("l", look), Span::raw("listens")];
        lines.push(Line::from(words));
        return lines;
    };
    lines.push(Line::from(vec![
        Span::styled(if listener.tls { " Listening, TLS only. " } else { " Listening. " }, look.good()),
        Span::raw("Enter at the sender: "),
        Span::styled(entered(listener), look.heading()),
    ]));
    // Who may send matters less than that nothing more fits.
    if inbox.no_room.is_none() {
        lines.push(may_send(listener, look));
    }
    if let Some(why) = &inbox.refused {
        lines.push(Line::styled(format!(" The last sender was refused: {}", shown(why)), look.warn()));
    }
    lines
}

/// What neighbours enter.
fn entered(listener: &ListenerView) -> String {
    let hosts: Vec<_> = listener.hosts.iter().take(HOSTS_MAX).map(|host| shown(host)).collect();
    let host = if hosts.is_empty() { "this machine".to_owned() } else { format!("host {}", hosts.join(" or ")) };
    format!("{host}, port {}, AE {}", listener.port, shown(&listener.ae_title))
}

fn may_send(listener: &ListenerView, look: Look) -> Line<'static> {
    match (listener.any_ae, listener.allowed.is_empty()) {
        (true, _) => Line::styled(" CAREFUL: whoever reaches this port may send.", look.bad()),
        (false, true) => Line::styled(" Nobody may send: no AE title is allowed.", look.bad()),
        (false, false) => Line::raw(format!(" May send: {}", shown(&listener.allowed.join(", ")))),
    }
}

/// What stands where no study is.
fn nothing(inbox: &InboxView, width: u16, look: Look) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled("  Nothing has arrived.", look.heading()), Line::raw("")];
    if inbox.wiped > 0 {
        let (what, them) = if inbox.wiped == 1 { ("1 study", "it") } else { ("some studies", "them") };
        let words = format!("  Locking wiped {what} that had arrived: have {them} sent again.");
        lines.push(Line::styled(words, look.warn()));
        lines.push(Line::raw(""));
    }
    let mut way = |name: &'static str, words: &'static str| {
        lines.push(Line::from(vec![Span::raw("  "), key(name, look), Span::raw(words)]));
    };
    match inbox.listener {
        Some(_) => way("x", "ends the listening"),
        None => way("l", "listens for a PACS or a modality, which then sends studies to this machine"),
    }
    way("Tab", "takes in files of a disc, a folder or a ZIP instead");
    lines.push(Line::raw(""));
    let words = "What arrives holds real names. It stands encrypted under a key that only the running program knows, and \
                 is gone when that ends or is locked; the sender keeps the original.";
    lines.extend(hanging("  ", words, width.min(WHO_CELLS_MAX)).into_iter().map(|line| Line::styled(line, look.dim())));
    lines
}

fn key(name: &'static str, look: Look) -> Span<'static> {
    Span::styled(format!("{name:<4}"), look.key())
}
