//! One flipped bit: named, refused, and harmless to everything beside it.
//!
//! Homes made by real nodes are damaged on disk. Each time the program says what is wrong, takes and opens nothing of
//! it, and goes on with what is whole.

use std::fs;

use overread::case::entry::SignedEntry;
use overread::encoding::id::base32;
use overread::node::api::{Failure, FailureCode, Request};
use overread::store::Batch;

use crate::support::{Person, case_id, pair, said, stored_entry};

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
