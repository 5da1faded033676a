//! Contact sheets: what somebody must look at before it leaves, on as few pages as can be read.
//!
//! Every image that waits for review, every one that was masked, then the first, middle and last of every other series,
//! since burned-in text that no header admits shows there. Of a multi-frame image: first, middle, last and every tenth frame. Tiles are
//! large enough to read a name in; an image that waits has a white frame. Labels are digits only (series, instance,
//! frame); `review.txt` says what stands where, and names what could not be drawn, which nobody has seen then.
//!
//! Pages show the patient's pixels in clear: they are written for this user only, never over another file.
//! Decoding comes in as an argument ([`decode_whole_range`] is the one to use); a panic in it costs its tile.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::LocalStudy;
use super::import::Control;
use super::left_out;
use super::reading::{fetch_from, open_pages};
use crate::encoding::text::shown;
use crate::node::api::{Failure, FailureCode};
use crate::store::Store;
use crate::study::export::open_instance;
use crate::study::manifest::InstanceEntry;
use crate::study::mask::Rectangle;
use crate::study::pixels::{Window, read_frame};

/// Width and height of a tile's picture in pixels: a line of burned-in text is still read at half of 1280.
const TILE: usize = 640;
/// Height of the strip with a tile's label, in pixels.
const LABEL: usize = 16;
const COLUMNS: usize = 3;
const ROWS: usize = 3;
const PAGE_WIDTH: usize = COLUMNS * TILE;
const PAGE_HEIGHT: usize = ROWS * (TILE + LABEL);

/// Every so many frames of a multi-frame image are shown.
const FRAME_STEP: u32 = 10;
/// Frames shown of one image, at most; the step grows.
const FRAMES_MAX: u32 = 1000;

/// A decoded frame as grey values, row by row.
pub struct GreyTile {
    pub width: u32,
    pub height: u32,
    pub pixels: Vec<u8>,
}

/// Gives a frame, counted from 1, of a DICOM file, or why it cannot.
pub type DecodeFrame<'a> = dyn Fn(&[u8], u32) -> Result<GreyTile, String> + 'a;

/// Decodes a frame for a contact sheet: over the whole range of its values, since the file's own window may leave
/// burned-in text black on black, and of colours the brightest part.
pub fn decode_whole_range(file: &[u8], frame: u32) -> Result<GreyTile, String> {
    let frame = read_frame(file, frame).map_err(|error| error.to_string())?;
    let mut window = Window::Default;
    if frame.photometric().is_grey() {
        let finite = frame.modality().into_iter().filter(|value| value.is_finite());
        let range = finite.fold(None, |range: Option<(f64, f64)>, value| {
            Some(range.map_or((value, value), |(lowest, highest)| (lowest.min(value), highest.max(value))))
        });
        if let Some((lowest, highest)) = range.filter(|(lowest, highest)| lowest < highest) {
            window = Window::Values { width: highest - lowest + 1.0, level: (lowest + highest + 1.0) / 2.0 };
        }
    }
    let picture = frame.display(window).map_err(|error| error.to_string())?;
    let samples = (picture.samples as usize).max(1);
    let pixels = picture.bytes.chunks_exact(samples).map(|pixel| pixel.iter().copied().max().unwrap_or(0)).collect();
    Ok(GreyTile { width: picture.columns, height: picture.rows, pixels })
}

/// The pages that were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewed {
    pub pages: Vec<PathBuf>,
    /// Tiles on them, also those that could not be drawn.
    pub images: usize,
}

/// Draws the contact sheets of a study into `folder`.
///
/// # Errors
/// If a page of an earlier review stands there already, the folder cannot be written, or an image is not here.
pub fn review(
    store: &Store,
    study: &LocalStudy,
    folder: &Path,
    decode: &DecodeFrame<'_>,
    control: &Control<'_>,
) -> Result<Reviewed, Failure> {
    let shown_images = chosen(store, study)?;
    if shown_images.is_empty() {
        return Err(Failure::new(FailureCode::NotFound, "No image of this study can be shown.")
            .hint("Import or fetch its images first."));
    }
    private_folder(folder)?;
    let key = study.study_key();
    let mut sheet = Sheet::new(folder);
    for image in &shown_images {
        let file = open_instance(&key, &image.entry, fetch_from(store)).map_err(|error| {
            Failure::new(FailureCode::Damaged, format!("A stored image cannot be opened: {error}."))
                .hint("Import or fetch the study again.")
        })?;
        for frame in frames_shown(image.entry.frames) {
            if control.is_cancelled() {
                return Err(Failure::new(FailureCode::Interrupted, "The review was stopped.")
                    .hint("Repeat it into a new folder."));
            }
            let tile = catch_unwind(AssertUnwindSafe(|| decode(&file, frame)))
                .unwrap_or_else(|_| Err("an error of this program (please report it)".to_owned()));
            sheet.add(image, frame, tile.and_then(checked))?;
        }
    }
    sheet.finish()
}

/// An image to be drawn.
struct Shown {
    entry: InstanceEntry,
    series: String,
    number: Option<i32>,
    /// Why it waits, if it does.
    waits: Option<String>,
    /// The rectangles that were burned into it: shown is what is left.
    mask: Vec<Rectangle>,
}

fn chosen(store: &Store, study: &LocalStudy) -> Result<Vec<Shown>, Failure> {
    let rows = left_out::of_study(store, &study.id)?;
    let masks: BTreeMap<String, Vec<Rectangle>> = rows
        .iter()
        .filter(|row| !row.mask().is_empty())
        .map(|row| (row.entry.sop_instance.clone(), row.mask().to_vec()))
        .collect();
    let mut chosen: Vec<Shown> = rows
        .into_iter()
        .filter(|row| row.waits() && row.entry.frames > 0)
        .map(|row| Shown {
            entry: row.entry,
            series: row.facts.series,
            number: row.facts.series_number,
            waits: Some(row.why),
            mask: Vec::new(),
        })
        .collect();
    for (head, instances) in study.head.series.iter().zip(open_pages(store, &study.head, &study.study_key())) {
        let pictures: Vec<_> = instances.into_iter().filter(|entry| entry.frames > 0).collect();
        let mut places = BTreeSet::from([0, pictures.len() / 2, pictures.len().saturating_sub(1)]);
        places.extend((0..pictures.len()).filter(|at| masks.contains_key(&pictures[*at].sop_instance)));
        for entry in places.into_iter().filter_map(|at| pictures.get(at)) {
            chosen.push(Shown {
                entry: entry.clone(),
                series: head.series.clone(),
                number: head.number,
                waits: None,
                mask: masks.get(&entry.sop_instance).cloned().unwrap_or_default(),
            });
        }
    }
    Ok(chosen)
}

/// First, middle, last and every tenth frame.
pub(super) fn frames_shown(frames: u32) -> BTreeSet<u32> {
    let step = FRAME_STEP.max(frames / FRAMES_MAX);
    let mut shown: BTreeSet<u32> = (1..=frames).step_by(step as usize).collect();
    if frames > 0 {
        shown.extend([frames.div_ceil(2), frames]);
    }
    shown
}

fn checked(tile: GreyTile) -> Result<GreyTile, String> {
    let fits = u64::from(tile.width) * u64::from(tile.height) == tile.pixels.len() as u64 && !tile.pixels.is_empty();
    if fits { Ok(tile) } else { Err("the decoded frame has another size than it says".to_owned()) }
}

/// Pages as they fill.
struct Sheet<'a> {
    folder: &'a Path,
    page: Vec<u8>,
    /// Tiles on the present page.
    tiles: usize,
    pages: Vec<PathBuf>,
    images: usize,
    index: String,
}

impl<'a> Sheet<'a> {
    fn new(folder: &'a Path) -> Self {
        let index = "Overread contact sheets. Tiles count from left to right, then down. A white frame: waits for \
                     review.\nThe label under a tile is series - instance - frame. To name a rectangle of an image, \
                     count\npixels from the tile's top left corner and divide by what \"drawn at\" says.\n\n"
            .to_owned();
        Self { folder, page: blank(), tiles: 0, pages: Vec::new(), images: 0, index }
    }

    fn add(&mut self, image: &Shown, frame: u32, tile: Result<GreyTile, String>) -> Result<(), Failure> {
        if self.tiles == COLUMNS * ROWS {
            self.write_page()?;
        }
        let (left, top) = ((self.tiles % COLUMNS) * TILE, (self.tiles / COLUMNS) * (TILE + LABEL));
        self.tiles += 1;
        self.images += 1;
        let number = |number: Option<i32>| number.map(|number| number.to_string()).unwrap_or_default();
        let (series, instance) = (number(image.number), number(image.entry.number));
        // Writing to a String cannot fail.
        let _ = write!(
            self.index,
            "page {} tile {}: series {series} ({}), instance {instance} ({}), frame {frame} of {}, {} x {} pixels",
            self.pages.len() + 1,
            self.tiles,
            shown(&image.series),
            shown(&image.entry.sop_instance),
            image.entry.frames,
            image.entry.columns,
            image.entry.rows,
        );
        if !image.mask.is_empty() {
            let rectangles: Vec<_> = image.mask.iter().map(Rectangle::to_string).collect();
            let _ = write!(self.index, ", masked at {}", rectangles.join(" "));
        }
        if let Some(why) = &image.waits {
            let _ = write!(self.index, ", waits for review: {}", shown(why));
        }
        match tile {
            Ok(tile) => {
                let scale = f64::from(draw(&mut self.page, left, top, &tile)) / f64::from(tile.width.max(1));
                let _ = write!(self.index, ", drawn at {}", (scale * 1000.0).round() / 1000.0);
            }
            Err(why) => {
                cross(&mut self.page, left, top);
                let _ = write!(self.index, ", NOT DRAWN, so nobody has seen it: {}", shown(&why));
            }
        }
        self.index.push('\n');
        if image.waits.is_some() {
            outline(&mut self.page, left, top);
        }
        label(&mut self.page, left + 4, top + TILE + 3, &format!("{series}-{instance}-{frame}"));
        Ok(())
    }

    fn write_page(&mut self) -> Result<(), Failure> {
        let path = self.folder.join(format!("review-{:03}.png", self.pages.len() + 1));
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, PAGE_WIDTH as u32, PAGE_HEIGHT as u32);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        encoder
            .write_header()
            .and_then(|mut writer| writer.write_image_data(&self.page))
            .map_err(|error| Failure::new(FailureCode::Failed, format!("A page could not be drawn: {error}.")))?;
        write_new(&path, &bytes)?;
        self.pages.push(path);
        (self.page, self.tiles) = (blank(), 0);
        Ok(())
    }

    fn finish(mut self) -> Result<Reviewed, Failure> {
        if self.tiles > 0 {
            self.write_page()?;
        }
        write_new(&self.folder.join("review.txt"), self.index.as_bytes())?;
        Ok(Reviewed { pages: self.pages, images: self.images })
    }
}

fn blank() -> Vec<u8> {
    vec![0; PAGE_WIDTH * PAGE_HEIGHT]
}

fn set(page: &mut [u8], x: usize, y: usize, value: u8) {
    if x < PAGE_WIDTH
        && let Some(pixel) = page.get_mut(y * PAGE_WIDTH + x)
    {
        *pixel = value;
    }
}

/// Draws a picture as large as its tile allows: whole steps up, so that pixels stay pixels, or averaged down. Gives the
/// width it has then.
fn draw(page: &mut [u8], left: usize, top: usize, tile: &GreyTile) -> u32 {
    let (width, height) = (tile.width as usize, tile.height as usize);
    let longest = width.max(height);
    let (drawn_width, drawn_height) = if longest <= TILE {
        let factor = TILE / longest;
        (width * factor, height * factor)
    } else {
        ((width * TILE / longest).max(1), (height * TILE / longest).max(1))
    };
    // The source pixels that one drawn pixel covers; never none.
    let covered = |at: usize, drawn: usize, source: usize| {
        let first = at * source / drawn;
        first..((at + 1) * source / drawn).clamp(first + 1, source)
    };
    for y in 0..drawn_height {
        for x in 0..drawn_width {
            let (mut sum, mut count) = (0_u64, 0_u64);
            for row in covered(y, drawn_height, height) {
                for column in covered(x, drawn_width, width) {
                    sum += u64::from(tile.pixels.get(row * width + column).copied().unwrap_or(0));
                    count += 1;
                }
            }
            set(page, left + x, top + y, u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX));
        }
    }
    // At most a tile's width.
    drawn_width as u32
}

fn cross(page: &mut [u8], left: usize, top: usize) {
    for at in 0..TILE {
        set(page, left + at, top + at, 128);
        set(page, left + TILE - 1 - at, top + at, 128);
    }
}

fn outline(page: &mut [u8], left: usize, top: usize) {
    for at in 0..TILE {
        for edge in 0..2 {
            set(page, left + at, top + edge, 255);
            set(page, left + at, top + TILE - 1 - edge, 255);
            set(page, left + edge, top + at, 255);
            set(page, left + TILE - 1 - edge, top + at, 255);
        }
    }
}

/// Digits of 3 x 5 pixels, three bits a row.
const DIGITS: [[u8; 5]; 10] = [
    [7, 5, 5, 5, 7],
    [2, 6, 2, 2, 7],
    [7, 1, 7, 4, 7],
    [7, 1, 7, 1, 7],
    [5, 5, 7, 1, 1],
    [7, 4, 7, 1, 7],
    [7, 4, 7, 5, 7],
    [7, 1, 1, 1, 1],
    [7, 5, 7, 5, 7],
    [7, 5, 7, 1, 7],
];
const DASH: [u8; 5] = [0, 0, 7, 0, 0];

/// Draws digits and dashes at twice their size.
fn label(page: &mut [u8], left: usize, top: usize, text: &str) {
    for (place, glyph) in text.chars().enumerate() {
        let rows = glyph.to_digit(10).and_then(|digit| DIGITS.get(digit as usize)).unwrap_or(&DASH);
        for (y, row) in rows.iter().enumerate() {
            for x in (0..3).filter(|x| row & (4 >> x) != 0) {
                for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                    set(page, left + place * 8 + x * 2 + dx, top + y * 2 + dy, 255);
                }
            }
        }
    }
}

fn private_folder(folder: &Path) -> Result<(), Failure> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| unwritable(&error))
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|error| unwritable(&error))
}

fn unwritable(error: &std::io::Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::new(FailureCode::WrongUse, "Pages of an earlier review stand in that folder.")
                .hint("Name a new folder: nothing is overwritten.")
        }
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            Failure::new(FailureCode::DiskFull, "The disk is full.").hint("Make room and repeat into a new folder.")
        }
        kind => Failure::new(FailureCode::Failed, format!("The pages cannot be written: {kind}."))
            .hint("Choose a folder you may write to."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_middle_last_and_every_tenth_frame_are_shown() {
        assert_eq!(frames_shown(0), BTreeSet::new());
        assert_eq!(frames_shown(1), BTreeSet::from([1]));
        assert_eq!(frames_shown(30), BTreeSet::from([1, 11, 15, 21, 30]));
        assert!(frames_shown(u32::MAX).len() <= FRAMES_MAX as usize + 3);
    }

    #[test]
    fn a_picture_fills_its_tile_and_no_other() {
        for (width, height) in [(1, 1), (3, 200), (640, 640), (1024, 768), (1, 5000)] {
            let mut page = blank();
            let pixels = vec![200; (width * height) as usize];
            draw(&mut page, TILE, 0, &GreyTile { width, height, pixels });
            let lit = |x: usize, y: usize| page[y * PAGE_WIDTH + x] == 200;
            assert!(lit(TILE, 0) && !lit(TILE - 1, 0), "{width}x{height}");
            assert!((0..PAGE_HEIGHT).all(|y| !lit(2 * TILE, y)), "{width}x{height}");
        }
    }

    #[test]
    fn every_digit_looks_different() {
        let drawn: BTreeSet<_> = DIGITS.iter().chain([&DASH]).collect();
        assert_eq!(drawn.len(), 11);
    }
}
