//! The known-answer vectors in `keys/vectors`: what `keys/format.md` and `keys/bundles.md` say, as bytes.
//!
//! Each module makes one file from fixed seeds and asserts, while making it, that this program accepts the good
//! and refuses each bad one with the reason that is written beside it. Then the file is compared with the
//! committed one: a change of a single byte of the format fails here. `OVERREAD_WRITE_VECTORS=1` writes the files
//! anew, which is right only together with a new format version or a new vector.
//!
//! The reader in `tests/reader` takes the same files and none of this code.

use std::path::PathBuf;

use overread::encoding::DecodeError;
use overread::encoding::random::Seeded;
use overread::encoding::time::Timestamp;
use overread::identity::certificate::{CertificateError, DeviceCertificate};
use overread::identity::keys::{DeviceSecrets, IdentityKey, SigningSecret};
use serde_json::{Value as Json, json};

mod bundle;
mod card;
mod case;
mod cbor;
mod certificate;
mod content;
mod live;
mod packing;
mod pairing;
mod rights;
mod seals;
mod signature;
mod study;
mod vault;
mod words;

/// When everything in the vectors happened: 2027-01-15T08:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);

pub(crate) fn keys_folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/keys"))
}

/// Whether the committed files are to be written anew.
pub(crate) fn writes_anew() -> bool {
    std::env::var_os("OVERREAD_WRITE_VECTORS").is_some()
}

/// Compares a file of vectors with the committed one.
fn compare(name: &str, made: &Json) {
    let path = keys_folder().join("vectors").join(name);
    if writes_anew() {
        let text = serde_json::to_string_pretty(made).unwrap() + "\n";
        std::fs::write(&path, text).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let committed: Json = serde_json::from_str(&committed).unwrap();
    assert!(committed == *made, "{name} is not what this program makes: the format has changed");
}

/// A person made of a seed, with devices.
pub(crate) struct Person {
    pub(crate) identity: SigningSecret,
    pub(crate) devices: Vec<(DeviceSecrets, DeviceCertificate)>,
}

impl Person {
    pub(crate) fn new(seed: u64, devices: usize) -> Self {
        let mut rng = Seeded::new(seed);
        let identity = SigningSecret::random(&mut rng);
        let devices = (0..devices)
            .map(|_| {
                let secrets = DeviceSecrets::random(&mut rng);
                let certificate = DeviceCertificate::issue(&identity, &secrets, NOW);
                (secrets, certificate)
            })
            .collect();
        Self { identity, devices }
    }

    pub(crate) fn key(&self) -> IdentityKey {
        IdentityKey(self.identity.public())
    }

    pub(crate) fn certificates(&self) -> Vec<DeviceCertificate> {
        self.devices.iter().map(|(_, certificate)| certificate.clone()).collect()
    }

    /// Every secret, for readers that open what was sealed.
    fn json(&self, name: &str) -> Json {
        let devices: Vec<Json> = self.devices.iter().map(|(secrets, _)| device_json(secrets)).collect();
        json!({
            "name": name,
            "identity": hex(&self.key().0),
            "identity_seed": hex(self.identity.seed().reveal()),
            "devices": devices,
        })
    }
}

fn device_json(secrets: &DeviceSecrets) -> Json {
    json!({
        "device": hex(&secrets.device().0),
        "transport_seed": hex(secrets.transport.seed().reveal()),
        "signing_seed": hex(secrets.signing.seed().reveal()),
        "sealing_seed": hex(secrets.sealing.seed().reveal()),
        "notice_seed": hex(secrets.notice.0.reveal()),
    })
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Bytes as base64; a long run of one byte in the middle is written as `[start, byte, times, end]`.
fn blob(bytes: &[u8]) -> Json {
    const RUN_BYTES_MIN: usize = 1000;
    let mut start = 0;
    while start < bytes.len() {
        let end = bytes[start..].iter().position(|byte| *byte != bytes[start]).map_or(bytes.len(), |run| start + run);
        if end - start >= RUN_BYTES_MIN {
            return json!([base64(&bytes[..start]), bytes[start], end - start, base64(&bytes[end..])]);
        }
        start = end;
    }
    json!(base64(bytes))
}

fn base64(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut altered = bytes.to_vec();
    altered[at] ^= 1;
    altered
}

fn decode_refusal(error: &DecodeError) -> &'static str {
    match error {
        DecodeError::TooLong { .. } => "too-long",
        DecodeError::Malformed(_) | DecodeError::TrailingBytes(_) | DecodeError::NotDeterministic => "encoding",
    }
}

fn certificate_refusal(error: CertificateError) -> &'static str {
    match error {
        CertificateError::Signature(_) => "signature",
        CertificateError::WeakKey(_) => "weak-key",
        CertificateError::UnusableKey => "unusable-key",
    }
}
