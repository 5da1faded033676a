//! Pictures for the node: values of marks, and frames for `study image`.

use super::api::{Failure, FailureCode, ImageView, PixelValues, Reply, WindowView};
use super::core::Node;
use crate::case::content::{Measured, Point, Shape};
use crate::study::measure::{MeasureError, measure as measured};
use crate::study::pixels::{Choice, Image, NoSuv, PixelError, Window};

impl Node {
    /// One frame's stored, modality, uptake or display values.
    pub fn study_image(
        &mut self,
        typed: &str,
        sop_instance_uid: &str,
        frame: u32,
        values: PixelValues,
        window: Option<&str>,
    ) -> Result<Reply, Failure> {
        let study = self.find_study_anywhere(typed)?;
        let file = self.open_file(study, sop_instance_uid)?;
        let window: Window = window.map_or(Ok(Window::Default), str::parse).map_err(|error| {
            Failure::new(FailureCode::WrongUse, format!("This is no window: {error}"))
                .hint("Write WIDTH/LEVEL like 400/40, a preset like lung, or file:1.")
        })?;
        let frame = Image::read(&file).and_then(|image| image.frame(frame)).map_err(pixel_failure)?;
        let view = ImageView {
            rows: frame.rows(),
            columns: frame.columns(),
            samples: frame.samples(),
            values: Vec::new(),
            unit: "1".into(),
            basis: None,
            integer: false,
            photometric: frame.photometric().to_string(),
            windows: frame.choices().iter().map(window_view).collect(),
        };
        let view = match values {
            PixelValues::Stored => {
                let (kind, bytes) = frame.stored_array();
                ImageView { values: numbers(kind, &bytes), integer: !kind.contains('f'), ..view }
            }
            PixelValues::Modality => {
                ImageView { values: frame.modality(), unit: frame.unit().ucum().to_owned(), ..view }
            }
            PixelValues::Suv => {
                let suv = frame.suv().map_err(|why| {
                    let what = match why {
                        NoSuv::NotPet => "This is not a PET image.".to_owned(),
                        why => format!("There is {why}."),
                    };
                    Failure::new(FailureCode::Failed, what)
                        .hint("--values modality gives the values in the file's own unit.")
                })?;
                let values = frame.modality().into_iter().map(|value| suv.of(value)).collect();
                ImageView { values, unit: suv.unit.into(), basis: Some(suv.basis.clone()), ..view }
            }
            PixelValues::Display => {
                let picture = frame.display(window).map_err(|error| {
                    Failure::new(FailureCode::WrongUse, format!("The window does not fit this image: {error}"))
                })?;
                let values = picture.bytes.iter().map(|byte| f64::from(*byte)).collect();
                let photometric = if picture.samples == 3 { "RGB" } else { "MONOCHROME2" }.to_owned();
                ImageView { samples: picture.samples, values, integer: true, photometric, ..view }
            }
        };
        Ok(Reply::Image(view))
    }
}

fn window_view(choice: &Choice) -> WindowView {
    WindowView {
        number: choice.number,
        name: choice.name.clone(),
        width: choice.width_level.map(|(width, _)| width),
        level: choice.width_level.map(|(_, level)| level),
    }
}

/// A mark's value with unit and basis; `None` for marks that measure nothing.
pub(super) fn measure(file: &[u8], frame: u32, shape: Shape, points: &[Point]) -> Result<Option<Measured>, Failure> {
    match measured(file, frame, shape, points) {
        Ok(measurement) => Ok(measurement.measured),
        Err(MeasureError::Pixels(error)) => Err(pixel_failure(error)),
        Err(error) => Err(Failure::new(FailureCode::WrongUse, format!("The mark cannot be drawn: {error}"))
            .hint("Points are column,row in pixels; (0,0) is the centre of the first pixel.")),
    }
}

fn numbers(kind: &str, bytes: &[u8]) -> Vec<f64> {
    fn read<const N: usize>(bytes: &[u8], number: fn([u8; N]) -> f64) -> Vec<f64> {
        bytes.as_chunks::<N>().0.iter().map(|bytes| number(*bytes)).collect()
    }
    match kind.trim_start_matches(['<', '|']) {
        "u1" => bytes.iter().map(|byte| f64::from(*byte)).collect(),
        "i1" => read(bytes, |b: [u8; 1]| f64::from(i8::from_le_bytes(b))),
        "u2" => read(bytes, |b| f64::from(u16::from_le_bytes(b))),
        "i2" => read(bytes, |b| f64::from(i16::from_le_bytes(b))),
        "u4" => read(bytes, |b| f64::from(u32::from_le_bytes(b))),
        "i4" => read(bytes, |b| f64::from(i32::from_le_bytes(b))),
        "f4" => read(bytes, |b| f64::from(f32::from_le_bytes(b))),
        _ => read(bytes, f64::from_le_bytes),
    }
}

fn pixel_failure(error: PixelError) -> Failure {
    Failure::new(FailureCode::Failed, format!("The image cannot be shown: {error}"))
        .hint("The rest of the study is usable; `overread study export` gives the file to other programs.")
}
