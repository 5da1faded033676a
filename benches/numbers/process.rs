//! What Linux says of a running process.

use std::fs::{read_to_string, write};

use crate::Outcome;

/// Ticks a second of the times in `/proc`, on every architecture there is.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds of processor a process has used, on all cores together.
pub fn cpu_seconds(id: u32) -> Outcome<f64> {
    let stat = read_to_string(format!("/proc/{id}/stat"))?;
    // The name may hold spaces; behind it the state is field 3, user and system time are 14 and 15.
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc has another form here")?;
    let ticks: Vec<f64> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}

/// Memory that a process holds now, in MiB.
pub fn resident_mib(id: u32) -> Outcome<f64> {
    status_mib(id, "VmRSS:")
}

/// The most memory that a process held since [`forget_peak`], in MiB.
pub fn peak_mib(id: u32) -> Outcome<f64> {
    status_mib(id, "VmHWM:")
}

pub fn forget_peak(id: u32) -> Outcome<()> {
    Ok(write(format!("/proc/{id}/clear_refs"), "5")?)
}

/// How many programs wanted a core of this machine in the last minute, on average.
pub fn load() -> String {
    let load = read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

fn status_mib(id: u32, field: &str) -> Outcome<f64> {
    let status = read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("/proc has another form here")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}
