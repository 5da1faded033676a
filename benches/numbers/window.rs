//! Window: a mammogram of twelve million pixels through another window.
//!
//! In the library: the decoded frame through a window that was not shown before, scaled to the screen, encoded for
//! Kitty's protocol; at rest, where every pixel counts, and as the draft that stands while a window is dragged. In the
//! whole program: a key that makes the window wider, to the last byte of that draft at a pseudo-terminal.

use std::thread::sleep;
use std::time::{Duration, Instant};

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use overread::encoding::random::{Rng, Seeded};
use overread::study::geometry::spacing;
use overread::study::part10::{Part10, PixelElement, Syntax};
use overread::study::pixels::{Image, Window};
use overread::study::write::rebuild;
use overread::ui::graphics::{
    Answer, Capabilities, CellSize, Content, Environment, Protocol, Quality, Screen, Setting, SixelLimits, Viewport,
};
use overread::view::mapping::{ImagePlane, Size};
use overread::view::pose::Pose;
use overread::view::scene::{Asked, Pictures};
use ratatui::layout::Rect;
use tempfile::TempDir;

use crate::Outcome;
use crate::homes::{Alone, write_cases};
use crate::table::{Figure, Samples, Table};
use crate::terminal::{App, CELL, IMAGE_BYTES_MIN, SCREENS};

const COLUMNS: u16 = 3000;
const ROWS: u16 = 4000;

const ROUNDS: u32 = 101;

const WARM_UP: u32 = 5;

const REST_GOAL_MS: f64 = 30.0;

const DRAFT_GOAL_MS: f64 = 16.0;

/// Until the picture has been at rest and drawn exactly.
const REST: Duration = Duration::from_millis(400);

/// Level up and down and width to and fro: the breast stays in sight, and no window comes twice.
const KEYS: [&[u8]; 8] = [UP, UP, UP, b"\x1b[C", DOWN, DOWN, DOWN, b"\x1b[D"];
const UP: &[u8] = b"\x1b[1;2A";
const DOWN: &[u8] = b"\x1b[1;2B";

pub fn measure(table: &mut Table) -> Outcome<()> {
    let file = mammogram()?;
    let what = format!("window on {ROWS} x {COLUMNS}");
    for (screen, columns, rows, _) in SCREENS {
        for (quality, draft, goal) in [("at rest", false, REST_GOAL_MS), ("draft", true, DRAFT_GOAL_MS)] {
            let times = Samples::of(windowed(&file, (columns, rows), draft)?);
            let p99 = Samples::of([times.percentile(99)]);
            table.add(Figure::new(format!("{what}, {quality}, {screen}"), "ms", times));
            table.add(Figure::new(format!("{what}, {quality}, {screen}, p99"), "ms", p99).goal(goal));
        }
    }
    let times = Samples::of(in_the_app(&file)?);
    let p99 = Samples::of([times.percentile(99)]);
    table.add(Figure::new(format!("{what}, key to bytes of the draft"), "ms", times));
    table.add(Figure::new(format!("{what}, key to bytes of the draft, p99"), "ms", p99).goal(DRAFT_GOAL_MS));
    Ok(())
}

fn windowed(file: &[u8], (columns, rows): (u16, u16), draft: bool) -> Outcome<Vec<f64>> {
    let image = Image::read(file)?;
    let frame = image.frame(1)?;
    let plane = ImagePlane::new(frame.columns(), frame.rows(), &spacing(image.header(), 1, &[]));
    let area = Rect::new(0, 0, columns, rows - 1);
    let cell = CellSize { width: CELL.0.into(), height: CELL.1.into() };
    let answer = Answer { protocol: Protocol::Kitty, cell: Some(cell), sixel: SixelLimits::default() };
    let environment = Environment::read(|_| None);
    let mut screen = Screen::new(&Capabilities::of(&environment, Some(&answer), Setting::Auto), 1);
    let (width, height) = screen.size_px(area);
    let (pose, mut pictures, mut times) = (Pose::default(), Pictures::default(), Vec::new());
    for round in 0..WARM_UP + ROUNDS {
        let start = Instant::now();
        let window = Window::Values { width: 1000.0 + f64::from(round), level: 2000.0 };
        let asked = Asked { key: round, plane: &plane, pose: &pose, viewport: Size { width, height }, draft };
        let scene = pictures.scene(asked, |step| frame.display_sparse(window, step))?;
        let viewport = Viewport { area, content: Content::Scene(&scene) };
        let bytes = screen.show(&[viewport], &[], Rect::new(0, 0, columns, rows).as_size(), Quality::EXACT);
        if scene.picture.is_none() || bytes.len() < IMAGE_BYTES_MIN {
            return Err("the mammogram was not shown".into());
        }
        if round >= WARM_UP {
            times.push(start.elapsed().as_secs_f64() * 1000.0);
        }
    }
    Ok(times)
}

fn in_the_app(file: &[u8]) -> Outcome<Vec<f64>> {
    let alone = Alone::new()?;
    let folder = TempDir::new()?;
    std::fs::write(folder.path().join("MG.dcm"), file)?;
    let imported = alone.home.import(folder.path())?;
    write_cases(&alone.home, &imported.study, 1, 0)?;
    let app = App::at_worklist(&alone.home, (160, 50), Protocol::Kitty)?;
    app.key(b"\r", IMAGE_BYTES_MIN)?;
    // The picture has the whole screen.
    app.key(b"p", 1)?;
    let mut times = Vec::new();
    for round in 0..WARM_UP + ROUNDS / 2 {
        sleep(REST);
        let key = KEYS[round as usize % KEYS.len()];
        let drawn = app.key(key, IMAGE_BYTES_MIN)?;
        if round >= WARM_UP {
            times.push(drawn.ms);
        }
    }
    Ok(times)
}

/// A breast of even tissue with noise, 12 bits.
fn mammogram() -> Outcome<Vec<u8>> {
    let mut random = Seeded::new(7);
    let (columns, rows) = (usize::from(COLUMNS), usize::from(ROWS));
    let mut pixels = Vec::with_capacity(2 * columns * rows);
    for row in 0..rows {
        for column in 0..columns {
            let (x, y) = (column as f64 / columns as f64, row as f64 / rows as f64 * 2.0 - 1.0);
            let depth = 1.0 - x * x * 1.3 - y * y;
            let noise = (random.next_u64() % 256) as f64;
            let value = if depth > 0.0 { 800.0 + 2400.0 * depth.sqrt() + noise } else { noise / 16.0 };
            pixels.extend_from_slice(&(value as u16).to_le_bytes());
        }
    }
    let mut header = InMemDicomObject::new_empty();
    for (tag, vr, text) in [
        (tags::SOP_CLASS_UID, VR::UI, uids::DIGITAL_MAMMOGRAPHY_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION),
        (tags::SOP_INSTANCE_UID, VR::UI, "1.2.826.0.1.3680043.10.1234.8.3"),
        (tags::STUDY_INSTANCE_UID, VR::UI, "1.2.826.0.1.3680043.10.1234.8.1"),
        (tags::SERIES_INSTANCE_UID, VR::UI, "1.2.826.0.1.3680043.10.1234.8.2"),
        (tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY"),
        (tags::MODALITY, VR::CS, "MG"),
        (tags::STUDY_DATE, VR::DA, "20260501"),
        (tags::PATIENT_NAME, VR::PN, "SAMPLEWOMAN^ERIKA"),
        (tags::PATIENT_ID, VR::LO, "MRN-4711-0815"),
        (tags::PATIENT_BIRTH_DATE, VR::DA, "19570823"),
        (tags::PATIENT_SEX, VR::CS, "F"),
        (tags::BURNED_IN_ANNOTATION, VR::CS, "NO"),
        (tags::IMAGER_PIXEL_SPACING, VR::DS, "0.07\\0.07"),
        (tags::WINDOW_CENTER, VR::DS, "2000"),
        (tags::WINDOW_WIDTH, VR::DS, "2600"),
        (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
    ] {
        header.put_str(tag, vr, text);
    }
    for (tag, value) in [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, ROWS),
        (tags::COLUMNS, COLUMNS),
        (tags::BITS_ALLOCATED, 16),
        (tags::BITS_STORED, 12),
        (tags::HIGH_BIT, 11),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        header.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
    }
    let pixel = PixelElement { tag: tags::PIXEL_DATA, vr: VR::OW, encapsulated: false, bytes: pixels.into() };
    let syntax = Syntax::of(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let part10 = Part10 { syntax, header: InMemDicomObject::new_empty(), pixel: Some(pixel) };
    Ok(rebuild(part10, header)?.to_bytes())
}
