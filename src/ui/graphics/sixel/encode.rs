//! Sixel: bands of six rows, one pass of each band for each colour in it.
//!
//! ```text
//!   ESC P 0;1;0 q  "1;1;width;height  #7;2;11;11;11 #7 !20~ ?? @  $  #9;2;… …  -  next band …  ESC \
//!                  raster attributes  register 7    runs          back         band done
//! ```
//!
//! Each column of a band is taken apart into its colours once, and each colour keeps the runs it has; so the time goes
//! with the number of pixels, not with pixels times colours. Background is never painted (the `1` in the header): a
//! pixel that is not set stays as it is, which is what lets parts of a picture be drawn anew.

use super::super::palette::{HOLE, Palette};

/// Rows of a band.
const BAND: usize = 6;

/// Draws graphics; keeps its workspace from one to the next.
#[derive(Debug, Default)]
pub struct Encoder {
    /// Runs of each register in the present band.
    runs: Vec<Vec<Run>>,
    /// Registers that have any.
    used: Vec<u8>,
    /// Which registers the present graphic has defined.
    defined: Vec<bool>,
}

/// Equal columns of one colour: which of the six rows are set.
#[derive(Debug, Clone, Copy)]
struct Run {
    start: u32,
    end: u32,
    rows: u8,
}

/// A part of a canvas, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
}

impl Encoder {
    /// Appends a graphic that shows a part of a canvas of registers, to be drawn at the cursor.
    ///
    /// Nothing is written for a part that has only holes.
    pub fn encode(&mut self, out: &mut Vec<u8>, canvas: &[u8], canvas_width: usize, part: Part, palette: &Palette) {
        self.runs.resize_with(usize::from(HOLE), Vec::new);
        self.defined.clear();
        self.defined.resize(usize::from(HOLE), false);
        let start = out.len();
        out.extend(b"\x1bP0;1;0q\"1;1;");
        number(out, part.width);
        out.push(b';');
        number(out, part.height);
        let header = out.len();
        // Ends of bands are written late: the one behind the last band would scroll some terminals.
        let mut bands_to_end = 0_usize;
        let rows: Vec<&[u8]> = (canvas.chunks_exact(canvas_width.max(1)).skip(part.y).take(part.height))
            .filter_map(|row| row.get(part.x..part.x + part.width))
            .collect();
        for band in rows.chunks(BAND) {
            self.take_apart(band);
            if !self.used.is_empty() {
                out.extend(std::iter::repeat_n(b'-', bands_to_end));
                bands_to_end = 0;
                self.write_band(out, palette);
            }
            bands_to_end += 1;
        }
        if out.len() == header {
            out.truncate(start);
        } else {
            out.extend(b"\x1b\\");
        }
    }

    /// Finds the runs of each register in up to six rows.
    fn take_apart(&mut self, band: &[&[u8]]) {
        match band {
            [a, b, c, d, e, f] => {
                let columns = a.iter().zip(*b).zip(*c).zip(*d).zip(*e).zip(*f);
                self.columns(columns.map(|(((((a, b), c), d), e), f)| [*a, *b, *c, *d, *e, *f]));
            }
            _ => {
                let columns = 0..band.first().map_or(0, |row| row.len());
                self.columns(columns.map(|x| std::array::from_fn(|y| band.get(y).map_or(HOLE, |row| row[x]))));
            }
        }
    }

    /// Takes equal columns that follow each other as one.
    fn columns(&mut self, columns: impl Iterator<Item = [u8; BAND]>) {
        let (mut last, mut start, mut end) = ([HOLE; BAND], 0, 0);
        for column in columns {
            if column != last {
                self.column(start, end, last);
                (last, start) = (column, end);
            }
            end += 1;
        }
        self.column(start, end, last);
    }

    /// Gives the rows of equal columns to their colours.
    fn column(&mut self, start: u32, end: u32, pixels: [u8; BAND]) {
        if start == end {
            return;
        }
        // Bits of the rows that still have to be given to a colour.
        let mut left: u8 = 0b11_1111;
        while left != 0 {
            let register = pixels[left.trailing_zeros() as usize];
            let mut rows = 0;
            for (y, pixel) in pixels.iter().enumerate() {
                rows |= u8::from(*pixel == register) << y;
            }
            left &= !rows;
            if let Some(runs) = self.runs.get_mut(usize::from(register)) {
                match runs.last_mut() {
                    Some(last) if last.end == start && last.rows == rows => last.end = end,
                    Some(_) => runs.push(Run { start, end, rows }),
                    None => {
                        self.used.push(register);
                        runs.push(Run { start, end, rows });
                    }
                }
            }
        }
    }

    /// Writes the runs, and forgets them.
    fn write_band(&mut self, out: &mut Vec<u8>, palette: &Palette) {
        let mut first = true;
        for register in self.used.drain(..) {
            if !std::mem::take(&mut first) {
                out.push(b'$');
            }
            if let Some(defined) = self.defined.get_mut(usize::from(register))
                && !std::mem::replace(defined, true)
            {
                out.push(b'#');
                number(out, register.into());
                out.extend(b";2");
                for percent in palette.percent(register) {
                    out.push(b';');
                    number(out, percent.into());
                }
            }
            out.push(b'#');
            number(out, register.into());
            let Some(runs) = self.runs.get_mut(usize::from(register)) else { continue };
            let mut x = 0;
            for run in runs.drain(..) {
                repeated(out, run.start - x, 0);
                repeated(out, run.end - run.start, run.rows);
                x = run.end;
            }
        }
    }
}

/// So many columns with the same rows set.
fn repeated(out: &mut Vec<u8>, count: u32, rows: u8) {
    let sixel = b'?' + rows;
    match count {
        0 => {}
        1 => out.push(sixel),
        2 => out.extend([sixel; 2]),
        3 => out.extend([sixel; 3]),
        _ => {
            out.push(b'!');
            number(out, count as usize);
            out.push(sixel);
        }
    }
}

fn number(out: &mut Vec<u8>, value: usize) {
    if value < 10 {
        out.push(b'0' + value as u8);
    } else if value < 100 {
        out.extend([b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]);
    } else {
        number(out, value / 100);
        let rest = value % 100;
        out.extend([b'0' + (rest / 10) as u8, b'0' + (rest % 10) as u8]);
    }
}

/// A reader of the subset that is written here, and of nothing else.
#[cfg(test)]
pub mod decoder {
    use std::collections::HashMap;

    /// A decoded graphic: `None` where nothing was painted.
    #[derive(Debug, PartialEq)]
    pub struct Graphic {
        pub width: usize,
        pub height: usize,
        pub pixels: Vec<Option<[u8; 3]>>,
        /// Whether the data ends in a line feed, which may scroll.
        pub ends_in_newline: bool,
    }

    fn numbers(bytes: &[u8], at: &mut usize) -> Vec<usize> {
        let start = *at;
        while bytes.get(*at).is_some_and(|byte| byte.is_ascii_digit() || *byte == b';') {
            *at += 1;
        }
        let text = std::str::from_utf8(&bytes[start..*at]).unwrap();
        text.split(';').map(|number| number.parse().unwrap()).collect()
    }

    pub fn decode(bytes: &[u8]) -> Graphic {
        let body = bytes.strip_prefix(b"\x1bP0;1;0q\"").unwrap().strip_suffix(b"\x1b\\").unwrap();
        let mut at = 0;
        let [1, 1, width, height] = numbers(body, &mut at)[..] else { panic!("raster attributes") };
        let mut pixels = vec![None; width * height];
        let (mut x, mut y, mut colour, mut colours) = (0, 0, [0; 3], HashMap::new());
        while let Some(&byte) = body.get(at) {
            at += 1;
            let mut count = 1;
            let mut sixel = byte;
            match byte {
                b'#' => {
                    match numbers(body, &mut at)[..] {
                        [register] => colour = *colours.get(&register).unwrap(),
                        [register, 2, red, green, blue] => {
                            let _ = colours.insert(register, [red as u8, green as u8, blue as u8]);
                        }
                        _ => panic!("colour"),
                    }
                    continue;
                }
                b'$' => {
                    x = 0;
                    continue;
                }
                b'-' => {
                    (x, y) = (0, y + 6);
                    continue;
                }
                b'!' => {
                    count = numbers(body, &mut at)[0];
                    sixel = body[at];
                    at += 1;
                }
                _ => {}
            }
            assert!((b'?'..=b'~').contains(&sixel));
            for column in x..x + count {
                for row in (0..6).filter(|row| (sixel - b'?') >> row & 1 == 1) {
                    assert!(column < width && y + row < height, "painted outside");
                    let pixel = &mut pixels[(y + row) * width + column];
                    assert_eq!(*pixel, None, "painted twice");
                    *pixel = Some(colour);
                }
            }
            x += count;
        }
        Graphic { width, height, pixels, ends_in_newline: body.ends_with(b"-") }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(canvas: &[u8], width: usize, part: Part) -> Vec<u8> {
        let mut out = Vec::new();
        Encoder::default().encode(&mut out, canvas, width, part, &Palette::new(256));
        out
    }

    #[test]
    fn a_black_square_is_one_run_a_band() {
        let part = Part { x: 0, y: 0, width: 20, height: 12 };
        let out = encoded(&[0; 240], 20, part);
        assert_eq!(out, b"\x1bP0;1;0q\"1;1;20;12#0;2;0;0;0#0!20~-#0!20~\x1b\\");
    }

    #[test]
    fn a_part_without_pixels_is_no_graphic() {
        assert_eq!(encoded(&[HOLE; 64], 8, Part { x: 0, y: 0, width: 8, height: 8 }), b"");
        assert_eq!(encoded(&[], 0, Part { x: 0, y: 0, width: 0, height: 0 }), b"");
    }

    #[test]
    fn numbers_are_decimal() {
        for value in [0, 7, 10, 99, 100, 101, 1_000, 65_535, 1_203_040] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }

    proptest! {
        #[test]
        fn what_is_decoded_is_what_was_encoded(
            (width, canvas) in (1_usize..40).prop_flat_map(|width| {
                let register = prop_oneof![4 => Just(3_u8), 4 => 0_u8..80, 1 => Just(HOLE)];
                (Just(width), proptest::collection::vec(register, width * 20))
            }),
            left in 0_usize..10,
            top in 0_usize..10,
        ) {
            let (x, y) = (left % width, top);
            let part = Part { x, y, width: width - x, height: 20 - y };
            let out = encoded(&canvas, width, part);
            let palette = Palette::new(256);
            let expected: Vec<_> = (y..20)
                .flat_map(|y| &canvas[y * width + x..(y + 1) * width])
                .map(|register| (*register != HOLE).then(|| palette.percent(*register)))
                .collect();
            if expected.iter().all(Option::is_none) {
                prop_assert!(out.is_empty());
            } else {
                let graphic = decoder::decode(&out);
                prop_assert_eq!((graphic.width, graphic.height), (part.width, part.height));
                prop_assert!(!graphic.ends_in_newline);
                prop_assert_eq!(graphic.pixels, expected);
            }
        }
    }
}
