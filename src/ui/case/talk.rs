//! What is said in a case: messages with what their writer sees, answers to marks, and the way back to both.

use super::{CaseScreen, Tab, panel, text_question};
use crate::encoding::text::shown;
use crate::node::api::{AttachedView, CaseView, FailureCode, MessageView, Request};
use crate::ui::keys::Action;
use crate::ui::message::Ticket;
use crate::ui::screen::{Context, Outcome};

/// A mark that is answered.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    pub(super) id: String,
    /// Whose it is and what it measures.
    pub(super) words: String,
}

/// A message on its way.
#[derive(Debug)]
pub(super) struct Sending {
    /// None while the person is asked about its words.
    pub(super) ticket: Option<Ticket>,
    text: String,
    view: Option<AttachedView>,
    reply_to: Option<String>,
}

impl CaseScreen {
    /// Sends what was typed; what is on its way is not sent a second time.
    pub(super) fn send_message(&mut self, context: &mut Context<'_>) {
        if self.sending.as_ref().is_none_or(|sending| sending.ticket.is_none()) {
            self.sending = None;
            self.send(false, context);
        }
    }

    pub(super) fn send(&mut self, text_checked: bool, context: &mut Context<'_>) {
        let (text, view, reply_to) = match &self.sending {
            Some(sending) => (sending.text.clone(), sending.view.clone(), sending.reply_to.clone()),
            None => {
                let view = if self.with_view { self.viewer.attached(context) } else { None };
                let reply_to = self.about.as_ref().map(|about| about.id.clone());
                (self.message.text().trim().to_owned(), view, reply_to)
            }
        };
        if text.is_empty() {
            return;
        }
        let request = Request::Say {
            case: self.id.clone(),
            text: text.clone(),
            view: view.clone(),
            reply_to: reply_to.clone(),
            text_checked,
        };
        self.sending = Some(Sending { ticket: Some(context.write(request)), text, view, reply_to });
    }

    /// Writes an answer to the mark that was jumped to.
    pub(super) fn answer_mark(&mut self, context: &mut Context<'_>) {
        let marks = self.view.iter().flat_map(|view| &view.marks);
        let chosen = self.viewer.chosen_mark().map(|mark| mark.id.clone());
        let Some(mark) = chosen.and_then(|id| marks.into_iter().find(|mark| mark.id == id)) else {
            context.say("Choose a mark first: n goes from one to the next.");
            return;
        };
        let about = Answered { id: mark.id.clone(), words: panel::whose_mark(mark) };
        self.turn_to(Tab::Discussion, context);
        (self.writing, self.with_view, self.about) = (true, false, Some(about));
    }

    /// Shows what the writers of messages saw or answered, the newest first, and after the oldest what was looked at
    /// before.
    pub(super) fn show_view(&mut self, context: &mut Context<'_>) {
        let next = self.seen_view.map_or(0, |seen| seen + 1);
        if self.show_view_at(next, context).is_some() {
            return;
        }
        if self.seen_view.take().is_some() {
            self.viewer.go_back(context);
            context.say("What you looked at before.");
        } else {
            context.say("No message has a view with it or answers a mark: S says something with what you see.");
        }
    }

    /// Shows what the writer of a message saw or answered; whether any of it is here.
    pub(super) fn show_message(&mut self, id: &str, context: &mut Context<'_>) -> bool {
        let at = self.view.as_deref().and_then(|view| views(view).position(|message| message.id == id));
        at.and_then(|at| self.show_view_at(at, context)).unwrap_or(false)
    }

    /// Shows what belongs to a message, counted from the newest that has something to show; none if there is none,
    /// else whether any of it is here.
    fn show_view_at(&mut self, at: usize, context: &mut Context<'_>) -> Option<bool> {
        let message = views(self.view.as_deref()?).nth(at)?;
        let author = shown(&message.author);
        let is_here = match &message.view {
            None => {
                let about = message.about.as_ref();
                let is_here = about.is_some_and(|about| self.viewer.show_mark(&about.id, context));
                let missing = if is_here { "" } else { " Its image is not here." };
                context.say(&format!("What {author} answers.{missing} V goes on."));
                is_here
            }
            Some(view) => {
                let missing = self.viewer.restore(view, context);
                let words =
                    if missing == 0 { String::new() } else { format!(" {missing} of its images are not here.") };
                context.say(&format!("What {author} saw.{words} V goes on."));
                missing < view.viewports.iter().flatten().count()
            }
        };
        if self.tab == Tab::Discussion {
            self.chosen = Some(message.id.clone());
        }
        self.seen_view = Some(at);
        Some(is_here)
    }

    /// Takes what became of a message.
    pub(super) fn sent(&mut self, outcome: &Outcome, context: &mut Context<'_>) {
        if let Some(sending) = &mut self.sending {
            sending.ticket = None;
        }
        match outcome {
            Ok(_) => {
                let sent = self.sending.take().map(|sending| sending.text).unwrap_or_default();
                let typed = self.message.text().trim().to_owned();
                if typed == sent {
                    self.message.clear();
                    self.writing = false;
                } else if let Some(rest) = typed.strip_prefix(&sent) {
                    // What was typed since is not sent yet.
                    self.message.set(rest.trim_start());
                }
                self.show(context);
            }
            Err(failure) if failure.code == FailureCode::TextCheck => {
                context.confirm(text_question(failure, "Send it as it is?"), Action::SendChecked);
            }
            Err(failure) => {
                self.sending = None;
                context.say_failure(failure);
            }
        }
    }
}

/// Whether a message has what its writer saw with it, or answers a mark.
pub(super) fn leads_somewhere(message: &MessageView) -> bool {
    message.view.is_some() || message.about.as_ref().is_some_and(|about| about.image.is_some())
}

/// Those that lead somewhere, the newest first.
fn views(case: &CaseView) -> impl Iterator<Item = &MessageView> {
    case.messages.iter().rev().filter(|message| leads_somewhere(message))
}
