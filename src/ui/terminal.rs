//! The terminal: taken when the app starts, given back whatever happens.
//!
//! A guard restores it when it is dropped, and a panic does so before its message is printed, so that nobody is left
//! with a terminal that echoes nothing.

use std::io::{self, BufWriter, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{
    self, DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, Event,
};
use crossterm::execute;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size as terminal_size,
};
use ratatui::Frame;
use ratatui::backend::{Backend, ClearType, CrosstermBackend};
use ratatui::buffer::Buffer;
use tokio::sync::mpsc;

use super::graphics::{Answer, Capabilities, Environment, Setting, query};
use super::message::Message;

/// How often the reading thread looks whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long the thread may take to end. Where the terminal is gone, crossterm never returns from looking: then the
/// thread goes with the process.
const END_TIME_MAX: Duration = Duration::from_secs(1);
const END_LOOK_EVERY: Duration = Duration::from_millis(5);

/// Bytes gathered before they go out: a screen of text with colours.
const BUFFER_BYTES: usize = 256 * 1024;

/// The terminal while the app has it.
pub struct Terminal {
    ratatui: ratatui::Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    environment: Environment,
    answer: Option<Answer>,
    /// What is on the screen; nothing if that is not known.
    drawn: Option<Buffer>,
    /// Dropped last: gives the terminal back.
    _guard: Guard,
}

impl Terminal {
    /// Takes the terminal: raw, on its other screen, with mouse and bracketed paste.
    ///
    /// # Errors
    /// If standard output is no terminal, or does not obey.
    pub fn take() -> io::Result<Self> {
        restore_on_panic();
        let guard = Guard;
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture, EnableBracketedPaste, Hide)?;
        // Asked before anybody else reads what the terminal answers.
        let environment = Environment::read(|name| std::env::var(name).ok());
        let answer = query::ask(&environment);
        let backend = CrosstermBackend::new(BufWriter::with_capacity(BUFFER_BYTES, io::stdout()));
        let ratatui = ratatui::Terminal::new(backend)?;
        let mut terminal = Self { ratatui, environment, answer, drawn: None, _guard: guard };
        terminal.forget()?;
        Ok(terminal)
    }

    /// What it can show, if pictures are to be shown so.
    pub fn capabilities(&self, setting: Setting) -> Capabilities {
        Capabilities::of(&self.environment, self.answer.as_ref(), setting)
    }

    /// Learns how large a cell is now: another font has another size. Where the system does not tell, it stays.
    pub fn resized(&mut self) {
        if let (Some(answer), Some(cell)) = (&mut self.answer, query::cell_size()) {
            answer.cell = Some(cell);
        }
    }

    /// Columns and rows.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        terminal_size()
    }

    /// Draws what has changed, and sends nothing where nothing has: ratatui's own `draw` resets colours and cursor each
    /// time, fifty times a second while something moves.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.ratatui.autoresize()?;
        draw(&mut self.ratatui.get_frame());
        let is_same = self.drawn.as_ref() == Some(self.ratatui.current_buffer_mut());
        if !is_same {
            self.ratatui.flush()?;
            self.drawn = Some(self.ratatui.current_buffer_mut().clone());
        }
        self.ratatui.swap_buffers();
        if is_same { Ok(()) } else { Backend::flush(self.ratatui.backend_mut()) }
    }

    /// Writes bytes as they are, at once.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let out = self.ratatui.backend_mut();
        out.write_all(bytes)?;
        Write::flush(out)
    }

    /// Forgets what is on the screen, so that the next drawing sends all of it. Not by ratatui's own `clear`, which asks
    /// where the cursor is: an answer that is late, or never comes, would end the app.
    pub fn forget(&mut self) -> io::Result<()> {
        self.drawn = None;
        self.ratatui.backend_mut().clear_region(ClearType::All)?;
        // The buffer of the next drawing is blank, and so is the one it is compared with from here on.
        self.ratatui.swap_buffers();
        Ok(())
    }
}

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    // Each step is tried even if another fails; there is nobody left to tell.
    let _ = execute!(io::stdout(), DisableBracketedPaste, DisableMouseCapture, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}

fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // A decoder that panics is contained on its own thread, and the app goes on.
            if std::thread::current().name() == Some("main") {
                restore();
                before(panic);
            } else {
                tracing::error!(%panic, "a thread panicked");
            }
        }));
    });
}

/// The thread that reads keys, and how to end it.
pub struct Reader {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Reads keys, clicks, pastes and sizes until it is dropped or the terminal is gone.
    pub fn start(messages: mpsc::Sender<Message>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                match event::poll(LOOK_EVERY) {
                    Ok(false) => continue,
                    Ok(true) => {}
                    Err(_) => return,
                }
                let message = match event::read() {
                    Ok(Event::Key(key)) => Message::Key(key),
                    Ok(Event::Mouse(pointer)) => Message::Pointer(pointer),
                    Ok(Event::Paste(text)) => Message::Paste(text),
                    Ok(Event::Resize(columns, rows)) => Message::Resized { columns, rows },
                    Ok(Event::FocusGained | Event::FocusLost) => continue,
                    Err(_) => return,
                };
                if messages.blocking_send(message).is_err() {
                    return;
                }
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else { return };
        let began = Instant::now();
        while !thread.is_finished() && began.elapsed() < END_TIME_MAX {
            std::thread::sleep(END_LOOK_EVERY);
        }
        if thread.is_finished() {
            // What it panicked with was logged.
            let _ = thread.join();
        }
    }
}
