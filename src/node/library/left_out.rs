//! Instances that wait for somebody to look at them, and what she decides.
//!
//! An instance whose pixels may show a name is sealed and kept like any other, but stands in no manifest, so nobody
//! is told of its chunks. Its row says what it is and why it waits. Somebody who looked decides: image by image with
//! [`decide`], or whole series with [`include`]; [`super::admit`] carries it out. The row stays and says who looked,
//! when, and at which bytes; also of one that was kept out, which [`include`] then no longer takes along with its
//! series.
//!
//! An image that was masked has such a row as well, though nobody may ever have left it out: the row then names the
//! unmasked original, which is kept sealed as long as the study is, in no manifest, so that it can be masked otherwise.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use super::admit::{Decided, Look, write};
use super::import::Control;
use super::mask::may_be_masked;
use super::reading::{HashedFile, held_instances, open_entry};
use super::review::frames_shown;
use super::{LeftOutCount, LocalStudy, damaged, store_failure};
use crate::encoding::id::{Bytes, StudyId};
use crate::encoding::text::shown;
use crate::encoding::time::Timestamp;
use crate::encoding::{from_bytes, to_bytes};
use crate::node::api::{Failure, FailureCode, ImageMask, LeftOutImage, LookView};
use crate::seal::chunk::StudyKey;
use crate::store::{Batch, ROW_VALUE_BYTES_MAX, Store, Table};
use crate::study::import::Facts;
use crate::study::manifest::{InstanceEntry, SeriesHead};
use crate::study::mask::Rectangle;

/// Longest UID (PS3.5 section 9), in bytes.
const UID_BYTES_MAX: usize = 64;

/// An instance that was left out when it was imported, or masked since.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct LeftOutRow {
    #[n(0)]
    pub(super) facts: Facts,
    /// What was sealed then.
    #[n(1)]
    pub(super) entry: InstanceEntry,
    /// Empty if it never was left out.
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
    /// The rectangles that were burned into it, if it was masked.
    #[n(4)]
    pub(super) mask: Option<Vec<Rectangle>>,
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

    /// The rectangles that were burned into it.
    pub(super) fn mask(&self) -> &[Rectangle] {
        self.reviewed.as_ref().and_then(|review| review.mask.as_deref()).unwrap_or_default()
    }

    fn shown(&self, given: &BTreeSet<String>) -> LeftOutImage {
        let (state, looked) = match (&self.reviewed, &self.kept_out) {
            (Some(review), _) => ("admitted", Some((&review.reviewer, review.at, review.seen))),
            (None, Some(kept)) => ("kept out", Some((&kept.reviewer, kept.at, kept.seen))),
            (None, None) => ("waits", None),
        };
        LeftOutImage {
            why: shown(&self.why).into_owned(),
            state: state.into(),
            looked: looked.map(|(who, at, seen)| LookView {
                who: shown(who).into_owned(),
                at: at.to_string(),
                plain_hash: HEXLOWER.encode(&seen.0),
            }),
            mask: self.mask().to_vec(),
            ..image(&self.facts, &self.entry, given)
        }
    }
}

/// What is told of an image without regard to who looked at it.
fn image(of_series: &Facts, entry: &InstanceEntry, given: &BTreeSet<String>) -> LeftOutImage {
    LeftOutImage {
        sop_instance_uid: shown(&entry.sop_instance).into_owned(),
        series_instance_uid: shown(&of_series.series).into_owned(),
        series_number: of_series.series_number,
        series_description: shown(&of_series.series_description).into_owned(),
        modality: shown(&of_series.modality).into_owned(),
        number: entry.number,
        frames: entry.frames,
        frames_to_see: frames_shown(entry.frames).into_iter().collect(),
        rows: entry.rows,
        columns: entry.columns,
        why: String::new(),
        plain_hash: HEXLOWER.encode(&entry.plain_hash.0),
        state: "in".into(),
        looked: None,
        mask: Vec::new(),
        given: given.contains(&entry.sop_instance),
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

/// Everything that was ever left out of a study and kept, or masked, for looking at it; with `all` also every other
/// image of it. `given` names those that a case has given away.
pub fn left_out_images(
    store: &Store,
    study: &LocalStudy,
    given: &BTreeSet<String>,
    all: bool,
) -> Result<Vec<LeftOutImage>, Failure> {
    let rows = of_study(store, &study.id)?;
    let mut images: Vec<_> = rows.iter().map(|row| row.shown(given)).collect();
    if all {
        let known: BTreeSet<&str> = rows.iter().map(|row| row.entry.sop_instance.as_str()).collect();
        let heads: BTreeMap<&str, &SeriesHead> =
            study.head.series.iter().map(|head| (head.series.as_str(), head)).collect();
        for (series, instances) in held_instances(store, study)? {
            let Some(head) = heads.get(series.as_str()) else { continue };
            let facts = Facts {
                series,
                modality: head.modality.clone(),
                series_description: head.description.clone(),
                series_number: head.number,
                ..Facts::default()
            };
            let others = instances.iter().filter(|entry| !known.contains(entry.sop_instance.as_str()));
            images.extend(others.filter(|entry| entry.frames > 0).map(|entry| image(&facts, entry, given)));
        }
    }
    images.sort_by(|a, b| {
        let place = |image: &LeftOutImage| (image.series_number, image.series_instance_uid.clone(), image.number);
        place(a).cmp(&place(b))
    });
    Ok(images)
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
/// Nothing changes unless all of it does.
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
    let admitted: BTreeSet<String> = waiting.map(|row| row.entry.sop_instance.clone()).collect();
    let included = admitted.len();
    let decided = Decided { admitted, ..Decided::default() };
    write(store, study, rows, &decided, Look { reviewer, at: now }, control)?;
    Ok(included)
}

/// What somebody decided about single images, by SOP Instance UID.
#[derive(Default)]
pub struct Decisions<'a> {
    pub admit: &'a [String],
    pub keep_out: &'a [String],
    /// Let in with black rectangles, instead of what of them is in by now.
    pub mask: &'a [ImageMask],
}

/// Writes what somebody decided who looked at single images. One that was kept out before may be admitted now; what
/// was admitted stays in, since a case may show it. An image may be masked, and masked otherwise, until a case has
/// given it away: `given` names those.
///
/// # Errors
/// If an image is named twice, is none that was left out, or is to be masked and was given away or has no pixels.
/// Nothing changes unless all of it does.
pub fn decide(
    store: &Store,
    study: &LocalStudy,
    decisions: &Decisions<'_>,
    given: &BTreeSet<String>,
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
    }
    let masked = decisions.mask.iter().map(|mask| &mask.sop_instance_uid);
    for uid in decisions.admit.iter().chain(decisions.keep_out).chain(masked) {
        if !named.insert(uid) {
            return Err(Failure::new(FailureCode::WrongUse, format!("{} is decided twice.", shown(uid)))
                .hint("Nothing was changed. Name each image once."));
        }
    }
    if named.is_empty() {
        return Err(Failure::new(FailureCode::WrongUse, "No image was named.").hint("Decide about one at least."));
    }
    if !decisions.mask.is_empty() {
        may_be_masked(study, &rows, &held_instances(store, study)?, decisions.mask, given)?;
    }
    let set = |uids: &[String]| uids.iter().cloned().collect();
    let masked = decisions.mask.iter().map(|mask| (mask.sop_instance_uid.clone(), mask.rectangles.clone()));
    let decided =
        Decided { admitted: set(decisions.admit), kept_out: set(decisions.keep_out), masked: masked.collect() };
    write(store, study, rows, &decided, Look { reviewer, at: now }, control)
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
