//! The sync machine with a peer that says what it likes, in any order, between honest events.

#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use minicbor::Decoder;
use overread::encoding::id::{CaseId, ChunkId, EntryId};
use overread::identity::keys::DeviceKey;
use overread::sync::event::{Effect, Event, Lane, Refusal, Standing, Stored};
use overread::sync::log::{CaseLog, IndexEntry};
use overread::sync::machine::Machine;
use overread::sync::message::{Class, Message};
use overread::sync::peer::CONTROL_FRAMES_MAX;
use overread_fuzz::Parts;

const ME: DeviceKey = DeviceKey([1; 32]);
const PEER: DeviceKey = DeviceKey([2; 32]);
const SHARED: CaseId = CaseId([0xca; 32]);

/// A case of three devices with ten entries each, the second of them forked.
static LOGS: LazyLock<BTreeMap<CaseId, CaseLog>> = LazyLock::new(|| {
    let mut log = CaseLog::default();
    for device in 1..=3_u8 {
        for sequence in 0..10_u8 {
            let id = |sequence: u8| EntryId([device * 16 + sequence; 32]);
            let previous = sequence.checked_sub(if device == 2 && sequence == 7 { 2 } else { 1 });
            let entry = IndexEntry {
                id: id(sequence),
                device: DeviceKey([device; 32]),
                sequence: previous.map_or(0, |previous| u64::from(previous) + 1),
                previous: previous.map(id),
                parents: &[],
                bytes: 900,
            };
            let _ = log.insert(&entry);
        }
    }
    BTreeMap::from([(SHARED, log)])
});

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts(data);
    let mut line = Line { machine: Machine::new(ME), now: Duration::ZERO, in_flight: 0, sent: Vec::new(), deaf: false };
    line.tell(Event::Connected { peer: PEER });
    line.tell(Event::Share { peer: PEER, case: SHARED, standing: Standing::FullMember });
    let chunks = (0..8).map(|n| ChunkId([n; 32])).collect();
    line.tell(Event::Want { case: SHARED, class: Class::Series, chunks });
    while !parts.is_empty() {
        let kind = parts.byte();
        line.now += Duration::from_millis(u64::from(kind >> 4) * 100);
        let event = match kind & 15 {
            0 => Event::Disconnected { peer: PEER },
            1 => Event::Connected { peer: PEER },
            2 => Event::Share { peer: PEER, case: SHARED, standing: Standing::InvitedMe },
            3 => Event::Revoke { peer: PEER, case: SHARED },
            4 => Event::Share { peer: PEER, case: SHARED, standing: Standing::FullMember },
            5 => Event::SendLive { case: SHARED, slot: kind >> 4, bytes: vec![0; 9] },
            6 => Event::ChunkDurable { chunk: ChunkId([kind >> 4; 32]) },
            7..=9 => {
                line.take_frames();
                continue;
            }
            10 | 11 => Event::Received { peer: PEER, frame: parts.piece().to_vec() },
            // Bytes that mean a message are put into its one form, so that mutation does not stop at the encoding.
            _ => match Decoder::new(parts.piece()).decode::<Message>() {
                Ok(message) => Event::Received { peer: PEER, frame: message.into_frame().into_vec() },
                Err(_) => continue,
            },
        };
        line.tell(event);
    }
});

struct Line {
    machine: Machine,
    now: Duration,
    in_flight: usize,
    sent: Vec<(Lane, usize)>,
    deaf: bool,
}

impl Line {
    fn tell(&mut self, event: Event) {
        match event {
            Event::Connected { .. } | Event::Disconnected { .. } => {
                (self.in_flight, self.deaf) = (0, false);
                self.sent.clear();
            }
            _ => {}
        }
        let heard = matches!(event, Event::Received { .. });
        let mut effects = Vec::new();
        self.machine.handle(event, self.now, &*LOGS, &mut effects);
        assert!(!heard || !self.deaf || effects.is_empty(), "a peer that broke the rules is not heard");
        for effect in effects {
            let answer = match effect {
                Effect::Send { lane, message, .. } => {
                    self.in_flight += usize::from(lane == Lane::Control);
                    self.sent.push((lane, message.into_frame().bytes()));
                    None
                }
                Effect::SendEntries { ids, .. } => {
                    self.in_flight += 1;
                    self.sent.push((Lane::Control, 900 * ids.len()));
                    None
                }
                Effect::SendChunk { peer, case, chunk } => Some(Event::ChunkUnavailable { peer, case, chunk }),
                Effect::AcceptEntries { peer, case, .. } => {
                    Some(Event::EntriesRefused { peer, case, stored: Stored::default(), why: Refusal::MissingParent })
                }
                Effect::StoreChunk { chunk, .. } => Some(Event::ChunkDurable { chunk }),
                Effect::Breach { what, .. } => {
                    self.deaf |= what.ends_connection();
                    None
                }
                Effect::SetTimer { timer, .. } => {
                    self.now += Duration::from_millis(1);
                    // Late or repeated timers are harmless; every one of them at once would never end.
                    (self.sent.len() < 64 && self.now.as_millis() % 7 == 0).then_some(Event::Timer(timer))
                }
                _ => None,
            };
            assert!(self.in_flight <= CONTROL_FRAMES_MAX, "the line has no more room");
            if let Some(event) = answer {
                self.tell(event);
            }
        }
    }

    fn take_frames(&mut self) {
        for (lane, bytes) in std::mem::take(&mut self.sent) {
            self.in_flight -= usize::from(lane == Lane::Control);
            self.tell(Event::Sent { peer: PEER, lane, bytes });
        }
    }
}
