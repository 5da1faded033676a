//! A DICOM file on its way in: read, de-identified, built anew, packed, and read again.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use overread::identity::keys::Secret;
use overread::study::deidentify::preset::Preset;
use overread::study::deidentify::secrets::GroupSecrets;
use overread::study::deidentify::vocabulary::Approvals;
use overread::study::deidentify::{Instance, Rules, deidentify};
use overread::study::import::{Facts, pixel_facts};
use overread::study::packing::{Packer, unpack};
use overread::study::part10::{self, Part10Error};
use overread::study::walk::HEADER_BYTES_MAX;
use overread::study::write::rebuild;

static RULES: LazyLock<[Rules; 2]> =
    LazyLock::new(|| [Preset::consult(), Preset::basic()].map(|preset| Rules::new(preset, Approvals::default())));
static GROUP: LazyLock<GroupSecrets> = LazyLock::new(|| GroupSecrets::new(&Secret::new([5; 32])));

fuzz_target!(init: overread_fuzz::let_contained_panics_pass(), |data: &[u8]| {
    let read = part10::read(data);
    // The first bytes say the same or ask for the rest.
    let beginning = &data[..data.len() / 2];
    match (&read, part10::scan(beginning, data.len() as u64)) {
        (Ok(whole), Ok((syntax, _))) => assert_eq!(whole.syntax, syntax),
        (_, Err(Part10Error::Empty)) => assert!(data.is_empty()),
        _ => {}
    }
    let Ok(part10) = read else { return };
    assert!(data.len() < HEADER_BYTES_MAX);
    part10.layout();
    let pixels = part10.pixel.as_ref().map(|pixel| pixel.bytes.to_vec());
    let syntax = part10.syntax.clone();
    let rules = &RULES[data.len() % 2];
    let facts = pixel_facts(&part10);
    let instance = Instance {
        header: part10.header.clone(),
        meta_sop_class_uid: None,
        pixels: facts,
        reviewed: false,
    };
    let Ok(clean) = deidentify(instance, rules, &GROUP) else { return };
    Facts::of(&clean.header);
    let Ok(rebuilt) = rebuild(part10, clean.header) else { return };
    let file = rebuilt.to_bytes();
    let packed = Packer::new().and_then(|mut packer| packer.pack(&rebuilt.parts())).expect("anything can be packed");
    assert!(unpack(&packed.bytes, file.len() as u64).is_ok_and(|unpacked| unpacked == file));
    let again = part10::read(&file).expect("what we write we can read");
    assert_eq!(again.syntax, syntax);
    assert!(again.pixel.map(|pixel| pixel.bytes.to_vec()) == pixels, "pixel data is carried as it was");
});
