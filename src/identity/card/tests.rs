use proptest::prelude::*;

use super::statement::{CardStatement, SignedStatement};
use super::text::{CARD_TEXT_BYTES_MAX, TEXT_BEGIN, TEXT_END};
use super::*;
use crate::encoding::id::Bytes;
use crate::encoding::random::Seeded;
use crate::identity::keys::DeviceSecrets;

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);

pub(crate) fn details(name: &str) -> CardDetails {
    CardDetails {
        name: name.into(),
        site: "Kantonsspital Süd".into(),
        specialties: vec!["Neuroradiology".into()],
        phone: Some("+41 44 555 01 23".into()),
        addresses: vec!["/ip4/192.0.2.7/udp/4001/quic-v1".into()],
        test: false,
    }
}

/// A person with one device, repeatable.
pub(crate) struct Person {
    pub(crate) identity: SigningSecret,
    pub(crate) certificate: DeviceCertificate,
}

impl Person {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Seeded::new(seed);
        let identity = SigningSecret::random(&mut rng);
        let certificate = DeviceCertificate::issue(&identity, &DeviceSecrets::random(&mut rng), NOW);
        Self { identity, certificate }
    }

    pub(crate) fn card(&self, serial: u64, name: &str) -> Card {
        self.issue(serial, details(name)).unwrap()
    }

    pub(crate) fn issue(&self, serial: u64, details: CardDetails) -> Result<Card, CardError> {
        let devices = vec![self.certificate.clone()];
        Card::issue(&self.identity, serial, details, devices, vec![], NOW, NOW.plus_ms(CARD_VALID_MS))
    }

    /// A statement that `issue` would refuse, under a good signature.
    fn sign(&self, change: impl FnOnce(&mut CardStatement)) -> Vec<u8> {
        let mut statement = self.card(1, "Anna Weiss").statement;
        change(&mut statement);
        let signature = self.identity.sign(SIGN_CARD, &to_bytes(&statement));
        to_bytes(&SignedStatement { statement, signature })
    }
}

fn certificates(person: &Person, count: u64) -> Vec<DeviceCertificate> {
    let device = |seed| DeviceSecrets::random(&mut Seeded::new(1000 + seed));
    (0..count).map(|seed| DeviceCertificate::issue(&person.identity, &device(seed), NOW)).collect()
}

#[test]
fn a_card_comes_back_from_its_bytes_and_from_its_text() {
    let card = Person::new(1).card(3, "  Anna Weiß ");
    assert_eq!(Card::from_bytes(&card.to_bytes()), Ok(card.clone()));
    assert_eq!(Card::from_text(&card.to_text()), Ok(card.clone()));
    assert_eq!(Card::from_text(&card.to_text().replace('\n', "\r\n  ")), Ok(card.clone()));
    let record: Card = from_bytes(&to_bytes(&card), CARD_BYTES_MAX + 8).unwrap();
    assert_eq!((record.name().as_ref(), record.serial()), ("Anna Weiß", 3));
}

#[test]
fn the_largest_card_fits() {
    let person = Person::new(1);
    let full = CardDetails {
        name: "n".repeat(CARD_NAME_BYTES_MAX),
        site: "s".repeat(CARD_NAME_BYTES_MAX),
        specialties: vec!["x".repeat(CARD_SPECIALTY_BYTES_MAX); CARD_SPECIALTIES_MAX],
        phone: Some("1".repeat(CARD_PHONE_BYTES_MAX)),
        addresses: vec![format!("/{}", "a".repeat(CARD_ADDRESS_BYTES_MAX - 1)); 8],
        test: false,
    };
    let revoked = (0..CARD_REVOKED_MAX as u8).map(|i| DeviceKey([i; 32])).collect();
    let card = Card::issue(&person.identity, 1, full, certificates(&person, 6), revoked, NOW, NOW).unwrap();
    assert!(card.to_bytes().len() <= CARD_BYTES_MAX);
    assert_eq!(Card::from_text(&card.to_text()), Ok(card));
}

#[test]
fn one_flipped_bit_anywhere_is_refused() {
    let card = Person::new(2).card(1, "Anna Weiss");
    let bytes = card.to_bytes();
    for position in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[position] ^= 1 << (position % 8);
        assert!(Card::from_bytes(&flipped).is_err(), "byte {position}");
    }
}

#[test]
fn every_shortened_or_lengthened_card_is_refused() {
    let bytes = Person::new(2).card(1, "Anna Weiss").to_bytes();
    for length in 0..bytes.len() {
        assert!(matches!(Card::from_bytes(&bytes[..length]), Err(CardError::Malformed(_))), "{length} bytes");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(Card::from_bytes(&longer), Err(CardError::Malformed(DecodeError::TrailingBytes(1))));
    let oversized = [bytes.as_slice(), &[0; CARD_BYTES_MAX]].concat();
    assert!(matches!(Card::from_bytes(&oversized), Err(CardError::Malformed(DecodeError::TooLong { .. }))));
}

#[test]
fn hostile_cards_under_a_good_signature_are_refused_for_their_fault() {
    let anna = Person::new(1);
    let foreign = Person::new(2).certificate;
    let mut shared_transport = certificates(&anna, 2);
    let mut secrets = DeviceSecrets::random(&mut Seeded::new(1000));
    secrets.signing = SigningSecret::random(&mut Seeded::new(77));
    shared_transport[1] = DeviceCertificate::issue(&anna.identity, &secrets, NOW);
    shared_transport.sort_by_key(DeviceCertificate::device);
    let mut not_hers = anna.certificate.clone();
    not_hers.statement.certified = NOW.plus_ms(1);
    let own = anna.certificate.clone();
    let too_many = |field, is, max| CardError::TooMuch { field, is, max };
    let cases: Vec<(&str, Vec<u8>, CardError)> = vec![
        ("a format of tomorrow", anna.sign(|s| s.format = 2), CardError::UnsupportedVersion { format: 2 }),
        ("no device", anna.sign(|s| s.devices.clear()), CardError::Empty { field: "devices" }),
        ("seven devices", anna.sign(|s| s.devices = vec![own.clone(); 7]), too_many("devices", 7, 6)),
        ("a device twice", anna.sign(|s| s.devices = vec![own.clone(); 2]), CardError::DeviceTwice),
        ("two devices with one connection key", anna.sign(|s| s.devices = shared_transport), CardError::DeviceTwice),
        ("a stranger's device", anna.sign(|s| s.devices = vec![foreign]), CardError::ForeignDevice),
        (
            "an altered certificate",
            anna.sign(|s| s.devices = vec![not_hers]),
            CardError::Certificate(CertificateError::Signature(BadSignature)),
        ),
        ("a revoked current device", anna.sign(|s| s.revoked = vec![own.device()]), CardError::RevokedDevice),
        (
            "revoked devices out of order",
            anna.sign(|s| s.revoked = vec![DeviceKey([2; 32]), DeviceKey([1; 32])]),
            CardError::DeviceTwice,
        ),
        ("a long name", anna.sign(|s| s.name = "n".repeat(129)), too_many("name", 129, 128)),
        ("an empty site", anna.sign(|s| s.site = String::new()), CardError::Empty { field: "site" }),
        ("a name that cannot be seen", anna.sign(|s| s.name = "\u{200b} ".into()), CardError::Empty { field: "name" }),
        ("many addresses", anna.sign(|s| s.addresses = vec!["/a".into(); 17]), too_many("addresses", 17, 16)),
        (
            "an address with an escape",
            anna.sign(|s| s.addresses = vec!["/ip4/\u{1b}[2J".into()]),
            CardError::Address { address: "/ip4/[2J".into() },
        ),
        (
            "an address that is none",
            anna.sign(|s| s.addresses = vec!["example.org".into()]),
            CardError::Address { address: "example.org".into() },
        ),
        (
            "somebody else's identity",
            anna.sign(|s| s.identity = IdentityKey(Person::new(3).identity.public())),
            CardError::ForeignDevice,
        ),
    ];
    for (attack, bytes, expected) in cases {
        assert_eq!(Card::from_bytes(&bytes), Err(expected), "{attack}");
    }
}

#[test]
fn a_signature_of_another_kind_of_thing_is_refused() {
    let anna = Person::new(1);
    let statement = anna.card(1, "Anna Weiss").statement;
    let signature = anna.identity.sign("overread/1/sign/entry", &to_bytes(&statement));
    let bytes = to_bytes(&SignedStatement { statement, signature });
    assert_eq!(Card::from_bytes(&bytes), Err(CardError::Signature(BadSignature)));
}

#[test]
fn control_characters_are_refused_at_creation_and_stripped_at_display() {
    let anna = Person::new(1);
    for (field, change) in [
        ("name", (|d: &mut CardDetails| d.name.push('\u{202e}')) as fn(&mut CardDetails)),
        ("site", |d| d.site.insert(0, '\u{1b}')),
        ("phone", |d| d.phone = Some("1\n2".into())),
        ("specialty", |d| d.specialties = vec!["a\u{7}b".into()]),
    ] {
        let mut details = details("Anna Weiss");
        change(&mut details);
        assert_eq!(anna.issue(1, details), Err(CardError::ControlCharacter { field }));
    }
    let hostile = Card::from_bytes(&anna.sign(|s| s.name = "Anna\u{1b}[2J\nWeiss".into())).unwrap();
    assert_eq!(hostile.name(), "Anna[2J Weiss");
    assert_eq!(Card::from_text(&hostile.to_text()), Ok(hostile), "the lines for people cannot break the text");
}

#[test]
fn hostile_texts_are_refused_for_their_fault() {
    let text = Person::new(1).card(1, "Anna Weiss").to_text();
    for (attack, text, expected) in [
        ("nothing", String::new(), CardError::NoCard),
        ("only lines for people", "# Overread card of Anna".into(), CardError::NoCard),
        ("no end", text.replace(TEXT_END, ""), CardError::CutOff),
        ("two cards", format!("{text}{text}"), CardError::SeveralCards),
        ("a foreign character", text.replace("CARD-----\n", "CARD-----\n*"), CardError::NotBase64),
    ] {
        assert_eq!(Card::from_text(&text), Err(expected), "{attack}");
    }
    let flood = format!("{}{text}", "# \n".repeat(CARD_TEXT_BYTES_MAX / 3));
    assert!(matches!(Card::from_text(&flood), Err(CardError::Malformed(DecodeError::TooLong { .. }))));
}

#[test]
fn the_higher_serial_wins_whole_and_an_older_card_is_refused() {
    let anna = Person::new(1);
    let (old, new) = (anna.card(4, "Anna Weiss"), anna.card(5, "Anna Weiss-Blum"));
    assert_eq!(old.merge(new.clone()), Ok(CardMerge::Newer(Box::new(new.clone()))));
    assert_eq!(new.merge(old.clone()), Err(MergeError::Older { held: 5, offered: 4 }));
    assert_eq!(old.merge(old.clone()), Ok(CardMerge::Same));
    assert_eq!(old.merge(Person::new(2).card(9, "Ben")), Err(MergeError::OtherPerson));
}

#[test]
fn two_cards_with_one_serial_prove_a_compromised_identity() {
    let anna = Person::new(1);
    let (one, other) = (anna.card(4, "Anna Weiss"), anna.card(4, "Anna Weiss, at home"));
    let Ok(CardMerge::Compromised(conflict)) = one.merge(other.clone()) else { panic!("no conflict") };
    let read: CardConflict = from_bytes(&to_bytes(conflict.as_ref()), 3 * CARD_BYTES_MAX).unwrap();
    assert!(read.proves());
    assert_eq!(read.cards(), (&one, &other));
}

#[test]
fn the_fingerprint_is_of_the_identity_alone() {
    let anna = Person::new(1);
    let print = anna.card(1, "Anna Weiss").fingerprint();
    assert_eq!(print, anna.card(2, "Somebody Else").fingerprint());
    assert_ne!(print, Person::new(2).card(1, "Anna Weiss").fingerprint());
    assert_eq!(print.split('-').map(str::len).collect::<Vec<_>>(), [4; 6]);
}

#[test]
fn serials_grow_with_and_without_the_card_before() {
    let anna = Person::new(1);
    let first = anna.card(Card::next_serial(None, NOW), "Anna Weiss");
    assert_eq!(Card::next_serial(Some(&first), NOW), first.serial() + 1, "twice in one millisecond");
    assert_eq!(Card::next_serial(Some(&first), Timestamp(-5)), first.serial() + 1, "the clock was set back");
    assert!(Card::next_serial(None, NOW.plus_ms(1)) > first.serial());
    assert_eq!(Card::next_serial(Some(&anna.card(u64::MAX, "Anna Weiss")), NOW), u64::MAX);
}

#[test]
fn expiry_is_the_first_moment_it_no_longer_holds() {
    let card = Person::new(1).card(1, "Anna Weiss");
    assert!(!card.is_expired(card.expires().plus_ms(-1)) && card.is_expired(card.expires()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_issued_is_read_back(
        name in "[ -~äöüßéŁ山]{1,30}", site in "[ -~]{1,30}", serial: u64, test: bool,
        phone in proptest::option::of("[0-9 +]{0,20}"), specialties in proptest::collection::vec("[a-z]{1,20}", 0..8),
    ) {
        prop_assume!(!name.trim().is_empty() && !site.trim().is_empty());
        let details = CardDetails { name, site, specialties, phone, addresses: vec![], test };
        let card = Person::new(1).issue(serial, details).unwrap();
        prop_assert_eq!(Card::from_bytes(&card.to_bytes()), Ok(card.clone()));
        prop_assert_eq!(Card::from_text(&card.to_text()), Ok(card));
    }

    #[test]
    fn random_bytes_and_text_never_panic(bytes: Vec<u8>, text in ".{0,300}") {
        prop_assert!(Card::from_bytes(&bytes).is_err());
        let armored = format!("{TEXT_BEGIN}\n{text}\n{TEXT_END}");
        prop_assert!(Card::from_text(&armored).is_err());
        let signed = SignedStatement {
            statement: Person::new(1).card(1, &"x".repeat(9)).statement,
            signature: Bytes([bytes.first().copied().unwrap_or(0); 64]),
        };
        prop_assert_eq!(Card::from_bytes(&to_bytes(&signed)), Err(CardError::Signature(BadSignature)));
    }
}
