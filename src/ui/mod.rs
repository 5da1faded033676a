//! The terminal app: what a person sees and presses.
//!
//! [`graphics`] turns the pictures that `view` makes into bytes for whatever terminal is in front of the reader.

pub mod graphics;
