//! Cards, as bytes and as text.

use overread::encoding::labels::{SIGN_CARD, SIGN_DEVICE_CERTIFICATE};
use overread::encoding::to_bytes;
use overread::identity::card::{CARD_VALID_MS, Card, CardDetails, CardError};
use serde_json::{Value as Json, json};

use super::cbor::Value;
use super::{NOW, Person, base64, blob, compare, decode_refusal, hex};

fn refusal(error: &CardError) -> &'static str {
    match error {
        CardError::NoCard => "no-card",
        CardError::CutOff => "cut-off",
        CardError::SeveralCards => "several-cards",
        CardError::NotBase64 => "not-base64",
        CardError::UnsupportedVersion { .. } => "version",
        CardError::Malformed(error) => decode_refusal(error),
        CardError::TooMuch { .. } => "limit",
        CardError::Empty { .. } => "empty",
        CardError::ControlCharacter { .. } => "control-character",
        CardError::Address { .. } => "address",
        CardError::DeviceTwice => "device-order",
        CardError::RevokedDevice => "revoked-device",
        CardError::ForeignDevice => "foreign-device",
        CardError::Certificate(_) => "certificate",
        CardError::Signature(_) => "signature",
    }
}

fn signed(statement: &Value, person: &Person) -> Vec<u8> {
    let signature = person.identity.sign(SIGN_CARD, &statement.to_bytes()).0.to_vec();
    Value::Map(vec![(Value::Uint(0), statement.clone()), (Value::Uint(1), Value::Bytes(signature))]).to_bytes()
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

#[test]
fn cards_are_as_committed() {
    let person = Person::new(20, 2);
    let other = Person::new(21, 1);
    let third = Person::new(22, 1);
    let details = CardDetails {
        name: "Anna Weiß".into(),
        site: "Kantonsspital Süd".into(),
        specialties: vec!["Neuroradiology".into(), "Paediatric radiology".into()],
        phone: Some("+41 44 555 01 23".into()),
        addresses: vec!["/ip4/192.0.2.7/udp/4001/quic-v1".into()],
        test: true,
    };
    let revoked = vec![other.devices[0].0.device()];
    let expires = NOW.plus_ms(CARD_VALID_MS);
    let card = Card::issue(&person.identity, 3, details, person.certificates(), revoked, NOW, expires).unwrap();
    let bytes = card.to_bytes();
    let value = Value::read(&bytes);
    let statement = value.clone().at(&[0]).clone();
    assert_eq!(signed(&statement, &person), bytes);

    let with = |path: &[u64], value: Value| signed(&statement.clone().set(path, value), &person);
    let certificate = |person: &Person| Value::read(&to_bytes(&person.devices[0].1));
    let devices = |list: Vec<Value>| with(&[8], Value::Array(list));
    let (first, second) = (statement.clone().at(&[8, 0]).clone(), statement.clone().at(&[8, 1]).clone());
    let device_key = |certificate: &Value| certificate.clone().at(&[0, 1]).clone();
    let transport = first.clone().at(&[0, 2]).clone();
    // The second device claims the first one's transport key; both sign it.
    let same_transport = {
        let claim = second.clone().at(&[0]).clone().set(&[2], transport);
        let signer =
            person.devices.iter().find(|(secrets, _)| device_key(&second) == Value::Bytes(secrets.device().0.to_vec()));
        let sign = |secret: &overread::identity::keys::SigningSecret| {
            Value::Bytes(secret.sign(SIGN_DEVICE_CERTIFICATE, &claim.to_bytes()).0.to_vec())
        };
        let (by_identity, by_device) = (sign(&person.identity), sign(&signer.unwrap().0.signing));
        Value::Map(vec![(Value::Uint(0), claim), (Value::Uint(1), by_identity), (Value::Uint(2), by_device)])
    };
    let other_signature = Value::Bytes(vec![7; 64]);
    let bad: Vec<(&str, Vec<u8>, &str)> = vec![
        ("an altered name", value.clone().set(&[0, 3], text("Anna Weiss")).to_bytes(), "signature"),
        ("signed by another", signed(&statement, &other), "signature"),
        ("another format", with(&[0], Value::Uint(2)), "version"),
        ("a byte too many", [bytes.as_slice(), &[0]].concat(), "encoding"),
        ("an unknown field", signed(&statement.clone().with_field(13, Value::Uint(1)), &person), "encoding"),
        ("a phone that is null", with(&[6], Value::Null), "encoding"),
        ("too long", vec![0xa2; 16 * 1024 + 1], "too-long"),
        ("a name of 129 bytes", with(&[3], text(&"n".repeat(129))), "limit"),
        ("an invisible name", with(&[3], text(" \u{200b} ")), "empty"),
        ("nine specialties", with(&[5], Value::Array(vec![text("x"); 9])), "limit"),
        ("an address that is none", with(&[7], Value::Array(vec![text("example.org")])), "address"),
        ("no devices", devices(vec![]), "empty"),
        ("seven devices", devices(vec![first.clone(); 7]), "limit"),
        ("devices out of order", devices(vec![second.clone(), first.clone()]), "device-order"),
        ("a device twice", devices(vec![first.clone(), first.clone()]), "device-order"),
        ("one transport key for two devices", devices(vec![first.clone(), same_transport]), "device-order"),
        ("a current device that is revoked", with(&[9], Value::Array(vec![device_key(&first)])), "revoked-device"),
        ("a device of another person", devices(vec![certificate(&third)]), "foreign-device"),
        ("a device without its signature", devices(vec![first.clone().set(&[2], other_signature)]), "certificate"),
    ];
    let bad: Vec<Json> = bad
        .into_iter()
        .map(|(name, bytes, expected)| {
            let error = Card::from_bytes(&bytes).expect_err(name);
            assert_eq!(refusal(&error), expected, "{name}: {error}");
            json!({"name": name, "bytes": blob(&bytes), "refusal": expected})
        })
        .collect();

    let armored = card.to_text();
    let bad_texts: Vec<(&str, String, &str)> = vec![
        ("no card", "a letter".into(), "no-card"),
        ("cut off", armored.lines().take(9).collect::<Vec<_>>().join("\n"), "cut-off"),
        ("two cards", armored.repeat(2), "several-cards"),
        ("not base64", armored.replacen("\nogCt", "\nog=t", 1), "not-base64"),
    ];
    let bad_texts: Vec<Json> = bad_texts
        .into_iter()
        .map(|(name, text, expected)| {
            let error = Card::from_text(&text).expect_err(name);
            assert_eq!(refusal(&error), expected, "{name}: {error}");
            json!({"name": name, "text": text, "refusal": expected})
        })
        .collect();
    let good = json!([{
        "name": "a card", "bytes": base64(&bytes), "text": armored, "identity": hex(&card.identity().0),
        "serial": card.serial(), "card_name": "Anna Weiß", "site": "Kantonsspital Süd",
        "fingerprint": card.fingerprint(), "test": card.is_test(),
        "devices": card.devices().iter().map(|device| hex(&device.device().0)).collect::<Vec<_>>(),
        "revoked": card.revoked().iter().map(|device| hex(&device.0)).collect::<Vec<_>>(),
        "issued": card.issued().0, "expires": card.expires().0,
    }]);
    compare("card.json", &json!({"good": good, "bad": bad, "bad_texts": bad_texts}));
}
