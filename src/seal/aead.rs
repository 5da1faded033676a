//! HKDF-SHA256 and AES-256-GCM, the two tools the rest of this room is made of.
//!
//! Every key here is used for one message, or for messages whose number is part of the nonce, so a nonce can
//! never repeat under a key.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

use crate::identity::keys::Secret;

/// What AES-256-GCM adds to a message, in bytes.
pub const TAG_BYTES: usize = 16;

/// Derives a key for one purpose: HKDF-SHA256 with no salt over `secret`, and `label` ‖ 0 ‖ `context` as info.
pub fn derive(secret: &Secret, label: &str, context: &[&[u8]]) -> Secret {
    Secret::new(derive_bytes(secret, label, context))
}

/// Like [`derive`], for values that are published (commitments, names).
pub fn derive_bytes(secret: &Secret, label: &str, context: &[&[u8]]) -> [u8; 32] {
    let prk: Prk = Salt::new(HKDF_SHA256, &[]).extract(secret.reveal());
    let mut info: Vec<&[u8]> = Vec::with_capacity(context.len() + 2);
    info.push(label.as_bytes());
    info.push(&[0]);
    info.extend_from_slice(context);
    let mut out = [0; 32];
    // HKDF gives up to 255 hashes of output; 32 bytes are one.
    if let Ok(okm) = prk.expand(&info, Length32) {
        let _ = okm.fill(&mut out);
    }
    out
}

struct Length32;

impl KeyType for Length32 {
    fn len(&self) -> usize {
        32
    }
}

/// Seals in place and appends the tag.
pub fn seal(key: &Secret, nonce: [u8; 12], aad: &[u8], message: &mut Vec<u8>) -> Result<(), OpenError> {
    cipher(key)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), message)
        .map_err(|_| OpenError)
}

/// Opens in place and drops the tag; on failure the message is unusable.
pub fn open(key: &Secret, nonce: [u8; 12], aad: &[u8], sealed: &mut Vec<u8>) -> Result<(), OpenError> {
    let length = cipher(key)?
        .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(aad), sealed)
        .map_err(|_| OpenError)?
        .len();
    sealed.truncate(length);
    Ok(())
}

fn cipher(key: &Secret) -> Result<LessSafeKey, OpenError> {
    UnboundKey::new(&AES_256_GCM, key.reveal()).map(LessSafeKey::new).map_err(|_| OpenError)
}

/// A nonce made of a message number.
pub fn counter_nonce(number: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    nonce
}

/// The bytes were altered, or sealed under another key or for another place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed bytes do not open")]
pub struct OpenError;
