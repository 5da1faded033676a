//! Without a subcommand: the terminal app.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use crate::node::NodeOptions;
use crate::node::api::{Failure, FailureCode, Passphrase};
use crate::ui;
use crate::ui::graphics::Setting;

use super::output::Output;
use super::passphrase::Passphrases;

/// Whether somebody sits at a terminal, so that there is an app to show.
pub(super) fn can_show() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Runs the app until it is left.
pub(super) async fn run(home: &Path, passphrases: &Passphrases, output: &mut Output) -> Result<u8, Failure> {
    ui::run(home, NodeOptions::default(), start(None, passphrases.given(output)?)?).await?;
    Ok(0)
}

/// The variable that overrules how pictures are shown.
const GRAPHICS: &str = "OVERREAD_GRAPHICS";

/// How pictures are to be shown, if the environment says so.
pub(super) fn graphics() -> Result<Option<Setting>, Failure> {
    let Some(text) = std::env::var_os(GRAPHICS).filter(|text| !text.is_empty()) else { return Ok(None) };
    text.to_string_lossy().parse().map(Some).map_err(|error| {
        Failure::new(FailureCode::WrongUse, format!("{GRAPHICS} says something else. {error}"))
            .hint("Unset it, or write one of them.")
    })
}

/// How the app starts at this terminal; what is not given, the settings say.
pub(super) fn start(lock_after: Option<Duration>, passphrase: Option<Passphrase>) -> Result<ui::Start, Failure> {
    let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Ok(ui::Start { colour, lock_after, graphics: graphics()?, passphrase })
}
