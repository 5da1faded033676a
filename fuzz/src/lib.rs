//! What the targets share: a reader for inputs that consist of several parts, fixed keys, a DICOM file around a
//! codestream, and a panic hook for targets whose parser contains panics on purpose.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use overread::encoding::random::Seeded;
use overread::encoding::time::Timestamp;
use overread::identity::certificate::DeviceCertificate;
use overread::identity::keys::{DeviceSecrets, SigningSecret};

/// The parts of an input: numbers as they come, pieces led by their length in two bytes, little-endian. Where the
/// input ends, numbers are 0 and pieces short.
pub struct Parts<'a>(pub &'a [u8]);

impl<'a> Parts<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub fn word(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    pub fn float(&mut self) -> f64 {
        let mut bytes = [0; 8];
        let taken = self.take(8);
        bytes[..taken.len()].copy_from_slice(taken);
        f64::from_le_bytes(bytes)
    }

    pub fn piece(&mut self) -> &'a [u8] {
        let length = self.word();
        self.take(usize::from(length))
    }

    pub fn take(&mut self, length: usize) -> &'a [u8] {
        let (now, later) = self.0.split_at(length.min(self.0.len()));
        self.0 = later;
        now
    }

    pub fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// A person with one device, the same for the same number.
pub struct Somebody {
    pub identity: SigningSecret,
    pub device: DeviceSecrets,
    pub certificate: DeviceCertificate,
}

impl Somebody {
    pub fn new(number: u64) -> Self {
        let mut rng = Seeded::new(number);
        let identity = SigningSecret::random(&mut rng);
        let device = DeviceSecrets::random(&mut rng);
        let certificate = DeviceCertificate::issue(&identity, &device, Timestamp(1_800_000_000_000));
        Self { identity, device, certificate }
    }
}

/// Lets a parser's own `catch_unwind` work, where libFuzzer's hook would abort. Each place that panics is named once;
/// a panic that is not contained still ends the run. Call it in a target's `init`.
pub fn let_contained_panics_pass() {
    static NAMED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() < 1000 && named.insert(place) {
            eprintln!("{panic}");
        }
    }));
}

/// The Image Pixel attributes of a file that [`image_file`] makes.
pub struct Pixels {
    pub rows: u16,
    pub columns: u16,
    pub samples: u16,
    pub photometric: &'static str,
    pub bits_allocated: u16,
    pub bits_stored: u16,
    pub signed: bool,
    pub frames: u16,
}

impl Pixels {
    /// Layout from an input: eight bytes, at most 512 x 512 pixels so that a run is short.
    pub fn read(parts: &mut Parts<'_>) -> Self {
        let (rows, columns) = (parts.word() % 513, parts.word() % 513);
        let kind = parts.byte();
        let bits_allocated = [8, 16, 32, 1, 12][usize::from(kind & 7) % 5];
        let photometric = ["MONOCHROME2", "RGB", "YBR_FULL", "YBR_RCT"][usize::from(kind >> 3) % 4];
        let samples = if photometric == "MONOCHROME2" { 1 } else { 3 };
        let bits_stored = u16::from(parts.byte());
        let frames = u16::from(parts.byte());
        let signed = parts.byte() & 1 == 1;
        Self { rows, columns, samples, photometric, bits_allocated, bits_stored, signed, frames }
    }
}

/// A DICOM file whose encapsulated Pixel Data has one fragment.
pub fn image_file(syntax: &str, pixels: &Pixels, codestream: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 128];
    file.extend_from_slice(b"DICM");
    element(&mut file, 0x0002, 0x0010, b"UI", syntax.as_bytes());
    element(&mut file, 0x0008, 0x0016, b"UI", b"1.2.840.10008.5.1.4.1.1.7");
    element(&mut file, 0x0008, 0x0018, b"UI", b"2.25.1");
    element(&mut file, 0x0028, 0x0002, b"US", &pixels.samples.to_le_bytes());
    element(&mut file, 0x0028, 0x0004, b"CS", pixels.photometric.as_bytes());
    element(&mut file, 0x0028, 0x0008, b"IS", pixels.frames.to_string().as_bytes());
    element(&mut file, 0x0028, 0x0010, b"US", &pixels.rows.to_le_bytes());
    element(&mut file, 0x0028, 0x0011, b"US", &pixels.columns.to_le_bytes());
    element(&mut file, 0x0028, 0x0100, b"US", &pixels.bits_allocated.to_le_bytes());
    element(&mut file, 0x0028, 0x0101, b"US", &pixels.bits_stored.to_le_bytes());
    element(&mut file, 0x0028, 0x0102, b"US", &pixels.bits_stored.wrapping_sub(1).to_le_bytes());
    element(&mut file, 0x0028, 0x0103, b"US", &u16::from(pixels.signed).to_le_bytes());
    file.extend_from_slice(&[0xe0, 0x7f, 0x10, 0, b'O', b'B', 0, 0, 0xff, 0xff, 0xff, 0xff]);
    file.extend_from_slice(&[0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0]);
    file.extend_from_slice(&[0xfe, 0xff, 0x00, 0xe0]);
    file.extend_from_slice(&(codestream.len() as u32).to_le_bytes());
    file.extend_from_slice(codestream);
    file.extend_from_slice(&[0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0]);
    file
}

fn element(file: &mut Vec<u8>, group: u16, element: u16, vr: &[u8; 2], value: &[u8]) {
    let length = value.len().next_multiple_of(2);
    file.extend_from_slice(&group.to_le_bytes());
    file.extend_from_slice(&element.to_le_bytes());
    file.extend_from_slice(vr);
    file.extend_from_slice(&(length as u16).to_le_bytes());
    file.extend_from_slice(value);
    file.resize(file.len() + length - value.len(), if vr == b"UI" { 0 } else { b' ' });
}

/// Decodes and draws the first and the last frame of an image that [`image_file`] made.
pub fn decode(file: &[u8]) {
    let Ok(image) = overread::study::pixels::Image::read(file) else { return };
    for number in [1, image.description().frames] {
        if let Ok(frame) = image.frame(number) {
            assert_eq!(frame.values.len(), image.description().frame_samples());
            let picture = frame.display(overread::study::pixels::Window::Default);
            assert!(picture.is_ok_and(|p| p.bytes.len() >= image.description().frame_pixels()));
        }
    }
}
