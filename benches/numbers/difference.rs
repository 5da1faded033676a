//! Difference: what it costs two devices to learn what only the other knows of a long history.
//!
//! Two sync machines, the program's own, on a line in memory that takes half a round trip each way; storing takes no
//! time. Counted are round trips until both know everything, and the bytes of all frames, acknowledgements included,
//! until nothing more is said. An entry is its name and as many bytes as a short message takes.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use overread::encoding::id::{CaseId, EntryId};
use overread::identity::keys::DeviceKey;
use overread::sync::event::{Effect, Event, Lane, Standing, Stored};
use overread::sync::log::{CaseLog, IndexEntry};
use overread::sync::machine::Machine;
use overread::sync::message::{Entries, List, Message};

use crate::Outcome;
use crate::table::{Figure, Samples, Table};

const HISTORY: usize = 100_000;

/// Entries that only one of the two has.
const APART: [usize; 2] = [10, 300];

/// Devices that wrote the history, the two among them.
const AUTHORS: usize = 8;

const ENTRY_BYTES: usize = 600;

const GOAL_ROUND_TRIPS: f64 = 3.0;

/// Half a round trip.
const ONE_WAY: Duration = Duration::from_millis(10);

/// Longer than any timer of an exchange.
const ENOUGH: Duration = Duration::from_secs(60);

const CASE: CaseId = CaseId([0xca; 32]);

pub fn measure(table: &mut Table) -> Outcome<()> {
    let mut world = World::new()?;
    let (round_trips, bytes) = world.meet()?;
    let entries = APART.iter().sum::<usize>() * ENTRY_BYTES;
    let what = format!("difference, {} and {} entries in {HISTORY}", APART[0], APART[1]);
    table.add(Figure::new(what.clone(), "round trips", Samples::of([round_trips])).goal(GOAL_ROUND_TRIPS));
    let goal_kib = 8.0 + 1.2 * entries as f64 / 1024.0;
    let what = format!("{what}, {} KiB of entries", entries / 1024);
    table.add(Figure::new(what, "KiB", Samples::of([bytes as f64 / 1024.0])).goal(goal_kib));
    Ok(())
}

/// What the index must know of an entry.
struct Written {
    device: DeviceKey,
    sequence: u64,
    previous: Option<EntryId>,
    parents: Vec<EntryId>,
}

struct Side {
    machine: Machine,
    logs: BTreeMap<CaseId, CaseLog>,
}

/// Two devices, what was ever written, and what happens next at which of them.
struct World {
    sides: [Side; 2],
    written: HashMap<EntryId, Written>,
    next: BTreeMap<(Duration, u64), (usize, Event)>,
    events: u64,
    bytes: usize,
}

impl World {
    fn new() -> Outcome<Self> {
        let side = |n| Side { machine: Machine::new(device(n)), logs: BTreeMap::from([(CASE, CaseLog::default())]) };
        let mut world =
            Self { sides: [side(0), side(1)], written: HashMap::new(), next: BTreeMap::new(), events: 0, bytes: 0 };
        let mut last: [Option<EntryId>; AUTHORS] = [None; AUTHORS];
        for n in 0..HISTORY {
            let cited = last[(n + AUTHORS - 1) % AUTHORS];
            let id = world.write(n % AUTHORS, last[n % AUTHORS], cited.into_iter().collect());
            last[n % AUTHORS] = Some(id);
            world.store(0, id)?;
            world.store(1, id)?;
        }
        for (side, entries) in APART.into_iter().enumerate() {
            for _ in 0..entries {
                let id = world.write(side, last[side], Vec::new());
                last[side] = Some(id);
                world.store(side, id)?;
            }
        }
        Ok(world)
    }

    fn write(&mut self, author: usize, previous: Option<EntryId>, parents: Vec<EntryId>) -> EntryId {
        let id = EntryId(*blake3::hash(&self.written.len().to_be_bytes()).as_bytes());
        let sequence = previous.map_or(0, |previous| self.written[&previous].sequence + 1);
        self.written.insert(id, Written { device: device(author), sequence, previous, parents });
        id
    }

    /// Whether it was new.
    fn store(&mut self, side: usize, id: EntryId) -> Outcome<bool> {
        let Written { device, sequence, previous, parents } = &self.written[&id];
        let (device, sequence, previous) = (*device, *sequence, *previous);
        let entry = IndexEntry { id, device, sequence, previous, parents, bytes: ENTRY_BYTES as u32 };
        Ok(self.sides[side].logs.entry(CASE).or_default().insert(&entry)?)
    }

    /// Lets the two connect: round trips until they know the same, and bytes until they are silent.
    fn meet(&mut self) -> Outcome<(f64, usize)> {
        for side in [0, 1] {
            let peer = device(1 - side);
            self.happens(Duration::ZERO, side, Event::Connected { peer });
            self.happens(Duration::ZERO, side, Event::Share { peer, case: CASE, standing: Standing::FullMember });
        }
        let mut equal_at = None;
        while let Some(((now, _), (side, event))) = self.next.pop_first() {
            if now > ENOUGH {
                break;
            }
            let Side { machine, logs } = &mut self.sides[side];
            let mut effects = Vec::new();
            machine.handle(event, now, logs, &mut effects);
            for effect in effects {
                self.carry_out(side, now, effect)?;
            }
            if self.sides.iter().all(|side| side.logs[&CASE].len() == self.written.len()) {
                equal_at.get_or_insert(now);
            }
        }
        let equal_at = equal_at.ok_or("the two devices do not come to know the same")?;
        Ok((equal_at.as_secs_f64() / (2 * ONE_WAY).as_secs_f64(), self.bytes))
    }

    fn carry_out(&mut self, side: usize, now: Duration, effect: Effect) -> Outcome<()> {
        match effect {
            Effect::Send { lane, message, .. } => self.send(side, now, lane, message),
            Effect::SendEntries { ids, .. } => {
                let entries = ids.iter().map(|id| [id.0.as_slice(), &[0; ENTRY_BYTES - 32]].concat().into()).collect();
                self.send(side, now, Lane::Control, Message::Entries(Entries { case: CASE, entries: List(entries) }));
            }
            Effect::AcceptEntries { peer, entries, .. } => {
                let mut stored = Stored::default();
                for entry in entries {
                    let id = EntryId(*entry.first_chunk().ok_or("an entry lost its name")?);
                    let list = if self.store(side, id)? { &mut stored.new } else { &mut stored.known };
                    list.push(id);
                }
                self.happens(now, side, Event::EntriesAccepted { peer, case: CASE, stored });
            }
            Effect::SetTimer { timer, at } => self.happens(at, side, Event::Timer(timer)),
            Effect::Breach { what, .. } => return Err(what.into()),
            _ => {}
        }
        Ok(())
    }

    fn send(&mut self, side: usize, now: Duration, lane: Lane, message: Message) {
        let frame = message.into_frame().into_vec();
        self.bytes += frame.len();
        self.happens(now, side, Event::Sent { peer: device(1 - side), lane, bytes: frame.len() });
        self.happens(now + ONE_WAY, 1 - side, Event::Received { peer: device(side), frame });
    }

    fn happens(&mut self, at: Duration, side: usize, event: Event) {
        self.events += 1;
        self.next.insert((at, self.events), (side, event));
    }
}

fn device(n: usize) -> DeviceKey {
    DeviceKey([n as u8 + 1; 32])
}
