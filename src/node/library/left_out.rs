//! Instances that wait for somebody to look at them, and how they are let in.
//!
//! An instance whose pixels may show a name is sealed and kept like any other, but stands in no manifest, so nobody
//! is told of its chunks. Its row says what it is and why it waits. Somebody who looked decides: image by image with
//! [`decide`], or whole series with [`include`]. To let one in, the file is opened, its header gets (0028,0301) Burned
//! In Annotation = NO, which is true only now, and it is packed and sealed anew (other bytes, so another object). The
//! row stays and says who looked, when, and at which bytes; also of one that was kept out, which [`include`] then no
//! longer takes along with its series.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use dicom_core::VR;
use dicom_dictionary_std::tags;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use super::import::{Control, Meter};
use super::merge::{put_object, with_series};
use super::reading::{HashedFile, fetch_from, held_instances, open_entry};
use super::review::frames_shown;
use super::{LeftOutCount, LocalStudy, chunk_group, damaged, put, store_failure};
use crate::encoding::id::{Bytes, StudyId};
use crate::encoding::text::shown;
use crate::encoding::time::Timestamp;
use crate::encoding::{from_bytes, to_bytes};
use crate::node::api::{Failure, FailureCode, LeftOutImage, LookView};
use crate::seal::chunk::StudyKey;
use crate::store::{BATCH_CHUNK_BYTES_ADVISED, Batch, ROW_VALUE_BYTES_MAX, Store, Table};
use crate::study::export::open_instance;
use crate::study::import::{Facts, seal_series};
use crate::study::manifest::{InstanceEntry, SeriesHead};
use crate::study::object::{SealedObject, seal_object};
use crate::study::packing::Packer;
use crate::study::part10;
use crate::study::write::rebuild;

/// Longest UID (PS3.5 section 9), in bytes.
const UID_BYTES_MAX: usize = 64;

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
    /// Somebody looked and does not let it out. It may be admitted later all the same.
    #[n(4)]
    pub(super) kept_out: Option<KeptOut>,
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

/// Somebody looked and keeps it out.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct KeptOut {
    #[n(0)]
    pub(super) reviewer: String,
    #[n(1)]
    pub(super) at: Timestamp,
    /// BLAKE3 of the file that was looked at.
    #[n(2)]
    pub(super) seen: Bytes<32>,
}

impl LeftOutRow {
    pub(super) fn put(&self, batch: &mut Batch, study: &StudyId) {
        let row = Zeroizing::new(to_bytes(self));
        batch.put_row(Table::Instance, &row_key(study, &self.entry.sop_instance), &row);
    }

    pub(super) fn delete(&self, batch: &mut Batch, study: &StudyId) {
        batch.delete_row(Table::Instance, &row_key(study, &self.entry.sop_instance));
    }

    /// Whether nobody has decided yet.
    pub(super) fn waits(&self) -> bool {
        !self.is_in() && self.kept_out.is_none()
    }

    /// Whether it was let in: then it stands in the manifest.
    pub(super) fn is_in(&self) -> bool {
        self.reviewed.is_some()
    }

    fn shown(&self) -> LeftOutImage {
        let entry = &self.entry;
        let (state, looked) = match (&self.reviewed, &self.kept_out) {
            (Some(review), _) => ("admitted", Some((&review.reviewer, review.at, review.seen))),
            (None, Some(kept)) => ("kept out", Some((&kept.reviewer, kept.at, kept.seen))),
            (None, None) => ("waits", None),
        };
        LeftOutImage {
            sop_instance_uid: shown(&entry.sop_instance).into_owned(),
            series_instance_uid: shown(&self.facts.series).into_owned(),
            series_number: self.facts.series_number,
            series_description: shown(&self.facts.series_description).into_owned(),
            modality: shown(&self.facts.modality).into_owned(),
            number: entry.number,
            frames: entry.frames,
            frames_to_see: frames_shown(entry.frames).into_iter().collect(),
            rows: entry.rows,
            columns: entry.columns,
            why: shown(&self.why).into_owned(),
            plain_hash: HEXLOWER.encode(&entry.plain_hash.0),
            state: state.into(),
            looked: looked.map(|(who, at, seen)| LookView {
                who: shown(who).into_owned(),
                at: at.to_string(),
                plain_hash: HEXLOWER.encode(&seen.0),
            }),
        }
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

/// Everything that was ever left out of a study and kept, for looking at it.
pub fn left_out_images(store: &Store, study: &LocalStudy) -> Result<Vec<LeftOutImage>, Failure> {
    Ok(of_study(store, &study.id)?.iter().map(LeftOutRow::shown).collect())
}

/// The file of an image that was left out, with its hash, as it was sealed then; `None` if there is no such image.
pub fn open_left_out(
    store: &Store,
    study: &StudyId,
    key: &StudyKey,
    sop_instance_uid: &str,
) -> Result<Option<HashedFile>, Failure> {
    if sop_instance_uid.len() > UID_BYTES_MAX {
        return Ok(None);
    }
    let row = store.row(Table::Instance, &row_key(study, sop_instance_uid)).map_err(store_failure)?;
    let Some(value) = row else { return Ok(None) };
    let row: LeftOutRow = from_bytes(&value, ROW_VALUE_BYTES_MAX).map_err(|_| damaged("The record of an image"))?;
    open_entry(store, key, &row.entry).map(Some)
}

/// Counts what is not let in, beside what can never be let in.
pub(super) fn counted(rows: &[LeftOutRow], unreadable: &[LeftOutCount]) -> Vec<LeftOutCount> {
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.is_in()) {
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
    let rows = of_study(store, &study.id)?;
    let chosen = chosen_series(study, &rows, series)?;
    let waiting = rows.iter().filter(|row| row.waits() && chosen.contains(&row.facts.series));
    let admitted = waiting.map(|row| row.entry.sop_instance.clone()).collect();
    write(store, study, rows, &admitted, &BTreeSet::new(), Look { reviewer, at: now }, control)?;
    Ok(admitted.len())
}

/// What somebody decided about single images, by SOP Instance UID.
pub struct Decisions<'a> {
    pub admit: &'a [String],
    pub keep_out: &'a [String],
}

/// Writes what somebody decided who looked at single images. One that was kept out before may be admitted now; what
/// was admitted stays in, since a case may show it.
///
/// # Errors
/// If an image is named twice, or is none that was left out. Nothing changes unless all of it does.
pub fn decide(
    store: &Store,
    study: &LocalStudy,
    decisions: &Decisions<'_>,
    reviewer: &str,
    now: Timestamp,
    control: &Control<'_>,
) -> Result<(), Failure> {
    let rows = of_study(store, &study.id)?;
    let open: BTreeSet<&str> =
        rows.iter().filter(|row| !row.is_in()).map(|row| row.entry.sop_instance.as_str()).collect();
    let mut named = BTreeSet::new();
    for uid in decisions.admit.iter().chain(decisions.keep_out) {
        if !open.contains(uid.as_str()) {
            let what = format!("There is no image {} in {} that was left out.", shown(uid), study.id);
            return Err(Failure::new(FailureCode::NotFound, what).hint("Nothing was changed. Look at the study again."));
        }
        if !named.insert(uid) {
            return Err(Failure::new(FailureCode::WrongUse, format!("{} is decided twice.", shown(uid)))
                .hint("Nothing was changed. Name each image once."));
        }
    }
    if named.is_empty() {
        return Err(Failure::new(FailureCode::WrongUse, "No image was named.").hint("Decide about one at least."));
    }
    let set = |uids: &[String]| uids.iter().cloned().collect();
    let (admitted, kept_out) = (set(decisions.admit), set(decisions.keep_out));
    write(store, study, rows, &admitted, &kept_out, Look { reviewer, at: now }, control)
}

/// Who looked, and when.
#[derive(Clone, Copy)]
struct Look<'a> {
    reviewer: &'a str,
    at: Timestamp,
}

/// Lets in and keeps out. Chunks and pages go first, the rows that name them last and together.
fn write(
    store: &Store,
    study: &LocalStudy,
    mut rows: Vec<LeftOutRow>,
    admitted: &BTreeSet<String>,
    kept_out: &BTreeSet<String>,
    look: Look<'_>,
    control: &Control<'_>,
) -> Result<(), Failure> {
    let key = study.study_key();
    let mut batch = Batch::new();
    let mut added: BTreeMap<String, (SeriesHead, Vec<InstanceEntry>)> = BTreeMap::new();
    let mut packer = Packer::new().map_err(|error| unopened(&error))?;
    let is_chosen = |row: &LeftOutRow| admitted.contains(&row.entry.sop_instance);
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
            reviewer: look.reviewer.to_owned(),
            at: look.at,
            seen: row.entry.plain_hash,
            shared: entry.plain_hash,
        });
        let of_series = || (row.facts.series_head(), Vec::new());
        added.entry(row.facts.series.clone()).or_insert_with(of_series).1.push(entry);
        meter.add(row.entry.object.packed_bytes);
        meter.at(0);
    }
    for row in rows.iter_mut().filter(|row| kept_out.contains(&row.entry.sop_instance)) {
        let seen = row.entry.plain_hash;
        row.kept_out = Some(KeptOut { reviewer: look.reviewer.to_owned(), at: look.at, seen });
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
    let is_decided =
        |row: &&LeftOutRow| admitted.contains(&row.entry.sop_instance) || kept_out.contains(&row.entry.sop_instance);
    rows.iter().filter(is_decided).for_each(|row| row.put(&mut batch, &study.id));
    put(&mut batch, &LocalStudy { head, left_out, bytes_stored, ..study.duplicate() });
    store.commit(batch).map_err(store_failure)
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
