//! Pictures on a terminal: what `view` made, as bytes the terminal in front of the reader understands.
//!
//! General encoders treat a grey picture as a colour one, look for its best colours and send three or four bytes a
//! pixel. Ours know that it is grey, that most of it is on the screen already, and that a reader scrolls.
//!
//! | protocol | picture | ink | greys |
//! |---|---|---|---|
//! | [`kitty`] | sent once at its own resolution, scaled and kept by the terminal | an image of its own above | 256 |
//! | [`sixel`] | the cells that changed, in a fixed palette | drawn in | 64 |
//! | [`iterm2`] | the rows of cells that changed, as PNG | drawn in | 256 |
//! | [`half_blocks`] | characters in ratatui's buffer | drawn in | 4 to 256 |
//!
//! ```text
//!   query -> Answer -> Capabilities -> Screen --wants--> the scene itself, or drawn in a size
//!                                        |                                      |
//!   Link --quality--> exact or draft ----+--show(viewports)--> bytes to write after ratatui's frame
//! ```
//!
//! One frame: ask [`Screen::wants`] for each viewport, hand that in, write what [`Screen::show`] returns after
//! ratatui's draw (best both inside one synchronised update), and tell [`Link`] the bytes and the time. The cells of a
//! viewport stay blank in ratatui's buffer, except those named as covered; with half-blocks they are drawn by
//! [`half_blocks::draw`] instead.
//!
//! What a reader must be told about a picture is in [`limits`]. Nothing here judges, scales or windows an image.

mod ansi;
mod detect;
pub mod half_blocks;
mod iterm2;
mod kitty;
mod limits;
mod link;
mod palette;
mod pieces;
mod png;
mod quality;
pub mod query;
mod sixel;
pub mod test_picture;

use ratatui::layout::{Rect, Size};

use crate::view::raster::{Overlay, Raster, Scene};

pub use detect::{Answer, Capabilities, CellSize, Colours, Environment, GREYS_MIN, Protocol, Setting, SixelLimits};
pub use limits::{Limit, limits};
pub use link::{FRAME_BYTES_MAX, Link};
pub use quality::Quality;

use iterm2::Iterm2;
use kitty::Kitty;
use sixel::Sixel;

/// One viewport on the screen.
pub struct Viewport<'a> {
    /// In cells.
    pub area: Rect,
    pub content: Content<'a>,
}

/// What it shows, in the form that [`Screen::wants`].
#[derive(Clone, Copy)]
pub enum Content<'a> {
    Scene(&'a Scene),
    /// Drawn in the size asked for.
    Flat {
        raster: &'a Raster,
        overlay: Option<&'a Overlay>,
    },
}

/// The form in which a scene can be shown here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// As it is.
    Scene,
    /// Drawn in so many pixels.
    Flat { width: u32, height: u32 },
    /// Not at all.
    Nothing,
}

/// A terminal, and what is on it.
pub struct Screen {
    protocol: Protocol,
    cell: CellSize,
    terminal: Terminal,
    /// The viewports shown last.
    areas: Vec<Rect>,
}

enum Terminal {
    Kitty(Kitty),
    Sixel(Sixel),
    Iterm2(Iterm2),
    /// Nothing but ratatui's own cells.
    Cells,
}

impl<'a> Content<'a> {
    fn overlay(self) -> Option<&'a Overlay> {
        match self {
            Self::Scene(scene) => scene.overlay.as_ref(),
            Self::Flat { overlay, .. } => overlay,
        }
    }
}

impl Screen {
    /// `seed` tells programs apart that share a terminal: the process number will do.
    pub fn new(capabilities: &Capabilities, seed: u32) -> Self {
        let terminal = match capabilities.protocol {
            Protocol::Kitty => Terminal::Kitty(Kitty::new(capabilities.cell, seed)),
            Protocol::Sixel => Terminal::Sixel(Sixel::new(capabilities)),
            Protocol::Iterm2 => Terminal::Iterm2(Iterm2::new(capabilities.cell)),
            Protocol::HalfBlocks | Protocol::None => Terminal::Cells,
        };
        Self { protocol: capabilities.protocol, cell: capabilities.cell, terminal, areas: Vec::new() }
    }

    /// Pixels of an area: the size for which `view` makes its scenes.
    pub fn size_px(&self, area: Rect) -> (u32, u32) {
        match self.protocol {
            Protocol::HalfBlocks | Protocol::None => half_blocks::size_px(area),
            _ => (u32::from(area.width) * self.cell.width, u32::from(area.height) * self.cell.height),
        }
    }

    /// In which form to hand in a scene. A picture that moves may be half an image pixel off its ink where that spares
    /// drawing it.
    pub fn wants(&self, scene: &Scene, moving: bool) -> Wants {
        match &self.terminal {
            Terminal::Kitty(kitty) if kitty.can_place(scene, moving) => Wants::Scene,
            Terminal::Cells if self.protocol == Protocol::None => Wants::Nothing,
            _ => Wants::Flat { width: scene.width, height: scene.height },
        }
    }

    /// Whether this change of layout leaves pictures behind, so that the screen has to be cleared (and then
    /// [`Self::forget`] called) before the next frame is drawn.
    pub fn must_clear(&self, areas: &[Rect]) -> bool {
        let stays_behind = matches!(self.terminal, Terminal::Sixel(_) | Terminal::Iterm2(_));
        stays_behind && self.areas.iter().any(|area| !areas.contains(area))
    }

    /// The bytes that bring the screen to this state. `covered` are cells where text lies above the pictures: a popup, a
    /// label in a corner.
    pub fn show(&mut self, viewports: &[Viewport], covered: &[Rect], screen: Size, quality: Quality) -> Vec<u8> {
        self.areas = viewports.iter().map(|viewport| viewport.area).collect();
        match &mut self.terminal {
            Terminal::Kitty(kitty) => kitty.show(viewports, covered, quality),
            Terminal::Sixel(sixel) => sixel.show(viewports, covered, screen, quality),
            Terminal::Iterm2(iterm2) => iterm2.show(viewports, covered, screen, quality),
            Terminal::Cells => Vec::new(),
        }
    }

    /// What was shown is gone: the screen was cleared, or used by another program. For a change of size or font write
    /// what [`Self::clear`] returns instead, and begin with a new one.
    pub fn forget(&mut self) {
        self.areas.clear();
        match &mut self.terminal {
            Terminal::Kitty(kitty) => kitty.forget(),
            Terminal::Sixel(sixel) => sixel.forget(),
            Terminal::Iterm2(iterm2) => iterm2.forget(),
            Terminal::Cells => {}
        }
    }

    /// The bytes that free what the terminal keeps for us, to be written before leaving.
    pub fn clear(&mut self) -> Vec<u8> {
        let out = match &mut self.terminal {
            Terminal::Kitty(kitty) => kitty.clear(),
            _ => Vec::new(),
        };
        self.forget();
        out
    }
}
