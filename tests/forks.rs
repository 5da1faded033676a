//! One device with two histories: shown with proof on both sides, and nothing is unsaid.

use overread::encoding::id::EntryId;
use overread::node::api::{FailureCode, Request};
use overread::sync::frontier::{DeviceHeads, Head};
use overread::sync::message::{CaseDigest, Heads, List, Message};
use serde_json::Value;

use crate::support::tap::Tap;
use crate::support::{Person, case_id, pair, said};

/// The home is copied; the original says some things that Anna hears, then the copy some that nobody hears, and then
/// Anna and the copy meet.
async fn fork(original: &[&str], of_the_copy: &[&str]) {
    let mut anna = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let mut ben = Person::new("Dr. Ben Okafor", "University Clinic").await;
    pair(&anna, &ben).await;
    let case = anna.founds("Metastasis or cyst?", &[], &["Okafor"]).await;
    ben.accepts(&case).await;
    ben.say(&case, "before the copy").await;
    anna.hears(&case, "before the copy").await;
    ben.stop().await;
    let mut copy = ben.copied();

    ben.start().await;
    for text in original {
        ben.say(&case, text).await;
        anna.hears(&case, text).await;
    }
    ben.stop().await;
    anna.stop().await;
    // The copy knows nothing of it, and nobody is there to tell it.
    copy.start().await;
    for text in of_the_copy {
        copy.say(&case, text).await;
    }
    anna.start().await;

    let texts: Vec<&str> = ["before the copy"].iter().chain(original).chain(of_the_copy).copied().collect();
    let all = |shown: &Value| texts.iter().all(|text| said(shown).contains(text));
    let show = || Request::CaseShow { case: case.clone() };
    let (here, there) = (anna.until(show(), all).await, copy.until(show(), all).await);
    for shown in [&here, &there] {
        assert_eq!(said(shown).len(), texts.len(), "{shown}");
        assert_eq!(shown["forks"].as_array().unwrap().len(), 1, "{shown}");
        assert_eq!(shown["forks"][0]["person"], "Dr. Ben Okafor");
    }
    assert_eq!(here["forks"], there["forks"]);
    assert!(here["state_hash"].is_string());
    assert_eq!(here["state_hash"], there["state_hash"]);
    // The proof is two entries of one place in his log, there to be looked at.
    let log = anna.json(Request::CaseLog { case }).await;
    let proof = here["forks"][0]["entries"].as_array().unwrap();
    let logged = log["entries"].as_array().unwrap().iter().filter(|entry| proof.contains(&entry["id"]));
    let places: Vec<&Value> = logged.map(|entry| &entry["sequence"]).collect();
    assert!(places.len() == 2 && places[0] == places[1], "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_histories_of_one_device_are_shown_with_proof_on_both_sides() {
    fork(&["Malignant."], &["Benign, as I always said."]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longer_history_of_a_copy_unsays_nothing_of_the_original() {
    fork(&["Malignant."], &["Benign.", "As I always said.", "Always."]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longer_history_of_the_original_hides_nothing_of_a_copy() {
    fork(&["Malignant.", "Surely.", "Quite surely."], &["Benign."]).await;
}

/// Carl hears the longer history first and Anna the shorter: neither keeps back or drops what the other lacks.
#[tokio::test(flavor = "multi_thread")]
async fn members_who_heard_two_histories_in_another_order_end_with_the_same_case() {
    let mut anna = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let mut ben = Person::new("Dr. Ben Okafor", "University Clinic").await;
    let mut carl = Person::new("Dr. Carl Lund", "Lake Clinic").await;
    pair(&anna, &ben).await;
    pair(&anna, &carl).await;
    let case = anna.founds("Metastasis or cyst?", &[], &["Okafor", "Lund"]).await;
    for person in [&ben, &carl] {
        person.accepts(&case).await;
    }
    ben.say(&case, "before the copy").await;
    anna.hears(&case, "before the copy").await;
    carl.hears(&case, "before the copy").await;
    carl.stop().await;
    ben.stop().await;
    let mut copy = ben.copied();
    ben.start().await;
    ben.say(&case, "Malignant.").await;
    anna.hears(&case, "Malignant.").await;
    ben.stop().await;
    anna.stop().await;
    copy.start().await;
    carl.start().await;
    let of_the_copy = ["Benign.", "As I always said.", "Always."];
    for text in of_the_copy {
        copy.say(&case, text).await;
        carl.hears(&case, text).await;
    }
    copy.stop().await;

    anna.start().await;
    let all = |shown: &Value| {
        ["before the copy", "Malignant."].iter().chain(&of_the_copy).all(|text| said(shown).contains(text))
    };
    let show = || Request::CaseShow { case: case.clone() };
    let (here, there) = (anna.until(show(), all).await, carl.until(show(), all).await);
    assert_eq!(here["forks"].as_array().unwrap().len(), 1);
    assert!(here["state_hash"].is_string());
    assert_eq!(here["state_hash"], there["state_hash"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_while_a_colleague_holds_later_entries_of_this_very_device() {
    let anna = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let mut ben = Person::new("Dr. Ben Okafor", "University Clinic").await;
    pair(&anna, &ben).await;
    let case = anna.founds("Metastasis or cyst?", &[], &["Okafor"]).await;
    ben.accepts(&case).await;
    ben.stop().await;
    let device = anna.card().await.devices()[0].device();
    let (mut following, _) = anna.follow().await;
    // In place of Ben's device: it has something else, and of Anna's own log more than she does.
    let mut tap = Tap::of(&ben, &anna).await;
    let case_id = case_id(&case);
    let digest = overread::encoding::id::Bytes([7; 32]);
    tap.say(Message::Digests(List(vec![CaseDigest { case: case_id, digest, answer: true }]))).await;
    let items = tap
        .hears(|message| match message {
            Message::Sketch(sketch) if sketch.case == case_id => Some(sketch.items.0.len()),
            _ => None,
        })
        .await;
    let heads = List(vec![Head { sequence: 99, id: EntryId([9; 32]) }]);
    let matched = vec![0; items.div_ceil(8)].into();
    let heads = List(vec![DeviceHeads { device, heads }]);
    tap.say(Message::Heads(Heads { case: case_id, matched, heads })).await;
    following.happens("a colleague holds entries of this device").await;
    for request in [
        Request::Say {
            case: case.clone(),
            text: "upon half a history".into(),
            view: None,
            reply_to: None,
            text_checked: false,
        },
        Request::CaseMemberRemove { case: case.clone(), who: "Okafor".into() },
    ] {
        let refused = anna.ask(request).await.unwrap_err();
        assert_eq!(refused.code, FailureCode::NotReached, "{refused}");
        assert!(refused.hint.is_some());
    }
    assert_eq!(said(&anna.shown(&case).await), Vec::<&str>::new());

    // What nobody proves stands in the way of nothing once its teller is gone.
    tap.end().await;
    following.happens("disconnected").await;
    anna.say(&case, "upon all of it").await;
    assert_eq!(said(&anna.shown(&case).await), ["upon all of it"]);
}
