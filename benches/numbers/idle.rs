//! Idle: what two nodes that are connected and have nothing to do take of the machine, and what the app does at which
//! nobody sits.
//!
//! Processor of one core over [`SECONDS`], and resident memory at the end, for each process. The two nodes share no
//! case; the beacon, the pings of the network and all timers run as they always do. The app stands in a pseudo-terminal,
//! first at a worklist of [`CASES`] cases, then in one of them with a CT on the screen, and is its own node.

use std::thread::sleep;
use std::time::{Duration, Instant};

use overread::ui::graphics::Protocol;
use tempfile::TempDir;

use crate::Outcome;
use crate::files::write_ct;
use crate::homes::{Alone, Pair, write_cases};
use crate::process::{cpu_seconds, resident_mib};
use crate::table::{Figure, Samples, Table};
use crate::terminal::{App, IMAGE_BYTES_MIN};

const SECONDS: u64 = 20;

const GOAL_PERCENT: f64 = 0.5;

const GOAL_MIB: f64 = 80.0;

const CASES: usize = 100;

const SLICES: u32 = 60;

/// Until what an arrival on a screen sets going has ended.
const SETTLE: Duration = Duration::from_secs(3);

pub fn measure(table: &mut Table) -> Outcome<()> {
    let pair = Pair::new()?;
    let nodes = [("asker", pair.asker_node.id()), ("reader", pair.reader_node.id())];
    are_connected(&pair)?;
    let before = nodes.map(|(_, id)| cpu_seconds(id));
    let start = Instant::now();
    sleep(Duration::from_secs(SECONDS));
    let seconds = start.elapsed().as_secs_f64();
    for ((who, id), before) in nodes.into_iter().zip(before) {
        let percent = Samples::of([(cpu_seconds(id)? - before?) / seconds * 100.0]);
        let resident = Samples::of([resident_mib(id)?]);
        table.add(Figure::new(format!("idle for {SECONDS} s, processor of {who}"), "%", percent).goal(GOAL_PERCENT));
        table.add(Figure::new(format!("idle for {SECONDS} s, memory of {who}"), "MiB", resident).goal(GOAL_MIB));
    }
    are_connected(&pair)?;
    drop(pair);
    app(table)
}

fn app(table: &mut Table) -> Outcome<()> {
    let alone = Alone::new()?;
    let folder = TempDir::new()?;
    let imported = alone.home.import(&write_ct(folder.path(), SLICES)?)?;
    write_cases(&alone.home, &imported.study, CASES, 1)?;
    for protocol in [Protocol::Kitty, Protocol::Sixel, Protocol::HalfBlocks] {
        let app = App::at_worklist(&alone.home, (160, 50), protocol)?;
        let mut add = |screen: &str| -> Outcome<()> {
            sleep(SETTLE);
            let (before, start) = (cpu_seconds(app.id())?, Instant::now());
            sleep(Duration::from_secs(SECONDS));
            let percent = (cpu_seconds(app.id())? - before) / start.elapsed().as_secs_f64() * 100.0;
            let what = format!("idle for {SECONDS} s, app at {screen}, {protocol}");
            table.add(Figure::new(format!("{what}, processor"), "%", Samples::of([percent])).goal(GOAL_PERCENT));
            let resident = Samples::of([resident_mib(app.id())?]);
            table.add(Figure::new(format!("{what}, memory"), "MiB", resident));
            Ok(())
        };
        add("the worklist")?;
        app.key(b"\r", IMAGE_BYTES_MIN)?;
        add("a case")?;
    }
    Ok(())
}

fn are_connected(pair: &Pair) -> Outcome<()> {
    for home in [&pair.asker, &pair.reader] {
        let synced = home.run(&["sync", "--wait", "30"])?;
        if synced["peers"][0]["connected"] != true {
            return Err(format!("the nodes are not connected: {synced}").into());
        }
    }
    Ok(())
}
