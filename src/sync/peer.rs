//! What the machine keeps for one connected peer, and what goes onto its control lane next.
//!
//! Live messages go before everything (the newest of a slot replaces the one that waits), then the protocol's own
//! messages, then entries, where cases take turns. Both the frames handed to the line and the messages that wait for
//! it are bounded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use minicbor::bytes::ByteVec;

use super::event::{Effect, Instant, Lane, TimerKey};
use super::exchange::Exchange;
use super::frontier::Digest;
use super::log::{CaseLog, Logs};
use super::message::{CaseDigest, DIGESTS_MAX, List, Live, Message};
use super::serve::Serve;
use crate::case::live::LIVE_EVERY;
use crate::encoding::id::{CaseId, EntryId};
use crate::identity::keys::DeviceKey;

/// Most control frames handed to the line and not yet taken by it.
pub const CONTROL_FRAMES_MAX: usize = 16;

/// Most control messages that wait for the line.
pub const CONTROL_QUEUE_MAX: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Peer {
    pub(super) said_hello: bool,
    /// It broke a rule that ends the connection, or speaks another version.
    pub(super) is_deaf: bool,
    pub(super) control: Control,
    pub(super) cases: BTreeMap<CaseId, Exchange>,
    /// Digests of cases it offered.
    pub(super) offers: BTreeMap<CaseId, Digest>,
    /// Cases shared earlier on this connection: what is still under way is no breach.
    pub(super) former: BTreeSet<CaseId>,
    pub(super) live: BTreeMap<(CaseId, u8), LiveSlot>,
    pub(super) live_timer: bool,
    /// The case whose entries went last; the next case gets its turn.
    pub(super) entries_turn: Option<CaseId>,
    pub(super) has_entries: BTreeSet<CaseId>,
    pub(super) serve: Serve,
    pub(super) card_messages: u32,
}

#[derive(Debug, Default)]
pub(super) struct LiveSlot {
    pub(super) waiting: Option<Vec<u8>>,
    pub(super) last: Option<Instant>,
}

/// Control messages that wait for a peer's line.
#[derive(Debug, Default)]
pub(super) struct Control {
    pub(super) queue: VecDeque<Message>,
    pub(super) in_flight: usize,
    pub(super) overflowed: bool,
}

impl Peer {
    pub(super) fn go_deaf(&mut self) {
        *self = Self { is_deaf: true, said_hello: true, ..Self::default() };
    }

    pub(super) fn note_entries(&mut self, case: CaseId) {
        if self.cases.get(&case).is_some_and(Exchange::has_entries) {
            self.has_entries.insert(case);
        }
    }

    pub(super) fn pump_control(
        &mut self,
        peer: DeviceKey,
        now: Instant,
        logs: &impl Logs,
        empty: &CaseLog,
        out: &mut Vec<Effect>,
    ) {
        while self.control.has_room() {
            // Hello goes first, whatever else there is.
            let message = if self.said_hello { self.next_live(peer, now, out) } else { None };
            let Some(message) = message.or_else(|| self.control.queue.pop_front()) else { break };
            self.control.in_flight += 1;
            out.push(Effect::Send { peer, lane: Lane::Control, message });
        }
        while self.control.has_room() {
            let Some((case, ids)) = self.next_entries(logs, empty) else { break };
            self.control.in_flight += 1;
            out.push(Effect::SendEntries { peer, case, ids });
        }
    }

    fn next_live(&mut self, peer: DeviceKey, now: Instant, out: &mut Vec<Effect>) -> Option<Message> {
        let mut soonest = None;
        for ((case, slot), state) in self.live.iter_mut().filter(|(_, state)| state.waiting.is_some()) {
            let due = state.last.map_or(now, |last| last + LIVE_EVERY);
            if due <= now {
                state.last = Some(now);
                let bytes = ByteVec::from(state.waiting.take()?);
                return Some(Message::Live(Live { case: *case, slot: *slot, bytes }));
            }
            soonest = Some(soonest.map_or(due, |soonest: Instant| soonest.min(due)));
        }
        if let (Some(at), false) = (soonest, self.live_timer) {
            self.live_timer = true;
            out.push(Effect::SetTimer { timer: TimerKey::Live { peer }, at });
        }
        None
    }

    /// The next batch of entries; cases take turns.
    fn next_entries(&mut self, logs: &impl Logs, empty: &CaseLog) -> Option<(CaseId, Vec<EntryId>)> {
        while !self.has_entries.is_empty() {
            let after = self.entries_turn.and_then(|last| self.has_entries.iter().find(|case| **case > last));
            let case = *after.or_else(|| self.has_entries.first())?;
            self.entries_turn = Some(case);
            let Some(exchange) = self.cases.get_mut(&case) else {
                self.has_entries.remove(&case);
                continue;
            };
            let ids = exchange.next_batch(logs.log(&case).unwrap_or(empty));
            if !exchange.has_entries() {
                self.has_entries.remove(&case);
            }
            if !ids.is_empty() {
                return Some((case, ids));
            }
        }
        None
    }
}

impl Control {
    pub(super) fn push(&mut self, message: Message) {
        if self.queue.len() < CONTROL_QUEUE_MAX {
            self.queue.push_back(message);
        } else {
            self.overflowed = true;
        }
    }

    #[cfg(test)]
    pub(super) fn take(&mut self) -> Vec<Message> {
        self.queue.drain(..).collect()
    }

    fn has_room(&self) -> bool {
        self.in_flight < CONTROL_FRAMES_MAX
    }

    /// Adds a digest to the message that waits last, if that holds digests too.
    pub(super) fn digest(&mut self, digest: CaseDigest) {
        match self.queue.back_mut() {
            Some(Message::Digests(list)) if list.0.len() < DIGESTS_MAX => list.0.push(digest),
            _ => self.push(Message::Digests(List(vec![digest]))),
        }
    }
}
