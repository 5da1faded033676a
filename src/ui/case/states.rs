//! What a case looks like in every state, at both sizes.

use crate::node::api::{CaseStudyView, CaseView, Reply, Request};
use crate::ui::app::harness::{Harness, SIZES, case};

fn index(withdrawn: bool, have: u64) -> CaseStudyView {
    CaseStudyView {
        id: "s-1".into(),
        role: "index".into(),
        modality: "CT".into(),
        description: "Chest".into(),
        instances: 120,
        chunks_have: have,
        chunks_total: 240,
        withdrawn,
        deleted_by: Vec::new(),
        still_held_by: if withdrawn { vec!["Dr. Ben Okafor".into()] } else { Vec::new() },
        relative_date: String::new(),
    }
}

#[test]
fn every_state_of_a_case_says_what_it_is_and_what_to_do() {
    let falcon = || CaseView { messages: Vec::new(), ..case("c-1", "amber falcon") };
    let with_images = |study| CaseView { studies: vec![study], ..falcon() };
    let states = [
        ("invited", CaseView { standing: "invited".into(), ..with_images(index(false, 0)) }, "Ctrl+A accepts"),
        ("arriving", with_images(index(false, 60)), "25%"),
        ("withdrawn", with_images(index(true, 240)), "withdrawn by its sender"),
        (
            "removed",
            CaseView { role: "none".into(), ..with_images(index(false, 240)) },
            "no member of this case any more",
        ),
        ("closed", CaseView { status: "closed".into(), ..with_images(index(false, 240)) }, "closed"),
        ("without-images", falcon(), "This case has no images."),
        ("unreadable", CaseView { unreadable: 2, state_hash: None, ..falcon() }, "amber falcon"),
    ];
    for size in SIZES {
        for (name, view, words) in &states {
            let app = Harness::in_case(size, view);
            app.looks_like(&format!("case/{name}"));
            // A narrow screen has panel or images: what the state is stands in the one that is seen.
            assert!(app.shows(words), "{name}: {}", app.screen());
        }
    }
}

#[test]
fn a_study_that_is_withdrawn_goes_from_under_the_reader() {
    for size in SIZES {
        let there = CaseView { studies: vec![index(false, 240)], ..case("c-1", "amber falcon") };
        let mut app = Harness::in_case(size, &there);
        let gone = Box::new(CaseView { studies: vec![index(true, 240)], ..there });
        app.script(move |request| matches!(request, Request::CaseShow { .. }).then(|| Ok(Reply::Case(gone.clone()))));
        app.pass(6_000);
        assert!(app.shows("withdrawn by its sender"), "{}", app.screen());
    }
}
