//! A pairing, message by message.

use std::time::Instant;

use overread::encoding::random::{self, Seeded};
use overread::identity::card::{CARD_VALID_MS, Card, CardDetails};
use overread::identity::pairing::{AwaitingAnswer, Decision, Outcome, PairingDoor, PairingError};
use serde_json::{Value as Json, json};

use super::cbor::Value;
use super::{NOW, Person, base64, blob, compare, decode_refusal, flipped, hex};

fn refusal(error: &PairingError) -> &'static str {
    match error {
        PairingError::WrongNameplate => "wrong-nameplate",
        PairingError::WrongCode => "wrong-code",
        PairingError::UnsupportedVersion { .. } => "version",
        PairingError::Malformed(error) => decode_refusal(error),
        PairingError::Unexpected { .. } => "unexpected",
        PairingError::Altered => "altered",
        PairingError::OwnCard => "own-card",
        _ => "other",
    }
}

fn card(person: &Person, name: &str) -> Card {
    let details = CardDetails { name: name.into(), site: "Site".into(), test: true, ..CardDetails::default() };
    Card::issue(&person.identity, 1, details, person.certificates(), vec![], NOW, NOW.plus_ms(CARD_VALID_MS)).unwrap()
}

/// An opened door and the joiner's first step, always the same.
fn start(rng: &mut Seeded, opener: &Card, joiner: &Card) -> (PairingDoor, AwaitingAnswer, Vec<u8>) {
    let door = PairingDoor::open(opener.clone(), Some(b"extras".to_vec()), Instant::now(), rng).unwrap();
    let (waiting, hello) = AwaitingAnswer::start(door.code(), joiner.clone(), rng);
    (door, waiting, hello)
}

#[test]
fn a_pairing_is_as_committed() {
    let opener = card(&Person::new(70, 1), "Opener");
    let joiner = card(&Person::new(71, 1), "Joiner");
    let mut rng = Seeded::new(72);
    let joiner_randomness = {
        let mut before = rng.clone();
        PairingDoor::open(opener.clone(), None, Instant::now(), &mut before).unwrap();
        random::bytes::<64>(&mut before)
    };
    let (mut door, waiting, hello) = start(&mut rng, &opener, &joiner);
    let code = door.code().spoken();
    let (opening, answer) = door.hello(&hello, Instant::now(), &mut rng).unwrap();
    let (joining, joiner_confirms) = waiting.answered(&answer).unwrap();
    let (opening, opener_confirms) = opening.confirmed(&joiner_confirms).unwrap();
    let (mut joining, joiner_card) = joining.confirmed(&opener_confirms).unwrap();
    let mut opening = opening.introduced(&joiner_card).unwrap();
    let opener_decides = opening.decide(Decision::Accept).unwrap();
    let joiner_decides = joining.decide(Decision::Accept).unwrap();
    opening.decided(&joiner_decides).unwrap();
    joining.decided(&opener_decides).unwrap();
    assert_eq!((opening.outcome(), joining.outcome()), (Outcome::Accepted, Outcome::Accepted));
    let transcript = opening.into_paired().unwrap().transcript;
    assert_eq!(joining.into_paired().unwrap().transcript, transcript);

    let messages: Vec<Json> = [
        ("hello", "joiner", &hello),
        ("answer", "opener", &answer),
        ("joiner confirms", "joiner", &joiner_confirms),
        ("opener confirms", "opener", &opener_confirms),
        ("joiner's card", "joiner", &joiner_card),
        ("opener's decision", "opener", &opener_decides),
        ("joiner's decision", "joiner", &joiner_decides),
    ]
    .into_iter()
    .map(|(name, from, bytes)| json!({"name": name, "from": from, "bytes": base64(bytes)}))
    .collect();

    let value = Value::read(&hello);
    let nameplate = value.clone().at(&[1, 0, 1]).clone();
    let Value::Uint(number) = nameplate else { panic!("a nameplate is a number") };
    let other_number = Value::Uint(number % 999 + 1);
    let bad: Vec<(&str, Vec<u8>, &str)> = vec![
        ("another number", value.clone().set(&[1, 0, 1], other_number).to_bytes(), "wrong-nameplate"),
        ("another format", value.clone().set(&[1, 0, 0], Value::Uint(2)).to_bytes(), "version"),
        ("the wrong message", answer.clone(), "unexpected"),
        ("a byte too many", [hello.as_slice(), &[0]].concat(), "encoding"),
        ("too long", vec![0; 32 * 1024 + 1], "too-long"),
        ("an element that is no point", value.set(&[1, 0, 2], Value::Bytes(vec![0xff; 33])).to_bytes(), "wrong-code"),
    ];
    let bad: Vec<Json> = bad
        .into_iter()
        .map(|(name, bytes, expected)| {
            let (mut door, _, _) = start(&mut Seeded::new(72), &opener, &joiner);
            let error = door.hello(&bytes, Instant::now(), &mut Seeded::new(73)).err().expect(name);
            assert_eq!(refusal(&error), expected, "{name}: {error}");
            json!({"name": name, "bytes": blob(&bytes), "refusal": expected})
        })
        .collect();

    let mut rng = Seeded::new(72);
    let (mut door, waiting, hello) = start(&mut rng, &opener, &joiner);
    let (opening, answer) = door.hello(&hello, Instant::now(), &mut rng).unwrap();
    let (_, confirms) = waiting.answered(&answer).unwrap();
    let altered = flipped(&confirms, 10);
    assert_eq!(opening.confirmed(&altered).err(), Some(PairingError::WrongCode));
    let bad_confirmation = json!({"name": "another confirmation", "bytes": base64(&altered), "refusal": "wrong-code"});

    let made = json!({
        "code": code, "joiner_randomness": hex(&joiner_randomness), "opener_card": base64(&opener.to_bytes()), "joiner_card": base64(&joiner.to_bytes()),
        "messages": messages, "transcript": hex(&transcript), "bad_hello": bad, "bad_confirmation": bad_confirmation,
    });
    compare("pairing.json", &made);
}
