//! Whom this person knows: how far each is trusted, where each is reached, and what can be done about it.
//!
//! Trust and connection stand in words. Nothing here makes anybody verified: that is [`verify`]'s and
//! [`super::pairing`]'s.

mod draw;
mod forms;
mod own;
mod verify;

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};

use super::keys::{Action, Place};
use super::look::Look;
use super::message::Ticket;
use super::pairing::Pairing;
use super::screen::{Context, Dots, Go, Outcome, Screen};
use super::widget::list::Chosen;
use super::widget::popup::Question;
use crate::encoding::text::shown;
use crate::node::api::{CardView, PeerView, Reply, Request};

use forms::CardForm;
use own::OwnCard;
use verify::Verify;

/// How often it is asked who is connected, in milliseconds.
const PEERS_MS: u64 = 5_000;

/// Narrowest screen that shows list and card side by side, in cells.
const BESIDE_WIDTH_MIN: u16 = 110;

/// Lines of a card below the list.
const CARD_ROWS: u16 = 14;

/// The colleagues.
#[derive(Debug, Default)]
pub struct Colleagues {
    /// `None` until the node has answered once.
    cards: Option<Vec<CardView>>,
    /// `None` until the node has said who is connected.
    peers: Option<Vec<PeerView>>,
    chosen: Chosen,
    /// Whom to choose once the list is read: somebody who just came in.
    wanted: Option<String>,
    /// Whom a question is about; the list may move while it is asked.
    asked_about: Option<String>,
    listing: Option<Ticket>,
    peering: Option<Ticket>,
    writing: Option<(Ticket, Change)>,
    peered_ms: u64,
}

/// What is done to a colleague's card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Block,
    Unblock,
    Remove,
}

impl Change {
    fn done(self) -> &'static str {
        match self {
            Self::Block => "is blocked",
            Self::Unblock => "is no longer blocked, and unverified: compare words anew",
            Self::Remove => "is removed",
        }
    }
}

/// A colleague's name as this person gave it, or else as the card says.
pub(super) fn called(card: &CardView) -> String {
    shown(card.alias.as_deref().unwrap_or(&card.name)).into_owned()
}

impl Colleagues {
    fn cards(&self) -> &[CardView] {
        self.cards.as_deref().unwrap_or_default()
    }

    fn chosen_card(&self) -> Option<&CardView> {
        self.cards().get(self.chosen.at)
    }

    fn list(&mut self, context: &mut Context<'_>) {
        if self.listing.is_none() {
            self.listing = Some(context.ask(Request::CardList));
        }
    }

    fn ask_peers(&mut self, context: &mut Context<'_>) {
        if self.peering.is_none() {
            self.peered_ms = context.now_ms;
            self.peering = Some(context.ask_with(Request::Sync, None, Some(0)));
        }
    }

    fn take(&mut self, cards: &[CardView]) {
        let chosen = self.wanted.take().or_else(|| self.chosen_card().map(|card| card.identity.clone()));
        let mut cards = cards.to_vec();
        // The blocked last; nobody looks for them.
        cards.sort_by_key(|card| (card.trust == "blocked", called(card).to_lowercase(), card.identity.clone()));
        if let Some(at) = cards.iter().position(|card| Some(&card.identity) == chosen.as_ref()) {
            self.chosen.at = at;
        }
        self.chosen.keep_within(cards.len());
        self.cards = Some(cards);
    }

    /// Whether a device of hers is connected; `None` while that is not known.
    fn is_connected(&self, identity: &str) -> Option<bool> {
        let peers = self.peers.as_ref()?;
        Some(peers.iter().any(|peer| peer.identity == identity && peer.connected))
    }

    fn ask_about(&mut self, title: String, lines: Vec<String>, action: Action, context: &mut Context<'_>) {
        self.asked_about = self.chosen_card().map(|card| card.identity.clone());
        context.confirm(Question { title, lines }, action);
    }

    fn block(&mut self, context: &mut Context<'_>) {
        let Some(card) = self.chosen_card() else { return };
        let (name, site) = (called(card), shown(&card.site).into_owned());
        let (title, lines) = if card.trust == "blocked" {
            let lines = vec![
                format!("{name}, {site}"),
                "She is unverified then: compare words by phone before you send her anything.".into(),
            ];
            ("End this block?", lines)
        } else {
            let lines = vec![
                format!("{name}, {site}"),
                "Her devices are refused, and no key of a new case goes to her. What she has, she keeps.".into(),
                "She is not told.".into(),
            ];
            ("Block this colleague?", lines)
        };
        self.ask_about(title.into(), lines, Action::BlockConfirmed, context);
    }

    fn remove(&mut self, context: &mut Context<'_>) {
        let Some(card) = self.chosen_card() else { return };
        let lines = vec![
            format!("{}, {}", called(card), shown(&card.site)),
            "Her card goes from this machine, and with it that you compared words. Cases you share stay.".into(),
        ];
        self.ask_about("Remove this colleague's card?".into(), lines, Action::RemoveConfirmed, context);
    }

    fn change(&mut self, remove: bool, context: &mut Context<'_>) {
        let Some(who) = self.asked_about.take() else { return };
        let Some(card) = self.cards().iter().find(|card| card.identity == who) else { return };
        let (request, change) = match (remove, card.trust == "blocked") {
            (true, _) => (Request::CardRemove { who }, Change::Remove),
            (false, true) => (Request::CardUnblock { who }, Change::Unblock),
            (false, false) => (Request::CardBlock { who }, Change::Block),
        };
        self.writing = Some((context.ask(request), change));
    }

    fn over_chosen(&self, context: &mut Context<'_>, screen: impl FnOnce(&CardView) -> Box<dyn Screen>) {
        match self.chosen_card() {
            Some(card) => context.go(Go::Over(screen(card))),
            None => context.say("There is no colleague yet: p or t pairs you with one."),
        }
    }

    /// The list, and the chosen card.
    fn parts(area: Rect) -> [Rect; 2] {
        if area.width >= BESIDE_WIDTH_MIN {
            Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(area)
        } else {
            let rows = CARD_ROWS.min(area.height * 2 / 3);
            Layout::vertical([Constraint::Min(0), Constraint::Length(rows)]).areas(area)
        }
    }

    /// The lines of the list without its title.
    fn lines(area: Rect) -> Rect {
        let [list, _] = Self::parts(area);
        Rect { y: list.y + 1.min(list.height), height: list.height.saturating_sub(1), ..list }
    }
}

impl Screen for Colleagues {
    fn place(&self) -> Place {
        Place::Colleagues
    }

    fn title(&self) -> String {
        match &self.cards {
            Some(cards) if !cards.is_empty() => format!("colleagues: {}", cards.len()),
            _ => "colleagues".into(),
        }
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        self.list(context);
        self.ask_peers(context);
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        let page = usize::from(Self::lines(context.area).height);
        if self.chosen.act(action, self.cards().len(), page) {
            return;
        }
        match action {
            Action::Back => context.go(Go::Back),
            Action::PairOpen => context.go(Go::Over(Box::new(Pairing::opening()))),
            Action::PairJoin => context.go(Go::Over(Box::new(Pairing::joining()))),
            Action::Verify => self.over_chosen(context, |card| Box::new(Verify::new(card))),
            Action::Rename => self.over_chosen(context, |card| Box::new(CardForm::rename(card))),
            Action::AddCards => context.go(Go::Over(Box::new(CardForm::add()))),
            Action::ExportCard => context.go(Go::Over(Box::new(CardForm::export()))),
            Action::OwnCard => context.go(Go::Over(Box::new(OwnCard::default()))),
            Action::Block => self.block(context),
            Action::BlockConfirmed => self.change(false, context),
            Action::Remove => self.remove(context),
            Action::RemoveConfirmed => self.change(true, context),
            Action::Refresh => self.shown(context),
            _ => {}
        }
    }

    fn pointer(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        let lines = Self::lines(context.area);
        match pointer.kind {
            MouseEventKind::ScrollDown => self.act(Action::Down, context),
            MouseEventKind::ScrollUp => self.act(Action::Up, context),
            MouseEventKind::Down(MouseButton::Left) => {
                let at = Position::new(pointer.column, pointer.row);
                let Some(row) = self.chosen.line_at(lines, at) else { return };
                if row < self.cards().len() {
                    self.chosen.at = row;
                }
            }
            _ => {}
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        // Whoever comes in through a screen above is the one to look at next.
        match outcome.as_deref() {
            Ok(Reply::Paired { colleague }) => self.wanted = Some(colleague.identity.clone()),
            Ok(Reply::CardsAdded { added, .. }) => self.wanted = added.first().map(|card| card.identity.clone()),
            _ => {}
        }
        if self.listing == Some(ticket) {
            self.listing = None;
            match outcome.as_deref() {
                Ok(Reply::Cards { cards }) => self.take(cards),
                Ok(_) => {}
                Err(failure) => context.say_failure(failure),
            }
        } else if self.peering == Some(ticket) {
            self.peering = None;
            // Without an answer it stays unknown who is connected, and says so.
            self.peers = match outcome.as_deref() {
                Ok(Reply::Synced { peers, .. }) => Some(peers.clone()),
                _ => None,
            };
        } else if let Some((_, change)) = self.writing.filter(|(writing, _)| *writing == ticket) {
            self.writing = None;
            match outcome.as_deref() {
                Ok(Reply::Card(card)) => context.say_good(&format!("{} {}.", called(card), change.done())),
                Ok(_) => context.say_good(&format!("The card {}.", change.done())),
                Err(failure) => context.say_failure(failure),
            }
            self.shown(context);
        }
    }

    fn happened(&mut self, what: &str, _case: Option<&str>, context: &mut Context<'_>) {
        if matches!(what, "connected" | "disconnected") {
            self.list(context);
            self.ask_peers(context);
        }
    }

    fn tick(&mut self, context: &mut Context<'_>) {
        if context.is_top && context.now_ms.saturating_sub(self.peered_ms) >= PEERS_MS {
            self.ask_peers(context);
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        draw::colleagues(self, frame, area, look);
    }
}

#[cfg(test)]
mod tests;
