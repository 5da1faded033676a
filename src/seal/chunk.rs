//! Sealing pieces of packed images (format 9).
//!
//! A packed instance is cut into chunks; each is sealed under a key made of the study key and the packed bytes,
//! so the same bytes give the same chunks and nothing is stored twice, while other bytes get another key. The
//! chunk's place (i of n) is bound in, so chunks cannot be swapped, dropped or repeated.

use super::aead::{self, OpenError, TAG_BYTES};
use crate::encoding::id::{ChunkId, StudyId};
use crate::encoding::labels::{DERIVE_OBJECT_KEY, DERIVE_STUDY_NAME};
use crate::identity::keys::Secret;

/// Longest sealed chunk in bytes.
pub const CHUNK_BYTES_MAX: usize = 256 * 1024;

/// Longest piece that fits into a chunk, in bytes.
pub const CHUNK_PLAIN_BYTES_MAX: usize = CHUNK_BYTES_MAX - TAG_BYTES;

/// The random key of a study; who holds it reads the study's images.
pub struct StudyKey(pub Secret);

/// The key of one packed object of a study.
pub struct ObjectKey(Secret);

impl StudyKey {
    /// The study's name: the same for all who hold the key, and it tells nothing of the key.
    pub fn study_id(&self) -> StudyId {
        StudyId(aead::derive_bytes(&self.0, DERIVE_STUDY_NAME, &[]))
    }

    /// The key for the object with this BLAKE3 hash of its packed bytes.
    pub fn object_key(&self, packed_hash: &[u8; 32]) -> ObjectKey {
        ObjectKey(aead::derive(&self.0, DERIVE_OBJECT_KEY, &[packed_hash]))
    }
}

impl ObjectKey {
    /// Seals piece `index` of `count` in place; it must be at most [`CHUNK_PLAIN_BYTES_MAX`] long.
    pub fn seal(&self, index: u32, count: u32, mut piece: Vec<u8>) -> Result<(ChunkId, Vec<u8>), OpenError> {
        if piece.len() > CHUNK_PLAIN_BYTES_MAX || index >= count {
            return Err(OpenError);
        }
        aead::seal(&self.0, aead::counter_nonce(u64::from(index)), &place(index, count), &mut piece)?;
        Ok((ChunkId::of(&piece), piece))
    }

    /// Opens piece `index` of `count`.
    pub fn open(&self, index: u32, count: u32, mut sealed: Vec<u8>) -> Result<Vec<u8>, OpenError> {
        if sealed.len() > CHUNK_BYTES_MAX {
            return Err(OpenError);
        }
        aead::open(&self.0, aead::counter_nonce(u64::from(index)), &place(index, count), &mut sealed)?;
        Ok(sealed)
    }
}

fn place(index: u32, count: u32) -> [u8; 8] {
    let mut place = [0; 8];
    place[..4].copy_from_slice(&index.to_be_bytes());
    place[4..].copy_from_slice(&count.to_be_bytes());
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ObjectKey {
        StudyKey(Secret::new([1; 32])).object_key(&[2; 32])
    }

    #[test]
    fn the_same_piece_gives_the_same_chunk() {
        let (a, sealed) = key().seal(0, 2, b"pixels".to_vec()).unwrap();
        let (b, _) = key().seal(0, 2, b"pixels".to_vec()).unwrap();
        assert_eq!(a, b);
        assert_eq!(key().open(0, 2, sealed).unwrap(), b"pixels");
    }

    #[test]
    fn a_chunk_opens_in_its_own_place_only() {
        let (_, sealed) = key().seal(1, 3, b"pixels".to_vec()).unwrap();
        for (index, count) in [(0, 3), (2, 3), (1, 2)] {
            assert_eq!(key().open(index, count, sealed.clone()), Err(OpenError));
        }
    }

    #[test]
    fn one_flipped_bit_is_refused() {
        let (_, mut sealed) = key().seal(0, 1, b"pixels".to_vec()).unwrap();
        sealed[3] ^= 1;
        assert_eq!(key().open(0, 1, sealed), Err(OpenError));
    }

    #[test]
    fn a_piece_that_is_too_long_is_refused() {
        assert!(key().seal(0, 1, vec![0; CHUNK_PLAIN_BYTES_MAX]).is_ok());
        assert_eq!(key().seal(0, 1, vec![0; CHUNK_PLAIN_BYTES_MAX + 1]), Err(OpenError));
        assert_eq!(key().seal(1, 1, vec![]), Err(OpenError));
    }
}
