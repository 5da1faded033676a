//! The part of a bundle that stands in the clear, at its start and again at its end.
//!
//! ```text
//!   0    16   "overread bundle\n"
//!   16    4   version, big-endian
//!   20   16   serial
//!   36    2   number of seals n, big-endian: 8, 16, 32, 64 or 128
//!   38  1168n seals
//!   ..   32   BLAKE3 of everything before
//! ```
//!
//! The hash at its end tells the intact copy from a damaged one. It is no protection: the segment key is derived from
//! it and the sender signs it, and those are.

use std::fmt;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use minicbor::{Decode, Encode};

use super::error::BundleError;
use crate::encoding::id::{Bytes, base32};
use crate::encoding::labels::FORMAT_VERSION;
use crate::encoding::random::{self, CryptoRng};
use crate::seal::bundle::{BUNDLE_SEAL_BYTES, BUNDLE_SERIAL_BYTES, BundleSeal};

/// How many seals a bundle may have; what recipients do not need is filled with decoys.
pub const BUCKETS: [usize; 5] = [8, 16, 32, 64, 128];

/// Most devices a bundle is for.
pub const RECIPIENTS_MAX: usize = 128;

const MAGIC: &[u8; 16] = b"overread bundle\n";
const FIXED_BYTES: usize = 38;
const CHECKSUM_BYTES: usize = 32;

/// The random name of a bundle, so of one trip of a stick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(pub [u8; BUNDLE_SERIAL_BYTES]);

impl Serial {
    pub(super) fn random(rng: &mut impl CryptoRng) -> Self {
        Self(random::bytes(rng))
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32(&self.0))
    }
}

impl<C> Encode<C> for Serial {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        Bytes(self.0).encode(e, context)
    }
}

impl<'b, C> Decode<'b, C> for Serial {
    fn decode(d: &mut minicbor::Decoder<'b>, context: &mut C) -> Result<Self, minicbor::decode::Error> {
        Bytes::decode(d, context).map(|bytes| Self(bytes.0))
    }
}

/// What anybody can see of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outline {
    pub serial: Serial,
    /// Length of the file.
    pub bytes: u64,
    /// Number of seals: an upper bound of the recipients' devices, one of [`BUCKETS`].
    pub seals: usize,
}

/// Looks at a bundle without opening it.
pub fn inspect<R: Read + Seek>(reader: &mut R) -> Result<Outline, BundleError> {
    let found = Found::find(reader)?;
    Ok(Outline { serial: found.head.serial, bytes: found.file_bytes, seals: found.head.seals.len() })
}

/// A head.
pub(super) struct Head {
    pub(super) serial: Serial,
    pub(super) seals: Vec<BundleSeal>,
}

impl Head {
    /// The head's bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(head_bytes(self.seals.len()));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&FORMAT_VERSION.to_be_bytes());
        bytes.extend_from_slice(&self.serial.0);
        // At most 128, see BUCKETS.
        bytes.extend_from_slice(&(self.seals.len() as u16).to_be_bytes());
        for seal in &self.seals {
            bytes.extend_from_slice(&seal.0);
        }
        let checksum = blake3::hash(&bytes);
        bytes.extend_from_slice(checksum.as_bytes());
        bytes
    }

    /// Reads the head that starts at `offset`; its hash comes beside it.
    fn read<R: Read + Seek>(reader: &mut R, offset: u64) -> Result<(Self, [u8; 32]), BundleError> {
        reader.seek(SeekFrom::Start(offset))?;
        let mut bytes = vec![0; FIXED_BYTES];
        read_head_part(reader, &mut bytes)?;
        let (magic, rest) = bytes.split_at(MAGIC.len());
        let (version, rest) = rest.split_at(4);
        let (serial, count) = rest.split_at(BUNDLE_SERIAL_BYTES);
        if magic != MAGIC {
            return Err(BundleError::NotABundle);
        }
        let version = version.try_into().map_or(0, u32::from_be_bytes);
        if version != FORMAT_VERSION {
            return Err(BundleError::OtherVersion(version));
        }
        let serial = serial.try_into().map_or(Serial([0; BUNDLE_SERIAL_BYTES]), Serial);
        let count = count.try_into().map_or(0, u16::from_be_bytes);
        let count = usize::from(count);
        if !BUCKETS.contains(&count) {
            return Err(BundleError::HeadDamaged);
        }
        bytes.resize(head_bytes(count), 0);
        read_head_part(reader, &mut bytes[FIXED_BYTES..])?;
        let (before, checksum) = bytes.split_at(bytes.len() - CHECKSUM_BYTES);
        let hash = *blake3::hash(before).as_bytes();
        if hash.as_slice() != checksum {
            return Err(BundleError::HeadDamaged);
        }
        let seals = before[FIXED_BYTES..].as_chunks::<BUNDLE_SEAL_BYTES>().0;
        Ok((Self { serial, seals: seals.iter().map(|seal| Bytes(*seal)).collect() }, hash))
    }
}

/// A bundle's head and where it was found.
pub(super) struct Found {
    pub(super) head: Head,
    /// The hash at the head's end.
    pub(super) hash: [u8; 32],
    pub(super) file_bytes: u64,
    /// Length of one head in bytes; the segments start here.
    pub(super) head_bytes: u64,
    pub(super) first_intact: bool,
    pub(super) second_intact: bool,
}

impl Found {
    /// Takes the first head, or if it is damaged the copy at the end of the file.
    pub(super) fn find<R: Read + Seek>(reader: &mut R) -> Result<Self, BundleError> {
        let file_bytes = reader.seek(SeekFrom::End(0))?;
        match Head::read(reader, 0) {
            Ok((head, hash)) => {
                let head_bytes = head_bytes(head.seals.len()) as u64;
                let at = file_bytes.checked_sub(head_bytes).filter(|at| *at >= head_bytes);
                let second = at.and_then(|at| Head::read(reader, at).ok());
                let second_intact = second.is_some_and(|(_, second_hash)| second_hash == hash);
                Ok(Self { head, hash, file_bytes, head_bytes, first_intact: true, second_intact })
            }
            Err(damage) => BUCKETS
                .into_iter()
                .find_map(|count| {
                    let head_bytes = head_bytes(count) as u64;
                    let at = file_bytes.checked_sub(head_bytes).filter(|at| *at >= head_bytes)?;
                    let (head, hash) = Head::read(reader, at).ok().filter(|(head, _)| head.seals.len() == count)?;
                    Some(Self { head, hash, file_bytes, head_bytes, first_intact: false, second_intact: true })
                })
                .ok_or(damage),
        }
    }
}

/// Length of a head with `seals` seals in bytes.
pub(super) fn head_bytes(seals: usize) -> usize {
    FIXED_BYTES + seals * BUNDLE_SEAL_BYTES + CHECKSUM_BYTES
}

/// Fills `part`; a file that ends before is a damaged bundle, or none.
fn read_head_part<R: Read>(reader: &mut R, part: &mut [u8]) -> Result<(), BundleError> {
    let is_start = part.len() == FIXED_BYTES;
    reader.read_exact(part).map_err(|error: io::Error| match error.kind() {
        ErrorKind::UnexpectedEof if is_start => BundleError::NotABundle,
        ErrorKind::UnexpectedEof => BundleError::HeadDamaged,
        _ => BundleError::Read(error),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn head(count: usize) -> Head {
        Head { serial: Serial([7; 16]), seals: (0..count).map(|n| Bytes([n as u8; BUNDLE_SEAL_BYTES])).collect() }
    }

    #[test]
    fn a_head_of_every_bucket_is_read_back_as_written() {
        for count in BUCKETS {
            let bytes = head(count).to_bytes();
            assert_eq!(bytes.len(), head_bytes(count));
            let (back, hash) = Head::read(&mut Cursor::new(&bytes), 0).unwrap();
            assert_eq!((back.serial, back.seals), (Serial([7; 16]), head(count).seals));
            assert_eq!(hash, bytes[bytes.len() - 32..]);
        }
    }

    #[test]
    fn any_flipped_bit_in_a_head_is_noticed() {
        let bytes = head(8).to_bytes();
        for position in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[position] ^= 1 << (position % 8);
            assert!(Head::read(&mut Cursor::new(&altered), 0).is_err(), "byte {position}");
        }
    }

    #[test]
    fn hostile_heads_are_refused_by_name() {
        let good = head(8).to_bytes();
        let with = |at: usize, new: &[u8]| {
            let mut bytes = good.clone();
            bytes[at..at + new.len()].copy_from_slice(new);
            bytes
        };
        let is_other = |error: &BundleError| matches!(error, BundleError::OtherVersion(2));
        let is_damaged = |error: &BundleError| matches!(error, BundleError::HeadDamaged);
        let is_none = |error: &BundleError| matches!(error, BundleError::NotABundle);
        type Expected<'a> = &'a dyn Fn(&BundleError) -> bool;
        let hostile: Vec<(&str, Vec<u8>, Expected<'_>)> = vec![
            ("an empty file", vec![], &is_none),
            ("a shorter file than a head's start", good[..37].to_vec(), &is_none),
            ("another magic", with(0, b"underread bundle"), &is_none),
            ("another version", with(16, &[0, 0, 0, 2]), &is_other),
            ("no seals", with(36, &[0, 0]), &is_damaged),
            ("seals between two buckets", with(36, &[0, 9]), &is_damaged),
            ("65,535 seals", with(36, &[0xff, 0xff]), &is_damaged),
            ("more seals than there are bytes", with(36, &[0, 128]), &is_damaged),
            ("a head cut short", good[..good.len() - 1].to_vec(), &is_damaged),
        ];
        for (attack, bytes, expected) in hostile {
            let error = inspect(&mut Cursor::new(bytes)).unwrap_err();
            assert!(expected(&error), "{attack}: {error}");
        }
    }
}
