//! Without a subcommand: the terminal app.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use crate::node::NodeOptions;
use crate::node::api::{Failure, Passphrase};
use crate::ui;

use super::output::Output;
use super::passphrase::Passphrases;

/// The app locks after so long without a key.
const LOCK_AFTER: Duration = Duration::from_secs(15 * 60);

/// Whether somebody sits at a terminal, so that there is an app to show.
pub(super) fn can_show() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Runs the app until it is left.
pub(super) async fn run(home: &Path, passphrases: &Passphrases, output: &mut Output) -> Result<u8, Failure> {
    ui::run(home, NodeOptions::default(), start(LOCK_AFTER, passphrases.given(output)?)).await?;
    Ok(0)
}

/// How the app starts at this terminal.
pub(super) fn start(lock_after: Duration, passphrase: Option<Passphrase>) -> ui::Start {
    ui::Start { colour: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()), lock_after, passphrase }
}
