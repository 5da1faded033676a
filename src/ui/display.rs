//! What stands on the terminal: characters by ratatui, and over their blank cells the pictures.

use std::io;
use std::time::Instant;

use ratatui::layout::{Rect, Size};

use super::app::App;
use super::check;
use super::graphics::{self, Capabilities, Colours, Content, Link, Protocol, Quality, Viewport, Wants, half_blocks};
use super::screen::{Dots, Shows};
use super::terminal::Terminal;
use crate::node::api::Check;
use crate::view::raster::{Overlay, Raster, Scene};

/// How long after the last change a picture counts as moving, in milliseconds.
const MOVING_MS: u128 = 150;

/// The terminal's pictures, and how fast it takes them.
pub struct Display {
    capabilities: Capabilities,
    screen: graphics::Screen,
    link: Link,
    /// When something was last written, to tell moving from resting.
    wrote: Option<Instant>,
    /// What stands there. Most of the time nobody touches a key, and then nothing of it is made again.
    stands: Option<Standing>,
}

/// Pictures as they were drawn last.
struct Standing {
    scenes: Vec<(Rect, Scene)>,
    forms: Vec<Form>,
    moving: bool,
    covered: Vec<Rect>,
    size: Size,
    quality: Quality,
}

/// A scene in the form that the terminal takes.
enum Form {
    Scene,
    Flat(Raster, Option<Overlay>),
    Nothing,
}

impl Display {
    pub fn new(capabilities: Capabilities) -> Self {
        let screen = graphics::Screen::new(&capabilities, std::process::id());
        Self { capabilities, screen, link: Link::default(), wrote: None, stands: None }
    }

    /// Frees what the terminal keeps and begins anew, perhaps in another way. How fast the line is stays known.
    pub fn show_with(&mut self, capabilities: Capabilities, terminal: &mut Terminal) -> io::Result<()> {
        let cleared = self.clear(terminal);
        *self = Self { link: std::mem::take(&mut self.link), ..Self::new(capabilities) };
        cleared
    }

    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// The dots of a cell.
    pub fn dots(&self) -> Dots {
        let (across, down) = self.screen.size_px(Rect::new(0, 0, 1, 1));
        Dots { across: across.max(1), down: down.max(1) }
    }

    /// What an opinion says of how pictures were shown.
    pub fn shows(&self) -> Shows {
        Shows { protocol: self.capabilities.protocol, greys: self.capabilities.greys() }
    }

    /// What the set-up check says of the terminal.
    pub fn checks(&self) -> Vec<Check> {
        check::checks(&self.capabilities, self.link.bytes_per_second())
    }

    /// Draws the app: text and pictures, in one update of the screen.
    pub fn draw(&mut self, terminal: &mut Terminal, app: &mut App) -> io::Result<()> {
        let scenes = app.scenes();
        let areas: Vec<Rect> = scenes.iter().map(|(area, _)| *area).collect();
        if self.screen.must_clear(&areas) {
            terminal.forget()?;
            self.forget();
        }
        let moving = self.wrote.is_some_and(|wrote| wrote.elapsed().as_millis() < MOVING_MS);
        let quality = self.link.quality(moving);
        let stands = self.stands.take().filter(|stands| stands.looks_like(&scenes, moving));
        let (forms, before) = match stands {
            Some(Standing { forms, covered, size, quality, .. }) => (forms, Some((covered, size, quality))),
            None => (scenes.iter().map(|(_, scene)| self.form(scene, moving)).collect(), None),
        };
        let (colours, cells) = (self.capabilities.colours, self.capabilities.protocol == Protocol::HalfBlocks);
        let mut size = Size::default();
        terminal.draw(|frame| {
            size = frame.area().as_size();
            if cells {
                for (area, form) in areas.iter().zip(&forms) {
                    draw_cells(frame.buffer_mut(), *area, form, colours, quality);
                }
            }
            // Letters, labels and toasts stand above pictures that are made of characters.
            app.draw(frame);
        })?;
        let covered = app.covered();
        let is_new = before.is_none_or(|before| before != (covered.clone(), size, quality));
        let bytes = match is_new {
            true => self.screen.show(&viewports(&scenes, &forms), &covered, size, quality),
            false => Vec::new(),
        };
        self.stands = Some(Standing { scenes, forms, moving, covered, size, quality });
        if !bytes.is_empty() {
            let began = Instant::now();
            terminal.write(&bytes)?;
            self.link.wrote(quality, bytes.len(), began.elapsed());
            self.wrote = Some(Instant::now());
        }
        Ok(())
    }

    fn form(&self, scene: &Scene, moving: bool) -> Form {
        match self.screen.wants(scene, moving) {
            Wants::Scene => Form::Scene,
            Wants::Flat { width, height } => {
                let (raster, overlay) = scene.flatten(width, height);
                Form::Flat(raster, overlay)
            }
            Wants::Nothing => Form::Nothing,
        }
    }

    /// What was shown is gone.
    pub fn forget(&mut self) {
        self.screen.forget();
        self.stands = None;
    }

    /// Frees what the terminal keeps.
    pub fn clear(&mut self, terminal: &mut Terminal) -> io::Result<()> {
        let bytes = self.screen.clear();
        self.stands = None;
        terminal.write(&bytes)
    }
}

impl Standing {
    /// Whether these pictures, moving or not, are in the same form.
    fn looks_like(&self, scenes: &[(Rect, Scene)], moving: bool) -> bool {
        let is_same = |((area, scene), (before, stands)): (&(Rect, Scene), &(Rect, Scene))| {
            area == before && scene.looks_like(stands)
        };
        self.moving == moving && self.scenes.len() == scenes.len() && scenes.iter().zip(&self.scenes).all(is_same)
    }
}

fn viewports<'a>(scenes: &'a [(Rect, Scene)], forms: &'a [Form]) -> Vec<Viewport<'a>> {
    let viewport = |((area, scene), form): (&'a (Rect, Scene), &'a Form)| {
        let content = match form {
            Form::Scene => Content::Scene(scene),
            Form::Flat(raster, overlay) => Content::Flat { raster, overlay: overlay.as_ref() },
            Form::Nothing => return None,
        };
        Some(Viewport { area: *area, content })
    };
    scenes.iter().zip(forms).filter_map(viewport).collect()
}

fn draw_cells(buffer: &mut ratatui::buffer::Buffer, area: Rect, form: &Form, colours: Colours, quality: Quality) {
    if let Form::Flat(raster, overlay) = form {
        half_blocks::draw(buffer, area, raster, overlay.as_ref(), colours, quality);
    }
}
