//! What a frame shows as black, and its colours as plain RGB: for who writes pixels anew rather than draws them.

use super::Frame;
use super::description::Photometric;

impl Frame {
    /// Whether of two stored values of a grey frame the lower is shown darker: a negative slope turns that round, and
    /// so does MONOCHROME1 or an inverse presentation.
    pub(in crate::study) fn lower_is_darker(&self, lower: f64, higher: f64) -> bool {
        let rises = self.modality.at(lower) <= self.modality.at(higher);
        rises == self.presentation.rises()
    }

    /// The index of a PALETTE COLOR frame, from `lowest` to `highest`, whose colour is darkest, the first of several;
    /// none without a palette that can be read.
    pub(in crate::study) fn darkest_index(&self, lowest: i64, highest: i64) -> Option<i64> {
        let palette = self.palette.as_ref().filter(|palette| !palette.is_supplemental())?;
        // Brightness in thousandths (PS3.3 C.7.6.3.1.2).
        let brightness = |index: i64| {
            let [red, green, blue] = palette.colour(index as f64).unwrap_or_default().map(u32::from);
            299 * red + 587 * green + 114 * blue
        };
        (lowest..=highest).min_by_key(|index| brightness(*index))
    }

    /// The lowest and highest stored value that stand for "no pixel here".
    pub(in crate::study) fn padding(&self) -> Option<(f64, f64)> {
        self.padding
    }

    /// Red, green and blue of a YBR frame of 8 stored bits, as it is shown.
    pub(in crate::study) fn rgb_of_ybr(&self) -> Option<Vec<u8>> {
        let is_ybr = matches!(
            self.photometric(),
            Photometric::YbrFull | Photometric::YbrFull422 | Photometric::YbrPartial420 | Photometric::YbrPartial422
        );
        (is_ybr && self.description.bits_stored == 8).then(|| self.colour(&self.values, self.photometric()))
    }
}
