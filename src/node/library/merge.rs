//! How what was just imported joins what is already held of the study.
//!
//! An instance already held stays as it is, also if the files now say otherwise: an opinion may rest on it. New
//! instances join their series, whose pages are made anew; pages that did not change stay, and older pages are
//! kept, since a case may name them. A masked image stays masked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::left_out::{LeftOutRow, counted};
use super::{LeftOutCount, LocalStudy, chunk_group};
use crate::encoding::id::{Bytes, StudyId};
use crate::seal::chunk::StudyKey;
use crate::store::{Batch, VerifiedChunk};
use crate::study::import::{ImportedStudy, seal_series};
use crate::study::manifest::{InstanceEntry, ManifestError, SeriesHead, StudyHead};
use crate::study::object::SealedObject;

/// Why an instance that was held before was not taken a second time.
const OTHER_CONTENT: &str = "already held with other content (another file or preset); remove the study to replace it";

/// A study after an import.
pub(super) struct Merged {
    /// `None` if no instance could be cleaned: there is no study to keep.
    pub(super) head: Option<StudyHead>,
    pub(super) left_out: Vec<LeftOutCount>,
    /// What this import left out.
    pub(super) left_out_now: Vec<LeftOutCount>,
    /// Rows of instances that wait since this import.
    pub(super) waiting: Vec<LeftOutRow>,
    /// Pages that replace older ones.
    pub(super) pages: Vec<SealedObject>,
    pub(super) already_held: usize,
    /// Of those, images that were masked and stay so.
    pub(super) masked: usize,
    /// Length of the cleaned files that are new, in bytes.
    pub(super) bytes_new: u64,
}

/// Joins an import with what is held: the study's row, its instances by series, and the rows of those left out.
pub(super) fn merge(
    existing: Option<&LocalStudy>,
    mut held: BTreeMap<String, Vec<InstanceEntry>>,
    rows: Vec<LeftOutRow>,
    new: ImportedStudy,
    key: &StudyKey,
) -> Result<Merged, ManifestError> {
    let held_hashes: HashMap<String, Bytes<32>> =
        held.values().flatten().map(|entry| (entry.sop_instance.clone(), entry.plain_hash)).collect();
    let mut known: HashMap<String, bool> =
        rows.iter().map(|row| (row.entry.sop_instance.clone(), !row.is_in())).collect();
    // Of a masked image the manifest holds other bytes than the files do, and its row those of the files.
    let originals: HashMap<String, Bytes<32>> = rows
        .iter()
        .filter(|row| !row.mask().is_empty())
        .map(|row| (row.entry.sop_instance.clone(), row.entry.plain_hash))
        .collect();
    let mut merged = Merged {
        masked: 0,
        head: None,
        left_out: Vec::new(),
        left_out_now: Vec::new(),
        waiting: Vec::new(),
        pages: Vec::new(),
        already_held: 0,
        bytes_new: 0,
    };
    let mut now: BTreeMap<(String, String, bool), u32> = BTreeMap::new();
    let series_of = |at: usize| new.facts.get(at).cloned().flatten().unwrap_or_default();
    for left in new.left_out {
        let facts = series_of(left.series);
        let Some(entry) = left.entry else {
            *now.entry((facts.series, left.why, false)).or_default() += 1;
            continue;
        };
        match known.get(&entry.sop_instance) {
            // Reviewed before: it is in the manifest.
            Some(false) => {
                merged.already_held += 1;
                merged.masked += usize::from(originals.contains_key(&entry.sop_instance));
            }
            waits => {
                *now.entry((facts.series.clone(), left.why.clone(), true)).or_default() += 1;
                if waits.is_some() {
                    merged.already_held += 1;
                } else {
                    known.insert(entry.sop_instance.clone(), true);
                    merged.bytes_new += entry.file_bytes;
                    merged.waiting.push(LeftOutRow { facts, entry, why: left.why, reviewed: None, kept_out: None });
                }
            }
        }
    }
    let mut heads = existing.map(|study| study.head.series.clone()).unwrap_or_default();
    let (of_new, about) = {
        let mut about = new.head;
        (std::mem::take(&mut about.series), about)
    };
    for ((instances, facts), head) in new.series.into_iter().zip(&new.facts).zip(of_new) {
        let Some(facts) = facts else { continue };
        let offered = instances.len();
        let mut fresh = Vec::with_capacity(offered);
        for entry in instances {
            let original = originals.get(&entry.sop_instance);
            match original.or_else(|| held_hashes.get(&entry.sop_instance)) {
                Some(hash) if *hash == entry.plain_hash => {
                    merged.already_held += 1;
                    merged.masked += usize::from(original.is_some());
                }
                Some(_) => {
                    *now.entry((facts.series.clone(), OTHER_CONTENT.to_owned(), false)).or_default() += 1;
                }
                None if known.contains_key(&entry.sop_instance) => merged.already_held += 1,
                None => fresh.push(entry),
            }
        }
        merged.bytes_new += fresh.iter().map(|entry| entry.file_bytes).sum::<u64>();
        let at = heads.iter().position(|held| held.series == facts.series);
        match at {
            Some(_) if fresh.is_empty() => {}
            None if fresh.len() == offered => heads.push(head),
            _ => {
                let mut all = held.remove(&facts.series).unwrap_or_default();
                all.extend(fresh);
                let of_series = at.and_then(|at| heads.get(at)).cloned().unwrap_or_else(|| facts.series_head());
                let (head, pages) = seal_series(key, of_series, &mut all, 0)?;
                merged.pages.extend(pages);
                match at {
                    Some(at) => heads[at] = head,
                    None => heads.push(head),
                }
            }
        }
    }
    merged.left_out_now = now
        .into_iter()
        .map(|((series, why, reviewable), instances)| LeftOutCount { series, instances, why, reviewable })
        .collect();
    let unreadable = unreadable(existing, &merged.left_out_now);
    let rows: Vec<_> = rows.iter().chain(&merged.waiting).cloned().collect();
    merged.left_out = counted(&rows, &unreadable);
    if existing.is_some() || new.facts.iter().any(Option::is_some) {
        let about = existing.map_or(about, |study| study.head.clone());
        let head = with_series(about, heads, &merged.left_out);
        head.to_bytes()?; // a head that no entry can carry must fail here, not when it is sent
        merged.head = Some(head);
    }
    Ok(merged)
}

/// What can never be let in: of an import repeated, the same files must not count twice.
fn unreadable(existing: Option<&LocalStudy>, now: &[LeftOutCount]) -> Vec<LeftOutCount> {
    let mut counts: Vec<LeftOutCount> = existing.map(|study| study.left_out.clone()).unwrap_or_default();
    counts.retain(|count| !count.reviewable);
    // An instance held with other content is not missing for the reader.
    for count in now.iter().filter(|count| !count.reviewable && count.why != OTHER_CONTENT) {
        match counts.iter_mut().find(|held| held.series == count.series && held.why == count.why) {
            Some(held) => held.instances = held.instances.max(count.instances),
            None => counts.push(count.clone()),
        }
    }
    counts
}

/// A study's head with other series, in the order of their numbers, and with what is left out of each.
pub(super) fn with_series(about: StudyHead, mut series: Vec<SeriesHead>, left_out: &[LeftOutCount]) -> StudyHead {
    for head in &mut series {
        head.left_out = left_out.iter().filter(|count| count.series == head.series).map(|count| count.instances).sum();
    }
    series.sort_by(|a, b| (a.number, &a.series).cmp(&(b.number, &b.series)));
    let named = |of: fn(&SeriesHead) -> &String| {
        let names: BTreeSet<_> = series.iter().map(of).filter(|name| !name.is_empty()).collect();
        names.into_iter().cloned().collect()
    };
    StudyHead {
        modalities: named(|head| &head.modality),
        body_parts: named(|head| &head.body_part),
        left_out: left_out.iter().map(|count| count.instances).sum(),
        series,
        ..about
    }
}

/// Puts an object's chunks into a batch.
pub(super) fn put_object(batch: &mut Batch, study: &StudyId, object: SealedObject) {
    let group = chunk_group(study);
    for (id, sealed) in object.chunks {
        batch.put_chunk(group, VerifiedChunk::sealed_here(id, sealed));
    }
}
