//! What a reader must know about a picture before judging by it: words in the corner of each viewport.
//!
//! A terminal is no calibrated display. These words are the least honesty asks for, and nothing else decides them
//! than the protocol and the modality; how far an image is reduced stands beside them (`view::corner`).

use std::fmt;

use super::detect::Protocol;

/// DICOM's code for mammography, in Modality (0008,0060).
const MAMMOGRAPHY: &str = "MG";

/// A reason for caution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Mammography, wherever and however it is shown.
    NotForReading,
    /// No pictures are shown at all.
    NoPictures,
    /// Drawn with characters: where one is, not what one sees.
    OrientationOnly,
}

/// All that hold, the gravest first.
pub fn limits(protocol: Protocol, modality: &str) -> Vec<Limit> {
    let mut limits = Vec::new();
    if modality.trim().eq_ignore_ascii_case(MAMMOGRAPHY) {
        limits.push(Limit::NotForReading);
    }
    match protocol {
        Protocol::None => limits.push(Limit::NoPictures),
        Protocol::HalfBlocks => limits.push(Limit::OrientationOnly),
        _ => {}
    }
    limits
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotForReading => f.write_str("not for reading"),
            Self::NoPictures => f.write_str("pictures are off"),
            Self::OrientationOnly => f.write_str("orientation only"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(protocol: Protocol, modality: &str) -> String {
        limits(protocol, modality).iter().map(Limit::to_string).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn pixels_need_no_words_and_cells_are_for_orientation_only() {
        assert_eq!(said(Protocol::Kitty, "CT"), "");
        assert_eq!(said(Protocol::Sixel, "CT"), "");
        assert_eq!(said(Protocol::HalfBlocks, "NM"), "orientation only");
        assert_eq!(said(Protocol::None, "NM"), "pictures are off");
    }

    #[test]
    fn mammography_is_never_for_reading() {
        assert_eq!(said(Protocol::Kitty, "MG"), "not for reading");
        assert_eq!(said(Protocol::HalfBlocks, " mg"), "not for reading, orientation only");
    }
}
