//! What a device has of a case, in a few bytes: the heads of each author's log.
//!
//! One head covers everything before it on its chain. A device that forked has several heads, one a branch. The
//! frontier of a bundle, of a peer and of one's own log are the same type.
//!
//! Two frontiers are compared in three steps, each only if the one before differs: a [`Digest`], a
//! [`Frontier::sketch`] of 8 bytes a device, and the heads themselves. The sketch is salted with the sender's digest,
//! which nobody knows in advance, so a forger cannot prepare a second branch whose 8 bytes equal the first's.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Decoder, Encode, Encoder};

use super::message::List;
use crate::encoding::id::EntryId;
use crate::encoding::to_bytes;
use crate::identity::keys::DeviceKey;

/// Most devices in one frontier. A case has 128 current devices (format 11); the rest is room for revoked ones.
pub const DEVICES_MAX: usize = 1024;

/// Most heads listed of one device. An honest one has one; what a forger branches beyond this is not listed.
pub const HEADS_PER_DEVICE_MAX: usize = 32;

/// Bytes that stand for one device in a sketch.
pub const SKETCH_ITEM_BYTES: usize = 8;

/// BLAKE3 over the canonical bytes of a frontier.
pub type Digest = crate::encoding::id::Bytes<32>;

/// The last entry of one branch of a device's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Head {
    #[n(0)]
    pub sequence: u64,
    #[n(1)]
    pub id: EntryId,
}

/// All heads of one device; in ascending order and never empty.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct DeviceHeads {
    #[n(0)]
    pub device: DeviceKey,
    #[n(1)]
    pub heads: List<Head, HEADS_PER_DEVICE_MAX>,
}

impl DeviceHeads {
    /// Whether the heads are at least one and strictly ascending.
    pub fn is_well_formed(&self) -> bool {
        !self.heads.0.is_empty() && self.heads.0.is_sorted_by(|a, b| a < b)
    }
}

/// The heads of every device that wrote in a case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    devices: BTreeMap<DeviceKey, Vec<Head>>,
}

impl Frontier {
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// Number of devices that wrote something.
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// The heads of a device; empty if it wrote nothing.
    pub fn heads(&self, device: &DeviceKey) -> &[Head] {
        self.devices.get(device).map_or(&[], Vec::as_slice)
    }

    /// Every device with its heads, in key order.
    pub fn devices(&self) -> impl Iterator<Item = (&DeviceKey, &[Head])> {
        self.devices.iter().map(|(device, heads)| (device, heads.as_slice()))
    }

    /// Replaces a device's heads; they are sorted here, and none at all removes the device.
    ///
    /// Devices beyond [`DEVICES_MAX`] and heads beyond [`HEADS_PER_DEVICE_MAX`] are not listed, so that what a member
    /// floods a case with cannot make a message that others must refuse.
    pub fn set(&mut self, device: DeviceKey, mut heads: Vec<Head>) {
        heads.sort_unstable();
        heads.dedup();
        heads.truncate(HEADS_PER_DEVICE_MAX);
        if heads.is_empty() {
            self.devices.remove(&device);
        } else if self.devices.len() < DEVICES_MAX || self.devices.contains_key(&device) {
            self.devices.insert(device, heads);
        }
    }

    /// Equal frontiers have equal digests.
    pub fn digest(&self) -> Digest {
        crate::encoding::id::Bytes(*blake3::hash(&to_bytes(self)).as_bytes())
    }

    /// Eight bytes a device, in key order, for whoever salts the same way.
    pub fn sketch(&self, salt: &Digest) -> Vec<[u8; SKETCH_ITEM_BYTES]> {
        self.devices().map(|(device, heads)| sketch_item(salt, device, heads)).collect()
    }

    /// Compares with the other side's sketch: which of its items I have too (one bit each, in its order), and my
    /// heads for every device that it has differently or not at all.
    pub fn answer(&self, salt: &Digest, sketch: &[[u8; SKETCH_ITEM_BYTES]]) -> (Vec<u8>, Vec<DeviceHeads>) {
        let mine: Vec<_> = self.sketch(salt);
        let mine_set: BTreeSet<_> = mine.iter().collect();
        let theirs_set: BTreeSet<_> = sketch.iter().collect();
        let mut matched = vec![0; sketch.len().div_ceil(8)];
        for (i, item) in sketch.iter().enumerate() {
            if mine_set.contains(item) {
                matched[i / 8] |= 1 << (i % 8);
            }
        }
        let differing = self.devices().zip(&mine).filter(|(_, item)| !theirs_set.contains(item));
        (matched, differing.map(|((device, heads), _)| device_heads(*device, heads)).collect())
    }

    /// The other side's whole frontier, from my frontier when I sent the sketch and its answer to that.
    ///
    /// `None` if the answer does not fit: wrong number of bits, or a device both matched and listed.
    pub fn from_answer(&self, matched: &[u8], heads: Vec<DeviceHeads>) -> Option<Frontier> {
        if matched.len() != self.len().div_ceil(8) {
            return None;
        }
        let is_matched = |i: usize| matched[i / 8] & (1 << (i % 8)) != 0;
        let same = self.devices.iter().enumerate().filter(|(i, _)| is_matched(*i));
        let mut devices: BTreeMap<_, _> = same.map(|(_, (device, heads))| (*device, heads.clone())).collect();
        for item in heads {
            if !item.is_well_formed() || devices.insert(item.device, item.heads.0).is_some() {
                return None;
            }
        }
        (devices.len() <= DEVICES_MAX).then_some(Self { devices })
    }
}

fn sketch_item(salt: &Digest, device: &DeviceKey, heads: &[Head]) -> [u8; SKETCH_ITEM_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&salt.0).update(&to_bytes(&device_heads(*device, heads)));
    let mut item = [0; SKETCH_ITEM_BYTES];
    item.copy_from_slice(&hasher.finalize().as_bytes()[..SKETCH_ITEM_BYTES]);
    item
}

/// A device's heads in the form messages carry.
pub fn device_heads(device: DeviceKey, heads: &[Head]) -> DeviceHeads {
    DeviceHeads { device, heads: List(heads.to_vec()) }
}

impl<C> Encode<C> for Frontier {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(self.devices.len() as u64)?;
        for (device, heads) in self.devices() {
            device_heads(*device, heads).encode(e, context)?;
        }
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for Frontier {
    fn decode(d: &mut Decoder<'b>, context: &mut C) -> Result<Self, minicbor::decode::Error> {
        let list = List::<DeviceHeads, DEVICES_MAX>::decode(d, context)?;
        let in_order = list.0.is_sorted_by(|a, b| a.device < b.device);
        if !in_order || !list.0.iter().all(DeviceHeads::is_well_formed) {
            return Err(minicbor::decode::Error::message("devices and heads must ascend, each once"));
        }
        Ok(Self { devices: list.0.into_iter().map(|item| (item.device, item.heads.0)).collect() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::from_bytes;

    fn frontier(items: &[(u8, u64)]) -> Frontier {
        let mut frontier = Frontier::default();
        for (device, sequence) in items {
            let mut heads = frontier.heads(&DeviceKey([*device; 32])).to_vec();
            heads.push(Head { sequence: *sequence, id: EntryId([*sequence as u8; 32]) });
            frontier.set(DeviceKey([*device; 32]), heads);
        }
        frontier
    }

    proptest! {
        #[test]
        fn a_frontier_is_read_back_as_written(items: Vec<(u8, u64)>) {
            let frontier = frontier(&items);
            let back = from_bytes::<Frontier>(&to_bytes(&frontier), 1 << 20);
            prop_assert_eq!(back, Ok(frontier));
        }

        #[test]
        fn the_answer_to_a_sketch_tells_the_whole_frontier(mine: Vec<(u8, u64)>, theirs: Vec<(u8, u64)>, both: Vec<(u8, u64)>) {
            let mine = frontier(&[&mine[..], &both].concat());
            let theirs = frontier(&[&theirs[..], &both].concat());
            let salt = mine.digest();
            let (matched, heads) = theirs.answer(&salt, &mine.sketch(&salt));
            prop_assert_eq!(mine.from_answer(&matched, heads), Some(theirs));
        }
    }

    #[test]
    fn contradicting_frontiers_are_refused() {
        let head = |sequence| Head { sequence, id: EntryId([1; 32]) };
        let item = |device: u8, heads: Vec<Head>| DeviceHeads { device: DeviceKey([device; 32]), heads: List(heads) };
        let hostile: &[(&str, Vec<DeviceHeads>)] = &[
            ("the same device twice", vec![item(1, vec![head(1)]), item(1, vec![head(2)])]),
            ("devices out of order", vec![item(2, vec![head(1)]), item(1, vec![head(2)])]),
            ("a device without heads", vec![item(1, vec![])]),
            ("the same head twice", vec![item(1, vec![head(1), head(1)])]),
            ("heads out of order", vec![item(1, vec![head(2), head(1)])]),
        ];
        for (attack, list) in hostile {
            let bytes = to_bytes(&List::<DeviceHeads, DEVICES_MAX>(list.clone()));
            assert!(from_bytes::<Frontier>(&bytes, 1 << 20).is_err(), "{attack}");
        }
        let mine = frontier(&[(1, 1)]);
        assert_eq!(mine.from_answer(&[], vec![]), None, "too few bits");
        assert_eq!(mine.from_answer(&[1, 0], vec![]), None, "too many bits");
        assert_eq!(mine.from_answer(&[1], vec![item(1, vec![head(1)])]), None, "matched and listed");
        assert_eq!(mine.from_answer(&[0], vec![item(2, vec![])]), None, "listed without heads");
    }

    #[test]
    fn a_flood_of_devices_and_heads_still_gives_a_frontier_others_can_read() {
        let mut frontier = Frontier::default();
        for n in 0..DEVICES_MAX as u32 + 9 {
            let mut device = [0; 32];
            device[..4].copy_from_slice(&n.to_be_bytes());
            let heads = (0..HEADS_PER_DEVICE_MAX as u64 + 9).map(|sequence| Head { sequence, id: EntryId([7; 32]) });
            frontier.set(DeviceKey(device), heads.collect());
        }
        assert_eq!(frontier.len(), DEVICES_MAX);
        let bytes = to_bytes(&frontier);
        assert!(bytes.len() < crate::sync::message::FRAME_BYTES_MAX);
        assert_eq!(from_bytes::<Frontier>(&bytes, bytes.len()), Ok(frontier));
    }

    #[test]
    fn one_other_head_changes_the_digest() {
        assert_ne!(frontier(&[(1, 1)]).digest(), frontier(&[(1, 2)]).digest());
        assert_eq!(frontier(&[(1, 1), (2, 2)]).digest(), frontier(&[(2, 2), (1, 1)]).digest());
    }
}
