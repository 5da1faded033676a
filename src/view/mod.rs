//! What to draw: from a frame's values to the pixels of a viewport. Knows no terminal, no file and no clock.
//!
//! ```text
//! study::pixels -> Raster (windowed, at the image's own resolution) -> Scene (placed in a viewport, ink on top)
//!                                                                       `-> ui::graphics: bytes for a terminal
//! ```
//!
//! [`pose`] says how an image is looked at, [`mapping`] where its points lie on the screen; [`scene`] makes the
//! picture, which is drawn in an exact size where a terminal cannot scale (`Scene::flatten`); [`ink`] draws what lies
//! above it, and [`marks`] what colleagues drew. [`letters`] and [`corner`] are the words around it, [`layout`] shares
//! the screen among viewports, [`thumbnail`] tells images apart, [`window`] and [`snap`] answer hand and keys, and [`attached`] says a pose to others.
//!
//! Start with [`raster::Scene`]: it is what a viewport hands to whoever shows it.
//!
//! A frame alone has pixels; several have a patient. [`space`] finds in one viewport what another one shows, [`stack`]
//! orders a series in space and says what is wrong with it, [`volume`] holds its values, [`mpr`] cuts them.

pub mod attached;
pub mod corner;
mod flatten;
pub mod ink;
pub mod layout;
pub mod letters;
pub mod mapping;
pub mod marks;
pub mod mpr;
pub mod pose;
pub mod raster;
mod resample;
pub mod scene;
pub mod snap;
pub mod space;
pub mod stack;
pub mod thumbnail;
mod turn;
pub mod volume;
pub mod window;
