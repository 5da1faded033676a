//! JPEG frames: baseline, extended, spectral selection, progressive, lossless.

#![no_main]

use libfuzzer_sys::fuzz_target;
use overread_fuzz::{Parts, Pixels, decode, image_file};

const SYNTAXES: [&str; 6] = [
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.53",
    "1.2.840.10008.1.2.4.55",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
];

fuzz_target!(init: overread_fuzz::let_contained_panics_pass(), |data: &[u8]| {
    let mut parts = Parts(data);
    let syntax = SYNTAXES[usize::from(parts.byte()) % SYNTAXES.len()];
    let pixels = Pixels::read(&mut parts);
    decode(&image_file(syntax, &pixels, parts.rest()));
});
