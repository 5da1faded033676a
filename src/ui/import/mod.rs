//! Taking studies in: choose files, look at the plan, take them in, read the report.
//!
//! ```text
//! choose -> find studies -> plan -> take in -> report
//!   ^           (dry run)    | ^ a word kept, another preset, the same patient as: planned anew
//!   `------------------------' `
//! ```
//!
//! What is chosen are files of the disk ([`super::browse`]) or studies that neighbours have sent ([`arrivals`]): the two pages
//! of the first step.
//!
//! Nothing is stored before the plan has been on the screen and agreed to. A plan that is being made anew cannot be
//! agreed to. Files are found, read and cleaned by the node; here is only what a person chooses.

mod arrivals;
mod draw;
mod pick;
mod plan;
mod report;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;

use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::browse::{Browser, Wanted};
use super::files::Listing;
use super::keys::{Action, Place};
use super::look::Look;
use super::message::{Ticket, Wish};
use super::new_case::NewCase;
use super::screen::{Context, Dots, Go, Outcome, Screen};
use super::studies::{LeftOutReview, Studies};
use super::widget::popup::Question;
use crate::encoding::text::shown;
use crate::node::api::{Event, FailureCode, ImportReport, ImportRequest, Progress, Reply, Request, StudyPatient};

use arrivals::Arrivals;
use pick::Picker;
use plan::PlanPage;
use report::ReportPage;

/// A plan is made anew so long after the last change, so that several words can be chosen at once; in milliseconds.
const REPLAN_AFTER_MS: u64 = 700;

/// How headers are cleaned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Preset {
    #[default]
    Consult,
    Basic,
    /// A file of one's own.
    File(PathBuf),
}

impl Preset {
    fn name(&self) -> String {
        match self {
            Self::Consult => "consult".into(),
            Self::Basic => "basic".into(),
            Self::File(path) => path.to_string_lossy().into_owned(),
        }
    }

    /// What it means, in a line.
    fn words(&self) -> String {
        match self {
            Self::Consult => "consult: age, sex, weight and intervals stay".into(),
            Self::Basic => "basic: these go too".into(),
            Self::File(path) => format!("of your own: {}", shown(&path.to_string_lossy())),
        }
    }
}

/// Where what is chosen comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Files,
    Arrivals,
}

/// What is on the screen.
enum Step {
    Choose,
    /// A first plan is being made.
    Find,
    Plan(PlanPage),
    TakeIn,
    Report(ReportPage),
}

/// A request that takes long.
#[derive(Debug)]
struct Busy {
    ticket: Ticket,
    progress: Option<Progress>,
}

/// Taking studies in.
pub struct Import {
    step: Step,
    source: Source,
    /// Somebody has done something: the first page is not changed by itself any more.
    touched: bool,
    browser: Browser,
    arrivals: Arrivals,
    /// What was found last in the paths; the plan is about them.
    paths: Vec<PathBuf>,
    /// Or about these studies of the inbox.
    inbox: Vec<String>,
    preset: Preset,
    same_patient: Option<StudyPatient>,
    /// The paths and studies of which that was said.
    same_for: (Vec<PathBuf>, Vec<String>),
    keep_words: BTreeSet<String>,
    busy: Option<Busy>,
    /// The plan on the screen is not what would be done any more, since then.
    changed_ms: Option<u64>,
    /// Why nothing was found, file by file.
    trouble: Vec<String>,
    picker: Option<Picker>,
    picking: Option<Ticket>,
}

impl Default for Import {
    fn default() -> Self {
        Self {
            step: Step::Choose,
            source: Source::Files,
            touched: false,
            browser: Browser::new(Wanted::Anything),
            arrivals: Arrivals::default(),
            paths: Vec::new(),
            inbox: Vec::new(),
            preset: Preset::default(),
            same_patient: None,
            same_for: (Vec::new(), Vec::new()),
            keep_words: BTreeSet::new(),
            busy: None,
            changed_ms: None,
            trouble: Vec::new(),
            picker: None,
            picking: None,
        }
    }
}

impl Import {
    fn request(&self, dry_run: bool) -> Request {
        Request::Import(ImportRequest {
            paths: self.paths.clone(),
            inbox: self.inbox.clone(),
            preset: Some(self.preset.name()),
            same_patient: self.same_patient.as_ref().map(|same| same.study.clone()),
            keep_words: self.keep_words.iter().cloned().collect(),
            dry_run,
        })
    }

    /// Makes a plan; one under way is ended, since nobody waits for it.
    fn find(&mut self, context: &mut Context<'_>) {
        self.cancel(context);
        self.changed_ms = None;
        let ticket = context.ask(self.request(true));
        self.busy = Some(Busy { ticket, progress: None });
        if !matches!(self.step, Step::Plan(_)) {
            self.step = Step::Find;
        }
    }

    fn cancel(&mut self, context: &mut Context<'_>) {
        if let Some(busy) = self.busy.take() {
            context.wish(Wish::Cancel { ticket: busy.ticket });
        }
    }

    /// Something the plan depends on changed.
    fn changed(&mut self, context: &Context<'_>) {
        if matches!(self.step, Step::Plan(_)) {
            self.changed_ms = Some(context.now_ms);
        }
    }

    /// Whether the page of this source is on the screen, with nothing over it.
    fn is_choosing(&self, source: Source) -> bool {
        matches!(self.step, Step::Choose) && self.picker.is_none() && self.source == source
    }

    /// Whether the plan on the screen is not what would be done.
    fn is_stale(&self) -> bool {
        self.changed_ms.is_some() || self.busy.is_some()
    }

    fn choosing(&mut self, action: Action, context: &mut Context<'_>) {
        self.touched = true;
        let page = usize::from(draw::list_area(context.area).height);
        let is_done = match self.source {
            Source::Files => self.browser.act(action, page, context),
            Source::Arrivals => self.arrivals.act(action, context),
        };
        if is_done {
            return;
        }
        match action {
            Action::Back => context.go(Go::Back),
            Action::OtherSource => {
                self.source = if self.source == Source::Files { Source::Arrivals } else { Source::Files };
                self.trouble.clear();
            }
            Action::FindStudies => {
                (self.paths, self.inbox) = self.wanted();
                if self.paths.is_empty() && self.inbox.is_empty() {
                    context.say(match self.source {
                        Source::Files => "Choose a file, folder or ZIP first.",
                        Source::Arrivals => "Nothing has arrived that could be taken in.",
                    });
                    return;
                }
                self.keep_words.clear();
                self.trouble.clear();
                if self.same_patient.is_some() && self.same_for != self.wanted() {
                    self.same_patient = None;
                    context.say("“Same patient as” was said of other files: s says it of these, if it is so.");
                }
                self.find(context);
            }
            Action::NextPreset => self.next_preset(context),
            Action::SamePatient => self.pick_patient(context),
            _ => {}
        }
    }

    /// The files, or the studies that have arrived, that are chosen now.
    fn wanted(&self) -> (Vec<PathBuf>, Vec<String>) {
        match self.source {
            Source::Files => (self.browser.wanted(), Vec::new()),
            Source::Arrivals => (Vec::new(), self.arrivals.wanted()),
        }
    }

    fn next_preset(&mut self, context: &mut Context<'_>) {
        self.preset = match &self.preset {
            Preset::Consult => Preset::Basic,
            Preset::Basic => match self.browser.preset_file() {
                Some(path) => Preset::File(path),
                None => {
                    context.say("A preset file of your own: put the cursor on its .toml file, then press p.");
                    Preset::Consult
                }
            },
            Preset::File(_) => Preset::Consult,
        };
        self.changed(context);
    }

    fn pick_patient(&mut self, context: &mut Context<'_>) {
        self.picking = Some(context.ask(Request::StudyPatients));
        self.picker = Some(Picker::default());
    }

    fn picked(&mut self, action: Action, context: &mut Context<'_>) {
        let Some(picker) = &mut self.picker else { return };
        match action {
            Action::Back => self.picker = None,
            Action::Open => match picker.chosen() {
                None if picker.is_nobody() => {
                    self.picker = None;
                    if self.same_patient.take().is_some() {
                        self.changed(context);
                    }
                }
                None => {}
                Some(same) => {
                    let lines = vec![
                        "You say that these files are of the same person as a study already here, though the \
                         identifiers differ:"
                            .into(),
                        String::new(),
                        super::patient::who(&same.patient),
                        super::patient::examination(&same.patient),
                        String::new(),
                        "They then share pseudonym and date offset, which cannot be undone. Is it so?".into(),
                    ];
                    let title = "The same person?".into();
                    context.confirm(Question { title, lines }, Action::SamePatientConfirmed);
                }
            },
            Action::SamePatientConfirmed => {
                self.same_patient = picker.chosen().cloned();
                self.same_for = match self.step {
                    Step::Choose => self.wanted(),
                    _ => (self.paths.clone(), self.inbox.clone()),
                };
                self.picker = None;
                self.changed(context);
            }
            action => picker.act(action, context.area),
        }
    }

    fn planned(&mut self, action: Action, context: &mut Context<'_>) {
        let is_stale = self.is_stale();
        let Step::Plan(page) = &mut self.step else { return };
        match action {
            Action::Back => {
                self.cancel(context);
                self.changed_ms = None;
                self.step = Step::Choose;
            }
            Action::KeepWord => match page.chosen_word(&self.keep_words) {
                Some(word) => {
                    if !self.keep_words.remove(&word) {
                        self.keep_words.insert(word);
                    }
                    self.changed(context);
                }
                None => context.say("Words that drop stand on the page Words: choose one there."),
            },
            Action::NextPreset => self.next_preset(context),
            Action::SamePatient => self.pick_patient(context),
            Action::Refresh => self.find(context),
            Action::TakeIn if is_stale => context.say("The plan is being made anew: read it first."),
            Action::TakeIn if !page.read_on(&self.keep_words, draw::plan_body(context.area)) => {
                context.say("Read on: at the end of the overview Enter takes it in.");
            }
            Action::TakeIn => {
                let ticket = context.ask(self.request(false));
                self.busy = Some(Busy { ticket, progress: None });
                self.step = Step::TakeIn;
            }
            action => page.act(action, &self.keep_words, draw::plan_body(context.area)),
        }
    }

    fn reported(&mut self, action: Action, context: &mut Context<'_>) {
        let Step::Report(page) = &mut self.step else { return };
        let studies = page.studies();
        match action {
            Action::Back => context.go(Go::Back),
            Action::Import => {
                self.step = Step::Choose;
                self.browser.clear_marks();
                self.same_patient = None;
                self.arrivals.read(context);
            }
            Action::AskAbout if studies.is_empty() => context.say("No study of it is here to ask about."),
            Action::AskAbout => {
                context.go(Go::Back);
                context.go(Go::Over(Box::new(NewCase::about(&studies))));
            }
            Action::LookAtLeftOut => match &page.with_left_out()[..] {
                [] => context.say("Nothing was left out that somebody could look at."),
                [one] => context.go(Go::Over(Box::new(LeftOutReview::new(one)))),
                _ => context.go(Go::Over(Box::new(Studies::default()))),
            },
            action => page.act(action, context.area),
        }
    }

    fn arrived(&mut self, report: &ImportReport) {
        match std::mem::replace(&mut self.step, Step::Choose) {
            Step::TakeIn => self.step = Step::Report(ReportPage::new(report.clone())),
            Step::Plan(mut page) => {
                page.renew(report.clone());
                self.step = Step::Plan(page);
            }
            Step::Find => self.step = Step::Plan(PlanPage::new(report.clone())),
            step => self.step = step,
        }
    }
}

impl Screen for Import {
    fn place(&self) -> Place {
        match &self.step {
            _ if self.picker.is_some() => Place::Picking,
            Step::Choose if self.source == Source::Arrivals => Place::Arrivals,
            Step::Choose if self.browser.is_typing() => Place::ImportPath,
            Step::Choose => Place::Import,
            Step::Find | Step::TakeIn => Place::ImportBusy,
            Step::Plan(_) => Place::ImportPlan,
            Step::Report(_) => Place::ImportReport,
        }
    }

    fn title(&self) -> String {
        match &self.step {
            Step::Choose if self.source == Source::Arrivals => "import: arrived from the hospital",
            Step::Choose => "import: choose files",
            Step::Find => "import: finding studies",
            Step::Plan(_) => "import: the plan; nothing is stored yet",
            Step::TakeIn => "import: taking in",
            Step::Report(_) => "import: what was taken in",
        }
        .into()
    }

    fn typing(&self) -> bool {
        self.is_choosing(Source::Files) && self.browser.is_typing()
    }

    fn is_working(&self) -> bool {
        self.busy.is_some()
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        self.browser.start(context);
        self.arrivals.read(context);
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        if self.picker.is_some() {
            return self.picked(action, context);
        }
        match &self.step {
            Step::Choose => self.choosing(action, context),
            Step::Find if action == Action::Stop => {
                self.cancel(context);
                self.step = Step::Choose;
            }
            Step::TakeIn if action == Action::Stop => {
                self.cancel(context);
                self.step = Step::Choose;
                context.say("Stopped. Studies that were finished are here; import again to go on where it stopped.");
            }
            Step::Find | Step::TakeIn => {}
            Step::Plan(_) => self.planned(action, context),
            Step::Report(_) => self.reported(action, context),
        }
    }

    fn key(&mut self, key: KeyEvent, _context: &mut Context<'_>) {
        if self.typing() {
            self.browser.key(key);
        }
    }

    fn paste(&mut self, text: &str, _context: &mut Context<'_>) {
        if matches!(self.step, Step::Choose) && self.picker.is_none() {
            // A path is of the disk, whatever page is open.
            (self.source, self.touched) = (Source::Files, true);
            self.browser.paste(text);
        }
    }

    fn pointer(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        match pointer.kind {
            MouseEventKind::ScrollDown => self.act(Action::Down, context),
            MouseEventKind::ScrollUp => self.act(Action::Up, context),
            MouseEventKind::Down(MouseButton::Left) if self.is_choosing(Source::Arrivals) => {
                let list = arrivals::list_area(context.area);
                if list.contains(Position::new(pointer.column, pointer.row)) {
                    self.touched = true;
                    self.arrivals.point_at(usize::from(pointer.row - list.y), usize::from(list.height), list.width);
                }
            }
            MouseEventKind::Down(MouseButton::Left) if self.is_choosing(Source::Files) => {
                let at = Position::new(pointer.column, pointer.row);
                let is_again = self.browser.clicked(at, draw::list_area(context.area));
                if is_again {
                    self.act(Action::Open, context);
                }
            }
            _ => {}
        }
    }

    fn inbox_changed(&mut self, context: &mut Context<'_>) {
        self.arrivals.read(context);
    }

    fn listed(&mut self, ticket: Ticket, outcome: &Result<Listing, String>, context: &mut Context<'_>) {
        self.browser.listed(ticket, outcome, context);
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if self.picking == Some(ticket) {
            self.picking = None;
            match (outcome.as_deref(), &mut self.picker) {
                (Ok(Reply::Patients { patients }), Some(picker)) => picker.fill(patients.clone()),
                (Err(failure), _) => {
                    self.picker = None;
                    context.say_failure(failure);
                }
                _ => {}
            }
            return;
        }
        if self.arrivals.answered(ticket, outcome, context) {
            // Where something waits or is waited for, that is the first choice.
            if !self.touched && self.arrivals.is_wanted() {
                self.source = Source::Arrivals;
            }
            return;
        }
        if self.busy.as_ref().is_none_or(|busy| busy.ticket != ticket) {
            return;
        }
        self.busy = None;
        match outcome.as_deref() {
            Ok(Reply::Imported(report)) => self.arrived(report),
            Ok(_) => {}
            Err(failure) => {
                context.say_failure(failure);
                self.trouble = failure.details.values().flatten().map(|line| shown(line).into_owned()).collect();
                // What was said of the patient does not hold: it must not stand in the way of the next plan.
                if failure.code == FailureCode::OtherPatient {
                    self.same_patient = None;
                }
                self.step = Step::Choose;
            }
        }
    }

    fn on_the_way(&mut self, ticket: Ticket, event: &Event, _context: &mut Context<'_>) {
        if let (Event::Progress(progress), Some(busy)) = (event, &mut self.busy)
            && busy.ticket == ticket
        {
            busy.progress = Some(progress.clone());
        }
    }

    fn tick(&mut self, context: &mut Context<'_>) {
        if matches!(self.step, Step::Choose) {
            self.arrivals.tick(context);
        }
        if self.changed_ms.is_some_and(|since| context.now_ms.saturating_sub(since) >= REPLAN_AFTER_MS) {
            self.find(context);
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        draw::import(self, frame, area, look);
    }
}
