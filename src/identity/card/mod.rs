//! The card: what a person hands to colleagues so that they can reach her and seal to her.
//!
//! A [`Card`] is the signed public half of an identity with *all* its devices under one serial (format 2). There is
//! no unverified `Card`: [`Card::from_bytes`] and [`Card::from_text`] check encoding, limits, every certificate and
//! the signature, and nothing else makes one but [`Card::issue`]. What a card claims about name and site is only a
//! claim; whether it is *hers* is for [`super::trust`] and for people.
//!
//! [`text`] is the form of `*.card` files; [`merge`] says what a later card of the same person means.

use std::borrow::Cow;

use minicbor::{Decode, Decoder, Encode, Encoder};

use super::certificate::{CertificateError, DeviceCertificate};
use super::keys::{BadSignature, DeviceKey, IdentityKey, Signature, SigningSecret, TransportKey, verify};
use crate::encoding::id::base32;
use crate::encoding::labels::{FORMAT_VERSION, SIGN_CARD};
use crate::encoding::text::shown;
use crate::encoding::time::{DAY_MS, Timestamp};
use crate::encoding::{DecodeError, from_bytes, to_bytes};

pub mod merge;
mod statement;
pub mod text;

pub use merge::{CardConflict, CardMerge, MergeError};
use statement::{CardStatement, SignedStatement, format_of};

/// Longest card in bytes.
pub const CARD_BYTES_MAX: usize = 16 * 1024;

/// Most devices of one person.
pub const CARD_DEVICES_MAX: usize = 6;

/// Most revoked devices that a card remembers.
pub const CARD_REVOKED_MAX: usize = 64;

/// Longest name, and longest site, in bytes of UTF-8.
pub const CARD_NAME_BYTES_MAX: usize = 128;

/// Most specialties, and the longest of them in bytes of UTF-8.
pub const CARD_SPECIALTIES_MAX: usize = 8;
pub const CARD_SPECIALTY_BYTES_MAX: usize = 64;

/// Longest phone or pager number in bytes of UTF-8.
pub const CARD_PHONE_BYTES_MAX: usize = 64;

/// Most addresses, and the longest of them in bytes.
pub const CARD_ADDRESSES_MAX: usize = 16;
pub const CARD_ADDRESS_BYTES_MAX: usize = 256;

/// How long a card is valid unless said otherwise, in milliseconds (two years).
pub const CARD_VALID_MS: i64 = 2 * 365 * DAY_MS;

/// What a person says about herself on her card.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CardDetails {
    pub name: String,
    pub site: String,
    pub specialties: Vec<String>,
    /// Phone or pager.
    pub phone: Option<String>,
    /// Multiaddresses, as libp2p writes them.
    pub addresses: Vec<String>,
    /// The keys are published test keys: the card is refused outside demo and tests.
    pub test: bool,
}

/// The verified public half of an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    statement: CardStatement,
    signature: Signature,
}

impl Card {
    /// A serial higher than that of the card before, and, where that one is not at hand (a restored home), higher than
    /// what it can have been.
    pub fn next_serial(previous: Option<&Card>, now: Timestamp) -> u64 {
        let after = previous.map_or(1, |card| card.serial().saturating_add(1));
        after.max(u64::try_from(now.0).unwrap_or_default())
    }

    /// Signs a card; two cards must never share a serial ([`Card::next_serial`]). The certificates must be of this identity; order does not matter.
    pub fn issue(
        identity: &SigningSecret,
        serial: u64,
        details: CardDetails,
        mut devices: Vec<DeviceCertificate>,
        mut revoked: Vec<DeviceKey>,
        issued: Timestamp,
        expires: Timestamp,
    ) -> Result<Self, CardError> {
        let tidy = |text: &str| text.trim().to_owned();
        devices.sort_by_key(DeviceCertificate::device);
        revoked.sort_unstable();
        let statement = CardStatement {
            format: FORMAT_VERSION,
            identity: IdentityKey(identity.public()),
            serial,
            name: tidy(&details.name),
            site: tidy(&details.site),
            specialties: details.specialties.iter().map(|text| tidy(text)).collect(),
            phone: details.phone.as_deref().map(tidy).filter(|text| !text.is_empty()),
            addresses: details.addresses,
            devices,
            revoked,
            issued,
            expires,
            test: details.test,
        };
        statement.check_typed()?;
        statement.check()?;
        let signature = identity.sign(SIGN_CARD, &to_bytes(&statement));
        let card = Self { statement, signature };
        let bytes = card.to_bytes().len();
        if bytes > CARD_BYTES_MAX {
            return Err(DecodeError::TooLong { bytes, max_bytes: CARD_BYTES_MAX }.into());
        }
        Ok(card)
    }

    /// Reads and verifies a card.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CardError> {
        if let Some(format) = format_of(bytes).filter(|format| *format != FORMAT_VERSION) {
            return Err(CardError::UnsupportedVersion { format });
        }
        let wire: SignedStatement = from_bytes(bytes, CARD_BYTES_MAX)?;
        let card = Self { statement: wire.statement, signature: wire.signature };
        card.verify()?;
        Ok(card)
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(&SignedStatement { statement: self.statement.clone(), signature: self.signature })
    }

    fn verify(&self) -> Result<(), CardError> {
        let statement = &self.statement;
        statement.check()?;
        verify(&statement.identity.0, SIGN_CARD, &to_bytes(statement), &self.signature)?;
        Ok(())
    }

    pub fn identity(&self) -> IdentityKey {
        self.statement.identity
    }

    pub fn serial(&self) -> u64 {
        self.statement.serial
    }

    /// The claimed name, safe to draw.
    pub fn name(&self) -> Cow<'_, str> {
        shown(&self.statement.name)
    }

    /// The claimed site, safe to draw.
    pub fn site(&self) -> Cow<'_, str> {
        shown(&self.statement.site)
    }

    /// The claimed specialties, safe to draw.
    pub fn specialties(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.statement.specialties.iter().map(|text| shown(text))
    }

    /// The claimed phone or pager number, safe to draw.
    pub fn phone(&self) -> Option<Cow<'_, str>> {
        self.statement.phone.as_deref().map(shown)
    }

    /// Multiaddresses: printable ASCII that starts with a slash; whether libp2p takes them is for it to say.
    pub fn addresses(&self) -> &[String] {
        &self.statement.addresses
    }

    /// The current devices, in key order.
    pub fn devices(&self) -> &[DeviceCertificate] {
        &self.statement.devices
    }

    pub fn device(&self, device: &DeviceKey) -> Option<&DeviceCertificate> {
        self.statement.devices.iter().find(|certificate| certificate.device() == *device)
    }

    pub fn device_of_transport(&self, transport: &TransportKey) -> Option<&DeviceCertificate> {
        self.statement.devices.iter().find(|certificate| certificate.statement.transport == *transport)
    }

    /// Devices that are this person's no more, in key order.
    pub fn revoked(&self) -> &[DeviceKey] {
        &self.statement.revoked
    }

    pub fn issued(&self) -> Timestamp {
        self.statement.issued
    }

    pub fn expires(&self) -> Timestamp {
        self.statement.expires
    }

    /// Expiry is shown and blocks new invitations, nothing else.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.statement.expires
    }

    /// Whether the keys are published test keys.
    pub fn is_test(&self) -> bool {
        self.statement.test
    }

    pub fn fingerprint(&self) -> String {
        fingerprint(&self.identity())
    }

    /// What it says about its person, to issue the next one from.
    pub fn details(&self) -> CardDetails {
        let statement = &self.statement;
        CardDetails {
            name: statement.name.clone(),
            site: statement.site.clone(),
            specialties: statement.specialties.clone(),
            phone: statement.phone.clone(),
            addresses: statement.addresses.clone(),
            test: statement.test,
        }
    }
}

/// A card is written as one byte string, and reading it verifies it.
impl<C> Encode<C> for Card {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.to_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Card {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::from_bytes(d.bytes()?).map_err(|error| minicbor::decode::Error::message(error.to_string()))
    }
}

/// The first 120 bits of the BLAKE3 hash of an identity key, as base32 in groups of four.
pub fn fingerprint(identity: &IdentityKey) -> String {
    let text = base32(&blake3::hash(identity.as_bytes()).as_bytes()[..15]);
    let mut grouped = String::with_capacity(text.len() + text.len() / 4);
    for (index, c) in text.chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            grouped.push('-');
        }
        grouped.push(c);
    }
    grouped
}

/// Why something is no card, or no card can be made of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    #[error("there is no card in it: the line \"{}\" is missing", text::TEXT_BEGIN)]
    NoCard,
    #[error("the card is cut off: the line \"{}\" is missing; copy the whole text", text::TEXT_END)]
    CutOff,
    #[error("there are several cards in it; keep one card a file")]
    SeveralCards,
    #[error("the card's text was damaged on its way: not base64; send it as a file")]
    NotBase64,
    #[error("the card is of format {format}, which needs a newer version of Overread")]
    UnsupportedVersion { format: u32 },
    #[error("the card is damaged: {0}")]
    Malformed(#[from] DecodeError),
    #[error("the card's {field}: {is} where at most {max} are allowed")]
    TooMuch { field: &'static str, is: usize, max: usize },
    #[error("the card's {field} must not be empty")]
    Empty { field: &'static str },
    #[error("the {field} holds a control or invisible character; type it again")]
    ControlCharacter { field: &'static str },
    #[error("\"{address}\" is no network address")]
    Address { address: String },
    #[error("the card names a device twice or out of order")]
    DeviceTwice,
    #[error("the card names a device both as current and as revoked")]
    RevokedDevice,
    #[error("the card names a device of another person")]
    ForeignDevice,
    #[error("a device on the card is not certified: {0}")]
    Certificate(#[from] CertificateError),
    #[error("the card was altered: its signature does not fit")]
    Signature(#[from] BadSignature),
}

#[cfg(test)]
pub(crate) mod tests;
