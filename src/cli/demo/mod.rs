//! A whole consultation on this machine, with nothing to set up.
//!
//! At a terminal it opens the app as the asking radiologist; her colleague is played by a second process, which is
//! started with a hidden flag:
//!
//! ```text
//! stage: sets up the asker, opens the app  --door, on standard input-->  colleague: a node and its scene
//! ```
//!
//! Without a terminal, or with `--headless`, the steps of a consultation are printed instead.

mod colleague;
mod door;
mod headless;
mod scene;
mod stage;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::app;
use super::output::Output;
use crate::encoding::id::base32;
use crate::encoding::random;
use crate::node::NodeOptions;
use crate::node::api::{Failure, FailureCode, Passphrase};
use crate::study::synthetic;
use crate::study::write::WriteError;

/// Ask a simulated colleague on this machine: a study, a case, marks and an opinion, without set-up
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  overread demo\n  overread demo --study ./CT\n  overread demo --headless\n\n\
At a terminal it opens the app with a case that is on its way to a colleague. She is simulated: a program in a second\n\
process that fetches the images, marks, writes and signs an opinion while you look, and answers what you write and\n\
mark with a few fixed sentences. Without a terminal it does what --headless does.\n\n\
Both sides live in a temporary folder that is deleted at the end. The synthetic chest CT belongs to nobody; of your\n\
own study (--study) a de-identified copy is used.")]
pub(super) struct Demo {
    /// Print the steps of a consultation between two nodes instead of opening the app
    #[arg(long)]
    headless: bool,
    /// Use this study instead of the synthetic chest CT
    #[arg(long, value_name = "PATH")]
    study: Option<PathBuf>,
    /// Be the simulated colleague; her door comes on standard input
    #[arg(long, hide = true, conflicts_with_all = ["headless", "study"])]
    colleague: bool,
    /// How long a beat of her scene takes, in milliseconds
    #[arg(long, hide = true, value_name = "MS", default_value_t = 1000)]
    beat_ms: u64,
}

/// Where both nodes listen: nothing of the demo leaves this machine.
const LOOPBACK: &str = "/ip4/127.0.0.1/tcp/0";

/// Seed of the synthetic patient: the same study every time.
const SEED: u64 = 7;

impl Demo {
    /// Whether it will show the app, which needs the terminal to itself.
    pub(super) fn shows_app(&self) -> bool {
        !self.headless && !self.colleague && app::can_show()
    }

    pub(super) async fn run(self, output: &mut Output) -> Result<u8, Failure> {
        if self.colleague {
            colleague::run(Duration::from_millis(self.beat_ms)).await
        } else if self.shows_app() && !output.is_json() {
            stage::run(self.study, output).await
        } else {
            headless::run(self.study, output).await
        }
    }
}

/// A node that no other machine hears of.
fn quiet_node() -> NodeOptions {
    NodeOptions { listen: vec![LOOPBACK.into()], beacon: false, ..NodeOptions::default() }
}

/// A passphrase that nobody has had before, short enough to be typed.
fn new_passphrase() -> Passphrase {
    let letters = base32(&random::bytes::<10>(&mut random::system()));
    let groups: Vec<&str> = letters.as_bytes().chunks(4).filter_map(|group| std::str::from_utf8(group).ok()).collect();
    Passphrase(groups.join("-"))
}

fn write_synthetic(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| failed("the study cannot be written", &error))?;
    let write = |number: u32, bytes: Vec<u8>| -> Result<(), WriteStudy> {
        std::fs::write(folder.join(format!("IM{number:04}")), bytes).map_err(WriteStudy::Disk)
    };
    synthetic::study(SEED, synthetic::SLICES, write).map_err(|error| match error {
        WriteStudy::Disk(error) => failed("the study cannot be written", &error),
        WriteStudy::Dicom(error) => Failure::new(FailureCode::Failed, format!("The study cannot be made: {error}")),
    })
}

enum WriteStudy {
    Disk(std::io::Error),
    Dicom(WriteError),
}

impl From<WriteError> for WriteStudy {
    fn from(error: WriteError) -> Self {
        Self::Dicom(error)
    }
}

fn failed(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(FailureCode::Failed, format!("The demo failed: {what}: {error}."))
}
