//! Strict Ed25519 over a label and bytes.

use overread::encoding::id::Bytes;
use overread::encoding::labels::{SIGN_CARD, SIGN_ENTRY};
use overread::encoding::random::Seeded;
use overread::identity::keys::{SigningSecret, strict_point, verify};
use serde_json::{Value as Json, json};

use super::{compare, hex};

/// The order of the group, little-endian: 2^252 + 27742317777372353535851937790883648493.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn signatures_are_as_committed() {
    let secret = SigningSecret::random(&mut Seeded::new(1));
    let message = b"bytes that are signed";
    let signature = secret.sign(SIGN_ENTRY, message).0;
    assert!(verify(&secret.public(), SIGN_ENTRY, message, &Bytes(signature)).is_ok());

    let mut identity_element = [0; 32];
    identity_element[0] = 1;
    let mut other_spelling = [0xff; 32]; // p + 1
    other_spelling[0] = 0xee;
    other_spelling[31] = 0x7f;
    // R the identity element and S zero: a lenient verifier takes it for any message under a key of order 1.
    let mut universal = [0; 64];
    universal[0] = 1;
    let mut flipped = signature;
    flipped[40] ^= 1;
    let key = secret.public();
    let other = SigningSecret::random(&mut Seeded::new(2)).public();
    type Attempt<'a> = (&'a str, [u8; 32], &'a str, &'a [u8], [u8; 64], &'a str);
    let bad: [Attempt<'_>; 8] = [
        ("a flipped bit in the signature", key, SIGN_ENTRY, message, flipped, "signature"),
        ("another message", key, SIGN_ENTRY, b"bytes that are signeD", signature, "signature"),
        ("another label", key, SIGN_CARD, message, signature, "signature"),
        ("another key", other, SIGN_ENTRY, message, signature, "signature"),
        ("S not reduced", key, SIGN_ENTRY, message, plus_order(signature), "signature"),
        ("a key of order 1", identity_element, SIGN_ENTRY, message, universal, "weak-key"),
        ("a key of order 4", [0; 32], SIGN_ENTRY, message, universal, "weak-key"),
        ("a key in another spelling", other_spelling, SIGN_ENTRY, message, universal, "weak-key"),
    ];
    let bad: Vec<Json> = bad
        .into_iter()
        .map(|(name, key, label, message, signature, refusal)| {
            assert!(verify(&key, label, message, &Bytes(signature)).is_err(), "{name}");
            assert_eq!(if strict_point(&key).is_err() { "weak-key" } else { "signature" }, refusal, "{name}");
            let (key, message, signature) = (hex(&key), hex(message), hex(&signature));
            json!({"name": name, "key": key, "label": label, "message": message, "signature": signature, "refusal": refusal})
        })
        .collect();
    let good = json!([{
        "name": "a signature", "seed": hex(secret.seed().reveal()), "key": hex(&key), "label": SIGN_ENTRY,
        "message": hex(message), "signature": hex(&signature),
    }]);
    compare("signature.json", &json!({"good": good, "bad": bad}));
}

/// The same signature with the group's order added to S.
fn plus_order(mut signature: [u8; 64]) -> [u8; 64] {
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    signature
}
