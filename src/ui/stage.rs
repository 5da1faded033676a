//! A stage for one screen in a test: keys and answers go in, wishes come out, and what is seen is compared with a file.
//!
//! `SNAPSHOTS=write cargo test` writes the files anew; what changed is then read like any other change.

use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Rect;

use super::files::Listing;
use super::graphics::Protocol;
use super::keys::{Action, Chord, action};
use super::log::Happenings;
use super::look::Look;
use super::message::{Ticket, Wish};
use super::screen::{Context, Dice, Dots, Go, Screen, Shows};
use super::widget::popup::Question;
use super::widget::toast::Toasts;
use crate::encoding::time::Timestamp;
use crate::node::api::{Event, Failure, Reply, Request};

/// Sizes of terminals: the smallest that is supported, and a large one.
const DOTS: Dots = Dots { across: 10, down: 20 };

const SIZES: [(u16, u16); 2] = [(80, 24), (200, 60)];

/// One screen, its surroundings, and what it asked for.
pub struct Stage<S> {
    pub screen: S,
    tickets: u64,
    pub wishes: Vec<Wish>,
    pub go: Vec<Go>,
    pub question: Option<(Question, Action)>,
    pub toasts: Toasts,
    pub now_ms: u64,
    dice: Dice,
    happenings: Happenings,
}

impl<S: Screen> Stage<S> {
    pub fn new(screen: S) -> Self {
        let mut stage = Self {
            screen,
            tickets: 0,
            wishes: Vec::new(),
            go: Vec::new(),
            question: None,
            toasts: Toasts::default(),
            now_ms: 0,
            dice: Dice(7),
            happenings: Happenings::default(),
        };
        stage.with(|screen, context| screen.shown(context));
        stage
    }

    pub fn with<R>(&mut self, call: impl FnOnce(&mut S, &mut Context<'_>) -> R) -> R {
        let mut context = Context {
            tickets: &mut self.tickets,
            wishes: &mut self.wishes,
            toasts: &mut self.toasts,
            go: &mut self.go,
            question: &mut self.question,
            now: Timestamp(1_800_000_000_000),
            now_ms: self.now_ms,
            dice: &mut self.dice,
            happenings: &self.happenings,
            is_top: true,
            area: Rect::new(0, 1, SIZES[0].0, SIZES[0].1 - 2),
            dots: DOTS,
            shows: Shows { protocol: Protocol::Kitty, greys: 256 },
        };
        call(&mut self.screen, &mut context)
    }

    pub fn act(&mut self, action: Action) {
        self.with(|screen, context| screen.act(action, context));
    }

    /// Presses a key as the app passes it on; an open question takes it first.
    pub fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        let key = KeyEvent::new(code, modifiers);
        if let Some((question, meant)) = self.question.take() {
            match code {
                KeyCode::Char('y') => self.act(meant),
                KeyCode::Char('n') | KeyCode::Esc => {}
                _ => self.question = Some((question, meant)),
            }
            return;
        }
        match action(self.screen.place(), self.screen.typing(), Chord::of(key)) {
            Some(action) => self.act(action),
            None => self.with(|screen, context| screen.key(key, context)),
        }
    }

    pub fn code(&mut self, code: KeyCode) {
        self.press(code, KeyModifiers::NONE);
    }

    pub fn control(&mut self, letter: char) {
        self.press(KeyCode::Char(letter), KeyModifiers::CONTROL);
    }

    /// Types letter by letter.
    pub fn keys(&mut self, text: &str) {
        text.chars().for_each(|letter| self.code(KeyCode::Char(letter)));
    }

    /// One of the keys that mean something somewhere, for tests that press any.
    pub fn any_key(&mut self, number: u8) {
        const CODES: [KeyCode; 14] = [
            KeyCode::Up,
            KeyCode::Down,
            KeyCode::Left,
            KeyCode::Right,
            KeyCode::PageUp,
            KeyCode::PageDown,
            KeyCode::Home,
            KeyCode::End,
            KeyCode::Enter,
            KeyCode::Esc,
            KeyCode::Tab,
            KeyCode::BackTab,
            KeyCode::Backspace,
            KeyCode::Delete,
        ];
        match (CODES.get(usize::from(number)), number) {
            (Some(code), _) => self.code(*code),
            (None, b's' | b'o') if self.screen.typing() => self.control(char::from(number)),
            _ => self.code(KeyCode::Char(char::from(number.clamp(b' ', b'~')))),
        }
    }

    /// The requests made since the last look.
    pub fn asked(&mut self) -> Vec<(Ticket, Request)> {
        let wishes = std::mem::take(&mut self.wishes).into_iter();
        let asked = wishes.filter_map(|wish| match wish {
            Wish::Ask { ticket, request, .. } => Some((ticket, request)),
            _ => None,
        });
        asked.collect()
    }

    /// The one request made since the last look.
    pub fn asked_one(&mut self) -> (Ticket, Request) {
        let mut asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked.remove(0)
    }

    pub fn answer(&mut self, ticket: Ticket, reply: Reply) {
        self.with(|screen, context| screen.answered(ticket, &Ok(Box::new(reply)), context));
    }

    pub fn fail(&mut self, ticket: Ticket, failure: Failure) {
        self.with(|screen, context| screen.answered(ticket, &Err(failure), context));
    }

    pub fn happens(&mut self, ticket: Ticket, event: &Event) {
        self.with(|screen, context| screen.on_the_way(ticket, event, context));
    }

    /// Answers every folder asked for since the last look; gives how many.
    pub fn list(&mut self, listing: impl Fn(&std::path::Path) -> Result<Listing, String>) -> usize {
        let wishes = std::mem::take(&mut self.wishes);
        let mut answered = 0;
        for wish in wishes {
            match wish {
                Wish::List { ticket, path } => {
                    let outcome = listing(&path);
                    self.with(|screen, context| screen.listed(ticket, &outcome, context));
                    answered += 1;
                }
                wish => self.wishes.push(wish),
            }
        }
        answered
    }

    pub fn wait(&mut self, milliseconds: u64) {
        self.now_ms += milliseconds;
        self.toasts.tick(self.now_ms);
        self.with(|screen, context| screen.tick(context));
    }

    /// What was said last.
    pub fn said(&self) -> String {
        self.toasts.texts().last().map(ToString::to_string).unwrap_or_default()
    }

    /// What the open question asks, whole.
    pub fn asks(&self) -> String {
        let (question, _) = self.question.as_ref().expect("nothing is asked");
        format!("{}\n{}", question.title, question.lines.join("\n"))
    }

    /// Draws everything at every size, without colour, and compares it with `tests/screens/NAME-WIDTHxHEIGHT.txt`.
    pub fn check(&self, name: &str) {
        for (width, height) in SIZES {
            let seen = self.drawn(width, height);
            let file = format!("{name}-{width}x{height}.txt");
            let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/screens")).join(&file);
            if std::env::var_os("OVERREAD_WRITE_SCREENS").is_some() {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, seen).unwrap();
                continue;
            }
            let expected = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(seen == expected, "{file} looks different now:\n{seen}\ninstead of\n{expected}");
        }
    }

    /// What is seen between the bar at the top and the hints at the bottom.
    pub fn drawn(&self, width: u16, height: u16) -> String {
        let look = Look { colour: false };
        let height = height - 2;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let draw = |frame: &mut ratatui::Frame<'_>| {
            self.screen.draw(frame, frame.area(), DOTS, look);
            if let Some((question, _)) = &self.question {
                question.draw(frame, frame.area(), look);
            }
        };
        terminal.draw(draw).unwrap();
        let buffer = terminal.backend().buffer();
        let mut text = String::new();
        for row in 0..height {
            let mut skip = 0;
            let mut line = String::new();
            for column in 0..width {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                let symbol = buffer[(column, row)].symbol();
                skip = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
                line += symbol;
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }
}
