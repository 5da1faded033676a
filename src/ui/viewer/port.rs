//! One viewport: which slice or cut, which window, and how it lies.

use std::sync::Arc;

use super::cuts::CutView;
use crate::node::api::AttachedImage;
use crate::study::geometry::{Letters, Scale, SpacingBasis};
use crate::study::pixels::{Frame, Picture as Windowed, Window, WindowError};
use crate::study::plane::Plane;
use crate::ui::picture::{Picture, PictureKey};
use crate::view::mapping::{ImagePlane, Size};
use crate::view::mpr::Reformat;
use crate::view::pose::Pose;

/// Most frames that cine skips at once after a pause.
const CINE_SKIP_MAX: f64 = 8.0;

/// Which picture a raster is of.
#[derive(Debug, Clone, PartialEq)]
pub enum RasterKey {
    Frame(PictureKey, Window),
    /// A reformat, by the number of the wish that it answered.
    Reformat(u64, Window),
}

/// What a viewport shows: a frame as it was acquired, or a cut through its series.
pub enum Subject {
    Frame(Arc<Picture>),
    Reformat {
        number: u64,
        reformat: Arc<Reformat>,
        /// A frame of the series, whose windows hold for the cut too.
        like: Arc<Picture>,
    },
}

impl Subject {
    /// The frame whose windows hold.
    pub fn frame(&self) -> &Frame {
        match self {
            Self::Frame(picture) | Self::Reformat { like: picture, .. } => &picture.frame,
        }
    }

    pub fn picture(&self) -> &Arc<Picture> {
        match self {
            Self::Frame(picture) | Self::Reformat { like: picture, .. } => picture,
        }
    }

    /// The picture that it is, if it was acquired.
    pub fn acquired(&self) -> Option<&Arc<Picture>> {
        match self {
            Self::Frame(picture) => Some(picture),
            Self::Reformat { .. } => None,
        }
    }

    pub fn image_plane(&self) -> ImagePlane {
        match self {
            Self::Frame(picture) => picture.image_plane(),
            Self::Reformat { reformat, .. } => {
                ImagePlane::new(reformat.plane.columns(), reformat.plane.rows(), &self.scale())
            }
        }
    }

    /// Where it lies in the patient.
    pub fn plane(&self) -> Option<&Plane> {
        match self {
            Self::Frame(picture) => picture.plane.as_ref(),
            Self::Reformat { reformat, .. } => Some(&reformat.plane),
        }
    }

    pub fn letters(&self) -> Option<Letters> {
        match self {
            Self::Frame(picture) => picture.letters.clone(),
            Self::Reformat { reformat, .. } => reformat.plane.letters(),
        }
    }

    pub fn scale(&self) -> Scale {
        match self {
            Self::Frame(picture) => picture.scale.clone(),
            Self::Reformat { reformat, .. } => Scale::Millimetres {
                between_columns_mm: reformat.plane.between_columns_mm(),
                between_rows_mm: reformat.plane.between_rows_mm(),
                basis: SpacingBasis::InPatient,
            },
        }
    }

    pub fn raster_key(&self, window: Window) -> RasterKey {
        match self {
            Self::Frame(picture) => RasterKey::Frame(picture.key.clone(), window),
            Self::Reformat { number, .. } => RasterKey::Reformat(*number, window),
        }
    }

    /// The picture through a window, with what its maker covered. For a draft only one of `step` pixels along a line.
    pub fn windowed(&self, window: Window, step: u32) -> Result<Windowed, WindowError> {
        match self {
            Self::Frame(picture) => picture.windowed(window, step),
            Self::Reformat { reformat, like, .. } => reformat.picture(&like.frame, window),
        }
    }
}

/// What comes into a viewport that shows no series.
#[derive(Debug, Clone, Default)]
pub enum Vacant {
    /// The next series that no other viewport shows.
    #[default]
    Free,
    /// Nothing: a colleague saw nothing there.
    Kept,
    /// The image that a colleague saw there, once it arrives.
    Awaits(Box<AttachedImage>),
}

/// One viewport.
#[derive(Debug, Clone)]
pub struct Port {
    /// Which stack of the viewer.
    pub stack: Option<usize>,
    /// Which frame of it, from 0.
    pub at: usize,
    /// Whether the last scroll went towards the end.
    pub forward: bool,
    pub window: Window,
    pub pose: Pose,
    pub cine: bool,
    /// A cut through the stack's volume instead of its frames.
    pub cut: Option<CutView>,
    /// How it goes with the viewport that was scrolled: by hand, or why not at all.
    pub link_words: Option<String>,
    pub vacant: Vacant,
    /// Part of a frame that cine has waited already.
    waited: f64,
}

impl Default for Port {
    fn default() -> Self {
        Self {
            stack: None,
            at: 0,
            forward: true,
            window: Window::Default,
            pose: Pose::default(),
            cine: false,
            cut: None,
            link_words: None,
            vacant: Vacant::Free,
            waited: 0.0,
        }
    }
}

impl Port {
    pub fn without_series(vacant: Vacant) -> Self {
        Self { vacant, ..Self::default() }
    }

    /// Shows another stack, from its beginning and as its file wants it.
    pub fn show(&mut self, stack: Option<usize>) {
        *self = Self { stack, ..Self::default() };
    }

    /// The image that it waits for.
    pub fn awaits(&self) -> Option<&AttachedImage> {
        match &self.vacant {
            Vacant::Awaits(image) => Some(image),
            Vacant::Free | Vacant::Kept => None,
        }
    }

    /// Whether it shows no series, and any may come.
    pub fn is_free(&self) -> bool {
        self.stack.is_none() && matches!(self.vacant, Vacant::Free)
    }

    /// The same, as acquired or as a cut; neither plays by itself.
    #[must_use]
    pub fn cut_by(&self, cut: Option<CutView>) -> Self {
        Self { cut, cine: false, link_words: None, ..self.clone() }
    }

    /// Goes back to how the file wants it shown; the slice stays.
    pub fn reset(&mut self) {
        self.window = Window::Default;
        self.pose = Pose::default();
    }

    /// Scrolls the cut if there is one, else the stack of this length.
    pub fn scroll(&mut self, by: i64, length: usize) {
        self.forward = by > 0;
        self.link_words = None;
        match &mut self.cut {
            Some(cut) => cut.scroll(by),
            None => {
                let last = i64::try_from(length.saturating_sub(1)).unwrap_or(i64::MAX);
                let at = i64::try_from(self.at).unwrap_or(i64::MAX).saturating_add(by).clamp(0, last);
                self.at = usize::try_from(at).unwrap_or_default();
            }
        }
    }

    /// Goes to this plane of the cut if there is one, else to this frame.
    pub fn scroll_to(&mut self, index: usize) {
        match &mut self.cut {
            Some(cut) => cut.scroll_to(index),
            None => {
                self.forward = index >= self.at;
                self.at = index;
            }
        }
    }

    /// Lets cine go on by the time that passed; from the end it begins again. Whether it went on.
    pub fn play(&mut self, passed_ms: u64, rate: f64, length: usize) -> bool {
        if length < 2 || !rate.is_finite() || rate <= 0.0 {
            return false;
        }
        // Milliseconds since the last tick, at most a few thousand.
        self.waited += (passed_ms.min(10_000) as f64 / 1000.0 * rate).min(CINE_SKIP_MAX);
        let before = self.at;
        while self.waited >= 1.0 {
            self.waited -= 1.0;
            self.at = (self.at + 1) % length;
        }
        self.forward = true;
        self.at != before
    }

    /// The window as this frame can have it: where it cannot, the file's own.
    pub fn window_of(&self, frame: &Frame) -> Window {
        match frame.width_level(self.window) {
            Ok(_) => self.window,
            Err(_) => Window::Default,
        }
    }

    /// Changes width and level with a function of what they are and of the values there are; colour has neither.
    pub fn change_window(&mut self, picture: &Picture, change: impl FnOnce((f64, f64), (f64, f64)) -> (f64, f64)) {
        let now = picture.frame.width_level(self.window_of(&picture.frame));
        if let (Ok(Some(now)), Some(range)) = (now, picture.range) {
            let (width, level) = change(now, range);
            self.window = Window::Values { width, level };
        }
    }

    pub fn zoom(&mut self, plane: &ImagePlane, size: Size, factor: f64) {
        self.pose.zoom_by(factor, middle(size), plane, size);
    }

    /// One image pixel on one screen pixel.
    pub fn zoom_one(&mut self, plane: &ImagePlane, size: Size) {
        self.pose.zoom_to(1.0, middle(size), plane, size);
    }

    /// Moves the image by shares of the viewport.
    pub fn pan(&mut self, plane: &ImagePlane, size: Size, right: f64, down: f64) {
        self.pose.pan(right * f64::from(size.width), down * f64::from(size.height), plane, size);
    }
}

fn middle(size: Size) -> (f64, f64) {
    (f64::from(size.width) / 2.0, f64::from(size.height) / 2.0)
}
