//! How fast the terminal takes our output, and what to send while the picture moves.
//!
//! Nobody tells a program in a terminal whether it runs on a workstation or over two ssh hops and a hotel's network.
//! So it measures itself: the bytes of each frame and the time until they were taken, or better, until the terminal
//! answered a question sent after them. From these follow the bytes a moving picture may have, and from what earlier
//! frames took, the best [`Quality`] that fits. Pure: sizes and times come in as arguments.

use std::time::Duration;

use super::quality::Quality;

/// No moving frame is larger, however fast the link: terminals take time to draw, too.
pub const FRAME_BYTES_MAX: usize = 400_000;

/// A moving picture comes at least this often if that can be had.
const FRAME_TIME: Duration = Duration::from_millis(50);

/// Smaller writes vanish in a buffer at once and say nothing about the link, unless they took long.
const TELLING_BYTES_MIN: usize = 16 * 1024;
const TELLING_TIME_MIN: Duration = Duration::from_millis(10);

/// What an older measurement weighs against the next one.
const MEMORY: f64 = 0.6;

/// What each rung of the ladder takes of the bytes of the exact picture, until it was measured: a CT, as Sixel.
const SHARES: [f64; Quality::LADDER.len()] = [1.0, 0.7, 0.5, 0.3, 0.22, 0.1];

/// What is known about the way to the terminal.
#[derive(Debug, Clone, Default)]
pub struct Link {
    written_bytes: f64,
    written_seconds: f64,
    /// Bytes that a frame of each quality took last.
    frame_bytes: [Option<f64>; Quality::LADDER.len()],
}

impl Link {
    /// A frame of this quality was written, and taken after this time. A frame that showed nothing new is none.
    pub fn wrote(&mut self, quality: Quality, bytes: usize, took: Duration) {
        if bytes == 0 {
            return;
        }
        let size = bytes as f64;
        if let Some(rung) = Quality::LADDER.iter().position(|known| *known == quality)
            && let Some(known) = self.frame_bytes.get_mut(rung)
            && bytes >= TELLING_BYTES_MIN / 8
        {
            *known = Some(known.map_or(size, |known| known.mul_add(MEMORY, size * (1.0 - MEMORY))));
        }
        if bytes >= TELLING_BYTES_MIN || took >= TELLING_TIME_MIN {
            self.written_bytes = self.written_bytes.mul_add(MEMORY, size);
            self.written_seconds = self.written_seconds.mul_add(MEMORY, took.as_secs_f64());
        }
    }

    /// Bytes a second, once something was measured.
    pub fn bytes_per_second(&self) -> Option<f64> {
        (self.written_seconds > 0.0).then(|| self.written_bytes / self.written_seconds)
    }

    /// What to send next. At rest always the exact picture; while moving the best that keeps up.
    pub fn quality(&self, moving: bool) -> Quality {
        if !moving {
            return Quality::EXACT;
        }
        let rate = self.bytes_per_second().unwrap_or(f64::INFINITY);
        let bytes_max = (rate * FRAME_TIME.as_secs_f64()).min(FRAME_BYTES_MAX as f64);
        let least = Quality::LADDER[Quality::LADDER.len() - 1];
        let fits = |rung: usize| self.expected_bytes(rung).is_none_or(|bytes| bytes <= bytes_max);
        Quality::LADDER.into_iter().enumerate().find(|(rung, _)| fits(*rung)).map_or(least, |(_, quality)| quality)
    }

    /// What a frame on this rung should take: as measured there, or in proportion to the nearest rung that was.
    fn expected_bytes(&self, rung: usize) -> Option<f64> {
        let (known, bytes) = (self.frame_bytes.iter().enumerate())
            .filter_map(|(known, bytes)| bytes.map(|bytes| (known, bytes)))
            .min_by_key(|(known, _)| known.abs_diff(rung))?;
        Some(bytes * SHARES.get(rung)? / SHARES.get(known)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(frames: &[(usize, u64)]) -> Link {
        let mut link = Link::default();
        for &(bytes, milliseconds) in frames {
            link.wrote(Quality::EXACT, bytes, Duration::from_millis(milliseconds));
        }
        link
    }

    #[test]
    fn an_unknown_link_is_taken_for_a_fast_one() {
        assert_eq!(Link::default().quality(true), Quality::EXACT);
    }

    #[test]
    fn at_rest_the_picture_is_exact_over_any_link() {
        assert_eq!(after(&[(200_000, 20_000)]).quality(false), Quality::EXACT);
    }

    #[test]
    fn a_slow_link_gets_drafts_while_moving() {
        let quality = after(&[(200_000, 100), (200_000, 100)]).quality(true);
        assert!(!quality.is_exact(), "{quality:?}");
        assert_eq!(after(&[(200_000, 20_000)]).quality(true), Quality::LADDER[5]);
    }

    #[test]
    fn a_fast_link_gets_exact_pictures_while_moving() {
        assert_eq!(after(&[(200_000, 4), (200_000, 5)]).quality(true), Quality::EXACT);
    }

    #[test]
    fn no_moving_frame_is_expected_above_the_most_bytes() {
        let mut link = after(&[(3_000_000, 30)]);
        let quality = link.quality(true);
        assert!(!quality.is_exact());
        link.wrote(quality, 300_000, Duration::from_millis(3));
        assert_eq!(link.quality(true), quality, "what was measured counts, not the guess");
    }

    #[test]
    fn small_writes_into_a_buffer_do_not_make_a_link_fast() {
        let mut link = after(&[(200_000, 400)]);
        let before = link.bytes_per_second();
        link.wrote(Quality::EXACT, 300, Duration::from_micros(1));
        assert_eq!(link.bytes_per_second(), before);
    }

    #[test]
    fn a_link_that_became_fast_is_believed_after_a_few_frames() {
        let mut link = after(&[(200_000, 400)]);
        for _ in 0..8 {
            link.wrote(Quality::LADDER[5], 20_000, Duration::from_micros(200));
        }
        assert_eq!(link.quality(true), Quality::EXACT);
    }
}
