//! Scroll: a key to the last byte of the slice it brings to the terminal, in the whole program.
//!
//! The app shows a CT of 512 x 512 in a pseudo-terminal; one key after the other asks for the next slice. An interval
//! begins when the key is written to the terminal and ends when the last byte of the new frame was read from it: reading
//! the key, window, scale, marks and letters, encoding, and the way through the terminal are all in it. Slices stand in
//! the order of reading, opened ahead as always; the next key comes when the frame is there. The second way, back
//! through slices seen before, is what Kitty's protocol need not be sent again.

use std::thread::sleep;
use std::time::Duration;

use overread::ui::graphics::Protocol;
use tempfile::TempDir;

use crate::Outcome;
use crate::files::write_ct;
use crate::homes::{Alone, Home, write_cases};
use crate::table::{Figure, Samples, Table};
use crate::terminal::{App, Drawn, IMAGE_BYTES_MIN, SCREENS};

const SLICES: u32 = 160;

const WARM_UP: usize = 20;

const KEYS: usize = 120;

/// Somebody who holds a key down sends one so often.
const BETWEEN: Duration = Duration::from_millis(15);

/// The least a key changes: the number of the slice.
const FRAME_BYTES_MIN: usize = 10;

const FRAME_KB_GOAL: f64 = 400.0;

/// A way to show pictures and its goal in ms.
const PROTOCOLS: [(Protocol, f64); 3] = [(Protocol::Kitty, 4.0), (Protocol::Sixel, 16.0), (Protocol::HalfBlocks, 4.0)];

pub fn measure(table: &mut Table) -> Outcome<()> {
    let alone = Alone::new()?;
    let folder = TempDir::new()?;
    let imported = alone.home.import(&write_ct(folder.path(), SLICES)?)?;
    write_cases(&alone.home, &imported.study, 1, 0)?;
    for (screen, columns, rows, times_goal) in SCREENS {
        for (protocol, goal) in PROTOCOLS {
            let [new, before] = scrolled(&alone.home, (columns, rows), protocol)?;
            let what = format!("scroll, {protocol}, {screen}");
            add(table, &what, &new, goal * times_goal);
            if protocol == Protocol::Kitty {
                add(table, &format!("{what}, seen before"), &before, goal * times_goal);
            }
        }
    }
    Ok(())
}

fn add(table: &mut Table, what: &str, frames: &[Drawn], goal_ms: f64) {
    let times = Samples::of(frames.iter().map(|frame| frame.ms));
    let p99 = Samples::of([times.percentile(99)]);
    table.add(Figure::new(format!("{what}, key to bytes"), "ms", times));
    table.add(Figure::new(format!("{what}, key to bytes, p99"), "ms", p99).goal(goal_ms));
    let sizes = Samples::of(frames.iter().map(|frame| frame.kb));
    table.add(Figure::new(format!("{what}, size"), "KB", sizes).goal(FRAME_KB_GOAL));
}

/// Slices that come for the first time, and again on the way back.
fn scrolled(home: &Home, size: (u16, u16), protocol: Protocol) -> Outcome<[Vec<Drawn>; 2]> {
    let app = App::at_worklist(home, size, protocol)?;
    app.key(b"\r", IMAGE_BYTES_MIN)?;
    // The picture has the whole screen.
    app.key(b"p", 1)?;
    let keys = |key: &[u8], number: usize| -> Outcome<Vec<Drawn>> {
        let frame = |_| {
            sleep(BETWEEN);
            app.key(key, FRAME_BYTES_MIN)
        };
        (0..number).map(frame).collect()
    };
    keys(b"j", WARM_UP)?;
    let new = keys(b"j", KEYS)?;
    let before = keys(b"k", KEYS)?;
    Ok([new, before])
}
