//! The panel beside the images: question, opinions, talk, marks, members, history; and where on it what stands.

use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Wrap};

use super::members::rights;
use super::talk::leads_somewhere;
use super::{CaseScreen, TABS, Tab};
use crate::encoding::text::{shown, shown_lines};
use crate::node::api::{CaseView, MarkView, OpinionView};
use crate::ui::look::Look;
use crate::ui::patient;
use crate::ui::viewer::member_number;
use crate::view::marks::value_text;

/// Cells that the panel's text needs at least.
const TEXT_WIDTH_MIN: u16 = 8;

/// A page of the panel: its lines, and what of it can be chosen.
#[derive(Default)]
pub(super) struct Page {
    lines: Vec<Line<'static>>,
    items: Vec<Item>,
}

/// What can be chosen on a page: a mark, a message that leads somewhere, an opinion, a member.
pub(super) struct Item {
    pub(super) id: String,
    lines: Range<usize>,
}

impl Page {
    fn of(screen: &CaseScreen, case: &CaseView, look: Look) -> Self {
        let plain = |lines| Self { lines, items: Vec::new() };
        match screen.tab {
            Tab::Question => plain(question(case, look)),
            Tab::Opinions => opinions(screen, case, look),
            Tab::Discussion => discussion(screen, case, look),
            Tab::Marks => marks(screen, case, look),
            Tab::Members => members(screen, case, look),
            Tab::History => plain(history(screen, case, look)),
        }
    }

    /// The lines from here to the end are about something that can be chosen.
    fn item(&mut self, id: &str, from: usize) {
        self.items.push(Item { id: id.to_owned(), lines: from..self.lines.len() });
    }
}

/// A page as it lies in the panel. Drawing and clicks both ask this, so that a click finds what was drawn.
pub(super) struct Laid {
    page: Page,
    tabs: Rect,
    body: Rect,
    foot: Rect,
    /// The first row of each line, and at the end how many rows there are.
    rows: Vec<usize>,
    /// The first row that is seen.
    first: usize,
}

impl Laid {
    /// Lays out the page that is seen; none where the panel is too narrow for text.
    pub(super) fn of(screen: &CaseScreen, case: &CaseView, panel: Rect, look: Look) -> Option<Self> {
        let inside = block(look).inner(panel);
        // Narrower text tells nothing, and a character of two cells may not fit into its line.
        if inside.width < TEXT_WIDTH_MIN {
            return None;
        }
        let foot = if screen.tab == Tab::Discussion { 2 } else { 0 };
        let [tabs, body, foot] =
            Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(foot)]).areas(inside);
        let page = Page::of(screen, case, look);
        let mut rows = vec![0];
        for line in &page.lines {
            let height = Paragraph::new(line.clone()).wrap(WRAP).line_count(body.width);
            rows.push(rows.last().map_or(0, |row| row + height));
        }
        let mut laid = Self { page, tabs, body, foot, rows, first: 0 };
        // The newest words stand at the bottom, as in every talk.
        let first = match screen.tab {
            Tab::Discussion => laid.first_max().saturating_sub(screen.scroll),
            _ => screen.scroll.min(laid.first_max()),
        };
        // No further than what draws it can count.
        laid.first = first.min(usize::from(u16::MAX));
        Some(laid)
    }

    /// The first row that is seen at the end.
    fn first_max(&self) -> usize {
        self.rows.last().map_or(0, |rows| rows.saturating_sub(usize::from(self.body.height)))
    }

    pub(super) fn items(&self) -> &[Item] {
        &self.page.items
    }

    fn rows_of(&self, item: &Item) -> Range<usize> {
        let row = |line: usize| self.rows.get(line).copied().unwrap_or_default();
        row(item.lines.start)..row(item.lines.end)
    }

    /// Whether the end of an item is seen: whoever sees it could read all of it.
    pub(super) fn ends_in_sight(&self, id: &str) -> bool {
        let item = self.page.items.iter().find(|item| item.id == id);
        let sight = self.first + 1..=self.first + usize::from(self.body.height);
        item.is_some_and(|item| sight.contains(&self.rows_of(item).end))
    }

    /// What is drawn at a place of the screen.
    pub(super) fn item_at(&self, at: Position) -> Option<&Item> {
        if !self.body.contains(at) {
            return None;
        }
        let row = usize::from(at.y - self.body.y) + self.first;
        self.page.items.iter().find(|item| self.rows_of(item).contains(&row))
    }

    /// The scroll that leaves this page where it is seen, also when lines are added below.
    pub(super) fn scroll(&self, tab: Tab) -> usize {
        self.scroll_at(self.first, tab)
    }

    /// The scroll with which an item is seen, its first row in any case.
    pub(super) fn scroll_to(&self, id: &str, tab: Tab) -> Option<usize> {
        let item = self.page.items.iter().find(|item| item.id == id)?;
        let (rows, height) = (self.rows_of(item), usize::from(self.body.height));
        Some(self.scroll_at(self.first.max(rows.end.saturating_sub(height)).min(rows.start), tab))
    }

    /// The scroll with which the page begins at a row: a talk is scrolled from its end.
    fn scroll_at(&self, first: usize, tab: Tab) -> usize {
        if tab == Tab::Discussion { self.first_max().saturating_sub(first) } else { first }
    }
}

/// How the text of the panel is broken into rows.
const WRAP: Wrap = Wrap { trim: false };

fn block(look: Look) -> Block<'static> {
    Block::new().borders(Borders::LEFT).border_style(look.dim())
}

pub(super) fn draw(screen: &CaseScreen, case: &CaseView, frame: &mut Frame<'_>, area: Rect, look: Look) {
    frame.render_widget(block(look), area);
    let Some(Laid { page, tabs, body, foot, first, .. }) = Laid::of(screen, case, area, look) else { return };
    let titles = TABS.iter().flat_map(|tab| {
        let style = if *tab == screen.tab { look.chosen() } else { look.dim() };
        [Span::styled(tab.title(), style), Span::raw(" ")]
    });
    frame.render_widget(Paragraph::new(Line::from_iter(titles)), tabs);
    let text = Paragraph::new(page.lines).wrap(WRAP);
    frame.render_widget(text.scroll((u16::try_from(first).unwrap_or(u16::MAX), 0)), body);
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

/// Before the first line of what is chosen.
const CHOSEN: &str = "› ";

/// What stands before an item, whether it is chosen or not.
fn pointer(is_chosen: bool, look: Look) -> Span<'static> {
    Span::styled(if is_chosen { CHOSEN } else { "" }, look.key())
}

fn opinions(screen: &CaseScreen, case: &CaseView, look: Look) -> Page {
    let mut page = Page::default();
    for critical in &case.criticals {
        heading(&mut page.lines, &format!("CRITICAL, {}", shown(&critical.author)), look);
        text(&mut page.lines, &critical.finding);
    }
    for opinion in &case.opinions {
        if !page.lines.is_empty() {
            page.lines.push(Line::raw(""));
        }
        let from = page.lines.len();
        let author = member_number(case, &opinion.author_identity);
        opinion_lines(&mut page.lines, author, opinion, look);
        if let Some(first) = page.lines.get_mut(from) {
            first.spans.insert(0, pointer(screen.has_chosen(&opinion.id), look));
        }
        page.item(&opinion.id, from);
    }
    page.lines.extend(if page.lines.is_empty() {
        vec![Line::styled("No opinion yet. Ctrl+O gives yours.", look.dim())]
    } else if page.items.is_empty() {
        Vec::new()
    } else {
        vec![Line::raw(""), Line::styled("} and { choose one, Enter opens it", look.dim())]
    });
    page
}

/// An opinion whole; its author has a number among the members.
pub(super) fn opinion_lines(lines: &mut Vec<Line<'static>>, author: usize, opinion: &OpinionView, look: Look) {
    lines.push(Line::from(vec![
        Span::styled(shown(&opinion.author).into_owned(), look.member(author)),
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

fn discussion(screen: &CaseScreen, case: &CaseView, look: Look) -> Page {
    let mut page = Page::default();
    for message in &case.messages {
        let from = page.lines.len();
        let lines = &mut page.lines;
        lines.push(Line::from(vec![
            pointer(leads_somewhere(message) && screen.has_chosen(&message.id), look),
            Span::styled(
                shown(&message.author).into_owned(),
                look.member(member_number(case, &message.author_identity)),
            ),
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
        text(lines, &message.text);
        if leads_somewhere(message) {
            page.item(&message.id, from);
        }
    }
    if page.lines.is_empty() {
        page.lines.push(Line::styled("Nothing has been said yet.", look.dim()));
    }
    page
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

fn marks(screen: &CaseScreen, case: &CaseView, look: Look) -> Page {
    let mut page = Page::default();
    for mark in &case.marks {
        let from = page.lines.len();
        page.lines.push(Line::from(vec![
            pointer(screen.has_chosen(&mark.id), look),
            Span::styled(
                format!("{} {}", shown(&mark.author), shown(&mark.kind)),
                look.member(member_number(case, &mark.author_identity)),
            ),
            Span::styled(value_of(mark), look.heading()),
            Span::raw(mark.label.as_ref().map_or_else(String::new, |label| format!("  {}", shown(label)))),
        ]));
        if let Some(basis) = &mark.basis {
            page.lines.push(Line::styled(format!("  {}", shown(basis)), look.dim()));
        }
        // One that this program does not draw leads nowhere.
        if screen.viewer.draws(&mark.id) {
            page.item(&mark.id, from);
        }
    }
    page.lines.push(match (page.lines.is_empty(), screen.viewer.chosen_mark()) {
        (true, _) => Line::styled("No mark yet.", look.dim()),
        (false, Some(_)) => Line::styled("D answers it, n goes on", look.key()),
        (false, None) => Line::styled("n chooses one, D answers it", look.dim()),
    });
    page
}

fn members(screen: &CaseScreen, case: &CaseView, look: Look) -> Page {
    let mut page = Page::default();
    for (number, member) in case.members.iter().enumerate() {
        let from = page.lines.len();
        let is_chosen = screen.has_chosen(&member.identity);
        let delivery = if member.me { "" } else { member.delivery.as_str() };
        page.lines.push(Line::from(vec![
            pointer(is_chosen, look),
            Span::styled(shown(&member.name).into_owned(), look.member(number)),
            Span::raw(format!("  {}{}  ", if member.me { "you, " } else { "" }, shown(&member.role))),
            Span::styled(shown(delivery).into_owned(), look.delivery(&member.delivery)),
        ]));
        if let Some(role) = rights::role(&member.role).filter(|_| is_chosen) {
            page.lines.push(Line::styled(format!("  {}", rights::duties(role)), look.dim()));
        }
        page.item(&member.identity, from);
    }
    page.lines.push(Line::raw(""));
    page.lines.extend(rights::what_to_do(case).into_iter().map(|words| Line::styled(words, look.dim())));
    page
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
