//! Grey JPEG of 12 bits: extended sequential and progressive DCT with Huffman coding (ITU-T T.81).
//!
//! CT, NM and CR archives hold it (transfer syntax 1.2.840.10008.1.2.4.51), and no decoder in the tree reads more
//! than 8 bits. One component only: colour of 12 bits is not met. The inverse DCT is the definition's, in floating
//! point, so that values differ from the reference decoder's by at most 1.
//!
//! A codestream that ends early is refused rather than filled with grey.

use super::codec::Coded;

const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// Most scans of a codestream: each costs a pass over all blocks.
pub(super) const SCANS_MAX: u32 = 256;

/// Decodes a codestream whose frame header says `coded`.
pub(super) fn decode(bytes: &[u8], coded: Coded) -> Result<Vec<u32>, String> {
    if coded.samples != 1 {
        return Err("JPEG of 12 bits in colour".to_string());
    }
    let blocks_across = coded.columns.div_ceil(8) as usize;
    let blocks = blocks_across * coded.rows.div_ceil(8) as usize;
    let mut decoder = Decoder {
        segments: Segments { bytes, at: 2 },
        quantization: [None; 4],
        table: None,
        huffman: [const { None }; 8],
        restart_interval: 0,
        progressive: false,
        coefficients: vec![0; blocks * 64],
    };
    decoder.run()?;
    let table = decoder.table.and_then(|table| decoder.quantization.get(usize::from(table)).copied().flatten());
    let table = table.ok_or("its quantization table is missing")?;
    Ok(samples(&decoder.coefficients, &table, blocks_across, coded))
}

struct Decoder<'a> {
    segments: Segments<'a>,
    quantization: [Option<[u16; 64]>; 4],
    /// Which quantization table the component uses.
    table: Option<u8>,
    /// DC tables 0 to 3, then AC tables.
    huffman: [Option<Huffman>; 8],
    restart_interval: u32,
    progressive: bool,
    /// 64 a block, in natural order.
    coefficients: Vec<i32>,
}

impl Decoder<'_> {
    fn run(&mut self) -> Result<(), String> {
        let mut scans = 0;
        loop {
            let (marker, body) = self.segments.next().ok_or("it is cut off")?;
            match marker {
                0xd9 if scans > 0 => return Ok(()),
                0xc1 | 0xc2 => {
                    self.progressive = marker == 0xc2;
                    self.table = Some(*body.get(8).ok_or("its frame header is cut off")?);
                }
                0xdb => self.quantization_tables(body).ok_or("its quantization tables are damaged")?,
                0xc4 => self.huffman_tables(body).ok_or("its Huffman tables are damaged")?,
                0xdd => {
                    let interval = body.first_chunk().ok_or("its restart interval is damaged")?;
                    self.restart_interval = u32::from(u16::from_be_bytes(*interval));
                }
                0xda => {
                    scans += 1;
                    if scans > SCANS_MAX || self.table.is_none() {
                        return Err("its scans are out of order or too many".to_string());
                    }
                    let scan = Scan::read(body, self.progressive).ok_or("its scan header is damaged")?;
                    self.scan(scan)?;
                    if !self.progressive {
                        return Ok(());
                    }
                }
                0xe0..=0xef | 0xfe => {}
                _ => return Err(format!("an unexpected marker {marker:02X}")),
            }
        }
    }

    fn quantization_tables(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((&head, rest)) = body.split_first() {
            let wide = usize::from(head >> 4 != 0);
            let entries = rest.get(..64 << wide)?;
            let mut table = [0; 64];
            for (i, &place) in ZIGZAG.iter().enumerate() {
                table[place] = match wide {
                    0 => u16::from(entries[i]),
                    _ => u16::from_be_bytes([entries[2 * i], entries[2 * i + 1]]),
                };
            }
            *self.quantization.get_mut(usize::from(head & 15))? = Some(table);
            body = rest.get(64 << wide..)?;
        }
        Some(())
    }

    fn huffman_tables(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((&head, rest)) = body.split_first() {
            let counts: &[u8; 16] = rest.first_chunk()?;
            let total: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let symbols = rest.get(16..16 + total)?;
            let place = usize::from(head & 15) + 4 * usize::from(head >> 4);
            if head & 15 > 3 {
                return None;
            }
            *self.huffman.get_mut(place)? = Some(Huffman::new(counts, symbols)?);
            body = rest.get(16 + total..)?;
        }
        Some(())
    }

    fn scan(&mut self, scan: Scan) -> Result<(), String> {
        const MISSING: &str = "a Huffman table is missing";
        let Scan { spectral_start, spectral_end, .. } = scan;
        let refines_dc = self.progressive && spectral_start == 0 && scan.high > 0;
        let dc = match spectral_start == 0 && !refines_dc {
            true => Some(self.huffman.get(scan.dc).and_then(Option::as_ref).ok_or(MISSING)?),
            false => None,
        };
        let ac = match spectral_end > 0 {
            true => Some(self.huffman.get(4 + scan.ac).and_then(Option::as_ref).ok_or(MISSING)?),
            false => None,
        };
        let mut bits = Bits { bytes: self.segments.bytes, at: self.segments.at, held: 0, count: 0 };
        let mut run = Run { predicted: 0, end_of_band: 0 };
        let mut until_restart = self.restart_interval;
        for block in self.coefficients.chunks_exact_mut(64) {
            if self.restart_interval > 0 {
                if until_restart == 0 {
                    bits.restart().ok_or("a restart marker is missing")?;
                    run = Run { predicted: 0, end_of_band: 0 };
                    until_restart = self.restart_interval;
                }
                until_restart -= 1;
            }
            let decoded = match (self.progressive, dc, ac) {
                (false, Some(dc), Some(ac)) => sequential_block(&mut bits, block, dc, ac, &mut run),
                (true, Some(dc), _) => dc_first(&mut bits, block, dc, scan.low, &mut run),
                (true, None, None) => dc_refined(&mut bits, block, scan.low),
                (true, None, Some(ac)) if scan.high == 0 => ac_first(&mut bits, block, ac, &scan, &mut run),
                (true, None, Some(ac)) => ac_refined(&mut bits, block, ac, &scan, &mut run),
                (false, ..) => None,
            };
            decoded.ok_or("its coded data is damaged or cut off")?;
        }
        self.segments.at = bits.at;
        self.segments.skip_to_marker();
        Ok(())
    }
}

/// A scan header (ITU-T T.81 §B.2.3).
struct Scan {
    dc: usize,
    ac: usize,
    spectral_start: usize,
    spectral_end: usize,
    /// Successive approximation.
    high: u8,
    low: u8,
}

impl Scan {
    fn read(body: &[u8], progressive: bool) -> Option<Self> {
        let &[1, _, tables, start, end, approximation] = body.first_chunk()? else { return None };
        let scan = Self {
            dc: usize::from(tables >> 4),
            ac: usize::from(tables & 15),
            spectral_start: usize::from(start),
            spectral_end: usize::from(end),
            high: approximation >> 4,
            low: approximation & 15,
        };
        let in_range = scan.dc < 4 && scan.ac < 4 && scan.spectral_end < 64 && scan.low <= 13;
        let fits = match (progressive, start) {
            (false, _) => (start, end) == (0, 63),
            (true, 0) => end == 0,
            (true, _) => start <= end,
        };
        (in_range && fits).then_some(scan)
    }
}

struct Run {
    predicted: i32,
    end_of_band: u32,
}

fn sequential_block(bits: &mut Bits<'_>, block: &mut [i32], dc: &Huffman, ac: &Huffman, run: &mut Run) -> Option<()> {
    dc_first(bits, block, dc, 0, run)?;
    let mut k = 1;
    while k < 64 {
        let symbol = ac.symbol(bits)?;
        let (zeros, size) = (usize::from(symbol >> 4), symbol & 15);
        match (zeros, size) {
            (15, 0) => k += 16,
            (_, 0) => break,
            _ => {
                k += zeros;
                *block.get_mut(*ZIGZAG.get(k)?)? = bits.extended(size)?;
                k += 1;
            }
        }
    }
    Some(())
}

fn dc_first(bits: &mut Bits<'_>, block: &mut [i32], dc: &Huffman, low: u8, run: &mut Run) -> Option<()> {
    let size = dc.symbol(bits)?;
    let difference = bits.extended(size)?;
    run.predicted = run.predicted.wrapping_add(difference);
    *block.first_mut()? = run.predicted.wrapping_shl(u32::from(low));
    Some(())
}

fn dc_refined(bits: &mut Bits<'_>, block: &mut [i32], low: u8) -> Option<()> {
    *block.first_mut()? |= (bits.take(1)? as i32) << low;
    Some(())
}

fn ac_first(bits: &mut Bits<'_>, block: &mut [i32], ac: &Huffman, scan: &Scan, run: &mut Run) -> Option<()> {
    if run.end_of_band > 0 {
        run.end_of_band -= 1;
        return Some(());
    }
    let mut k = scan.spectral_start;
    while k <= scan.spectral_end {
        let symbol = ac.symbol(bits)?;
        let (zeros, size) = (symbol >> 4, symbol & 15);
        match (zeros, size) {
            (15, 0) => k += 16,
            (_, 0) => {
                run.end_of_band = (1 << zeros) - 1 + bits.take(zeros)?;
                break;
            }
            _ => {
                k += usize::from(zeros);
                *block.get_mut(*ZIGZAG.get(k)?)? = bits.extended(size)? << scan.low;
                k += 1;
            }
        }
    }
    Some(())
}

fn ac_refined(bits: &mut Bits<'_>, block: &mut [i32], ac: &Huffman, scan: &Scan, run: &mut Run) -> Option<()> {
    let step = 1i32 << scan.low;
    let mut k = scan.spectral_start;
    if run.end_of_band == 0 {
        while k <= scan.spectral_end {
            let symbol = ac.symbol(bits)?;
            let mut zeros = symbol >> 4;
            let new = match symbol & 15 {
                0 if zeros < 15 => {
                    run.end_of_band = (1 << zeros) + bits.take(zeros)?;
                    break;
                }
                0 => 0,
                _ if bits.take(1)? == 1 => step,
                _ => -step,
            };
            while k <= scan.spectral_end {
                let coefficient = block.get_mut(*ZIGZAG.get(k)?)?;
                if *coefficient != 0 {
                    refine(bits, coefficient, step)?;
                } else if zeros == 0 {
                    *coefficient = new;
                    break;
                } else {
                    zeros -= 1;
                }
                k += 1;
            }
            k += 1;
        }
    }
    if run.end_of_band > 0 {
        for &place in ZIGZAG.get(k..=scan.spectral_end).unwrap_or_default() {
            let coefficient = block.get_mut(place)?;
            if *coefficient != 0 {
                refine(bits, coefficient, step)?;
            }
        }
        run.end_of_band -= 1;
    }
    Some(())
}

fn refine(bits: &mut Bits<'_>, coefficient: &mut i32, step: i32) -> Option<()> {
    if bits.take(1)? == 1 && *coefficient & step == 0 {
        *coefficient = coefficient.wrapping_add(step * coefficient.signum());
    }
    Some(())
}

/// Marker segments.
struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        loop {
            match self.bytes.get(self.at..self.at + 2)? {
                [0xff, 0xff] => self.at += 1,
                [0xff, 0xd9] => return Some((0xd9, &[])),
                &[0xff, marker] => {
                    let length = usize::from(u16::from_be_bytes(*self.bytes.get(self.at + 2..)?.first_chunk()?));
                    let body = self.bytes.get(self.at + 4..(self.at + 2).checked_add(length.max(2))?)?;
                    self.at += 2 + length.max(2);
                    return Some((marker, body));
                }
                _ => return None,
            }
        }
    }

    /// Coded data may end with a stuffed byte or two before the next marker.
    fn skip_to_marker(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7 | 0xff);
        self.at += rest.windows(2).position(is_marker).unwrap_or(rest.len());
    }
}

/// Bits of coded data, with the stuffed zeros taken out.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u32,
    count: u32,
}

impl Bits<'_> {
    fn take(&mut self, count: u8) -> Option<u32> {
        let count = u32::from(count);
        while self.count < count {
            let byte = *self.bytes.get(self.at)?;
            self.at += match (byte, self.bytes.get(self.at + 1)) {
                (0xff, Some(0)) => 2,
                (0xff, _) => return None, // a marker: the data ends here
                _ => 1,
            };
            self.held = self.held << 8 | u32::from(byte);
            self.count += 8;
        }
        self.count -= count;
        // At most 16 bits are asked for and at most 7 more held.
        Some(self.held >> self.count & ((1 << count) - 1))
    }

    /// A number of `size` bits whose first bit says its sign (ITU-T T.81 §F.2.2.1).
    fn extended(&mut self, size: u8) -> Option<i32> {
        if size == 0 {
            return Some(0);
        }
        let bits = self.take((size <= 16).then_some(size)?)? as i32;
        Some(if bits < 1 << (size - 1) { bits - (1 << size) + 1 } else { bits })
    }

    fn restart(&mut self) -> Option<()> {
        self.count = 0;
        while self.bytes.get(self.at..self.at + 2)? == [0xff, 0xff] {
            self.at += 1;
        }
        let &[0xff, 0xd0..=0xd7] = self.bytes.get(self.at..self.at + 2)?.first_chunk::<2>()? else { return None };
        self.at += 2;
        Some(())
    }
}

/// A Huffman table by code length (ITU-T T.81 §F.2.2.3).
struct Huffman {
    /// For each length: first code, number of codes, where their symbols start.
    lengths: [(u32, u32, usize); 16],
    symbols: Vec<u8>,
}

impl Huffman {
    fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut lengths = [(0, 0, 0); 16];
        let (mut code, mut start) = (0u32, 0usize);
        for (i, (&count, length)) in counts.iter().zip(&mut lengths).enumerate() {
            *length = (code, u32::from(count), start);
            code += u32::from(count);
            start += usize::from(count);
            if code > 1 << (i + 1) {
                return None;
            }
            code <<= 1;
        }
        Some(Self { lengths, symbols: symbols.to_vec() })
    }

    fn symbol(&self, bits: &mut Bits<'_>) -> Option<u8> {
        let mut code = 0;
        for &(first, count, start) in &self.lengths {
            code = code << 1 | bits.take(1)?;
            if let Some(at) = code.checked_sub(first).filter(|&at| at < count) {
                return self.symbols.get(start + at as usize).copied();
            }
        }
        None
    }
}

/// Dequantizes, transforms back and lifts to 0..=4095 (ITU-T T.81 §A.3.3).
fn samples(coefficients: &[i32], table: &[u16; 64], blocks_across: usize, coded: Coded) -> Vec<u32> {
    let mut cosines = [[0f32; 8]; 8];
    for (x, row) in cosines.iter_mut().enumerate() {
        for (u, cosine) in row.iter_mut().enumerate() {
            let scale = if u == 0 { std::f64::consts::FRAC_1_SQRT_2 } else { 1.0 };
            *cosine = (scale / 2.0 * ((2 * x + 1) as f64 * u as f64 * std::f64::consts::PI / 16.0).cos()) as f32;
        }
    }
    let (columns, rows) = (coded.columns as usize, coded.rows as usize);
    let middle = (1u32 << (coded.bits - 1)) as f32;
    let highest = (1u32 << coded.bits) as f32 - 1.0;
    let mut samples = vec![0; columns * rows];
    for (at, block) in coefficients.chunks_exact(64).enumerate() {
        let mut across = [[0f32; 8]; 8]; // rows of frequencies, columns of samples
        for (v, row) in across.iter_mut().enumerate() {
            let line: [f32; 8] = std::array::from_fn(|u| block[v * 8 + u] as f32 * f32::from(table[v * 8 + u]));
            for (x, value) in row.iter_mut().enumerate() {
                *value = line.iter().zip(&cosines[x]).map(|(a, b)| a * b).sum();
            }
        }
        let (left, top) = (at % blocks_across * 8, at / blocks_across * 8);
        for y in 0..8.min(rows - top) {
            for x in 0..8.min(columns - left) {
                let value: f32 = (0..8).map(|v| across[v][x] * cosines[y][v]).sum();
                samples[(top + y) * columns + left + x] = (value.round() + middle).clamp(0.0, highest) as u32;
            }
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CODED: Coded = Coded { rows: 16, columns: 16, samples: 1, bits: 12 };

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(tail in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&[&[0xff, 0xd8][..], &tail].concat(), CODED);
        }

        #[test]
        fn a_sound_beginning_with_any_scan_is_decoded_or_refused(
            scan in prop::collection::vec(any::<u8>(), 0..300), progressive: bool, tables in any::<u8>(),
        ) {
            let mut bytes = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
            bytes.extend([1; 64]);
            bytes.extend([0xff, if progressive { 0xc2 } else { 0xc1 }, 0, 11, 12, 0, 16, 0, 16, 1, 1, 0x11, 0]);
            for class in [0x00, 0x10] {
                bytes.extend([0xff, 0xc4, 0, 22, class, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, tables, 0xf0]);
            }
            bytes.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, if progressive { 0 } else { 63 }, 0]);
            bytes.extend(scan);
            bytes.extend([0xff, 0xd9]);
            let _ = decode(&bytes, CODED);
        }
    }
}
