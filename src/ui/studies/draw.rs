//! The studies on the screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Table, Wrap};

use super::Studies;
use crate::encoding::text::shown;
use crate::node::api::{SeriesView, StudyView};
use crate::ui::look::Look;
use crate::ui::patient;
use crate::ui::widget::amount::{bytes, count};

/// Narrowest screen that has room for the patient's identifier and birth date, in cells.
const WIDE: u16 = 120;

pub(super) fn studies(screen: &Studies, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let [head, list, detail] = Studies::parts(area);
    let Some(studies) = &screen.studies else {
        frame.render_widget(Paragraph::new(Line::styled(" reading the studies …", look.dim())), head);
        return;
    };
    if studies.is_empty() {
        let lines = vec![
            Line::raw(""),
            Line::styled("  No study is here.", look.heading()),
            Line::raw(""),
            Line::from(vec![
                Span::styled("    i  ", look.key()),
                Span::raw("take an examination in: files, folders, ZIP, DICOMDIR"),
            ]),
        ];
        frame.render_widget(Paragraph::new(lines), area);
        return;
    }
    let first_line = Rect { height: 1.min(head.height), ..head };
    if screen.filtering || !screen.filter.text().is_empty() {
        screen.filter.draw_line(frame, first_line, screen.filtering, look);
    } else {
        let waiting: usize = studies.iter().map(|study| study.left_out).sum();
        let stored: u64 = studies.iter().fold(0, |sum, study| sum.saturating_add(study.bytes_stored));
        let mut spans = vec![Span::styled(format!(" {} stored", bytes(stored)), look.dim())];
        if waiting > 0 {
            spans.push(Span::styled(format!("   {} left out: v looks at them", count(waiting, "image")), look.warn()));
        }
        frame.render_widget(Paragraph::new(Line::from(spans)), first_line);
    }
    let wide = area.width >= WIDE;
    let widths = [
        Constraint::Fill(if wide { 3 } else { 2 }),
        Constraint::Length(10),
        Constraint::Length(if wide { 12 } else { 5 }),
        Constraint::Fill(2),
        Constraint::Length(6),
        Constraint::Length(8),
        Constraint::Length(9),
        Constraint::Length(if wide { 10 } else { 5 }),
    ];
    let titles = [" real patient", "examined", "what", "description", "images", "left out", "stored", "cases"];
    let titles_line = Rect { y: head.y + 1.min(head.height), height: head.height.saturating_sub(1), ..head };
    frame.render_widget(Table::new([Row::new(titles).style(look.dim())], widths), titles_line);
    let seen = screen.seen();
    let room = usize::from(list.height);
    let rows = seen.iter().enumerate().skip(screen.chosen.first_seen(room)).take(room).map(|(at, study)| {
        let style = if at == screen.chosen.at { look.chosen() } else { look.plain() };
        row(screen, study, wide, look).style(style)
    });
    frame.render_widget(Table::new(rows, widths), list);
    if seen.is_empty() {
        frame.render_widget(Paragraph::new(Line::styled(" no study matches; Esc shows all", look.dim())), list);
    }
    let block = Block::new().borders(Borders::TOP).border_style(look.dim());
    let inside = block.inner(detail);
    frame.render_widget(block, detail);
    let inside = Rect { x: inside.x + 1.min(inside.width), width: inside.width.saturating_sub(1), ..inside };
    frame.render_widget(Paragraph::new(details(screen, look)).wrap(Wrap { trim: false }), inside);
}

fn row(screen: &Studies, study: &StudyView, wide: bool, look: Look) -> Row<'static> {
    let (who, day) = match screen.patients.get(&study.id) {
        Some(patient) if wide => (patient::who(patient), patient::date(&patient.study_date)),
        Some(patient) => (patient::name(&patient.name), patient::date(&patient.study_date)),
        None if study.origin == "mine" => (String::new(), String::new()),
        None => ("(received)".into(), String::new()),
    };
    let left_out = if study.left_out > 0 { study.left_out.to_string() } else { String::new() };
    let cases = if study.cases.is_empty() { String::new() } else { study.cases.len().to_string() };
    Row::new([
        Cell::new(format!(" {who}")),
        Cell::new(day),
        Cell::new(shown(&study.modality).into_owned()),
        Cell::new(shown(&study.description).into_owned()),
        Cell::new(format!("{:>6}", study.instances)),
        Cell::new(Span::styled(format!("{left_out:>8}"), look.warn())),
        Cell::new(format!("{:>9}", bytes(study.bytes_stored))),
        Cell::new(format!("{cases:>5}")),
    ])
}

fn details(screen: &Studies, look: Look) -> Vec<Line<'static>> {
    let Some(study) = screen.chosen_study() else { return Vec::new() };
    let mut lines = Vec::new();
    if let Some(patient) = screen.patients.get(&study.id) {
        lines.push(Line::from(vec![
            Span::styled("real patient, seen by you only: ", look.dim()),
            Span::styled(patient::who(patient), look.heading()),
        ]));
        lines.push(Line::raw(format!("  {}", patient::examination(patient))));
    }
    let id: String = shown(&study.id).chars().take(10).collect();
    let cases = if study.cases.is_empty() { "in no case".into() } else { count(study.cases.len(), "case") };
    let from = if study.origin == "mine" { "imported here" } else { "received" };
    lines.push(Line::styled(format!("{id}  {from}, {cases}"), look.dim()));
    let Some(detail) = screen.detail.as_ref().filter(|detail| detail.study.id == study.id) else {
        lines.push(Line::styled("reading its series …", look.dim()));
        return lines;
    };
    lines.extend(detail.series_list.iter().map(|series| series_line(series, look)));
    lines
}

fn series_line(series: &SeriesView, look: Look) -> Line<'static> {
    let number = series.number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let mut spans = vec![
        Span::styled(format!("{number:>4}  "), look.dim()),
        Span::raw(format!("{:<3} {}  ", shown(&series.modality), shown(&series.description))),
    ];
    // What is missing is told with how many there are: "118 images, 2 positions missing".
    match series.gaps.is_empty() {
        true => spans.push(Span::styled(count(series.instances, "image"), look.dim())),
        false => spans.push(Span::styled(shown(&series.gaps.join(", ")).into_owned(), look.warn())),
    }
    if series.instances_have < series.instances {
        spans.push(Span::styled(format!(", {} here", series.instances_have), look.warn()));
    }
    if series.left_out > 0 {
        spans.push(Span::styled(format!(", {} left out", series.left_out), look.warn()));
    }
    Line::from(spans)
}
