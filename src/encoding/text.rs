//! Text from strangers, made safe to draw and to log.
//!
//! A terminal obeys escape sequences, and bidirectional controls can make a line read as its opposite. Every
//! string from a colleague, a stick or a DICOM header passes [`shown`] before anybody sees it.

use std::borrow::Cow;

/// The text without control, bidirectional-control and invisible characters; line breaks become spaces.
pub fn shown(text: &str) -> Cow<'_, str> {
    clean(text, false)
}

/// Like [`shown`], but keeps line feeds: for bodies of text that are drawn over several lines.
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    clean(text, true)
}

fn clean(text: &str, keep_line_feeds: bool) -> Cow<'_, str> {
    let keep = |c: char| !is_unsafe(c) || (keep_line_feeds && c == '\n');
    if text.chars().all(keep) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if keep(c) => clean.push(c),
            '\n' | '\t' => clean.push(' '),
            _ => {}
        }
    }
    Cow::Owned(clean)
}

/// Controls (C0, DEL, C1), bidirectional controls, zero-width and other invisible format characters, and
/// separators that terminals treat as line breaks.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_loses_its_power() {
        assert_eq!(shown("\u{1b}[2Jgone\u{7}"), "[2Jgone");
        assert_eq!(shown("a\u{9b}31mb"), "a31mb");
    }

    #[test]
    fn bidirectional_and_invisible_characters_are_dropped() {
        assert_eq!(shown("left\u{202e}thgir\u{202c}"), "leftthgir");
        assert_eq!(shown("a\u{200b}b\u{feff}c\u{e0041}"), "abc");
    }

    #[test]
    fn ordinary_text_of_any_script_is_kept_as_it_is() {
        for text in ["Müller, Łódź", "山田^太郎", "김희중", "Люкceмбypг", "قباني"] {
            assert!(matches!(shown(text), Cow::Borrowed(t) if t == text));
        }
    }

    #[test]
    fn line_feeds_stay_only_where_lines_are_drawn() {
        assert_eq!(shown("a\nb"), "a b");
        assert_eq!(shown_lines("a\nb\r\n"), "a\nb\n");
    }
}
