//! `init`: an identity, a device and a vault on this machine; and the first start inside `ask` and `join`.

use clap::Args;

use crate::node::api::{Failure, FailureCode, Reply, Request};

use super::render;
use super::session::Session;

/// Make your identity on this machine
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread init --name \"Dr Anna Weber\" --site \"St. Vinzenz, Köln\"
  overread init --name \"Dr Anna Weber\" --site \"St. Vinzenz\" --phone \"+49 221 555 0100\"

Asks for a new passphrase. Name, site and phone stand on the card that colleagues hold, so give the ones they
know you by. Show the recovery code afterwards with `overread vault recovery-code`.")]
pub(super) struct Init {
    /// Your name as colleagues know it
    #[arg(long)]
    name: String,
    /// Your hospital or practice
    #[arg(long)]
    site: String,
    /// Where colleagues reach you by voice
    #[arg(long, value_name = "P")]
    phone: Option<String>,
}

impl Init {
    pub(super) async fn run(self, session: &mut Session) -> Result<u8, Failure> {
        session.carry_out(Request::Init { name: self.name, site: self.site, phone: self.phone }).await
    }
}

/// Who starts for the first time with `ask` or `join`; asked at the terminal where not given.
#[derive(Debug, Default, Args)]
pub(super) struct FirstStart {
    /// Your name, at the first start
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Your hospital or practice, at the first start
    #[arg(long)]
    pub(super) site: Option<String>,
    /// Your phone or pager, at the first start
    #[arg(long, value_name = "P")]
    pub(super) phone: Option<String>,
}

impl FirstStart {
    /// Makes the identity if there is none yet.
    pub(super) async fn ensure(&self, session: &mut Session) -> Result<(), Failure> {
        if session.status().await?.initialised {
            return Ok(());
        }
        session.output.say("First start. Overread is for consultation, never for primary diagnosis.");
        let name = given_or_asked(self.name.as_deref(), "name", "Your name, as colleagues know it: ", session)?;
        let site = given_or_asked(self.site.as_deref(), "site", "Your hospital or practice: ", session)?;
        let reply = session.step("init", Request::Init { name, site, phone: self.phone.clone() }, Some(0)).await?;
        if let Reply::Initialised(initialised) = &reply {
            let fingerprint = format!("Your identity is made; fingerprint {}", initialised.fingerprint);
            session.output.say(&fingerprint);
        } else {
            session.output.say(&render::text(&reply, session.output.width()));
        }
        Ok(())
    }
}

fn given_or_asked(given: Option<&str>, flag: &str, question: &str, session: &mut Session) -> Result<String, Failure> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    if !session.person.is_here() {
        return Err(Failure::new(
            FailureCode::WrongUse,
            "There is no identity here yet, and nobody is here to be asked.",
        )
        .hint(format!("Give --{flag}, or run `overread init` first.")));
    }
    loop {
        let answer = session.person.line(question)?;
        if !answer.is_empty() {
            return Ok(answer);
        }
    }
}
