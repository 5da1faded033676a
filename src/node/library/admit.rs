//! Letting instances into a study's manifest, as they are or masked.
//!
//! The original is opened, black rectangles are burned into it where somebody drew them, its header gets (0028,0301)
//! Burned In Annotation = NO, which is true only now, and it is packed and sealed anew: other bytes, so another object.
//! A masked image takes the place in the manifest that its unmasked self had, if it had one; the row beside it keeps
//! naming the original, which no manifest names any more. Its UID stays ([`crate::study::mask`] says why).
//!
//! Chunks and pages go first, the rows that name them last and together: after a crash all of it is as it was, or all
//! of it is done.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use dicom_core::VR;
use dicom_dictionary_std::tags;

use super::import::{Control, Meter};
use super::left_out::{KeptOut, LeftOutRow, Review, counted};
use super::merge::{put_object, with_series};
use super::reading::{fetch_from, held_instances};
use super::{LocalStudy, chunk_group, damaged, put, store_failure};
use crate::encoding::text::shown;
use crate::encoding::time::Timestamp;
use crate::node::api::{Failure, FailureCode};
use crate::seal::chunk::StudyKey;
use crate::store::{BATCH_CHUNK_BYTES_ADVISED, Batch, Store};
use crate::study::export::open_instance;
use crate::study::import::{Facts, seal_series};
use crate::study::manifest::{InstanceEntry, SeriesHead};
use crate::study::mask::{MaskError, Rectangle, clipped, mask};
use crate::study::object::{SealedObject, seal_object};
use crate::study::packing::Packer;
use crate::study::part10;
use crate::study::write::rebuild;

/// Who looked, and when.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) reviewer: &'a str,
    pub(super) at: Timestamp,
}

/// What is to become of instances, by SOP Instance UID; none stands in two of them.
#[derive(Default)]
pub(super) struct Decided {
    pub(super) admitted: BTreeSet<String>,
    pub(super) kept_out: BTreeSet<String>,
    /// Let in with black rectangles, whether they waited or were in.
    pub(super) masked: BTreeMap<String, Vec<Rectangle>>,
}

impl Decided {
    fn lets_in(&self, sop_instance: &str) -> bool {
        self.admitted.contains(sop_instance) || self.masked.contains_key(sop_instance)
    }
}

/// Lets in, masks and keeps out.
pub(super) fn write(
    store: &Store,
    study: &LocalStudy,
    mut rows: Vec<LeftOutRow>,
    decided: &Decided,
    look: Look<'_>,
    control: &Control<'_>,
) -> Result<(), Failure> {
    let key = study.study_key();
    let mut held = held_instances(store, study)?;
    rows.extend(never_left_out(&rows, &held, decided));
    let mut batch = Batch::new();
    let mut added: BTreeMap<String, (SeriesHead, Vec<InstanceEntry>)> = BTreeMap::new();
    let mut packer = Packer::new().map_err(|error| unopened(&error))?;
    let is_chosen = |row: &LeftOutRow| decided.lets_in(&row.entry.sop_instance);
    for row in rows.iter().filter(|row| is_chosen(row)) {
        // Before anything is decoded: one rectangle beside its image stops all of it.
        if let Some(rectangles) = decided.masked.get(&row.entry.sop_instance) {
            clipped(rectangles, row.entry.columns, row.entry.rows).map_err(|error| unmasked(&row.entry, &error))?;
        }
    }
    let bytes = rows.iter().filter(|row| is_chosen(row)).map(|row| row.entry.object.packed_bytes).sum();
    let meter = Meter::new(if decided.masked.is_empty() { "include" } else { "mask" }, bytes, control);
    for row in rows.iter_mut().filter(|row| is_chosen(row)) {
        if control.is_cancelled() {
            return Err(stopped());
        }
        let rectangles = decided.masked.get(&row.entry.sop_instance).map(Vec::as_slice);
        let Admitted { facts, entry, object, mask } =
            admitted(store, &key, &row.entry, rectangles, &mut packer, control)?;
        put_object(&mut batch, &study.id, object);
        if batch.chunk_bytes() >= BATCH_CHUNK_BYTES_ADVISED {
            store.commit(std::mem::take(&mut batch)).map_err(store_failure)?;
        }
        row.facts = facts;
        row.reviewed = Some(Review {
            reviewer: look.reviewer.to_owned(),
            at: look.at,
            seen: row.entry.plain_hash,
            shared: entry.plain_hash,
            mask,
        });
        let of_series = || (row.facts.series_head(), Vec::new());
        added.entry(row.facts.series.clone()).or_insert_with(of_series).1.push(entry);
        meter.add(row.entry.object.packed_bytes);
        meter.at(0);
    }
    for row in rows.iter_mut().filter(|row| decided.kept_out.contains(&row.entry.sop_instance)) {
        let seen = row.entry.plain_hash;
        row.kept_out = Some(KeptOut { reviewer: look.reviewer.to_owned(), at: look.at, seen });
    }
    let mut heads = study.head.series.clone();
    for (uid, (of_series, entries)) in added {
        let mut instances = held.remove(&uid).unwrap_or_default();
        let replaced: BTreeSet<&str> = entries.iter().map(|entry| entry.sop_instance.as_str()).collect();
        instances.retain(|entry| !replaced.contains(entry.sop_instance.as_str()));
        instances.extend(entries.iter().cloned());
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
    let is_decided = |row: &&LeftOutRow| is_chosen(row) || decided.kept_out.contains(&row.entry.sop_instance);
    rows.iter().filter(is_decided).for_each(|row| row.put(&mut batch, &study.id));
    put(&mut batch, &LocalStudy { head, left_out, bytes_stored, ..study.duplicate() });
    store.commit(batch).map_err(store_failure)
}

/// Rows for images that are to be masked and were never left out: what the manifest names is their original.
fn never_left_out(
    rows: &[LeftOutRow],
    held: &BTreeMap<String, Vec<InstanceEntry>>,
    decided: &Decided,
) -> Vec<LeftOutRow> {
    let known: BTreeSet<&str> = rows.iter().map(|row| row.entry.sop_instance.as_str()).collect();
    let is_new = |entry: &&InstanceEntry| {
        decided.masked.contains_key(&entry.sop_instance) && !known.contains(entry.sop_instance.as_str())
    };
    let row = |entry: &InstanceEntry| LeftOutRow {
        facts: Facts::default(),
        entry: entry.clone(),
        why: String::new(),
        reviewed: None,
        kept_out: None,
    };
    held.values().flatten().filter(is_new).map(row).collect()
}

/// An instance as it is let in.
struct Admitted {
    facts: Facts,
    entry: InstanceEntry,
    object: SealedObject,
    /// The rectangles as they lie over the image.
    mask: Option<Vec<Rectangle>>,
}

fn admitted(
    store: &Store,
    key: &StudyKey,
    original: &InstanceEntry,
    rectangles: Option<&[Rectangle]>,
    packer: &mut Packer,
    control: &Control<'_>,
) -> Result<Admitted, Failure> {
    let file = open_instance(key, original, fetch_from(store)).map_err(|error| unopened(&error))?;
    let (part10, mask) = match rectangles {
        None => (part10::read(&file).map_err(|error| unopened(&error))?, None),
        Some(rectangles) => {
            let burned = catch_unwind(AssertUnwindSafe(|| mask(&file, rectangles, &|| control.is_cancelled())));
            let part10 = burned
                .map_err(|_| unmasked(original, &"an error of this program (please report it)"))?
                .map_err(|error| unmasked_for(original, &error))?;
            let as_they_lie = clipped(rectangles, original.columns, original.rows);
            (part10, Some(as_they_lie.map_err(|error| unmasked(original, &error))?))
        }
    };
    let mut header = part10.header.clone();
    header.put_str(tags::BURNED_IN_ANNOTATION, VR::CS, "NO");
    let (syntax, has_pixels) = (part10.syntax.uid.clone(), part10.pixel.is_some());
    let rebuilt = rebuild(part10, header.clone()).map_err(|error| unopened(&error))?;
    let packed = packer.pack(&rebuilt.parts()).map_err(|error| unopened(&error))?;
    let object = seal_object(key, &packed).map_err(|error| unopened(&error))?;
    let entry = InstanceEntry::of(&header, &syntax, has_pixels, &packed, object.object.clone())
        .ok_or_else(|| damaged("A stored image"))?;
    Ok(Admitted { facts: Facts::of(&header), entry, object, mask })
}

fn stopped() -> Failure {
    Failure::new(FailureCode::Interrupted, "Nothing was included: it was stopped.").hint("Repeat the command.")
}

fn unmasked_for(entry: &InstanceEntry, error: &MaskError) -> Failure {
    if *error == MaskError::Stopped { stopped() } else { unmasked(entry, error) }
}

fn unmasked(entry: &InstanceEntry, error: &dyn std::fmt::Display) -> Failure {
    let what = format!("The image {} cannot be masked: {error}.", shown(&entry.sop_instance));
    Failure::new(FailureCode::WrongUse, what)
        .hint("Nothing was changed. Name other rectangles or other images; an image that cannot be masked stays out.")
}

fn unopened(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(FailureCode::Failed, format!("A stored image cannot be included: {error}."))
        .hint("Nothing was included. Import the study again and repeat.")
}
