//! `join`: what the colleague types who was read a code: first start, pairing, and the question on the screen.

use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::time::Instant;

use crate::node::api::{CardView, CaseView, Failure, FailureCode, Reply, Request};

use super::init::FirstStart;
use super::pair::join_request;
use super::session::{Session, unexpected};
use super::{recovery, render};

/// How long the invitation is waited for unless `--wait` says otherwise, in seconds: the sender may still be
/// reading her plan.
const INVITATION_SECONDS: u64 = 120;

/// Pause between two looks for the invitation.
const PAUSE: Duration = Duration::from_millis(300);

/// Use the code a colleague read to you: pair, and open the question
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread join 7-amber-falcon
  overread join 7-amber-falcon@/ip4/10.0.3.7/tcp/4010
  overread join 7-amber-falcon --name \"Dr Jonas Beck\" --site \"Neuro, Bonn\" --yes
      for scripts: asks nothing

Makes your identity at the first start, asks whether it is the person you are speaking with, waits for the invitation
and opens it. Then fetches the pictures; what is missing afterwards comes with `overread fetch CASE`.")]
pub(super) struct Join {
    /// The code, with @ADDR if an address was read to you
    #[arg(value_name = "CODE[@ADDR]")]
    code: String,
    /// Where the other machine listens, if it is not found by itself
    #[arg(long, value_name = "ADDR")]
    at: Vec<String>,
    /// Confirm the other person without asking
    #[arg(long)]
    yes: bool,
    /// Open the question only; pictures later
    #[arg(long)]
    no_fetch: bool,
    #[command(flatten)]
    first_start: FirstStart,
}

impl Join {
    pub(super) async fn run(self, session: &mut Session) -> Result<u8, Failure> {
        session.manner.yes = self.yes;
        self.first_start.ensure(session).await?;
        let paired = session.step("pair", join_request(&self.code, self.at), session.manner.wait_seconds).await?;
        let Reply::Paired { colleague } = &paired else { return Err(unexpected()) };
        if session.manner.wait_seconds == Some(0) {
            session.print(&paired);
            return Ok(0);
        }
        session.output.say(&format!("{} is now a colleague. Waiting for the invitation.", colleague.name));
        let view = invitation(colleague, session).await?;
        show(&view, colleague, session);
        recovery::show_and_confirm(session).await?;
        if !self.no_fetch && view.studies.iter().any(|study| study.chunks_have < study.chunks_total) {
            fetch(&view.id, session).await?;
        }
        Ok(0)
    }
}

/// Waits for an invitation of this colleague, and opens it.
async fn invitation(colleague: &CardView, session: &mut Session) -> Result<Box<CaseView>, Failure> {
    let seconds = session.manner.wait_seconds.unwrap_or(INVITATION_SECONDS);
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        let Reply::Cases { cases } = session.look(Request::CaseList, 0).await? else { return Err(unexpected()) };
        for case in cases.into_iter().filter(|case| case.standing == "invited") {
            let shown = session.look(Request::CaseShow { case: case.id.clone() }, 0).await?;
            let Reply::Case(view) = shown else { return Err(unexpected()) };
            if !is_asked_by(&view, colleague) {
                continue;
            }
            let accept = Request::CaseAccept { case: case.id.clone() };
            return match session.step("accept", accept, session.manner.wait_seconds).await? {
                Reply::Case(view) => Ok(view),
                _ => match session.look(Request::CaseShow { case: case.id }, 0).await? {
                    Reply::Case(view) => Ok(view),
                    _ => Err(unexpected()),
                },
            };
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(
                FailureCode::NotReached,
                format!("You are colleagues now, but no invitation came within {seconds} s."),
            )
            .hint("Leave `overread node` running and look with `overread case list`; the code is not needed again."));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn is_asked_by(view: &CaseView, colleague: &CardView) -> bool {
    view.members.iter().any(|member| member.role == "owner" && member.identity == colleague.identity)
}

fn show(view: &CaseView, colleague: &CardView, session: &mut Session) {
    let reply = Reply::Case(Box::new(view.clone()));
    let mut document = reply.document();
    document["case"] = view.id.clone().into();
    document["colleague"] = json!(colleague);
    let text = render::text(&reply, session.output.width());
    session.output.result(document, &text);
}

/// The question is open whether or not the pictures are here in time.
async fn fetch(case: &str, session: &mut Session) -> Result<(), Failure> {
    let request = Request::Fetch { case: case.into(), series: Vec::new(), key_images: false };
    match session.step("fetch", request, session.manner.wait_seconds).await {
        Ok(reply) => {
            let text = render::text(&reply, session.output.width());
            session.output.say(text.trim_end());
        }
        Err(failure) if failure.code == FailureCode::NotReached => {
            session.output.say(&format!("{}\nNext: `overread fetch {case}` goes on where it stopped.", failure.what));
        }
        Err(failure) => return Err(failure),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
