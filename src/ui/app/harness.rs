//! An app without terminal and node: keys go in, requests are answered from a script, and the screen comes out as text.
//!
//! A test plays the whole app with [`Harness::new`], or one screen of it with [`Harness::of`]. With
//! OVERREAD_WRITE_SCREENS set, pictures in `tests/screens` are drawn anew, to be looked at before they are kept.

use std::any::Any;
use std::path::{Path, PathBuf};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::Color;
use ratatui::{Frame, Terminal};
use unicode_width::UnicodeWidthStr;

use super::{App, Options, Turn};
use crate::encoding::time::Timestamp;
use crate::node::api::{
    BasisView, CardView, CaseSummary, CaseView, Event, Failure, InboxView, MemberView, MessageView, OpinionView, Reply,
    Request, Status, VERSION,
};
use crate::ui::files::Listing;
use crate::ui::graphics::Protocol;
use crate::ui::keys::{Action, Place};
use crate::ui::look::Look;
use crate::ui::message::{Message, Ticket, Wish};
use crate::ui::screen::{Context, Dots, Go, Screen, Shows};
use crate::view::raster::Scene;

/// Sizes of terminals: the smallest that is supported, and a large one.
pub const SIZES: [(u16, u16); 2] = [(80, 24), (200, 60)];

/// What the node answers; `None` leaves the request waiting.
pub type Script = Box<dyn FnMut(&Request) -> Option<Result<Reply, Failure>>>;

/// An app under test.
pub struct Harness {
    app: App,
    /// What the node knows.
    pub script: Script,
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
    pub fn new(size: (u16, u16), mut script: impl FnMut(&Request) -> Option<Result<Reply, Failure>> + 'static) -> Self {
        Self::start(size, Box::new(move |request| script(request).or_else(|| usual(request))))
    }

    /// The same without colours.
    pub fn without_colour(
        size: (u16, u16),
        script: impl FnMut(&Request) -> Option<Result<Reply, Failure>> + 'static,
    ) -> Self {
        let mut harness = Self::new(size, script);
        harness.app.options.look.colour = false;
        harness
    }

    /// The same in a terminal whose cells have so many dots.
    pub fn with_dots(mut self, across: u32, down: u32) -> Self {
        self.app.options.dots = Dots { across, down };
        self
    }

    /// One screen, with nothing below it and nothing answered.
    pub fn of(screen: impl Screen) -> Self {
        let owner = |request: &Request| match request {
            Request::Status => Some(Ok(status(true))),
            Request::InboxList => Some(Ok(Reply::Inbox(InboxView::default()))),
            _ => None,
        };
        let mut harness = Self::start(SIZES[0], Box::new(owner));
        harness.go(Go::Only(Box::new(Bottom)));
        (harness.waiting, harness.asked, harness.wished) = (Vec::new(), Vec::new(), Vec::new());
        harness.go(Go::Over(Box::new(screen)));
        harness
    }

    fn start(size: (u16, u16), script: Script) -> Self {
        let options = Options {
            look: Look { colour: true },
            dots: Dots { across: 10, down: 20 },
            shows: Shows { protocol: Protocol::Kitty, greys: 256 },
            lock_after_ms: 900_000,
            lock_after_set: true,
            passphrase: None,
            seed: 7,
        };
        let (app, wishes) = App::new(options, size);
        let mut harness = Self { app, script, now_ms: 0, waiting: Vec::new(), asked: Vec::new(), wished: Vec::new() };
        harness.take(wishes);
        harness
    }

    /// Over a home that nobody has yet.
    pub fn of_nobody(size: (u16, u16)) -> Self {
        Self::new(size, |request| {
            let status = Status {
                initialised: false,
                locked: true,
                running: true,
                identity: None,
                name: None,
                site: None,
                recovery_confirmed: None,
                disk_low_bytes: None,
                version: Some(VERSION.into()),
            };
            matches!(request, Request::Status).then_some(Ok(Reply::Status(status)))
        })
    }

    /// In the one case of the worklist.
    pub fn in_case(size: (u16, u16), view: &CaseView) -> Self {
        Self::in_case_with(size, view, |_| None)
    }

    /// The same, with a script for everything else.
    pub fn in_case_with(
        size: (u16, u16),
        view: &CaseView,
        mut script: impl FnMut(&Request) -> Option<Result<Reply, Failure>> + 'static,
    ) -> Self {
        let (listed, view) = (summary(&view.id, &view.spoken, &view.question), Box::new(view.clone()));
        let mut app = Self::new(size, move |request| match request {
            Request::CaseList => Some(Ok(Reply::Cases { cases: vec![listed.clone()] })),
            Request::CaseShow { .. } => Some(Ok(Reply::Case(view.clone()))),
            other => script(other),
        });
        app.enter();
        app
    }

    /// What the script knows from now on.
    pub fn script(&mut self, mut script: impl FnMut(&Request) -> Option<Result<Reply, Failure>> + 'static) {
        self.script = Box::new(move |request| script(request).or_else(|| usual(request)));
        self.take(Vec::new());
    }

    pub fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) -> &mut Self {
        self.message(Message::Key(KeyEvent::new(code, modifiers)))
    }

    pub fn key(&mut self, code: KeyCode) -> &mut Self {
        self.press(code, KeyModifiers::NONE)
    }

    /// Keys without meaning beyond their letters.
    pub fn keys(&mut self, text: &str) -> &mut Self {
        text.chars().fold(self, |harness, character| harness.key(KeyCode::Char(character)))
    }

    pub fn enter(&mut self) -> &mut Self {
        self.key(KeyCode::Enter)
    }

    pub fn control(&mut self, character: char) -> &mut Self {
        self.press(KeyCode::Char(character), KeyModifiers::CONTROL)
    }

    /// One of the keys that mean something somewhere, for tests that press any.
    pub fn any_key(&mut self, number: u8) -> &mut Self {
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
        let typing = self.app.screens.last().is_some_and(|top| top.typing());
        match (CODES.get(usize::from(number)), number) {
            (Some(code), _) => self.key(*code),
            (None, b's' | b'o') if typing => self.control(char::from(number)),
            _ => self.key(KeyCode::Char(char::from(number.clamp(b' ', b'~')))),
        }
    }

    /// Lets time pass.
    pub fn pass(&mut self, milliseconds: u64) -> &mut Self {
        self.now_ms += milliseconds;
        self.message(Message::Tick)
    }

    /// Lets time pass in which so much comes in that no tick does.
    pub fn later(&mut self, milliseconds: u64) -> &mut Self {
        self.now_ms += milliseconds;
        self
    }

    /// Ends the app from outside.
    pub fn end(&mut self) -> &mut Self {
        let wishes = self.app.end(self.now(), self.now_ms);
        self.take(wishes);
        self
    }

    /// Something on the way to the answer of the newest request that waits.
    pub fn on_the_way(&mut self, event: Event) -> &mut Self {
        let ticket = self.waiting.last().expect("a request waits").0;
        self.message(Message::OnTheWay { ticket, event })
    }

    /// Answers the newest request that waits.
    pub fn answer(&mut self, outcome: Result<Reply, Failure>) -> &mut Self {
        let (ticket, _) = self.waiting.pop().expect("a request waits");
        self.message(Message::Answered { ticket, outcome: outcome.map(Box::new) })
    }

    /// Answers a request that was taken from those that wait.
    pub fn reply(&mut self, ticket: Ticket, reply: Reply) {
        self.message(Message::Answered { ticket, outcome: Ok(Box::new(reply)) });
    }

    pub fn fail(&mut self, ticket: Ticket, failure: Failure) {
        self.message(Message::Answered { ticket, outcome: Err(failure) });
    }

    /// The requests that wait: from now on they are the caller's to answer.
    pub fn take_waiting(&mut self) -> Vec<(Ticket, Request)> {
        std::mem::take(&mut self.waiting)
    }

    /// The one request that waits.
    pub fn take_one(&mut self) -> (Ticket, Request) {
        let mut waiting = self.take_waiting();
        assert_eq!(waiting.len(), 1, "{waiting:?}");
        waiting.remove(0)
    }

    /// Answers every folder that is wished for; gives how many.
    pub fn list(&mut self, listing: impl Fn(&Path) -> Result<Listing, String>) -> usize {
        let mut answered = 0;
        for wish in std::mem::take(&mut self.wished) {
            match wish {
                Wish::List { ticket, path } => {
                    self.message(Message::Listed { ticket, outcome: listing(&path) });
                    answered += 1;
                }
                wish => self.wished.push(wish),
            }
        }
        answered
    }

    pub fn followed(&mut self, event: Event) -> &mut Self {
        self.message(Message::Followed(event))
    }

    pub fn message(&mut self, message: Message) -> &mut Self {
        let wishes = self.app.update(message, self.now(), self.now_ms);
        self.take(wishes);
        self
    }

    /// Goes where a screen would ask to go.
    pub fn go(&mut self, go: Go) {
        let mut turn = Turn { wishes: Vec::new(), go: vec![go], now: self.now(), now_ms: self.now_ms };
        self.app.move_on(&mut turn);
        self.take(turn.wishes);
    }

    /// Comes back to the screen from one over it.
    pub fn come_back(&mut self) {
        self.go(Go::Over(Box::new(Bottom)));
        self.go(Go::Back);
    }

    fn now(&self) -> Timestamp {
        Timestamp::parse("2026-11-24T10:00:00Z").expect("a time").plus_ms(self.now_ms as i64)
    }

    /// Keeps what is wished for, and answers what the script knows.
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
        let known = (0..self.waiting.len()).find_map(|at| Some((at, (self.script)(&self.waiting[at].1)?)));
        if let Some((at, outcome)) = known {
            let (ticket, _) = self.waiting.remove(at);
            self.message(Message::Answered { ticket, outcome: outcome.map(Box::new) });
        }
    }

    /// The topmost screen of a type.
    pub fn top<S: Screen>(&mut self) -> &mut S {
        let mut screens = self.app.screens.iter_mut().rev().map(|screen| screen.as_mut() as &mut dyn Any);
        screens.find_map(|screen| screen.downcast_mut()).expect("it is open")
    }

    /// Comes back to the topmost screen of a type from wherever a key led; gives whether it is still there.
    pub fn back_to<S: Screen>(&mut self) -> bool {
        self.app.over = None;
        let at = self.app.screens.iter().rposition(|screen| (screen.as_ref() as &dyn Any).is::<S>());
        self.app.screens.truncate(at.map_or(usize::MAX, |at| at + 1));
        at.is_some()
    }

    /// Where keys apply now.
    pub fn place(&self) -> Place {
        self.app.screens.last().map_or(Place::Everywhere, |top| top.place())
    }

    /// The pictures on the screen, each in its place.
    pub fn scenes(&mut self) -> Vec<(Rect, Scene)> {
        self.app.scenes()
    }

    pub fn covered(&self) -> Vec<Rect> {
        self.app.covered()
    }

    pub fn is_quitting(&self) -> bool {
        self.app.is_quitting()
    }

    /// What was said last.
    pub fn said(&self) -> String {
        self.app.toasts.texts().last().map(ToString::to_string).unwrap_or_default()
    }

    /// What the open question asks, whole; nothing if none is open.
    pub fn asks(&self) -> String {
        let question = self.app.asked().map(|asked| &asked.question);
        question.map(|question| format!("{}\n{}", question.title, question.lines.join("\n"))).unwrap_or_default()
    }

    /// What is on the screen, line by line, without space at their ends.
    pub fn screen(&self) -> String {
        let buffer = self.buffer();
        if !self.app.options.look.colour {
            let coloured = |cell: &Cell| cell.fg != Color::Reset || cell.bg != Color::Reset;
            assert!(!buffer.content().iter().any(coloured), "a colour in spite of NO_COLOR");
        }
        text(&buffer)
    }

    /// The cells of the screen.
    pub fn buffer(&self) -> Buffer {
        drawn(self.app.size, |frame| self.app.draw(frame))
    }

    /// What is seen of the top screen and its question, without colour, between the bar at the top and the hints at
    /// the bottom of a terminal of this size.
    pub fn body(&self, (columns, rows): (u16, u16)) -> String {
        let (look, dots) = (Look { colour: false }, self.app.options.dots);
        let buffer = drawn((columns, rows - 2), |frame| {
            self.app.screens.last().expect("a screen").draw(frame, frame.area(), dots, look);
            if let Some(asked) = self.app.asked() {
                asked.question.draw(frame, frame.area(), look);
            }
        });
        text(&buffer)
    }

    pub fn shows(&self, words: &str) -> bool {
        self.screen().contains(words)
    }

    /// Compares the screen with `tests/screens/NAME.COLUMNSxROWS.txt`.
    pub fn looks_like(&self, name: &str) {
        let (columns, rows) = self.app.size;
        compare(&format!("{name}.{columns}x{rows}.txt"), &self.screen());
    }

    /// Compares the body at every size with `tests/screens/NAME-COLUMNSxROWS.txt`.
    pub fn body_looks_like(&self, name: &str) {
        for (columns, rows) in SIZES {
            compare(&format!("{name}-{columns}x{rows}.txt"), &self.body((columns, rows)));
        }
    }
}

fn drawn((columns, rows): (u16, u16), draw: impl FnOnce(&mut Frame<'_>)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a terminal");
    terminal.draw(draw).expect("drawn");
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for row in 0..buffer.area.height {
        let mut line = String::new();
        let mut column = 0;
        while column < buffer.area.width {
            let symbol = buffer[(column, row)].symbol();
            line += symbol;
            column += u16::try_from(symbol.width().max(1)).expect("a cell or two");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn compare(file: &str, seen: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/screens").join(file);
    if std::env::var_os("OVERREAD_WRITE_SCREENS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, seen).expect("written");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(seen == expected, "{file} shows something else:\n{seen}\ninstead of:\n{expected}");
}

/// What lies below a screen that is played alone.
struct Bottom;

impl Screen for Bottom {
    fn place(&self) -> Place {
        Place::Everywhere
    }

    fn title(&self) -> String {
        String::new()
    }

    fn act(&mut self, _action: Action, _context: &mut Context<'_>) {}

    fn draw(&self, _frame: &mut Frame<'_>, _area: Rect, _dots: Dots, _look: Look) {}
}

/// An opinion of somebody, signed.
pub fn opinion(id: &str, author: &str) -> OpinionView {
    let basis =
        BasisView { question: "e".into(), heads: 1, incomplete: false, limitations: Vec::new(), series: Vec::new() };
    OpinionView {
        id: id.into(),
        author: author.into(),
        author_identity: format!("p-{author}"),
        state: "signed".into(),
        agreement: "agree".into(),
        confidence: None,
        impression: "A cyst.".into(),
        findings: None,
        recommendation: None,
        basis,
        addenda: Vec::new(),
        signed_before: Vec::new(),
        delivery: Vec::new(),
        time: "2026-11-24T09:00:00Z".into(),
    }
}

/// What every start asks for.
fn usual(request: &Request) -> Option<Result<Reply, Failure>> {
    match request {
        Request::Status => Some(Ok(status(true))),
        Request::CaseList => Some(Ok(Reply::Cases { cases: Vec::new() })),
        Request::CardList => Some(Ok(Reply::Cards { cards: Vec::new() })),
        Request::InboxList => Some(Ok(Reply::Inbox(InboxView::default()))),
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
        disk_low_bytes: None,
        version: Some(VERSION.into()),
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
        last_reached: (trust != "unverified").then(|| "2026-11-23T10:00:00Z".to_owned()),
        text: None,
    }
}

/// A routine case of Anna Weber's with one colleague.
pub fn summary(id: &str, spoken: &str, question: &str) -> CaseSummary {
    CaseSummary {
        id: id.into(),
        spoken: spoken.into(),
        question: question.into(),
        urgency: "routine".into(),
        status: "open".into(),
        role: "owner".into(),
        standing: "accepted".into(),
        due: None,
        members: 2,
        opinions: 0,
        messages: 0,
        chunks_have: 10,
        chunks_total: 10,
        not_sent: false,
        people: vec!["Dr. Ben Okafor".into()],
        unread: 0,
        patient: None,
        other_patients: 0,
    }
}

/// The same case whole, with a message that tries to colour the terminal.
pub fn case(id: &str, spoken: &str) -> CaseView {
    let member = |name: &str, me| MemberView {
        name: name.into(),
        identity: format!("p-{name}"),
        role: if me { "owner" } else { "reader" }.into(),
        delivery: "delivered".into(),
        me,
    };
    CaseView {
        id: id.into(),
        spoken: spoken.into(),
        question: "Metastasis or cyst?".into(),
        context: Some("Colon carcinoma, 2024".into()),
        first_report: None,
        asked_by: vec!["question".into()],
        other_patients: Vec::new(),
        urgency: "stat".into(),
        due: None,
        status: "open".into(),
        blind: false,
        role: "owner".into(),
        standing: "accepted".into(),
        members: vec![member("Dr. Anna Weiss", true), member("Dr. Ben Okafor", false)],
        here: Vec::new(),
        studies: Vec::new(),
        marks: Vec::new(),
        opinions: Vec::new(),
        messages: vec![MessageView {
            id: "e".into(),
            author: "Dr. Ben Okafor".into(),
            author_identity: "p-Dr. Ben Okafor".into(),
            text: "Is there\u{1b}[31m an older CT?".into(),
            time: "2027-01-15T08:00:00Z".into(),
            late: false,
            view: None,
            about: None,
        }],
        criticals: Vec::new(),
        receipts: Vec::new(),
        entries: 4,
        heads: Vec::new(),
        forks: Vec::new(),
        unreadable: 0,
        unknown: 0,
        state_hash: Some("abcdefghijkl".into()),
        patient: None,
    }
}
