//! What is signed in a card, and what must hold for it.
//!
//! Own cards and colleagues' pass the same checks; only characters that a screen would have to strip are judged
//! differently: refused in our own, stripped in theirs.

use minicbor::{Decode, Decoder, Encode};

use super::{
    CARD_ADDRESS_BYTES_MAX, CARD_ADDRESSES_MAX, CARD_DEVICES_MAX, CARD_NAME_BYTES_MAX, CARD_PHONE_BYTES_MAX,
    CARD_REVOKED_MAX, CARD_SPECIALTIES_MAX, CARD_SPECIALTY_BYTES_MAX, CardError,
};
use crate::encoding::text::shown;
use crate::encoding::time::Timestamp;
use crate::identity::certificate::DeviceCertificate;
use crate::identity::keys::{DeviceKey, IdentityKey, Signature};

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct SignedStatement {
    #[n(0)]
    pub(super) statement: CardStatement,
    #[n(1)]
    pub(super) signature: Signature,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct CardStatement {
    #[n(0)]
    pub(super) format: u32,
    #[n(1)]
    pub(super) identity: IdentityKey,
    #[n(2)]
    pub(super) serial: u64,
    #[n(3)]
    pub(super) name: String,
    #[n(4)]
    pub(super) site: String,
    #[n(5)]
    pub(super) specialties: Vec<String>,
    #[n(6)]
    pub(super) phone: Option<String>,
    #[n(7)]
    pub(super) addresses: Vec<String>,
    #[n(8)]
    pub(super) devices: Vec<DeviceCertificate>,
    #[n(9)]
    pub(super) revoked: Vec<DeviceKey>,
    #[n(10)]
    pub(super) issued: Timestamp,
    #[n(11)]
    pub(super) expires: Timestamp,
    #[n(12)]
    pub(super) test: bool,
}

impl CardStatement {
    /// What holds for every card, whoever wrote it.
    pub(super) fn check(&self) -> Result<(), CardError> {
        at_most("devices", self.devices.len(), CARD_DEVICES_MAX)?;
        at_most("revoked devices", self.revoked.len(), CARD_REVOKED_MAX)?;
        at_most("specialties", self.specialties.len(), CARD_SPECIALTIES_MAX)?;
        at_most("addresses", self.addresses.len(), CARD_ADDRESSES_MAX)?;
        for (field, text, bytes_max) in self.texts() {
            at_most(field, text.len(), bytes_max)?;
        }
        for (field, text) in [("name", &self.name), ("site", &self.site)] {
            if shown(text).trim().is_empty() {
                return Err(CardError::Empty { field });
            }
        }
        for address in &self.addresses {
            at_most("address", address.len(), CARD_ADDRESS_BYTES_MAX)?;
            if !address.starts_with('/') || !address.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(CardError::Address { address: shown(address).into_owned() });
            }
        }
        self.check_devices()
    }

    fn check_devices(&self) -> Result<(), CardError> {
        if self.devices.is_empty() {
            return Err(CardError::Empty { field: "devices" });
        }
        if !self.devices.is_sorted_by(|a, b| a.device() < b.device()) || !self.revoked.is_sorted_by(|a, b| a < b) {
            return Err(CardError::DeviceTwice);
        }
        for (index, certificate) in self.devices.iter().enumerate() {
            let transport = certificate.statement.transport;
            if self.devices[..index].iter().any(|other| other.statement.transport == transport) {
                return Err(CardError::DeviceTwice);
            }
            if self.revoked.binary_search(&certificate.device()).is_ok() {
                return Err(CardError::RevokedDevice);
            }
            if certificate.identity() != self.identity {
                return Err(CardError::ForeignDevice);
            }
            certificate.verify()?;
        }
        Ok(())
    }

    /// What holds for a card of our own: nothing a colleague's screen would have to strip.
    pub(super) fn check_typed(&self) -> Result<(), CardError> {
        match self.texts().find(|(_, text, _)| shown(text) != *text) {
            Some((field, ..)) => Err(CardError::ControlCharacter { field }),
            None => Ok(()),
        }
    }

    /// Each free text with its field's name and longest length in bytes.
    fn texts(&self) -> impl Iterator<Item = (&'static str, &str, usize)> {
        let specialties = self.specialties.iter().map(|text| ("specialty", text.as_str(), CARD_SPECIALTY_BYTES_MAX));
        [("name", self.name.as_str(), CARD_NAME_BYTES_MAX), ("site", self.site.as_str(), CARD_NAME_BYTES_MAX)]
            .into_iter()
            .chain(self.phone.as_deref().map(|text| ("phone", text, CARD_PHONE_BYTES_MAX)))
            .chain(specialties)
    }
}

fn at_most(field: &'static str, is: usize, max: usize) -> Result<(), CardError> {
    if is > max { Err(CardError::TooMuch { field, is, max }) } else { Ok(()) }
}

/// The format that the bytes claim, so that a card of tomorrow is named as such and not as malformed.
pub(super) fn format_of(bytes: &[u8]) -> Option<u32> {
    let mut decoder = Decoder::new(bytes);
    decoder.map().ok()??;
    (decoder.u8().ok()? == 0).then_some(())?;
    decoder.map().ok()??;
    (decoder.u8().ok()? == 0).then_some(())?;
    decoder.u32().ok()
}
