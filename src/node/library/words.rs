//! Who a study's patient is, and whether typed text says so.
//!
//! The re-identification table is here and nowhere else: one sealed row a study, written by the import, never sent.

use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use super::groups::group_of;
use super::{damaged, load_all, store_failure};
use crate::encoding::id::StudyId;
use crate::encoding::private::Private;
use crate::encoding::text::shown;
use crate::encoding::{from_bytes, to_bytes};
use crate::node::api::{Failure, FailureCode, PlanPatient};
use crate::store::{Batch, ROW_VALUE_BYTES_MAX, Store, Table};
use crate::study::deidentify::words::IdentifyingWords;
use crate::study::import::PlannedStudy;
use crate::study::typed_text;

/// Who a pseudonym really is.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Reidentification {
    #[n(0)]
    name: Private<String>,
    #[n(1)]
    patient_id: Private<String>,
    #[n(2)]
    birth_date: Private<String>,
    #[n(3)]
    study_date: Private<String>,
    #[n(4)]
    accession: Private<String>,
    #[n(5)]
    study_description: Private<String>,
    #[n(6)]
    pub(super) words: IdentifyingWords,
}

impl Reidentification {
    pub(super) fn of(planned: &PlannedStudy) -> Self {
        let mut words = IdentifyingWords::new();
        words.add_name(planned.patient.name.reveal());
        words.add_identifier(planned.patient.id.reveal());
        words.add_identifier(planned.accession.reveal());
        Self {
            name: planned.patient.name.clone(),
            patient_id: planned.patient.id.clone(),
            birth_date: planned.patient.birth_date.clone(),
            study_date: planned.date.clone(),
            accession: planned.accession.clone(),
            study_description: planned.description.clone(),
            words,
        }
    }

    pub(super) fn load(store: &Store, study: &StudyId) -> Result<Option<Self>, Failure> {
        let row = store.row(Table::Reidentification, &study.0).map_err(store_failure)?;
        let read = |value: Zeroizing<Vec<u8>>| from_bytes(&value, ROW_VALUE_BYTES_MAX);
        row.map(|value| read(value).map_err(|_| damaged("The record of a patient"))).transpose()
    }

    pub(super) fn put(&self, batch: &mut Batch, study: &StudyId) {
        batch.put_row(Table::Reidentification, &study.0, &Zeroizing::new(to_bytes(self)));
    }

    /// For the sender's own screen.
    pub(super) fn shown(&self) -> PlanPatient {
        let clear = |value: &Private<String>| shown(value.reveal()).into_owned();
        PlanPatient {
            name: clear(&self.name),
            patient_id: clear(&self.patient_id),
            birth_date: clear(&self.birth_date),
            study_date: clear(&self.study_date),
            accession: clear(&self.accession),
            study_description: clear(&self.study_description),
        }
    }
}

/// The real patient of a study imported here, for the sender's own screen; `None` for a received one.
pub fn patient_of(store: &Store, study: &StudyId) -> Result<Option<PlanPatient>, Failure> {
    Ok(Reidentification::load(store, study)?.map(|row| row.shown()))
}

/// What identifies the patients of these studies: the words of all studies of their patient groups, since a question
/// about the new scan may name the date of the old one. `None` if none was imported here: then only general forms
/// can be looked for, and the screen must say so.
pub fn words_of(store: &Store, studies: &[StudyId]) -> Result<Option<IdentifyingWords>, Failure> {
    let all = load_all(store)?;
    let groups: Vec<_> = all.iter().filter(|study| studies.contains(&study.id)).filter_map(group_of).collect();
    let mut words: Option<IdentifyingWords> = None;
    for study in all.iter().filter(|study| group_of(study).is_some_and(|group| groups.contains(&group))) {
        if let Some(row) = Reidentification::load(store, &study.id)? {
            words.get_or_insert_with(IdentifyingWords::new).merge(&row.words);
        }
    }
    Ok(words)
}

const UNREAD_NAMES: &str = "A name in the patient's data is in characters that could not be read: for it, only general \
                            forms were looked for. Nothing was sent.";

/// Longest piece of text that a hit shows, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// Looks through what a person typed, field by field, before it is sealed.
///
/// # Errors
/// [`FailureCode::TextCheck`], with one detail a field that lists each place and what it looks like. Without any, if a
/// name could not be read: the text may hold it, and only a person can say.
pub fn check_text(words: Option<&IdentifyingWords>, fields: &[(&str, &str)]) -> Result<(), Failure> {
    let mut failure = Failure::new(FailureCode::TextCheck, "");
    let mut places = 0;
    for (field, text) in fields {
        let hits = typed_text::check(text, words);
        if hits.is_empty() {
            continue;
        }
        places += hits.len();
        let lines = hits
            .into_iter()
            .map(|hit| {
                let found: String = text.get(hit.range).unwrap_or_default().chars().take(SHOWN_CHARS_MAX).collect();
                format!("\"{}\" is {}", shown(&found), hit.kind.words())
            })
            .collect();
        failure = failure.detail(field, lines);
    }
    let unread = words.is_some_and(IdentifyingWords::has_unread_names);
    let (verb, plural) = if places == 1 { ("looks", "") } else { ("look", "s") };
    failure.what = match places {
        0 if !unread || fields.iter().all(|(_, text)| text.trim().is_empty()) => return Ok(()),
        0 => UNREAD_NAMES.to_owned(),
        _ if unread => format!("{places} place{plural} in the text {verb} like identifying data. {UNREAD_NAMES}"),
        _ => format!("{places} place{plural} in the text {verb} like identifying data; nothing was sent."),
    };
    Err(failure.hint("Change the text, or read it and repeat with --text-checked."))
}
