//! Live messages: as bytes from a member, and with seal and signature made right, so that the content is looked at.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use overread::case::content::MembersNote;
use overread::case::live::circle::{Circle, LivePlace};
use overread::case::live::content::LiveContent;
use overread::case::live::heard::Heard;
use overread::case::live::{LIVE_BYTES_MAX, LIVE_KINDS_MAX};
use overread::case::room::{Author, Room};
use overread::encoding::random::Seeded;
use overread::encoding::time::Timestamp;
use overread_fuzz::Somebody;

static AUTHOR: LazyLock<Somebody> = LazyLock::new(|| Somebody::new(1));

static CIRCLE: LazyLock<Circle> = LazyLock::new(|| {
    let note = MembersNote { people: Vec::new(), reason: None };
    let devices = vec![AUTHOR.certificate.clone()];
    let (room, _) = Room::found(&author(), devices, &[], note, Timestamp(0), &mut Seeded::new(9)).expect("a case");
    Circle::of(&room).expect("a circle")
});

fn author() -> Author<'static> {
    Author { certificate: &AUTHOR.certificate, secrets: &AUTHOR.device }
}

fuzz_target!(|data: &[u8]| {
    let from = AUTHOR.certificate.device();
    let mut heard = Heard::default();
    let _ = heard.hear(&CIRCLE, from, 0, data, Duration::ZERO);
    let Ok(content) = LiveContent::from_bytes(data) else { return };
    assert!(data.len() <= LIVE_BYTES_MAX && content.kind() < LIVE_KINDS_MAX);
    if let LiveContent::Unknown(_) = content {
        return;
    }
    assert_eq!(content.to_bytes(), data);
    let place = LivePlace { session: 1, counter: 1 };
    let Ok(bytes) = CIRCLE.seal(&author(), place, &content, &mut Seeded::new(7)) else { return };
    assert!(heard.hear(&CIRCLE, from, content.kind(), &bytes, Duration::ZERO).is_ok());
    assert!(heard.hear(&CIRCLE, from, content.kind(), &bytes, Duration::ZERO).is_err());
});
