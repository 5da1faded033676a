//! Studies: DICOM files in, de-identified, packed and sealed; and out again.
//!
//! ```text
//! source -> part10 -> deidentify -> write -> packing -> object -> sink
//!           `--- import drives all of this, file by file ---'
//! object -> packing -> export
//! ```
//!
//! [`source`] finds files, [`part10`] reads one without dragging its pixel data through an object model,
//! [`deidentify`] decides, attribute by attribute, what leaves and what stays, [`typed_text`] looks at what people
//! type, [`mod@write`] builds the file anew around the cleaned header, [`packing`] makes it small and byte-exact,
//! [`object`] cuts it into sealed chunks, [`manifest`] names the chunks for the other side, [`order`] puts images into
//! reading order. [`pixels`] decodes and windows frames, [`geometry`] says what a pixel measures and which side is
//! which, [`plane`] where a frame lies in the patient, [`measure`] what a mark does; [`mask`] burns black rectangles into
//! every frame. [`import`] drives it; [`export`] goes the other way; [`synthetic`] makes the demo's patient. Nothing here
//! knows a database or a socket, and of a case only the shapes of marks.

pub mod deidentify;
pub mod export;
pub mod geometry;
pub mod import;
pub mod manifest;
pub mod mask;
pub mod measure;
pub mod object;
pub mod order;
pub mod packing;
pub mod part10;
pub mod pixels;
pub mod plane;
pub mod source;
pub mod synthetic;
pub mod typed_text;
pub mod walk;
pub mod write;
