//! One record of a case's history, to the byte (format 3).
//!
//! An entry is a *header* that everybody may read, a *body* (a clear part for what couriers must know, and a
//! sealed part), and the device's signature over the header, which names the body by its hash. The same bytes
//! are stored, sent and carried.
//!
//! Trust grows by type: bytes become a [`ParsedEntry`] (canonical, within limits, body fits its hash), then a
//! [`SignedEntry`] (signature holds). Only [`super::history::History::accept`] makes it part of a case.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::access::AccessChange;
use crate::encoding::id::{Bytes, CaseId, EntryId};
use crate::encoding::labels::{FORMAT_VERSION, SIGN_ENTRY};
use crate::encoding::time::Timestamp;
use crate::encoding::{DecodeError, from_bytes, to_bytes};
use crate::identity::certificate::{CertificateError, DeviceCertificate};
use crate::identity::keys::{BadSignature, DeviceKey, Signature, SigningSecret, verify};
use crate::seal::epoch::{NO_CASE_YET, SealedNotice};

/// Longest entry in bytes.
pub const ENTRY_BYTES_MAX: usize = 64 * 1024;

/// Longest `members` or `keys` entry in bytes: one X-Wing seal for each of 128 devices is 150 KiB.
pub const ACCESS_ENTRY_BYTES_MAX: usize = 256 * 1024;

/// Most parents an entry names.
pub const PARENTS_MAX: usize = 128;

/// Most notices an entry carries: one for each current device of a case.
pub const NOTICES_MAX: usize = 128;

/// What everybody may read of an entry. No other field.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Header {
    #[n(0)]
    pub format: u32,
    /// Absent in the first entry, whose id becomes the case's.
    #[n(1)]
    pub case: Option<CaseId>,
    #[n(2)]
    pub device: DeviceKey,
    /// Position in the device's log of this case, from 0.
    #[n(3)]
    pub sequence: u64,
    /// The device's entry before; absent at sequence 0.
    #[n(4)]
    pub previous: Option<EntryId>,
    /// Heads seen that `previous` does not already reach, ascending.
    #[n(5)]
    pub parents: Vec<EntryId>,
    /// What the author's clock claimed.
    #[n(6)]
    pub claimed: Timestamp,
    /// The `members` entry whose readers can open this one; absent in the first entry and where nothing is sealed.
    #[n(7)]
    pub epoch: Option<EntryId>,
    #[n(8)]
    pub salt: Bytes<32>,
    /// Commitment of the entry's key; zero where nothing is sealed.
    #[n(9)]
    pub commitment: Bytes<32>,
    /// BLAKE3 of the body's bytes.
    #[n(10)]
    pub body_hash: Bytes<32>,
}

impl Header {
    /// The entry's name.
    pub fn id(&self) -> EntryId {
        EntryId(*blake3::hash(&to_bytes(self)).as_bytes())
    }

    /// The case this belongs to: for a first entry, the one it founds.
    pub fn case_id(&self) -> CaseId {
        self.case.unwrap_or_else(|| self.id().into())
    }

    /// The case id that keys and seals of this entry are bound to.
    pub fn sealing_case(&self) -> CaseId {
        self.case.unwrap_or(NO_CASE_YET)
    }

    /// What the sealed part is bound to: the header without the body hash.
    pub fn associated_data(&self) -> Vec<u8> {
        to_bytes(&Self { body_hash: Bytes([0; 32]), ..self.clone() })
    }
}

/// The part of an entry that is named by the header's body hash.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Body {
    /// Absent in entries that change no access and carry no notice.
    #[n(0)]
    pub clear: Option<Clear>,
    /// Content under the entry's key; absent where nothing is sealed.
    #[n(1)]
    pub sealed: Option<ByteVec>,
}

/// What couriers and locked devices may read.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Clear {
    #[n(0)]
    pub access: Option<AccessChange>,
    /// Urgency classes for locked screens.
    #[n(1)]
    pub notices: Vec<Notice>,
}

/// An urgency class for one device.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Notice {
    #[n(0)]
    pub device: DeviceKey,
    #[n(1)]
    pub sealed: SealedNotice,
}

/// The form on disk, wire and stick.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Wire {
    #[n(0)]
    header: ByteVec,
    #[n(1)]
    body: ByteVec,
    #[n(2)]
    signature: Signature,
}

/// An entry whose form is right; nothing is known yet of who wrote it.
#[derive(Debug, Clone)]
pub struct ParsedEntry {
    entry: Entry,
    signature: Signature,
}

/// An entry whose signature holds under the device key in its header.
#[derive(Debug, Clone)]
pub struct SignedEntry(Entry);

/// Certificates that hold, by the hash of all their bytes: the cases of one person name the same few over and over.
#[derive(Default)]
pub struct VerifiedCertificates(RwLock<HashSet<blake3::Hash>>);

/// An entry, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: EntryId,
    pub header: Header,
    pub body: Body,
}

impl ParsedEntry {
    /// Reads an entry's bytes: canonical form, limits, body hash, and the rules a single entry can break alone.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        let wire: Wire = from_bytes(bytes, ACCESS_ENTRY_BYTES_MAX)?;
        let header: Header = from_bytes(&wire.header, ENTRY_BYTES_MAX)?;
        if header.format != FORMAT_VERSION {
            return Err(EntryError::OtherFormat(header.format));
        }
        if *blake3::hash(&wire.body).as_bytes() != header.body_hash.0 {
            return Err(EntryError::BodyHash);
        }
        let body: Body = from_bytes(&wire.body, ACCESS_ENTRY_BYTES_MAX)?;
        let large = matches!(&body.clear, Some(Clear { access: Some(change), .. }) if change.may_be_large());
        if bytes.len() > ENTRY_BYTES_MAX && !large {
            return Err(DecodeError::TooLong { bytes: bytes.len(), max_bytes: ENTRY_BYTES_MAX }.into());
        }
        check_shape(&header, &body)?;
        let id = EntryId(*blake3::hash(&wire.header).as_bytes());
        Ok(Self { entry: Entry { id, header, body }, signature: wire.signature })
    }

    /// Checks the device's signature and every certificate the entry brings.
    pub fn verify(self) -> Result<SignedEntry, EntryError> {
        self.verify_with(&VerifiedCertificates::default())
    }

    /// The same for one of many entries, whose certificates are verified once together.
    pub fn verify_with(self, verified: &VerifiedCertificates) -> Result<SignedEntry, EntryError> {
        let Self { entry, signature } = self;
        verify(&entry.header.device.0, SIGN_ENTRY, &to_bytes(&entry.header), &signature)?;
        if let Some(access) = entry.body.access() {
            for certificate in access.certificates() {
                verified.verify(certificate)?;
            }
        }
        Ok(SignedEntry(entry))
    }

    pub fn entry(&self) -> &Entry {
        &self.entry
    }
}

impl SignedEntry {
    /// Reads and verifies in one go.
    pub fn read(bytes: &[u8]) -> Result<Self, EntryError> {
        ParsedEntry::parse(bytes)?.verify()
    }

    /// The same for one of many entries, whose certificates are verified once together.
    pub fn read_with(bytes: &[u8], verified: &VerifiedCertificates) -> Result<Self, EntryError> {
        ParsedEntry::parse(bytes)?.verify_with(verified)
    }

    pub fn entry(&self) -> &Entry {
        &self.0
    }

    pub fn into_entry(self) -> Entry {
        self.0
    }
}

impl VerifiedCertificates {
    fn verify(&self, certificate: &DeviceCertificate) -> Result<(), CertificateError> {
        let hash = blake3::hash(&to_bytes(certificate));
        // What was put in is whole, whatever happened to who put it there.
        if self.0.read().unwrap_or_else(PoisonError::into_inner).contains(&hash) {
            return Ok(());
        }
        certificate.verify()?;
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(hash);
        Ok(())
    }
}

impl Body {
    pub fn access(&self) -> Option<&AccessChange> {
        self.clear.as_ref()?.access.as_ref()
    }

    pub fn notices(&self) -> &[Notice] {
        self.clear.as_ref().map_or(&[], |clear| &clear.notices)
    }
}

/// Signs a header over its body and gives the bytes that are stored, sent and carried.
pub fn sign(header: &Header, body: &Body, device: &SigningSecret) -> Vec<u8> {
    let signature = device.sign(SIGN_ENTRY, &to_bytes(header));
    to_bytes(&Wire { header: to_bytes(header).into(), body: to_bytes(body).into(), signature })
}

fn check_shape(header: &Header, body: &Body) -> Result<(), EntryError> {
    let first = header.case.is_none();
    let shape = |ok: bool, rule: &'static str| if ok { Ok(()) } else { Err(EntryError::Shape(rule)) };
    shape(header.parents.len() <= PARENTS_MAX, "at most 128 parents")?;
    shape(header.parents.is_sorted_by(|a, b| a < b), "parents ascend and differ")?;
    shape(header.previous.is_some() == (header.sequence > 0), "only sequence 0 has no previous entry")?;
    shape(body.notices().len() <= NOTICES_MAX, "at most 128 notices")?;
    if let Some(access) = body.access() {
        access.check_limits()?;
    }
    let nothing_sealed = body.sealed.is_none();
    shape(nothing_sealed == (header.commitment.0 == [0; 32]), "a key commitment stands for a sealed part")?;
    match body.access() {
        Some(AccessChange::Members(_)) => {
            shape(!nothing_sealed, "a members entry has a sealed part")?;
            shape(header.epoch.is_some() != first, "only the first entry has no epoch")?;
        }
        _ => shape(nothing_sealed == header.epoch.is_none(), "an epoch stands for a sealed part")?,
    }
    if first {
        let founds = matches!(body.access(), Some(AccessChange::Members(_)));
        shape(founds && header.sequence == 0 && header.parents.is_empty(), "the first entry founds a case")
    } else {
        shape(header.previous.is_some() || !header.parents.is_empty(), "a later entry has a past")?;
        shape(!nothing_sealed || body.access().is_some(), "an entry says something")
    }
}

/// Why bytes are no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error(transparent)]
    Encoding(#[from] DecodeError),
    #[error("written in format {0}, which this program does not know")]
    OtherFormat(u32),
    #[error("the body is not the one the header names")]
    BodyHash,
    #[error("breaks the rule: {0}")]
    Shape(&'static str),
    #[error("not signed by the device it names")]
    Signature(#[from] BadSignature),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}
