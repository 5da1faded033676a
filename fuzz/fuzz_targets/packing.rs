//! The packing container: any bytes unpack or are refused, and any file comes back as it was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use overread::study::packing::{FileParts, Layout, Packer, unpack};
use overread_fuzz::Parts;

const BYTES_MAX: u64 = 4 * 1024 * 1024;

fuzz_target!(|data: &[u8]| {
    if let Ok(file) = unpack(data, BYTES_MAX) {
        assert!(file.len() as u64 <= BYTES_MAX);
    }
    let mut parts = Parts(data);
    let kind = parts.byte();
    let layout = Layout {
        sample_bytes: kind & 3,
        interleaved: kind >> 2 & 7,
        big_endian: kind & 32 != 0,
        signed: kind & 64 != 0,
        columns: u32::from(parts.word()),
        rows: u32::from(parts.word()),
    };
    let (before, after) = (parts.piece(), parts.piece());
    let file = FileParts { before, pixels: parts.rest(), after, layout: (kind & 128 == 0).then_some(layout) };
    let packed = Packer::new().and_then(|mut packer| packer.pack(&file)).expect("anything can be packed");
    let whole = [file.before, file.pixels, file.after].concat();
    assert!(unpack(&packed.bytes, file.bytes()).is_ok_and(|unpacked| unpacked == whole));
    if let Some(less) = file.bytes().checked_sub(1) {
        assert!(unpack(&packed.bytes, less).is_err());
    }
});
