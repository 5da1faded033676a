//! Small studies of nobody: CT slices whose header and pixels a test chooses.

use std::path::Path;

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use overread::study::part10::{Part10, PixelElement, Syntax};
use overread::study::write::rebuild;

/// A study with one series of noise, which no packing makes smaller.
pub struct Study {
    /// Tells one study from another: UIDs, patient and pixels follow from it.
    pub seed: u64,
    pub slices: u32,
    /// Rows and columns.
    pub side: u16,
    /// More elements, or others in the place of the usual ones.
    pub elements: Vec<(Tag, VR, String)>,
}

impl Study {
    pub fn new(seed: u64, slices: u32, side: u16) -> Self {
        Self { seed, slices, side, elements: Vec::new() }
    }

    pub fn with(mut self, tag: Tag, vr: VR, value: impl Into<String>) -> Self {
        self.elements.push((tag, vr, value.into()));
        self
    }

    /// Writes the files into a folder, which is made.
    pub fn write(&self, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        for index in 0..self.slices {
            std::fs::write(folder.join(format!("{index:04}.dcm")), self.file(index)).unwrap();
        }
    }

    pub fn uid(&self, kind: &str) -> String {
        format!("1.2.826.0.1.3680043.10.1234.{}.{kind}", self.seed)
    }

    /// The pixels of a slice, two bytes each, twelve of their bits used.
    pub fn pixels(&self, index: u32) -> Vec<u8> {
        let mut state = (self.seed ^ (u64::from(index) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1;
        let mut bytes = Vec::with_capacity(2 * usize::from(self.side) * usize::from(self.side));
        for _ in 0..usize::from(self.side) * usize::from(self.side) {
            // Marsaglia's xorshift: anything that looks like noise will do.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let [low, high, ..] = state.to_le_bytes();
            bytes.extend([low, high & 0x0f]);
        }
        bytes
    }

    fn file(&self, index: u32) -> Vec<u8> {
        let pixel =
            PixelElement { tag: tags::PIXEL_DATA, vr: VR::OW, encapsulated: false, bytes: self.pixels(index).into() };
        let syntax = Syntax::of(uids::EXPLICIT_VR_LITTLE_ENDIAN);
        let part10 = Part10 { syntax, header: InMemDicomObject::new_empty(), pixel: Some(pixel) };
        rebuild(part10, self.header(index)).unwrap().to_bytes()
    }

    fn header(&self, index: u32) -> InMemDicomObject {
        let mut header = InMemDicomObject::new_empty();
        let z = f64::from(index) * -2.5;
        for (tag, vr, value) in [
            (tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\AXIAL"),
            (tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE),
            (tags::SOP_INSTANCE_UID, VR::UI, &self.uid(&format!("3.{}", index + 1))),
            (tags::STUDY_DATE, VR::DA, "20260501"),
            (tags::STUDY_TIME, VR::TM, "101112"),
            (tags::MODALITY, VR::CS, "CT"),
            (tags::STUDY_DESCRIPTION, VR::LO, "CT CHEST"),
            (tags::SERIES_DESCRIPTION, VR::LO, "AXIAL 2.5MM"),
            (tags::PATIENT_NAME, VR::PN, &format!("PATIENT{}^TEST", self.seed)),
            (tags::PATIENT_ID, VR::LO, &format!("ID-{}", self.seed)),
            (tags::PATIENT_BIRTH_DATE, VR::DA, "19570823"),
            (tags::PATIENT_SEX, VR::CS, "F"),
            (tags::STUDY_INSTANCE_UID, VR::UI, &self.uid("1")),
            (tags::SERIES_INSTANCE_UID, VR::UI, &self.uid("2")),
            (tags::FRAME_OF_REFERENCE_UID, VR::UI, &self.uid("4")),
            (tags::SERIES_NUMBER, VR::IS, "2"),
            (tags::INSTANCE_NUMBER, VR::IS, &(index + 1).to_string()),
            (tags::IMAGE_POSITION_PATIENT, VR::DS, &format!("-190\\-190\\{z}")),
            (tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0"),
            (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
            (tags::PIXEL_SPACING, VR::DS, "0.75\\0.75"),
            (tags::RESCALE_INTERCEPT, VR::DS, "-1024"),
            (tags::RESCALE_SLOPE, VR::DS, "1"),
            (tags::RESCALE_TYPE, VR::LO, "HU"),
        ] {
            header.put_str(tag, vr, value);
        }
        for (tag, value) in [
            (tags::SAMPLES_PER_PIXEL, 1),
            (tags::ROWS, self.side),
            (tags::COLUMNS, self.side),
            (tags::BITS_ALLOCATED, 16),
            (tags::BITS_STORED, 12),
            (tags::HIGH_BIT, 11),
            (tags::PIXEL_REPRESENTATION, 0),
        ] {
            header.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
        }
        for (tag, vr, value) in &self.elements {
            header.put_str(*tag, *vr, value.as_str());
        }
        header
    }
}
