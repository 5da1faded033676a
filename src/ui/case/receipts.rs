//! Receipts of opinions: what a person has read, said to its author once, and only if it stood on her screen.

use std::collections::HashSet;

use super::{CaseScreen, Tab};
use crate::node::api::Request;
use crate::ui::message::Ticket;
use crate::ui::screen::{Context, Outcome};

/// Most receipts that wait for the one before.
const WAITING_MAX: usize = 64;

/// Receipts that are written.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    on_the_way: Option<(Ticket, String)>,
    /// Opened meanwhile.
    waiting: Vec<String>,
    /// Opinions whose receipt was not taken: it is not tried again while the screen is open.
    refused: HashSet<String>,
}

impl Receipts {
    /// The opinion whose receipt is answered.
    pub(super) fn taken(&mut self, ticket: Ticket) -> Option<String> {
        self.on_the_way.take_if(|(on_the_way, _)| *on_the_way == ticket).map(|(_, opinion)| opinion)
    }
}

impl CaseScreen {
    /// An opinion whose end stands on the screen has been read: that is what a receipt says, no more and no less.
    pub(super) fn read_opinions(&mut self, context: &mut Context<'_>) {
        if self.tab != Tab::Opinions || !self.has_panel(context.area) || !context.is_seen {
            return;
        }
        if self.receipts.on_the_way.is_some() {
            return;
        }
        let unread = self.unread();
        let laid = if unread.is_empty() { None } else { self.laid(context) };
        if let Some(laid) = laid
            && let Some(opinion) = unread.into_iter().find(|opinion| laid.ends_in_sight(opinion))
        {
            self.read_opinion(opinion, context);
        }
    }

    /// Opinions of others without a receipt of this person.
    pub(super) fn unread(&self) -> Vec<String> {
        let Some(view) = self.view.as_ref().filter(|view| view.role != "none") else { return Vec::new() };
        let Some(me) = view.members.iter().find(|member| member.me) else { return Vec::new() };
        let is_read = |opinion: &str| {
            let entry = opinion.trim_start_matches("o-");
            view.receipts.iter().any(|receipt| receipt.entry == entry && receipt.read_by.contains(&me.identity))
        };
        let of_others = view.opinions.iter().filter(|opinion| opinion.author_identity != me.identity);
        let unread = of_others.filter(|opinion| !is_read(&opinion.id) && !self.receipts.refused.contains(&opinion.id));
        unread.map(|opinion| opinion.id.clone()).collect()
    }

    /// Writes the receipt, after those before it.
    pub(super) fn read_opinion(&mut self, opinion: String, context: &mut Context<'_>) {
        if self.receipts.on_the_way.is_some() {
            let is_known = self.receipts.on_the_way.iter().any(|(_, known)| *known == opinion)
                || self.receipts.waiting.contains(&opinion);
            if !is_known && self.receipts.waiting.len() < WAITING_MAX {
                self.receipts.waiting.push(opinion);
            }
        } else {
            let ticket = context.write(Request::OpinionRead { opinion: opinion.clone() });
            self.receipts.on_the_way = Some((ticket, opinion));
        }
    }

    /// Takes what became of a receipt.
    pub(super) fn receipted(&mut self, opinion: String, outcome: &Outcome, context: &mut Context<'_>) {
        match outcome {
            Ok(_) => self.show(context),
            Err(failure) => {
                self.receipts.refused.insert(opinion);
                context.say_failure(failure);
            }
        }
        if let Some(next) = self.receipts.waiting.pop() {
            self.read_opinion(next, context);
        }
    }
}
