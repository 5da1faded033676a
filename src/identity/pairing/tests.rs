//! Whole pairings in memory: honest ones, and one attack each.

use std::time::Instant;

use proptest::prelude::*;

use super::exchange::{Role, Started};
use super::message::{Hello, PairingMessage, Refusal, Sealed};
use super::*;
use crate::encoding::id::Bytes;
use crate::encoding::random::Seeded;
use crate::encoding::to_bytes;
use crate::identity::card::Card;
use crate::identity::card::tests::Person;

struct Table {
    rng: Seeded,
    now: Instant,
    door: PairingDoor,
    anna: Card,
    ben: Card,
}

const EXTRAS: &[u8] = b"the case that waits";

impl Table {
    fn new() -> Self {
        let (anna, ben) = (Person::new(1).card(1, "Anna Weiss"), Person::new(2).card(1, "Ben Okafor"));
        let (mut rng, now) = (Seeded::new(7), Instant::now());
        let door = PairingDoor::open(anna.clone(), Some(EXTRAS.to_vec()), now, &mut rng).unwrap();
        Self { rng, now, door, anna, ben }
    }

    /// The code as Ben hears it.
    fn heard(&self) -> SpokenCode {
        SpokenCode::parse(&self.door.code().spoken()).unwrap()
    }

    /// Right number, wrong words.
    fn misheard(&self) -> SpokenCode {
        let typed = format!("{}-zoo-zoo-zoo", self.door.code().nameplate());
        SpokenCode::parse(&typed).unwrap()
    }

    fn join(&mut self, code: &SpokenCode) -> (AwaitingAnswer, Vec<u8>) {
        AwaitingAnswer::start(code, self.ben.clone(), &mut self.rng)
    }

    fn hello(&mut self, message: &[u8]) -> Result<(AwaitingJoinerConfirmation, Vec<u8>), PairingError> {
        self.door.hello(message, self.now, &mut self.rng)
    }

    /// An honest pairing up to the decisions; `change` may alter each message on its way.
    fn introduce(
        &mut self,
        mut change: impl FnMut(&mut Vec<u8>),
    ) -> Result<(AwaitingDecisions, AwaitingDecisions), PairingError> {
        let code = self.heard();
        let mut deliver = |mut message: Vec<u8>| {
            change(&mut message);
            message
        };
        let (joiner, hello) = self.join(&code);
        let (opener, answer) = self.hello(&deliver(hello))?;
        let (joiner, confirmation) = joiner.answered(&deliver(answer))?;
        let (opener, introduction) = opener.confirmed(&deliver(confirmation))?;
        let (joiner, introduction) = joiner.confirmed(&deliver(introduction))?;
        let opener = opener.introduced(&deliver(introduction))?;
        Ok((opener, joiner))
    }
}

#[test]
fn two_people_who_accept_hold_each_others_cards_and_one_transcript() {
    let mut table = Table::new();
    let (mut opener, mut joiner) = table.introduce(|_| {}).unwrap();
    assert_eq!((opener.card(), joiner.card()), (&table.ben, &table.anna));
    let from_opener = opener.decide(Decision::Accept).unwrap();
    assert_eq!(opener.outcome(), Outcome::Waiting, "one yes is not enough");
    let from_joiner = joiner.decide(Decision::Accept).unwrap();
    assert_eq!(opener.decided(&from_joiner), Ok(Decision::Accept));
    assert_eq!(joiner.decided(&from_opener), Ok(Decision::Accept));
    let (at_opener, at_joiner) = (opener.into_paired().unwrap(), joiner.into_paired().unwrap());
    assert_eq!(at_opener.transcript, at_joiner.transcript);
    assert_eq!((at_opener.card, at_opener.extras), (table.ben, None));
    assert_eq!((at_joiner.card, at_joiner.extras.as_deref()), (table.anna, Some(EXTRAS)));
}

#[test]
fn one_no_is_enough_and_both_sides_know() {
    let (mut opener, mut joiner) = Table::new().introduce(|_| {}).unwrap();
    let accepted = opener.decide(Decision::Accept).unwrap();
    joiner.decided(&accepted).unwrap();
    let declined = joiner.decide(Decision::Decline).unwrap();
    assert_eq!(opener.decided(&declined), Ok(Decision::Decline));
    assert_eq!((opener.outcome(), joiner.outcome()), (Outcome::DeclinedThere, Outcome::DeclinedHere));
    assert_eq!((opener.into_paired(), joiner.into_paired()), (None, None));
}

#[test]
fn a_decision_is_made_once_and_cannot_be_reflected() {
    let (mut opener, mut joiner) = Table::new().introduce(|_| {}).unwrap();
    let own = opener.decide(Decision::Accept).unwrap();
    assert_eq!(opener.decide(Decision::Decline), Err(PairingError::AlreadyDecided));
    assert_eq!(opener.decided(&own), Err(PairingError::Altered), "her own yes sent back to her");
    joiner.decided(&own).unwrap();
    assert_eq!(joiner.decided(&own), Err(PairingError::AlreadyDecided));
}

#[test]
fn a_mistyped_number_is_told_apart_and_uses_nothing_up() {
    let mut table = Table::new();
    let number = table.door.code().nameplate() % 999 + 1;
    let words = table.door.code().spoken();
    let mistyped = format!("{number}-{}", words.split_once('-').unwrap().1);
    let (joiner, hello) = table.join(&SpokenCode::parse(&mistyped).unwrap());
    let refused = table.hello(&hello).err();
    assert_eq!(refused, Some(PairingError::WrongNameplate));
    assert_eq!(joiner.answered(&refused.unwrap().refusal()).err(), Some(PairingError::WrongNameplate));
    assert!(table.door.code_is_good(table.now));
    assert!(table.introduce(|_| {}).is_ok());
}

#[test]
fn wrong_words_burn_the_code_and_both_sides_are_told() {
    let mut table = Table::new();
    let wrong = table.misheard();
    let (joiner, hello) = table.join(&wrong);
    let (opener, answer) = table.hello(&hello).ok().unwrap();
    let (joiner, confirmation) = joiner.answered(&answer).ok().unwrap();
    let refused = opener.confirmed(&confirmation).err();
    assert_eq!(refused, Some(PairingError::WrongCode));
    assert_eq!(joiner.confirmed(&refused.unwrap().refusal()).err(), Some(PairingError::WrongCode));
    let right = table.heard();
    let (_, hello) = table.join(&right);
    assert_eq!(table.hello(&hello).err(), Some(PairingError::CodeUsed), "even with the right words");
}

#[test]
fn a_try_that_is_broken_off_is_a_try() {
    let mut table = Table::new();
    let code = table.heard();
    let (_, hello) = table.join(&code);
    drop(table.hello(&hello));
    let (_, again) = table.join(&code);
    assert_eq!(table.hello(&again).err(), Some(PairingError::CodeUsed));
}

#[test]
fn there_are_three_codes_and_the_second_and_third_work() {
    let mut table = Table::new();
    let first = table.heard();
    table.door.next_code(table.now, &mut table.rng).unwrap();
    assert!(table.heard() != first);
    table.door.next_code(table.now, &mut table.rng).unwrap();
    assert!(table.introduce(|_| {}).is_ok());
    assert_eq!(table.door.next_code(table.now, &mut table.rng).err(), Some(PairingError::NoCodesLeft));
}

#[test]
fn a_code_ends_after_two_minutes_and_the_next_starts_anew() {
    let mut table = Table::new();
    let code = table.heard();
    assert_eq!(table.door.code_ends(), table.now + PAIRING_CODE_LIFE);
    table.now += PAIRING_CODE_LIFE;
    let (_, hello) = table.join(&code);
    assert_eq!(table.hello(&hello).err(), Some(PairingError::CodeExpired));
    table.door.next_code(table.now, &mut table.rng).unwrap();
    assert!(table.introduce(|_| {}).is_ok());
}

#[test]
fn an_impostor_opener_who_does_not_know_the_words_learns_no_card() {
    let mut table = Table::new();
    let code = table.heard();
    let (joiner, _) = table.join(&code);
    let impostor = Started::new(Role::Opener, &table.misheard(), &mut table.rng);
    let (joiner, _) = joiner.answered(&PairingMessage::Answer(impostor.message).to_bytes()).ok().unwrap();
    let forged = PairingMessage::OpenerConfirms(Bytes([3; 32]), Sealed(vec![0; 64])).to_bytes();
    assert_eq!(joiner.confirmed(&forged).err(), Some(PairingError::WrongCode));
}

#[test]
fn a_confirmation_sent_back_to_its_sender_is_refused() {
    let mut table = Table::new();
    let code = table.heard();
    let (joiner, hello) = table.join(&code);
    let (_, answer) = table.hello(&hello).ok().unwrap();
    let (joiner, confirmation) = joiner.answered(&answer).ok().unwrap();
    let PairingMessage::JoinerConfirms(own) = PairingMessage::read(&confirmation).unwrap() else { panic!() };
    let reflected = PairingMessage::OpenerConfirms(own, Sealed(vec![0; 64])).to_bytes();
    assert_eq!(joiner.confirmed(&reflected).err(), Some(PairingError::WrongCode));
}

#[test]
fn a_hello_sent_back_to_its_sender_is_refused() {
    let mut table = Table::new();
    let code = table.heard();
    let (joiner, hello) = table.join(&code);
    let PairingMessage::Hello(own) = PairingMessage::read(&hello).unwrap() else { panic!() };
    assert_eq!(joiner.answered(&PairingMessage::Answer(own.spake).to_bytes()).err(), Some(PairingError::WrongCode));
}

#[test]
fn one_flipped_bit_in_any_message_is_refused() {
    let lengths = {
        let mut lengths = Vec::new();
        Table::new().introduce(|message| lengths.push(message.len())).unwrap();
        lengths
    };
    assert_eq!(lengths.len(), 5);
    for (index, length) in lengths.into_iter().enumerate() {
        // Every byte of the short messages; of the long ones the first hundred and then every fiftieth.
        for position in (0..length).filter(|position| *position < 100 || position % 50 == 0) {
            let mut number = 0;
            let outcome = Table::new().introduce(|message| {
                if number == index {
                    message[position] ^= 1 << (position % 8);
                }
                number += 1;
            });
            assert!(outcome.is_err(), "message {index}, byte {position}");
        }
    }
}

#[test]
fn an_altered_card_of_the_opener_is_refused() {
    // Who holds the key but swaps a card on the way gives the two sides two transcripts.
    let mut table = Table::new();
    let (mut opener, _) = table.introduce(|_| {}).unwrap();
    let (_, mut other) = Table { ben: Person::new(3).card(1, "Ben Okafor"), ..Table::new() }.introduce(|_| {}).unwrap();
    let foreign = other.decide(Decision::Accept).unwrap();
    assert_eq!(opener.decided(&foreign), Err(PairingError::Altered));
}

#[test]
fn ones_own_card_and_an_unusable_one_are_refused() {
    let mut table = Table::new();
    table.ben = Person::new(1).card(2, "Anna Weiss");
    assert_eq!(table.introduce(|_| {}).err(), Some(PairingError::OwnCard));
    let extras = Some(vec![0; PAIRING_EXTRAS_BYTES_MAX + 1]);
    let door = PairingDoor::open(table.anna.clone(), extras, table.now, &mut table.rng);
    assert_eq!(door.err(), Some(PairingError::ExtrasTooLong { bytes: PAIRING_EXTRAS_BYTES_MAX + 1 }));
}

#[test]
fn the_largest_extras_fit_into_a_message() {
    let mut table = Table::new();
    let extras = Some(vec![7; PAIRING_EXTRAS_BYTES_MAX]);
    table.door = PairingDoor::open(table.anna.clone(), extras, table.now, &mut table.rng).unwrap();
    assert!(table.introduce(|_| {}).is_ok());
}

#[test]
fn hostile_first_messages_are_refused_for_their_fault_and_use_nothing_up() {
    let mut table = Table::new();
    let nameplate = table.door.code().nameplate();
    let spake = Bytes([0x42; 33]);
    let hello = |format, nameplate| to_bytes(&PairingMessage::Hello(Hello { format, nameplate, spake }));
    let good = hello(1, nameplate);
    for (attack, message, expected) in [
        ("a format of tomorrow", hello(2, nameplate), PairingError::UnsupportedVersion { format: 2 }),
        ("number 0", hello(1, 0), PairingError::WrongNameplate),
        ("number 65535", hello(1, u16::MAX), PairingError::WrongNameplate),
        ("another message", to_bytes(&PairingMessage::Answer(spake)), PairingError::Unexpected { expected: "a hello" }),
        ("a refusal", to_bytes(&PairingMessage::Refused(Refusal::Ended)), PairingError::Ended),
    ] {
        assert_eq!(table.hello(&message).err(), Some(expected), "{attack}");
    }
    let mut oversized = good.clone();
    oversized.resize(PAIRING_MESSAGE_BYTES_MAX + 1, 0);
    for malformed in [vec![], vec![0xff], good[..good.len() - 1].to_vec(), [good.as_slice(), &[0]].concat(), oversized]
    {
        assert!(matches!(table.hello(&malformed).err(), Some(PairingError::Malformed(_))));
    }
    assert!(table.introduce(|_| {}).is_ok());
}

#[test]
fn a_message_out_of_order_is_refused_with_what_was_expected() {
    let mut table = Table::new();
    let code = table.heard();
    let (joiner, hello) = table.join(&code);
    let (opener, _) = table.hello(&hello).ok().unwrap();
    assert_eq!(joiner.answered(&hello).err(), Some(PairingError::Unexpected { expected: "an answer to the hello" }));
    assert_eq!(
        opener.confirmed(&hello).err(),
        Some(PairingError::Unexpected { expected: "the joiner's confirmation" })
    );
}

#[test]
fn a_point_of_small_order_gives_no_way_in() {
    let mut table = Table::new();
    let nameplate = table.door.code().nameplate();
    let mut spake = [0; 33];
    (spake[0], spake[1]) = (0x42, 1); // the joiner's letter and the identity element
    let hello = PairingMessage::Hello(Hello { format: 1, nameplate, spake: Bytes(spake) }).to_bytes();
    let (opener, _) = table.hello(&hello).ok().unwrap();
    let forged = PairingMessage::JoinerConfirms(Bytes([0; 32])).to_bytes();
    assert_eq!(opener.confirmed(&forged).err(), Some(PairingError::WrongCode));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_messages_never_panic(bytes: Vec<u8>) {
        let mut table = Table::new();
        prop_assert!(table.hello(&bytes).is_err());
        let code = table.heard();
        let (joiner, hello) = table.join(&code);
        prop_assert!(joiner.answered(&bytes).is_err());
        let (opener, _) = table.hello(&hello).ok().unwrap();
        prop_assert!(opener.confirmed(&bytes).is_err());
    }
}
