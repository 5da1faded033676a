//! Sizes, spans of time and progress as a person reads them.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use crate::node::api::Progress;
use crate::ui::look::Look;

/// `512 B`, `3.4 MiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    // The bits of a u64 count are at most 64, so this is at most 6; the last unit takes the rest.
    let step = ((count.ilog2() / 10) as usize).min(UNITS.len() - 1);
    let tenths = u128::from(count) * 10 / (1_u128 << (10 * step));
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[step])
}

/// `1 image`, `2 images`.
pub fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ if what.ends_with('s') => format!("{number} {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// `7 s`, `1 min 3 s`, `2 h 1 min`.
pub fn duration(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// `12.0 MiB of 250.0 MiB, 210.0 MiB/s, 2 s left`.
pub fn progress(progress: &Progress) -> String {
    let amount = |n: u64| if progress.unit == "bytes" { bytes(n) } else { n.to_string() };
    let mut words = amount(progress.done);
    if let Some(total) = progress.total {
        words += &format!(" of {}", amount(total));
    }
    if let Some(rate) = progress.bytes_per_second {
        words += &format!(", {}/s", bytes(rate));
    }
    if let Some(seconds) = progress.seconds_left {
        words += &format!(", {} left", duration(seconds));
    }
    words
}

/// A bar, and under it what it says in words.
pub fn draw_progress(frame: &mut Frame<'_>, area: Rect, at: Option<&Progress>, look: Look) {
    let width = u64::from(area.width.saturating_sub(2));
    let (filled, words) = match at {
        Some(at) => {
            let total = at.total.unwrap_or(0).max(1);
            let filled = u128::from(width) * u128::from(at.done.min(total)) / u128::from(total);
            (u64::try_from(filled).unwrap_or(width), progress(at))
        }
        None => (0, "looking at the files …".to_owned()),
    };
    let bar: String = (0..width).map(|cell| if cell < filled { '█' } else { '░' }).collect();
    let lines = vec![Line::styled(format!(" {bar}"), look.key()), Line::raw(format!(" {words}"))];
    frame.render_widget(Paragraph::new(lines), area);
}

/// What the lock does while a screen works.
pub const LOCKS_LATER: &str = "The screen does not lock by itself until this is done, an hour longer at most.";

/// Draws what is under way over a whole screen, how far it is, what it is about, and what the lock does meanwhile.
pub fn draw_busy(frame: &mut Frame<'_>, area: Rect, what: &str, about: &str, at: Option<&Progress>, look: Look) {
    let middle = Rect { y: area.y + area.height / 3, height: area.height - area.height / 3, ..area };
    let line = Rect { height: 1.min(middle.height), ..middle };
    frame.render_widget(Paragraph::new(Line::styled(format!(" {what}"), look.heading())), line);
    let bar = Rect { y: middle.y + 2, height: middle.height.saturating_sub(2).min(2), ..middle };
    draw_progress(frame, bar, at, look);
    let below = Rect { y: bar.y + 3, height: middle.height.saturating_sub(5).min(6), ..middle }.intersection(area);
    let words = [LOCKS_LATER, "", about].map(|words| Line::styled(format!(" {words}"), look.dim()));
    frame.render_widget(Paragraph::new(words.to_vec()).wrap(Wrap { trim: false }), below);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_counts_are_for_people() {
        assert_eq!([0, 1023, 1024, 1536, 1 << 30].map(bytes), ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 GiB"]);
        assert_eq!(bytes(u64::MAX), "16383.9 PiB");
        assert_eq!([0, 60, 7265].map(duration), ["0 s", "1 min 0 s", "2 h 1 min"]);
        assert_eq!(
            (count(1, "image"), count(0, "image"), count(2, "series")),
            ("1 image".into(), "0 images".into(), "2 series".into())
        );
    }

    #[test]
    fn progress_says_how_much_how_fast_and_how_long() {
        let at = Progress {
            stage: "import".into(),
            done: 3_500_000,
            total: Some(7_000_000),
            unit: "bytes".into(),
            bytes_per_second: Some(1_000_000),
            seconds_left: Some(63),
        };
        assert_eq!(progress(&at), "3.3 MiB of 6.6 MiB, 976.5 KiB/s, 1 min 3 s left");
    }
}
