//! What a peer may try: each attack is named, and so is what becomes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use minicbor::bytes::ByteVec;

use super::harness::{CASE, device};
use crate::encoding::id::{Bytes, CaseId, ChunkId, EntryId};
use crate::encoding::random::{Rng, Seeded};
use crate::identity::keys::DeviceKey;
use crate::sync::event::{Breach, Effect, Event, Standing, Stored};
use crate::sync::frontier::{DEVICES_MAX, DeviceHeads, Head};
use crate::sync::log::{CaseLog, IndexEntry};
use crate::sync::machine::{CARD_MESSAGES_MAX, Machine, OFFERS_MAX};
use crate::sync::message::*;
use crate::sync::peer::CONTROL_QUEUE_MAX;

const FOREIGN: CaseId = CaseId([0xee; 32]);

fn peer() -> DeviceKey {
    device(1)
}

fn logs() -> BTreeMap<CaseId, CaseLog> {
    let mut log = CaseLog::default();
    for sequence in 0..5u8 {
        let id = |n: u8| EntryId([n; 32]);
        let previous = sequence.checked_sub(1).map(id);
        let entry = IndexEntry {
            id: id(sequence),
            device: device(0),
            sequence: u64::from(sequence),
            previous,
            parents: &[],
            bytes: 100,
        };
        log.insert(&entry).unwrap();
    }
    BTreeMap::from([(CASE, log), (FOREIGN, CaseLog::default())])
}

struct Victim {
    machine: Machine,
    logs: BTreeMap<CaseId, CaseLog>,
    out: Vec<Effect>,
}

impl Victim {
    /// Connected, greeted, and sharing the case.
    fn new() -> Self {
        let mut victim = Self { machine: Machine::new(device(0)), logs: logs(), out: Vec::new() };
        victim.event(Event::Connected { peer: peer() });
        victim.event(Event::Share { peer: peer(), case: CASE, standing: Standing::FullMember });
        victim
    }

    fn greeted() -> Self {
        let mut victim = Self::new();
        victim.say(Message::Hello(Hello::OURS));
        victim.out.clear();
        victim
    }

    fn event(&mut self, event: Event) {
        self.machine.handle(event, Duration::from_secs(1), &self.logs, &mut self.out);
    }

    fn say(&mut self, message: Message) {
        self.event(Event::Received { peer: peer(), frame: message.into_frame().into_vec() });
    }

    fn breach(&self) -> Option<Breach> {
        self.out.iter().rev().find_map(|effect| match effect {
            Effect::Breach { what, .. } => Some(what.clone()),
            _ => None,
        })
    }

    fn said(&self) -> usize {
        let said = |effect: &&Effect| {
            matches!(effect, Effect::Send { .. } | Effect::SendEntries { .. } | Effect::SendChunk { .. })
        };
        self.out.iter().filter(said).count()
    }
}

fn digest(case: CaseId) -> Message {
    Message::Digests(List(vec![CaseDigest { case, digest: Bytes([9; 32]), answer: false }]))
}

fn heads(items: Vec<(u8, u64)>) -> List<DeviceHeads, DEVICES_MAX> {
    let item = |(device, sequence)| DeviceHeads {
        device: DeviceKey([device; 32]),
        heads: List(vec![Head { sequence, id: EntryId([0x77; 32]) }]),
    };
    List(items.into_iter().map(item).collect())
}

fn each_kind_about(case: CaseId) -> Vec<Message> {
    let ids = || List(vec![ChunkId([1; 32])]);
    let points = List(vec![Head { sequence: 1, id: EntryId([1; 32]) }]);
    vec![
        Message::Sketch(Sketch { case, digest: Bytes([0; 32]), items: List(vec![]) }),
        Message::Heads(Heads { case, matched: vec![].into(), heads: heads(vec![]) }),
        Message::Probe(Probe { case, device: device(0), points }),
        Message::Common(Common { case, device: device(0), head: EntryId([1; 32]), common: None }),
        Message::Entries(Entries { case, entries: List(vec![vec![1].into()]) }),
        Message::Ack(Ack { case, heads: heads(vec![]), taken: 1, stored: true, hold: false }),
        Message::ChunkRequest(ChunkRequest { case, class: Class::Screen, ids: ids() }),
        Message::Chunk(Chunk { case, id: ChunkId([1; 32]), bytes: vec![1].into() }),
        Message::Hurry(ChunkRequest { case, class: Class::Screen, ids: ids() }),
        Message::Missing(Chunks { case, ids: ids() }),
        Message::HaveMore(Chunks { case, ids: ids() }),
        Message::Cancel(Chunks { case, ids: ids() }),
        Message::Live(Live { case, slot: 0, bytes: vec![1].into() }),
    ]
}

#[test]
fn what_is_said_of_a_case_that_is_not_shared_is_a_breach_and_gets_no_answer() {
    for message in each_kind_about(FOREIGN) {
        let mut victim = Victim::greeted();
        victim.say(message.clone());
        assert_eq!(victim.breach(), Some(Breach::NotShared), "{message:?}");
        assert_eq!(victim.out.len(), 1, "{message:?}");
    }
}

#[test]
fn nothing_counts_before_hello_and_hello_counts_once() {
    for message in each_kind_about(CASE).into_iter().chain([digest(CASE), Message::Cards(List(vec![]))]) {
        let mut victim = Victim::new();
        victim.out.clear();
        victim.say(message.clone());
        assert_eq!(victim.breach(), Some(Breach::Hello), "{message:?}");
        assert_eq!(victim.said(), 0);
    }
    let mut victim = Victim::greeted();
    victim.say(Message::Hello(Hello::OURS));
    assert_eq!(victim.breach(), Some(Breach::Hello));
}

#[test]
fn another_version_is_told_and_then_not_listened_to() {
    let mut victim = Victim::new();
    victim.out.clear();
    victim.say(Message::Hello(Hello { version: 2, features: 9 }));
    assert_eq!(victim.out, [Effect::Incompatible { peer: peer(), version: 2 }]);
    assert!(!victim.machine.may_send(&peer(), &CASE));
    victim.say(digest(CASE));
    assert_eq!(victim.out.len(), 1);
}

/// What an attack sends, and how it ends.
struct Attack {
    name: &'static str,
    messages: Vec<Message>,
    outcome: Option<Breach>,
}

fn attacks() -> Vec<Attack> {
    let attack = |name, messages, outcome| Attack { name, messages, outcome };
    let sketch = || Message::Sketch(Sketch { case: CASE, digest: Bytes([0; 32]), items: List(vec![Bytes([1; 8]); 9]) });
    let answer = |matched: Vec<u8>, heads| Message::Heads(Heads { case: CASE, matched: matched.into(), heads });
    let ack = |heads, taken| Message::Ack(Ack { case: CASE, heads, taken, stored: true, hold: false });
    let big = || Message::Entries(Entries { case: CASE, entries: List(vec![ByteVec::from(vec![0; 250_000]); 8]) });
    let own = heads(vec![(1, 2)]); // device 0's key is [1; 32]
    vec![
        attack("a sketch before a digest", vec![sketch()], Some(Breach::Unexpected("a sketch before a digest"))),
        attack(
            "heads nobody asked for",
            vec![digest(CASE), answer(vec![0], heads(vec![])), answer(vec![0], heads(vec![]))],
            Some(Breach::Unexpected("heads nobody asked for")),
        ),
        attack(
            "too many bits in an answer",
            vec![digest(CASE), answer(vec![0, 0], heads(vec![]))],
            Some(Breach::BadFrontier),
        ),
        attack(
            "a device both matched and listed",
            vec![digest(CASE), answer(vec![1], own.clone())],
            Some(Breach::BadFrontier),
        ),
        attack(
            "heads that cannot be",
            vec![digest(CASE), answer(vec![0], heads(vec![(1, u64::MAX), (9, u64::MAX)]))],
            None,
        ),
        attack(
            "an acknowledgement that unlearns",
            vec![digest(CASE), answer(vec![1], heads(vec![])), ack(own, 0)],
            None,
        ),
        attack(
            "an acknowledgement of what was never sent",
            vec![digest(CASE), answer(vec![0], heads(vec![])), ack(heads(vec![]), u32::MAX)],
            None,
        ),
        attack(
            "a common point that was not named",
            vec![
                digest(CASE),
                answer(vec![0], heads(vec![(1, 3)])),
                Message::Common(Common {
                    case: CASE,
                    device: device(0),
                    head: EntryId([4; 32]),
                    common: Some(EntryId([0x55; 32])),
                }),
            ],
            Some(Breach::Unexpected("a common point that was not named")),
        ),
        attack(
            "an answer to no probe",
            vec![Message::Common(Common { case: CASE, device: device(0), head: EntryId([4; 32]), common: None })],
            None,
        ),
        attack(
            "probes of heads it does not have",
            [digest(CASE), answer(vec![1], heads(vec![]))]
                .into_iter()
                .chain((0..200).map(|n| {
                    Message::Probe(Probe {
                        case: CASE,
                        device: device(0),
                        points: List(vec![Head { sequence: n, id: EntryId([0x66; 32]) }]),
                    })
                }))
                .collect(),
            None,
        ),
        attack(
            "entries beyond the window",
            vec![digest(CASE), big(), big(), big(), big()],
            Some(Breach::Flood("entries beyond the window")),
        ),
        attack(
            "an endless want",
            (0..20)
                .map(|n| {
                    let ids = (0..128)
                        .map(|m| {
                            let mut id = [n; 32];
                            id[0] = m;
                            ChunkId(id)
                        })
                        .collect();
                    Message::ChunkRequest(ChunkRequest { case: CASE, class: Class::Series, ids: List(ids) })
                })
                .collect(),
            Some(Breach::Flood("requests for chunks")),
        ),
        attack(
            "a chunk nobody asked for",
            vec![digest(CASE), Message::Chunk(Chunk { case: CASE, id: ChunkId([1; 32]), bytes: vec![1].into() })],
            Some(Breach::UnaskedChunk),
        ),
        attack(
            "chunks missing that nobody asked for",
            vec![Message::Missing(Chunks { case: CASE, ids: List(vec![ChunkId([1; 32]); 128]) }); 50],
            None,
        ),
        attack(
            "more to have of nothing",
            vec![Message::HaveMore(Chunks { case: CASE, ids: List(vec![ChunkId([1; 32]); 128]) }); 50],
            None,
        ),
        attack(
            "cancelling what was not asked",
            vec![Message::Cancel(Chunks { case: CASE, ids: List(vec![ChunkId([1; 32]); 128]) }); 50],
            None,
        ),
        attack(
            "a flood of cards",
            vec![Message::Cards(List(vec![])); CARD_MESSAGES_MAX as usize + 1],
            Some(Breach::Flood("cards")),
        ),
        attack(
            "a bundle's message on a line",
            vec![Message::Frontier(CaseFrontier { case: CASE, frontier: Default::default() })],
            Some(Breach::Unexpected("a message for bundles")),
        ),
        attack(
            "questions faster than it reads answers",
            std::iter::once(digest(CASE)).chain(std::iter::repeat_n(sketch(), CONTROL_QUEUE_MAX + 50)).collect(),
            Some(Breach::Flood("messages that need an answer")),
        ),
    ]
}

#[test]
fn each_attack_ends_as_it_should() {
    for Attack { name, messages, outcome } in attacks() {
        let mut victim = Victim::greeted();
        messages.into_iter().for_each(|message| victim.say(message));
        assert_eq!(victim.breach(), outcome, "{name}");
        if outcome.is_some_and(|breach| breach.ends_connection()) {
            victim.out.clear();
            victim.say(digest(CASE));
            assert_eq!(victim.out, [], "{name}: nothing is heard any more");
        }
    }
}

#[test]
fn a_peer_that_unlearns_is_still_known_to_have_it() {
    let mut victim = Victim::greeted();
    victim.say(digest(CASE));
    victim.say(Message::Heads(Heads { case: CASE, matched: vec![1].into(), heads: heads(vec![]) }));
    assert!(victim.machine.delivered(&CASE, &EntryId([4; 32]), &peer(), &victim.logs));
    let lower = DeviceHeads { device: device(0), heads: List(vec![Head { sequence: 1, id: EntryId([1; 32]) }]) };
    victim.say(Message::Ack(Ack { case: CASE, heads: List(vec![lower]), taken: 0, stored: false, hold: false }));
    assert!(victim.machine.delivered(&CASE, &EntryId([4; 32]), &peer(), &victim.logs));
}

#[test]
fn offers_are_remembered_up_to_a_limit() {
    let mut victim = Victim::greeted();
    for n in 0..1000u32 {
        let mut case = [0xab; 32];
        case[..4].copy_from_slice(&n.to_be_bytes());
        victim.say(digest(CaseId(case)));
    }
    assert_eq!(victim.out.len(), OFFERS_MAX);
    assert_eq!(victim.said(), 0);
}

#[test]
fn a_second_answer_of_the_shell_does_no_harm() {
    let mut victim = Victim::greeted();
    victim.say(digest(CASE));
    victim.event(Event::EntriesAccepted { peer: peer(), case: CASE, stored: Stored::default() });
    victim.event(Event::Sent { peer: peer(), lane: crate::sync::event::Lane::Bulk, bytes: 0 });
    victim.event(Event::ChunkDurable { chunk: ChunkId([9; 32]) });
    assert_eq!(victim.breach(), None);
}

#[test]
fn random_messages_in_random_order_never_panic() {
    for seed in 0..3000 {
        let mut rng = Seeded::new(seed);
        let mut victim = Victim::greeted();
        victim.event(Event::Want {
            case: CASE,
            class: Class::Series,
            chunks: vec![ChunkId([1; 32]), ChunkId([2; 32])],
        });
        for _ in 0..30 {
            let mut pool = each_kind_about(CASE);
            pool.push(digest(CASE));
            pool.push(Message::Unshare(CASE));
            pool.extend(attacks_pool(&mut rng));
            let message = pool.swap_remove(rng.below(pool.len()));
            let mut frame = message.into_frame().into_vec();
            if rng.below(4) == 0 {
                let at = rng.below(frame.len());
                frame[at] = rng.next_u32() as u8;
            }
            victim.event(Event::Received { peer: peer(), frame });
            if rng.below(8) == 0 {
                victim.event(Event::Revoke { peer: peer(), case: CASE });
                victim.event(Event::Share { peer: peer(), case: CASE, standing: Standing::FullMember });
            }
        }
        assert!(victim.out.len() < 2000, "seed {seed}");
    }
}

fn attacks_pool(rng: &mut Seeded) -> Vec<Message> {
    let sequence = [0, 1, 3, 4, 5, u64::MAX][rng.below(6)];
    let listed = heads(vec![(1, sequence), (7, sequence)]);
    let id = EntryId([rng.below(6) as u8; 32]);
    vec![
        Message::Heads(Heads { case: CASE, matched: vec![rng.below(2) as u8].into(), heads: listed.clone() }),
        Message::Heads(Heads { case: CASE, matched: vec![0].into(), heads: heads(vec![(1, sequence)]) }),
        Message::Ack(Ack {
            case: CASE,
            heads: listed,
            taken: rng.next_u32(),
            stored: rng.below(2) == 0,
            hold: rng.below(2) == 0,
        }),
        Message::Probe(Probe { case: CASE, device: device(0), points: List(vec![Head { sequence, id }]) }),
        Message::Common(Common { case: CASE, device: device(0), head: EntryId([4; 32]), common: Some(id) }),
    ]
}
