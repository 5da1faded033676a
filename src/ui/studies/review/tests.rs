//! What the look at left-out images does with keys, answers and pictures, and what is seen of it.

use crossterm::event::KeyCode;

use super::*;
use crate::node::api::{Failure, FailureCode, LookView};
use crate::ui::app::harness::Harness;
use crate::ui::message::Message;
use crate::ui::picture::Opened;

mod covering;

pub(super) fn image(uid: &str, number: i32, frames: u32) -> LeftOutImage {
    let frames_to_see = if frames == 0 { Vec::new() } else { (1..=frames).step_by(10).collect() };
    LeftOutImage {
        sop_instance_uid: uid.into(),
        series_instance_uid: "2.25.3".into(),
        series_number: Some(3),
        series_description: "screen save".into(),
        modality: "US".into(),
        number: Some(number),
        frames,
        frames_to_see,
        rows: 600,
        columns: 800,
        why: "ultrasound".into(),
        plain_hash: "ab".repeat(32),
        state: "waits".into(),
        looked: None,
        mask: Vec::new(),
        given: false,
    }
}

fn images() -> Vec<LeftOutImage> {
    let looked =
        LookView { who: "Dr Reader\u{7}".into(), at: "2031-02-18T09:30:00Z".into(), plain_hash: "ab".repeat(32) };
    vec![
        LeftOutImage { state: "admitted".into(), looked: Some(looked.clone()), ..image("1.1", 1, 1) },
        image("1.2", 2, 1),
        image("1.3", 3, 21),
        image("1.4", 4, 0),
        LeftOutImage { state: "kept out".into(), looked: Some(looked), ..image("1.5", 5, 1) },
    ]
}

fn at_review() -> Harness {
    let mut app = Harness::of(LeftOutReview::new("s-aaaa"));
    let (ticket, request) = app.take_one();
    assert!(matches!(request, Request::StudyLeftOut { study, .. } if study == "s-aaaa"));
    app.reply(ticket, Reply::LeftOut { images: images() });
    app
}

/// A real picture, opened from a sample; `None` without samples.
fn picture(key: &PictureKey) -> Option<Picture> {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples/burned-in/us-grey-test-patient.dcm");
    let opened = Opened::read(&std::fs::read(sample).ok()?).unwrap();
    // All keys of this test show the sample's first frame.
    let picture = Picture::decode(&PictureKey { frame: 1, ..key.clone() }, &Arc::new(opened)).unwrap();
    Some(Picture { key: key.clone(), ..picture })
}

/// Opens every picture wished for; gives their keys.
fn open_pictures(app: &mut Harness) -> Vec<PictureKey> {
    let mut opened = Vec::new();
    for wish in std::mem::take(&mut app.wished) {
        if let Wish::Picture(key) = wish {
            let Some(picture) = picture(&key) else { continue };
            opened.push(key.clone());
            app.message(Message::Pictured { key, outcome: Ok(Arc::new(picture)) });
        }
    }
    opened
}

/// What the terminal does: draws a picture of this size, and it stands still.
fn stands(app: &mut Harness, key: &PictureKey, width_px: u32, height_px: u32) {
    for _ in 0..2 {
        app.top::<LeftOutReview>().picture_drawn(key, width_px, height_px);
        app.pass(REST_MS);
    }
}

/// Has the screen drawn, and looks at it for a while.
fn look(app: &mut Harness) {
    for _ in 0..2 {
        app.scenes();
        app.pass(REST_MS);
    }
}

/// What the terminal does: draws what is wanted, and says so.
fn draw_pictures(app: &mut Harness) -> usize {
    let wanted = app.top::<LeftOutReview>().pictures(Rect::new(0, 0, 80, 22));
    for (key, area) in &wanted {
        assert!(area.width >= 40 && area.height >= 15, "{area:?}");
        stands(app, key, 400, 300);
    }
    wanted.len()
}

#[test]
fn the_first_image_that_waits_comes_first_and_the_next_is_opened_ahead() {
    let app = at_review();
    app.body_looks_like("studies/review");
    let wished = app.wished.iter().map(|wish| match wish {
        Wish::Picture(key) => (key.sop_instance_uid.to_string(), key.frame),
        other => panic!("{other:?}"),
    });
    assert_eq!(wished.collect::<Vec<_>>(), [("1.3".into(), 1), ("1.2".into(), 1)], "the newest is opened first");
}

#[test]
fn nothing_is_admitted_before_its_picture_stood_on_the_screen_large_enough_to_read() {
    let mut app = at_review();
    app.keys("a");
    assert!(
        app.said().contains("not on the screen yet")
            && app.top::<LeftOutReview>().pictures(Rect::new(0, 0, 80, 22)).is_empty()
    );
    if open_pictures(&mut app).is_empty() {
        eprintln!("SKIPPED: no samples");
        return;
    }
    app.keys("a");
    assert_eq!(app.take_waiting().len(), 0, "opened is not seen");
    assert_eq!(app.top::<LeftOutReview>().chosen.at, 1);
    let other = PictureKey { study: "s-aaaa".into(), sop_instance_uid: "1.3".into(), frame: 1 };
    stands(&mut app, &other, 800, 600);
    app.keys("a");
    assert_eq!(app.top::<LeftOutReview>().chosen.at, 1, "another picture is not this one");
    let key = app.top::<LeftOutReview>().pictures(Rect::new(0, 0, 80, 22)).remove(0).0;
    stands(&mut app, &key, 92, 72);
    app.keys("a");
    assert!(
        app.top::<LeftOutReview>().chosen.at == 1 && app.said().contains("too small to read a name"),
        "{}",
        app.said()
    );
    app.top::<LeftOutReview>().picture_drawn(&key, 800, 600);
    app.pass(REST_MS);
    app.keys("a");
    assert_eq!(app.top::<LeftOutReview>().chosen.at, 1, "a first drawing may be a coarse one");
    app.pass(4 * REST_MS);
    app.keys("a");
    assert_eq!(app.top::<LeftOutReview>().chosen.at, 1, "nor does what is drawn no more");
    assert_eq!(draw_pictures(&mut app), 1);
    app.keys("a");
    assert_eq!(app.top::<LeftOutReview>().chosen.at, 2, "on to the next");
}

#[test]
fn of_an_image_of_many_frames_each_of_the_sheets_frames_must_have_been_seen() {
    let mut app = at_review();
    app.key(KeyCode::Down);
    open_pictures(&mut app);
    if draw_pictures(&mut app) == 0 {
        eprintln!("SKIPPED: no samples");
        return;
    }
    app.keys("a");
    assert!(app.said().starts_with("2 frames of it not seen yet"), "{}", app.said());
    app.body_looks_like("studies/review-frames");
    for _ in 0..2 {
        open_pictures(&mut app);
        draw_pictures(&mut app);
        app.keys(" ");
    }
    open_pictures(&mut app);
    draw_pictures(&mut app);
    app.keys("a");
    assert_eq!(app.top::<LeftOutReview>().chosen.at, 3);
}

#[test]
fn decisions_are_written_together_after_a_last_look_and_can_be_taken_back() {
    let mut app = at_review();
    app.keys("xx");
    app.keys("a");
    assert!(app.said().contains("Every image is decided"), "an object without pixels needs no look");
    app.body_looks_like("studies/review-decided");
    app.key(KeyCode::Home);
    app.keys("x");
    assert!(app.said().contains("cannot be kept out"));
    app.key(KeyCode::Down);
    app.keys("u");
    app.wished.clear();
    app.key(KeyCode::Enter);
    app.body_looks_like("studies/review-question");
    app.keys("y");
    let (ticket, request) = app.take_one();
    let Request::StudyDecide { study, admit, keep_out, .. } = request else { panic!("{request:?}") };
    assert_eq!((study.as_str(), admit, keep_out), ("s-aaaa", vec!["1.4".to_owned()], vec!["1.3".to_owned()]));
    app.keys("x");
    assert_eq!(app.top::<LeftOutReview>().decisions.len(), 2, "nothing is decided while it is written");
    app.reply(ticket, Reply::Decided { admitted: 1, kept_out: 1, masked: 0 });
    assert_eq!(app.said(), "1 image admitted, 0 masked, 1 kept out.");
    assert!(matches!(app.take_one().1, Request::StudyLeftOut { .. }));
}

#[test]
fn leaving_with_decisions_asks_and_a_refusal_keeps_them() {
    let mut app = at_review();
    app.keys("x");
    app.key(KeyCode::Esc);
    assert!(app.asks().starts_with("Leave without writing?"));
    app.keys("n");
    app.key(KeyCode::Enter);
    app.keys("y");
    let (ticket, _) = app.take_waiting().pop().unwrap();
    app.fail(ticket, Failure::new(FailureCode::DiskFull, "The disk is full.").hint("Make room."));
    assert_eq!((app.said().as_str(), app.top::<LeftOutReview>().decisions.len()), ("The disk is full. Make room.", 1));
    app.key(KeyCode::Esc);
    app.keys("y");
    assert!(!app.back_to::<LeftOutReview>());
}

#[test]
fn what_cannot_be_shown_stays_out() {
    let mut app = at_review();
    for wish in std::mem::take(&mut app.wished) {
        if let Wish::Picture(key) = wish {
            let not = NotShown::by_file("no decoder for 1.2.3\u{1b}[2J".to_owned());
            app.message(Message::Pictured { key, outcome: Err(not) });
        }
    }
    app.body_looks_like("studies/review-failed");
    app.keys("a");
    assert!(app.said().contains("cannot be shown"), "{}", app.said());
    assert!(app.top::<LeftOutReview>().decisions.is_empty());
}

#[test]
fn a_picture_that_something_was_in_the_way_of_is_asked_for_again() {
    let mut app = at_review();
    let wishes = |app: &mut Harness| {
        let wished = std::mem::take(&mut app.wished).into_iter();
        let keys = wished.filter_map(|wish| if let Wish::Picture(key) = wish { Some(key) } else { None });
        keys.collect::<Vec<_>>()
    };
    let first = wishes(&mut app);
    for key in first.clone() {
        let not = NotShown::in_passing("The node is busy.".into());
        app.message(Message::Pictured { key, outcome: Err(not) });
    }
    let screen = app.screen();
    assert!(screen.contains("It could not be opened") && screen.contains("tried again"), "{screen}");
    assert!(wishes(&mut app).is_empty(), "not at once");
    app.keys("a");
    assert!(!app.said().contains("stays out") && app.top::<LeftOutReview>().decisions.is_empty());
    app.pass(4_000);
    assert_eq!(wishes(&mut app), first);
}

#[test]
fn a_picture_that_fell_out_is_asked_for_again() {
    let mut app = at_review();
    let first = std::mem::take(&mut app.wished);
    for wish in first {
        if let Wish::Picture(key) = wish {
            app.message(Message::PictureDropped(key));
        }
    }
    assert!(app.wished.iter().any(|wish| matches!(wish, Wish::Picture(_))));
}

proptest::proptest! {
    #[test]
    fn no_sequence_of_keys_admits_what_was_not_seen(
        keys in proptest::collection::vec(0_u8..128, 0..80),
        width in 1_u16..120,
    ) {
        let mut app = at_review();
        for key in keys {
            app.any_key(key);
            if !app.back_to::<LeftOutReview>() {
                break;
            }
            for (ticket, request) in app.take_waiting() {
                match request {
                    Request::StudyDecide { admit, masks, .. } => {
                        assert!(masks.is_empty(), "{masks:?}");
                        // Of the images that wait only one has no pixels; no picture was ever drawn.
                        assert!(admit.iter().all(|uid| uid == "1.4"), "{admit:?}");
                        app.reply(ticket, Reply::Decided { admitted: admit.len(), kept_out: 0, masked: 0 });
                    }
                    _ => app.reply(ticket, Reply::LeftOut { images: images() }),
                }
            }
        }
        app.body((width, 3 + width / 3));
    }
}

#[test]
fn no_size_of_a_terminal_breaks_the_screen() {
    for (width, height) in [(1, 3), (2, 3), (10, 5), (40, 8), (300, 100)] {
        at_review().body((width, height));
    }
}

#[test]
fn without_pictures_nothing_was_seen() {
    let mut app = at_review();
    let key = PictureKey { study: "s-aaaa".into(), sop_instance_uid: "1.2".into(), frame: 1 };
    for (protocol, is_seen) in [(Protocol::None, false), (Protocol::HalfBlocks, true)] {
        let screen = app.top::<LeftOutReview>();
        for now_ms in [0, REST_MS] {
            screen.drawn = Some((key.clone(), true));
            screen.count(protocol, now_ms);
        }
        assert_eq!(screen.seen.contains(&key), is_seen);
        screen.resting = None;
    }
}

#[test]
fn what_was_decided_stays_listed_and_is_written_though_others_are_listed() {
    let all = || [images(), vec![image("9.9", 9, 1)]].concat();
    let mut app = at_review();
    app.keys("o");
    let (ticket, request) = app.take_one();
    assert!(matches!(request, Request::StudyLeftOut { all: true, .. }));
    app.reply(ticket, Reply::LeftOut { images: all() });
    app.key(crossterm::event::KeyCode::End).keys("x").keys("o");
    let (ticket, _) = app.take_one();
    app.reply(ticket, Reply::LeftOut { images: images() });
    app.enter();
    assert!(app.asks().contains("1 image kept out"), "{}", app.asks());
    app.keys("y");
    let (_, request) = app.take_one();
    assert!(matches!(&request, Request::StudyDecide { keep_out, .. } if *keep_out == ["9.9"]), "{request:?}");
}
