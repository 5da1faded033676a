//! Live messages: who is heard, what is refused, and what is too old.

use std::time::Duration;

use overread::case::access::Role;
use overread::case::content::{ImageRef, MembersNote, Point, Shape};
use overread::case::live::LIVE_BYTES_MAX;
use overread::case::live::circle::{Circle, LiveError, LivePlace};
use overread::case::live::content::{LiveContent, Pencil, PencilNow, Presence};
use overread::case::live::heard::Heard;
use overread::case::room::{Author, Room};
use overread::encoding::id::StudyId;
use overread::encoding::labels::{SIGN_ENTRY, SIGN_LIVE};
use overread::encoding::random::Seeded;
use overread::identity::keys::DeviceKey;
use overread::seal::epoch::EpochSecret;
use serde_json::{Value as Json, json};

use super::cbor::Value;
use super::{NOW, Person, blob, compare, content, decode_refusal, flipped, hex};

fn refusal(error: &LiveError) -> &'static str {
    match error {
        LiveError::Encoding(error) => decode_refusal(error),
        LiveError::OtherFormat(_) => "version",
        LiveError::OtherCase => "other-case",
        LiveError::Forwarded => "forwarded",
        LiveError::Stranger => "stranger",
        LiveError::OtherEpoch => "epoch",
        LiveError::Signature(_) => "signature",
        LiveError::Sealed(_) => "sealed",
        LiveError::Content(error) => content::refusal(error),
        LiveError::OtherKind => "other-kind",
        LiveError::NeedsRole { .. } => "rightless",
        LiveError::Old => "old",
        LiveError::Flood => "flood",
    }
}

fn author(person: &Person) -> Author<'_> {
    let (secrets, certificate) = &person.devices[0];
    Author { certificate, secrets }
}

/// A statement field by field, so that each can be wrong; sealed and signed rightly.
struct Statement {
    fields: Vec<(u64, Value)>,
    content: Vec<u8>,
}

impl Statement {
    fn with(mut self, field: u64, value: Value) -> Self {
        self.fields.retain(|(number, _)| *number != field);
        self.fields.push((field, value));
        self.fields.sort_by_key(|(number, _)| *number);
        self
    }

    fn signed(self, secret: &EpochSecret, case: &Room, person: &Person, label: &str) -> Vec<u8> {
        let map = |fields: &[(u64, Value)]| {
            Value::Map(fields.iter().map(|(field, value)| (Value::Uint(*field), value.clone())).collect())
        };
        let device = person.devices[0].0.device();
        let aad = map(&self.fields).to_bytes();
        let sealed = secret.live_key(case.case(), device, &[7; 32]).seal(&aad, self.content.clone()).unwrap();
        let statement = map(&self.with(7, Value::Bytes(sealed)).fields).to_bytes();
        let signature = person.devices[0].0.signing.sign(label, &statement);
        map(&[(0, Value::Bytes(statement)), (1, Value::Bytes(signature.0.to_vec()))]).to_bytes()
    }
}

#[test]
fn live_messages_are_as_committed() {
    let mut rng = Seeded::new(90);
    let people = [(91, 1), (92, 1), (93, 1), (94, 1)].map(|(seed, devices)| Person::new(seed, devices));
    let [owner, reader, observer, stranger] = &people;
    let note = MembersNote { people: vec![], reason: None };
    let invited = [super::case::member(reader, Role::Reader), super::case::member(observer, Role::Observer)];
    let devices = owner.certificates();
    let (room, _) = Room::found(&author(owner), devices, &invited, note, NOW, &mut rng).unwrap();
    let circle = Circle::of(&room).unwrap();
    let epoch = room.membership().sealing_epoch().unwrap().id;
    let secret = room.keyring().secret(&epoch).unwrap();
    let device = |person: &Person| person.devices[0].0.device();

    let image = ImageRef { study: StudyId([1; 32]), sop_instance_uid: "2.25.7".into(), frame: 3 };
    let points = vec![Point { column: 10.25, row: 20.0 }, Point { column: -0.5, row: 1e6 }];
    let pencil = Pencil { image, shape: Shape::Length, points };
    let here = LiveContent::Presence(Presence { here: true });
    let said: [(&str, &Person, (u64, u64), LiveContent); 6] = [
        ("the reader is here", reader, (1, 0), here.clone()),
        ("her pencil", reader, (1, 1), LiveContent::Pencil(PencilNow { pencil: Some(pencil) })),
        ("nothing any more", reader, (1, 2), LiveContent::Pencil(PencilNow { pencil: None })),
        ("the observer is here", observer, (u64::MAX, u64::MAX), here.clone()),
        ("the reader started anew", reader, (2, 0), here.clone()),
        ("she has left", reader, (2, 1), LiveContent::Presence(Presence { here: false })),
    ];
    let mut heard = Heard::default();
    let mut messages: Vec<Vec<u8>> = Vec::new();
    let good: Vec<Json> = said
        .iter()
        .map(|(name, person, (session, counter), content)| {
            let place = LivePlace { session: *session, counter: *counter };
            let bytes = circle.seal(&author(person), place, content, &mut rng).unwrap();
            let from = device(person);
            heard.hear(&circle, from, content.kind(), &bytes, Duration::ZERO).unwrap();
            messages.push(bytes.clone());
            json!({
                "name": name, "from": hex(&from.0), "slot": content.kind(), "bytes": blob(&bytes),
                "session": session, "counter": counter, "content": blob(&content.to_bytes()),
            })
        })
        .collect();

    let statement = |content: &[u8]| Statement {
        fields: vec![
            (0, Value::Uint(1)),
            (1, Value::Bytes(room.case().0.to_vec())),
            (2, Value::Bytes(device(reader).0.to_vec())),
            (3, Value::Bytes(epoch.0.to_vec())),
            (4, Value::Uint(3)),
            (5, Value::Uint(0)),
            (6, Value::Bytes(vec![7; 32])),
            (7, Value::Bytes(vec![])),
        ],
        content: content.to_vec(),
    };
    let written = |statement: Statement| statement.signed(secret, &room, reader, SIGN_LIVE);
    let presence = here.to_bytes();
    let id = |byte: u8| Value::Bytes(vec![byte; 32]);
    let unknown = written(statement(&[0x82, 2, 0xa0]));
    let pencil = |points: Vec<Value>, frame: u64| {
        let drawn = content::map(vec![(0, content::image(frame)), (1, Value::Uint(1)), (2, Value::Array(points))]);
        written(statement(&content::content(1, vec![(0, drawn)]).to_bytes()))
    };
    let first = &messages[0];
    let claim = [&statement(&presence).fields[..], &[(8, Value::Uint(1))]].concat();
    let more = Statement { fields: claim, content: presence.clone() };
    let observers = {
        let drawing = content::content(1, vec![]).to_bytes();
        let statement = statement(&drawing).with(2, Value::Bytes(device(observer).0.to_vec()));
        statement.signed(secret, &room, observer, SIGN_LIVE)
    };
    let strangers = {
        let statement = statement(&presence).with(2, Value::Bytes(device(stranger).0.to_vec()));
        statement.signed(secret, &room, stranger, SIGN_LIVE)
    };
    type Attempt<'a> = (&'a str, DeviceKey, u8, Vec<u8>, &'a str);
    let by_reader = |name, slot, bytes, expected| -> Attempt<'_> { (name, device(reader), slot, bytes, expected) };
    let bad: Vec<Attempt<'_>> = vec![
        by_reader("the first once more", 0, first.clone(), "old"),
        by_reader("the pencil of the session before", 1, messages[1].clone(), "old"),
        by_reader("a message of 16 KiB and a byte", 0, vec![0; LIVE_BYTES_MAX + 1], "too-long"),
        by_reader("a byte after the end", 0, [first.as_slice(), &[0]].concat(), "encoding"),
        by_reader("an unknown field in the statement", 0, written(more), "encoding"),
        by_reader("another format", 0, written(statement(&presence).with(0, Value::Uint(2))), "version"),
        by_reader("another case", 0, written(statement(&presence).with(1, id(9))), "other-case"),
        by_reader("another epoch", 0, written(statement(&presence).with(3, id(9))), "epoch"),
        by_reader("a flipped bit in the signature", 0, flipped(first, first.len() - 1), "signature"),
        by_reader("signed as an entry", 0, statement(&presence).signed(secret, &room, reader, SIGN_ENTRY), "signature"),
        by_reader(
            "sealed under another secret",
            0,
            {
                let other = EpochSecret(overread::identity::keys::Secret::new([5; 32]));
                statement(&presence).signed(&other, &room, reader, SIGN_LIVE)
            },
            "sealed",
        ),
        by_reader("a presence in the pencil's slot", 1, written(statement(&presence)), "other-kind"),
        by_reader("a presence that says nothing", 0, written(statement(&[0x82, 0, 0xa0])), "encoding"),
        by_reader(
            "a presence with a field of later",
            0,
            written(statement(&[0x82, 0, 0xa2, 0, 0xf5, 1, 0])),
            "encoding",
        ),
        by_reader("kind 8", 0, written(statement(&[0x82, 8, 0xa0])), "encoding"),
        by_reader("a pencil without points", 1, pencil(vec![], 1), "range"),
        by_reader("513 points", 1, pencil(vec![content::point(1.0); 513], 1), "limit"),
        by_reader("an infinite column", 1, pencil(vec![content::point(f64::INFINITY)], 1), "range"),
        by_reader("frame 0", 1, pencil(vec![content::point(1.0)], 0), "range"),
        ("another one's message", device(observer), 0, written(statement(&presence)), "forwarded"),
        ("an observer's pencil", device(observer), 1, observers, "rightless"),
        ("a stranger with the secret", device(stranger), 0, strangers, "stranger"),
    ];
    let bad: Vec<Json> = bad
        .into_iter()
        .map(|(name, from, slot, bytes, expected)| {
            let error = heard.hear(&circle, from, slot, &bytes, Duration::ZERO).expect_err(name);
            assert_eq!(refusal(&error), expected, "{name}: {error}");
            json!({"name": name, "from": hex(&from.0), "slot": slot, "bytes": blob(&bytes), "refusal": expected})
        })
        .collect();
    assert_eq!(heard.hear(&circle, device(reader), 2, &unknown, Duration::ZERO), Ok(false));
    let later =
        json!([{"name": "a kind of later", "from": hex(&device(reader).0), "slot": 2, "bytes": blob(&unknown)}]);
    let members: Vec<Json> = [(owner, 4), (reader, 2), (observer, 1)]
        .map(|(person, role)| json!({"device": hex(&device(person).0), "role": role}))
        .into();
    let made = json!({
        "case": hex(&room.case().0), "epoch": hex(&epoch.0), "epoch_secret": hex(secret.0.reveal()),
        "members": members, "good": good, "bad": bad, "unknown": later,
    });
    compare("live.json", &made);
}
