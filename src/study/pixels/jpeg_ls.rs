//! JPEG-LS, lossless and near-lossless, of one component or several (ISO/IEC 14495-1 = ITU-T T.87).
//!
//! The codecs at hand read one component only, while ultrasound and photographs come in colour: by component, by
//! line or by sample. Names of variables (A, B, C, N, Nn, RUNindex) are the standard's, so that each step can be
//! held beside its clause.
//!
//! Not read, and said so: mapping tables, restart intervals, point transform and Hewlett-Packard's private colour
//! transforms, none of which DICOM allows. A codestream that ends early is refused rather than filled.

use super::codec::Coded;

/// A.2.1, table A.1: run lengths by RUNindex, as powers of two.
const J: [u8; 32] =
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15];

const DAMAGED: &str = "its coded data is damaged or cut off";

/// Decodes a codestream whose frame header says `coded`: samples pixel by pixel.
pub(super) fn decode(bytes: &[u8], coded: Coded) -> Result<Vec<u32>, String> {
    if !(2..=16).contains(&coded.bits) {
        return Err("its precision is out of range".to_string());
    }
    let samples = coded.samples as usize;
    let mut decoded = vec![0; coded.rows as usize * coded.columns as usize * samples];
    let mut presets = Presets { highest: (1 << coded.bits) - 1, thresholds: [0; 3], reset: 64 };
    let mut identifiers = Vec::new();
    let mut done = 0;
    let mut at = 2;
    while done < samples {
        let (marker, body, end) = segment(bytes, at).ok_or("it is cut off")?;
        at = end;
        match marker {
            0xf7 => identifiers = body.get(6..).unwrap_or_default().chunks_exact(3).map(|c| c[0]).collect(),
            0xf8 => presets = presets.read(body, coded.bits)?,
            0xda => {
                let scan = ScanHeader::read(body, &identifiers, samples).ok_or("its scan header is not supported")?;
                let data = bytes.get(end..).unwrap_or_default();
                let mut scanner = Scan::new(&presets, scan.near, data).ok_or("its parameters are out of range")?;
                let target = Target { decoded: &mut decoded, columns: coded.columns as usize, samples };
                let read = scanner.run(&scan, target).ok_or(DAMAGED)?;
                done += scan.components.len();
                at = end + read;
                at +=
                    bytes.get(at..).unwrap_or_default().windows(2).take_while(|w| w[0] != 0xff || w[1] < 0x80).count();
            }
            0xe8 if body.starts_with(b"mrfx") => return Err("a private colour transform".to_string()),
            0xdd if body.iter().any(|&byte| byte != 0) => return Err("restart intervals".to_string()),
            0xdd | 0xe0..=0xef | 0xfe => {}
            _ => return Err(format!("an unexpected marker {marker:02X}")),
        }
    }
    Ok(decoded)
}

/// The marker segment at a place: marker, body, end.
fn segment(bytes: &[u8], mut at: usize) -> Option<(u8, &[u8], usize)> {
    while bytes.get(at..at + 2)? == [0xff, 0xff] {
        at += 1;
    }
    let &[0xff, marker, high, low] = bytes.get(at..)?.first_chunk()? else { return None };
    let end = at + 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
    Some((marker, bytes.get(at + 4..end)?, end))
}

/// Preset coding parameters (C.2.4.1.1); a threshold of 0 is the default.
struct Presets {
    highest: i32,
    thresholds: [i32; 3],
    reset: i32,
}

impl Presets {
    fn read(self, body: &[u8], bits: u32) -> Result<Self, String> {
        let (&[1, ref values @ ..], true) = (body.first_chunk::<11>().ok_or(DAMAGED)?, body.len() == 11) else {
            return Err("mapping tables".to_string());
        };
        let value = |i: usize| i32::from(u16::from_be_bytes([values[2 * i], values[2 * i + 1]]));
        let or = |value: i32, default: i32| if value == 0 { default } else { value };
        let highest = or(value(0), self.highest);
        if highest >= 1 << bits {
            return Err("its highest value does not fit its bits".to_string());
        }
        Ok(Self { highest, thresholds: [value(1), value(2), value(3)], reset: or(value(4), 64) })
    }

    /// Thresholds T1 to T3 (C.2.4.1.1.1).
    fn thresholds(&self, near: i32) -> [i32; 3] {
        let highest = self.highest;
        let clamped = |i: i32, low: i32| if i > highest || i < low { low } else { i };
        let [basic1, basic2, basic3] = [3, 7, 21];
        let raw = if highest >= 128 {
            let factor = (highest.min(4095) + 128) / 256;
            [factor * (basic1 - 2) + 2, factor * (basic2 - 3) + 3, factor * (basic3 - 4) + 4]
        } else {
            let factor = 256 / (highest + 1);
            [(basic1 / factor).max(2), (basic2 / factor).max(3), (basic3 / factor).max(4)]
        };
        let t1 = clamped(raw[0] + 3 * near, near + 1);
        let t2 = clamped(raw[1] + 5 * near, t1);
        let defaults = [t1, t2, clamped(raw[2] + 7 * near, t2)];
        std::array::from_fn(|i| if self.thresholds[i] == 0 { defaults[i] } else { self.thresholds[i] })
    }
}

/// A scan header (C.2.3).
struct ScanHeader {
    /// Which components, as their places in a pixel.
    components: Vec<usize>,
    near: i32,
    by_sample: bool,
}

impl ScanHeader {
    fn read(body: &[u8], identifiers: &[u8], samples: usize) -> Option<Self> {
        let (&count, rest) = body.split_first()?;
        let count = usize::from(count);
        let place = |component: &[u8]| {
            let place = identifiers.iter().position(|identifier| *identifier == component[0]);
            place.filter(|&place| component[1] == 0 && place < samples)
        };
        let components: Option<Vec<usize>> = rest.get(..2 * count)?.chunks_exact(2).map(place).collect();
        let &[near, interleave, point_transform] = rest.get(2 * count..)?.first_chunk()?;
        let fits = match interleave {
            0 => count == 1,
            1 | 2 => count == samples,
            _ => false,
        };
        let header = Self { components: components?, near: i32::from(near), by_sample: interleave == 2 && count > 1 };
        (fits && point_transform == 0).then_some(header)
    }
}

/// Where samples go.
struct Target<'a> {
    decoded: &'a mut [u32],
    columns: usize,
    samples: usize,
}

/// Statistics of one context (A.2.1); `c` is unused and `nn` used in the two of run interruptions.
#[derive(Clone, Copy)]
struct Context {
    a: i64,
    b: i64,
    c: i32,
    n: i32,
    nn: i32,
}

/// Two lines of one component, each with one sample before and one behind.
struct Lines {
    previous: Vec<i32>,
    current: Vec<i32>,
    run_index: usize,
}

struct Scan<'a> {
    bits: Bits<'a>,
    highest: i32,
    near: i32,
    thresholds: [i32; 3],
    reset: i32,
    range: i32,
    qbpp: u32,
    limit: u32,
    contexts: Vec<Context>,
    interruptions: [Context; 2],
}

impl<'a> Scan<'a> {
    fn new(presets: &Presets, near: i32, data: &'a [u8]) -> Option<Self> {
        let highest = presets.highest;
        let thresholds = presets.thresholds(near);
        let ordered = near < thresholds[0] && thresholds.is_sorted() && thresholds[2] <= highest;
        if !ordered || near > highest / 2 || !(3..=highest.max(255)).contains(&presets.reset) {
            return None;
        }
        let range = (highest + 2 * near) / (2 * near + 1) + 1;
        let bits_of = |values: i32| 32 - (values - 1).leading_zeros();
        let bpp = bits_of(highest + 1).max(2);
        let context = Context { a: i64::from((range + 32) / 64).max(2), b: 0, c: 0, n: 1, nn: 0 };
        Some(Self {
            bits: Bits { bytes: data, at: 0, held: 0, count: 0, after_ff: false },
            highest,
            near,
            thresholds,
            reset: presets.reset,
            range,
            qbpp: bits_of(range),
            limit: 2 * (bpp + bpp.max(8)),
            contexts: vec![context; 365],
            interruptions: [context; 2],
        })
    }

    /// Decodes the scan; returns how many bytes it took.
    fn run(&mut self, header: &ScanHeader, target: Target<'_>) -> Option<usize> {
        let Target { decoded, columns, samples } = target;
        let line = || vec![0; columns + 2];
        let mut components: Vec<Lines> =
            header.components.iter().map(|_| Lines { previous: line(), current: line(), run_index: 0 }).collect();
        for row in decoded.chunks_exact_mut(columns * samples) {
            for lines in &mut components {
                std::mem::swap(&mut lines.previous, &mut lines.current);
                // The edges' neighbours (A.2.1).
                lines.previous[columns + 1] = lines.previous[columns];
                lines.current[0] = lines.previous[1];
            }
            match header.by_sample {
                true => self.row_by_sample(&mut components, columns)?,
                false => {
                    for lines in &mut components {
                        self.row(lines, columns)?;
                    }
                }
            }
            for (lines, &place) in components.iter().zip(&header.components) {
                for (sample, &value) in row.iter_mut().skip(place).step_by(samples).zip(&lines.current[1..]) {
                    *sample = value as u32; // 0 to `highest`
                }
            }
        }
        Some(self.bits.at)
    }

    fn row(&mut self, lines: &mut Lines, columns: usize) -> Option<()> {
        let mut x = 1;
        while x <= columns {
            let gradients = self.gradients(lines, x);
            if gradients != [0; 3] {
                lines.current[x] = self.regular(lines, x, gradients)?;
                x += 1;
                continue;
            }
            let run = self.run_length(&mut lines.run_index, columns + 1 - x)?;
            let a = lines.current[x - 1];
            lines.current[x..x + run].fill(a);
            x += run;
            if x <= columns {
                let b = lines.previous[x];
                lines.current[x] = match (a - b).abs() <= self.near {
                    true => {
                        let error = self.interruption(1, lines.run_index)?;
                        self.reconstructed(a, error)
                    }
                    false => {
                        let error = self.interruption(0, lines.run_index)?;
                        self.reconstructed(b, if b < a { -error } else { error })
                    }
                };
                lines.run_index = lines.run_index.saturating_sub(1);
                x += 1;
            }
        }
        Some(())
    }

    /// All components of a pixel share one run; its end is coded for each with the first context.
    fn row_by_sample(&mut self, components: &mut [Lines], columns: usize) -> Option<()> {
        let mut x = 1;
        while x <= columns {
            let flat = components.iter().all(|lines| self.gradients(lines, x) == [0; 3]);
            if !flat {
                for lines in components.iter_mut() {
                    let gradients = self.gradients(lines, x);
                    lines.current[x] = self.regular(lines, x, gradients)?;
                }
                x += 1;
                continue;
            }
            let mut run_index = components.first()?.run_index;
            let run = self.run_length(&mut run_index, columns + 1 - x)?;
            for lines in components.iter_mut() {
                let a = lines.current[x - 1];
                lines.current[x..x + run].fill(a);
            }
            x += run;
            if x <= columns {
                for lines in components.iter_mut() {
                    let (a, b) = (lines.current[x - 1], lines.previous[x]);
                    let error = self.interruption(0, run_index)?;
                    lines.current[x] = self.reconstructed(b, if b < a { -error } else { error });
                }
                run_index = run_index.saturating_sub(1);
                x += 1;
            }
            components.first_mut()?.run_index = run_index;
        }
        Some(())
    }

    /// Quantized local gradients (A.3).
    fn gradients(&self, lines: &Lines, x: usize) -> [i32; 3] {
        let (a, b) = (lines.current[x - 1], lines.previous[x]);
        let (c, d) = (lines.previous[x - 1], lines.previous[x + 1]);
        [d - b, b - c, c - a].map(|gradient| {
            let size = gradient.abs();
            let [t1, t2, t3] = self.thresholds;
            let level = if size <= self.near {
                0
            } else {
                1 + i32::from(size >= t1) + i32::from(size >= t2) + i32::from(size >= t3)
            };
            level * gradient.signum()
        })
    }

    /// A sample outside runs (A.4 to A.6).
    fn regular(&mut self, lines: &Lines, x: usize, [q1, q2, q3]: [i32; 3]) -> Option<i32> {
        let (a, b, c) = (lines.current[x - 1], lines.previous[x], lines.previous[x - 1]);
        let predicted = if c >= a.max(b) {
            a.min(b)
        } else if c <= a.min(b) {
            a.max(b)
        } else {
            a + b - c
        };
        let index = 81 * q1 + 9 * q2 + q3;
        let sign = if index < 0 { -1 } else { 1 };
        let place = index.unsigned_abs() as usize;
        let mut context = *self.contexts.get(place)?;
        let predicted = (predicted + sign * context.c).clamp(0, self.highest);
        let k = golomb_parameter(context.a, context.n);
        let mapped = self.mapped(k, self.limit)?;
        let flipped = k == 0 && self.near == 0 && 2 * context.b <= -i64::from(context.n);
        let error = (mapped >> 1) ^ -(mapped & 1) ^ -i32::from(flipped);
        self.update(&mut context, error);
        *self.contexts.get_mut(place)? = context;
        Some(self.reconstructed(predicted, sign * error))
    }

    /// A.6.
    fn update(&self, context: &mut Context, error: i32) {
        context.b += i64::from(error * (2 * self.near + 1));
        context.a += i64::from(error.abs());
        if context.n == self.reset {
            context.a >>= 1;
            context.b >>= 1;
            context.n >>= 1;
        }
        context.n += 1;
        let n = i64::from(context.n);
        if context.b <= -n {
            context.c = (context.c - 1).max(-128);
            context.b = (context.b + n).max(1 - n);
        } else if context.b > 0 {
            context.c = (context.c + 1).min(127);
            context.b = (context.b - n).min(0);
        }
    }

    /// The length of a run of at most `most` samples (A.7.1).
    fn run_length(&mut self, run_index: &mut usize, most: usize) -> Option<usize> {
        let mut run = 0;
        while run < most && self.bits.take(1)? == 1 {
            let step = 1usize << J[*run_index];
            if run + step <= most {
                *run_index = (*run_index + 1).min(31);
            }
            run = (run + step).min(most);
            if run == most {
                return Some(run);
            }
        }
        run += self.bits.take(u32::from(J[*run_index]))? as usize;
        (run <= most).then_some(run)
    }

    /// The error of the sample that ends a run (A.7.2).
    fn interruption(&mut self, kind: usize, run_index: usize) -> Option<i32> {
        let mut context = *self.interruptions.get(kind)?;
        let type_1 = kind as i32;
        let k = golomb_parameter(context.a + i64::from((context.n >> 1) * type_1), context.n);
        let mapped = self.mapped(k, self.limit - u32::from(J[run_index]) - 1)?;
        let with_type = mapped + type_1;
        let odd = with_type & 1 == 1;
        let size = (with_type + 1) >> 1;
        let negative = (k != 0 || 2 * context.nn >= context.n) == odd;
        let error = if negative { -size } else { size };
        context.nn += i32::from(error < 0);
        context.a += i64::from((mapped + 1 - type_1) >> 1);
        if context.n == self.reset {
            context.a >>= 1;
            context.n >>= 1;
            context.nn >>= 1;
        }
        context.n += 1;
        *self.interruptions.get_mut(kind)? = context;
        Some(error)
    }

    /// A Golomb code of limited length (A.5.3); no sound one is larger than twice the range.
    fn mapped(&mut self, k: u32, limit: u32) -> Option<i32> {
        let escape = limit.checked_sub(self.qbpp + 1)?;
        let mut zeros = 0;
        while self.bits.take(1)? == 0 {
            zeros += 1;
            if zeros > escape {
                return None;
            }
        }
        let mapped = match zeros < escape {
            true => u64::from(zeros) << k | u64::from(self.bits.take(k)?),
            false => u64::from(self.bits.take(self.qbpp)?) + 1,
        };
        i32::try_from(mapped).ok().filter(|&mapped| mapped <= 2 * self.range)
    }

    /// A.4.4 and A.4.5, backwards.
    fn reconstructed(&self, predicted: i32, error: i32) -> i32 {
        let step = 2 * self.near + 1;
        let value = predicted + error * step;
        let value = if value < -self.near {
            value + self.range * step
        } else if value > self.highest + self.near {
            value - self.range * step
        } else {
            value
        };
        value.clamp(0, self.highest)
    }
}

/// The k for which n 2^k reaches a (A.5.1); no sound codestream comes near 24.
fn golomb_parameter(a: i64, n: i32) -> u32 {
    (0..24).find(|&k| i64::from(n) << k >= a).unwrap_or(24)
}

/// Bits of coded data: after a byte of ones, one stuffed zero bit (A.1).
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
    after_ff: bool,
}

impl Bits<'_> {
    /// Takes up to 24 bits.
    fn take(&mut self, count: u32) -> Option<u32> {
        while self.count < count {
            let byte = *self.bytes.get(self.at)?;
            if self.after_ff && byte >= 0x80 {
                return None; // a marker: the data ends here
            }
            let width = if self.after_ff { 7 } else { 8 };
            self.held = self.held << width | u64::from(byte);
            self.count += width;
            self.after_ff = byte == 0xff;
            self.at += 1;
        }
        self.count -= count;
        Some((self.held >> self.count) as u32 & ((1 << count) - 1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What an independent encoder makes of grey samples.
    fn encoded(samples: &[u16], columns: u32, bits: u8, near: u8) -> Vec<u8> {
        let mut options = jpegls::EncodeOptions::default();
        options.precision = Some(bits);
        options.near = near;
        let mut bytes = Vec::new();
        let rows = u32::try_from(samples.len()).unwrap() / columns;
        jpegls::encode_with_options(samples, columns, rows, &options, &mut bytes).unwrap();
        bytes
    }

    /// The same grey image as three components in three scans, as interleave mode 0 writes them.
    fn by_component(grey: &[u8], rows: u16, columns: u16, bits: u8) -> Vec<u8> {
        let scan = grey.windows(2).position(|w| w == [0xff, 0xda]).unwrap();
        let data = &grey[scan + 10..grey.len() - 2];
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xf7, 0, 17, bits];
        bytes.extend(rows.to_be_bytes());
        bytes.extend(columns.to_be_bytes());
        bytes.extend([3, 7, 0x11, 0, 8, 0x11, 0, 9, 0x11, 0]);
        for component in [7, 8, 9] {
            bytes.extend([0xff, 0xda, 0, 8, 1, component, 0, 0, 0, 0]);
            bytes.extend(data);
        }
        bytes.extend([0xff, 0xd9]);
        bytes
    }

    proptest! {
        #[test]
        fn what_another_encoder_wrote_comes_back(
            seed in prop::collection::vec(any::<u16>(), 1..40), flat in 0usize..30, bits in 2u8..=16, columns in 1u32..12,
        ) {
            let mask = u16::MAX >> (16 - bits);
            let row = columns as usize;
            let mut samples: Vec<u16> = seed.iter().flat_map(|value| vec![value & mask; 1 + flat]).collect();
            samples.resize(samples.len().next_multiple_of(row), 0);
            let bytes = encoded(&samples, columns, bits, 0);
            let rows = u32::try_from(samples.len()).unwrap() / columns;
            let coded = Coded { rows, columns, samples: 1, bits: u32::from(bits) };
            let expected: Vec<u32> = samples.iter().map(|&sample| u32::from(sample)).collect();
            prop_assert_eq!(decode(&bytes, coded).unwrap(), expected.clone());
            let three = by_component(&bytes, rows as u16, columns as u16, bits);
            let thrice: Vec<u32> = expected.iter().flat_map(|&sample| [sample; 3]).collect();
            prop_assert_eq!(decode(&three, Coded { samples: 3, ..coded }).unwrap(), thrice);
        }

        #[test]
        fn near_lossless_stays_near(samples in prop::collection::vec(any::<u8>(), 64), near in 1u8..20) {
            let samples: Vec<u16> = samples.iter().map(|&sample| u16::from(sample)).collect();
            let coded = Coded { rows: 8, columns: 8, samples: 1, bits: 8 };
            let decoded = decode(&encoded(&samples, 8, 8, near), coded).unwrap();
            for (&found, &sample) in decoded.iter().zip(&samples) {
                prop_assert!(found.abs_diff(u32::from(sample)) <= u32::from(near));
            }
        }

        #[test]
        fn any_coded_data_is_decoded_or_refused(
            data in prop::collection::vec(any::<u8>(), 0..300), near in 0u8..10, interleave in 0u8..3, bits in 2u8..=16,
        ) {
            let coded = Coded { rows: 9, columns: 7, samples: 3, bits: u32::from(bits) };
            let mut bytes = vec![0xff, 0xd8, 0xff, 0xf7, 0, 17, bits, 0, 9, 0, 7, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0];
            match interleave {
                0 => bytes.extend([0xff, 0xda, 0, 8, 1, 1, 0, near, 0, 0]),
                mode => bytes.extend([0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, near, mode, 0]),
            }
            bytes.extend(data);
            let _ = decode(&bytes, coded);
        }

        #[test]
        fn any_presets_are_used_or_refused(presets in prop::collection::vec(any::<u8>(), 11), data in prop::collection::vec(any::<u8>(), 0..99)) {
            let coded = Coded { rows: 4, columns: 4, samples: 1, bits: 8 };
            let mut bytes = vec![0xff, 0xd8, 0xff, 0xf7, 0, 11, 8, 0, 4, 0, 4, 1, 1, 0x11, 0, 0xff, 0xf8, 0, 13];
            bytes.extend(presets);
            bytes.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0]);
            bytes.extend(data);
            let _ = decode(&bytes, coded);
        }
    }
}
