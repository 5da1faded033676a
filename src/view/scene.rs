//! From a windowed picture to what a viewport shows of it.
//!
//! ```text
//! Picture -> averaged to the screen's size -> turned, mirrored -> inverted -> Raster
//!            (where it has more pixels)                                       with crop and target
//! ```
//!
//! Where an image is enlarged, its raster keeps the image's own pixels, and zoom and pan only move the crop. Where it
//! is reduced, the raster has the size of the screen, made by averaging: a terminal that reduces by itself may leave
//! out every other row, and with it a fracture line. A large image becomes a raster only around the part that is seen.
//!
//! [`Pictures`] keeps rasters, and gives each its [`PictureId`] by counting: a hash of names that a colleague chose
//! could be made to collide, and then one patient's slice would stand where another's belongs. All of them count
//! together, since a terminal still holds what the last screen showed when the next one opens another patient's case.
//!
//! Not here: ink ([`super::ink`]), and windows (`study::pixels`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::mapping::{ImagePlane, Mapping, Size};
use super::pose::{Orientation, Pose};
use super::raster::{Area, Crop, PictureId, Pixels, Placed, Raster, Scene};
use super::resample::{Filter, Line, Taps, resample};
use super::turn::{invert, turned};
use crate::study::pixels::{DIMENSION_PIXELS_MAX, Picture};

/// Rasters that are kept, in bytes.
pub const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Rasters that keep their number, so that a terminal which still has one need not get it again.
pub const KEPT_IDS_MAX: usize = 2048;

/// Larger images become rasters in part, in pixels.
const WHOLE_PX_MAX: u64 = 2 * 1024 * 1024;

/// The edges of such a part lie at multiples of this, in pixels, so that small moves need no other part.
const PART_STEP_PX: u32 = 256;

/// What a viewport should show. `K` says which picture: image, frame, window, and whatever else its bytes depend on.
#[derive(Debug, Clone)]
pub struct Asked<'a, K> {
    pub key: K,
    pub plane: &'a ImagePlane,
    pub pose: &'a Pose,
    pub viewport: Size,
    /// Reduce by leaving out pixels, while things move.
    pub draft: bool,
}

/// The rasters shown last, and their numbers.
#[derive(Debug)]
pub struct Pictures<K> {
    /// Last used last.
    kept: VecDeque<Kept<K>>,
    bytes: usize,
}

/// Counts the pictures of this program, so that no two have one number.
static COUNTED: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
struct Kept<K> {
    key: K,
    form: Form,
    id: PictureId,
    /// Given up when too many bytes are kept.
    raster: Option<Arc<Raster>>,
}

impl<K> Default for Pictures<K> {
    fn default() -> Self {
        Self { kept: VecDeque::new(), bytes: 0 }
    }
}

impl<K: PartialEq> Pictures<K> {
    /// The scene, without ink. `picture` is called only if no raster is kept, with how many pixels along a line may be
    /// left out but one: 1, or for a draft more. A picture that is broken, or a viewport without room, gives a scene
    /// without one.
    pub fn scene<E>(
        &mut self,
        asked: Asked<'_, K>,
        picture: impl FnOnce(u32) -> Result<Picture, E>,
    ) -> Result<Scene, E> {
        let Size { width, height } = asked.viewport;
        let mut scene = Scene { width, height, picture: None, overlay: None };
        let Some(mapping) = asked.pose.mapping(asked.plane, asked.viewport) else { return Ok(scene) };
        let Some((form, crop, target)) = Form::of(&mapping, asked.pose, asked.draft) else { return Ok(scene) };
        let kept = match self.take(&asked.key, &form) {
            Some(Kept { raster: Some(raster), id, .. }) => Some((raster, id)),
            known => {
                let raster = form.raster(picture(form.step(&mapping))?).map(Arc::new);
                raster.map(|raster| (raster, known.map_or_else(number, |kept| kept.id)))
            }
        };
        let Some((raster, id)) = kept else { return Ok(scene) };
        self.keep(Kept { key: asked.key, form, id, raster: Some(Arc::clone(&raster)) });
        scene.picture = Some(Placed { raster, id, crop, target, smooth: asked.pose.smooth });
        Ok(scene)
    }

    /// Forgets all rasters, as for locking. Numbers are not used again.
    pub fn clear(&mut self) {
        self.kept.clear();
        self.bytes = 0;
    }

    fn take(&mut self, key: &K, form: &Form) -> Option<Kept<K>> {
        let index = self.kept.iter().rposition(|kept| kept.form == *form && kept.key == *key)?;
        let kept = self.kept.remove(index)?;
        self.bytes -= kept.bytes();
        Some(kept)
    }

    fn keep(&mut self, kept: Kept<K>) {
        self.bytes += kept.bytes();
        self.kept.push_back(kept);
        if self.kept.len() > KEPT_IDS_MAX
            && let Some(gone) = self.kept.pop_front()
        {
            self.bytes -= gone.bytes();
        }
        let newest = self.kept.len() - 1; // one was just pushed
        for kept in self.kept.iter_mut().take(newest) {
            if self.bytes <= KEPT_BYTES_MAX {
                break;
            }
            self.bytes -= kept.bytes();
            kept.raster = None;
        }
    }
}

fn number() -> PictureId {
    PictureId(COUNTED.fetch_add(1, Ordering::Relaxed))
}

impl<K> Kept<K> {
    fn bytes(&self) -> usize {
        self.raster.as_ref().map_or(0, |raster| match &raster.pixels {
            Pixels::Grey(bytes) | Pixels::Rgb(bytes) => bytes.len(),
        })
    }
}

/// The picture with a shutter before it: where `mask` has anything but 0, a byte a pixel, it is of an even grey.
#[must_use]
pub fn shuttered(mut picture: Picture, mask: &[u8], grey: u8) -> Picture {
    let samples = if picture.samples == 3 { 3 } else { 1 };
    for (pixel, _) in picture.bytes.chunks_exact_mut(samples).zip(mask).filter(|(_, covered)| **covered != 0) {
        pixel.fill(grey);
    }
    picture
}

/// What a picture is made into: everything but the picture itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    orientation: Orientation,
    inverted: bool,
    draft: bool,
    smooth: bool,
    /// Size of the whole raster, turned.
    whole: Size,
    /// The part of it that is made.
    part: Area,
}

impl Form {
    /// With the part of the raster that is seen, and where.
    fn of(mapping: &Mapping, pose: &Pose, draft: bool) -> Option<(Self, Crop, Area)> {
        let (image, size, viewport) = (mapping.image_pixels(), mapping.size(), mapping.viewport());
        let whole = Size { width: image.width.min(size.width), height: image.height.min(size.height) };
        let (left, top) = mapping.origin();
        let across = Span::seen(left, size.width, viewport.width, whole.width)?;
        let down = Span::seen(top, size.height, viewport.height, whole.height)?;
        let is_large = u64::from(whole.width) * u64::from(whole.height) > WHOLE_PX_MAX;
        let (x, width) = across.part(whole.width, is_large);
        let (y, height) = down.part(whole.height, is_large);
        let crop = Crop {
            x: across.from - f64::from(x),
            y: down.from - f64::from(y),
            width: across.length,
            height: down.length,
        };
        let target = Area { x: across.at, y: down.at, width: across.count, height: down.count };
        // A reduced raster does not depend on how enlarged ones are blended; a smaller preview does.
        let form = Self {
            orientation: pose.orientation,
            inverted: pose.inverted,
            draft,
            smooth: pose.smooth,
            whole,
            part: Area { x, y, width, height },
        };
        Some((form, crop, target))
    }

    /// One of how many pixels along a line is enough for it.
    fn step(&self, mapping: &Mapping) -> u32 {
        let image = mapping.image_pixels();
        let least = (image.width / self.whole.width.max(1)).min(image.height / self.whole.height.max(1));
        if self.draft { least.max(1) } else { 1 }
    }

    fn raster(&self, picture: Picture) -> Option<Raster> {
        let sound = |pixels: u32| (1..=DIMENSION_PIXELS_MAX).contains(&pixels);
        let samples = usize::try_from(picture.samples).ok().filter(|samples| [1, 3].contains(samples))?;
        let is_sound = sound(picture.rows) && sound(picture.columns);
        if !is_sound || picture.bytes.len() != picture.rows as usize * picture.columns as usize * samples {
            return None;
        }
        let mut pixels = match picture.samples {
            1 => Pixels::Grey(self.samples::<1>(picture)),
            3 => Pixels::Rgb(self.samples::<3>(picture)),
            _ => return None,
        };
        if self.inverted {
            match &mut pixels {
                Pixels::Grey(samples) | Pixels::Rgb(samples) => invert(samples),
            }
        }
        Some(Raster { width: self.part.width, height: self.part.height, pixels })
    }

    fn samples<const N: usize>(&self, picture: Picture) -> Vec<u8> {
        let (whole, part) = self.unturned();
        let is_whole = Size { width: part.width, height: part.height } == whole;
        let is_own = Size { width: picture.columns, height: picture.rows } == whole;
        if is_whole && is_own && self.orientation == Orientation::default() {
            return picture.bytes;
        }
        let input = picture.bytes.as_chunks::<N>().0;
        let pixels = if is_whole && is_own {
            input.to_vec()
        } else {
            let taps = |from: u32, count: u32, length: u32, whole: u32| {
                let line = Line::whole(length, whole);
                let filter = match (self.draft, self.smooth) {
                    (true, _) => Filter::Draft,
                    (false, true) => Filter::Linear,
                    (false, false) => Filter::Nearest,
                };
                Taps::new(count, Line { from: f64::from(from) * line.step, ..line }, filter)
            };
            let across = taps(part.x, part.width, picture.columns, whole.width);
            let down = taps(part.y, part.height, picture.rows, whole.height);
            resample(input, picture.columns as usize, &across, &down)
        };
        turned(pixels, part.width as usize, self.orientation).into_flattened()
    }

    /// The whole raster and the part of it, as they are before the turn.
    fn unturned(&self) -> (Size, Area) {
        let Size { width, height } = self.whole;
        let part = self.part;
        let x = if self.orientation.is_mirrored() { width - part.x - part.width } else { part.x };
        let (from_right, from_bottom) = (width - x - part.width, height - part.y - part.height);
        let (x, y) = match self.orientation.quarter_turns() {
            0 => (x, part.y),
            1 => (part.y, from_right),
            2 => (from_right, from_bottom),
            _ => (from_bottom, x),
        };
        match self.orientation.swaps_axes() {
            true => (Size { width: height, height: width }, Area { x, y, width: part.height, height: part.width }),
            false => (self.whole, Area { x, y, width: part.width, height: part.height }),
        }
    }
}

/// What is seen of a picture along a line.
struct Span {
    /// Screen pixels of the viewport.
    at: u32,
    count: u32,
    /// The same in pixels of the whole raster.
    from: f64,
    length: f64,
}

impl Span {
    fn seen(begin: i64, size: u32, viewport: u32, raster: u32) -> Option<Self> {
        let from = begin.clamp(0, i64::from(viewport));
        let to = (begin + i64::from(size)).clamp(0, i64::from(viewport));
        let (at, count) = (u32::try_from(from).ok()?, u32::try_from(to - from).ok()?);
        let step = f64::from(raster) / f64::from(size);
        let span = Self { at, count, from: (from - begin) as f64 * step, length: f64::from(count) * step };
        (count > 0).then_some(span)
    }

    /// Where the part of the raster begins that has to be made, and how long it is.
    fn part(&self, raster: u32, is_large: bool) -> (u32, u32) {
        if !is_large {
            return (0, raster);
        }
        // Within the raster, so that whole numbers fit.
        let from = self.from.floor() as u32 / PART_STEP_PX * PART_STEP_PX;
        let to = ((self.from + self.length).ceil() as u32).next_multiple_of(PART_STEP_PX).min(raster);
        let from = from.min(to - 1);
        (from, to - from)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::case::content::Point;
    use crate::study::geometry::{PixelsOnly, Scale};
    use crate::view::pose::Zoom;

    fn plane(columns: u32, rows: u32) -> ImagePlane {
        ImagePlane::new(columns, rows, &Scale::Pixels { aspect: 1.0, why: PixelsOnly::NoSpacing })
    }

    fn grey(columns: u32, bytes: &[u8]) -> Picture {
        Picture { rows: bytes.len() as u32 / columns, columns, samples: 1, bytes: bytes.to_vec() }
    }

    fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    fn scene(picture: &Picture, pose: &Pose, viewport: Size) -> Scene {
        let plane = plane(picture.columns, picture.rows);
        let asked = Asked { key: (), plane: &plane, pose, viewport, draft: false };
        Pictures::default().scene(asked, |_| Ok::<_, Infallible>(picture.clone())).unwrap()
    }

    fn bytes(scene: &Scene) -> &[u8] {
        match &scene.picture.as_ref().unwrap().raster.pixels {
            Pixels::Grey(bytes) | Pixels::Rgb(bytes) => bytes,
        }
    }

    #[test]
    fn an_enlarged_image_keeps_its_own_pixels() {
        let scene = scene(&grey(2, &[1, 2, 3, 4]), &Pose::default(), size(20, 10));
        assert_eq!(bytes(&scene), [1, 2, 3, 4]);
        let placed = scene.picture.unwrap();
        assert_eq!(placed.crop, Crop { x: 0.0, y: 0.0, width: 2.0, height: 2.0 });
        assert_eq!(placed.target, Area { x: 5, y: 0, width: 10, height: 10 });
    }

    #[test]
    fn a_reduced_image_is_averaged_to_the_pixels_of_the_screen() {
        let scene = scene(&grey(4, &[0, 10, 20, 30, 2, 12, 22, 32]), &Pose::default(), size(2, 5));
        assert_eq!(bytes(&scene), [6, 26]);
        let placed = scene.picture.unwrap();
        assert_eq!(placed.crop, Crop { x: 0.0, y: 0.0, width: 2.0, height: 1.0 });
        assert_eq!(placed.target, Area { x: 0, y: 2, width: 2, height: 1 });
    }

    #[test]
    fn a_draft_needs_no_more_pixels_than_its_raster_has() {
        let plane = plane(41, 40);
        for (draft, viewport, expected) in [(true, size(10, 8), 5), (false, size(10, 8), 1), (true, size(99, 99), 1)] {
            let mut step = 0;
            let asked = Asked { key: (), plane: &plane, pose: &Pose::default(), viewport, draft };
            let sparse = |asked_step: u32| {
                step = asked_step;
                let (columns, rows) = (41 / step, 40 / step);
                Ok::<_, Infallible>(Picture { rows, columns, samples: 1, bytes: vec![7; (columns * rows) as usize] })
            };
            let scene = Pictures::default().scene(asked, sparse).unwrap();
            assert!(bytes(&scene).iter().all(|grey| *grey == 7));
            assert_eq!(step, expected, "{draft} {viewport:?}");
        }
    }

    #[test]
    fn a_zoomed_image_is_cropped_to_the_viewport() {
        let pose = Pose { zoom: Zoom::Factor(4.0), centre: Point { column: 0.5, row: 1.5 }, ..Pose::default() };
        let scene = scene(&grey(4, &[9; 16]), &pose, size(6, 8));
        let placed = scene.picture.unwrap();
        assert_eq!(placed.crop, Crop { x: 0.25, y: 1.0, width: 1.5, height: 2.0 });
        assert_eq!(placed.target, Area { x: 0, y: 0, width: 6, height: 8 });
    }

    #[test]
    fn a_picture_is_turned_then_mirrored_and_black_is_white() {
        let pose = Pose { orientation: Orientation::new(1, true), inverted: true, ..Pose::default() };
        let scene = scene(&grey(3, &[1, 2, 3, 4, 5, 6]), &pose, size(20, 30));
        assert_eq!(bytes(&scene), [254, 251, 253, 250, 252, 249]);
        assert_eq!(scene.picture.unwrap().raster.width, 2);
    }

    #[test]
    fn colours_stay_together() {
        let picture = Picture { rows: 1, columns: 2, samples: 3, bytes: vec![1, 2, 3, 4, 5, 6] };
        let pose = Pose { orientation: Orientation::new(0, true), ..Pose::default() };
        assert_eq!(bytes(&scene(&picture, &pose, size(9, 9))), [4, 5, 6, 1, 2, 3]);
    }

    #[test]
    fn a_shutter_covers_all_samples_of_its_pixels() {
        assert_eq!(shuttered(grey(3, &[1, 2, 3]), &[0, 1, 1], 9).bytes, [1, 9, 9]);
        let picture = Picture { rows: 1, columns: 2, samples: 3, bytes: vec![1, 2, 3, 4, 5, 6] };
        assert_eq!(shuttered(picture, &[1], 0).bytes, [0, 0, 0, 4, 5, 6]);
    }

    #[test]
    fn a_smaller_preview_stands_for_the_image() {
        let (plane, pose) = (plane(400, 200), Pose::default());
        let asked = Asked { key: (), plane: &plane, pose: &pose, viewport: size(100, 100), draft: false };
        let scene = Pictures::default().scene(asked, |_| Ok::<_, Infallible>(grey(2, &[10, 30]))).unwrap();
        assert_eq!(scene.picture.as_ref().unwrap().target, Area { x: 0, y: 25, width: 100, height: 50 });
        let row = &bytes(&scene)[..100];
        assert!(row.is_sorted() && row[0] == 10 && row[99] == 30);
    }

    #[test]
    fn a_picture_that_contradicts_itself_is_not_shown() {
        for (rows, columns, samples, length) in [(2, 2, 1, 3), (0, 2, 1, 0), (1, 1, 2, 2), (u32::MAX, u32::MAX, 3, 9)] {
            let picture = Picture { rows, columns, samples, bytes: vec![0; length] };
            let (plane, pose) = (plane(2, 2), Pose::default());
            let asked = Asked { key: (), plane: &plane, pose: &pose, viewport: size(9, 9), draft: false };
            let scene = Pictures::default().scene(asked, |_| Ok::<_, Infallible>(picture)).unwrap();
            assert!(scene.picture.is_none());
        }
    }

    #[test]
    fn only_what_changes_the_raster_gets_another_number() {
        let picture = grey(4, &[7; 16]);
        let mut pictures = Pictures::default();
        let mut made = 0;
        let mut id = |window: u32, pose: &Pose, viewport: Size| {
            let plane = plane(4, 4);
            let asked = Asked { key: window, plane: &plane, pose, viewport, draft: false };
            let scene = pictures.scene(asked, |_| {
                made += 1;
                Ok::<_, Infallible>(picture.clone())
            });
            scene.unwrap().picture.unwrap().id
        };
        let pose = Pose::default();
        let first = id(1, &pose, size(8, 8));
        let zoomed = Pose { zoom: Zoom::Factor(3.0), centre: Point { column: 1.0, row: 1.0 }, ..pose };
        assert_eq!([id(1, &pose, size(8, 8)), id(1, &zoomed, size(8, 8)), id(1, &pose, size(40, 9))], [first; 3]);
        let others = [
            id(2, &pose, size(8, 8)),
            id(1, &Pose { inverted: true, ..pose }, size(8, 8)),
            id(1, &Pose { orientation: Orientation::new(2, false), ..pose }, size(8, 8)),
            id(1, &pose, size(2, 2)),
            id(1, &pose, size(3, 3)),
        ];
        let mut all = [vec![first], others.to_vec()].concat();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 6);
        assert_eq!(made, 6);
    }

    /// Two screens, one after the other, of two patients' images that have the same size.
    #[test]
    fn no_two_screens_give_their_pictures_one_number() {
        let number = |pictures: &mut Pictures<u32>| {
            let (plane, pose) = (plane(4, 4), Pose::default());
            let asked = Asked { key: 1, plane: &plane, pose: &pose, viewport: size(8, 8), draft: false };
            pictures.scene(asked, |_| Ok::<_, Infallible>(grey(4, &[7; 16]))).unwrap().picture.unwrap().id
        };
        let (mut one, mut other) = (Pictures::default(), Pictures::default());
        assert_ne!(number(&mut one), number(&mut other));
        one.clear();
        assert_ne!(number(&mut one), number(&mut other));
    }

    #[test]
    fn a_raster_that_was_given_up_comes_back_under_its_number() {
        let mut pictures = Pictures::default();
        let mut show = |key: u64| {
            let (plane, pose) = (plane(1024, 1024), Pose::default());
            let asked = Asked { key, plane: &plane, pose: &pose, viewport: size(2000, 2000), draft: false };
            let scene = pictures.scene(asked, |_| Ok::<_, Infallible>(grey(1024, &vec![3; 1 << 20]))).unwrap();
            let id = scene.picture.unwrap().id;
            (id, pictures.bytes)
        };
        let first = show(0).0;
        // More than are kept.
        for key in 1..=(KEPT_BYTES_MAX as u64 >> 20) {
            assert!(show(key).1 <= KEPT_BYTES_MAX);
        }
        assert_eq!(show(0).0, first);
        pictures.clear();
        assert_eq!((pictures.bytes, pictures.kept.len()), (0, 0));
    }

    #[test]
    fn a_picture_that_fails_is_no_scene_and_is_not_remembered() {
        let mut pictures = Pictures::default();
        let (plane, pose) = (plane(4, 4), Pose::default());
        let asked = || Asked { key: 1, plane: &plane, pose: &pose, viewport: size(8, 8), draft: false };
        assert_eq!(pictures.scene(asked(), |_| Err("no window")).unwrap_err(), "no window");
        assert!(pictures.scene(asked(), |_| Ok::<_, Infallible>(grey(4, &[1; 16]))).unwrap().picture.is_some());
    }

    #[test]
    fn of_a_large_image_only_a_part_becomes_a_raster() {
        let (columns, rows) = (3000u32, 2000u32);
        let image: Vec<u8> =
            (0..rows * columns).map(|i| (i % columns % 251) as u8 ^ (i / columns % 13) as u8).collect();
        let picture = grey(columns, &image);
        for n in 0..8 {
            let pose = Pose {
                orientation: Orientation::new(n, n >= 4),
                zoom: Zoom::Factor(1.0),
                centre: Point { column: 2700.0, row: 300.0 },
                ..Pose::default()
            };
            let mapping = pose.mapping(&plane(columns, rows), size(500, 400)).unwrap();
            let scene = scene(&picture, &pose, size(500, 400));
            let placed = scene.picture.as_ref().unwrap();
            assert!(placed.raster.width <= 500 + 512 && placed.raster.height <= 400 + 512, "{placed:?}");
            for (x, y) in [(0u32, 0u32), (499, 0), (250, 200), (3, 399)] {
                let point = mapping.to_image(f64::from(x) + 0.5, f64::from(y) + 0.5);
                let column = (placed.crop.x + f64::from(x - placed.target.x)) as u32;
                let row = (placed.crop.y + f64::from(y - placed.target.y)) as u32;
                let shown = bytes(&scene)[(row * placed.raster.width + column) as usize];
                let expected = image[(point.row.round() as u32 * columns + point.column.round() as u32) as usize];
                assert_eq!(shown, expected, "{pose:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_crop_lies_in_its_raster_and_a_target_in_its_viewport(
            n in 0u32..8, zoom in 0.01f64..64.0, column in -9f64..600.0, row in -9f64..600.0,
            image in (1u32..600, 1u32..600), viewport in (0u32..900, 0u32..900),
        ) {
            let picture = grey(image.0, &vec![1; (image.0 * image.1) as usize]);
            let pose = Pose {
                orientation: Orientation::new(n, n >= 4),
                zoom: Zoom::Factor(zoom),
                centre: Point { column, row },
                ..Pose::default()
            };
            let scene = scene(&picture, &pose, size(viewport.0, viewport.1));
            if let Some(Placed { raster, crop, target, .. }) = scene.picture {
                let (width, height) = (f64::from(raster.width), f64::from(raster.height));
                prop_assert!(crop.x >= 0.0 && crop.x + crop.width <= width + 1e-6 && crop.width > 0.0);
                prop_assert!(crop.y >= 0.0 && crop.y + crop.height <= height + 1e-6 && crop.height > 0.0);
                prop_assert!(target.x + target.width <= viewport.0 && target.width > 0);
                prop_assert!(target.y + target.height <= viewport.1 && target.height > 0);
                // Never fewer screen pixels than raster pixels.
                prop_assert!(crop.width <= f64::from(target.width) + 1e-6);
                prop_assert!(crop.height <= f64::from(target.height) + 1e-6);
            }
        }
    }
}
