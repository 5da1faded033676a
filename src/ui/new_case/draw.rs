//! The form on the screen: what it needs at the left, what may be added at the right.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use ratatui_textarea::TextArea;

use super::choices::{may_be_asked, name, study_row};
use super::{NewCase, Part, URGENCIES, study_words};
use crate::encoding::text::shown;
use crate::ui::look::Look;
use crate::ui::widget::text::hanging;

/// Lines that show the chosen study whole.
const DETAIL_LINES: u16 = 2;

/// Where the fields stand, each with the line of its title.
#[derive(Debug, Clone, Copy)]
pub(super) struct Areas {
    question: Rect,
    context: Rect,
    report: Rect,
    pub(super) studies: Rect,
    pub(super) people: Rect,
    urgency: Rect,
    due: Rect,
}

impl Areas {
    pub(super) fn of(area: Rect) -> Self {
        let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).spacing(2).areas(area);
        let [question, studies, people] =
            Layout::vertical([Constraint::Fill(3), Constraint::Fill(4), Constraint::Fill(3)]).areas(left);
        let [urgency, due, context, report] =
            Layout::vertical([Constraint::Length(3), Constraint::Length(3), Constraint::Fill(2), Constraint::Fill(3)])
                .areas(right);
        Self { question, context, report, studies, people, urgency, due }
    }

    fn all(&self) -> [(Part, Rect); 7] {
        [
            (Part::Question, self.question),
            (Part::Studies, self.studies),
            (Part::People, self.people),
            (Part::Urgency, self.urgency),
            (Part::Due, self.due),
            (Part::Context, self.context),
            (Part::Report, self.report),
        ]
    }

    pub(super) fn part_at(&self, column: u16, row: u16) -> Option<Part> {
        self.all().into_iter().find(|(_, area)| area.contains(Position::new(column, row))).map(|(part, _)| part)
    }
}

impl Part {
    fn title(self) -> &'static str {
        match self {
            Self::Question => "Question (required)",
            Self::Studies => "Examinations (Space: index, prior)",
            Self::People => "To (Space chooses)",
            Self::Urgency => "Urgency (← → chooses)",
            Self::Due => "Answer needed by (may stay empty)",
            Self::Context => "Clinical context",
            Self::Report => "First report (paste, or Ctrl+O: file)",
        }
    }
}

pub(super) fn form(form: &NewCase, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let areas = Areas::of(area);
    for (part, area) in areas.all() {
        let (mark, style) = if part == form.part { ("› ", look.key()) } else { ("  ", look.dim()) };
        let line = Rect { height: 1.min(area.height), ..area };
        frame.render_widget(Paragraph::new(Line::styled(format!("{mark}{}", part.title()), style)), line);
    }
    for (part, area, text) in [
        (Part::Question, areas.question, &form.question),
        (Part::Context, areas.context, &form.context),
        (Part::Report, areas.report, &form.report),
    ] {
        draw_text(form, frame, below(area), part, text, look);
    }
    draw_studies(form, frame, below(areas.studies), look);
    draw_people(form, frame, below(areas.people), look);
    let choices = URGENCIES.iter().enumerate().flat_map(|(at, (word, words))| {
        let style = if at == form.urgency { look.chosen() } else { look.urgency(word) };
        [Span::raw("  "), Span::styled(format!(" {words} "), style)]
    });
    frame.render_widget(Paragraph::new(Line::from_iter(choices)), below(areas.urgency));
    form.due.draw_line(frame, below(areas.due), form.part == Part::Due && form.report_path.is_none(), look);
    if form.sending.is_some() {
        let line = Rect { y: area.bottom().saturating_sub(1), height: 1.min(area.height), ..area };
        frame.render_widget(ratatui::widgets::Clear, line);
        frame.render_widget(Paragraph::new(Line::styled(" sealing and sending …", look.key())), line);
    }
}

fn draw_text(form: &NewCase, frame: &mut Frame<'_>, area: Rect, part: Part, text: &TextArea<'static>, look: Look) {
    let inside = Rect { x: area.x + 2.min(area.width), width: area.width.saturating_sub(2), ..area };
    if part == Part::Report
        && let Some(path) = &form.report_path
    {
        let line = Rect { height: 1.min(area.height), ..area };
        path.draw_line(frame, line, true, look);
        let words = Line::styled("  Enter reads the file into the form; Esc leaves it", look.dim());
        frame.render_widget(Paragraph::new(words), Rect { y: area.y + 1, ..line }.intersection(area));
        return;
    }
    if inside.is_empty() {
        return;
    }
    let mut text = text.clone();
    if part != form.part || form.report_path.is_some() {
        text.set_cursor_style(ratatui::style::Style::new());
    }
    frame.render_widget(&text, inside);
}

fn draw_studies(form: &NewCase, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let choice = &form.studies;
    let Some(studies) = choice.studies() else {
        frame.render_widget(Paragraph::new(Line::styled("  reading the studies …", look.dim())), area);
        return;
    };
    if studies.is_empty() {
        let words = "No study was imported here yet: i in the worklist takes one in.";
        frame.render_widget(Paragraph::new(warning(words, area.width, look)), area);
        return;
    }
    // The chosen one stands whole under the list while one chooses.
    let is_active = form.part == Part::Studies && area.height > DETAIL_LINES + 1;
    let below_list = if is_active { DETAIL_LINES } else { 0 };
    let [area, whole] = Layout::vertical([Constraint::Min(0), Constraint::Length(below_list)]).areas(area);
    if let Some(study) = studies.get(choice.chosen.at).filter(|_| is_active) {
        let images = match study.instances {
            0 => "nothing of it may be shared yet: look first at what was left out".to_owned(),
            images => format!("{images} images"),
        };
        let words = study_words(choice.patient(&study.id), &study.modality, &study.description);
        let whole = Rect { x: whole.x + 2.min(whole.width), width: whole.width.saturating_sub(2), ..whole };
        let words = Line::styled(format!("{words}; {images}"), look.dim());
        frame.render_widget(Paragraph::new(words).wrap(Wrap { trim: true }), whole);
    }
    let room = usize::from(area.height);
    let first = choice.chosen.first_seen(room);
    let lines = studies.iter().enumerate().skip(first).take(room).map(|(at, study)| {
        let is_chosen = form.part == Part::Studies && at == choice.chosen.at;
        let role = choice.role_words(&study.id);
        let style = if is_chosen { look.chosen() } else { look.plain() };
        Line::from(vec![
            Span::styled(format!("  {role:<8}"), look.good()),
            Span::styled(study_row(study, choice.patient(&study.id)), style),
        ])
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), area);
}

fn draw_people(form: &NewCase, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let people = &form.people;
    let Some(cards) = people.cards() else {
        frame.render_widget(Paragraph::new(Line::styled("  reading the colleagues …", look.dim())), area);
        return;
    };
    if cards.is_empty() {
        let words = "No colleague yet. Pairing comes first: Esc, then c, and read her a code or take hers.";
        frame.render_widget(Paragraph::new(warning(words, area.width, look)), area);
        return;
    }
    let room = usize::from(area.height);
    let lines = cards.iter().enumerate().skip(people.chosen.first_seen(room)).take(room).map(|(at, card)| {
        let mark = match (may_be_asked(card), people.is_invited(card)) {
            (true, true) => "[x]",
            (true, false) => "[ ]",
            (false, _) => " - ",
        };
        let (trust, style) = match card.trust.as_str() {
            "blocked" => ("blocked", look.bad()),
            _ if card.expired => ("expired", look.bad()),
            "verified" => ("verified", look.good()),
            _ => ("UNVERIFIED", look.warn()),
        };
        let is_chosen = form.part == Part::People && at == people.chosen.at;
        Line::from(vec![
            Span::raw(format!("  {mark} ")),
            Span::styled(format!("{trust:<11} "), style),
            Span::styled(
                format!("{}, {}", name(card), shown(&card.site)),
                if is_chosen { look.chosen() } else { look.plain() },
            ),
        ])
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), area);
}

fn warning(words: &str, width: u16, look: Look) -> Vec<Line<'static>> {
    hanging("  ", words, width).into_iter().map(|line| Line::styled(line, look.warn())).collect()
}

fn below(area: Rect) -> Rect {
    Rect { y: area.y + 1.min(area.height), height: area.height.saturating_sub(1), ..area }
}
