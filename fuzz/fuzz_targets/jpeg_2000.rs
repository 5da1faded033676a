//! JPEG 2000 frames, HTJ2K among them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use overread_fuzz::{Parts, Pixels, decode, image_file};

const SYNTAXES: [&str; 3] = ["1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.201"];

fuzz_target!(init: overread_fuzz::let_contained_panics_pass(), |data: &[u8]| {
    let mut parts = Parts(data);
    let syntax = SYNTAXES[usize::from(parts.byte()) % SYNTAXES.len()];
    let pixels = Pixels::read(&mut parts);
    decode(&image_file(syntax, &pixels, parts.rest()));
});
