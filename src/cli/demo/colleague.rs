//! The simulated colleague's process: a node of her own that plays [`Scene`] over real connections.
//!
//! It ends with its parent, however that ends: the parent holds the other end of its standard input, and the system
//! closes it. Her home lies in a temporary folder that goes with her.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::door::{self, Door};
use super::scene::{Act, NAME, SITE, Scene, Seen};
use super::{failed, new_passphrase, quiet_node};
use crate::cli::session::unexpected;
use crate::node::api::{CaseView, Envelope, Failure, FailureCode, Reply, Request};
use crate::node::client::Client;

/// What she must know: one line of JSON on her standard input.
#[derive(Serialize, Deserialize)]
pub(super) struct Part {
    pub door: Door,
    /// The synthetic study's id, if that is the one she will see.
    pub sample: Option<String>,
}

/// Longest line with a part, in bytes.
const PART_BYTES_MAX: u64 = 64 * 1024;

/// Most cases in which she plays at once.
const CASES_MAX: usize = 8;

/// How long she tries to deliver what she writes, and to fetch, in seconds.
const WAIT_SECONDS: u64 = 60;

/// Plays until the parent is gone.
pub(super) async fn run(beat: Duration) -> Result<u8, Failure> {
    let folder = TempDir::new().map_err(|error| failed("no temporary folder", &error))?;
    let (part, gone) = listen_to_parent();
    let mut client = Client::open(&folder.path().join("home"), quiet_node()).await?;
    let ended = tokio::select! {
        _ = gone => Ok(()),
        ended = play(&mut client, part, beat) => ended,
    };
    client.close(std::future::ready(())).await;
    ended.map(|()| 0)
}

/// Reads the part, and then waits for the end of standard input. A thread of its own, because nothing can end a read
/// that waits; it goes with the process.
fn listen_to_parent() -> (oneshot::Receiver<Part>, oneshot::Receiver<()>) {
    let (tell_part, part) = oneshot::channel();
    let (tell_gone, gone) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _gone = tell_gone;
        let mut input = BufReader::new(std::io::stdin());
        let mut line = Vec::new();
        let read = input.by_ref().take(PART_BYTES_MAX).read_until(b'\n', &mut line);
        if let (Ok(_), Ok(part)) = (read, serde_json::from_slice(&line)) {
            // Who plays no longer needs it.
            let _ = tell_part.send(part);
        } else {
            drop(tell_part);
        }
        // Whatever else is said, or however it fails: this ends when the parent does.
        let _ = std::io::copy(&mut input, &mut std::io::sink());
    });
    (part, gone)
}

async fn play(client: &mut Client, part: oneshot::Receiver<Part>, beat: Duration) -> Result<(), Failure> {
    let request = Request::Init { name: NAME.into(), site: SITE.into(), phone: None };
    let passphrase = Some(new_passphrase());
    client.ask(Envelope { request, passphrase, request_id: None, wait_seconds: None }, &mut |_| None).await?;
    let part = part
        .await
        .map_err(|_| Failure::new(FailureCode::WrongUse, "The simulated colleague was not told her part."))?;
    door::join(client, &part.door).await?;
    let mut scenes: HashMap<String, Scene> = HashMap::new();
    loop {
        tokio::time::sleep(beat).await;
        let Reply::Cases { cases } = ask(client, Request::CaseList).await? else { return Err(unexpected()) };
        for case in cases.into_iter().take(CASES_MAX) {
            // The other side may have withdrawn what she is about: then she does nothing, and looks again.
            if let Err(failure) = play_in(client, &case.id, part.sample.as_deref(), &mut scenes).await {
                tracing::info!(what = failure.what, "the simulated colleague could not do it");
            }
        }
    }
}

/// One beat in one case.
async fn play_in(
    client: &mut Client,
    case: &str,
    sample: Option<&str>,
    scenes: &mut HashMap<String, Scene>,
) -> Result<(), Failure> {
    let Reply::Case(view) = ask(client, Request::CaseShow { case: case.to_owned() }).await? else {
        return Err(unexpected());
    };
    let series = if view.standing == "accepted" { images(client, &view).await? } else { Vec::new() };
    let is_sample = || view.studies.iter().any(|study| Some(study.id.as_str()) == sample);
    let scene = scenes.entry(case.to_owned()).or_insert_with(|| Scene::new(is_sample()));
    let Some(act) = scene.beat(&Seen { case: &view, series: &series }) else { return Ok(()) };
    ask(client, request(act, case.to_owned())).await.map(|_| ())
}

/// The images of every series of a case, as far as their lists have arrived.
async fn images(client: &mut Client, case: &CaseView) -> Result<Vec<Vec<String>>, Failure> {
    let mut series = Vec::new();
    for study in case.studies.iter().filter(|study| !study.withdrawn) {
        let show = Request::StudyShow { study: study.id.clone(), identity: false };
        let Reply::Study(study) = ask(client, show).await? else { return Err(unexpected()) };
        series.extend(study.series_list.into_iter().map(|series| series.sop_instance_uids));
    }
    Ok(series)
}

fn request(act: Act, case: String) -> Request {
    // Her words are fixed and name nobody; that images are missing, or were not displayed, her opinion says.
    let (text_checked, incomplete_ok) = (true, true);
    match act {
        Act::Accept => Request::CaseAccept { case },
        Act::Fetch => Request::Fetch { case, series: Vec::new(), key_images: false },
        Act::Say(text) => Request::Say { case, text, view: None, reply_to: None, text_checked },
        Act::Mark { sop_instance_uid, kind, points, label } => Request::MarkAdd {
            case,
            sop_instance_uid,
            frame: 1,
            kind: kind.into(),
            points,
            label: Some(label.into()),
            text_checked,
        },
        Act::Sign(opinion) => Request::OpinionSign {
            case,
            opinion,
            displayed: None,
            incomplete_ok,
            text_checked,
            draft: None,
            asked_by: None,
        },
    }
}

async fn ask(client: &mut Client, request: Request) -> Result<Reply, Failure> {
    let envelope = Envelope { request, passphrase: None, request_id: None, wait_seconds: Some(WAIT_SECONDS) };
    client.ask(envelope, &mut |_| None).await
}
