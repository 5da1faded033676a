//! The arithmetic of packing: the MED predictor of LOCO-I / JPEG-LS (ISO/IEC 14495-1 A.4.1), there and back.
//!
//! Each sample is replaced by its distance from what its left, upper and upper-left neighbours foretell, and the
//! distance is zig-zagged (0, -1, 1, -2, …), so that small distances of either sign have an empty high byte.
//! All arithmetic wraps, so it is exact on any bits, whatever they mean.
//!
//! Both directions are written for the compiler's vectoriser. Forward, every neighbour is known: one plain loop
//! over slices. Backward, a sample waits for its left neighbour; so several rows are rebuilt at once, each one
//! column behind the row above, and their waiting overlaps ([`rebuild_rows`]).
//!
//! Outside an image (left of the first column, above the first row) every neighbour is 0, which makes the
//! predictor take the upper neighbour in the first column and the left one in the first row by itself.

/// Rows that are rebuilt side by side.
pub(super) const ROWS_AT_ONCE: usize = 4;

/// A sample as the predictor orders it.
///
/// 16-bit samples are ordered as `i16`: unsigned ones have their top bit flipped on the way in and out, because
/// SSE2, the oldest x86-64, compares only signed words.
pub(super) trait Sample: Copy + Default + Ord {
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    /// Distance as a number whose size grows with the distance, for either sign.
    fn zig_zag(self) -> Self;
    fn zag_zig(self) -> Self;
    fn wide(self) -> i32;
    /// The low bits of a number.
    fn narrow(wide: i32) -> Self;
}

impl Sample for i16 {
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }

    fn zig_zag(self) -> Self {
        (self << 1) ^ (self >> 15)
    }

    fn zag_zig(self) -> Self {
        ((self as u16 >> 1) as i16) ^ (self & 1).wrapping_neg()
    }

    fn wide(self) -> i32 {
        i32::from(self)
    }

    fn narrow(wide: i32) -> Self {
        wide as i16
    }
}

impl Sample for u8 {
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }

    fn zig_zag(self) -> Self {
        (self << 1) ^ (self as i8 >> 7) as u8
    }

    fn zag_zig(self) -> Self {
        (self >> 1) ^ (self & 1).wrapping_neg()
    }

    fn wide(self) -> i32 {
        i32::from(self)
    }

    fn narrow(wide: i32) -> Self {
        wide as u8
    }
}

/// What the neighbours foretell: left + upper - upper-left, kept between left and upper. Written without a
/// branch; `left + upper - clamp(upper_left)` is the same number and cannot leave the range.
#[inline(always)]
fn foretell<S: Sample>(left: S, upper: S, upper_left: S) -> S {
    let (low, high) = (left.min(upper), left.max(upper));
    low.plus(high).minus(upper_left.max(low).min(high))
}

/// Writes the zig-zagged distances of a row into `distances`. The rows carry one 0 before their first sample.
pub(super) fn distances_of_row<S: Sample>(row: &[S], upper: &[S], distances: &mut [S]) {
    let n = distances.len();
    let (Some(here), Some(left)) = (row.get(1..n + 1), row.get(..n)) else { return };
    let (Some(above), Some(above_left)) = (upper.get(1..n + 1), upper.get(..n)) else { return };
    let neighbours = left.iter().zip(above).zip(above_left);
    for ((distance, &x), ((&a, &b), &c)) in distances.iter_mut().zip(here).zip(neighbours) {
        *distance = x.minus(foretell(a, b, c)).zig_zag();
    }
}

/// Rebuilds one row in place from its distances (no longer zig-zagged) and the row above it.
pub(super) fn rebuild_row<S: Sample>(row: &mut [S], upper: &[S]) {
    let (mut left, mut upper_left) = (S::default(), S::default());
    for (x, &above) in row.iter_mut().zip(upper) {
        left = x.plus(foretell(left, above, upper_left));
        upper_left = above;
        *x = left;
    }
}

/// Rebuilds [`ROWS_AT_ONCE`] rows in place, the first below `upper`, each of the others below the one before.
///
/// In step `t` row `k` is at column `t - k`. Its upper and upper-left neighbours are then what row `k - 1` made
/// in the last two steps, so that they never leave the registers, and the rows' chains of waiting are
/// independent of each other.
pub(super) fn rebuild_rows<S: Sample>(rows: [&mut [S]; ROWS_AT_ONCE], upper: &[S]) {
    let columns = upper.len();
    let [first, second, third, fourth] = rows;
    let fits = [first.len(), second.len(), third.len(), fourth.len()] == [columns; ROWS_AT_ONCE];
    if columns < ROWS_AT_ONCE || !fits {
        rebuild_row(first, upper);
        rebuild_row(second, first);
        rebuild_row(third, second);
        return rebuild_row(fourth, third);
    }

    // Until all four are under way, the upper rows run ahead alone.
    let mut lead = Chain::default();
    let mut chains = [Chain::default(); ROWS_AT_ONCE];
    for t in 0..ROWS_AT_ONCE - 1 {
        if t >= 2 {
            third[t - 2] = chains[2].step(third[t - 2].wide(), chains[1]);
        }
        if t >= 1 {
            second[t - 1] = chains[1].step(second[t - 1].wide(), chains[0]);
        }
        lead.advance(upper[t].wide());
        first[t] = chains[0].step(first[t].wide(), lead);
    }
    let body = columns - (ROWS_AT_ONCE - 1);
    let columns_of_body = first[3..].iter_mut().zip(&mut second[2..]).zip(&mut third[1..]).zip(&mut fourth[..body]);
    for ((((x0, x1), x2), x3), above) in columns_of_body.zip(&upper[3..]) {
        *x3 = chains[3].step(x3.wide(), chains[2]);
        *x2 = chains[2].step(x2.wide(), chains[1]);
        *x1 = chains[1].step(x1.wide(), chains[0]);
        lead.advance(above.wide());
        *x0 = chains[0].step(x0.wide(), lead);
    }
    // The first row is done; what is left of the others depends on finished rows only.
    for t in columns..columns + ROWS_AT_ONCE - 1 {
        fourth[t - 3] = chains[3].step(fourth[t - 3].wide(), chains[2]);
        if t - 2 < columns {
            third[t - 2] = chains[2].step(third[t - 2].wide(), chains[1]);
        }
        if t - 1 < columns {
            second[t - 1] = chains[1].step(second[t - 1].wide(), chains[0]);
        }
    }
}

/// The last two samples of a row that is being rebuilt.
#[derive(Clone, Copy, Default)]
struct Chain {
    last: i32,
    before: i32,
}

impl Chain {
    #[inline(always)]
    fn advance(&mut self, sample: i32) {
        self.before = self.last;
        self.last = sample;
    }

    /// Rebuilds the next sample from its distance and the two samples of the row above.
    #[inline(always)]
    fn step<S: Sample>(&mut self, distance: i32, upper: Chain) -> S {
        let (left, above, above_left) = (self.last, upper.last, upper.before);
        let (low, high) = (left.min(above), left.max(above));
        let sample = S::narrow(distance + low + high - above_left.max(low).min(high));
        self.advance(sample.wide());
        sample
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn there_and_back<S: Sample + PartialEq + std::fmt::Debug>(samples: &[S], columns: usize) {
        let mut upper = vec![S::default(); columns + 1];
        let mut packed: Vec<Vec<S>> = Vec::new();
        for row in samples.chunks_exact(columns) {
            let mut padded = vec![S::default()];
            padded.extend_from_slice(row);
            let mut distances = vec![S::default(); columns];
            distances_of_row(&padded, &upper, &mut distances);
            packed.push(distances.iter().map(|d| d.zag_zig()).collect());
            upper = padded;
        }
        let mut one_by_one = packed.clone();
        let mut above = vec![S::default(); columns];
        for row in &mut one_by_one {
            rebuild_row(row, &above);
            above.clone_from(row);
        }
        let mut above = vec![S::default(); columns];
        for rows in packed.chunks_mut(ROWS_AT_ONCE) {
            if let [a, b, c, d] = rows {
                rebuild_rows([a, b, c, d], &above);
            } else {
                rows.iter_mut().fold(above.clone(), |above, row| {
                    rebuild_row(row, &above);
                    row.clone()
                });
            }
            above.clone_from(&rows[rows.len() - 1]);
        }
        let original: Vec<Vec<S>> = samples.chunks_exact(columns).map(<[S]>::to_vec).collect();
        assert_eq!(one_by_one, original);
        assert_eq!(packed, original);
    }

    proptest! {
        #[test]
        fn any_words_come_back(samples in prop::collection::vec(any::<i16>(), 0..400), columns in 1usize..20) {
            there_and_back(&samples, columns);
        }

        #[test]
        fn any_bytes_come_back(samples in prop::collection::vec(any::<u8>(), 0..400), columns in 1usize..20) {
            there_and_back(&samples, columns);
        }
    }

    #[test]
    fn zig_zag_is_a_permutation_that_orders_by_distance() {
        for x in i16::MIN..=i16::MAX {
            assert_eq!(x.zig_zag().zag_zig(), x);
        }
        for x in 0..=u8::MAX {
            assert_eq!(x.zig_zag().zag_zig(), x);
        }
        let order: Vec<i16> = [0, -1, 1, -2, 2].map(|x: i16| x.zig_zag()).to_vec();
        assert_eq!(order, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_smooth_ramp_is_foretold_exactly() {
        let columns = 8;
        let row = |y: i16| -> Vec<i16> { std::iter::once(0).chain((0..8).map(|x| 100 + 3 * x + 7 * y)).collect() };
        let mut distances = vec![0; columns];
        distances_of_row(&row(1), &row(0), &mut distances);
        assert!(distances[1..].iter().all(|&d| d <= 14), "{distances:?}");
    }
}
