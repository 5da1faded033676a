//! Who may say and hear things live in a case, and the bytes in which they are said.
//!
//! A live message is a *statement* and the device's signature over it. The statement names the case, the device, the
//! epoch, the session and a counter, and holds the sealed content. One hop: it is taken only from the very device that
//! signed it, over a session that this device opened with its own transport key, so that nobody has any use for another
//! one's messages.
//!
//! The epoch is the one that a program with the same entries would write an entry under now. Where two devices have
//! not yet the same entries they may not hear each other for a moment; what holds is said again every second.

use std::collections::BTreeMap;

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::LIVE_BYTES_MAX;
use super::content::LiveContent;
use crate::case::access::Role;
use crate::case::content::ContentError;
use crate::case::room::{Author, Room};
use crate::encoding::id::{Bytes, CaseId, EntryId};
use crate::encoding::labels::{FORMAT_VERSION, SIGN_LIVE};
use crate::encoding::random::{self, CryptoRng};
use crate::encoding::{DecodeError, from_bytes, to_bytes};
use crate::identity::keys::{BadSignature, DeviceKey, IdentityKey, Signature, verify};
use crate::seal::aead::OpenError;
use crate::seal::epoch::EpochSecret;

/// The devices that read a case now, and the secret of its epoch.
pub struct Circle {
    case: CaseId,
    epoch: EntryId,
    secret: EpochSecret,
    devices: BTreeMap<DeviceKey, (IdentityKey, Role)>,
}

/// Where a message stands among those of its device. Later sessions count higher, and so do later counters of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LivePlace {
    pub session: u64,
    pub counter: u64,
}

/// A message that holds.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenedLive {
    pub identity: IdentityKey,
    pub place: LivePlace,
    pub content: LiveContent,
}

/// What the device signs.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Statement {
    #[n(0)]
    format: u32,
    #[n(1)]
    case: CaseId,
    #[n(2)]
    device: DeviceKey,
    #[n(3)]
    epoch: EntryId,
    #[n(4)]
    session: u64,
    #[n(5)]
    counter: u64,
    #[n(6)]
    salt: Bytes<32>,
    #[n(7)]
    sealed: ByteVec,
}

/// The form on the wire.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Wire {
    #[n(0)]
    statement: ByteVec,
    #[n(1)]
    signature: Signature,
}

impl Statement {
    /// What the sealed part is bound to: the statement with nothing sealed.
    fn associated_data(&self) -> Vec<u8> {
        let Self { format, case, device, epoch, session, counter, salt, .. } = *self;
        to_bytes(&Self { format, case, device, epoch, session, counter, salt, sealed: ByteVec::from(Vec::new()) })
    }
}

impl Circle {
    /// The circle of a case as it stands; none while no clean epoch is there, or its secret is not here. Then nothing
    /// is said live: only an entry starts an epoch.
    pub fn of(room: &Room) -> Option<Self> {
        let membership = room.membership();
        let epoch = membership.sealing_epoch()?.id;
        let secret = room.keyring().secret(&epoch)?.duplicate();
        let readers = membership.members().into_iter().filter(|(_, member)| member.role.reads());
        let devices = readers.flat_map(|(identity, member)| {
            let role = member.role;
            member.devices.into_keys().map(move |device| (device, (identity, role)))
        });
        Some(Self { case: room.case(), epoch, secret, devices: devices.collect() })
    }

    pub fn case(&self) -> CaseId {
        self.case
    }

    /// The person and role of a device in the circle.
    pub fn person(&self, device: &DeviceKey) -> Option<(IdentityKey, Role)> {
        self.devices.get(device).copied()
    }

    /// Seals and signs one message.
    pub fn seal(
        &self,
        author: &Author<'_>,
        place: LivePlace,
        content: &LiveContent,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, LiveError> {
        content.check()?;
        let device = author.secrets.device();
        self.check_role(&device, content)?;
        let salt = Bytes(random::bytes(rng));
        let mut statement = Statement {
            format: FORMAT_VERSION,
            case: self.case,
            device,
            epoch: self.epoch,
            session: place.session,
            counter: place.counter,
            salt,
            sealed: ByteVec::from(Vec::new()),
        };
        let key = self.secret.live_key(self.case, device, &salt.0);
        statement.sealed = key.seal(&statement.associated_data(), content.to_bytes())?.into();
        let statement = to_bytes(&statement);
        let signature = author.secrets.signing.sign(SIGN_LIVE, &statement);
        let bytes = to_bytes(&Wire { statement: statement.into(), signature });
        match bytes.len() {
            bytes if bytes > LIVE_BYTES_MAX => Err(DecodeError::TooLong { bytes, max_bytes: LIVE_BYTES_MAX }.into()),
            _ => Ok(bytes),
        }
    }

    /// Reads, verifies and opens a message that `from` sent. Whether it is newer than what was heard before is for
    /// [`super::heard::Heard`] to say.
    pub fn open(&self, from: DeviceKey, bytes: &[u8]) -> Result<OpenedLive, LiveError> {
        let wire: Wire = from_bytes(bytes, LIVE_BYTES_MAX)?;
        let statement: Statement = from_bytes(&wire.statement, LIVE_BYTES_MAX)?;
        if statement.format != FORMAT_VERSION {
            return Err(LiveError::OtherFormat(statement.format));
        }
        if statement.case != self.case {
            return Err(LiveError::OtherCase);
        }
        if statement.device != from {
            return Err(LiveError::Forwarded);
        }
        let (identity, _) = self.person(&from).ok_or(LiveError::Stranger)?;
        if statement.epoch != self.epoch {
            return Err(LiveError::OtherEpoch);
        }
        verify(&from.0, SIGN_LIVE, &wire.statement, &wire.signature)?;
        let key = self.secret.live_key(self.case, from, &statement.salt.0);
        let content = LiveContent::from_bytes(&key.open(&statement.associated_data(), &statement.sealed)?)?;
        self.check_role(&from, &content)?;
        let place = LivePlace { session: statement.session, counter: statement.counter };
        Ok(OpenedLive { identity, place, content })
    }

    fn check_role(&self, device: &DeviceKey, content: &LiveContent) -> Result<(), LiveError> {
        let (_, has) = self.person(device).ok_or(LiveError::Stranger)?;
        let needed = content.needed_role();
        if has < needed { Err(LiveError::NeedsRole { has, needed }) } else { Ok(()) }
    }
}

/// Why a live message is not said, or not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LiveError {
    #[error(transparent)]
    Encoding(#[from] DecodeError),
    #[error("written in format {0}, which this program does not know")]
    OtherFormat(u32),
    #[error("it is of another case")]
    OtherCase,
    #[error("it is not of the device that sent it")]
    Forwarded,
    #[error("its device is of no member who reads")]
    Stranger,
    #[error("it is sealed under another epoch than entries are now")]
    OtherEpoch,
    #[error("not signed by the device it names")]
    Signature(#[from] BadSignature),
    #[error(transparent)]
    Sealed(#[from] OpenError),
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error("its kind is not that of the slot it came in")]
    OtherKind,
    #[error("it needs the role {}; its author is {}", needed.word(), has.word())]
    NeedsRole { has: Role, needed: Role },
    #[error("a newer one was heard before")]
    Old,
    #[error("its device sends more than it may")]
    Flood,
}
