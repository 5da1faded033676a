//! A terminal that a whole program is measured in: a pseudo-terminal that answers what programs ask, and notes when the
//! bytes of each picture came.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use overread::ui::graphics::Protocol;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::Outcome;
use crate::homes::{Home, WORD};

/// Size of a cell in pixels, as usual.
pub const CELL: (u16, u16) = (10, 20);

/// Columns and rows of a usual window and of a full screen of 1920 x 1080 pixels, and by how much the latter may be
/// slower.
pub const SCREENS: [(&str, u16, u16, f64); 2] = [("160 x 50 cells", 160, 50, 1.0), ("full HD", 192, 54, 2.0)];

/// A frame of fewer bytes shows no new image.
pub const IMAGE_BYTES_MIN: usize = 20_000;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A frame has come when nothing more did for so long.
const QUIET: Duration = Duration::from_millis(15);

/// What programs ask last, and what they are told: Kitty's protocol, Sixel, the size of a cell, "ready".
const QUESTION: &[u8] = b"\x1b[5n";
const ANSWER: &[u8] = b"\x1b_Gi=31;OK\x1b\\\x1b[?62;4c\x1b[6;20;10t\x1b[0n";

/// `overread` in a terminal of its own; killed when it is dropped.
pub struct App {
    outside: File,
    _inside: OwnedFd,
    child: Child,
    screen: Arc<Screen>,
    /// Just before the program was started.
    pub started: Instant,
}

/// What came out of the program.
#[derive(Default)]
struct Screen {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    /// Since the last key or [`App::forget`].
    bytes: Vec<u8>,
    /// When the last of them came.
    last: Option<Instant>,
    ended: bool,
}

/// The bytes that followed something, and how long it took until the last of them.
#[derive(Clone, Copy)]
pub struct Drawn {
    pub ms: f64,
    pub kb: f64,
}

impl App {
    /// Starts the app over a home whose vault it is told how to open.
    pub fn start(home: &Home, (columns, rows): (u16, u16), protocol: Protocol) -> Outcome<Self> {
        let outside = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&outside)?;
        unlockpt(&outside)?;
        let path = ptsname(&outside, Vec::new())?;
        let inside: OwnedFd = File::options().read(true).write(true).open(path.to_str()?)?.into();
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: columns * CELL.0, ws_ypixel: rows * CELL.1 };
        tcsetwinsize(&inside, size)?;
        let outside = File::from(outside);
        let screen = Arc::new(Screen::default());
        let (reader, answers, seen) = (outside.try_clone()?, outside.try_clone()?, Arc::clone(&screen));
        std::thread::spawn(move || seen.read(reader, answers));
        let end = || inside.try_clone().map(Stdio::from);
        let mut command = home.app();
        command.env("TERM", "xterm-256color").env("COLORTERM", "truecolor").env("OVERREAD_GRAPHICS", protocol.name());
        for variable in ["TMUX", "STY", "NO_COLOR", "XTERM_VERSION", "SSH_CONNECTION", "SSH_TTY"] {
            command.env_remove(variable);
        }
        command.stdin(end()?).stdout(end()?).stderr(Stdio::null());
        let started = Instant::now();
        let child = command.spawn()?;
        Ok(Self { outside, _inside: inside, child, screen, started })
    }

    /// The same, until the cases stand in the worklist and the screen is at rest.
    pub fn at_worklist(home: &Home, size: (u16, u16), protocol: Protocol) -> Outcome<Self> {
        let app = Self::start(home, size, protocol)?;
        app.shows(WORD, app.started)?;
        app.drawn_since(app.started, 1)?;
        Ok(app)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Types, and waits for the frame that follows: at least so many bytes, and then nothing for a while.
    pub fn key(&self, keys: &[u8], bytes_min: usize) -> Outcome<Drawn> {
        self.forget();
        let typed = Instant::now();
        self.types(keys)?;
        self.drawn_since(typed, bytes_min)
    }

    /// Waits for a frame as after [`Self::key`].
    pub fn drawn_since(&self, start: Instant, bytes_min: usize) -> Outcome<Drawn> {
        let mut seen = self.seen();
        loop {
            let before = seen.last;
            let waited = self.screen.changed.wait_timeout(seen, QUIET).unwrap_or_else(PoisonError::into_inner);
            seen = waited.0;
            if let Some(last) = seen.last.filter(|_| seen.bytes.len() >= bytes_min.max(1))
                && seen.last == before
                && last.elapsed() >= QUIET
            {
                let ms = (last - start).as_secs_f64() * 1000.0;
                return Ok(Drawn { ms, kb: seen.bytes.len() as f64 / 1000.0 });
            }
            self.check(&seen, start, &format!("{bytes_min} bytes"))?;
        }
    }

    /// Waits for a word on the screen; gives how long it took since then, in milliseconds.
    pub fn shows(&self, word: &str, since: Instant) -> Outcome<f64> {
        let mut seen = self.seen();
        loop {
            if let Some(last) = seen.last
                && seen.bytes.windows(word.len()).any(|bytes| bytes == word.as_bytes())
            {
                return Ok((last - since).as_secs_f64() * 1000.0);
            }
            self.check(&seen, since, word)?;
            seen = self.screen.changed.wait_timeout(seen, QUIET).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Forgets what was seen.
    pub fn forget(&self) {
        let mut seen = self.seen();
        seen.bytes.clear();
        seen.last = None;
    }

    pub fn types(&self, keys: &[u8]) -> Outcome<()> {
        Ok((&self.outside).write_all(keys)?)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.screen.seen()
    }

    fn check(&self, seen: &Seen, since: Instant, what: &str) -> Outcome<()> {
        if seen.ended || since.elapsed() > PATIENCE {
            let tail = &seen.bytes[seen.bytes.len().saturating_sub(400)..];
            return Err(format!("the app never showed {what}: {}", tail.escape_ascii()).into());
        }
        Ok(())
    }
}

impl Screen {
    fn read(&self, mut reader: File, mut answers: File) {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(read @ 1..) = reader.read(&mut bytes) {
            let now = Instant::now();
            let bytes = &bytes[..read];
            let mut seen = self.seen();
            seen.bytes.extend_from_slice(bytes);
            seen.last = Some(now);
            drop(seen);
            self.changed.notify_all();
            if bytes.windows(QUESTION.len()).any(|bytes| bytes == QUESTION) {
                // An app that ended needs no answer.
                let _ = answers.write_all(ANSWER);
            }
        }
        self.seen().ended = true;
        self.changed.notify_all();
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
