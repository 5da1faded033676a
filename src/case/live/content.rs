//! What is said live: a kind and its fields, as in an entry's sealed part.
//!
//! Nothing typed is in here: what a person types is compared with the patient's data before it is sealed, and nobody
//! could review words at thirty a second. A kind that this program does not know is dropped without a word.

use minicbor::{Decode, Decoder, Encode, Encoder};

use super::{LIVE_BYTES_MAX, LIVE_KINDS_MAX};
use crate::case::access::Role;
use crate::case::content::{ContentError, ImageRef, Point, Shape, check_drawing};
use crate::encoding::{from_bytes, to_bytes};

/// One thing said live.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveContent {
    Presence(Presence),
    Pencil(PencilNow),
    /// A kind this program does not know.
    Unknown(u8),
}

/// Kind numbers. The format keeps 2 pointer, 3 presenter's view and 4 availability for kinds that come later.
mod kind {
    pub(super) const PRESENCE: u8 = 0;
    pub(super) const PENCIL: u8 = 1;
}

/// Whether the device has the case open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Presence {
    #[n(0)]
    pub here: bool,
}

/// What the device's pencil draws now.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct PencilNow {
    /// Absent: nothing any more.
    #[n(0)]
    pub pencil: Option<Pencil>,
}

/// A mark while it is drafted.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Pencil {
    #[n(0)]
    pub image: ImageRef,
    #[n(1)]
    pub shape: Shape,
    /// As many as are drawn by now.
    #[n(2)]
    pub points: Vec<Point>,
}

impl LiveContent {
    /// The bytes that are sealed.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// Reads what was sealed; the author may be hostile, so every field is checked against its limit.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ContentError> {
        let content: Self = match from_bytes(bytes, LIVE_BYTES_MAX) {
            Ok(content) => content,
            Err(error) => return unknown_kind(bytes).ok_or(ContentError::Encoding(error)),
        };
        content.check()?;
        Ok(content)
    }

    /// The number of its kind, which is the slot it travels in.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Presence(_) => kind::PRESENCE,
            Self::Pencil(_) => kind::PENCIL,
            Self::Unknown(number) => *number,
        }
    }

    /// Least role that may say this: who may draw marks shows a pencil, whoever reads shows that she is here.
    pub fn needed_role(&self) -> Role {
        match self {
            Self::Presence(_) | Self::Unknown(_) => Role::Observer,
            Self::Pencil(_) => Role::Reader,
        }
    }

    /// Checks lengths, ranges and list sizes.
    pub fn check(&self) -> Result<(), ContentError> {
        match self {
            // It is drawn nowhere.
            Self::Pencil(PencilNow { pencil: Some(Pencil { shape: Shape::KeyImage, .. }) }) => {
                Err(ContentError::Field("shape"))
            }
            Self::Pencil(PencilNow { pencil: Some(pencil) }) => {
                check_drawing(&pencil.image, pencil.shape, &pencil.points)
            }
            Self::Presence(_) | Self::Pencil(_) | Self::Unknown(_) => Ok(()),
        }
    }
}

/// The number of a kind that is not known here, if the bytes are otherwise in form.
fn unknown_kind(bytes: &[u8]) -> Option<LiveContent> {
    let mut decoder = Decoder::new(bytes);
    let number = (decoder.array().ok()? == Some(2)).then(|| decoder.u8().ok())??;
    decoder.skip().ok()?;
    let is_unknown = number > kind::PENCIL && number < LIVE_KINDS_MAX;
    (is_unknown && decoder.position() == bytes.len()).then_some(LiveContent::Unknown(number))
}

impl<C> Encode<C> for LiveContent {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(2)?.u8(self.kind())?;
        match self {
            Self::Presence(value) => e.encode_with(value, context)?.ok(),
            Self::Pencil(value) => e.encode_with(value, context)?.ok(),
            Self::Unknown(_) => Err(minicbor::encode::Error::message("an unknown kind is never written")),
        }
    }
}

impl<'b, C> Decode<'b, C> for LiveContent {
    fn decode(d: &mut Decoder<'b>, context: &mut C) -> Result<Self, minicbor::decode::Error> {
        if d.array()? != Some(2) {
            return Err(minicbor::decode::Error::message("content is a kind and its fields"));
        }
        Ok(match d.u8()? {
            kind::PRESENCE => Self::Presence(d.decode_with(context)?),
            kind::PENCIL => Self::Pencil(d.decode_with(context)?),
            _ => return Err(minicbor::decode::Error::message("a kind this program does not know")),
        })
    }
}
