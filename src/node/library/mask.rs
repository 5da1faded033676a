//! Which images are masked: those a person named, unless somebody else has them already.
//!
//! An image that a case names was given away with its pixels as they were: a mask would come too late for those who
//! have it, and two images would go by one UID. So it is refused, in words, whether the case still shows the study or
//! the study was withdrawn from it.

use std::collections::{BTreeMap, BTreeSet};

use super::LocalStudy;
use super::left_out::{LeftOutRow, of_study};
use super::reading::{held_instances, open_whole};
use crate::encoding::text::shown;
use crate::node::api::{Failure, FailureCode, ImageMask};
use crate::seal::chunk::StudyKey;
use crate::store::Store;
use crate::study::manifest::{InstanceEntry, StudyHead};
use crate::study::mask::Rectangle;

/// The images that these heads of a study name, as cases have them.
pub fn given_images(store: &Store, heads: &[StudyHead], key: &StudyKey) -> Result<BTreeSet<String>, Failure> {
    let mut given = BTreeSet::new();
    for series in heads.iter().flat_map(|head| &head.series) {
        given.extend(open_whole(store, series, key)?.into_iter().map(|entry| entry.sop_instance));
    }
    Ok(given)
}

/// The same rectangles for every image named, and for every image of the series named that nobody kept out. `series`
/// are Series Instance UIDs or series numbers.
///
/// # Errors
/// If an image or series is none of the study, or nothing with pixels was named.
pub fn masks_for(
    store: &Store,
    study: &LocalStudy,
    images: &[String],
    series: &[String],
    rectangles: &[Rectangle],
) -> Result<Vec<ImageMask>, Failure> {
    let rows = of_study(store, &study.id)?;
    let held = held_instances(store, study)?;
    let numbers: BTreeMap<&str, Option<i32>> = study
        .head
        .series
        .iter()
        .map(|head| (head.series.as_str(), head.number))
        .chain(rows.iter().map(|row| (row.facts.series.as_str(), row.facts.series_number)))
        .collect();
    let mut chosen: BTreeSet<String> = images.iter().map(|uid| uid.trim().to_owned()).collect();
    let mut in_series: BTreeSet<String> = BTreeSet::new();
    for name in series.iter().map(|name| name.trim()) {
        let numbered = name.parse::<i32>().ok();
        let is_named =
            |uid: &str| uid == name || (numbered.is_some() && numbers.get(uid).copied().flatten() == numbered);
        let named: Vec<&str> = numbers.keys().copied().filter(|uid| is_named(uid)).collect();
        let [uid] = named[..] else { return Err(unclear(study, name, &named, &numbers)) };
        let waiting = rows.iter().filter(|row| row.facts.series == uid && row.kept_out.is_none() && !row.is_in());
        let inside = held.get(uid).into_iter().flatten();
        let entries = waiting.map(|row| &row.entry).chain(inside).filter(|entry| entry.frames > 0);
        let named: Vec<String> = entries.map(|entry| entry.sop_instance.clone()).collect();
        in_series.extend(named.iter().filter(|uid| !chosen.contains(*uid)).cloned());
        chosen.extend(named);
    }
    if chosen.is_empty() {
        return Err(Failure::new(FailureCode::WrongUse, "No image that can be masked was named.").hint(
            "Name images by SOP Instance UID, or series by UID or number; `overread study show STUDY` lists them.",
        ));
    }
    // Who masks a series does not look at each of its images: what was covered on one of them stays covered.
    let before = |uid: &String| {
        let row = rows.iter().find(|row| row.entry.sop_instance == *uid).filter(|_| in_series.contains(uid));
        row.map_or(&[][..], LeftOutRow::mask)
    };
    let mask = |sop_instance_uid: String| {
        let mut all = before(&sop_instance_uid).to_vec();
        all.extend(rectangles.iter().filter(|rectangle| !before(&sop_instance_uid).contains(rectangle)));
        ImageMask { sop_instance_uid, rectangles: all }
    };
    Ok(chosen.into_iter().map(mask).collect())
}

fn unclear(study: &LocalStudy, name: &str, named: &[&str], all: &BTreeMap<&str, Option<i32>>) -> Failure {
    let candidates = |uids: Vec<&str>| uids.into_iter().map(|uid| shown(uid).into_owned()).collect();
    match named.len() {
        0 => Failure::new(FailureCode::NotFound, format!("There is no series {} in {}.", shown(name), study.id))
            .hint("Name a series by its UID or number; `overread study show STUDY` lists them.")
            .detail("candidates", candidates(all.keys().copied().collect())),
        several => Failure::new(FailureCode::Ambiguous, format!("{several} series have the number {}.", shown(name)))
            .hint("Name the series by its UID.")
            .detail("candidates", candidates(named.to_vec())),
    }
}

/// Whether each of these images is one of the study, has pixels, and was given to nobody.
pub(super) fn may_be_masked(
    study: &LocalStudy,
    rows: &[LeftOutRow],
    held: &BTreeMap<String, Vec<InstanceEntry>>,
    masks: &[ImageMask],
    given: &BTreeSet<String>,
) -> Result<(), Failure> {
    let known = rows.iter().map(|row| &row.entry).chain(held.values().flatten());
    let known: BTreeMap<&str, &InstanceEntry> = known.map(|entry| (entry.sop_instance.as_str(), entry)).collect();
    for mask in masks {
        let uid = mask.sop_instance_uid.as_str();
        let Some(entry) = known.get(uid) else {
            return Err(Failure::new(
                FailureCode::NotFound,
                format!("There is no image {} in {}.", shown(uid), study.id),
            )
            .hint("Nothing was changed. `overread study review STUDY -o DIR` and `overread study show` name them."));
        };
        if entry.frames == 0 {
            return Err(Failure::new(FailureCode::WrongUse, format!("{} has no pixels to mask.", shown(uid)))
                .hint("Nothing was changed. Name images only."));
        }
        if given.contains(uid) {
            let what = format!("The image {} stands in a case: its members have it as it is.", shown(uid));
            return Err(Failure::new(FailureCode::Unsafe, what).hint(
                "Nothing was masked. Withdraw the study from the case (`case study withdraw`), which deletes it at the \
                 members; then remove it here (`study rm`), import it again, and mask it before it is shared.",
            ));
        }
    }
    Ok(())
}
