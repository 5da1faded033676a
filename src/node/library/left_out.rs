//! Instances that wait for somebody to look at them, and how they are let in.
//!
//! An instance whose pixels may show a name is sealed and kept like any other, but stands in no manifest, so nobody
//! is told of its chunks. Its row says what it is and why it waits. [`include`] lets it in: the file is opened, its
//! header gets (0028,0301) Burned In Annotation = NO, which is true only now, and it is packed and sealed anew
//! (other bytes, so another object). The row stays and says who looked, when, and at which bytes.

use std::collections::{BTreeMap, BTreeSet};

use dicom_core::VR;
use dicom_dictionary_std::tags;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use super::import::{Control, Meter};
use super::merge::{put_object, with_series};
use super::reading::{fetch_from, held_instances};
use super::{LeftOutCount, LocalStudy, chunk_group, damaged, put, store_failure};
use crate::encoding::id::{Bytes, StudyId};
use crate::encoding::text::shown;
use crate::encoding::time::Timestamp;
use crate::encoding::{from_bytes, to_bytes};
use crate::node::api::{Failure, FailureCode};
use crate::seal::chunk::StudyKey;
use crate::store::{BATCH_CHUNK_BYTES_ADVISED, Batch, ROW_VALUE_BYTES_MAX, Store, Table};
use crate::study::export::open_instance;
use crate::study::import::{Facts, seal_series};
use crate::study::manifest::{InstanceEntry, SeriesHead};
use crate::study::object::{SealedObject, seal_object};
use crate::study::packing::Packer;
use crate::study::part10;
use crate::study::write::rebuild;

/// An instance that was left out when it was imported.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct LeftOutRow {
    #[n(0)]
    pub(super) facts: Facts,
    /// What was sealed then.
    #[n(1)]
    pub(super) entry: InstanceEntry,
    #[n(2)]
    pub(super) why: String,
    #[n(3)]
    pub(super) reviewed: Option<Review>,
}

/// Somebody looked and found nothing.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Review {
    #[n(0)]
    pub(super) reviewer: String,
    #[n(1)]
    pub(super) at: Timestamp,
    /// BLAKE3 of the file that was looked at.
    #[n(2)]
    pub(super) seen: Bytes<32>,
    /// BLAKE3 of the file as it is shared since.
    #[n(3)]
    pub(super) shared: Bytes<32>,
}

impl LeftOutRow {
    pub(super) fn put(&self, batch: &mut Batch, study: &StudyId) {
        let row = Zeroizing::new(to_bytes(self));
        batch.put_row(Table::Instance, &row_key(study, &self.entry.sop_instance), &row);
    }

    pub(super) fn delete(&self, batch: &mut Batch, study: &StudyId) {
        batch.delete_row(Table::Instance, &row_key(study, &self.entry.sop_instance));
    }

    pub(super) fn waits(&self) -> bool {
        self.reviewed.is_none()
    }
}

fn row_key(study: &StudyId, sop_instance: &str) -> Vec<u8> {
    [&study.0[..], sop_instance.as_bytes()].concat()
}

/// Everything that was ever left out of a study, in the order of series and instance number.
pub(super) fn of_study(store: &Store, study: &StudyId) -> Result<Vec<LeftOutRow>, Failure> {
    let rows = store.rows(Table::Instance).map_err(store_failure)?;
    let mut left_out = rows
        .iter()
        .filter(|row| row.key.starts_with(&study.0))
        .map(|row| from_bytes(&row.value, ROW_VALUE_BYTES_MAX).map_err(|_| damaged("The record of an image")))
        .collect::<Result<Vec<LeftOutRow>, _>>()?;
    left_out.sort_by(|a, b| {
        let place = |row: &LeftOutRow| (row.facts.series_number, row.facts.series.clone(), row.entry.number);
        place(a).cmp(&place(b))
    });
    Ok(left_out)
}

/// Counts what waits, beside what can never be let in.
pub(super) fn counted(rows: &[LeftOutRow], unreadable: &[LeftOutCount]) -> Vec<LeftOutCount> {
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.waits()) {
        *counts.entry((&row.facts.series, &row.why)).or_default() += 1;
    }
    let waiting = counts.into_iter().map(|((series, why), instances)| LeftOutCount {
        series: series.to_owned(),
        instances,
        why: why.to_owned(),
        reviewable: true,
    });
    waiting.chain(unreadable.iter().filter(|count| !count.reviewable).cloned()).collect()
}

/// Lets in every instance of these series that waits for review. `series` are Series Instance UIDs as `study show`
/// prints them, or series numbers. Gives the number of instances.
///
/// Nothing changes unless all of it does: chunks and pages go first, the rows that name them last and together.
pub fn include(
    store: &Store,
    study: &LocalStudy,
    series: &[String],
    reviewer: &str,
    now: Timestamp,
    control: &Control<'_>,
) -> Result<usize, Failure> {
    let mut rows = of_study(store, &study.id)?;
    let chosen = chosen_series(study, &rows, series)?;
    let key = study.study_key();
    let mut batch = Batch::new();
    let mut added: BTreeMap<String, (SeriesHead, Vec<InstanceEntry>)> = BTreeMap::new();
    let mut packer = Packer::new().map_err(|error| unopened(&error))?;
    let mut included = BTreeSet::new();
    let is_chosen = |row: &LeftOutRow| row.waits() && chosen.contains(&row.facts.series);
    let bytes = rows.iter().filter(|row| is_chosen(row)).map(|row| row.entry.object.packed_bytes).sum();
    let meter = Meter::new("include", bytes, control);
    for row in rows.iter_mut().filter(|row| is_chosen(row)) {
        if control.is_cancelled() {
            return Err(Failure::new(FailureCode::Interrupted, "Nothing was included: it was stopped.")
                .hint("Repeat the command."));
        }
        let (entry, object) = reviewed_instance(store, &key, &row.entry, &mut packer)?;
        put_object(&mut batch, &study.id, object);
        if batch.chunk_bytes() >= BATCH_CHUNK_BYTES_ADVISED {
            store.commit(std::mem::take(&mut batch)).map_err(store_failure)?;
        }
        row.reviewed = Some(Review {
            reviewer: reviewer.to_owned(),
            at: now,
            seen: row.entry.plain_hash,
            shared: entry.plain_hash,
        });
        let of_series = || (row.facts.series_head(), Vec::new());
        added.entry(row.facts.series.clone()).or_insert_with(of_series).1.push(entry);
        included.insert(row.entry.sop_instance.clone());
        meter.add(row.entry.object.packed_bytes);
        meter.at(0);
    }
    let mut held = held_instances(store, study)?;
    let mut heads = study.head.series.clone();
    for (uid, (of_series, entries)) in added {
        let mut instances = held.remove(&uid).unwrap_or_default();
        instances.extend(entries);
        let at = heads.iter().position(|head| head.series == uid);
        let of_series = at.and_then(|at| heads.get(at)).cloned().unwrap_or(of_series);
        let (head, pages) = seal_series(&key, of_series, &mut instances, 0).map_err(|error| unopened(&error))?;
        for page in pages {
            put_object(&mut batch, &study.id, page);
        }
        match at {
            Some(at) => heads[at] = head,
            None => heads.push(head),
        }
    }
    let left_out = counted(&rows, &study.left_out);
    let head = with_series(study.head.clone(), heads, &left_out);
    head.to_bytes().map_err(|error| unopened(&error))?;
    store.commit(std::mem::take(&mut batch)).map_err(store_failure)?;
    let bytes_stored = store.group_size(chunk_group(&study.id)).map_err(store_failure)?.bytes;
    rows.iter().filter(|row| included.contains(&row.entry.sop_instance)).for_each(|row| row.put(&mut batch, &study.id));
    put(&mut batch, &LocalStudy { head, left_out, bytes_stored, ..study.duplicate() });
    store.commit(batch).map_err(store_failure)?;
    Ok(included.len())
}

/// The series a person named, all of which have something to review.
fn chosen_series(study: &LocalStudy, rows: &[LeftOutRow], typed: &[String]) -> Result<BTreeSet<String>, Failure> {
    let waiting: BTreeMap<&str, Option<i32>> =
        rows.iter().filter(|row| row.waits()).map(|row| (row.facts.series.as_str(), row.facts.series_number)).collect();
    let candidates = || waiting.keys().map(|uid| (*uid).to_owned()).collect::<Vec<_>>();
    if typed.is_empty() {
        return Err(Failure::new(FailureCode::WrongUse, "No series was named.")
            .hint("Name each series that was looked at; `study review` makes the sheets.")
            .detail("candidates", candidates()));
    }
    let mut chosen = BTreeSet::new();
    for name in typed {
        let name = name.trim();
        let numbered = name.parse::<i32>().ok();
        let found: Vec<&str> = waiting
            .iter()
            .filter(|(uid, number)| **uid == name || (numbered.is_some() && **number == numbered))
            .map(|(uid, _)| *uid)
            .collect();
        match found[..] {
            [uid] => {
                chosen.insert(uid.to_owned());
            }
            [] => {
                return Err(Failure::new(
                    FailureCode::NotFound,
                    format!("Nothing in series {} of {} waits for review.", shown(name), study.id),
                )
                .hint("Name a series by its UID or number; `study show` lists what is left out.")
                .detail("candidates", candidates()));
            }
            _ => {
                let several = found.iter().map(|uid| (*uid).to_owned()).collect();
                return Err(Failure::new(
                    FailureCode::Ambiguous,
                    format!("{} series have the number {}.", found.len(), shown(name)),
                )
                .hint("Name the series by its UID.")
                .detail("candidates", several));
            }
        }
    }
    Ok(chosen)
}

/// The instance with (0028,0301) = NO, sealed anew.
fn reviewed_instance(
    store: &Store,
    key: &StudyKey,
    entry: &InstanceEntry,
    packer: &mut Packer,
) -> Result<(InstanceEntry, SealedObject), Failure> {
    let file = open_instance(key, entry, fetch_from(store)).map_err(|error| unopened(&error))?;
    let part10 = part10::read(&file).map_err(|error| unopened(&error))?;
    let mut header = part10.header.clone();
    header.put_str(tags::BURNED_IN_ANNOTATION, VR::CS, "NO");
    let has_pixels = part10.pixel.is_some();
    let rebuilt = rebuild(part10, header.clone()).map_err(|error| unopened(&error))?;
    let packed = packer.pack(&rebuilt.parts()).map_err(|error| unopened(&error))?;
    let sealed = seal_object(key, &packed).map_err(|error| unopened(&error))?;
    let entry = InstanceEntry::of(&header, &entry.transfer_syntax, has_pixels, &packed, sealed.object.clone())
        .ok_or_else(|| damaged("A stored image"))?;
    Ok((entry, sealed))
}

fn unopened(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(FailureCode::Failed, format!("A stored image cannot be included: {error}."))
        .hint("Nothing was included. Import the study again and repeat.")
}
