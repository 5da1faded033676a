//! Chunks given to one peer: what it asked for, most urgent first, as fast as its line takes them.
//!
//! The machine does not know which chunks are here; it asks the shell for one ([`Effect::SendChunk`]) whenever the bulk
//! lane has room, and the shell may say that it is not available. Room is little on purpose: what is handed to the
//! line cannot be overtaken, and a chunk for a reader's screen must not wait seconds behind a series.
//!
//! A peer never learns by asking whether a chunk exists elsewhere: what may not be given and what is not here are the
//! same answer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::event::{Breach, Effect, Flow, Instant, TimerKey};
use super::message::{CHUNK_IDS_MAX, ChunkRequest, Chunks, Class, List, Message};
use super::peer::Control;
use super::rate::Rate;
use crate::encoding::id::{CaseId, ChunkId};
use crate::identity::keys::DeviceKey;
use crate::seal::chunk::CHUNK_BYTES_MAX;

/// Most chunks a peer may have asked for and not been answered.
pub const REQUESTED_CHUNKS_MAX: usize = 1024;

/// Most refused chunks that are remembered for a peer, to tell it when they are here.
const REFUSED_CHUNKS_MAX: usize = 4096;

/// Chunks handed to the line at once: as many as it takes in [`AHEAD`], within these bounds.
const IN_FLIGHT_CHUNKS_MIN: u64 = 2;
const IN_FLIGHT_CHUNKS_MAX: u64 = 16;
const AHEAD: Duration = Duration::from_millis(250);

/// News of chunks is gathered for this long.
const HAVE_MORE_DELAY: Duration = Duration::from_millis(200);

/// What one peer asked for.
#[derive(Debug, Default)]
pub(super) struct Serve {
    queues: BTreeMap<Class, VecDeque<(CaseId, ChunkId)>>,
    /// Class under which a chunk is queued now; an older place in another queue is void.
    queued: BTreeMap<ChunkId, Class>,
    in_flight: u64,
    rate: Rate,
    missing: BTreeMap<CaseId, Vec<ChunkId>>,
    refused: BTreeMap<ChunkId, BTreeSet<CaseId>>,
    /// More was refused than is remembered.
    refused_more: BTreeSet<CaseId>,
    news: BTreeMap<CaseId, Vec<ChunkId>>,
    news_timer: bool,
}

impl Serve {
    pub(super) fn on_request(&mut self, request: ChunkRequest) -> Result<(), Breach> {
        for id in request.ids.0 {
            if self.queued.contains_key(&id) {
                continue;
            }
            if self.queued.len() >= REQUESTED_CHUNKS_MAX {
                return Err(Breach::Flood("requests for chunks"));
            }
            self.queue(request.case, request.class, id);
        }
        Ok(())
    }

    /// Moves chunks up; one that was handed to the line already is not given again.
    pub(super) fn on_hurry(&mut self, request: ChunkRequest) {
        for id in request.ids.0 {
            if self.queued.get(&id).is_some_and(|class| *class > request.class) {
                self.queue(request.case, request.class, id);
            }
        }
    }

    fn queue(&mut self, case: CaseId, class: Class, id: ChunkId) {
        self.queued.insert(id, class);
        self.queues.entry(class).or_default().push_back((case, id));
        // A chunk that moves up leaves a void place behind.
        if self.queues.values().map(VecDeque::len).sum::<usize>() > 2 * REQUESTED_CHUNKS_MAX {
            self.drop_void();
        }
    }

    pub(super) fn on_cancel(&mut self, ids: &[ChunkId]) {
        for id in ids {
            self.queued.remove(id);
        }
        self.drop_void();
    }

    /// The peer lost its right to a case: nothing of it is given any more.
    pub(super) fn stop_case(&mut self, case: &CaseId) {
        for (of, id) in self.queues.values().flatten() {
            if of == case {
                self.queued.remove(id);
            }
        }
        self.drop_void();
        self.missing.remove(case);
        self.news.remove(case);
        self.refused_more.remove(case);
        self.refused.retain(|_, cases| {
            cases.remove(case);
            !cases.is_empty()
        });
    }

    /// Chunks were withdrawn.
    pub(super) fn stop_chunks(&mut self, ids: &BTreeSet<ChunkId>) {
        for (case, id) in self.queues.values().flatten() {
            if ids.contains(id) && self.queued.remove(id).is_some() {
                self.missing.entry(*case).or_default().push(*id);
            }
        }
        self.drop_void();
    }

    fn drop_void(&mut self) {
        let queued = &self.queued;
        for (class, queue) in &mut self.queues {
            queue.retain(|(_, id)| queued.get(id) == Some(class));
        }
    }

    /// What the peer asked for and was not handed to its line yet.
    pub(super) fn asked(&self) -> Flow {
        let mut chunks = BTreeMap::new();
        let queues = self.queues.iter().flat_map(|(class, queue)| queue.iter().map(move |place| (class, place)));
        for (_, (case, _)) in queues.filter(|(class, (_, id))| self.queued.get(id) == Some(*class)) {
            *chunks.entry(*case).or_default() += 1;
        }
        Flow { chunks, bytes_per_second: self.rate.bytes_per_second(), silent: Duration::ZERO }
    }

    /// Hands chunks to the line while it has room.
    pub(super) fn pump(&mut self, peer: DeviceKey, now: Instant, control: &mut Control, out: &mut Vec<Effect>) {
        while self.in_flight < self.room() {
            let Some((case, chunk)) = self.next() else { break };
            if self.in_flight == 0 {
                self.rate.start(now);
            }
            self.in_flight += 1;
            out.push(Effect::SendChunk { peer, case, chunk });
        }
        let is_idle = self.in_flight == 0;
        for (case, ids) in &mut self.missing {
            while ids.len() >= CHUNK_IDS_MAX || (is_idle && !ids.is_empty()) {
                let some = ids.drain(..ids.len().min(CHUNK_IDS_MAX)).collect();
                control.push(Message::Missing(Chunks { case: *case, ids: List(some) }));
            }
        }
        self.missing.retain(|_, ids| !ids.is_empty());
    }

    fn next(&mut self) -> Option<(CaseId, ChunkId)> {
        for class in Class::ALL {
            let Some(queue) = self.queues.get_mut(&class) else { continue };
            while let Some((case, id)) = queue.pop_front() {
                if self.queued.get(&id) == Some(&class) {
                    self.queued.remove(&id);
                    return Some((case, id));
                }
            }
        }
        None
    }

    fn room(&self) -> u64 {
        let rate = self.rate.bytes_per_second().unwrap_or(0);
        let ahead = rate.saturating_mul(AHEAD.as_millis() as u64) / 1000 / CHUNK_BYTES_MAX as u64;
        ahead.clamp(IN_FLIGHT_CHUNKS_MIN, IN_FLIGHT_CHUNKS_MAX)
    }

    pub(super) fn on_sent(&mut self, now: Instant, bytes: usize) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.rate.add(now, bytes as u64);
    }

    pub(super) fn on_unavailable(&mut self, case: CaseId, id: ChunkId) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.missing.entry(case).or_default().push(id);
        if self.refused.len() < REFUSED_CHUNKS_MAX {
            self.refused.entry(id).or_default().insert(case);
        } else {
            self.refused_more.insert(case);
        }
    }

    /// A chunk is here now: the peer is told if it was refused it.
    pub(super) fn on_durable(&mut self, peer: DeviceKey, id: &ChunkId, now: Instant, out: &mut Vec<Effect>) {
        for case in self.refused.remove(id).into_iter().flatten() {
            self.news.entry(case).or_default().push(*id);
        }
        let has_news = !self.news.is_empty() || !self.refused_more.is_empty();
        if has_news && !self.news_timer {
            self.news_timer = true;
            out.push(Effect::SetTimer { timer: TimerKey::HaveMore { peer }, at: now + HAVE_MORE_DELAY });
        }
    }

    pub(super) fn on_news_timer(&mut self, control: &mut Control) {
        self.news_timer = false;
        for case in std::mem::take(&mut self.refused_more) {
            self.news.remove(&case);
            control.push(Message::HaveMore(Chunks { case, ids: List(Vec::new()) }));
        }
        for (case, ids) in std::mem::take(&mut self.news) {
            for some in ids.chunks(CHUNK_IDS_MAX) {
                control.push(Message::HaveMore(Chunks { case, ids: List(some.to_vec()) }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: CaseId = CaseId([1; 32]);
    const PEER: DeviceKey = DeviceKey([2; 32]);

    fn chunk(n: usize) -> ChunkId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&n.to_be_bytes());
        ChunkId(id)
    }

    fn request(serve: &mut Serve, class: Class, range: std::ops::Range<usize>) -> Result<(), Breach> {
        serve.on_request(ChunkRequest { case: CASE, class, ids: List(range.map(chunk).collect()) })
    }

    fn pump(serve: &mut Serve) -> Vec<ChunkId> {
        let mut out = Vec::new();
        serve.pump(PEER, Duration::ZERO, &mut Control::default(), &mut out);
        let chunk = |effect| if let Effect::SendChunk { chunk, .. } = effect { Some(chunk) } else { None };
        out.into_iter().filter_map(chunk).collect()
    }

    #[test]
    fn the_screen_overtakes_the_series() {
        let mut serve = Serve::default();
        request(&mut serve, Class::Series, 0..10).unwrap();
        assert_eq!(pump(&mut serve), [chunk(0), chunk(1)]);
        request(&mut serve, Class::Screen, 20..21).unwrap();
        let ids = [0, 9].map(chunk).to_vec();
        serve.on_hurry(ChunkRequest { case: CASE, class: Class::Screen, ids: List(ids) });
        serve.on_sent(Duration::ZERO, 1);
        serve.on_sent(Duration::ZERO, 1);
        assert_eq!(serve.asked().chunks, BTreeMap::from([(CASE, 9)]), "what moved up counts once");
        assert_eq!(pump(&mut serve), [chunk(20), chunk(9)], "chunk 0 is on its way");
    }

    #[test]
    fn cancelled_and_withdrawn_chunks_are_not_given() {
        let mut serve = Serve::default();
        request(&mut serve, Class::Series, 0..4).unwrap();
        serve.on_cancel(&[chunk(0)]);
        serve.stop_chunks(&BTreeSet::from([chunk(1)]));
        assert_eq!(pump(&mut serve), [chunk(2), chunk(3)]);
        request(&mut serve, Class::Series, 5..9).unwrap();
        serve.stop_case(&CASE);
        serve.on_sent(Duration::ZERO, 1);
        assert_eq!(pump(&mut serve), []);
    }

    #[test]
    fn an_endless_want_ends_the_connection_and_repeats_cost_nothing() {
        let mut serve = Serve::default();
        for n in 0..REQUESTED_CHUNKS_MAX / 128 {
            request(&mut serve, Class::Series, n * 128..(n + 1) * 128).unwrap();
            request(&mut serve, Class::Series, 0..128).unwrap();
        }
        assert_eq!(request(&mut serve, Class::Series, 9000..9001), Err(Breach::Flood("requests for chunks")));
        assert_eq!(serve.queues.values().map(VecDeque::len).sum::<usize>(), REQUESTED_CHUNKS_MAX);
    }

    #[test]
    fn what_was_refused_is_told_once_it_is_here() {
        let (mut serve, mut control, mut out) = (Serve::default(), Control::default(), Vec::new());
        serve.on_unavailable(CASE, chunk(1));
        serve.pump(PEER, Duration::ZERO, &mut control, &mut out);
        serve.on_durable(PEER, &chunk(2), Duration::ZERO, &mut out);
        assert_eq!(out, [], "nobody asked for chunk 2");
        serve.on_durable(PEER, &chunk(1), Duration::ZERO, &mut out);
        assert_eq!(out.len(), 1);
        serve.on_news_timer(&mut control);
        let chunks = Chunks { case: CASE, ids: List(vec![chunk(1)]) };
        assert_eq!(control.take(), [Message::Missing(chunks.clone()), Message::HaveMore(chunks)]);
    }
}
