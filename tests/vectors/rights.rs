//! Who is in a case, and which entries count, after histories in which everything happens at once.
//!
//! The acts are drawn at random, allowed or not, by people who have not heard of each other's: the rules of
//! `keys/format.md` section 8.3 have one answer to each. Nothing here is really sealed; rights lie in the clear.

use minicbor::bytes::ByteVec;
use overread::case::access::{AccessChange, Change, Members, Role};
use overread::case::entry::{Body, Clear, Header, SignedEntry, sign};
use overread::case::history::History;
use overread::case::members::{Membership, Verdict};
use overread::encoding::id::{Bytes, EntryId};
use overread::encoding::random::{self, Seeded};
use overread::encoding::to_bytes;
use overread::identity::keys::{DeviceKey, IdentityKey};
use serde_json::{Value as Json, json};

use super::{NOW, Person, base64, compare, hex};

const ROLES: [Role; 5] = [Role::Courier, Role::Observer, Role::Reader, Role::Admin, Role::Owner];

/// People with what each has heard of the case so far.
struct Scene {
    rng: Seeded,
    people: Vec<Person>,
    heard: Vec<History>,
    /// An older copy of somebody's state: who writes from it forks.
    stale: Vec<History>,
    written: Vec<Vec<u8>>,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let rng = Seeded::new(seed);
        let people: Vec<Person> = (0..7).map(|n| Person::new(seed * 100 + n, 2)).collect();
        let roles = [Role::Owner, Role::Admin, Role::Admin, Role::Reader, Role::Reader, Role::Observer];
        let changes = people.iter().zip(roles).map(|(person, role)| add(person, role)).collect();
        let mut scene = Self { rng, people, heard: vec![], stale: vec![], written: vec![] };
        let first = scene.compose(None, 0, 0, Some(AccessChange::Members(members(changes))));
        let history = History::found(SignedEntry::read(&first).unwrap()).unwrap();
        scene.written.push(first);
        scene.heard = vec![history.clone(); scene.people.len()];
        scene.stale = vec![history; scene.people.len()];
        scene
    }

    fn compose(
        &mut self,
        history: Option<&History>,
        person: usize,
        device: usize,
        access: Option<AccessChange>,
    ) -> Vec<u8> {
        let (secrets, _) = &self.people[person].devices[device];
        let last = history.and_then(|history| {
            let last = history.last_of(secrets.device()).max_by_key(|index| history.order_key(*index))?;
            Some((history, last))
        });
        let reached = |head: &EntryId| {
            last.is_some_and(|(history, last)| history.index_of(head).is_some_and(|head| history.in_past(head, last)))
        };
        let has_seal = !matches!(access, Some(AccessChange::Device(_)));
        let sealed = has_seal.then(|| ByteVec::from(vec![0; 17]));
        let clear = access.map(|access| Clear { access: Some(access), notices: vec![] });
        let body = Body { clear, sealed };
        let header = Header {
            format: 1,
            case: history.map(History::case),
            device: secrets.device(),
            sequence: last.map_or(0, |(history, last)| history[last].entry.header.sequence + 1),
            previous: last.map(|(history, last)| history[last].entry.id),
            parents: history
                .map_or(vec![], |history| history.heads().iter().filter(|id| !reached(id)).copied().collect()),
            claimed: NOW,
            epoch: history.filter(|_| has_seal).map(|history| history.case().into()),
            salt: Bytes(random::bytes(&mut self.rng)),
            commitment: Bytes([u8::from(has_seal); 32]),
            body_hash: Bytes(*blake3::hash(&to_bytes(&body)).as_bytes()),
        };
        sign(&header, &body, &secrets.signing)
    }

    /// Somebody does something, or hears of what others did.
    fn step(&mut self) {
        let who = self.rng.below(self.people.len());
        match self.rng.below(10) {
            0..4 => {
                let from = self.rng.below(self.people.len());
                let news = self.heard[from].clone();
                for (_, accepted) in news.entries() {
                    let known = self.written.iter().find_map(|bytes| {
                        let entry = SignedEntry::read(bytes).unwrap();
                        (entry.entry().id == accepted.entry.id).then_some(entry)
                    });
                    self.heard[who].accept(known.unwrap()).unwrap();
                }
            }
            4 => self.stale[who] = self.heard[who].clone(),
            5 => self.write_from_stale(who),
            _ => {
                let access = self.access(who);
                let device = self.rng.below(8) / 7;
                self.write(who, device, access);
            }
        }
    }

    fn write(&mut self, who: usize, device: usize, access: Option<AccessChange>) {
        let history = self.heard[who].clone();
        let bytes = self.compose(Some(&history), who, device, access);
        // Who was never named in what she heard cannot write.
        if self.heard[who].accept(SignedEntry::read(&bytes).unwrap()).is_ok() {
            self.written.push(bytes);
        }
    }

    fn write_from_stale(&mut self, who: usize) {
        let history = self.stale[who].clone();
        let access = self.access(who);
        let bytes = self.compose(Some(&history), who, 0, access);
        if self.heard[who].accept(SignedEntry::read(&bytes).unwrap()).is_ok() {
            self.written.push(bytes);
        }
    }

    /// Something to write: a message, a device of one's own, or one or two changes.
    fn access(&mut self, who: usize) -> Option<AccessChange> {
        match self.rng.below(8) {
            0 => None,
            1 => Some(AccessChange::Device(self.people[who].devices[1].1.clone())),
            _ => {
                let count = self.rng.below(3);
                Some(AccessChange::Members(members((0..count).map(|_| self.change()).collect())))
            }
        }
    }

    fn change(&mut self) -> Change {
        let about = self.rng.below(self.people.len());
        let device = self.rng.below(2);
        let role = ROLES[self.rng.below(5)];
        let person = &self.people[about];
        let identity = person.key();
        match self.rng.below(10) {
            0 | 1 => add(person, role),
            2 | 3 => Change::Remove { identity },
            4 | 5 => Change::SetRole { identity, role },
            6 => Change::RevokeDevice { identity, device: person.devices[device].0.device() },
            7 => Change::SetHeir { heir: (device == 0 || about > 1).then_some(identity) },
            8 => Change::Transfer { successor: identity },
            _ => Change::TakeOver,
        }
    }

    fn json(&self, name: &str) -> Json {
        let mut entries = self.written.iter().map(|bytes| SignedEntry::read(bytes).unwrap());
        let mut history = History::found(entries.next().unwrap()).unwrap();
        for entry in entries {
            history.accept(entry).unwrap();
        }
        let membership = Membership::fold(&history);
        let members: Vec<Json> = membership
            .members()
            .iter()
            .map(|(identity, member)| {
                let devices: Vec<String> = member.devices.keys().map(|device| hex(&device.0)).collect();
                json!({"identity": hex(&identity.0), "role": member.role.word(), "devices": devices})
            })
            .collect();
        let entries: Vec<Json> = history
            .entries()
            .zip(&self.written)
            .map(|((index, _), bytes)| {
                let verdict = match membership.verdict(index, Role::Reader) {
                    Verdict::Counts => "counts",
                    Verdict::Rightless => "rightless",
                    Verdict::CutOff => "cut-off",
                    Verdict::Forked => "after-fork",
                };
                let effective = membership.took_effect(index);
                json!({"bytes": base64(bytes), "as_reader": verdict, "took_effect": effective})
            })
            .collect();
        let key = |identity: Option<IdentityKey>| identity.map(|identity| hex(&identity.0));
        let forked: Vec<DeviceKey> = history.forks().map(|(device, ..)| device).collect();
        json!({
            "name": name, "entries": entries, "members": members, "owner": key(membership.owner()),
            "heir": key(membership.heir()), "forked": forked.iter().map(|device| hex(&device.0)).collect::<Vec<_>>(),
        })
    }
}

fn add(person: &Person, role: Role) -> Change {
    let devices = person.certificates().into_iter().take(1).collect();
    Change::Add { identity: person.key(), role, devices, unverified: false }
}

fn members(changes: Vec<Change>) -> Members {
    Members { changes, commitment: Bytes([1; 32]), seals: vec![], wrapped: vec![] }
}

fn scene(seed: u64, steps: usize) -> Scene {
    let mut scene = Scene::new(seed);
    for _ in 0..steps {
        scene.step();
    }
    scene
}

/// A reader certifies a second device, is removed, and returns with the first alone: the second stays out, and what
/// it goes on to write is worth nothing.
fn returned() -> Scene {
    const OWNER: usize = 0;
    const READER: usize = 3;
    let mut scene = Scene::new(84);
    let everybody_hears = |scene: &mut Scene, from: usize| {
        let news = scene.heard[from].clone();
        scene.heard.iter_mut().for_each(|heard| *heard = news.clone());
    };
    let second = AccessChange::Device(scene.people[READER].devices[1].1.clone());
    scene.write(READER, 1, Some(second));
    everybody_hears(&mut scene, READER);
    let identity = scene.people[READER].key();
    scene.write(OWNER, 0, Some(AccessChange::Members(members(vec![Change::Remove { identity }]))));
    let back = add(&scene.people[READER], Role::Reader);
    scene.write(OWNER, 0, Some(AccessChange::Members(members(vec![back]))));
    everybody_hears(&mut scene, OWNER);
    scene.write(READER, 0, None);
    scene.write(READER, 1, None);
    scene
}

#[test]
fn rights_are_as_committed() {
    let mut histories: Vec<Json> = (81..84).map(|seed| scene(seed, 60).json(&format!("seed {seed}"))).collect();
    histories.push(returned().json("returned with one device of two"));
    compare("rights.json", &json!({ "histories": histories }));
}
