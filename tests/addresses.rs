//! Where colleagues are reached, without a beacon: from cards, and through colleagues in common.

use std::time::{Duration, Instant};

use overread::node::api::{CaseNew, Request};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Person, exchange_cards, free_address};

/// Waits until `person` is connected to the colleague of this name.
async fn reached(person: &Person, name: &str) -> bool {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        let synced = person.begin(Request::Sync, 0).await.end().await.unwrap().document();
        let peers = synced["peers"].as_array().unwrap();
        if peers.iter().any(|peer| peer["name"] == name && peer["connected"] == true) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

async fn addresses_of(person: &Person, name: &str) -> Vec<String> {
    let card = person.json(Request::CardShow { who: Some(name.into()) }).await;
    card["addresses"].as_array().unwrap().iter().map(|address| address.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_who_moved_is_found_through_a_colleague_in_common() {
    let folder = TempDir::new().unwrap();
    let (old, new) = (free_address(), free_address());
    let common = Person::at("Dr. Anna Weiss", "City Hospital", &free_address()).await;
    let mover = Person::at("Dr. Ben Okafor", "River Clinic", &old).await;
    let seeker = Person::at("Dr. Cleo Marsh", "Elsewhere", &free_address()).await;
    for person in [&common, &mover, &seeker] {
        person.begin(Request::Sync, 0).await.end().await.unwrap(); // the network runs, so the card says where
    }
    for (one, other) in [(&common, &mover), (&common, &seeker), (&mover, &seeker)] {
        exchange_cards(one, other, folder.path()).await;
    }
    assert_eq!(addresses_of(&seeker, "Okafor").await, [old.as_str()]);
    let new_case = CaseNew { ask: "Cyst?".into(), invite: vec!["Okafor".into(), "Marsh".into()], ..CaseNew::default() };
    let created = common.json(Request::CaseNew(new_case)).await;
    let case = created["case"].as_str().unwrap().to_owned();
    assert!(created["delivery"].as_array().unwrap().iter().all(|to| to["state"] == "delivered"), "{created}");
    for person in [&mover, &seeker] {
        person.json(Request::CaseAccept { case: case.clone() }).await;
    }

    // She who seeks is away while he moves, so only the colleague in common hears of it.
    let away = free_address();
    let seeker_at = free_address();
    let seeker = seeker.moved_to(&away).await;
    let mover = mover.moved_to(&new).await;
    assert!(reached(&mover, "Dr. Anna Weiss").await);
    let deadline = Instant::now() + Duration::from_secs(20);
    while addresses_of(&common, "Okafor").await != [new.clone()] {
        assert!(Instant::now() < deadline, "the colleague in common was not told");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let seeker = seeker.moved_to(&seeker_at).await;
    assert!(reached(&seeker, "Dr. Anna Weiss").await);
    assert!(reached(&seeker, "Dr. Ben Okafor").await);
    assert_eq!(addresses_of(&seeker, "Okafor").await, [new]);
}

/// Reached since when, as a list of colleagues says it.
async fn last_reached(person: &Person, name: &str) -> Value {
    let cards = person.json(Request::CardList).await;
    let mut cards = cards["cards"].as_array().unwrap().iter();
    cards.find(|card| card["name"] == name).expect("the card is held")["last_reached"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_who_was_never_reached_is_told_from_one_who_is_away() {
    let folder = TempDir::new().unwrap();
    let seeker = Person::at("Dr. Cleo Marsh", "Elsewhere", &free_address()).await;
    let here = Person::at("Dr. Ben Okafor", "River Clinic", &free_address()).await;
    let never = Person::out_of_reach("Dr. Anna Weiss", "City Hospital").await;
    for person in [&seeker, &here] {
        person.begin(Request::Sync, 0).await.end().await.unwrap(); // the network runs, so the card says where
    }
    exchange_cards(&seeker, &here, folder.path()).await;
    exchange_cards(&seeker, &never, folder.path()).await;
    assert!(reached(&seeker, "Dr. Ben Okafor").await);
    let mut here = here;
    here.stop().await;
    assert!(last_reached(&seeker, "Dr. Ben Okafor").await.is_string());
    assert!(last_reached(&seeker, "Dr. Anna Weiss").await.is_null());
    let checks = seeker.json(Request::Doctor).await;
    let said = |name: &str| {
        let mut checks = checks["checks"].as_array().unwrap().iter();
        checks.find(|check| check["name"] == name).unwrap()["what"].as_str().unwrap().to_owned()
    };
    assert!(said("Dr. Anna Weiss").contains("no connection yet"), "{checks}");
    assert!(!said("Dr. Ben Okafor").contains("no connection yet"), "{checks}");
    assert!(said("room").contains("MiB left"));
}
