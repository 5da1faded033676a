//! The demo at a terminal: sets up the asking radiologist, starts her colleague's process, and opens the app.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::oneshot;

use super::colleague::Part;
use super::door::Door;
use super::{door, failed, new_passphrase, quiet_node, scene, write_synthetic};
use crate::cli::app;
use crate::cli::output::Output;
use crate::cli::session::unexpected;
use crate::node::api::{CaseNew, Envelope, Failure, FailureCode, ImportRequest, Passphrase, Reply, Request};
use crate::node::client::Client;
use crate::ui;
use crate::ui::signals::Signals;

const NAME: &str = "Dr. Anna Weiss";
const SITE: &str = "City Hospital";

/// How long the colleague's process may take to end.
const END_TIME_MAX: Duration = Duration::from_secs(5);

/// How often, and after what time, the folder is deleted again where something was written into it meanwhile.
const DELETE_TRIES_MAX: usize = 20;
const DELETE_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How long the set-up tries to deliver the case, in seconds.
const WAIT_SECONDS: u64 = 30;

/// Runs the demo until the app is left, and deletes everything.
pub(super) async fn run(study: Option<PathBuf>, output: &mut Output) -> Result<u8, Failure> {
    let mut signals = Signals::listen().map_err(|error| failed("the system lets no signal be heard", &error))?;
    let folder = TempDir::new().map_err(|error| failed("no temporary folder", &error))?;
    let mut colleague = Colleague::start(folder.path())?;
    let ended = tokio::select! {
        ended = play(study, folder.path(), &mut colleague, output) => ended,
        () = signals.any() => Err(Failure::new(FailureCode::Interrupted, "The demo was stopped.")),
    };
    colleague.end().await;
    delete(folder).await?;
    ended?;
    output.say("The demo is over. Both homes, the study and everything said in it were deleted.");
    Ok(0)
}

async fn play(
    study: Option<PathBuf>,
    folder: &Path,
    colleague: &mut Colleague,
    output: &mut Output,
) -> Result<(), Failure> {
    let start = app::start(Some(Duration::MAX), None)?;
    output.say("A consultation to try. It stays on this machine and is deleted when you quit.");
    let passphrase = new_passphrase();
    let mut asker = Asker::new(&folder.join("asker"), &passphrase).await?;
    output.say(&format!("  you          {NAME}, {SITE}"));
    output.say(&format!("  colleague    {}: {}, in a second process", scene::NAME, scene::SITE));
    let own = study.is_some();
    let study = match study {
        Some(path) => asker.import(path).await?,
        None => {
            let path = folder.join("CT");
            tokio::task::block_in_place(|| write_synthetic(&path))?;
            let study = asker.import(path.clone()).await?;
            std::fs::remove_dir_all(&path).map_err(|error| failed("the study cannot be deleted", &error))?;
            study
        }
    };
    let what = if own { "your study, de-identified" } else { "a synthetic chest CT" };
    output.say(&format!("  study        {what}, {} images", study.images));
    let code = asker.pair(colleague, (!own).then(|| study.id.clone())).await?;
    output.say(&format!("  paired       by the code {code}"));
    let (spoken, delivered) = asker.new_case(study, own).await?;
    output.say(&format!("  case         {spoken}: {delivered}"));
    output.say(&format!("  passphrase   {}: only if you lock the screen (Ctrl+L)", passphrase.0));
    ui::run_with(asker.client, start).await
}

/// The process that plays the colleague.
struct Colleague {
    process: Child,
    input: Option<ChildStdin>,
}

impl Colleague {
    /// Starts it; it makes its own home meanwhile, inside `folder`.
    fn start(folder: &Path) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(|error| failed("this program is not found", &error))?;
        let mut process = Command::new(program)
            .args(["--json", "demo", "--colleague"])
            .env("TMPDIR", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed("the simulated colleague cannot be started", &error))?;
        let input = process.stdin.take();
        Ok(Self { process, input })
    }

    async fn tell(&mut self, part: &Part) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(part).unwrap_or_default();
        line.push(b'\n');
        let deaf = |error| failed("the simulated colleague hears nothing", &error);
        let input = self.input.as_mut().ok_or_else(|| deaf(ErrorKind::BrokenPipe.into()))?;
        input.write_all(&line).await.map_err(deaf)
    }

    /// Waits until the process has ended, which it never does by itself.
    async fn has_ended(&mut self) -> Failure {
        // However it ended.
        let _ = self.process.wait().await;
        Failure::new(FailureCode::Failed, "The process of the simulated colleague ended.")
            .hint("Try again; `overread demo --headless` shows each step.")
    }

    /// Closes its input, at which it ends.
    async fn end(mut self) {
        drop(self.input.take());
        if tokio::time::timeout(END_TIME_MAX, self.process.wait()).await.is_err() {
            // It may have ended in this moment.
            let _ = self.process.kill().await;
        }
    }
}

/// The asking radiologist's node, in this process.
struct Asker {
    client: Client,
}

/// A study that was imported.
struct Imported {
    id: String,
    images: usize,
}

impl Asker {
    async fn new(home: &Path, passphrase: &Passphrase) -> Result<Self, Failure> {
        let mut asker = Self { client: Client::open(home, quiet_node()).await? };
        let request = Request::Init { name: NAME.into(), site: SITE.into(), phone: None };
        asker.ask(request, Some(passphrase.clone())).await?;
        // Nobody needs a way back into a home that is deleted when the app is left.
        let Reply::RecoveryCode { words } = asker.ask(Request::RecoveryCode, Some(passphrase.clone())).await? else {
            return Err(unexpected());
        };
        asker.ask(Request::ConfirmRecoveryCode { words: words.join(" ") }, None).await?;
        Ok(asker)
    }

    async fn import(&mut self, path: PathBuf) -> Result<Imported, Failure> {
        let request = ImportRequest { paths: vec![path], ..ImportRequest::default() };
        let Reply::Imported(report) = self.ask(Request::Import(request), None).await? else {
            return Err(unexpected());
        };
        let first = report.studies.into_iter().next().filter(|study| study.instances > 0);
        first.map(|study| Imported { id: study.id, images: study.instances }).ok_or_else(|| {
            Failure::new(FailureCode::NotFound, "There is no DICOM image that could be taken in.")
                .hint("`overread import PATH --dry-run` says of each file why.")
        })
    }

    /// Opens the door, tells the colleague of it, and gives its code once she has come through.
    async fn pair(&mut self, colleague: &mut Colleague, sample: Option<String>) -> Result<String, Failure> {
        let (tell, told) = oneshot::channel::<Door>();
        let mut code = String::new();
        let failing = async {
            let Ok(door) = told.await else { return door::closed() };
            code.clone_from(&door.code);
            match colleague.tell(&Part { door, sample }).await {
                Ok(()) => colleague.has_ended().await,
                Err(failure) => failure,
            }
        };
        tokio::select! {
            biased;
            opened = door::open(&mut self.client, tell) => opened?,
            failure = failing => return Err(failure),
        }
        Ok(code)
    }

    /// Asks the colleague. Gives the case's spoken name, and how far it has come.
    async fn new_case(&mut self, study: Imported, own: bool) -> Result<(String, String), Failure> {
        let (ask, context) = if own {
            ("A second opinion, please: what do you see?", "A demo: the colleague is simulated and cannot see.")
        } else {
            (
                "A nodule in the right lung: is this a metastasis?",
                "Treated for a melanoma; no earlier chest CT. A demo: patient and images were made by the program.",
            )
        };
        let new = CaseNew {
            ask: ask.into(),
            context: Some(context.into()),
            studies: vec![study.id],
            invite: vec![scene::NAME.into()],
            urgency: Some("urgent".into()),
            ..CaseNew::default()
        };
        let Reply::CaseCreated { spoken, delivery, .. } = self.ask(Request::CaseNew(new), None).await? else {
            return Err(unexpected());
        };
        let delivered = delivery.into_iter().next().map_or_else(String::new, |delivery| delivery.state);
        Ok((spoken, delivered))
    }

    async fn ask(&mut self, request: Request, passphrase: Option<Passphrase>) -> Result<Reply, Failure> {
        let envelope = Envelope { request, passphrase, request_id: None, wait_seconds: Some(WAIT_SECONDS) };
        self.client.ask(envelope, &mut |_| None).await
    }
}

/// Deletes the demo's folder. A node that was cut off may still write into it for a moment.
async fn delete(folder: TempDir) -> Result<(), Failure> {
    let folder = folder.keep();
    let mut tries = DELETE_TRIES_MAX;
    loop {
        match std::fs::remove_dir_all(&folder) {
            Ok(()) => return Ok(()),
            Err(error) if tries == 0 => {
                let what = format!("The demo's folder {} could not be deleted: {error}.", folder.display());
                return Err(Failure::new(FailureCode::Failed, what).hint("Delete it yourself."));
            }
            Err(_) => tries -= 1,
        }
        tokio::time::sleep(DELETE_AGAIN_AFTER).await;
    }
}
