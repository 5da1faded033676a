//! Covering what shows a name: by keys, by mouse, over a whole series; and what is asked of the node then.

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::*;
use crate::node::api::Rectangle;
use crate::view::raster::Pixels;

/// The review with the first picture that waits on the screen and seen; none without samples.
fn with_picture() -> Option<Harness> {
    let mut app = at_review();
    if open_pictures(&mut app).is_empty() {
        eprintln!("SKIPPED: no samples");
        return None;
    }
    look(&mut app);
    Some(app)
}

fn mouse(app: &mut Harness, kind: MouseEventKind, column: u16, row: u16) {
    app.message(Message::Pointer(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
}

fn drag(app: &mut Harness, from: (u16, u16), to: (u16, u16)) {
    mouse(app, MouseEventKind::Down(MouseButton::Left), from.0, from.1);
    mouse(app, MouseEventKind::Drag(MouseButton::Left), to.0, to.1);
    mouse(app, MouseEventKind::Up(MouseButton::Left), to.0, to.1);
}

fn drawn(app: &mut Harness) -> Vec<Rectangle> {
    let top = app.top::<LeftOutReview>();
    top.image().map(|image| top.masks.of(image).to_vec()).unwrap_or_default()
}

/// Covers ten columns and two rows from the middle of the picture on, by keys.
fn cover_by_keys(app: &mut Harness) {
    app.keys("m ");
    app.press(KeyCode::Right, KeyModifiers::SHIFT);
    app.key(KeyCode::Left);
    app.key(KeyCode::Down);
    app.keys(" ");
}

#[test]
fn two_corners_set_by_keys_make_a_rectangle_that_is_black_at_once() {
    let Some(mut app) = with_picture() else { return };
    cover_by_keys(&mut app);
    assert_eq!(app.place(), Place::StudyMask);
    let plane = app.top::<LeftOutReview>().picture().unwrap().image_plane();
    let rectangle = Rectangle { column: plane.columns / 2, row: plane.rows / 2, columns: 10, rows: 2 };
    assert_eq!(drawn(&mut app), [rectangle]);
    app.body_looks_like("studies/review-covering");
    let bright = |app: &mut Harness| {
        let (_, scene) = app.scenes().remove(0);
        assert!(scene.overlay.is_some(), "an outline stays visible");
        let Pixels::Grey(pixels) = &scene.picture.unwrap().raster.pixels else { panic!("a grey picture") };
        pixels.iter().map(|pixel| u64::from(*pixel)).sum::<u64>()
    };
    let little = bright(&mut app);
    let all = Rectangle { column: 0, row: 0, columns: plane.columns, rows: plane.rows };
    let top = app.top::<LeftOutReview>();
    let image = top.image().unwrap().clone();
    top.masks.add(&image, all);
    assert!(little > 0 && bright(&mut app) == 0);
}

#[test]
fn a_quick_drag_of_which_only_beginning_and_end_are_told_covers_the_same() {
    let Some(mut app) = with_picture() else { return };
    drag(&mut app, (50, 10), (60, 12));
    let all = drawn(&mut app);
    assert_eq!(all.len(), 1);
    let Some(mut quick) = with_picture() else { return };
    mouse(&mut quick, MouseEventKind::Down(MouseButton::Left), 50, 10);
    mouse(&mut quick, MouseEventKind::Up(MouseButton::Left), 60, 12);
    assert_eq!(drawn(&mut quick), all);
}

#[test]
fn the_mouse_covers_what_it_is_dragged_over_and_a_click_covers_nothing() {
    let Some(mut app) = with_picture() else { return };
    // The list is 34 wide, and four lines of words stand above the picture, under the bar.
    drag(&mut app, (50, 10), (60, 12));
    let [one] = drawn(&mut app)[..] else { panic!("{:?}", drawn(&mut app)) };
    assert!(one.columns > 30 && one.rows > 10 && one.columns > one.rows, "{one:?}");
    assert_eq!(app.place(), Place::StudyReview, "no cursor is needed for that");
    mouse(&mut app, MouseEventKind::Down(MouseButton::Left), 50, 10);
    mouse(&mut app, MouseEventKind::Up(MouseButton::Left), 50, 10);
    drag(&mut app, (40, 3), (60, 12));
    assert_eq!(drawn(&mut app).len(), 1, "what begins beside the picture covers nothing");
    drag(&mut app, (60, 12), (200, 200));
    let plane = app.top::<LeftOutReview>().picture().unwrap().image_plane();
    let last = drawn(&mut app)[1];
    assert_eq!((last.column + last.columns, last.row + last.rows), (plane.columns, plane.rows), "cut at the edges");
}

#[test]
fn a_corner_is_taken_back_then_a_rectangle_and_the_one_under_the_cursor_is_deleted() {
    let Some(mut app) = with_picture() else { return };
    cover_by_keys(&mut app);
    app.keys(" u");
    assert_eq!(drawn(&mut app).len(), 1, "only the corner went");
    app.key(KeyCode::Delete);
    assert_eq!(drawn(&mut app).len(), 0);
    app.key(KeyCode::Delete);
    assert_eq!(app.said(), "There is no rectangle under the cursor.");
    app.keys("u");
    assert_eq!(app.said(), "There is no rectangle.");
    app.key(KeyCode::Esc);
    assert_eq!(app.place(), Place::StudyReview);
    app.key(KeyCode::Esc);
    assert!(!app.back_to::<LeftOutReview>(), "nothing is drawn, so nothing is asked");
}

#[test]
fn an_image_with_rectangles_is_seen_again_and_admitted_masked() {
    let Some(mut app) = with_picture() else { return };
    cover_by_keys(&mut app);
    app.keys("a");
    assert!(app.said().contains("not on the screen yet"), "seen without the rectangles is not seen: {}", app.said());
    look(&mut app);
    app.keys("a");
    assert_eq!((app.top::<LeftOutReview>().chosen.at, app.place()), (2, Place::StudyReview), "on to the next");
    app.keys("x");
    app.body_looks_like("studies/review-masked");
    app.key(KeyCode::Enter);
    assert!(app.asks().contains("1 image masked and admitted"), "{}", app.asks());
    app.take_waiting();
    app.wished.clear();
    app.keys("y");
    let (ticket, request) = app.take_one();
    let Request::StudyDecide { admit, keep_out, masks, .. } = request else { panic!("{request:?}") };
    assert_eq!((admit.len(), keep_out.as_slice(), masks.len()), (0, &["1.3".to_owned()][..], 1));
    assert_eq!((masks[0].sop_instance_uid.as_str(), masks[0].rectangles[0].columns), ("1.2", 10));
    app.keys("m");
    assert_eq!(app.place(), Place::StudyReview, "nothing is drawn while it is written");
    app.reply(ticket, Reply::Decided { admitted: 0, kept_out: 1, masked: 1 });
    assert_eq!(app.said(), "0 images admitted, 1 masked, 1 kept out.");
    assert!(app.wished.iter().any(|wish| matches!(wish, Wish::Forget)), "the picture before is not shown again");
    assert!(app.top::<LeftOutReview>().picture().is_none());
}

#[test]
fn a_rectangle_more_takes_the_decision_back() {
    let Some(mut app) = with_picture() else { return };
    app.keys("x");
    app.key(KeyCode::Up);
    assert_eq!(app.top::<LeftOutReview>().decisions.len(), 1);
    cover_by_keys(&mut app);
    assert_eq!(app.top::<LeftOutReview>().decisions.len(), 0);
    app.key(KeyCode::Esc);
    app.key(KeyCode::Esc);
    assert!(app.asks().contains("Rectangles over 1 image not written"), "{}", app.asks());
}

#[test]
fn one_key_covers_the_undecided_images_of_the_series_that_are_of_the_same_size() {
    let Some(mut app) = with_picture() else { return };
    app.keys("s");
    assert_eq!(app.said(), "No rectangle is drawn on this image yet.");
    let other = LeftOutImage { rows: 601, ..image("1.6", 6, 1) };
    let elsewhere = LeftOutImage { series_instance_uid: "2.25.4".into(), ..image("1.7", 7, 1) };
    let given = LeftOutImage { given: true, ..image("1.8", 8, 1) };
    let plain = LeftOutImage { state: "in".into(), why: String::new(), ..image("1.9", 9, 1) };
    let top = app.top::<LeftOutReview>();
    top.images.as_mut().unwrap().extend([other, elsewhere, given, plain]);
    cover_by_keys(&mut app);
    app.keys("s");
    assert!(app.said().starts_with("2 other images of 800 x 600 pixels covered as well"), "{}", app.said());
    let top = app.top::<LeftOutReview>();
    let covered: Vec<_> = top.images.iter().flatten().filter(|image| top.masks.is_changed(image)).collect();
    let covered: Vec<_> = covered.into_iter().map(|image| image.sop_instance_uid.as_str()).collect();
    assert_eq!(covered, ["1.2", "1.3", "1.9"]);
    assert!(top.seen.is_empty(), "each is looked at with them");
}

#[test]
fn images_never_left_out_can_be_listed_and_masked_unless_a_case_has_them() {
    let Some(mut app) = with_picture() else { return };
    app.keys("o");
    let (ticket, request) = app.take_one();
    assert!(matches!(request, Request::StudyLeftOut { all: true, .. }), "{request:?}");
    let plain = |uid: &str, given| LeftOutImage { state: "in".into(), why: String::new(), given, ..image(uid, 9, 1) };
    app.reply(ticket, Reply::LeftOut { images: vec![plain("1.8", true), plain("1.9", false)] });
    open_pictures(&mut app);
    look(&mut app);
    app.body_looks_like("studies/review-all");
    app.keys("m");
    assert!(app.said().starts_with("A case has given this image away"), "{}", app.said());
    app.key(KeyCode::Down);
    open_pictures(&mut app);
    app.keys("a");
    assert!(app.said().contains("in the study already"), "{}", app.said());
    app.keys("x");
    assert!(app.said().contains("cannot be kept out"), "{}", app.said());
    cover_by_keys(&mut app);
    look(&mut app);
    app.keys("a");
    assert_eq!(app.top::<LeftOutReview>().decided().2.len(), 1);
}

#[test]
fn a_mask_that_was_burned_in_is_changed_and_not_taken_off() {
    let Some(mut app) = with_picture() else { return };
    let burned = Rectangle { column: 1, row: 2, columns: 3, rows: 4 };
    let top = app.top::<LeftOutReview>();
    top.images.as_mut().unwrap()[1] =
        LeftOutImage { state: "admitted".into(), mask: vec![burned], ..image("1.2", 2, 1) };
    app.body_looks_like("studies/review-burned");
    app.keys("mua");
    assert!(app.said().contains("not taken off"), "{}", app.said());
    cover_by_keys(&mut app);
    look(&mut app);
    app.keys("a");
    let (_, _, masks) = app.top::<LeftOutReview>().decided();
    assert_eq!(masks[0].rectangles.len(), 1);
}

#[test]
fn nothing_is_drawn_where_no_picture_is() {
    let mut app = at_review();
    app.keys("m");
    assert_eq!((app.said().as_str(), app.place()), ("Its picture is not on the screen yet.", Place::StudyReview));
    drag(&mut app, (50, 10), (60, 12));
    assert!(drawn(&mut app).is_empty());
}
