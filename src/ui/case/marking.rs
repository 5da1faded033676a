//! Marks become entries: ink, key images, opinions that rest on them, and their deletion.

use super::{CaseScreen, text_question};
use crate::node::api::{FailureCode, Request};
use crate::ui::keys::Action;
use crate::ui::message::Ticket;
use crate::ui::opinion::OpinionForm;
use crate::ui::screen::{Context, Go, Outcome};
use crate::ui::viewer::{Draft, KEY_IMAGE};
use crate::ui::widget::popup::Question;

/// A pencil mark that becomes ink, as it was asked for.
#[derive(Debug)]
pub(super) struct Inking {
    /// None while the person is asked about its label.
    pub(super) ticket: Option<Ticket>,
    request: Request,
    draft: Draft,
    label: Option<String>,
}

impl CaseScreen {
    /// Makes the pencil mark an entry, so that every member gets it.
    pub(super) fn ink(&mut self, context: &mut Context<'_>) {
        self.viewer.end_label();
        if self.inking.as_ref().is_some_and(|inking| inking.ticket.is_some()) {
            return;
        }
        let Some(pencil) = self.viewer.to_ink() else {
            context.say("It does not have all its points, or its text, yet: Space drops a point, l labels it.");
            return;
        };
        let (key, draft, label) = (&pencil.key, pencil.as_ink(), pencil.label());
        let request = Request::MarkAdd {
            case: self.id.clone(),
            sop_instance_uid: key.sop_instance_uid.to_string(),
            frame: key.frame,
            kind: pencil.tool.word().into(),
            points: pencil.settled().iter().map(|point| (point.column, point.row)).collect(),
            label: label.clone(),
            text_checked: false,
        };
        let ticket = Some(context.write(request.clone()));
        self.inking = Some(Inking { ticket, request, draft, label });
    }

    /// Inks what the person was asked about, whatever she has drawn or written since.
    pub(super) fn ink_checked(&mut self, context: &mut Context<'_>) {
        let Some(inking) = self.inking.as_mut().filter(|inking| inking.ticket.is_none()) else { return };
        if let Request::MarkAdd { text_checked, .. } = &mut inking.request {
            *text_checked = true;
        }
        inking.ticket = Some(context.write(inking.request.clone()));
    }

    /// Takes what became of a pencil mark.
    pub(super) fn inked(&mut self, inking: Inking, outcome: &Outcome, context: &mut Context<'_>) {
        match outcome {
            Ok(_) => {
                if self.viewer.to_ink().is_some_and(|pencil| pencil.label() != inking.label) {
                    context.say("It is inked with the label it had before; what stays in pencil is another mark.");
                } else {
                    self.viewer.drop_inked(&inking.draft);
                }
                self.show(context);
                if std::mem::take(&mut self.opinion_next) {
                    self.write_opinion(context);
                }
            }
            Err(failure) if failure.code == FailureCode::TextCheck => {
                self.inking = Some(Inking { ticket: None, ..inking });
                context.confirm(text_question(failure, "Ink it as it is?"), Action::InkChecked);
            }
            Err(failure) => {
                self.opinion_next = false;
                context.say_failure(failure);
            }
        }
    }

    pub(super) fn write_opinion(&mut self, context: &mut Context<'_>) {
        if let Some(view) = &self.view {
            let displayed = self.viewer.displayed(context.shows);
            context.go(Go::Over(Box::new(OpinionForm::new(view, displayed))));
        }
    }

    /// Calls the image a key image, or takes that back.
    pub(super) fn turn_key_image(&mut self, context: &mut Context<'_>) {
        if self.changing.is_some() || self.is_settling {
            return context.say("The change before this one is still being written: press K again.");
        }
        let picture = match self.viewer.image_to_mark() {
            Ok(picture) => picture,
            Err(why) => return context.say(why),
        };
        let mine = self.viewer.my_key_image(&picture.key);
        if mine.is_some_and(|mark| self.viewer.is_hidden(mark)) {
            return context.say("You call it a key image already, and marks are hidden: m shows them.");
        }
        context.say(if mine.is_some() {
            "You call it a key image no more."
        } else {
            "A key image: all members get it."
        });
        let request = match mine {
            Some(mark) => Request::MarkRemove { mark: mark.id.clone() },
            None => Request::MarkAdd {
                case: self.id.clone(),
                sop_instance_uid: picture.key.sop_instance_uid.to_string(),
                frame: picture.key.frame,
                kind: KEY_IMAGE.into(),
                points: Vec::new(),
                label: None,
                text_checked: false,
            },
        };
        self.changing = Some(context.write(request));
    }

    /// Asks whether the chosen mark is to be deleted.
    pub(super) fn ask_to_delete(&mut self, context: &mut Context<'_>) {
        match self.viewer.chosen_mark() {
            Some(mark) if mark.mine => {
                self.deleting = Some(mark.id.clone());
                let lines = vec![mark.words.clone(), "It goes from everybody's images; the history keeps it.".into()];
                context.confirm(Question { title: "Delete your mark?".into(), lines }, Action::DeleteMarkConfirmed);
            }
            Some(mark) => context.say(&format!("This mark is {}'s; answer it with your own.", mark.author)),
            None => context.say("Choose a mark first: n goes from one to the next."),
        }
    }
}
