//! How much is opened ahead.

use super::super::fitting;
use crate::ui::picture::PictureKey;

const MIB: usize = 1 << 20;

fn key(instance: usize, frame: u32) -> PictureKey {
    PictureKey { study: "s".into(), sop_instance_uid: instance.to_string().into(), frame }
}

/// How many of eight pictures ahead are opened, of instances of so many frames each.
fn ahead(frames: u32, bytes: [usize; 2], ports: usize) -> usize {
    let all: Vec<PictureKey> = (0..9).flat_map(|n| (1..=frames).map(move |frame| key(n, frame))).take(9).collect();
    fitting(&all[1..].iter().collect::<Vec<_>>(), &all[0], bytes, ports)
}

#[test]
fn no_more_is_opened_ahead_than_the_memory_keeps_beside_what_is_seen() {
    let slice = [MIB, MIB / 2];
    assert_eq!((ahead(1, slice, 1), ahead(1, slice, 6)), (8, 8));
    assert_eq!((ahead(1, [60 * MIB, 20 * MIB], 1), ahead(1, [60 * MIB, 20 * MIB], 2)), (1, 0));
    // A run of 90 MiB is in the memory once, whichever of its frames are; the next run is another one.
    assert_eq!((ahead(9, [MIB, 90 * MIB], 1), ahead(5, [MIB, 90 * MIB], 1), ahead(9, [MIB, 90 * MIB], 2)), (8, 4, 0));
    assert_eq!((ahead(1, [usize::MAX, usize::MAX], 1), ahead(1, [0, 0], 0)), (0, 8));
}
