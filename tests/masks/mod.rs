//! Masks over burned-in text, as others get them: what was under a rectangle reaches nobody.

use std::collections::BTreeSet;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use overread::encoding::id::ChunkId;
use overread::node::api::{FailureCode, Rectangle, Reply, Request};
use overread::study::part10;
use tempfile::TempDir;

use crate::support::search::{Search, Secret};
use crate::support::study::Study;
use crate::support::{Person, pair};

mod judged;

/// Rows and columns of the images.
const SIDE: u16 = 64;

const OVER: Rectangle = Rectangle { column: 8, row: 10, columns: 40, rows: 6 };

/// The stored bytes under the rectangle, row by row.
fn under(pixels: &[u8]) -> Vec<Vec<u8>> {
    let row = |row: u32| {
        let start = 2 * (row * u32::from(SIDE) + OVER.column) as usize;
        pixels[start..start + 2 * OVER.columns as usize].to_vec()
    };
    (OVER.row..OVER.row + OVER.rows).map(row).collect()
}

fn chunks(person: &Person) -> BTreeSet<ChunkId> {
    let store = person.store();
    let groups = store.groups().unwrap();
    groups.into_iter().flat_map(|(group, _)| store.group_chunks(group).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_a_mask_reaches_nobody_and_what_was_given_away_is_not_masked_any_more() {
    let folder = TempDir::new().unwrap();
    let mut sender = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let mut reader = Person::new("Dr. Ben Okafor", "University Clinic").await;
    pair(&sender, &reader).await;
    let made = Study::new(41, 3, SIDE).with(tags::BURNED_IN_ANNOTATION, VR::CS, "YES");
    made.write(&folder.path().join("files"));
    let study = sender.import(folder.path().join("files")).await;
    let mask = |series: &str, rectangles: Vec<Rectangle>| Request::StudyMask {
        study: study.clone(),
        images: Vec::new(),
        series: vec![series.to_owned()],
        rectangles,
    };
    let left_out = || sender.json(Request::StudyLeftOut { study: study.clone(), all: false });
    let waiting = left_out().await;
    let series = waiting["images"][0]["series_instance_uid"].as_str().unwrap().to_owned();
    let beside = Rectangle { column: u32::from(SIDE), ..OVER };
    assert_eq!(sender.ask(mask(&series, vec![beside])).await.unwrap_err().code, FailureCode::WrongUse);
    assert_eq!(sender.json(mask(&series, vec![OVER])).await["images"].as_array().unwrap().len(), 3);
    let masked = left_out().await;
    for (before, after) in waiting["images"].as_array().unwrap().iter().zip(masked["images"].as_array().unwrap()) {
        assert_eq!((&after["state"], &after["mask"][0]["columns"]), (&"admitted".into(), &40.into()));
        assert_eq!(
            (&after["looked"]["who"], &after["looked"]["plain_hash"]),
            (&"Dr. Anna Weiss".into(), &before["plain_hash"])
        );
    }
    assert_eq!(sender.import(folder.path().join("files")).await, study);
    assert_eq!(left_out().await, masked, "an import of the same files undoes no mask");
    let shown = sender.json(Request::StudyShow { study: study.clone(), identity: false }).await;
    assert_eq!((&shown["instances"], shown["masked"].as_array().unwrap().len()), (&3.into(), 3));

    let case = sender.founds("Is it a stone?", &[&study], &["Okafor"]).await;
    reader.accepts(&case).await;
    let fetch = Request::Fetch { case: case.clone(), series: Vec::new(), key_images: false };
    assert_eq!(reader.begin(fetch, 30).await.end().await.unwrap().document()["complete"], true);
    let secrets: Vec<Secret> = (0..3)
        .flat_map(|slice| under(&made.pixels(slice)))
        .map(|row| Secret::bytes("pixels under a mask", &row))
        .collect();
    let search = Search::new(&secrets);
    assert!(!search.files(&folder.path().join("files")).is_empty(), "the search finds what is there");
    for (person, name) in [(&sender, "sender"), (&reader, "reader")] {
        let directory = folder.path().join(name);
        person.json(Request::StudyExport { study: study.clone(), directory: directory.clone() }).await;
        assert!(search.files(&directory).is_empty(), "{name} exported what was under a mask");
    }
    for image in masked["images"].as_array().unwrap() {
        let uid = image["sop_instance_uid"].as_str().unwrap().to_owned();
        let file = Request::StudyFile { study: study.clone(), sop_instance_uid: uid };
        let Reply::File(file) = reader.ask(file).await.unwrap() else { panic!("no file") };
        let pixels = part10::read(&file.bytes).unwrap().pixel.unwrap().bytes.into_owned();
        assert!(under(&pixels).concat().iter().all(|byte| *byte == 0));
    }
    let path = folder.path().join("case.bundle");
    let pack =
        Request::BundlePack { recipients: vec!["Okafor".into()], cases: vec![case.clone()], key_images: false, path };
    let packed = sender.json(pack).await;

    let given = left_out().await;
    assert_eq!(given["images"][0]["given"], true);
    let refused = sender.ask(mask(&series, vec![OVER])).await.unwrap_err();
    assert_eq!(refused.code, FailureCode::Unsafe, "{refused}");
    let withdraw = Request::CaseStudyWithdraw {
        case: case.clone(),
        study: study.clone(),
        reason: Some("burned-in text".into()),
        text_checked: true,
    };
    sender.json(withdraw).await;
    assert_eq!(sender.ask(mask(&series, vec![OVER])).await.unwrap_err().code, FailureCode::Unsafe);
    sender.json(Request::CasePurge { case }).await;
    assert_eq!(left_out().await["images"][0]["given"], true, "the reader has them still");
    assert_eq!(sender.ask(mask(&series, vec![OVER])).await.unwrap_err().code, FailureCode::Unsafe);

    sender.stop().await;
    reader.stop().await;
    let (here, there) = (chunks(&sender), chunks(&reader));
    assert!(there.is_subset(&here));
    // Every original is kept, and packed into nothing.
    assert!(here.len() as u64 >= packed["chunks"].as_u64().unwrap() + 3, "{packed}, {}", here.len());
}
