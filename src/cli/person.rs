//! The person at the terminal, if there is one: asked, never assumed.
//!
//! A script has no person: whatever would be asked then needs its flag, and the failure names it. Reading waits
//! in a thread of its own, so that an interruption ends a question at once and the echo comes back.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use crate::encoding::text::shown_lines;
use crate::node::api::{Failure, FailureCode, Passphrase};

use super::interrupt::Interruption;

/// How often a waiting question looks for an interruption.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Somebody who can be asked.
pub(super) trait Person: Send {
    /// Whether somebody sits there. Nothing may be asked otherwise.
    fn is_here(&self) -> bool;

    /// Asks for one line.
    fn line(&mut self, question: &str) -> Result<String, Failure>;

    /// Asks for one line without showing it.
    fn secret(&mut self, question: &str) -> Result<Passphrase, Failure>;

    /// Asks a question whose answer is yes only if it is typed.
    fn agrees(&mut self, question: &str) -> Result<bool, Failure> {
        let answer = self.line(&format!("{question} [y/N] "))?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }
}

/// The real terminal: answers from standard input, questions on standard error.
pub(super) struct Terminal {
    interruption: Interruption,
}

impl Terminal {
    pub(super) fn new(interruption: Interruption) -> Self {
        Self { interruption }
    }

    fn wait<T: Send + 'static>(&self, read: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, Failure> {
        let (sender, answers) = sync_channel(1);
        std::thread::spawn(move || {
            // Nobody waits any more after an interruption.
            let _ = sender.send(read());
        });
        loop {
            match answers.recv_timeout(LOOK_EVERY) {
                Ok(Ok(answer)) => return Ok(answer),
                // Without echo the terminal hands Ctrl-C over as a character, and the reader reports it so.
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => return Err(Interruption::failure()),
                Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => return Err(no_answer()),
                Err(RecvTimeoutError::Timeout) if self.interruption.has_happened() => {
                    return Err(Interruption::failure());
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

impl Person for Terminal {
    fn is_here(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    fn line(&mut self, question: &str) -> Result<String, Failure> {
        let mut stderr = io::stderr();
        // A terminal that cannot be written to cannot be read from either; the read below says so.
        let _ = write!(stderr, "{}", shown_lines(question)).and_then(|()| stderr.flush());
        let line = self.wait(|| {
            let mut line = String::new();
            io::stdin().read_line(&mut line).map(|read| (read > 0).then_some(line))
        })?;
        line.map(|line| line.trim().to_owned()).ok_or_else(no_answer)
    }

    fn secret(&mut self, question: &str) -> Result<Passphrase, Failure> {
        let before = rustix::termios::tcgetattr(io::stdin()).ok();
        let question = shown_lines(question).into_owned();
        let answer = self.wait(move || rpassword::prompt_password(question));
        if let (Err(_), Some(before)) = (&answer, before) {
            // The reading thread still holds the terminal without echo. Failing to restore it leaves only that.
            let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, &before);
        }
        answer.map(Passphrase)
    }
}

fn no_answer() -> Failure {
    Failure::new(FailureCode::Failed, "The question was not answered: the terminal's input has ended.")
        .hint("Answer at a terminal, or give the answer as a flag: see --help.")
}

#[cfg(test)]
pub(super) mod script {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A person who answers from a list and remembers what was asked.
    #[derive(Clone, Default)]
    pub(in crate::cli) struct Script {
        here: bool,
        answers: Arc<Mutex<VecDeque<String>>>,
        asked: Arc<Mutex<Vec<String>>>,
    }

    impl Script {
        pub(in crate::cli) fn nobody() -> Self {
            Self::default()
        }

        pub(in crate::cli) fn answering(answers: &[&str]) -> Self {
            let answers = answers.iter().map(|answer| (*answer).to_owned()).collect();
            Self { here: true, answers: Arc::new(Mutex::new(answers)), asked: Arc::default() }
        }

        pub(in crate::cli) fn asked(&self) -> Vec<String> {
            self.asked.lock().unwrap().clone()
        }
    }

    impl Person for Script {
        fn is_here(&self) -> bool {
            self.here
        }

        fn line(&mut self, question: &str) -> Result<String, Failure> {
            assert!(self.here, "asked while nobody is there: {question}");
            self.asked.lock().unwrap().push(question.to_owned());
            self.answers.lock().unwrap().pop_front().ok_or_else(no_answer)
        }

        fn secret(&mut self, question: &str) -> Result<Passphrase, Failure> {
            self.line(question).map(Passphrase)
        }
    }

    #[test]
    fn only_a_typed_yes_agrees() {
        for (answer, agrees) in [("y", true), (" YES ", true), ("", false), ("n", false), ("yep", false)] {
            assert_eq!(Script::answering(&[answer]).agrees("Send?"), Ok(agrees), "{answer}");
        }
    }
}
