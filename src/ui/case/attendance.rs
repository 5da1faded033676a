//! That the case is open here, and what colleagues who have it open too show of what they do.
//!
//! One request lasts as long as the case stands on the screen; what the others do comes as its events, each time all of
//! it. What the own pencil draws is told as it changes, one at a time: what changed meanwhile goes with the next.

use super::super::message::{Ticket, Wish};
use super::super::screen::Context;
use crate::node::api::{Event, HereView, LiveView, PencilDraft, PencilView, Request};

/// Being in a case.
#[derive(Debug, Default)]
pub struct Attendance {
    attending: Option<Ticket>,
    live: Option<LiveView>,
    /// What was told last of the own pencil, and whether it was heard.
    told: Option<PencilDraft>,
    telling: Option<Ticket>,
}

impl Attendance {
    /// Tells the others that the case is open here.
    pub fn begin(&mut self, case: &str, context: &mut Context<'_>) {
        if self.attending.is_none() {
            self.attending = Some(context.ask(Request::Attend { case: case.to_owned() }));
        }
    }

    pub fn end(&mut self, context: &mut Context<'_>) {
        if let Some(ticket) = self.attending.take() {
            context.wish(Wish::Cancel { ticket });
        }
    }

    /// Takes what the others do; `false` if it is about something else.
    pub fn heard(&mut self, ticket: Ticket, event: &Event) -> bool {
        match event {
            Event::Live(live) if self.attending == Some(ticket) => {
                self.live = Some(live.clone());
                true
            }
            _ => false,
        }
    }

    /// Takes an answer; `false` if it is about something else. Whoever is not heard any more is not shown either.
    pub fn answered(&mut self, ticket: Ticket) -> bool {
        if self.attending.take_if(|attending| *attending == ticket).is_some() {
            (self.live, self.told) = (None, None);
            return true;
        }
        self.telling.take_if(|telling| *telling == ticket).is_some()
    }

    /// Tells what the own pencil draws, if that is something else than before.
    pub fn tell(&mut self, case: &str, pencil: Option<PencilDraft>, context: &mut Context<'_>) {
        if self.attending.is_none() || self.telling.is_some() || self.told == pencil {
            return;
        }
        self.told.clone_from(&pencil);
        self.telling = Some(context.ask(Request::Pencil { case: case.to_owned(), pencil }));
    }

    /// Who else has the case open.
    pub fn here(&self) -> &[HereView] {
        self.live.as_ref().map_or(&[], |live| live.here.as_slice())
    }

    /// What the others draw.
    pub fn pencils(&self) -> &[PencilView] {
        self.live.as_ref().map_or(&[], |live| live.pencils.as_slice())
    }
}
