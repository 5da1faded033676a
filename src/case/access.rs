//! The clear part of the three kinds that change access: `members`, `device` and `keys` (format 4).
//!
//! These kinds are a closed list: a program that meets another one opens the case read-only, and couriers fold
//! the very same bytes. What they mean is decided in [`super::members`].

use minicbor::{Decode, Encode};

use super::entry::EntryError;
use crate::encoding::id::{Bytes, EntryId};
use crate::identity::certificate::DeviceCertificate;
use crate::identity::keys::{DeviceKey, IdentityKey};
use crate::seal::epoch::{DeviceSeal, WrappedParent};

/// Most people in a case.
pub const IDENTITIES_MAX: usize = 64;

/// Most current devices in a case.
pub const DEVICES_MAX: usize = 128;

/// Most devices of one person.
pub const DEVICES_PER_IDENTITY_MAX: usize = 6;

/// Most changes in one `members` entry.
pub const CHANGES_MAX: usize = 64;

/// Most epochs whose secrets one entry wraps or hands on.
pub const EPOCHS_PER_ENTRY_MAX: usize = 128;

/// What a member may do; a later one includes what the ones before may (couriers apart: they read nothing).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Role {
    /// Stores and forwards sealed data, holds no key, writes nothing.
    #[n(0)]
    Courier,
    /// Reads; writes messages, receipts and acknowledgements.
    #[n(1)]
    Observer,
    /// Studies, marks, opinions, critical findings.
    #[n(2)]
    Reader,
    /// Adds and removes readers, observers and couriers.
    #[n(3)]
    Admin,
    /// Everything; there is always exactly one.
    #[n(4)]
    Owner,
}

impl Role {
    /// Whether secrets are sealed to this role.
    pub fn reads(self) -> bool {
        self != Self::Courier
    }

    /// The word lists and the command line use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Courier => "courier",
            Self::Observer => "observer",
            Self::Reader => "reader",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

/// The clear part of an entry that changes access.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum AccessChange {
    /// Changes members and starts an epoch in one entry, so that no crash lies between.
    #[n(0)]
    Members(#[n(0)] Members),
    /// Adds a device of its author; the new device may write it itself.
    #[n(1)]
    Device(#[n(0)] DeviceCertificate),
    /// Hands epoch secrets to a reader's device that lacks them.
    #[n(2)]
    Keys(#[n(0)] Vec<HandedKey>),
}

/// The clear part of a `members` entry.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Members {
    /// May be empty: then the entry only starts an epoch clean of removed devices.
    #[n(0)]
    pub changes: Vec<Change>,
    /// Commitment of the new epoch's secret.
    #[n(1)]
    pub commitment: Bytes<32>,
    /// The new secret, for each reader's device.
    #[n(2)]
    pub seals: Vec<DeviceSeal>,
    /// The secrets of the epochs before that the writer holds, under the new one.
    #[n(3)]
    pub wrapped: Vec<WrappedParent>,
}

/// One change of who may do what.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Change {
    #[n(0)]
    Add {
        #[n(0)]
        identity: IdentityKey,
        #[n(1)]
        role: Role,
        #[n(2)]
        devices: Vec<DeviceCertificate>,
        /// The adder had not verified this person and said so (`--to-unverified`).
        #[n(3)]
        unverified: bool,
    },
    /// Removes a member, or lets the author leave.
    #[n(1)]
    Remove {
        #[n(0)]
        identity: IdentityKey,
    },
    #[n(2)]
    SetRole {
        #[n(0)]
        identity: IdentityKey,
        #[n(1)]
        role: Role,
    },
    #[n(3)]
    RevokeDevice {
        #[n(0)]
        identity: IdentityKey,
        #[n(1)]
        device: DeviceKey,
    },
    /// Names who may take over, or nobody.
    #[n(4)]
    SetHeir {
        #[n(0)]
        heir: Option<IdentityKey>,
    },
    /// The owner hands the case to another member and becomes an admin.
    #[n(5)]
    Transfer {
        #[n(0)]
        successor: IdentityKey,
    },
    /// The heir becomes the owner, the old owner an admin.
    #[n(6)]
    TakeOver,
}

/// Epoch secrets sealed to one device.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct HandedKey {
    #[n(0)]
    pub epoch: EntryId,
    #[n(1)]
    pub seal: DeviceSeal,
}

impl Members {
    /// Whether a change of this entry adds the person.
    pub fn adds(&self, person: &IdentityKey) -> bool {
        self.changes.iter().any(|change| matches!(change, Change::Add { identity, .. } if identity == person))
    }
}

impl AccessChange {
    /// Whether seals may make this entry larger than others.
    pub fn may_be_large(&self) -> bool {
        matches!(self, Self::Members(_) | Self::Keys(_))
    }

    /// Every device certificate the entry brings.
    pub fn certificates(&self) -> impl Iterator<Item = &DeviceCertificate> {
        let (changes, single) = match self {
            Self::Members(members) => (members.changes.as_slice(), None),
            Self::Device(certificate) => (&[][..], Some(certificate)),
            Self::Keys(_) => (&[][..], None),
        };
        let added = changes.iter().flat_map(|change| match change {
            Change::Add { devices, .. } => devices.as_slice(),
            _ => &[],
        });
        added.chain(single)
    }

    /// The rules an access change can break on its own.
    pub(super) fn check_limits(&self) -> Result<(), EntryError> {
        let rule = |ok: bool, rule: &'static str| if ok { Ok(()) } else { Err(EntryError::Shape(rule)) };
        match self {
            Self::Members(members) => {
                rule(members.changes.len() <= CHANGES_MAX, "at most 64 changes")?;
                rule(members.seals.len() <= DEVICES_MAX, "at most 128 seals")?;
                rule(members.wrapped.len() <= EPOCHS_PER_ENTRY_MAX, "at most 128 wrapped epochs")?;
                for change in &members.changes {
                    if let Change::Add { identity, devices, .. } = change {
                        rule(devices.len() <= DEVICES_PER_IDENTITY_MAX, "at most 6 devices a person")?;
                        let hers = devices.iter().all(|certificate| certificate.identity() == *identity);
                        rule(hers, "a person is added with her own devices")?;
                    }
                }
                Ok(())
            }
            Self::Device(_) => Ok(()),
            Self::Keys(keys) => {
                rule(!keys.is_empty() && keys.len() <= EPOCHS_PER_ENTRY_MAX, "between 1 and 128 handed keys")
            }
        }
    }
}
