//! `sync`: reach whoever can be reached, and bring every case in step.

use clap::Args;

use crate::node::api::{Failure, Request};

use super::session::Session;

/// Reach your colleagues now and bring every case in step
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread sync
  overread sync --wait 60

Exit code 7: nobody was reached in time; it is safe to repeat.")]
pub(super) struct Sync {}

impl Sync {
    pub(super) async fn run(self, session: &mut Session) -> Result<u8, Failure> {
        session.carry_out(Request::Sync).await
    }
}
