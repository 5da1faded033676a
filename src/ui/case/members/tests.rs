use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::rights::Given;
use super::*;
use crate::case::access::Role;
use crate::node::api::{Failure, Reply};
use crate::ui::app::harness::{Harness, SIZES, card, case};
use crate::ui::keys::Place;
use crate::ui::message::Message;

/// A case of Anna's in which she has this role, with Ben and Cara as its other members.
fn view(mine: &str) -> CaseView {
    let mut view = case("c-1", "amber falcon");
    let member = |name: &str, role: &str, me| MemberView {
        name: name.into(),
        identity: format!("p-{name}"),
        role: role.into(),
        delivery: "delivered".into(),
        me,
    };
    let owner = if mine == "owner" { "reader" } else { "owner" };
    view.members = vec![
        member("Dr. Anna Weiss", mine, true),
        member("Dr. Ben Okafor", owner, false),
        member("Cara", "admin", false),
    ];
    view.role = mine.into();
    view
}

fn with(size: (u16, u16), view: CaseView) -> Harness {
    let member = || {
        let mut card = card("Dr. Ben Okafor", "University Clinic", "verified");
        card.identity = "p-Dr. Ben Okafor".into();
        card
    };
    let expired = || {
        let mut card = card("Dr. Old", "Gone", "verified");
        card.expired = true;
        card
    };
    Harness::in_case_with(size, &view, move |request| match request {
        Request::CardList => Some(Ok(Reply::Cards {
            cards: vec![
                card("Dr. Anna Weiss", "City Hospital", "me"),
                member(),
                expired(),
                card("Dr. Zoe\u{1b}[2J Marsh", "General Hospital", "unverified"),
                card("Dr. Dora Lind", "University Clinic", "verified"),
                card("Dr. Bad", "Elsewhere", "blocked"),
            ],
        })),
        _ => None,
    })
}

/// The last thing that was asked for, as JSON without its name.
fn asked(app: &Harness) -> serde_json::Value {
    let last = serde_json::to_value(app.asked.last().unwrap()).unwrap();
    last.as_object().map_or(serde_json::Value::Null, |request| request.values().next().unwrap().clone())
}

fn written(app: &Harness) -> usize {
    let writes = |request: &&Request| {
        matches!(
            request,
            Request::CaseMemberAdd { .. } | Request::CaseMemberRole { .. } | Request::CaseMemberRemove { .. }
        )
    };
    app.asked.iter().filter(writes).count()
}

#[test]
fn a_colleague_who_is_no_member_is_chosen_with_a_role() {
    for size in SIZES {
        let mut app = with(size, view("owner"));
        app.keys("B");
        assert_eq!(app.place(), Place::Picking);
        app.looks_like("case/member-add");
        assert!(
            !app.screen().lines().any(|line| line.contains("verified") && line.contains("Okafor")),
            "a member already"
        );
        // The first is the verified colleague, and a reader is what she mostly is to be.
        app.enter();
        app.looks_like("case/member-add-role");
        app.enter();
        let request = asked(&app);
        assert_eq!(
            (request["who"].as_str(), request["role"].as_str(), request["to_unverified"].as_bool()),
            (Some(card("Dr. Dora Lind", "", "").identity.as_str()), Some("reader"), Some(false))
        );
        assert!(app.shows("working …"), "{}", app.screen());
        app.enter().keys("jk").enter();
        assert_eq!(written(&app), 1, "not twice");
        app.answer(Err(Failure::new(FailureCode::NotReached, "She has it as soon as she is reached.")));
        assert!(app.said().contains("Dr. Dora Lind is a member."), "it is written, though nobody was reached");
        assert_eq!(app.place(), Place::Case);
    }
}

#[test]
fn what_an_unverified_colleague_means_is_said_before_and_asked_about_once_more() {
    for size in SIZES {
        let mut app = with(size, view("owner"));
        app.keys("Bj");
        assert!(app.shows("You never compared safety words with her"), "{}", app.screen());
        app.enter().keys("j").enter();
        assert!(app.asks().contains("Invite somebody unverified?"), "{}", app.screen());
        app.looks_like("case/member-add-unverified");
        app.keys("n");
        assert_eq!(written(&app), 0);
        app.enter().keys("y");
        let request = asked(&app);
        assert_eq!((request["role"].as_str(), request["to_unverified"].as_bool()), (Some("observer"), Some(true)));
        app.answer(Err(Failure::new(FailureCode::Role, "Only the owner may.")));
        assert!(app.shows("Only the owner may."), "{}", app.screen());
        // What she agreed to was about this choice.
        app.keys("k").enter();
        assert!(app.asks().contains("Invite somebody unverified?"));
    }
}

#[test]
fn who_cannot_be_invited_says_why_and_is_not_asked_for() {
    let mut app = with((80, 24), view("owner"));
    for (keys, why) in [("Bjj", "card has expired"), ("j", "blocked: end the block first")] {
        app.keys(keys);
        assert!(app.shows(why), "{}", app.screen());
        app.enter();
        assert!(app.shows("Colleagues who are not in this case"), "{}", app.screen());
    }
    app.key(KeyCode::Esc);
    assert_eq!((app.place(), written(&app)), (Place::Case, 0));
}

#[test]
fn nobody_to_bring_in_and_a_list_that_cannot_be_read_have_their_words() {
    for size in SIZES {
        let mut app = with(size, view("owner"));
        app.script(|request| matches!(request, Request::CardList).then(|| Ok(Reply::Cards { cards: Vec::new() })));
        app.keys("B");
        app.looks_like("case/member-add-nobody");
        app.enter();
        assert_eq!(written(&app), 0);
        app.key(KeyCode::Esc);
        app.script(|request| {
            let failure = || Failure::new(FailureCode::Failed, "The store is damaged").hint("Run the check.");
            matches!(request, Request::CardList).then(|| Err(failure()))
        });
        app.keys("B");
        assert!(app.shows("The store is damaged. Run the check."), "{}", app.screen());
    }
}

#[test]
fn esc_goes_from_the_role_back_to_whom() {
    let mut app = with((80, 24), view("owner"));
    app.keys("Bj").enter().key(KeyCode::Esc);
    assert!(app.shows("You never compared safety words with her"), "she is still chosen: {}", app.screen());
    app.key(KeyCode::Esc);
    assert_eq!(app.place(), Place::Case);
}

#[test]
fn a_role_is_chosen_for_the_chosen_member_with_what_it_may_do() {
    for size in SIZES {
        let mut app = with(size, view("owner"));
        app.keys("J");
        assert!(app.said().starts_with("Choose a member first"), "{}", app.said());
        app.pass(7_000);
        app.keys("}}");
        app.looks_like("case/members");
        app.keys("J");
        app.looks_like("case/member-role");
        app.enter();
        assert!(app.shows("She has this role now."), "{}", app.screen());
        app.keys("j").enter();
        let request = asked(&app);
        assert_eq!((request["who"].as_str(), request["role"].as_str()), (Some("p-Dr. Ben Okafor"), Some("observer")));
        app.answer(Ok(Reply::Nothing {}));
        assert_eq!(app.said(), "Dr. Ben Okafor is an observer from now on.");
    }
}

#[test]
fn the_case_is_handed_over_only_after_a_question() {
    let mut app = with((80, 24), view("owner"));
    app.keys("J}}").enter().key(KeyCode::Home).enter();
    assert!(app.asks().contains("Hand the case over?"));
    app.keys("n");
    assert_eq!(written(&app), 0);
    app.enter().keys("y");
    assert_eq!(asked(&app)["role"], "owner");
}

#[test]
fn a_member_is_taken_out_only_after_a_question_that_says_what_it_does_not_do() {
    for size in SIZES {
        let mut app = with(size, view("owner"));
        app.keys("U}}").pass(7_000);
        app.keys("U");
        app.looks_like("case/member-remove");
        assert!(app.asks().contains("What she has she keeps") && app.asks().contains("a new key"), "{}", app.asks());
        app.keys("n");
        assert_eq!(written(&app), 0);
        app.keys("Uy");
        assert_eq!(asked(&app)["who"], "p-Dr. Ben Okafor");
        app.keys("U");
        assert_eq!(app.asks(), "", "one at a time");
        app.answer(Ok(Reply::Nothing {}));
        assert_eq!(app.said(), "Dr. Ben Okafor is no member any more.");
    }
}

#[test]
fn the_only_other_member_is_meant_where_nobody_is_chosen() {
    let mut app = with((80, 24), CaseView { role: "owner".into(), ..case("c-1", "amber falcon") });
    app.keys("U");
    assert!(app.asks().contains("Dr. Ben Okafor"));
}

#[test]
fn what_a_person_may_not_do_is_said_before() {
    let mut app = with((80, 24), view("reader"));
    let only = "Only the owner and admins change members; you are a reader. Ask Dr. Ben Okafor.";
    app.keys("B");
    assert_eq!((app.said().as_str(), app.place()), (only, Place::Case));
    app.keys("}}J");
    assert_eq!(app.said(), only);
    app.keys("U");
    assert_eq!((app.said().as_str(), app.asks().as_str()), (only, ""));
    app.pass(7_000);
    app.looks_like("case/members-of-a-reader");
    // Whoever is in may leave.
    app.keys("{U");
    assert!(app.asks().starts_with("Leave this case?"));
    app.keys("y");
    assert_eq!(asked(&app)["who"], "p-Dr. Anna Weiss");
    app.answer(Ok(Reply::Nothing {}));
    assert_eq!(app.said(), "You have left the case.");
}

#[test]
fn an_admin_appoints_no_admins_and_takes_no_owner_out() {
    let mut app = with((80, 24), view("admin"));
    app.keys("U}}U");
    assert_eq!((app.said().as_str(), app.asks().as_str()), ("Nobody takes the owner out.", ""));
    app.keys("J");
    assert!(app.said().contains("only when she hands the case over"));
    app.keys("}U");
    assert!(app.asks().contains("only if you were appointed before her"), "{}", app.asks());
    app.keys("n").pass(7_000);
    app.keys("B").enter().keys("k").enter();
    assert!(app.shows("Only the owner appoints admins."), "{}", app.screen());
    assert_eq!(written(&app), 0);
}

#[test]
fn rights_are_those_the_case_is_folded_by() {
    let mut owner = view("owner");
    assert!(rights::why_not_add(&owner).is_none());
    assert!(rights::why_not_remove(&owner, &owner.members[0].clone()).is_some(), "an owner hands over first");
    assert!(rights::why_not_change(&owner, &owner.members[0].clone()).is_some());
    owner.role = "none".into();
    assert_eq!(rights::why_not_add(&owner).as_deref(), Some("You are no member of this case any more."));
    let can = |mine: &str, now: Option<&str>, given| rights::why_not_give(mine, now, given).is_none();
    assert!(
        can("owner", Some("reader"), Given::Role(Role::Owner))
            && !can("owner", Some("courier"), Given::Role(Role::Owner))
    );
    assert!(
        can("owner", None, Given::Role(Role::Admin))
            && !can("admin", None, Given::Role(Role::Admin))
            && can("admin", None, Given::Role(Role::Courier))
    );
    assert!(!can("owner", Some("reader"), Given::Role(Role::Reader)));
    assert!(can("owner", Some("reader"), Given::Heir) && !can("owner", Some("courier"), Given::Heir));
    assert!(!can("admin", Some("reader"), Given::Heir), "only the owner names an heir");
    assert!(rights::ROLES.into_iter().all(|role| rights::role(role.word()) == Some(role)));
}

#[test]
fn rows_of_a_list_are_clicked_where_they_are_drawn() {
    for size in SIZES {
        let mut app = with(size, view("owner"));
        app.keys("B");
        let click = |app: &mut Harness, words: &str| {
            let screen = app.screen();
            let (row, line) = screen.lines().enumerate().find(|(_, line)| line.contains(words)).unwrap();
            let column = line[..line.find(words).unwrap()].chars().count();
            let (column, row) = (u16::try_from(column).unwrap(), u16::try_from(row).unwrap());
            let kind = MouseEventKind::Down(MouseButton::Left);
            app.message(Message::Pointer(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
        };
        click(&mut app, "Marsh");
        assert!(app.shows("You never compared safety words with her"), "{}", app.screen());
        click(&mut app, "Marsh");
        assert!(app.shows("What Dr. Zoe"), "the second click chooses: {}", app.screen());
        click(&mut app, "observer  ");
        click(&mut app, "observer  ");
        assert!(app.asks().contains("Invite somebody unverified?"), "{}", app.screen());
    }
}
