//! Memory: the most that two nodes hold while a study of 2 GB goes from files to the colleague, and that the app holds
//! while somebody reads one of 2,000 slices.
//!
//! The peak of resident memory (`VmHWM`) of each step: importing at the asker, and giving and taking, which are one
//! fetch; then, in a pseudo-terminal, opening a case and scrolling through all of its slices, each shown and read back.
//! The files, and all homes, are deleted afterwards.

use overread::ui::graphics::Protocol;
use tempfile::TempDir;

use crate::Outcome;
use crate::files::{mib, write_ct};
use crate::homes::{Alone, Pair, write_cases};
use crate::process::{forget_peak, peak_mib, resident_mib};
use crate::table::{Figure, Samples, Table};
use crate::terminal::{App, IMAGE_BYTES_MIN};

/// 2 GB of files.
const SLICES: u32 = 4000;

const GOAL_MIB: f64 = 200.0;

/// Slices of the study that is read.
const READ_SLICES: u32 = 2000;

const READING_GOAL_MIB: f64 = 400.0;

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
    add("taking", reader)?;
    drop((folder, pair));
    reading(table)
}

fn reading(table: &mut Table) -> Outcome<()> {
    let alone = Alone::new()?;
    let folder = TempDir::new()?;
    let imported = alone.home.import(&write_ct(folder.path(), READ_SLICES)?)?;
    drop(folder);
    write_cases(&alone.home, &imported.study, 1, 0)?;
    for protocol in [Protocol::Kitty, Protocol::Sixel] {
        let app = App::at_worklist(&alone.home, (160, 50), protocol)?;
        let what = format!("memory of the app, {READ_SLICES} slices, {protocol}");
        let mut add = |step: &str| -> Outcome<()> {
            let resident = Samples::of([resident_mib(app.id())?]);
            table.add(Figure::new(format!("{what}, {step}"), "MiB", resident).goal(READING_GOAL_MIB));
            let peak = Samples::of([peak_mib(app.id())?]);
            table.add(Figure::new(format!("{what}, {step}, peak"), "MiB", peak).goal(READING_GOAL_MIB));
            Ok(())
        };
        app.key(b"\r", IMAGE_BYTES_MIN)?;
        add("opened")?;
        for _ in 1..READ_SLICES {
            app.key(b"j", 1)?;
        }
        add("scrolled to the end")?;
    }
    Ok(())
}
