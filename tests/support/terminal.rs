//! A pseudo-terminal in which the app runs.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::program::{Home, Killed, until};

/// How long a screen is waited for that is drawn anew, before it is asked for again.
const REDRAWN_WITHIN: Duration = Duration::from_millis(150);

/// A terminal of this test: the side that types and reads, and the side that a program gets.
pub struct Terminal {
    outside: OwnedFd,
    inside: OwnedFd,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    pub fn open() -> Self {
        let outside = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&outside).unwrap();
        unlockpt(&outside).unwrap();
        let path = ptsname(&outside, Vec::new()).unwrap();
        let path = path.to_str().unwrap();
        let inside: OwnedFd = File::options().read(true).write(true).open(path).unwrap().into();
        tcsetwinsize(&inside, Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let written = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, seen) = (File::from(outside.try_clone().unwrap()), Arc::clone(&written));
        std::thread::spawn(move || {
            let mut bytes = [0; 65536];
            while let Ok(read @ 1..) = reader.read(&mut bytes) {
                seen.lock().unwrap().extend_from_slice(&bytes[..read]);
            }
        });
        Self { outside, inside, written }
    }

    pub fn begin(&self, home: &Home) -> Killed {
        self.begin_with(home, "auto")
    }

    /// The same with this setting of how pictures are shown.
    pub fn begin_with(&self, home: &Home, graphics: &str) -> Killed {
        let end = || Stdio::from(self.inside.try_clone().unwrap());
        let mut command = home.text(&[]);
        command.env("TERM", "xterm-256color").env("OVERREAD_GRAPHICS", graphics);
        command.stdin(end()).stdout(end()).stderr(end());
        Killed(command.spawn().unwrap())
    }

    pub fn types(&self, bytes: &[u8]) {
        File::from(self.outside.try_clone().unwrap()).write_all(bytes).unwrap();
    }

    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    pub fn shows(&self, text: &str) {
        until(&format!("{text} on the screen"), || self.written().contains(text).then_some(()));
    }

    /// The same for a word of which some cells may have been there before: lets the app draw all anew. Between words it
    /// may jump over blank cells.
    pub fn shows_whole(&self, word: &str) {
        until(&format!("{word} on the whole screen"), || {
            let before = self.written().len();
            self.types(b"\x12");
            std::thread::sleep(REDRAWN_WITHIN);
            self.written().get(before..).is_some_and(|written| written.contains(word)).then_some(())
        });
    }

    pub fn local_modes(&self) -> LocalModes {
        tcgetattr(&self.inside).unwrap().local_modes
    }
}
