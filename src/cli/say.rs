//! `say`: a message in a case.

use clap::Args;

use crate::node::api::{Failure, Request};

use super::read;
use super::session::Session;

/// Write a message in a case
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread say amber-falcon \"Could you also look at the adrenals?\"
  overread say amber-falcon \"Measured along the wrong axis?\" --about m-k3vq
  overread say c-k3vq - < note.txt

The text is compared with the patient's name, identifiers and dates before it is sealed.")]
pub(super) struct Say {
    /// The case: its spoken name or its id
    case: String,
    /// What to say; - reads it from standard input
    text: String,
    /// What it answers: a mark, an opinion or a message, by its id
    #[arg(long, value_name = "ID")]
    about: Option<String>,
    /// Send it although it looks like it names the patient: you have read it
    #[arg(long)]
    text_checked: bool,
}

impl Say {
    pub(super) async fn run(mut self, session: &mut Session) -> Result<u8, Failure> {
        let text = read::argument(std::mem::take(&mut self.text))?;
        let Self { case, about, text_checked, .. } = self;
        session.carry_out(Request::Say { case, text, view: None, reply_to: about, text_checked }).await
    }
}
