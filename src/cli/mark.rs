//! `mark`: annotations and measurements.

use clap::{Args, Subcommand};

use crate::node::api::{Failure, Request};

use super::read::{self, ImageName, Points};
use super::session::Session;

/// Marks on the images: measurements and annotations
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread mark add amber-falcon --image 1.2.840.99.7.1 --kind length --points \"103.5,88 140,92\" --label \"lesion\"
  overread mark list amber-falcon
  overread mark rm m-k3vq")]
pub(super) struct Mark {
    #[command(subcommand)]
    command: MarkCommand,
}

#[derive(Debug, Subcommand)]
enum MarkCommand {
    /// Add a mark to a case
    #[command(after_help = "\
Examples:
  overread mark add amber-falcon --image 1.2.840.99.7.1 --kind length --points \"103.5,88 140,92\"
  overread mark add amber-falcon --image 1.2.840.99.7.1#12 --kind arrow --points \"80,80 96,90\" --label \"new\"
  overread mark add amber-falcon --image 1.2.840.99.7.1#12 --kind key-image --label \"largest extent\"

Points are column,row in pixels; 0,0 is the centre of the first pixel. A value always says its basis; where the header
does not allow millimetres, pixels are given. A key image has no points: it says that the image is worth looking at.")]
    Add {
        case: String,
        /// The image, by its SOP Instance UID, and its frame
        #[arg(long, value_name = "SOP_UID[#FRAME]", value_parser = read::image_name)]
        image: ImageName,
        /// What kind of mark: length, angle, ellipse, rectangle, arrow, text, key-image, ...
        #[arg(long, value_name = "K")]
        kind: String,
        /// "c,r c,r": column and row in pixels
        #[arg(long, value_name = "POINTS", value_parser = read::points, allow_hyphen_values = true)]
        points: Option<Points>,
        /// A few words beside it
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        /// Send the label although it looks like it names the patient: you have read it
        #[arg(long)]
        text_checked: bool,
    },
    /// List the marks of a case
    #[command(after_help = "\
Example:
  overread mark list amber-falcon")]
    List { case: String },
    /// Delete a mark of your own
    #[command(after_help = "\
Example:
  overread mark rm m-k3vq")]
    Rm { mark: String },
}

impl Mark {
    pub(super) async fn run(self, session: &mut Session) -> Result<u8, Failure> {
        let request = match self.command {
            MarkCommand::Add { case, image, kind, points, label, text_checked } => Request::MarkAdd {
                case,
                sop_instance_uid: image.sop_instance_uid,
                frame: image.frame,
                kind,
                points: points.map(|points| points.0).unwrap_or_default(),
                label,
                text_checked,
            },
            MarkCommand::List { case } => Request::MarkList { case },
            MarkCommand::Rm { mark } => Request::MarkRemove { mark },
        };
        session.carry_out(request).await
    }
}
