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
    let image = AttachedImage {
        study: format!("s-{study}"),
        series_instance_uid: format!("9.{study}"),
        image: uid(case.series[study], study, case.series[study].1[0]),
        frame: 1,
        window: "default".into(),
        quarter_turns: 0,
        mirrored: false,
        inverted: false,
        part: None,
    };
    MessageView {
        id: "e-1".into(),
        author: "Dr. Ben Okafor".into(),
        text: "here".into(),
        time: "2026-11-24T10:00:00Z".into(),
        late: false,
        view: Some(AttachedView { rows: 1, columns: 1, active: 0, viewports: vec![Some(image)] }),
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
