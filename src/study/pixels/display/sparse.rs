//! Some pixels of a frame for all of them: the one in the middle of every square.

use super::super::Values;

/// Which pixels of a frame are kept.
#[derive(Debug, Clone, Copy)]
pub struct Sparse {
    pub columns: u32,
    pub rows: u32,
    /// Values of a pixel.
    pub samples: u32,
    /// Side of the squares in pixels: at least 1, at most the shorter side of the frame.
    pub step: u32,
}

impl Sparse {
    /// The kept ones of something that there is `samples` times for each pixel, row by row.
    pub fn of<T: Copy>(self, all: &[T]) -> Vec<T> {
        let (columns, samples, step) = (self.columns as usize, self.samples as usize, self.step.max(1) as usize);
        let (wide, high) = (columns / step, self.rows as usize / step);
        let mut kept = Vec::with_capacity(wide * high * samples);
        let rows = all.chunks_exact((columns * samples).max(1)).skip(step / 2).step_by(step);
        for row in rows.take(high) {
            let pixels = row.chunks_exact(samples.max(1)).skip(step / 2).step_by(step);
            kept.extend(pixels.take(wide).flatten());
        }
        kept
    }

    pub(super) fn of_values(self, values: &Values) -> Values {
        match values {
            Values::I32(values) => Values::I32(self.of(values)),
            Values::U32(values) => Values::U32(self.of(values)),
            Values::F32(values) => Values::F32(self.of(values)),
            Values::F64(values) => Values::F64(self.of(values)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Sparse;
    use crate::study::pixels::{Photometric, Window, read_frame};
    use crate::study::synthetic;

    #[test]
    fn the_middles_of_whole_squares_are_kept() {
        let all: Vec<u8> = (0..7 * 5).collect();
        let sparse = Sparse { columns: 7, rows: 5, samples: 1, step: 2 };
        assert_eq!(sparse.of(&all), [8, 10, 12, 22, 24, 26]);
        assert_eq!(Sparse { step: 1, ..sparse }.of(&all), all);
        assert_eq!(Sparse { step: 5, ..sparse }.of(&all), [16]);
        let colours = Sparse { columns: 2, rows: 2, samples: 3, step: 2 };
        assert_eq!(colours.of(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]), [9, 10, 11]);
    }

    #[test]
    fn a_sparse_picture_has_the_shades_of_the_whole_one() {
        let mut frame = read_frame(&synthetic::slice(1, 30, 60).unwrap(), 1).unwrap();
        for window in [Window::Default, Window::Auto, Window::Values { width: 400.0, level: 40.0 }] {
            for step in [1, 3, 4, 512] {
                let whole = frame.display(window).unwrap();
                let some = frame.display_sparse(window, step).unwrap();
                assert_eq!((some.columns, some.rows, some.samples), (512 / step, 512 / step, 1));
                let sparse = Sparse { columns: 512, rows: 512, samples: 1, step };
                assert!(some.bytes == sparse.of(&whole.bytes), "{window:?} {step}");
            }
        }
        assert!(frame.display_sparse(Window::File(9), 4).is_err());
        assert_eq!(frame.display_sparse(Window::Auto, 10_000).unwrap().bytes.len(), 1);
        frame.description.photometric = Photometric::Monochrome1;
        assert!(frame.display_sparse(Window::Auto, 0).unwrap() == frame.display(Window::Auto).unwrap());
    }

    proptest! {
        #[test]
        fn as_many_are_kept_as_there_are_squares(columns in 1u32..40, rows in 1u32..40, step in 1u32..9, samples in 1u32..4) {
            let step = step.min(columns).min(rows);
            let all = vec![0u8; (columns * rows * samples) as usize];
            let kept = Sparse { columns, rows, samples, step }.of(&all).len();
            prop_assert_eq!(kept, ((columns / step) * (rows / step) * samples) as usize);
        }
    }
}
