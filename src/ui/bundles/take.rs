//! Taking a bundle in: which file, what it holds, the taking in, and what it brought.
//!
//! ```text
//! choose -> look -> held -> take in -> taken
//!    ^        |      ^         |
//!    `-- what cannot be read   `-- what failed
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::pack::PackBundle;
use super::{Busy, take_draw, trouble};
use crate::node::api::{BundleView, CaseSummary, Event, Reply, Request};
use crate::ui::browse::{Browser, Wanted};
use crate::ui::case::CaseScreen;
use crate::ui::files::Listing;
use crate::ui::keys::{Action, Place};
use crate::ui::look::Look;
use crate::ui::message::{Ticket, Wish};
use crate::ui::screen::{Context, Dots, Go, Outcome, Screen};
use crate::ui::widget::list::Chosen;

/// What is on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Choose,
    /// It is read and checked whole; nothing is taken in.
    Look,
    Held,
    TakeIn,
    Taken,
}

/// What a bundle brought.
#[derive(Debug, Clone, Default)]
pub(super) struct Brought {
    /// Ids and spoken names.
    pub cases: Vec<(String, String)>,
    pub entries_new: u64,
    pub chunks_new: u64,
    pub problems: Vec<String>,
}

/// A bundle that is being taken in.
#[derive(Debug)]
pub struct TakeBundle {
    pub(super) step: Step,
    pub(super) browser: Browser,
    pub(super) path: PathBuf,
    pub(super) busy: Option<Busy>,
    pub(super) held: BundleView,
    pub(super) brought: Brought,
    /// Why the file could not be read or taken in.
    pub(super) trouble: Option<String>,
    /// The cases that were here before.
    pub(super) before: Option<BTreeSet<String>>,
    /// The cases as they are now.
    pub(super) cases: Vec<CaseSummary>,
    /// The first line that is seen, or the case that is chosen.
    pub(super) chosen: Chosen,
    listing: Option<Ticket>,
}

impl Default for TakeBundle {
    fn default() -> Self {
        Self {
            step: Step::Choose,
            browser: Browser::new(Wanted::Bundle),
            path: PathBuf::new(),
            busy: None,
            held: BundleView::default(),
            brought: Brought::default(),
            trouble: None,
            before: None,
            cases: Vec::new(),
            chosen: Chosen::default(),
            listing: None,
        }
    }
}

impl TakeBundle {
    fn look_into(&mut self, path: &Path, context: &mut Context<'_>) {
        self.trouble = None;
        path.clone_into(&mut self.path);
        self.busy = Some(Busy { ticket: context.ask(Request::BundleShow { path: self.path.clone() }), progress: None });
        self.before = None;
        self.listing = Some(context.ask(Request::CaseList));
        self.step = Step::Look;
    }

    fn choosing(&mut self, action: Action, context: &mut Context<'_>) {
        if self.browser.act(action, usize::from(take_draw::list_area(context.area).height), context) {
            return;
        }
        match action {
            Action::Back => context.go(Go::Back),
            Action::Open => match self.browser.chosen_file() {
                Some(path) => self.look_into(&path, context),
                None => context.say("Choose a file: a bundle usually ends in .bundle."),
            },
            Action::PackBundle => {
                context.go(Go::Back);
                context.go(Go::Over(Box::new(PackBundle::default())));
            }
            _ => {}
        }
    }

    fn take_in(&mut self, context: &mut Context<'_>) {
        if let Some(why) = take_draw::refusal(&self.held) {
            return context.say(&why);
        }
        self.trouble = None;
        // An answer that comes from now on does not tell what was here before.
        self.listing = None;
        self.busy =
            Some(Busy { ticket: context.ask(Request::BundleUnpack { path: self.path.clone() }), progress: None });
        self.step = Step::TakeIn;
    }

    fn cancel(&mut self, context: &mut Context<'_>) {
        if let Some(busy) = self.busy.take() {
            context.wish(Wish::Cancel { ticket: busy.ticket });
        }
    }

    /// Whether a case was not here before.
    pub(super) fn is_new(&self, case: &str) -> bool {
        self.before.as_ref().is_some_and(|before| !before.contains(case))
    }

    fn taken(&mut self, action: Action, context: &mut Context<'_>) {
        let page = usize::from(take_draw::cases_area(context.area, self.brought.cases.len()).height);
        if self.chosen.act(action, self.brought.cases.len(), page) {
            return;
        }
        match action {
            Action::Back => context.go(Go::Back),
            Action::Open => match self.brought.cases.get(self.chosen.at) {
                Some((id, spoken)) => {
                    let case = Box::new(CaseScreen::new(id, spoken));
                    context.go(Go::Back);
                    context.go(Go::Over(case));
                }
                None => context.go(Go::Back),
            },
            Action::TakeBundle => {
                context.go(Go::Back);
                context.go(Go::Over(Box::new(Self::default())));
            }
            _ => {}
        }
    }

    fn finished(&mut self, outcome: &Outcome, context: &mut Context<'_>) {
        match (outcome.as_deref(), self.step) {
            (Ok(Reply::Bundle(held)), Step::Look) => {
                self.held = held.clone();
                self.chosen = Chosen::default();
                self.step = Step::Held;
            }
            (Ok(Reply::Unpacked { cases, spoken, entries_new, chunks_new, problems }), Step::TakeIn) => {
                self.brought = Brought {
                    cases: cases.iter().cloned().zip(spoken.iter().cloned()).collect(),
                    entries_new: *entries_new,
                    chunks_new: *chunks_new,
                    problems: problems.clone(),
                };
                // The new ones first: they are what is opened next.
                let before = self.before.take();
                let is_old = |id: &String| before.as_ref().is_some_and(|before| before.contains(id));
                self.brought.cases.sort_by_key(|(id, _)| is_old(id));
                self.before = before;
                self.chosen = Chosen::default();
                self.step = Step::Taken;
                self.listing = Some(context.ask(Request::CaseList));
            }
            (Ok(_), _) => self.step = Step::Choose,
            (Err(failure), step) => {
                self.trouble = Some(trouble(failure));
                self.step = if step == Step::TakeIn { Step::Held } else { Step::Choose };
            }
        }
    }
}

impl Screen for TakeBundle {
    fn place(&self) -> Place {
        match self.step {
            Step::Choose if self.browser.is_typing() => Place::TypedPath,
            Step::Choose => Place::BundleTake,
            Step::Look | Step::TakeIn => Place::Busy,
            Step::Held => Place::BundleHeld,
            Step::Taken => Place::BundleTaken,
        }
    }

    fn title(&self) -> String {
        match self.step {
            Step::Choose => "take in a bundle: choose the file",
            Step::Look => "take in a bundle: looking into it",
            Step::Held => "take in a bundle: what it holds; nothing is taken in yet",
            Step::TakeIn => "take in a bundle: under way",
            Step::Taken => "take in a bundle: what it brought",
        }
        .into()
    }

    fn typing(&self) -> bool {
        self.step == Step::Choose && self.browser.is_typing()
    }

    fn is_working(&self) -> bool {
        self.busy.is_some()
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        self.browser.start(context);
    }

    fn dropped(&mut self, context: &mut Context<'_>) {
        self.cancel(context);
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        match self.step {
            Step::Choose => self.choosing(action, context),
            Step::Look if action == Action::Stop => {
                self.cancel(context);
                self.step = Step::Choose;
            }
            Step::TakeIn if action == Action::Stop => {
                self.cancel(context);
                self.step = Step::Held;
                context
                    .say("Stopped. What was taken in is kept; take it in again for the rest, nothing is done twice.");
            }
            Step::Look | Step::TakeIn => {}
            Step::Held => match action {
                Action::Back => {
                    self.trouble = None;
                    self.step = Step::Choose;
                }
                Action::TakeIn => self.take_in(context),
                action => {
                    let lines = take_draw::held_lines(self, context.area.width, Look { colour: false }).len();
                    let height = usize::from(context.area.height);
                    self.chosen.act(action, (lines + 1).saturating_sub(height), height);
                }
            },
            Step::Taken => self.taken(action, context),
        }
    }

    fn key(&mut self, key: KeyEvent, _context: &mut Context<'_>) {
        if self.typing() {
            self.browser.key(key);
        }
    }

    fn paste(&mut self, text: &str, _context: &mut Context<'_>) {
        if self.step == Step::Choose {
            self.browser.paste(text);
        }
    }

    fn pointer(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        let at = Position::new(pointer.column, pointer.row);
        match pointer.kind {
            MouseEventKind::ScrollDown => self.act(Action::Down, context),
            MouseEventKind::ScrollUp => self.act(Action::Up, context),
            MouseEventKind::Down(MouseButton::Left) => match self.step {
                Step::Choose if !self.typing() => {
                    let is_again = self.browser.clicked(at, take_draw::list_area(context.area));
                    if is_again {
                        self.act(Action::Open, context);
                    }
                }
                Step::Held if take_draw::take_line(context.area).contains(at) => self.act(Action::TakeIn, context),
                Step::Taken => {
                    let list = take_draw::cases_area(context.area, self.brought.cases.len());
                    match self.chosen.line_at(list, at) {
                        Some(row) if row == self.chosen.at => self.act(Action::Open, context),
                        Some(row) if row < self.brought.cases.len() => self.chosen.at = row,
                        _ => {}
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn listed(&mut self, ticket: Ticket, outcome: &Result<Listing, String>, context: &mut Context<'_>) {
        self.browser.listed(ticket, outcome, context);
        if let Some(path) = self.browser.take_named() {
            self.look_into(&path, context);
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        if self.listing.take_if(|listing| *listing == ticket).is_some() {
            if let Ok(Reply::Cases { cases }) = outcome.as_deref() {
                if self.step != Step::Taken {
                    let here = cases.iter().filter(|case| case.standing != "offered");
                    self.before = Some(here.map(|case| case.id.clone()).collect());
                }
                self.cases.clone_from(cases);
            }
        } else if self.busy.take_if(|busy| busy.ticket == ticket).is_some() {
            self.finished(outcome, context);
        }
    }

    fn on_the_way(&mut self, ticket: Ticket, event: &Event, _context: &mut Context<'_>) {
        if let (Event::Progress(progress), Some(busy)) = (event, &mut self.busy)
            && busy.ticket == ticket
        {
            busy.progress = Some(progress.clone());
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        take_draw::take(self, frame, area, look);
    }
}
