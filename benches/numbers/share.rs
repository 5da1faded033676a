//! Share: a case that is accepted to its last chunk, verified and durable at the colleague.
//!
//! Each round is a new pair of homes. The question has been delivered and nobody has accepted it, so no image is there;
//! then `overread fetch CASE`, which accepts, is timed from its start to its end. Every byte must have come in that
//! time; afterwards `overread verify` opens every image.
//!
//! The peers are those of `../shared/tools/share-peers`, a script that says what it does. They move the same files as
//! they are; ours were packed when they were imported, so what packing costs stands in that figure.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::Outcome;
use crate::files::{SLICES, mib, write_ct};
use crate::homes::Pair;
use crate::table::{Figure, Peer, Samples, Table};

const ROUNDS: usize = 5;

const GOAL_SECONDS: f64 = 0.4;

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/tools/share-peers");

pub fn measure(table: &mut Table) -> Outcome<()> {
    let folder = TempDir::new()?;
    let ct = write_ct(folder.path(), SLICES)?;
    let mut seconds = Vec::new();
    for _ in 0..ROUNDS {
        seconds.push(round(&ct)?);
    }
    let what = format!("share, {SLICES} files, {:.0} MiB", mib(&ct)?);
    let peers = peers(&ct, table)?;
    table.add(Figure::new(what, "s", Samples::of(seconds)).goal(GOAL_SECONDS).beside(peers));
    Ok(())
}

fn round(ct: &Path) -> Outcome<f64> {
    let pair = Pair::new()?;
    let imported = pair.asker.import(ct)?;
    let case = pair.ask(&imported.study)?;
    let start = Instant::now();
    let bytes = pair.fetch(&case)?;
    let seconds = start.elapsed().as_secs_f64();
    let verified = pair.reader.run(&["verify", &case])?;
    if bytes != imported.bytes_stored || verified["ok"] != true {
        return Err(format!("{bytes} bytes came of {}, and of them: {verified}", imported.bytes_stored).into());
    }
    Ok(seconds)
}

fn peers(ct: &Path, table: &mut Table) -> Outcome<Vec<Peer>> {
    if !Path::new(PEERS).exists() {
        table.pass_over(format!("every peer of share, because {PEERS} is not there"));
        return Ok(Vec::new());
    }
    let output = Command::new(PEERS).arg(ct).stderr(Stdio::inherit()).output()?;
    let mut peers = Vec::new();
    // The first line counts the files.
    for line in String::from_utf8_lossy(&output.stdout).lines().skip(1) {
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            [name @ .., seconds, "s", _, "MiB/s"] => {
                peers.push(Peer { name: name.join(" "), samples: Samples::of([seconds.parse()?]) });
            }
            _ => table.pass_over(line.to_owned()),
        }
    }
    if peers.is_empty() {
        table.pass_over(format!("share: {PEERS} gave no figure of any peer"));
    }
    Ok(peers)
}
