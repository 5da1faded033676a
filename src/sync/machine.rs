//! The machine: one event and the time in, effects out.
//!
//! It keeps the table of rights (which connected peer shares which case), one exchange of entries for each line of
//! that table ([`super::exchange`]), one queue of chunks to give a peer ([`super::serve`]) and one plan of chunks to
//! take for all ([`super::fetch`]). What goes onto a peer's lanes next is said in [`super::peer`].
//!
//! **Nothing grows without bound.** At most [`CONTROL_FRAMES_MAX`](super::peer::CONTROL_FRAMES_MAX) frames of the
//! control lane are handed to the shell and not reported as sent; the protocol's messages that wait are at most
//! [`CONTROL_QUEUE_MAX`](super::peer::CONTROL_QUEUE_MAX), and a peer that makes us answer faster than it reads loses
//! the connection.
//!
//! **Rights.** Every message that names a case is looked up in the table before anything else is done with it. A
//! digest of an unknown case is the one thing a peer may say unasked: it may be an invitation, and the shell decides.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::bytes::ByteVec;

use super::event::{Breach, Delivery, Effect, Event, Flow, Instant, Lane, Refusal, Standing, Stored, TimerKey};
use super::exchange::{Exchange, Talk};
use super::fetch::{Fetch, Fetched};
use super::frontier::Frontier;
use super::log::{CaseLog, Logs};
use super::message::{CARD_BYTES_MAX, CARDS_MAX, CaseDigest, Hello, List, Live, Message};
use super::peer::Peer;
use crate::case::live::{LIVE_BYTES_MAX, LIVE_KINDS_MAX};
use crate::encoding::id::{CaseId, EntryId};
use crate::encoding::labels::FORMAT_VERSION;
use crate::identity::keys::DeviceKey;

/// Most cases offered by a peer and not shared with it that are remembered.
pub const OFFERS_MAX: usize = 64;

/// Most messages with cards taken on one connection.
pub const CARD_MESSAGES_MAX: u32 = 16;

/// Decides what is said to whom. See [`super::event`] for how to drive it.
#[derive(Debug)]
pub struct Machine {
    me: DeviceKey,
    peers: BTreeMap<DeviceKey, Peer>,
    /// Last frontiers of devices, kept beyond connections.
    known: BTreeMap<(CaseId, DeviceKey), Frontier>,
    fetch: Fetch,
    empty: CaseLog,
}

impl Machine {
    /// A machine for this device, with nobody connected.
    pub fn new(me: DeviceKey) -> Self {
        Self { me, peers: BTreeMap::new(), known: BTreeMap::new(), fetch: Fetch::default(), empty: CaseLog::default() }
    }

    /// Takes in what happened and appends what is to be done.
    pub fn handle(&mut self, event: Event, now: Instant, logs: &impl Logs, out: &mut Vec<Effect>) {
        let touched = self.take_in(event, now, logs, out);
        for (peer, message) in self.fetch.take_notes() {
            if let Some(state) = self.peers.get_mut(&peer) {
                state.control.push(message);
                self.pump(peer, now, logs, out);
            }
        }
        match touched {
            Touched::Nobody => {}
            Touched::Peer(peer) => self.pump(peer, now, logs, out),
            Touched::All => {
                for peer in self.peers.keys().copied().collect::<Vec<_>>() {
                    self.pump(peer, now, logs, out);
                }
            }
        }
        for (peer, message) in self.fetch.take_notes() {
            if let Some(state) = self.peers.get_mut(&peer) {
                state.control.push(message);
                state.pump_control(peer, now, logs, &self.empty, out);
            }
        }
    }

    /// Whether a peer may be given anything of a case at this moment: the shell's check before it sends.
    pub fn may_send(&self, peer: &DeviceKey, case: &CaseId) -> bool {
        self.peers.get(peer).is_some_and(|peer| !peer.is_deaf && peer.cases.contains_key(case))
    }

    /// Whether an entry arrived at a device, from its last known frontier and from what its own entries cite.
    pub fn delivery(&self, case: &CaseId, id: &EntryId, device: &DeviceKey, logs: &impl Logs) -> Delivery {
        let Some(log) = logs.log(case) else { return Delivery::NotSent };
        let Some(entry) = log.arrival(id) else { return Delivery::NotSent };
        let is_delivered = log.is_cited_by(device, id)
            || self.known.get(&(*case, *device)).is_some_and(|frontier| log.is_covered_by(frontier, id));
        if is_delivered {
            return Delivery::Delivered;
        }
        let exchange = self.peers.get(device).and_then(|peer| peer.cases.get(case));
        exchange.map_or(Delivery::NotSent, |exchange| exchange.delivery(log, entry))
    }

    /// Whether an entry arrived at a device.
    pub fn delivered(&self, case: &CaseId, id: &EntryId, device: &DeviceKey, logs: &impl Logs) -> bool {
        self.delivery(case, id, device, logs) == Delivery::Delivered
    }

    /// The last known frontier of a device, for packing a bundle for it.
    pub fn frontier_of(&self, case: &CaseId, device: &DeviceKey) -> Option<&Frontier> {
        let live = self.peers.get(device).and_then(|peer| peer.cases.get(case)).and_then(Exchange::theirs);
        live.or_else(|| self.known.get(&(*case, *device)))
    }

    /// Chunks of a case that are wanted and not durable yet.
    pub fn chunks_left(&self, case: &CaseId) -> usize {
        self.fetch.wanted(case)
    }

    /// What was fetched since the start.
    pub fn fetched(&self) -> Fetched {
        self.fetch.fetched()
    }

    /// What a peer was asked for and has not sent.
    pub fn taking(&self, peer: &DeviceKey, now: Instant) -> Flow {
        self.fetch.asked_of(peer, now)
    }

    /// What a peer asked for and was not given yet.
    pub fn giving(&self, peer: &DeviceKey) -> Flow {
        self.peers.get(peer).map(|state| state.serve.asked()).unwrap_or_default()
    }

    fn take_in(&mut self, event: Event, now: Instant, logs: &impl Logs, out: &mut Vec<Effect>) -> Touched {
        match event {
            Event::Connected { peer } => {
                self.disconnected(peer, out);
                let mut state = Peer::default();
                state.control.push(Message::Hello(Hello::OURS));
                self.peers.insert(peer, state);
                self.fetch.connect(peer);
                Touched::Peer(peer)
            }
            Event::Disconnected { peer } => {
                self.disconnected(peer, out);
                Touched::All
            }
            Event::Received { peer, frame } => self.received(peer, frame, now, logs, out),
            Event::Sent { peer, lane, bytes } => {
                if let Some(state) = self.peers.get_mut(&peer) {
                    match lane {
                        Lane::Control => state.control.in_flight = state.control.in_flight.saturating_sub(1),
                        Lane::Bulk => state.serve.on_sent(now, bytes),
                    }
                }
                Touched::Peer(peer)
            }
            Event::Timer(timer) => self.timer(timer, now, logs, out),
            Event::Share { peer, case, standing } => self.share(peer, case, standing, now, logs, out),
            Event::Revoke { peer, case } => self.revoke(peer, case, out),
            Event::EntriesAdded { case, ids } => {
                self.added(&case, &ids, None, now, logs, out);
                Touched::All
            }
            Event::EntriesAccepted { peer, case, stored } => {
                self.stored(peer, case, &stored, None, now, logs, out);
                Touched::All
            }
            Event::EntriesRefused { peer, case, stored, why } => {
                self.stored(peer, case, &stored, Some(why), now, logs, out);
                Touched::All
            }
            Event::FrontierRestored { peer, case, frontier } => {
                self.known.insert((case, peer), frontier);
                Touched::Nobody
            }
            Event::Want { case, class, chunks } => {
                self.fetch.want(case, class, chunks);
                Touched::All
            }
            Event::Unwant { case, chunks } => {
                self.fetch.unwant(&case, &chunks);
                Touched::All
            }
            Event::UnwantCase { case } => {
                self.fetch.unwant_case(&case);
                Touched::All
            }
            Event::ChunkDurable { chunk } => {
                for (peer, state) in &mut self.peers {
                    state.serve.on_durable(*peer, &chunk, now, out);
                }
                if self.fetch.on_stored(&chunk) { Touched::All } else { Touched::Nobody }
            }
            Event::ChunkNotStored { chunk } => {
                self.fetch.on_stored(&chunk);
                Touched::Nobody
            }
            Event::ChunkUnavailable { peer, case, chunk } => {
                if let Some(state) = self.peers.get_mut(&peer) {
                    state.serve.on_unavailable(case, chunk);
                }
                Touched::Peer(peer)
            }
            Event::Withdrawn { chunks } => {
                let chunks: BTreeSet<_> = chunks.into_iter().collect();
                self.fetch.withdraw(&chunks);
                self.peers.values_mut().for_each(|peer| peer.serve.stop_chunks(&chunks));
                Touched::All
            }
            Event::SendLive { case, slot, bytes } => self.send_live(case, slot, &bytes),
            Event::SendCards { peer, cards } => {
                if let Some(state) = self.peers.get_mut(&peer) {
                    let cards = cards.into_iter().filter(|card| card.len() <= CARD_BYTES_MAX).take(CARDS_MAX);
                    state.control.push(Message::Cards(List(cards.map(ByteVec::from).collect())));
                }
                Touched::Peer(peer)
            }
        }
    }

    fn disconnected(&mut self, peer: DeviceKey, out: &mut Vec<Effect>) {
        self.fetch.disconnect(&peer);
        let Some(state) = self.peers.remove(&peer) else { return };
        for (case, exchange) in state.cases {
            self.known.extend(keep(peer, case, exchange, out));
        }
    }

    fn share(
        &mut self,
        peer: DeviceKey,
        case: CaseId,
        standing: Standing,
        now: Instant,
        logs: &impl Logs,
        out: &mut Vec<Effect>,
    ) -> Touched {
        let Some(state) = self.peers.get_mut(&peer) else { return Touched::Nobody };
        let log = logs.log(&case).unwrap_or(&self.empty);
        let was_former = state.former.remove(&case);
        match state.cases.get_mut(&case) {
            Some(exchange) => {
                exchange.standing = standing;
                let mut talk = Talk { me: self.me, peer, case, now, log, control: &mut state.control, out };
                exchange.begin_again(&mut talk);
            }
            None => {
                let exchange = state.cases.entry(case).or_insert_with(|| Exchange::new(standing));
                match state.offers.remove(&case) {
                    Some(digest) => {
                        let mut talk = Talk { me: self.me, peer, case, now, log, control: &mut state.control, out };
                        exchange.on_digest(&mut talk, &digest, was_former);
                    }
                    None => state.control.digest(exchange.digest(case, log, was_former)),
                }
            }
        }
        self.update_source(&peer, &case);
        Touched::Peer(peer)
    }

    fn revoke(&mut self, peer: DeviceKey, case: CaseId, out: &mut Vec<Effect>) -> Touched {
        self.fetch.disallow(&peer, &case);
        let Some(state) = self.peers.get_mut(&peer) else { return Touched::Nobody };
        let Some(exchange) = state.cases.remove(&case) else { return Touched::Nobody };
        state.former.insert(case);
        state.has_entries.remove(&case);
        state.serve.stop_case(&case);
        state.live.retain(|(of, _), _| *of != case);
        if exchange.they_share() {
            state.control.push(Message::Unshare(case));
        }
        self.known.extend(keep(peer, case, exchange, out));
        Touched::All
    }

    /// A case's chunks are asked of peers that share it, but not of one whose invitation is not opened.
    fn update_source(&mut self, peer: &DeviceKey, case: &CaseId) {
        let exchange = self.peers.get(peer).and_then(|state| state.cases.get(case));
        let is_source = exchange.is_some_and(|e| e.they_share() && e.standing != Standing::InvitedMe);
        if is_source {
            self.fetch.allow(peer, *case);
        } else {
            self.fetch.disallow(peer, case);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one event and its surroundings")]
    fn stored(
        &mut self,
        peer: DeviceKey,
        case: CaseId,
        stored: &Stored,
        refusal: Option<Refusal>,
        now: Instant,
        logs: &impl Logs,
        out: &mut Vec<Effect>,
    ) {
        let log = logs.log(&case).unwrap_or(&self.empty);
        if let Some(state) = self.peers.get_mut(&peer)
            && let Some(exchange) = state.cases.get_mut(&case)
        {
            let mut talk = Talk { me: self.me, peer, case, now, log, control: &mut state.control, out };
            exchange.on_stored(&mut talk, stored, refusal);
            state.note_entries(case);
        }
        self.added(&case, &stored.new, Some(peer), now, logs, out);
    }

    /// Tells everyone else who shares the case.
    fn added(
        &mut self,
        case: &CaseId,
        ids: &[EntryId],
        from: Option<DeviceKey>,
        now: Instant,
        logs: &impl Logs,
        out: &mut Vec<Effect>,
    ) {
        let log = logs.log(case).unwrap_or(&self.empty);
        for (peer, state) in self.peers.iter_mut().filter(|(peer, _)| Some(**peer) != from) {
            let Some(exchange) = state.cases.get_mut(case) else { continue };
            let control = &mut state.control;
            let mut talk = Talk { me: self.me, peer: *peer, case: *case, now, log, control, out };
            exchange.on_added(&mut talk, ids);
            state.note_entries(*case);
        }
    }

    fn send_live(&mut self, case: CaseId, slot: u8, bytes: &[u8]) -> Touched {
        if slot >= LIVE_KINDS_MAX || bytes.len() > LIVE_BYTES_MAX {
            return Touched::Nobody;
        }
        for state in self.peers.values_mut() {
            let exchange = state.cases.get(&case);
            if exchange.is_some_and(|e| e.they_share() && e.standing == Standing::FullMember) {
                state.live.entry((case, slot)).or_default().waiting = Some(bytes.to_vec());
            }
        }
        Touched::All
    }

    fn timer(&mut self, timer: TimerKey, now: Instant, logs: &impl Logs, out: &mut Vec<Effect>) -> Touched {
        match timer {
            TimerKey::Ack { peer, case } => {
                let Some(state) = self.peers.get_mut(&peer) else { return Touched::Nobody };
                let Some(exchange) = state.cases.get_mut(&case) else { return Touched::Nobody };
                let log = logs.log(&case).unwrap_or(&self.empty);
                exchange.on_ack_timer(&mut Talk {
                    me: self.me,
                    peer,
                    case,
                    now,
                    log,
                    control: &mut state.control,
                    out,
                });
                Touched::Peer(peer)
            }
            TimerKey::Keep { peer, case } => {
                let exchange = self.peers.get_mut(&peer).and_then(|state| state.cases.get_mut(&case));
                if let Some(frontier) = exchange.and_then(Exchange::keep) {
                    self.known.insert((case, peer), frontier.clone());
                    out.push(Effect::FrontierKnown { peer, case, frontier });
                }
                Touched::Nobody
            }
            TimerKey::Live { peer } => {
                if let Some(state) = self.peers.get_mut(&peer) {
                    state.live_timer = false;
                }
                Touched::Peer(peer)
            }
            TimerKey::Stall { peer } => {
                if self.fetch.on_stall_timer(peer, now, out) {
                    Touched::All
                } else {
                    Touched::Nobody
                }
            }
            TimerKey::HaveMore { peer } => {
                if let Some(state) = self.peers.get_mut(&peer) {
                    state.serve.on_news_timer(&mut state.control);
                }
                Touched::Peer(peer)
            }
        }
    }

    fn received(
        &mut self,
        peer: DeviceKey,
        frame: Vec<u8>,
        now: Instant,
        logs: &impl Logs,
        out: &mut Vec<Effect>,
    ) -> Touched {
        if self.peers.get(&peer).is_none_or(|state| state.is_deaf) {
            return Touched::Nobody;
        }
        let (case, result) = match Message::from_frame(frame) {
            Ok(message) => (message.case(), self.message(peer, message, now, logs, out)),
            Err(error) => (None, Err(Breach::Malformed(error))),
        };
        result.unwrap_or_else(|what| {
            self.breach(peer, case, what, out);
            Touched::All
        })
    }

    fn breach(&mut self, peer: DeviceKey, case: Option<CaseId>, what: Breach, out: &mut Vec<Effect>) {
        if what.ends_connection() {
            self.fetch.disconnect(&peer);
            if let Some(state) = self.peers.get_mut(&peer) {
                state.go_deaf();
            }
        }
        out.push(Effect::Breach { peer, case, what });
    }

    fn message(
        &mut self,
        peer: DeviceKey,
        message: Message,
        now: Instant,
        logs: &impl Logs,
        out: &mut Vec<Effect>,
    ) -> Result<Touched, Breach> {
        let Some(state) = self.peers.get_mut(&peer) else { return Ok(Touched::Nobody) };
        if let Message::Hello(hello) = &message {
            if state.said_hello {
                return Err(Breach::Hello);
            }
            state.said_hello = true;
            if hello.version != FORMAT_VERSION {
                state.go_deaf();
                self.fetch.disconnect(&peer);
                out.push(Effect::Incompatible { peer, version: hello.version });
            }
            return Ok(Touched::Nobody);
        }
        if !state.said_hello {
            return Err(Breach::Hello);
        }
        match message {
            Message::Digests(list) => {
                list.0.iter().for_each(|item| self.digest(peer, item, now, logs, out));
                return Ok(Touched::Peer(peer));
            }
            Message::Cards(cards) => {
                state.card_messages += 1;
                if state.card_messages > CARD_MESSAGES_MAX {
                    return Err(Breach::Flood("cards"));
                }
                let cards = cards.0.into_iter().map(Vec::from).collect();
                out.push(Effect::CardsReceived { peer, cards });
                return Ok(Touched::Nobody);
            }
            Message::Hello(_) | Message::Frontier(_) => return Err(Breach::Unexpected("a message for bundles")),
            _ => {}
        }
        let Some(case) = message.case() else { return Ok(Touched::Nobody) };
        let Some(exchange) = state.cases.get_mut(&case) else {
            // Under way while the right was taken back; else it speaks of what it must not.
            return if state.former.contains(&case) || matches!(message, Message::Unshare(_)) {
                state.offers.remove(&case);
                Ok(Touched::Nobody)
            } else {
                Err(Breach::NotShared)
            };
        };
        let log = logs.log(&case).unwrap_or(&self.empty);
        let mut talk = Talk { me: self.me, peer, case, now, log, control: &mut state.control, out };
        match message {
            Message::Sketch(sketch) => exchange.on_sketch(&mut talk, &sketch)?,
            Message::Heads(heads) => exchange.on_heads(&mut talk, heads)?,
            Message::Probe(probe) => exchange.on_probe(&mut talk, &probe)?,
            Message::Common(common) => exchange.on_common(&mut talk, &common)?,
            Message::Entries(entries) => {
                exchange.on_entries(&mut talk, entries.entries.0.into_iter().map(Vec::from).collect())?;
            }
            Message::Ack(ack) => exchange.on_ack(&mut talk, ack),
            Message::ChunkRequest(request) => state.serve.on_request(request)?,
            Message::Hurry(request) => state.serve.on_hurry(request),
            Message::Cancel(cancel) => state.serve.on_cancel(&cancel.ids.0),
            Message::Chunk(chunk) => self.fetch.on_chunk(peer, chunk, now, out)?,
            Message::Missing(missing) => {
                self.fetch.on_missing(&peer, &missing, now);
                return Ok(Touched::All);
            }
            Message::HaveMore(more) => self.fetch.on_have_more(&peer, &more),
            Message::Live(live) => {
                if exchange.standing == Standing::FullMember {
                    let Live { slot, bytes, .. } = live;
                    out.push(Effect::LiveReceived { peer, case, slot, bytes: Vec::from(bytes) });
                }
            }
            Message::Unshare(_) => {
                exchange.they_unshared();
                state.serve.stop_case(&case);
                self.fetch.disallow(&peer, &case);
                state.has_entries.remove(&case);
                return Ok(Touched::All);
            }
            // Dealt with above.
            Message::Hello(_) | Message::Digests(_) | Message::Cards(_) | Message::Frontier(_) => {}
        }
        if let Some(state) = self.peers.get_mut(&peer) {
            state.note_entries(case);
        }
        Ok(Touched::Peer(peer))
    }

    fn digest(&mut self, peer: DeviceKey, item: &CaseDigest, now: Instant, logs: &impl Logs, out: &mut Vec<Effect>) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let case = item.case;
        let Some(exchange) = state.cases.get_mut(&case) else {
            let is_new = !state.offers.contains_key(&case);
            if !is_new || state.offers.len() < OFFERS_MAX {
                state.offers.insert(case, item.digest);
                if is_new {
                    out.push(Effect::Offered { peer, case });
                }
            }
            return;
        };
        let log = logs.log(&case).unwrap_or(&self.empty);
        let mut talk = Talk { me: self.me, peer, case, now, log, control: &mut state.control, out };
        exchange.on_digest(&mut talk, &item.digest, item.answer);
        state.note_entries(case);
        self.update_source(&peer, &case);
    }

    /// Puts onto a peer's lanes what they have room for.
    fn pump(&mut self, peer: DeviceKey, now: Instant, logs: &impl Logs, out: &mut Vec<Effect>) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if state.is_deaf {
            return;
        }
        self.fetch.fill(peer, now, &mut state.control, out);
        state.serve.pump(peer, now, &mut state.control, out);
        state.pump_control(peer, now, logs, &self.empty, out);
        if state.control.overflowed {
            self.breach(peer, None, Breach::Flood("messages that need an answer"), out);
        }
    }
}

/// Whose lanes may have something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Touched {
    Nobody,
    Peer(DeviceKey),
    All,
}

fn keep(
    peer: DeviceKey,
    case: CaseId,
    mut exchange: Exchange,
    out: &mut Vec<Effect>,
) -> Option<((CaseId, DeviceKey), Frontier)> {
    let frontier = exchange.keep()?;
    out.push(Effect::FrontierKnown { peer, case, frontier: frontier.clone() });
    Some(((case, peer), frontier))
}
