//! What a PACS or a modality has sent and nobody has taken in: choose of it, or throw it away.
//!
//! The list holds real patients, as the node's inbox does. It is read again when the node tells of a study, and while
//! one arrives; names come with that answer only, and what the node tells everybody has none.

mod draw;
mod listen;

use std::collections::BTreeSet;

use super::super::keys::Action;
use super::super::message::Ticket;
use super::super::patient;
use super::super::screen::{Context, Go, Outcome};
use super::super::widget::amount::count;
use super::super::widget::list::Chosen;
use super::super::widget::popup::Question;
use crate::encoding::time::Timestamp;
use crate::node::api::{InboxStudy, InboxView, Reply, Request};

use listen::ListenForm;

pub(super) use draw::{list_area, rows_of_study};

/// How often the list is read again while something arrives, in milliseconds.
const ARRIVING_MS: u64 = 1_000;

/// And without a reason: another program may have taken something in.
const IDLE_MS: u64 = 5_000;

/// Most patients that a question names.
const NAMED_MAX: usize = 8;

/// What neighbours have sent. It prints nothing of it.
#[derive(Default)]
pub(super) struct Arrivals {
    /// `None` until the node has answered.
    inbox: Option<InboxView>,
    chosen: Chosen,
    marked: BTreeSet<String>,
    reading: Option<Ticket>,
    /// The list is not what the node has any more.
    stale: bool,
    read_ms: u64,
    now: Option<Timestamp>,
    /// What the open question is about, even if the list moves.
    asked_about: Vec<String>,
    discarding: Option<Ticket>,
    stopping: Option<Ticket>,
}

impl Arrivals {
    pub(super) fn studies(&self) -> &[InboxStudy] {
        self.inbox.as_ref().map_or(&[], |inbox| &inbox.studies)
    }

    /// Whether this is where somebody who opens the import has something to do or to wait for.
    pub(super) fn is_wanted(&self) -> bool {
        self.inbox.as_ref().is_some_and(|inbox| !inbox.studies.is_empty() || inbox.listener.is_some())
    }

    fn is_arriving(&self) -> bool {
        self.studies().iter().any(|study| study.state == "arriving")
    }

    fn chosen_study(&self) -> Option<&InboxStudy> {
        self.studies().get(self.chosen.at)
    }

    /// Ids of what an import would take: what is marked, or else what the cursor is on.
    pub(super) fn wanted(&self) -> Vec<String> {
        if self.marked.is_empty() {
            return self.chosen_study().map(|study| study.id.clone()).into_iter().collect();
        }
        self.studies().iter().filter(|study| self.marked.contains(&study.id)).map(|study| study.id.clone()).collect()
    }

    /// The line that a click is on, or the chosen one again.
    pub(super) fn point_at(&mut self, row: usize, height: usize, width: u16) {
        let rows = rows_of_study(width);
        let at = row / rows + self.chosen.first_seen(height / rows);
        if at < self.studies().len() {
            self.chosen.at = at;
        }
    }

    /// Reads the list, unless it is being read.
    pub(super) fn read(&mut self, context: &mut Context<'_>) {
        self.now = Some(context.now);
        if self.reading.is_some() {
            self.stale = true;
            return;
        }
        self.stale = false;
        self.read_ms = context.now_ms;
        self.reading = Some(context.ask(Request::InboxList));
    }

    pub(super) fn tick(&mut self, context: &mut Context<'_>) {
        self.now = Some(context.now);
        let every_ms = if self.is_arriving() { ARRIVING_MS } else { IDLE_MS };
        if context.now_ms.saturating_sub(self.read_ms) >= every_ms {
            self.read(context);
        }
    }

    /// Takes an action; `false` if it is about something else.
    pub(super) fn act(&mut self, action: Action, context: &mut Context<'_>) -> bool {
        let area = list_area(context.area);
        let page = usize::from(area.height) / rows_of_study(area.width);
        if self.chosen.act(action, self.studies().len(), page) {
            return true;
        }
        match action {
            Action::Mark => {
                if let Some(id) = self.chosen_study().map(|study| study.id.clone()) {
                    if !self.marked.remove(&id) {
                        self.marked.insert(id);
                    }
                    self.chosen.act(Action::Down, self.studies().len(), page);
                }
            }
            Action::Refresh => self.read(context),
            Action::Discard => self.ask_to_discard(context),
            Action::DiscardConfirmed => {
                let studies = std::mem::take(&mut self.asked_about);
                if !studies.is_empty() {
                    self.discarding = Some(context.ask(Request::InboxDiscard { studies }));
                }
            }
            Action::Listen if self.inbox.as_ref().is_some_and(|inbox| inbox.listener.is_some()) => {
                context.say("It listens already: x ends that, then l listens in another way.");
            }
            Action::Listen => context.go(Go::Over(Box::new(ListenForm::default()))),
            Action::StopListening if self.inbox.as_ref().is_none_or(|inbox| inbox.listener.is_none()) => {
                context.say("Nobody listens.");
            }
            Action::StopListening if self.is_arriving() => {
                let lines = vec!["A study is arriving; its sender is cut off. What is here stays.".into()];
                let title = "End the listening now?".into();
                context.confirm(Question { title, lines }, Action::StopListeningConfirmed);
            }
            Action::StopListening | Action::StopListeningConfirmed => {
                self.stopping = Some(context.ask(Request::PacsStop));
            }
            _ => return false,
        }
        true
    }

    fn ask_to_discard(&mut self, context: &mut Context<'_>) {
        self.asked_about = self.wanted();
        let named: Vec<&InboxStudy> =
            self.studies().iter().filter(|study| self.asked_about.contains(&study.id)).collect();
        if named.is_empty() {
            context.say("There is nothing to discard.");
            return;
        }
        let line = |study: &&InboxStudy| {
            let images = count(study.instances, "image");
            format!("{}, {}, {images}", patient::who(&study.patient), patient::examination(&study.patient))
        };
        let mut lines: Vec<String> = named.iter().take(NAMED_MAX).map(line).collect();
        if named.len() > NAMED_MAX {
            lines.push(format!("and {} more", named.len() - NAMED_MAX));
        }
        lines.push(String::new());
        lines
            .push("Nothing here can bring them back; whoever sent them still has them and can send them again.".into());
        let title = format!("Discard {} for good?", count_studies(named.len()));
        context.confirm(Question { title, lines }, Action::DiscardConfirmed);
    }

    /// An answer; `false` if it belongs to somebody else.
    pub(super) fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) -> bool {
        let ticket = Some(ticket);
        if self.reading == ticket {
            self.reading = None;
            match outcome.as_deref() {
                Ok(Reply::Inbox(inbox)) => self.take(inbox.clone()),
                Ok(_) => {}
                Err(failure) => context.say_failure(failure),
            }
            if self.stale {
                self.read(context);
            }
        } else if self.discarding == ticket {
            self.discarding = None;
            match outcome.as_deref() {
                Ok(Reply::Discarded { studies, instances }) => {
                    let (studies, images) = (count_studies(*studies), count(*instances, "image"));
                    context.say_good(&format!("{studies} discarded, {images} in all."));
                }
                Ok(_) => {}
                Err(failure) => context.say_failure(failure),
            }
            self.read(context);
        } else if self.stopping == ticket {
            self.stopping = None;
            match outcome {
                Ok(_) => context.say_good("Nobody can send here any more. What has arrived stays."),
                Err(failure) => context.say_failure(failure),
            }
            self.read(context);
        } else {
            return false;
        }
        true
    }

    /// Takes the list over; the cursor stays at its study.
    fn take(&mut self, inbox: InboxView) {
        let chosen = self.chosen_study().map(|study| study.id.clone());
        if let Some(at) = inbox.studies.iter().position(|study| Some(&study.id) == chosen.as_ref()) {
            self.chosen.at = at;
        }
        self.chosen.keep_within(inbox.studies.len());
        self.marked.retain(|id| inbox.studies.iter().any(|study| study.id == *id));
        self.inbox = Some(inbox);
    }
}

/// `1 study`, `2 studies`.
pub(super) fn count_studies(number: usize) -> String {
    if number == 1 { "1 study".into() } else { format!("{number} studies") }
}

#[cfg(test)]
mod tests;
