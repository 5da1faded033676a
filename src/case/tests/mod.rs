//! Rooms of several people in one process, without network or disk.

mod claims;
mod forks;
mod hostile;
mod live;
mod schedules;

use std::collections::BTreeMap;

use super::access::{Change, Role};
use super::content::{CaseChange, Content, MembersNote, Message, PersonNote};
use super::entry::SignedEntry;
use super::history::Refusal;
use super::room::{Author, NewMember, Room, WriteError, Written};
use crate::encoding::id::EntryId;
use crate::encoding::random::Seeded;
use crate::encoding::time::Timestamp;
use crate::identity::certificate::DeviceCertificate;
use crate::identity::keys::{DeviceSecrets, IdentityKey, SigningSecret};

/// A person with her devices.
struct Person {
    secret: SigningSecret,
    devices: Vec<(DeviceSecrets, DeviceCertificate)>,
}

impl Person {
    fn new(rng: &mut Seeded, devices: usize) -> Self {
        let secret = SigningSecret::random(rng);
        let mut person = Self { secret, devices: Vec::new() };
        for _ in 0..devices {
            person.certify(rng);
        }
        person
    }

    fn certify(&mut self, rng: &mut Seeded) {
        let secrets = DeviceSecrets::random(rng);
        let certificate = DeviceCertificate::issue(&self.secret, &secrets, Timestamp(0));
        self.devices.push((secrets, certificate));
    }

    fn identity(&self) -> IdentityKey {
        IdentityKey(self.secret.public())
    }

    fn author(&self, device: usize) -> Author<'_> {
        let (secrets, certificate) = &self.devices[device];
        Author { certificate, secrets }
    }

    fn certificates(&self) -> Vec<DeviceCertificate> {
        self.devices.iter().map(|(_, certificate)| certificate.clone()).collect()
    }

    fn as_new(&self, role: Role) -> NewMember {
        NewMember { identity: self.identity(), role, devices: self.certificates(), unverified: false }
    }
}

/// What one device holds: its room, and the bytes of every entry in it.
struct Copy {
    room: Room,
    bytes: BTreeMap<EntryId, Vec<u8>>,
    order: Vec<EntryId>,
}

impl Copy {
    fn found(owner: &Person, invited: &[NewMember], rng: &mut Seeded) -> Self {
        let author = owner.author(0);
        let (room, written) =
            Room::found(&author, owner.certificates(), invited, note(), Timestamp(1_000), rng).unwrap();
        let mut copy = Self { room, bytes: BTreeMap::new(), order: Vec::new() };
        copy.keep(&[written]);
        copy
    }

    /// The same entries on another device.
    fn for_device(&self, author: &Author<'_>) -> Self {
        let mut entries = self.order.iter().map(|id| SignedEntry::read(&self.bytes[id]).unwrap());
        let mut room = Room::open(entries.next().unwrap(), entries).unwrap();
        room.learn(author);
        Self { room, bytes: self.bytes.clone(), order: self.order.clone() }
    }

    fn keep(&mut self, written: &[Written]) {
        for entry in written {
            self.bytes.insert(entry.id, entry.bytes.clone());
            self.order.push(entry.id);
        }
    }

    /// Takes in everything `other` holds and this does not, in causal order.
    fn take_from(&mut self, other: &Self, author: &Author<'_>) {
        for id in &other.order {
            if !self.bytes.contains_key(id) {
                self.take(&other.bytes[id]).unwrap();
            }
        }
        self.room.learn(author);
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let entry = SignedEntry::read(bytes).unwrap();
        let id = entry.entry().id;
        self.room.accept(entry)?;
        if self.bytes.insert(id, bytes.to_vec()).is_none() {
            self.order.push(id);
        }
        Ok(())
    }

    fn say(&mut self, author: &Author<'_>, text: &str, rng: &mut Seeded) -> Result<EntryId, WriteError> {
        self.write(author, &message(text), rng)
    }

    fn write(&mut self, author: &Author<'_>, content: &Content, rng: &mut Seeded) -> Result<EntryId, WriteError> {
        let now = Timestamp(2_000 + self.order.len() as i64);
        let written = self.room.write(author, content, None, now, rng)?;
        self.keep(&written);
        Ok(written[written.len() - 1].id)
    }

    fn change(&mut self, author: &Author<'_>, changes: Vec<Change>, rng: &mut Seeded) -> Result<EntryId, WriteError> {
        let now = Timestamp(2_000 + self.order.len() as i64);
        let written = self.room.change_members(author, changes, note(), None, now, rng)?;
        let id = written.id;
        self.keep(&[written]);
        Ok(id)
    }

    fn texts(&self) -> Vec<String> {
        self.room.state().shared.messages.iter().map(|said| said.content.text.clone()).collect()
    }

    fn role(&self, person: &Person) -> Option<Role> {
        self.room.membership().role(&person.identity())
    }
}

fn note() -> MembersNote {
    MembersNote { people: Vec::new(), reason: None }
}

fn note_for(person: &Person, name: &str) -> MembersNote {
    let person = PersonNote { identity: person.identity(), name: name.into(), site: "Site".into() };
    MembersNote { people: vec![person], reason: None }
}

fn message(text: &str) -> Content {
    Content::Message(Message { text: text.into(), view: None, reply_to: None })
}

fn question(text: &str) -> Content {
    Content::Case(CaseChange { question: Some(text.into()), ..CaseChange::default() })
}
