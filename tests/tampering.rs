//! One flipped bit: named, refused, and harmless to everything beside it.
//!
//! Homes made by real nodes are damaged on disk. Each time the program says what is wrong, takes and opens nothing of
//! it, and goes on with what is whole.

use std::fs;
use std::path::{Path, PathBuf};

use overread::case::entry::SignedEntry;
use overread::encoding::id::{ChunkId, base32};
use overread::node::api::{Failure, FailureCode, PixelValues, Request};
use overread::node::library;
use overread::store::Batch;

use crate::support::{Person, case_id, pair, said, stored_entry, write_ct};

fn flipped(bytes: &[u8], position: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[position] ^= 1 << (position % 8);
    flipped
}

async fn fails(person: &Person, request: Request) -> Failure {
    let what = format!("{request:?}");
    person.ask(request).await.expect_err(&what)
}

async fn verify(person: &Person, what: &str) -> (bool, Vec<String>) {
    let report = person.json(Request::Verify { what: what.into() }).await;
    let problems = report["problems"].as_array().unwrap().iter();
    (report["ok"] == true, problems.map(|problem| problem.as_str().unwrap().to_owned()).collect())
}

/// Imports some slices of the synthetic CT.
async fn imported(person: &Person, slices: u32) -> String {
    let folder = tempfile::TempDir::new().unwrap();
    person.import(write_ct(folder.path(), 7, slices)).await
}

/// A chunk's record in a segment file: magic, name, length, sealed bytes (store/segment.rs).
struct Record {
    path: PathBuf,
    offset: usize,
    id: ChunkId,
    bytes: usize,
}

const HEADER_BYTES: usize = 40;

/// All records of a home's segments.
fn records(home: &Path) -> Vec<Record> {
    let mut records = Vec::new();
    for group in fs::read_dir(home.join("chunks")).unwrap() {
        for segment in fs::read_dir(group.unwrap().path()).unwrap() {
            let path = segment.unwrap().path();
            let file = fs::read(&path).unwrap();
            let mut offset = 0;
            while offset < file.len() {
                let header = &file[offset..offset + HEADER_BYTES];
                assert_eq!(&header[..4], b"OCK1");
                let bytes = u32::from_le_bytes(header[36..].try_into().unwrap()) as usize;
                let id = ChunkId(header[4..36].try_into().unwrap());
                records.push(Record { path: path.clone(), offset, id, bytes });
                offset += HEADER_BYTES + bytes;
            }
        }
    }
    records
}

impl Record {
    /// Flips the bit of a place counted from the record's beginning; twice is as if never.
    fn flip(&self, place: usize) {
        let file = fs::read(&self.path).unwrap();
        fs::write(&self.path, flipped(&file, self.offset + place)).unwrap();
    }

    /// Places in every part of the record.
    fn places(&self) -> impl Iterator<Item = usize> {
        let sealed = (0..4).map(|quarter| HEADER_BYTES + quarter * (self.bytes / 4));
        [0, 3, 4, 35, 36, 37, 38, 39].into_iter().chain(sealed).chain([HEADER_BYTES + self.bytes - 1])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_with_one_flipped_bit_is_named_and_neither_opened_nor_given_on() {
    let mut anna = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let mut ben = Person::new("Dr. Ben Okafor", "University Clinic").await;
    pair(&anna, &ben).await;
    let study = imported(&anna, 2).await;
    let case = anna.founds("Metastasis or cyst?", &[&study], &["Okafor"]).await;
    let detail = anna.json(Request::StudyShow { study: study.clone(), identity: false }).await;
    let uids: Vec<String> = serde_json::from_value(detail["series_list"][0]["sop_instance_uids"].clone()).unwrap();
    anna.stop().await;
    let pages: Vec<ChunkId> = {
        let studies = library::load_all(&anna.store()).unwrap();
        studies[0].head.series.iter().flat_map(library::page_chunks).collect()
    };
    let (pages, images): (Vec<_>, Vec<_>) =
        records(&anna.home()).into_iter().partition(|record| pages.contains(&record.id));
    assert_eq!((pages.len(), images.len()), (1, 2));
    anna.start().await;
    assert_eq!(verify(&anna, "all").await, (true, Vec::new()));

    for record in images.iter().chain(&pages) {
        for place in record.places() {
            record.flip(place);
            let (ok, problems) = verify(&anna, "all").await;
            let name = &base32(&record.id.0)[..8];
            assert!(!ok && problems.len() == 1 && problems[0].contains(name), "{place} of {name}: {problems:?}");
            record.flip(place);
        }
    }
    // A damaged image: the case names it, it does not open, its neighbour does.
    images[0].flip(HEADER_BYTES + 9);
    let (ok, problems) = verify(&anna, &case).await;
    let damaged: Vec<&String> = uids.iter().filter(|uid| problems.iter().any(|p| p.contains(*uid))).collect();
    assert!(!ok && problems.len() == 1 && damaged.len() == 1, "{problems:?}");
    for uid in &uids {
        let image = Request::StudyImage {
            study: study.clone(),
            sop_instance_uid: uid.clone(),
            frame: 1,
            values: PixelValues::Stored,
            window: None,
        };
        if uid == damaged[0] {
            let failure = fails(&anna, image).await;
            assert_eq!(failure.code, FailureCode::Damaged, "{failure}");
        } else {
            assert_eq!(anna.json(image).await["rows"], 512);
        }
    }
    let export = Request::StudyExport { study: study.clone(), directory: anna.home().join("exported") };
    assert_eq!(fails(&anna, export).await.code, FailureCode::Damaged);
    // A colleague gets all but that one.
    ben.accepts(&case).await;
    ben.until(Request::CaseShow { case: case.clone() }, |shown| shown["studies"][0]["chunks_have"] == 2).await;
    let fetch = Request::Fetch { case: case.clone(), series: Vec::new(), key_images: false };
    assert_eq!(ben.begin(fetch.clone(), 1).await.end().await.unwrap_err().code, FailureCode::NotReached);
    assert_eq!(verify(&ben, "all").await, (true, Vec::new()));
    // She is not asked again for what she said is not there; a new session asks anew.
    images[0].flip(HEADER_BYTES + 9);
    ben.stop().await;
    ben.start().await;
    assert_eq!(ben.json_within(fetch.clone(), 30).await["complete"], true);

    // A damaged page of the manifest: the case says so too, though nothing of its images can be named.
    pages[0].flip(HEADER_BYTES + 9);
    let (ok, problems) = verify(&anna, &case).await;
    assert!(!ok && problems.len() == 1 && problems[0].contains("manifest page 1"), "{problems:?}");
    // Who holds a damaged image or page gets it again from who has it whole.
    images[0].flip(HEADER_BYTES + 9);
    assert_eq!(anna.json_within(fetch, 30).await["complete"], true);
    assert_eq!(verify(&anna, &case).await, (true, Vec::new()));
    assert_eq!(verify(&anna, "all").await, (true, Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_entry_with_one_flipped_bit_is_named_and_shuts_no_other_case() {
    let mut anna = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let ben = Person::new("Dr. Ben Okafor", "University Clinic").await;
    pair(&anna, &ben).await;
    let case = anna.founds("Metastasis or cyst?", &[], &["Okafor"]).await;
    let other = anna.founds("Something else?", &[], &[]).await;
    for text in ["one", "two"] {
        anna.say(&case, text).await;
        ben.hears(&case, text).await;
    }
    anna.stop().await;
    let id = case_id(&case);
    let entries = anna.store().entries(id).unwrap();
    for entry in &entries {
        for position in 0..entry.bytes.len() {
            assert!(SignedEntry::read(&flipped(&entry.bytes, position)).is_err(), "byte {position}");
        }
    }
    let message = &entries[entries.len() - 2];
    let name = &base32(&message.id.0)[..8];
    // Changed as a program would that means it, and as a disk does that fails.
    let rewritten = |anna: &Person| {
        let mut batch = Batch::new();
        batch.delete_case(id);
        for entry in &entries {
            let mut stored = stored_entry(id, entry.bytes.clone());
            if entry.id == message.id {
                stored.bytes = flipped(&entry.bytes, entry.bytes.len() / 2);
            }
            batch.put_entry(stored);
        }
        anna.store().commit(batch).unwrap();
    };
    let rotten = |anna: &Person| {
        let path = anna.home().join("overread.redb");
        let mut file = fs::read(&path).unwrap();
        let tail = &flipped(&message.bytes, message.bytes.len() / 2)[message.bytes.len() / 2 + 1..];
        let places = file.windows(tail.len()).enumerate().filter(|(_, at)| *at == tail).map(|(place, _)| place);
        places.collect::<Vec<_>>().into_iter().for_each(|place| file[place] ^= 1);
        fs::write(path, file).unwrap();
    };
    for (how, damage) in [("rewritten", &rewritten as &dyn Fn(&Person)), ("rotten", &rotten)] {
        damage(&anna);
        anna.start().await;
        for what in ["all", &case] {
            let (ok, problems) = verify(&anna, what).await;
            assert!(!ok && problems.iter().any(|problem| problem.contains(name)), "{how} {what}: {problems:?}");
        }
        let doctor = anna.json(Request::Doctor).await;
        let disk = doctor["checks"].as_array().unwrap().iter().find(|check| check["name"] == "disk").unwrap();
        assert_eq!(disk["ok"], false, "{disk}");
        // Nothing is shown of it or written upon it; it is listed as what it is, and the other case goes on.
        let say = Request::Say { case: case.clone(), text: "three".into(), text_checked: true };
        for request in [Request::CaseShow { case: case.clone() }, say] {
            assert_eq!(fails(&anna, request).await.code, FailureCode::Damaged);
        }
        let listed = anna.json(Request::CaseList).await;
        let status = |id: &str| {
            let mut cases = listed["cases"].as_array().unwrap().iter();
            cases.find(|case| case["id"] == id).map(|case| case["status"].clone())
        };
        assert_eq!((status(&case), status(&other)), (Some("damaged".into()), Some("open".into())));
        anna.say(&other, "goes on").await;
        anna.stop().await;
    }
    // What the message advises helps: delete what is here, and a colleague's node sends it again.
    anna.start().await;
    anna.json(Request::CasePurge { case: case.clone() }).await;
    anna.stop().await;
    anna.start().await;
    anna.until(Request::CaseList, |listed| listed["cases"].as_array().unwrap().len() == 2).await;
    anna.hears(&case, "two").await;
    anna.accepts(&case).await;
    anna.say(&case, "three").await;
    let there = ben.hears(&case, "three").await;
    assert_eq!((said(&there), there["forks"].as_array().unwrap().len()), (vec!["one", "two", "three"], 0));
    assert_eq!(said(&anna.shown(&other).await), ["goes on", "goes on"]);
    assert_eq!(verify(&anna, "all").await, (true, Vec::new()));
}
