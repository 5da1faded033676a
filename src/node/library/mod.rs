//! The studies of this home: imported, listed, reviewed, taken out again.
//!
//! The rooms below know how to clean a header ([`crate::study`]) and how to keep bytes ([`crate::store`]); here the
//! two meet, with what belongs to one home: which secret a patient's studies share, who the pseudonym really is,
//! which instances wait for somebody to look at them. All of it are sealed rows; chunks are kept as they travel.
//!
//! ```text
//! import.rs    files -> plan -> patient group, study key -> chunks and rows   (groups.rs, left_out.rs, merge.rs)
//! plan.rs      the same without storing: what will happen to which attribute
//! reading.rs   pages, lists, details, export
//! left_out.rs  what waits for somebody to look at it, and what she decides
//! mask.rs      which images get black rectangles burned in
//! admit.rs     carries out what was decided: lets in, masks, keeps out
//! review.rs    contact sheets for that look
//! words.rs     who the patient is, and the check of typed text
//! ```
//!
//! Plain functions that block, for a thread that may: no socket, no clock (time comes in), no tokio. They do not
//! decide who may see a study and do not know cases; whether a study still stands in one is the caller's question.
//! The chunks of a study's group include images that are in no manifest: who serves chunks goes by the pages
//! ([`open_pages`]), never by the group.
//!
//! Start with [`import()`].

mod admit;
mod groups;
mod import;
mod left_out;
mod mask;
mod merge;
mod plan;
mod reading;
mod review;
mod words;

#[cfg(test)]
mod tests;

use minicbor::{Decode, Encode};

use super::api::{Failure, FailureCode};
use crate::encoding::id::{ID_PREFIX_CHARS_MIN, IdPrefix, StudyId};
use crate::encoding::labels::DERIVE_CHUNK_GROUP;
use crate::encoding::time::Timestamp;
use crate::encoding::{from_bytes, to_bytes};
use crate::identity::keys::Secret;
use crate::seal::chunk::StudyKey;
use crate::store::{Batch, ChunkGroup, ROW_VALUE_BYTES_MAX, Store, StoreError, Table};
use crate::study::manifest::StudyHead;

pub(super) use import::Meter;
pub use import::{Control, import};
pub use left_out::{Decisions, decide, include, left_out_images, open_left_out};
pub use mask::{given_images, masks_for};
pub use reading::{
    Export, OpenFailure, chunks_of, export, held_chunks, list, open_file, open_pages, opened, page_chunks, show,
};
pub use review::{DecodeFrame, GreyTile, Reviewed, decode_whole_range, review};
pub use words::{check_text, patient_of, words_of};

/// A study this home holds, whole or in part.
#[derive(Encode, Decode)]
#[cbor(map)]
pub struct LocalStudy {
    #[n(0)]
    pub id: StudyId,
    #[n(1)]
    pub key: Secret,
    #[n(2)]
    pub head: StudyHead,
    #[n(3)]
    pub origin: Origin,
    /// What is in no manifest, as far as this home knows.
    #[n(4)]
    pub left_out: Vec<LeftOutCount>,
    /// Length of the original files, in bytes; 0 if received.
    #[n(5)]
    pub bytes_in: u64,
    /// Length of the sealed chunks when the study was last imported or changed, in bytes.
    #[n(6)]
    pub bytes_stored: u64,
    #[n(7)]
    pub imported: Timestamp,
}

/// Where a study comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Origin {
    /// Imported here, of this patient group.
    #[n(0)]
    Mine {
        #[n(0)]
        #[cbor(with = "minicbor::bytes")]
        group: [u8; 16],
    },
    /// Came with a case.
    #[n(1)]
    Received,
}

/// Instances of one series that share their reason for being in no manifest.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct LeftOutCount {
    /// New Series Instance UID; empty if no instance of the series could be cleaned.
    #[n(0)]
    pub series: String,
    #[n(1)]
    pub instances: u32,
    #[n(2)]
    pub why: String,
    /// Sealed and kept: somebody may look and include them.
    #[n(3)]
    pub reviewable: bool,
}

impl LocalStudy {
    pub fn study_key(&self) -> StudyKey {
        StudyKey(self.key.duplicate())
    }

    /// Instances that are in no manifest.
    pub fn left_out(&self) -> usize {
        self.left_out.iter().map(|count| count.instances as usize).sum()
    }

    /// The study once more; its key is copied on purpose.
    pub fn duplicate(&self) -> Self {
        Self {
            id: self.id,
            key: self.key.duplicate(),
            head: self.head.clone(),
            origin: self.origin,
            left_out: self.left_out.clone(),
            ..*self
        }
    }
}

/// The group under which a study's chunks are stored: says nothing of the study.
pub fn chunk_group(study: &StudyId) -> ChunkGroup {
    ChunkGroup(blake3::derive_key(DERIVE_CHUNK_GROUP, &study.0))
}

/// All studies, in the order of their ids.
pub fn load_all(store: &Store) -> Result<Vec<LocalStudy>, Failure> {
    let rows = store.rows(Table::Study).map_err(store_failure)?;
    rows.iter().map(|row| read_row(&row.value)).collect()
}

/// One study, if this home holds it.
pub fn load(store: &Store, id: &StudyId) -> Result<Option<LocalStudy>, Failure> {
    let row = store.row(Table::Study, &id.0).map_err(store_failure)?;
    row.map(|value| read_row(&value)).transpose()
}

/// A study as it is by now: what was read before may have been written anew meanwhile.
pub fn as_it_is(store: &Store, before: &LocalStudy) -> Result<LocalStudy, Failure> {
    load(store, &before.id)?.ok_or_else(|| {
        Failure::new(FailureCode::NotFound, "The study was removed meanwhile.")
            .hint("`overread study list` shows what is here.")
    })
}

/// The study a person named by its id or the beginning of it.
pub fn find(store: &Store, typed: &str) -> Result<LocalStudy, Failure> {
    let prefix = IdPrefix::parse(typed.trim()).filter(|prefix| prefix.letter == StudyId::LETTER).ok_or_else(|| {
        Failure::new(FailureCode::WrongUse, "That is no study id.").hint(format!(
            "A study id is s- and at least {ID_PREFIX_CHARS_MIN} letters or digits; `study list` shows them."
        ))
    })?;
    let mut named: Vec<_> =
        load_all(store)?.into_iter().filter(|study| prefix.matches(StudyId::LETTER, &study.id.0)).collect();
    match (named.pop(), named.is_empty()) {
        (Some(study), true) => Ok(study),
        (Some(last), false) => {
            let candidates = named.iter().chain([&last]).map(|study| study.id.to_string()).collect();
            Err(Failure::new(FailureCode::Ambiguous, format!("{prefix} names {} studies.", named.len() + 1))
                .hint("Type more characters of the one you mean.")
                .detail("candidates", candidates))
        }
        (None, _) => Err(Failure::new(FailureCode::NotFound, format!("There is no study {prefix} here."))
            .hint("`study list` shows the studies of this home.")),
    }
}

/// Puts a study's row into a batch.
pub fn put(batch: &mut Batch, study: &LocalStudy) {
    let row = zeroize::Zeroizing::new(to_bytes(study));
    batch.put_row(Table::Study, &study.id.0, &row);
}

/// Deletes a study: its chunks, what waits for review, who its patient is. The caller has made sure that it is in
/// no case. The patient group stays, so that another study of the patient still matches.
pub fn remove(store: &Store, id: &StudyId, mut batch: Batch) -> Result<(), Failure> {
    for row in left_out::of_study(store, id)? {
        row.delete(&mut batch, id);
    }
    batch.delete_row(Table::Study, &id.0).delete_row(Table::Reidentification, &id.0).delete_group(chunk_group(id));
    groups::forget_study(store, &mut batch, id)?;
    store.commit(batch).map_err(store_failure)
}

fn read_row(value: &[u8]) -> Result<LocalStudy, Failure> {
    from_bytes(value, ROW_VALUE_BYTES_MAX).map_err(|_| damaged("The record of a study"))
}

fn damaged(what: &str) -> Failure {
    Failure::new(FailureCode::Damaged, format!("{what} cannot be read."))
        .hint("The home is damaged: restore it from a backup.")
}

/// What the store's refusal means for the person.
fn store_failure(error: StoreError) -> Failure {
    let (code, hint) = match error {
        StoreError::Locked => (FailureCode::Locked, "Unlock with the passphrase and repeat."),
        StoreError::Full => {
            (FailureCode::DiskFull, "Make room and repeat: what was finished stays, nothing is done twice.")
        }
        StoreError::Damaged(_) | StoreError::DamagedRow | StoreError::WrongKey => {
            (FailureCode::Damaged, "Restore this home from a backup.")
        }
        StoreError::DamagedChunk { .. } => (FailureCode::Damaged, "Import the study again, or fetch it again."),
        _ => (FailureCode::Failed, "Repeat the command: what was finished stays."),
    };
    Failure::new(code, sentence(&error)).hint(hint)
}

/// An error's words as a sentence.
pub(super) fn sentence(error: &dyn std::fmt::Display) -> String {
    let words = error.to_string();
    let mut chars = words.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", chars.as_str())
}
