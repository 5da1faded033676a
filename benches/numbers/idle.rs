//! Idle: what two nodes that are connected and have nothing to do take of the machine.
//!
//! Processor of one core over [`SECONDS`], and resident memory at the end, for each of the two processes. They share no
//! case; the beacon, the pings of the network and all timers run as they always do.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::homes::Pair;
use crate::process::{cpu_seconds, resident_mib};
use crate::table::{Figure, Samples, Table};

const SECONDS: u64 = 20;

const GOAL_PERCENT: f64 = 0.5;

const GOAL_MIB: f64 = 80.0;

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
    are_connected(&pair)
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
