//! A whole case: its entries with what they say, the state they fold to, and entries that are refused.

use minicbor::bytes::ByteVec;
use overread::case::access::{AccessChange, Change, Role};
use overread::case::content::{
    Addendum, Agreement, Basis, CaseChange, Content, Critical, ImageRef, Mark, MarkDeleted, MembersNote, Message,
    Opinion, PersonNote, Point, Receipt, SeriesBasis, Shape, Status, StudyAdded, StudyRole, StudyWithdrawn, Urgency,
};
use overread::case::entry::{Body, Clear, Entry, EntryError, Header, SignedEntry, sign};
use overread::case::history::{History, Refusal};
use overread::case::keyring::Opened;
use overread::case::room::{Author, NewMember, Room, WriteError, Written};
use overread::case::spoken::spoken_name;
use overread::case::state::Outcome;
use overread::encoding::id::{Bytes, CaseId, EntryId};
use overread::encoding::labels::{SIGN_CARD, SIGN_ENTRY};
use overread::encoding::random::Seeded;
use overread::encoding::time::Timestamp;
use overread::encoding::to_bytes;
use overread::identity::keys::{DeviceSecrets, Secret};
use overread::seal::chunk::StudyKey;
use serde_json::{Value as Json, json};

use super::cbor::Value;
use super::{NOW, Person, base64, blob, compare, decode_refusal, flipped, hex, study};

pub(super) const OWNER: usize = 0;
pub(super) const READER: usize = 1;
const OBSERVER: usize = 2;
/// The reader's second device, which joins later.
const LAPTOP: usize = 3;

/// Everybody's copy of the case, in step after each entry.
pub(super) struct World {
    rng: Seeded,
    pub(super) people: Vec<Person>,
    rooms: Vec<Room>,
    pub(super) written: Vec<Written>,
}

/// Person and device of each room.
const DEVICES: [(usize, usize); 4] = [(OWNER, 0), (READER, 0), (OBSERVER, 0), (READER, 1)];

pub(super) fn author(people: &[Person], room: usize) -> Author<'_> {
    let (person, device) = DEVICES[room];
    let (secrets, certificate) = &people[person].devices[device];
    Author { certificate, secrets }
}

pub(super) fn member(person: &Person, role: Role) -> NewMember {
    let devices = person.certificates().into_iter().take(1).collect();
    NewMember { identity: person.key(), role, devices, unverified: false }
}

fn no_note() -> MembersNote {
    MembersNote { people: vec![], reason: None }
}

impl World {
    fn found() -> Self {
        let mut rng = Seeded::new(60);
        let people: Vec<Person> = [(61, 1), (62, 2), (63, 1), (64, 1)].map(|(seed, n)| Person::new(seed, n)).into();
        let name = |person: &Person, name: &str| PersonNote {
            identity: person.key(),
            name: name.into(),
            site: "Kantonsspital Süd".into(),
        };
        let note = MembersNote {
            people: vec![name(&people[OWNER], "Anna Weiß"), name(&people[READER], "Jun Tanaka")],
            reason: None,
        };
        let invited = [member(&people[READER], Role::Reader), member(&people[3], Role::Courier)];
        let owner = author(&people, OWNER);
        let devices = people[OWNER].certificates();
        let (room, first) = Room::found(&owner, devices, &invited, note, NOW, &mut rng).unwrap();
        let mut rooms = vec![room];
        for _ in 1..DEVICES.len() {
            rooms.push(Room::open(SignedEntry::read(&first.bytes).unwrap(), []).unwrap());
        }
        let mut world = Self { rng, people, rooms, written: vec![first] };
        world.learn();
        world
    }

    fn learn(&mut self) {
        for (room, opened) in self.rooms.iter_mut().enumerate() {
            opened.learn(&author(&self.people, room));
        }
    }

    /// Lets a device write, and everybody else take it in.
    fn act<F>(&mut self, room: usize, write: F) -> EntryId
    where
        F: FnOnce(&mut Room, &Author<'_>, Timestamp, &mut Seeded) -> Result<Vec<Written>, WriteError>,
    {
        let now = NOW.plus_ms(60_000 * self.written.len() as i64);
        let written = write(&mut self.rooms[room], &author(&self.people, room), now, &mut self.rng).unwrap();
        for entry in &written {
            for other in (0..DEVICES.len()).filter(|other| *other != room) {
                self.rooms[other].accept(SignedEntry::read(&entry.bytes).unwrap()).unwrap();
            }
        }
        self.learn();
        let id = written[written.len() - 1].id;
        self.written.extend(written);
        id
    }

    pub(super) fn say(&mut self, room: usize, content: Content, notice: Option<Urgency>) -> EntryId {
        self.act(room, |room, author, now, rng| room.write(author, &content, notice, now, rng))
    }

    fn entry(&self, id: EntryId) -> Entry {
        let written = self.written.iter().find(|written| written.id == id).unwrap();
        SignedEntry::read(&written.bytes).unwrap().into_entry()
    }

    /// A header for one more entry of the reader's first device, after everything.
    fn next_header(&self) -> Header {
        let room = &self.rooms[READER];
        let device = self.people[READER].devices[0].0.device();
        let last = room.history().last_of(device).next().unwrap();
        let last = &room.history()[last];
        let reached = |id: &EntryId| *id == last.entry.id;
        Header {
            format: 1,
            case: Some(room.case()),
            device,
            sequence: last.entry.header.sequence + 1,
            previous: Some(last.entry.id),
            parents: room.history().heads().iter().filter(|id| !reached(id)).copied().collect(),
            claimed: NOW.plus_ms(3_600_000),
            epoch: Some(room.membership().sealing_epoch().unwrap().id),
            salt: Bytes([0x5a; 32]),
            commitment: Bytes([0; 32]),
            body_hash: Bytes([0; 32]),
        }
    }

    /// An entry with any sealed bytes, rightly sealed.
    fn sealed(&self, header: &Header, content: &[u8], access: Option<AccessChange>) -> (Header, Body) {
        let secret = self.rooms[OWNER].keyring().secret(&header.epoch.unwrap()).unwrap();
        let key = secret.entry_key(header.sealing_case(), header.device, &header.salt.0);
        let mut header = Header { commitment: Bytes(key.commitment()), ..header.clone() };
        let sealed = key.seal(&header.associated_data(), content.to_vec()).unwrap();
        let clear = access.map(|access| Clear { access: Some(access), notices: vec![] });
        let body = Body { clear, sealed: Some(ByteVec::from(sealed)) };
        header.body_hash = Bytes(*blake3::hash(&to_bytes(&body)).as_bytes());
        (header, body)
    }

    fn reader(&self) -> &DeviceSecrets {
        &self.people[READER].devices[0].0
    }

    /// Header and body as the reader's first device signs them.
    fn signed(&self, header: &Header, body: &Body) -> Vec<u8> {
        let body_hash = Bytes(*blake3::hash(&to_bytes(body)).as_bytes());
        sign(&Header { body_hash, ..header.clone() }, body, &self.reader().signing)
    }

    /// The whole case on one more device.
    pub(super) fn replay(&self, room: usize) -> Room {
        let mut entries = self.written.iter().map(|written| SignedEntry::read(&written.bytes).unwrap());
        let mut copy = Room::open(entries.next().unwrap(), entries).unwrap();
        copy.learn(&author(&self.people, room));
        copy
    }
}

/// A consult from question to closing, with each kind of entry in it.
pub(super) fn consult() -> World {
    let mut world = World::found();
    let question = CaseChange {
        question: Some("Is the nodule in the left upper lobe a metastasis?".into()),
        context: Some("Melanoma 2019, resected.".into()),
        first_report: Some("No focal lesion.".into()),
        urgency: Some(Urgency::Stat),
        due: Some(NOW.plus_ms(86_400_000)),
        status: Some(Status::Open),
    };
    let question = world.say(OWNER, Content::Case(question), Some(Urgency::Stat));
    let key = Secret::new(study::STUDY_KEY);
    let study = StudyKey(key.duplicate()).study_id();
    let added = StudyAdded { study, role: StudyRole::Index, key, head: study::head() };
    let added = world.say(OWNER, Content::StudyAdded(Box::new(added)), None);
    let image = ImageRef { study, sop_instance_uid: "2.25.7".into(), frame: 1 };
    let draw = |column: f64, replaces| Mark {
        replaces,
        image: image.clone(),
        shape: Shape::Probe,
        points: vec![Point { column, row: 8.0 }],
        label: Some("nodule".into()),
        measured: None,
        tracking_uid: None,
    };
    let mark = world.say(READER, Content::Mark(draw(7.0, None)), None);
    world.say(READER, Content::Mark(draw(7.5, Some(mark.into()))), None);
    let other_mark = world.say(READER, Content::Mark(draw(1.0, None)), None);
    world.say(READER, Content::MarkDeleted(MarkDeleted { mark: other_mark.into() }), None);
    let series = SeriesBasis {
        study,
        series_instance_uid: "2.25.7".into(),
        instances_expected: 1,
        instances_received: 1,
        instances_displayed: None,
        best_scale: None,
        protocol: None,
        grey_steps: None,
    };
    let opinion = Opinion {
        impression: "Metastasis is likely.".into(),
        agreement: Agreement::Disagree,
        findings: Some("A nodule of 7 mm.".into()),
        recommendation: Some("CT in three months.".into()),
        confidence_percent: Some(80),
        basis: Basis { question, heads: vec![added], series: vec![series], incomplete: false },
        critical_call: None,
    };
    let opinion = world.say(READER, Content::Opinion(Box::new(opinion)), None);
    // Two entries that do not know of each other.
    let reply = Content::Message(Message { text: "Thank you.".into(), view: None, reply_to: Some(opinion) });
    let addendum = Content::Addendum(Addendum { opinion: opinion.into(), text: "Compared with 2021.".into() });
    let now = NOW.plus_ms(3_000_000);
    let owner_writes = {
        let owner = author(&world.people, OWNER);
        world.rooms[OWNER].write(&owner, &reply, None, now, &mut world.rng).unwrap()
    };
    world.say_concurrently(READER, &addendum, owner_writes);

    let observer = member(&world.people[OBSERVER], Role::Observer);
    world.act(OWNER, |room, author, now, rng| {
        let note = MembersNote { people: vec![], reason: Some("tumour board".into()) };
        let changes = vec![observer.change(), Change::SetHeir { heir: None }];
        Ok(vec![room.change_members(author, changes, note, Some(Urgency::Urgent), now, rng)?])
    });
    let receipt = Receipt { opened: vec![opinion], read: vec![opinion], deleted: vec![] };
    world.say(OBSERVER, Content::Receipt(receipt), None);
    let laptop = world.people[READER].devices[1].1.clone();
    world.act(LAPTOP, |room, author, now, rng| Ok(vec![room.add_device(author, &laptop, now, rng)?]));
    let laptop = laptop.device();
    world.act(OWNER, |room, author, now, rng| Ok(vec![room.hand_keys(author, laptop, now, rng)?]));
    let critical = Critical { finding: "Tension pneumothorax".into(), call: None, opinion: Some(opinion.into()) };
    world.say(LAPTOP, Content::Critical(critical), Some(Urgency::Stat));
    let observer = world.people[OBSERVER].key();
    world.act(OWNER, |room, author, now, rng| {
        let changes = vec![Change::Remove { identity: observer }];
        Ok(vec![room.change_members(author, changes, no_note(), None, now, rng)?])
    });
    let withdrawn = StudyWithdrawn { study, reason: Some("wrong series".into()) };
    world.say(OWNER, Content::StudyWithdrawn(withdrawn), None);
    world.say(OWNER, Content::Case(CaseChange { status: Some(Status::Closed), ..CaseChange::default() }), None);
    world.say(READER, Content::Message(Message { text: "One more thing.".into(), view: None, reply_to: None }), None);
    world
}

impl World {
    /// Writes as `room` before it takes in what the owner wrote meanwhile.
    fn say_concurrently(&mut self, room: usize, content: &Content, meanwhile: Vec<Written>) {
        let now = NOW.plus_ms(60_000 * self.written.len() as i64);
        let own = self.rooms[room].write(&author(&self.people, room), content, None, now, &mut self.rng).unwrap();
        for (writer, entries) in [(OWNER, meanwhile), (room, own)] {
            for other in (0..DEVICES.len()).filter(|other| *other != writer) {
                for entry in &entries {
                    self.rooms[other].accept(SignedEntry::read(&entry.bytes).unwrap()).unwrap();
                }
            }
            self.written.extend(entries);
        }
        self.learn();
    }
}

fn entry_refusal(error: &EntryError) -> &'static str {
    match error {
        EntryError::Encoding(error) => decode_refusal(error),
        EntryError::OtherFormat(_) => "version",
        EntryError::BodyHash => "body-hash",
        EntryError::Shape(_) => "shape",
        EntryError::Signature(_) => "signature",
        EntryError::Certificate(_) => "certificate",
    }
}

fn history_refusal(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NotAFirstEntry => "not-first",
        Refusal::OtherCase => "other-case",
        Refusal::UnknownCause(_) => "missing-cause",
        Refusal::RedundantParent => "redundant-parent",
        Refusal::WrongPrevious => "wrong-previous",
        Refusal::UnknownEpoch => "unknown-epoch",
        Refusal::UnknownDevice => "unknown-device",
        Refusal::ForeignDevice => "foreign-device",
    }
}

fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Counts => "counts",
        Outcome::Rightless => "rightless",
        Outcome::CutOff => "cut-off",
        Outcome::AfterFork => "after-fork",
        Outcome::Void => "void",
        Outcome::NoKey => "no-key",
        Outcome::Malformed => "malformed",
        Outcome::Unknown => "unknown",
    }
}

#[test]
fn a_case_is_as_committed() {
    let world = consult();
    let room = world.replay(LAPTOP);
    let state = room.state();
    let hash = state.state_hash().expect("the reader's second device was handed every key");
    assert_eq!(world.rooms[OWNER].state().state_hash(), Some(hash));
    let entries: Vec<Json> = world
        .written
        .iter()
        .map(|written| {
            let accepted = &room.history()[room.history().index_of(&written.id).unwrap()];
            let line = state.log.iter().find(|line| line.stamp.entry == written.id).unwrap();
            let content = match room.keyring().open(accepted) {
                Opened::Content(content) => json!(base64(&content.to_bytes())),
                Opened::Nothing => Json::Null,
                _ => panic!("every entry opens"),
            };
            json!({
                "id": hex(&written.id.0), "bytes": base64(&written.bytes), "author": hex(&accepted.author.0),
                "lamport": accepted.lamport, "content": content, "what": line.what,
                "outcome": outcome_word(line.outcome),
            })
        })
        .collect();
    let secrets: serde_json::Map<String, Json> =
        room.keyring().epochs().map(|(epoch, secret)| (hex(&epoch.0), json!(hex(secret.0.reveal())))).collect();
    let fold_order: Vec<String> =
        room.history().fold_order().into_iter().map(|index| hex(&room.history()[index].entry.id.0)).collect();
    let members: Vec<Json> = state
        .shared
        .members
        .iter()
        .map(|(identity, member)| {
            let devices: Vec<String> = member.devices.iter().map(|device| hex(&device.0)).collect();
            json!({"identity": hex(&identity.0), "role": member.role.word(), "devices": devices})
        })
        .collect();
    let names = ["owner", "reader", "observer", "courier"];
    let made = json!({
        "people": world.people.iter().zip(names).map(|(person, name)| person.json(name)).collect::<Vec<_>>(),
        "case": hex(&room.case().0), "spoken": spoken_name(&room.case()), "entries": entries,
        "epoch_secrets": secrets, "fold_order": fold_order, "members": members,
        "heads": state.heads.iter().map(|head| hex(&head.0)).collect::<Vec<_>>(),
        "shared": base64(&to_bytes(&state.shared)), "state_hash": hex(&hash),
        "bad": refused(&world), "alone": alone(&world), "fork": fork(&world),
    });
    compare("case.json", &made);
}

/// Entries that no history takes, each with the reason.
fn refused(world: &World) -> Vec<Json> {
    let message = Content::Message(Message { text: "hello".into(), view: None, reply_to: None }).to_bytes();
    let (header, body) = world.sealed(&world.next_header(), &message, None);
    let good = world.signed(&header, &body);
    assert!(world.replay(OWNER).accept(SignedEntry::read(&good).unwrap()).is_ok());
    let value = Value::read(&good);
    let header_value = Value::read(&to_bytes(&header));
    let owner = &world.people[OWNER].devices[0].0;
    let wire = |header: &[u8], label: &str| {
        let signature = world.reader().signing.sign(label, header).0.to_vec();
        value.clone().set(&[0], Value::Bytes(header.to_vec())).set(&[2], Value::Bytes(signature)).to_bytes()
    };
    // The number of the format spelled in two bytes, inside a header that is rightly signed.
    let long_number = [&[0xab, 0x00, 0x18, 0x01], &to_bytes(&header)[3..]].concat();
    let with_body = |header: &Header, body: &Body| world.signed(header, body);
    let clear = |access: Option<AccessChange>| Body { clear: Some(Clear { access, notices: vec![] }), sealed: None };
    let nothing_sealed = Header { epoch: None, commitment: Bytes([0; 32]), ..header.clone() };
    let device_entry = world.entry(
        world
            .written
            .iter()
            .map(|written| written.id)
            .find(|id| matches!(world.entry(*id).body.access(), Some(AccessChange::Device(_))))
            .unwrap(),
    );
    let laptop = &world.people[READER].devices[1].0;
    let stranger = Person::new(65, 1);
    let bad_certificate = {
        let body = Value::read(&to_bytes(&device_entry.body));
        let body = body.set(&[0, 0, 1, 0, 2], Value::Bytes(vec![7; 64])).to_bytes();
        let header = Header { body_hash: Bytes(*blake3::hash(&body).as_bytes()), ..device_entry.header.clone() };
        let signature = laptop.signing.sign(SIGN_ENTRY, &to_bytes(&header)).0.to_vec();
        let parts = [to_bytes(&header), body, signature];
        Value::Map(parts.into_iter().zip(0..).map(|(part, n)| (Value::Uint(n), Value::Bytes(part))).collect())
            .to_bytes()
    };
    let foreign_add = {
        let add = Change::Add {
            identity: stranger.key(),
            role: Role::Reader,
            devices: world.people[OBSERVER].certificates(),
            unverified: false,
        };
        let secret = overread::seal::epoch::EpochSecret(Secret::new([1; 32]));
        let members = overread::case::access::Members {
            changes: vec![add],
            commitment: Bytes(secret.commitment()),
            seals: vec![],
            wrapped: vec![],
        };
        let sealed = Some(ByteVec::from(vec![0; 40]));
        Body { clear: Some(Clear { access: Some(AccessChange::Members(members)), notices: vec![] }), sealed }
    };
    let (one, two) = (EntryId([8; 32]), EntryId([9; 32]));
    let many: Vec<EntryId> = (0..129u8).map(|n| EntryId([n; 32])).collect();
    let large = Body { clear: None, sealed: Some(ByteVec::from(vec![0; 65 * 1024])) };
    let header_with = |change: &dyn Fn(&mut Header)| {
        let mut changed = header.clone();
        change(&mut changed);
        world.signed(&changed, &body)
    };
    let reading: Vec<(&str, Vec<u8>, &str)> = vec![
        ("a flipped bit in the salt", flipped(&good, find(&good, &[0x5a; 32])), "signature"),
        ("a flipped bit in the body", flipped(&good, find(&good, body.sealed.as_ref().unwrap())), "body-hash"),
        ("a flipped bit in the signature", flipped(&good, good.len() - 1), "signature"),
        ("signed by another device", sign(&header, &body, &owner.signing), "signature"),
        ("signed as a card", wire(&to_bytes(&header), SIGN_CARD), "signature"),
        ("written by a weak key", header_with(&|header| header.device.0 = [0; 32]), "signature"),
        ("another format", header_with(&|header| header.format = 2), "version"),
        ("a longer spelling of a number", wire(&long_number, SIGN_ENTRY), "encoding"),
        (
            "an unknown field in the header",
            wire(&header_value.clone().with_field(11, Value::Uint(0)).to_bytes(), SIGN_ENTRY),
            "encoding",
        ),
        ("an unknown field beside the signature", value.clone().with_field(3, Value::Uint(0)).to_bytes(), "encoding"),
        ("a byte too many", [good.as_slice(), &[0]].concat(), "encoding"),
        ("cut off", good[..good.len() - 1].to_vec(), "encoding"),
        ("a message of 65 KiB", with_body(&header, &large), "too-long"),
        ("longer than any entry", vec![0; 256 * 1024 + 1], "too-long"),
        ("parents out of order", header_with(&|header| header.parents = vec![two, one]), "shape"),
        ("a parent twice", header_with(&|header| header.parents = vec![one, one]), "shape"),
        ("129 parents", header_with(&|header| header.parents = many.clone()), "shape"),
        ("a sequence without the entry before", header_with(&|header| header.previous = None), "shape"),
        ("sequence 0 after another entry", header_with(&|header| header.sequence = 0), "shape"),
        ("sealed without an epoch", header_with(&|header| header.epoch = None), "shape"),
        ("sealed without a commitment", header_with(&|header| header.commitment = Bytes([0; 32])), "shape"),
        (
            "a message that founds a case",
            header_with(&|header| {
                (header.case, header.epoch, header.sequence, header.previous) = (None, None, 0, None);
                header.parents = vec![];
            }),
            "shape",
        ),
        (
            "an entry without a past",
            header_with(&|header| {
                (header.sequence, header.previous) = (0, None);
                header.parents = vec![];
            }),
            "shape",
        ),
        ("nothing at all", with_body(&nothing_sealed, &Body { clear: None, sealed: None }), "shape"),
        ("no handed keys", with_body(&nothing_sealed, &clear(Some(AccessChange::Keys(vec![])))), "shape"),
        ("a person with another's devices", with_body(&header, &foreign_add), "shape"),
        ("a certificate the device did not sign", bad_certificate, "certificate"),
    ];
    let first = world.written[0].id;
    let device = AccessChange::Device(stranger.devices[0].1.clone());
    let at_start = world.entry(world.written[1].id);
    let by_stranger = |case: Option<CaseId>| {
        let device = stranger.devices[0].0.device();
        let parents = header.parents.iter().chain(&header.previous).copied().collect();
        let header = Header { case, device, sequence: 0, previous: None, parents, ..header.clone() };
        sign(&header, &body, &stranger.devices[0].0.signing)
    };
    let (room, other_first) = {
        let author = Author { certificate: &stranger.devices[0].1, secrets: &stranger.devices[0].0 };
        let mut rng = Seeded::new(66);
        Room::found(&author, stranger.certificates(), &[], no_note(), NOW, &mut rng).unwrap()
    };
    let unknown = EntryId([3; 32]);
    let accepting: Vec<(&str, Vec<u8>, &str)> = vec![
        ("moved to another case", header_with(&|header| header.case = Some(room.case())), "other-case"),
        ("the first entry of another case", other_first.bytes, "other-case"),
        ("an unknown parent", header_with(&|header| header.parents = vec![unknown]), "missing-cause"),
        ("an unknown entry before", header_with(&|header| header.previous = Some(unknown)), "missing-cause"),
        ("a parent that is reached already", header_with(&|header| header.parents = vec![first]), "redundant-parent"),
        ("a gap in the log", header_with(&|header| header.sequence += 1), "wrong-previous"),
        (
            "after another device's entry",
            header_with(&|header| {
                header.previous = Some(at_start.id);
                header.sequence = at_start.header.sequence + 1;
                header.parents = vec![];
            }),
            "wrong-previous",
        ),
        ("an unknown epoch", header_with(&|header| header.epoch = Some(unknown)), "unknown-epoch"),
        ("an epoch that is a message", header_with(&|header| header.epoch = Some(at_start.id)), "unknown-epoch"),
        ("a stranger who learned the case id", by_stranger(header.case), "unknown-device"),
        ("a device for somebody else", with_body(&nothing_sealed, &clear(Some(device))), "foreign-device"),
    ];
    let mut list = Vec::new();
    for (name, bytes, expected) in reading {
        let error = SignedEntry::read(&bytes).expect_err(name);
        assert_eq!(entry_refusal(&error), expected, "{name}: {error}");
        list.push(json!({"name": name, "bytes": blob(&bytes), "stage": "read", "refusal": expected}));
    }
    for (name, bytes, expected) in accepting {
        let refusal = world.replay(OWNER).accept(SignedEntry::read(&bytes).unwrap()).expect_err(name);
        assert_eq!(history_refusal(refusal), expected, "{name}: {refusal}");
        list.push(json!({"name": name, "bytes": blob(&bytes), "stage": "accept", "refusal": expected}));
    }
    let refusal = History::found(SignedEntry::read(&good).unwrap()).expect_err("a later entry founds no case");
    let refusal = history_refusal(refusal);
    list.push(json!({"name": "a later entry alone", "bytes": blob(&good), "stage": "found", "refusal": refusal}));
    list
}

/// Entries that are accepted after all others, each alone, and what becomes of them.
fn alone(world: &World) -> Vec<Json> {
    let message = Content::Message(Message { text: "hello".into(), view: None, reply_to: None }).to_bytes();
    let next = world.next_header();
    let (header, body) = world.sealed(&next, &message, None);
    let (_, other_body) = world.sealed(&Header { salt: Bytes([0x5b; 32]), ..next.clone() }, &message, None);
    let sealed = |content: &[u8]| {
        let (header, body) = world.sealed(&next, content, None);
        world.signed(&header, &body)
    };
    let with = |header: Header, body: &Body| world.signed(&header, body);
    let close = Content::Case(CaseChange { status: Some(Status::Open), ..CaseChange::default() }).to_bytes();
    let list: Vec<(&str, Vec<u8>, &str)> = vec![
        ("a message", with(header.clone(), &body), "counts"),
        ("another commitment", with(Header { commitment: Bytes([7; 32]), ..header.clone() }, &body), "malformed"),
        ("sealed under another salt", with(header.clone(), &other_body), "malformed"),
        ("a header changed after sealing", with(Header { claimed: NOW, ..header.clone() }, &body), "malformed"),
        ("content with a byte too many", sealed(&[message.as_slice(), &[0]].concat()), "malformed"),
        ("an impression of spaces", sealed(&empty_opinion()), "malformed"),
        ("a kind of later", sealed(&[0x82, 18, 0x80]), "unknown"),
        ("a status from a reader", sealed(&close), "rightless"),
        (
            "a study under another key's name",
            sealed(
                &Content::StudyAdded(Box::new(StudyAdded {
                    study: StudyKey(Secret::new([1; 32])).study_id(),
                    role: StudyRole::Index,
                    key: Secret::new([2; 32]),
                    head: study::head(),
                }))
                .to_bytes(),
            ),
            "void",
        ),
    ];
    list.into_iter()
        .map(|(name, bytes, expected)| {
            let mut room = world.replay(OWNER);
            let entry = SignedEntry::read(&bytes).unwrap();
            let id = entry.entry().id;
            room.accept(entry).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
            room.learn(&author(&world.people, OWNER));
            let state = room.state();
            let line = state.log.iter().find(|line| line.stamp.entry == id).unwrap();
            assert_eq!(outcome_word(line.outcome), expected, "{name}");
            json!({"name": name, "bytes": blob(&bytes), "id": hex(&id.0), "outcome": expected})
        })
        .collect()
}

fn empty_opinion() -> Vec<u8> {
    let basis = Basis { question: EntryId([1; 32]), heads: vec![], series: vec![], incomplete: false };
    let opinion = Opinion {
        impression: " ".into(),
        agreement: Agreement::Agree,
        findings: None,
        recommendation: None,
        confidence_percent: None,
        basis,
        critical_call: None,
    };
    Content::Opinion(Box::new(opinion)).to_bytes()
}

/// A second entry at the place of the reader's first one: accepted, and the proof of a fork.
fn fork(world: &World) -> Json {
    let device = world.reader().device();
    let mut places: Vec<EntryId> = world.written.iter().map(|written| written.id).collect();
    places.retain(|id| world.entry(*id).header.device == device);
    let Entry { header, .. } = world.entry(places[0]);
    let message = Content::Message(Message { text: "from a copy".into(), view: None, reply_to: None }).to_bytes();
    let (other, body) = world.sealed(&Header { salt: Bytes([1; 32]), ..header }, &message, None);
    let bytes = world.signed(&other, &body);
    let mut room = world.replay(OWNER);
    room.accept(SignedEntry::read(&bytes).unwrap()).unwrap();
    room.learn(&author(&world.people, OWNER));
    let forks = room.state().shared.forks;
    let mut proof = [places[0], other.id()];
    proof.sort();
    assert_eq!((forks[0].device, [forks[0].one, forks[0].other]), (device, proof));
    json!({
        "name": "two entries at one place", "bytes": base64(&bytes), "device": hex(&device.0),
        "proof": proof.map(|id| hex(&id.0)),
    })
}

fn find(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|window| window == part).unwrap()
}
