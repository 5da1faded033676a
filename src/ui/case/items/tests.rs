use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use crate::node::api::{
    AttachedImage, AttachedView, BasisSeriesView, BasisView, CaseView, MemberView, MessageView, OpinionView, Request,
};
use crate::ui::app::harness::{Harness, SIZES, case};
use crate::ui::keys::Place;
use crate::ui::message::Message;

/// The column of the panel's border, and its first row below the titles.
fn panel((columns, _): (u16, u16)) -> (u16, u16) {
    if columns < 110 { (0, 3) } else { (columns - 46, 2) }
}

fn click(app: &mut Harness, column: u16, row: u16) {
    let kind = MouseEventKind::Down(MouseButton::Left);
    app.message(Message::Pointer(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
}

/// Opens a page by a click on its title.
fn turn_to(app: &mut Harness, size: (u16, u16), title: &str) {
    let (x, top) = panel(size);
    let screen = app.screen();
    let line: String = screen.lines().nth(usize::from(top - 1)).unwrap().chars().skip(usize::from(x)).collect();
    let at = line[..line.find(title).unwrap()].chars().count();
    click(app, x + u16::try_from(at).unwrap(), top - 1);
}

/// What stands in the rows of the panel below the titles, down to the hints.
fn rows(app: &Harness, size: (u16, u16)) -> Vec<(u16, String)> {
    let (x, top) = panel(size);
    let screen = app.screen();
    let text =
        |row: u16| screen.lines().nth(usize::from(row)).unwrap_or_default().chars().skip(usize::from(x) + 1).collect();
    (top..size.1 - 1).map(|row| (row, text(row))).collect()
}

/// The number that follows these words.
fn number(row: &str, words: &str) -> Option<String> {
    let rest = &row[row.find(words)? + words.len()..];
    Some(rest.chars().take_while(char::is_ascii_digit).collect()).filter(|digits: &String| !digits.is_empty())
}

fn people() -> CaseView {
    let member = |number: usize| MemberView {
        name: format!("Person {number}"),
        identity: format!("p-{number}"),
        role: "reader".into(),
        delivery: "delivered".into(),
        me: number == 0,
    };
    CaseView { members: (0..70).map(member).collect(), ..case("c-1", "amber falcon") }
}

fn message(number: usize, leads: bool) -> MessageView {
    let image = AttachedImage {
        study: "s-1".into(),
        series_instance_uid: "1".into(),
        image: "2".into(),
        frame: 1,
        window: "default".into(),
        quarter_turns: 0,
        mirrored: false,
        inverted: false,
        part: None,
    };
    let view = AttachedView { rows: 1, columns: 1, active: 0, viewports: vec![Some(image)] };
    MessageView {
        id: format!("e-{number}"),
        // Short enough that what stands beside it needs no second row.
        author: format!("A {number}"),
        author_identity: format!("p-A {number}"),
        // Every row of it tells whose it is.
        text: format!("said{number} ").repeat(30),
        view: leads.then_some(view),
        ..case("c-1", "").messages.remove(0)
    }
}

fn opinion(number: usize) -> OpinionView {
    let series = BasisSeriesView { series_instance_uid: "1".into(), expected: 12, received: 11, displayed: Some(9) };
    OpinionView {
        id: format!("o-{number}"),
        author: format!("Author {number}"),
        author_identity: format!("p-Author {number}"),
        state: "signed".into(),
        agreement: "agree".into(),
        confidence: Some(80),
        impression: format!("found{number} ").repeat(40),
        findings: None,
        recommendation: None,
        basis: BasisView {
            question: "e".into(),
            heads: 1,
            incomplete: true,
            limitations: vec!["1 image was missing".into()],
            series: vec![series],
        },
        addenda: Vec::new(),
        signed_before: Vec::new(),
        delivery: Vec::new(),
        time: "2026-11-24T09:00:00Z".into(),
    }
}

#[test]
fn a_click_chooses_the_member_who_is_drawn_there_also_when_scrolled() {
    for size in SIZES {
        let mut app = Harness::in_case(size, &people());
        let mut hit = 0;
        for scrolled in ["", ")", "))", "))))))))))", "))))))))))(("] {
            for y in 0..size.1 - 1 - panel(size).1 {
                turn_to(&mut app, size, "Members");
                app.keys(scrolled);
                let (row, text) = rows(&app, size).remove(usize::from(y));
                click(&mut app, panel(size).0 + 3, row);
                let chosen = rows(&app, size).into_iter().find_map(|(_, row)| number(&row, "› Person "));
                assert_eq!(chosen, number(&text, "Person "), "row {row} of\n{}", app.screen());
                hit += usize::from(chosen.is_some());
            }
        }
        assert!(hit > 60, "only {hit} were hit");
    }
}

#[test]
fn a_click_on_a_message_shows_what_its_writer_saw_also_when_scrolled() {
    for size in SIZES {
        // Every third has nothing with it.
        let messages = (0..24).map(|number| message(number, number % 3 != 0)).collect();
        let mut app = Harness::in_case(size, &CaseView { messages, ..case("c-1", "amber falcon") });
        let mut hit = 0;
        for scrolled in ["", "(", "((((", "(((((((((((((((((((((((((((", "(((()"] {
            for y in 0..size.1 - 1 - panel(size).1 {
                app.pass(7_000);
                turn_to(&mut app, size, "Talk");
                app.keys(scrolled);
                let (row, text) = rows(&app, size).remove(usize::from(y));
                click(&mut app, panel(size).0 + 3, row);
                let of = number(&text, "A ").or_else(|| number(&text, "said"));
                let leads = of.filter(|of| of.parse::<usize>().unwrap() % 3 != 0);
                let said = app.said();
                assert_eq!(said.starts_with("What A ").then(|| number(&said, "A ")).flatten(), leads, "{text}");
                hit += usize::from(leads.is_some());
            }
        }
        assert!(hit > 30, "only {hit} were hit");
    }
}

#[test]
fn a_click_opens_the_opinion_that_is_drawn_there_also_when_scrolled() {
    for size in SIZES {
        let opinions = (0..9).map(opinion).collect();
        let mut app = Harness::in_case(size, &CaseView { opinions, ..case("c-1", "amber falcon") });
        let mut hit = 0;
        for scrolled in ["", ")", ")))"] {
            for y in 0..size.1 - 1 - panel(size).1 {
                turn_to(&mut app, size, "Opinions");
                app.keys(scrolled);
                let (row, text) = rows(&app, size).remove(usize::from(y));
                click(&mut app, panel(size).0 + 3, row);
                if app.place() == Place::Reading {
                    let title = app.screen();
                    let opened = number(&title, "Opinion of Author ");
                    let drawn = number(&text, "Author ").or_else(|| number(&text, "found"));
                    assert!(drawn.is_none() || drawn == opened, "{text}: {title}");
                    hit += usize::from(drawn.is_some());
                    app.key(KeyCode::Esc);
                } else {
                    assert!(text.trim().is_empty() || text.contains("choose one"), "{text}");
                }
            }
        }
        assert!(hit > 30, "only {hit} were hit");
        assert!(app.asked.iter().any(|request| matches!(request, Request::OpinionRead { .. })), "reading says so");
    }
}

#[test]
fn an_opinion_is_read_whole_over_the_case() {
    for size in SIZES {
        let opinions = vec![opinion(1), OpinionView { impression: "long ".repeat(1500), ..opinion(2) }];
        let mut app = Harness::in_case(size, &CaseView { opinions, ..case("c-1", "amber falcon") });
        app.key(KeyCode::Tab).keys("}").enter();
        app.looks_like("case/opinion");
        assert!(app.shows("Series 1: 11 of 12 images arrived, 9 displayed"), "{}", app.screen());
        app.key(KeyCode::Esc).keys("}").enter();
        assert!(app.shows("Opinion of Author 2") && app.shows("below: ↓ and PgDn"), "{}", app.screen());
        app.key(KeyCode::End);
        assert!(!app.shows("below: ↓") && app.shows("9 displayed"), "{}", app.screen());
        app.key(KeyCode::PageUp).key(KeyCode::Up);
        assert!(app.shows("below: ↓"));
        app.key(KeyCode::Esc);
        assert_eq!(app.place(), Place::Case);
    }
}

#[test]
fn what_a_key_chooses_is_seen_whatever_was_scrolled() {
    for size in SIZES {
        let mut app = Harness::in_case(size, &people());
        turn_to(&mut app, size, "Members");
        for at in 0..70 {
            app.keys("}");
            assert!(app.shows(&format!("› Person {at} ")), "{}", app.screen());
        }
        app.keys("}((((((({");
        assert!(app.shows("› Person 68 "), "{}", app.screen());
        turn_to(&mut app, size, "History");
        app.keys("}");
        assert_eq!(app.said(), "There is nothing to choose on this page.");
        app.enter();
        assert!(app.said().starts_with("Choose something in the panel first"));
        let messages = (0..24).map(|number| message(number, number % 3 != 0)).collect();
        let mut app = Harness::in_case(size, &CaseView { messages, ..case("c-1", "amber falcon") });
        turn_to(&mut app, size, "Talk");
        for at in (0..24).rev().filter(|at| at % 3 != 0) {
            app.keys("{");
            assert!(app.shows(&format!("› A {at} ")), "{}", app.screen());
        }
        app.enter();
        assert!(app.said().starts_with("What A 1 saw."), "{}", app.said());
        // V goes on from there: the oldest was the last.
        app.keys("V");
        assert_eq!(app.said(), "What you looked at before.");
    }
}
