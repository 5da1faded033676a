//! What a reader must know about a picture before judging by it: words in the corner of each viewport.
//!
//! A terminal is no calibrated display. These words are the least honesty asks for, and nothing else decides them
//! than the protocol, the ratio of screen to image pixels, and the modality.

use std::fmt;

use super::detect::Protocol;

/// DICOM's code for mammography, in Modality (0008,0060).
const MAMMOGRAPHY: &str = "MG";

/// A reason for caution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// Mammography, wherever and however it is shown.
    NotForReading,
    /// Drawn with characters: where one is, not what one sees.
    OrientationOnly,
    /// So many image pixels share a screen pixel, along a line.
    Reduced { image_px_per_screen_px: f64 },
}

/// All that hold, the gravest first. `screen_px_per_image_px` is the least of the two directions.
pub fn limits(protocol: Protocol, screen_px_per_image_px: f64, modality: &str) -> Vec<Limit> {
    let mut limits = Vec::new();
    if modality.trim().eq_ignore_ascii_case(MAMMOGRAPHY) {
        limits.push(Limit::NotForReading);
    }
    if protocol == Protocol::HalfBlocks {
        limits.push(Limit::OrientationOnly);
    }
    // A ratio that is none (NaN, or nothing shown) is no reason to call a picture whole.
    if screen_px_per_image_px.is_nan() || screen_px_per_image_px < 1.0 - RATIO_TOLERANCE {
        limits.push(Limit::Reduced { image_px_per_screen_px: 1.0 / screen_px_per_image_px });
    }
    limits
}

/// Rounding of a viewport to whole pixels is no reduction: less than half a pixel in a thousand.
const RATIO_TOLERANCE: f64 = 0.0005;

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotForReading => f.write_str("not for reading"),
            Self::OrientationOnly => f.write_str("orientation only"),
            Self::Reduced { image_px_per_screen_px: n } if n.is_finite() && n > 0.0 => {
                // Rounded up: never better than it is.
                let tenths = (n * 10.0 - 1e-6).ceil().max(11.0);
                let decimals = usize::from(tenths % 10.0 != 0.0);
                write!(f, "reduced 1:{:.decimals$}", tenths / 10.0)
            }
            Self::Reduced { .. } => f.write_str("reduced"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(protocol: Protocol, ratio: f64, modality: &str) -> String {
        limits(protocol, ratio, modality).iter().map(Limit::to_string).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_picture_with_all_its_pixels_needs_no_words() {
        assert_eq!(said(Protocol::Kitty, 1.0, "CT"), "");
        assert_eq!(said(Protocol::Sixel, 1.56, "CT"), "");
        assert_eq!(said(Protocol::Iterm2, 0.9999, "CT"), "");
    }

    #[test]
    fn fewer_screen_than_image_pixels_are_said_and_never_rounded_down() {
        assert_eq!(said(Protocol::Kitty, 0.5, "CT"), "reduced 1:2");
        assert_eq!(said(Protocol::Kitty, 0.65, "CT"), "reduced 1:1.6");
        assert_eq!(said(Protocol::Kitty, 0.99, "CT"), "reduced 1:1.1");
        assert_eq!(said(Protocol::Kitty, 0.1, "DX"), "reduced 1:10");
    }

    #[test]
    fn a_ratio_that_is_none_counts_as_reduced() {
        for ratio in [f64::NAN, 0.0, -1.0, f64::NEG_INFINITY] {
            assert_eq!(said(Protocol::Kitty, ratio, "CT"), "reduced", "{ratio}");
        }
    }

    #[test]
    fn cell_graphics_are_for_orientation_only() {
        assert_eq!(said(Protocol::HalfBlocks, 0.2, "CT"), "orientation only, reduced 1:5");
        assert_eq!(said(Protocol::HalfBlocks, 2.0, "NM"), "orientation only");
    }

    #[test]
    fn mammography_is_never_for_reading() {
        assert_eq!(said(Protocol::Kitty, 1.0, "MG"), "not for reading");
        assert_eq!(said(Protocol::HalfBlocks, 0.25, " mg"), "not for reading, orientation only, reduced 1:4");
    }
}
