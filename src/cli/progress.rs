//! How far a long command is: a moving line on a terminal, now and then a plain line elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::encoding::text::shown;
use crate::node::api::Progress;

/// How often a plain line is written where no line can move.
const PLAIN_EVERY: Duration = Duration::from_secs(2);

/// Draws progress.
pub(super) struct Meter {
    moving: bool,
    bar: Option<ProgressBar>,
    plain_last: Option<Instant>,
}

impl Meter {
    /// `moving`: standard error is a terminal.
    pub(super) fn new(moving: bool) -> Self {
        Self { moving, bar: None, plain_last: None }
    }

    /// Draws it, or gives the line to write where nothing can move and `plain` lines are wanted.
    pub(super) fn show(&mut self, progress: &Progress, plain: bool) -> Option<String> {
        if self.moving {
            let bar = self.bar.get_or_insert_with(new_bar);
            bar.set_length(progress.total.unwrap_or(progress.done).max(1));
            bar.set_position(progress.done);
            bar.set_message(line(progress));
            return None;
        }
        let is_due = self.plain_last.is_none_or(|last| last.elapsed() >= PLAIN_EVERY);
        if !plain || !(is_due || progress.total == Some(progress.done)) {
            return None;
        }
        self.plain_last = Some(Instant::now());
        Some(line(progress))
    }

    /// Takes the moving line away.
    pub(super) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn new_bar() -> ProgressBar {
    // Without a valid template the style of the library is drawn, which shows the same numbers.
    let style = ProgressStyle::with_template("{wide_bar} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10)).with_style(style.progress_chars("=> "))
}

/// `import 120 of 500 files, 210.4 MiB/s, 3 s left`.
fn line(progress: &Progress) -> String {
    let amount = |n: u64| if progress.unit == "bytes" { bytes(n) } else { n.to_string() };
    let mut line = format!("{} {}", shown(&progress.stage), amount(progress.done));
    if let Some(total) = progress.total {
        line += &format!(" of {}", amount(total));
    }
    if progress.unit != "bytes" {
        line += &format!(" {}", shown(&progress.unit));
    }
    if let Some(rate) = progress.bytes_per_second {
        line += &format!(", {}/s", bytes(rate));
    }
    if let Some(seconds) = progress.seconds_left {
        line += &format!(", {} left", duration(seconds));
    }
    line
}

/// `512 B`, `3.4 MiB`.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

fn duration(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> Progress {
        Progress {
            stage: "fetch".into(),
            done: 3_500_000,
            total: Some(7_000_000),
            unit: "bytes".into(),
            bytes_per_second: Some(1_000_000),
            seconds_left: Some(63),
        }
    }

    #[test]
    fn a_line_says_how_much_how_fast_and_how_long() {
        assert_eq!(line(&progress()), "fetch 3.3 MiB of 6.7 MiB, 976.6 KiB/s, 1 min 3 s left");
        let files = Progress {
            done: 12,
            total: None,
            unit: "files".into(),
            bytes_per_second: None,
            seconds_left: None,
            ..progress()
        };
        assert_eq!(line(&files), "fetch 12 files");
    }

    #[test]
    fn where_nothing_can_move_lines_come_only_if_wanted_and_not_too_often() {
        let mut meter = Meter::new(false);
        assert_eq!(meter.show(&progress(), false), None);
        assert!(meter.show(&progress(), true).is_some());
        assert_eq!(meter.show(&progress(), true), None);
        let end = Progress { done: 7_000_000, ..progress() };
        assert!(meter.show(&end, true).is_some());
    }

    #[test]
    fn sizes_and_times_are_for_people() {
        assert_eq!([0, 1023, 1024, 1 << 30].map(bytes), ["0 B", "1023 B", "1.0 KiB", "1.0 GiB"]);
        assert_eq!(bytes(u64::MAX), "16384.0 PiB");
        assert_eq!([0, 60, 7265].map(duration), ["0 s", "1 min 0 s", "2 h 1 min"]);
    }
}
