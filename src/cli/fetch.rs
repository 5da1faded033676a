//! `fetch`: the pictures of a case.

use clap::Args;

use crate::node::api::{Failure, Request};

use super::session::Session;

/// Fetch the pictures of a case to this machine
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread fetch amber-falcon
  overread fetch c-k3vq --key-images
  overread fetch c-k3vq --series 1.2.840.99.7 --wait 300

Goes on where it stopped; nothing is fetched twice. Exit code 7: not all was reached in time.")]
pub(super) struct Fetch {
    /// The case: its spoken name or its id
    case: String,
    /// Only this series, by its Series Instance UID; may be repeated
    #[arg(long, value_name = "SERIES_UID")]
    series: Vec<String>,
    /// Only the images that carry marks
    #[arg(long, conflicts_with = "series")]
    key_images: bool,
}

impl Fetch {
    pub(super) async fn run(self, session: &mut Session) -> Result<u8, Failure> {
        session.carry_out(Request::Fetch { case: self.case, series: self.series, key_images: self.key_images }).await
    }
}
