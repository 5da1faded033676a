//! The images of a case: which there are, and which are asked for first.

use super::CaseScreen;
use crate::node::api::{Reply, Request};
use crate::ui::message::Ticket;
use crate::ui::screen::{Context, Outcome};
use crate::ui::viewer::Stack;

impl CaseScreen {
    /// Asks for the images of studies of which more has arrived.
    pub(super) fn look_into_studies(&mut self, context: &mut Context<'_>) {
        let Some(view) = &self.view else { return };
        for study in view.studies.iter().filter(|study| !study.withdrawn) {
            let seen = self.seen.insert(study.id.clone(), study.chunks_have);
            if seen != Some(study.chunks_have) {
                let ticket = context.ask(Request::StudyShow { study: study.id.clone(), identity: false });
                self.looking.insert(ticket, study.id.clone());
            }
        }
        self.fill_viewer(context);
    }

    /// Takes what is known of a study now; what did not come is asked for again.
    pub(super) fn looked_into(&mut self, study: String, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        match outcome.as_deref() {
            Ok(Reply::Study(detail)) => {
                // Requests run side by side: an answer that was overtaken knows less.
                self.looking.retain(|other, of| *of != study || *other > ticket);
                self.details.insert(study, detail.clone());
                self.fill_viewer(context);
            }
            _ => drop(self.seen.remove(&study)),
        }
    }

    /// Has what is on the screen and not here asked for before all else, whenever that is something else.
    pub(super) fn hurry(&mut self, context: &mut Context<'_>) {
        let images = self.viewer.not_here();
        if images != self.hurried {
            if !images.is_empty() {
                context.ask(Request::OnScreen { case: self.id.clone(), images: images.clone() });
            }
            self.hurried = images;
        }
    }

    /// Gives the viewer the series that are known; those of a withdrawn study go.
    pub(super) fn fill_viewer(&mut self, context: &mut Context<'_>) {
        let Some(view) = &self.view else { return };
        let current = view.studies.iter().filter(|study| !study.withdrawn);
        let known = current.filter_map(|study| Some((study, self.details.get(&study.id)?)));
        let stacks = known.flat_map(|(study, detail)| Stack::of(study, detail)).collect();
        self.viewer.set_stacks(stacks, context);
    }
}
