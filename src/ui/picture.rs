//! Decoded frames for viewports, with what their header says of place, size and side.
//!
//! Opening and decoding happens in the background ([`super::worker`]); here is what comes of it, and the memory that
//! keeps the last ones.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use dicom_dictionary_std::tags;

use crate::case::content::Point;
use crate::encoding::text::shown;
use crate::study::geometry::{Letters, Scale, orientation, spacing};
use crate::study::manifest::text;
use crate::study::pixels::{Frame, Image, OverlayPlane, Picture as Windowed, Sparse, Window, WindowError};
use crate::study::plane::Plane;
use crate::view::corner::Lossy;
use crate::view::mapping::ImagePlane;
use crate::view::scene::shuttered;
use crate::view::thumbnail::Thumbnail;

/// Bytes of decoded frames that are kept, unless more are on the screen: some 100 slices of 512 x 512 with their files.
/// With it the whole app stays below 400 MiB, however long a study is.
pub const KEPT_BYTES_MAX: usize = 160 * 1024 * 1024;

/// Most pixels that overlay planes may ink; planes with more are named and not drawn.
const OVERLAY_PIXELS_MAX: usize = 1 << 20;

/// Most frames of one instance whose places are kept; more are no stack.
const PLACED_FRAMES_MAX: u32 = 10_000;

/// How long after it was asked for in vain a frame is asked for again, in milliseconds.
const AGAIN_MS: u64 = 3_000;

/// Why there is no picture of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotShown {
    /// In words.
    pub why: String,
    /// The file itself cannot be shown, and never will be. Else something was in the way: a node that is busy, a
    /// connection that ended.
    pub lasts: bool,
}

impl NotShown {
    /// What the file says, or a decoder of it.
    pub fn by_file(why: String) -> Self {
        Self { why, lasts: true }
    }

    /// What was in the way of the file.
    pub fn in_passing(why: String) -> Self {
        Self { why, lasts: false }
    }

    /// Whether what was asked for then may be asked for again by now.
    pub fn may_be_asked_again(&self, asked_ms: u64, now_ms: u64) -> bool {
        !self.lasts && now_ms.saturating_sub(asked_ms) >= AGAIN_MS
    }
}

/// One frame of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PictureKey {
    pub study: Arc<str>,
    pub sop_instance_uid: Arc<str>,
    /// From 1.
    pub frame: u32,
}

/// An instance that was read once, for all of its frames.
pub struct Opened {
    pub image: Image<'static>,
    /// Where its frames lie, by number from 0, as far as the header says it.
    planes: Vec<Option<Plane>>,
    /// Length of its file, which it keeps whole for all of its frames.
    pub bytes: usize,
}

impl Opened {
    pub fn read(file: &[u8]) -> Result<Self, String> {
        let image = Image::read(file).map_err(|error| error.to_string())?;
        let frames = image.description().frames.min(PLACED_FRAMES_MAX);
        let planes = (1..=frames).map(|frame| Plane::of(image.header(), frame).ok()).collect();
        Ok(Self { image: image.into_owned(), planes, bytes: file.len() })
    }

    /// The places of all frames, the first one first.
    pub fn planes(&self) -> &[Option<Plane>] {
        &self.planes
    }
}

/// A decoded frame. It prints nothing of it.
pub struct Picture {
    pub key: PictureKey,
    pub frame: Frame,
    /// All of its instance, for measuring.
    pub opened: Arc<Opened>,
    /// What a pixel measures in the middle of the frame.
    pub scale: Scale,
    pub letters: Option<Letters>,
    /// Where it lies in the patient, if its header says so.
    pub plane: Option<Plane>,
    /// Lowest and highest value, if it has any.
    pub range: Option<(f64, f64)>,
    pub modality: String,
    pub lossy: Lossy,
    /// Frames a second that the header asks for.
    pub rate: Option<f64>,
    /// What its maker covered: a byte a pixel, and the grey that stands there.
    pub shutter: Option<(Vec<u8>, u8)>,
    /// Columns and rows that its overlay planes ink.
    pub overlay: Vec<(u16, u16)>,
    /// Overlay planes that are not shown, and why.
    pub overlays_refused: Vec<String>,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[frame of {} x {} pixels]", self.frame.columns(), self.frame.rows())
    }
}

impl Picture {
    /// Decodes one frame of an instance.
    pub fn decode(key: &PictureKey, opened: &Arc<Opened>) -> Result<Self, String> {
        let image = &opened.image;
        let frame = image.frame(key.frame).map_err(|error| error.to_string())?;
        let header = image.header();
        let (columns, rows) = (frame.columns(), frame.rows());
        let middle = Point { column: f64::from(columns) / 2.0, row: f64::from(rows) / 2.0 };
        let (overlay, overlays_refused) = overlay(image, key.frame, columns, rows);
        Ok(Self {
            key: key.clone(),
            scale: spacing(header, key.frame, &[middle]),
            letters: orientation(header, key.frame),
            plane: Plane::of(header, key.frame).ok(),
            range: frame.range(),
            modality: shown(&text(header, tags::MODALITY)).into_owned(),
            lossy: match image.lossy() {
                // Each step made the pixel data smaller once more.
                true => Lossy::Yes { ratio: image.lossy_ratios().into_iter().reduce(|all, step| all * step) },
                false => Lossy::No,
            },
            rate: image.frames_a_second(),
            shutter: image.shutter(key.frame).map(|shutter| (shutter.mask(rows, columns), shutter.grey)),
            overlay,
            overlays_refused,
            opened: Arc::clone(opened),
            frame,
        })
    }

    /// It through a window, with what its maker covered. For a draft only one of `step` pixels along a line.
    pub fn windowed(&self, window: Window, step: u32) -> Result<Windowed, WindowError> {
        let windowed = self.frame.display_sparse(window, step)?;
        let (columns, rows) = (self.frame.columns(), self.frame.rows());
        let is_whole = (windowed.columns, windowed.rows) == (columns, rows);
        Ok(match &self.shutter {
            Some((mask, grey)) if is_whole => shuttered(windowed, mask, *grey),
            Some((mask, grey)) => {
                let sparse = Sparse { columns, rows, samples: 1, step };
                shuttered(windowed, &sparse.of(mask), *grey)
            }
            None => windowed,
        })
    }

    /// It as its file wants it shown, small.
    pub fn thumbnail(&self) -> Result<Thumbnail, String> {
        let windowed = self.windowed(Window::Default, 1).map_err(|error| error.to_string())?;
        Thumbnail::of(&self.image_plane(), windowed).ok_or_else(|| "it has no pixels".to_owned())
    }

    pub fn image_plane(&self) -> ImagePlane {
        ImagePlane::new(self.frame.columns(), self.frame.rows(), &self.scale)
    }

    /// What it takes of the memory, in bytes, about, beside the file that it shares with other frames of its instance.
    pub fn bytes(&self) -> usize {
        let shutter = self.shutter.as_ref().map_or(0, |(mask, _)| mask.len());
        let frame = self.frame.values.len().saturating_mul(4);
        frame.saturating_add(shutter).saturating_add(self.overlay.len() * 4)
    }
}

/// The pixels that overlay planes ink, and what of them cannot be shown.
fn overlay(image: &Image<'_>, frame: u32, columns: u32, rows: u32) -> (Vec<(u16, u16)>, Vec<String>) {
    let (mut pixels, mut refused) = (Vec::new(), Vec::new());
    for plane in image.overlays(frame) {
        let inked = plane.map_err(|error| error.to_string()).and_then(|plane| inked(&plane, columns, rows));
        match inked {
            Ok(mut inked) if pixels.len() + inked.len() <= OVERLAY_PIXELS_MAX => pixels.append(&mut inked),
            Ok(_) => refused.push(format!("overlay planes of more than {OVERLAY_PIXELS_MAX} pixels are not shown")),
            Err(why) => refused.push(why),
        }
    }
    (pixels, refused)
}

fn inked(plane: &OverlayPlane, columns: u32, rows: u32) -> Result<Vec<(u16, u16)>, String> {
    let too_many = || format!("overlay plane {:04x} inks more than {OVERLAY_PIXELS_MAX} pixels", plane.group);
    let (columns, rows) =
        (u16::try_from(columns).map_err(|_| too_many())?, u16::try_from(rows).map_err(|_| too_many())?);
    let all = (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row)));
    let inked: Vec<(u16, u16)> = all
        .filter(|(column, row)| plane.at(u32::from(*column), u32::from(*row)))
        .take(OVERLAY_PIXELS_MAX + 1)
        .collect();
    if inked.len() > OVERLAY_PIXELS_MAX { Err(too_many()) } else { Ok(inked) }
}

/// The last decoded frames, oldest out first.
#[derive(Default)]
pub struct Pictures {
    kept: HashMap<PictureKey, (Arc<Picture>, u64)>,
    /// How many of them hold each instance, by its address, which is its own as long as one does: until then it stays in
    /// the memory, whole.
    holding: HashMap<usize, usize>,
    bytes: usize,
    uses: u64,
}

impl Pictures {
    pub fn get(&mut self, key: &PictureKey) -> Option<Arc<Picture>> {
        self.uses += 1;
        let uses = self.uses;
        self.kept.get_mut(key).map(|(picture, used)| {
            *used = uses;
            Arc::clone(picture)
        })
    }

    /// Looks without counting it as a use.
    pub fn peek(&self, key: &PictureKey) -> Option<&Arc<Picture>> {
        self.kept.get(key).map(|(picture, _)| picture)
    }

    /// Keeps a frame, and at least as many as are on the screen: of four large mammograms side by side each would drive
    /// out another, and be opened again and again.
    pub fn put(&mut self, picture: Arc<Picture>, on_screen: usize) {
        self.uses += 1;
        self.took(&picture);
        if let Some((old, _)) = self.kept.insert(picture.key.clone(), (picture, self.uses)) {
            self.gave(&old);
        }
        while self.bytes > KEPT_BYTES_MAX && self.kept.len() > on_screen.max(1) {
            let Some(oldest) = self.kept.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone()) else {
                return;
            };
            if let Some((gone, _)) = self.kept.remove(&oldest) {
                self.gave(&gone);
            }
        }
    }

    /// Counts a frame, and its instance with the first of its frames.
    fn took(&mut self, picture: &Picture) {
        let holding = self.holding.entry(Arc::as_ptr(&picture.opened).addr()).or_default();
        *holding += 1;
        self.bytes += picture.bytes() + if *holding == 1 { picture.opened.bytes } else { 0 };
    }

    /// Counts a frame no more, nor its instance after the last of its frames.
    fn gave(&mut self, picture: &Picture) {
        self.bytes -= picture.bytes();
        let opened = Arc::as_ptr(&picture.opened).addr();
        if let Some(holding) = self.holding.get_mut(&opened) {
            *holding -= 1;
            if *holding == 0 {
                self.holding.remove(&opened);
                self.bytes -= picture.opened.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A frame of a sample; none, said loudly, without samples.
    fn picture(sample: &str, frame: u32) -> Option<Picture> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples").join(sample);
        let Ok(file) = std::fs::read(&path) else {
            eprintln!("SKIPPED: no sample at {}", path.display());
            return None;
        };
        let key = PictureKey { study: "s".into(), sop_instance_uid: "1".into(), frame };
        Some(Picture::decode(&key, &Arc::new(Opened::read(&file).unwrap())).unwrap())
    }

    #[test]
    fn what_is_on_the_screen_is_kept_however_large_it_is() {
        let file = crate::study::synthetic::slice(1, 30, 60).unwrap();
        let key = |frame| PictureKey { study: "s".into(), sop_instance_uid: "1".into(), frame };
        let large = |number| {
            let mut picture = Picture::decode(&key(1), &Arc::new(Opened::read(&file).unwrap())).unwrap();
            picture.key = key(number);
            picture.shutter = Some((vec![0; KEPT_BYTES_MAX / 3], 0));
            Arc::new(picture)
        };
        let mut pictures = Pictures::default();
        (1..=4).for_each(|number| pictures.put(large(number), 4));
        assert!((1..=4).all(|number| pictures.get(&key(number)).is_some()));
        pictures.put(large(5), 1);
        assert_eq!((1..=5).filter(|number| pictures.get(&key(*number)).is_some()).collect::<Vec<_>>(), [4, 5]);
    }

    #[test]
    fn an_instance_is_in_the_memory_once_and_whole_until_its_last_frame_is_gone() {
        let file = crate::study::synthetic::slice(1, 30, 60).unwrap();
        let instance = || {
            let opened = Opened::read(&file).unwrap();
            Arc::new(Opened { bytes: KEPT_BYTES_MAX * 2 / 5, ..opened })
        };
        let frame_of = |opened: &Arc<Opened>, uid: u32, frame| {
            let key = PictureKey { study: "s".into(), sop_instance_uid: uid.to_string().into(), frame: 1 };
            let picture = Picture::decode(&key, opened).unwrap();
            Arc::new(Picture { key: PictureKey { frame, ..key }, ..picture })
        };
        let mut pictures = Pictures::default();
        let (first, second, third) = (instance(), instance(), instance());
        for (uid, opened) in (1..).zip([&first, &second]) {
            (1..=5).for_each(|frame| pictures.put(frame_of(opened, uid, frame), 1));
        }
        assert_eq!(pictures.kept.len(), 10, "two files and ten small frames fit");
        pictures.put(frame_of(&third, 3, 1), 1);
        assert_eq!((Arc::strong_count(&first), pictures.kept.len()), (1, 6), "the third drove out all of the first");
        // The same frame once more, of the same instance and of another that was read again.
        pictures.put(frame_of(&third, 3, 1), 1);
        pictures.put(frame_of(&instance(), 3, 1), 1);
        assert_eq!((Arc::strong_count(&third), pictures.holding.len()), (1, 2));
        let counted: usize = pictures.kept.values().map(|(picture, _)| picture.bytes()).sum();
        assert_eq!(pictures.bytes, counted + 2 * second.bytes);
    }

    #[test]
    fn overlay_planes_come_with_their_picture() {
        let Some(picture) = picture("overlays/mr-overlay-and-icon.dcm", 1) else { return };
        assert!(!picture.overlay.is_empty() && picture.overlays_refused.is_empty());
        let inside = |(column, row): &(u16, u16)| {
            u32::from(*column) < picture.frame.columns() && u32::from(*row) < picture.frame.rows()
        };
        assert!(picture.overlay.iter().all(inside));
    }

    #[test]
    fn frames_of_an_enhanced_object_each_have_their_place() {
        let Some(picture) = picture("multiframe/enhanced-ct-2-frames.dcm", 2) else { return };
        let planes = picture.opened.planes();
        assert_eq!(planes.len(), 2);
        assert_eq!(planes[1], picture.plane);
        assert!(picture.plane.is_some() && planes[0] != planes[1]);
    }
}
