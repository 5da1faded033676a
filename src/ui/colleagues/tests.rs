//! Colleagues as they look, and what their keys ask for.

use crossterm::event::KeyCode;

use crate::node::api::{CardView, Failure, FailureCode, PeerView, Reply, Request, SkippedFile};
use crate::ui::app::harness::{Harness, SIZES, card};

fn words() -> Vec<String> {
    ["crane", "velvet", "honey", "umbrella", "lake", "zoo"].map(str::to_owned).to_vec()
}

fn peer(card: &CardView, connected: bool) -> PeerView {
    PeerView {
        name: card.name.clone(),
        identity: card.identity.clone(),
        device: card.devices[0].clone(),
        connected,
        path: connected.then(|| "direct".into()),
        address: connected.then(|| "/ip4/10.0.3.7/tcp/4001".into()),
    }
}

fn four() -> Vec<CardView> {
    let mut lopez = card("Maria López", "Hospital Clínic, Barcelona", "compromised");
    lopez.expired = true;
    let mut tanaka = card("Jun Tanaka", "東京大学病院", "unverified");
    tanaka.alias = Some("Jun (neuro)".into());
    let blocked = card("Otto Alt", "Praxis am Markt", "blocked");
    vec![blocked, card("Jonas Beck", "AKH Wien", "verified"), lopez, tanaka]
}

/// A node that knows four colleagues, one of them connected.
fn node(request: &Request) -> Option<Result<Reply, Failure>> {
    match request {
        Request::CardList => Some(Ok(Reply::Cards { cards: four() })),
        Request::Sync => {
            let cards = four();
            let peers = vec![peer(&cards[1], true), peer(&cards[2], false), peer(&cards[3], false)];
            Some(Ok(Reply::Synced { peers, delivery: Vec::new() }))
        }
        Request::CardVerify { who, heard: None } => Some(Ok(Reply::SafetyWords { words: words(), who: who.clone() })),
        _ => None,
    }
}

#[test]
fn without_a_colleague_the_ways_to_one_are_shown() {
    for size in SIZES {
        let mut app = Harness::new(size, |_| None);
        app.keys("c");
        app.looks_like("colleagues-none");
    }
}

#[test]
fn each_state_of_trust_stands_in_words() {
    for size in SIZES {
        let mut app = Harness::without_colour(size, node);
        app.keys("c");
        app.looks_like("colleagues-verified");
        app.keys("j");
        app.looks_like("colleagues-unverified");
        app.keys("j");
        app.looks_like("colleagues-compromised");
        app.key(KeyCode::End);
        app.looks_like("colleagues-blocked");
    }
}

#[test]
fn strange_characters_of_a_card_reach_no_screen() {
    let mut app = Harness::new((80, 24), |request| match request {
        Request::CardList => {
            let mut hostile = card("x\u{1b}[2Jy\u{202e}z", "si\u{7}te\u{200b}", "un\u{1b}verified");
            hostile.phone = Some("\u{9b}31m1".into());
            hostile.expires = Some("2028\u{1b}[31m-11-23".into());
            hostile.addresses = vec!["/ip4/\u{1b}c".into()];
            hostile.alias = None;
            Some(Ok(Reply::Cards { cards: vec![hostile] }))
        }
        _ => None,
    });
    for keys in ["c", "v", "\u{1b}n", "\u{1b}b"] {
        for key in keys.chars() {
            app.key(if key == '\u{1b}' { KeyCode::Esc } else { KeyCode::Char(key) });
        }
        let bad = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{200b}' | '\u{202e}');
        assert!(!app.screen().contains(bad), "{keys:?}: {}", app.screen());
    }
}

#[test]
fn my_words_are_read_aloud_and_hers_are_typed() {
    for size in SIZES {
        let mut app = Harness::new(size, node);
        app.keys("cjv");
        app.looks_like("verify-open");
        app.keys("lake hone zoo cran");
        app.looks_like("verify-typed");
    }
}

#[test]
fn a_wrong_word_is_told_by_its_place_and_never_what_it_should_be() {
    for size in SIZES {
        let mut app = Harness::new(size, node);
        app.keys("cjv").keys("lake honey zoo crane velvet umbrella").enter();
        let heard = "lake honey zoo crane velvet umbrella".to_owned();
        let who = four()[3].identity.clone();
        assert!(
            matches!(app.asked.last(), Some(Request::CardVerify { who: w, heard: Some(h) }) if *w == who && *h == heard)
        );
        let failure = Failure::new(FailureCode::Untrusted, "Jun (neuro) is not verified: word 2, 5 differs: ask to hear it again; if it still differs, this card is not that person's")
            .hint("Let your colleague read her words again. If they stay wrong, the card is not hers.")
            .detail("places", vec!["2".into(), "5".into()]);
        app.answer(Err(failure));
        app.looks_like("verify-wrong");
        assert!(app.shows("lake honey zoo crane velvet umbrella"), "what was typed stays, to be mended");
    }
}

#[test]
fn right_words_lead_back_to_the_list_and_say_so() {
    let mut app = Harness::new((80, 24), node);
    app.keys("cjv").keys("six words that are quite right").enter();
    app.answer(Ok(Reply::Verified { who: "Jun".into(), verified: true, wrong_word: None }));
    assert!(app.shows("is verified: the words were right."));
    assert!(app.shows("on her card"), "{}", app.screen());
}

#[test]
fn nothing_is_compared_before_something_is_typed() {
    let mut app = Harness::new((80, 24), node);
    app.keys("cjv").enter();
    assert!(!app.asked.iter().any(|request| matches!(request, Request::CardVerify { heard: Some(_), .. })));
}

#[test]
fn blocking_unblocking_and_removing_are_asked_about_first() {
    for (keys, question, wanted) in [
        ("cb", "Block this colleague?", "CardBlock"),
        ("cjjjb", "End this block?", "CardUnblock"),
        ("cD", "Remove this colleague's card?", "CardRemove"),
    ] {
        let mut app = Harness::new((80, 24), node);
        for key in keys.chars() {
            app.key(if key == 'D' { KeyCode::Delete } else { KeyCode::Char(key) });
        }
        assert!(app.shows(question), "{}", app.screen());
        let asked = app.asked.len();
        app.keys("n");
        assert_eq!(app.asked.len(), asked, "no means no");
        app.keys(if keys.ends_with('b') { "b" } else { "" });
        if keys.ends_with('D') {
            app.key(KeyCode::Delete);
        }
        app.keys("y");
        assert!(format!("{:?}", app.asked.last()).contains(wanted), "{:?}", app.asked.last());
    }
}

#[test]
fn a_question_is_about_whom_it_names_even_if_the_list_moves() {
    let mut app = Harness::new((80, 24), node);
    app.keys("cb");
    app.script(|request| {
        let more = || {
            let mut cards = four();
            cards.push(card("Aaron Zeta", "Praxis", "unverified"));
            cards
        };
        matches!(request, Request::CardList).then(|| Ok(Reply::Cards { cards: more() }))
    });
    app.followed(crate::node::api::Event::Happened { what: "connected".into(), case: None, who: None });
    app.keys("y");
    let beck = four()[1].identity.clone();
    assert!(app.asked.iter().any(|request| matches!(request, Request::CardBlock { who } if *who == beck)));
}

#[test]
fn a_name_of_my_own_goes_to_the_node() {
    let mut app = Harness::new((80, 24), node);
    app.keys("cn");
    app.looks_like("card-name");
    app.keys(" (neuro)").enter();
    assert!(matches!(app.asked.last(), Some(Request::CardName { alias, .. }) if alias == "Jonas Beck (neuro)"));
    app.answer(
        Err(Failure::new(FailureCode::WrongUse, "Another colleague is called so.").hint("Choose another name.")),
    );
    assert!(app.shows("Another colleague is called so. Choose another name."));
}

#[test]
fn cards_are_added_from_a_folder_and_refused_ones_are_named() {
    let mut app = Harness::new((80, 24), node);
    app.keys("ca").keys("/media/stick").enter();
    app.looks_like("card-add");
    app.keys("10.0.0.3:4001").enter();
    let asked = app.asked.last();
    assert!(
        matches!(asked, Some(Request::CardAdd { paths, at }) if paths[0].as_os_str() == "/media/stick" && at == &["10.0.0.3:4001"])
    );
    let refused = vec![SkippedFile { path: "/media/stick/x.card".into(), why: "it is damaged".into() }];
    app.answer(Ok(Reply::CardsAdded { added: vec![four()[3].clone()], refused }));
    assert!(app.shows("Jun (neuro) is added, unverified") && app.shows("x.card: it is damaged"), "{}", app.screen());
    assert!(app.shows("on her card"), "the new one is chosen");
}

#[test]
fn my_card_is_a_code_where_the_window_is_large_enough_and_says_so_where_not() {
    let mut mine = card("Dr. Anna Weber", "St. Vinzenz, Köln", "me");
    mine.text = Some(format!(
        "# lines for people\n-----BEGIN OVERREAD CARD-----\n{}\n-----END OVERREAD CARD-----\n",
        "q83vEjRWeJA=".repeat(190)
    ));
    let script = move |request: &Request| match request {
        Request::CardShow { who: None } => Some(Ok(Reply::Card(mine.clone()))),
        _ => None,
    };
    for size in SIZES {
        let mut app = Harness::new(size, script.clone());
        app.keys("cm");
        app.looks_like("card-own");
    }
    let mut app = Harness::new((220, 100), script);
    app.keys("cm");
    assert!(app.shows("▀") && app.shows("Dr. Anna Weber") && !app.shows("lines; this window"));
}

#[test]
fn who_connects_is_seen_without_a_key() {
    let mut app = Harness::new((80, 24), |request| match request {
        Request::CardList => Some(Ok(Reply::Cards { cards: vec![four()[1].clone()] })),
        _ => None,
    });
    app.keys("c");
    assert!(app.shows("not connected"));
    app.script(node);
    app.pass(5_000);
    assert!(app.shows("direct /ip4/10.0.3.7/tcp/4001") && !app.shows("not connected"), "{}", app.screen());
}
