//! The steps of a consultation, each with the time it took: for scripts and for CI.
//!
//! Two nodes run as two processes, each with a home of its own in a temporary folder, over real sockets on
//! loopback: this process only asks them, as the command line does. The first step that fails ends the demo with a
//! code that is not 0.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use super::{LOOPBACK, door, failed, new_passphrase, quiet_node, write_synthetic};
use crate::cli::output::Output;
use crate::node::NodeOptions;
use crate::node::api::{CaseNew, Envelope, Failure, FailureCode, ImportRequest, OpinionDraft, Request};
use crate::node::client::Client;
use crate::study::synthetic;

/// The lesion's diameter drawn by the consultant, in pixels either side of its middle.
const LESION_HALF: f64 = 9.0;

/// Runs them all.
pub(super) async fn run(study: Option<PathBuf>, output: &mut Output) -> Result<u8, Failure> {
    let folder = TempDir::new().map_err(|error| failed("no temporary folder", &error))?;
    output.begin_stream();
    let mut demo = Steps { output, started: Instant::now(), number: 0 };
    let ended = tokio::select! {
        ended = consult(&mut demo, folder.path(), study) => ended,
        _ = tokio::signal::ctrl_c() => Err(Failure::new(FailureCode::Interrupted, "The demo was stopped.")),
    };
    let seconds = demo.started.elapsed().as_secs_f64();
    match ended {
        Ok(()) => {
            let text = format!("\nDone in {seconds:.1} s: both sides verified the same history.\n");
            output.result(json!({ "format": 1, "seconds": seconds }), &text);
            Ok(0)
        }
        Err(failure) => {
            output.failure(&failure);
            Ok(failure.code.exit_code())
        }
    }
}

/// One colleague: her node in a process of its own.
struct Colleague {
    home: PathBuf,
    process: Child,
    client: Client,
}

/// Prints steps with the time each took.
struct Steps<'a> {
    output: &'a mut Output,
    started: Instant,
    number: usize,
}

impl Steps<'_> {
    fn done(&mut self, since: Instant, what: &str, details: &[String]) {
        self.number += 1;
        let ms = since.elapsed().as_millis();
        let mut text = format!("{:>2}  {:>6} ms  {what}\n", self.number, ms);
        for line in details {
            text.push_str(&format!("               {line}\n"));
        }
        let object = json!({ "event": "step", "number": self.number, "what": what, "ms": ms, "details": details });
        self.output.event(&object, Some(text.trim_end()));
    }
}

async fn consult(steps: &mut Steps<'_>, folder: &Path, study: Option<PathBuf>) -> Result<(), Failure> {
    let at = Instant::now();
    let (mut asker, asker_is) = Colleague::start(&folder.join("asker"), "Dr. Anna Weiss", "City Hospital").await?;
    let (mut reader, reader_is) =
        Colleague::start(&folder.join("reader"), "Dr. Ben Okafor", "University Clinic").await?;
    steps.done(at, "two identities, two vaults, two nodes in two processes", &[asker_is, reader_is]);

    let at = Instant::now();
    let code = pair(&mut asker.client, &mut reader.client).await?;
    steps.done(at, "paired by a spoken code, both names confirmed", &[format!("code {code}")]);

    let synthetic = study.is_none();
    let path = match study {
        Some(path) => path,
        None => {
            let at = Instant::now();
            let path = folder.join("CT");
            write_synthetic(&path)?;
            let what = format!("a synthetic chest CT of {} slices, with a patient's full headers", synthetic::SLICES);
            steps.done(at, &what, &[]);
            path
        }
    };

    let at = Instant::now();
    let request = ImportRequest { paths: vec![path], dry_run: true, ..ImportRequest::default() };
    let plan = asker.ask(Request::Import(request.clone())).await?;
    steps.done(at, "the plan, before anything is stored", &plan_lines(&plan["plan"]));

    let at = Instant::now();
    let imported = asker.ask(Request::Import(ImportRequest { dry_run: false, ..request })).await?;
    let first = &imported["studies"][0];
    let study_id = text(first, "id")?;
    let (bytes_in, stored) = (number(first, "bytes_in"), number(first, "bytes_stored"));
    let seconds = at.elapsed().as_secs_f64();
    let line = format!(
        "{} images, {} MiB in, {} MiB sealed, {:.0} MiB/s",
        number(first, "instances"),
        bytes_in >> 20,
        stored >> 20,
        bytes_in as f64 / 1048576.0 / seconds
    );
    steps.done(at, "imported: de-identified, packed, sealed, durable", &[line]);

    let at = Instant::now();
    let new = CaseNew {
        ask: "A nodule in the right lung: is this a metastasis?".into(),
        context: Some("Treated for a melanoma; no earlier chest CT.".into()),
        studies: vec![study_id.clone()],
        invite: vec!["Dr. Ben Okafor".into()],
        urgency: Some("urgent".into()),
        ..CaseNew::default()
    };
    let created = asker.ask(Request::CaseNew(new)).await?;
    let case = text(&created, "case")?;
    let delivered = text(&created["delivery"][0], "state")?;
    steps.done(at, &format!("case \"{}\": question {delivered}", text(&created, "spoken")?), &[]);

    let at = Instant::now();
    reader.ask(Request::CaseAccept { case: case.clone() }).await?;
    let fetch = Request::Fetch { case: case.clone(), series: Vec::new(), key_images: false };
    let fetched = reader.ask(fetch).await?;
    let seconds = at.elapsed().as_secs_f64();
    let line = format!(
        "{} pieces; {:.0} MiB/s of the original study, every piece verified and durable",
        number(&fetched, "chunks_have"),
        bytes_in as f64 / 1048576.0 / seconds
    );
    steps.done(at, "the study arrived at the colleague", &[line]);

    let at = Instant::now();
    let (image, kind, points) = what_to_mark(&mut reader, &study_id, synthetic).await?;
    let mark = Request::MarkAdd {
        case: case.clone(),
        sop_instance_uid: image,
        frame: 1,
        kind: kind.into(),
        points,
        label: Some("target".into()),
        text_checked: false,
    };
    let marked = reader.ask(mark).await?;
    let value = &marked["mark"];
    let line = format!(
        "{} {} {} ({})",
        kind,
        value["value"],
        value["unit"].as_str().unwrap_or(""),
        value["basis"].as_str().unwrap_or("")
    );
    steps.done(at, "a mark in ink came back", &[line]);

    let at = Instant::now();
    let opinion = OpinionDraft {
        impression: "Solid nodule with a smooth margin. A solitary metastasis is possible; follow up in six weeks."
            .into(),
        agreement: "partly".into(),
        confidence: Some(70),
        ..OpinionDraft::default()
    };
    let sign = Request::OpinionSign {
        case: case.clone(),
        opinion,
        displayed: None,
        incomplete_ok: false,
        text_checked: false,
        draft: None,
        asked_by: None,
    };
    let signed = reader.ask(sign).await?;
    let opinion = text(&signed["opinion"], "id")?;
    steps.done(at, "a signed opinion with its basis came back", &lines(&signed["opinion"]["basis"]["limitations"]));

    let at = Instant::now();
    let read = asker.ask(Request::OpinionRead { opinion }).await?;
    let there = reader.ask(Request::CaseShow { case: case.clone() }).await?;
    let state = text(&there["opinions"][0]["delivery"][0], "state")?;
    expect(state == "read", "the receipt did not arrive")?;
    steps.done(at, "read, and the colleague knows", &[text(&read["opinion"], "impression")?]);

    let at = Instant::now();
    let mut hashes = Vec::new();
    for side in [&mut asker, &mut reader] {
        let verified = side.ask(Request::Verify { what: case.clone() }).await?;
        expect(verified["ok"] == true, &format!("the history does not verify: {}", verified["problems"]))?;
        hashes.push((text(&verified, "state_hash")?, number(&verified, "entries")));
    }
    expect(hashes[0] == hashes[1], "the two sides do not agree on the case")?;
    let line = format!("{} entries, state {}", hashes[0].1, &hashes[0].0.chars().take(16).collect::<String>());
    steps.done(at, "both sides verified the whole history and agree on the case", &[line]);

    asker.stop().await;
    reader.stop().await;
    Ok(())
}

impl Colleague {
    /// Makes an identity in a new home and starts its node as a process.
    async fn start(home: &Path, name: &str, site: &str) -> Result<(Self, String), Failure> {
        let passphrase = new_passphrase();
        let mut here = Client::open(home, quiet_node()).await?;
        let request = Request::Init { name: name.into(), site: site.into(), phone: None };
        let envelope = Envelope { request, passphrase: Some(passphrase.clone()), request_id: None, wait_seconds: None };
        let initialised = here.ask(envelope, &mut |_| None).await?.document();
        here.close(std::future::pending()).await;
        let program = std::env::current_exe().map_err(|error| failed("this program is not found", &error))?;
        let mut process = Command::new(program)
            .args(["--json", "--home"])
            .arg(home)
            .args(["node", "--no-beacon", "--listen", LOOPBACK])
            .env("OVERREAD_PASSPHRASE", &passphrase.0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed("a node cannot be started", &error))?;
        let stdout = process.stdout.take().ok_or_else(|| Failure::new(FailureCode::Failed, "A node has no output."))?;
        let mut ready = BufReader::new(stdout).lines();
        let first = ready.next_line().await.map_err(|error| failed("a node did not start", &error))?;
        expect(first.is_some_and(|line| line.contains("ready")), "a node did not start")?;
        tokio::spawn(async move { while let Ok(Some(_)) = ready.next_line().await {} });
        let client = Client::open(home, NodeOptions::default()).await?;
        expect(client.is_remote(), "the node's control socket does not answer")?;
        let line = format!("{name}, {site}: {}", text(&initialised, "fingerprint")?);
        Ok((Self { home: home.to_owned(), process, client }, line))
    }

    /// Asks this colleague's node and gives the JSON document of the answer.
    async fn ask(&mut self, request: Request) -> Result<Value, Failure> {
        let envelope = Envelope { request, passphrase: None, request_id: None, wait_seconds: Some(60) };
        Ok(self.client.ask(envelope, &mut |_| None).await?.document())
    }

    async fn stop(mut self) {
        if let Some(pid) = self.process.id().and_then(|pid| rustix::process::Pid::from_raw(pid as i32)) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.process.wait().await;
        tracing::debug!(home = %self.home.display(), "a node of the demo ended");
    }
}

/// One opens the door, the other joins with the code.
async fn pair(opener: &mut Client, joiner: &mut Client) -> Result<String, Failure> {
    let (tell, told) = oneshot::channel();
    let join = async {
        let door = told.await.map_err(|_| door::closed())?;
        door::join(joiner, &door).await?;
        Ok(door.code)
    };
    let (opened, code) = tokio::join!(door::open(opener, tell), join);
    opened?;
    code
}

/// The lesion of the synthetic study, or the first pixel of somebody else's middle image.
async fn what_to_mark(
    reader: &mut Colleague,
    study: &str,
    synthetic_study: bool,
) -> Result<(String, &'static str, Vec<(f64, f64)>), Failure> {
    let shown = reader.ask(Request::StudyShow { study: study.to_owned(), identity: false }).await?;
    let images = shown["series_list"][0]["sop_instance_uids"].as_array().cloned().unwrap_or_default();
    let (column, row, slice) = synthetic::LESION;
    let place = if synthetic_study { slice as usize } else { images.len() / 2 };
    let image = images.get(place).and_then(Value::as_str).unwrap_or_default().to_owned();
    if synthetic_study {
        let (column, row) = (column as f64, row as f64);
        return Ok((image, "length", vec![(column - LESION_HALF, row), (column + LESION_HALF, row)]));
    }
    Ok((image, "probe", vec![(0.0, 0.0)]))
}

fn plan_lines(plan: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for patient in plan["patients"].as_array().into_iter().flatten() {
        let field = |name: &str| patient[name].as_str().unwrap_or("").to_owned();
        lines.push(format!(
            "patient {}, born {}, examined {}",
            field("name"),
            field("birth_date"),
            field("study_date")
        ));
    }
    let mut actions: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for attribute in plan["attributes"].as_array().into_iter().flatten() {
        *actions.entry(attribute["action"].as_str().unwrap_or("").to_owned()).or_default() += 1;
    }
    let counted: Vec<String> = actions.iter().map(|(action, count)| format!("{count} {action}")).collect();
    lines.push(format!("attributes: {}", counted.join(", ")));
    lines
}

fn lines(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn text(value: &Value, field: &str) -> Result<String, Failure> {
    let missing = || Failure::new(FailureCode::Failed, format!("The node's answer lacks {field}."));
    value[field].as_str().map(str::to_owned).ok_or_else(missing)
}

fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or(0)
}

fn expect(holds: bool, otherwise: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new(FailureCode::Failed, format!("The demo failed: {otherwise}."))) }
}
