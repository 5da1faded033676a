//! Rows of samples between the file's bytes and the planes that zstd gets.
//!
//! A band's planes are, sample by sample of the pixel, the low bytes of all distances and then, for words, the
//! high bytes of all. The row above the next one is kept between bands, so that a band does not start blind.

use super::Layout;
use super::predict::{ROWS_AT_ONCE, Sample, distances_of_row, rebuild_row, rebuild_rows};

/// Row buffers of the predictor, one of each kind of sample.
#[derive(Default)]
pub(super) struct Rows {
    words: RowBuffers<i16>,
    bytes: RowBuffers<u8>,
}

#[derive(Default)]
struct RowBuffers<S> {
    /// For each interleaved sample the last row, with one 0 before it.
    last: Vec<Vec<S>>,
    row: Vec<S>,
    distances: Vec<S>,
    group: [Vec<S>; ROWS_AT_ONCE],
}

impl Rows {
    /// Forgets the row above, before a new file.
    pub(super) fn forget(&mut self) {
        self.words.last.clear();
        self.bytes.last.clear();
    }

    pub(super) fn distances(&mut self, band: &[u8], layout: Layout, first_row: u64, planes: &mut [u8]) {
        match layout.sample_bytes {
            1 => self.bytes.distances(band, layout, first_row, planes),
            _ => self.words.distances(band, layout, first_row, planes),
        }
    }

    pub(super) fn rebuild(&mut self, planes: &[u8], layout: Layout, first_row: u64, band: &mut [u8]) {
        match layout.sample_bytes {
            1 => self.bytes.rebuild(planes, layout, first_row, band),
            _ => self.words.rebuild(planes, layout, first_row, band),
        }
    }

    /// Keeps the last row of a band that came without the predictor.
    pub(super) fn remember(&mut self, band: &[u8], layout: Option<Layout>) {
        match layout {
            Some(layout) if layout.sample_bytes == 1 => self.bytes.remember(band, layout),
            Some(layout) => self.words.remember(band, layout),
            None => {}
        }
    }
}

/// How samples stand in files and in planes.
trait Stored: Sample {
    const BYTES: usize;
    /// Reads every `step`th sample, from the `offset`th on.
    fn read(row: &[u8], layout: Layout, offset: usize, samples: &mut [Self]);
    fn write(samples: &[Self], layout: Layout, offset: usize, row: &mut [u8]);
    /// Puts distances into the low plane and, for words, the high plane, which stands `high` bytes further on.
    fn to_planes(distances: &[Self], planes: &mut [u8], at: usize, high: usize);
    fn from_planes(planes: &[u8], at: usize, high: usize, distances: &mut [Self]);
}

impl Stored for u8 {
    const BYTES: usize = 1;

    fn read(row: &[u8], layout: Layout, offset: usize, samples: &mut [Self]) {
        match layout.interleaved {
            1 => samples.copy_from_slice(row),
            step => {
                for (sample, pixel) in samples.iter_mut().zip(row.chunks_exact(usize::from(step))) {
                    *sample = pixel[offset];
                }
            }
        }
    }

    fn write(samples: &[Self], layout: Layout, offset: usize, row: &mut [u8]) {
        match layout.interleaved {
            1 => row.copy_from_slice(samples),
            step => {
                for (sample, pixel) in samples.iter().zip(row.chunks_exact_mut(usize::from(step))) {
                    pixel[offset] = *sample;
                }
            }
        }
    }

    fn to_planes(distances: &[Self], planes: &mut [u8], at: usize, _high: usize) {
        planes[at..at + distances.len()].copy_from_slice(distances);
    }

    fn from_planes(planes: &[u8], at: usize, _high: usize, distances: &mut [Self]) {
        let low = &planes[at..at + distances.len()];
        for (distance, low) in distances.iter_mut().zip(low) {
            *distance = low.zag_zig();
        }
    }
}

impl Stored for i16 {
    const BYTES: usize = 2;

    fn read(row: &[u8], layout: Layout, offset: usize, samples: &mut [Self]) {
        let flip = if layout.signed { 0 } else { i16::MIN };
        match (layout.interleaved, layout.big_endian) {
            (1, false) => {
                for (sample, bytes) in samples.iter_mut().zip(row.chunks_exact(2)) {
                    *sample = i16::from_le_bytes([bytes[0], bytes[1]]) ^ flip;
                }
            }
            (step, big_endian) => {
                for (sample, pixel) in samples.iter_mut().zip(row.chunks_exact(2 * usize::from(step))) {
                    let bytes = [pixel[2 * offset], pixel[2 * offset + 1]];
                    let word = if big_endian { i16::from_be_bytes(bytes) } else { i16::from_le_bytes(bytes) };
                    *sample = word ^ flip;
                }
            }
        }
    }

    fn write(samples: &[Self], layout: Layout, offset: usize, row: &mut [u8]) {
        let flip = if layout.signed { 0 } else { i16::MIN };
        match (layout.interleaved, layout.big_endian) {
            (1, false) => {
                for (sample, bytes) in samples.iter().zip(row.chunks_exact_mut(2)) {
                    bytes.copy_from_slice(&(sample ^ flip).to_le_bytes());
                }
            }
            (step, big_endian) => {
                for (sample, pixel) in samples.iter().zip(row.chunks_exact_mut(2 * usize::from(step))) {
                    let word = sample ^ flip;
                    let bytes = if big_endian { word.to_be_bytes() } else { word.to_le_bytes() };
                    pixel[2 * offset..2 * offset + 2].copy_from_slice(&bytes);
                }
            }
        }
    }

    fn to_planes(distances: &[Self], planes: &mut [u8], at: usize, high: usize) {
        let (low_plane, high_plane) = planes.split_at_mut(high);
        let low = &mut low_plane[at..at + distances.len()];
        let high = &mut high_plane[at..at + distances.len()];
        for ((low, high), distance) in low.iter_mut().zip(high).zip(distances) {
            *low = *distance as u8;
            *high = (*distance as u16 >> 8) as u8;
        }
    }

    fn from_planes(planes: &[u8], at: usize, high: usize, distances: &mut [Self]) {
        let (low_plane, high_plane) = planes.split_at(high);
        let low = &low_plane[at..at + distances.len()];
        let high = &high_plane[at..at + distances.len()];
        for (distance, (low, high)) in distances.iter_mut().zip(low.iter().zip(high)) {
            *distance = ((u16::from(*low) | u16::from(*high) << 8) as i16).zag_zig();
        }
    }
}

impl<S: Stored> RowBuffers<S> {
    fn fit(&mut self, layout: Layout) -> usize {
        let columns = layout.columns as usize;
        self.last.resize_with(usize::from(layout.interleaved), Vec::new);
        for last in &mut self.last {
            last.resize(columns + 1, S::default());
        }
        self.row.clear();
        self.row.resize(columns + 1, S::default());
        self.distances.resize(columns, S::default());
        columns
    }

    /// `band` and `planes` are equally long and hold whole rows.
    fn distances(&mut self, band: &[u8], layout: Layout, first_row: u64, planes: &mut [u8]) {
        let columns = self.fit(layout);
        let samples = usize::from(layout.interleaved);
        let row_bytes = columns * samples * S::BYTES;
        let rows = band.len() / row_bytes;
        let high = planes.len() / S::BYTES;
        for (y, row) in band.chunks_exact(row_bytes).enumerate() {
            let starts_image = (first_row + y as u64).is_multiple_of(u64::from(layout.rows));
            for (sample, last) in self.last.iter_mut().enumerate() {
                if starts_image {
                    last.fill(S::default());
                }
                S::read(row, layout, sample, &mut self.row[1..]);
                distances_of_row(&self.row, last, &mut self.distances);
                S::to_planes(&self.distances, planes, (sample * rows + y) * columns, high);
                std::mem::swap(&mut self.row, last);
                self.row[0] = S::default();
            }
        }
    }

    fn rebuild(&mut self, planes: &[u8], layout: Layout, first_row: u64, band: &mut [u8]) {
        let columns = self.fit(layout);
        let samples = usize::from(layout.interleaved);
        let row_bytes = columns * samples * S::BYTES;
        let rows = band.len() / row_bytes;
        let high = planes.len() / S::BYTES;
        for row in &mut self.group {
            row.resize(columns, S::default());
        }
        for (sample, last) in self.last.iter_mut().enumerate() {
            let mut y = 0;
            while y < rows {
                let row_of_image = (first_row + y as u64) % u64::from(layout.rows);
                if row_of_image == 0 {
                    last.fill(S::default());
                }
                let left_in_image = u64::from(layout.rows) - row_of_image;
                let together = ROWS_AT_ONCE <= rows - y && ROWS_AT_ONCE as u64 <= left_in_image;
                let count = if together { ROWS_AT_ONCE } else { 1 };
                for (k, row) in self.group[..count].iter_mut().enumerate() {
                    S::from_planes(planes, (sample * rows + y + k) * columns, high, row);
                }
                let [a, b, c, d] = &mut self.group;
                if together {
                    rebuild_rows([a, b, c, d], &last[1..]);
                } else {
                    rebuild_row(a, &last[1..]);
                }
                for (k, row) in self.group[..count].iter().enumerate() {
                    let at = (y + k) * row_bytes;
                    S::write(row, layout, sample, &mut band[at..at + row_bytes]);
                }
                last[1..].copy_from_slice(&self.group[count - 1]);
                y += count;
            }
        }
    }

    fn remember(&mut self, band: &[u8], layout: Layout) {
        let columns = self.fit(layout);
        let row_bytes = columns * usize::from(layout.interleaved) * S::BYTES;
        let Some(row) = band.len().checked_sub(row_bytes).and_then(|at| band.get(at..)) else { return };
        for (sample, last) in self.last.iter_mut().enumerate() {
            S::read(row, layout, sample, &mut last[1..]);
        }
    }
}
