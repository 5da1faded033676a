//! Verifying what is kept here: a case, or everything. The node reads, this screen shows how far it is and what it found.
//!
//! A report that finds something says what a person can do about it; one that finds nothing gives the case's state, which
//! two members compare to know that they hold the same.

mod draw;

use crossterm::event::{MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::keys::{Action, Place};
use super::look::Look;
use super::message::{Ticket, Wish};
use super::screen::{Context, Dots, Go, Outcome, Screen};
use super::widget::list::moved;
use crate::node::api::{Event, Failure, Progress, Reply, Request};

/// What is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Everything,
    Case {
        id: String,
        spoken: String,
        /// The worklist knows already that its history does not hold.
        is_damaged: bool,
    },
}

/// What the node found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Report {
    ok: bool,
    entries: u64,
    chunks: u64,
    problems: Vec<String>,
    state_hash: Option<String>,
}

/// A verification under way, then its report.
#[derive(Debug)]
pub struct Verification {
    what: What,
    asked: Option<Ticket>,
    progress: Option<Progress>,
    found: Option<Result<Report, Failure>>,
    /// The first line that is seen.
    first: usize,
}

impl Verification {
    pub fn everything() -> Self {
        Self::of(What::Everything)
    }

    pub fn of_case(id: &str, spoken: &str, is_damaged: bool) -> Self {
        Self::of(What::Case { id: id.to_owned(), spoken: spoken.to_owned(), is_damaged })
    }

    fn of(what: What) -> Self {
        Self { what, asked: None, progress: None, found: None, first: 0 }
    }

    fn begin(&mut self, context: &mut Context<'_>) {
        let what = match &self.what {
            What::Everything => "all".to_owned(),
            What::Case { id, .. } => id.clone(),
        };
        (self.progress, self.found, self.first) = (None, None, 0);
        self.asked = Some(context.ask(Request::Verify { what }));
    }

    fn stop(&mut self, context: &mut Context<'_>) {
        if let Some(ticket) = self.asked.take() {
            context.wish(Wish::Cancel { ticket });
        }
    }
}

impl Screen for Verification {
    fn place(&self) -> Place {
        if self.asked.is_some() { Place::Verifying } else { Place::Verification }
    }

    fn title(&self) -> String {
        match &self.what {
            What::Everything => "verify everything".into(),
            What::Case { spoken, .. } => format!("verify {spoken}"),
        }
    }

    fn is_working(&self) -> bool {
        self.asked.is_some()
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        if self.asked.is_none() && self.found.is_none() {
            self.begin(context);
        }
    }

    fn dropped(&mut self, context: &mut Context<'_>) {
        self.stop(context);
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        match action {
            Action::Stop if self.asked.is_some() => {
                self.stop(context);
                context.say("Verifying was stopped. Nothing was changed.");
                context.go(Go::Back);
            }
            Action::Back => context.go(Go::Back),
            Action::Refresh if self.asked.is_none() => self.begin(context),
            action => {
                let page = usize::from(context.area.height);
                let lines = draw::lines(self, context.area.width, Look { colour: false }).len();
                let first = moved(self.first, action, lines.saturating_sub(page) + 1, page);
                self.first = first.unwrap_or(self.first);
            }
        }
    }

    fn pointer(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        match pointer.kind {
            MouseEventKind::ScrollDown => self.act(Action::Down, context),
            MouseEventKind::ScrollUp => self.act(Action::Up, context),
            _ => {}
        }
    }

    fn on_the_way(&mut self, ticket: Ticket, event: &Event, _context: &mut Context<'_>) {
        if let (Event::Progress(progress), true) = (event, self.asked == Some(ticket)) {
            self.progress = Some(progress.clone());
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, _context: &mut Context<'_>) {
        if self.asked != Some(ticket) {
            return;
        }
        self.asked = None;
        self.found = match outcome.as_deref() {
            Ok(Reply::VerifyReport { ok, entries, chunks, problems, state_hash }) => Some(Ok(Report {
                ok: *ok,
                entries: *entries,
                chunks: *chunks,
                problems: problems.clone(),
                state_hash: state_hash.clone(),
            })),
            Ok(_) => None,
            Err(failure) => Some(Err(failure.clone())),
        };
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        draw::verification(self, frame, area, look);
    }
}

#[cfg(test)]
mod tests;
