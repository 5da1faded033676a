//! Import: files that exist to chunks that are de-identified, packed, sealed and durable.
//!
//! Each round is `overread import` of the same files into a home that is new, once with nothing running (the command
//! is the node, and opens the vault first) and once through a running node. Two intervals each: what the answer
//! reports, from the first look at the paths to the last row on disk, and the command from its start to its end.
//!
//! The peers empty or remove identifying attributes of the same files. They leave the pixels as they are, seal nothing
//! and make nothing durable; dcmodify works in place, on a copy that is not counted.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use overread::study::synthetic;
use tempfile::TempDir;

use crate::Outcome;
use crate::files::{SLICES, copy, mib, write_ct};
use crate::homes::Home;
use crate::table::{Figure, Peer, Samples, Table};

const ROUNDS: usize = 5;

const GOAL_SECONDS: f64 = 0.6;

/// Attributes that say who the patient is, who treated her and where.
const IDENTIFYING: [&str; 14] = [
    "0008,0050",
    "0008,0080",
    "0008,0081",
    "0008,0090",
    "0008,1010",
    "0008,1048",
    "0008,1070",
    "0010,0010",
    "0010,0020",
    "0010,0030",
    "0010,4000",
    "0018,1000",
    "0020,0010",
    "0020,4000",
];

pub fn measure(table: &mut Table) -> Outcome<()> {
    let folder = TempDir::new()?;
    let ct = write_ct(folder.path(), SLICES)?;
    let what = format!("import, {SLICES} files, {:.0} MiB", mib(&ct)?);
    let rounds = [("no node runs", Ours::rounds(&ct, false)?), ("through a node", Ours::rounds(&ct, true)?)];
    let peers = peers(&ct, folder.path(), table)?;
    for (way, Ours { reported, whole }) in rounds {
        table.add(Figure::new(format!("{what}, {way}, as reported"), "s", reported).goal(GOAL_SECONDS));
        let figure = Figure::new(format!("{what}, {way}, whole command"), "s", whole).goal(GOAL_SECONDS);
        table.add(figure.beside(peers.clone()));
    }
    Ok(())
}

/// Both intervals of some rounds.
struct Ours {
    reported: Samples,
    whole: Samples,
}

impl Ours {
    fn rounds(ct: &Path, through_node: bool) -> Outcome<Self> {
        let (mut reported, mut whole) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let folder = TempDir::new()?;
            let home = Home::new(folder.path().join("home"), "Dr. Anna Weiss")?;
            let _node = if through_node { Some(home.node()?) } else { None };
            let start = Instant::now();
            let imported = home.import(ct)?;
            whole.push(start.elapsed().as_secs_f64());
            reported.push(imported.seconds);
        }
        Ok(Self { reported: Samples::of(reported), whole: Samples::of(whole) })
    }
}

/// Makes a peer ready to clean the files of a folder, with a place of its own that does not exist yet.
type Prepare = fn(&Path, &Path) -> Outcome<Command>;

/// The peers that are installed, each on a fresh copy or into a fresh folder.
fn peers(ct: &Path, folder: &Path, table: &mut Table) -> Outcome<Vec<Peer>> {
    let mut peers = Vec::new();
    for (name, prepare) in [("dcmodify", dcmodify as Prepare), ("gdcmanon", gdcmanon)] {
        if Command::new(name).arg("--version").output().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            table.pass_over(format!("{name} is not installed"));
            continue;
        }
        let mut seconds = Vec::new();
        for _ in 0..ROUNDS {
            let place = TempDir::new_in(folder)?;
            let mut command = prepare(ct, &place.path().join("CT"))?;
            let start = Instant::now();
            let output = command.output()?;
            seconds.push(start.elapsed().as_secs_f64());
            if !output.status.success() || !is_clean(&place.path().join("CT"))? {
                return Err(format!("{name} failed: {}", String::from_utf8_lossy(&output.stderr)).into());
            }
        }
        peers.push(Peer { name: name.to_owned(), samples: Samples::of(seconds) });
    }
    Ok(peers)
}

/// Whether a peer left every file, and in none the patient's name.
fn is_clean(folder: &Path) -> Outcome<bool> {
    let [name, ..] = synthetic::IDENTITY;
    let mut files = 0;
    for file in std::fs::read_dir(folder)? {
        let bytes = std::fs::read(file?.path())?;
        if bytes.windows(name.len()).any(|window| window == name.as_bytes()) {
            return Ok(false);
        }
        files += 1;
    }
    Ok(files == SLICES)
}

fn dcmodify(ct: &Path, place: &Path) -> Outcome<Command> {
    let copies = copy(ct, place)?;
    let mut command = Command::new("dcmodify");
    command.args(["--no-backup", "--ignore-missing-tags"]);
    command.args(IDENTIFYING.iter().flat_map(|tag| ["--erase-all".to_owned(), format!("({tag})")])).args(copies);
    Ok(command)
}

fn gdcmanon(ct: &Path, place: &Path) -> Outcome<Command> {
    let mut command = Command::new("gdcmanon");
    command.arg("--dumb").args(IDENTIFYING.iter().flat_map(|tag| ["--empty", tag]));
    command.arg("-i").arg(ct).arg("-o").arg(place);
    Ok(command)
}
