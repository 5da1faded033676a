//! `settings`: what a person can set about her home.

use clap::{Args, Subcommand};

use crate::node::api::{Failure, Request};

use super::session::Session;

/// Show and change the settings of this home
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread settings
  overread settings set retention 14d
  overread settings set graphics sixel
  overread settings set lock-after 5m

Settings:
  retention   days after closing at which pixels of cases that others own are deleted here [default: 30]; what was
              written stays. A shorter time works at once; what it deleted, a longer one fetches again while the
              case's other members hold it
  graphics    how the app shows pictures: auto, kitty, sixel, iterm2, half-blocks or none [default: auto];
              `overread doctor` says what auto finds. OVERREAD_GRAPHICS is stronger
  lock-after  the app locks after so long without a key: 30s to 24h, or never [default: 15m]")]
pub(super) struct Settings {
    #[command(subcommand)]
    command: Option<SettingsCommand>,
}

#[derive(Debug, Subcommand)]
enum SettingsCommand {
    /// Show all settings
    #[command(after_help = "\
Example:
  overread settings show")]
    Show,
    /// Change one setting
    #[command(after_help = "\
Examples:
  overread settings set retention 14d
  overread settings set retention 0     pixels go as soon as a case is closed
  overread settings set lock-after never")]
    Set {
        /// Which: retention, graphics, lock-after
        name: String,
        /// The new value
        value: String,
    },
}

impl Settings {
    pub(super) async fn run(self, session: &mut Session) -> Result<u8, Failure> {
        let request = match self.command {
            None | Some(SettingsCommand::Show) => Request::SettingsShow,
            Some(SettingsCommand::Set { name, value }) => Request::SettingsSet { name, value },
        };
        session.carry_out(request).await
    }
}
