//! How fast a line carries, from what arrived when; and how much to keep under way on it.

use std::time::Duration;

/// A sample is taken over at least this long.
const SAMPLE_MIN: Duration = Duration::from_millis(50);

/// How long what is under way may take a line to carry.
const WORTH: Duration = Duration::from_secs(2);

/// A moving average in bytes a second.
#[derive(Debug, Default)]
pub(super) struct Rate {
    bytes_per_second: Option<u64>,
    sample: Option<(Duration, u64)>,
}

impl Rate {
    /// The line was idle and carries from now on.
    pub(super) fn start(&mut self, now: Duration) {
        self.sample = Some((now, 0));
    }

    pub(super) fn add(&mut self, now: Duration, bytes: u64) {
        let (since, before) = self.sample.unwrap_or((now, 0));
        let (elapsed, total) = (now.saturating_sub(since), before.saturating_add(bytes));
        if elapsed < SAMPLE_MIN {
            self.sample = Some((since, total));
            return;
        }
        let measured =
            (u128::from(total) * 1_000_000 / elapsed.as_micros().max(1)).min(u128::from(u64::MAX / 4)) as u64;
        self.bytes_per_second = Some(self.bytes_per_second.map_or(measured, |old| (old * 3 + measured) / 4));
        self.sample = Some((now, 0));
    }

    pub(super) fn bytes_per_second(&self) -> Option<u64> {
        self.bytes_per_second
    }

    /// How long these bytes take; unknown before the first sample.
    pub(super) fn time_for(&self, bytes: u64) -> Option<Duration> {
        self.bytes_per_second.map(|rate| Duration::from_millis(bytes.saturating_mul(1000) / rate.max(1)))
    }
}

/// How many bytes to keep under way: grows by what arrives, up to two seconds' worth.
#[derive(Debug)]
pub(super) struct Window {
    bytes: u64,
    bytes_max: u64,
}

impl Window {
    pub(super) fn new(start_bytes: u64, bytes_max: u64) -> Self {
        Self { bytes: start_bytes, bytes_max }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adjusts to what arrived; never below `floor`, so that one piece travels while the next is asked for.
    pub(super) fn grow(&mut self, arrived: u64, rate: &Rate, floor: u64) {
        let worth = rate.bytes_per_second().map_or(self.bytes_max, |rate| rate.saturating_mul(WORTH.as_secs()));
        let target = worth.clamp(floor.min(self.bytes_max), self.bytes_max);
        self.bytes = self.bytes.saturating_add(arrived).min(target);
    }

    /// Starts anew after the line stood still.
    pub(super) fn collapse(&mut self, to_bytes: u64) {
        self.bytes = to_bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thin_line_keeps_two_seconds_under_way_and_a_fast_one_grows_to_the_limit() {
        for (rate, expected) in [(250_000u64, 500_000u64), (100_000_000, 16 << 20)] {
            let mut measured = Rate::default();
            let mut window = Window::new(512 << 10, 16 << 20);
            measured.start(Duration::ZERO);
            for n in 1..=200u64 {
                let now = Duration::from_micros(n * 131_072 * 1_000_000 / rate);
                measured.add(now, 131_072);
                window.grow(131_072, &measured, 2 * 131_072);
            }
            let off = window.bytes().abs_diff(expected);
            assert!(off < expected / 10, "{rate}: {}", window.bytes());
        }
    }

    #[test]
    fn absurd_numbers_do_not_overflow() {
        let mut rate = Rate::default();
        rate.start(Duration::from_secs(9));
        rate.add(Duration::ZERO, u64::MAX);
        rate.add(Duration::MAX, u64::MAX);
        let mut window = Window::new(1, 2);
        window.grow(u64::MAX, &rate, u64::MAX);
        assert!(window.bytes() <= 2);
    }
}
