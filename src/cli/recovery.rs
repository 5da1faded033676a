//! The recovery code on paper: shown, then three of its words asked for by position.
//!
//! Typing words back is the only sign that the paper exists. The node compares them; it keeps asking (with each
//! `ask` and `vault recovery-code`) until they were right once.

use crate::encoding::random;
use crate::node::api::{Failure, FailureCode, Reply, Request};

use super::render;
use super::session::{Session, unexpected};

/// Words asked for.
const ASKED: usize = 3;

/// How often wrong words may be typed before it is left for another day.
const TRIES_MAX: usize = 3;

/// Shows the code to the person, unless it is confirmed already, and asks for words of it.
pub(super) async fn show_and_confirm(session: &mut Session) -> Result<(), Failure> {
    if !session.person.is_here() || session.status().await?.recovery_confirmed != Some(false) {
        return Ok(());
    }
    session
        .output
        .say("\nYour recovery code is not on paper yet. Whoever has it is you, so your passphrase comes first.");
    let reply = match session.step("recovery-code", Request::RecoveryCode, Some(0)).await {
        // What the command is for is done: this can wait for another day.
        Err(failure) if matches!(failure.code, FailureCode::WrongPassphrase | FailureCode::TooSoon) => {
            session.output.say(&failure.what);
            return not_confirmed(session);
        }
        reply => reply?,
    };
    let text = render::text(&reply, session.output.width());
    session.output.say("");
    session.output.say(text.trim_end());
    match reply {
        Reply::RecoveryCode { words } => confirm(session, words.len()).await,
        _ => Err(unexpected()),
    }
}

/// Asks for words of a code that was just shown.
pub(super) async fn confirm(session: &mut Session, words: usize) -> Result<(), Failure> {
    session.person.line("When it is on paper, press Enter: ")?;
    session.output.wipe_screen();
    for _ in 0..TRIES_MAX {
        let mut typed = Vec::with_capacity(ASKED);
        for position in positions(words) {
            let word = session.person.line(&format!("Word {position}: "))?;
            typed.push(format!("{position}:{}", word.trim().to_lowercase()));
        }
        let request = Request::ConfirmRecoveryCode { words: typed.join(" ") };
        // Each try is a request of its own: a repeat must not give the answer to other words.
        match session.bare(request).await {
            Ok(_) => {
                session.output.say("Right. Keep the paper where you keep your diploma.");
                return Ok(());
            }
            Err(failure) if failure.code == FailureCode::Interrupted => return Err(failure),
            Err(failure) => session.output.say(&failure.what),
        }
    }
    not_confirmed(session)
}

fn not_confirmed(session: &mut Session) -> Result<(), Failure> {
    session.output.warn("the recovery code is not confirmed: `overread vault recovery-code` shows it again.");
    Ok(())
}

/// Different positions from 1, in order.
fn positions(words: usize) -> Vec<usize> {
    let mut rng = random::system();
    let mut positions: Vec<usize> = Vec::with_capacity(ASKED);
    while positions.len() < ASKED.min(words) {
        let [byte] = random::bytes::<1>(&mut rng);
        let position = usize::from(byte) % words + 1;
        if !positions.contains(&position) {
            positions.push(position);
        }
    }
    positions.sort_unstable();
    positions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::tests::Captured;
    use crate::cli::person::script::Script;
    use crate::cli::session::tests::{run, scripted};
    use crate::node::api::Status;

    fn unconfirmed() -> Reply {
        Reply::Status(Status {
            initialised: true,
            locked: false,
            running: true,
            identity: None,
            name: None,
            site: None,
            recovery_confirmed: Some(false),
            disk_low_bytes: None,
            version: None,
        })
    }

    #[test]
    fn positions_are_different_and_within_the_code() {
        for words in [1, 2, 3, 24] {
            let positions = positions(words);
            assert_eq!(positions.len(), ASKED.min(words));
            assert!(positions.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(positions.iter().all(|position| (1..=words).contains(position)));
        }
    }

    #[test]
    fn the_words_typed_are_sent_with_their_positions_until_they_are_right() {
        let mut tries = 0;
        let person = Script::answering(&["correct horse", "", "a", "b", "c", "ZOO", "zoo", "zoo"]);
        let (output, captured) = Captured::text();
        let (mut session, asked) = scripted(output, &person, move |envelope, _| match &envelope.request {
            Request::Status => Ok(unconfirmed()),
            Request::RecoveryCode => Ok(Reply::RecoveryCode { words: vec!["zoo".into(); 24] }),
            Request::ConfirmRecoveryCode { words } => {
                tries += 1;
                let all_right = words.split(' ').all(|typed| typed.ends_with(":zoo"));
                assert_eq!(all_right, tries == 2);
                if all_right { Ok(Reply::Nothing {}) } else { Err(Failure::new(FailureCode::Failed, "Other words.")) }
            }
            _ => Err(unexpected()),
        });
        session.manner.request_id = Some("r".into());
        run(show_and_confirm(&mut session)).unwrap();
        assert!(captured.err().contains("24 zoo"), "{}", captured.err());
        assert!(captured.err().ends_with("Other words.\nRight. Keep the paper where you keep your diploma.\n"));
        assert_eq!(captured.out(), "");
        let asked = asked.lock().unwrap();
        let confirms = asked.iter().filter(|e| matches!(e.request, Request::ConfirmRecoveryCode { .. }));
        assert!(confirms.clone().count() == 2 && confirms.into_iter().all(|e| e.request_id.is_none()));
    }

    #[test]
    fn a_script_is_never_shown_the_code_by_the_way() {
        let (mut session, asked) = scripted(Captured::text().0, &Script::nobody(), |_, _| Ok(unconfirmed()));
        run(show_and_confirm(&mut session)).unwrap();
        assert!(asked.lock().unwrap().is_empty());
    }
}
