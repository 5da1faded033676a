//! What to draw: from a frame's values to the pixels of a viewport. Knows no terminal, no file and no clock.
//!
//! ```text
//! study::pixels -> Raster (windowed, at the image's own resolution) -> Scene (placed in a viewport, ink on top)
//!                                                                       `-> ui::graphics: bytes for a terminal
//! ```
//!
//! Start with [`raster::Scene`]: it is what a viewport hands to whoever shows it.
//!
//! A frame alone has pixels; several have a patient. [`space`] finds in one viewport what another one shows, [`stack`]
//! orders a series in space and says what is wrong with it, [`volume`] holds its values, [`mpr`] cuts them.

pub mod mpr;
pub mod raster;
pub mod space;
pub mod stack;
pub mod volume;
