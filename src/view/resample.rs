//! Rasters in another size: area averages where pixels are many, blended or repeated ones where they are few.
//!
//! Every output line is a weighted sum of input lines, across and down by itself. [`Taps`] says of which; where there
//! are none, the output is black. Weights are whole numbers with the sum [`ONE`], so that an even grey stays what it
//! is to the last bit, and no output depends on how the work was divided.
//!
//! Deliberately no sharper filters than these: what rings draws edges that are not in the image.

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
    /// Per output pixel its first input pixel, and where its weights end in `weights`.
    ends: Vec<(u32, u32)>,
    weights: Vec<u16>,
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
        let mut taps = Self { ends: Vec::with_capacity(count as usize), weights: Vec::new() };
        for i in 0..count {
            let begin = line.from + f64::from(i) * line.step;
            if line.step > 1.0 && filter != Filter::Draft {
                taps.area(begin, line);
            } else {
                taps.point(begin + line.step / 2.0, line, filter);
            }
        }
        taps
    }

    fn push(&mut self, first: u32) {
        // At most a few weights for each input pixel, of which there are 65,535.
        self.ends.push((first, self.weights.len() as u32));
    }

    /// The average over a stretch; black if most of it is outside.
    fn area(&mut self, begin: f64, Line { step, open, length, .. }: Line) {
        let low = begin.max(open.0).max(0.0);
        let high = (begin + step).min(open.1).min(f64::from(length));
        if high - low < step / 2.0 {
            return self.push(0);
        }
        let (first, last) = (low.floor() as u32, high.ceil() as u32);
        let up_to = |at: u32| ((f64::from(at).min(high) - low) / (high - low) * f64::from(ONE)).round() as u32;
        let mut before = 0;
        for pixel in first..last {
            let now = up_to(pixel + 1);
            // Differences of numbers from 0 to ONE that do not fall.
            self.weights.push((now - before) as u16);
            before = now;
        }
        self.push(first);
    }

    /// What is at one place; black outside.
    fn point(&mut self, middle: f64, Line { open, length, .. }: Line, filter: Filter) {
        let last = f64::from(length) - 1.0;
        if !(open.0.max(0.0)..open.1.min(last + 1.0)).contains(&middle) {
            return self.push(0);
        }
        if filter != Filter::Linear {
            self.weights.push(ONE as u16);
            return self.push(middle.floor() as u32);
        }
        let place = (middle - 0.5).clamp(0.0, last);
        let second = ((place - place.floor()) * f64::from(ONE)).round() as u16;
        self.weights.push(ONE as u16 - second);
        if second > 0 {
            self.weights.push(second);
        }
        self.push(place.floor() as u32);
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// First input pixel and weights of an output pixel.
    fn of(&self, output: usize) -> (usize, &[u16]) {
        let begin = if output == 0 { 0 } else { self.ends[output - 1].1 };
        let (first, end) = self.ends[output];
        (first as usize, &self.weights[begin as usize..end as usize])
    }

    /// Whether every output pixel is the input pixel at its place, counted from the first one.
    fn is_copy(&self) -> bool {
        let first = self.ends.first().map_or(0, |(first, _)| *first);
        let own = |(i, (at, _)): (usize, &(u32, u32))| *at as usize == first as usize + i;
        self.weights.len() == self.ends.len()
            && self.weights.iter().all(|weight| u32::from(*weight) == ONE)
            && self.ends.iter().enumerate().all(own)
    }

    /// The input pixels that are used at all.
    fn used(&self) -> std::ops::Range<usize> {
        let used = (0..self.len()).map(|i| self.of(i)).filter(|(_, weights)| !weights.is_empty());
        let bounds = used.map(|(first, weights)| (first, first + weights.len()));
        bounds.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).map_or(0..0, |(first, end)| first..end)
    }
}

/// Makes the raster that the taps describe out of `input`, which has rows of `width` pixels of `N` samples. Input
/// pixels that are not there count as black.
pub(super) fn resample<const N: usize>(input: &[[u8; N]], width: usize, across: &Taps, down: &Taps) -> Vec<[u8; N]> {
    let mut output = vec![[0; N]; across.len() * down.len()];
    if output.is_empty() || width == 0 {
        return output;
    }
    let used = across.used();
    let copy = across.is_copy();
    let work = Work { input, width, across, used, copy };
    let samples = N * (work.used.len() * down.used().len()).max(output.len());
    let rows = across.len();
    let band = |(number, band): (usize, &mut [[u8; N]])| work.band(down, number * BAND_ROWS, band);
    if samples >= PARALLEL_SAMPLES_MIN {
        output.par_chunks_mut(rows * BAND_ROWS).enumerate().for_each(band);
    } else {
        output.chunks_mut(rows * BAND_ROWS).enumerate().for_each(band);
    }
    output
}

struct Work<'a, const N: usize> {
    input: &'a [[u8; N]],
    width: usize,
    across: &'a Taps,
    /// The columns that are used.
    used: std::ops::Range<usize>,
    copy: bool,
}

impl<const N: usize> Work<'_, N> {
    /// Output rows from `first` on.
    fn band(&self, down: &Taps, first: usize, band: &mut [[u8; N]]) {
        let mut sums = vec![0u32; self.used.len() * N];
        let length = self.across.len();
        for i in 0..band.len() / length {
            let (done, rest) = band.split_at_mut(i * length);
            let out = &mut rest[..length];
            let (row, weights) = down.of(first + i);
            if i > 0 && down.of(first + i - 1) == (row, weights) {
                out.copy_from_slice(&done[(i - 1) * length..]);
                continue;
            }
            match weights {
                [] => {}
                [_] => self.row(self.input_row(row), out),
                _ => {
                    sums.fill(0);
                    for (offset, weight) in weights.iter().enumerate() {
                        let samples = self.input_row(row + offset).as_flattened();
                        for (sum, sample) in sums.iter_mut().zip(samples) {
                            *sum += u32::from(*sample) * u32::from(*weight);
                        }
                    }
                    self.summed_row(sums.as_chunks().0, out);
                }
            }
        }
    }

    /// The used part of an input row.
    fn input_row(&self, row: usize) -> &[[u8; N]] {
        let begin = row * self.width;
        self.input.get(begin + self.used.start..begin + self.used.end.min(self.width)).unwrap_or_default()
    }

    /// A row as it is in the input.
    fn row(&self, input: &[[u8; N]], out: &mut [[u8; N]]) {
        if self.copy && input.len() == out.len() {
            out.copy_from_slice(input);
            return;
        }
        for (i, out) in out.iter_mut().enumerate() {
            let (first, weights) = self.across.of(i);
            let pixels = input.get(first.wrapping_sub(self.used.start)..).unwrap_or_default();
            *out = match (weights, pixels) {
                ([], _) => [0; N],
                ([_], [pixel, ..]) => *pixel,
                _ => {
                    let mut sums = [ONE / 2; N];
                    for (pixel, weight) in pixels.iter().zip(weights) {
                        for (sum, sample) in sums.iter_mut().zip(pixel) {
                            *sum += u32::from(*sample) * u32::from(*weight);
                        }
                    }
                    sums.map(|sum| (sum / ONE) as u8)
                }
            };
        }
    }

    /// A row that is the sum of several, with weights.
    fn summed_row(&self, input: &[[u32; N]], out: &mut [[u8; N]]) {
        for (i, out) in out.iter_mut().enumerate() {
            let (first, weights) = self.across.of(i);
            let pixels = input.get(first.wrapping_sub(self.used.start)..).unwrap_or_default();
            if weights.is_empty() {
                continue;
            }
            let mut sums = [ONE * ONE / 2; N];
            for (pixel, weight) in pixels.iter().zip(weights) {
                for (sum, sample) in sums.iter_mut().zip(pixel) {
                    *sum += *sample * u32::from(*weight);
                }
            }
            *out = sums.map(|sum| (sum / (ONE * ONE)) as u8);
        }
    }
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
