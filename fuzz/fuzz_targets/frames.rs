//! Frames on a stream. The reader is private to the network's room, so its file is compiled into the target.

#![no_main]

use futures::executor::block_on;
use futures::io::Cursor;
use libfuzzer_sys::fuzz_target;

#[path = "../../src/net/frames.rs"]
#[allow(dead_code, reason = "only what reads and writes is used here")]
mod frames;

const BYTES_MAX: usize = 4096;

fuzz_target!(|data: &[u8]| {
    let mut stream = Cursor::new(data);
    let mut again = Vec::new();
    while let Ok(Some(frame)) = block_on(frames::read_frame(&mut stream, BYTES_MAX)) {
        assert!((1..=BYTES_MAX).contains(&frame.len()));
        frames::put_frame(&mut again, &frame);
    }
    assert!(data.starts_with(&again));
});
