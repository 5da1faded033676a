//! Pairing messages: what a stranger says to each side in each state.

#![no_main]

use std::sync::LazyLock;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use overread::encoding::random::Seeded;
use overread::identity::card::Card;
use overread::identity::pairing::{AwaitingAnswer, Decision, PairingDoor, SpokenCode};
use overread_fuzz::Parts;

static OPENER: LazyLock<Card> = LazyLock::new(|| card(include_str!("../../keys/samples/anna-weiss.card")));
static JOINER: LazyLock<Card> = LazyLock::new(|| card(include_str!("../../keys/samples/jun-tanaka.card")));

fn card(text: &str) -> Card {
    Card::from_text(text).expect("a sample card")
}

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts(data);
    let state = parts.byte();
    let message = parts.rest();
    let (now, mut rng) = (Instant::now(), Seeded::new(1));
    let extras = (state & 8 != 0).then(|| message.to_vec());
    let Ok(mut door) = PairingDoor::open(OPENER.clone(), extras, now, &mut rng) else { return };
    if state & 7 == 0 {
        let _ = door.hello(message, now, &mut rng);
        return;
    }
    let code = SpokenCode::parse(&door.code().spoken()).expect("a code that was just made");
    let (joiner, hello) = AwaitingAnswer::start(&code, JOINER.clone(), &mut rng);
    if state & 7 == 1 {
        let _ = joiner.answered(message);
        return;
    }
    let (opener, answer) = door.hello(&hello, now, &mut rng).expect("an honest hello");
    let (joiner, confirmation) = joiner.answered(&answer).expect("an honest answer");
    if state & 7 == 2 {
        let _ = opener.confirmed(message);
        return;
    }
    let (opener, introduction) = opener.confirmed(&confirmation).expect("an honest confirmation");
    if state & 7 == 3 {
        let _ = joiner.confirmed(message);
        return;
    }
    let (mut joiner, card) = joiner.confirmed(&introduction).expect("an honest introduction");
    if state & 7 == 4 {
        let _ = opener.introduced(message);
        return;
    }
    let mut opener = opener.introduced(&card).expect("an honest card");
    let _ = opener.decided(message);
    let decision = joiner.decide(Decision::Accept).expect("the first decision");
    assert!(opener.decided(&decision).is_ok());
});
