//! The terminal app: what `overread` shows without a subcommand.
//!
//! ```text
//! terminal -> Message -> App::update -> Wish -> worker -> node's client
//!    ^                        |                    `-> Message
//!    `------ App::draw <------'
//! ```
//!
//! State, update, view: [`app::App`] takes one message at a time and gives wishes back; drawing reads it and changes
//! nothing. No key handler waits: what takes long is a wish that [`worker`] carries out, and whose answer comes back
//! with its ticket. The app is the node of its home unless one runs already; then it asks that one.
//!
//! Start with [`screen::Screen`] for what a screen is, and [`keys`] for what every key does.

mod app;
mod browse;
mod bundles;
mod case;
pub mod check;
mod colleagues;
mod display;
mod files;
pub mod graphics;
mod held;
mod import;
mod keys;
mod lane;
mod log;
mod look;
mod message;
mod new_case;
mod opinion;
mod pairing;
mod paths;
mod patient;
mod picture;
mod recovery;
mod screen;
mod settings;
pub mod signals;
mod studies;
mod terminal;
mod thumbnails;
mod transfers;
mod unlock;
mod verification;
mod viewer;
mod welcome;
mod widget;
mod worker;
mod worklist;

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::encoding::random;
use crate::encoding::time::Timestamp;
use crate::node::NodeOptions;
use crate::node::api::{Failure, FailureCode, Passphrase, Reply};
use crate::node::client::Client;

use app::{App, Options};
use display::Display;
use graphics::Capabilities;
use look::Look;
use message::{Message, Wish};
use signals::Signals;
use terminal::{Reader, Terminal};
use worker::Worker;

/// Locks after so long without a key until the settings are known.
const LOCK_AFTER: Duration = Duration::from_secs(15 * 60);

/// Messages that wait for the app.
const MESSAGES_MAX: usize = 1024;

/// How often time passes for the app.
const TICK: Duration = Duration::from_millis(250);

/// And while something moves by itself.
const TICK_PLAYING: Duration = Duration::from_millis(20);

/// Most messages taken before the screen is drawn: a wheel turned fast makes one picture, not fifty.
const BATCH_MAX: usize = 256;

/// How the app starts.
#[derive(Debug, Clone)]
pub struct Start {
    /// Whether colours may be used: `NO_COLOR` forbids them.
    pub colour: bool,
    /// Lock after so long without a key, whatever the settings say.
    pub lock_after: Option<Duration>,
    /// How pictures are to be shown, whatever the settings say.
    pub graphics: Option<graphics::Setting>,
    /// Opens the vault at once.
    pub passphrase: Option<Passphrase>,
}

impl Start {
    /// What the app starts with, without a passphrase.
    fn options(&self, pictures: &Display) -> Options {
        let lock_after = self.lock_after.unwrap_or(LOCK_AFTER);
        Options {
            look: Look { colour: self.colour },
            dots: pictures.dots(),
            shows: pictures.shows(),
            lock_after_ms: lock_after.as_millis().try_into().unwrap_or(u64::MAX),
            lock_after_set: self.lock_after.is_none(),
            passphrase: None,
            seed: u64::from_be_bytes(random::bytes(&mut random::system())),
        }
    }
}

/// Runs the app until the person quits, or the system asks it to end.
///
/// # Errors
/// If the terminal cannot be used, or the home's node neither found nor started.
pub async fn run(home: &Path, options: NodeOptions, start: Start) -> Result<(), Failure> {
    match held::open(home, options, &start).await? {
        Some(client) => run_with(client, start).await,
        None => Ok(()),
    }
}

/// Runs the app over a node that was found or started already, and closes its client.
///
/// # Errors
/// If the terminal cannot be used.
pub async fn run_with(client: Client, start: Start) -> Result<(), Failure> {
    let mut signals = Signals::listen().map_err(terminal_failure)?;
    let mut terminal = Terminal::take().map_err(terminal_failure)?;
    let (sender, mut messages) = mpsc::channel(MESSAGES_MAX);
    let mut setting = start.graphics.unwrap_or_default();
    let mut pictures = Display::new(terminal.capabilities(setting));
    let options = Options { passphrase: start.passphrase.clone(), ..start.options(&pictures) };
    let reader = Reader::start(sender.clone());
    let answers = sender.clone();
    let mut worker = Worker::new(client, sender);
    let (mut app, wishes) = App::new(options, terminal.size().map_err(terminal_failure)?);
    for wish in wishes {
        worker.begin(wish).await;
    }
    let began = Instant::now();
    let mut ticked = began;
    let ended = loop {
        if let Err(error) = pictures.draw(&mut terminal, &mut app) {
            break Err(terminal_failure(error));
        }
        let tick = if app.is_playing() { TICK_PLAYING } else { TICK };
        // However much comes in, signals are heard and time passes: the lock depends on it. Nothing is lost when they go
        // first, since a message stays in its queue.
        let mut next = tokio::select! {
            biased;
            () = signals.any() => break Ok(()),
            () = tokio::time::sleep_until((ticked + tick).into()) => {
                ticked = Instant::now();
                Some(Message::Tick)
            }
            message = messages.recv() => message,
        };
        for _ in 0..BATCH_MAX {
            let Some(message) = next else { break };
            let mut told = Ok(());
            if let Message::Resized { .. } = message {
                terminal.resized();
                told = show_with(&mut pictures, terminal.capabilities(setting), &mut terminal, &mut app);
            }
            let now_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            for wish in app.update(message, now(), now_ms) {
                let done = match wish {
                    Wish::Bell => terminal.write(b"\x07"),
                    Wish::LookAtTerminal { ticket } => {
                        let checks = pictures.checks();
                        let outcome = Ok(Box::new(Reply::Doctor { checks }));
                        // Where the queue is full, the screen asks again when it is opened again.
                        let _ = answers.try_send(Message::Answered { ticket, outcome });
                        Ok(())
                    }
                    Wish::ShowWith(wanted) => {
                        setting = start.graphics.unwrap_or(wanted);
                        let capabilities = terminal.capabilities(setting);
                        if capabilities == *pictures.capabilities() {
                            Ok(())
                        } else {
                            show_with(&mut pictures, capabilities, &mut terminal, &mut app)
                        }
                    }
                    // What the terminal keeps of a patient goes with what the worker keeps.
                    Wish::Forget => {
                        worker.begin(wish).await;
                        pictures.clear(&mut terminal)
                    }
                    Wish::Redraw => {
                        pictures.forget();
                        terminal.forget()
                    }
                    wish => {
                        worker.begin(wish).await;
                        Ok(())
                    }
                };
                told = told.and(done);
            }
            if let Err(error) = told {
                tracing::warn!(%error, "the terminal did not take it");
            }
            next = messages.try_recv().ok();
        }
        if app.is_quitting() {
            break Ok(());
        }
    };
    if let Err(error) = pictures.clear(&mut terminal) {
        tracing::warn!(%error, "the terminal keeps pictures");
    }
    // The terminal comes back before the node has ended: what it still delivers takes up to two seconds.
    drop(reader);
    drop(terminal);
    // Nobody looks at answers any more, and none may hold up what still has to be kept.
    drop(messages);
    let now_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    for wish in app.end(now(), now_ms) {
        worker.begin(wish).await;
    }
    worker.close().await;
    ended
}

/// Shows pictures anew, perhaps in another way.
fn show_with(
    pictures: &mut Display,
    capabilities: Capabilities,
    terminal: &mut Terminal,
    app: &mut App,
) -> io::Result<()> {
    pictures.show_with(capabilities, terminal)?;
    app.show_with(pictures.dots(), pictures.shows());
    terminal.forget()
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn terminal_failure(error: io::Error) -> Failure {
    Failure::new(FailureCode::Failed, format!("The terminal cannot be used: {error}."))
        .hint("Start `overread` in a terminal; with a command (`overread --help`) it needs none.")
}
