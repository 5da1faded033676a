//! `verify`: every signature, seal and hash once more, offline.

use std::path::Path;

use clap::Args;

use crate::node::api::{Failure, Request};

use super::read;
use super::session::Session;

/// Check every signature and hash of a case, a bundle or everything once more
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread verify amber-falcon
  overread verify all            every case, every stored entry and chunk
  overread verify beck.bundle
  overread verify c-k3vq --json | jq .ok

Needs no network. Exit code 1: something is not as it was signed.")]
pub(super) struct Verify {
    /// A bundle's file, a case by its spoken name or id, or all
    #[arg(value_name = "PATH_OR_CASE")]
    what: String,
}

impl Verify {
    pub(super) async fn run(self, session: &mut Session) -> Result<u8, Failure> {
        let path = Path::new(&self.what);
        let what = if path.exists() { read::absolute(path)?.to_string_lossy().into_owned() } else { self.what };
        session.carry_out(Request::Verify { what }).await
    }
}
