//! Windows by hand: dragged, stepped, chosen by a number key, and found from a region.
//!
//! A drag is scaled to the values there are, so that a hand's breadth does the same on a CT as on a PET of fractions.
//! It moves the range that is shown from black to white; the width of LINEAR is one more than that range, and stays
//! above 1, where the standard defines it.
//!
//! Presets are in Hounsfield units. Where there are none, number keys choose among the file's own windows: nobody knows
//! a window for MR, ultrasound or mammography better than the file.

use crate::case::content::Point;
use crate::study::pixels::{Frame, Preset, Window};

/// Screen pixels that a drag needs for the whole range of values.
const DRAG_PX: f64 = 1000.0;

/// A step of a key, as a share of the width.
const STEP: f64 = 0.1;

/// Narrowest and widest range from black to white, as shares of the range of values.
const NARROW: f64 = 1.0 / 4096.0;
const WIDE: f64 = 4.0;

/// What an automatic window leaves below black and above white, as shares of the values.
const TAIL: f64 = 0.01;

/// Most values that an automatic window looks at; of more, some rows and columns are passed over.
const AUTO_VALUES_MAX: usize = 1 << 18;

/// From black to white.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shown {
    range: f64,
    middle: f64,
}

impl Shown {
    /// Of a window as `Frame::display` draws it.
    fn of((width, level): (f64, f64)) -> Self {
        match width >= 1.0 {
            true => Self { range: width - 1.0, middle: level - 0.5 },
            false => Self { range: width, middle: level },
        }
    }

    fn window(self) -> (f64, f64) {
        (self.range + 1.0, self.middle + 0.5)
    }

    /// Within what makes sense for values from `lowest` to `highest`.
    fn within(self, (lowest, highest): (f64, f64)) -> Self {
        let span = highest - lowest;
        // Both bounds are ordered: the span is positive and finite.
        Self {
            range: self.range.clamp(span * NARROW, span * WIDE),
            middle: self.middle.clamp(lowest - span, highest + span),
        }
    }
}

/// A range of values that something can be scaled to.
fn sound((lowest, highest): (f64, f64)) -> Option<(f64, f64)> {
    let span = highest - lowest;
    // Four spans must still be a number.
    (span > 0.0 && span * (2.0 + WIDE) < f64::MAX && lowest.is_finite() && highest.is_finite())
        .then_some((lowest, highest))
}

/// Width and level after the pointer went `right` and `down` by so many pixels from where it had `start`: to the right
/// wider, down darker. `values` are the lowest and highest that the image has.
pub fn dragged(start: (f64, f64), right: f64, down: f64, values: (f64, f64)) -> (f64, f64) {
    let (Some(values), true) = (sound(values), [start.0, start.1, right, down].iter().all(|n| n.is_finite())) else {
        return start;
    };
    let per_px = (values.1 - values.0) / DRAG_PX;
    let Shown { range, middle } = Shown::of(start);
    Shown { range: range + right * per_px, middle: middle + down * per_px }.within(values).window()
}

/// Width and level after so many steps wider and so many steps up.
pub fn stepped(start: (f64, f64), wider: i32, up: i32, values: (f64, f64)) -> (f64, f64) {
    let (Some(values), true) = (sound(values), start.0.is_finite() && start.1.is_finite()) else { return start };
    let Shown { range, middle } = Shown::of(start);
    let least = (values.1 - values.0) * NARROW;
    let range = range.max(least) * (1.0 + STEP).powi(wider);
    Shown { range, middle: middle + f64::from(up) * STEP * range }.within(values).window()
}

/// The window of a number key. With Hounsfield units 1 to 8 are the presets in their order, and 9 the file's next
/// window; without, 1 to 9 are the file's windows. 0 is what the file opens with.
pub fn numbered(key: u8, is_hounsfield: bool, choices: usize, now: Window) -> Option<Window> {
    match (key, is_hounsfield) {
        (0, _) => Some(Window::Default),
        (1..=8, true) => Preset::ALL.get(usize::from(key) - 1).copied().map(Window::Preset),
        (9, true) => next_of_file(choices, now),
        (1..=9, false) => (usize::from(key) <= choices).then_some(Window::File(key.into())),
        _ => None,
    }
}

/// The file's window after the one that is shown, after the last the first; none if the file has none.
pub fn next_of_file(choices: usize, now: Window) -> Option<Window> {
    let choices = u32::try_from(choices).ok().filter(|choices| *choices > 0)?;
    let now = match now {
        // The first one is what the file opens with.
        Window::Default => 1,
        Window::File(number) => number,
        _ => 0,
    };
    Some(Window::File(if now >= choices { 1 } else { now + 1 }))
}

/// Width and level that show the values of a rectangle of an image from black to white, but for the outermost
/// hundredths. None where no value is, or all are the same.
pub fn automatic(frame: &Frame, corner: Point, opposite: Point) -> Option<(f64, f64)> {
    let columns = pixels_between(corner.column, opposite.column, frame.columns())?;
    let rows = pixels_between(corner.row, opposite.row, frame.rows())?;
    let count = columns.len() * rows.len();
    let step = (count.div_ceil(AUTO_VALUES_MAX) as f64).sqrt().ceil() as usize; // at least one
    let rows = rows.step_by(step).flat_map(|row| columns.clone().step_by(step).map(move |column| (column, row)));
    percentiles(rows.filter_map(|(column, row)| frame.modality_at(column, row)).collect())
}

/// Pixels whose middles lie between two points, at least one if any of the image does.
fn pixels_between(a: f64, b: f64, length: u32) -> Option<std::ops::Range<u32>> {
    let (low, high) = (a.min(b), a.max(b));
    if !(a.is_finite() && b.is_finite()) || high < -0.5 || low > f64::from(length) - 0.5 {
        return None;
    }
    let within = |at: f64| at.clamp(0.0, f64::from(length)) as u32;
    let (from, to) = (within(low.ceil()), within(high.floor() + 1.0));
    // Between two middles: the pixel it lies in.
    let from = if from >= to { within((low + 0.5).floor()).min(length.saturating_sub(1)) } else { from };
    Some(from..to.max(from + 1).min(length))
}

fn percentiles(mut values: Vec<f64>) -> Option<(f64, f64)> {
    values.retain(|value| value.is_finite());
    let last = values.len().checked_sub(1)?;
    let tail = (last as f64 * TAIL) as usize;
    let (_, low, _) = values.select_nth_unstable_by(tail, f64::total_cmp);
    let low = *low;
    let (_, high, _) = values.select_nth_unstable_by(last - tail, f64::total_cmp);
    let range = *high - low;
    (range > 0.0 && range.is_finite()).then(|| Shown { range, middle: low + range / 2.0 }.window())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CT: (f64, f64) = (-1024.0, 2976.0);

    #[test]
    fn a_drag_widens_to_the_right_and_darkens_downwards() {
        assert_eq!(dragged((400.0, 40.0), 0.0, 0.0, CT), (400.0, 40.0));
        // 4000 values in 1000 pixels.
        assert_eq!(dragged((400.0, 40.0), 10.0, -5.0, CT), (440.0, 20.0));
    }

    #[test]
    fn a_drag_is_scaled_to_the_values_there_are() {
        let (width, level) = dragged((1.5, 0.75), 100.0, 0.0, (0.0, 1.0));
        assert!((width - 1.6).abs() < 1e-12 && level == 0.75);
        // Narrower than LINEAR can be: from black to white it is the same.
        assert_eq!(dragged((0.5, 0.25), 0.0, 0.0, (0.0, 1.0)), (1.5, 0.75));
    }

    #[test]
    fn a_window_never_closes_and_never_leaves_the_values_behind() {
        assert_eq!(dragged((400.0, 40.0), -1e9, -1e9, CT), (1.0 + 4000.0 / 4096.0, -5023.5));
        assert_eq!(dragged((400.0, 40.0), 1e300, 1e300, CT), (16_001.0, 6976.5));
    }

    #[test]
    fn steps_are_a_tenth_of_the_width() {
        let (width, level) = stepped((401.0, 40.5), 1, 0, CT);
        assert!((width - 441.0).abs() < 1e-9 && level == 40.5);
        let (width, level) = stepped((401.0, 40.5), 0, -2, CT);
        assert!(width == 401.0 && (level + 39.5).abs() < 1e-9);
        let (width, level) = stepped(stepped((401.0, 40.5), 3, 0, CT), -3, 0, CT);
        assert!((width - 401.0).abs() < 1e-9 && level == 40.5);
    }

    #[test]
    fn number_keys_choose_presets_where_there_are_hounsfield_units() {
        let key = |key| numbered(key, true, 2, Window::Default);
        assert_eq!(key(0), Some(Window::Default));
        assert_eq!(key(1), Some(Window::Preset(Preset::Brain)));
        assert_eq!(key(4), Some(Window::Preset(Preset::Lung)));
        assert_eq!(key(8), Some(Window::Preset(Preset::Bone)));
        assert_eq!(key(9), Some(Window::File(2)));
        assert_eq!(key(10), None);
    }

    #[test]
    fn number_keys_choose_the_files_windows_elsewhere() {
        let key = |key| numbered(key, false, 2, Window::Default);
        assert_eq!([key(0), key(1), key(2)], [Some(Window::Default), Some(Window::File(1)), Some(Window::File(2))]);
        assert_eq!([key(3), key(9)], [None; 2]);
    }

    #[test]
    fn the_files_windows_come_round() {
        assert_eq!(next_of_file(0, Window::Default), None);
        assert_eq!(next_of_file(1, Window::Default), Some(Window::File(1)));
        assert_eq!(next_of_file(3, Window::Default), Some(Window::File(2)));
        assert_eq!(next_of_file(3, Window::File(3)), Some(Window::File(1)));
        assert_eq!(next_of_file(3, Window::File(u32::MAX)), Some(Window::File(1)));
        assert_eq!(next_of_file(3, Window::Preset(Preset::Lung)), Some(Window::File(1)));
    }

    #[test]
    fn an_automatic_window_leaves_out_the_outermost_hundredths() {
        let values: Vec<f64> = (0..=1000).map(f64::from).chain([1e6, -1e6, f64::NAN]).collect();
        // 1003 values that are numbers: ten are left out on either side.
        assert_eq!(percentiles(values), Some((983.0, 500.5)));
        assert_eq!(percentiles(vec![0.25, 0.75]), Some((1.5, 1.0)));
        assert_eq!(percentiles(vec![7.0; 50]), None);
        assert_eq!(percentiles(vec![]), None);
        assert_eq!(percentiles(vec![-f64::MAX, f64::MAX]), None);
    }

    #[test]
    fn a_rectangle_takes_the_pixels_whose_middles_it_holds() {
        assert_eq!(pixels_between(0.4, 3.0, 9), Some(1..4));
        assert_eq!(pixels_between(3.0, -50.0, 9), Some(0..4));
        assert_eq!(pixels_between(2.1, 2.4, 9), Some(2..3));
        assert_eq!(pixels_between(8.1, 80.0, 9), Some(8..9));
        assert_eq!(pixels_between(-0.4, -0.1, 9), Some(0..1));
        for (a, b) in [(9.0, 12.0), (-3.0, -0.6), (f64::NAN, 3.0), (0.0, f64::INFINITY)] {
            assert_eq!(pixels_between(a, b, 9), None, "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn no_number_makes_a_window_that_is_none(
            start: (f64, f64), right: f64, down: f64, values: (f64, f64), steps in (-9i32..9, -9i32..9),
        ) {
            let sane = |(width, level): (f64, f64)| (width, level) == start || width >= 1.0 && level.is_finite();
            prop_assert!(sane(dragged(start, right, down, values)) || start.0.is_nan() || start.1.is_nan());
            prop_assert!(sane(stepped(start, steps.0, steps.1, values)) || start.0.is_nan() || start.1.is_nan());
        }

        #[test]
        fn pixels_are_in_the_image(a in -20f64..20.0, b in -20f64..20.0, length in 1u32..12) {
            if let Some(pixels) = pixels_between(a, b, length) {
                prop_assert!(!pixels.is_empty() && pixels.end <= length);
            }
        }
    }
}
