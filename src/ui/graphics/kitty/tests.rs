//! Judged by a small terminal that knows the part of the protocol that is used, and complains about the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::BASE64;

use super::images::TERMINAL_BYTES_MAX;
use super::*;
use crate::view::raster::{Area, Crop, PictureId};

const CELL: CellSize = CellSize { width: 10, height: 20 };

/// The size of an image that was emptied.
const EMPTIED: (u32, u32) = (1, 1);

/// What a terminal would hold.
#[derive(Default)]
struct Terminal {
    /// Size of each image.
    images: BTreeMap<u32, (u32, u32)>,
    /// By image and number: the cell it begins at, and the keys.
    placements: BTreeMap<(u32, u32), (String, BTreeMap<String, i64>)>,
    loading: Vec<u8>,
    loading_image: u32,
    /// Bytes of images, as base64.
    sent: usize,
}

impl Terminal {
    fn take(&mut self, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).unwrap();
        let mut cursor = String::new();
        let mut rest = text;
        while let Some(start) = rest.find('\x1b') {
            assert_eq!(start, 0, "nothing is written as text");
            if let Some(after) = rest.strip_prefix("\x1b7").or_else(|| rest.strip_prefix("\x1b8")) {
                rest = after;
            } else if let Some(after) = rest.strip_prefix("\x1b[") {
                let (to, after) = after.split_once('H').unwrap();
                (cursor, rest) = (to.to_owned(), after);
            } else {
                let (command, after) = rest.strip_prefix("\x1b_G").unwrap().split_once("\x1b\\").unwrap();
                self.command(command, &cursor);
                rest = after;
            }
        }
        assert_eq!(rest, "");
    }

    fn command(&mut self, command: &str, cursor: &str) {
        let (keys, payload) = command.split_once(';').unwrap_or((command, ""));
        let keys: BTreeMap<String, String> = (keys.split(','))
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(keys["q"], "2", "silence");
        let number = |key: &str| keys[key].parse::<u32>().unwrap();
        match keys.get("a").map(String::as_str) {
            Some("t") | None => {
                if keys.contains_key("a") {
                    self.loading_image = number("i");
                    assert!(self.loading.is_empty() && self.loading_image > 0);
                }
                self.sent += payload.len();
                self.loading.extend(BASE64.decode(payload.as_bytes()).unwrap());
                if keys["m"] == "0" {
                    let data = std::mem::take(&mut self.loading);
                    let size = if keys.get("f").is_some_and(|format| format == "24") {
                        assert_eq!(data.len() as u32, number("s") * number("v") * 3);
                        EMPTIED
                    } else {
                        let reader = ::png::Decoder::new(std::io::Cursor::new(data)).read_info().unwrap();
                        (reader.info().width, reader.info().height)
                    };
                    let before = self.images.insert(self.loading_image, size);
                    let is_free = size == EMPTIED || before.is_none_or(|before| before == EMPTIED);
                    assert!(is_free, "only what was emptied is used again");
                    assert!(!self.placements.keys().any(|(of, _)| *of == self.loading_image));
                }
            }
            Some("p") => {
                let (image, placement) = (number("i"), number("p"));
                let (width, height) = *self.images.get(&image).expect("an image that was sent");
                assert!(placement > 0 && keys["C"] == "1");
                let numbers: BTreeMap<String, i64> = (keys.iter())
                    .filter_map(|(key, value)| value.parse().ok().map(|value| (key.clone(), value)))
                    .collect();
                assert!(numbers["x"] + numbers["w"] <= width.into() && numbers["y"] + numbers["h"] <= height.into());
                assert!(numbers["w"] > 0 && numbers["h"] > 0);
                self.placements.insert((image, placement), (cursor.to_owned(), numbers));
            }
            Some("d") if keys["d"] == "i" && !keys.contains_key("p") => {
                let image = number("i");
                assert!(self.images.contains_key(&image), "only what was sent is emptied");
                self.placements.retain(|(of, _), _| *of != image);
            }
            Some("d") if keys["d"] == "i" => {
                let known = self.placements.remove(&(number("i"), number("p")));
                assert!(known.is_some(), "only what was placed is taken away");
            }
            Some("d") if keys["d"] == "I" => {
                let image = number("i");
                self.placements.retain(|(of, _), _| *of != image);
                // As Kitty does: others that are not placed just now go with it.
                let placed = &self.placements;
                self.images.retain(|of, _| placed.keys().any(|(image, _)| image == of));
            }
            _ => panic!("unknown command {keys:?}"),
        }
    }

    /// Images that were not emptied.
    fn held(&self) -> usize {
        self.images.values().filter(|size| **size != EMPTIED).count()
    }

    /// Cells and keys of what lies at a height.
    fn at(&self, z: i32) -> Vec<&(String, BTreeMap<String, i64>)> {
        self.placements.values().filter(|(_, keys)| keys["z"] == i64::from(z)).collect()
    }
}

fn raster(size: u32) -> Arc<Raster> {
    let pixels = (0..size * size).map(|at| (at * 31 % 251) as u8).collect();
    Arc::new(Raster { width: size, height: size, pixels: Pixels::Grey(pixels) })
}

/// A picture of 400 pixels in a viewport of 800 x 800 at cell (0, 0).
fn scene(id: u64) -> Scene {
    let crop = Crop { x: 0.0, y: 0.0, width: 400.0, height: 400.0 };
    let target = Area { x: 0, y: 0, width: 800, height: 800 };
    let placed = Placed { raster: raster(400), id: PictureId(id), crop, target, smooth: true };
    Scene { width: 800, height: 800, picture: Some(placed), overlay: None }
}

fn viewport(content: Content) -> Viewport {
    Viewport { area: Rect::new(2, 3, 80, 40), content }
}

fn show(kitty: &mut Kitty, terminal: &mut Terminal, scene: &Scene) -> usize {
    let out = kitty.show(&[viewport(Content::Scene(scene))], &[], Quality::EXACT);
    terminal.take(&out);
    out.len()
}

fn new() -> (Kitty, Terminal) {
    (Kitty::new(CELL, 4711), Terminal::default())
}

#[test]
fn a_slice_shown_before_costs_next_to_nothing() {
    let (mut kitty, mut terminal) = new();
    assert!(show(&mut kitty, &mut terminal, &scene(1)) > 50_000);
    assert!(show(&mut kitty, &mut terminal, &scene(2)) > 50_000);
    assert!(show(&mut kitty, &mut terminal, &scene(1)) < 200);
    assert_eq!(show(&mut kitty, &mut terminal, &scene(1)), 0);
    let [(cell, keys)] = terminal.at(Z_PICTURE)[..] else { panic!("one picture is seen") };
    assert_eq!(cell, "4;3");
    assert_eq!((keys["w"], keys["h"], keys["c"], keys["r"]), (400, 400, 80, 40));
    assert_eq!(terminal.at(Z_BLACK).len(), 1);
}

#[test]
fn zoom_and_pan_send_no_picture() {
    let (mut kitty, mut terminal) = new();
    let mut scene = scene(1);
    show(&mut kitty, &mut terminal, &scene);
    let placed = scene.picture.as_mut().unwrap();
    placed.crop = Crop { x: 50.0, y: 20.0, width: 200.0, height: 200.0 };
    assert!(show(&mut kitty, &mut terminal, &scene) < 200);
    let [(_, keys)] = terminal.at(Z_PICTURE)[..] else { panic!("one picture is seen") };
    assert_eq!((keys["x"], keys["y"], keys["w"], keys["h"]), (50, 20, 200, 200));
}

#[test]
fn a_moved_mark_sends_ink_only() {
    let (mut kitty, mut terminal) = new();
    let mut scene = scene(1);
    show(&mut kitty, &mut terminal, &scene);
    for x in [15, 700] {
        let mut overlay = Overlay { width: 800, height: 800, ink: vec![0; 640_000] };
        overlay.ink[45 * 800 + x] = 2;
        overlay.ink[49 * 800 + x + 3] = 2;
        scene.overlay = Some(overlay);
        assert!(show(&mut kitty, &mut terminal, &scene) < 500);
        let [(cell, keys)] = terminal.at(Z_INK)[..] else { panic!("one ink is seen") };
        assert_eq!(*cell, format!("6;{}", x / 10 + 3));
        assert_eq!((keys["X"], keys["Y"], keys["w"], keys["h"]), (5 * i64::from(x == 15), 5, 4, 5));
        assert_eq!(show(&mut kitty, &mut terminal, &scene), 0);
    }
    scene.overlay = None;
    show(&mut kitty, &mut terminal, &scene);
    assert_eq!((terminal.at(Z_INK).len(), terminal.held()), (0, 2));
}

#[test]
fn an_edge_inside_a_cell_has_black_sent_along() {
    let (mut kitty, mut terminal) = new();
    let mut scene = scene(1);
    scene.picture.as_mut().unwrap().target = Area { x: 3, y: 7, width: 793, height: 789 };
    show(&mut kitty, &mut terminal, &scene);
    let [(_, keys)] = terminal.at(Z_PICTURE)[..] else { panic!("one picture is seen") };
    assert_eq!((keys["X"], keys["Y"], keys["c"], keys["r"]), (3, 7, 80, 40));
    assert!(keys["w"] > 400 && terminal.images.values().any(|size| *size == (416, 416)));
}

#[test]
fn a_picture_that_needs_more_black_is_sent_again_and_the_old_one_freed() {
    let (mut kitty, mut terminal) = new();
    let mut scene = scene(1);
    show(&mut kitty, &mut terminal, &scene);
    scene.picture.as_mut().unwrap().target = Area { x: 3, y: 7, width: 791, height: 787 };
    show(&mut kitty, &mut terminal, &scene);
    assert_eq!((terminal.held(), terminal.at(Z_PICTURE).len()), (2, 1));
}

#[test]
fn the_terminals_memory_is_not_filled() {
    let (mut kitty, mut terminal) = new();
    let megabytes = |terminal: &Terminal| {
        terminal.images.values().map(|(width, height)| (width * height * 4) as usize).sum::<usize>() >> 20
    };
    let large = raster(2000);
    for id in 0..20 {
        let mut scene = scene(id);
        let placed = scene.picture.as_mut().unwrap();
        (placed.raster, placed.crop) = (large.clone(), Crop { x: 0.0, y: 0.0, width: 2000.0, height: 2000.0 });
        show(&mut kitty, &mut terminal, &scene);
        assert!(megabytes(&terminal) <= TERMINAL_BYTES_MAX >> 20);
        assert_eq!(terminal.at(Z_PICTURE).len(), 1);
    }
    assert!(megabytes(&terminal) > 150, "but what fits is kept");
    terminal.take(&kitty.clear());
    assert!(terminal.images.is_empty() && terminal.placements.is_empty());
}

#[test]
fn a_draft_gives_way_to_the_exact_picture_and_never_replaces_it() {
    let (mut kitty, mut terminal) = new();
    let (one, draft) = (scene(1), Quality { greys: 16, coarse: 2 });
    let out = kitty.show(&[viewport(Content::Scene(&one))], &[], draft);
    terminal.take(&out);
    assert!(out.len() < 30_000, "{}", out.len());
    assert!(terminal.images.values().any(|size| *size == (200, 200)));
    show(&mut kitty, &mut terminal, &one);
    assert!(!terminal.images.values().any(|size| *size == (200, 200)), "the draft is freed");
    assert_eq!(kitty.show(&[viewport(Content::Scene(&one))], &[], draft), b"");
}

#[test]
fn a_picture_drawn_for_the_screen_is_sent_when_it_changes_and_freed_when_it_goes() {
    let (mut kitty, mut terminal) = new();
    let (one, two) = (raster(800), raster(799));
    for (raster, sends) in [(&one, true), (&one, false), (&two, true)] {
        let out = kitty.show(&[viewport(Content::Flat { raster, overlay: None })], &[], Quality::EXACT);
        assert_eq!(!out.is_empty(), sends);
        terminal.take(&out);
        let [(_, keys)] = terminal.at(Z_PICTURE)[..] else { panic!("one picture is seen") };
        assert!(!keys.contains_key("c"), "pixel by pixel");
    }
    show(&mut kitty, &mut terminal, &scene(1));
    assert_eq!(terminal.held(), 2, "black, and the scene's picture");
}

#[test]
fn viewports_that_close_take_their_pictures_with_them() {
    let (mut kitty, mut terminal) = new();
    let (one, two) = (scene(1), scene(2));
    let right = Viewport { area: Rect::new(82, 3, 80, 40), content: Content::Scene(&two) };
    terminal.take(&kitty.show(&[viewport(Content::Scene(&one)), right], &[], Quality::EXACT));
    assert_eq!((terminal.at(Z_PICTURE).len(), terminal.at(Z_BLACK).len()), (2, 2));
    terminal.take(&kitty.show(&[viewport(Content::Scene(&one))], &[], Quality::EXACT));
    assert_eq!((terminal.at(Z_PICTURE).len(), terminal.at(Z_BLACK).len()), (1, 1));
    let empty = Scene { picture: None, ..one };
    show(&mut kitty, &mut terminal, &empty);
    assert_eq!((terminal.at(Z_PICTURE).len(), terminal.at(Z_BLACK).len()), (0, 1));
}

#[test]
fn a_popup_is_left_free_by_all_that_lies_there() {
    let (mut kitty, mut terminal) = new();
    let overlay = Overlay { width: 800, height: 800, ink: vec![5; 640_000] };
    let one = Scene { overlay: Some(overlay), ..scene(1) };
    for (covered, pieces) in [(&[(5, 5), (40, 9)][..], 7), (&[(5, 5)], 4), (&[(2, 3)], 2), (&[], 1), (&[(7, 7)], 4)] {
        let covered: Vec<Rect> = covered.iter().map(|(x, y)| Rect::new(*x, *y, 20, 3)).collect();
        let out = kitty.show(&[viewport(Content::Scene(&one))], &covered, Quality::EXACT);
        let before = terminal.sent;
        terminal.take(&out);
        assert!(before == 0 || terminal.sent == before, "nothing is sent anew");
        for z in [Z_BLACK, Z_PICTURE, Z_INK] {
            assert_eq!(terminal.at(z).len(), pieces, "{z} with {covered:?}");
            for (cell, keys) in terminal.at(z) {
                let (row, column) = cell.split_once(';').unwrap();
                let (x, y) = (column.parse::<u16>().unwrap() - 1, row.parse::<u16>().unwrap() - 1);
                let cells = |cells: &str, px: &str, size| {
                    keys.get(cells).copied().unwrap_or_else(|| keys[px] / size + i64::from(keys[px] % size > 0)) as u16
                };
                let piece = Rect::new(x, y, cells("c", "w", 10), cells("r", "h", 20));
                assert!(!covered.iter().any(|covered| covered.intersects(piece)), "{piece:?}");
            }
        }
        assert_eq!(kitty.show(&[viewport(Content::Scene(&one))], &covered, Quality::EXACT), b"");
    }
    terminal.take(&kitty.show(&[viewport(Content::Scene(&one))], &[Rect::new(0, 0, 200, 100)], Quality::EXACT));
    assert!(terminal.placements.is_empty());
}

#[test]
fn one_picture_in_two_viewports_is_sent_once() {
    let (mut kitty, mut terminal) = new();
    let one = scene(1);
    let right = Viewport { area: Rect::new(82, 3, 80, 40), content: Content::Scene(&one) };
    terminal.take(&kitty.show(&[viewport(Content::Scene(&one)), right], &[], Quality::EXACT));
    assert_eq!((terminal.at(Z_PICTURE).len(), terminal.held()), (2, 2));
}

#[test]
fn what_the_terminal_cannot_scale_well_it_does_not_get() {
    let (kitty, _) = new();
    let mut scene = scene(1);
    assert!(kitty.can_place(&scene, false));
    scene.picture.as_mut().unwrap().smooth = false;
    assert!(!kitty.can_place(&scene, false), "the terminal always blends");
    assert!(kitty.can_place(&scene, true), "which does no harm while it moves");
    scene.picture.as_mut().unwrap().smooth = true;
    scene.picture.as_mut().unwrap().crop = Crop { x: 10.4, y: 10.0, width: 30.3, height: 30.3 };
    assert!(!kitty.can_place(&scene, false), "a third of a pixel is nine on the screen");
    let placed = scene.picture.as_mut().unwrap();
    placed.crop = Crop { x: 0.0, y: 0.0, width: 400.0, height: 400.0 };
    placed.target = Area { x: 0, y: 0, width: 190, height: 190 };
    assert!(!kitty.can_place(&scene, false), "pixels would be left out");
}

#[test]
fn images_survive_the_wrong_way_round_of_every_frame() {
    // Many frames of alternating kinds: the terminal above asserts that each command makes sense.
    let (mut kitty, mut terminal) = new();
    let (flat, overlay) = (raster(800), Overlay { width: 800, height: 800, ink: vec![1; 640_000] });
    for frame in 0..40_u64 {
        let mut scene = scene(frame % 7);
        scene.overlay = frame.is_multiple_of(3).then(|| overlay.clone());
        let quality = Quality::LADDER[(frame % 6) as usize];
        let content = match frame % 5 {
            4 => Content::Flat { raster: &flat, overlay: frame.is_multiple_of(2).then_some(&overlay) },
            _ => Content::Scene(&scene),
        };
        let area = Rect::new((frame % 4 / 3) as u16, 0, 80, 40);
        let covered = if frame % 6 > 4 { vec![Rect::new(9, 9, 9, 9)] } else { Vec::new() };
        terminal.take(&kitty.show(&[Viewport { area, content }], &covered, quality));
        assert_eq!(terminal.at(Z_PICTURE).len(), if covered.is_empty() { 1 } else { 4 }, "frame {frame}");
    }
}

#[test]
fn what_is_kept_outlives_what_is_freed_and_the_terminal_is_not_filled_with_numbers() {
    let (mut kitty, mut terminal) = new();
    let kept = scene(1);
    show(&mut kitty, &mut terminal, &kept);
    for side in 700..720 {
        let raster = raster(side);
        let out = kitty.show(&[viewport(Content::Flat { raster: &raster, overlay: None })], &[], Quality::EXACT);
        terminal.take(&out);
    }
    // It is placed again, and the terminal has it still.
    let bytes = show(&mut kitty, &mut terminal, &kept);
    assert!(bytes < 1_000, "{bytes}");
    assert_eq!(terminal.at(Z_PICTURE).len(), 1);
    assert!(terminal.images.len() <= 4, "{}", terminal.images.len());
}
