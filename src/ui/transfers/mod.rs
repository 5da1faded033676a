//! Everything under way and waiting, by case and colleague: what comes, what goes, and what the next step waits for.
//!
//! The node knows and puts in order; here it is read again while something moves, shown, and acted upon.

mod draw;

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::case::CaseScreen;
use super::keys::{Action, Place};
use super::look::Look;
use super::message::Ticket;
use super::screen::{Context, Dots, Go, Outcome, Screen};
use super::widget::list::Chosen;
use crate::node::api::{FailureCode, Reply, Request, TransferView};

/// How often the list is read again while something moves, in milliseconds.
const MOVING_MS: u64 = 1_000;

/// And while everything waits: the time to the next attempt passes.
const WAITING_MS: u64 = 3_000;

/// How long trying may take, in seconds.
const TRY_SECONDS: u64 = 8;

/// What travels and what waits.
#[derive(Debug, Default)]
pub struct Transfers {
    /// `None` until the node has answered.
    lines: Option<Vec<TransferView>>,
    chosen: Chosen,
    /// The case it was opened for: the cursor begins there.
    case: Option<String>,
    /// The case it lies over: that one is opened by going back.
    over: Option<String>,
    reading: Option<Ticket>,
    /// The list is not what the node has any more.
    stale: bool,
    read_ms: u64,
    trying: Option<Ticket>,
    fetching: Option<Ticket>,
}

impl Transfers {
    /// With the cursor at a case.
    pub fn of(case: &str) -> Self {
        Self { case: Some(case.to_owned()), ..Self::default() }
    }

    /// Over the screen of a case.
    pub fn over(case: &str) -> Self {
        Self { over: Some(case.to_owned()), ..Self::of(case) }
    }

    fn seen(&self) -> &[TransferView] {
        self.lines.as_deref().unwrap_or_default()
    }

    fn chosen_line(&self) -> Option<&TransferView> {
        self.seen().get(self.chosen.at)
    }

    fn is_moving(&self) -> bool {
        self.seen().iter().any(|line| matches!(line.state.as_str(), "arriving" | "giving" | "on the way" | "stalled"))
    }

    fn read(&mut self, context: &mut Context<'_>) {
        if self.reading.is_some() {
            self.stale = true;
            return;
        }
        self.stale = false;
        self.read_ms = context.now_ms;
        self.reading = Some(context.ask(Request::Transfers));
    }

    /// Takes the list over; the cursor stays at its line, or goes to the case it was opened for.
    fn take(&mut self, lines: Vec<TransferView>) {
        let key = |line: &TransferView| (line.case.clone(), line.direction.clone(), line.identity.clone());
        let at = match (self.chosen_line().map(key), &self.case) {
            (Some(chosen), None) => lines.iter().position(|line| key(line) == chosen),
            (_, Some(case)) => lines.iter().position(|line| line.case == *case),
            (None, None) => None,
        };
        self.case = None;
        self.chosen.at = at.unwrap_or(self.chosen.at);
        self.chosen.keep_within(lines.len());
        self.lines = Some(lines);
    }

    fn fetch(&mut self, key_images: bool, context: &mut Context<'_>) {
        let Some(case) = self.chosen_line().map(|line| line.case.clone()) else { return };
        let request = Request::Fetch { case, series: Vec::new(), key_images };
        self.fetching = Some(context.ask_with(request, None, Some(0)));
    }

    fn open(&self, context: &mut Context<'_>) {
        if let Some(line) = self.chosen_line() {
            if self.over.as_ref() == Some(&line.case) {
                return context.go(Go::Back);
            }
            context.go(Go::Over(Box::new(CaseScreen::new(&line.case, &line.spoken))));
        }
    }
}

impl Screen for Transfers {
    fn place(&self) -> Place {
        Place::Transfers
    }

    fn title(&self) -> String {
        let Some(lines) = &self.lines else { return "transfers".into() };
        let not_sent = lines.iter().filter(|line| line.state == "not sent").count();
        let moving = lines.iter().filter(|line| matches!(line.state.as_str(), "arriving" | "giving")).count();
        match (not_sent, moving) {
            (0, moving) => format!("transfers: {moving} under way"),
            (not_sent, moving) => format!("transfers: {not_sent} not sent, {moving} under way"),
        }
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        self.read(context);
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        if self.chosen.act(action, self.seen().len(), draw::room(draw::list_area(context.area))) {
            return;
        }
        match action {
            Action::Back => context.go(Go::Back),
            Action::Open => self.open(context),
            Action::Refresh => self.read(context),
            Action::TryNow if self.trying.is_some() => {}
            Action::TryNow => self.trying = Some(context.ask_with(Request::Sync, None, Some(TRY_SECONDS))),
            Action::Fetch => self.fetch(false, context),
            Action::FetchKeyImages => self.fetch(true, context),
            _ => {}
        }
    }

    fn pointer(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        let list = draw::list_area(context.area);
        match pointer.kind {
            MouseEventKind::ScrollDown => self.act(Action::Down, context),
            MouseEventKind::ScrollUp => self.act(Action::Up, context),
            MouseEventKind::Down(MouseButton::Left) if list.contains(Position::new(pointer.column, pointer.row)) => {
                let row = usize::from((pointer.row - list.y) / draw::LINE_ROWS);
                match row + self.chosen.first_seen(draw::room(list)) {
                    at if at >= self.seen().len() => {}
                    at if at == self.chosen.at => self.open(context),
                    at => self.chosen.at = at,
                }
            }
            _ => {}
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) {
        let ticket = Some(ticket);
        if self.reading == ticket {
            self.reading = None;
            match outcome.as_deref() {
                Ok(Reply::Transfers { transfers }) => self.take(transfers.clone()),
                Ok(_) => {}
                Err(failure) => context.say_failure(failure),
            }
            if self.stale {
                self.read(context);
            }
        } else if self.trying == ticket {
            self.trying = None;
            match outcome.as_deref() {
                Ok(Reply::Synced { peers, delivery }) => {
                    let connected = peers.iter().any(|peer| peer.connected);
                    let all = delivery.iter().all(|to| !matches!(to.state.as_str(), "not sent" | "on the way"));
                    match (connected, all) {
                        (false, _) => context.say("Nobody could be reached now; it goes on trying by itself."),
                        (true, false) => context.say("Tried: some of it waits still."),
                        (true, true) => context.say_good("Everything that was written has arrived."),
                    }
                }
                Ok(_) => {}
                Err(failure) => context.say_failure(failure),
            }
            self.read(context);
        } else if self.fetching == ticket {
            self.fetching = None;
            match outcome {
                Ok(_) => context.say_good("All that was asked for is here."),
                // It was asked not to wait.
                Err(failure) if failure.code == FailureCode::NotReached => {
                    context.say("Asked for: it comes as soon as somebody who holds it is connected.");
                }
                Err(failure) => context.say_failure(failure),
            }
            self.read(context);
        }
    }

    fn happened(&mut self, what: &str, case: Option<&str>, context: &mut Context<'_>) {
        if case.is_some() || matches!(what, "connected" | "disconnected") {
            self.read(context);
        }
    }

    fn tick(&mut self, context: &mut Context<'_>) {
        let every_ms = if self.is_moving() { MOVING_MS } else { WAITING_MS };
        if context.is_top && context.now_ms.saturating_sub(self.read_ms) >= every_ms {
            self.read(context);
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        draw::transfers(self, frame, area, look);
    }
}

#[cfg(test)]
mod tests;
