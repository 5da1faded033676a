//! How things become bytes, and bytes things again.
//!
//! The lowest room of the house: everything above agrees here on one deterministic CBOR (RFC 8949 §4.2), on
//! the labels of signatures and derived keys ([`labels`]), on typed ids ([`id`]), on text that cannot trick a
//! terminal ([`text`]), on patient data that cannot print itself ([`private`]), on time ([`time`]) and on where
//! random bytes come from ([`random`]). It knows nothing of cases, keys or files.
//!
//! Decoding is strict: what does not re-encode to the very same bytes is refused, so a signed thing has one
//! form only, and an unknown or repeated field cannot ride along.

use minicbor::{Decode, Encode};

pub mod id;
pub mod labels;
pub mod private;
pub mod random;
pub mod text;
pub mod time;

/// Encodes a value as deterministic CBOR.
pub fn to_bytes<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Encoding into a Vec fails only if a custom Encode implementation reports an error; none of ours does.
    minicbor::encode(value, &mut bytes).unwrap_or_default();
    bytes
}

/// Decodes bytes that must be the deterministic encoding of a `T` and at most `max_bytes` long.
pub fn from_bytes<'b, T>(bytes: &'b [u8], max_bytes: usize) -> Result<T, DecodeError>
where
    T: Decode<'b, ()> + Encode<()>,
{
    if bytes.len() > max_bytes {
        return Err(DecodeError::TooLong { bytes: bytes.len(), max_bytes });
    }
    let mut decoder = minicbor::Decoder::new(bytes);
    let value: T = decoder.decode().map_err(|error| DecodeError::Malformed(error.to_string()))?;
    if decoder.position() != bytes.len() {
        return Err(DecodeError::TrailingBytes(bytes.len() - decoder.position()));
    }
    if to_bytes(&value) != bytes {
        return Err(DecodeError::NotDeterministic);
    }
    Ok(value)
}

/// Why bytes were refused before anything was read out of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("{bytes} bytes where at most {max_bytes} are allowed")]
    TooLong { bytes: usize, max_bytes: usize },
    #[error("not the expected CBOR: {0}")]
    Malformed(String),
    #[error("{0} bytes follow the end")]
    TrailingBytes(usize),
    #[error("not in the one deterministic form (RFC 8949 §4.2)")]
    NotDeterministic,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Encode, Decode)]
    #[cbor(map)]
    struct Sample {
        #[n(0)]
        number: u32,
        #[n(1)]
        text: Option<String>,
    }

    const LIMIT: usize = 64;

    #[test]
    fn what_is_written_is_read_back() {
        let sample = Sample { number: 7, text: Some("a".into()) };
        assert_eq!(from_bytes::<Sample>(&to_bytes(&sample), LIMIT), Ok(sample));
    }

    #[test]
    fn a_longer_form_of_the_same_number_is_refused() {
        // {0: 7} with the 7 spelled in two bytes.
        assert_eq!(from_bytes::<Sample>(&[0xa1, 0x00, 0x18, 0x07], LIMIT), Err(DecodeError::NotDeterministic));
    }

    #[test]
    fn an_unknown_field_is_refused() {
        assert_eq!(from_bytes::<Sample>(&[0xa2, 0x00, 0x07, 0x09, 0x07], LIMIT), Err(DecodeError::NotDeterministic));
    }

    #[test]
    fn an_indefinite_map_is_refused() {
        assert_eq!(from_bytes::<Sample>(&[0xbf, 0x00, 0x07, 0xff], LIMIT), Err(DecodeError::NotDeterministic));
    }

    #[test]
    fn trailing_bytes_and_long_input_are_refused() {
        assert_eq!(from_bytes::<Sample>(&[0xa1, 0x00, 0x07, 0x00], LIMIT), Err(DecodeError::TrailingBytes(1)));
        assert_eq!(from_bytes::<Sample>(&[0; 65], LIMIT), Err(DecodeError::TooLong { bytes: 65, max_bytes: LIMIT }));
    }
}
