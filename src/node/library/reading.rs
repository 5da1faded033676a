//! What a study holds and what of it is here: pages, lists, details, export.

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::import::{Control, Meter};
use super::words::patient_of;
use super::{LocalStudy, Origin, chunk_group, left_out, load_all, sentence, store_failure};
use crate::encoding::id::{ChunkId, StudyId};
use crate::encoding::text::shown;
use crate::node::api::{Failure, FailureCode, InstancePlace, InstanceView, SeriesView, StudyDetail, StudyView};
use crate::seal::chunk::StudyKey;
use crate::store::{Store, StoreError};
use crate::study::export::{ExportError, export as export_files, open_instance};
use crate::study::manifest::{Geometry, InstanceEntry, SeriesHead, StudyHead, open_page};
use crate::study::object::ObjectError;
use crate::study::order::Gaps;

/// The chunks of an instance, in order.
pub fn chunks_of(entry: &InstanceEntry) -> &[ChunkId] {
    &entry.object.chunks
}

/// The chunks of a series' manifest pages, page by page.
pub fn page_chunks(series: &SeriesHead) -> impl Iterator<Item = ChunkId> {
    series.pages.iter().flat_map(|page| page.chunks.iter().copied())
}

/// The instances of each series of a head, in reading order; pages that are not here, or do not open, are skipped.
pub fn open_pages(store: &Store, head: &StudyHead, key: &StudyKey) -> Vec<Vec<InstanceEntry>> {
    head.series.iter().map(|series| open_series(store, series, key)).collect()
}

fn open_series(store: &Store, series: &SeriesHead, key: &StudyKey) -> Vec<InstanceEntry> {
    let pages = series.pages.iter().filter_map(|page| open_page(key, page, fetch_from(store)).ok());
    // A page of another series could put images where they do not belong.
    pages.filter(|page| page.series == series.series).flat_map(|page| page.instances).collect()
}

/// How many of a study's chunks, pages included, are here, and how many there are. Of series whose pages have not
/// arrived only the pages are known.
pub fn held_chunks(store: &Store, head: &StudyHead, key: &StudyKey) -> Result<(u64, u64), Failure> {
    let mut names: HashSet<ChunkId> = head.series.iter().flat_map(page_chunks).collect();
    names.extend(open_pages(store, head, key).iter().flatten().flat_map(chunks_of));
    let names: Vec<_> = names.into_iter().collect();
    let missing = store.missing(&names).map_err(store_failure)?.len() as u64;
    Ok((names.len() as u64 - missing, names.len() as u64))
}

/// The instances of a study of this sender, by series; every page must be here.
pub(super) fn held_instances(
    store: &Store,
    study: &LocalStudy,
) -> Result<BTreeMap<String, Vec<InstanceEntry>>, Failure> {
    let key = study.study_key();
    let pages = |series: &SeriesHead| Ok((series.series.clone(), open_whole(store, series, &key)?));
    study.head.series.iter().map(pages).collect()
}

/// The instances of a series; every page must be here.
pub(super) fn open_whole(store: &Store, series: &SeriesHead, key: &StudyKey) -> Result<Vec<InstanceEntry>, Failure> {
    let instances = open_series(store, series, key);
    if instances.len() != series.instances as usize {
        return Err(Failure::new(FailureCode::Damaged, "Pages of the study are damaged or missing.")
            .hint("Remove the study (`study rm`) and import it again."));
    }
    Ok(instances)
}

/// Gives a chunk's bytes if they are here and whole.
pub(super) fn fetch_from(store: &Store) -> impl FnMut(&ChunkId) -> Option<Vec<u8>> {
    |id| store.read_chunk(*id).ok().flatten()
}

/// All studies of this home. `cases_of` gives the ids of the cases a study stands in.
pub fn list(store: &Store, cases_of: impl Fn(&StudyId) -> Vec<String>) -> Result<Vec<StudyView>, Failure> {
    load_all(store)?.iter().map(|study| view(store, study, cases_of(&study.id))).collect()
}

/// One study, series by series. The real patient is added only if asked for and only of this sender's own studies.
pub fn show(store: &Store, study: &LocalStudy, identity: bool, cases: Vec<String>) -> Result<StudyDetail, Failure> {
    let key = study.study_key();
    let mut series_list = Vec::with_capacity(study.head.series.len());
    for series in &study.head.series {
        let instances = open_series(store, series, &key);
        let held = held_of(store, &instances)?;
        let images = instances.iter().zip(&held).map(|(entry, here)| InstanceView {
            sop_instance_uid: shown(&entry.sop_instance).into_owned(),
            number: entry.number,
            frames: entry.frames,
            rows: entry.rows,
            columns: entry.columns,
            here: *here,
            place: entry.geometry.as_ref().and_then(place),
        });
        series_list.push(SeriesView {
            series_instance_uid: shown(&series.series).into_owned(),
            modality: shown(&series.modality).into_owned(),
            description: shown(&series.description).into_owned(),
            number: series.number.map(i64::from),
            instances: series.instances as usize,
            instances_have: held.iter().filter(|held| **held).count(),
            left_out: series.left_out as usize,
            gaps: gap_words(series.gaps, series.instances as usize).into_iter().collect(),
            sop_instance_uids: instances.iter().map(|entry| shown(&entry.sop_instance).into_owned()).collect(),
            images: images.collect(),
        });
    }
    let identity = match (identity, study.origin) {
        (true, Origin::Mine { .. }) => patient_of(store, &study.id)?,
        _ => None,
    };
    let rows = left_out::of_study(store, &study.id)?;
    let masked = rows.iter().filter(|row| !row.mask().is_empty());
    let masked = masked.map(|row| shown(&row.entry.sop_instance).into_owned()).collect();
    Ok(StudyDetail { study: view(store, study, cases)?, series_list, identity, masked })
}

/// Where a slice lies; none unless all of it is stated. What a reader believes of it is hers to check.
fn place(geometry: &Geometry) -> Option<InstancePlace> {
    Some(InstancePlace {
        position: geometry.position()?,
        orientation: geometry.orientation()?,
        spacing: geometry.spacing()?,
        thickness: geometry.thickness(),
    })
}

fn view(store: &Store, study: &LocalStudy, cases: Vec<String>) -> Result<StudyView, Failure> {
    let head = &study.head;
    Ok(StudyView {
        id: study.id.to_string(),
        modality: shown(&head.modalities.join(", ")).into_owned(),
        description: shown(&head.description).into_owned(),
        series: head.series.len(),
        instances: usize::try_from(head.instances()).unwrap_or(usize::MAX),
        left_out: head.left_out as usize,
        bytes_stored: store.group_size(chunk_group(&study.id)).map_err(store_failure)?.bytes,
        origin: match study.origin {
            Origin::Mine { .. } => "mine".into(),
            Origin::Received => "received".into(),
        },
        cases,
    })
}

/// Which instances are here whole.
fn held_of(store: &Store, instances: &[InstanceEntry]) -> Result<Vec<bool>, Failure> {
    let names: Vec<ChunkId> = instances.iter().flat_map(chunks_of).copied().collect();
    let missing: HashSet<ChunkId> = store.missing(&names).map_err(store_failure)?.into_iter().collect();
    Ok(instances.iter().map(|entry| chunks_of(entry).iter().all(|id| !missing.contains(id))).collect())
}

/// What seems to be missing of a series, in words; `None` if nothing does.
pub(super) fn gap_words(gaps: Gaps, images: usize) -> Option<String> {
    let gaps = crate::study::deidentify::gaps::Gaps {
        images,
        numbers_missing: gaps.numbers as usize,
        positions_missing: gaps.positions as usize,
    };
    (!gaps.is_complete()).then(|| gaps.to_string())
}

/// Why something did not open out of the store's chunks.
#[derive(Debug, thiserror::Error)]
pub enum OpenFailure<E: std::error::Error> {
    /// What is missing may come; what is damaged does not mend itself.
    #[error(transparent)]
    Store(StoreError),
    #[error(transparent)]
    Content(E),
}

/// Opens something out of the store's chunks. To what opens it, a chunk that is damaged and one that has not arrived
/// look the same; here the damaged one is told.
pub fn opened<T, E: std::error::Error>(
    store: &Store,
    open: impl FnOnce(&mut dyn FnMut(&ChunkId) -> Option<Vec<u8>>) -> Result<T, E>,
) -> Result<T, OpenFailure<E>> {
    let mut failed = None;
    let opened = open(&mut |id| {
        store.read_chunk(*id).unwrap_or_else(|error| {
            failed.get_or_insert(error);
            None
        })
    });
    opened.map_err(|error| failed.map_or(OpenFailure::Content(error), OpenFailure::Store))
}

/// The BLAKE3 hash that an instance's entry states and its file has, and the file.
pub type HashedFile = ([u8; 32], Vec<u8>);

/// One instance's file.
pub fn open_file(
    store: &Store,
    head: &StudyHead,
    key: &StudyKey,
    sop_instance_uid: &str,
) -> Result<HashedFile, Failure> {
    let series = open_pages(store, head, key);
    let instance = series.iter().flatten().find(|instance| instance.sop_instance == sop_instance_uid);
    let instance = instance.ok_or_else(|| {
        Failure::new(FailureCode::NotFound, format!("There is no image {sop_instance_uid} in the study."))
            .hint("`overread study show STUDY` lists the images.")
    })?;
    open_entry(store, key, instance)
}

pub(super) fn open_entry(store: &Store, key: &StudyKey, instance: &InstanceEntry) -> Result<HashedFile, Failure> {
    let bytes = opened(store, |fetch| open_instance(key, instance, fetch)).map_err(|error| match error {
        OpenFailure::Store(error) => store_failure(error),
        OpenFailure::Content(ExportError::Object(ObjectError::Missing { .. })) => {
            Failure::new(FailureCode::NotFound, "The image is not here whole yet.")
                .hint("`overread fetch CASE` gets what is missing.")
        }
        OpenFailure::Content(error) => Failure::new(FailureCode::Damaged, format!("The image does not open: {error}."))
            .hint("`overread verify all` lists everything that is damaged."),
    })?;
    Ok((instance.plain_hash.0, bytes))
}

/// What an export wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Export {
    pub instances: usize,
    pub bytes: u64,
    /// Instances of the head that are not here whole yet and were left away.
    pub missing: usize,
}

/// Writes the instances that are here whole as DICOM files under `folder`, each checked against its manifest.
pub fn export(
    store: &Store,
    head: &StudyHead,
    key: &StudyKey,
    folder: &Path,
    control: &Control<'_>,
) -> Result<Export, Failure> {
    let mut series = open_pages(store, head, key);
    for instances in &mut series {
        let mut held = held_of(store, instances)?.into_iter();
        instances.retain(|_| held.next().unwrap_or(false));
    }
    let here: usize = series.iter().map(Vec::len).sum();
    let missing = usize::try_from(head.instances()).unwrap_or(usize::MAX).saturating_sub(here);
    if here == 0 {
        return Err(Failure::new(FailureCode::NotFound, "No image of this study is here yet.")
            .hint("Fetch the case first (`fetch`), then export."));
    }
    let total = series.iter().flatten().map(|entry| entry.object.packed_bytes).sum();
    let meter = Meter::new("export", total, control);
    let done = Cell::new(0);
    let exported = opened(store, |fetch| {
        export_files(key, &series, folder, |id| {
            if control.is_cancelled() {
                return None;
            }
            let chunk = fetch(id)?;
            done.set(done.get() + chunk.len() as u64);
            meter.at(done.get());
            Some(chunk)
        })
    });
    match exported {
        Ok(exported) => Ok(Export {
            instances: usize::try_from(exported.files).unwrap_or(usize::MAX),
            bytes: exported.bytes,
            missing,
        }),
        Err(_) if control.is_cancelled() => Err(Failure::new(FailureCode::Interrupted, "The export was stopped.")
            .hint("The files written so far are whole. Export again into a new folder.")),
        Err(OpenFailure::Store(error)) => Err(store_failure(error)),
        Err(OpenFailure::Content(error)) => Err(export_failure(&error)),
    }
}

fn export_failure(error: &ExportError) -> Failure {
    let (code, hint) = match error {
        ExportError::NotEmpty => (FailureCode::WrongUse, "Name a folder that is empty or does not exist yet."),
        ExportError::Write { .. } => (
            FailureCode::Failed,
            "Choose a folder you may write to, with room for it. What was written before is whole, but not all of the \
             study.",
        ),
        ExportError::Object(ObjectError::Missing { .. }) => {
            (FailureCode::Damaged, "Run `verify`, then fetch the case again.")
        }
        _ => (FailureCode::Damaged, "Run `verify` to see what is damaged; fetch or import the study again."),
    };
    Failure::new(code, sentence(error)).hint(hint)
}
