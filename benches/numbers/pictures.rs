//! Pictures: one slice of a stack after the other as bytes for a terminal, in the size of a usual window and of a full
//! screen.
//!
//! Measured from the windowed slice, for Sixel, iTerm2 and half-blocks already drawn in the screen's size, to the bytes
//! to be written; half-blocks with ratatui's comparison. Peers draw the same slices scaled to the same cells:
//! `ratatui-image` in this process, `chafa` and `timg` as programs, which start and read a file as well. Kilobytes are
//! those of 1000 bytes.

use std::cell::RefCell;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use image::{DynamicImage, GrayImage};
use overread::study::pixels::{Image, Window};
use overread::study::synthetic;
use overread::ui::graphics::{
    Answer, Capabilities, CellSize, Colours, Content, Environment, Protocol, Quality, Screen, Setting, SixelLimits,
    Viewport, half_blocks,
};
use overread::view::raster::{Area, Crop, PictureId, Pixels, Placed, Raster, Scene};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Rect, Size};
use ratatui::{Terminal, TerminalOptions};
use ratatui_image::picker::{Picker, ProtocolType};
use ratatui_image::{FilterType, Resize};
use tempfile::TempDir;

use crate::Outcome;
use crate::table::{Figure, Peer, Samples, Table};

const SLICES: u32 = 100;

/// Slices that peers draw: enough for their time, which is longer.
const PEER_SLICES: usize = 20;

const CELL: CellSize = CellSize { width: 10, height: 20 };

const FRAME_KB_GOAL: f64 = 400.0;

/// Name, columns, rows, and how many times the goals may be taken.
const SCREENS: [(&str, u16, u16, f64); 2] = [("160 x 50 cells", 160, 50, 1.0), ("full HD", 192, 54, 2.0)];

/// A way to show pictures, its goal in ms, and the name for it in `chafa` and `timg`.
const ENCODERS: [(Protocol, f64, ProtocolType, &str, &str); 4] = [
    (Protocol::Kitty, 4.0, ProtocolType::Kitty, "kitty", "-pk"),
    (Protocol::Sixel, 16.0, ProtocolType::Sixel, "sixels", "-ps"),
    (Protocol::Iterm2, 16.0, ProtocolType::Iterm2, "iterm", "-pi"),
    (Protocol::HalfBlocks, 4.0, ProtocolType::Halfblocks, "symbols", "-ph"),
];

/// Time in ms and size in KB of each frame.
#[derive(Default)]
struct Frames {
    times: Vec<f64>,
    sizes: Vec<f64>,
}

pub fn measure(table: &mut Table) -> Outcome<()> {
    let stack = stack()?;
    let folder = TempDir::new()?;
    let files: Vec<_> = (0..PEER_SLICES).map(|slice| folder.path().join(format!("{slice}.png"))).collect();
    for (file, slice) in files.iter().zip(&stack) {
        grey_image(slice)?.save(file)?;
    }
    for program in ["chafa", "timg"] {
        if Command::new(program).arg("--version").output().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            table.pass_over(format!("pictures: {program} is not installed"));
        }
    }
    for (screen, columns, rows, times_goal) in SCREENS {
        let area = Rect::new(0, 0, columns, rows - 1);
        for (protocol, goal, theirs, chafa, timg) in &ENCODERS {
            let ours = ours(*protocol, &stack, area);
            let size = format!("{columns}x{}", rows - 1);
            let peers = [
                ("ratatui-image", by_ratatui_image(*theirs, &stack, area)?),
                ("chafa", by_program("chafa", &["-f", chafa, "--size", &size], &files)?),
                ("timg", by_program("timg", &[timg, "-g", &size], &files)?),
            ];
            let peers = |samples: fn(&Frames) -> Samples| -> Vec<Peer> {
                let measured = peers.iter().filter(|(_, frames)| !frames.times.is_empty());
                measured.map(|(name, frames)| Peer { name: (*name).to_owned(), samples: samples(frames) }).collect()
            };
            let what = format!("picture, {protocol}, {screen}");
            let figure =
                Figure::new(format!("{what}, p50"), "ms", ours.time(50)).beside(peers(|frames| frames.time(50)));
            table.add(figure);
            let figure = Figure::new(format!("{what}, p99"), "ms", ours.time(99)).goal(goal * times_goal);
            table.add(figure.beside(peers(|frames| frames.time(99))));
            let figure = Figure::new(format!("{what}, size"), "KB", ours.size()).goal(FRAME_KB_GOAL);
            table.add(figure.beside(peers(Frames::size)));
        }
        let seen_again = seen_again(&stack, area);
        table.add(Figure::new(format!("picture, kitty, {screen}, seen before, p99"), "ms", seen_again.time(99)));
        table.add(Figure::new(format!("picture, kitty, {screen}, seen before, size"), "KB", seen_again.size()));
    }
    Ok(())
}

/// The demo's chest, windowed for the mediastinum.
fn stack() -> Outcome<Vec<Arc<Raster>>> {
    let slice = |index| -> Outcome<Arc<Raster>> {
        let file = synthetic::slice(7, index, SLICES)?;
        let shown = Image::read(&file)?.frame(1)?.display(Window::Values { width: 400.0, level: 40.0 })?;
        Ok(Arc::new(Raster { width: shown.columns, height: shown.rows, pixels: Pixels::Grey(shown.bytes) }))
    };
    (0..SLICES).map(slice).collect()
}

fn ours(protocol: Protocol, stack: &[Arc<Raster>], area: Rect) -> Frames {
    let mut screen = screen(protocol);
    let mut cells = CellScreen::new(area);
    let mut frames = Frames::default();
    for (id, slice) in (0..).zip(stack) {
        let scene = scene(slice, id, screen.size_px(area));
        let flat = drawn(&scene);
        frames.take(|| match protocol {
            Protocol::HalfBlocks => cells.bytes(|frame| {
                half_blocks::draw(frame.buffer_mut(), area, &flat, None, Colours::True, Quality::EXACT);
            }),
            Protocol::Kitty => show(&mut screen, area, Content::Scene(&scene)),
            _ => show(&mut screen, area, Content::Flat { raster: &flat, overlay: None }),
        });
    }
    frames
}

/// The stack a second time.
fn seen_again(stack: &[Arc<Raster>], area: Rect) -> Frames {
    let mut screen = screen(Protocol::Kitty);
    let scenes: Vec<Scene> = (0..).zip(stack).map(|(id, slice)| scene(slice, id, screen.size_px(area))).collect();
    for scene in &scenes {
        show(&mut screen, area, Content::Scene(scene));
    }
    let mut frames = Frames::default();
    scenes.iter().for_each(|scene| frames.take(|| show(&mut screen, area, Content::Scene(scene))));
    frames
}

fn screen(protocol: Protocol) -> Screen {
    let environment = Environment::read(|_| None);
    let answer = Answer { protocol, cell: Some(CELL), sixel: SixelLimits::default() };
    Screen::new(&Capabilities::of(&environment, Some(&answer), Setting::Auto), 1)
}

fn show(screen: &mut Screen, area: Rect, content: Content) -> usize {
    let size = Size::new(area.width, area.height + 1);
    screen.show(&[Viewport { area, content }], &[], size, Quality::EXACT).len()
}

/// The whole slice, as large as fits.
fn scene(slice: &Arc<Raster>, id: u64, (width, height): (u32, u32)) -> Scene {
    let side = width.min(height);
    let crop = Crop { x: 0.0, y: 0.0, width: slice.width.into(), height: slice.height.into() };
    let target = Area { x: (width - side) / 2, y: (height - side) / 2, width: side, height: side };
    let placed = Placed { raster: slice.clone(), id: PictureId(id), crop, target, smooth: true };
    Scene { width, height, picture: Some(placed), overlay: None }
}

/// The scene in its size, each pixel the one it falls on: as sharp, and as dear to send, as can be.
fn drawn(scene: &Scene) -> Raster {
    let mut pixels = vec![0; scene.width as usize * scene.height as usize];
    if let Some(placed) = &scene.picture
        && let Pixels::Grey(source) = &placed.raster.pixels
    {
        let (from, target) = (placed.raster.width, placed.target);
        for (x, y) in (0..target.height).flat_map(|y| (0..target.width).map(move |x| (x, y))) {
            let at = y * from / target.height * from + x * from / target.width;
            pixels[((target.y + y) * scene.width + target.x + x) as usize] = source[at as usize];
        }
    }
    Raster { width: scene.width, height: scene.height, pixels: Pixels::Grey(pixels) }
}

fn by_ratatui_image(protocol: ProtocolType, stack: &[Arc<Raster>], area: Rect) -> Outcome<Frames> {
    let mut picker = Picker::halfblocks();
    picker.set_protocol_type(protocol);
    let mut cells = CellScreen::new(area);
    let mut frames = Frames::default();
    for slice in stack.iter().take(PEER_SLICES) {
        let image = DynamicImage::from(grey_image(slice)?);
        let mut failed = None;
        frames.take(|| match picker.new_protocol(image, area.as_size(), Resize::Scale(Some(FilterType::Triangle))) {
            Ok(shown) => cells.bytes(|frame| frame.render_widget(ratatui_image::Image::new(&shown), area)),
            Err(error) => {
                failed = Some(error);
                0
            }
        });
        failed.map_or(Ok(()), Err)?;
    }
    Ok(frames)
}

/// Nothing if the program is not installed, or does not know the way.
fn by_program(program: &str, arguments: &[&str], files: &[impl AsRef<Path>]) -> Outcome<Frames> {
    let mut frames = Frames::default();
    for file in files {
        let start = Instant::now();
        let output = match Command::new(program).args(arguments).arg(file.as_ref()).output() {
            Err(error) if error.kind() == ErrorKind::NotFound => break,
            output => output?,
        };
        if !output.status.success() {
            break;
        }
        frames.add(start, output.stdout.len());
    }
    Ok(frames)
}

fn grey_image(slice: &Raster) -> Outcome<GrayImage> {
    let Pixels::Grey(pixels) = &slice.pixels else { return Err("the demo's slices are grey".into()) };
    Ok(GrayImage::from_raw(slice.width, slice.height, pixels.clone()).ok_or("a slice has as many pixels as it says")?)
}

impl Frames {
    fn take(&mut self, frame: impl FnOnce() -> usize) {
        let start = Instant::now();
        let bytes = frame();
        self.add(start, bytes);
    }

    fn add(&mut self, start: Instant, bytes: usize) {
        self.times.push(start.elapsed().as_secs_f64() * 1000.0);
        self.sizes.push(bytes as f64 / 1000.0);
    }

    fn time(&self, percent: usize) -> Samples {
        Samples::of([Samples::of(self.times.iter().copied()).percentile(percent)])
    }

    fn size(&self) -> Samples {
        Samples::of(self.sizes.iter().copied())
    }
}

/// A terminal that counts what ratatui writes.
struct CellScreen {
    terminal: Terminal<CrosstermBackend<Counter>>,
    written: Counter,
}

#[derive(Clone, Default)]
struct Counter(Rc<RefCell<Vec<u8>>>);

impl CellScreen {
    fn new(area: Rect) -> Self {
        let written = Counter::default();
        let options = TerminalOptions { viewport: ratatui::Viewport::Fixed(area) };
        let terminal = Terminal::with_options(CrosstermBackend::new(written.clone()), options);
        #[allow(clippy::expect_used, reason = "a fixed viewport asks nothing of the terminal")]
        Self { terminal: terminal.expect("a fixed viewport"), written }
    }

    fn bytes(&mut self, draw: impl FnOnce(&mut ratatui::Frame)) -> usize {
        self.written.0.borrow_mut().clear();
        match self.terminal.draw(draw) {
            Ok(_) => self.written.0.borrow().len(),
            Err(_) => 0,
        }
    }
}

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
