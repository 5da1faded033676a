//! A small world: nodes that store in memory, lines that delay, order each lane and can be cut, and one clock.
//!
//! Each node obeys the rules of [`crate::sync::event`] as the real shell must. Everything is a function of the seed.

use std::collections::BTreeMap;
use std::time::Duration;

use minicbor::{Decode, Encode};

use crate::encoding::id::{CaseId, ChunkId, EntryId};
use crate::encoding::random::Seeded;
use crate::encoding::{from_bytes, to_bytes};
use crate::identity::keys::DeviceKey;
use crate::sync::event::{Delivery, Effect, Event, Instant, Lane, Refusal, Standing, Stored};
use crate::sync::frontier::Frontier;
use crate::sync::log::{CaseLog, IndexEntry};
use crate::sync::machine::Machine;
use crate::sync::message::{Chunk, Class, Entries, List, Message};

pub(super) const CASE: CaseId = CaseId([0xca; 32]);

/// An entry as tests write it; its name is the hash of its bytes.
#[derive(Debug, Clone, Encode, Decode)]
pub(super) struct TestEntry {
    #[n(0)]
    pub(super) case: CaseId,
    #[n(1)]
    pub(super) device: DeviceKey,
    #[n(2)]
    pub(super) sequence: u64,
    #[n(3)]
    pub(super) previous: Option<EntryId>,
    #[n(4)]
    pub(super) parents: Vec<EntryId>,
    #[n(5)]
    pub(super) body: minicbor::bytes::ByteVec,
}

impl TestEntry {
    pub(super) fn bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }
}

pub(super) fn name(bytes: &[u8]) -> EntryId {
    EntryId(*blake3::hash(bytes).as_bytes())
}

pub(super) fn device(n: usize) -> DeviceKey {
    DeviceKey([n as u8 + 1; 32])
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) machine: Machine,
    pub(super) logs: BTreeMap<CaseId, CaseLog>,
    pub(super) entries: BTreeMap<EntryId, Vec<u8>>,
    pub(super) chunks: BTreeMap<ChunkId, Vec<u8>>,
    pub(super) kept: BTreeMap<(CaseId, DeviceKey), Frontier>,
    pub(super) wanted: BTreeMap<ChunkId, Class>,
    pub(super) other: Vec<Effect>,
    /// Order in which chunks were stored.
    pub(super) arrived: Vec<ChunkId>,
    /// Chunks in this list are sent with a flipped bit.
    pub(super) lies: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) latency: Duration,
    /// Up to this much more, at random.
    pub(super) jitter: Duration,
    pub(super) bytes_per_second: Option<u64>,
    epoch: u64,
    is_up: bool,
    /// By direction: when the wire is free again.
    free_at: BTreeMap<(usize, usize), Instant>,
    last_arrival: BTreeMap<(usize, usize, Lane), Instant>,
}

#[derive(Debug)]
enum Item {
    Deliver { from: usize, to: usize, frame: Vec<u8>, epoch: u64 },
    Own { node: usize, event: Event, life: u64, line: Option<(usize, u64)> },
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) nodes: Vec<Node>,
    pub(super) lines: BTreeMap<(usize, usize), Line>,
    lives: Vec<u64>,
    queue: BTreeMap<(Instant, u64), Item>,
    counter: u64,
    pub(super) rng: Seeded,
    /// Bytes of frames sent, by direction and kind.
    pub(super) sent: BTreeMap<(usize, usize, &'static str), u64>,
    pub(super) frames: Vec<(Instant, usize, usize, &'static str)>,
    pub(super) standing: BTreeMap<(usize, usize, CaseId), Standing>,
    pub(super) store_delay: Duration,
}

pub(super) fn kind(message: &Message) -> &'static str {
    match message {
        Message::Hello(_) => "hello",
        Message::Digests(_) => "digests",
        Message::Sketch(_) => "sketch",
        Message::Heads(_) => "heads",
        Message::Probe(_) => "probe",
        Message::Common(_) => "common",
        Message::Entries(_) => "entries",
        Message::Ack(_) => "ack",
        Message::ChunkRequest(_) => "request",
        Message::Chunk(_) => "chunk",
        Message::Missing(_) => "missing",
        Message::HaveMore(_) => "have-more",
        Message::Cancel(_) => "cancel",
        Message::Live(_) => "live",
        Message::Cards(_) => "cards",
        Message::Unshare(_) => "unshare",
        Message::Frontier(_) => "frontier",
        Message::Hurry(_) => "hurry",
    }
}

impl World {
    pub(super) fn new(nodes: usize, seed: u64) -> Self {
        let node = |n| Node {
            machine: Machine::new(device(n)),
            logs: BTreeMap::from([(CASE, CaseLog::default())]),
            entries: BTreeMap::new(),
            chunks: BTreeMap::new(),
            kept: BTreeMap::new(),
            wanted: BTreeMap::new(),
            other: Vec::new(),
            arrived: Vec::new(),
            lies: false,
        };
        let mut world = Self {
            now: Duration::from_secs(1),
            nodes: (0..nodes).map(node).collect(),
            lines: BTreeMap::new(),
            lives: vec![0; nodes],
            queue: BTreeMap::new(),
            counter: 0,
            rng: Seeded::new(seed),
            sent: BTreeMap::new(),
            frames: Vec::new(),
            standing: BTreeMap::new(),
            store_delay: Duration::from_millis(1),
        };
        for a in 0..nodes {
            for b in 0..nodes {
                if a != b {
                    world.standing.insert((a, b, CASE), Standing::FullMember);
                }
            }
        }
        world
    }

    pub(super) fn number(&self, key: &DeviceKey) -> usize {
        key.0[0] as usize - 1
    }

    pub(super) fn connect(&mut self, a: usize, b: usize) {
        let line = self.lines.entry((a.min(b), a.max(b))).or_insert(Line {
            latency: Duration::from_millis(10),
            jitter: Duration::ZERO,
            bytes_per_second: None,
            epoch: 0,
            is_up: false,
            free_at: BTreeMap::new(),
            last_arrival: BTreeMap::new(),
        });
        if line.is_up {
            return;
        }
        line.is_up = true;
        line.epoch += 1;
        line.free_at.clear();
        line.last_arrival.clear();
        for (node, peer) in [(a, b), (b, a)] {
            self.event(node, Event::Connected { peer: device(peer) });
            let cases: Vec<_> = self.standing.iter().filter(|((x, y, _), _)| (*x, *y) == (node, peer)).collect();
            let shares: Vec<_> = cases.into_iter().map(|((_, _, case), standing)| (*case, *standing)).collect();
            for (case, standing) in shares {
                self.event(node, Event::Share { peer: device(peer), case, standing });
            }
        }
    }

    pub(super) fn line(&mut self, a: usize, b: usize) -> &mut Line {
        self.lines.get_mut(&(a.min(b), a.max(b))).unwrap()
    }

    pub(super) fn cut(&mut self, a: usize, b: usize) {
        let Some(line) = self.lines.get_mut(&(a.min(b), a.max(b))) else { return };
        if std::mem::take(&mut line.is_up) {
            line.epoch += 1;
            self.event(a, Event::Disconnected { peer: device(b) });
            self.event(b, Event::Disconnected { peer: device(a) });
        }
    }

    /// The node dies and starts again with what it stored; all its lines are cut.
    pub(super) fn restart(&mut self, n: usize) {
        for other in 0..self.nodes.len() {
            self.cut(n, other);
        }
        self.lives[n] += 1;
        self.nodes[n].machine = Machine::new(device(n));
        for ((case, peer), frontier) in self.nodes[n].kept.clone() {
            self.event(n, Event::FrontierRestored { peer, case, frontier });
        }
        let mut wants: BTreeMap<Class, Vec<ChunkId>> = BTreeMap::new();
        for (chunk, class) in &self.nodes[n].wanted {
            if !self.nodes[n].chunks.contains_key(chunk) {
                wants.entry(*class).or_default().push(*chunk);
            }
        }
        for (class, chunks) in wants {
            self.event(n, Event::Want { case: CASE, class, chunks });
        }
    }

    pub(super) fn want(&mut self, n: usize, class: Class, chunks: Vec<ChunkId>) {
        self.nodes[n].wanted.extend(chunks.iter().map(|chunk| (*chunk, class)));
        let chunks = chunks.into_iter().filter(|chunk| !self.nodes[n].chunks.contains_key(chunk)).collect();
        self.event(n, Event::Want { case: CASE, class, chunks });
    }

    /// Writes an entry at a node that cites all heads; `fork_at` makes it follow an older entry of the device.
    pub(super) fn write(&mut self, n: usize, body_bytes: usize) -> EntryId {
        let log = &self.nodes[n].logs[&CASE];
        let own = log.frontier().heads(&device(n)).last().copied();
        let others = log.frontier().devices().filter(|(d, _)| **d != device(n));
        let parents = others.flat_map(|(_, heads)| heads.iter().map(|h| h.id)).collect();
        self.write_as(n, device(n), own.map(|head| (head.sequence, head.id)), parents, body_bytes)
    }

    pub(super) fn write_as(
        &mut self,
        n: usize,
        author: DeviceKey,
        previous: Option<(u64, EntryId)>,
        parents: Vec<EntryId>,
        body_bytes: usize,
    ) -> EntryId {
        let mut body = vec![0; body_bytes.max(8)];
        body[..8].copy_from_slice(&(self.rng.below(usize::MAX) as u64).to_be_bytes());
        let entry = TestEntry {
            case: CASE,
            device: author,
            sequence: previous.map_or(0, |(sequence, _)| sequence + 1),
            previous: previous.map(|(_, id)| id),
            parents,
            body: body.into(),
        };
        let bytes = entry.bytes();
        let id = name(&bytes);
        self.nodes[n].store(&entry, bytes).unwrap();
        self.event(n, Event::EntriesAdded { case: CASE, ids: vec![id] });
        id
    }

    pub(super) fn event(&mut self, n: usize, event: Event) {
        let mut out = Vec::new();
        let node = &mut self.nodes[n];
        node.machine.handle(event, self.now, &node.logs, &mut out);
        for effect in out {
            self.carry_out(n, effect);
        }
    }

    fn carry_out(&mut self, n: usize, effect: Effect) {
        match effect {
            Effect::Send { peer, lane, message } => self.transmit(n, &peer, lane, message),
            Effect::SendEntries { peer, case, ids } => {
                assert!(self.nodes[n].machine.may_send(&peer, &case));
                let entries = ids.iter().map(|id| self.nodes[n].entries[id].clone().into()).collect();
                self.transmit(n, &peer, Lane::Control, Message::Entries(Entries { case, entries: List(entries) }));
            }
            Effect::SendChunk { peer, case, chunk } => {
                assert!(self.nodes[n].machine.may_send(&peer, &case));
                match self.nodes[n].chunks.get(&chunk).cloned() {
                    Some(mut bytes) => {
                        if self.nodes[n].lies {
                            bytes[0] ^= 1;
                        }
                        let message = Message::Chunk(Chunk { case, id: chunk, bytes: bytes.into() });
                        self.transmit(n, &peer, Lane::Bulk, message);
                    }
                    None => {
                        let line = self.epoch_of(n, &peer);
                        self.later(n, Duration::ZERO, Event::ChunkUnavailable { peer, case, chunk }, line);
                    }
                }
            }
            Effect::AcceptEntries { peer, case, entries } => {
                // Accepted now, durable and told a little later.
                let (stored, why) = self.nodes[n].accept(case, entries);
                let event = match why {
                    None => Event::EntriesAccepted { peer, case, stored },
                    Some(why) => Event::EntriesRefused { peer, case, stored, why },
                };
                let line = self.epoch_of(n, &peer);
                // If the line is cut meanwhile, the entries are there all the same: said as added.
                self.later(n, self.store_delay, event, line);
            }
            Effect::StoreChunk { chunk, bytes, .. } => {
                assert_eq!(ChunkId::of(&bytes), chunk, "only verified chunks are stored");
                self.nodes[n].arrived.push(chunk);
                self.nodes[n].chunks.insert(chunk, bytes);
                self.later(n, self.store_delay, Event::ChunkDurable { chunk }, None);
            }
            Effect::SetTimer { timer, at } => {
                assert!(at >= self.now, "timers lie ahead");
                self.later(n, at - self.now, Event::Timer(timer), None);
            }
            Effect::FrontierKnown { peer, case, frontier } => {
                self.nodes[n].kept.insert((case, peer), frontier);
            }
            Effect::DeliveryChanged { .. } => {}
            other => self.nodes[n].other.push(other),
        }
    }

    fn epoch_of(&self, n: usize, peer: &DeviceKey) -> Option<(usize, u64)> {
        let peer = self.number(peer);
        Some((peer, self.lines[&(n.min(peer), n.max(peer))].epoch))
    }

    fn later(&mut self, node: usize, after: Duration, event: Event, line: Option<(usize, u64)>) {
        self.counter += 1;
        let item = Item::Own { node, event, life: self.lives[node], line };
        self.queue.insert((self.now + after, self.counter), item);
    }

    fn transmit(&mut self, from: usize, peer: &DeviceKey, lane: Lane, message: Message) {
        let to = self.number(peer);
        let kind = kind(&message);
        let frame = message.into_frame().into_vec();
        *self.sent.entry((from, to, kind)).or_default() += frame.len() as u64;
        self.frames.push((self.now, from, to, kind));
        let extra = self.rng.below(1_000_000) as u32;
        let now = self.now;
        let line = self.line(from, to);
        let start = line.free_at.get(&(from, to)).copied().unwrap_or_default().max(now);
        let carried = line
            .bytes_per_second
            .map_or(Duration::ZERO, |rate| Duration::from_micros(frame.len() as u64 * 1_000_000 / rate));
        let done = start + carried;
        line.free_at.insert((from, to), done);
        let arrival = done + line.latency + line.jitter * extra / 1_000_000;
        let last = line.last_arrival.entry((from, to, lane)).or_default();
        let arrival = arrival.max(*last);
        *last = arrival;
        let epoch = line.epoch;
        self.counter += 1;
        let bytes = frame.len();
        self.queue.insert((arrival, self.counter), Item::Deliver { from, to, frame, epoch });
        let event = Event::Sent { peer: *peer, lane, bytes };
        self.later(from, done - now, event, Some((to, epoch)));
    }

    /// Performs what is due next; `false` when nothing is left.
    pub(super) fn step(&mut self) -> bool {
        let Some(((at, _), item)) = self.queue.pop_first() else { return false };
        self.now = self.now.max(at);
        match item {
            Item::Deliver { from, to, frame, epoch } => {
                if self.lines[&(from.min(to), from.max(to))].epoch == epoch {
                    self.event(to, Event::Received { peer: device(from), frame });
                }
            }
            Item::Own { node, event, life, line } => {
                if self.lives[node] != life {
                    return true;
                }
                let is_current =
                    line.is_none_or(|(peer, epoch)| self.lines[&(node.min(peer), node.max(peer))].epoch == epoch);
                match event {
                    event if is_current => self.event(node, event),
                    Event::EntriesAccepted { case, stored, .. } | Event::EntriesRefused { case, stored, .. } => {
                        self.event(node, Event::EntriesAdded { case, ids: stored.new });
                    }
                    _ => {}
                }
            }
        }
        true
    }

    /// Until nothing happens any more (timers included) or the time is over.
    pub(super) fn run(&mut self, at_most: Duration) {
        let end = self.now + at_most;
        while self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= end) {
            self.step();
        }
        self.now = self.now.max(end);
    }

    pub(super) fn log(&self, n: usize) -> &CaseLog {
        &self.nodes[n].logs[&CASE]
    }

    pub(super) fn delivery(&self, n: usize, id: EntryId, to: usize) -> Delivery {
        let node = &self.nodes[n];
        node.machine.delivery(&CASE, &id, &device(to), &node.logs)
    }

    pub(super) fn sent_bytes(&self, from: usize, to: usize) -> u64 {
        self.sent.iter().filter(|((a, b, _), _)| (*a, *b) == (from, to)).map(|(_, bytes)| bytes).sum()
    }

    /// Bytes both ways but for hello.
    pub(super) fn all_bytes(&self) -> u64 {
        self.sent.iter().filter(|((_, _, kind), _)| *kind != "hello").map(|(_, bytes)| bytes).sum()
    }

    pub(super) fn count(&self, kind: &str) -> usize {
        self.frames.iter().filter(|(_, _, _, k)| *k == kind).count()
    }

    pub(super) fn breaches(&self) -> Vec<&Effect> {
        let all = self.nodes.iter().flat_map(|node| &node.other);
        all.filter(|effect| matches!(effect, Effect::Breach { .. })).collect()
    }

    /// Forgets what was counted.
    pub(super) fn reset_counts(&mut self) {
        self.sent.clear();
        self.frames.clear();
    }
}

impl Node {
    pub(super) fn store(&mut self, entry: &TestEntry, bytes: Vec<u8>) -> Result<bool, crate::sync::log::IndexError> {
        let id = name(&bytes);
        let is_new = self.logs.entry(entry.case).or_default().insert(&IndexEntry {
            id,
            device: entry.device,
            sequence: entry.sequence,
            previous: entry.previous,
            parents: &entry.parents,
            bytes: bytes.len() as u32,
        })?;
        self.entries.insert(id, bytes);
        Ok(is_new)
    }

    fn accept(&mut self, case: CaseId, entries: Vec<Vec<u8>>) -> (Stored, Option<Refusal>) {
        let mut stored = Stored::default();
        for bytes in entries {
            let Ok(entry) = from_bytes::<TestEntry>(&bytes, 1 << 20) else { return (stored, Some(Refusal::Invalid)) };
            if entry.case != case {
                return (stored, Some(Refusal::Invalid));
            }
            let id = name(&bytes);
            match self.store(&entry, bytes) {
                Ok(true) => stored.new.push(id),
                Ok(false) => stored.known.push(id),
                Err(crate::sync::log::IndexError::MissingParent) => return (stored, Some(Refusal::MissingParent)),
                Err(_) => return (stored, Some(Refusal::Invalid)),
            }
        }
        (stored, None)
    }
}

/// Chunks with random bytes.
pub(super) fn make_chunks(rng: &mut Seeded, count: usize, bytes: usize) -> BTreeMap<ChunkId, Vec<u8>> {
    use crate::encoding::random::Rng;
    (0..count)
        .map(|_| {
            let mut chunk = vec![0; bytes / 2 + rng.below(bytes / 2 + 1)];
            rng.fill_bytes(&mut chunk[..64.min(bytes / 2)]);
            (ChunkId::of(&chunk), chunk)
        })
        .collect()
}

pub(super) fn names(chunks: &BTreeMap<ChunkId, Vec<u8>>) -> Vec<ChunkId> {
    chunks.keys().copied().collect()
}
