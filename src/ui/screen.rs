//! What every screen is: state that takes keys and answers, and draws itself.
//!
//! A screen never waits and touches nothing outside: what it wants done it says through [`Context`]. Drawing reads
//! the screen and changes nothing; the area is a function of the terminal's size, so that a click finds what was drawn.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::files::Listing;
use super::graphics::Protocol;
use super::keys::{Action, Place};
use super::log::Happenings;
use super::look::Look;
use super::message::{Grown, Thumbnailed, Ticket, Wish};
use super::picture::{NotShown, Picture, PictureKey};
use super::widget::popup::Question;
use super::widget::toast::{Toasts, Weight};
use crate::case::content::{Point, Shape};
use crate::encoding::time::Timestamp;
use crate::node::api::{Event, Failure, Passphrase, Reply, Request};
use crate::study::measure::Measurement;
use crate::view::mapping::Size;
use crate::view::mpr::Reformat;
use crate::view::raster::Scene;

/// Random numbers from a seed that comes from outside, so that the app stays a function of what reaches it: SplitMix64.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// What came back on a wish.
pub type Outcome = Result<Box<Reply>, Failure>;

/// An opened picture, or why there is none.
pub type Pictured = Result<Arc<Picture>, NotShown>;

/// Where the app goes next.
pub enum Go {
    /// To the screen below.
    Back,
    /// Over this screen.
    Over(Box<dyn Screen>),
    /// Instead of all screens.
    Only(Box<dyn Screen>),
    /// Behind the lock.
    Lock,
}

/// A question that waits for yes or no.
pub(super) struct Asked {
    /// Whose question it is: it is answered by nobody else, and goes when that screen goes.
    pub screen: usize,
    pub question: Question,
    /// What comes to the screen with a yes.
    pub action: Action,
}

/// What a screen may do while it takes an event.
pub struct Context<'a> {
    pub(super) tickets: &'a mut u64,
    pub(super) wishes: &'a mut Vec<Wish>,
    pub(super) toasts: &'a mut Toasts,
    pub(super) go: &'a mut Vec<Go>,
    /// Of the screen, counted from the lowest.
    pub(super) number: usize,
    pub(super) questions: &'a mut Vec<Asked>,
    pub(super) dice: &'a mut Dice,
    /// What the node did, whoever asked for it.
    pub happenings: &'a Happenings,
    /// Whether this screen is the topmost.
    pub is_top: bool,
    /// Whether it is, and no help, palette or question lies over it.
    pub is_seen: bool,
    pub now: Timestamp,
    /// Since the start of the app.
    pub now_ms: u64,
    /// Where this screen is drawn.
    pub area: Rect,
    pub dots: Dots,
    pub shows: Shows,
}

/// How the terminal shows pictures, as an opinion says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shows {
    pub protocol: Protocol,
    pub greys: u16,
}

impl Context<'_> {
    pub fn ask(&mut self, request: Request) -> Ticket {
        self.ask_with(request, None, None)
    }

    /// Asks for something that is written, and does not wait for its delivery: the screen follows it.
    pub fn write(&mut self, request: Request) -> Ticket {
        self.ask_with(request, None, Some(0))
    }

    /// The next ticket, for a wish that will be answered.
    pub fn ticket(&mut self) -> Ticket {
        *self.tickets += 1;
        Ticket(*self.tickets)
    }

    pub fn ask_with(&mut self, request: Request, passphrase: Option<Passphrase>, wait_seconds: Option<u64>) -> Ticket {
        let ticket = self.ticket();
        self.wishes.push(Wish::Ask { ticket, request, passphrase, wait_seconds });
        ticket
    }

    /// Wishes for a measurement, which comes back with the ticket.
    pub fn measure(&mut self, picture: Arc<Picture>, shape: Shape, points: Vec<Point>) -> Ticket {
        let ticket = self.ticket();
        self.wishes.push(Wish::Measure { ticket, picture, shape, points });
        ticket
    }

    /// Asks for what the set-up check says of the terminal.
    pub fn look_at_terminal(&mut self) -> Ticket {
        *self.tickets += 1;
        let ticket = Ticket(*self.tickets);
        self.wishes.push(Wish::LookAtTerminal { ticket });
        ticket
    }

    /// Asks for what is in a folder.
    pub fn list(&mut self, path: &Path) -> Ticket {
        let ticket = self.ticket();
        self.wishes.push(Wish::List { ticket, path: path.to_owned() });
        ticket
    }

    /// Asks for the text of a file.
    pub fn read_text(&mut self, path: &Path) -> Ticket {
        let ticket = self.ticket();
        self.wishes.push(Wish::ReadText { ticket, path: path.to_owned() });
        ticket
    }

    pub fn wish(&mut self, wish: Wish) {
        self.wishes.push(wish);
    }

    pub fn say(&mut self, text: &str) {
        self.toasts.say(text, Weight::Plain, self.now_ms);
    }

    pub fn say_good(&mut self, text: &str) {
        self.toasts.say(text, Weight::Good, self.now_ms);
    }

    /// Says what went wrong and what to do next.
    pub fn say_failure(&mut self, failure: &Failure) {
        self.toasts.say(&in_one_line(failure), Weight::Bad, self.now_ms);
    }

    pub fn go(&mut self, go: Go) {
        self.go.push(go);
    }

    /// A number that nobody can foresee who has not seen this app's seed. For what is asked, not for keys.
    pub fn roll(&mut self) -> u64 {
        self.dice.roll()
    }

    /// Asks the person, as soon as the screen lies on top and what it asked before is answered; `action` comes to the
    /// screen if she says yes.
    pub fn confirm(&mut self, question: Question, action: Action) {
        self.questions.push(Asked { screen: self.number, question, action });
    }
}

/// What happened and what to do next, for a place that breaks lines itself.
pub fn in_one_line(failure: &Failure) -> String {
    match &failure.hint {
        Some(hint) if failure.what.ends_with(['.', '!', '?', ':']) => format!("{} {hint}", failure.what),
        Some(hint) => format!("{}. {hint}", failure.what),
        None => failure.what.clone(),
    }
}

/// How fine the terminal is: the dots of a cell, across and down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dots {
    pub across: u32,
    pub down: u32,
}

impl Dots {
    /// The dots of an area.
    pub fn size(self, area: Rect) -> Size {
        Size::viewport(u32::from(area.width) * self.across, u32::from(area.height) * self.down)
    }
}

/// A screen. `Any`: tests look into the one they play.
pub trait Screen: Any {
    /// Which keys apply now.
    fn place(&self) -> Place;

    fn title(&self) -> String;

    /// Whether letters are text now.
    fn typing(&self) -> bool {
        false
    }

    /// What is lost if the app ends now, in words; nothing if all of it is kept.
    fn unsaved(&self) -> Option<&'static str> {
        None
    }

    /// Whether something is under way that somebody waits for and that ends with the screen: meanwhile the app does not
    /// lock by itself.
    fn is_working(&self) -> bool {
        false
    }

    /// Called when it comes to the top, also again.
    fn shown(&mut self, _context: &mut Context<'_>) {}

    /// Called when it goes for good, also by locking: what it began and nobody else waits for ends here.
    fn dropped(&mut self, _context: &mut Context<'_>) {}

    fn act(&mut self, action: Action, context: &mut Context<'_>);

    /// A key that is bound to nothing, or text while typing.
    fn key(&mut self, _key: KeyEvent, _context: &mut Context<'_>) {}

    fn paste(&mut self, _text: &str, _context: &mut Context<'_>) {}

    fn pointer(&mut self, _pointer: MouseEvent, _context: &mut Context<'_>) {}

    fn answered(&mut self, _ticket: Ticket, _outcome: &Outcome, _context: &mut Context<'_>) {}

    fn on_the_way(&mut self, _ticket: Ticket, _event: &Event, _context: &mut Context<'_>) {}

    /// Something happened in the node, whoever asked for it.
    fn happened(&mut self, _what: &str, _case: Option<&str>, _context: &mut Context<'_>) {}

    /// A study began to arrive from a neighbour, or nobody sends it any more.
    fn inbox_changed(&mut self, _context: &mut Context<'_>) {}

    /// A picture was opened, or could not be; `None`: newer wishes came first.
    fn pictured(&mut self, _key: &PictureKey, _outcome: Option<&Pictured>, _context: &mut Context<'_>) {}

    /// A small picture was made, or could not be.
    fn thumbnailed(&mut self, _key: &PictureKey, _outcome: &Thumbnailed, _context: &mut Context<'_>) {}

    fn measured(&mut self, _ticket: Ticket, _outcome: &Result<Measurement, String>, _context: &mut Context<'_>) {}

    fn volume_grew(&mut self, _ticket: Ticket, _grown: &Grown, _context: &mut Context<'_>) {}

    fn reformatted(&mut self, _ticket: Ticket, _outcome: &Result<Arc<Reformat>, String>, _context: &mut Context<'_>) {}

    /// A folder was read, or could not be.
    fn listed(&mut self, _ticket: Ticket, _outcome: &Result<Listing, String>, _context: &mut Context<'_>) {}

    /// A text file was read, or could not be.
    fn text_read(&mut self, _ticket: Ticket, _outcome: &Result<String, String>, _context: &mut Context<'_>) {}

    /// Time passed: about four times a second.
    fn tick(&mut self, _context: &mut Context<'_>) {}

    /// The pictures it shows, each in its place; cells there stay blank.
    fn scenes(&mut self, _area: Rect, _dots: Dots) -> Vec<(Rect, Scene)> {
        Vec::new()
    }

    /// Cells inside those pictures that have text of their own.
    fn covered(&self, _area: Rect, _dots: Dots) -> Vec<Rect> {
        Vec::new()
    }

    /// Whether something moves by itself, so that time must pass faster.
    fn is_playing(&self) -> bool {
        false
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, dots: Dots, look: Look);
}
