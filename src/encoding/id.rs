//! Typed 32-byte names, and how a person reads and types them.
//!
//! An id is shown as its kind's letter, a dash and lower-case base32 (RFC 4648, no padding): `c-` case, `s-`
//! study, `m-` mark, `o-` opinion, `p-` person, `d-` device, `i-` what waits in the inbox. It may be shortened to four
//! characters after the dash where that is unique ([`IdPrefix`]).

use std::fmt;

use data_encoding::{BASE32_NOPAD, Specification};
use minicbor::{Decode, Decoder, Encode, Encoder};

/// Length of every id in bytes.
pub const ID_BYTES: usize = 32;

/// Fewest characters after the dash that name something.
pub const ID_PREFIX_CHARS_MIN: usize = 4;

/// Characters after the dash that lists show to a person.
pub const ID_SHOWN_CHARS: usize = 8;

/// Defines a typed 32-byte name: `typed_id!(/// docs Name)`, or with its letter when people type it.
macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $crate::encoding::id::ID_BYTES]);

        impl $name {
            pub fn as_bytes(&self) -> &[u8; $crate::encoding::id::ID_BYTES] {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), $crate::encoding::id::shorten(&$crate::encoding::id::base32(&self.0)))
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                let bytes = d.bytes()?;
                let array = bytes
                    .try_into()
                    .map_err(|_| minicbor::decode::Error::message("a name is 32 bytes long"))?;
                Ok(Self(array))
            }
        }
    };
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        typed_id!($(#[$doc])* $name);

        impl $name {
            /// The letter that stands before the dash.
            pub const LETTER: char = $letter;

            /// The form lists show: the letter and the first eight characters.
            pub fn short(&self) -> String {
                let text = self.to_string();
                text.chars().take(2 + $crate::encoding::id::ID_SHOWN_CHARS).collect()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}-{}", $letter, $crate::encoding::id::base32(&self.0))
            }
        }
    };
}
pub(crate) use typed_id;

typed_id!(
    /// BLAKE3 of an entry's header.
    EntryId
);
typed_id!(
    /// Id of a case's first entry.
    CaseId, 'c'
);
typed_id!(
    /// Name of a study, derived from its study key: the same for all who hold it.
    StudyId, 's'
);
typed_id!(
    /// Id of the entry that first drew a mark.
    MarkId, 'm'
);
typed_id!(
    /// Id of the entry that signed an opinion.
    OpinionId, 'o'
);
typed_id!(
    /// BLAKE3 of a chunk's sealed bytes.
    ChunkId
);

impl From<EntryId> for CaseId {
    fn from(id: EntryId) -> Self {
        Self(id.0)
    }
}

impl From<CaseId> for EntryId {
    fn from(id: CaseId) -> Self {
        Self(id.0)
    }
}

impl From<EntryId> for MarkId {
    fn from(id: EntryId) -> Self {
        Self(id.0)
    }
}

impl From<EntryId> for OpinionId {
    fn from(id: EntryId) -> Self {
        Self(id.0)
    }
}

impl ChunkId {
    /// The name of these sealed bytes.
    pub fn of(sealed: &[u8]) -> Self {
        Self(*blake3::hash(sealed).as_bytes())
    }
}

/// Lower-case base32 without padding.
pub fn base32(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

/// Reads lower- or upper-case base32 without padding.
pub fn from_base32(text: &str) -> Option<Vec<u8>> {
    // The specification is constant and valid, so building it cannot fail; a failure would refuse the text.
    let mut specification = Specification::new();
    specification.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    specification.translate.from.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    specification.translate.to.push_str("abcdefghijklmnopqrstuvwxyz");
    specification.encoding().ok()?.decode(text.as_bytes()).ok()
}

pub(crate) fn shorten(text: &str) -> &str {
    text.get(..ID_SHOWN_CHARS).unwrap_or(text)
}

/// What a person typed to name something: a kind's letter and at least four characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPrefix {
    pub letter: char,
    chars: String,
}

impl IdPrefix {
    /// Reads `c-abcd…`; `None` if the text is no id at all (it may then be a name).
    pub fn parse(text: &str) -> Option<Self> {
        let (letter, chars) = text.split_once('-')?;
        let letter = letter.chars().next().filter(|_| letter.len() == 1)?;
        let well_formed = chars.len() >= ID_PREFIX_CHARS_MIN
            && chars.bytes().all(|b| b.is_ascii_alphabetic() || (b'2'..=b'7').contains(&b));
        ("csmopdi".contains(letter) && well_formed).then(|| Self { letter, chars: chars.to_ascii_lowercase() })
    }

    /// Whether this names the id with that letter and these bytes.
    pub fn matches(&self, letter: char, id: &[u8; ID_BYTES]) -> bool {
        self.letter == letter && base32(id).starts_with(&self.chars)
    }
}

impl fmt::Display for IdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.letter, self.chars)
    }
}

/// A fixed number of bytes as one CBOR byte string (minicbor's own arrays are lists of numbers).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bytes<const N: usize>(pub [u8; N]);

impl<const N: usize> fmt::Debug for Bytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes<{N}>")
    }
}

impl<C, const N: usize> Encode<C> for Bytes<N> {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C, const N: usize> Decode<'b, C> for Bytes<N> {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let array = d.bytes()?.try_into().map_err(|_| minicbor::decode::Error::message("wrong number of bytes"))?;
        Ok(Self(array))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_by_its_first_four_characters() {
        let id = CaseId([7; 32]);
        let typed = id.to_string();
        assert!(IdPrefix::parse(&typed[..6]).is_some_and(|p| p.matches('c', id.as_bytes())));
        assert!(IdPrefix::parse(&typed.to_uppercase().replace("C-", "c-")).is_some_and(|p| p.matches('c', &id.0)));
        assert_eq!(IdPrefix::parse(&typed[..5]), None);
        assert!(!IdPrefix::parse(&typed).is_some_and(|p| p.matches('s', id.as_bytes())));
    }

    #[test]
    fn names_are_not_taken_for_ids() {
        for name in ["Anna-Maria", "x-abcd", "Dr. Weiss", "c-", "c-a b c d", "c-1890"] {
            assert_eq!(IdPrefix::parse(name), None, "{name}");
        }
    }

    #[test]
    fn base32_reads_what_it_writes_in_either_case() {
        let text = base32(&[1, 2, 3]);
        assert_eq!(from_base32(&text), Some(vec![1, 2, 3]));
        assert_eq!(from_base32(&text.to_uppercase()), Some(vec![1, 2, 3]));
        assert_eq!(from_base32("1"), None);
    }
}
