//! What to draw: from a frame's values to the pixels of a viewport. Knows no terminal, no file and no clock.
//!
//! ```text
//! study::pixels -> Raster (windowed, at the image's own resolution) -> Scene (placed in a viewport, ink on top)
//!                                                                       `-> ui::graphics: bytes for a terminal
//! ```
//!
//! Start with [`raster::Scene`]: it is what a viewport hands to whoever shows it.

pub mod raster;
