//! Requests at the control socket.

#![no_main]

use libfuzzer_sys::fuzz_target;
use overread::node::api::Envelope;

fuzz_target!(|data: &[u8]| {
    if let Ok(envelope) = serde_json::from_slice::<Envelope>(data) {
        let once = serde_json::to_vec(&envelope).expect("a request is written");
        let again: Envelope = serde_json::from_slice(&once).expect("a request is read back");
        assert_eq!(serde_json::to_vec(&again).ok(), Some(once));
    }
});
