//! The packing of a bundle on the screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::choice::{Choice, Part, Person};
use super::pack::{PackBundle, Step};
use super::{amounts, field, sentence};
use crate::encoding::text::shown;
use crate::node::api::CaseSummary;
use crate::ui::look::Look;
use crate::ui::widget::amount::{bytes, count, draw_busy};
use crate::ui::widget::text::{hanging, shortened};

/// Cells of why something cannot be chosen, or of how much there is, at the right.
const RIGHT_CELLS: usize = 23;

/// Cells of a box and the word of trust or urgency before a line.
const LEFT_CELLS: usize = 17;

/// Intro, people, cases, foot.
fn parts(area: Rect) -> [Rect; 4] {
    Layout::vertical([Constraint::Length(2), Constraint::Fill(1), Constraint::Fill(1), Constraint::Length(4)])
        .areas(area)
}

/// Where people or cases are listed, under their title.
pub(super) fn list_area(area: Rect, part: Part) -> Rect {
    let part = parts(area)[1 + part as usize];
    Rect { y: part.y + 1.min(part.height), height: part.height.saturating_sub(2), ..part }
}

/// The lines that a click turns or takes: images, and going on.
pub(super) fn foot_lines(area: Rect) -> [Rect; 2] {
    let foot = parts(area)[3];
    [0, 2].map(|row| Rect { y: foot.y + row, height: 1, ..foot }.intersection(foot))
}

pub(super) fn pack(screen: &PackBundle, frame: &mut Frame<'_>, area: Rect, look: Look) {
    match screen.step {
        Step::Choose => choose(screen, frame, area, look),
        Step::Where => {
            let words = match &screen.trouble {
                Some(trouble) => vec![(trouble.clone(), look.bad())],
                None => {
                    let names: Vec<&str> =
                        screen.choice.recipients_chosen().map(|person| person.name.as_str()).collect();
                    let cases = count(screen.choice.packed().len(), "case");
                    vec![
                        ("Choose the folder, such as a stick's; a summary follows.".to_owned(), look.dim()),
                        (format!("A bundle of {cases} for {}.", names.join("; ")), look.plain()),
                    ]
                }
            };
            screen.destination.draw(frame, area, &words, look);
        }
        Step::Pack => {
            let at = screen.busy.as_ref().and_then(|busy| busy.progress.as_ref());
            let is_written = at.is_some_and(|at| at.total.is_some_and(|total| at.done >= total));
            let what = match is_written {
                true => "Written; reading it back from the medium, to see that it is whole.",
                false => "Sealing and writing.",
            };
            draw_busy(frame, area, what, &shown(&screen.path.to_string_lossy()), at, look);
        }
        Step::Packed => {
            let lines = packed_lines(screen, area.width, look);
            let last = lines.len().saturating_sub(usize::from(area.height));
            let first = u16::try_from(screen.scrolled.at.min(last)).unwrap_or(u16::MAX);
            frame.render_widget(Paragraph::new(lines).scroll((first, 0)), area);
        }
    }
}

fn choose(screen: &PackBundle, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let [head, people, cases, _] = parts(area);
    let choice = &screen.choice;
    let intro = "One sealed file for these people alone: carry or send it by any way, no network is needed.";
    let intro = hanging(" ", intro, head.width).into_iter().map(|line| Line::styled(line, look.dim()));
    frame.render_widget(Paragraph::new(intro.collect::<Vec<_>>()), head);
    title(choice, frame, people, Part::People, "Who can open it (Space chooses)", look);
    let packed = choice.packed().len();
    let words = match (choice.cases_named().is_empty(), choice.recipients().is_empty()) {
        (false, _) => format!("Cases: {packed} chosen"),
        (true, true) => "Cases: all that you share with them, or choose (Tab, Space)".to_owned(),
        (true, false) if packed == 1 => "Cases: the one that you share with them".to_owned(),
        (true, false) => format!("Cases: all {packed} that you share with them, or choose (Tab, Space)"),
    };
    title(choice, frame, cases, Part::Cases, &words, look);
    let list = list_area(area, Part::People);
    let rows = choice.people().iter().enumerate();
    let lines = rows.map(|(at, person)| person_line(choice, person, is_at(choice, Part::People, at), list.width, look));
    draw_rows(choice, Part::People, lines.collect(), frame, list, look);
    let list = list_area(area, Part::Cases);
    let rows = choice.cases().iter().enumerate();
    let lines = rows.map(|(at, case)| case_line(choice, case, is_at(choice, Part::Cases, at), list.width, look));
    draw_rows(choice, Part::Cases, lines.collect(), frame, list, look);
    let [images, go_on] = foot_lines(area);
    let key = |key: &'static str| Span::styled(format!(" {key:<6}"), look.key());
    let words = match screen.key_images {
        true => "images: only those that carry marks; the rest can follow later",
        false => "images: all that are here",
    };
    frame.render_widget(Paragraph::new(Line::from(vec![key("m"), Span::raw(words)])), images);
    frame.render_widget(Paragraph::new(Line::from(vec![key("Enter"), Span::raw("go on: where it is written")])), go_on);
}

fn is_at(choice: &Choice, part: Part, at: usize) -> bool {
    choice.part == part && choice.chosen(part).at == at
}

fn title(choice: &Choice, frame: &mut Frame<'_>, area: Rect, part: Part, words: &str, look: Look) {
    let (mark, style) = if choice.part == part { ("› ", look.key()) } else { ("  ", look.heading()) };
    let line = Rect { height: 1.min(area.height), ..area };
    frame.render_widget(Paragraph::new(Line::styled(format!("{mark}{words}"), style)), line);
}

fn draw_rows(choice: &Choice, part: Part, lines: Vec<Line<'static>>, frame: &mut Frame<'_>, list: Rect, look: Look) {
    let room = usize::from(list.height);
    let words = match (lines.is_empty(), choice.is_known(), part) {
        (false, ..) => None,
        (true, false, _) => Some(("  reading …", look.dim())),
        (true, true, Part::People) => {
            Some(("  No colleague is here yet. Pair with one, or add her card: Esc, then c.", look.warn()))
        }
        (true, true, Part::Cases) => {
            Some(("  No case is here yet. Ask a colleague about an examination: Esc, then n.", look.warn()))
        }
    };
    if let Some((words, style)) = words {
        frame.render_widget(Paragraph::new(Line::styled(words, style)).wrap(Wrap { trim: false }), list);
        return;
    }
    let seen = lines.into_iter().skip(choice.chosen(part).first_seen(room)).take(room);
    frame.render_widget(Paragraph::new(seen.collect::<Vec<_>>()), list);
}

/// A box, a word, what it is about, and at the right how much or why not.
fn line(
    (fits, is_chosen, is_at): (bool, bool, bool),
    (word, style): (&str, ratatui::style::Style),
    (what, right): (&str, &str),
    width: u16,
    look: Look,
) -> Line<'static> {
    let mark = match (is_chosen, fits) {
        (true, _) => "[x]",
        (false, true) => "[ ]",
        (false, false) => " - ",
    };
    let room = usize::from(width).saturating_sub(LEFT_CELLS + RIGHT_CELLS + 2);
    let what = shortened(what, room);
    let blank = " ".repeat(room.saturating_sub(unicode_width::UnicodeWidthStr::width(what.as_str())));
    let plain = if fits { look.plain() } else { look.dim() };
    Line::from(vec![
        Span::raw(format!("  {mark} ")),
        Span::styled(format!("{word:<11} "), style),
        Span::styled(what, if is_at { look.chosen() } else { plain }),
        Span::raw(format!("{blank}  ")),
        Span::styled(right.to_owned(), look.dim()),
    ])
}

fn person_line(choice: &Choice, person: &Person, is_at: bool, width: u16, look: Look) -> Line<'static> {
    let word = match person.trust.as_str() {
        "verified" => ("verified", look.good()),
        "unverified" => ("UNVERIFIED", look.warn()),
        "blocked" => ("blocked", look.bad()),
        _ => ("member", look.warn()),
    };
    let fits = choice.fits(person);
    let right = match fits {
        Ok(()) => count(choice.shared_with(&person.identity), "shared case"),
        Err(_) if !choice.is_known() => "…".into(),
        Err(why) => why.into(),
    };
    let states = (fits.is_ok(), choice.is_chosen(&person.identity), is_at);
    line(states, word, (&person.name, &right), width, look)
}

fn case_line(choice: &Choice, case: &CaseSummary, is_at: bool, width: u16, look: Look) -> Line<'static> {
    let word = match () {
        () if case.standing == "invited" => ("invited", look.warn()),
        () if case.status == "closed" => ("closed", look.dim()),
        () if case.urgency == "stat" => ("STAT", look.urgency("stat")),
        () if case.urgency == "urgent" => ("URGENT", look.urgency("urgent")),
        () => ("", look.plain()),
    };
    let goes = choice.goes(case);
    let right = goes.map_or_else(str::to_owned, |()| choice.images_words(&case.id));
    let what = format!("{}: {}", shown(&case.spoken), shown(&case.question));
    line((goes.is_ok(), choice.is_chosen(&case.id), is_at), word, (&what, &right), width, look)
}

/// What went in, and what to do with the file.
pub(super) fn packed_lines(screen: &PackBundle, width: u16, look: Look) -> Vec<Line<'static>> {
    let Some(packed) = &screen.packed else { return Vec::new() };
    let mut lines = vec![Line::raw("")];
    lines.extend(sentence("Packed, read back and found whole.", look.good(), width));
    lines.push(Line::raw(""));
    lines.extend(field("file", &shown(&packed.path), width, look));
    lines.extend(field("size", &bytes(packed.bytes), width, look));
    let people: Vec<_> = packed.recipients.iter().map(|name| shown(name).into_owned()).collect();
    lines.extend(field("for", &people.join("; "), width, look));
    let spoken = packed.cases.iter().map(|case| shown(screen.spoken(case).unwrap_or(case)).into_owned());
    lines.extend(field("cases", &spoken.collect::<Vec<_>>().join(", "), width, look));
    lines.extend(field("holds", &amounts(packed.entries, packed.chunks), width, look));
    lines.push(Line::raw(""));
    if packed.chunks_missing > 0 {
        let words = format!(
            "Careful: {} pieces of images have not arrived here and are not in it. Fetch the case (f in the worklist), \
             then pack again.",
            packed.chunks_missing
        );
        lines.extend(sentence(&words, look.warn(), width));
        lines.push(Line::raw(""));
    }
    lines.push(Line::styled("  What to do with it", look.heading()));
    for words in [
        "Carry or send the file by any way: only their machines can open it. Before you pull out a stick, let the system \
         release it (eject).",
        "They take it in there: b in their worklist.",
        "Until their answer is here, over a connection or in a bundle of theirs, the cases say \"on the way\".",
    ] {
        lines.extend(hanging("  - ", words, width).into_iter().map(Line::raw));
    }
    lines
}
