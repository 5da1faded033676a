//! A whole consultation on this machine, with nothing to set up.

mod headless;

use std::path::PathBuf;

use super::output::Output;
use crate::node::api::Failure;

/// Two colleagues on this machine, a study, a case, an opinion: a whole consultation without set-up
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  overread demo\n  overread demo --headless\n  overread demo --study ./CT\n\n\
Everything happens in a temporary folder that is deleted at the end. The synthetic chest CT belongs to nobody.")]
pub(super) struct Demo {
    /// Print the steps instead of opening the terminal app (which comes later: both do the same now)
    #[arg(long)]
    headless: bool,
    /// Use this study instead of the synthetic chest CT
    #[arg(long, value_name = "PATH")]
    study: Option<PathBuf>,
}

impl Demo {
    pub(super) async fn run(self, output: &mut Output) -> Result<u8, Failure> {
        tracing::debug!(headless = self.headless, "the demo begins");
        headless::run(self.study, output).await
    }
}
