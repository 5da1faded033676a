//! Text broken into lines by hand, where lines after the first are to be indented.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The text in lines of at most so many cells: broken at spaces, and inside a word only if the word alone is too long.
pub fn wrapped(text: &str, cells: usize) -> Vec<String> {
    let cells = cells.max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.width() + 1 + word.width() > cells {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for character in word.chars() {
            if !line.is_empty() && line.width() + character.width().unwrap_or(0) > cells {
                lines.push(std::mem::take(&mut line));
            }
            line.push(character);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_break_at_spaces_and_in_words_that_are_too_long() {
        assert_eq!(wrapped("the card has expired", 8), ["the card", "has", "expired"]);
        assert_eq!(wrapped("/ip4/10.0.3.7", 6), ["/ip4/1", "0.0.3.", "7"]);
        assert_eq!(wrapped("東京大学病院", 5), ["東京", "大学", "病院"]);
        assert!(wrapped("  ", 5).is_empty());
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide_and_nothing_is_lost(text in "[a-zä東 ]{0,60}", cells in 2usize..20) {
            let lines = wrapped(&text, cells);
            prop_assert!(lines.iter().all(|line| line.width() <= cells));
            let kept: String = lines.concat().split_whitespace().collect();
            prop_assert_eq!(kept, text.split_whitespace().collect::<String>());
        }
    }
}
