//! The entries of one case between this device and one peer.
//!
//! ```text
//!   A                                   B
//!   Digests ------------------------->            1  equal? then both know, 70 bytes
//!           <------------------------- Digests
//!   Sketch  ------------------------->            2  eight bytes a device
//!           <------------------------- Sketch
//!   Heads   ------------------------->            3  heads of the devices that differ
//!           <------------------------- Heads
//!   Entries ------------------------->            4  in causal order, fork proofs first
//!           <------------------------- Entries
//! ```
//!
//! Both sides do the same at once, so the first entries arrive after one and a half round trips; and each step is
//! taken only by a side that needs it. [`super::plan`] says what a head I do not know means and which side asks;
//! asking ([`Probe`], [`Common`]) costs one round trip more and happens only after a fork.
//!
//! After that nothing is compared again: what one sends, acknowledges or cites tells the other its frontier. An
//! acknowledgement counts the entries that were stored and names heads only of devices that changed otherwise. Whatever goes wrong (an entry whose parent is missing, a
//! limit that is lifted) is mended by one more round from the top, a few times at most.
//!
//! **Limits.** A sender has at most [`WINDOW_BYTES`] of entries unacknowledged, so a receiver's queue is bounded; one
//! that does not keep to it ends the connection. What a receiver drops it acknowledges as *taken* all the same, with
//! *hold*, so that the sender neither waits nor goes on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::event::{Breach, Delivery, Effect, Instant, Limit, Refusal, Standing, Stored, TimerKey};
use super::frontier::{DeviceHeads, Digest, Frontier, Head, device_heads};
use super::log::{Arrival, CaseLog};
use super::message::{Ack, CaseDigest, Common, Heads, List, Message, Probe, Sketch};
use super::peer::Control;
use super::plan::{DeviceView, Verdict, covers, entries_beyond, in_order, join, judge, probe_points};
use crate::encoding::id::{Bytes, CaseId, EntryId};
use crate::identity::keys::DeviceKey;

/// Most bytes of entries taken for an invitation nobody opened (design 6).
pub const INVITATION_BYTES_MAX: u64 = 1024 * 1024;

/// Most bytes of entries sent and not yet acknowledged.
pub const WINDOW_BYTES: u64 = 1024 * 1024;

/// Most bytes of entries that wait for acceptance here: the sender's window and a frame above it.
const WAITING_BYTES_MAX: u64 = WINDOW_BYTES + 2 * super::message::FRAME_BYTES_MAX as u64;

/// Entries in one frame stay below this many bytes unless one alone is longer, so that others get their turn.
const BATCH_BYTES: u64 = 128 * 1024;

/// Acknowledgements are this far apart, unless many entries came.
const ACK_INTERVAL: Duration = Duration::from_millis(50);

/// So many entries are acknowledged at once.
const ACK_ENTRIES: u32 = 64;

/// A peer's changed frontier is handed out for keeping at most this often.
const KEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Rounds begun anew after a missing parent, until an entry is accepted again.
const RETRIES_MAX: u32 = 4;

/// Branches of one device asked about at the same time.
const PROBES_MAX: usize = 8;

/// State of one case with one connected peer.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) standing: Standing,
    /// It said a digest on this connection: it shares the case with me too.
    they_share: bool,
    said_digest: bool,
    /// My frontier when I sent a sketch that is not answered yet.
    sketched: Option<Frontier>,
    /// `theirs` is its whole frontier.
    synced: bool,
    theirs: Frontier,
    forks: BTreeMap<DeviceKey, Fork>,
    /// Devices whose log it may have further than I do: decided when more is known.
    waiting: BTreeSet<DeviceKey>,

    outbox: BTreeSet<(u8, Arrival)>,
    in_flight: VecDeque<Arrival>,
    on_the_way: BTreeSet<Arrival>,
    unacknowledged_bytes: u64,
    /// It takes no more until it says its digest again.
    held: bool,

    /// Entries and bytes of batches handed to the shell and not answered.
    batches: VecDeque<(u32, u64)>,
    waiting_bytes: u64,
    taken_bytes: u64,
    /// I take no more.
    closed: Option<Limit>,
    retries: u32,
    /// A new round was asked for and is not through yet.
    beginning: bool,

    /// Entries dealt with and not acknowledged; either all of them are stored or this is not said of any.
    untold: u32,
    untold_stored: bool,
    untold_hold: bool,
    dirty: BTreeSet<DeviceKey>,
    last_ack: Option<Instant>,
    ack_timer: bool,
    keep_timer: bool,
    own_ahead_told: bool,
}

/// What was learned by asking about a device that forked.
#[derive(Debug, Default)]
struct Fork {
    has: Vec<EntryId>,
    settled: Vec<EntryId>,
    lacks: Vec<EntryId>,
    /// My heads asked about, with the points named.
    asked: BTreeMap<EntryId, Vec<Head>>,
}

/// What an exchange needs from around it.
pub(super) struct Talk<'a> {
    pub(super) me: DeviceKey,
    pub(super) peer: DeviceKey,
    pub(super) case: CaseId,
    pub(super) now: Instant,
    pub(super) log: &'a CaseLog,
    pub(super) control: &'a mut Control,
    pub(super) out: &'a mut Vec<Effect>,
}

impl Exchange {
    pub(super) fn new(standing: Standing) -> Self {
        Self {
            standing,
            they_share: false,
            said_digest: false,
            sketched: None,
            synced: false,
            theirs: Frontier::default(),
            forks: BTreeMap::new(),
            waiting: BTreeSet::new(),
            outbox: BTreeSet::new(),
            in_flight: VecDeque::new(),
            on_the_way: BTreeSet::new(),
            unacknowledged_bytes: 0,
            held: false,
            batches: VecDeque::new(),
            waiting_bytes: 0,
            taken_bytes: 0,
            closed: None,
            retries: 0,
            beginning: false,
            untold: 0,
            untold_stored: true,
            untold_hold: false,
            dirty: BTreeSet::new(),
            last_ack: None,
            ack_timer: false,
            keep_timer: false,
            own_ahead_told: false,
        }
    }

    /// Whether the peer showed on this connection that it shares the case.
    pub(super) fn they_share(&self) -> bool {
        self.they_share
    }

    /// The peer's frontier, if it is known as a whole.
    pub(super) fn theirs(&self) -> Option<&Frontier> {
        self.synced.then_some(&self.theirs)
    }

    /// What I have, as the first thing said of a case or to begin again.
    pub(super) fn digest(&mut self, case: CaseId, log: &CaseLog, answer: bool) -> CaseDigest {
        self.said_digest = true;
        self.dirty.clear();
        CaseDigest { case, digest: log.frontier().digest(), answer }
    }

    /// Begins again from the top, for instance when an invitation was opened.
    pub(super) fn begin_again(&mut self, talk: &mut Talk<'_>) {
        self.closed = None;
        self.beginning = true;
        let digest = self.digest(talk.case, talk.log, true);
        talk.control.push(Message::Digests(List(vec![digest])));
    }

    /// The peer took the case back; what it knows stays known.
    pub(super) fn they_unshared(&mut self) {
        self.they_share = false;
        self.outbox.clear();
        self.in_flight.clear();
        self.on_the_way.clear();
        self.unacknowledged_bytes = 0;
        self.sketched = None;
    }

    pub(super) fn on_digest(&mut self, talk: &mut Talk<'_>, digest: &Digest, answer: bool) {
        self.they_share = true;
        self.held = false;
        if answer || !self.said_digest {
            let mine = self.digest(talk.case, talk.log, false);
            talk.control.push(Message::Digests(List(vec![mine])));
        }
        if talk.log.frontier().digest() == *digest {
            self.learn(talk, talk.log.frontier().clone());
        } else {
            self.sketch(talk);
        }
    }

    pub(super) fn on_sketch(&mut self, talk: &mut Talk<'_>, sketch: &Sketch) -> Result<(), Breach> {
        if !self.they_share {
            return Err(Breach::Unexpected("a sketch before a digest"));
        }
        let items: Vec<_> = sketch.items.0.iter().map(|item| item.0).collect();
        let (matched, heads) = talk.log.frontier().answer(&sketch.digest, &items);
        self.dirty.clear();
        talk.control.push(Message::Heads(Heads { case: talk.case, matched: matched.into(), heads: List(heads) }));
        if !self.synced {
            self.sketch(talk);
        }
        Ok(())
    }

    fn sketch(&mut self, talk: &mut Talk<'_>) {
        if self.sketched.is_some() {
            return;
        }
        let frontier = talk.log.frontier().clone();
        let digest = frontier.digest();
        let items = List(frontier.sketch(&digest).into_iter().map(Bytes).collect());
        talk.control.push(Message::Sketch(Sketch { case: talk.case, digest, items }));
        self.sketched = Some(frontier);
    }

    pub(super) fn on_heads(&mut self, talk: &mut Talk<'_>, heads: Heads) -> Result<(), Breach> {
        let Some(mine) = self.sketched.take() else { return Err(Breach::Unexpected("heads nobody asked for")) };
        let theirs = mine.from_answer(&heads.matched, heads.heads.0).ok_or(Breach::BadFrontier)?;
        self.learn(talk, theirs);
        Ok(())
    }

    /// Its whole frontier is known: decide about everything it lacks.
    fn learn(&mut self, talk: &mut Talk<'_>, theirs: Frontier) {
        self.theirs = theirs;
        self.synced = true;
        self.beginning = false;
        self.forks.clear();
        self.waiting.clear();
        self.outbox.clear();
        let mut lacking = BTreeSet::new();
        for (device, heads) in talk.log.frontier().devices() {
            if self.theirs.heads(device) != heads {
                lacking.extend(self.decide(talk, device));
            }
        }
        self.outbox = in_order(talk.log, lacking);
        self.theirs_changed(talk);
        self.acknowledge(talk);
    }

    /// What to send of one device's log now; asks or waits where that is not known.
    fn decide(&mut self, talk: &mut Talk<'_>, device: &DeviceKey) -> Vec<Arrival> {
        let fork = self.forks.get(device);
        let view = DeviceView {
            heads: self.theirs.heads(device),
            has: fork.map_or(&[], |fork| &fork.has),
            settled: fork.map_or(&[], |fork| &fork.settled),
            lacks: fork.map_or(&[], |fork| &fork.lacks),
        };
        let Verdict { send, probe, wait } = judge(talk.log, device, &view);
        let mut lacking = entries_beyond(talk.log, device, &view, &send.into_iter().collect());
        lacking.retain(|entry| !self.on_the_way.contains(entry));
        let asked = fork.map_or(0, |fork| fork.asked.len());
        let is_asked = |tip: &Arrival| fork.is_some_and(|fork| fork.asked.contains_key(&talk.log.id(*tip)));
        let probe: Vec<_> =
            probe.into_iter().filter(|tip| !is_asked(tip)).take(PROBES_MAX.saturating_sub(asked)).collect();
        let points: Vec<_> = probe.into_iter().map(|tip| probe_points(talk.log, device, &view, tip)).collect();
        for points in points {
            let Some(head) = points.first() else { continue };
            self.forks.entry(*device).or_default().asked.insert(head.id, points.clone());
            talk.control.push(Message::Probe(Probe { case: talk.case, device: *device, points: List(points) }));
        }
        if wait.is_empty() {
            self.waiting.remove(device);
        } else {
            self.waiting.insert(*device);
        }
        lacking
    }

    fn decide_again(&mut self, talk: &mut Talk<'_>, device: &DeviceKey) {
        let lacking = self.decide(talk, device);
        if lacking.iter().any(|entry| talk.log.starts_fork(*entry)) {
            let all = self.outbox.iter().map(|(_, entry)| *entry).chain(lacking).collect();
            self.outbox = in_order(talk.log, all);
        } else {
            let queued: Vec<_> = lacking.into_iter().filter(|entry| !self.outbox.contains(&(0, *entry))).collect();
            self.outbox.extend(queued.into_iter().map(|entry| (1, entry)));
        }
    }

    pub(super) fn on_probe(&mut self, talk: &mut Talk<'_>, probe: &Probe) -> Result<(), Breach> {
        if !self.they_share {
            return Err(Breach::Unexpected("a probe before a digest"));
        }
        let Some(head) = probe.points.0.first() else { return Err(Breach::Unexpected("a probe of nothing")) };
        let is_here = |point: &&Head| talk.log.arrival(&point.id).is_some_and(|a| talk.log.device(a) == probe.device);
        let common = probe.points.0.iter().find(is_here).map(|point| point.id);
        let answer = Common { case: talk.case, device: probe.device, head: head.id, common };
        talk.control.push(Message::Common(answer));
        let is_unknown_head = self.theirs.heads(&probe.device).contains(head) && !talk.log.contains(&head.id);
        let is_new = !self.forks.get(&probe.device).is_some_and(|fork| fork.settled.contains(&head.id));
        if is_unknown_head && is_new {
            let fork = self.forks.entry(probe.device).or_default();
            fork.settled.push(head.id);
            fork.has.extend(common);
            self.decide_again(talk, &probe.device);
        }
        Ok(())
    }

    pub(super) fn on_common(&mut self, talk: &mut Talk<'_>, common: &Common) -> Result<(), Breach> {
        let asked = self.forks.get_mut(&common.device).and_then(|fork| {
            let points = fork.asked.remove(&common.head)?;
            Some((fork, points))
        });
        // A new round forgets what was asked in the one before, so a late answer is no breach.
        let Some((fork, points)) = asked else { return Ok(()) };
        match common.common {
            Some(id) if !points.iter().any(|point| point.id == id) => {
                return Err(Breach::Unexpected("a common point that was not named"));
            }
            Some(id) => fork.has.push(id),
            None => {}
        }
        if common.common != Some(common.head) {
            fork.lacks.push(common.head);
        }
        self.decide_again(talk, &common.device);
        Ok(())
    }

    pub(super) fn on_entries(&mut self, talk: &mut Talk<'_>, entries: Vec<Vec<u8>>) -> Result<(), Breach> {
        let count = entries.len() as u32; // at most ENTRIES_MAX
        let bytes = entries.iter().map(|entry| entry.len() as u64).sum::<u64>();
        let so_far = self.taken_bytes.saturating_add(self.waiting_bytes);
        if self.closed.is_none()
            && self.standing == Standing::InvitedMe
            && so_far.saturating_add(bytes) > INVITATION_BYTES_MAX
        {
            self.close(talk, Limit::Invitation);
        }
        if self.closed.is_some() || count == 0 {
            self.deal_with(talk, count, false);
            self.untold_hold |= self.closed.is_some();
            self.acknowledge(talk);
            return Ok(());
        }
        self.waiting_bytes = self.waiting_bytes.saturating_add(bytes);
        if self.waiting_bytes > WAITING_BYTES_MAX {
            return Err(Breach::Flood("entries beyond the window"));
        }
        self.batches.push_back((count, bytes));
        talk.out.push(Effect::AcceptEntries { peer: talk.peer, case: talk.case, entries });
        Ok(())
    }

    /// Counts entries that the next acknowledgement will tell of; stored ones and others are not told in one.
    fn deal_with(&mut self, talk: &mut Talk<'_>, count: u32, is_stored: bool) {
        if self.untold > 0 && self.untold_stored != is_stored && self.they_share {
            self.acknowledge_now(talk);
        }
        self.untold_stored = is_stored && (self.untold == 0 || self.untold_stored);
        self.untold = self.untold.saturating_add(count);
    }

    fn close(&mut self, talk: &mut Talk<'_>, why: Limit) {
        self.closed = Some(why);
        self.untold_hold = true;
        talk.out.push(Effect::Incomplete { peer: talk.peer, case: talk.case, why });
    }

    /// A batch from this peer was dealt with.
    pub(super) fn on_stored(&mut self, talk: &mut Talk<'_>, stored: &Stored, refusal: Option<Refusal>) {
        let Some((count, bytes)) = self.batches.pop_front() else { return };
        let is_all_stored = stored.new.len() + stored.known.len() == count as usize;
        self.deal_with(talk, count, is_all_stored);
        self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
        self.taken_bytes = self.taken_bytes.saturating_add(bytes);
        let mut devices = BTreeSet::new();
        for entry in stored.new.iter().chain(&stored.known).filter_map(|id| talk.log.arrival(id)) {
            let device = talk.log.device(entry);
            join(&mut self.theirs, talk.log, entry);
            devices.insert(device);
        }
        if !is_all_stored {
            self.dirty.extend(&devices);
        }
        if !stored.new.is_empty() {
            self.retries = 0;
        }
        for device in devices.intersection(&self.waiting).copied().collect::<Vec<_>>() {
            self.decide_again(talk, &device);
        }
        match refusal {
            None => {}
            Some(Refusal::Full) => self.close(talk, Limit::Full),
            Some(Refusal::Invalid) => {
                talk.out.push(Effect::Breach { peer: talk.peer, case: Some(talk.case), what: Breach::BadEntry });
                self.close(talk, Limit::Full);
            }
            // Batches already under way would each be refused for the same reason; the last one begins again.
            Some(Refusal::MissingParent)
                if self.batches.is_empty() && !self.beginning && self.retries < RETRIES_MAX =>
            {
                self.retries += 1;
                self.acknowledge_now(talk);
                self.begin_again(talk);
            }
            Some(Refusal::MissingParent) => {}
        }
        self.theirs_changed(talk);
        self.acknowledge(talk);
    }

    /// Entries were written here or accepted from someone else.
    pub(super) fn on_added(&mut self, talk: &mut Talk<'_>, ids: &[EntryId]) {
        for entry in ids.iter().filter_map(|id| talk.log.arrival(id)) {
            let device = talk.log.device(entry);
            if self.waiting.contains(&device) {
                self.decide_again(talk, &device);
            }
            let is_known = !self.synced || self.held || covers(talk.log, self.theirs.heads(&device), entry);
            if is_known {
                // It hears of my copy by acknowledgement; else it will hear by getting the entry.
                self.dirty.insert(device);
            } else if !self.waiting.contains(&device) && !self.on_the_way.contains(&entry) {
                self.outbox.insert((1, entry));
            }
        }
        self.acknowledge(talk);
    }

    pub(super) fn on_ack(&mut self, talk: &mut Talk<'_>, ack: Ack) {
        // Before its whole frontier is known a part of it says nothing.
        if self.synced {
            ack.heads.0.iter().for_each(|item| self.merge(talk.log, item));
        }
        for _ in 0..ack.taken {
            let Some(entry) = self.in_flight.pop_front() else { break };
            self.on_the_way.remove(&entry);
            if ack.stored {
                join(&mut self.theirs, talk.log, entry);
            }
            self.unacknowledged_bytes = self.unacknowledged_bytes.saturating_sub(u64::from(talk.log.bytes(entry)));
        }
        if ack.hold {
            self.held = true;
            self.outbox.clear();
        }
        for item in &ack.heads.0 {
            if self.waiting.contains(&item.device) {
                self.decide_again(talk, &item.device);
            }
        }
        self.theirs_changed(talk);
    }

    /// Takes newer heads of a device; a peer cannot unlearn what I know it has.
    fn merge(&mut self, log: &CaseLog, item: &DeviceHeads) {
        let old = self.theirs.heads(&item.device).iter().filter(|head| log.contains(&head.id));
        let all: Vec<Head> = old.chain(&item.heads.0).copied().collect();
        let is_below = |head: &Head| {
            let Some(entry) = log.arrival(&head.id) else { return false };
            all.iter().any(|other| other.id != head.id && covers(log, std::slice::from_ref(other), entry))
        };
        let heads = all.iter().copied().filter(|head| !is_below(head)).collect();
        self.theirs.set(item.device, heads);
    }

    fn theirs_changed(&mut self, talk: &mut Talk<'_>) {
        let (peer, case) = (talk.peer, talk.case);
        if !self.synced {
            return;
        }
        talk.out.push(Effect::DeliveryChanged { peer, case });
        if !self.keep_timer {
            self.keep_timer = true;
            talk.out.push(Effect::SetTimer { timer: TimerKey::Keep { peer, case }, at: talk.now + KEEP_INTERVAL });
        }
        let ahead = self.theirs.heads(&talk.me).iter().find(|head| !talk.log.contains(&head.id));
        if let (Some(head), false) = (ahead, self.own_ahead_told) {
            self.own_ahead_told = true;
            talk.out.push(Effect::OwnLogAhead { peer, case, sequence: head.sequence });
        }
    }

    /// The frontier to keep over a restart, if it changed since it was handed out.
    pub(super) fn keep(&mut self) -> Option<Frontier> {
        std::mem::take(&mut self.keep_timer).then(|| self.theirs.clone())
    }

    pub(super) fn on_ack_timer(&mut self, talk: &mut Talk<'_>) {
        self.ack_timer = false;
        self.acknowledge(talk);
    }

    fn acknowledge(&mut self, talk: &mut Talk<'_>) {
        let nothing = self.dirty.is_empty() && self.untold == 0 && !self.untold_hold;
        if nothing || !self.they_share {
            return;
        }
        let due = self.last_ack.map(|last| last + ACK_INTERVAL).filter(|due| *due > talk.now);
        match due {
            Some(at) if self.untold < ACK_ENTRIES => {
                if !self.ack_timer {
                    self.ack_timer = true;
                    let timer = TimerKey::Ack { peer: talk.peer, case: talk.case };
                    talk.out.push(Effect::SetTimer { timer, at });
                }
            }
            _ => self.acknowledge_now(talk),
        }
    }

    fn acknowledge_now(&mut self, talk: &mut Talk<'_>) {
        let frontier = talk.log.frontier();
        let dirty = std::mem::take(&mut self.dirty).into_iter();
        let heads = dirty.map(|device| device_heads(device, frontier.heads(&device)));
        let ack = Ack {
            case: talk.case,
            heads: List(heads.filter(DeviceHeads::is_well_formed).collect()),
            taken: std::mem::take(&mut self.untold),
            stored: self.untold_stored,
            hold: std::mem::take(&mut self.untold_hold),
        };
        self.last_ack = Some(talk.now);
        talk.control.push(Message::Ack(ack));
    }

    /// Whether [`Exchange::next_batch`] may give something.
    pub(super) fn has_entries(&self) -> bool {
        self.they_share
            && self.synced
            && !self.held
            && !self.outbox.is_empty()
            && self.unacknowledged_bytes < WINDOW_BYTES
    }

    /// The next entries to send in one frame.
    pub(super) fn next_batch(&mut self, log: &CaseLog) -> Vec<EntryId> {
        let mut batch = Vec::new();
        let mut bytes = 0u64;
        while self.has_entries() && batch.len() < super::message::ENTRIES_MAX {
            let Some((rank, entry)) = self.outbox.pop_first() else { break };
            let is_needless =
                self.on_the_way.contains(&entry) || covers(log, self.theirs.heads(&log.device(entry)), entry);
            if is_needless {
                continue;
            }
            let size = u64::from(log.bytes(entry));
            if !batch.is_empty() && bytes.saturating_add(size) > BATCH_BYTES {
                self.outbox.insert((rank, entry));
                break;
            }
            bytes = bytes.saturating_add(size);
            self.unacknowledged_bytes = self.unacknowledged_bytes.saturating_add(size);
            self.in_flight.push_back(entry);
            self.on_the_way.insert(entry);
            batch.push(log.id(entry));
        }
        batch
    }

    pub(super) fn delivery(&self, log: &CaseLog, entry: Arrival) -> Delivery {
        if covers(log, self.theirs.heads(&log.device(entry)), entry) {
            Delivery::Delivered
        } else if self.on_the_way.contains(&entry) {
            Delivery::OnTheWay
        } else {
            Delivery::NotSent
        }
    }
}
