//! Memory: the most that two nodes hold while a study of 2 GB goes from files to the colleague.
//!
//! The peak of resident memory (`VmHWM`) of three steps: importing at the asker, and giving and taking, which are one
//! fetch. The files, and both homes, are deleted afterwards.

use tempfile::TempDir;

use crate::Outcome;
use crate::files::{mib, write_ct};
use crate::homes::Pair;
use crate::process::{forget_peak, peak_mib};
use crate::table::{Figure, Samples, Table};

/// 2 GB of files.
const SLICES: u32 = 4000;

const GOAL_MIB: f64 = 200.0;

const FREE_BYTES_MIN: u64 = 8_000_000_000;

pub fn measure(table: &mut Table) -> Outcome<()> {
    let folder = TempDir::new()?;
    let disk = rustix::fs::statvfs(folder.path())?;
    if disk.f_bavail * disk.f_frsize < FREE_BYTES_MIN {
        table.pass_over(format!("memory: less than {} GB of disk are free", FREE_BYTES_MIN / 1_000_000_000));
        return Ok(());
    }
    let ct = write_ct(folder.path(), SLICES)?;
    let what = format!("memory, {SLICES} files, {:.0} MiB", mib(&ct)?);
    let pair = Pair::new()?;
    let (asker, reader) = (pair.asker_node.id(), pair.reader_node.id());
    let mut add = |step: &str, process| -> Outcome<()> {
        let peak = Samples::of([peak_mib(process)?]);
        table.add(Figure::new(format!("{what}, peak while {step}"), "MiB", peak).goal(GOAL_MIB));
        forget_peak(process)
    };
    let imported = pair.asker.import(&ct)?;
    add("importing", asker)?;
    pair.fetch(&pair.ask(&imported.study)?)?;
    add("giving", asker)?;
    add("taking", reader)
}
