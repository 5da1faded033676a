//! From stored values to what they mean (PS3.3 C.11.1): Hounsfield units and their like.
//!
//! Probes and region statistics stop here, before any window. A unit is named only where the file says it or the
//! standard does; an SUV needs more than a rescale and is offered beside these values by `suv`.

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{FrameGroups, first_item, number, text};
use super::description::Description;
use super::lut::LookupTable;

/// What modality values are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Hounsfield,
    OpticalDensityThousandths,
    BecquerelPerMillilitre,
    MilligramPerMillilitre,
    /// Of PET: the values are SUVs already.
    GramPerMillilitre,
    Percent,
    Counts,
    /// The file names none, or "US" for unspecified.
    Unspecified,
}

impl Unit {
    /// UCUM code.
    pub fn ucum(self) -> &'static str {
        match self {
            Self::Hounsfield => "[hnsf'U]",
            Self::OpticalDensityThousandths => "m{OD}",
            Self::BecquerelPerMillilitre => "Bq/ml",
            Self::MilligramPerMillilitre => "mg/ml",
            Self::GramPerMillilitre => "g/ml",
            Self::Percent => "%",
            Self::Counts => "{counts}",
            Self::Unspecified => "1",
        }
    }

    /// As a person writes it.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Hounsfield => "HU",
            Self::OpticalDensityThousandths => "OD/1000",
            Self::BecquerelPerMillilitre => "Bq/ml",
            Self::MilligramPerMillilitre => "mg/ml",
            Self::GramPerMillilitre => "g/ml",
            Self::Percent => "%",
            Self::Counts => "counts",
            Self::Unspecified => "",
        }
    }

    fn of(defined_term: &str) -> Self {
        match defined_term {
            "HU" | "HU_MOD" => Self::Hounsfield,
            // The number is a thousand times the optical density (PS3.3 C.11.1.1.2).
            "OD" => Self::OpticalDensityThousandths,
            "BQML" => Self::BecquerelPerMillilitre,
            "GML" => Self::GramPerMillilitre,
            "MGML" => Self::MilligramPerMillilitre,
            "PCT" | "PCNT" => Self::Percent,
            "CNTS" => Self::Counts,
            _ => Self::Unspecified,
        }
    }
}

/// How one frame's stored values become modality values.
#[derive(Debug, Clone)]
pub(super) struct Modality {
    transform: Transform,
    pub(super) unit: Unit,
    /// What the values rest on, in words.
    pub(super) basis: String,
}

#[derive(Debug, Clone)]
enum Transform {
    Stored,
    Rescale { slope: f64, intercept: f64 },
    Table(LookupTable),
}

impl Modality {
    pub(super) fn of(header: &InMemDicomObject, frame: u32, description: &Description) -> Self {
        let modality = text(header, tags::MODALITY).unwrap_or_default();
        if !description.photometric.is_grey() {
            return Self::stored("stored values of a colour image");
        }
        // There the stored values are what is shown, and the table only tells where they came from
        // (PS3.3 C.8.7.1.1.2).
        let relationship = text(header, tags::PIXEL_INTENSITY_RELATIONSHIP).unwrap_or_default();
        if matches!(modality.as_str(), "XA" | "RF" | "XRF") && matches!(relationship.as_str(), "LOG" | "DISP") {
            return Self::stored("stored values (logarithmic)");
        }
        let holder = FrameGroups::of(header, frame).holder(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE);
        if let Some(item) = first_item(header, tags::MODALITY_LUT_SEQUENCE)
            && let Some(table) = LookupTable::read(item, tags::LUT_DESCRIPTOR, tags::LUT_DATA, description.signed)
        {
            let unit = text(item, tags::MODALITY_LUT_TYPE).map_or(Unit::Unspecified, |term| Unit::of(&term));
            return Self { transform: Transform::Table(table), unit, basis: "modality lookup table".to_string() };
        }
        let (Some(slope), Some(intercept)) =
            (number(holder, tags::RESCALE_SLOPE), number(holder, tags::RESCALE_INTERCEPT))
        else {
            return Self::stored("stored values (no rescale in the file)");
        };
        if slope == 0.0 {
            return Self::stored("stored values (the file's rescale slope is 0)");
        }
        // "US" and its like say that nothing is specified.
        let stated = text(holder, tags::RESCALE_TYPE).map(|term| Unit::of(&term));
        let (unit, source) = match (stated, modality.as_str()) {
            (None | Some(Unit::Unspecified), "PT") => {
                (text(header, tags::UNITS).map_or(Unit::Unspecified, |units| Unit::of(&units)), "")
            }
            (Some(unit), _) => (unit, ""),
            (None, "CT") => (Unit::Hounsfield, ", HU by default for CT"),
            (None, _) => (Unit::Unspecified, ""),
        };
        let basis = format!("rescale slope {slope}, intercept {intercept}{source}");
        Self { transform: Transform::Rescale { slope, intercept }, unit, basis }
    }

    fn stored(basis: &str) -> Self {
        Self { transform: Transform::Stored, unit: Unit::Unspecified, basis: basis.to_string() }
    }

    /// The modality value of a stored one.
    pub(super) fn at(&self, stored: f64) -> f64 {
        match &self.transform {
            Transform::Stored => stored,
            Transform::Rescale { slope, intercept } => stored * slope + intercept,
            Transform::Table(table) => f64::from(table.at(stored)),
        }
    }

    /// Whether slope and intercept were applied.
    pub(super) fn is_rescaled(&self) -> bool {
        matches!(self.transform, Transform::Rescale { .. })
    }

    /// Whether modality values may be negative, for tables that look them up.
    pub(super) fn may_be_negative(&self, description: &Description) -> bool {
        match &self.transform {
            Transform::Stored => description.signed,
            Transform::Rescale { slope, intercept } => description.signed || *intercept < 0.0 || *slope < 0.0,
            Transform::Table(_) => false,
        }
    }
}
