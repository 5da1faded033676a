//! A DICOM file that is looked at: frames, lookup tables, windows, orientation, measurement.

#![no_main]

use libfuzzer_sys::fuzz_target;
use overread::case::content::{Point, Shape};
use overread::study::geometry::{orientation, spacing};
use overread::study::measure::measure_in;
use overread::study::pixels::{CHOICES_MAX, FRAME_SAMPLES_MAX, Image, Preset, Window};
use overread_fuzz::Parts;

/// Frames larger than this would make a run too long; their limit is [`FRAME_SAMPLES_MAX`].
const SAMPLES_MAX: u64 = 1 << 20;

const SHAPES: [Shape; 11] = [
    Shape::Probe,
    Shape::Length,
    Shape::Angle,
    Shape::Cobb,
    Shape::Bidirectional,
    Shape::Ellipse,
    Shape::Rectangle,
    Shape::Freehand,
    Shape::Arrow,
    Shape::Text,
    Shape::KeyImage,
];

fuzz_target!(init: overread_fuzz::let_contained_panics_pass(), |data: &[u8]| {
    let mut parts = Parts(data);
    let shape = SHAPES[usize::from(parts.byte()) % SHAPES.len()];
    let count = usize::from(parts.byte() % 8);
    let points: Vec<Point> = (0..count).map(|_| Point { column: parts.float(), row: parts.float() }).collect();
    let Ok(image) = Image::read(parts.rest()) else { return };
    let description = image.description();
    let samples = description.frame_samples() as u64;
    assert!(samples <= FRAME_SAMPLES_MAX);
    for number in [1, 2, description.frames, description.frames.wrapping_add(1)] {
        orientation(image.header(), number);
        spacing(image.header(), number, &points);
    }
    if samples > SAMPLES_MAX {
        return;
    }
    for number in [1, description.frames] {
        let Ok(frame) = image.frame(number) else { continue };
        assert_eq!(frame.values.len(), description.frame_samples());
        assert!(frame.windows() <= CHOICES_MAX);
        let windows = [Window::Default, Window::File(1), Window::Preset(Preset::Brain), Window::File(2)];
        for picture in windows.iter().filter_map(|window| frame.display(*window).ok()) {
            let samples = u64::from(picture.rows) * u64::from(picture.columns) * u64::from(picture.samples);
            assert_eq!(picture.bytes.len() as u64, samples);
        }
        assert_eq!(frame.modality().len(), frame.values.len());
        frame.modality_at(0, 0);
        frame.stored_array();
    }
    if let Ok(measurement) = measure_in(&image, 1, shape, &points)
        && let Some(measured) = measurement.measured
    {
        assert!(!measured.unit.is_empty() && !measured.basis.is_empty());
    }
});
