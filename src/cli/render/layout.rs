//! Columns, fields and wrapped lines, by the width of what is seen: a Chinese name takes two columns a character.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::encoding::text::{shown, shown_lines};

/// Characters of a short id after its letter and dash; commands take any unique four.
const SHORT_ID_CHARS: usize = 8;

/// Columns of a field's name.
const NAME_COLUMNS: usize = 16;

/// Columns that the last column of a table keeps however narrow the terminal is.
const LAST_COLUMNS_MIN: usize = 20;

/// An id shortened for a list; other text as it is.
pub(super) fn short(id: &str) -> String {
    let id = shown(id);
    match id.split_once('-') {
        Some((letter, rest)) if letter.len() == 1 && rest.len() > SHORT_ID_CHARS && rest.is_ascii() => {
            format!("{letter}-{}", &rest[..SHORT_ID_CHARS])
        }
        _ => id.into_owned(),
    }
}

/// `1 image`, `3 images`, `2 series`.
pub(super) fn count(n: usize, thing: &str) -> String {
    let ending = if n == 1 || thing.ends_with('s') { "" } else { "s" };
    match thing.strip_suffix('y') {
        Some(stem) if n != 1 && !stem.ends_with(['a', 'e', 'o']) => format!("{n} {stem}ies"),
        _ => format!("{n} {thing}{ending}"),
    }
}

/// One `name  value` line; a value over several lines stays in its column.
pub(in crate::cli) fn field(name: &str, value: &str, width: usize) -> String {
    if value.is_empty() {
        return String::new();
    }
    let indent = " ".repeat(NAME_COLUMNS);
    let lines = wrap(value, width.saturating_sub(NAME_COLUMNS));
    let mut text = format!("{}{}\n", padded(name, NAME_COLUMNS), lines.first().map_or("", String::as_str));
    for line in lines.iter().skip(1) {
        text += &format!("{indent}{line}\n");
    }
    text
}

/// A heading with what stands under it, two columns in; nothing if there is nothing.
pub(super) fn section(heading: &str, body: &str) -> String {
    if body.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{heading}\n");
    for line in body.lines() {
        text += if line.is_empty() { "" } else { "  " };
        text += line;
        text.push('\n');
    }
    text
}

/// Each item on a line of its own, wrapped, with a dash.
pub(super) fn items<S: AsRef<str>>(items: &[S], width: usize) -> String {
    let mut text = String::new();
    for item in items {
        for (n, line) in wrap(item.as_ref(), width.saturating_sub(4)).iter().enumerate() {
            text += if n == 0 { "- " } else { "  " };
            text += line;
            text.push('\n');
        }
    }
    text
}

/// A text broken at spaces into lines of at most `width` columns; its own line feeds stay.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(LAST_COLUMNS_MIN);
    let mut lines = Vec::new();
    for paragraph in shown_lines(text).lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.width() + 1 + word.width() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line += word;
        }
        lines.push(line);
    }
    lines
}

/// Rows under headings; the last column is cut to the width.
pub(super) struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(headings: &[&str]) -> Self {
        Self { headings: headings.iter().map(|heading| (*heading).to_owned()).collect(), rows: Vec::new() }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.iter().map(|cell| shown(cell).into_owned()).collect());
    }

    pub(super) fn text(&self, width: usize) -> String {
        let Some(last) = self.headings.len().checked_sub(1) else { return String::new() };
        let rows = || std::iter::once(&self.headings).chain(&self.rows);
        let columns: Vec<usize> = (0..last)
            .map(|n| rows().filter_map(|row| row.get(n)).map(|cell| cell.width()).max().unwrap_or(0))
            .collect();
        let used: usize = columns.iter().map(|columns| columns + 2).sum();
        let left = width.saturating_sub(used).max(LAST_COLUMNS_MIN);
        let mut text = String::new();
        for row in rows() {
            let mut line = String::new();
            for (n, cell) in row.iter().enumerate() {
                match columns.get(n) {
                    Some(columns) => line += &format!("{}  ", padded(cell, *columns)),
                    None => line += &cut(cell, left),
                }
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }
}

fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(text.width())))
}

fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 1; // the ellipsis
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > columns {
            break;
        }
        cut.push(c);
    }
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_by_what_is_seen() {
        let mut table = Table::new(&["name", "site"]);
        table.row(["山田太郎", "東京"]);
        table.row(["Weber", "Köln"]);
        assert_eq!(table.text(80), "name      site\n山田太郎  東京\nWeber     Köln\n");
    }

    #[test]
    fn the_last_column_is_cut_to_the_width() {
        let mut table = Table::new(&["id", "question"]);
        table.row(["c-abcd", "Is the lesion in segment 7 new since last year?"]);
        assert_eq!(table.text(30), "id      question\nc-abcd  Is the lesion in segm…\n");
    }

    #[test]
    fn long_values_stay_in_their_column() {
        assert_eq!(
            field("question", "one two three four five", 30),
            "question        one two three four\n                five\n"
        );
        assert_eq!(field("context", "", 30), "");
    }

    #[test]
    fn only_ids_are_shortened() {
        assert_eq!(short("c-abcdefghijklmnop"), "c-abcdefgh");
        assert_eq!(short("amber-falcon-morning"), "amber-falcon-morning");
        assert_eq!(short("Dr B"), "Dr B");
        assert_eq!(short("p-ééééééééé"), "p-ééééééééé");
    }

    #[test]
    fn counts_read_as_english() {
        assert_eq!(count(1, "image"), "1 image");
        assert_eq!(count(2, "image"), "2 images");
        assert_eq!(count(2, "series"), "2 series");
        assert_eq!((count(1, "entry"), count(3, "study")), ("1 entry".into(), "3 studies".into()));
        assert_eq!(count(30, "day"), "30 days");
    }
}
