//! Packed bytes and the sealed chunks they become.
//!
//! An object is anything packed under a study's key: an instance or a page of the manifest. Its key is made of
//! its packed bytes, so the same bytes give the same chunks. [`seal_object`] cuts and seals; [`open_object`]
//! takes the chunks in order from whoever has them, and believes only what fits the object's hash.

use minicbor::{Decode, Encode};

use super::packing::Packed;
use crate::encoding::id::{Bytes, ChunkId};
use crate::seal::chunk::{CHUNK_PLAIN_BYTES_MAX, StudyKey};

/// Most chunks of one object: 4 GiB.
pub const CHUNKS_MAX: usize = 16_385;

/// How an object is named to those who may open it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ObjectRef {
    /// BLAKE3 of the packed bytes.
    #[n(0)]
    pub packed_hash: Bytes<32>,
    /// Length of the packed bytes.
    #[n(1)]
    pub packed_bytes: u64,
    /// The sealed chunks in order.
    #[n(2)]
    pub chunks: Vec<ChunkId>,
}

/// An object's chunks with what names them.
pub struct SealedObject {
    pub object: ObjectRef,
    /// BLAKE3 of what was packed.
    pub plain_hash: [u8; 32],
    /// In order, each at most [`crate::seal::chunk::CHUNK_BYTES_MAX`] long.
    pub chunks: Vec<(ChunkId, Vec<u8>)>,
}

/// Cuts and seals a packed file.
pub fn seal_object(key: &StudyKey, packed: &Packed) -> Result<SealedObject, ObjectError> {
    let count = packed.bytes.len().div_ceil(CHUNK_PLAIN_BYTES_MAX);
    if count > CHUNKS_MAX {
        return Err(ObjectError::TooLong { packed_bytes: packed.bytes.len() as u64 });
    }
    let object_key = key.object_key(&packed.packed_hash);
    let chunks = packed
        .bytes
        .chunks(CHUNK_PLAIN_BYTES_MAX)
        .zip(0..)
        .map(|(piece, index)| {
            let mut room = Vec::with_capacity(piece.len() + crate::seal::aead::TAG_BYTES);
            room.extend_from_slice(piece);
            object_key.seal(index, count as u32, room).map_err(|_| ObjectError::Unsealable)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let object = ObjectRef {
        packed_hash: Bytes(packed.packed_hash),
        packed_bytes: packed.bytes.len() as u64,
        chunks: chunks.iter().map(|(id, _)| *id).collect(),
    };
    Ok(SealedObject { object, plain_hash: packed.plain_hash, chunks })
}

/// Opens an object's chunks and gives the packed bytes; `fetch` gives the sealed bytes of a chunk.
pub fn open_object(
    key: &StudyKey,
    object: &ObjectRef,
    mut fetch: impl FnMut(&ChunkId) -> Option<Vec<u8>>,
) -> Result<Vec<u8>, ObjectError> {
    let pieces = CHUNK_PLAIN_BYTES_MAX as u64;
    let count = object.packed_bytes.div_ceil(pieces);
    if object.chunks.len() > CHUNKS_MAX || object.chunks.len() as u64 != count {
        return Err(ObjectError::Malformed);
    }
    let object_key = key.object_key(&object.packed_hash.0);
    let mut packed = Vec::new();
    for (id, index) in object.chunks.iter().zip(0..) {
        let sealed = fetch(id).ok_or(ObjectError::Missing { chunk: *id })?;
        if ChunkId::of(&sealed) != *id {
            return Err(ObjectError::Damaged { chunk: *id });
        }
        let piece = object_key.open(index, count as u32, sealed).map_err(|_| ObjectError::Damaged { chunk: *id })?;
        packed.extend_from_slice(&piece);
    }
    if packed.len() as u64 != object.packed_bytes || blake3::hash(&packed).as_bytes() != &object.packed_hash.0 {
        return Err(ObjectError::OtherBytes);
    }
    Ok(packed)
}

/// Why an object could not be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    #[error("{packed_bytes} packed bytes are more than {CHUNKS_MAX} chunks can hold")]
    TooLong { packed_bytes: u64 },
    #[error("sealing failed")]
    Unsealable,
    #[error("the number of chunks does not fit the length")]
    Malformed,
    #[error("chunk {chunk:?} has not arrived yet")]
    Missing { chunk: ChunkId },
    #[error("chunk {chunk:?} is damaged or sealed for another place")]
    Damaged { chunk: ChunkId },
    #[error("the chunks open to other bytes than their name says")]
    OtherBytes,
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::identity::keys::Secret;
    use crate::study::packing::{FileParts, Packer, unpack};

    fn key() -> StudyKey {
        StudyKey(Secret::new([7; 32]))
    }

    fn object(bytes: usize) -> (Vec<u8>, SealedObject) {
        let mut noise = vec![0; bytes];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        let parts = FileParts { before: &noise, pixels: &[], after: &[], layout: None };
        let packed = Packer::new().unwrap().pack(&parts).unwrap();
        let sealed = seal_object(&key(), &packed).unwrap();
        (noise, sealed)
    }

    fn open(sealed: &SealedObject, change: impl Fn(&mut HashMap<ChunkId, Vec<u8>>)) -> Result<Vec<u8>, ObjectError> {
        let mut chunks: HashMap<_, _> = sealed.chunks.iter().cloned().collect();
        change(&mut chunks);
        open_object(&key(), &sealed.object, |id| chunks.get(id).cloned())
    }

    #[test]
    fn an_object_of_several_chunks_comes_back() {
        for bytes in [1, 100_000, CHUNK_PLAIN_BYTES_MAX, 3 * CHUNK_PLAIN_BYTES_MAX + 17] {
            let (noise, sealed) = object(bytes);
            let packed = open(&sealed, |_| {}).unwrap();
            assert!(unpack(&packed, bytes as u64).unwrap() == noise);
        }
    }

    #[test]
    fn the_same_file_gives_the_same_chunks_and_nothing_of_it_shows() {
        let (noise, first) = object(300_000);
        let (_, second) = object(300_000);
        assert_eq!(first.object, second.object);
        let sealed: Vec<u8> = first.chunks.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        assert!(!sealed.windows(16).any(|window| window == &noise[1000..1016]));
    }

    #[test]
    fn a_missing_damaged_or_swapped_chunk_is_named() {
        let (_, sealed) = object(600_000);
        let [first, second] = [sealed.chunks[0].0, sealed.chunks[1].0];
        let missing = open(&sealed, |chunks| drop(chunks.remove(&second)));
        assert_eq!(missing, Err(ObjectError::Missing { chunk: second }));
        let flipped = open(&sealed, |chunks| chunks.get_mut(&first).unwrap()[9] ^= 4);
        assert_eq!(flipped, Err(ObjectError::Damaged { chunk: first }));
        let mut swapped = SealedObject { object: sealed.object.clone(), ..object(600_000).1 };
        swapped.object.chunks.swap(0, 1);
        assert_eq!(open(&swapped, |_| {}), Err(ObjectError::Damaged { chunk: second }));
    }

    #[test]
    fn a_length_that_does_not_fit_is_refused() {
        let (_, mut sealed) = object(600_000);
        sealed.object.packed_bytes = u64::MAX;
        assert_eq!(open(&sealed, |_| {}), Err(ObjectError::Malformed));
        sealed.object.packed_bytes = 600_001;
        assert!(matches!(open(&sealed, |_| {}), Err(ObjectError::OtherBytes | ObjectError::Malformed)));
    }
}
