//! What the project promises in numbers, measured with whole programs on this machine, beside its peers.
//!
//! ```text
//! cargo bench                   everything: some ten minutes, and 4 GB of disk for a while
//! cargo bench -- share idle     only these
//! ```
//!
//! Homes lie in a temporary folder, each with `overread node` as a process of its own; they speak over loopback and
//! are asked as scripts ask, through `overread --json …`; the app runs in a pseudo-terminal and is typed at. Peers do
//! the same work on the same files in the same run; one that is not installed is named and passed over. A figure is a
//! median unless it says otherwise, and all are better the smaller they are.
//!
//! | name | what is measured |
//! |---|---|
//! | [`import`] | files to sealed, durable chunks |
//! | [`share`] | an accepted case to its last durable chunk at the colleague |
//! | [`entry`] | a message said to the same message stored and announced at the colleague |
//! | [`difference`] | round trips and bytes until two devices know the same |
//! | [`idle`] | processor and memory of two nodes, and of the app, that have nothing to do |
//! | [`memory`] | the most memory that sharing 2 GB takes, and reading 2,000 slices |
//! | [`pictures`] | a slice to the bytes that show it on a terminal |
//! | [`reformat`] | cuts through a volume of 512 x 512 x 400 voxels |
//! | [`window`] | a large mammogram through another window |
//! | [`start`] | the app's start to its worklist of many cases |
//! | [`first_image`] | a case that is opened to its first image |
//! | [`scroll`] | a key to the slice it brings, in the whole program |
//!
//! Nothing is judged: the exit code says only whether everything worked.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the table goes to the one, what happens to the other")]

mod difference;
mod entry;
mod files;
mod first_image;
mod homes;
mod idle;
mod import;
mod memory;
mod pictures;
mod process;
mod reformat;
mod scroll;
mod share;
mod start;
mod table;
mod terminal;
mod window;

use std::process::ExitCode;

use table::Table;

/// Whatever goes wrong ends the measurement and is printed.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

type Measure = fn(&mut Table) -> Outcome<()>;

const MEASUREMENTS: [(&str, Measure); 12] = [
    ("import", import::measure),
    ("share", share::measure),
    ("entry", entry::measure),
    ("difference", difference::measure),
    ("idle", idle::measure),
    ("memory", memory::measure),
    ("pictures", pictures::measure),
    ("reformat", reformat::measure),
    ("window", window::measure),
    ("start", start::measure),
    ("first-image", first_image::measure),
    ("scroll", scroll::measure),
];

fn main() -> ExitCode {
    let mut chosen: Vec<String> = std::env::args().skip(1).collect();
    // Only `cargo bench` says so; `cargo test --all-targets` starts this program too, and means no figures.
    let Some(said_bench) = chosen.iter().position(|argument| argument == "--bench") else {
        println!("Figures are measured by `cargo bench`.");
        return ExitCode::SUCCESS;
    };
    chosen.remove(said_bench);
    let names = MEASUREMENTS.map(|(name, _)| name);
    if let Some(unknown) = chosen.iter().find(|name| !names.contains(&name.as_str())) {
        eprintln!("There is no measurement {unknown}. Choose from: {}.", names.join(", "));
        return ExitCode::from(2);
    }
    let mut table = Table::default();
    let mut failed = false;
    for (name, measure) in MEASUREMENTS {
        if chosen.is_empty() || chosen.iter().any(|chosen| chosen == name) {
            eprintln!("{name}: load average {}", process::load());
            if let Err(error) = measure(&mut table) {
                eprintln!("{name} did not work: {error}");
                failed = true;
            }
        }
    }
    print!("{table}");
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
