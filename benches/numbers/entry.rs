//! Entry: a message that is said to the same message stored and announced at the colleague.
//!
//! The interval begins when `say` is written to the asker's control socket and ends when the reader's node tells a
//! program that follows it of new entries. In between: the check of the text, signing and sealing, an fsync at the
//! asker, the way over loopback, verifying and opening, an fsync at the reader, and a control socket at both ends.
//! Starting a `say` process and drawing on a screen are not in it. One message at a time: the next is said when the
//! asker knows that the last was delivered.

use std::time::Instant;

use overread::node::NodeOptions;
use overread::node::api::{Envelope, Event, Request};
use overread::node::client::Client;
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::Outcome;
use crate::files::write_ct;
use crate::homes::{Home, Pair};
use crate::table::{Figure, Samples, Table};

const ROUNDS: usize = 300;

/// A case is about images; here they are all at the reader before the first message.
const SLICES: u32 = 3;

const GOAL_MS: f64 = 20.0;

/// Announcements not yet looked at.
const SEEN_MAX: usize = 16;

pub fn measure(table: &mut Table) -> Outcome<()> {
    let pair = Pair::new()?;
    let folder = TempDir::new()?;
    let imported = pair.asker.import(&write_ct(folder.path(), SLICES)?)?;
    let case = pair.ask(&imported.study)?;
    pair.fetch(&case)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let samples = Samples::of(runtime.block_on(rounds(&pair, &case))?);
    for home in [&pair.asker, &pair.reader] {
        let shown = home.run(&["case", "show", &case])?;
        if shown["messages"].as_array().map(Vec::len) != Some(ROUNDS) {
            return Err("not every message arrived".into());
        }
    }
    let figure = |percent| {
        let what = format!("entry, said to announced, p{percent} of {ROUNDS}");
        Figure::new(what, "ms", Samples::of([samples.percentile(percent)]))
    };
    table.add(figure(50));
    table.add(figure(99).goal(GOAL_MS));
    Ok(())
}

async fn rounds(pair: &Pair, case: &str) -> Outcome<Vec<f64>> {
    let (mut asker, mut reader) = (client(&pair.asker).await?, client(&pair.reader).await?);
    let (seen, mut announced) = mpsc::channel(SEEN_MAX);
    let mut on_event = move |event| {
        let tells = match event {
            Event::Ready { .. } => true,
            Event::Happened { what, .. } => what == "entries",
            _ => false,
        };
        if tells {
            // One message at a time, so there is always room.
            let _ = seen.try_send(Instant::now());
        }
        None
    };
    let following = reader.ask(envelope(Request::Follow), &mut on_event);
    let saying = async {
        let mut latencies = Vec::with_capacity(ROUNDS);
        announced.recv().await.ok_or("the reader's node does not tell what happens")?;
        for round in 0..ROUNDS {
            let text = format!("Thought {round}: could you also look at the adrenals?");
            let say = Request::Say { case: case.to_owned(), text, view: None, reply_to: None, text_checked: false };
            let start = Instant::now();
            asker.ask(envelope(say), &mut |_| None).await?;
            let end = announced.recv().await.ok_or("the reader's node stopped telling")?;
            latencies.push((end - start).as_secs_f64() * 1000.0);
        }
        match announced.try_recv() {
            Ok(_) => Err("the reader's node announced more than was said".into()),
            Err(_) => Ok(latencies),
        }
    };
    tokio::select! {
        followed = following => Err(format!("the reader's node ended: {:?}", followed.map(drop)).into()),
        said = saying => said,
    }
}

async fn client(home: &Home) -> Outcome<Client> {
    Ok(Client::open(home.path(), NodeOptions::default()).await?)
}

fn envelope(request: Request) -> Envelope {
    Envelope { request, passphrase: None, request_id: None, wait_seconds: None }
}
