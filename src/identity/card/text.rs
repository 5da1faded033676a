//! A card as text: what is mailed, printed or put on a stick as `*.card`.
//!
//! The card's bytes in base64 between two lines, and above them a few lines for people, which are never read back:
//! what they say could have been edited by anybody.

use data_encoding::BASE64;

use super::{Card, CardError};
use crate::encoding::DecodeError;

/// Longest text that is searched for a card, in bytes.
pub const CARD_TEXT_BYTES_MAX: usize = 64 * 1024;

pub(super) const TEXT_BEGIN: &str = "-----BEGIN OVERREAD CARD-----";
pub(super) const TEXT_END: &str = "-----END OVERREAD CARD-----";
const TEXT_COLUMNS: usize = 64;

impl Card {
    /// Reads and verifies the one card in a text.
    pub fn from_text(text: &str) -> Result<Self, CardError> {
        if text.len() > CARD_TEXT_BYTES_MAX {
            return Err(DecodeError::TooLong { bytes: text.len(), max_bytes: CARD_TEXT_BYTES_MAX }.into());
        }
        let mut lines = text.lines().map(str::trim).skip_while(|line| *line != TEXT_BEGIN);
        lines.next().ok_or(CardError::NoCard)?;
        let mut base64 = String::new();
        loop {
            match lines.next() {
                Some(TEXT_END) => break,
                Some(line) => base64.push_str(line),
                None => return Err(CardError::CutOff),
            }
        }
        if lines.any(|line| line == TEXT_BEGIN) {
            return Err(CardError::SeveralCards);
        }
        Self::from_bytes(&BASE64.decode(base64.as_bytes()).map_err(|_| CardError::NotBase64)?)
    }

    /// The text form, with lines for people above it.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "# Overread card of {}, {}\n# Fingerprint: {}\n# Lines above the next one are for people; the program does not read them.\n{TEXT_BEGIN}\n",
            self.name(),
            self.site(),
            self.fingerprint()
        );
        let base64 = BASE64.encode(&self.to_bytes());
        for line in base64.as_bytes().chunks(TEXT_COLUMNS) {
            text.extend(line.iter().map(|byte| char::from(*byte)));
            text.push('\n');
        }
        text.push_str(TEXT_END);
        text.push('\n');
        text
    }
}
