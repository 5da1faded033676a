//! Bundles: the outer file as anybody may hand it over, and the records as a packer who holds the key may write them.

#![no_main]

use std::io::Cursor;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use overread::courier::{PROBLEMS_KEPT_MAX, SEGMENT_BYTES, inspect, open};
use overread::identity::keys::{DeviceKey, SealingSecret, Secret};
use overread::seal::aead::{self, TAG_BYTES, counter_nonce};
use overread_fuzz::Parts;

/// Flag, and where the first record starts (`keys/bundles.md` 2).
const SEGMENT_HEAD_BYTES: usize = 3;
const PAYLOAD_BYTES: usize = SEGMENT_BYTES - TAG_BYTES - SEGMENT_HEAD_BYTES;
const RECORD_HEAD_BYTES: usize = 5;

/// Most segments of one run.
const SEGMENTS_MAX: usize = 4;

/// The published bundle.
struct Bundle {
    head: Vec<u8>,
    segment_key: Secret,
    /// The first record, with its head.
    opening: Vec<u8>,
    device: DeviceKey,
    sealing: SealingSecret,
}

static BUNDLE: LazyLock<Bundle> = LazyLock::new(|| {
    let vector: serde_json::Value =
        serde_json::from_str(include_str!("../../keys/vectors/bundle.json")).expect("a vector");
    let hex = |value: &serde_json::Value| {
        let text = value.as_str().expect("hexadecimal");
        <[u8; 32]>::try_from(data_encoding::HEXLOWER.decode(text.as_bytes()).expect("hexadecimal")).expect("32 bytes")
    };
    let base64 = |value: &serde_json::Value| {
        data_encoding::BASE64.decode(value.as_str().expect("base64").as_bytes()).expect("base64")
    };
    let recipient = &vector["recipients"][0]["recipient"];
    let segment_key = Secret::new(hex(&vector["segment_key"]));
    let mut segment = base64(&vector["segments"][0]);
    aead::open(&segment_key, counter_nonce(0), &[], &mut segment).expect("the first segment opens");
    let opening = RECORD_HEAD_BYTES + vector["records"][0]["bytes"].as_u64().expect("a length") as usize;
    Bundle {
        head: base64(&vector["head"]),
        segment_key,
        opening: segment[SEGMENT_HEAD_BYTES..][..opening].to_vec(),
        device: DeviceKey(hex(&recipient["device"])),
        sealing: SealingSecret(Secret::new(hex(&recipient["sealing_seed"]))),
    }
});

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts(data);
    match parts.byte() {
        0 => read(parts.rest()),
        1 => read(&[&BUNDLE.head, parts.rest()].concat()),
        _ => read(&packed(parts)),
    }
});

fn read(file: &[u8]) {
    let _ = inspect(&mut Cursor::new(file));
    let Ok(mut bundle) = open(Cursor::new(file), BUNDLE.device, &BUNDLE.sealing) else { return };
    let mut messages = 0_u64;
    let taken: Result<_, std::convert::Infallible> = bundle.read_all(|_| {
        messages += 1;
        Ok(())
    });
    let Ok(tally) = taken;
    assert!(tally.problems.len() <= PROBLEMS_KEPT_MAX && tally.problem_count >= tally.problems.len() as u64);
    // A record has at least five bytes.
    assert!(messages <= file.len() as u64 / RECORD_HEAD_BYTES as u64);
}

/// A bundle whose segments hold what the input says: flags and starts, then records or raw bytes.
fn packed(mut parts: Parts<'_>) -> Vec<u8> {
    let honest_starts = parts.byte() & 1 == 0;
    let with_opening = parts.byte() & 1 == 0;
    let flags = parts.byte();
    let starts = [0; SEGMENTS_MAX].map(|_| parts.word());
    let mut stream = if with_opening { BUNDLE.opening.clone() } else { Vec::new() };
    let mut records = if with_opening { vec![0] } else { Vec::new() };
    while !parts.is_empty() {
        records.push(stream.len());
        let kind = parts.byte();
        let frame = parts.piece();
        // A kind above 3 stands for a length that lies.
        let claimed = if kind > 3 { u32::from(parts.word()) << (kind & 15) } else { frame.len() as u32 };
        stream.extend_from_slice(&claimed.to_be_bytes());
        stream.push(kind);
        stream.extend_from_slice(frame);
    }
    let segments = stream.chunks(PAYLOAD_BYTES).take(SEGMENTS_MAX);
    let mut file = BUNDLE.head.clone();
    for (number, payload) in segments.enumerate() {
        let from = number * PAYLOAD_BYTES;
        let first = records.iter().find(|at| (from..from + PAYLOAD_BYTES).contains(at)).map(|at| at - from);
        let first = match honest_starts {
            true => first.map_or(0xffff, |first| first as u16),
            false => starts[number],
        };
        let last = if honest_starts { u8::from(from + PAYLOAD_BYTES >= stream.len()) } else { flags >> number & 1 };
        let mut segment = vec![last];
        segment.extend_from_slice(&first.to_be_bytes());
        segment.extend_from_slice(payload);
        segment.resize(SEGMENT_HEAD_BYTES + PAYLOAD_BYTES, 0);
        aead::seal(&BUNDLE.segment_key, counter_nonce(number as u64), &[], &mut segment).expect("a segment is sealed");
        file.extend_from_slice(&segment);
    }
    if flags & 0x80 == 0 {
        file.extend_from_slice(&BUNDLE.head);
    }
    file
}
