//! Every label that separates one use of a key or hash from another, in one place.
//!
//! Each carries the format's version. A label is never reused and never a prefix of another; the test below
//! keeps it so.

/// Version of the format that this program writes and reads (`keys/format.md`).
pub const FORMAT_VERSION: u32 = 1;

// What an Ed25519 signature is over: label, then the bytes.
pub const SIGN_DEVICE_CERTIFICATE: &str = "overread/1/sign/device-certificate";
pub const SIGN_CARD: &str = "overread/1/sign/card";
pub const SIGN_ENTRY: &str = "overread/1/sign/entry";
pub const SIGN_LIVE: &str = "overread/1/sign/live";
pub const SIGN_BUNDLE: &str = "overread/1/sign/bundle";
pub const SIGN_BUNDLE_CLOSING: &str = "overread/1/sign/closing-of-bundle";
pub const SIGN_RECEIPT: &str = "overread/1/sign/receipt";

// What a key derived with HKDF-SHA256 is for (the `info` input).
pub const DERIVE_ENTRY_KEY: &str = "overread/1/derive/entry-key";
pub const DERIVE_ENTRY_COMMITMENT: &str = "overread/1/derive/entry-commitment";
pub const DERIVE_EPOCH_COMMITMENT: &str = "overread/1/derive/epoch-commitment";
pub const DERIVE_EPOCH_WRAP: &str = "overread/1/derive/epoch-wrap";
pub const DERIVE_OBJECT_KEY: &str = "overread/1/derive/object-key";
pub const DERIVE_STUDY_NAME: &str = "overread/1/derive/study-name";
pub const DERIVE_ROW_KEY: &str = "overread/1/derive/row-key";
pub const DERIVE_ROW_NAME: &str = "overread/1/derive/row-name";
pub const DERIVE_PSEUDONYM: &str = "overread/1/derive/pseudonym";
pub const DERIVE_UID: &str = "overread/1/derive/uid";
pub const DERIVE_DATE_OFFSET: &str = "overread/1/derive/date-offset";
pub const DERIVE_IMPORT_NAME: &str = "overread/1/derive/import-name";
pub const DERIVE_BEACON: &str = "overread/1/derive/beacon";
pub const DERIVE_PAIRING_CONFIRM: &str = "overread/1/derive/pairing-confirm";
pub const DERIVE_PAIRING_SEAL: &str = "overread/1/derive/pairing-seal";
pub const DERIVE_LIVE_KEY: &str = "overread/1/derive/live-key";
pub const DERIVE_BUNDLE_KEY: &str = "overread/1/derive/bundle-key";
pub const DERIVE_BUNDLE_COMMITMENT: &str = "overread/1/derive/bundle-commitment";
pub const DERIVE_ROUND_COMMITMENT: &str = "overread/1/derive/round-commitment";
pub const DERIVE_CHUNK_GROUP: &str = "overread/1/derive/chunk-group";

// What an HPKE seal is bound to (the start of its `info` input, RFC 9180 §5).
pub const SEAL_EPOCH: &str = "overread/1/seal/epoch";
pub const SEAL_NOTICE: &str = "overread/1/seal/notice";
pub const SEAL_BUNDLE: &str = "overread/1/seal/bundle";

// Salts and associated data of their own.
pub const VAULT_PASSPHRASE: &str = "overread/1/vault/passphrase";
pub const VAULT_RECOVERY: &str = "overread/1/vault/recovery";
pub const VAULT_BODY: &str = "overread/1/vault/body";
pub const SAFETY_WORDS: &str = "overread/1/safety-words";
pub const STATE_HASH: &str = "overread/1/state-hash";
pub const SPOKEN_NAME: &str = "overread/1/spoken-name";

#[cfg(test)]
const ALL: &[&str] = &[
    SIGN_DEVICE_CERTIFICATE,
    SIGN_CARD,
    SIGN_ENTRY,
    SIGN_LIVE,
    SIGN_BUNDLE,
    SIGN_BUNDLE_CLOSING,
    SIGN_RECEIPT,
    DERIVE_ENTRY_KEY,
    DERIVE_ENTRY_COMMITMENT,
    DERIVE_EPOCH_COMMITMENT,
    DERIVE_EPOCH_WRAP,
    DERIVE_OBJECT_KEY,
    DERIVE_STUDY_NAME,
    DERIVE_ROW_KEY,
    DERIVE_ROW_NAME,
    DERIVE_PSEUDONYM,
    DERIVE_UID,
    DERIVE_DATE_OFFSET,
    DERIVE_IMPORT_NAME,
    DERIVE_BEACON,
    DERIVE_PAIRING_CONFIRM,
    DERIVE_PAIRING_SEAL,
    DERIVE_LIVE_KEY,
    DERIVE_BUNDLE_KEY,
    DERIVE_BUNDLE_COMMITMENT,
    DERIVE_ROUND_COMMITMENT,
    DERIVE_CHUNK_GROUP,
    SEAL_EPOCH,
    SEAL_NOTICE,
    SEAL_BUNDLE,
    VAULT_PASSPHRASE,
    VAULT_RECOVERY,
    VAULT_BODY,
    SAFETY_WORDS,
    STATE_HASH,
    SPOKEN_NAME,
];

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn no_label_is_the_start_of_another() {
        for (i, a) in ALL.iter().enumerate() {
            for (j, b) in ALL.iter().enumerate() {
                assert!(i == j || !b.starts_with(a), "{a} starts {b}");
            }
        }
    }
}
