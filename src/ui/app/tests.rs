//! The app played in memory: keys and answers in, wishes and screens out.

use super::harness::{Harness, SIZES, case, status, summary};
use crossterm::event::{KeyModifiers, MouseEvent};

use super::*;
use crate::node::api::{CaseSummary, CaseView, Failure, FailureCode, MessageView, PlanPatient, Status};
use crate::ui::widget::popup::Question;

/// An app at the worklist of an open home with these cases.
fn at_worklist(size: (u16, u16), cases: Vec<CaseSummary>) -> Harness {
    Harness::new(size, move |request| {
        matches!(request, Request::CaseList).then(|| Ok(Reply::Cases { cases: cases.clone() }))
    })
}

fn with_falcon(size: (u16, u16)) -> Harness {
    at_worklist(size, vec![summary("c-1", "amber falcon", "Cyst?")])
}

/// An app in the first case of its worklist.
fn in_case(size: (u16, u16)) -> Harness {
    let mut app = with_falcon(size);
    app.enter().answer(Ok(Reply::Case(Box::new(case("c-1", "amber falcon")))));
    app
}

#[test]
fn a_new_home_begins_with_who_she_is() {
    let mut app = Harness::of_nobody((80, 24));
    assert!(app.shows("Welcome to Overread") && app.shows("not for primary diagnosis"), "{}", app.screen());
    for text in ["Dr. Anna Weiss", "City Hospital", "", "correct horse", "correct house"] {
        app.keys(text).enter();
    }
    assert!(app.shows("The two passphrases differ."), "{}", app.screen());
    assert!(!app.shows("correct"), "a passphrase is never shown");
    app.control('u').keys("correct horse").enter();
    assert!(matches!(app.asked.last(), Some(Request::Init { name, .. }) if name == "Dr. Anna Weiss"));
}

#[test]
fn a_locked_screen_shows_nobody_and_opens_with_the_passphrase() {
    let mut app = with_falcon((80, 24));
    assert!(app.shows("amber falcon") && app.shows("Dr. Anna Weber"), "{}", app.screen());
    app.control('l');
    assert!(matches!(app.asked.last(), Some(Request::Lock)));
    let locked = app.screen();
    assert!(
        locked.contains("Overread is locked") && !locked.contains("amber") && !locked.contains("Weber"),
        "{locked}"
    );
    app.script(|request| {
        let wrong = Failure::new(FailureCode::WrongPassphrase, "This is not the passphrase.");
        matches!(request, Request::Unlock).then_some(Err(wrong))
    });
    app.keys("wrong one");
    assert!(!app.shows("wrong one"));
    app.enter();
    assert!(app.shows("This is not the passphrase.") && !app.shows("wrong one"), "{}", app.screen());
}

#[test]
fn it_locks_by_itself_and_still_says_that_something_urgent_came() {
    let mut app = at_worklist((80, 24), Vec::new());
    app.pass(899_000);
    assert!(!app.shows("locked"));
    app.key(KeyCode::Down).pass(899_000);
    assert!(!app.shows("is locked"), "a key counts");
    app.pass(1_000);
    assert!(app.shows("is locked"), "{}", app.screen());
    for notice in ["urgent from a colleague", "STAT from a colleague", "a new case from a colleague"] {
        app.followed(Event::Happened { what: notice.into(), case: None, who: None });
    }
    let all = "STAT from a colleague; urgent from a colleague; a new case from a colleague";
    assert!(app.shows(all), "{}", app.screen());
    assert!(app.wished.iter().any(|wish| matches!(wish, Wish::Bell)));
}

#[test]
fn it_does_not_lock_by_itself_before_work_that_somebody_waits_for_is_done() {
    const HOUR_MS: u64 = 3_600_000;
    let working = || {
        let mut app = with_falcon((80, 24));
        app.keys("v").pass(899_000 + HOUR_MS);
        assert!(!app.shows("is locked") && app.shows("does not lock by itself"), "{}", app.screen());
        app
    };
    let cancelled = |app: &Harness| app.wished.iter().any(|wish| matches!(wish, Wish::Cancel { .. }));
    let verified = |app: &mut Harness| {
        let is_verify = |(_, request): &&(Ticket, Request)| matches!(request, Request::Verify { .. });
        let ticket = app.waiting.iter().find(is_verify).expect("it verifies").0;
        let (problems, state_hash) = (Vec::new(), None);
        app.reply(ticket, Reply::VerifyReport { ok: true, entries: 1, chunks: 1, problems, state_hash });
    };

    let mut app = working();
    verified(&mut app);
    app.pass(250).pass(899_000);
    assert!(app.shows("All is as it was signed.") && !cancelled(&app), "the time begins anew: {}", app.screen());
    app.pass(1_000);
    assert!(app.shows("is locked"), "{}", app.screen());

    let mut app = working();
    app.keys(":").pass(1_000);
    assert!(!app.shows("is locked"), "a key counts meanwhile, too");
    app.pass(898_000 + HOUR_MS);
    assert!(!app.shows("is locked"), "work under a palette is work");
    app.pass(1_000);
    assert!(app.shows("is locked") && cancelled(&app), "an hour longer at most: {}", app.screen());

    // The machine slept, and the work was done before the first tick after that.
    let mut app = working();
    verified(&mut app);
    app.pass(1_000);
    assert!(app.shows("is locked"), "{}", app.screen());

    for is_by_hand in [true, false] {
        let mut app = working();
        match is_by_hand {
            true => app.control('l'),
            false => app.followed(Event::Happened { what: "locked".into(), case: None, who: None }),
        };
        assert!(app.shows("is locked") && cancelled(&app), "at once: {}", app.screen());
    }
}

#[test]
fn an_answer_from_before_locking_is_dropped() {
    let mut app = Harness::new((80, 24), |_| None);
    let cases = vec![summary("c-1", "amber falcon", "Cyst?")];
    app.script = Box::new(|_| None);
    app.keys("r");
    let waiting = app.take_waiting();
    app.control('l');
    let (ticket, _) = waiting.into_iter().find(|(_, request)| matches!(request, Request::CaseList)).unwrap();
    app.reply(ticket, Reply::Cases { cases });
    assert!(app.shows("is locked") && !app.shows("amber"), "{}", app.screen());
}

#[test]
fn an_empty_worklist_says_what_to_do_first() {
    let app = at_worklist((80, 24), Vec::new());
    assert!(app.shows("No case yet.") && app.shows("pair with a colleague"), "{}", app.screen());
}

#[test]
fn the_worklist_shows_what_matters_at_both_sizes() {
    for (columns, rows) in SIZES {
        let urgent = CaseSummary {
            urgency: "stat".into(),
            not_sent: true,
            unread: 1,
            chunks_have: 3,
            due: Some("2026-11-24T11:30:00Z".into()),
            patient: Some("DOE^JANE".into()),
            ..summary("c-1", "amber falcon", "Is the lesion in segment 7 new?")
        };
        let mut app = at_worklist((columns, rows), vec![urgent, summary("c-2", "blue heron", "Cyst?")]);
        let screen = app.screen();
        for text in
            ["STAT", "amber falcon", "lesion in segment", "NOT SENT", "1 new", "30%", "blue heron", "1h30", "open"]
        {
            assert!(screen.contains(text), "{text} at {columns}x{rows}:\n{screen}");
        }
        app.keys("/heron");
        assert!(app.shows("blue heron") && !app.shows("amber falcon"), "{}", app.screen());
        app.key(KeyCode::Esc);
        assert!(app.shows("amber falcon"));
    }
}

#[test]
fn the_worklist_is_read_again_after_what_can_change_it_and_nothing_else() {
    let happened = |what: &str, case: Option<&str>| Event::Happened {
        what: what.into(),
        case: case.map(str::to_owned),
        who: Some("Otto Alt".into()),
    };
    for (event, is_read) in [
        (happened("entries", Some("c-1")), true),
        (happened("connected", None), true),
        (happened("disconnected", None), false),
        (happened("refused: an unknown device", None), false),
    ] {
        let mut app = with_falcon((80, 24));
        app.asked.clear();
        app.followed(event.clone());
        assert_eq!(app.asked.iter().any(|request| matches!(request, Request::CaseList)), is_read, "{event:?}");
    }
}

#[test]
fn deleting_a_case_asks_first() {
    let mut app = with_falcon((80, 24));
    app.key(KeyCode::Delete);
    assert!(app.shows("Delete this case here?"), "{}", app.screen());
    app.enter().keys("n");
    assert!(!app.asked.iter().any(|request| matches!(request, Request::CasePurge { .. })));
    app.key(KeyCode::Delete).keys("y");
    assert!(matches!(app.asked.last(), Some(Request::CasePurge { case }) if case == "c-1"));
}

#[test]
fn a_case_is_deleted_that_the_question_named_even_if_the_list_moves() {
    let mut app = at_worklist((80, 24), vec![summary("c-1", "amber falcon", ""), summary("c-2", "blue heron", "")]);
    app.key(KeyCode::Delete).script(|request| {
        let left = vec![summary("c-2", "blue heron", "")];
        matches!(request, Request::CaseList).then_some(Ok(Reply::Cases { cases: left }))
    });
    app.pass(10_000).keys("y");
    assert!(!app.asked.iter().any(|request| matches!(request, Request::CasePurge { case } if case == "c-2")));
}

#[test]
fn a_case_opens_and_shows_words_of_colleagues_without_what_a_terminal_obeys() {
    for size in SIZES {
        let mut app = in_case(size);
        assert!(app.shows("Metastasis or cyst?") && app.shows("Colon carcinoma"), "{}", app.screen());
        app.key(KeyCode::Tab).key(KeyCode::Tab);
        assert!(app.shows("an older CT?") && !app.shows("\u{1b}"), "{}", app.screen());
    }
}

#[test]
fn the_real_patient_stands_at_her_sender_as_people_write_her() {
    let patient = PlanPatient {
        name: "Farnsbarns^Quintessa".into(),
        patient_id: "4711".into(),
        birth_date: "19390718".into(),
        study_date: "20310217".into(),
        ..PlanPatient::default()
    };
    let summary = CaseSummary { patient: Some(patient.name.clone()), ..summary("c-1", "amber falcon", "Cyst?") };
    let mut app = at_worklist((200, 60), vec![summary]);
    let case = Box::new(CaseView { patient: Some(patient), ..case("c-1", "amber falcon") });
    app.answer(Ok(Reply::Case(case.clone())));
    assert!(app.shows("amber falcon (Farnsbarns, Quintes…"));
    assert!(app.shows("Farnsbarns, Quintessa (4711), born 1939-07-18  examined 2031-02-17"), "{}", app.screen());
    app.enter().answer(Ok(Reply::Case(case)));
    assert!(app.shows("amber falcon  Farnsbarns, Quintessa"));
    assert!(app.shows("examined 2031-02-17"), "{}", app.screen());
}

#[test]
fn text_that_may_name_the_patient_is_sent_only_after_a_look() {
    let mut app = in_case((80, 24));
    app.keys("sJane is back").enter();
    assert!(matches!(app.asked.last(), Some(Request::Say { text_checked: false, .. })));
    let hit = Failure::new(FailureCode::TextCheck, "The text may name the patient.")
        .detail("hits", vec!["\"Jane\": the patient's name".into()]);
    app.answer(Err(hit));
    assert!(app.shows("\"Jane\": the patient's name"), "{}", app.screen());
    assert!(!app.asked.iter().any(|request| matches!(request, Request::Say { text_checked: true, .. })));
    app.keys("y");
    assert!(matches!(app.asked.last(), Some(Request::Say { text, text_checked: true, .. }) if text == "Jane is back"));
}

#[test]
fn a_message_on_its_way_is_not_sent_twice_and_can_be_sent_again_after_a_no() {
    let said = |app: &Harness| app.asked.iter().filter(|request| matches!(request, Request::Say { .. })).count();
    let mut app = in_case((80, 24));
    app.keys("sJane is back").enter().enter();
    assert_eq!(said(&app), 1);
    app.answer(Err(Failure::new(FailureCode::TextCheck, "The text may name the patient.")));
    app.keys("n").enter();
    assert_eq!(said(&app), 2, "she may ask for it again");
}

#[test]
fn help_and_palette_come_from_the_keys_of_the_screen() {
    let mut app = at_worklist((80, 24), Vec::new());
    let help = app.keys("?").screen();
    for binding in keys::bindings(Place::Worklist) {
        assert!(help.contains(binding.words), "{} is not in\n{help}", binding.words);
    }
    app.key(KeyCode::Esc).keys(":quit").enter();
    assert!(app.is_quitting());
}

#[test]
fn no_size_of_the_terminal_breaks_a_screen() {
    let mut app = with_falcon((80, 24));
    for (columns, rows) in [(1, 1), (2, 3), (10, 4), (39, 11), (500, 3), (3, 200)] {
        app.message(Message::Resized { columns, rows });
        for code in [KeyCode::Char('?'), KeyCode::Esc, KeyCode::Char(':'), KeyCode::Esc, KeyCode::Delete] {
            app.key(code).screen();
        }
        app.keys("n");
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
    app.keys("secret words").script(|request| matches!(request, Request::Unlock).then(|| Ok(Reply::Nothing {})));
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

#[test]
fn a_question_can_be_read_in_the_worklist_at_any_width() {
    let question = "Metastasis or cyst in the liver?";
    for columns in [80, 110, 120, 149, 150, 200] {
        let app = at_worklist((columns, 24), vec![summary("c-1", "amber falcon", question)]);
        let line = app.screen().lines().find(|line| line.contains("amber falcon")).map(str::to_owned).unwrap();
        assert!(line.contains(question) || columns == 80 && line.contains("Metastasis or cyst"), "{columns}: {line}");
    }
}

#[test]
fn a_disk_that_is_nearly_full_is_told_of_above_the_cases() {
    for size in SIZES {
        let mut app = Harness::new(size, |request| match request {
            Request::CaseList => Some(Ok(Reply::Cases { cases: vec![summary("c-1", "amber falcon", "Cyst?")] })),
            Request::Status => {
                let Reply::Status(status) = status(true) else { unreachable!() };
                Some(Ok(Reply::Status(Status { disk_low_bytes: Some(800 << 20), ..status })))
            }
            _ => None,
        });
        assert!(app.shows("800.0 MiB left on the disk: make room"), "{}", app.screen());
        app.looks_like("worklist-disk-low");
        app.script(|request| matches!(request, Request::Status).then(|| Ok(status(true))));
        app.pass(20_000);
        assert!(!app.shows("left on the disk"), "{}", app.screen());
    }
}

#[test]
fn the_panel_is_turned_to_with_a_click_and_scrolled_with_keys_a_talk_from_its_end() {
    let said =
        (0..60).map(|number| MessageView { text: format!("word {number}"), ..case("c-1", "").messages.remove(0) });
    let view = Box::new(CaseView { messages: said.collect(), ..case("c-1", "amber falcon") });
    let mut app = with_falcon((80, 24));
    app.enter().answer(Ok(Reply::Case(view)));
    let screen = app.screen();
    let (row, line) = screen.lines().enumerate().find(|(_, line)| line.contains("Talk")).unwrap();
    let column = line.chars().collect::<String>().find("Talk").map(|at| line[..at].chars().count()).unwrap();
    let click = MouseEvent {
        kind: MouseEventKind::Down(crossterm::event::MouseButton::Left),
        column: u16::try_from(column).unwrap(),
        row: u16::try_from(row).unwrap(),
        modifiers: crossterm::event::KeyModifiers::NONE,
    };
    app.message(Message::Pointer(click));
    assert!(app.shows("word 59") && !app.shows("word 40"), "{}", app.screen());
    app.keys("(((");
    assert!(!app.shows("word 59"), "{}", app.screen());
    app.keys(")))");
    assert!(app.shows("word 59"));
}

/// A screen that asks as time passes, wherever it lies, and counts how often it heard yes.
#[derive(Default)]
struct Asker {
    asks: bool,
    heard: usize,
}

impl Screen for Asker {
    fn place(&self) -> Place {
        Place::Doctor
    }

    fn title(&self) -> String {
        String::new()
    }

    fn act(&mut self, action: Action, _context: &mut Context<'_>) {
        self.heard += usize::from(action == Action::Sign);
    }

    fn tick(&mut self, context: &mut Context<'_>) {
        if std::mem::take(&mut self.asks) {
            context.confirm(Question { title: "Sign?".into(), lines: Vec::new() }, Action::Sign);
        }
    }

    fn draw(&self, _frame: &mut Frame<'_>, _area: Rect, _dots: Dots, _look: Look) {}
}

#[test]
fn a_question_waits_for_its_screen_and_goes_with_it() {
    let mut app = Harness::of(Asker { asks: true, heard: 0 });
    app.go(Go::Over(Box::new(Asker::default())));
    app.pass(1).keys("y");
    assert_eq!((app.asks(), app.top::<Asker>().heard), (String::new(), 0), "the screen above asked nothing");
    app.go(Go::Back);
    assert!(app.asks().starts_with("Sign?"));
    app.keys("y");
    assert_eq!((app.asks(), app.top::<Asker>().heard), (String::new(), 1));
    app.go(Go::Over(Box::new(Asker { asks: true, heard: 0 })));
    app.pass(1);
    assert!(app.asks().starts_with("Sign?"));
    app.go(Go::Back);
    app.keys("y");
    assert_eq!((app.asks(), app.top::<Asker>().heard), (String::new(), 1), "its screen is gone");
}

#[test]
fn quitting_asks_when_words_would_be_lost_with_it() {
    for key in ['q', 'c'] {
        let mut app = in_case((80, 24));
        app.keys("sNot sent yet").control(key);
        assert!(!app.is_quitting() && app.asks().contains("A message is written and not sent."), "{}", app.asks());
        app.keys("n").control(key).keys("y");
        assert!(app.is_quitting());
        let mut app = in_case((80, 24));
        app.control(key);
        assert!(app.is_quitting(), "nothing would be lost");
    }
}

#[test]
fn an_answer_about_the_home_from_before_locking_opens_nothing() {
    let mut app = Harness::new((80, 24), |_| None);
    app.control('l');
    app.script = Box::new(|request| matches!(request, Request::Unlock).then(|| Ok(Reply::Nothing {})));
    app.keys("words").enter();
    let asked = app.take_waiting().into_iter().find(|(_, request)| matches!(request, Request::Status));
    let (ticket, _) = asked.expect("it asks whose home it is");
    app.control('l');
    app.reply(ticket, status(true));
    assert!(app.shows("is locked"), "{}", app.screen());
}

#[test]
fn locking_and_quitting_work_under_a_question_and_under_help() {
    let mut app = Harness::of(Asker { asks: true, heard: 0 });
    app.pass(1);
    app.press(KeyCode::Char('y'), KeyModifiers::CONTROL);
    assert!(app.asks().starts_with("Sign?"), "only a plain y says yes");
    app.control('q');
    assert!(app.is_quitting(), "nothing would be lost");
    let mut app = in_case((80, 24));
    app.keys("sNot sent yet").key(KeyCode::F(1)).control('q');
    assert!(app.asks().contains("A message is written and not sent.") && !app.is_quitting());
    app.control('q');
    assert!(app.is_quitting(), "asked for twice");
    let mut app = in_case((80, 24));
    app.keys("sNot sent yet").key(KeyCode::F(1)).control('l');
    assert!(app.shows("is locked"), "{}", app.screen());
    let mut app = in_case((80, 24));
    app.keys("sNot sent yet").control('q').control('l');
    assert!(app.shows("is locked") && app.asks().is_empty(), "{}", app.screen());
}

#[test]
fn a_question_that_comes_while_another_is_read_waits_for_its_answer() {
    let mut app = Harness::of(Asker { asks: true, heard: 0 });
    app.pass(1);
    app.top::<Asker>().asks = true;
    app.pass(1);
    app.keys("y");
    assert!(app.asks().starts_with("Sign?"), "the second");
    app.keys("n");
    assert_eq!((app.asks(), app.top::<Asker>().heard), (String::new(), 1));
}

#[test]
fn images_that_are_asked_for_in_the_worklist_are_no_failure_while_they_travel() {
    let mut app = with_falcon((80, 24));
    app.keys("f");
    app.answer(Err(Failure::new(FailureCode::NotReached, "125 of 240 pieces are here.")));
    assert!(app.said().starts_with("Asked for:"), "{}", app.said());
}

#[test]
fn a_node_that_is_locked_all_of_a_sudden_locks_the_screen() {
    let mut app = with_falcon((80, 24));
    app.script = Box::new(|request| match request {
        Request::Status => {
            let Reply::Status(open) = status(true) else { unreachable!() };
            Some(Ok(Reply::Status(Status { locked: true, ..open })))
        }
        Request::Lock => Some(Ok(Reply::Nothing {})),
        _ => Some(Err(Failure::new(FailureCode::Locked, "The vault is locked."))),
    });
    app.keys("r");
    assert!(app.shows("is locked") && !app.shows("amber falcon"), "{}", app.screen());
    // One request that wants the passphrase is no locked vault.
    let mut app = with_falcon((80, 24));
    app.keys("f");
    app.answer(Err(Failure::new(FailureCode::Locked, "Give the passphrase.")));
    assert!(app.shows("amber falcon"), "{}", app.screen());
}
