//! One function over all values of a frame: computed once for each value there is, and on all processors.
//!
//! A mammogram has twelve million pixels but at most 65,536 different values, and a reader who drags a window waits
//! for all of them with every move. What comes out is the same as asking value by value.

use std::ops::RangeInclusive;

use rayon::prelude::*;

use super::Values;

/// Widest range of stored values for which a table is made, in values.
const TABLE_VALUES_MAX: usize = 65_536;

/// Values that a processor takes at a time; fewer are not worth dividing.
const PIECE_VALUES: usize = 1 << 18;

impl Values {
    /// A shade for each value.
    pub(super) fn shades(&self, shade: impl Fn(f64) -> u8 + Sync) -> Vec<u8> {
        match self {
            Self::I32(values) => match narrow_range(values) {
                Some(range) => {
                    let lowest = *range.start();
                    let mut table = [0; TABLE_VALUES_MAX];
                    table.iter_mut().zip(range).for_each(|(out, value)| *out = shade(f64::from(value)));
                    // Differences within the range fit into 16 bits.
                    shades_of(values, |value| table[usize::from(value.wrapping_sub(lowest) as u16)])
                }
                None => shades_of(values, |value| shade(f64::from(value))),
            },
            Self::U32(values) => shades_of(values, |value| shade(f64::from(value))),
            Self::F32(values) => shades_of(values, |value| shade(f64::from(value))),
            Self::F64(values) => shades_of(values, shade),
        }
    }

    /// The lowest and highest of what `measure` says of the values, of those of which it says anything.
    pub(super) fn extremes(&self, measure: impl Fn(f64) -> Option<f64> + Sync) -> Option<(f64, f64)> {
        match self {
            Self::I32(values) => match narrow_range(values) {
                Some(range) => {
                    let occurs = occurring(values, &range);
                    let measured = range.zip(occurs).filter(|(_, occurs)| *occurs);
                    measured.filter_map(|(value, _)| measure(f64::from(value))).map(|m| (m, m)).reduce(wider)
                }
                None => extremes_of(values, |value| measure(f64::from(value))),
            },
            Self::U32(values) => extremes_of(values, |value| measure(f64::from(value))),
            Self::F32(values) => extremes_of(values, |value| measure(f64::from(value))),
            Self::F64(values) => extremes_of(values, measure),
        }
    }
}

fn shades_of<T: Copy + Sync>(values: &[T], shade: impl Fn(T) -> u8 + Sync) -> Vec<u8> {
    let mut shades = vec![0; values.len()];
    let piece = |(shades, values): (&mut [u8], &[T])| {
        for (out, value) in shades.iter_mut().zip(values) {
            *out = shade(*value);
        }
    };
    shades.par_chunks_mut(PIECE_VALUES).zip(values.par_chunks(PIECE_VALUES)).for_each(piece);
    shades
}

fn extremes_of<T: Copy + Sync>(values: &[T], measure: impl Fn(T) -> Option<f64> + Sync) -> Option<(f64, f64)> {
    let piece = |values: &[T]| values.iter().filter_map(|value| measure(*value)).map(|m| (m, m)).reduce(wider);
    values.par_chunks(PIECE_VALUES).filter_map(piece).reduce_with(wider)
}

fn wider(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (a.0.min(b.0), a.1.max(b.1))
}

/// The range of the values, if it is narrow enough for a table.
fn narrow_range(values: &[i32]) -> Option<RangeInclusive<i32>> {
    let piece = |values: &[i32]| {
        let start = values.first().copied().unwrap_or_default();
        values.iter().fold((start, start), |(lowest, highest), value| (lowest.min(*value), highest.max(*value)))
    };
    let pieces = values.par_chunks(PIECE_VALUES).map(piece);
    let (lowest, highest) = pieces.reduce_with(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    ((highest.abs_diff(lowest) as usize) < TABLE_VALUES_MAX).then_some(lowest..=highest)
}

/// Which values of the range there are.
fn occurring(values: &[i32], range: &RangeInclusive<i32>) -> Vec<bool> {
    let lowest = *range.start();
    let none = || vec![false; range.end().abs_diff(lowest) as usize + 1];
    let piece = |mut occurs: Vec<bool>, values: &[i32]| {
        for value in values {
            if let Some(occurs) = occurs.get_mut(value.abs_diff(lowest) as usize) {
                *occurs = true;
            }
        }
        occurs
    };
    let both = |mut a: Vec<bool>, b: Vec<bool>| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a |= b);
        a
    };
    values.par_chunks(PIECE_VALUES).fold(none, piece).reduce(none, both)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Something that depends on every bit of a value.
    fn shade(value: f64) -> u8 {
        (value.to_bits() >> 40 ^ value.to_bits() >> 7) as u8
    }

    fn odd(value: f64) -> Option<f64> {
        (value % 2.0 != 0.0 && value.is_finite()).then_some(value * -3.0)
    }

    fn all(values: &Values) -> (Vec<u8>, Option<(f64, f64)>) {
        let each = values.iter().filter_map(odd).map(|m| (m, m)).reduce(wider);
        (values.iter().map(shade).collect(), each)
    }

    #[test]
    fn an_empty_frame_has_no_shades_and_no_extremes() {
        assert_eq!(Values::I32(vec![]).shades(shade), [0_u8; 0]);
        assert_eq!(Values::I32(vec![]).extremes(odd), None);
        assert_eq!(Values::F64(vec![f64::NAN]).extremes(odd), None);
    }

    #[test]
    fn several_pieces_are_the_same_as_one() {
        for spread in [1_000, 100_000] {
            let values: Vec<i32> =
                (0..PIECE_VALUES as i32 * 2 + 17).map(|i| i.wrapping_mul(7919).rem_euclid(spread) - 500).collect();
            let values = Values::I32(values);
            assert_eq!((values.shades(shade), values.extremes(odd)), all(&values));
        }
    }

    proptest! {
        #[test]
        fn a_table_says_what_each_value_says(
            values in prop::collection::vec(-2000i32..2000, 0..200), one: i32, floats: Vec<f64>,
        ) {
            let wide = [values.clone(), vec![one]].concat();
            let unsigned = wide.iter().map(|value| *value as u32).collect();
            let narrow_floats = floats.iter().map(|value| *value as f32).collect();
            for values in [
                Values::I32(values), Values::I32(wide), Values::U32(unsigned), Values::F32(narrow_floats),
                Values::F64(floats),
            ] {
                prop_assert_eq!((values.shades(shade), values.extremes(odd)), all(&values));
            }
        }
    }
}
