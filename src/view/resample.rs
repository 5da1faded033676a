//! Rasters in another size: area averages where pixels are many, blended or repeated ones where they are few.
//!
//! Every output line is a weighted sum of input lines, across and down by itself. [`Taps`] says of which; where there
//! are none, the output is black. Weights are whole numbers with the sum [`ONE`], so that an even grey stays what it
//! is to the last bit, and no output depends on how the work was divided.
//!
//! Deliberately no sharper filters than these: what rings draws edges that are not in the image.

use std::ops::Range;

use rayon::prelude::*;

/// The sum of the weights of one output pixel. With 255 as the largest sample, two such factors fit into 32 bits.
const ONE: u32 = 1 << 12;

/// Input or output samples from which the work is divided between threads.
const PARALLEL_SAMPLES_MIN: usize = 1 << 18;

/// Rows of output that a thread does at a time.
const BAND_ROWS: usize = 16;

/// How pixels are made where they are not averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    /// The one in whose middle the output pixel lies.
    Nearest,
    /// Blended from the two around it.
    Linear,
    /// As [`Filter::Nearest`], also where pixels are many: for drafts.
    Draft,
}

/// Which input pixels make up each output pixel along a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taps {
    /// Per output pixel the first of its input pixels.
    firsts: Vec<u32>,
    /// Per output pixel as many weights as any needs, for the input pixels from its first on.
    weights: Vec<u16>,
    each: usize,
}

/// A line of input as output pixels see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// Where the first output pixel begins, in input pixels.
    pub(super) from: f64,
    /// Input pixels for an output pixel; positive.
    pub(super) step: f64,
    /// The part that is shown; within the input.
    pub(super) open: (f64, f64),
    /// Pixels of the input.
    pub(super) length: u32,
}

impl Line {
    /// All of the input in so many output pixels.
    pub(super) fn whole(length: u32, count: u32) -> Self {
        let step = f64::from(length) / f64::from(count);
        Self { from: 0.0, step, open: (0.0, f64::from(length)), length }
    }
}

impl Taps {
    /// Output pixel `i` of `count` shows the input from `from + i * step` on, for the length of a step.
    pub(super) fn new(count: u32, line: Line, filter: Filter) -> Self {
        let stretches = (0..count).map(|i| {
            let begin = line.from + f64::from(i) * line.step;
            match line.step > 1.0 && filter != Filter::Draft {
                true => Stretch::area(begin, line),
                false => Stretch::point(begin + line.step / 2.0, line, filter),
            }
        });
        Self::of(stretches.collect(), line.length)
    }

    fn of(stretches: Vec<Stretch>, length: u32) -> Self {
        let each = stretches.iter().map(|stretch| stretch.last - stretch.first).max().unwrap_or(0).max(1);
        let mut taps = Self {
            firsts: Vec::with_capacity(stretches.len()),
            weights: Vec::with_capacity(stretches.len() * each as usize),
            each: each as usize,
        };
        for stretch in stretches {
            // So far to the left that all weights stand beside input.
            let first = stretch.first.min(length.saturating_sub(each));
            taps.firsts.push(first);
            taps.weights.extend((first..first + each).map(|pixel| stretch.weight(pixel)));
        }
        taps
    }

    pub(super) fn len(&self) -> usize {
        self.firsts.len()
    }

    /// First input pixel and weights of an output pixel.
    fn at(&self, output: usize) -> (usize, &[u16]) {
        let weights = &self.weights[output * self.each..(output + 1) * self.each];
        (self.firsts[output] as usize, weights)
    }

    /// The input pixels that may be used.
    fn used(&self) -> Range<usize> {
        let first = self.firsts.iter().min().map_or(0, |first| *first as usize);
        let last = self.firsts.iter().max().map_or(0, |last| *last as usize + self.each);
        first..last
    }

    /// If the output is a piece of the input with black around it: where in the output it is, and where in the input
    /// it begins.
    fn copied(&self) -> Option<(Range<usize>, usize)> {
        let is_seen = |output: &usize| self.weights[*output] > 0;
        if self.each > 1 {
            return None;
        }
        let begin = (0..self.len()).find(is_seen)?;
        let end = (begin..self.len()).find(|output| !is_seen(output)).unwrap_or(self.len());
        let first = self.firsts[begin] as usize;
        let in_order = (begin..end).all(|output| self.firsts[output] as usize == first + output - begin);
        (in_order && !(end..self.len()).any(|output| is_seen(&output))).then_some((begin..end, first))
    }
}

/// What of the input an output pixel shows.
struct Stretch {
    first: u32,
    /// Behind the last one.
    last: u32,
    kind: Kind,
}

enum Kind {
    Black,
    /// Everything between two places alike.
    Area {
        low: f64,
        high: f64,
    },
    /// The weight of the second of two pixels; the first has the rest.
    Point {
        second: u16,
    },
}

impl Stretch {
    const BLACK: Self = Self { first: 0, last: 0, kind: Kind::Black };

    /// The average over a stretch; black if most of it is outside.
    fn area(begin: f64, Line { step, open, length, .. }: Line) -> Self {
        let low = begin.max(open.0).max(0.0);
        let high = (begin + step).min(open.1).min(f64::from(length));
        if high - low < step / 2.0 {
            return Self::BLACK;
        }
        Self { first: low.floor() as u32, last: high.ceil() as u32, kind: Kind::Area { low, high } }
    }

    /// What is at one place; black outside.
    fn point(middle: f64, Line { open, length, .. }: Line, filter: Filter) -> Self {
        let last = f64::from(length) - 1.0;
        if !(open.0.max(0.0)..open.1.min(last + 1.0)).contains(&middle) {
            return Self::BLACK;
        }
        let of = |first: f64, second: u16| {
            let first = first as u32;
            Self { first, last: first + if second > 0 { 2 } else { 1 }, kind: Kind::Point { second } }
        };
        if filter != Filter::Linear {
            return of(middle.floor(), 0);
        }
        let place = (middle - 0.5).clamp(0.0, last);
        of(place.floor(), ((place - place.floor()) * f64::from(ONE)).round() as u16)
    }

    fn weight(&self, pixel: u32) -> u16 {
        if !(self.first..self.last).contains(&pixel) {
            return 0;
        }
        match self.kind {
            Kind::Black => 0,
            Kind::Point { second } if pixel == self.first => ONE as u16 - second,
            Kind::Point { second } => second,
            Kind::Area { low, high } => {
                let up_to = |at: u32| {
                    let part = (f64::from(at).min(high) - low).max(0.0) / (high - low);
                    (part * f64::from(ONE)).round() as u16
                };
                // Shares up to here less those before: together exactly ONE.
                up_to(pixel + 1) - up_to(pixel)
            }
        }
    }
}

/// Makes the raster that the taps describe out of `input`, which has rows of `width` pixels of `N` samples. Input
/// pixels that are not there count as black.
pub(super) fn resample<const N: usize>(input: &[[u8; N]], width: usize, across: &Taps, down: &Taps) -> Vec<[u8; N]> {
    let mut output = vec![[0; N]; across.len() * down.len()];
    let used = across.used();
    if output.is_empty() || used.end > width {
        return output;
    }
    let work = Work { input, width, across, copied: across.copied(), used };
    let samples = N * (work.used.len() * down.used().len()).max(output.len());
    let row = across.len();
    let band = |(number, band): (usize, &mut [[u8; N]])| work.band(down, number * BAND_ROWS, band);
    if samples >= PARALLEL_SAMPLES_MIN {
        output.par_chunks_mut(row * BAND_ROWS).enumerate().for_each(band);
    } else {
        output.chunks_mut(row * BAND_ROWS).enumerate().for_each(band);
    }
    output
}

struct Work<'a, const N: usize> {
    input: &'a [[u8; N]],
    width: usize,
    across: &'a Taps,
    copied: Option<(Range<usize>, usize)>,
    /// The columns that are used; within the width.
    used: Range<usize>,
}

impl<const N: usize> Work<'_, N> {
    /// Output rows from `first` on.
    fn band(&self, down: &Taps, first: usize, band: &mut [[u8; N]]) {
        let mut sums = vec![0u32; self.used.len() * N];
        let length = self.across.len();
        for i in 0..band.len() / length {
            let (done, rest) = band.split_at_mut(i * length);
            let out = &mut rest[..length];
            let (row, weights) = down.at(first + i);
            if i > 0 && down.at(first + i - 1) == (row, weights) {
                out.copy_from_slice(&done[(i - 1) * length..]);
                continue;
            }
            let rows = (row..).zip(weights).filter(|(_, weight)| **weight > 0);
            let mut rows = rows.filter_map(|(row, weight)| Some((self.input_row(row)?, *weight)));
            match (rows.next(), rows.next()) {
                (None, _) => {}
                (Some((row, weight)), None) if u32::from(weight) == ONE => self.single_row(row, out),
                (Some(first), second) => {
                    sums.fill(0);
                    for (row, weight) in [first].into_iter().chain(second).chain(rows) {
                        for (sum, sample) in sums.iter_mut().zip(row.as_flattened()) {
                            *sum += u32::from(*sample) * u32::from(weight);
                        }
                    }
                    self.weigh(sums.as_chunks().0, out, |sum| (sum / (ONE * ONE)) as u8, ONE * ONE / 2);
                }
            }
        }
    }

    /// The used part of an input row.
    fn input_row(&self, row: usize) -> Option<&[[u8; N]]> {
        let begin = row * self.width;
        self.input.get(begin + self.used.start..begin + self.used.end)
    }

    fn single_row(&self, row: &[[u8; N]], out: &mut [[u8; N]]) {
        match &self.copied {
            Some((range, first)) => {
                let begin = first - self.used.start;
                out[range.clone()].copy_from_slice(&row[begin..begin + range.len()]);
            }
            None => self.weigh(row, out, |sum| (sum / ONE) as u8, ONE / 2),
        }
    }

    /// Output pixels from a row; the usual numbers of weights have loops of their own, which are unrolled.
    fn weigh<T: Copy + Into<u32>>(&self, row: &[[T; N]], out: &mut [[u8; N]], shade: fn(u32) -> u8, half: u32) {
        match self.across.each {
            1 => self.weigh_each::<T, 1>(row, out, shade, half),
            2 => self.weigh_each::<T, 2>(row, out, shade, half),
            3 => self.weigh_each::<T, 3>(row, out, shade, half),
            4 => self.weigh_each::<T, 4>(row, out, shade, half),
            5 => self.weigh_each::<T, 5>(row, out, shade, half),
            6 => self.weigh_each::<T, 6>(row, out, shade, half),
            each => {
                let weights = self.across.weights.chunks_exact(each);
                for ((out, first), weights) in out.iter_mut().zip(&self.across.firsts).zip(weights) {
                    *out = weighed(&row[*first as usize - self.used.start..][..each], weights, half).map(shade);
                }
            }
        }
    }

    fn weigh_each<T: Copy + Into<u32>, const K: usize>(
        &self,
        row: &[[T; N]],
        out: &mut [[u8; N]],
        shade: fn(u32) -> u8,
        half: u32,
    ) {
        let weights = self.across.weights.as_chunks::<K>().0;
        for ((out, first), weights) in out.iter_mut().zip(&self.across.firsts).zip(weights) {
            *out = weighed(&row[*first as usize - self.used.start..][..K], weights, half).map(shade);
        }
    }
}

/// The sum of pixels with their weights.
fn weighed<T: Copy + Into<u32>, const N: usize>(pixels: &[[T; N]], weights: &[u16], half: u32) -> [u32; N] {
    let mut sums = [half; N];
    for (pixel, weight) in pixels.iter().zip(weights) {
        for (sum, sample) in sums.iter_mut().zip(pixel) {
            *sum += (*sample).into() * u32::from(*weight);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grey(bytes: &[u8]) -> Vec<[u8; 1]> {
        bytes.iter().map(|byte| [*byte]).collect()
    }

    /// A whole image of this width in another size.
    fn whole(bytes: &[u8], width: u32, to: (u32, u32), filter: Filter) -> Vec<u8> {
        let height = bytes.len() as u32 / width;
        let taps = |count: u32, length: u32| Taps::new(count, Line::whole(length, count), filter);
        resample(&grey(bytes), width as usize, &taps(to.0, width), &taps(to.1, height)).into_flattened()
    }

    #[test]
    fn half_the_size_is_the_average_of_four() {
        let image = [10, 20, 0, 255, 30, 41, 255, 255];
        // (10 + 20 + 30 + 41) / 4 = 25.25; (0 + 3 * 255) / 4 = 191.25
        assert_eq!(whole(&image, 4, (2, 1), Filter::Nearest), [25, 191]);
    }

    #[test]
    fn a_pixel_that_straddles_counts_on_both_sides() {
        // Three pixels onto two: 1.5 pixels each.
        assert_eq!(whole(&[0, 90, 240], 3, (2, 1), Filter::Linear), [30, 190]);
    }

    #[test]
    fn the_same_size_is_the_same_picture() {
        let image: Vec<u8> = (0..=255).collect();
        for filter in [Filter::Nearest, Filter::Linear, Filter::Draft] {
            assert_eq!(whole(&image, 16, (16, 16), filter), image);
        }
    }

    #[test]
    fn enlarged_pixels_are_rectangles_or_blend() {
        assert_eq!(whole(&[0, 100], 2, (4, 2), Filter::Nearest), [0, 0, 100, 100, 0, 0, 100, 100]);
        // Middles at 0.25, 0.75, 1.25, 1.75 of pixels with their middles at 0.5 and 1.5.
        assert_eq!(whole(&[0, 100], 2, (4, 1), Filter::Linear), [0, 25, 75, 100]);
    }

    #[test]
    fn one_direction_may_shrink_while_the_other_grows() {
        assert_eq!(whole(&[0, 100, 50, 250], 4, (2, 2), Filter::Nearest), [50, 150, 50, 150]);
    }

    #[test]
    fn a_draft_takes_the_pixel_in_the_middle() {
        assert_eq!(whole(&[1, 2, 3, 4, 5, 6], 6, (2, 1), Filter::Draft), [2, 5]);
    }

    #[test]
    fn colours_do_not_mix_with_each_other() {
        let image = [[0u8, 100, 200], [100, 100, 0]];
        let taps = |count, length| Taps::new(count, Line::whole(length, count), Filter::Linear);
        assert_eq!(resample(&image, 2, &taps(1, 2), &taps(1, 1)), [[50, 100, 100]]);
        assert_eq!(resample(&image, 2, &taps(4, 2), &taps(1, 1))[1], [25, 100, 150]);
    }

    #[test]
    fn outside_of_what_is_open_it_is_black() {
        let line = |from, step, open| Line { from, step, open, length: 4 };
        let across = Taps::new(4, line(-1.0, 1.0, (0.0, 2.0)), Filter::Nearest);
        let down = Taps::new(1, Line::whole(1, 1), Filter::Nearest);
        assert_eq!(resample(&grey(&[7, 8, 9, 9]), 4, &across, &down), [[0], [7], [8], [0]]);
        // Of the first pixel less than half, of the last one half.
        let across = Taps::new(3, line(-1.2, 2.0, (0.0, 9.0)), Filter::Nearest);
        assert_eq!(resample(&grey(&[7, 7, 7, 7]), 4, &across, &down), [[0], [7], [7]]);
    }

    #[test]
    fn an_image_that_is_shorter_than_said_is_black_there() {
        let taps = Taps::new(2, Line::whole(4, 2), Filter::Nearest);
        assert_eq!(resample(&grey(&[200; 8]), 4, &taps, &taps), [[200], [200], [0], [0]]);
        assert_eq!(resample::<1>(&[], 0, &taps, &taps), [[0]; 4]);
    }

    #[test]
    fn more_pixels_than_weights_have_steps_still_keep_an_even_grey() {
        assert_eq!(whole(&[201; 65_535], 65_535, (3, 1), Filter::Linear), [201; 3]);
    }

    proptest! {
        #[test]
        fn an_even_grey_stays_what_it_is(
            shade: u8, width in 1u32..40, height in 1u32..40, to in (1u32..60, 1u32..60), n in 0usize..3,
        ) {
            let filter = [Filter::Nearest, Filter::Linear, Filter::Draft][n];
            let image = vec![shade; (width * height) as usize];
            let out = whole(&image, width, to, filter);
            prop_assert!(out.iter().all(|sample| *sample == shade));
        }

        #[test]
        fn an_average_is_that_of_real_numbers(
            image in prop::collection::vec(any::<u8>(), 60), to in (1u32..10, 1u32..6),
        ) {
            let out = whole(&image, 10, to, Filter::Nearest);
            let (wide, high) = (10.0 / f64::from(to.0), 6.0 / f64::from(to.1));
            let overlap = |pixel: usize, out: u32, step: f64| {
                let (begin, end) = (f64::from(out) * step, f64::from(out + 1) * step);
                ((pixel as f64 + 1.0).min(end) - (pixel as f64).max(begin)).max(0.0)
            };
            for y in 0..to.1 {
                for x in 0..to.0 {
                    let weighted = |i: usize| overlap(i % 10, x, wide) * overlap(i / 10, y, high);
                    let sum: f64 = (0..60).map(|i| weighted(i) * f64::from(image[i])).sum();
                    let got = f64::from(out[(y * to.0 + x) as usize]);
                    prop_assert!((sum / (wide * high) - got).abs() < 0.75, "{} {}", sum / (wide * high), got);
                }
            }
        }

        #[test]
        fn bands_are_the_same_as_the_whole(image in prop::collection::vec(any::<u8>(), 1024)) {
            // Enough output for several bands and threads.
            let all = whole(&image, 32, (600, 500), Filter::Linear);
            let line = Line { from: 100.0 * 32.0 / 500.0, ..Line::whole(32, 500) };
            let down = Taps::new(1, line, Filter::Linear);
            let across = Taps::new(600, Line::whole(32, 600), Filter::Linear);
            let row = resample(&grey(&image), 32, &across, &down).into_flattened();
            prop_assert_eq!(&all[100 * 600..101 * 600], &row[..]);
        }
    }
}
