//! One command's conversation with the node: asks, opens the vault where needed, shows what happens on the way.
//!
//! A passphrase is asked for only when the node says that it is locked. What the node refuses until a person has
//! looked at it (typed text that names the patient, an opinion on an incomplete study) is shown to the person and
//! sent again if she agrees; a script must give the flag.

use std::time::Duration;

use serde_json::{Value, json};

use crate::node::api::{Envelope, Event, Failure, FailureCode, Passphrase, Reply, Request, Status};
use crate::node::client::Client;

use super::output::Output;
use super::passphrase::Passphrases;
use super::person::Person;
use super::{exit, render};

/// How often a mistyped passphrase is asked for again.
const PASSPHRASE_TRIES_MAX: usize = 3;

/// Longest time for which a passphrase that comes too early is held back, in seconds; then it is up to the person.
const WAIT_SECONDS_MAX: u64 = 10;

/// What the global flags say about every request.
#[derive(Default)]
pub(super) struct Manner {
    /// See [`Envelope::request_id`].
    pub(super) request_id: Option<String>,
    /// See [`Envelope::wait_seconds`].
    pub(super) wait_seconds: Option<u64>,
    /// Agrees to what would be asked.
    pub(super) yes: bool,
}

/// A conversation.
pub(super) struct Session {
    pub(super) output: Output,
    pub(super) person: Box<dyn Person>,
    pub(super) passphrases: Passphrases,
    pub(super) manner: Manner,
    way: Way,
    status: Option<Status>,
    /// What opened the vault for this command, so that it need not be typed twice.
    proof: Option<Passphrase>,
}

enum Way {
    Node(Client),
    #[cfg(test)]
    Scripted(tests::ScriptedNode),
}

impl Session {
    pub(super) fn new(
        client: Client,
        output: Output,
        person: Box<dyn Person>,
        passphrases: Passphrases,
        manner: Manner,
    ) -> Self {
        Self { output, person, passphrases, manner, way: Way::Node(client), status: None, proof: None }
    }

    /// Whether the node goes on after this command.
    pub(super) fn node_goes_on(&self) -> bool {
        match &self.way {
            Way::Node(client) => client.is_remote(),
            #[cfg(test)]
            Way::Scripted(_) => true,
        }
    }

    /// Closes the client in order and gives the output back for a last word. See [`Client::close`].
    pub(super) async fn close(self, hurry: impl Future<Output = ()>) -> Output {
        match self.way {
            Way::Node(client) => client.close(hurry).await,
            #[cfg(test)]
            Way::Scripted(_) => {}
        }
        self.output
    }

    /// Asks one thing, prints the answer and gives the exit code: all that most commands do.
    pub(super) async fn carry_out(&mut self, request: Request) -> Result<u8, Failure> {
        let reply = self.ask(request).await?;
        self.print(&reply);
        Ok(exit::code(&reply))
    }

    pub(super) fn print(&mut self, reply: &Reply) {
        let text = render::text(reply, self.output.width());
        self.output.result(reply.document(), &text);
    }

    /// Asks one thing that is the whole command, so that the person's own request id goes with it.
    pub(super) async fn ask(&mut self, request: Request) -> Result<Reply, Failure> {
        let request_id = self.manner.request_id.clone();
        self.ask_reviewed(request, request_id, self.manner.wait_seconds).await
    }

    /// Asks one of several things of a command. Each step has a request id of its own: with one for all, the
    /// node would answer the second step with what it said to the first.
    pub(super) async fn step(
        &mut self,
        name: &str,
        request: Request,
        wait_seconds: Option<u64>,
    ) -> Result<Reply, Failure> {
        let request_id = self.manner.request_id.as_ref().map(|id| format!("{id}/{name}"));
        self.ask_reviewed(request, request_id, wait_seconds).await
    }

    /// Asks one of several things of a command that are not repeated by its request id: what only looks, and what
    /// is asked again with other words.
    pub(super) async fn bare(&mut self, request: Request) -> Result<Reply, Failure> {
        self.look(request, 0).await
    }

    /// Like [`Self::bare`], reaching out for so many seconds.
    pub(super) async fn look(&mut self, request: Request, wait_seconds: u64) -> Result<Reply, Failure> {
        self.ask_unlocking(request, None, Some(wait_seconds)).await
    }

    /// Who the home belongs to, and whether it is locked.
    pub(super) async fn status(&mut self) -> Result<Status, Failure> {
        if let Some(status) = &self.status {
            return Ok(status.clone());
        }
        match self.send(Request::Status, None, None, None).await? {
            Reply::Status(status) => {
                self.status = Some(status.clone());
                Ok(status)
            }
            _ => Err(unexpected()),
        }
    }

    async fn ask_reviewed(
        &mut self,
        mut request: Request,
        request_id: Option<String>,
        wait_seconds: Option<u64>,
    ) -> Result<Reply, Failure> {
        loop {
            let failure = match self.ask_unlocking(request.clone(), request_id.clone(), wait_seconds).await {
                Err(failure) if self.person.is_here() => failure,
                ended => return ended,
            };
            let Some((reviewed, question)) = review(&request, &failure) else { return Err(failure) };
            self.output.warn(super::output::failure_text(&failure).trim_end());
            if !self.person.agrees(question)? {
                return Err(failure);
            }
            request = reviewed;
        }
    }

    async fn ask_unlocking(
        &mut self,
        request: Request,
        request_id: Option<String>,
        wait_seconds: Option<u64>,
    ) -> Result<Reply, Failure> {
        let mut passphrase = self.passphrase_for(&request).await?;
        for tried in 1.. {
            let sent = passphrase.is_some();
            let again = passphrase.clone();
            let ended = self.send(request.clone(), passphrase, request_id.clone(), wait_seconds).await;
            match ended {
                Err(failure) if failure.code == FailureCode::Locked && !sent => {}
                Err(Failure { code: FailureCode::TooSoon, wait_seconds: Some(seconds), what, .. })
                    if seconds <= WAIT_SECONDS_MAX && self.person.is_here() && !self.passphrases.is_given() =>
                {
                    self.output.say(&what);
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                    passphrase = again;
                    continue;
                }
                Err(failure)
                    if failure.code == FailureCode::WrongPassphrase
                        && tried < PASSPHRASE_TRIES_MAX
                        && self.person.is_here()
                        && !self.passphrases.is_given() =>
                {
                    self.output.say(&failure.what);
                }
                ended => {
                    // Whatever was carried out may have opened, locked or made the vault.
                    self.status = None;
                    self.proof = again.filter(|_| ended.is_ok()).or(self.proof.take());
                    return ended;
                }
            }
            passphrase = Some(self.passphrases.current(&mut self.output, &mut *self.person)?);
        }
        Err(unexpected())
    }

    /// The passphrase that has to go with a request.
    async fn passphrase_for(&mut self, request: &Request) -> Result<Option<Passphrase>, Failure> {
        match request {
            // Whoever has an identity is told so by the node, and need not invent a passphrase first.
            Request::Init { .. } if self.status().await?.initialised => Ok(None),
            Request::Init { .. } => self.passphrases.new_one(&mut self.output, &mut *self.person).map(Some),
            // It was typed for a step before this one.
            Request::RecoveryCode if self.proof.is_some() => Ok(self.proof.clone()),
            // An open vault is no proof of who asks.
            Request::VaultPassphrase { .. } | Request::RecoveryCode => {
                let what = match request {
                    Request::RecoveryCode => "The recovery code is shown to who knows the passphrase.",
                    _ => "Another passphrase needs the one until now.",
                };
                let needed = |failure| match failure {
                    Failure { code: FailureCode::Locked, .. } => Failure { what: what.into(), ..failure },
                    failure => failure,
                };
                self.passphrases.current(&mut self.output, &mut *self.person).map(Some).map_err(needed)
            }
            Request::Status | Request::VaultRecover { .. } | Request::Lock => Ok(None),
            _ => {
                let status = self.status().await?;
                if status.initialised && status.locked {
                    return self.passphrases.current(&mut self.output, &mut *self.person).map(Some);
                }
                Ok(None)
            }
        }
    }

    async fn send(
        &mut self,
        request: Request,
        passphrase: Option<Passphrase>,
        request_id: Option<String>,
        wait_seconds: Option<u64>,
    ) -> Result<Reply, Failure> {
        let Self { output, person, manner, way, .. } = self;
        let mut no_answer = None;
        let mut on_event = |event: Event| {
            let question = match &event {
                Event::ConfirmPerson { .. } => render::event(&event),
                _ => None,
            };
            show(&event, output);
            let question = question?;
            let yes = confirm(&question, manner.yes, output, &mut **person).unwrap_or_else(|failure| {
                no_answer = Some(failure);
                false
            });
            Some(Request::Confirm { yes })
        };
        let envelope = Envelope { request, passphrase, request_id, wait_seconds };
        let ended = match way {
            Way::Node(client) => client.ask(envelope, &mut on_event).await,
            #[cfg(test)]
            Way::Scripted(node) => node.ask(envelope, &mut on_event),
        };
        output.clear();
        match no_answer {
            Some(failure) => Err(failure),
            None => ended,
        }
    }
}

/// An answer that does not belong to its question.
pub(super) fn unexpected() -> Failure {
    Failure::new(FailureCode::Failed, "The node gave an answer that does not belong to the question.")
        .hint("Both programs must be of the same version: restart the node.")
}

fn show(event: &Event, output: &mut Output) {
    let text = render::event(event);
    match event {
        Event::Progress(progress) => output.progress(progress),
        Event::Live(_) => {} // no command attends a case
        Event::Delivery { .. } => {
            if let Some(text) = text {
                output.detail(&text);
            }
        }
        Event::Notice { .. } => {
            if let Some(text) = text {
                output.say(&text);
            }
        }
        Event::PairingOpen { .. }
        | Event::ConfirmPerson { .. }
        | Event::Ready { .. }
        | Event::Happened { .. }
        | Event::PacsListening { .. }
        | Event::PacsAssociation { .. }
        | Event::PacsArrival { .. }
        | Event::PacsRefusal { .. }
        | Event::InboxStudy { .. } => {
            let object = serde_json::to_value(event).unwrap_or_else(|_| json!({}));
            output.event(&with_format(object), text.as_deref());
        }
    }
}

fn with_format(mut object: Value) -> Value {
    object["format"] = 1.into();
    object
}

fn confirm(question: &str, yes: bool, output: &mut Output, person: &mut dyn Person) -> Result<bool, Failure> {
    output.clear();
    if yes {
        return Ok(true);
    }
    if person.is_here() {
        return person.agrees("Is that the person you are speaking with?");
    }
    Err(Failure::new(FailureCode::Untrusted, format!("{question} Nobody is here to confirm that."))
        .hint("Run this at a terminal, or give --yes if the code reached only the right person."))
}

/// What a person may agree to after a refusal, and what she is asked.
fn review(request: &Request, failure: &Failure) -> Option<(Request, &'static str)> {
    const TEXT: &str = "Send the text as it is?";
    const PATIENT: &str = "These are studies of different patients. Put them into one case all the same?";
    const INCOMPLETE: &str = "Sign all the same? The limitation will stand first in the opinion.";
    let mut request = request.clone();
    let question = match (failure.code, &mut request) {
        (
            FailureCode::TextCheck,
            Request::MarkAdd { text_checked, .. }
            | Request::OpinionSign { text_checked, .. }
            | Request::OpinionAddend { text_checked, .. }
            | Request::Say { text_checked, .. },
        ) if !*text_checked => {
            *text_checked = true;
            TEXT
        }
        (FailureCode::TextCheck, Request::CaseNew(new)) if !new.text_checked => {
            new.text_checked = true;
            TEXT
        }
        (FailureCode::TextCheck, Request::CaseEdit { change, .. }) if !change.text_checked => {
            change.text_checked = true;
            TEXT
        }
        (FailureCode::OtherPatient, Request::CaseNew(new)) if !new.other_patient => {
            new.other_patient = true;
            PATIENT
        }
        (FailureCode::OtherPatient, Request::CaseStudyAdd { other_patient, .. }) if !*other_patient => {
            *other_patient = true;
            PATIENT
        }
        (FailureCode::Unsafe, Request::OpinionSign { incomplete_ok, .. }) if !*incomplete_ok => {
            *incomplete_ok = true;
            INCOMPLETE
        }
        _ => return None,
    };
    Some((request, question))
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::cli::output::tests::Captured;
    use crate::cli::person::script::Script;

    type Answering =
        Box<dyn FnMut(&Envelope, &mut dyn FnMut(Event) -> Option<Request>) -> Result<Reply, Failure> + Send>;

    /// A node that answers from a test.
    pub(in crate::cli) struct ScriptedNode {
        answering: Answering,
        asked: Arc<Mutex<Vec<Envelope>>>,
    }

    impl ScriptedNode {
        pub(super) fn ask(
            &mut self,
            envelope: Envelope,
            on_event: &mut (dyn FnMut(Event) -> Option<Request> + Send),
        ) -> Result<Reply, Failure> {
            self.asked.lock().unwrap().push(envelope.clone());
            (self.answering)(&envelope, &mut |event| on_event(event))
        }
    }

    /// A session with a scripted node and person, and what was asked of the node.
    pub(in crate::cli) fn scripted(
        output: Output,
        person: &Script,
        answering: impl FnMut(&Envelope, &mut dyn FnMut(Event) -> Option<Request>) -> Result<Reply, Failure>
        + Send
        + 'static,
    ) -> (Session, Arc<Mutex<Vec<Envelope>>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let node = ScriptedNode { answering: Box::new(answering), asked: asked.clone() };
        let session = Session {
            output,
            person: Box::new(person.clone()),
            passphrases: Passphrases::default(),
            manner: Manner::default(),
            way: Way::Scripted(node),
            status: None,
            proof: None,
        };
        (session, asked)
    }

    pub(in crate::cli) fn status(initialised: bool, locked: bool) -> Reply {
        Reply::Status(Status {
            initialised,
            locked,
            running: true,
            identity: None,
            name: None,
            site: None,
            recovery_confirmed: Some(true),
            disk_low_bytes: None,
            version: None,
        })
    }

    /// Runs a future that never waits for anything outside.
    pub(in crate::cli) fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn say(text_checked: bool) -> Request {
        Request::Say { case: "c-abcd".into(), text: "hello".into(), view: None, reply_to: None, text_checked }
    }

    fn nothing_if(good: bool, code: FailureCode) -> Result<Reply, Failure> {
        if good { Ok(Reply::Nothing {}) } else { Err(Failure::new(code, "Refused.")) }
    }

    #[test]
    fn an_unlocked_node_is_never_sent_a_passphrase() {
        let (output, _) = Captured::text();
        let (mut session, asked) = scripted(output, &Script::nobody(), |envelope, _| match envelope.request {
            Request::Status => Ok(status(true, false)),
            _ => Ok(Reply::Nothing {}),
        });
        session.passphrases.handed = Some(Passphrase("correct horse".into()));
        assert_eq!(run(session.carry_out(say(false))), Ok(0));
        assert!(asked.lock().unwrap().iter().all(|envelope| envelope.passphrase.is_none()));
    }

    #[test]
    fn another_passphrase_needs_the_one_until_now_even_while_the_vault_is_open() {
        let node = |envelope: &Envelope, _: &mut dyn FnMut(Event) -> Option<Request>| match envelope.request {
            Request::Status => Ok(status(true, false)),
            _ => {
                let right = envelope.passphrase.as_ref().is_some_and(|passphrase| passphrase.0 == "right");
                nothing_if(right, FailureCode::WrongPassphrase)
            }
        };
        let change = || Request::VaultPassphrase { new: Passphrase("correct horse".into()) };
        let person = Script::answering(&["wrong", "right"]);
        let (mut session, _) = scripted(Captured::text().0, &person, node);
        assert_eq!(run(session.carry_out(change())), Ok(0));
        assert_eq!(person.asked().len(), 2);
        let (mut session, asked) = scripted(Captured::text().0, &Script::nobody(), node);
        assert_eq!(run(session.carry_out(change())).unwrap_err().code.exit_code(), 3);
        assert!(asked.lock().unwrap().is_empty(), "nothing is asked without it");
    }

    #[test]
    fn the_recovery_code_needs_the_passphrase_even_while_the_vault_is_open_and_once_in_a_command() {
        let node = |envelope: &Envelope, _: &mut dyn FnMut(Event) -> Option<Request>| match envelope.request {
            Request::Status => Ok(status(true, false)),
            Request::RecoveryCode => {
                let right = envelope.passphrase.as_ref().is_some_and(|passphrase| passphrase.0 == "right");
                nothing_if(right, FailureCode::WrongPassphrase)
            }
            _ => Ok(Reply::Nothing {}),
        };
        let (mut session, asked) = scripted(Captured::text().0, &Script::nobody(), node);
        let failure = run(session.carry_out(Request::RecoveryCode)).unwrap_err();
        assert_eq!(failure.code.exit_code(), 3);
        assert_eq!(failure.what, "The recovery code is shown to who knows the passphrase.");
        assert!(asked.lock().unwrap().is_empty(), "nothing is asked without it");
        let person = Script::answering(&["right"]);
        let (mut session, _) = scripted(Captured::text().0, &person, node);
        assert_eq!(run(session.carry_out(Request::RecoveryCode)), Ok(0));
        assert_eq!(run(session.carry_out(Request::RecoveryCode)), Ok(0));
        assert_eq!(person.asked().len(), 1);
    }

    #[test]
    fn a_mistyped_passphrase_is_asked_for_again_but_a_given_one_is_not() {
        let node = |envelope: &Envelope, _: &mut dyn FnMut(Event) -> Option<Request>| match envelope.request {
            Request::Status => Ok(status(true, true)),
            _ => {
                let right = envelope.passphrase.as_ref().is_some_and(|passphrase| passphrase.0 == "right");
                nothing_if(right, FailureCode::WrongPassphrase)
            }
        };
        let (mut session, _) = scripted(Captured::text().0, &Script::answering(&["wrong", "right"]), node);
        assert_eq!(run(session.carry_out(say(false))), Ok(0));
        let person = Script::answering(&["right"]);
        let (mut session, _) = scripted(Captured::text().0, &person, node);
        session.passphrases.handed = Some(Passphrase("wrong".into()));
        assert_eq!(run(session.carry_out(say(false))).unwrap_err().code.exit_code(), 3);
        assert!(person.asked().is_empty());
    }

    #[test]
    fn a_passphrase_that_comes_too_early_waits_for_a_person_and_is_refused_to_a_script() {
        let mut refused = 0;
        let node = move |envelope: &Envelope, _: &mut dyn FnMut(Event) -> Option<Request>| match envelope.request {
            Request::Status => Ok(status(true, true)),
            _ if refused == 0 => {
                refused += 1;
                Err(Failure::new(FailureCode::TooSoon, "The next one is taken in 1 s.").wait(1))
            }
            _ => Ok(Reply::Nothing {}),
        };
        let (output, captured) = Captured::text();
        let (mut session, asked) = scripted(output, &Script::answering(&["right"]), node);
        assert_eq!(run(session.carry_out(say(false))), Ok(0));
        assert!(captured.err().contains("taken in 1 s"), "{}", captured.err());
        let asked: Vec<_> =
            asked.lock().unwrap().iter().filter_map(|sent| Some(sent.passphrase.clone()?.0.clone())).collect();
        assert_eq!(asked, ["right", "right"], "it is typed once");
        let (mut session, _) = scripted(Captured::text().0, &Script::nobody(), node);
        session.passphrases.handed = Some(Passphrase("right".into()));
        assert_eq!(run(session.carry_out(say(false))).unwrap_err().code.exit_code(), 3);
    }

    #[test]
    fn a_node_that_locked_in_between_gets_the_passphrase_after_all() {
        let (mut session, asked) =
            scripted(Captured::text().0, &Script::answering(&["right"]), |envelope, _| match envelope.request {
                Request::Status => Ok(status(true, false)),
                _ => nothing_if(envelope.passphrase.is_some(), FailureCode::Locked),
            });
        assert_eq!(run(session.carry_out(say(false))), Ok(0));
        assert_eq!(asked.lock().unwrap().len(), 3);
    }

    #[test]
    fn text_that_names_the_patient_goes_only_after_a_person_looked() {
        let node = |envelope: &Envelope, _: &mut dyn FnMut(Event) -> Option<Request>| match envelope.request {
            Request::Status => Ok(status(true, false)),
            Request::Say { text_checked, .. } => nothing_if(text_checked, FailureCode::TextCheck),
            _ => Err(unexpected()),
        };
        for (person, ended) in
            [(Script::answering(&["y"]), Ok(0)), (Script::answering(&["n"]), Err(5)), (Script::nobody(), Err(5))]
        {
            let (mut session, _) = scripted(Captured::text().0, &person, node);
            let got = run(session.carry_out(say(false))).map_err(|failure| failure.code.exit_code());
            assert_eq!(got, ended);
        }
    }

    #[test]
    fn the_steps_of_one_command_have_request_ids_of_their_own() {
        let (mut session, asked) =
            scripted(Captured::text().0, &Script::nobody(), |envelope, _| match envelope.request {
                Request::Status => Ok(status(true, false)),
                _ => Ok(Reply::Nothing {}),
            });
        session.manner.request_id = Some("r1".into());
        run(async {
            session.step("import", say(false), None).await.unwrap();
            session.step("case", say(false), None).await.unwrap();
            session.ask(say(false)).await.unwrap();
        });
        let asked = asked.lock().unwrap();
        let ids: Vec<_> = asked.iter().filter_map(|envelope| envelope.request_id.as_deref()).collect();
        assert_eq!(ids, ["r1/import", "r1/case", "r1"]);
    }

    #[test]
    fn a_stranger_is_confirmed_by_a_person_or_by_a_flag_never_by_silence() {
        let node = |envelope: &Envelope, on_event: &mut dyn FnMut(Event) -> Option<Request>| match envelope.request {
            Request::Status => Ok(status(true, false)),
            _ => {
                let asked =
                    Event::ConfirmPerson { name: "Dr B".into(), site: "Köln".into(), fingerprint: "ab cd".into() };
                let yes = matches!(on_event(asked), Some(Request::Confirm { yes: true }));
                nothing_if(yes, FailureCode::Untrusted)
            }
        };
        for (person, yes, ended) in [
            (Script::answering(&["yes"]), false, Ok(0)),
            (Script::answering(&["no"]), false, Err(5)),
            (Script::nobody(), true, Ok(0)),
            (Script::nobody(), false, Err(5)),
        ] {
            let (mut session, _) = scripted(Captured::text().0, &person, node);
            session.manner.yes = yes;
            let got = run(session.carry_out(Request::PairOpen)).map_err(|failure| failure.code.exit_code());
            assert_eq!(got, ended);
        }
    }
}
