//! Large letters out of blocks, for what is read aloud across a room: a pairing code and nothing else.
//!
//! Letters, digits and hyphens only, all as capitals, each five pixels high. Where they do not fit, or a character is
//! none of these, there is no picture, and whoever asks for one shows plain text.

use ratatui::text::Line;

/// Pixels of a letter from top to bottom.
const HEIGHT_PX: usize = 5;

type Glyph = [&'static str; HEIGHT_PX];

/// The letters, drawn: `#` is ink. Zero and one differ from O and I by their width.
#[rustfmt::skip]
const GLYPHS: [(char, Glyph); 37] = [
    ('0', ["###", "#.#", "#.#", "#.#", "###"]),
    ('1', [".#.", "##.", ".#.", ".#.", "###"]),
    ('2', ["###.", "...#", ".##.", "#...", "####"]),
    ('3', ["###.", "...#", ".##.", "...#", "###."]),
    ('4', ["#..#", "#..#", "####", "...#", "...#"]),
    ('5', ["####", "#...", "###.", "...#", "###."]),
    ('6', [".##.", "#...", "###.", "#..#", ".##."]),
    ('7', ["####", "...#", "..#.", ".#..", ".#.."]),
    ('8', [".##.", "#..#", ".##.", "#..#", ".##."]),
    ('9', [".##.", "#..#", ".###", "...#", ".##."]),
    ('a', [".##.", "#..#", "####", "#..#", "#..#"]),
    ('b', ["###.", "#..#", "###.", "#..#", "###."]),
    ('c', [".###", "#...", "#...", "#...", ".###"]),
    ('d', ["###.", "#..#", "#..#", "#..#", "###."]),
    ('e', ["####", "#...", "###.", "#...", "####"]),
    ('f', ["####", "#...", "###.", "#...", "#..."]),
    ('g', [".###", "#...", "#.##", "#..#", ".###"]),
    ('h', ["#..#", "#..#", "####", "#..#", "#..#"]),
    ('i', ["###", ".#.", ".#.", ".#.", "###"]),
    ('j', ["..##", "...#", "...#", "#..#", ".##."]),
    ('k', ["#..#", "#.#.", "##..", "#.#.", "#..#"]),
    ('l', ["#...", "#...", "#...", "#...", "####"]),
    ('m', ["#...#", "##.##", "#.#.#", "#...#", "#...#"]),
    ('n', ["#...#", "##..#", "#.#.#", "#..##", "#...#"]),
    ('o', [".##.", "#..#", "#..#", "#..#", ".##."]),
    ('p', ["###.", "#..#", "###.", "#...", "#..."]),
    ('q', [".##.", "#..#", "#..#", "#.#.", ".#.#"]),
    ('r', ["###.", "#..#", "###.", "#.#.", "#..#"]),
    ('s', [".###", "#...", ".##.", "...#", "###."]),
    ('t', ["#####", "..#..", "..#..", "..#..", "..#.."]),
    ('u', ["#..#", "#..#", "#..#", "#..#", ".##."]),
    ('v', ["#...#", "#...#", "#...#", ".#.#.", "..#.."]),
    ('w', ["#...#", "#...#", "#.#.#", "##.##", "#...#"]),
    ('x', ["#...#", ".#.#.", "..#..", ".#.#.", "#...#"]),
    ('y', ["#...#", ".#.#.", "..#..", "..#..", "..#.."]),
    ('z', ["####", "...#", ".##.", "#...", "####"]),
    ('-', ["...", "...", "###", "...", "..."]),
];

/// How large a pixel is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// Two columns and a line.
    Full,
    /// A column and half a line.
    Half,
}

impl Size {
    fn columns(self, pixels: usize) -> usize {
        match self {
            Self::Full => pixels * 2,
            Self::Half => pixels,
        }
    }

    fn rows(self) -> usize {
        match self {
            Self::Full => HEIGHT_PX,
            Self::Half => HEIGHT_PX.div_ceil(2),
        }
    }
}

/// The text in the largest letters that fit, broken after hyphens where it must be.
pub fn large(text: &str, columns: u16, rows: u16) -> Option<Vec<Line<'static>>> {
    let parts: Vec<Vec<Glyph>> = text.split_inclusive('-').map(glyphs).collect::<Option<_>>()?;
    [Size::Full, Size::Half].into_iter().find_map(|size| {
        let lines = broken(&parts, size, usize::from(columns))?;
        let high = lines.len() * (size.rows() + 1);
        (!lines.is_empty() && high <= usize::from(rows) + 1).then(|| drawn(&lines, size))
    })
}

fn glyphs(text: &str) -> Option<Vec<Glyph>> {
    let glyph = |c: char| GLYPHS.iter().find(|(letter, _)| *letter == c.to_ascii_lowercase()).map(|(_, glyph)| *glyph);
    text.chars().map(glyph).collect()
}

/// Pixels of letters from left to right, with one between them.
fn width_px(glyphs: &[Glyph]) -> usize {
    glyphs.iter().map(|glyph| glyph[0].len() + 1).sum::<usize>().saturating_sub(1)
}

/// As few lines as hold the parts; `None` if one part alone is too wide.
fn broken(parts: &[Vec<Glyph>], size: Size, columns: usize) -> Option<Vec<Vec<Glyph>>> {
    let mut lines: Vec<Vec<Glyph>> = Vec::new();
    for part in parts {
        if size.columns(width_px(part)) > columns {
            return None;
        }
        match lines.last_mut() {
            Some(line) if size.columns(width_px(line) + 1 + width_px(part)) <= columns => line.extend(part),
            _ => lines.push(part.clone()),
        }
    }
    Some(lines)
}

fn drawn(lines: &[Vec<Glyph>], size: Size) -> Vec<Line<'static>> {
    let mut drawn = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        if number > 0 {
            drawn.push(Line::raw(""));
        }
        for row in 0..size.rows() {
            let mut text = String::new();
            for (number, glyph) in line.iter().enumerate() {
                if number > 0 {
                    text += match size {
                        Size::Full => "  ",
                        Size::Half => " ",
                    };
                }
                for column in 0..glyph[0].len() {
                    text += match size {
                        Size::Full if ink(glyph, row, column) => "██",
                        Size::Full => "  ",
                        Size::Half => match (ink(glyph, row * 2, column), ink(glyph, row * 2 + 1, column)) {
                            (true, true) => "█",
                            (true, false) => "▀",
                            (false, true) => "▄",
                            (false, false) => " ",
                        },
                    };
                }
            }
            drawn.push(Line::raw(text.trim_end().to_owned()));
        }
    }
    drawn
}

fn ink(glyph: &Glyph, row: usize, column: usize) -> bool {
    glyph.get(row).is_some_and(|pixels| pixels.as_bytes().get(column) == Some(&b'#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: Vec<Line<'_>>) -> String {
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn every_letter_is_as_wide_in_each_of_its_rows_and_unlike_the_others() {
        for (letter, glyph) in GLYPHS {
            assert!(glyph.iter().all(|row| row.len() == glyph[0].len()), "{letter}");
            assert_eq!(GLYPHS.iter().filter(|(_, other)| *other == glyph).count(), 1, "{letter}");
        }
    }

    #[test]
    fn a_code_is_drawn_in_half_blocks_on_a_narrow_screen() {
        let expected = "\
█  █ ▀▀▀█
▀▀▀█  ▄▀  ▀▀▀
   ▀  ▀

█  █ ▀▀▀█
▀▀▀█  ▄▀
   ▀  ▀
";
        let drawn = large("47-47", 13, 7);
        assert_eq!(drawn.map(text).as_deref(), Some(expected));
    }

    #[test]
    fn it_grows_with_the_screen_and_gives_way_on_a_small_one() {
        let rows = |columns, rows| large("947-crane-velvet-honey", columns, rows).map(|lines| lines.len());
        assert_eq!(rows(198, 20), Some(11));
        assert_eq!(rows(76, 11), Some(7));
        assert_eq!(rows(50, 11), Some(11));
        assert_eq!(rows(40, 15), Some(15));
        assert_eq!(rows(40, 14), None);
        assert_eq!(rows(20, 40), None);
    }

    #[test]
    fn text_with_other_characters_has_no_picture() {
        assert_eq!(large("47-käse", 200, 50), None);
        assert_eq!(large("", 200, 50), None);
    }
}
