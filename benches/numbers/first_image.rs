//! First image: a local case that is opened, to its first image at the terminal.
//!
//! The app stands at its worklist in a pseudo-terminal; Enter opens the one case there, a CT that was never opened
//! since the start of the program. The interval ends with the last byte of the frame that shows the first image. Every
//! round is a new process, so nothing but the system's own cache of files is warm.

use overread::ui::graphics::Protocol;
use tempfile::TempDir;

use crate::Outcome;
use crate::files::{SLICES, write_ct};
use crate::homes::{Alone, write_cases};
use crate::table::{Figure, Samples, Table};
use crate::terminal::{App, IMAGE_BYTES_MIN};

const ROUNDS: usize = 21;

const GOAL_MS: f64 = 150.0;

pub fn measure(table: &mut Table) -> Outcome<()> {
    let alone = Alone::new()?;
    let folder = TempDir::new()?;
    let imported = alone.home.import(&write_ct(folder.path(), SLICES)?)?;
    write_cases(&alone.home, &imported.study, 1, 0)?;
    for protocol in [Protocol::Kitty, Protocol::Sixel, Protocol::HalfBlocks] {
        let mut samples = Vec::new();
        for round in 0..=ROUNDS {
            let app = App::at_worklist(&alone.home, (160, 50), protocol)?;
            let drawn = app.key(b"\r", IMAGE_BYTES_MIN)?;
            if round > 0 {
                samples.push(drawn.ms);
            }
        }
        let what = format!("first image of {SLICES} slices, {protocol}");
        table.add(Figure::new(what, "ms", Samples::of(samples)).goal(GOAL_MS));
    }
    Ok(())
}
