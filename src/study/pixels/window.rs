//! Values of interest: windows, presets and VOI tables (PS3.3 C.11.2), from modality values to a share of white.
//!
//! A file's own choices are counted from 1, its windows first, then its VOI tables. Presets are in Hounsfield units
//! and refused for anything else: MR, ultrasound and mammography have no scale that a preset could know.

use std::fmt;
use std::str::FromStr;

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{FrameGroups, items, numbers, text, words};
use super::lut::LookupTable;
use crate::encoding::text::shown;

/// Most windows and tables of one file that are offered.
pub const CHOICES_MAX: usize = 64;

/// Longest name of a choice that is shown, in characters: that of LO, its value representation.
const NAME_CHARS_MAX: usize = 64;

/// Longest part of a window that is not understood which is repeated, in characters.
const WRITTEN_CHARS_MAX: usize = 40;

/// Which values are shown between black and white.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Window {
    /// The file's first choice; if it has none, its whole range.
    Default,
    /// From the lowest value of the frame to the highest.
    Auto,
    /// The file's choice with this number, from 1.
    File(u32),
    /// Width and level in modality values, LINEAR.
    Values {
        width: f64,
        level: f64,
    },
    Preset(Preset),
}

/// Window presets for CT, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    Brain,
    Subdural,
    Stroke,
    Lung,
    Mediastinum,
    Abdomen,
    Liver,
    Bone,
}

impl Preset {
    pub const ALL: [Self; 8] = [
        Self::Brain,
        Self::Subdural,
        Self::Stroke,
        Self::Lung,
        Self::Mediastinum,
        Self::Abdomen,
        Self::Liver,
        Self::Bone,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Brain => "brain",
            Self::Subdural => "subdural",
            Self::Stroke => "stroke",
            Self::Lung => "lung",
            Self::Mediastinum => "mediastinum",
            Self::Abdomen => "abdomen",
            Self::Liver => "liver",
            Self::Bone => "bone",
        }
    }

    /// Width and level, in Hounsfield units.
    pub fn width_level(self) -> (f64, f64) {
        match self {
            Self::Brain => (80.0, 40.0),
            Self::Subdural => (200.0, 75.0),
            Self::Stroke => (40.0, 40.0),
            Self::Lung => (1500.0, -600.0),
            Self::Mediastinum => (350.0, 50.0),
            Self::Abdomen => (400.0, 40.0),
            Self::Liver => (150.0, 90.0),
            Self::Bone => (2000.0, 350.0),
        }
    }
}

impl FromStr for Window {
    type Err = WindowError;

    /// `W/L`, a preset's name, `auto`, `file:N`, or `default`.
    fn from_str(words: &str) -> Result<Self, WindowError> {
        let unknown = || WindowError::Unknown { written: shown(words).chars().take(WRITTEN_CHARS_MAX).collect() };
        if let Some(number) = words.strip_prefix("file:") {
            return number.parse().ok().filter(|&n| n > 0).map(Self::File).ok_or_else(unknown);
        }
        if words == "auto" {
            return Ok(Self::Auto);
        }
        if words == "default" {
            return Ok(Self::Default);
        }
        if let Some((width, level)) = words.split_once('/') {
            let (width, level) = (width.parse::<f64>(), level.parse::<f64>());
            return match (width, level) {
                (Ok(width), Ok(level)) if width.is_finite() && width > 0.0 && level.is_finite() => {
                    Ok(Self::Values { width, level })
                }
                _ => Err(unknown()),
            };
        }
        Preset::ALL.into_iter().find(|preset| preset.name() == words).map(Self::Preset).ok_or_else(unknown)
    }
}

impl fmt::Display for Window {
    /// What is read back as the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Auto => f.write_str("auto"),
            Self::File(number) => write!(f, "file:{number}"),
            Self::Values { width, level } => write!(f, "{width}/{level}"),
            Self::Preset(preset) => f.write_str(preset.name()),
        }
    }
}

/// One of the file's windows or tables, as a list of them shows it.
#[derive(Clone, PartialEq)]
pub struct Choice {
    /// From 1, as in [`Window::File`].
    pub number: u32,
    /// Window Center & Width Explanation (0028,1055) or LUT Explanation (0028,3003), safe to show.
    pub name: Option<String>,
    /// Width and level as the file has them, in modality values; none of a table.
    pub width_level: Option<(f64, f64)>,
    pub function: VoiFunction,
}

impl fmt::Display for Choice {
    /// Such as `1: BRAIN 80/40` or `2: table`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.number)?;
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        match (self.width_level, self.function) {
            (None, _) => write!(f, " table"),
            (Some((width, level)), VoiFunction::Linear) => write!(f, " {width}/{level}"),
            (Some((width, level)), VoiFunction::LinearExact) => write!(f, " {width}/{level} exact"),
            (Some((width, level)), VoiFunction::Sigmoid) => write!(f, " {width}/{level} sigmoid"),
        }
    }
}

/// A choice with what it does.
#[derive(Clone)]
pub(super) struct Offered {
    pub(super) voi: Voi,
    name: Option<String>,
}

impl Offered {
    pub(super) fn shown(&self, index: usize) -> Choice {
        let (width_level, function) = match &self.voi {
            Voi::Window { center, width, function } => (Some((*width, *center)), *function),
            Voi::Table(_) | Voi::Range { .. } => (None, VoiFunction::Linear),
        };
        // At most CHOICES_MAX of them.
        Choice { number: index as u32 + 1, name: self.name.clone(), width_level, function }
    }
}

/// One way from modality values to a share of white.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Voi {
    Window { center: f64, width: f64, function: VoiFunction },
    Table(LookupTable),
    Range { lowest: f64, highest: f64 },
}

/// VOI LUT Function (0028,1056).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoiFunction {
    Linear,
    LinearExact,
    Sigmoid,
}

impl Voi {
    /// The choices that the file offers for a frame.
    pub(super) fn choices(header: &InMemDicomObject, frame: u32, may_be_negative: bool) -> Vec<Offered> {
        let holder = FrameGroups::of(header, frame).holder(tags::FRAME_VOILUT_SEQUENCE);
        let function = match text(holder, tags::VOILUT_FUNCTION).as_deref() {
            Some("LINEAR_EXACT") => VoiFunction::LinearExact,
            Some("SIGMOID") => VoiFunction::Sigmoid,
            _ => VoiFunction::Linear,
        };
        let centers = numbers(holder, tags::WINDOW_CENTER);
        let widths = numbers(holder, tags::WINDOW_WIDTH);
        let names = words(holder, tags::WINDOW_CENTER_WIDTH_EXPLANATION);
        let windows = centers.iter().zip(&widths).enumerate().filter(|(_, (_, width))| **width > 0.0);
        let windows = windows.map(|(index, (&center, &width))| Offered {
            voi: Self::Window { center, width, function },
            name: names.get(index).and_then(|name| shown_name(name)),
        });
        let tables = items(header, tags::VOILUT_SEQUENCE).iter().take(CHOICES_MAX);
        let tables = tables.filter_map(|item| {
            let table = LookupTable::read(item, tags::LUT_DESCRIPTOR, tags::LUT_DATA, may_be_negative)?;
            let name = text(item, tags::LUT_EXPLANATION);
            Some(Offered { voi: Self::Table(table), name: name.and_then(|name| shown_name(&name)) })
        });
        windows.chain(tables).take(CHOICES_MAX).collect()
    }

    /// Width and level of the LINEAR window that is the same, or of a sigmoid the nearest one; none of a table.
    pub(super) fn width_level(&self) -> Option<(f64, f64)> {
        match self {
            Self::Window { center, width, function: VoiFunction::Linear } if *width >= 1.0 => Some((*width, *center)),
            // C.11.2.1.3.2: LINEAR leaves out half a value at either end.
            Self::Window { center, width, .. } => Some((width + 1.0, center + 0.5)),
            Self::Table(_) => None,
            Self::Range { lowest, highest } if highest >= lowest => {
                Some((highest - lowest + 1.0, (lowest + highest + 1.0) / 2.0))
            }
            Self::Range { .. } => Some((1.0, 0.0)),
        }
    }

    /// 0 (black) to 1 (white), before any inversion.
    pub(super) fn share(&self, value: f64) -> f64 {
        let share = match self {
            // C.11.2.1.2.1 defines LINEAR from width 1 on; below, its exact form is the only one that keeps greys.
            Self::Window { center, width, function: VoiFunction::Linear } if *width >= 1.0 => {
                let (half, middle) = ((width - 1.0) / 2.0, center - 0.5);
                match value {
                    v if v <= middle - half => 0.0,
                    v if v > middle + half => 1.0,
                    v => (v - middle) / (width - 1.0) + 0.5,
                }
            }
            Self::Window { center, width, function: VoiFunction::Sigmoid } => {
                1.0 / (1.0 + (-4.0 * (value - center) / width).exp())
            }
            Self::Window { center, width, .. } => (value - center) / width + 0.5,
            Self::Table(table) => f64::from(table.at(value)) / f64::from(table.highest()),
            Self::Range { lowest, highest } if highest > lowest => (value - lowest) / (highest - lowest),
            Self::Range { .. } => 0.0,
        };
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }
}

fn shown_name(name: &str) -> Option<String> {
    let name: String = shown(name).trim().chars().take(NAME_CHARS_MAX).collect();
    (!name.is_empty()).then_some(name)
}

/// Why a window cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WindowError {
    #[error("'{written}' is no window: give width/level as in 400/40, auto, file:1, or one of {}", names())]
    Unknown { written: String },
    #[error("the file has {has} windows; file:{asked} is not among them")]
    NotInFile { asked: u32, has: usize },
    #[error("the preset {preset} is in Hounsfield units, which this image does not have")]
    NeedsHounsfield { preset: &'static str },
    #[error("the palette of this image is missing or damaged")]
    Palette,
}

fn names() -> String {
    Preset::ALL.map(Preset::name).join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window(center: f64, width: f64, function: VoiFunction) -> Voi {
        Voi::Window { center, width, function }
    }

    #[test]
    fn linear_follows_the_standards_formula() {
        // PS3.3 C.11.2.1.2.1, its examples in the note: c=2048 w=4096, c=2048 w=1, c=0 w=100.
        let whole = window(2048.0, 4096.0, VoiFunction::Linear);
        assert_eq!([0.0, 4095.0].map(|v| whole.share(v)), [0.0, 1.0]);
        assert_eq!(whole.share(2047.0), (2047.0 - 2047.5) / 4095.0 + 0.5);
        let step = window(2048.0, 1.0, VoiFunction::Linear);
        assert_eq!([2047.0, 2047.5, 2048.0].map(|v| step.share(v)), [0.0, 0.0, 1.0]);
        let small = window(0.0, 100.0, VoiFunction::Linear);
        assert_eq!([-50.0, 49.0, 49.1].map(|v| small.share(v)), [0.0, 1.0, 1.0]);
    }

    #[test]
    fn linear_exact_and_sigmoid_follow_theirs() {
        let exact = window(10.0, 4.0, VoiFunction::LinearExact);
        assert_eq!([7.0, 8.0, 9.0, 10.0, 12.0, 13.0].map(|v| exact.share(v)), [0.0, 0.0, 0.25, 0.5, 1.0, 1.0]);
        let sigmoid = window(10.0, 4.0, VoiFunction::Sigmoid);
        assert_eq!(sigmoid.share(10.0), 0.5);
        assert!((sigmoid.share(12.0) - 0.880_797_077_977_882_4).abs() < 1e-15);
    }

    #[test]
    fn a_width_below_one_keeps_its_greys() {
        let narrow = window(0.5, 0.5, VoiFunction::Linear);
        assert_eq!([0.25, 0.5, 0.625, 0.75].map(|v| narrow.share(v)), [0.0, 0.5, 0.75, 1.0]);
    }

    #[test]
    fn windows_are_read_as_they_are_written_on_the_command_line() {
        let read = |words: &str| words.parse::<Window>().ok();
        assert_eq!(read("400/40"), Some(Window::Values { width: 400.0, level: 40.0 }));
        assert_eq!(read("1500/-600"), Some(Window::Values { width: 1500.0, level: -600.0 }));
        assert_eq!(read("lung"), Some(Window::Preset(Preset::Lung)));
        assert_eq!(read("file:2"), Some(Window::File(2)));
        assert_eq!(read("auto"), Some(Window::Auto));
        for window in ["default", "auto", "file:3", "lung", "1500/-600", "0.1/1e-9"] {
            let window = read(window).unwrap();
            assert_eq!(read(&window.to_string()), Some(window));
        }
        for wrong in ["", "lungs", "400", "0/40", "-1/40", "nan/1", "1/inf", "file:0", "file:", "file:-1", "1/2/3"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn choices_are_listed_by_number_name_and_numbers() {
        let listed = |name: Option<&str>, voi| Offered { voi, name: name.map(str::to_string) }.shown(0).to_string();
        assert_eq!(listed(Some("BRAIN"), window(40.0, 80.0, VoiFunction::Linear)), "1: BRAIN 80/40");
        assert_eq!(listed(None, window(-600.5, 1500.0, VoiFunction::Sigmoid)), "1: 1500/-600.5 sigmoid");
        assert_eq!(listed(None, window(40.0, 80.0, VoiFunction::LinearExact)), "1: 80/40 exact");
    }

    #[test]
    fn a_name_cannot_trick_a_terminal() {
        assert_eq!(shown_name(" HARD\u{1b}[2J ").as_deref(), Some("HARD[2J"));
        assert_eq!(shown_name(&"x".repeat(100)).unwrap().len(), NAME_CHARS_MAX);
        assert_eq!((shown_name(""), shown_name("\u{1b}")), (None, None));
    }

    proptest! {
        #[test]
        fn a_drag_starts_from_the_same_picture(
            lowest in -3000i32..3000, span in 0u32..5000, value in -9000i32..9000, exact: bool,
        ) {
            let voi = match exact {
                true => window(f64::from(lowest), f64::from(span) + 0.5, VoiFunction::LinearExact),
                false => Voi::Range { lowest: f64::from(lowest), highest: f64::from(lowest) + f64::from(span) },
            };
            let (width, level) = voi.width_level().unwrap();
            let same = window(level, width, VoiFunction::Linear);
            prop_assert!((voi.share(f64::from(value)) - same.share(f64::from(value))).abs() < 1e-9);
        }

        #[test]
        fn any_value_and_window_give_a_share(value: f64, center in -1e9f64..1e9, width in 1e-9f64..1e9, kind in 0..3) {
            let function = [VoiFunction::Linear, VoiFunction::LinearExact, VoiFunction::Sigmoid][kind as usize];
            let share = window(center, width, function).share(value);
            prop_assert!((0.0..=1.0).contains(&share));
        }

        #[test]
        fn a_higher_value_is_never_darker(a in -5000f64..5000.0, b in -5000f64..5000.0, width in 0.01f64..5000.0) {
            for function in [VoiFunction::Linear, VoiFunction::LinearExact, VoiFunction::Sigmoid] {
                let voi = window(40.0, width, function);
                prop_assert!(voi.share(a.min(b)) <= voi.share(a.max(b)));
            }
        }
    }
}
