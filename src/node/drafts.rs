//! Opinions that are being written: one a case, a sealed row of this home, no entry and never sent.
//!
//! Whoever keeps a draft gives it a number of her own making and names the one she saw last. So two windows on one
//! case learn of each other: the newest draft holds, and who replaced another's is told. Typed text is compared with
//! the patient when it is signed, not here: a draft leaves this machine in no other way.

use super::api::{DRAFT_BYTES_MAX, Elsewhere, Failure, FailureCode, KeptDraft, OpinionDraft, Reply};
use super::core::{Node, now};
use super::home::store_failure;
use crate::encoding::id::CaseId;
use crate::store::{Batch, Table};

/// The row of a case's draft in [`Table::Draft`].
pub(super) fn opinion_draft_row(case: &CaseId) -> Vec<u8> {
    [b"opinion".as_slice(), &case.0].concat()
}

impl Node {
    /// Keeps a draft in place of the one before, durable before it answers. `last_seen` is the revision that its
    /// writer saw last, if any.
    pub async fn opinion_draft_keep(
        &mut self,
        typed: &str,
        opinion: OpinionDraft,
        revision: u64,
        last_seen: Option<u64>,
    ) -> Result<Reply, Failure> {
        let case = self.find_case(typed)?;
        let bytes = opinion.text_bytes();
        if bytes > DRAFT_BYTES_MAX {
            return Err(Failure::new(
                FailureCode::WrongUse,
                format!("The draft has {bytes} bytes, and at most {DRAFT_BYTES_MAX} are kept."),
            )
            .hint("Shorten it: what is longer cannot be signed either."));
        }
        // One that cannot be read, say of a newer version, is replaced like any other.
        let before = self.opinion_draft(&case).ok().flatten();
        let elsewhere = match (before, last_seen) {
            (Some(before), seen) if seen != Some(before.revision) => Some(Elsewhere::Kept { saved: before.saved }),
            (None, Some(_)) => Some(Elsewhere::Dropped),
            _ => None,
        };
        let draft = KeptDraft { saved: now().to_string(), revision, opinion };
        let unwritable = |error| Failure::new(FailureCode::Failed, format!("The draft cannot be written: {error}"));
        let row = zeroize::Zeroizing::new(serde_json::to_vec(&draft).map_err(unwritable)?);
        let mut batch = Batch::new();
        batch.put_row(Table::Draft, &opinion_draft_row(&case), &row);
        self.commit(batch).await?;
        Ok(Reply::DraftKept { saved: draft.saved, elsewhere })
    }

    pub fn opinion_draft_show(&self, typed: &str) -> Result<Reply, Failure> {
        let case = self.find_stored_case(typed)?;
        Ok(Reply::Draft { draft: self.opinion_draft(&case)? })
    }

    /// Drops the draft; with a revision only that one.
    pub async fn opinion_draft_drop(&mut self, typed: &str, revision: Option<u64>) -> Result<Reply, Failure> {
        let case = self.find_stored_case(typed)?;
        let batch = match revision {
            Some(revision) => self.without_opinion_draft(&case, revision),
            None => {
                let mut batch = Batch::new();
                batch.delete_row(Table::Draft, &opinion_draft_row(&case));
                batch
            }
        };
        if !batch.is_empty() {
            self.commit(batch).await?;
        }
        Ok(Reply::Nothing {})
    }

    /// Deletes the draft of this revision, if it is still the one that is kept.
    pub fn without_opinion_draft(&self, case: &CaseId, revision: u64) -> Batch {
        let mut batch = Batch::new();
        if self.opinion_draft(case).is_ok_and(|draft| draft.is_some_and(|draft| draft.revision == revision)) {
            batch.delete_row(Table::Draft, &opinion_draft_row(case));
        }
        batch
    }

    fn opinion_draft(&self, case: &CaseId) -> Result<Option<KeptDraft>, Failure> {
        let row = self.store()?.row(Table::Draft, &opinion_draft_row(case)).map_err(store_failure)?;
        let read = row.map(|row| serde_json::from_slice(&row)).transpose();
        read.map_err(|_| {
            Failure::new(FailureCode::Damaged, "The draft kept for this case cannot be read.").hint(
                "A newer version of the program may have written it: use that, or drop it with `overread opinion draft CASE --drop`.",
            )
        })
    }
}
