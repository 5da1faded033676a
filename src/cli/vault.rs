//! `vault`: passphrase, recovery, lock.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::node::api::{Failure, FailureCode, RecoveryWords, Reply, Request};

use super::passphrase::{from_file, typed_twice};
use super::session::Session;
use super::{read, recovery};

/// The vault that holds your keys: passphrase, recovery code, lock
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread vault recovery-code     24 words to write on paper
  overread vault lock              the running node forgets all but what it needs to take deliveries
  overread vault passphrase        another passphrase")]
pub(super) struct Vault {
    #[command(subcommand)]
    command: VaultCommand,
}

#[derive(Debug, Subcommand)]
enum VaultCommand {
    /// Change the passphrase
    #[command(after_help = "\
Examples:
  overread vault passphrase
  overread vault passphrase --passphrase-file old.txt --new-passphrase-file new.txt")]
    Passphrase {
        /// Take the new passphrase from the first line of this file
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
    },
    /// Restore your identity on a new machine from the recovery code
    #[command(after_help = "\
Examples:
  overread vault recover --name \"Dr Anna Weber\" --site \"St. Vinzenz, Köln\"
  overread vault recover --name \"Dr Anna Weber\" --site \"St. Vinzenz\" --words-file words.txt

Asks for the 24 words and for a new passphrase. This machine becomes a new device of yours: pair with one colleague
afterwards, so that the others learn of it.")]
    Recover {
        /// Your name as colleagues know it
        #[arg(long)]
        name: String,
        /// Your hospital or practice
        #[arg(long)]
        site: String,
        /// Take the 24 words from this file; - is standard input
        #[arg(long, value_name = "FILE")]
        words_file: Option<PathBuf>,
    },
    /// Show the 24 words that restore your identity, to be written on paper
    #[command(after_help = "\
Example:
  overread vault recovery-code

Asks for your passphrase first, also while the vault is open. At a terminal three of the words are asked for afterwards,
to see that they are on paper.")]
    RecoveryCode,
    /// Lock the running node: it goes on taking deliveries, and opens and signs nothing
    #[command(after_help = "\
Example:
  overread vault lock")]
    Lock,
}

impl Vault {
    pub(super) async fn run(self, session: &mut Session) -> Result<u8, Failure> {
        match self.command {
            VaultCommand::Passphrase { new_passphrase_file } => {
                let new = match new_passphrase_file {
                    Some(path) => from_file(&path, &mut session.output)?,
                    None => typed_twice(&mut *session.person, "New passphrase: ")
                        .map_err(|failure| failure.hint("Run this at a terminal, or give --new-passphrase-file F."))?,
                };
                session.carry_out(Request::VaultPassphrase { new }).await
            }
            VaultCommand::Recover { name, site, words_file } => {
                let words = match words_file {
                    Some(path) => RecoveryWords(read::text(&path)?),
                    None if session.person.is_here() => {
                        RecoveryWords(session.person.secret("The 24 words: ")?.0.clone())
                    }
                    None => {
                        return Err(Failure::new(FailureCode::WrongUse, "The recovery code is needed.")
                            .hint("Run this at a terminal, or give --words-file F."));
                    }
                };
                let new = session.passphrases.new_one(&mut session.output, &mut *session.person)?;
                session.carry_out(Request::VaultRecover { words, new, name, site }).await
            }
            VaultCommand::RecoveryCode => {
                let reply = session.ask(Request::RecoveryCode).await?;
                session.print(&reply);
                if let (Reply::RecoveryCode { words }, true) = (&reply, session.person.is_here()) {
                    recovery::confirm(session, words.len()).await?;
                }
                Ok(0)
            }
            VaultCommand::Lock => session.carry_out(Request::Lock).await,
        }
    }
}
