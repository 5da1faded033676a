//! The panel beside the images: question, opinions, talk, marks, members, history.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Wrap};

use super::{CaseScreen, TABS, Tab};
use crate::encoding::text::{shown, shown_lines};
use crate::node::api::{CaseView, MarkView, OpinionView};
use crate::ui::look::Look;
use crate::ui::patient;
use crate::view::marks::value_text;

/// Cells that the panel's text needs at least.
const TEXT_WIDTH_MIN: u16 = 8;

pub(super) fn draw(screen: &CaseScreen, case: &CaseView, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let block = Block::new().borders(Borders::LEFT).border_style(look.dim());
    let inside = block.inner(area);
    frame.render_widget(block, area);
    // Narrower text tells nothing, and a character of two cells may not fit into its line.
    if inside.width < TEXT_WIDTH_MIN {
        return;
    }
    let foot = if screen.tab == Tab::Discussion { 2 } else { 0 };
    let [tabs, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(foot)]).areas(inside);
    let titles = TABS.iter().flat_map(|tab| {
        let style = if *tab == screen.tab { look.chosen() } else { look.dim() };
        [Span::styled(tab.title(), style), Span::raw(" ")]
    });
    frame.render_widget(Paragraph::new(Line::from_iter(titles)), tabs);
    let lines = match screen.tab {
        Tab::Question => question(case, look),
        Tab::Opinions => opinions(case, look),
        Tab::Discussion => discussion(screen, case, look),
        Tab::Marks => marks(screen, case, look),
        Tab::Members => members(case, look),
        Tab::History => history(screen, case, look),
    };
    let text = Paragraph::new(lines).wrap(Wrap { trim: false });
    // The newest words stand at the bottom, as in every talk.
    let height = text.line_count(body.width);
    let room = usize::from(body.height);
    let scroll = if screen.tab == Tab::Discussion {
        height.saturating_sub(room).saturating_sub(screen.scroll)
    } else {
        screen.scroll.min(height.saturating_sub(room))
    };
    frame.render_widget(text.scroll((u16::try_from(scroll).unwrap_or(u16::MAX), 0)), body);
    if screen.tab == Tab::Discussion {
        let line = Rect { y: foot.y + 1.min(foot.height), height: foot.height.saturating_sub(1), ..foot };
        if screen.writing {
            let about = screen.about.as_ref().map(|about| format!("about {}", about.words));
            let goes_with = about.or_else(|| screen.with_view.then(|| "with what you see".into()));
            if let Some(words) = goes_with {
                let above = Rect { height: 1.min(foot.height), ..foot };
                frame.render_widget(Paragraph::new(Line::styled(words, look.dim())), above);
            }
            screen.message.draw_line(frame, line, true, look);
        } else {
            frame.render_widget(
                Paragraph::new(Line::styled("s: say something, S: with what you see", look.dim())),
                line,
            );
        }
    }
}

/// The page whose title is at a place of the screen.
pub(super) fn tab_at(panel: Rect, at: Position) -> Option<Tab> {
    // Behind the border, each title with a blank after it.
    let mut x = panel.x + 1;
    TABS.into_iter().find(|tab| {
        let from = x;
        x = x.saturating_add(u16::try_from(tab.title().len()).unwrap_or(u16::MAX)).saturating_add(1);
        at.y == panel.y && (from..x - 1).contains(&at.x)
    })
}

/// The number of a member, which decides the colour of her name and her marks.
pub(super) fn member_number(case: &CaseView, name: &str) -> usize {
    case.members.iter().position(|member| member.name == name).unwrap_or_default()
}

fn text(lines: &mut Vec<Line<'static>>, text: &str) {
    lines.extend(shown_lines(text).lines().map(|line| Line::raw(line.to_owned())));
}

fn heading(lines: &mut Vec<Line<'static>>, title: &str, look: Look) {
    if !lines.is_empty() {
        lines.push(Line::raw(""));
    }
    lines.push(Line::styled(title.to_owned(), look.heading()));
}

fn question(case: &CaseView, look: Look) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if case.standing != "accepted" {
        lines.push(Line::styled("You are invited. Ctrl+A accepts and fetches the images.", look.warn()));
    }
    if case.role == "none" {
        lines.push(Line::styled("You are no member of this case any more.", look.warn()));
    }
    for patient in case.patient.iter().chain(&case.other_patients) {
        let title = if case.other_patients.is_empty() { "Real patient" } else { "One of SEVERAL patients" };
        heading(&mut lines, &format!("{title}, seen by you only"), look);
        lines.push(Line::raw(patient::who(patient)));
        lines.push(Line::raw(patient::examination(patient)));
    }
    heading(&mut lines, "Question", look);
    text(&mut lines, &case.question);
    lines.push(Line::from(vec![
        Span::styled(case.urgency.to_uppercase(), look.urgency(&case.urgency)),
        Span::raw(case.due.as_ref().map_or_else(String::new, |due| format!("  due {}", shown(due)))),
        Span::raw(if case.status == "closed" { "  closed" } else { "" }),
    ]));
    for (title, words) in [("Context", &case.context), ("First report", &case.first_report)] {
        if let Some(words) = words {
            heading(&mut lines, title, look);
            text(&mut lines, words);
        }
    }
    lines
}

fn opinions(case: &CaseView, look: Look) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for critical in &case.criticals {
        heading(&mut lines, &format!("CRITICAL, {}", shown(&critical.author)), look);
        text(&mut lines, &critical.finding);
    }
    for opinion in &case.opinions {
        if !lines.is_empty() {
            lines.push(Line::raw(""));
        }
        opinion_lines(&mut lines, case, opinion, look);
    }
    if lines.is_empty() {
        lines.push(Line::styled("No opinion yet. Ctrl+O gives yours.", look.dim()));
    }
    lines
}

fn opinion_lines(lines: &mut Vec<Line<'static>>, case: &CaseView, opinion: &OpinionView, look: Look) {
    lines.push(Line::from(vec![
        Span::styled(shown(&opinion.author).into_owned(), look.member(member_number(case, &opinion.author))),
        Span::raw(format!("  {}", opinion.agreement)),
        Span::styled(opinion.confidence.map_or_else(String::new, |percent| format!("  {percent} % sure")), look.dim()),
        Span::styled(if opinion.state == "signed" { "" } else { "  " }, look.warn()),
        Span::styled(if opinion.state == "signed" { String::new() } else { opinion.state.clone() }, look.warn()),
    ]));
    for limitation in &opinion.basis.limitations {
        lines.push(Line::styled(format!("limited: {}", shown(limitation)), look.warn()));
    }
    if !opinion.signed_before.is_empty() {
        let later = opinion.signed_before.len();
        lines.push(Line::styled(format!("signed before {later} later additions to the case"), look.warn()));
    }
    text(lines, &opinion.impression);
    for (title, words) in [("Findings", &opinion.findings), ("Recommendation", &opinion.recommendation)] {
        if let Some(words) = words {
            lines.push(Line::styled(title.to_owned(), look.dim()));
            text(lines, words);
        }
    }
    for addendum in &opinion.addenda {
        lines.push(Line::styled(format!("Addendum, {}", shown(&addendum.time)), look.dim()));
        text(lines, &addendum.text);
    }
    let mut states = vec![Span::styled(format!("{}  ", shown(&opinion.time)), look.dim())];
    for delivery in &opinion.delivery {
        states.push(Span::styled(
            format!("{} {}  ", shown(&delivery.member), delivery.state),
            look.delivery(&delivery.state),
        ));
    }
    lines.push(Line::from(states));
}

fn discussion(screen: &CaseScreen, case: &CaseView, look: Look) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for message in &case.messages {
        lines.push(Line::from(vec![
            Span::styled(shown(&message.author).into_owned(), look.member(member_number(case, &message.author))),
            Span::styled(format!("  {}", clock(&message.time)), look.dim()),
            Span::styled(if message.late { "  after closing" } else { "" }, look.warn()),
            Span::styled(if message.view.is_some() { "  V shows what was seen" } else { "" }, look.key()),
        ]));
        if let Some(about) = &message.about {
            let image = about.image.as_deref().zip(about.frame);
            let place = image.and_then(|(image, frame)| screen.viewer.place_of(image, frame));
            let key = if place.is_some() && message.view.is_none() { "  V shows it" } else { "" };
            lines.push(Line::from(vec![
                Span::styled(shown(&about.sentence(place.as_deref())).into_owned(), look.dim()),
                Span::styled(key, look.key()),
            ]));
        }
        text(&mut lines, &message.text);
    }
    if lines.is_empty() {
        lines.push(Line::styled("Nothing has been said yet.", look.dim()));
    }
    lines
}

/// What a mark measures, with a space before it.
fn value_of(mark: &MarkView) -> String {
    let value = mark.value.map(|value| format!(" {}", value_text(value, mark.unit.as_deref().unwrap_or_default())));
    value.unwrap_or_default()
}

/// A mark in words, as somebody answers it.
pub(super) fn whose_mark(mark: &MarkView) -> String {
    format!("{}'s {}{}", shown(&mark.author), shown(&mark.kind), value_of(mark))
}

fn marks(screen: &CaseScreen, case: &CaseView, look: Look) -> Vec<Line<'static>> {
    let chosen = screen.viewer.chosen_mark().map(|mark| mark.id.as_str());
    let mut lines = Vec::new();
    for mark in &case.marks {
        let is_chosen = chosen == Some(mark.id.as_str());
        lines.push(Line::from(vec![
            Span::styled(if is_chosen { "› " } else { "" }, look.key()),
            Span::styled(
                format!("{} {}", shown(&mark.author), mark.kind),
                look.member(member_number(case, &mark.author)),
            ),
            Span::styled(value_of(mark), look.heading()),
            Span::raw(mark.label.as_ref().map_or_else(String::new, |label| format!("  {}", shown(label)))),
        ]));
        if let Some(basis) = &mark.basis {
            lines.push(Line::styled(format!("  {}", shown(basis)), look.dim()));
        }
    }
    match (lines.is_empty(), chosen) {
        (true, _) => lines.push(Line::styled("No mark yet.", look.dim())),
        (false, Some(_)) => lines.push(Line::styled("D answers it, n goes on", look.key())),
        (false, None) => lines.push(Line::styled("n chooses one, D answers it", look.dim())),
    }
    lines
}

fn members(case: &CaseView, look: Look) -> Vec<Line<'static>> {
    let lines = case.members.iter().enumerate().map(|(number, member)| {
        let who = if member.me { "you" } else { member.role.as_str() };
        Line::from(vec![
            Span::styled(shown(&member.name).into_owned(), look.member(number)),
            Span::raw(format!("  {who}  ")),
            Span::styled(
                if member.me { String::new() } else { member.delivery.clone() },
                look.delivery(&member.delivery),
            ),
        ])
    });
    lines.collect()
}

fn history(screen: &CaseScreen, case: &CaseView, look: Look) -> Vec<Line<'static>> {
    let state = match &case.state_hash {
        Some(hash) => format!("{} entries, each signed and in place; state {}", case.entries, short(hash)),
        None => format!("{} entries; {} cannot be read yet", case.entries, case.unreadable),
    };
    let mut lines = vec![Line::styled(state, look.good())];
    for fork in &case.forks {
        let who = shown(&fork.person).into_owned();
        lines.push(Line::styled(format!("{who} wrote two histories: both are kept and shown"), look.bad()));
    }
    for entry in screen.log.iter().rev() {
        lines.push(Line::from(vec![
            Span::styled(format!("{} ", clock(&entry.time)), look.dim()),
            Span::raw(format!("{}: {}", shown(&entry.author), shown(&entry.what))),
            Span::styled(
                if entry.outcome == "counts" { String::new() } else { format!("  {}", entry.outcome) },
                look.warn(),
            ),
            Span::styled(format!("  {}", entry.flags.join(", ")), look.warn()),
        ]));
    }
    lines
}

/// Date and minute of a time.
fn clock(time: &str) -> String {
    shown(time).chars().take(16).collect::<String>().replace('T', " ")
}

fn short(hash: &str) -> String {
    shown(hash).chars().take(8).collect()
}
