//! Start: the app's start to its unlocked worklist, with many cases in the home.
//!
//! `overread` in a pseudo-terminal that answers at once, with the passphrase in a file; from the start of the process to
//! the cases on the screen. The home has [`CASES`] cases of [`MESSAGES`] messages each, which this process writes before.
//!
//! Apart from that stands Argon2id, which takes so long on purpose. It is measured by itself in between, and its median
//! taken off every round.

use std::time::Instant;

use overread::identity::stretch::{Cost, stretch};
use overread::ui::graphics::Protocol;
use tempfile::TempDir;

use crate::Outcome;
use crate::files::write_ct;
use crate::homes::{Alone, WORD, write_cases};
use crate::table::{Figure, Samples, Table};
use crate::terminal::App;

const CASES: usize = 500;

const MESSAGES: usize = 3;

const SLICES: u32 = 3;

const ROUNDS: usize = 21;

const GOAL_MS: f64 = 200.0;

pub fn measure(table: &mut Table) -> Outcome<()> {
    let alone = Alone::new()?;
    let folder = TempDir::new()?;
    let imported = alone.home.import(&write_ct(folder.path(), SLICES)?)?;
    write_cases(&alone.home, &imported.study, CASES, MESSAGES)?;
    let (mut whole, mut stretched) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let start = Instant::now();
        stretch(b"correct horse battery staple", &[7; 16], Cost::STANDARD)?;
        let alone_ms = start.elapsed().as_secs_f64() * 1000.0;
        let app = App::start(&alone.home, (160, 50), Protocol::Kitty)?;
        let ms = app.shows(WORD, app.started)?;
        // The first one finds nothing in the caches of the system.
        if round > 0 {
            whole.push(ms);
            stretched.push(alone_ms);
        }
    }
    let stretched = Samples::of(stretched);
    let apart = Samples::of(whole.iter().map(|ms| ms - stretched.median()));
    let what = format!("start to the worklist of {CASES} cases");
    table.add(Figure::new(format!("{what}, with Argon2id"), "ms", Samples::of(whole)));
    table.add(Figure::new("Argon2id alone, in between", "ms", stretched));
    table.add(Figure::new(format!("{what}, less Argon2id"), "ms", apart).goal(GOAL_MS));
    Ok(())
}
