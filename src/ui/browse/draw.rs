//! A folder on the screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table};

use super::{Browser, is_bundle};
use crate::encoding::text::shown;
use crate::ui::files::{Entry, Kind};
use crate::ui::look::Look;
use crate::ui::widget::amount::bytes;

/// Draws the folder or the path that is typed in the first line, and in the other what is wrong with it.
pub fn draw_place(browser: &Browser, frame: &mut Frame<'_>, [place, trouble]: [Rect; 2], look: Look) {
    if browser.is_typing() {
        browser.path().draw_line(frame, place, true, look);
    } else {
        let folder = browser.folder().map(|folder| shown(&folder.to_string_lossy()).into_owned());
        let folder = folder.unwrap_or_else(|| "reading the folder …".into());
        frame.render_widget(Paragraph::new(Line::styled(format!(" {folder}"), look.heading())), place);
    }
    if let Some(failed) = browser.failed() {
        let words = Line::styled(format!(" {}", shown(failed)), look.bad());
        frame.render_widget(Paragraph::new(words), trouble);
    } else if browser.is_cut() {
        let words = " There are more than are listed: type the path, or take the folder whole.";
        frame.render_widget(Paragraph::new(Line::styled(words, look.warn())), trouble);
    }
}

/// Draws what lies in the folder; `whole` says what the folder itself is chosen for.
pub fn draw_list(browser: &Browser, frame: &mut Frame<'_>, list: Rect, whole: &str, look: Look) {
    let (room, chosen) = (usize::from(list.height), browser.chosen());
    let above = std::iter::repeat_n(None, browser.rows_above());
    let rows = above.chain(browser.entries().into_iter().map(Some)).enumerate();
    let rows = rows.skip(chosen.first_seen(room)).take(room).map(|(at, entry)| {
        let style = if at == chosen.at { look.chosen() } else { look.plain() };
        row(entry, whole, browser.is_marked(entry), look).style(style)
    });
    let widths = [Constraint::Length(3), Constraint::Fill(1), Constraint::Length(8), Constraint::Length(11)];
    frame.render_widget(Table::new(rows, widths), list);
}

fn row(entry: Option<&Entry>, whole: &str, marked: bool, look: Look) -> Row<'static> {
    let mark = if marked { " ✓" } else { "" };
    let (name, kind, size) = match entry {
        None => (whole.to_owned(), "", String::new()),
        Some(entry) => match entry.kind {
            Kind::Folder => (entry.shown() + "/", "folder", String::new()),
            Kind::Archive => (entry.shown(), "ZIP", bytes(entry.bytes)),
            Kind::File if is_bundle(entry) => (entry.shown(), "bundle", bytes(entry.bytes)),
            Kind::File => (entry.shown(), "", bytes(entry.bytes)),
            Kind::Other => (entry.shown(), "no file", String::new()),
        },
    };
    Row::new([
        Cell::new(Span::styled(mark, look.good())),
        Cell::new(name),
        Cell::new(Span::styled(kind, look.dim())),
        Cell::new(format!("{size:>10}")),
    ])
}
