//! What stood on the screen, at rest, and how large: what an opinion says it rests on.
//!
//! Only what was drawn counts, and only while nothing lay over it: whoever draws says so each time, and a tick counts
//! what has stood still long enough. What a scroll runs past does not count, nor do reformats. An image of several
//! frames counts once each of them stood there, or ran there as a clip: that is how it was taken, and is looked at.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::super::picture::PictureKey;
use super::super::screen::Shows;
use crate::node::api::{Displayed, PartlyDisplayed, SeriesDisplayed};

/// How long an image must stand still to count as displayed, in milliseconds.
const REST_MS: u64 = 200;

/// Images that stood on the screen.
#[derive(Debug, Default)]
pub struct Counted {
    /// By study and Series Instance UID.
    series: BTreeMap<[Arc<str>; 2], Seen>,
    /// What the last drawing showed.
    drawn: Vec<OnScreen>,
    /// What was drawn at the last ticks, and since when, in milliseconds.
    resting: Vec<(PictureKey, u64)>,
}

/// Images of one series.
#[derive(Debug, Default)]
struct Seen {
    /// Which frames of each, and how many it has.
    instances: HashMap<Arc<str>, (HashSet<u32>, u32)>,
    /// Most screen pixels that an image pixel had.
    best_scale: f64,
}

/// An image on the screen.
#[derive(Debug)]
pub struct OnScreen {
    pub key: PictureKey,
    pub series_instance_uid: Arc<str>,
    /// Frames of its image.
    pub frames: u32,
    /// Whether its frames run one after the other, at their own rate.
    pub is_clip: bool,
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
        for OnScreen { key, series_instance_uid, frames, is_clip, scale } in std::mem::take(&mut self.drawn) {
            let since_ms = before.iter().find(|(other, _)| *other == key).map_or(now_ms, |(_, since)| *since);
            if is_clip || now_ms.saturating_sub(since_ms) >= REST_MS {
                let seen = self.series.entry([Arc::clone(&key.study), series_instance_uid]).or_default();
                let instance = seen.instances.entry(Arc::clone(&key.sop_instance_uid)).or_default();
                instance.0.insert(key.frame);
                instance.1 = frames;
                seen.best_scale = seen.best_scale.max(scale);
            }
            self.resting.push((key, since_ms));
        }
    }

    pub fn so_far(&self, shows: Shows) -> Displayed {
        let series = self.series.iter().map(|([study, series], seen)| seen.as_displayed(study, series));
        Displayed { protocol: shows.protocol.name().into(), grey_steps: shows.greys.into(), series: series.collect() }
    }
}

impl Seen {
    fn as_displayed(&self, study: &str, series_instance_uid: &str) -> SeriesDisplayed {
        let (mut instances, mut partly) = (0, PartlyDisplayed::default());
        for (seen, frames) in self.instances.values() {
            // No more frames than a u32 numbers.
            let frames_displayed = seen.len() as u32;
            match frames_displayed < *frames {
                true => partly = partly.and(PartlyDisplayed { instances: 1, frames: *frames, frames_displayed }),
                false => instances += 1,
            }
        }
        SeriesDisplayed {
            study: study.to_owned(),
            series_instance_uid: series_instance_uid.to_owned(),
            instances,
            partly,
            best_scale: self.best_scale,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::graphics::Protocol;
    use super::*;

    fn on_screen(uid: &str, scale: f64) -> OnScreen {
        let key = PictureKey { study: "s-a".into(), sop_instance_uid: uid.into(), frame: 1 };
        OnScreen { key, series_instance_uid: "1.2".into(), frames: 1, is_clip: false, scale }
    }

    /// Each of these stands still for a while.
    fn stood(on_screen: impl IntoIterator<Item = OnScreen>) -> Vec<SeriesDisplayed> {
        let mut seen = Counted::default();
        for (now_ms, one) in (0..).step_by(1_000).zip(on_screen) {
            for rests_ms in [0, 250] {
                let again =
                    OnScreen { key: one.key.clone(), series_instance_uid: Arc::clone(&one.series_instance_uid), ..one };
                seen.drew(vec![again]);
                seen.tick(now_ms + rests_ms);
            }
        }
        seen.so_far(Shows { protocol: Protocol::Kitty, greys: 256 }).series
    }

    #[test]
    fn an_image_of_several_frames_counts_once_each_of_them_stood_there() {
        let frame = |uid: &str, number| {
            let one = on_screen(uid, 1.0);
            OnScreen { key: PictureKey { frame: number, ..one.key }, frames: 3, ..one }
        };
        let counted = |frames: &[(&str, u32)]| {
            let series = stood(frames.iter().map(|(uid, number)| frame(uid, *number))).remove(0);
            (series.instances, series.partly.words())
        };
        assert_eq!(counted(&[("1", 2), ("1", 3), ("1", 2)]), (0, Some("2 of 3 frames of 1 image".into())));
        let all = [("1", 2), ("1", 3), ("1", 1)];
        assert_eq!(counted(&all), (1, None));
        let some = [("2", 1), ("3", 1), ("3", 3)];
        assert_eq!(counted(&[all, some].concat()), (1, Some("3 of 6 frames of 2 images".into())));
    }

    #[test]
    fn frames_that_run_as_a_clip_were_displayed() {
        for (is_clip, displayed) in [(true, 1), (false, 0)] {
            let mut seen = Counted::default();
            for frame in 1..=3 {
                let one = on_screen("1", 1.0);
                let key = PictureKey { frame, ..one.key };
                seen.drew(vec![OnScreen { key, frames: 3, is_clip, ..one }]);
                seen.tick(u64::from(frame) * 40);
            }
            let series = seen.so_far(Shows { protocol: Protocol::Kitty, greys: 256 }).series;
            assert_eq!(series.first().map_or(0, |series| series.instances), displayed);
        }
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
