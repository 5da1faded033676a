//! Without a subcommand: the terminal app.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use crate::node::NodeOptions;
use crate::node::api::Failure;
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
    let start = ui::Start {
        colour: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        lock_after: LOCK_AFTER,
        passphrase: passphrases.given(output)?,
    };
    ui::run(home, NodeOptions::default(), start).await?;
    Ok(0)
}
