//! The view that goes with a message: what its writer had on screen, for others to restore.
//!
//! Nothing in it depends on her screen. How much of an image is shown is its *span*: the length of the image, in
//! distances of two columns, along the shorter side of the viewport. Shown in a viewport of another size or form the
//! same span holds at least as much along the shorter side, about the same point; a factor of screen pixels would show
//! another part of the image in every terminal. A viewport that fits the whole image has none.
//!
//! What a reader lacks, such as a preset of later or a layout it does not have, it shows as the file wants it.

use minicbor::{Decode, Encode};

use super::content::{ContentError, ImageRef, Point, line, list};
use crate::study::pixels::{Preset, Window};

/// Most rows of viewports, and most columns.
pub const VIEWPORT_ROWS_MAX: u32 = 3;
pub const VIEWPORT_COLUMNS_MAX: u32 = 3;

/// Longest name of a preset, in bytes of UTF-8.
pub const PRESET_BYTES_MAX: usize = 64;

/// Widest window and farthest level, in modality values.
pub const WINDOW_VALUE_MAX: f64 = 1e9;

/// Least and greatest span, in distances of two columns.
pub const SPAN_MIN: f64 = 1e-3;
pub const SPAN_MAX: f64 = 1e7;

/// Farthest coordinate of a centre, in pixels.
pub const CENTRE_MAX: f64 = 1e6;

/// What the writer had on screen.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct AttachedView {
    #[n(0)]
    pub rows: u32,
    #[n(1)]
    pub columns: u32,
    /// The viewport she was in, from 0, row by row.
    #[n(2)]
    pub active: u32,
    /// All of them, row by row.
    #[n(3)]
    pub viewports: Vec<AttachedViewport>,
}

#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct AttachedViewport {
    /// Absent: it was empty.
    #[n(0)]
    pub shown: Option<AttachedImage>,
}

/// One image, and how it was looked at.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct AttachedImage {
    #[n(0)]
    pub image: ImageRef,
    #[n(1)]
    pub series_instance_uid: String,
    #[n(2)]
    pub window: AttachedWindow,
    /// Clockwise, 0 to 3; then mirrored.
    #[n(3)]
    pub quarter_turns: u32,
    /// Left and right exchanged.
    #[n(4)]
    pub mirrored: bool,
    /// Black for white.
    #[n(5)]
    pub inverted: bool,
    /// Absent: as large as the viewport allows.
    #[n(6)]
    pub part: Option<ShownPart>,
}

/// Which part of an image was shown.
#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct ShownPart {
    /// Along the shorter side of the viewport, in distances of two columns.
    #[n(0)]
    pub span: f64,
    /// The point of the image in the middle of the viewport.
    #[n(1)]
    pub centre: Point,
}

/// Which values were shown between black and white.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum AttachedWindow {
    /// As the file wants it.
    #[n(0)]
    Default,
    /// From the lowest value of the frame to the highest.
    #[n(1)]
    Auto,
    /// The file's choice with this number, from 1.
    #[n(2)]
    File(#[n(0)] u32),
    #[n(3)]
    Preset(#[n(0)] String),
    /// In modality values.
    #[n(4)]
    Values(#[n(0)] f64, #[n(1)] f64),
}

impl AttachedView {
    pub(super) fn check(&self) -> Result<(), ContentError> {
        let range = |fits: bool, field: &'static str| if fits { Ok(()) } else { Err(ContentError::Field(field)) };
        list("viewports", self.viewports.len(), (VIEWPORT_ROWS_MAX * VIEWPORT_COLUMNS_MAX) as usize)?;
        let is_layout =
            (1..=VIEWPORT_ROWS_MAX).contains(&self.rows) && (1..=VIEWPORT_COLUMNS_MAX).contains(&self.columns);
        range(is_layout && self.viewports.len() == (self.rows * self.columns) as usize, "layout")?;
        range((self.active as usize) < self.viewports.len(), "active viewport")?;
        for shown in self.viewports.iter().filter_map(|viewport| viewport.shown.as_ref()) {
            line("image", &shown.image.sop_instance_uid)?;
            line("series", &shown.series_instance_uid)?;
            range(shown.image.frame > 0, "frame")?;
            range(shown.quarter_turns < 4, "quarter turns")?;
            shown.window.check()?;
            if let Some(ShownPart { span, centre }) = shown.part {
                range((SPAN_MIN..=SPAN_MAX).contains(&span), "span")?;
                range(centre.column.abs() <= CENTRE_MAX && centre.row.abs() <= CENTRE_MAX, "centre")?;
            }
        }
        Ok(())
    }
}

impl AttachedWindow {
    /// What the viewer shows for it: as the file wants it, where the preset is unknown.
    pub fn window(&self) -> Window {
        match self {
            Self::Default => Window::Default,
            Self::Auto => Window::Auto,
            Self::File(number) => Window::File(*number),
            Self::Preset(name) => {
                let known = Preset::ALL.into_iter().find(|preset| preset.name() == name);
                known.map_or(Window::Default, Window::Preset)
            }
            Self::Values(width, level) => Window::Values { width: *width, level: *level },
        }
    }

    fn check(&self) -> Result<(), ContentError> {
        let fits = match self {
            Self::Default | Self::Auto => true,
            Self::File(number) => *number > 0,
            Self::Preset(name) if name.len() > PRESET_BYTES_MAX => {
                return Err(ContentError::TooLong { field: "preset", bytes: name.len(), max_bytes: PRESET_BYTES_MAX });
            }
            Self::Preset(_) => true,
            // No comparison holds of what is no number.
            Self::Values(width, level) => *width > 0.0 && *width <= WINDOW_VALUE_MAX && level.abs() <= WINDOW_VALUE_MAX,
        };
        if fits { Ok(()) } else { Err(ContentError::Field("window")) }
    }
}

impl From<Window> for AttachedWindow {
    fn from(window: Window) -> Self {
        match window {
            Window::Default => Self::Default,
            Window::Auto => Self::Auto,
            Window::File(number) => Self::File(number),
            Window::Values { width, level } => Self::Values(width, level),
            Window::Preset(preset) => Self::Preset(preset.name().into()),
        }
    }
}
