//! Images that the terminal holds for us: their numbers, and which to free.

use std::collections::{HashMap, HashSet};

use crate::view::raster::PictureId;

use super::super::quality::Quality;
use super::command;
use super::place::Placement;

/// Memory of the terminal that our pictures may take; Kitty gives all programs of a window 320 MB.
pub const TERMINAL_BYTES_MAX: usize = 192 << 20;

/// Bytes of a pixel in the terminal's memory.
const TERMINAL_PIXEL_BYTES: usize = 4;

/// Bits of an image's number that count; the others tell programs apart.
pub const COUNTING_BITS: u32 = 16;

/// All images with the terminal, and among them the pictures worth keeping.
pub struct Images {
    base: u32,
    pub(super) last: u32,
    sent: HashSet<u32>,
    /// Emptied, to be used again: so the terminal never holds more images than were there at once.
    spare: Vec<u32>,
    kept: HashMap<Key, Kept>,
    /// Pictures whose successors have been sent: freed when those have been placed.
    outgrown: Vec<u32>,
    /// Counts frames, to tell what was seen longest ago.
    now: u64,
}

/// Which picture is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub id: PictureId,
    pub width: u32,
    pub height: u32,
    pub quality: Quality,
}

#[derive(Debug, Clone, Copy)]
struct Kept {
    image: u32,
    /// Its size with the black that goes with it.
    size: (u32, u32),
    /// The frame it was last seen in; 0 to be freed as soon as it is seen no more.
    seen: u64,
}

impl Images {
    pub fn new(seed: u32) -> Self {
        // Spread, as process numbers are close to each other; never 0, which is no number.
        let base = (seed.wrapping_mul(0x9e37_79b1) | 1 << 31) & !((1 << COUNTING_BITS) - 1);
        Self {
            base,
            last: 0,
            sent: HashSet::new(),
            spare: Vec::new(),
            kept: HashMap::new(),
            outgrown: Vec::new(),
            now: 0,
        }
    }

    pub fn begin_frame(&mut self) {
        self.now += 1;
    }

    /// Sends an image under a number that none on the other side has, or one that was emptied.
    pub fn send(&mut self, out: &mut Vec<u8>, png: &[u8]) -> u32 {
        if let Some(image) = self.spare.pop() {
            self.sent.insert(image);
            command::transmit(out, image, png);
            return image;
        }
        loop {
            // Ends: the terminal's memory holds fewer images than there are numbers.
            self.last = if self.last + 1 == 1 << COUNTING_BITS { 1 } else { self.last + 1 };
            let image = self.base | self.last;
            if self.sent.insert(image) {
                command::transmit(out, image, png);
                return image;
            }
        }
    }

    /// A picture that is there already, if what is to be seen of it is; it counts as seen in this frame.
    pub fn find(&mut self, key: Key, placement: &Placement) -> Option<u32> {
        let kept = self.kept.get_mut(&key)?;
        let holds = placement.across.source_end() <= kept.size.0 && placement.down.source_end() <= kept.size.1;
        holds.then(|| {
            kept.seen = self.now;
            kept.image
        })
    }

    /// Sends a picture to be kept. One under the same key had too little black around it and goes; drafts go when the
    /// exact picture comes.
    pub fn send_to_keep(&mut self, out: &mut Vec<u8>, key: Key, png: &[u8], size: (u32, u32)) -> u32 {
        let image = self.send(out, png);
        let drafts = Quality::LADDER.into_iter().filter(|draft| key.quality.is_exact() && !draft.is_exact());
        for draft in drafts {
            if let Some(draft) = self.kept.get_mut(&Key { quality: draft, ..key }) {
                draft.seen = 0;
            }
        }
        if let Some(smaller) = self.kept.insert(key, Kept { image, size, seen: self.now }) {
            self.outgrown.push(smaller.image);
        }
        image
    }

    pub fn free(&mut self, out: &mut Vec<u8>, image: u32) {
        if self.sent.remove(&image) {
            command::empty(out, image);
            self.spare.push(image);
        }
    }

    /// Frees pictures until the others fit; those seen in this frame stay.
    pub fn end_frame(&mut self, out: &mut Vec<u8>) {
        for image in std::mem::take(&mut self.outgrown) {
            self.free(out, image);
        }
        let mut total: usize = self.kept.values().map(Kept::terminal_bytes).sum();
        loop {
            let oldest = (self.kept.iter())
                .filter(|(_, kept)| kept.seen != self.now)
                .min_by_key(|(_, kept)| (kept.seen, kept.image))
                .map(|(key, kept)| (*key, *kept));
            let Some((key, kept)) = oldest.filter(|(_, kept)| total > TERMINAL_BYTES_MAX || kept.seen == 0) else {
                return;
            };
            total -= kept.terminal_bytes();
            self.kept.remove(&key);
            self.free(out, kept.image);
        }
    }

    pub fn free_all(&mut self, out: &mut Vec<u8>) {
        self.sent.iter().chain(&self.spare).for_each(|image| command::free(out, *image));
        self.forget();
    }

    pub fn forget(&mut self) {
        self.sent.clear();
        self.spare.clear();
        self.kept.clear();
        self.outgrown.clear();
    }
}

impl Kept {
    fn terminal_bytes(&self) -> usize {
        self.size.0 as usize * self.size.1 as usize * TERMINAL_PIXEL_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_differ_between_programs_and_are_not_given_twice() {
        let (mut one, mut other) = (Images::new(1000), Images::new(1001));
        let mut out = Vec::new();
        assert_ne!(one.send(&mut out, b"x") >> COUNTING_BITS, other.send(&mut out, b"x") >> COUNTING_BITS);
        one.last = (1 << COUNTING_BITS) - 2;
        let mut numbers: Vec<u32> = (0..3).map(|_| one.send(&mut out, b"x")).collect();
        assert!(!numbers.contains(&one.base), "{numbers:?}");
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 3);
    }
}
