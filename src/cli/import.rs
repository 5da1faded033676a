//! `import`: DICOM files in, de-identified, packed and sealed.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::node::api::{Failure, ImportRequest, Reply, Request};

use super::session::Session;
use super::{exit, read};

/// Take in DICOM files: de-identified, packed and sealed on this machine
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread import ./CT --dry-run          what would happen to which attribute
  overread import ./CT
  overread import disc.zip --preset basic
  overread import ./CT2025 --same-patient s-k3vq
  overread import ./MR --keep-word Leber  a description's word that the plan says is dropped

Takes files, folders, ZIP archives and discs with a DICOMDIR. Nothing is sent: that is what a case is for. An object
that cannot be de-identified with certainty is left out and named, and the exit code is 6.")]
pub(super) struct Import {
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    manner: Manner,
}

/// How something is imported, wherever it comes from.
#[derive(Debug, Args)]
pub(super) struct Manner {
    /// How much is kept: consult, basic, or a file of your own
    #[arg(long, value_name = "consult|basic|FILE")]
    preset: Option<String>,
    /// The same patient as in this study, though the identifiers differ
    #[arg(long, value_name = "STUDY")]
    same_patient: Option<String>,
    /// Keep this word in descriptions though it is not in the radiology vocabulary; may be repeated
    #[arg(long = "keep-word", value_name = "WORD")]
    keep_words: Vec<String>,
    /// Show the plan, change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Import {
    pub(super) async fn run(self, session: &mut Session) -> Result<u8, Failure> {
        let paths = read::absolute_all(&self.paths)?;
        self.manner.carry_out(ImportRequest { paths, ..ImportRequest::default() }, session).await
    }
}

impl Manner {
    /// Imports what a request names, in this manner.
    pub(super) async fn carry_out(self, what: ImportRequest, session: &mut Session) -> Result<u8, Failure> {
        let request = ImportRequest {
            preset: preset(self.preset)?,
            same_patient: self.same_patient,
            keep_words: self.keep_words,
            dry_run: self.dry_run,
            ..what
        };
        let reply = session.ask(Request::Import(request)).await?;
        session.print(&reply);
        Ok(match &reply {
            // Nothing stays behind where nothing was to be taken in.
            Reply::Imported(_) if self.dry_run => 0,
            reply => exit::code(reply),
        })
    }
}

/// A preset's name, or the absolute path of its file.
pub(super) fn preset(preset: Option<String>) -> Result<Option<String>, Failure> {
    match preset.as_deref() {
        None | Some("consult" | "basic") => Ok(preset),
        Some(file) => read::absolute(Path::new(file)).map(|path| Some(path.to_string_lossy().into_owned())),
    }
}
