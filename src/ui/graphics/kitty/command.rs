//! Kitty's commands as bytes: `ESC _ G key=value,… ; base64 ESC \`.
//!
//! Every command asks for silence (`q=2`): an answer would arrive among the keys a person presses.

use data_encoding::BASE64;
use ratatui::layout::Position;

use super::super::ansi;
use super::place::Placement;

/// Characters of base64 in one command, as the protocol demands.
const CHUNK: usize = 4096;

/// Sends an image file (PNG) that the terminal keeps under a number.
pub fn transmit(out: &mut Vec<u8>, image: u32, png: &[u8]) {
    let mut encoded = [0; CHUNK];
    let mut chunks = png.chunks(CHUNK / 4 * 3).peekable();
    let mut first = true;
    while let Some(chunk) = chunks.next() {
        out.extend(b"\x1b_G");
        if std::mem::take(&mut first) {
            out.extend(format!("a=t,f=100,i={image},").bytes());
        }
        out.extend(if chunks.peek().is_some() { b"q=2,m=1;" } else { b"q=2,m=0;" });
        let length = BASE64.encode_len(chunk.len());
        let encoded = &mut encoded[..length];
        BASE64.encode_mut(chunk, encoded);
        out.extend_from_slice(encoded);
        out.extend(b"\x1b\\");
    }
}

/// Places an image in a viewport whose first cell is given; an earlier placement of that image with the same number is
/// replaced without flicker.
pub fn place(out: &mut Vec<u8>, image: u32, number: u32, viewport: Position, placement: &Placement, z: i32) {
    let Placement { across, down } = placement;
    let cell = |start: u16, cells: u32| start.saturating_add(u16::try_from(cells).unwrap_or(u16::MAX));
    ansi::go_to(out, Position::new(cell(viewport.x, across.cell), cell(viewport.y, down.cell)));
    let part = format!("x={},y={},w={},h={}", across.source, down.source, across.source_len, down.source_len);
    out.extend(format!("\x1b_Ga=p,q=2,i={image},p={number},{part},C=1,z={z}").bytes());
    if (across.offset_px, down.offset_px) != (0, 0) {
        out.extend(format!(",X={},Y={}", across.offset_px, down.offset_px).bytes());
    }
    if let (Some(columns), Some(rows)) = (across.cells, down.cells) {
        out.extend(format!(",c={columns},r={rows}").bytes());
    }
    out.extend(b"\x1b\\");
}

/// Takes a placement away; the image stays with the terminal.
pub fn take_away(out: &mut Vec<u8>, image: u32, number: u32) {
    out.extend(format!("\x1b_Ga=d,d=i,q=2,i={image},p={number}\x1b\\").bytes());
}

/// A black pixel, uncompressed.
const PIXEL: &str = "AAAA";

/// Empties an image: takes all its placements away and puts a pixel in its place. Deleting it with its data (`d=I`) frees
/// every other image as well that is not placed just now: so does the Kitty of Debian 12, and later ones.
pub fn empty(out: &mut Vec<u8>, image: u32) {
    out.extend(format!("\x1b_Ga=d,d=i,q=2,i={image}\x1b\\").bytes());
    out.extend(format!("\x1b_Ga=t,f=24,s=1,v=1,i={image},q=2,m=0;{PIXEL}\x1b\\").bytes());
}

/// Frees an image with all its placements, and with it perhaps others: only where all of them go.
pub fn free(out: &mut Vec<u8>, image: u32) {
    out.extend(format!("\x1b_Ga=d,d=I,q=2,i={image}\x1b\\").bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_goes_out_in_chunks_and_comes_together_again() {
        for length in [1, 3071, 3072, 3073, 10_000] {
            let image: Vec<u8> = (0..length).map(|at: usize| (at * 7) as u8).collect();
            let mut out = Vec::new();
            transmit(&mut out, 77, &image);
            let text = String::from_utf8(out).unwrap();
            let commands: Vec<&str> = text.strip_suffix("\x1b\\").unwrap().split("\x1b\\").collect();
            let mut together = Vec::new();
            for (at, command) in commands.iter().enumerate() {
                let (keys, payload) = command.strip_prefix("\x1b_G").unwrap().split_once(';').unwrap();
                let more = u8::from(at + 1 < commands.len());
                let first = if at == 0 { "a=t,f=100,i=77," } else { "" };
                assert_eq!(keys, format!("{first}q=2,m={more}"));
                assert!(payload.len() <= CHUNK && (more == 0 || payload.len() % 4 == 0));
                together.extend(BASE64.decode(payload.as_bytes()).unwrap());
            }
            assert_eq!(together, image);
        }
    }
}
