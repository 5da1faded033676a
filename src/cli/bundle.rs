//! `bundle`: a case as one sealed file, for a stick or any other way.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::node::api::{Failure, Request};

use super::read;
use super::session::Session;

/// Carry cases as one sealed file where no network reaches
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread bundle pack --for \"Dr Beck\" -o /media/stick/beck.bundle
  overread bundle show beck.bundle
  overread bundle unpack beck.bundle")]
pub(super) struct Bundle {
    #[command(subcommand)]
    command: BundleCommand,
}

#[derive(Debug, Subcommand)]
enum BundleCommand {
    /// Seal cases into one file for named members
    #[command(after_help = "\
Examples:
  overread bundle pack --for \"Dr Beck\" -o beck.bundle
  overread bundle pack --for \"Dr Beck\" --case amber-falcon --key-images -o beck.bundle")]
    Pack {
        /// Who can open it; may be repeated
        #[arg(long = "for", required = true, value_name = "NAME")]
        recipients: Vec<String>,
        /// Only this case; may be repeated [default: all you share]
        #[arg(long = "case", value_name = "CASE")]
        cases: Vec<String>,
        /// Only the images that carry marks
        #[arg(long)]
        key_images: bool,
        /// The file to write
        #[arg(short = 'o', long = "output", value_name = "FILE")]
        path: PathBuf,
    },
    /// Look at a bundle without taking it in
    #[command(after_help = "\
Example:
  overread bundle show beck.bundle")]
    Show {
        #[arg(value_name = "FILE")]
        path: PathBuf,
    },
    /// Take in what a bundle carries
    #[command(after_help = "\
Example:
  overread bundle unpack beck.bundle")]
    Unpack {
        #[arg(value_name = "FILE")]
        path: PathBuf,
    },
}

impl Bundle {
    pub(super) async fn run(self, session: &mut Session) -> Result<u8, Failure> {
        let request = match self.command {
            BundleCommand::Pack { recipients, cases, key_images, path } => {
                Request::BundlePack { recipients, cases, key_images, path: read::absolute(&path)? }
            }
            BundleCommand::Show { path } => Request::BundleShow { path: read::absolute(&path)? },
            BundleCommand::Unpack { path } => Request::BundleUnpack { path: read::absolute(&path)? },
        };
        session.carry_out(request).await
    }
}
