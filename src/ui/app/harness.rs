//! An app without terminal and node: keys go in, requests are answered from a script, and the screen comes out as text.

use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::{App, Options};
use crate::encoding::time::Timestamp;
use crate::node::api::{CardView, Event, Failure, Reply, Request, Status};
use crate::ui::graphics::Protocol;
use crate::ui::look::Look;
use crate::ui::message::{Message, Ticket, Wish};
use crate::ui::screen::{Dots, Shows};

/// What the node answers; `None` leaves the request waiting.
pub type Script = Box<dyn FnMut(&Request) -> Option<Result<Reply, Failure>>>;

/// An app under test.
pub struct Harness {
    app: App,
    script: Script,
    colour: bool,
    size: (u16, u16),
    now_ms: u64,
    /// Requests that wait for an answer.
    pub waiting: Vec<(Ticket, Request)>,
    /// All requests, in order.
    pub asked: Vec<Request>,
    /// All other wishes, in order.
    pub wished: Vec<Wish>,
}

impl Harness {
    /// An open app of Anna Weber's, without cases and colleagues; `script` answers what it knows, the harness the rest
    /// that every start asks for.
    pub fn new(size: (u16, u16), script: impl FnMut(&Request) -> Option<Result<Reply, Failure>> + 'static) -> Self {
        Self::start(size, true, Box::new(script))
    }

    /// The same without colours.
    pub fn without_colour(
        size: (u16, u16),
        script: impl FnMut(&Request) -> Option<Result<Reply, Failure>> + 'static,
    ) -> Self {
        Self::start(size, false, Box::new(script))
    }

    fn start(size: (u16, u16), colour: bool, script: Script) -> Self {
        let options = Options {
            look: Look { colour },
            dots: Dots { across: 10, down: 20 },
            shows: Shows { protocol: Protocol::Kitty, greys: 256 },
            lock_after_ms: 900_000,
            passphrase: None,
            seed: 7,
        };
        let (app, wishes) = App::new(options, size);
        let mut harness =
            Self { app, script, colour, size, now_ms: 0, waiting: Vec::new(), asked: Vec::new(), wished: Vec::new() };
        harness.take(wishes);
        harness.serve();
        harness
    }

    /// What the script knows from now on.
    pub fn script(&mut self, script: impl FnMut(&Request) -> Option<Result<Reply, Failure>> + 'static) {
        self.script = Box::new(script);
        self.serve();
    }

    pub fn key(&mut self, code: KeyCode) -> &mut Self {
        self.message(Message::Key(KeyEvent::new(code, KeyModifiers::NONE)));
        self
    }

    /// Keys without meaning beyond their letters.
    pub fn keys(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            self.key(KeyCode::Char(character));
        }
        self
    }

    pub fn enter(&mut self) -> &mut Self {
        self.key(KeyCode::Enter)
    }

    pub fn control(&mut self, character: char) -> &mut Self {
        self.message(Message::Key(KeyEvent::new(KeyCode::Char(character), KeyModifiers::CONTROL)));
        self
    }

    /// Lets time pass.
    pub fn pass(&mut self, milliseconds: u64) -> &mut Self {
        self.now_ms += milliseconds;
        self.message(Message::Tick);
        self
    }

    /// Something on the way to the answer of the newest request that waits.
    pub fn on_the_way(&mut self, event: Event) -> &mut Self {
        let ticket = self.waiting.last().expect("a request waits").0;
        self.message(Message::OnTheWay { ticket, event });
        self
    }

    /// Answers the newest request that waits.
    pub fn answer(&mut self, outcome: Result<Reply, Failure>) -> &mut Self {
        let (ticket, _) = self.waiting.pop().expect("a request waits");
        self.message(Message::Answered { ticket, outcome: outcome.map(Box::new) });
        self
    }

    pub fn followed(&mut self, event: Event) -> &mut Self {
        self.message(Message::Followed(event));
        self
    }

    pub fn message(&mut self, message: Message) {
        let now = Timestamp::parse("2026-11-24T10:00:00Z").expect("a time").plus_ms(self.now_ms as i64);
        let wishes = self.app.update(message, now, self.now_ms);
        self.take(wishes);
        self.serve();
    }

    fn take(&mut self, wishes: Vec<Wish>) {
        for wish in wishes {
            match wish {
                Wish::Ask { ticket, request, .. } => {
                    self.asked.push(request.clone());
                    self.waiting.push((ticket, request));
                }
                other => self.wished.push(other),
            }
        }
    }

    fn serve(&mut self) {
        loop {
            let known = self.waiting.iter().enumerate().find_map(|(at, (_, request))| {
                let outcome = (self.script)(request).or_else(|| usual(request))?;
                Some((at, outcome))
            });
            let Some((at, outcome)) = known else { return };
            let (ticket, _) = self.waiting.remove(at);
            let now = Timestamp::parse("2026-11-24T10:00:00Z").expect("a time").plus_ms(self.now_ms as i64);
            let message = Message::Answered { ticket, outcome: outcome.map(Box::new) };
            let wishes = self.app.update(message, now, self.now_ms);
            self.take(wishes);
        }
    }

    /// What is on the screen, line by line, without space at their ends.
    pub fn screen(&self) -> String {
        let mut terminal = Terminal::new(TestBackend::new(self.size.0, self.size.1)).expect("a terminal");
        terminal.draw(|frame| self.app.draw(frame)).expect("drawn");
        let buffer = terminal.backend().buffer();
        if !self.colour {
            let coloured = |cell: &ratatui::buffer::Cell| cell.fg != Color::Reset || cell.bg != Color::Reset;
            assert!(!buffer.content().iter().any(coloured), "a colour in spite of NO_COLOR");
        }
        let mut text = String::new();
        for row in 0..buffer.area.height {
            let mut line = String::new();
            let mut column = 0;
            while column < buffer.area.width {
                let symbol = buffer[(column, row)].symbol();
                line += symbol;
                column += u16::try_from(unicode_width::UnicodeWidthStr::width(symbol).max(1)).expect("a cell or two");
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }

    /// Compares the screen with the picture in `tests/screens`; with OVERREAD_WRITE_SCREENS set, the picture is drawn
    /// anew, to be looked at before it is kept.
    pub fn looks_like(&self, name: &str) {
        let (columns, rows) = self.size;
        let file = format!("{name}.{columns}x{rows}.txt");
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/screens").join(file);
        let screen = self.screen();
        if std::env::var_os("OVERREAD_WRITE_SCREENS").is_some() {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(&path, &screen).expect("written");
            return;
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(screen == expected, "{} shows something else:\n{screen}\ninstead of:\n{expected}", path.display());
    }

    pub fn shows(&self, words: &str) -> bool {
        self.screen().contains(words)
    }
}

/// What every start asks for.
fn usual(request: &Request) -> Option<Result<Reply, Failure>> {
    match request {
        Request::Status => Some(Ok(status(true))),
        Request::CaseList => Some(Ok(Reply::Cases { cases: Vec::new() })),
        Request::CardList => Some(Ok(Reply::Cards { cards: Vec::new() })),
        Request::Sync => Some(Ok(Reply::Synced { peers: Vec::new(), delivery: Vec::new() })),
        Request::Lock => Some(Ok(Reply::Nothing {})),
        _ => None,
    }
}

/// Anna Weber's home, open.
pub fn status(recovery_confirmed: bool) -> Reply {
    Reply::Status(Status {
        initialised: true,
        locked: false,
        running: true,
        identity: Some("p-anna".into()),
        name: Some("Dr. Anna Weber".into()),
        site: Some("St. Vinzenz, Köln".into()),
        recovery_confirmed: Some(recovery_confirmed),
    })
}

/// A colleague's card.
pub fn card(name: &str, site: &str, trust: &str) -> CardView {
    let letter = name.split(' ').next_back().unwrap_or_default().to_lowercase();
    CardView {
        identity: format!("p-{letter}k3vq7m2x5n4w"),
        name: name.into(),
        site: site.into(),
        phone: Some("+43 1 40400".into()),
        alias: None,
        devices: vec![format!("d-{letter}x7q2m5k3vn4w")],
        addresses: vec!["/ip4/10.0.3.7/tcp/4001".into()],
        fingerprint: "abcd efgh ijkl mnop qrst uvwx".into(),
        trust: trust.into(),
        serial: 3,
        expires: Some("2028-11-23T08:00:00Z".into()),
        expired: false,
        text: None,
    }
}
