//! One case: its images, and beside them what is said about them.
//!
//! [`panel`] draws what is said, [`talk`] says it, [`items`] choose on it and [`reading`] shows an opinion whole;
//! [`marking`] makes marks entries, [`images`] gives the viewer its series, [`series`] names the studies, [`attendance`]
//! who is here; [`members`] and [`forms`] change the case.

mod attendance;
mod forms;
mod images;
mod items;
mod marking;
mod members;
mod panel;
mod reading;
mod receipts;
mod series;
#[cfg(test)]
mod states;
mod talk;

use std::collections::HashMap;
use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use self::attendance::Attendance;
use self::forms::CaseForm;
use self::marking::Inking;
use self::members::Removal;
use self::receipts::Receipts;
use self::talk::{Answered, Sending};
use super::bundles::PackBundle;
use super::keys::{Action, Chord, Place};
use super::look::Look;
use super::message::{Grown, Thumbnailed, Ticket};
use super::patient::name;
use super::picture::PictureKey;
use super::screen::{Context, Dots, Go, Outcome, Pictured, Screen};
use super::transfers::Transfers;
use super::verification::Verification;
use super::viewer::{CaseMark, Viewer};
use super::widget::field::Field;
use super::widget::popup::Question;
use crate::node::api::{CaseView, Event, Failure, FailureCode, LogEntry, Reply, Request, ShownImage, StudyDetail};
use crate::study::measure::Measurement;
use crate::view::mpr::Reformat;
use crate::view::raster::Scene;

/// How often the case is read again while images arrive, in milliseconds.
const ARRIVING_MS: u64 = 500;

/// How often it is read again without a reason: delivery states change.
const IDLE_MS: u64 = 5_000;

/// Width of the panel, in cells.
const PANEL_WIDTH: u16 = 46;

/// Lines that the panel is scrolled at most.
const SCROLL_MAX: usize = 10_000;

/// Narrowest screen that shows panel and images side by side, in cells.
const BESIDE_WIDTH_MIN: u16 = 110;

/// The pages of the panel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Tab {
    #[default]
    Question,
    Opinions,
    Discussion,
    Marks,
    Members,
    History,
}

const TABS: [Tab; 6] = [Tab::Question, Tab::Opinions, Tab::Discussion, Tab::Marks, Tab::Members, Tab::History];

impl Tab {
    fn title(self) -> &'static str {
        match self {
            Self::Question => "Question",
            Self::Opinions => "Opinions",
            Self::Discussion => "Talk",
            Self::Marks => "Marks",
            Self::Members => "Members",
            Self::History => "History",
        }
    }

    fn moved(self, by: usize) -> Self {
        let at = TABS.iter().position(|tab| *tab == self).unwrap_or_default();
        TABS.get((at + by) % TABS.len()).copied().unwrap_or_default()
    }
}

/// One case on the screen.
#[derive(Debug)]
pub struct CaseScreen {
    id: String,
    spoken: String,
    view: Option<Box<CaseView>>,
    log: Vec<LogEntry>,
    tab: Tab,
    scroll: usize,
    /// What is chosen on the page, by its id; of marks the viewer knows it.
    chosen: Option<String>,
    /// Whether the panel stands; unless it was asked for or sent away, where there is room beside the images.
    panel: Option<bool>,
    message: Field,
    writing: bool,
    /// Whether what is on the screen goes with the message.
    with_view: bool,
    /// The mark that the message answers.
    about: Option<Answered>,
    showing: Option<Ticket>,
    logging: Option<Ticket>,
    sending: Option<Sending>,
    changing: Option<Ticket>,
    /// What was changed last stands in no answer about the case yet.
    is_settling: bool,
    inking: Option<Inking>,
    /// The opinion form is to come once the pencil mark is ink.
    opinion_next: bool,
    receipts: Receipts,
    attendance: Attendance,
    /// The mark that the question is about, whichever is chosen meanwhile.
    deleting: Option<String>,
    removing: Option<Removal>,
    /// Which message's view is shown, counted from the newest.
    seen_view: Option<usize>,
    stale: bool,
    shown_ms: u64,
    viewer: Viewer,
    /// What was asked for first because it is on the screen.
    hurried: Vec<ShownImage>,
    /// What is known of each study, and how many chunks were here when it was asked for.
    details: HashMap<String, StudyDetail>,
    seen: HashMap<String, u64>,
    looking: HashMap<Ticket, String>,
}

impl CaseScreen {
    pub fn new(id: &str, spoken: &str) -> Self {
        Self {
            id: id.to_owned(),
            spoken: spoken.to_owned(),
            view: None,
            log: Vec::new(),
            tab: Tab::default(),
            scroll: 0,
            chosen: None,
            panel: None,
            message: Field::new("", "message"),
            writing: false,
            with_view: false,
            about: None,
            showing: None,
            logging: None,
            sending: None,
            changing: None,
            is_settling: false,
            inking: None,
            opinion_next: false,
            receipts: Receipts::default(),
            attendance: Attendance::default(),
            deleting: None,
            removing: None,
            seen_view: None,
            stale: false,
            shown_ms: 0,
            viewer: Viewer::default(),
            hurried: Vec::new(),
            details: HashMap::new(),
            seen: HashMap::new(),
            looking: HashMap::new(),
        }
    }

    fn show(&mut self, context: &mut Context<'_>) {
        if self.showing.is_some() {
            self.stale = true;
            return;
        }
        self.stale = false;
        self.shown_ms = context.now_ms;
        self.showing = Some(context.ask(Request::CaseShow { case: self.id.clone() }));
        if self.tab == Tab::History && self.logging.is_none() {
            self.logging = Some(context.ask(Request::CaseLog { case: self.id.clone() }));
        }
    }

    /// Takes who is here and what they draw.
    fn see_others(&mut self) {
        if let Some(view) = &self.view {
            self.viewer.set_pencils(CaseMark::pencils(view, self.attendance.pencils()));
        }
    }

    fn turn_to(&mut self, tab: Tab, context: &mut Context<'_>) {
        self.tab = tab;
        self.scroll = 0;
        // What is written stays, and is not written on where it is not seen.
        self.writing &= tab == Tab::Discussion;
        self.chosen = None;
        self.panel = Some(true);
        if tab == Tab::History {
            self.show(context);
        }
        self.read_opinions(context);
    }

    /// Scrolls what is said by so many lines; a talk is read from its end.
    fn scroll_panel(&mut self, down: isize) {
        let by = if self.tab == Tab::Discussion { -down } else { down };
        self.scroll = self.scroll.saturating_add_signed(by).min(SCROLL_MAX);
    }

    fn has_panel(&self, area: Rect) -> bool {
        self.panel.unwrap_or(area.width >= BESIDE_WIDTH_MIN || !self.viewer.has_images())
    }

    /// What the studies are, or what the mark measures that is drawn, and below it the pictures.
    fn split(&self, area: Rect) -> [Rect; 2] {
        let lines = if self.viewer.is_marking() { 3 } else { 1 };
        Layout::vertical([Constraint::Length(lines), Constraint::Min(0)]).areas(area)
    }

    /// Where images and panel stand.
    fn parts(&self, area: Rect) -> (Rect, Option<Rect>) {
        if !self.has_panel(area) {
            return (area, None);
        }
        if area.width < BESIDE_WIDTH_MIN {
            // What the studies are stands above the panel too: nothing else says that one was withdrawn.
            let [line, panel] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
            return (line, Some(panel));
        }
        let [images, panel] = Layout::horizontal([Constraint::Min(0), Constraint::Length(PANEL_WIDTH)]).areas(area);
        (images, Some(panel))
    }
}

impl Screen for CaseScreen {
    fn place(&self) -> Place {
        match (self.viewer.is_marking(), self.viewer.is_pointing()) {
            (true, _) => Place::Marking,
            (false, true) => Place::Pointing,
            (false, false) => Place::Case,
        }
    }

    fn title(&self) -> String {
        match self.view.as_deref() {
            Some(CaseView { patient: Some(patient), other_patients, .. }) => {
                let more = if other_patients.is_empty() { "" } else { " AND OTHERS" };
                format!("{}  {}{more}", self.spoken, name(&patient.name))
            }
            _ => self.spoken.clone(),
        }
    }

    fn typing(&self) -> bool {
        self.writing || self.viewer.is_typing()
    }

    fn unsaved(&self) -> Option<&'static str> {
        (!self.message.text().trim().is_empty()).then_some("A message is written and not sent.")
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        self.show(context);
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        if self.viewer.has_images() && self.viewer.act(action, context) {
            self.attendance.tell(&self.id, self.viewer.draft(), context);
            if action == Action::MarkNext {
                self.reveal_chosen(context);
            }
            return;
        }
        match action {
            Action::Back if self.writing => self.writing = false,
            Action::Back if self.unsaved().is_some() => {
                let lines = vec!["Your message is not sent and not kept: s goes on with it.".into()];
                context.confirm(Question { title: "Leave the case?".into(), lines }, Action::LeaveConfirmed);
            }
            Action::Back | Action::LeaveConfirmed => context.go(Go::Back),
            // These are keys of the line that is typed in.
            Action::AcceptCase if self.writing => self.message.go_to_start(),
            Action::Fetch if self.writing => {}
            Action::NextTab => self.turn_to(self.tab.moved(1), context),
            Action::PreviousTab => self.turn_to(self.tab.moved(TABS.len() - 1), context),
            Action::PanelDown => self.scroll_panel(10),
            Action::PanelUp => self.scroll_panel(-10),
            Action::Panel => {
                self.panel = Some(!self.has_panel(context.area));
                self.writing = false;
                self.read_opinions(context);
            }
            Action::PanelItemNext => self.choose_next(true, context),
            Action::PanelItemPrevious => self.choose_next(false, context),
            Action::PanelItemOpen if self.writing => self.send_message(context),
            Action::PanelItemOpen => self.open_chosen(context),
            Action::MemberAdd => self.bring_in(context),
            Action::MemberRole => self.change_role(context),
            Action::MemberRemove => self.ask_to_remove(context),
            Action::MemberRemoveConfirmed => self.remove(context),
            Action::Write | Action::WriteWithView => {
                self.turn_to(Tab::Discussion, context);
                self.writing = true;
                self.with_view = action == Action::WriteWithView;
                self.about = None;
            }
            Action::AnswerMark => self.answer_mark(context),
            Action::ShowView => self.show_view(context),
            Action::SendChecked => self.send(true, context),
            // What is signed rests on what was drawn: the pencil mark becomes ink first.
            Action::WriteOpinion if self.viewer.is_marking() => {
                self.ink(context);
                self.opinion_next = self.inking.as_ref().is_some_and(|inking| inking.ticket.is_some());
            }
            Action::WriteOpinion => self.write_opinion(context),
            Action::Change(change) => {
                if let Some(view) = &self.view {
                    context.go(Go::Over(Box::new(CaseForm::new(change, view))));
                }
            }
            Action::CloseCase => {
                if let (Some(view), None) = (&self.view, self.changing) {
                    let case = self.id.clone();
                    let is_closed = view.status == "closed";
                    let request = if is_closed { Request::CaseReopen { case } } else { Request::CaseClose { case } };
                    self.changing = Some(context.write(request));
                }
            }
            Action::Ink => {
                self.opinion_next = false;
                self.ink(context);
            }
            Action::InkChecked => self.ink_checked(context),
            Action::KeyImage => self.turn_key_image(context),
            Action::DeleteMark => self.ask_to_delete(context),
            Action::DeleteMarkConfirmed => {
                if let Some(mark) = self.deleting.take() {
                    self.changing = Some(context.write(Request::MarkRemove { mark }));
                }
            }
            Action::Transfers => context.go(Go::Over(Box::new(Transfers::over(&self.id)))),
            Action::VerifyCase => {
                context.go(Go::Over(Box::new(Verification::of_case(&self.id, &self.spoken, false))));
            }
            Action::PackBundle => context.go(Go::Over(Box::new(PackBundle::of(&self.id)))),
            Action::AcceptCase => {
                self.changing = Some(context.write(Request::CaseAccept { case: self.id.clone() }));
            }
            Action::Fetch => {
                let request = Request::Fetch { case: self.id.clone(), series: Vec::new(), key_images: false };
                self.changing = Some(context.ask_with(request, None, Some(0)));
            }
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent, context: &mut Context<'_>) {
        if let Some(label) = self.viewer.label() {
            label.key(key);
            return;
        }
        if self.writing {
            match Chord::of(key).code {
                KeyCode::Enter => self.send_message(context),
                _ => drop(self.message.key(key)),
            }
        }
    }

    fn paste(&mut self, text: &str, _context: &mut Context<'_>) {
        if let Some(label) = self.viewer.label() {
            label.paste(text);
        } else if self.writing {
            self.message.paste(text);
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if self.removed(ticket, outcome, context) {
            return;
        }
        if self.showing == Some(ticket) {
            self.showing = None;
            self.is_settling &= self.stale;
            match outcome.as_deref() {
                Ok(Reply::Case(view)) => {
                    self.view = Some(view.clone());
                    self.viewer.set_marks(CaseMark::of(view));
                    if view.standing == "accepted" {
                        self.attendance.begin(&self.id, context);
                    }
                    self.look_into_studies(context);
                    self.read_opinions(context);
                }
                Ok(_) => {}
                Err(failure) if failure.code == FailureCode::NotFound => {
                    context.say_failure(failure);
                    context.go(Go::Back);
                }
                Err(failure) => context.say_failure(failure),
            }
            if self.stale {
                self.show(context);
            }
        } else if self.attendance.answered(ticket) {
            self.see_others();
        } else if let Some(study) = self.looking.remove(&ticket) {
            self.looked_into(study, ticket, outcome, context);
        } else if self.logging == Some(ticket) {
            self.logging = None;
            if let Ok(Reply::Log { entries }) = outcome.as_deref() {
                self.log.clone_from(entries);
            }
        } else if self.sending.as_ref().is_some_and(|sending| sending.ticket == Some(ticket)) {
            self.sent(outcome, context);
        } else if let Some(inking) = self.inking.take_if(|inking| inking.ticket == Some(ticket)) {
            self.inked(inking, outcome, context);
        } else if self.changing == Some(ticket) {
            self.changing = None;
            self.is_settling = true;
            match outcome {
                Err(failure) if failure.code != FailureCode::NotReached => context.say_failure(failure),
                _ => {}
            }
            self.show(context);
        } else if let Some(opinion) = self.receipts.taken(ticket) {
            self.receipted(opinion, outcome, context);
        }
    }

    fn measured(&mut self, ticket: Ticket, outcome: &Result<Measurement, String>, _context: &mut Context<'_>) {
        self.viewer.measured(ticket, outcome);
    }

    fn pictured(&mut self, key: &PictureKey, outcome: Option<&Pictured>, _context: &mut Context<'_>) {
        self.viewer.pictured(key, outcome);
    }

    fn thumbnailed(&mut self, key: &PictureKey, outcome: &Thumbnailed, _context: &mut Context<'_>) {
        self.viewer.thumbnailed(key, outcome);
    }

    fn volume_grew(&mut self, ticket: Ticket, grown: &Grown, context: &mut Context<'_>) {
        self.viewer.volume_grew(ticket, grown, context);
    }

    fn reformatted(&mut self, ticket: Ticket, outcome: &Result<Arc<Reformat>, String>, context: &mut Context<'_>) {
        self.viewer.reformatted(ticket, outcome, context);
    }

    fn on_the_way(&mut self, ticket: Ticket, event: &Event, _context: &mut Context<'_>) {
        if self.attendance.heard(ticket, event) {
            self.see_others();
        }
    }

    fn dropped(&mut self, context: &mut Context<'_>) {
        self.attendance.end(context);
        self.viewer.dropped(context);
    }

    fn pointer(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        let (images, panel) = self.parts(context.area);
        let at = Position::new(pointer.column, pointer.row);
        if panel.is_some_and(|panel| panel.contains(at)) {
            match pointer.kind {
                MouseEventKind::ScrollDown => self.scroll_panel(3),
                MouseEventKind::ScrollUp => self.scroll_panel(-3),
                MouseEventKind::Down(MouseButton::Left) => self.click_panel(at, context),
                _ => {}
            }
            return;
        }
        self.viewer.pointer(pointer, self.split(images)[1], context);
        self.attendance.tell(&self.id, self.viewer.draft(), context);
    }

    fn happened(&mut self, _what: &str, case: Option<&str>, context: &mut Context<'_>) {
        if case.is_none_or(|case| case == self.id) {
            self.show(context);
        }
    }

    fn tick(&mut self, context: &mut Context<'_>) {
        let arriving = self
            .view
            .iter()
            .flat_map(|view| &view.studies)
            .any(|study| study.chunks_have < study.chunks_total && !study.withdrawn);
        let every_ms = if arriving { ARRIVING_MS } else { IDLE_MS };
        if context.now_ms.saturating_sub(self.shown_ms) >= every_ms {
            self.show(context);
        }
        self.read_opinions(context);
        self.viewer.tick(context);
        self.hurry(context);
        self.attendance.tell(&self.id, self.viewer.draft(), context);
    }

    fn scenes(&mut self, area: Rect, dots: Dots) -> Vec<(Rect, Scene)> {
        let (images, _) = self.parts(area);
        let [_, pictures] = self.split(images);
        self.viewer.scenes(pictures, dots)
    }

    fn covered(&self, _area: Rect, _dots: Dots) -> Vec<Rect> {
        self.viewer.covered()
    }

    fn is_playing(&self) -> bool {
        self.viewer.is_playing()
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let (images, panel) = self.parts(area);
        let Some(view) = &self.view else {
            frame.render_widget(ratatui::widgets::Paragraph::new("reading the case …"), area);
            return;
        };
        let [line, pictures] = self.split(images);
        match self.viewer.pencil_words() {
            Some(words) => {
                let words = Paragraph::new(Line::styled(words, look.key())).wrap(Wrap { trim: true });
                frame.render_widget(words, line);
                if let Some(label) = self.viewer.shown_label() {
                    label.draw_line(frame, Rect { y: line.bottom().saturating_sub(1), height: 1, ..line }, true, look);
                }
            }
            None => series::draw(view, self.attendance.here(), frame, line, look),
        }
        if self.viewer.has_images() {
            self.viewer.draw(frame, pictures, look);
        }
        if let Some(area) = panel {
            panel::draw(self, view, frame, area, look);
        }
    }
}

/// Asks about words that may name the patient.
fn text_question(failure: &Failure, asks: &str) -> Question {
    let mut lines = vec![failure.what.clone()];
    lines.extend(failure.details.values().flatten().cloned());
    lines.push(asks.into());
    Question { title: "Does this name the patient?".into(), lines }
}

#[cfg(test)]
mod tests;
