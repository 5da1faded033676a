//! What reaches the app, and what it wishes for: the only two things that pass between it and the world.
//!
//! A wish that will be answered carries a [`Ticket`]; whoever made it keeps the ticket, and an answer nobody waits for
//! any more is dropped.

use std::path::PathBuf;
use std::sync::Arc;

use crossterm::event::{KeyEvent, MouseEvent};

use super::files::Listing;
use super::graphics::Setting;
use super::picture::{NotShown, Picture, PictureKey};
use crate::case::content::{Point, Shape};
use crate::node::api::{Event, Failure, Passphrase, Reply, Request};
use crate::study::measure::Measurement;
use crate::study::plane::Plane;
use crate::view::mpr::{Reformat, Slab};
use crate::view::thumbnail::Thumbnail;
use crate::view::volume::Volume;

/// The number of one wish; its answer repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A small picture; why there is none; or it was not made because too many were wished for, and may be wished for again.
pub type Thumbnailed = Result<Thumbnail, Option<NotShown>>;

/// Something that happened.
#[derive(Debug)]
pub enum Message {
    Key(KeyEvent),
    Pointer(MouseEvent),
    Paste(String),
    Resized {
        columns: u16,
        rows: u16,
    },
    /// Time passed.
    Tick,
    Answered {
        ticket: Ticket,
        outcome: Result<Box<Reply>, Failure>,
    },
    /// Something on the way to an answer.
    OnTheWay {
        ticket: Ticket,
        event: Event,
    },
    /// A folder was read.
    Listed {
        ticket: Ticket,
        outcome: Result<Listing, String>,
    },
    /// A text file was read.
    TextRead {
        ticket: Ticket,
        outcome: Result<String, String>,
    },
    /// One line of what the node does, whoever asked for it.
    Followed(Event),
    Pictured {
        key: PictureKey,
        outcome: Result<Arc<Picture>, NotShown>,
    },
    Measured {
        ticket: Ticket,
        outcome: Result<Measurement, String>,
    },
    /// Slices were read into a volume.
    VolumeGrew {
        ticket: Ticket,
        grown: Grown,
    },
    Reformatted {
        ticket: Ticket,
        outcome: Result<Arc<Reformat>, String>,
    },
    /// Newer wishes came first; it may be wished for again.
    PictureDropped(PictureKey),
    Thumbnailed {
        key: PictureKey,
        outcome: Thumbnailed,
    },
}

/// What came of reading slices into a volume, so far.
#[derive(Debug, Clone)]
pub struct Grown {
    pub volume: Volume,
    /// Why one of the slices is not in it.
    pub refused: Option<String>,
    pub is_done: bool,
}

/// Something to be done outside. Nothing waits for it.
#[derive(Debug, Clone)]
pub enum Wish {
    Ask {
        ticket: Ticket,
        request: Request,
        passphrase: Option<Passphrase>,
        /// How long a writing request tries to deliver, in seconds.
        wait_seconds: Option<u64>,
    },
    /// Answers [`Event::ConfirmPerson`] of a request that is under way.
    Confirm {
        ticket: Ticket,
        yes: bool,
    },
    /// Ends a request or the reading of a volume that is under way, as far as it can be ended.
    Cancel {
        ticket: Ticket,
    },
    /// Reads a folder as a person typed it; answered by [`Message::Listed`].
    List {
        ticket: Ticket,
        path: PathBuf,
    },
    /// Reads a text file; answered by [`Message::TextRead`].
    ReadText {
        ticket: Ticket,
        path: PathBuf,
    },
    /// Opens and decodes one frame.
    Picture(PictureKey),
    /// Opens one frame for a small picture of it, once no whole one is waited for.
    Thumbnail(PictureKey),
    /// Measures a mark over a frame.
    Measure {
        ticket: Ticket,
        picture: Arc<Picture>,
        shape: Shape,
        points: Vec<Point>,
    },
    /// Reads frames into a volume, by number of its slices; answered by [`Message::VolumeGrew`], again and again.
    Volume {
        ticket: Ticket,
        volume: Volume,
        slices: Vec<(usize, PictureKey)>,
    },
    /// Cuts a volume.
    Reformat {
        ticket: Ticket,
        volume: Volume,
        plane: Plane,
        slab: Option<Slab>,
    },
    /// Begins to follow what the node does.
    Follow,
    /// Drops files and pictures that are kept: the screen was locked, or other files are stored in their places.
    Forget,
    /// What the set-up check says of the terminal; answered like a request.
    LookAtTerminal {
        ticket: Ticket,
    },
    /// Shows pictures as the settings say.
    ShowWith(Setting),
    /// Rings the terminal's bell.
    Bell,
    /// Draws all anew, after something else wrote to the terminal.
    Redraw,
    Quit,
}
