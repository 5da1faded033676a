//! Messages between devices and in bundles.

#![no_main]

use libfuzzer_sys::fuzz_target;
use overread::sync::message::{FRAME_BYTES_MAX, Message};

fuzz_target!(|data: &[u8]| {
    if let Ok(message) = Message::from_frame(data.to_vec()) {
        assert!(data.len() <= FRAME_BYTES_MAX);
        message.case();
        assert!(message.into_frame().into_vec() == data);
    }
});
