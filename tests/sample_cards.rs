//! The sample cards in `keys/samples`: good cards with published keys, and refused where patients are.

use overread::identity::card::{CARD_VALID_MS, Card, CardDetails};
use overread::identity::keys::IdentityKey;
use overread::identity::trust::{Added, Colleagues, TestCards, TrustError};

use crate::vectors::{NOW, Person, keys_folder, writes_anew};

/// File, seed, name, site, specialty.
const PEOPLE: [(&str, u64, &str, &str, &str); 3] = [
    ("anna-weiss", 9001, "Anna Weiss (test)", "Kantonsspital Süd", "Neuroradiology"),
    ("jun-tanaka", 9002, "Jun Tanaka (test)", "Minato General", "Thoracic radiology"),
    ("maria-lopez", 9003, "María López (test)", "Hospital del Norte", "Musculoskeletal radiology"),
];

fn card(seed: u64, name: &str, site: &str, specialty: &str) -> Card {
    let person = Person::new(seed, 1);
    let details = CardDetails {
        name: name.into(),
        site: site.into(),
        specialties: vec![specialty.into()],
        phone: Some("+41 44 555 01 23".into()),
        addresses: vec![],
        test: true,
    };
    let expires = NOW.plus_ms(CARD_VALID_MS);
    Card::issue(&person.identity, 1, details, person.certificates(), vec![], NOW, expires).unwrap()
}

#[test]
fn sample_cards_are_as_committed_and_marked_as_test_keys() {
    let folder = keys_folder().join("samples");
    for (file, seed, name, site, specialty) in PEOPLE {
        let path = folder.join(file).with_extension("card");
        let made = card(seed, name, site, specialty);
        if writes_anew() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, made.to_text()).unwrap();
        }
        let read = Card::from_text(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert!(read.is_test(), "{file}");
        assert_eq!(read, made, "{file}");
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), PEOPLE.len());
}

#[test]
fn sample_cards_are_refused_outside_demo_and_tests() {
    let own = IdentityKey(Person::new(1, 0).identity.public());
    for (file, seed, name, site, specialty) in PEOPLE {
        let card = card(seed, name, site, specialty);
        let mut clinic = Colleagues::new(own, TestCards::Refuse);
        assert!(matches!(clinic.add(card.clone(), NOW), Err(TrustError::TestCard)), "{file}");
        let mut demo = Colleagues::new(own, TestCards::Allow);
        assert_eq!(demo.add(card, NOW), Ok(Added::New), "{file}");
    }
}
