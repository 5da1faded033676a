use proptest::prelude::*;

use super::*;
use crate::encoding::random::Seeded;
use crate::identity::card::tests::{NOW, Person, details};
use crate::identity::card::{CARD_VALID_MS, CardDetails};
use crate::identity::certificate::DeviceCertificate;
use crate::identity::keys::{DeviceSecrets, SigningSecret};

fn me() -> IdentityKey {
    IdentityKey(SigningSecret::random(&mut Seeded::new(99)).public())
}

fn empty() -> Colleagues {
    Colleagues::new(me(), TestCards::Refuse)
}

fn book(people: &[(u64, &str)]) -> Colleagues {
    let mut book = empty();
    for (seed, name) in people {
        assert_eq!(book.add(Person::new(*seed).card(1, name), NOW), Ok(Added::New));
    }
    book
}

fn id(seed: u64) -> IdentityKey {
    IdentityKey(Person::new(seed).identity.public())
}

fn found(book: &Colleagues, typed: &str) -> Result<IdentityKey, FindError> {
    book.find(typed).map(Colleague::identity)
}

#[test]
fn a_colleague_comes_back_from_the_row() {
    let mut book = book(&[(1, "Anna Weiss")]);
    book.verify(&id(1), Verification::Pairing, NOW).unwrap();
    book.learn_address(&id(1), "/ip4/192.0.2.9/tcp/4001").unwrap();
    book.add(Person::new(1).card(1, "Anna Weiss, elsewhere"), NOW).unwrap();
    let rows: Vec<Colleague> = book.iter().map(|c| Colleague::from_bytes(&c.to_bytes()).unwrap()).collect();
    assert_eq!(rows.iter().collect::<Vec<_>>(), book.iter().collect::<Vec<_>>());
    let again = Colleagues::from_rows(me(), TestCards::Refuse, rows);
    assert!(again.get(&id(1)).is_some_and(|colleague| colleague.conflict().is_some()));
}

#[test]
fn a_damaged_row_is_refused() {
    let bytes = book(&[(1, "Anna Weiss")]).get(&id(1)).unwrap().to_bytes();
    for length in 0..bytes.len() {
        assert!(Colleague::from_bytes(&bytes[..length]).is_err());
    }
    assert!(matches!(Colleague::from_bytes(&vec![0; COLLEAGUE_BYTES_MAX + 1]), Err(DecodeError::TooLong { .. })));
    let mut colleague = Colleague::from_bytes(&bytes).unwrap();
    colleague.learned_addresses = vec!["/a".into(); LEARNED_ADDRESSES_MAX + 1];
    assert!(matches!(Colleague::from_bytes(&colleague.to_bytes()), Err(DecodeError::Malformed(_))));
}

#[test]
fn nobody_is_verified_by_a_card_alone() {
    let mut book = book(&[(1, "Anna Weiss")]);
    assert_eq!(book.get(&id(1)).map(Colleague::trust), Some(Trust::Unverified));
    book.verify(&id(1), Verification::SafetyWords, NOW).unwrap();
    assert_eq!(book.get(&id(1)).map(Colleague::trust), Some(Trust::Verified(Verification::SafetyWords, NOW)));
    assert_eq!(book.verify(&id(2), Verification::SafetyWords, NOW), Err(TrustError::Unknown));
}

#[test]
fn ones_own_card_and_test_cards_are_not_taken() {
    let test = Person::new(1).issue(1, CardDetails { test: true, ..details("Test") }).unwrap();
    assert_eq!(empty().add(test.clone(), NOW), Err(TrustError::TestCard));
    assert_eq!(Colleagues::new(me(), TestCards::Allow).add(test, NOW), Ok(Added::New));
    let own = Person::new(1).card(1, "Me");
    assert_eq!(Colleagues::new(own.identity(), TestCards::Allow).add(own, NOW), Err(TrustError::OwnCard));
}

#[test]
fn a_newer_card_replaces_the_old_one_but_not_the_name_or_the_trust() {
    let mut book = book(&[(1, "Anna Weiss")]);
    book.verify(&id(1), Verification::LiveWords, NOW).unwrap();
    assert_eq!(book.add(Person::new(1).card(3, "Professor Big"), NOW), Ok(Added::Newer { renamed: true }));
    let anna = book.get(&id(1)).unwrap();
    assert_eq!((anna.name(), anna.card().serial(), anna.is_verified()), ("Anna Weiss", 3, true));
    assert_eq!(book.add(Person::new(1).card(3, "Professor Big"), NOW), Ok(Added::Same));
    assert_eq!(
        book.add(Person::new(1).card(2, "Anna Weiss"), NOW),
        Err(TrustError::Merge(MergeError::Older { held: 3, offered: 2 }))
    );
}

#[test]
fn a_compromised_identity_gets_no_keys_until_verified_anew() {
    let mut book = book(&[(1, "Anna Weiss")]);
    book.verify(&id(1), Verification::Pairing, NOW).unwrap();
    assert_eq!(book.add(Person::new(1).card(1, "Anna Weiss, elsewhere"), NOW), Ok(Added::Compromised));
    let refused = |book: &Colleagues| book.get(&id(1)).unwrap().may_be_invited(NOW, UnverifiedInvitations::AskedFor);
    let compromised = Err(InvitationRefused::Compromised { name: "Anna Weiss".into() });
    assert_eq!(refused(&book), compromised);
    assert!(!book.get(&id(1)).unwrap().gets_keys() && !book.get(&id(1)).unwrap().is_verified());
    // A higher serial does not end the doubt: whoever stole the key can sign that too.
    assert_eq!(book.add(Person::new(1).card(2, "Anna Weiss"), NOW), Ok(Added::Newer { renamed: false }));
    assert_eq!(refused(&book), compromised);
    book.verify(&id(1), Verification::SafetyWords, NOW).unwrap();
    assert!(book.get(&id(1)).unwrap().gets_keys());
    assert_eq!(refused(&book), Ok(()));
}

#[test]
fn a_card_that_claims_anothers_device_is_refused() {
    let secrets = DeviceSecrets::random(&mut Seeded::new(50));
    let claim = |seed| {
        let identity = Person::new(seed).identity;
        let certificate = DeviceCertificate::issue(&identity, &secrets, NOW);
        Card::issue(&identity, 1, details("Anna Weiss"), vec![certificate], vec![], NOW, NOW).unwrap()
    };
    let mut book = empty();
    assert_eq!(book.add(claim(1), NOW), Ok(Added::New));
    let refused = book.add(claim(2), NOW);
    assert_eq!(refused, Err(TrustError::DeviceOfAnother { name: "Anna Weiss".into() }));
    assert_eq!(book.iter().count(), 1);
}

#[test]
fn who_is_invited_is_verified_current_and_not_blocked() {
    let mut book = book(&[(1, "Anna Weiss")]);
    let ask = |book: &Colleagues, now, unverified| book.get(&id(1)).unwrap().may_be_invited(now, unverified);
    let name = || "Anna Weiss".to_owned();
    let unverified = Err(InvitationRefused::Unverified { name: name() });
    assert_eq!(ask(&book, NOW, UnverifiedInvitations::Refuse), unverified);
    assert_eq!(ask(&book, NOW, UnverifiedInvitations::AskedFor), Ok(()));
    book.verify(&id(1), Verification::Pairing, NOW).unwrap();
    assert_eq!(ask(&book, NOW, UnverifiedInvitations::Refuse), Ok(()));
    let expired = NOW.plus_ms(CARD_VALID_MS);
    let refused = Err(InvitationRefused::Expired { name: name(), expired });
    assert_eq!(ask(&book, expired, UnverifiedInvitations::AskedFor), refused);
    assert!(book.get(&id(1)).unwrap().gets_keys(), "expiry ends nothing that has begun");
    book.block(&id(1)).unwrap();
    let blocked = Err(InvitationRefused::Blocked { name: name() });
    assert_eq!(ask(&book, NOW, UnverifiedInvitations::AskedFor), blocked);
}

#[test]
fn a_blocked_colleague_is_not_admitted_and_returns_unverified() {
    let mut book = book(&[(1, "Anna Weiss"), (2, "Ben Okafor")]);
    let transport = Person::new(1).certificate.statement.transport;
    let admitted = |book: &Colleagues| book.admitted(&transport).map(|(colleague, _)| colleague.identity());
    assert_eq!(admitted(&book), Some(id(1)));
    book.verify(&id(1), Verification::Pairing, NOW).unwrap();
    book.block(&id(1)).unwrap();
    assert_eq!(admitted(&book), None);
    assert_eq!(book.verify(&id(1), Verification::Pairing, NOW), Err(TrustError::Blocked { name: "Anna Weiss".into() }));
    assert_eq!(book.add(Person::new(1).card(2, "Anna Weiss"), NOW), Ok(Added::Newer { renamed: false }));
    assert_eq!(admitted(&book), None, "a new card ends no block");
    book.unblock(&id(1)).unwrap();
    assert_eq!(book.get(&id(1)).map(Colleague::trust), Some(Trust::Unverified));
    assert_eq!(book.admitted(&Person::new(7).certificate.statement.transport), None, "a stranger");
}

#[test]
fn a_colleague_is_found_by_name_beginning_or_id() {
    let book = book(&[(1, "Dr. Anna Weiß"), (2, "Ben Okafor")]);
    for typed in ["Dr. Anna Weiß", "dr anna weiss", "ANNA", "wei an", " weiss "] {
        assert_eq!(found(&book, typed), Ok(id(1)), "{typed}");
    }
    let typed = id(2).to_string();
    assert_eq!(found(&book, &typed), Ok(id(2)));
    assert_eq!(found(&book, &typed[..8]), Ok(id(2)));
    for typed in ["", ".", "Clara", "nna", "c-abcd", "p-aaaaaaaaaa"] {
        assert_eq!(found(&book, typed), Err(FindError::Unknown { typed: typed.into() }), "{typed}");
    }
}

#[test]
fn who_cannot_be_told_apart_is_listed_and_not_chosen() {
    let mut book = book(&[(1, "Anna Weiss"), (2, "Anna Weiss"), (3, "Anna Bauer")]);
    let candidates = |typed| match book.find(typed).map(Colleague::name) {
        Err(FindError::Ambiguous { candidates, .. }) => candidates.into_iter().map(|c| c.name).collect(),
        other => vec![format!("{other:?}")],
    };
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    // An impostor who takes a colleague's name makes the name ambiguous, even where the local names differ.
    assert_eq!(sorted(candidates("anna weiss")), ["Anna Weiss", "Anna Weiss (2)"]);
    assert_eq!(candidates("anna").len(), 3);
    let message = book.find("anna").map(Colleague::name).unwrap_err().to_string();
    assert!(
        message.starts_with("\"anna\" fits several colleagues: Anna ") && message.contains(&id(3).short()),
        "{message}"
    );
    book.rename(&id(2), "Anna from Basel").unwrap();
    assert_eq!(found(&book, "basel"), Ok(id(2)));
    assert_eq!(found(&book, "Anna Weiss (2)"), Err(FindError::Unknown { typed: "Anna Weiss (2)".into() }));
}

#[test]
fn a_local_name_belongs_to_one_colleague() {
    let mut book = book(&[(1, "Anna Weiss"), (2, "Ben Okafor")]);
    let taken = Err(TrustError::NameTaken { name: "Anna Weiss".into(), id: id(1).short() });
    assert_eq!(book.rename(&id(2), "ANNA  WEISS"), taken);
    assert_eq!(book.rename(&id(1), "anna weiss"), Ok(()), "her own name in another spelling");
    for (name, expected) in [
        ("", TrustError::BadName),
        (" . ", TrustError::BadName),
        ("a\u{202e}b", TrustError::BadName),
        (&"x".repeat(ALIAS_BYTES_MAX + 1), TrustError::BadName),
        ("p-abcdefgh", TrustError::NameLikeId),
    ] {
        assert_eq!(book.rename(&id(2), name), Err(expected), "{name}");
    }
    assert_eq!(book.get(&id(2)).map(Colleague::name), Some("Ben Okafor"));
}

#[test]
fn learned_addresses_are_few_and_the_newest_comes_first() {
    let mut book = book(&[(1, "Anna Weiss")]);
    for n in 0..20 {
        book.learn_address(&id(1), &format!("/ip4/192.0.2.{n}/tcp/1")).unwrap();
    }
    book.learn_address(&id(1), "/ip4/192.0.2.15/tcp/1").unwrap();
    let anna = book.get(&id(1)).unwrap();
    let addresses: Vec<&str> = anna.addresses().collect();
    assert_eq!(addresses.len(), LEARNED_ADDRESSES_MAX + 1);
    assert_eq!(addresses[..2], ["/ip4/192.0.2.15/tcp/1", "/ip4/192.0.2.19/tcp/1"]);
    assert_eq!(addresses.last(), Some(&"/ip4/192.0.2.7/udp/4001/quic-v1"), "the card's come last");
    for bad in ["", "example.org", "/a b", "/\u{1b}[2J", &format!("/{}", "x".repeat(LEARNED_ADDRESS_BYTES_MAX))] {
        assert_eq!(book.learn_address(&id(1), bad), Err(TrustError::BadAddress), "{bad}");
    }
}

#[test]
fn a_removed_colleague_is_a_stranger_again() {
    let mut book = book(&[(1, "Anna Weiss")]);
    assert_eq!(book.remove(&id(1)).map(|colleague| colleague.identity()), Ok(id(1)));
    assert_eq!(book.remove(&id(1)).err(), Some(TrustError::Unknown));
    assert_eq!(book.add(Person::new(1).card(1, "Anna Weiss"), NOW), Ok(Added::New));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn local_names_stay_unique_whatever_cards_call_themselves(names in proptest::collection::vec("[aäA ]{0,2}x( \\([2-4]\\))?", 1..6)) {
        let mut book = empty();
        for (seed, name) in names.iter().enumerate() {
            book.add(Person::new(seed as u64).card(1, name), NOW).unwrap();
        }
        let mut local: Vec<String> = book.iter().map(|colleague| names::fold(colleague.name())).collect();
        local.sort();
        local.dedup();
        prop_assert_eq!(local.len(), names.len());
    }

    #[test]
    fn any_typed_name_is_looked_up_without_a_panic(typed in ".{0,60}") {
        let book = book(&[(1, "Anna Weiss"), (2, "Ben Okafor")]);
        let _ = book.find(&typed);
    }
}
