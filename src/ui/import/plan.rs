//! The plan on the screen: what leaves and what stays, before anything is stored.
//!
//! The first page says in the order of their weight what a sender must have read: who it is, what may identify her
//! (text that remains, faces, what was left out), what is missing. The other pages list what it counts.

use std::collections::{BTreeMap, BTreeSet};

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row, Table, Wrap};

use crate::encoding::text::shown;
use crate::node::api::{ImportReport, ImportedStudy, LeftOut, PlanAttribute, PlanView};
use crate::ui::keys::Action;
use crate::ui::look::Look;
use crate::ui::patient;
use crate::ui::widget::amount::{bytes, count};
use crate::ui::widget::list::Chosen;
use crate::ui::widget::text::{hanging, kind_of};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Tab {
    #[default]
    Overview,
    Headers,
    Words,
    Files,
}

const TABS: [Tab; 4] = [Tab::Overview, Tab::Headers, Tab::Words, Tab::Files];

/// The plan and which part of it is seen. It prints nothing of it.
pub(super) struct PlanPage {
    report: ImportReport,
    tab: Tab,
    /// One for each tab; of the overview the first line that is seen.
    chosen: [Chosen; 4],
    by_action: bool,
    /// The end of the overview was on the screen.
    is_read: bool,
}

impl PlanPage {
    pub(super) fn new(report: ImportReport) -> Self {
        Self { report, tab: Tab::default(), chosen: [Chosen::default(); 4], by_action: false, is_read: false }
    }

    /// Takes a plan made anew; what is looked at stays.
    pub(super) fn renew(&mut self, report: ImportReport) {
        self.report = report;
    }

    fn plan(&self) -> Option<&PlanView> {
        self.report.plan.as_ref()
    }

    fn at(&self) -> Chosen {
        self.chosen[self.tab as usize]
    }

    /// The word that one key keeps or drops.
    pub(super) fn chosen_word(&self, kept: &BTreeSet<String>) -> Option<String> {
        if self.tab != Tab::Words {
            return None;
        }
        self.words(kept).into_iter().nth(self.at().at)
    }

    /// Words that drop, and those that would have.
    fn words(&self, kept: &BTreeSet<String>) -> Vec<String> {
        let dropped = self.plan().map(|plan| plan.dropped_text.iter()).into_iter().flatten();
        dropped.chain(kept).cloned().collect::<BTreeSet<String>>().into_iter().collect()
    }

    fn attributes(&self) -> Vec<&PlanAttribute> {
        let mut attributes: Vec<_> = self.plan().map(|plan| plan.attributes.iter()).into_iter().flatten().collect();
        if self.by_action {
            attributes.sort_by(|a, b| a.action.cmp(&b.action));
        }
        attributes
    }

    /// Whether all of the overview has been on the screen; if not, it goes on to what comes next.
    pub(super) fn read_on(&mut self, kept: &BTreeSet<String>, body: Rect) -> bool {
        self.look(body);
        if self.is_read {
            return true;
        }
        if self.tab == Tab::Overview {
            self.act(Action::PageDown, kept, body);
        }
        self.tab = Tab::Overview;
        false
    }

    /// Notes whether the end of the overview is on the screen.
    fn look(&mut self, body: Rect) {
        let last_seen = self.at().at.saturating_add(usize::from(body.height));
        self.is_read |= self.tab == Tab::Overview && last_seen >= self.overview_height(body.width);
    }

    pub(super) fn act(&mut self, action: Action, kept: &BTreeSet<String>, body: Rect) {
        let at = TABS.iter().position(|tab| *tab == self.tab).unwrap_or_default();
        match action {
            Action::NextTab => self.tab = TABS[(at + 1) % TABS.len()],
            Action::PreviousTab => self.tab = TABS[(at + TABS.len() - 1) % TABS.len()],
            Action::Sort => self.by_action = !self.by_action,
            action => {
                let page = usize::from(body.height);
                let length = match self.tab {
                    // Lines above the last page: further down there is nothing to see.
                    Tab::Overview => (self.overview_height(body.width) + 1).saturating_sub(page),
                    Tab::Headers => self.attributes().len(),
                    Tab::Words => self.words(kept).len(),
                    Tab::Files => self.report.skipped.len(),
                };
                self.chosen[self.tab as usize].act(action, length, page);
                self.look(body);
            }
        }
    }

    fn overview_height(&self, width: u16) -> usize {
        self.overview(width, Look { colour: false }).len()
    }

    /// Draws the names of the pages and the chosen page. `kept` are the words she keeps, which a plan that is `stale`
    /// does not know of yet.
    pub(super) fn draw(&self, frame: &mut Frame<'_>, area: Rect, kept: &BTreeSet<String>, stale: bool, look: Look) {
        let [tabs, body] = Layout::vertical([Constraint::Length(2), Constraint::Min(0)]).areas(area);
        self.draw_tabs(frame, tabs, kept, look);
        match self.tab {
            Tab::Overview => {
                let last = self.overview_height(body.width).saturating_sub(usize::from(body.height));
                let first = u16::try_from(self.at().at.min(last)).unwrap_or(u16::MAX);
                frame.render_widget(Paragraph::new(self.overview(body.width, look)).scroll((first, 0)), body);
                if usize::from(first) < last {
                    let more = Rect { y: body.bottom().saturating_sub(1), height: 1, ..body };
                    let words = format!("  ↓ {} more lines", last - usize::from(first) + 1);
                    frame.render_widget(ratatui::widgets::Clear, more);
                    frame.render_widget(Paragraph::new(Line::styled(words, look.key())), more);
                }
            }
            Tab::Headers => self.draw_headers(frame, body, look),
            Tab::Words => self.draw_words(frame, body, kept, stale, look),
            Tab::Files => self.draw_files(frame, body, look),
        }
    }

    fn draw_tabs(&self, frame: &mut Frame<'_>, area: Rect, kept: &BTreeSet<String>, look: Look) {
        let name = |tab: Tab| match tab {
            Tab::Overview => "Overview".to_owned(),
            Tab::Headers => format!("Headers {}", self.attributes().len()),
            Tab::Words => format!("Words {}", self.words(kept).len()),
            Tab::Files => format!("Skipped files {}", self.report.skipped.len()),
        };
        let spans = TABS.iter().flat_map(|tab| {
            let style = if *tab == self.tab { look.chosen() } else { look.plain() };
            [Span::raw(" "), Span::styled(format!(" {} ", name(*tab)), style)]
        });
        frame.render_widget(Paragraph::new(Line::from_iter(spans)), area);
    }

    fn overview(&self, width: u16, look: Look) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        let Some(plan) = self.plan() else { return vec![Line::raw("The node made no plan.")] };
        let section = |lines: &mut Vec<Line<'static>>, title: &str, style, items: Vec<String>| {
            if items.is_empty() {
                return;
            }
            lines.push(Line::styled(format!(" {title}"), style));
            lines.extend(
                items
                    .iter()
                    .flat_map(|item| {
                        let words = item.trim_start();
                        hanging(&" ".repeat(3 + item.len() - words.len()), words, width)
                    })
                    .map(Line::raw),
            );
            lines.push(Line::raw(""));
        };
        let mut patients: Vec<String> = Vec::new();
        for one in &plan.patients {
            let who = patient::who(one);
            if !patients.contains(&who) {
                let of_same = plan.patients.iter().filter(|other| patient::who(other) == who);
                let examinations: Vec<String> = of_same.map(|one| format!("  {}", patient::examination(one))).collect();
                patients.push(who);
                patients.extend(examinations);
            }
        }
        let people: BTreeSet<_> =
            plan.patients.iter().map(|one| (&one.name, &one.patient_id, &one.birth_date)).collect();
        section(&mut lines, "The real patient, seen by you only; the true dates stay here", look.heading(), patients);
        if people.len() > 1 {
            let words = format!(" Careful: these are examinations of {} patients.", people.len());
            lines.push(Line::styled(words, look.bad()));
            lines.push(Line::raw(""));
        }
        section(&mut lines, "Careful", look.bad(), all(&plan.warnings));
        section(&mut lines, "Free text that remains: read it", look.heading(), all(&plan.kept_text));
        let studies = self.report.studies.iter().map(study_line).collect();
        section(&mut lines, "Taken in and ready to be shared", look.heading(), studies);
        let left_out = plan.left_out.iter().map(left_out_line).collect();
        section(&mut lines, "Left out until you have looked at them, or for good", look.warn(), left_out);
        section(&mut lines, "Missing", look.warn(), all(&plan.gaps));
        let dropped = all(&plan.dropped_text).join("  ");
        let dropped = Some(dropped).filter(|words| !words.is_empty()).into_iter().collect();
        section(&mut lines, "Words that drop (the page Words keeps one)", look.heading(), dropped);
        let mut done: BTreeMap<&str, usize> = BTreeMap::new();
        for attribute in &plan.attributes {
            *done.entry(&attribute.action).or_default() += 1;
        }
        let done =
            done.into_iter().map(|(action, number)| format!("{}: {}", shown(action), count(number, "attribute")));
        section(&mut lines, "What is done to the headers (the page Headers lists all)", look.heading(), done.collect());
        section(&mut lines, "Stated in each image, as far as it was done to it", look.heading(), all(&plan.codes));
        let skipped = self.report.skipped.len();
        if skipped > 0 {
            let words = format!(" {} not taken in (the page Skipped files says why)", count(skipped, "file"));
            lines.push(Line::styled(words, look.warn()));
        }
        while lines.last().is_some_and(|line| line.width() == 0) {
            lines.pop();
        }
        lines
    }

    fn draw_headers(&self, frame: &mut Frame<'_>, area: Rect, look: Look) {
        let attributes = self.attributes();
        let [head, body, rule, whole] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Min(0),
            Constraint::Length(1),
            Constraint::Length(if area.width < 120 { 3 } else { 2 }),
        ])
        .areas(area);
        let wide = area.width >= 120;
        let widths = [
            Constraint::Length(if wide { 27 } else { 13 }),
            Constraint::Length(if wide { 44 } else { 25 }),
            Constraint::Length(13),
            Constraint::Fill(1),
            Constraint::Length(7),
        ];
        let titles = [" tag", "attribute", if self.by_action { "action ↓" } else { "action" }, "reason", "images"];
        frame.render_widget(Table::new([Row::new(titles).style(look.dim())], widths), head);
        let (room, chosen) = (usize::from(body.height), self.at());
        let rows = attributes.iter().enumerate().skip(chosen.first_seen(room)).take(room).map(|(at, attribute)| {
            let row = Row::new([
                format!(" {}", shown(&attribute.tag)),
                shown(&attribute.name).into_owned(),
                shown(&attribute.action).into_owned(),
                shown(&attribute.reason).into_owned(),
                format!("{:>6}", attribute.count),
            ]);
            row.style(if at == chosen.at { look.chosen() } else { look.plain() })
        });
        frame.render_widget(Table::new(rows, widths), body);
        frame.render_widget(Paragraph::new(Line::styled("─".repeat(usize::from(rule.width)), look.dim())), rule);
        if let Some(attribute) = attributes.get(chosen.at) {
            let words = format!(
                " {} of {}: {} {}: {} in {}: {}",
                chosen.at + 1,
                attributes.len(),
                shown(&attribute.tag),
                shown(&attribute.name),
                shown(&attribute.action),
                count(attribute.count, "image"),
                shown(&attribute.reason),
            );
            frame.render_widget(Paragraph::new(words).wrap(Wrap { trim: false }), whole);
        }
    }

    fn draw_words(&self, frame: &mut Frame<'_>, area: Rect, kept: &BTreeSet<String>, stale: bool, look: Look) {
        let drops = self.plan().map(|plan| &plan.dropped_text[..]).unwrap_or_default();
        let mut remains = all(self.plan().map(|plan| &plan.kept_text[..]).unwrap_or_default());
        if remains.is_empty() {
            remains.push("nothing".into());
        }
        let text = format!(" Text that remains: {}", remains.join(" · "));
        let text = Paragraph::new(text).wrap(Wrap { trim: false });
        let below = u16::try_from(text.line_count(area.width)).unwrap_or(u16::MAX).min(area.height / 2);
        let [head, list, _, foot] = Layout::vertical([
            Constraint::Length(2),
            Constraint::Min(0),
            Constraint::Length(1),
            Constraint::Length(below),
        ])
        .areas(area);
        let intro = " These words are not in the radiology vocabulary and drop from descriptions. Keep only what cannot \
                     name anybody.";
        frame.render_widget(Paragraph::new(Line::styled(intro, look.dim())).wrap(Wrap { trim: false }), head);
        let (room, chosen) = (usize::from(list.height), self.at());
        let words = self.words(kept);
        let lines = words.iter().enumerate().skip(chosen.first_seen(room)).take(room).map(|(at, word)| {
            let (mark, note) = match (kept.contains(word), drops.contains(word)) {
                (true, _) if stale => ("[x]", "  stays if it names nobody"),
                (true, true) => ("[x]", "  drops all the same if it names the patient or somebody around"),
                (true, false) => ("[x]", "  stays"),
                (false, _) => ("[ ]", "  drops"),
            };
            let style = if at == chosen.at { look.chosen() } else { look.plain() };
            Line::from(vec![
                Span::raw(" "),
                Span::styled(format!("{mark} {}", shown(word)), style),
                Span::styled(note, look.dim()),
            ])
        });
        let mut lines: Vec<Line<'_>> = lines.collect();
        if words.is_empty() {
            lines.push(Line::styled(" No word drops.", look.dim()));
        }
        frame.render_widget(Paragraph::new(lines), list);
        frame.render_widget(text, foot);
    }

    fn draw_files(&self, frame: &mut Frame<'_>, area: Rect, look: Look) {
        let (room, chosen) = (usize::from(area.height), self.at());
        let files = self.report.skipped.iter().enumerate().skip(chosen.first_seen(room)).take(room);
        let mut lines: Vec<Line<'_>> = files
            .map(|(at, file)| {
                let style = if at == chosen.at { look.chosen() } else { look.plain() };
                Line::styled(skipped_line(&file.path, &file.why, usize::from(area.width)), style)
            })
            .collect();
        if lines.is_empty() {
            lines.push(Line::styled(" No file is skipped.", look.dim()));
        }
        frame.render_widget(Paragraph::new(lines), area);
    }
}

pub(super) fn all(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| shown(text).into_owned()).collect()
}

/// Why, and then as much of the end of the path as fits: file names differ at their end.
pub(super) fn skipped_line(path: &str, why: &str, width: usize) -> String {
    let (path, why) = (shown(path), shown(why));
    let room = width.saturating_sub(why.chars().count() + 4).max(12);
    let length = path.chars().count();
    let end: String = path.chars().skip(length.saturating_sub(room)).collect();
    let dots = if length > room { "…" } else { "" };
    format!(" {dots}{end}: {why}")
}

/// What of a study is there: `CT CT Chest: 118 images in 2 series, 61.2 MiB`.
fn study_line(study: &ImportedStudy) -> String {
    let mut words = kind_of(&study.modality, &study.description);
    if words.is_empty() {
        words = "study".into();
    }
    words += &format!(
        ": {} in {}, {}",
        count(study.instances, "image"),
        count(study.series, "series"),
        bytes(study.bytes_in)
    );
    if study.already_held > 0 {
        words += &format!("; {} here already", study.already_held);
    }
    words
}

/// Which series of the plan is meant: its modality, or the end of its new UID.
pub(super) fn left_out_line(left: &LeftOut) -> String {
    let series = shown(&left.series);
    let end: String = series.chars().skip(series.chars().count().saturating_sub(8)).collect();
    let dots = if end.len() < series.len() { "…" } else { "" };
    format!("{} of series {dots}{end}: {}", count(left.instances, "object"), shown(&left.why))
}
