//! One flipped bit: named, refused, and harmless to everything beside it.
//!
//! Homes made by real nodes are damaged on disk, and a member's device hands a node what was changed on the way. Each
//! time the program says what is wrong, takes and opens nothing of it, and goes on with what is whole.

use std::fs;
use std::path::{Path, PathBuf};

use overread::case::entry::SignedEntry;
use overread::encoding::id::{ChunkId, base32};
use overread::identity::card::Card;
use overread::identity::vault::{Vault, VaultError};
use overread::node::api::{Failure, FailureCode, PixelValues, Request};
use overread::node::library;
use overread::store::Batch;
use overread::sync::message::{Chunk, Entries, List, Message};

use crate::support::tap::Tap;
use crate::support::{PASSPHRASE, Person, case_id, pair, said, stored_entry, write_ct};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_with_one_flipped_bit_is_named_as_damaged_and_opens_nothing() {
    let mut anna = Person::new("Dr. Anna Weiss", "City Hospital").await;
    anna.stop().await;
    let path = anna.home().join("vault");
    let file = fs::read(&path).unwrap();
    for position in 0..file.len() {
        let error = Vault::open(&flipped(&file, position), &PASSPHRASE.into()).err();
        assert!(matches!(error, Some(VaultError::NoVault | VaultError::Damaged)), "byte {position}: {error:?}");
    }
    for position in [0, file.len() / 3, file.len() / 2, file.len() - 1] {
        fs::write(&path, flipped(&file, position)).unwrap();
        anna.start_locked();
        let failure = fails(&anna, Request::CardShow { who: None }).await;
        assert_eq!((failure.code, failure.code.exit_code()), (FailureCode::Damaged, 1), "byte {position}: {failure}");
        assert!(failure.what.starts_with("The vault cannot be opened: "), "byte {position}: {failure}");
        assert!(failure.hint.is_some_and(|hint| hint.contains("vault recover")));
        anna.stop().await;
    }
    fs::write(&path, &file).unwrap();
    anna.start().await;
    assert_eq!(anna.json(Request::CardShow { who: None }).await["name"], "Dr. Anna Weiss");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_with_one_flipped_bit_is_refused_by_its_name_or_says_the_very_same() {
    let anna = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let ben = Person::new("Dr. Ben Okafor", "University Clinic").await;
    let text = fs::read(ben.card_file().await).unwrap();
    let card = ben.card().await;
    // Lines above the first dashes are for people, and nothing is read of them.
    let begin = text.windows(5).position(|five| five == b"-----").unwrap();
    let mut same = 0;
    for position in begin..text.len() {
        let altered = flipped(&text, position);
        let Ok(altered) = String::from_utf8(altered) else { continue };
        match Card::from_text(&altered) {
            Ok(read) => {
                assert_eq!(read, card, "byte {position}");
                same += 1;
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    assert!(same < 100, "only a line's end may change without a loss: {same}");

    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("okafor.card");
    let positions = (begin..text.len()).step_by(97).chain([begin, text.len() - 3]);
    let wrong: Vec<usize> = positions.filter(|position| !text[*position].is_ascii_whitespace()).collect();
    for position in wrong {
        fs::write(&path, flipped(&text, position)).unwrap();
        let failure = fails(&anna, Request::CardAdd { paths: vec![path.clone()], at: Vec::new() }).await;
        assert_eq!((failure.code, failure.code.exit_code()), (FailureCode::Untrusted, 5), "byte {position}: {failure}");
        assert!(failure.what.contains("okafor.card is no usable card"), "byte {position}: {failure}");
    }
    // In a folder of cards the bad one is named and the others are taken.
    fs::copy(ben.card_file().await, folder.path().join("whole.card")).unwrap();
    let added = anna.json(Request::CardAdd { paths: vec![folder.path().to_owned()], at: Vec::new() }).await;
    assert_eq!(added["added"][0]["name"], "Dr. Ben Okafor", "{added}");
    assert!(added["refused"][0]["path"].as_str().unwrap().ends_with("okafor.card"), "{added}");
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
        let say =
            Request::Say { case: case.clone(), text: "three".into(), view: None, reply_to: None, text_checked: true };
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

#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_hands_on_changed_replayed_or_foreign_entries_changes_nothing() {
    let anna = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let mut ben = Person::new("Dr. Ben Okafor", "University Clinic").await;
    pair(&anna, &ben).await;
    let case = anna.founds("Metastasis or cyst?", &[], &["Okafor"]).await;
    let other = anna.founds("Something else?", &[], &["Okafor"]).await;
    anna.say(&other, "in the other case").await;
    ben.hears(&other, "in the other case").await;
    ben.say(&case, "delivered").await;
    anna.hears(&case, "delivered").await;
    ben.stop().await;
    let (mut following, _) = anna.follow().await;
    let id = case_id(&case);
    let all = |case: &str| -> Vec<Vec<u8>> {
        ben.store().entries(case_id(case)).unwrap().into_iter().map(|entry| entry.bytes).collect()
    };
    let (mine, foreign) = (all(&case), all(&other));
    let before = anna.shown(&case).await;
    let hand = async |entries: Vec<Vec<u8>>| {
        let mut tap = Tap::of(&ben, &anna).await;
        tap.shares(id).await;
        let entries = List(entries.into_iter().map(Into::into).collect());
        tap.say(Message::Entries(Entries { case: id, entries })).await;
        tap
    };
    let last = mine.last().unwrap();
    for position in (0..last.len()).step_by(last.len() / 5) {
        let tap = hand(vec![flipped(last, position)]).await;
        following.happens("refused: it sent an entry that does not hold").await;
        tap.end().await;
    }
    for entry in [&foreign[0], foreign.last().unwrap()] {
        let tap = hand(vec![entry.clone()]).await;
        following.happens("refused: it sent an entry that does not hold").await;
        tap.end().await;
    }
    // What is whole and known may come as often as it likes.
    let mut tap = hand([mine.clone(), mine.clone()].concat()).await;
    tap.hears(|message| matches!(message, Message::Ack(ack) if ack.case == id && ack.taken > 0).then_some(())).await;
    tap.end().await;
    let after = anna.shown(&case).await;
    assert_eq!((&before["state_hash"], &before["entries"]), (&after["state_hash"], &after["entries"]));
    assert_eq!(verify(&anna, "all").await, (true, Vec::new()));
    ben.start().await;
    ben.say(&case, "goes on").await;
    anna.hears(&case, "goes on").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_changed_on_the_way_is_refused_and_comes_from_who_has_it_whole() {
    let mut anna = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let ben = Person::new("Dr. Ben Okafor", "University Clinic").await;
    let mut carl = Person::new("Dr. Carl Lund", "Lake Clinic").await;
    pair(&anna, &ben).await;
    pair(&anna, &carl).await;
    let study = imported(&anna, 1).await;
    let case = anna.founds("Metastasis or cyst?", &[&study], &["Okafor", "Lund"]).await;
    let fetch = Request::Fetch { case: case.clone(), series: Vec::new(), key_images: false };
    assert_eq!(carl.json_within(fetch.clone(), 30).await["complete"], true);
    carl.stop().await;
    anna.stop().await;

    // Anna's device, with a page of the manifest that is not what its name says.
    ben.accepts(&case).await;
    let (mut following, _) = ben.follow().await;
    let mut tap = Tap::of(&anna, &ben).await;
    tap.shares(case_id(&case)).await;
    let asked = tap
        .hears(|message| match message {
            Message::ChunkRequest(request) => request.ids.0.first().copied(),
            _ => None,
        })
        .await;
    let bytes = flipped(&anna.store().read_chunk(asked).unwrap().unwrap(), 100);
    tap.say(Message::Chunk(Chunk { case: case_id(&case), id: asked, bytes: bytes.into() })).await;
    following.happens("refused: it sent a chunk whose bytes do not match the name").await;
    assert_eq!(ben.shown(&case).await["studies"][0]["chunks_have"], 0);
    tap.end().await;

    carl.start().await;
    assert_eq!(ben.json_within(fetch, 30).await["complete"], true);
    assert_eq!(verify(&ben, &case).await, (true, Vec::new()));
}
