//! What the sender of a bundle signs: who she is and for whom it was sealed, first; what is in it, last.
//!
//! The last record repeats the first one whole, so that a bad spot at the start of the segments does not cost the
//! sender's name.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::error::{BundleError, RecordFault};
use super::head::Serial;
use crate::encoding::id::{Bytes, CaseId};
use crate::encoding::labels::{FORMAT_VERSION, SIGN_BUNDLE, SIGN_BUNDLE_CLOSING};
use crate::encoding::time::Timestamp;
use crate::encoding::{from_bytes, to_bytes};
use crate::identity::certificate::DeviceCertificate;
use crate::identity::keys::{BadSignature, DeviceKey, IdentityKey, Signature, SigningSecret, verify};
use crate::sync::frontier::Digest;
use crate::sync::message::List;

/// Most cases in one bundle.
pub const CASES_MAX: usize = 1024;

/// Longest opening in bytes: 80 for a case, and 2 KiB for certificate, hashes and signature.
pub(super) const OPENING_BYTES_MAX: usize = CASES_MAX * 80 + 2 * 1024;

/// Longest closing in bytes: the opening, and 72 for a case.
pub(super) const CLOSING_BYTES_MAX: usize = OPENING_BYTES_MAX + CASES_MAX * 72 + 1024;

/// Who packed a bundle, by her device's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    pub certificate: DeviceCertificate,
    /// What her clock claimed.
    pub packed: Timestamp,
}

impl Sender {
    pub fn device(&self) -> DeviceKey {
        self.certificate.device()
    }

    pub fn identity(&self) -> IdentityKey {
        self.certificate.identity()
    }
}

/// What a bundle holds of one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CaseCount {
    #[n(0)]
    pub case: CaseId,
    #[n(1)]
    pub entries: u64,
    #[n(2)]
    pub chunks: u64,
    /// Of the chunks, sealed.
    #[n(3)]
    pub chunk_bytes: u64,
}

impl CaseCount {
    pub(super) fn none(case: CaseId) -> Self {
        Self { case, entries: 0, chunks: 0, chunk_bytes: 0 }
    }
}

/// The signed part of the first record.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct OpeningStatement {
    #[n(0)]
    pub(super) format: u32,
    #[n(1)]
    pub(super) serial: Serial,
    /// With it the seals: the sender says for whom the bundle was packed.
    #[n(2)]
    pub(super) head_hash: Bytes<32>,
    #[n(3)]
    pub(super) key_commitment: Bytes<32>,
    #[n(4)]
    pub(super) sender: DeviceCertificate,
    #[n(5)]
    pub(super) packed: Timestamp,
    /// In ascending order.
    #[n(6)]
    pub(super) cases: List<OpeningCase, CASES_MAX>,
}

/// A case in the bundle and what its sender had of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct OpeningCase {
    #[n(0)]
    pub(super) case: CaseId,
    #[n(1)]
    pub(super) frontier: Digest,
}

/// The first record.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Opening {
    #[n(0)]
    pub(super) statement: OpeningStatement,
    #[n(1)]
    signature: Signature,
}

impl Opening {
    pub(super) fn sign(statement: OpeningStatement, device: &SigningSecret) -> Self {
        let signature = device.sign(SIGN_BUNDLE, &to_bytes(&statement));
        Self { statement, signature }
    }

    /// Reads an opening and checks that it belongs to the bundle with this serial, head and key.
    pub(super) fn read(
        bytes: &[u8],
        serial: Serial,
        head_hash: &[u8; 32],
        key_commitment: &[u8; 32],
    ) -> Result<Self, BundleError> {
        let opening: Self = from_bytes(bytes, OPENING_BYTES_MAX).map_err(BundleError::BadOpening)?;
        let statement = &opening.statement;
        if statement.format != FORMAT_VERSION {
            return Err(BundleError::OtherVersion(statement.format));
        }
        let belongs = statement.serial == serial
            && statement.head_hash.0 == *head_hash
            && statement.key_commitment.0 == *key_commitment
            && statement.cases.0.is_sorted_by(|a, b| a.case < b.case);
        let device = statement.sender.device();
        let signed = statement.sender.verify().is_ok()
            && verify(&device.0, SIGN_BUNDLE, &to_bytes(statement), &opening.signature).is_ok();
        if belongs && signed { Ok(opening) } else { Err(BundleError::Forged) }
    }

    pub(super) fn sender(&self) -> Sender {
        Sender { certificate: self.statement.sender.clone(), packed: self.statement.packed }
    }

    /// The digest of the sender's frontier of a case, if the bundle is about it.
    pub(super) fn frontier_of(&self, case: &CaseId) -> Option<Digest> {
        let cases = &self.statement.cases.0;
        let index = cases.binary_search_by(|item| item.case.cmp(case)).ok()?;
        cases.get(index).map(|item| item.frontier)
    }
}

/// The signed part of the last record.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct ClosingStatement {
    /// BLAKE3 of all records before this one, each with its head.
    #[n(0)]
    pub(super) content: Bytes<32>,
    /// BLAKE3 of the first record's bytes.
    #[n(1)]
    pub(super) opening: Bytes<32>,
    /// Records before this one.
    #[n(2)]
    pub(super) records: u64,
    /// In the order of the opening.
    #[n(3)]
    pub(super) cases: List<CaseCount, CASES_MAX>,
}

/// The last record.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Closing {
    /// The first record's bytes.
    #[n(0)]
    pub(super) opening: ByteVec,
    #[n(1)]
    pub(super) statement: ClosingStatement,
    #[n(2)]
    signature: Signature,
}

impl Closing {
    pub(super) fn sign(opening: Vec<u8>, statement: ClosingStatement, device: &SigningSecret) -> Self {
        let signature = device.sign(SIGN_BUNDLE_CLOSING, &to_bytes(&statement));
        Self { opening: opening.into(), statement, signature }
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, RecordFault> {
        from_bytes(bytes, CLOSING_BYTES_MAX).map_err(RecordFault::Malformed)
    }

    /// Checks that the sender of `opening` signed this closing for that opening.
    pub(super) fn verify(&self, opening: &Opening) -> Result<(), BadSignature> {
        let bytes = to_bytes(opening);
        if *self.opening != bytes || self.statement.opening.0 != *blake3::hash(&bytes).as_bytes() {
            return Err(BadSignature);
        }
        let device = opening.statement.sender.device();
        verify(&device.0, SIGN_BUNDLE_CLOSING, &to_bytes(&self.statement), &self.signature)
    }
}
