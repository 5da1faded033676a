//! Device certificates.

use overread::encoding::labels::{SIGN_CARD, SIGN_DEVICE_CERTIFICATE};
use overread::encoding::{from_bytes, to_bytes};
use overread::identity::certificate::DeviceCertificate;
use overread::identity::keys::SigningSecret;
use serde_json::{Value as Json, json};

use super::cbor::Value;
use super::{Person, base64, certificate_refusal, compare, decode_refusal, hex};

const CERTIFICATE_BYTES_MAX: usize = 4096;

fn read(bytes: &[u8]) -> Result<(), &'static str> {
    let certificate: DeviceCertificate =
        from_bytes(bytes, CERTIFICATE_BYTES_MAX).map_err(|error| decode_refusal(&error))?;
    certificate.verify().map_err(certificate_refusal)
}

/// A certificate over any statement.
fn signed(statement: &Value, identity: &SigningSecret, device: &SigningSecret, label: &str) -> Value {
    let bytes = statement.to_bytes();
    Value::Map(vec![
        (Value::Uint(0), statement.clone()),
        (Value::Uint(1), Value::Bytes(identity.sign(label, &bytes).0.to_vec())),
        (Value::Uint(2), Value::Bytes(device.sign(label, &bytes).0.to_vec())),
    ])
}

#[test]
fn device_certificates_are_as_committed() {
    let person = Person::new(10, 1);
    let thief = Person::new(11, 1);
    let (secrets, certificate) = &person.devices[0];
    let bytes = to_bytes(certificate);
    assert_eq!(read(&bytes), Ok(()));
    let value = Value::read(&bytes);
    let statement = value.clone().at(&[0]).clone();
    let again = |statement: &Value| signed(statement, &person.identity, &secrets.signing, SIGN_DEVICE_CERTIFICATE);
    assert_eq!(again(&statement), value);
    let stolen = statement.clone().set(&[0], Value::Bytes(thief.key().0.to_vec()));
    let bad: Vec<(&str, Vec<u8>, &str)> = vec![
        ("another time under the same signatures", value.clone().set(&[0, 5], Value::Uint(6)).to_bytes(), "signature"),
        (
            "the device did not agree",
            signed(&stolen, &thief.identity, &thief.devices[0].0.signing, SIGN_DEVICE_CERTIFICATE).to_bytes(),
            "signature",
        ),
        (
            "the identity did not agree",
            signed(&statement, &thief.identity, &secrets.signing, SIGN_DEVICE_CERTIFICATE).to_bytes(),
            "signature",
        ),
        ("signed as a card", signed(&statement, &person.identity, &secrets.signing, SIGN_CARD).to_bytes(), "signature"),
        ("a weak device key", again(&statement.clone().set(&[1], Value::Bytes(vec![0; 32]))).to_bytes(), "weak-key"),
        ("a weak transport key", again(&statement.clone().set(&[2], Value::Bytes(vec![0; 32]))).to_bytes(), "weak-key"),
        (
            "a sealing key that is none",
            again(&statement.clone().set(&[3], Value::Bytes(vec![0xff; 1216]))).to_bytes(),
            "unusable-key",
        ),
        (
            "a sealing key that is too short",
            again(&statement.clone().set(&[3], Value::Bytes(vec![0; 1215]))).to_bytes(),
            "encoding",
        ),
        ("an unknown field", again(&statement.clone().with_field(6, Value::Uint(1))).to_bytes(), "encoding"),
        ("a byte too many", [bytes.as_slice(), &[0]].concat(), "encoding"),
    ];
    let bad: Vec<Json> = bad
        .into_iter()
        .map(|(name, bytes, refusal)| {
            assert_eq!(read(&bytes), Err(refusal), "{name}");
            json!({"name": name, "bytes": base64(&bytes), "refusal": refusal})
        })
        .collect();
    let says = &certificate.statement;
    let good = json!([{
        "name": "a certificate", "bytes": base64(&bytes), "person": person.json("person"),
        "device": hex(&says.device.0), "transport": hex(&says.transport.0), "sealing": base64(&says.sealing.0.0),
        "notice": hex(&says.notice.0.0), "certified": says.certified.0,
    }]);
    compare("certificate.json", &json!({"good": good, "bad": bad}));
}
