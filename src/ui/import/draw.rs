//! The import on the screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::arrivals::count_studies;
use super::{Import, Source, Step};
use crate::encoding::text::shown;
use crate::ui::browse::{draw_list, draw_place};
use crate::ui::look::Look;
use crate::ui::patient;
use crate::ui::widget::amount::{count, draw_busy};

/// Lines under the list of files: what is marked, or what went wrong.
const FOOT_LINES: u16 = 4;

/// Where files are listed.
pub(super) fn list_area(area: Rect) -> Rect {
    let [_, list, _] = parts(area);
    list
}

fn parts(area: Rect) -> [Rect; 3] {
    Layout::vertical([Constraint::Length(4), Constraint::Min(1), Constraint::Length(FOOT_LINES)]).areas(area)
}

/// Where the pages of a plan are drawn: under its head and their names.
pub(super) fn plan_body(area: Rect) -> Rect {
    let [_, page] = plan_parts(area);
    Rect { y: page.y + 2.min(page.height), height: page.height.saturating_sub(2), ..page }
}

fn plan_parts(area: Rect) -> [Rect; 2] {
    Layout::vertical([Constraint::Length(2), Constraint::Min(0)]).areas(area)
}

pub(super) fn import(import: &Import, frame: &mut Frame<'_>, area: Rect, look: Look) {
    match &import.step {
        Step::Choose => choose(import, frame, area, look),
        Step::Find => busy(import, frame, area, "Reading the files and making a plan; nothing is stored.", look),
        Step::TakeIn => busy(import, frame, area, "Cleaning, packing and sealing.", look),
        Step::Plan(page) => {
            let [head, body] = plan_parts(area);
            plan_head(import, frame, head, look);
            page.draw(frame, body, &import.keep_words, import.is_stale(), look);
        }
        Step::Report(page) => page.draw(frame, area, look),
    }
    if let Some(picker) = &import.picker {
        picker.draw(frame, area, look);
    }
}

fn choose(import: &Import, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let [head, list, foot] = parts(area);
    let browser = &import.browser;
    let top = |row: u16| Rect { y: head.y + row, height: 1, ..head }.intersection(head);
    frame.render_widget(Paragraph::new(sources(import, look)), top(0));
    if import.source == Source::Arrivals {
        frame.render_widget(Paragraph::new(options(import, look)), top(1));
        import.arrivals.draw(frame, area, &import.trouble, look);
        return;
    }
    frame.render_widget(Paragraph::new(options(import, look)), top(2));
    draw_place(browser, frame, [top(1), top(3)], look);
    draw_list(browser, frame, list, "./  all of this folder", look);
    frame.render_widget(Paragraph::new(marked(import, look)), foot);
}

/// The names of the two pages.
fn sources(import: &Import, look: Look) -> Line<'static> {
    let arrived = import.arrivals.studies().len();
    let names =
        [(Source::Arrivals, format!(" Arrived from the hospital: {arrived} ")), (Source::Files, " Files ".into())];
    let spans = names.into_iter().flat_map(|(source, name)| {
        let style = match source {
            source if source == import.source => look.chosen(),
            Source::Arrivals if arrived > 0 => look.good(),
            _ => look.plain(),
        };
        [Span::raw(" "), Span::styled(name, style)]
    });
    Line::from_iter(spans)
}

/// The preset, and the patient that these files are said to be of.
fn options(import: &Import, look: Look) -> Line<'static> {
    let mut spans = vec![Span::styled(format!(" preset {}", import.preset.words()), look.dim())];
    if let Some(same) = &import.same_patient {
        spans.push(Span::styled(format!("; same patient as {}", patient::who(&same.patient)), look.warn()));
    }
    Line::from(spans)
}

/// What is marked, or what an import that found nothing said of the files.
fn marked(import: &Import, look: Look) -> Vec<Line<'static>> {
    let marked = import.browser.marked();
    if !import.trouble.is_empty() {
        let mut lines = vec![Line::styled(" Nothing to take in:", look.bad())];
        lines.extend(
            import.trouble.iter().take(usize::from(FOOT_LINES) - 1).map(|line| Line::raw(format!("   {line}"))),
        );
        return lines;
    }
    if marked.is_empty() {
        return vec![Line::raw(""), Line::styled(" Nothing is marked: what the cursor is on is taken.", look.dim())];
    }
    let mut lines = vec![Line::raw("")];
    lines.push(Line::styled(format!(" {} marked:", count(marked.len(), "path")), look.good()));
    let names = marked.iter().map(|path| shown(&path.to_string_lossy()).into_owned());
    let names: Vec<String> = names.take(20).collect();
    lines.push(Line::raw(format!("   {}", names.join(", "))));
    lines
}

fn plan_head(import: &Import, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let line = |row: u16| Rect { y: area.y + row, height: 1, ..area }.intersection(area);
    frame.render_widget(Paragraph::new(options(import, look)), line(0));
    if import.is_stale() {
        frame.render_widget(Clear, line(1));
        let at = import.busy.as_ref().and_then(|busy| busy.progress.as_ref());
        let words = match at {
            Some(at) => format!(" the plan is being made anew: {}", crate::ui::widget::amount::progress(at)),
            None => " the plan is being made anew …".to_owned(),
        };
        frame.render_widget(Paragraph::new(Line::styled(words, look.warn())), line(1));
    } else {
        let words = " Nothing is stored yet. Read it, then Enter takes it in.";
        frame.render_widget(Paragraph::new(Line::styled(words, look.dim())), line(1));
    }
}

fn busy(import: &Import, frame: &mut Frame<'_>, area: Rect, what: &str, look: Look) {
    let at = import.busy.as_ref().and_then(|busy| busy.progress.as_ref());
    let mut names: Vec<String> =
        import.paths.iter().take(20).map(|path| shown(&path.to_string_lossy()).into_owned()).collect();
    if !import.inbox.is_empty() {
        names.push(format!("{} arrived from the hospital", count_studies(import.inbox.len())));
    }
    draw_busy(frame, area, what, &names.join(", "), at, look);
}
