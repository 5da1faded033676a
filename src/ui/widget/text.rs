//! Text that is longer than its line: over several that keep their indent, so that a list stays a list where it is
//! narrow, or shortened with a sign that there is more.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::encoding::text::shown;

/// Less of a text tells nothing.
const SHORT_WIDTH_MIN: usize = 6;

/// Breaks a text between words; the first line gets `first` before it, the others as many blanks.
pub fn hanging(first: &str, text: &str, width: u16) -> Vec<String> {
    let indent = first.width();
    let room = usize::from(width).saturating_sub(indent).max(8);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() > room {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    lines.push(line);
    let blank = " ".repeat(indent);
    lines.iter().enumerate().map(|(at, line)| format!("{}{line}", if at == 0 { first } else { &blank })).collect()
}

/// `CT Chest`: what a study or series is. Either word may be missing.
pub fn kind_of(modality: &str, description: &str) -> String {
    format!("{} {}", shown(modality), shown(description)).trim().to_owned()
}

/// As much of a text as fits into so many columns.
pub fn shortened(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    if room < SHORT_WIDTH_MIN {
        return String::new();
    }
    let mut short = String::new();
    for character in text.chars() {
        if short.width() + character.width().unwrap_or(0) + 1 > room {
            break;
        }
        short.push(character);
    }
    short + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_study_is_has_no_blank_for_a_word_that_is_missing() {
        assert_eq!(
            (kind_of("CT", "Chest"), kind_of("CT", ""), kind_of("", "Chest")),
            ("CT Chest".into(), "CT".into(), "Chest".into())
        );
    }

    #[test]
    fn a_text_that_is_cut_says_so_and_too_little_of_one_is_left_away() {
        assert_eq!(shortened("amber falcon", 12), "amber falcon");
        assert_eq!(shortened("amber falcon", 11), "amber falc…");
        assert_eq!(shortened("山田太郎先生", 8), "山田太…");
        assert_eq!(shortened("amber falcon", 5), "");
    }

    #[test]
    fn later_lines_stand_under_the_first_and_no_word_is_lost() {
        assert_eq!(hanging("  - ", "one two three four", 14), ["  - one two", "    three four"]);
        assert_eq!(hanging("  ", "", 80), ["  "]);
        assert_eq!(hanging("", "a-word-longer-than-the-line b", 10), ["a-word-longer-than-the-line", "b"]);
    }
}
