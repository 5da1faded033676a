//! The side that shows the code.

use std::time::Instant;

use super::code::SpokenCode;
use super::decision::AwaitingDecisions;
use super::exchange::{Role, Session, Started};
use super::message::PairingMessage;
use super::{PAIRING_CODE_LIFE, PAIRING_CODES_MAX, PAIRING_EXTRAS_BYTES_MAX, PairingError};
use crate::encoding::random::CryptoRng;
use crate::identity::card::Card;

/// An open door: three codes, one after the other, each good for one try within two minutes.
pub struct PairingDoor {
    card: Card,
    extras: Option<Vec<u8>>,
    code: SpokenCode,
    opened: Instant,
    used: bool,
    codes_left: u32,
}

impl PairingDoor {
    /// Opens the door with a first code. `extras` go sealed to whoever proves the code, beside the card.
    pub fn open(
        card: Card,
        extras: Option<Vec<u8>>,
        now: Instant,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, PairingError> {
        let bytes = extras.as_ref().map_or(0, Vec::len);
        if bytes > PAIRING_EXTRAS_BYTES_MAX {
            return Err(PairingError::ExtrasTooLong { bytes });
        }
        let code = SpokenCode::random(rng);
        Ok(Self { card, extras, code, opened: now, used: false, codes_left: PAIRING_CODES_MAX - 1 })
    }

    /// The code to read aloud now.
    pub fn code(&self) -> &SpokenCode {
        &self.code
    }

    /// Whether the code still waits for its one try.
    pub fn code_is_good(&self, now: Instant) -> bool {
        !self.used && now.saturating_duration_since(self.opened) < PAIRING_CODE_LIFE
    }

    /// When the code ends by itself; bring this moment back to [`PairingDoor::code_is_good`].
    pub fn code_ends(&self) -> Instant {
        // A moment near now and two minutes do not overflow; if they did, the code would end at once.
        self.opened.checked_add(PAIRING_CODE_LIFE).unwrap_or(self.opened)
    }

    /// Replaces a used or old code by the next one.
    pub fn next_code(&mut self, now: Instant, rng: &mut impl CryptoRng) -> Result<&SpokenCode, PairingError> {
        self.codes_left = self.codes_left.checked_sub(1).ok_or(PairingError::NoCodesLeft)?;
        self.code = SpokenCode::random(rng);
        self.opened = now;
        self.used = false;
        Ok(&self.code)
    }

    /// Takes a joiner's first message. From here on the code is used up, whatever becomes of this try; a wrong number
    /// alone uses nothing up.
    pub fn hello(
        &mut self,
        message: &[u8],
        now: Instant,
        rng: &mut impl CryptoRng,
    ) -> Result<(AwaitingJoinerConfirmation, Vec<u8>), PairingError> {
        let PairingMessage::Hello(hello) = PairingMessage::read(message)? else {
            return Err(PairingError::Unexpected { expected: "a hello" });
        };
        if hello.nameplate != self.code.nameplate() {
            return Err(PairingError::WrongNameplate);
        }
        if self.used {
            return Err(PairingError::CodeUsed);
        }
        if !self.code_is_good(now) {
            return Err(PairingError::CodeExpired);
        }
        self.used = true;
        let started = Started::new(Role::Opener, &self.code, rng);
        let answer = PairingMessage::Answer(started.message).to_bytes();
        let session = started.finish(&hello.spake)?;
        Ok((AwaitingJoinerConfirmation { session, card: self.card.clone(), extras: self.extras.clone() }, answer))
    }
}

/// The opener has answered; the joiner must show that she holds the key.
pub struct AwaitingJoinerConfirmation {
    session: Session,
    card: Card,
    extras: Option<Vec<u8>>,
}

impl AwaitingJoinerConfirmation {
    pub fn confirmed(self, message: &[u8]) -> Result<(AwaitingJoinerCard, Vec<u8>), PairingError> {
        let PairingMessage::JoinerConfirms(confirmation) = PairingMessage::read(message)? else {
            return Err(PairingError::Unexpected { expected: "the joiner's confirmation" });
        };
        self.session.check_confirmation(&confirmation)?;
        let introduction = self.session.seal_introduction(&self.card, self.extras.as_deref())?;
        let reply = PairingMessage::OpenerConfirms(self.session.confirmation(), introduction).to_bytes();
        Ok((AwaitingJoinerCard { session: self.session, card: self.card }, reply))
    }
}

/// The joiner has proved the code; her card is awaited.
pub struct AwaitingJoinerCard {
    session: Session,
    card: Card,
}

impl AwaitingJoinerCard {
    pub fn introduced(self, message: &[u8]) -> Result<AwaitingDecisions, PairingError> {
        let PairingMessage::JoinerCard(sealed) = PairingMessage::read(message)? else {
            return Err(PairingError::Unexpected { expected: "the joiner's card" });
        };
        // Extras go one way only; a joiner's are dropped unread.
        let (theirs, _) = self.session.open_introduction(sealed, &self.card)?;
        Ok(AwaitingDecisions::new(self.session, &self.card, theirs, None))
    }
}
