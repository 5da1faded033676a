//! What stood on the screen, at rest, and how large: what an opinion says it rests on.
//!
//! Only what was drawn counts, and only while nothing lay over it: whoever draws says so each time, and a tick counts
//! what has stood still long enough. What a scroll runs past does not count, nor do reformats.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::super::picture::PictureKey;
use super::super::screen::Shows;
use crate::node::api::{Displayed, SeriesDisplayed};

/// How long an image must stand still to count as displayed, in milliseconds.
const REST_MS: u64 = 200;

/// Images that stood on the screen.
#[derive(Debug, Default)]
pub struct Counted {
    series: BTreeMap<Arc<str>, Seen>,
    /// What the last drawing showed.
    drawn: Vec<OnScreen>,
    /// What was drawn at the last ticks, and since when, in milliseconds.
    resting: Vec<(PictureKey, u64)>,
}

/// Images of one series.
#[derive(Debug, Default)]
struct Seen {
    instances: HashSet<Arc<str>>,
    /// Most screen pixels that an image pixel had.
    best_scale: f64,
}

/// An image on the screen.
#[derive(Debug)]
pub struct OnScreen {
    pub key: PictureKey,
    pub series_instance_uid: Arc<str>,
    /// Screen pixels for a pixel of the image.
    pub scale: f64,
}

impl Counted {
    /// What was drawn now, instead of all before.
    pub fn drew(&mut self, drawn: Vec<OnScreen>) {
        self.drawn = drawn;
    }

    /// Counts what has been drawn since the last tick and stood still. What is not drawn again does not count again.
    pub fn tick(&mut self, now_ms: u64) {
        let before = std::mem::take(&mut self.resting);
        for OnScreen { key, series_instance_uid, scale } in std::mem::take(&mut self.drawn) {
            let since_ms = before.iter().find(|(other, _)| *other == key).map_or(now_ms, |(_, since)| *since);
            if now_ms.saturating_sub(since_ms) >= REST_MS {
                let seen = self.series.entry(series_instance_uid).or_default();
                seen.instances.insert(Arc::clone(&key.sop_instance_uid));
                seen.best_scale = seen.best_scale.max(scale);
            }
            self.resting.push((key, since_ms));
        }
    }

    pub fn so_far(&self, shows: Shows) -> Displayed {
        let series = self.series.iter().map(|(uid, seen)| SeriesDisplayed {
            series_instance_uid: uid.to_string(),
            instances: u32::try_from(seen.instances.len()).unwrap_or(u32::MAX),
            best_scale: seen.best_scale,
        });
        Displayed { protocol: shows.protocol.name().into(), grey_steps: shows.greys.into(), series: series.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::graphics::Protocol;
    use super::*;

    fn on_screen(uid: &str, scale: f64) -> OnScreen {
        let key = PictureKey { study: "s-a".into(), sop_instance_uid: uid.into(), frame: 1 };
        OnScreen { key, series_instance_uid: "1.2".into(), scale }
    }

    fn counted(counted: &Counted) -> (u32, f64) {
        let displayed = counted.so_far(Shows { protocol: Protocol::Kitty, greys: 256 });
        displayed.series.first().map_or((0, 0.0), |series| (series.instances, series.best_scale))
    }

    #[test]
    fn only_what_stood_still_counts() {
        let mut seen = Counted::default();
        for (now_ms, uid) in [(0, "1"), (250, "2"), (500, "3"), (750, "3")] {
            seen.drew(vec![on_screen(uid, 0.5)]);
            seen.tick(now_ms);
        }
        assert_eq!(counted(&seen), (1, 0.5));
    }

    #[test]
    fn what_lies_under_something_else_does_not_count() {
        let mut seen = Counted::default();
        seen.drew(vec![on_screen("1", 2.0)]);
        seen.tick(0);
        // A form or the help covers it: nothing is drawn.
        seen.tick(250);
        seen.tick(500);
        seen.drew(vec![on_screen("1", 2.0)]);
        seen.tick(750);
        assert_eq!(counted(&seen), (0, 0.0));
        seen.drew(vec![on_screen("1", 1.0)]);
        seen.tick(1_000);
        assert_eq!(counted(&seen), (1, 1.0));
    }
}
