//! What of a study was given away: the heads under which it went into cases.
//!
//! An image that somebody has as it was cannot be masked any more, whatever became of the case since: a case may be
//! purged or damaged here while its members hold the images. So each head is remembered in a row of its own, written in
//! the transaction of the entry that gives it away, and gone with the study.

use super::api::{Failure, FailureCode};
use super::core::Node;
use super::home::store_failure;
use super::library::sentence;
use crate::case::content::Content;
use crate::encoding::id::StudyId;
use crate::store::{Batch, Table};
use crate::study::manifest::StudyHead;

/// The heads that contents give away, to be written together with their entries.
pub(super) struct Given(Vec<(StudyId, Vec<u8>)>);

impl Given {
    pub fn by(contents: &[Content]) -> Result<Self, Failure> {
        let added = contents.iter().filter_map(|content| match content {
            Content::StudyAdded(added) => Some(added),
            _ => None,
        });
        let head = |error| Failure::new(FailureCode::Failed, sentence(&error)).hint("Share fewer series at once.");
        let given = added.map(|added| Ok((added.study, added.head.to_bytes().map_err(head)?)));
        given.collect::<Result<_, _>>().map(Self)
    }

    pub fn put(&self, batch: &mut Batch) {
        for (study, head) in &self.0 {
            batch.put_row(Table::Given, &row(study, head), head);
        }
    }
}

fn row(study: &StudyId, head: &[u8]) -> Vec<u8> {
    [study.0.as_slice(), blake3::hash(head).as_bytes()].concat()
}

impl Node {
    /// The heads of a study that were given away, also to cases that are not here any more, and those that cases here
    /// name: a home may be older than the rows.
    pub(super) fn given_heads(&mut self, study: &StudyId) -> Result<Vec<StudyHead>, Failure> {
        let mut heads = Vec::new();
        for row in self.store()?.rows(Table::Given).map_err(store_failure)? {
            if row.key.starts_with(&study.0) {
                heads.push(StudyHead::from_bytes(&row.value).map_err(|_| unreadable())?);
            }
        }
        for case in self.rooms.ids() {
            let Some(state) = self.rooms.get_mut(&case).map(super::rooms::OpenCase::state) else { continue };
            let of_study = state.shared.studies.iter().filter(|state| state.study == *study);
            heads.extend(of_study.map(|state| state.head.clone()));
        }
        Ok(heads)
    }

    /// While images were masked the node went on: a case may have taken the study as it was before.
    pub(super) fn still_given_to_no_other(&mut self, study: &StudyId, before: &[StudyHead]) -> Result<(), Failure> {
        if self.given_heads(study)?.iter().all(|head| before.contains(head)) {
            return Ok(());
        }
        Err(Failure::new(FailureCode::Unsafe, "The study was put into a case while its images were being masked.")
            .hint(
                "That case may show them as they were: withdraw the study from it (`case study withdraw`) and look at \
                 it again.",
            ))
    }

    /// Forgets it together with the study: imported again it has another key, and other images.
    pub(super) fn forget_given(&self, batch: &mut Batch, study: &StudyId) -> Result<(), Failure> {
        for row in self.store()?.rows(Table::Given).map_err(store_failure)? {
            if row.key.starts_with(&study.0) {
                batch.delete_row(Table::Given, &row.key);
            }
        }
        Ok(())
    }
}

fn unreadable() -> Failure {
    Failure::new(FailureCode::Damaged, "What of this study was given away cannot be read, so nothing of it is masked.")
        .hint("Import the files again as a study of their own: `overread study rm`, then `overread import`.")
}
