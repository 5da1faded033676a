//! The app played in memory: keys and answers in, wishes and screens out.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::harness::Harness;
use super::*;
use crate::node::api::{CaseSummary, CaseView, Failure, FailureCode, MemberView, MessageView, Status};
use crate::ui::graphics::Protocol;

/// The app with a clock of its own.
struct Played {
    app: App,
    now_ms: u64,
    wishes: Vec<Wish>,
}

impl Played {
    fn new(columns: u16, rows: u16) -> Self {
        let options = Options {
            look: Look { colour: true },
            dots: Dots { across: 10, down: 20 },
            shows: Shows { protocol: Protocol::Kitty, greys: 256 },
            lock_after_ms: 60_000,
            passphrase: None,
            seed: 7,
        };
        let (app, wishes) = App::new(options, (columns, rows));
        Self { app, now_ms: 0, wishes }
    }

    /// One at the worklist of an open home, with these cases.
    fn at_worklist(columns: u16, rows: u16, cases: Vec<CaseSummary>) -> Self {
        let mut played = Self::new(columns, rows);
        played.answer_status(true, false);
        played.answer(|request| matches!(request, Request::CaseList), Ok(Reply::Cases { cases }));
        played
    }

    fn take(&mut self, message: Message) {
        self.wishes.extend(self.app.update(message, Timestamp(1_800_000_000_000), self.now_ms));
    }

    fn press(&mut self, chord: Chord) {
        self.take(Message::Key(KeyEvent::new(chord.code, chord.modifiers)));
    }

    fn press_code(&mut self, code: KeyCode) {
        self.press(Chord::plain(code));
    }

    fn types(&mut self, text: &str) {
        for character in text.chars() {
            self.press(Chord::key(character));
        }
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now_ms += milliseconds;
        self.take(Message::Tick);
    }

    /// Answers the oldest open request of a kind.
    fn answer(&mut self, which: impl Fn(&Request) -> bool, outcome: Result<Reply, Failure>) {
        let at = self.wishes.iter().position(|wish| matches!(wish, Wish::Ask { request, .. } if which(request)));
        let Wish::Ask { ticket, .. } = self.wishes.remove(at.expect("it was asked")) else { unreachable!() };
        self.take(Message::Answered { ticket, outcome: outcome.map(Box::new) });
    }

    fn answer_status(&mut self, initialised: bool, locked: bool) {
        let status = Status {
            initialised,
            locked,
            running: true,
            identity: None,
            name: (!locked).then(|| "Dr. Anna Weiss".into()),
            site: (!locked).then(|| "City Hospital".into()),
            recovery_confirmed: Some(true),
        };
        self.answer(|request| matches!(request, Request::Status), Ok(Reply::Status(status)));
    }

    fn asked(&self, which: impl Fn(&Request) -> bool) -> bool {
        self.wishes.iter().any(|wish| matches!(wish, Wish::Ask { request, .. } if which(request)))
    }

    fn screen(&self) -> String {
        let mut terminal = Terminal::new(TestBackend::new(self.app.size.0, self.app.size.1)).unwrap();
        terminal.draw(|frame| self.app.draw(frame)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let lines = (0..buffer.area.height).map(|y| {
            let line: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
            line.trim_end().to_owned() + "\n"
        });
        lines.collect()
    }
}

fn summary(id: &str, spoken: &str, question: &str) -> CaseSummary {
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
    }
}

fn case(id: &str, spoken: &str) -> CaseView {
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
        urgency: "stat".into(),
        due: None,
        status: "open".into(),
        blind: false,
        role: "owner".into(),
        standing: "accepted".into(),
        members: vec![member("Dr. Anna Weiss", true), member("Dr. Ben Okafor", false)],
        studies: Vec::new(),
        marks: Vec::new(),
        opinions: Vec::new(),
        messages: vec![MessageView {
            id: "e".into(),
            author: "Dr. Ben Okafor".into(),
            text: "Is there\u{1b}[31m an older CT?".into(),
            time: "2027-01-15T08:00:00Z".into(),
            late: false,
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

#[test]
fn a_new_home_begins_with_who_she_is() {
    let mut played = Played::new(80, 24);
    played.answer_status(false, true);
    assert!(played.screen().contains("Welcome to Overread"), "{}", played.screen());
    assert!(played.screen().contains("not for primary diagnosis"));
    for text in ["Dr. Anna Weiss", "City Hospital", "", "correct horse", "correct house"] {
        played.types(text);
        played.press_code(KeyCode::Enter);
    }
    assert!(played.screen().contains("The two passphrases differ."), "{}", played.screen());
    assert!(!played.screen().contains("correct"), "a passphrase is never shown");
    played.press(Chord::control('u'));
    played.types("correct horse");
    played.press_code(KeyCode::Enter);
    assert!(played.asked(|request| matches!(request, Request::Init { name, .. } if name == "Dr. Anna Weiss")));
}

#[test]
fn a_locked_screen_shows_nobody_and_opens_with_the_passphrase() {
    let mut played = Played::at_worklist(80, 24, vec![summary("c-1", "amber falcon", "Cyst?")]);
    assert!(played.screen().contains("amber falcon"), "{}", played.screen());
    played.press(Chord::control('l'));
    assert!(played.asked(|request| matches!(request, Request::Lock)));
    let locked = played.screen();
    assert!(
        locked.contains("Overread is locked") && !locked.contains("amber") && !locked.contains("Weiss"),
        "{locked}"
    );
    played.types("wrong one");
    played.press_code(KeyCode::Enter);
    assert!(!played.screen().contains("wrong one"));
    let wrong = Failure::new(FailureCode::WrongPassphrase, "This is not the passphrase.");
    // The list that was asked for before locking is still open; the newest is the one that opens.
    played.wishes.retain(|wish| matches!(wish, Wish::Ask { passphrase: Some(_), .. }));
    played.answer(|request| matches!(request, Request::CaseList), Err(wrong));
    assert!(played.screen().contains("This is not the passphrase."), "{}", played.screen());
}

#[test]
fn it_locks_by_itself_and_still_says_that_something_urgent_came() {
    let mut played = Played::at_worklist(80, 24, Vec::new());
    played.pass(59_000);
    assert!(!played.screen().contains("locked"));
    played.press_code(KeyCode::Down);
    played.pass(59_000);
    assert!(!played.screen().contains("is locked"), "a key counts");
    played.pass(1_000);
    assert!(played.screen().contains("is locked"), "{}", played.screen());
    played.take(Message::Followed(Event::Notice { text: "STAT from a verified colleague".into() }));
    assert!(played.screen().contains("STAT from a verified colleague"));
    assert!(played.wishes.iter().any(|wish| matches!(wish, Wish::Bell)));
}

#[test]
fn an_answer_from_before_locking_is_dropped() {
    let mut played = Played::at_worklist(80, 24, vec![summary("c-1", "amber falcon", "Cyst?")]);
    played.press(Chord::key('r'));
    played.press(Chord::control('l'));
    let cases = vec![summary("c-1", "amber falcon", "Cyst?")];
    played.answer(|request| matches!(request, Request::CaseList), Ok(Reply::Cases { cases }));
    assert!(!played.screen().contains("amber"), "{}", played.screen());
}

#[test]
fn an_empty_worklist_says_what_to_do_first() {
    let mut played = Played::at_worklist(80, 24, Vec::new());
    played.answer(|request| matches!(request, Request::CardList), Ok(Reply::Cards { cards: Vec::new() }));
    let screen = played.screen();
    assert!(screen.contains("No case yet.") && screen.contains("pair with a colleague"), "{screen}");
}

#[test]
fn the_worklist_shows_what_matters_at_both_sizes() {
    for (columns, rows) in [(80, 24), (200, 60)] {
        let urgent = CaseSummary {
            urgency: "stat".into(),
            not_sent: true,
            unread: 1,
            chunks_have: 3,
            due: Some("2027-01-15T09:30:00Z".into()),
            patient: Some("DOE^JANE".into()),
            ..summary("c-1", "amber falcon", "Is the lesion in segment 7 new?")
        };
        let mut played = Played::at_worklist(columns, rows, vec![urgent, summary("c-2", "blue heron", "Cyst?")]);
        let screen = played.screen();
        for text in ["STAT", "amber falcon", "segment 7", "NOT SENT", "1 new", "30%", "blue heron", "1h30", "open"] {
            assert!(screen.contains(text), "{text} at {columns}x{rows}:\n{screen}");
        }
        played.press(Chord::key('/'));
        played.types("heron");
        let screen = played.screen();
        assert!(screen.contains("blue heron") && !screen.contains("amber falcon"), "{screen}");
        played.press_code(KeyCode::Esc);
        assert!(played.screen().contains("amber falcon"));
    }
}

#[test]
fn deleting_a_case_asks_first() {
    let mut played = Played::at_worklist(80, 24, vec![summary("c-1", "amber falcon", "Cyst?")]);
    played.press_code(KeyCode::Delete);
    assert!(played.screen().contains("Delete this case here?"), "{}", played.screen());
    played.press_code(KeyCode::Enter);
    played.press(Chord::key('n'));
    assert!(!played.asked(|request| matches!(request, Request::CasePurge { .. })));
    played.press_code(KeyCode::Delete);
    played.press(Chord::key('y'));
    assert!(played.asked(|request| matches!(request, Request::CasePurge { case } if case == "c-1")));
}

#[test]
fn a_case_opens_and_shows_words_of_colleagues_without_what_a_terminal_obeys() {
    for (columns, rows) in [(80, 24), (200, 60)] {
        let mut played = Played::at_worklist(columns, rows, vec![summary("c-1", "amber falcon", "Cyst?")]);
        played.wishes.clear();
        played.press_code(KeyCode::Enter);
        let view = Reply::Case(Box::new(case("c-1", "amber falcon")));
        played.answer(|request| matches!(request, Request::CaseShow { .. }), Ok(view));
        let screen = played.screen();
        assert!(screen.contains("Metastasis or cyst?") && screen.contains("Colon carcinoma"), "{screen}");
        played.press_code(KeyCode::Tab);
        played.press_code(KeyCode::Tab);
        let screen = played.screen();
        assert!(screen.contains("an older CT?") && !screen.contains('\u{1b}'), "{screen}");
    }
}

#[test]
fn text_that_may_name_the_patient_is_sent_only_after_a_look() {
    let mut played = Played::at_worklist(80, 24, vec![summary("c-1", "amber falcon", "Cyst?")]);
    played.wishes.clear();
    played.press_code(KeyCode::Enter);
    let view = Reply::Case(Box::new(case("c-1", "amber falcon")));
    played.answer(|request| matches!(request, Request::CaseShow { .. }), Ok(view));
    played.press(Chord::key('s'));
    played.types("Jane is back");
    played.press_code(KeyCode::Enter);
    let hit = Failure::new(FailureCode::TextCheck, "The text may name the patient.")
        .detail("hits", vec!["\"Jane\": the patient's name".into()]);
    played.answer(|request| matches!(request, Request::Say { text_checked: false, .. }), Err(hit));
    let screen = played.screen();
    assert!(screen.contains("\"Jane\": the patient's name"), "{screen}");
    assert!(!played.asked(|request| matches!(request, Request::Say { .. })));
    played.press(Chord::key('y'));
    assert!(played.asked(|request| {
        matches!(request, Request::Say { text, text_checked: true, .. } if text == "Jane is back")
    }));
}

#[test]
fn help_and_palette_come_from_the_keys_of_the_screen() {
    let mut played = Played::at_worklist(80, 24, Vec::new());
    played.press(Chord::key('?'));
    let help = played.screen();
    for binding in keys::bindings(Place::Worklist) {
        assert!(help.contains(binding.words), "{} is not in\n{help}", binding.words);
    }
    played.press_code(KeyCode::Esc);
    played.press(Chord::key(':'));
    played.types("quit");
    played.press_code(KeyCode::Enter);
    assert!(played.app.is_quitting());
}

#[test]
fn no_size_of_the_terminal_breaks_a_screen() {
    let mut played = Played::at_worklist(80, 24, vec![summary("c-1", "amber falcon", "Cyst?")]);
    for (columns, rows) in [(1, 1), (2, 3), (10, 4), (39, 11), (500, 3), (3, 200)] {
        played.take(Message::Resized { columns, rows });
        for chord in [Chord::key('?'), Chord::plain(KeyCode::Esc), Chord::key(':'), Chord::plain(KeyCode::Esc)] {
            played.press(chord);
            played.screen();
        }
        played.press_code(KeyCode::Delete);
        played.screen();
        played.press(Chord::key('n'));
    }
}

#[test]
fn locking_drops_every_screen_and_what_it_knew() {
    let mut app = Harness::new((80, 24), |_| None);
    app.followed(Event::Happened { what: "connected".into(), case: None, who: Some("Jonas Beck".into()) });
    app.keys("l");
    assert!(app.shows("Jonas Beck"));
    app.control('l');
    assert!(app.shows("Overread is locked") && !app.shows("Jonas Beck"));
    assert!(matches!(app.asked.last(), Some(Request::Lock)));
    app.keys("secret words").script(|request| {
        matches!(request, Request::CaseList).then(|| Ok(crate::node::api::Reply::Cases { cases: Vec::new() }))
    });
    app.enter().keys("l");
    assert!(app.shows("nothing yet"), "{}", app.screen());
}

#[test]
fn a_pairing_that_is_under_way_ends_with_the_lock() {
    let mut app = Harness::new((80, 24), |_| None);
    app.keys("cp");
    let (ticket, _) = *app.waiting.last().as_ref().expect("the door is asked for").to_owned();
    app.control('l');
    assert!(app.wished.iter().any(|wish| matches!(wish, Wish::Cancel { ticket: cancelled } if *cancelled == ticket)));
}

#[test]
fn the_worklist_leads_to_every_screen_and_escape_back() {
    for (key, words) in
        [('c', "No colleague yet"), ('s', "Set-up check"), ('l', "What the node did"), ('R', "24 words")]
    {
        let mut app = Harness::new((80, 24), |_| None);
        app.keys(&key.to_string());
        assert!(app.shows(words), "{key}: {}", app.screen());
        app.key(KeyCode::Esc);
        assert!(app.shows("No case yet"), "{key}: {}", app.screen());
    }
}
