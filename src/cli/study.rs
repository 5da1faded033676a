//! `study`: what is held, what of it goes, and the values of one frame.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::node::api::{Failure, PixelValues, Rectangle, Reply, Request};

use super::picture;
use super::read::{self, ImageName};
use super::session::{Session, unexpected};

/// The studies on this machine
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread study list
  overread study show s-k3vq --identity     the real patient; at the sender only
  overread study export s-k3vq ./out        DICOM files, for another program")]
pub(super) struct Study {
    #[command(subcommand)]
    command: StudyCommand,
}

#[derive(Debug, Subcommand)]
enum StudyCommand {
    /// List the studies on this machine
    #[command(after_help = "\
Example:
  overread study list")]
    List,
    /// Show one study with its series
    #[command(after_help = "\
Examples:
  overread study show s-k3vq
  overread study show s-k3vq --identity --json")]
    Show {
        study: String,
        /// With the real patient, if the study was imported here
        #[arg(long)]
        identity: bool,
    },
    /// Remove a study from this machine
    #[command(after_help = "\
Example:
  overread study rm s-k3vq")]
    Rm { study: String },
    /// Write contact sheets of what may have text burned in, to be looked at
    #[command(after_help = "\
Example:
  overread study review s-k3vq -o ./review

review.txt in the folder says which image stands where, and where its masks lie. Then include the series that show
nobody's name, or cover the name: overread study include s-k3vq SERIES --burned-in-checked
  overread study mask s-k3vq --series 3 --rect 0,0,1024,60 --burned-in-checked")]
    Review {
        study: String,
        /// The folder for the sheets; they may show the patient's name
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
    },
    /// Include series that were left out, after a look at their images
    #[command(after_help = "\
Example:
  overread study include s-k3vq 1.2.840.99.7 --burned-in-checked")]
    Include {
        study: String,
        /// Series Instance UIDs, as `study show` lists them
        #[arg(required = true)]
        series: Vec<String>,
        /// You have looked at these images: they show no name
        #[arg(long, required = true)]
        burned_in_checked: bool,
    },
    /// Burn black rectangles into every frame of images, and include them
    #[command(after_help = "\
Examples:
  overread study mask s-k3vq --image 1.2.840.99.7.1 --rect 0,0,640,40 --burned-in-checked
  overread study mask s-k3vq --series 3 --rect 0,0,1024,60 --rect 880,700,144,68 --burned-in-checked

A rectangle is COLUMN,ROW,COLUMNS,ROWS in pixels: how far from the left and from the top its first pixel lies, counted
from 0, and how wide and high it is. What lies under it is overwritten in every frame; compressed images are decoded for
that and become larger. Any image may be masked that no case has given away yet, whether it was left out or not; of a
series all that nobody kept out, so all must have the size that the rectangles are for.

The unmasked original stays on this machine, sealed, until the study is removed; no export, bundle or case carries it.
Masking again starts from it, with the new rectangles alone. Look at what is left: overread study review")]
    Mask {
        study: String,
        /// SOP Instance UIDs, as `study review` writes them into review.txt
        #[arg(long, value_name = "SOP_UID", num_args = 1.., required_unless_present = "series")]
        image: Vec<String>,
        /// Series Instance UIDs or numbers, as `study show` lists them
        #[arg(long, value_name = "SERIES", num_args = 1..)]
        series: Vec<String>,
        /// What to cover, in pixels; several times for several rectangles
        #[arg(long, value_name = "C,R,W,H", required = true, value_parser = read::rectangle)]
        rect: Vec<Rectangle>,
        /// You have looked at these images: outside the rectangles they show no name
        #[arg(long, required = true)]
        burned_in_checked: bool,
    },
    /// Write a study as DICOM files
    #[command(after_help = "\
Example:
  overread study export s-k3vq ./out

For consultation, never for primary diagnosis. What is exported cannot be recalled.")]
    Export {
        study: String,
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// Write one frame's values as NumPy array or PNG
    #[command(after_help = "\
Examples:
  overread study image s-k3vq 1.2.840.99.7.1 -o slice.npy
  overread study image s-k3vq 1.2.840.99.7.1#12 --values modality -o hu.npy
  overread study image s-k3vq 1.2.840.99.7.1 --values display --window 400/40 -o slice.png

Frames count from 1. Rows x columns; modality values are in the unit of the modality (HU in CT). An SUV is given
where the header allows one; otherwise what stands in its way is named.")]
    Image {
        study: String,
        #[arg(value_name = "SOP_UID[#FRAME]", value_parser = read::image_name)]
        image: ImageName,
        /// As stored, after the modality transformation, as standardised uptake values of PET, or as displayed
        #[arg(long, value_enum, default_value = "stored")]
        values: Values,
        /// WIDTH/LEVEL, a preset's name, file:N for the file's own, or auto for all values
        #[arg(long, value_name = "W/L|NAME|file:N|auto")]
        window: Option<String>,
        /// The file to write: its ending, .npy or .png, decides
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Values {
    Stored,
    Modality,
    Suv,
    Display,
}

impl Study {
    pub(super) async fn run(self, session: &mut Session) -> Result<u8, Failure> {
        let request = match self.command {
            StudyCommand::List => Request::StudyList,
            StudyCommand::Show { study, identity } => Request::StudyShow { study, identity },
            StudyCommand::Rm { study } => Request::StudyRemove { study },
            StudyCommand::Review { study, output } => {
                Request::StudyReview { study, directory: read::absolute(&output)? }
            }
            StudyCommand::Include { study, series, burned_in_checked: _ } => Request::StudyInclude { study, series },
            StudyCommand::Mask { study, image, series, rect, burned_in_checked: _ } => {
                Request::StudyMask { study, images: image, series, rectangles: rect }
            }
            StudyCommand::Export { study, directory } => {
                Request::StudyExport { study, directory: read::absolute(&directory)? }
            }
            StudyCommand::Image { study, image, values, window, output } => {
                let format = picture::Format::of(&output)?;
                let ImageName { sop_instance_uid, frame } = image;
                let values = match values {
                    Values::Stored => PixelValues::Stored,
                    Values::Modality => PixelValues::Modality,
                    Values::Suv => PixelValues::Suv,
                    Values::Display => PixelValues::Display,
                };
                let request = Request::StudyImage { study, sop_instance_uid, frame, values, window };
                let Reply::Image(image) = session.ask(request).await? else { return Err(unexpected()) };
                picture::write(&output, format, &image, values)?;
                let document = json!({
                    "format": 1, "file": output, "rows": image.rows, "columns": image.columns,
                    "samples": image.samples, "unit": image.unit, "basis": image.basis,
                    "photometric": image.photometric, "windows": image.windows,
                });
                let text = super::render::text(&Reply::Image(image), session.output.width());
                session.output.result(document, &text);
                return Ok(0);
            }
        };
        session.carry_out(request).await
    }
}
