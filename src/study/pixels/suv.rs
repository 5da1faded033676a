//! Standardised uptake values of PET, by body weight, where the header allows them.
//!
//! Modality values stay in the file's unit; an SUV is offered beside them, with what it rests on, or the attribute
//! that stands in its way. The way is QIBA's for vendors that keep to the standard:
//!
//! ```text
//! SUVbw [g/ml] = value [Bq/ml] x weight [kg] x 1000 / (dose [Bq] x 2^(-(series start - injection) / half-life))
//! ```
//!
//! with values corrected for attenuation and, to the start of the series, for decay. Values that are decay corrected
//! to the injection need no decay of the dose; values in GML are SUVs already; counts of Philips carry a private
//! factor. Dates and times of day serve only to be subtracted: shifted by the same weeks they give the same SUV.
//!
//! Not here: lean body mass and surface area computed from the patient's size, and series whose own start was
//! overwritten when they were processed.

use std::fmt;

use dicom_core::{PrimitiveValue, Tag};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{first_item, number, text, words};
use crate::study::deidentify::dates::{read_date, read_datetime_date};

/// Most half-lives between injection and series that are believed: a thousandth of the dose is left then.
const HALF_LIVES_MAX: f64 = 10.0;

/// Least dose that can be meant in becquerel; less is a dose in megabecquerel.
const DOSE_BQ_MIN: f64 = 10_000.0;

/// Heaviest believable patient, in kilograms.
const WEIGHT_KG_MAX: f64 = 1000.0;

const DAY_SECONDS: f64 = 86_400.0;

/// UCUM code of an SUV by body weight (PS3.16 CID 85).
pub const SUVBW: &str = "g/ml{SUVbw}";

/// How a PET image's modality values become SUVs.
#[derive(Debug, Clone, PartialEq)]
pub struct Suv {
    /// SUV of one unit of the modality values.
    pub factor: f64,
    /// UCUM code: [`SUVBW`], or of values that the file has as another SUV.
    pub unit: &'static str,
    /// What it rests on, in words, without dates.
    pub basis: String,
}

impl Suv {
    /// The SUV of a modality value.
    pub fn of(&self, value: f64) -> f64 {
        value * self.factor
    }
}

/// Why there is no SUV.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSuv {
    #[error("not a PET image")]
    NotPet,
    #[error("no SUV: {0} is missing")]
    Missing(Named),
    #[error("no SUV: {0} {1}")]
    Unusable(Named, &'static str),
}

/// An attribute by keyword and tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named(pub &'static str, pub Tag);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:04X},{:04X})", self.0, self.1.group(), self.1.element())
    }
}

const UNITS: Named = Named("Units", tags::UNITS);
const CORRECTED: Named = Named("CorrectedImage", tags::CORRECTED_IMAGE);
const CORRECTION: Named = Named("DecayCorrection", tags::DECAY_CORRECTION);
const WEIGHT: Named = Named("PatientWeight", tags::PATIENT_WEIGHT);
const DRUG: Named = Named("RadiopharmaceuticalInformationSequence", tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE);
const DOSE: Named = Named("RadionuclideTotalDose", tags::RADIONUCLIDE_TOTAL_DOSE);
const HALF_LIFE: Named = Named("RadionuclideHalfLife", tags::RADIONUCLIDE_HALF_LIFE);
const INJECTION: Named = Named("RadiopharmaceuticalStartTime", tags::RADIOPHARMACEUTICAL_START_TIME);
const SERIES_DATE: Named = Named("SeriesDate", tags::SERIES_DATE);
const SERIES_TIME: Named = Named("SeriesTime", tags::SERIES_TIME);
const SLOPE: Named = Named("RescaleSlope", tags::RESCALE_SLOPE);
const SUV_TYPE: Named = Named("SUVType", tags::SUV_TYPE);
const PHILIPS_FACTOR: Named = Named("SUV Scale Factor of Philips", Tag(0x7053, 0x1000));

/// How an image's modality values become SUVs; `rescaled` says that they are what Units is about.
pub(in crate::study) fn of(header: &InMemDicomObject, rescaled: bool) -> Result<Suv, NoSuv> {
    if !matches!(text(header, tags::MODALITY).as_deref(), Some("PT")) {
        return Err(NoSuv::NotPet);
    }
    if !rescaled {
        return Err(NoSuv::Missing(SLOPE));
    }
    match text(header, tags::UNITS).ok_or(NoSuv::Missing(UNITS))?.as_str() {
        "BQML" => of_activity(header, 1.0),
        "GML" => already(header),
        "CNTS" => match (philips(header, 0x00), philips(header, 0x09)) {
            (Some(factor), _) => {
                let basis = format!("SUV scale factor {factor} of Philips (7053,1000)");
                Ok(Suv { factor, unit: SUVBW, basis })
            }
            (None, Some(to_activity)) => of_activity(header, to_activity),
            (None, None) => Err(NoSuv::Missing(PHILIPS_FACTOR)),
        },
        _ => Err(NoSuv::Unusable(UNITS, "is none that an SUV can be computed from")),
    }
}

/// Values that are SUVs already: by body weight if SUV Type does not say otherwise (PS3.3 C.8.9.1).
fn already(header: &InMemDicomObject) -> Result<Suv, NoSuv> {
    let unit = match text(header, tags::SUV_TYPE).as_deref() {
        None | Some("BW") => SUVBW,
        Some("LBM" | "LBMJAMES128") => "g/ml{SUVlbm}",
        Some("LBMJANMA") => "g/ml{SUVlbm(Janma)}",
        Some("IBW") => "g/ml{SUVibw}",
        Some(_) => return Err(NoSuv::Unusable(SUV_TYPE, "is none that is known in g/ml")),
    };
    Ok(Suv { factor: 1.0, unit, basis: "the file's values are SUVs".to_string() })
}

/// From activity concentration; `to_activity` makes the modality values Bq/ml.
fn of_activity(header: &InMemDicomObject, to_activity: f64) -> Result<Suv, NoSuv> {
    let corrected = words(header, tags::CORRECTED_IMAGE);
    if corrected.is_empty() {
        return Err(NoSuv::Missing(CORRECTED));
    }
    for (needed, why) in [("ATTN", "says nothing of attenuation (ATTN)"), ("DECY", "says nothing of decay (DECY)")] {
        if !corrected.iter().any(|word| word == needed) {
            return Err(NoSuv::Unusable(CORRECTED, why));
        }
    }
    let weight_kg = positive(header, WEIGHT)?;
    if weight_kg > WEIGHT_KG_MAX {
        return Err(NoSuv::Unusable(WEIGHT, "is not believable"));
    }
    let drug = first_item(header, DRUG.1).ok_or(NoSuv::Missing(DRUG))?;
    let dose_bq = positive(drug, DOSE)?;
    if dose_bq < DOSE_BQ_MIN {
        return Err(NoSuv::Unusable(DOSE, "is too small to be in becquerel"));
    }
    let injected = format!("weight {weight_kg} kg, dose {dose_bq} Bq");
    let (left, decay) = match text(header, tags::DECAY_CORRECTION).as_deref() {
        Some("ADMIN") => (1.0, "values corrected to the injection".to_string()),
        Some("START") => {
            let half_life_s = positive(drug, HALF_LIFE)?;
            let elapsed_s = elapsed_seconds(header, drug)?;
            if elapsed_s > HALF_LIVES_MAX * half_life_s {
                return Err(NoSuv::Unusable(INJECTION, "is too long before the series"));
            }
            let decay = format!("half-life {half_life_s} s, {elapsed_s} s from injection to series");
            ((-elapsed_s / half_life_s).exp2(), decay)
        }
        Some(_) => return Err(NoSuv::Unusable(CORRECTION, "is neither START nor ADMIN")),
        None => return Err(NoSuv::Missing(CORRECTION)),
    };
    let factor = to_activity * weight_kg * 1000.0 / (dose_bq * left);
    Ok(Suv { factor, unit: SUVBW, basis: format!("SUV by body weight: {injected}, {decay}") })
}

fn positive(holder: &InMemDicomObject, named: Named) -> Result<f64, NoSuv> {
    match number(holder, named.1) {
        Some(number) if number > 0.0 => Ok(number),
        Some(_) => Err(NoSuv::Unusable(named, "is not above 0")),
        None => Err(NoSuv::Missing(named)),
    }
}

/// From the injection to the start of the series, to which START corrects.
fn elapsed_seconds(header: &InMemDicomObject, drug: &InMemDicomObject) -> Result<f64, NoSuv> {
    let day = |tag| text(header, tag).and_then(|date| read_date(&date)).map(|date| f64::from(date.to_julian_day()));
    let clock = |tag| text(header, tag).and_then(|time| time_of_day(&time));
    let series_day = day(tags::SERIES_DATE).ok_or(NoSuv::Missing(SERIES_DATE))?;
    let series_clock = clock(tags::SERIES_TIME).ok_or(NoSuv::Missing(SERIES_TIME))?;
    // A series that was processed has the time of that as its own; its decay was not corrected to it.
    if let (Some(day), Some(clock)) = (day(tags::ACQUISITION_DATE), clock(tags::ACQUISITION_TIME))
        && (day - series_day) * DAY_SECONDS + clock < series_clock
    {
        return Err(NoSuv::Unusable(SERIES_TIME, "is after the acquisition"));
    }
    let started = text(drug, tags::RADIOPHARMACEUTICAL_START_DATE_TIME);
    let (day, clock) = match started.as_deref().and_then(datetime) {
        Some((day, clock)) => (day, clock),
        None => {
            let started = text(drug, tags::RADIOPHARMACEUTICAL_START_TIME).ok_or(NoSuv::Missing(INJECTION))?;
            (series_day, time_of_day(&started).ok_or(NoSuv::Missing(INJECTION))?)
        }
    };
    match (series_day - day) * DAY_SECONDS + series_clock - clock {
        elapsed if elapsed > 0.0 => Ok(elapsed),
        _ => Err(NoSuv::Unusable(INJECTION, "is not before the series")),
    }
}

/// Day and seconds of a DT value that names both. Offsets from UTC do not count: scanner and syringe share a clock.
fn datetime(text: &str) -> Option<(f64, f64)> {
    let day = f64::from(read_datetime_date(text)?.to_julian_day());
    let clock = text.get(8..)?;
    let end = clock.find(['+', '-']).unwrap_or(clock.len());
    Some((day, time_of_day(clock.get(..end)?)?))
}

/// Seconds of a TM value `HHMM[SS[.F]]`, or with colons as in ACR-NEMA.
fn time_of_day(text: &str) -> Option<f64> {
    let text: String = text.trim().chars().filter(|c| *c != ':').collect();
    let whole = text.split('.').next().unwrap_or_default();
    if !matches!(whole.len(), 4 | 6) || !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let hours: f64 = text.get(..2)?.parse().ok()?;
    let minutes: f64 = text.get(2..4)?.parse().ok()?;
    let seconds: f64 = if whole.len() == 6 { text.get(4..)?.parse().ok()? } else { 0.0 };
    (hours < 24.0 && minutes < 60.0 && seconds < 61.0).then_some(hours * 3600.0 + minutes * 60.0 + seconds)
}

/// A private number of Philips' in group 7053, where its creator reserved the block; 0 stands for none.
fn philips(header: &InMemDicomObject, element: u16) -> Option<f64> {
    let block = (0x10..=0xff_u16).find(|&block| {
        text(header, Tag(0x7053, block)).is_some_and(|creator| creator == "Philips PET Private Group")
    })?;
    let tag = Tag(0x7053, block << 8 | element);
    // A private element from an implicit VR file has lost its VR, and is bytes.
    let number = match header.get(tag)?.value().primitive()? {
        PrimitiveValue::U8(bytes) => std::str::from_utf8(bytes).ok()?.trim_matches(['\0', ' ']).parse().ok()?,
        _ => number(header, tag)?,
    };
    (number.is_finite() && number > 0.0).then_some(number)
}

#[cfg(test)]
mod tests {
    use dicom_core::value::DataSetSequence;
    use dicom_core::{DataElement, VR};
    use proptest::prelude::*;

    use super::*;

    type Attributes<'a> = [(Tag, &'a str)];

    const HEADER: &Attributes<'_> = &[
        (tags::MODALITY, "PT"),
        (tags::UNITS, "BQML"),
        (tags::CORRECTED_IMAGE, "DECY\\ATTN\\SCAT"),
        (tags::DECAY_CORRECTION, "START"),
        (tags::PATIENT_WEIGHT, "70"),
        (tags::SERIES_DATE, "20240301"),
        (tags::SERIES_TIME, "110000"),
        (tags::ACQUISITION_DATE, "20240301"),
        (tags::ACQUISITION_TIME, "110210.5"),
    ];

    const INJECTED: &Attributes<'_> = &[
        (tags::RADIONUCLIDE_TOTAL_DOSE, "350000000"),
        (tags::RADIONUCLIDE_HALF_LIFE, "6586.2"),
        (tags::RADIOPHARMACEUTICAL_START_TIME, "100000"),
    ];

    fn object(attributes: &Attributes<'_>) -> InMemDicomObject {
        let elements = attributes.iter().map(|&(tag, text)| DataElement::new(tag, VR::LO, PrimitiveValue::from(text)));
        InMemDicomObject::from_element_iter(elements)
    }

    /// The SUV of a file with these attributes changed, in the header and in the injection; empty ones are taken out.
    fn suv(header: &Attributes<'_>, injected: &Attributes<'_>) -> Result<Suv, NoSuv> {
        let changed = |base: &Attributes<'_>, over: &Attributes<'_>| {
            let mut object = object(&[base, over].concat());
            for (tag, _) in over.iter().filter(|(_, text)| text.is_empty()) {
                object.remove_element(*tag);
            }
            object
        };
        let mut file = changed(HEADER, header);
        let items = DataSetSequence::from(vec![changed(INJECTED, injected)]);
        file.put(DataElement::new(DRUG.1, VR::SQ, items));
        of(&file, true)
    }

    fn factor(header: &Attributes<'_>, injected: &Attributes<'_>) -> f64 {
        suv(header, injected).unwrap().factor
    }

    #[test]
    fn the_dose_decays_from_the_injection_to_the_start_of_the_series() {
        let expected = 70.0 * 1000.0 / (350e6 * (-3600.0 / 6586.2f64).exp2());
        let found = suv(&[], &[]).unwrap();
        assert!((found.factor / expected - 1.0).abs() < 1e-12);
        assert_eq!((found.unit, found.of(0.0)), ("g/ml{SUVbw}", 0.0));
        assert_eq!(
            found.basis,
            "SUV by body weight: weight 70 kg, dose 350000000 Bq, half-life 6586.2 s, 3600 s from injection to series"
        );
        let datetime = |text| [(tags::RADIOPHARMACEUTICAL_START_DATE_TIME, text)];
        assert_eq!(factor(&[], &datetime("20240301100000.000000+0100")), found.factor);
        // Over midnight, which a time alone cannot tell.
        let night = [(tags::SERIES_TIME, "003000"), (tags::ACQUISITION_TIME, "003000")];
        assert_eq!(factor(&night, &datetime("20240229233000")), found.factor);
        assert_eq!(suv(&night, &[]), Err(NoSuv::Unusable(INJECTION, "is not before the series")));
    }

    #[test]
    fn values_corrected_to_the_injection_need_no_decay() {
        let admin = [(tags::DECAY_CORRECTION, "ADMIN"), (tags::SERIES_DATE, "")];
        assert_eq!(factor(&admin, &[(tags::RADIONUCLIDE_HALF_LIFE, "")]), 70.0 * 1000.0 / 350e6);
    }

    #[test]
    fn values_in_gml_are_suvs_already() {
        let found = suv(&[(tags::UNITS, "GML"), (tags::PATIENT_WEIGHT, "")], &[]).unwrap();
        assert_eq!((found.factor, found.unit), (1.0, SUVBW));
        let lean = suv(&[(tags::UNITS, "GML"), (tags::SUV_TYPE, "LBM")], &[]).unwrap();
        assert_eq!(lean.unit, "g/ml{SUVlbm}");
        let surface = suv(&[(tags::UNITS, "GML"), (tags::SUV_TYPE, "BSA")], &[]);
        assert_eq!(surface, Err(NoSuv::Unusable(SUV_TYPE, "is none that is known in g/ml")));
    }

    #[test]
    fn counts_of_philips_carry_a_private_factor() {
        let with = |elements: &[(u16, PrimitiveValue)]| {
            let mut file = object(&[HEADER, &[(tags::UNITS, "CNTS")]].concat());
            file.put(DataElement::new(DRUG.1, VR::SQ, DataSetSequence::from(vec![object(INJECTED)])));
            for (element, value) in elements {
                file.put(DataElement::new(Tag(0x7053, *element), VR::UN, value.clone()));
            }
            of(&file, true)
        };
        let creator = (0x0011, PrimitiveValue::from("Philips PET Private Group"));
        let factor = |element, text: &str| (element, PrimitiveValue::from(text.as_bytes()));
        let direct = with(&[creator.clone(), factor(0x1100, "0.000563 "), factor(0x1109, "2")]).unwrap();
        assert_eq!((direct.factor, direct.unit), (0.000563, SUVBW));
        let by_activity = with(&[creator.clone(), factor(0x1100, "0"), factor(0x1109, "2")]).unwrap().factor;
        assert_eq!(by_activity, 2.0 * suv(&[], &[]).unwrap().factor);
        // Of another creator the same tag means something else.
        let stranger = with(&[(0x0010, PrimitiveValue::from("Somebody")), factor(0x1000, "0.5")]);
        assert_eq!(stranger.unwrap_err().to_string(), "no SUV: SUV Scale Factor of Philips (7053,1000) is missing");
    }

    #[test]
    fn whatever_is_missing_is_named() {
        for named in [UNITS, CORRECTED, CORRECTION, WEIGHT, SERIES_DATE, SERIES_TIME] {
            assert_eq!(suv(&[(named.1, "")], &[]), Err(NoSuv::Missing(named)));
        }
        for named in [DOSE, HALF_LIFE, INJECTION] {
            assert_eq!(suv(&[], &[(named.1, "")]), Err(NoSuv::Missing(named)));
        }
        assert_eq!(of(&object(HEADER), true), Err(NoSuv::Missing(DRUG)));
        assert_eq!(of(&object(HEADER), false), Err(NoSuv::Missing(SLOPE)));
        assert_eq!(suv(&[(tags::MODALITY, "CT")], &[]), Err(NoSuv::NotPet));
        assert_eq!(NoSuv::Missing(WEIGHT).to_string(), "no SUV: PatientWeight (0010,1030) is missing");
    }

    #[test]
    fn whatever_cannot_be_is_refused_for_its_reason() {
        let refused =
            |header: &Attributes<'_>, injected: &Attributes<'_>| suv(header, injected).unwrap_err().to_string();
        let date = tags::RADIOPHARMACEUTICAL_START_DATE_TIME;
        for (header, injected, why) in [
            (&[(tags::UNITS, "PROPCPS")][..], &[][..], "Units (0054,1001) is none that an SUV can be computed from"),
            (&[(tags::CORRECTED_IMAGE, "DECY")], &[], "CorrectedImage (0028,0051) says nothing of attenuation (ATTN)"),
            (&[(tags::CORRECTED_IMAGE, "ATTN")], &[], "CorrectedImage (0028,0051) says nothing of decay (DECY)"),
            (&[(tags::DECAY_CORRECTION, "NONE")], &[], "DecayCorrection (0054,1102) is neither START nor ADMIN"),
            (&[(tags::PATIENT_WEIGHT, "0")], &[], "PatientWeight (0010,1030) is not above 0"),
            (&[(tags::PATIENT_WEIGHT, "70000")], &[], "PatientWeight (0010,1030) is not believable"),
            (&[(tags::SERIES_TIME, "120000")], &[], "SeriesTime (0008,0031) is after the acquisition"),
            (
                &[],
                &[(tags::RADIONUCLIDE_TOTAL_DOSE, "350")],
                "RadionuclideTotalDose (0018,1074) is too small to be in becquerel",
            ),
            (
                &[],
                &[(tags::RADIOPHARMACEUTICAL_START_TIME, "1101")],
                "RadiopharmaceuticalStartTime (0018,1072) is not before the series",
            ),
            (
                &[],
                &[(date, "20190301100000")],
                "RadiopharmaceuticalStartTime (0018,1072) is too long before the series",
            ),
        ] {
            assert_eq!(refused(header, injected), format!("no SUV: {why}"));
        }
    }

    #[test]
    fn times_of_day_are_read_in_every_usual_form() {
        for (text, seconds) in [
            ("0102", Some(3720.0)),
            ("010203", Some(3723.0)),
            ("010203.25", Some(3723.25)),
            ("01:02:03", Some(3723.0)),
            ("01", None),
            ("250000", None),
            ("0a0203", None),
            ("010203.2.5", None),
            ("+10203", None),
            ("", None),
        ] {
            assert_eq!(time_of_day(text), seconds, "{text}");
        }
    }

    proptest! {
        #[test]
        fn dates_shifted_by_the_same_weeks_give_the_same_suv(weeks in 52i32..=520) {
            use crate::study::deidentify::dates::{shift_date, shift_datetime};
            let day = shift_date("20240301", -7 * weeks).unwrap();
            let injected = shift_datetime("20240301100000", -7 * weeks).unwrap();
            let header = [(tags::SERIES_DATE, day.as_str()), (tags::ACQUISITION_DATE, day.as_str())];
            let shifted = suv(&header, &[(tags::RADIOPHARMACEUTICAL_START_DATE_TIME, injected.as_str())]);
            prop_assert_eq!(shifted, suv(&[], &[]));
        }

        #[test]
        fn any_words_give_an_suv_or_a_reason(text in "\\PC{0,20}", which in 0usize..9) {
            let header = HEADER.iter().chain(INJECTED).map(|(tag, _)| *tag).nth(which).unwrap();
            if let Ok(suv) = suv(&[(header, &text)], &[(tags::RADIOPHARMACEUTICAL_START_DATE_TIME, &text)]) {
                prop_assert!(suv.factor.is_finite() && suv.factor > 0.0);
            }
        }
    }
}
