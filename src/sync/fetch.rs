//! Chunks wanted here: whom to ask for which, when, and how many at once.
//!
//! **Who gets asked.** Each connected peer that shares a case is a source for its chunks. Every source keeps as many
//! requests under way as its line carries in two seconds ([`super::rate`]) and takes the most urgent wanted chunk
//! that nobody was asked for and that it did not say it lacks. So several sources share the work by their speed,
//! and nothing is fetched twice.
//!
//! **What goes wrong.** A source that says *missing* is not asked for that chunk again until it says that it has more.
//! One that is silent too long loses its requests to another source, if there is one, and is tried with single
//! chunks. One that sends bytes that do not match the name is named and never asked again. When nothing is left to
//! ask for, an idle fast source takes over the last requests of a slow one; this may fetch a chunk twice, so it is
//! bounded to [`STOLEN_SHARE`] of what was fetched. The one who loses a request is told to cancel it.
//!
//! **Durable before counted.** A verified chunk goes to the shell; it stays wanted until the shell says it is durable.
//!
//! Costs: every chunk takes a few lookups in ordered maps; nothing walks over all wants. A source's *gap* remembers
//! what it lacks and from which rank on it may have something, so known gaps are not walked again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::event::{Breach, Effect, Flow, Instant, TimerKey};
use super::message::{CHUNK_IDS_MAX, Chunk, ChunkRequest, Chunks, Class, List, Message};
use super::peer::Control;
use super::source::{Gap, PATIENCE, PAUSE_MAX, Source};
use crate::encoding::id::{CaseId, ChunkId};
use crate::identity::keys::DeviceKey;

/// Most chunks asked for at once, however small they are; below what a server queues.
const OUTSTANDING_CHUNKS_MAX: usize = super::serve::REQUESTED_CHUNKS_MAX / 2;

/// Chunks for a reader's screen asked for beyond the window.
const URGENT_CHUNKS_MAX: usize = 8;

/// Most bytes verified and not yet durable: a slow disk slows the asking, not the memory.
const STORING_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// At most one in this many bytes is asked for a second time at the end.
pub const STOLEN_SHARE: u64 = 200;

/// A request is taken over only if its source needs longer than this for what it was asked for.
const STEAL_AFTER: Duration = Duration::from_millis(500);

/// Known gaps passed over in one search.
const SEARCH_STEPS_MAX: usize = 256;

/// Class, then the order of asking; for the screen the newest first.
pub(super) type Rank = (Class, u64);

const FIRST_RANK: Rank = (Class::Screen, 0);

/// What was fetched so far, in bytes of sealed chunks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fetched {
    pub received_bytes: u64,
    /// Received though it was here already or no longer wanted.
    pub needless_bytes: u64,
}

#[derive(Debug, Default)]
pub(super) struct Fetch {
    wants: BTreeMap<ChunkId, Want>,
    /// Chunks nobody is asked for, by case.
    pending: BTreeMap<CaseId, BTreeMap<Rank, ChunkId>>,
    sources: BTreeMap<DeviceKey, Source>,
    liars: BTreeSet<DeviceKey>,
    /// Chunks of each case that are not durable yet.
    left: BTreeMap<CaseId, usize>,
    next_order: u64,
    storing_bytes: u64,
    fetched: Fetched,
    stolen_bytes: u64,
    notes: Vec<(DeviceKey, CaseId, Note)>,
}

#[derive(Debug)]
enum Note {
    Cancel(ChunkId),
    Hurry(ChunkId, Class),
}

#[derive(Debug)]
struct Want {
    ranks: BTreeMap<CaseId, Rank>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Pending,
    Asked(DeviceKey),
    Storing(u64),
}

impl Fetch {
    pub(super) fn connect(&mut self, peer: DeviceKey) {
        self.sources.insert(peer, Source::new());
    }

    /// The line to a source is gone: others may be asked.
    pub(super) fn disconnect(&mut self, peer: &DeviceKey) {
        let Some(source) = self.sources.remove(peer) else { return };
        for id in source.outstanding.keys() {
            self.put_back(id);
        }
    }

    /// A peer may be asked for a case's chunks from now on.
    pub(super) fn allow(&mut self, peer: &DeviceKey, case: CaseId) {
        if let Some(source) = self.sources.get_mut(peer) {
            source.cases.insert(case);
        }
    }

    pub(super) fn disallow(&mut self, peer: &DeviceKey, case: &CaseId) {
        let Some(source) = self.sources.get_mut(peer) else { return };
        source.cases.remove(case);
        source.gaps.remove(case);
        let asked = source.outstanding.iter().filter(|(_, (of, _))| of == case);
        let asked: Vec<_> = asked.map(|(id, _)| *id).collect();
        for id in &asked {
            source.forget(id);
            source.late_allowed += 1;
        }
        asked.iter().for_each(|id| self.put_back(id));
    }

    pub(super) fn want(&mut self, case: CaseId, class: Class, mut ids: Vec<ChunkId>) {
        // What came on the screen last is looked at now: it comes before what was looked at before.
        let is_newest_first = class == Class::Screen;
        if is_newest_first {
            ids.reverse();
        }
        for id in ids {
            let rank = (class, if is_newest_first { u64::MAX - self.next_order } else { self.next_order });
            self.next_order += 1;
            let want = self.wants.entry(id).or_insert_with(|| Want { ranks: BTreeMap::new(), state: State::Pending });
            match want.ranks.get(&case) {
                Some((old, _)) if *old < class || *old == class && !is_newest_first => continue,
                Some(old) => {
                    if let Some(pending) = self.pending.get_mut(&case) {
                        pending.remove(old);
                    }
                }
                None => *self.left.entry(case).or_default() += 1,
            }
            want.ranks.insert(case, rank);
            match want.state {
                State::Pending => self.put_back(&id),
                State::Asked(peer) => {
                    let asked = self.sources.get(&peer).and_then(|source| source.outstanding.get(&id));
                    if let Some((case, _)) = asked {
                        self.notes.push((peer, *case, Note::Hurry(id, class)));
                    }
                }
                State::Storing(_) => {}
            }
        }
    }

    pub(super) fn unwant(&mut self, case: &CaseId, ids: &[ChunkId]) {
        for id in ids {
            let Some(want) = self.wants.get_mut(id) else { continue };
            let Some(rank) = want.ranks.remove(case) else { continue };
            if let Some(left) = self.left.get_mut(case) {
                *left -= 1;
            }
            if let Some(pending) = self.pending.get_mut(case) {
                pending.remove(&rank);
            }
            if want.ranks.is_empty() {
                self.drop_want(id);
            }
        }
        self.pending.retain(|_, pending| !pending.is_empty());
        self.left.retain(|_, left| *left > 0);
    }

    pub(super) fn unwant_case(&mut self, case: &CaseId) {
        let ids: Vec<_> =
            self.wants.iter().filter(|(_, want)| want.ranks.contains_key(case)).map(|(id, _)| *id).collect();
        self.unwant(case, &ids);
    }

    /// Chunks are wanted by no case any more.
    pub(super) fn withdraw(&mut self, ids: &BTreeSet<ChunkId>) {
        for id in ids {
            let cases: Vec<_> = self.wants.get(id).into_iter().flat_map(|want| want.ranks.keys().copied()).collect();
            for case in cases {
                self.unwant(&case, &[*id]);
            }
        }
    }

    fn drop_want(&mut self, id: &ChunkId) {
        match self.wants.remove(id).map(|want| want.state) {
            Some(State::Asked(peer)) => self.cancel(peer, id),
            Some(State::Storing(bytes)) => self.storing_bytes = self.storing_bytes.saturating_sub(bytes),
            Some(State::Pending) | None => {}
        }
    }

    /// Takes a request back from a source; it may answer it all the same.
    fn cancel(&mut self, peer: DeviceKey, id: &ChunkId) {
        let Some(source) = self.sources.get_mut(&peer) else { return };
        if let Some(case) = source.forget(id) {
            source.late_allowed += 1;
            self.notes.push((peer, case, Note::Cancel(*id)));
        }
    }

    /// A wanted chunk that nobody is asked for any more.
    fn put_back(&mut self, id: &ChunkId) {
        let Some(want) = self.wants.get_mut(id) else { return };
        want.state = State::Pending;
        for (case, rank) in &want.ranks {
            self.pending.entry(*case).or_default().insert(*rank, *id);
            for gap in self.sources.values_mut().filter_map(|source| source.gaps.get_mut(case)) {
                gap.from = gap.from.min(*rank);
            }
        }
    }

    /// Asks a source for as much as its window holds.
    pub(super) fn fill(&mut self, peer: DeviceKey, now: Instant, control: &mut Control, out: &mut Vec<Effect>) {
        if self.liars.contains(&peer) || self.storing_bytes > STORING_BYTES_MAX {
            return;
        }
        let mut requests: Vec<ChunkRequest> = Vec::new();
        let mut next = self.search(&peer);
        let Some(source) = self.sources.get(&peer) else { return };
        let asked = source.outstanding.len();
        let fits = source.window.bytes() / source.average_bytes.max(1);
        let fits = fits.clamp(1, OUTSTANDING_CHUNKS_MAX as u64) as usize + source.lacking.min(CHUNK_IDS_MAX);
        let is_paused = source.paused_until.is_some_and(|until| now < until);
        if is_paused && next.is_none_or(|(_, _, id)| self.others_may_have(&peer, &id)) {
            return;
        }
        let is_urgent = matches!(next, Some((_, (Class::Screen, _), _)));
        // Requests go in batches: a quarter of the window at once, but for the screen.
        let mut room = if is_urgent {
            (fits + URGENT_CHUNKS_MAX).saturating_sub(asked)
        } else if asked * 4 > fits * 3 {
            0
        } else {
            fits.saturating_sub(asked)
        };
        if next.is_none() && asked == 0 {
            self.steal(&peer, now);
            next = self.search(&peer);
        }
        while let Some((case, rank, id)) = next.filter(|_| room > 0) {
            room -= 1;
            self.ask(peer, case, id, now);
            match requests.last_mut() {
                Some(last) if last.case == case && last.class == rank.0 && last.ids.0.len() < CHUNK_IDS_MAX => {
                    last.ids.0.push(id);
                }
                _ => requests.push(ChunkRequest { case, class: rank.0, ids: List(vec![id]) }),
            }
            next = self.search(&peer);
        }
        requests.into_iter().for_each(|request| control.push(Message::ChunkRequest(request)));
        if let Some(source) = self.sources.get_mut(&peer)
            && !source.outstanding.is_empty()
            && !source.stall_timer
        {
            source.stall_timer = true;
            out.push(Effect::SetTimer { timer: TimerKey::Stall { peer }, at: source.deadline() });
        }
    }

    /// The most urgent pending chunk this source may have.
    fn search(&mut self, peer: &DeviceKey) -> Option<(CaseId, Rank, ChunkId)> {
        let source = self.sources.get_mut(peer)?;
        let mut best: Option<(CaseId, Rank, ChunkId)> = None;
        for (case, pending) in self.pending.iter().filter(|(case, _)| source.cases.contains(case)) {
            let gap = source.gaps.get_mut(case);
            let from = gap.as_ref().map_or(FIRST_RANK, |gap| gap.from);
            let mut found = None;
            let mut last = from;
            for (rank, id) in pending.range(from..).take(SEARCH_STEPS_MAX) {
                last = *rank;
                if !gap.as_ref().is_some_and(|gap| gap.missing.contains(id)) {
                    found = Some((*case, *rank, *id));
                    break;
                }
            }
            if let Some(gap) = gap {
                gap.from = last;
            }
            if let Some(found) = found
                && best.is_none_or(|best| found.1 < best.1)
            {
                best = Some(found);
            }
        }
        best
    }

    fn ask(&mut self, peer: DeviceKey, case: CaseId, id: ChunkId, now: Instant) {
        let (Some(want), Some(source)) = (self.wants.get_mut(&id), self.sources.get_mut(&peer)) else { return };
        want.state = State::Asked(peer);
        for (case, rank) in &want.ranks {
            if let Some(pending) = self.pending.get_mut(case) {
                pending.remove(rank);
                if pending.is_empty() {
                    self.pending.remove(case);
                }
            }
        }
        if source.outstanding.is_empty() {
            source.rate.start(now);
            source.last_progress = now;
        }
        let age = self.next_order;
        self.next_order += 1;
        source.outstanding.insert(id, (case, age));
        source.by_age.insert(age, id);
    }

    /// Takes over the last requests of the slowest source, for one that has nothing to do.
    fn steal(&mut self, thief: &DeviceKey, now: Instant) {
        let Some(own) = self.sources.get(thief) else { return };
        let Some(own_time) = own.rate.time_for(own.average_bytes) else { return };
        let worth = own_time.saturating_mul(4).max(STEAL_AFTER);
        let others = self.sources.iter().filter(|(peer, source)| *peer != thief && !source.outstanding.is_empty());
        let slowest = others.map(|(peer, source)| (source.time_left(now), *peer)).max();
        let Some((_, victim)) = slowest.filter(|(time, _)| *time > worth) else { return };
        let Some(source) = self.sources.get(&victim) else { return };
        let mut budget = (self.fetched.received_bytes / STOLEN_SHARE).saturating_sub(self.stolen_bytes);
        let mut taken = Vec::new();
        for id in source.by_age.values().rev().take(source.outstanding.len().div_ceil(2)) {
            let cases = self.wants.get(id).into_iter().flat_map(|want| want.ranks.keys());
            let can_have = cases.into_iter().any(|case| own.cases.contains(case) && !own.lacks(case, id));
            if can_have && budget >= source.average_bytes {
                budget -= source.average_bytes;
                taken.push(*id);
            }
        }
        self.stolen_bytes += source.average_bytes * taken.len() as u64;
        for id in &taken {
            self.cancel(victim, id);
            self.put_back(id);
        }
    }

    pub(super) fn on_chunk(
        &mut self,
        peer: DeviceKey,
        chunk: Chunk,
        now: Instant,
        out: &mut Vec<Effect>,
    ) -> Result<(), Breach> {
        let Chunk { case, id, bytes } = chunk;
        let length = bytes.len() as u64;
        let Some(source) = self.sources.get_mut(&peer) else { return Ok(()) };
        let was_asked = source.forget(&id).is_some();
        if !was_asked {
            source.late_allowed = source.late_allowed.checked_sub(1).ok_or(Breach::UnaskedChunk)?;
        }
        source.progress(now);
        source.lacking = 0;
        source.rate.add(now, length);
        source.average_bytes = ((source.average_bytes * 7 + length) / 8).max(1024);
        source.window.grow(length, &source.rate, 2 * source.average_bytes);
        self.fetched.received_bytes = self.fetched.received_bytes.saturating_add(length);
        if ChunkId::of(&bytes) != id {
            if was_asked {
                self.put_back(&id);
            }
            self.stop_asking(&peer);
            return Err(Breach::BadChunk);
        }
        let state = self.wants.get(&id).map(|want| want.state);
        match state {
            None | Some(State::Storing(_)) => {
                self.fetched.needless_bytes = self.fetched.needless_bytes.saturating_add(length);
                return Ok(());
            }
            // It came late from one source while another was asked.
            Some(State::Asked(other)) if other != peer => self.cancel(other, &id),
            Some(State::Asked(_) | State::Pending) => {}
        }
        if let Some(want) = self.wants.get_mut(&id) {
            want.state = State::Storing(length);
            for (case, rank) in &want.ranks {
                if let Some(pending) = self.pending.get_mut(case) {
                    pending.remove(rank);
                }
            }
        }
        self.pending.retain(|_, pending| !pending.is_empty());
        self.storing_bytes = self.storing_bytes.saturating_add(length);
        out.push(Effect::StoreChunk { case, chunk: id, bytes: Vec::from(bytes) });
        Ok(())
    }

    fn stop_asking(&mut self, peer: &DeviceKey) {
        self.liars.insert(*peer);
        let Some(source) = self.sources.get_mut(peer) else { return };
        let asked: Vec<_> = std::mem::take(&mut source.outstanding).into_keys().collect();
        source.by_age.clear();
        source.late_allowed += asked.len() as u64;
        asked.iter().for_each(|id| self.put_back(id));
    }

    pub(super) fn on_missing(&mut self, peer: &DeviceKey, missing: &Chunks, now: Instant) {
        for id in &missing.ids.0 {
            let Some(source) = self.sources.get_mut(peer) else { return };
            // What was not asked, or is asked of another by now, is no news.
            let Some(case) = source.forget(id) else { continue };
            source.progress(now);
            source.lacking = source.lacking.saturating_add(1);
            let gap = source.gaps.entry(case).or_insert_with(|| Gap { missing: BTreeSet::new(), from: FIRST_RANK });
            gap.missing.insert(*id);
            self.put_back(id);
        }
    }

    pub(super) fn on_have_more(&mut self, peer: &DeviceKey, more: &Chunks) {
        let gaps = self.sources.get_mut(peer).map(|source| &mut source.gaps);
        let Some(gap) = gaps.and_then(|gaps| gaps.get_mut(&more.case)) else { return };
        gap.from = FIRST_RANK;
        if more.ids.0.is_empty() {
            gap.missing.clear();
        }
        for id in &more.ids.0 {
            gap.missing.remove(id);
        }
    }

    /// A chunk is stored, or could not be; returns whether the asking that a slow disk held up may go on.
    pub(super) fn on_stored(&mut self, id: &ChunkId) -> bool {
        let was_held_up = self.storing_bytes > STORING_BYTES_MAX;
        let cases: Vec<_> = self.wants.get(id).into_iter().flat_map(|want| want.ranks.keys().copied()).collect();
        for case in cases {
            self.unwant(&case, &[*id]);
        }
        was_held_up && self.storing_bytes <= STORING_BYTES_MAX
    }

    /// Looks whether a source still sends; returns whether others may have something to do now.
    pub(super) fn on_stall_timer(&mut self, peer: DeviceKey, now: Instant, out: &mut Vec<Effect>) -> bool {
        let Some(source) = self.sources.get_mut(&peer) else { return false };
        source.stall_timer = false;
        if source.outstanding.is_empty() {
            // A pause may be over.
            return true;
        }
        let is_silent = now >= source.deadline();
        let asked: Vec<_> = source.outstanding.keys().copied().collect();
        let movable: Vec<_> = asked.into_iter().filter(|id| is_silent && self.others_may_have(&peer, id)).collect();
        for id in &movable {
            self.cancel(peer, id);
            self.put_back(id);
        }
        let Some(source) = self.sources.get_mut(&peer) else { return false };
        let mut at = source.deadline().max(now + PATIENCE);
        if !movable.is_empty() {
            source.window.collapse(source.average_bytes);
            at = now + source.pause;
            source.paused_until = Some(at);
            source.pause = (source.pause * 2).min(PAUSE_MAX);
        }
        source.stall_timer = true;
        out.push(Effect::SetTimer { timer: TimerKey::Stall { peer }, at });
        !movable.is_empty()
    }

    fn others_may_have(&self, peer: &DeviceKey, id: &ChunkId) -> bool {
        let Some(want) = self.wants.get(id) else { return false };
        let others = self.sources.iter().filter(|(other, _)| *other != peer && !self.liars.contains(other));
        others
            .into_iter()
            .any(|(_, source)| want.ranks.keys().any(|case| source.cases.contains(case) && !source.lacks(case, id)))
    }

    /// Messages to sources about requests that changed.
    pub(super) fn take_notes(&mut self) -> Vec<(DeviceKey, Message)> {
        let mut messages: Vec<(DeviceKey, Message)> = Vec::new();
        for (peer, case, note) in std::mem::take(&mut self.notes) {
            let last = messages.last_mut().filter(|(of, _)| *of == peer).map(|(_, message)| message);
            match (note, last) {
                (Note::Cancel(id), Some(Message::Cancel(last)))
                    if last.case == case && last.ids.0.len() < CHUNK_IDS_MAX =>
                {
                    last.ids.0.push(id);
                }
                (Note::Hurry(id, class), Some(Message::Hurry(last)))
                    if last.case == case && last.class == class && last.ids.0.len() < CHUNK_IDS_MAX =>
                {
                    last.ids.0.push(id);
                }
                (Note::Cancel(id), _) => {
                    messages.push((peer, Message::Cancel(Chunks { case, ids: List(vec![id]) })));
                }
                (Note::Hurry(id, class), _) => {
                    messages.push((peer, Message::Hurry(ChunkRequest { case, class, ids: List(vec![id]) })));
                }
            }
        }
        messages
    }

    /// What a source was asked for and has not sent.
    pub(super) fn asked_of(&self, peer: &DeviceKey, now: Instant) -> Flow {
        let Some(source) = self.sources.get(peer) else { return Flow::default() };
        let mut chunks = BTreeMap::new();
        for (case, _) in source.outstanding.values() {
            *chunks.entry(*case).or_default() += 1;
        }
        let silent = now.saturating_sub(source.last_progress);
        Flow { chunks, bytes_per_second: source.rate.bytes_per_second(), silent }
    }

    pub(super) fn fetched(&self) -> Fetched {
        self.fetched
    }

    /// Chunks of a case that are not durable yet.
    pub(super) fn wanted(&self, case: &CaseId) -> usize {
        self.left.get(case).copied().unwrap_or_default()
    }
}
