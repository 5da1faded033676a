//! Text over several lines that keep their indent, so that a list stays a list where it is narrow.

use unicode_width::UnicodeWidthStr;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_lines_stand_under_the_first_and_no_word_is_lost() {
        assert_eq!(hanging("  - ", "one two three four", 14), ["  - one two", "    three four"]);
        assert_eq!(hanging("  ", "", 80), ["  "]);
        assert_eq!(hanging("", "a-word-longer-than-the-line b", 10), ["a-word-longer-than-the-line", "b"]);
    }
}
