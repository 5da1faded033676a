//! What can go wrong while packing, opening and unpacking, in words a person understands.

use std::io;

use crate::encoding::DecodeError;
use crate::encoding::id::{CaseId, ChunkId};

/// Why a source (the caller's store) did not give what was to be packed.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Why no bundle was packed. What was written so far is of no use and should be deleted.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error("the bundle is for nobody: name at least one recipient")]
    NoRecipient,
    #[error("the bundle is for {devices} devices, at most {max} are allowed")]
    TooManyRecipients { devices: usize, max: usize },
    #[error("the bundle holds {cases} cases, at most {max} are allowed")]
    TooManyCases { cases: usize, max: usize },
    #[error("the same case is listed twice")]
    RepeatedCase,
    #[error("a recipient's key cannot be sealed to: ask for a new card")]
    UnusableKey,
    #[error("an entry has {bytes} bytes, at most {max} are allowed")]
    EntryTooLong { bytes: usize, max: usize },
    #[error("a chunk has {bytes} bytes, at most {max} are allowed")]
    ChunkTooLong { bytes: usize, max: usize },
    #[error("a card has {bytes} bytes, at most {max} are allowed")]
    CardTooLong { bytes: usize, max: usize },
    #[error("what was to be packed could not be read")]
    Source(#[source] SourceError),
    #[error("the bundle could not be written: {0}")]
    Write(#[source] io::Error),
    #[error("packing was stopped")]
    Stopped,
}

/// Why a bundle does not open at all.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("this file is not a bundle")]
    NotABundle,
    #[error("the bundle has format {0}, which this program does not know: a newer version of it is needed")]
    OtherVersion(u32),
    #[error("both copies of the bundle's head are damaged: ask for it again")]
    HeadDamaged,
    #[error("the bundle is not for this device: the sender must pack one that names you")]
    NotForMe,
    #[error("the bundle does not say who packed it in a form this program accepts")]
    BadOpening(#[source] DecodeError),
    #[error("the bundle names a sender who did not pack it: do not trust it, and tell her")]
    Forged,
    #[error("the file could not be read: {0}")]
    Read(#[from] io::Error),
}

/// Why a bundle that was just written is not what was packed.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error(transparent)]
    Open(#[from] BundleError),
    #[error("another file stands where the bundle was written")]
    OtherBundle,
    #[error("the bundle does not read back as it was packed ({problems} problems): the medium may be failing")]
    Damaged { problems: u64, first: Option<Problem> },
}

/// Something in a bundle that could not be kept. Everything else was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("the head at the start is damaged; its copy at the end served instead")]
    FirstHead,
    #[error("the copy of the head at the end is damaged or missing; nothing is lost by that")]
    SecondHead,
    #[error("who packed the bundle cannot be told: that part is damaged")]
    SenderUnknown,
    /// `bytes` of the file from `offset` on do not open.
    #[error("{bytes} bytes from byte {offset} on are damaged: what they held is lost")]
    Damaged { offset: u64, bytes: u64 },
    /// The medium does not give `bytes` of the file from `offset` on.
    #[error("{bytes} bytes from byte {offset} on cannot be read from the medium: what they held is lost")]
    Unreadable { offset: u64, bytes: u64 },
    #[error("the bundle ends at byte {offset}, before its last part: the rest is missing")]
    Truncated { offset: u64 },
    #[error("{bytes} bytes that do not belong to the bundle follow its end")]
    TrailingBytes { bytes: u64 },
    #[error("a record near byte {near} is refused: {fault}")]
    Record { near: u64, fault: RecordFault },
    /// Nothing is damaged, but the records are not those the sender packed: who changed them holds the bundle's key,
    /// so is one of its recipients.
    #[error("the bundle was changed after its sender packed it")]
    NotAsPacked,
}

/// Why one record of a bundle is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    #[error("it claims {bytes} bytes, at most {max} are allowed")]
    TooLong { bytes: usize, max: usize },
    #[error("its kind {0} is unknown")]
    UnknownKind(u8),
    #[error("it stands where it must not")]
    Misplaced,
    #[error("it does not stand where its segment says")]
    BadBoundary,
    #[error("{0}")]
    Malformed(DecodeError),
    #[error("this message does not belong in a bundle")]
    NotForBundles,
    #[error("it is about a case the sender did not name")]
    OtherCase(CaseId),
    #[error("a chunk's bytes do not have the chunk's name")]
    WrongChunk(ChunkId),
    #[error("an entry in it is too long")]
    EntryTooLong,
    #[error("the frontier is not the one the sender signed")]
    WrongFrontier(CaseId),
}
