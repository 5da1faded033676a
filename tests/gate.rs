//! Whom a node speaks to, and of what: strangers, the blocked, fellow members, the removed.
//!
//! Two kinds of witness. Real nodes show what people see; and where "nothing came" must mean more than "not yet", the
//! test itself takes a device's place on the network, asks, and waits until the node has said that it refused.

use overread::encoding::id::{Bytes, CaseId, ChunkId};
use overread::encoding::random;
use overread::identity::keys::SigningSecret;
use overread::node::api::{CaseNew, Request};
use overread::store::Batch;
use overread::sync::message::{CaseDigest, ChunkRequest, Class, List, Message, Sketch};
use serde_json::Value;

use crate::support::tap::{Tap, answer_to};
use crate::support::{Person, case_id, pair, said, stored_entry};

async fn cases(person: &Person) -> Vec<String> {
    let listed = person.json(Request::CaseList).await;
    listed["cases"].as_array().unwrap().iter().map(|case| case["id"].as_str().unwrap().to_owned()).collect()
}

/// Anna, Ben and Carl, who all know each other, in a case that Anna founded.
async fn three_in_a_case() -> (Person, Person, Person, String) {
    let anna = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let ben = Person::new("Dr. Ben Okafor", "University Clinic").await;
    let carl = Person::new("Dr. Carl Lund", "Lake Clinic").await;
    pair(&anna, &ben).await;
    pair(&anna, &carl).await;
    pair(&ben, &carl).await;
    let case = anna.founds("Metastasis or cyst?", &[], &["Okafor", "Lund"]).await;
    ben.accepts(&case).await;
    carl.accepts(&case).await;
    (anna, ben, carl, case)
}

/// Asks a node for a case in every way there is, and waits until it has refused.
async fn ask_in_vain(tap: &mut Tap, node: &Person, case: CaseId) {
    let (mut following, _) = node.follow().await;
    let digest = CaseDigest { case, digest: Bytes([0; 32]), answer: true };
    tap.say(Message::Digests(List(vec![digest]))).await;
    tap.say(Message::Sketch(Sketch { case, digest: Bytes([0; 32]), items: List(Vec::new()) })).await;
    following.happens("refused: it spoke of a case it does not share").await;
    let ids = List(vec![ChunkId([7; 32])]);
    tap.say(Message::ChunkRequest(ChunkRequest { case, class: Class::Screen, ids })).await;
    following.happens("refused: it spoke of a case it does not share").await;
    assert_eq!(tap.heard_of(case).await, Vec::<&Message>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_no_answer_and_her_case_never_arrives() {
    let anna = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let mut zoe = Person::new("Dr. Zoe Unknown", "Nowhere").await;
    let (_, at) = anna.follow().await;
    // A program of somebody else's making proves a key nobody knows and asks.
    assert_eq!(answer_to(&SigningSecret::random(&mut random::system()), &at).await, None);

    // Zoe holds Anna's card and knows where she is; Anna does not hold hers.
    zoe.json(Request::CardAdd { paths: vec![anna.card_file().await], at: vec![at.to_string()] }).await;
    let new = CaseNew {
        ask: "Do you see me?".into(),
        invite: vec!["Weiss".into()],
        to_unverified: true,
        ..Default::default()
    };
    let created = zoe.json_within(Request::CaseNew(new), 3).await;
    assert_eq!(created["delivery"][0]["state"], "not sent", "{created}");
    assert_eq!(zoe.json_within(Request::Sync, 0).await["peers"][0]["connected"], false);
    assert_eq!(cases(&anna).await, Vec::<String>::new());
    let card = zoe.card_file().await;
    zoe.stop().await;
    let transport = zoe.transport();
    assert_eq!(answer_to(&transport, &at).await, None);

    // Nothing but the card was missing.
    anna.json(Request::CardAdd { paths: vec![card], at: Vec::new() }).await;
    assert_eq!(answer_to(&transport, &at).await.as_deref(), Some("/overread/1"));
    zoe.start().await;
    anna.until(Request::CaseList, |listed| listed["cases"][0]["question"] == "Do you see me?").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_colleague_gets_nothing_from_who_blocked_her_and_all_through_others() {
    let (anna, mut ben, mut carl, case) = three_in_a_case().await;
    let (_, at) = anna.follow().await;
    let (mut at_ben, _) = ben.follow().await;

    anna.json(Request::CardBlock { who: "Okafor".into() }).await;
    at_ben.happens("disconnected").await;
    carl.stop().await;
    anna.say(&case, "said after the block").await;
    ben.say(&case, "said by the blocked").await;
    // Nobody is there to carry it. Ben's device itself is a stranger to Anna.
    ben.stop().await;
    let transport = ben.transport();
    assert_eq!(answer_to(&transport, &at).await, None);
    ben.start().await;
    assert_eq!(said(&ben.shown(&case).await), ["said by the blocked"]);
    assert_eq!(said(&anna.shown(&case).await), ["said after the block"]);

    // He is still a member: others bring him everything, and bring what he says.
    carl.start().await;
    ben.hears(&case, "said after the block").await;
    let here = anna.hears(&case, "said by the blocked").await;
    assert_eq!(here["members"].as_array().unwrap().len(), 3);
    assert_eq!(answer_to(&transport, &at).await, None);

    // A block can be ended; what the two had compared before counts no more.
    carl.stop().await;
    let card = anna.json(Request::CardUnblock { who: "Okafor".into() }).await;
    assert_eq!(card["trust"], "unverified");
    ben.say(&case, "said after the block ended").await;
    anna.hears(&case, "said after the block ended").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fellow_members_without_cards_exchange_their_case_and_nothing_else() {
    let mut anna = Person::new("Dr. Anna Weiss", "City Hospital").await;
    let ben = Person::new("Dr. Ben Okafor", "University Clinic").await;
    let mut carl = Person::new("Dr. Carl Lund", "Lake Clinic").await;
    pair(&anna, &ben).await;
    pair(&anna, &carl).await;
    let case = anna.founds("Metastasis or cyst?", &[], &["Okafor", "Lund"]).await;
    ben.accepts(&case).await;
    carl.accepts(&case).await;
    let other = ben.founds("Something else?", &[], &["Weiss"]).await;
    anna.accepts(&other).await;
    anna.stop().await;

    ben.say(&case, "from Ben").await;
    carl.hears(&case, "from Ben").await;
    carl.say(&case, "from Carl").await;
    ben.hears(&case, "from Carl").await;
    assert_eq!(cases(&carl).await, std::slice::from_ref(&case));
    let held = carl.json(Request::CardList).await;
    let held: Vec<&str> = held["cards"].as_array().unwrap().iter().filter_map(|card| card["name"].as_str()).collect();
    assert_eq!(held, ["Dr. Anna Weiss"]);

    // Carl's device is told of the one case; when it asks for the other, by name, it is refused.
    carl.stop().await;
    let mut tap = Tap::of(&carl, &ben).await;
    let told = tap.hears(digests).await;
    assert_eq!(told, [case_id(&case)]);
    ask_in_vain(&mut tap, &ben, case_id(&other)).await;
    assert!(!tap.heard.iter().any(|message| matches!(message, Message::Cards(_))), "{:?}", tap.heard);
    tap.end().await;
    // Anna's device is told of both, and of cards.
    let mut tap = Tap::of(&anna, &ben).await;
    let mut told = tap.hears(digests).await;
    if told.len() < 2 {
        told.extend(tap.hears(digests).await);
    }
    assert!(told.contains(&case_id(&case)) && told.contains(&case_id(&other)), "{told:?}");
    tap.hears(|message| matches!(message, Message::Cards(_)).then_some(())).await;
}

fn digests(message: &Message) -> Option<Vec<CaseId>> {
    match message {
        Message::Digests(digests) => Some(digests.0.iter().map(|digest| digest.case).collect()),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_removed_fetch_nothing_written_later_and_open_nothing_of_it_when_handed_the_bytes() {
    let (mut anna, mut ben, carl, case) = three_in_a_case().await;
    anna.say(&case, "said before the removal").await;
    ben.hears(&case, "said before the removal").await;

    anna.json(Request::CaseMemberRemove { case: case.clone(), who: "Okafor".into() }).await;
    anna.say(&case, "said after the removal").await;
    carl.hears(&case, "said after the removal").await;
    // The sessions stand, since they are colleagues still; the case is no subject on them any more.
    ben.json_within(Request::Sync, 1).await;
    assert_eq!(said(&ben.shown(&case).await), ["said before the removal"]);
    ben.stop().await;
    for node in [&anna, &carl] {
        let mut tap = Tap::of(&ben, node).await;
        ask_in_vain(&mut tap, node, case_id(&case)).await;
        tap.end().await;
    }

    let seen = anna.shown(&case).await;
    anna.stop().await;
    let later = entries(&anna, &case);
    let mut handed = Batch::new();
    for bytes in later {
        handed.put_entry(stored_entry(case_id(&case), bytes));
    }
    ben.store().commit(handed).unwrap();
    ben.start().await;
    let shown = ben.shown(&case).await;
    assert_eq!(shown["entries"], seen["entries"], "he has every byte");
    assert_eq!(said(&shown), ["said before the removal"]);
    assert!(shown["unreadable"].as_u64().unwrap() >= 1 && shown["state_hash"].is_null(), "{shown}");
    assert_eq!(said(&seen), ["said before the removal", "said after the removal"]);
    let verified: Value = ben.json(Request::Verify { what: case }).await;
    assert_eq!(verified["ok"], true, "{verified}");
}

/// The sealed bytes of every entry of a case, as they lie on a stopped node's disk.
fn entries(person: &Person, case: &str) -> Vec<Vec<u8>> {
    person.store().entries(case_id(case)).unwrap().into_iter().map(|entry| entry.bytes).collect()
}
