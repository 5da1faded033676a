//! The demo's patient: a chest CT made by the program itself.
//!
//! Nobody's images: body, lungs with vessels, ribs, spine, heart and aorta are drawn from ellipses, a nodule
//! lies in the right upper lobe, and the noise is correlated as a reconstruction kernel makes it, so that
//! packing and transfer meet what they meet in hospitals. The headers hold everything that de-identification
//! has to find: names, identifiers, dates, comments, private elements. The same seed gives the same files.
//!
//! It is no phantom for measuring: HU values are plausible, not calibrated.

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use rayon::prelude::*;

use super::part10::{Part10, PixelElement, Syntax};
use super::write::{WriteError, rebuild};
use crate::encoding::random::{Rng, Seeded};

/// Rows and columns of a slice.
pub const SIZE: usize = 512;

/// Slices of the demo's study.
pub const SLICES: u32 = 120;

/// Distance of slices in mm.
const STEP_MM: f64 = 2.5;

/// Field of view in mm.
const FIELD_MM: f64 = 380.0;

/// HU of air and of a vessel in the lung.
const AIR: f32 = -1000.0;
const VESSEL: f32 = 25.0;

/// Standard deviation of the noise in soft tissue, in HU.
const NOISE_HU: f32 = 14.0;

/// Everything in the headers that identifies the patient, for tests and for showing what was removed.
pub const IDENTITY: [&str; 12] = [
    "SAMPLEWOMAN^ERIKA^^DR.",
    "MRN-4711-0815",
    "19570823",
    "ACC2026-00042",
    "FAMILYDOCTOR^HANS",
    "READER^PETRA",
    "TECH^TOM",
    "ST. EXAMPLE HOSPITAL",
    "12 EXAMPLE STREET, SPRINGFIELD",
    "CTSCANNER7",
    "PATIENT KNOWN TO DR. FAMILYDOCTOR, CALL +1 555 0100",
    "ERIKA SAMPLEWOMAN WARD 3B",
];

/// The middle of the lesion: column, row, slice (from 0) for [`SLICES`] slices.
pub const LESION: (usize, usize, u32) = (163, 226, 44);

/// Makes slice `index` (from 0) of `slices` as a DICOM file.
pub fn slice(seed: u64, index: u32, slices: u32) -> Result<Vec<u8>, WriteError> {
    let pixels = draw(seed, index, slices);
    let header = header(seed, index, slices);
    let pixel = PixelElement { tag: tags::PIXEL_DATA, vr: VR::OW, encapsulated: false, bytes: pixels.into() };
    let syntax = Syntax::of(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let part10 = Part10 { syntax, header: InMemDicomObject::new_empty(), pixel: Some(pixel) };
    Ok(rebuild(part10, header)?.to_bytes())
}

/// Makes all slices on all cores and gives each to `take` (its number from 1, and the file), in any order.
pub fn study<E: Send + From<WriteError>>(
    seed: u64,
    slices: u32,
    take: impl Fn(u32, Vec<u8>) -> Result<(), E> + Sync,
) -> Result<(), E> {
    (0..slices).into_par_iter().try_for_each(|index| take(index + 1, slice(seed, index, slices)?))
}

fn header(seed: u64, index: u32, slices: u32) -> InMemDicomObject {
    let [name, id, birth, accession, referring, reader, technician, hospital, street, station, comment, private] =
        IDENTITY;
    let uid = |kind: u32| format!("1.2.826.0.1.3680043.10.1234.{}.{kind}", seed % 1_000_000_000);
    let z = -f64::from(index) * STEP_MM;
    let spacing = format!("{:.6}\\{:.6}", FIELD_MM / SIZE as f64, FIELD_MM / SIZE as f64);
    let texts: [(Tag, VR, &str); 55] = [
        (tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 100"),
        (tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\AXIAL"),
        (tags::INSTANCE_CREATION_DATE, VR::DA, "20260501"),
        (tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE),
        (tags::SOP_INSTANCE_UID, VR::UI, &format!("{}.{}", uid(3), index + 1)),
        (tags::STUDY_DATE, VR::DA, "20260501"),
        (tags::SERIES_DATE, VR::DA, "20260501"),
        (tags::ACQUISITION_DATE, VR::DA, "20260501"),
        (tags::CONTENT_DATE, VR::DA, "20260501"),
        (tags::STUDY_TIME, VR::TM, "101112"),
        (tags::SERIES_TIME, VR::TM, "101540"),
        (tags::ACQUISITION_TIME, VR::TM, "101602"),
        (tags::CONTENT_TIME, VR::TM, "101609"),
        (tags::ACCESSION_NUMBER, VR::SH, accession),
        (tags::MODALITY, VR::CS, "CT"),
        (tags::MANUFACTURER, VR::LO, "Example Medical"),
        (tags::INSTITUTION_NAME, VR::LO, hospital),
        (tags::INSTITUTION_ADDRESS, VR::ST, street),
        (tags::REFERRING_PHYSICIAN_NAME, VR::PN, referring),
        (tags::STATION_NAME, VR::SH, station),
        (tags::STUDY_DESCRIPTION, VR::LO, "CT CHEST WITH CONTRAST"),
        (tags::SERIES_DESCRIPTION, VR::LO, "AXIAL LUNG 2.5MM"),
        (tags::PHYSICIANS_OF_RECORD, VR::PN, reader),
        (tags::OPERATORS_NAME, VR::PN, technician),
        (tags::MANUFACTURER_MODEL_NAME, VR::LO, "Model One"),
        (tags::PATIENT_NAME, VR::PN, name),
        (tags::PATIENT_ID, VR::LO, id),
        (tags::PATIENT_BIRTH_DATE, VR::DA, birth),
        (tags::PATIENT_SEX, VR::CS, "F"),
        (tags::PATIENT_SIZE, VR::DS, "1.68"),
        (tags::PATIENT_WEIGHT, VR::DS, "71"),
        (tags::PATIENT_COMMENTS, VR::LT, comment),
        (tags::CONTRAST_BOLUS_AGENT, VR::LO, "IOHEXOL"),
        (tags::BODY_PART_EXAMINED, VR::CS, "CHEST"),
        (tags::SLICE_THICKNESS, VR::DS, "2.5"),
        (tags::KVP, VR::DS, "120"),
        (tags::DEVICE_SERIAL_NUMBER, VR::LO, "SN-998877"),
        (tags::PROTOCOL_NAME, VR::LO, "CHEST CONTRAST"),
        (tags::CONVOLUTION_KERNEL, VR::SH, "B40"),
        (tags::PATIENT_POSITION, VR::CS, "HFS"),
        (tags::STUDY_INSTANCE_UID, VR::UI, &uid(1)),
        (tags::SERIES_INSTANCE_UID, VR::UI, &uid(2)),
        (tags::STUDY_ID, VR::SH, "4242"),
        (tags::SERIES_NUMBER, VR::IS, "2"),
        (tags::ACQUISITION_NUMBER, VR::IS, "1"),
        (tags::INSTANCE_NUMBER, VR::IS, &(index + 1).to_string()),
        (tags::IMAGE_POSITION_PATIENT, VR::DS, &format!("-190\\-190\\{z}")),
        (tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0"),
        (tags::FRAME_OF_REFERENCE_UID, VR::UI, &uid(4)),
        (tags::SLICE_LOCATION, VR::DS, &z.to_string()),
        (tags::IMAGES_IN_ACQUISITION, VR::IS, &slices.to_string()),
        (tags::IMAGE_COMMENTS, VR::LT, comment),
        (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        (tags::PIXEL_SPACING, VR::DS, &spacing),
        (tags::POSITION_REFERENCE_INDICATOR, VR::LO, ""),
    ];
    let mut header = InMemDicomObject::new_empty();
    for (tag, vr, value) in texts {
        header.put_str(tag, vr, value);
    }
    for (tag, value) in [
        (tags::RESCALE_INTERCEPT, "-1024"),
        (tags::RESCALE_SLOPE, "1"),
        (tags::WINDOW_CENTER, "-600\\40"),
        (tags::WINDOW_WIDTH, "1500\\400"),
    ] {
        header.put_str(tag, VR::DS, value);
    }
    header.put_str(tags::RESCALE_TYPE, VR::LO, "HU");
    for (tag, value) in [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, SIZE as u16),
        (tags::COLUMNS, SIZE as u16),
        (tags::BITS_ALLOCATED, 16),
        (tags::BITS_STORED, 12),
        (tags::HIGH_BIT, 11),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        header.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
    }
    header.put_str(Tag(0x0009, 0x0010), VR::LO, "EXAMPLE PRIVATE 01");
    header.put_str(Tag(0x0009, 0x1001), VR::LO, private);
    header.put_str(Tag(0x0009, 0x1002), VR::UN, private);
    header
}

/// Draws one slice as 12-bit words, little endian, offset 1024.
fn draw(seed: u64, index: u32, slices: u32) -> Vec<u8> {
    // 0 at the top of the lungs, 1 at the diaphragm.
    let depth = index as f32 / slices.max(2).saturating_sub(1) as f32;
    let shapes = anatomy(depth);
    let mut image = vec![AIR; SIZE * SIZE];
    for shape in &shapes {
        shape.paint(&mut image);
    }
    for vessel in &vessels(seed, depth) {
        vessel.paint_over_lung(&mut image);
    }
    let image = smooth(&image, &[0.06, 0.24, 0.4, 0.24, 0.06]);

    let mut random = Seeded::new(seed ^ (u64::from(index) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let noise = smooth(&gaussian(&mut random), &[0.17, 0.66, 0.17]);
    let mut bytes = Vec::with_capacity(2 * SIZE * SIZE);
    for (at, (hu, noise)) in image.iter().zip(&noise).enumerate() {
        let (x, y) = unit(at);
        let inside_scan = x * x + y * y < 1.0;
        // More noise where more tissue is in the way.
        let strength = if *hu < -900.0 { 0.4 } else { 0.8 + 0.35 * (1.0 - x.abs()) };
        let value = if inside_scan { hu + noise * NOISE_HU * 2.0 * strength } else { -1024.0 };
        bytes.extend_from_slice(&((value + 1024.0).round().clamp(0.0, 4095.0) as u16).to_le_bytes());
    }
    bytes
}

/// Position of a pixel in the field of view, -1 to 1.
fn unit(at: usize) -> (f32, f32) {
    let scale = |n: usize| (n as f32 + 0.5) * 2.0 / SIZE as f32 - 1.0;
    (scale(at % SIZE), scale(at / SIZE))
}

/// An ellipse, turned by `turn` radians and filled with one value.
#[derive(Clone, Copy)]
struct Shape {
    x: f32,
    y: f32,
    width: f32,
    height: f32,
    turn: f32,
    hu: f32,
}

impl Shape {
    fn new(x: f32, y: f32, width: f32, height: f32, hu: f32) -> Self {
        Self { x, y, width, height, turn: 0.0, hu }
    }

    fn paint(&self, image: &mut [f32]) {
        self.paint_where(image, |_| true);
    }

    /// Leaves heart, liver and ribs as they are.
    fn paint_over_lung(&self, image: &mut [f32]) {
        self.paint_where(image, |hu| hu < -500.0 || hu == VESSEL);
    }

    fn paint_where(&self, image: &mut [f32], may: impl Fn(f32) -> bool) {
        let reach = self.width.max(self.height);
        let rows = pixels(self.y, reach);
        let (sin, cos) = self.turn.sin_cos();
        for row in rows {
            for column in pixels(self.x, reach) {
                let at = row * SIZE + column;
                let (x, y) = unit(at);
                let (dx, dy) = (x - self.x, y - self.y);
                let (u, v) = ((dx * cos + dy * sin) / self.width, (dy * cos - dx * sin) / self.height);
                if u * u + v * v < 1.0 && may(image[at]) {
                    image[at] = self.hu;
                }
            }
        }
    }
}

/// The pixels of one axis that a shape may touch.
fn pixels(centre: f32, reach: f32) -> std::ops::Range<usize> {
    let pixel = |unit: f32| ((unit + 1.0) * SIZE as f32 / 2.0).clamp(0.0, SIZE as f32) as usize;
    pixel(centre - reach)..(pixel(centre + reach) + 1).min(SIZE)
}

/// Organs from the outside in; each is painted over the ones before.
fn anatomy(depth: f32) -> Vec<Shape> {
    let mut shapes = Vec::new();
    let chest = 0.86 + 0.06 * depth;
    shapes.push(Shape::new(0.0, 0.0, chest, 0.60, -90.0)); // skin and fat
    shapes.push(Shape::new(0.0, 0.0, chest - 0.05, 0.55, 55.0)); // muscle
    for side in [-1.0, 1.0] {
        shapes.push(Shape { turn: side * 0.35, ..Shape::new(side * 0.52, 0.38, 0.16, 0.035, 420.0) }); // scapulae
    }
    // Ribs run downwards: their cut wanders around the chest from slice to slice.
    for rib in 0..9 {
        let angle = 0.25 + rib as f32 * 0.33 + (depth * 5.0).fract() * 0.33;
        for side in [-1.0, 1.0] {
            let (sin, cos) = angle.sin_cos();
            let rib = Shape::new(side * 0.745 * sin, 0.47 * cos, 0.05, 0.017, 520.0);
            shapes.push(Shape { turn: side * -angle, ..rib });
            shapes.push(Shape { width: 0.036, height: 0.008, hu: 180.0, turn: side * -angle, ..rib });
        }
    }
    // Lungs: narrow at the top, wide below, and shrinking over the diaphragm.
    let open = (1.0 - (2.0 * depth - 0.9).powi(2) * 0.55).max(0.2).sqrt();
    for side in [-1.0, 1.0] {
        let lung = Shape::new(side * 0.37, -0.02, 0.29 * open, 0.42 * open, -865.0);
        shapes.push(Shape { width: lung.width + 0.012, height: lung.height + 0.012, hu: 20.0, ..lung });
        shapes.push(lung);
    }
    if depth > 0.72 {
        let dome = ((depth - 0.72) / 0.28).sqrt();
        shapes.push(Shape::new(-0.36, 0.0, 0.25 * dome, 0.36 * dome, 62.0)); // liver, on the image's left
        shapes.push(Shape::new(0.40, 0.05, 0.18 * dome, 0.26 * dome, 50.0)); // spleen and stomach
    }
    // Mediastinum, heart, great vessels, airways.
    shapes.push(Shape::new(0.0, -0.05, 0.15, 0.36, 35.0));
    if depth > 0.4 {
        let heart = ((depth - 0.4) * 2.4).min(1.0);
        shapes.push(Shape { turn: 0.5, ..Shape::new(0.09, -0.12, 0.29 * heart, 0.22 * heart, 70.0) });
        shapes.push(Shape { turn: 0.5, ..Shape::new(0.13, -0.10, 0.15 * heart, 0.11 * heart, 230.0) });
        shapes.push(Shape::new(-0.06, -0.15, 0.08 * heart, 0.08 * heart, 210.0));
    } else {
        shapes.push(Shape { turn: -0.5, ..Shape::new(0.03, -0.08, 0.15, 0.055, 240.0) }); // aortic arch
        shapes.push(Shape::new(-0.085, -0.14, 0.035, 0.045, 200.0)); // superior vena cava
    }
    shapes.push(Shape::new(0.10, 0.23, 0.055, 0.055, 235.0)); // descending aorta
    if depth < 0.38 {
        shapes.push(Shape::new(0.0, 0.05, 0.045, 0.04, -990.0)); // trachea
    } else {
        let apart = (0.03 + (depth - 0.38) * 0.35).min(0.16);
        shapes.push(Shape::new(-apart, 0.06, 0.03, 0.03, -985.0));
        shapes.push(Shape::new(apart, 0.06, 0.03, 0.03, -985.0));
    }
    shapes.push(Shape::new(-0.01, 0.15, 0.025, 0.018, 40.0)); // oesophagus
    // Spine.
    shapes.push(Shape::new(0.0, 0.35, 0.105, 0.085, 640.0));
    shapes.push(Shape::new(0.0, 0.35, 0.088, 0.068, 230.0));
    shapes.push(Shape::new(0.0, 0.455, 0.075, 0.035, 560.0));
    shapes.push(Shape::new(0.0, 0.45, 0.042, 0.032, 30.0)); // canal
    shapes.push(Shape::new(0.0, 0.515, 0.02, 0.04, 480.0));
    shapes.push(Shape::new(0.0, -0.47, 0.07, 0.025, 380.0)); // sternum
    // Table.
    shapes.push(Shape::new(0.0, 0.78, 0.55, 0.012, -250.0));
    shapes
}

/// Vessels of the lungs, and the lesion. They run from the hilum outwards and cross the slices, so each keeps
/// its place and changes its size with depth.
fn vessels(seed: u64, depth: f32) -> Vec<Shape> {
    let mut random = Seeded::new(seed);
    let mut part = |from: f32, to: f32| from + (to - from) * random.below(10_000) as f32 / 10_000.0;
    let mut shapes = Vec::new();
    for n in 0..420 {
        let side = if n % 2 == 0 { -1.0 } else { 1.0 };
        let (angle, reach) = (part(0.0, std::f32::consts::TAU), part(0.05, 1.0).sqrt());
        let (at, length) = (part(0.0, 1.0), part(0.03, 0.12));
        let size = part(0.6, 1.4) * (0.017 - 0.0135 * reach);
        let (stretch, drift) = (part(1.0, 3.5), part(-1.0, 1.0));
        let near = 1.0 - ((depth - at) / length).powi(2);
        let open = (1.0 - (2.0 * depth - 0.9).powi(2) * 0.55).max(0.2).sqrt();
        if near > 0.0 && depth < 0.9 {
            let (sin, cos) = angle.sin_cos();
            let slide = (depth - at) * 0.5 * drift;
            let x = side * 0.36 + (0.23 * reach + slide * 0.3) * open * cos;
            let y = -0.02 + (0.34 * reach + slide) * open * sin;
            let inside = ((x - side * 0.37) / (0.28 * open)).powi(2) + ((y + 0.02) / (0.40 * open)).powi(2) < 0.95;
            let towards_hilum = (y - 0.02).atan2(x - side * 0.12);
            if inside && x.abs() > 0.17 {
                let width = size * near.sqrt() * stretch;
                shapes.push(Shape { turn: towards_hilum, ..Shape::new(x, y, width, size * near.sqrt(), VESSEL) });
            }
        }
    }
    let (column, row, slice) = LESION;
    let (x, y) = unit(row * SIZE + column);
    let away = (depth - slice as f32 / (SLICES - 1) as f32) * SLICES as f32 * STEP_MM as f32;
    const RADIUS_MM: f32 = 8.5;
    let cut = RADIUS_MM * RADIUS_MM - away * away;
    if cut > 0.0 {
        let radius = cut.sqrt() / (FIELD_MM as f32 / 2.0);
        shapes.push(Shape { turn: 0.6, ..Shape::new(x, y, radius * 1.1, radius * 0.9, 38.0) });
        for spike in 0..9 {
            let angle = spike as f32 * 0.7 + 0.3;
            let (sin, cos) = angle.sin_cos();
            let spike = Shape::new(x + radius * 0.9 * cos, y + radius * 0.9 * sin, radius * 0.65, 0.004, -250.0);
            shapes.push(Shape { turn: angle, ..spike });
        }
    }
    shapes
}

/// Convolves rows, then columns.
fn smooth(image: &[f32], kernel: &[f32]) -> Vec<f32> {
    let half = kernel.len() / 2;
    let pass = |from: &[f32], step: usize| {
        let mut to = from.to_vec();
        let margin = half * step;
        let middle = margin..from.len() - margin;
        to[middle.clone()].fill(0.0);
        for (k, weight) in kernel.iter().enumerate() {
            let shifted = &from[k * step..];
            for (sum, value) in to[middle.clone()].iter_mut().zip(shifted) {
                *sum += weight * value;
            }
        }
        to
    };
    pass(&pass(image, 1), SIZE)
}

/// White noise, near enough to normal with standard deviation 1: four bytes of the stream added up.
fn gaussian(random: &mut Seeded) -> Vec<f32> {
    let mut bytes = vec![0; 4 * SIZE * SIZE];
    random.fill_bytes(&mut bytes);
    // One byte has variance (256² - 1) / 12.
    let deviation = (4.0 * 65_535.0_f32 / 12.0).sqrt();
    bytes
        .chunks_exact(4)
        .map(|four| (four.iter().map(|&b| f32::from(b)).sum::<f32>() - 4.0 * 127.5) / deviation)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::part10;

    fn hu(file: &[u8], column: usize, row: usize) -> f32 {
        let part10 = part10::read(file).unwrap();
        let bytes = part10.pixel.unwrap().bytes;
        let mean = |at: usize| f32::from(u16::from_le_bytes([bytes[2 * at], bytes[2 * at + 1]]));
        let square = (0..25).map(|k| mean((row + k / 5 - 2) * SIZE + column + k % 5 - 2));
        square.sum::<f32>() / 25.0 - 1024.0
    }

    #[test]
    fn the_same_seed_gives_the_same_file_and_another_seed_another() {
        let first = slice(1, 40, SLICES).unwrap();
        assert!(first == slice(1, 40, SLICES).unwrap());
        assert!(first != slice(2, 40, SLICES).unwrap());
    }

    #[test]
    fn the_lesion_is_soft_tissue_in_a_lung_full_of_air() {
        let (column, row, index) = LESION;
        let through = slice(1, index, SLICES).unwrap();
        assert!((-60.0..120.0).contains(&hu(&through, column, row)), "{}", hu(&through, column, row));
        let below = slice(1, index + 12, SLICES).unwrap();
        assert!(hu(&below, column, row) < -600.0);
    }

    #[test]
    fn the_header_holds_everything_that_must_be_found() {
        let file = slice(1, 0, SLICES).unwrap();
        for planted in IDENTITY {
            assert!(file.windows(planted.len()).any(|window| window == planted.as_bytes()), "{planted}");
        }
    }
}
