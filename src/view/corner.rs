//! The words in the corners of a viewport, and its scale bar: what a reader must know of what she sees.
//!
//! Nothing here names a patient: corners are on every screenshot. Facts come in plain; words are made of them in one
//! place, so that what is reduced, lossy or interpolated is said alike everywhere. What the terminal cannot show
//! (`ui::graphics::limits`) comes in as words.

use super::mapping::Mapping;
use crate::encoding::text::shown;
use crate::study::geometry::{Scale, SpacingBasis};

/// Longest text of a series that is shown, in characters.
const SERIES_CHARS_MAX: usize = 48;

/// Longest and shortest useful scale bar, as shares of the viewport's width.
const BAR_SHARE_MAX: f64 = 0.3;
const BAR_SHARE_MIN: f64 = 0.04;

/// Lengths of scale bars, in millimetres: from a micrometre to a metre.
const BAR_LENGTHS_MM: [f64; 19] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0,
];

/// What is known of the picture in a viewport.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Number and description, from a colleague's file.
    pub series: &'a str,
    /// What is counted: images, or the planes of a cut.
    pub counted: &'a str,
    /// Which of how many, from 1.
    pub image: (usize, usize),
    /// Images of the series that have not arrived.
    pub missing: usize,
    /// Where it lies in the patient, as [`super::space::location`] says it.
    pub location: Option<&'a str>,
    /// A preset's or the file's name for the window.
    pub window_name: Option<&'a str>,
    /// Width and level; none of a table, or of a colour image.
    pub width_level: Option<(f64, f64)>,
    pub inverted: bool,
    /// Screen pixels for the distance of two columns.
    pub zoom: f64,
    /// [`Mapping::reduction`].
    pub reduction: Option<f64>,
    /// Whether pixels of the screen are blended: a smooth pose whose [`Mapping::is_enlarged`].
    pub interpolated: bool,
    pub lossy: Lossy,
    pub scale: &'a Scale,
    /// What else limits the reader, the gravest first.
    pub limits: &'a [String],
}

/// Whether pixels went through a lossy codec.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lossy {
    No,
    /// With Lossy Image Compression Ratio (0028,2112), if the file states one.
    Yes {
        ratio: Option<f64>,
    },
}

/// Lines of text for each corner, from the outside in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Corners {
    /// The series' name first, which may be empty, then which of its images.
    pub top_left: Vec<String>,
    pub top_right: Vec<String>,
    pub bottom_left: Vec<String>,
    pub bottom_right: Vec<String>,
}

impl Corners {
    /// Top left what it is; top right what to beware of; bottom left how it is shown; bottom right what a length
    /// rests on.
    pub fn of(facts: &Facts<'_>) -> Self {
        let mut corners = Self::default();
        let series: String = shown(facts.series).trim().chars().take(SERIES_CHARS_MAX).collect();
        corners.top_left.push(series);
        corners.top_left.push(image(facts));
        corners.top_left.extend(facts.location.map(str::to_owned));

        corners.top_right.extend(facts.limits.iter().map(|limit| shown(limit).into_owned()));
        corners.top_right.extend(facts.reduction.map(reduced));
        corners.top_right.extend(lossy(facts.lossy));
        corners.top_right.extend(facts.interpolated.then(|| "interpolated".to_string()));

        corners.bottom_left.extend(window(facts));
        corners.bottom_left.extend(facts.inverted.then(|| "inverted".to_string()));
        corners.bottom_left.push(zoom(facts.zoom));

        corners.bottom_right.push(match facts.scale {
            Scale::Millimetres { basis, .. } => format!("mm: {}", basis.shown()),
            Scale::Pixels { why, .. } => why.shown().to_string(),
        });
        corners
    }
}

fn image(facts: &Facts<'_>) -> String {
    let (number, of) = facts.image;
    match facts.missing {
        0 => format!("{} {number}/{of}", facts.counted),
        missing => format!("{} {number}/{of}, {missing} missing", facts.counted),
    }
}

fn window(facts: &Facts<'_>) -> Option<String> {
    let name = facts.window_name.map(|name| shown(name).trim().to_string()).filter(|name| !name.is_empty());
    let numbers = facts.width_level.map(|(width, level)| format!("W {} L {}", number(width), number(level)));
    let parts: Vec<String> = [name, numbers].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// As many decimals as a value of this size needs.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => 0,
        size if size >= 1.0 => 1,
        size if size >= 0.01 => 3,
        _ => return format!("{value:.2e}"),
    };
    format!("{value:.decimals$}")
}

fn zoom(factor: f64) -> String {
    match factor {
        factor if (factor - 1.0).abs() < 5e-4 => "1:1".to_string(),
        factor if factor >= 0.1 => format!("zoom {factor:.2}"),
        factor => format!("zoom {factor:.3}"),
    }
}

/// How many image pixels share one on the screen, rounded up: never better than it is.
pub fn reduced(ratio: f64) -> String {
    if !(ratio.is_finite() && ratio > 1.0) {
        return "reduced".to_string();
    }
    let tenths = (ratio * 10.0 - 1e-6).ceil().max(11.0);
    let decimals = usize::from(tenths % 10.0 != 0.0);
    format!("reduced 1:{:.decimals$}", tenths / 10.0)
}

fn lossy(lossy: Lossy) -> Option<String> {
    match lossy {
        Lossy::No => None,
        Lossy::Yes { ratio: Some(ratio) } if ratio.is_finite() && ratio > 1.0 => {
            Some(format!("lossy {}:1", number((ratio * 10.0).round() / 10.0)))
        }
        Lossy::Yes { .. } => Some("lossy".to_string()),
    }
}

/// A bar that is a round number of millimetres long.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaleBar {
    pub length_px: f64,
    pub text: String,
}

/// The scale bar of a viewport. There is none without millimetres, none for an ultrasound image, where a scale holds
/// inside its region only, and none that would be too short or too long to be of use.
pub fn scale_bar(mapping: &Mapping, scale: &Scale) -> Option<ScaleBar> {
    let &Scale::Millimetres { between_columns_mm, between_rows_mm, basis } = scale else { return None };
    if basis == SpacingBasis::UltrasoundRegion {
        return None;
    }
    let pixel_mm = if mapping.orientation().swaps_axes() { between_rows_mm } else { between_columns_mm };
    let screen_px_mm = pixel_mm * f64::from(mapping.image_pixels().width) / f64::from(mapping.size().width);
    let width = f64::from(mapping.viewport().width);
    let fits = |length_mm: &f64| *length_mm / screen_px_mm <= width * BAR_SHARE_MAX;
    let length_mm = BAR_LENGTHS_MM.into_iter().rev().find(fits)?;
    let length_px = length_mm / screen_px_mm;
    let beside = match basis {
        SpacingBasis::Detector => " at the detector",
        SpacingBasis::Unknown => ", calibration unknown",
        _ => "",
    };
    let text = match length_mm {
        length if length >= 10.0 => format!("{} cm{beside}", length / 10.0),
        length if length >= 0.1 => format!("{length} mm{beside}"),
        length => format!("{} µm{beside}", (length * 1000.0).round()),
    };
    (length_px >= width * BAR_SHARE_MIN).then_some(ScaleBar { length_px, text })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::study::geometry::PixelsOnly;
    use crate::view::mapping::{ImagePlane, Size};
    use crate::view::pose::{Orientation, Pose, Zoom};

    fn mm(between_columns_mm: f64, between_rows_mm: f64, basis: SpacingBasis) -> Scale {
        Scale::Millimetres { between_columns_mm, between_rows_mm, basis }
    }

    fn plain(scale: &Scale) -> Facts<'_> {
        Facts {
            series: "3 Axial 1 mm",
            counted: "image",
            image: (12, 340),
            missing: 0,
            location: None,
            window_name: None,
            width_level: Some((400.0, 40.0)),
            inverted: false,
            zoom: 1.0,
            reduction: None,
            interpolated: false,
            lossy: Lossy::No,
            scale,
            limits: &[],
        }
    }

    #[test]
    fn a_plain_picture_says_what_it_is_and_how_it_is_shown() {
        let scale = mm(0.5, 0.5, SpacingBasis::InPatient);
        let corners = Corners::of(&plain(&scale));
        assert_eq!(corners.top_left, ["3 Axial 1 mm", "image 12/340"]);
        assert_eq!(corners.top_right, [""; 0]);
        assert_eq!(corners.bottom_left, ["W 400 L 40", "1:1"]);
        assert_eq!(corners.bottom_right, ["mm: in-patient pixel spacing"]);
    }

    #[test]
    fn everything_to_beware_of_is_said() {
        let scale = Scale::Pixels { aspect: 1.0, why: PixelsOnly::NoSpacing };
        let limits = ["not for reading".to_string(), "orientation only".to_string()];
        let corners = Corners::of(&Facts {
            missing: 3,
            location: Some("F 121.2 mm"),
            window_name: Some("lung"),
            width_level: Some((1500.0, -600.0)),
            inverted: true,
            zoom: 0.4167,
            reduction: Some(2.4),
            interpolated: true,
            lossy: Lossy::Yes { ratio: Some(10.04) },
            limits: &limits,
            ..plain(&scale)
        });
        assert_eq!(corners.top_left, ["3 Axial 1 mm", "image 12/340, 3 missing", "F 121.2 mm"]);
        let beware = ["not for reading", "orientation only", "reduced 1:2.4", "lossy 10:1", "interpolated"];
        assert_eq!(corners.top_right, beware);
        assert_eq!(corners.bottom_left, ["lung W 1500 L -600", "inverted", "zoom 0.42"]);
        assert_eq!(corners.bottom_right, ["pixels: the file states no spacing"]);
    }

    #[test]
    fn names_from_a_file_cannot_trick_a_terminal() {
        let scale = mm(0.5, 0.5, SpacingBasis::InPatient);
        let long = "y".repeat(300);
        let corners = Corners::of(&Facts { series: "a\u{1b}[2Jb", window_name: Some("\u{202e}x"), ..plain(&scale) });
        assert_eq!((corners.top_left[0].as_str(), corners.bottom_left[0].as_str()), ("a[2Jb", "x W 400 L 40"));
        let corners = Corners::of(&Facts { series: &long, ..plain(&scale) });
        assert_eq!(corners.top_left[0].len(), SERIES_CHARS_MAX);
        let corners = Corners::of(&Facts { series: " ", width_level: None, ..plain(&scale) });
        assert_eq!((corners.top_left[0].as_str(), corners.bottom_left), ("", vec!["1:1".to_string()]));
    }

    #[test]
    fn ratios_are_never_better_than_they_are() {
        assert_eq!(
            [1.01, 2.0, 2.01, 15.96].map(reduced),
            ["reduced 1:1.1", "reduced 1:2", "reduced 1:2.1", "reduced 1:16"]
        );
        assert_eq!([f64::NAN, f64::INFINITY, 0.5].map(reduced), ["reduced"; 3]);
        let lossy = |ratio| super::lossy(Lossy::Yes { ratio }).unwrap();
        assert_eq!(
            [Some(8.0), Some(12.34), None, Some(f64::NAN), Some(-3.0)].map(lossy),
            ["lossy 8:1", "lossy 12.3:1", "lossy", "lossy", "lossy"]
        );
    }

    #[test]
    fn small_windows_keep_their_digits() {
        assert_eq!(
            [400.0, 399.6, 12.25, 0.125, 0.0, 1e-7, -600.0].map(number),
            ["400", "400", "12.2", "0.125", "0", "1.00e-7", "-600"]
        );
    }

    fn bar(scale: &Scale, zoom: f64, orientation: Orientation) -> Option<ScaleBar> {
        let plane = ImagePlane::new(512, 512, scale);
        let pose = Pose { zoom: Zoom::Factor(zoom), orientation, ..Pose::default() };
        scale_bar(&pose.mapping(&plane, Size { width: 500, height: 400 }).unwrap(), scale)
    }

    #[test]
    fn a_scale_bar_has_a_round_length() {
        let upright = Orientation::default();
        let scale = mm(0.5, 0.5, SpacingBasis::InPatient);
        // 150 pixels are 75 mm.
        assert_eq!(bar(&scale, 1.0, upright).unwrap(), ScaleBar { length_px: 100.0, text: "5 cm".into() });
        assert_eq!(bar(&scale, 10.0, upright).unwrap(), ScaleBar { length_px: 100.0, text: "5 mm".into() });
        assert_eq!(bar(&mm(0.0005, 0.0005, SpacingBasis::Specimen), 1.0, upright).unwrap().text, "50 µm");
        // Turned, the rows lie along the width; the zoom is that of the columns.
        let high = mm(0.5, 1.0, SpacingBasis::InPatient);
        assert_eq!(bar(&high, 1.0, upright.clockwise()).unwrap(), ScaleBar { length_px: 100.0, text: "5 cm".into() });
    }

    #[test]
    fn a_scale_bar_says_what_it_rests_on_or_is_not_there() {
        let with = |basis| bar(&mm(0.5, 0.5, basis), 1.0, Orientation::default()).map(|bar| bar.text);
        assert_eq!(with(SpacingBasis::Detector).unwrap(), "5 cm at the detector");
        assert_eq!(with(SpacingBasis::Unknown).unwrap(), "5 cm, calibration unknown");
        assert_eq!(with(SpacingBasis::UltrasoundRegion), None);
        let pixels = Scale::Pixels { aspect: 1.0, why: PixelsOnly::NoSpacing };
        assert_eq!(bar(&pixels, 1.0, Orientation::default()), None);
        assert_eq!(bar(&mm(1000.0, 1000.0, SpacingBasis::InPatient), 1.0, Orientation::default()), None);
        assert_eq!(bar(&mm(1e-9, 1e-9, SpacingBasis::InPatient), 1.0, Orientation::default()), None);
    }

    proptest! {
        #[test]
        fn a_scale_bar_fits_whatever_the_numbers_are(columns_mm: f64, rows_mm: f64, zoom: f64) {
            let scale = mm(columns_mm, rows_mm, SpacingBasis::InPatient);
            if let Some(bar) = bar(&scale, zoom, Orientation::default()) {
                prop_assert!((20.0..=150.0).contains(&bar.length_px), "{bar:?}");
            }
        }
    }
}
