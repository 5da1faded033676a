//! The two forms of the first start on the screen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::WORDS;
use crate::encoding::text::shown;
use crate::identity::recovery::RECOVERY_WORDS;
use crate::identity::wordlist::{WORD_PREFIX_CHARS_MIN, Word, typed_words};
use crate::ui::look::Look;
use crate::ui::widget::form::Form;
use crate::ui::widget::popup;
use crate::ui::widget::text::shortened;

const WIDTH: u16 = 84;
const HEIGHT: u16 = 24;

/// Rows inside the box from which a blank line fits above the fields.
const AIRY_ROWS_MIN: u16 = 22;

/// Rows of what stands above the choice: two sentences, of which one takes two lines on a narrow screen.
const INTRO_ROWS: u16 = 3;

/// Words one below the other, and cells of one: it is at most eight letters long.
const WORD_ROWS: u16 = 6;
const WORD_CELLS: usize = 10;

/// Cells of the labels before their fields.
const LABEL_CELLS: u16 = 34;

const CHOICE: [&str; 2] = [" Ctrl+O ", "I have a recovery code from another machine"];

fn inside(area: Rect) -> Rect {
    // The border takes a cell on each side, and so does the space within.
    let outside = popup::middle(area, WIDTH, HEIGHT);
    Rect {
        x: outside.x.saturating_add(2),
        y: outside.y.saturating_add(1),
        width: outside.width.saturating_sub(4),
        height: outside.height.saturating_sub(2),
    }
}

/// Where the way to the other form stands.
pub(super) fn choice(area: Rect) -> Rect {
    let [_, below] = popup::head(inside(area), INTRO_ROWS);
    Rect { height: 1.min(below.height), ..below }
}

pub(super) fn new(form: &Form, is_busy: bool, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let inside = popup::open(frame, popup::middle(area, WIDTH, HEIGHT), "Welcome to Overread", look);
    let intro = vec![
        Line::raw("Second opinions between radiologists, sealed to the colleagues you choose."),
        Line::from(vec![
            Span::styled("For review and consultation, not for primary diagnosis: ", look.warn()),
            Span::raw("a terminal is no calibrated display."),
        ]),
    ];
    let [head, _] = popup::head(inside, INTRO_ROWS);
    frame.render_widget(Paragraph::new(intro).wrap(Wrap { trim: true }), head);
    let [key, words] = CHOICE;
    let way = Line::from(vec![Span::styled(key, look.key()), Span::raw(words)]);
    frame.render_widget(Paragraph::new(way), choice(area));
    let gap = u16::from(inside.height >= AIRY_ROWS_MIN);
    let [_, fields] = popup::head(inside, INTRO_ROWS + 1 + gap);
    form.draw(frame, fields, is_busy.then_some("making your keys and the vault …"), look);
}

pub(super) fn restore(form: &Form, is_busy: bool, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let inside = popup::open(frame, popup::middle(area, WIDTH, HEIGHT), "Restore your identity", look);
    let intro = "From your paper: the code brings your identity to this machine. See that nobody and no camera looks at the screen.";
    let [head, rest] = popup::head(inside, INTRO_ROWS);
    frame.render_widget(Paragraph::new(intro).wrap(Wrap { trim: true }), head);
    let [fields, rest] = popup::head(rest, form.rows() + 1);
    form.draw_rows(frame, fields, LABEL_CELLS, !is_busy, look);
    let [grid, rest] = popup::head(rest, 2 + WORD_ROWS);
    frame.render_widget(Paragraph::new(words(form.text(WORDS), look)), grid);
    form.draw_wrong(frame, rest, is_busy.then_some("restoring your identity and making the vault …"), look);
}

/// The words as they were understood, each in the place it would have on the paper.
fn words(typed: &str, look: Look) -> Vec<Line<'static>> {
    let typed = typed_words(typed);
    let count = typed.len();
    // A last word that has only been begun is not wrong yet.
    let is_begun = |place: usize, word: &str| place == count && word.chars().count() < WORD_PREFIX_CHARS_MIN;
    let is_wrong = |place: usize, word: &str| Word::find(word).is_none() && !is_begun(place, word);
    let (after, style) = match () {
        () if (1..).zip(&typed).any(|(place, word)| is_wrong(place, word)) => {
            ("; ? is in no recovery code", look.bad())
        }
        () if count > RECOVERY_WORDS => ("", look.bad()),
        () => ("", look.dim()),
    };
    let mut lines = vec![Line::styled(format!("{count} of {RECOVERY_WORDS} words{after}"), style)];
    let rows = usize::from(WORD_ROWS);
    for row in 0..rows {
        let cells = (1..).zip(&typed).take(RECOVERY_WORDS).skip(row).step_by(rows);
        lines.push(Line::from_iter(cells.flat_map(|(place, word): (usize, &&str)| {
            let (mark, word, style) = match Word::find(word) {
                Some(word) => (' ', word.as_str().to_owned(), look.heading()),
                None if is_begun(place, word) => (' ', shown(word).into_owned(), look.plain()),
                None => ('?', shortened(&shown(word), WORD_CELLS), look.bad()),
            };
            [
                Span::styled(format!("{place:>4}{mark} "), look.dim()),
                Span::styled(format!("{word:<WORD_CELLS$}  "), style),
            ]
        })));
    }
    lines
}
