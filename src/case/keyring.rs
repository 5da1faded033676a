//! The epoch secrets this device holds of one case, and what they open.
//!
//! Nothing of this is stored: the ring is filled from the entries with the device's sealing key whenever a case
//! is opened, and a locked program simply drops it. A secret comes by a seal in a `members` entry, by a wrap
//! under a later secret, or by a `keys` entry; whichever way, it must match the commitment its epoch published.

use std::collections::{BTreeMap, BTreeSet};

use super::access::AccessChange;
use super::content::{Content, ContentError};
use super::history::{Accepted, History, Index};
use crate::encoding::id::EntryId;
use crate::identity::keys::{DeviceKey, SealingSecret};
use crate::seal::epoch::{EpochSecret, WrappedParent};

/// Epoch secrets by the id of the `members` entry that started the epoch.
#[derive(Default)]
pub struct Keyring {
    secrets: BTreeMap<EntryId, EpochSecret>,
    /// Entries already looked at.
    learned: usize,
}

/// What an entry's sealed part turned out to be.
#[derive(Clone, PartialEq)]
pub enum Opened {
    Content(Content),
    /// The entry has no sealed part.
    Nothing,
    /// This device lacks the epoch's secret.
    NoKey,
    /// It does not open or breaks a limit: the same for everybody who holds the secret.
    Malformed(Option<ContentError>),
}

impl Keyring {
    /// Takes in the secrets that new entries bring. Call it after entries were accepted.
    pub fn learn(&mut self, history: &History, device: DeviceKey, key: &SealingSecret) {
        let new: Vec<(Index, &Accepted)> = history.entries().skip(self.learned).collect();
        self.learned = history.len();
        for (_, accepted) in new {
            match accepted.entry.body.access() {
                Some(AccessChange::Members(members)) => {
                    let seal = members.seals.iter().find(|seal| seal.device == device);
                    let case = accepted.entry.header.sealing_case();
                    let commitment = &members.commitment.0;
                    let opened =
                        seal.and_then(|seal| EpochSecret::open(&seal.seal, case, commitment, device, key).ok());
                    if let Some(secret) = opened {
                        self.add(history, accepted.entry.id, secret);
                    }
                }
                Some(AccessChange::Keys(handed)) => {
                    for handed in handed.iter().filter(|handed| handed.seal.device == device) {
                        let Some(commitment) = commitment(history, handed.epoch) else { continue };
                        let case = accepted.entry.header.sealing_case();
                        if !self.secrets.contains_key(&handed.epoch)
                            && let Ok(secret) = EpochSecret::open(&handed.seal.seal, case, &commitment, device, key)
                        {
                            self.add(history, handed.epoch, secret);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Goes back to a shorter history.
    pub fn relearn(&mut self, history: &History) {
        self.learned = self.learned.min(history.len());
        self.secrets.retain(|epoch, _| history.index_of(epoch).is_some());
    }

    /// Adds a secret and all that are wrapped under it.
    pub fn add(&mut self, history: &History, epoch: EntryId, secret: EpochSecret) {
        let mut found = vec![(epoch, secret)];
        while let Some((epoch, secret)) = found.pop() {
            for WrappedParent { epoch: earlier, wrapped } in wrapped_by(history, epoch) {
                let Some(commitment) = commitment(history, *earlier) else { continue };
                if !self.secrets.contains_key(earlier)
                    && let Ok(earlier_secret) = secret.unwrap(wrapped, *earlier, &commitment)
                {
                    found.push((*earlier, earlier_secret));
                }
            }
            self.secrets.insert(epoch, secret);
        }
    }

    pub fn secret(&self, epoch: &EntryId) -> Option<&EpochSecret> {
        self.secrets.get(epoch)
    }

    /// Epochs whose secret is held.
    pub fn epochs(&self) -> impl Iterator<Item = (&EntryId, &EpochSecret)> {
        self.secrets.iter()
    }

    /// Held secrets that together give all held ones: what a new epoch has to wrap.
    pub fn to_wrap(&self, history: &History) -> Vec<(EntryId, &EpochSecret)> {
        let mut held: Vec<Index> = self.secrets.keys().filter_map(|epoch| history.index_of(epoch)).collect();
        held.sort_by_key(|index| std::cmp::Reverse(history.order_key(*index)));
        let mut covered: Vec<EntryId> = Vec::new();
        let mut chosen = Vec::new();
        for index in held {
            let epoch = history[index].entry.id;
            if covered.contains(&epoch) {
                continue;
            }
            let mut below = vec![epoch];
            while let Some(epoch) = below.pop() {
                if !covered.contains(&epoch) {
                    covered.push(epoch);
                    below.extend(wrapped_by(history, epoch).iter().map(|parent| parent.epoch));
                }
            }
            chosen.extend(self.secrets.get(&epoch).map(|secret| (epoch, secret)));
        }
        chosen
    }

    /// Epochs whose secret is held here and that a device cannot open with all that was sealed to it. Empty for a
    /// device to which nothing was ever sealed: it is new, and its person is asked first (format 4).
    pub fn lacking(&self, history: &History, device: DeviceKey) -> BTreeSet<EntryId> {
        let mut found: Vec<EntryId> = Vec::new();
        for (_, accepted) in history.entries() {
            match accepted.entry.body.access() {
                Some(AccessChange::Members(members)) if members.seals.iter().any(|seal| seal.device == device) => {
                    found.push(accepted.entry.id);
                }
                Some(AccessChange::Keys(handed)) => {
                    found.extend(handed.iter().filter(|key| key.seal.device == device).map(|key| key.epoch));
                }
                _ => {}
            }
        }
        let mut opens = BTreeSet::new();
        let is_new = found.is_empty();
        while let Some(epoch) = found.pop() {
            if opens.insert(epoch) {
                found.extend(wrapped_by(history, epoch).iter().map(|parent| parent.epoch));
            }
        }
        let lacks = self.secrets.keys().filter(|epoch| !is_new && !opens.contains(epoch));
        lacks.copied().collect()
    }

    /// Opens an entry's sealed part.
    pub fn open(&self, accepted: &Accepted) -> Opened {
        let entry = &accepted.entry;
        let Some(sealed) = &entry.body.sealed else { return Opened::Nothing };
        let starts_epoch = matches!(entry.body.access(), Some(AccessChange::Members(_)));
        let epoch = if starts_epoch { Some(entry.id) } else { entry.header.epoch };
        let Some(secret) = epoch.and_then(|epoch| self.secrets.get(&epoch)) else { return Opened::NoKey };
        let key = secret.entry_key(entry.header.sealing_case(), entry.header.device, &entry.header.salt.0);
        if key.commitment() != entry.header.commitment.0 {
            return Opened::Malformed(None);
        }
        match key.open(&entry.header.associated_data(), sealed) {
            Err(_) => Opened::Malformed(None),
            Ok(bytes) => match Content::from_bytes(&bytes) {
                Ok(content) => Opened::Content(content),
                Err(error) => Opened::Malformed(Some(error)),
            },
        }
    }
}

fn commitment(history: &History, epoch: EntryId) -> Option<[u8; 32]> {
    match history[history.index_of(&epoch)?].entry.body.access() {
        Some(AccessChange::Members(members)) => Some(members.commitment.0),
        _ => None,
    }
}

fn wrapped_by(history: &History, epoch: EntryId) -> &[WrappedParent] {
    let access = history.index_of(&epoch).and_then(|index| history[index].entry.body.access());
    match access {
        Some(AccessChange::Members(members)) => &members.wrapped,
        _ => &[],
    }
}
