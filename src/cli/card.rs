//! `card`: the cards of oneself and of colleagues, and how far each is trusted.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::node::api::{Failure, Reply, Request};

use super::read;
use super::session::Session;

/// Your card, and the cards of your colleagues
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread card show                          your own card
  overread card list                          whom you know
  overread card verify \"Dr Beck\"              compare words by phone
  overread card add beck.card                 take in a card that came by mail")]
pub(super) struct Card {
    #[command(subcommand)]
    command: CardCommand,
}

#[derive(Debug, Subcommand)]
enum CardCommand {
    /// Show your own card, or a colleague's
    #[command(after_help = "\
Examples:
  overread card show
  overread card show \"Dr Beck\" --json")]
    Show {
        /// A colleague; without one, yourself
        name: Option<String>,
    },
    /// Write your own card to a file, to be sent by any way
    #[command(after_help = "\
Example:
  overread card export weber.card")]
    Export {
        #[arg(value_name = "FILE")]
        path: PathBuf,
    },
    /// Take in cards: they are unverified until you compare words
    #[command(after_help = "\
Examples:
  overread card add beck.card
  overread card add ./clinic-cards
  overread card add beck.card --at /ip4/10.0.3.7/udp/4001/quic-v1")]
    Add {
        /// Card files, or folders of them
        #[arg(required = true, value_name = "FILE_OR_DIR")]
        paths: Vec<PathBuf>,
        /// Where the colleague's machine can be reached
        #[arg(long, value_name = "ADDR")]
        at: Vec<String>,
    },
    /// List whom you know, and how far each is trusted
    #[command(after_help = "\
Example:
  overread card list")]
    List,
    /// Compare words by voice, so that you know whose card it is
    #[command(after_help = "\
Examples:
  overread card verify \"Dr Beck\"
  overread card verify \"Dr Beck\" --heard \"six words that she read\"

Call on a number you know. You read your six words aloud and type the six words you hear.")]
    Verify {
        name: String,
        /// The words your colleague read to you
        #[arg(long, value_name = "WORDS")]
        heard: Option<String>,
    },
    /// Give a colleague a name of your own choosing
    #[command(after_help = "\
Example:
  overread card name p-k3vq \"Jonas (neuro)\"")]
    Name { id: String, alias: String },
    /// Block a colleague: nothing goes to or comes from that person directly
    #[command(after_help = "\
Example:
  overread card block \"Dr Beck\"")]
    Block { name: String },
    /// End a block; compare words anew before inviting
    #[command(after_help = "\
Example:
  overread card unblock \"Dr Beck\"")]
    Unblock { name: String },
    /// Remove a colleague's card
    #[command(after_help = "\
Example:
  overread card remove \"Dr Beck\"")]
    Remove { name: String },
}

impl Card {
    pub(super) async fn run(self, session: &mut Session) -> Result<u8, Failure> {
        let request = match self.command {
            CardCommand::Show { name } => Request::CardShow { who: name },
            CardCommand::Export { path } => Request::CardExport { path: read::absolute(&path)? },
            CardCommand::Add { paths, at } => Request::CardAdd { paths: read::absolute_all(&paths)?, at },
            CardCommand::List => Request::CardList,
            CardCommand::Verify { name, heard } => return verify(name, heard, session).await,
            CardCommand::Name { id, alias } => Request::CardName { who: id, alias },
            CardCommand::Block { name } => Request::CardBlock { who: name },
            CardCommand::Unblock { name } => Request::CardUnblock { who: name },
            CardCommand::Remove { name } => Request::CardRemove { who: name },
        };
        session.carry_out(request).await
    }
}

/// Shows one's own words, then takes the ones heard; a script that gives none gets the words only.
async fn verify(who: String, heard: Option<String>, session: &mut Session) -> Result<u8, Failure> {
    if heard.is_some() {
        return session.carry_out(Request::CardVerify { who, heard }).await;
    }
    let reply = session.bare(Request::CardVerify { who: who.clone(), heard: None }).await?;
    if session.output.is_json() || !session.person.is_here() || !matches!(reply, Reply::SafetyWords { .. }) {
        session.print(&reply);
        return Ok(0);
    }
    let words = super::render::text(&reply, session.output.width());
    session.output.say(words.trim_end());
    let heard = session.person.line("\nThe six words you hear: ")?;
    session.carry_out(Request::CardVerify { who, heard: Some(heard) }).await
}
