//! `doctor`: is everything set up.

use clap::Args;

use serde_json::json;

use crate::node::api::{Failure, FailureCode, Reply, Request};

use super::session::{Session, unexpected};
use super::{app, exit, render};
use crate::ui::check::{GREY_STEPS, Looked, not_looked_at};
use crate::ui::graphics::Setting;

/// Check the set-up: terminal, ports, clock, disk, vault, and how colleagues can be reached
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread doctor
  overread doctor --json
  OVERREAD_GRAPHICS=sixel overread doctor

In a terminal it also looks at how pictures are shown: with which protocol and why, the size of a cell, how many greys,
how fast output is taken, and a picture of grey steps to count. `overread settings set graphics`, or
OVERREAD_GRAPHICS=auto, kitty, sixel, iterm2, half-blocks
or none overrules what was found out, here and in the app.")]
pub(super) struct Doctor {}

impl Doctor {
    pub(super) async fn run(self, session: &mut Session) -> Result<u8, Failure> {
        let set = match session.bare(Request::SettingsShow).await? {
            Reply::Settings(settings) => settings.graphics.parse().unwrap_or_default(),
            _ => return Err(unexpected()),
        };
        let Reply::Doctor { mut checks } = session.ask(Request::Doctor).await? else { return Err(unexpected()) };
        let looked = if app::can_show() { Some(look(set)?) } else { None };
        match &looked {
            Some(looked) => checks.extend(looked.checks()),
            None => checks.push(not_looked_at()),
        }
        let reply = Reply::Doctor { checks };
        let mut document = reply.document();
        document["terminal"] = looked.as_ref().map_or_else(|| json!(null), Looked::facts);
        let text = render::text(&reply, session.output.width());
        session.output.result(document, &text);
        if let Some(looked) = looked.filter(|_| !session.output.is_json()) {
            session.output.say(GREY_STEPS);
            looked.show_grey_steps().map_err(|error| disobeys(&error))?;
        }
        Ok(exit::code(&reply))
    }
}

/// The environment is stronger than the setting.
fn look(set: Setting) -> Result<Looked, Failure> {
    Looked::look(app::graphics()?.unwrap_or(set)).map_err(|error| disobeys(&error))
}

fn disobeys(error: &std::io::Error) -> Failure {
    Failure::new(FailureCode::Failed, format!("The terminal cannot be looked at: {error}."))
        .hint("`overread doctor | cat` checks everything else.")
}
