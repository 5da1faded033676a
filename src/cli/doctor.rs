//! `doctor`: is everything set up.

use clap::Args;

use crate::node::api::{Failure, Request};

use super::session::Session;

/// Check the set-up: terminal, ports, clock, disk, vault, and how colleagues can be reached
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread doctor
  overread doctor --json")]
pub(super) struct Doctor {}

impl Doctor {
    pub(super) async fn run(self, session: &mut Session) -> Result<u8, Failure> {
        session.carry_out(Request::Doctor).await
    }
}
