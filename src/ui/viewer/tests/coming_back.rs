//! What comes back after something else was looked at.

use super::*;
use crate::node::api::{AttachedImage, AttachedView};

/// The reformats that are wished for now; all else is done.
fn reformats(case: &mut Case) -> Vec<Wish> {
    let (mut kept, mut wishes) = (Vec::new(), std::mem::take(&mut case.app.wished));
    while let Some(wish) = wishes.pop() {
        match wish {
            Wish::Reformat { .. } => kept.push(wish),
            wish => case.carry_out(wish),
        }
        wishes.append(&mut case.app.wished);
    }
    kept
}

#[test]
fn a_cut_that_was_made_while_something_else_was_looked_at_is_there_when_one_comes_back() {
    let mut case = Case::of(&[THIN, PRIOR]);
    case.messages = vec![saw(&case, 1)];
    case.app.come_back();
    case.serve();
    case.app.key(KeyCode::Char(','));
    let under_way = reformats(&mut case);
    assert_eq!(under_way.len(), 1);
    case.keys("V");
    assert!(case.shows("prior 1 image 1/3"));
    under_way.into_iter().for_each(|wish| case.carry_out(wish));
    case.keys("V");
    case.passes();
    assert!(case.shows("axial "));
    assert_eq!(case.count("cutting …"), 0);
}

#[test]
fn cuts_that_one_comes_back_to_have_the_images_that_arrived_meanwhile() {
    let mut case = Case::of(&[(1, &[30, 31, 32, 33])]);
    case.keys(",").keys("M");
    case.arrives(0, THIN);
    case.passes();
    assert!(case.shows("axial 2/7"), "the planes are cut anew");
    case.keys("M");
    assert!(case.shows("axial 2/7"), "and so is the one before them");
    case.keys("j");
    assert_eq!(case.count("cutting …"), 0);
}

/// A message of a colleague that takes along what she saw: the first image of a series, alone.
fn saw(case: &Case, study: usize) -> MessageView {
    let image = image(study, uid(case.series[study], study, case.series[study].1[0]));
    message(AttachedView { rows: 1, columns: 1, active: 0, viewports: vec![Some(image)] })
}

fn image(study: usize, image: String) -> AttachedImage {
    AttachedImage {
        study: format!("s-{study}"),
        series_instance_uid: format!("9.{study}"),
        image,
        frame: 1,
        window: "default".into(),
        quarter_turns: 0,
        mirrored: false,
        inverted: false,
        part: None,
    }
}

fn message(view: AttachedView) -> MessageView {
    MessageView {
        id: "e-1".into(),
        author: "Dr. Ben Okafor".into(),
        author_identity: "p-Dr. Ben Okafor".into(),
        text: "here".into(),
        time: "2026-11-24T10:00:00Z".into(),
        late: false,
        view: Some(view),
        about: None,
    }
}

#[test]
fn planes_of_what_a_colleague_saw_are_gone_with_it() {
    let mut case = Case::of(&[THICK, PRIOR]);
    case.messages = vec![saw(&case, 1)];
    case.app.come_back();
    case.serve();
    case.keys("g").keys("V");
    assert!(case.shows("What Dr. Ben Okafor saw."));
    case.keys("M").keys("V");
    assert!(case.shows("What you looked at before."));
    case.keys("5");
    assert_eq!(case.count("mediastinum"), 1, "each viewport has its own window");
    case.keys("M");
    assert_eq!(case.count("axial "), 1, "M shows the planes, and not the colleague's view");
}

#[test]
fn planes_that_one_comes_back_to_go_away_again() {
    let mut case = Case::of(&[THIN, PRIOR]);
    case.messages = vec![saw(&case, 1)];
    case.app.come_back();
    case.serve();
    case.keys("M5V");
    assert_eq!(case.count("mediastinum"), 0);
    case.keys("V");
    assert_eq!(case.count("mediastinum"), 4);
    case.keys("M");
    assert_eq!((case.count("mediastinum"), case.count("image 1/7")), (1, 1));
}

#[test]
fn another_series_beside_the_planes_leaves_their_window_alone() {
    let mut case = Case::of(&[THIN, PRIOR]);
    case.keys("M5]");
    assert_eq!(case.count("mediastinum"), 3);
    case.keys("8");
    assert_eq!((case.count("mediastinum"), case.count("bone")), (3, 1));
}

#[test]
fn what_a_colleague_saw_is_filled_with_nothing_but_what_she_saw() {
    let mut case = Case::of(&[THICK, PRIOR, (3, &[1, 2])]);
    // Of her four viewports one was empty; the image of another one has not arrived.
    let (here, away) = (image(0, uid(THICK, 0, 32)), image(0, uid(THIN, 0, 35)));
    let viewports = vec![Some(here), None, Some(away), None];
    case.messages = vec![message(AttachedView { rows: 2, columns: 2, active: 0, viewports })];
    case.app.come_back();
    case.serve();
    case.keys("V");
    assert_eq!((case.count("no series"), case.count("this image has not arrived yet")), (2, 1));
    assert!(case.shows("image 2/3"));
    // Another image arrives, then hers.
    case.arrives(1, (2, &[40, 42, 44, 46]));
    assert_eq!((case.count("no series"), case.count("this image has not arrived yet")), (2, 1));
    case.arrives(0, THIN);
    assert_eq!((case.count("no series"), case.count("this image has not arrived yet")), (2, 0));
    assert!(case.shows("image 4/7") && case.shows("image 7/7"));
    assert!(!case.shows("prior 1 image"));
    // A layout of one's own has the series of the case.
    case.keys("g");
    assert!(case.shows("prior 1 image"));
}
