//! Pictures: one slice of a stack after the other as bytes for a terminal, in the size of a usual window and of a full
//! screen.
//!
//! Measured from the decoded slice to the bytes to be written: window, scale, two marks and a scale bar, encoding;
//! half-blocks with ratatui's comparison. Slices seen before are the same stack a second time, through the rasters that
//! the viewer keeps. Peers draw the same slices, windowed before, scaled to the same cells and without marks:
//! `ratatui-image` in this process, `chafa` and `timg` as programs, which start and read a file as well. Kilobytes are
//! those of 1000 bytes.

use std::cell::RefCell;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::Instant;

use image::{DynamicImage, GrayImage};
use overread::study::geometry::{Scale, SpacingBasis};
use overread::study::pixels::{Frame, Image, Window};
use overread::study::synthetic;
use overread::ui::graphics::{
    Answer, Capabilities, CellSize, Colours, Content, Environment, Protocol, Quality, Screen, Setting, SixelLimits,
    Viewport, Wants, half_blocks,
};
use overread::view::ink::{Canvas, Stroke};
use overread::view::mapping::{ImagePlane, Size as ViewSize};
use overread::view::pose::Pose;
use overread::view::raster::{Overlay, Pixels, Raster, Scene};
use overread::view::scene::{Asked, Pictures};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Rect, Size};
use ratatui::{Terminal, TerminalOptions};
use ratatui_image::picker::{Picker, ProtocolType};
use ratatui_image::{FilterType, Resize};
use tempfile::TempDir;

use crate::Outcome;
use crate::table::{Figure, Peer, Samples, Table};
use crate::terminal::SCREENS;

const SLICES: u32 = 100;

/// Slices that peers draw: enough for their time, which is longer.
const PEER_SLICES: usize = 20;

const CELL: CellSize = CellSize { width: 10, height: 20 };

const FRAME_KB_GOAL: f64 = 400.0;

/// The mediastinum.
const WINDOW: Window = Window::Values { width: 400.0, level: 40.0 };

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
    let windowed = stack.iter().take(PEER_SLICES).map(windowed).collect::<Outcome<Vec<_>>>()?;
    for (file, slice) in files.iter().zip(&windowed) {
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
            let [ours, seen_again] = ours(*protocol, &stack, area)?;
            let size = format!("{columns}x{}", rows - 1);
            let peers = [
                ("ratatui-image", by_ratatui_image(*theirs, &windowed, area)?),
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
            if *protocol == Protocol::Kitty {
                table.add(Figure::new(format!("{what}, seen before, p50"), "ms", seen_again.time(50)));
                table.add(Figure::new(format!("{what}, seen before, p99"), "ms", seen_again.time(99)));
                table.add(Figure::new(format!("{what}, seen before, size"), "KB", seen_again.size()));
            }
        }
    }
    Ok(())
}

/// The demo's chest.
fn stack() -> Outcome<Vec<Frame>> {
    let slice = |index| -> Outcome<Frame> { Ok(Image::read(&synthetic::slice(7, index, SLICES)?)?.frame(1)?) };
    (0..SLICES).map(slice).collect()
}

fn windowed(slice: &Frame) -> Outcome<Raster> {
    let shown = slice.display(WINDOW)?;
    Ok(Raster { width: shown.columns, height: shown.rows, pixels: Pixels::Grey(shown.bytes) })
}

/// The stack for the first time, and again.
fn ours(protocol: Protocol, stack: &[Frame], area: Rect) -> Outcome<[Frames; 2]> {
    let mut screen = screen(protocol);
    let (width, height) = screen.size_px(area);
    let viewport = ViewSize { width, height };
    let mut cells = CellScreen::new(area);
    let mut pictures = Pictures::default();
    let mut pass = || -> Outcome<Frames> {
        let mut frames = Frames::default();
        for (key, slice) in (0u32..).zip(stack) {
            let mut failed = None;
            frames.take(|| match scene(&mut pictures, key, slice, viewport) {
                Ok(scene) => sent(protocol, (&mut screen, &mut cells), area, &scene),
                Err(error) => {
                    failed = Some(error);
                    0
                }
            });
            failed.map_or(Ok(()), Err)?;
        }
        Ok(frames)
    };
    Ok([pass()?, pass()?])
}

/// The whole slice, as large as fits, and ink above it.
fn scene(pictures: &mut Pictures<u32>, key: u32, slice: &Frame, viewport: ViewSize) -> Outcome<Scene> {
    let millimetres = 0.74;
    let scale = Scale::Millimetres {
        between_columns_mm: millimetres,
        between_rows_mm: millimetres,
        basis: SpacingBasis::InPatient,
    };
    let plane = ImagePlane::new(slice.columns(), slice.rows(), &scale);
    let asked = Asked { key, plane: &plane, pose: &Pose::default(), viewport, draft: false };
    let mut scene = pictures.scene(asked, |_| slice.display(WINDOW))?;
    scene.overlay = ink(viewport, key);
    Ok(scene)
}

/// A length, an ellipse and a scale bar; not where they were on the slice before.
fn ink(ViewSize { width, height }: ViewSize, slice: u32) -> Option<Overlay> {
    let mut canvas = Canvas::new(width, height);
    let at = |x: f64, y: f64| (x * f64::from(width) + f64::from(slice % 7), y * f64::from(height));
    canvas.line(at(0.4, 0.3), at(0.5, 0.45), Stroke::solid(2));
    canvas.ellipse([at(0.55, 0.5), at(0.65, 0.5), at(0.6, 0.4), at(0.6, 0.6)], Stroke::solid(8));
    canvas.scale_bar(at(0.02, 0.95), f64::from(width) / 4.0, 1);
    canvas.finish()
}

/// Bytes that bring a scene to the terminal, in the form that it takes.
fn sent(protocol: Protocol, (screen, cells): (&mut Screen, &mut CellScreen), area: Rect, scene: &Scene) -> usize {
    let flat = match screen.wants(scene, true) {
        Wants::Scene => return show(screen, area, Content::Scene(scene)),
        Wants::Nothing => return 0,
        Wants::Flat { width, height } => scene.flatten(width, height),
    };
    let (raster, overlay) = (&flat.0, flat.1.as_ref());
    match protocol == Protocol::HalfBlocks {
        true => cells.bytes(|frame| {
            half_blocks::draw(frame.buffer_mut(), area, raster, overlay, Colours::True, Quality::EXACT);
        }),
        false => show(screen, area, Content::Flat { raster, overlay }),
    }
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

fn by_ratatui_image(protocol: ProtocolType, stack: &[Raster], area: Rect) -> Outcome<Frames> {
    let mut picker = Picker::halfblocks();
    picker.set_protocol_type(protocol);
    let mut cells = CellScreen::new(area);
    let mut frames = Frames::default();
    for slice in stack {
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
