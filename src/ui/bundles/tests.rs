//! What packing and taking in do with keys and answers, and what is seen of them.

mod packing;
mod taking;

use std::path::{Path, PathBuf};

use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::*;
use crate::node::api::{
    BundleView, CardView, CaseStudyView, CaseSummary, CaseView, Event, MemberView, PackedBundle, Reply, Request,
};
use crate::ui::app::harness::{Harness, card, case, summary};
use crate::ui::files::{Entry, Kind, Listing};
use crate::ui::keys::Place;
use crate::ui::message::{Message, Wish};

const EVIL: &str = "\u{1b}[2Jevil\u{202e}";

fn cards() -> Vec<CardView> {
    vec![
        card("Dr. Anna Weber", "St. Vinzenz", "me"),
        card("Dr. Eva Ruiz", "Elsewhere", "verified"),
        card("Dr. Ben Okafor", "University Clinic", "verified"),
        card("Dr. Fritz Lang", "Nowhere", "blocked"),
        card("Dr. Gita Rao", "County Hospital", "unverified"),
    ]
}

fn cases() -> Vec<CaseSummary> {
    vec![
        CaseSummary { urgency: "stat".into(), ..summary("c-1", "amber falcon", "Metastasis or cyst?") },
        summary("c-2", "blue heron", "Is the nodule in the right upper lobe older than the first study?"),
        CaseSummary { standing: "invited".into(), ..summary("c-3", "cold otter", EVIL) },
        CaseSummary { status: "damaged".into(), ..summary("c-4", "dead dodo", "") },
    ]
}

fn member(identity: &str, name: &str, me: bool) -> MemberView {
    let role = if me { "owner" } else { "reader" };
    MemberView { name: name.into(), identity: identity.into(), role: role.into(), delivery: "not sent".into(), me }
}

/// Ben is in all, Gita and somebody without a card in the second.
fn view(id: &str) -> CaseView {
    let mut members = vec![
        member("p-weberk3vq7m2x5n4w", "Dr. Anna Weber", true),
        member("p-okafork3vq7m2x5n4w", "Dr. Ben Okafor", false),
    ];
    if id == "c-2" {
        members.push(member("p-raok3vq7m2x5n4w", "Dr. Gita Rao", false));
        members.push(member("p-carla", "Dr. Carla\u{1b}[2J Lindqvist (not a colleague)", false));
    }
    if id == "c-3" {
        members.push(member("p-langk3vq7m2x5n4w", "Dr. Fritz Lang", false));
    }
    let study = CaseStudyView {
        id: "s-1".into(),
        role: "index".into(),
        modality: "CT".into(),
        description: "CT Chest".into(),
        instances: 120,
        chunks_have: if id == "c-2" { 150 } else { 240 },
        chunks_total: 240,
        withdrawn: false,
        deleted_by: Vec::new(),
        still_held_by: Vec::new(),
        relative_date: String::new(),
    };
    CaseView { members, studies: vec![study], ..case(id, "amber falcon") }
}

fn entry(name: &str, kind: Kind, bytes: u64) -> Entry {
    Entry { name: name.into(), kind, bytes }
}

/// A made-up machine: a home, and a stick under `/run/media/anna`.
fn disk(path: &Path) -> Result<Listing, String> {
    let path = match path.to_str().unwrap() {
        "" | "~" => Path::new("/home/anna"),
        _ => path,
    };
    let listing = |entries: Vec<Entry>| Listing { folder: path.to_owned(), entries, cut: false, file: None };
    match path.to_str().unwrap().trim_end_matches('/') {
        "/home/anna" => Ok(listing(vec![entry("docs", Kind::Folder, 0), entry("notes.txt", Kind::File, 300)])),
        "/run/media" => Ok(listing(vec![entry("anna", Kind::Folder, 0)])),
        "/run/media/anna" => Ok(listing(vec![entry("STICK", Kind::Folder, 0), entry("DISC", Kind::Folder, 0)])),
        "/run/media/anna/STICK" => Ok(listing(vec![
            entry("old", Kind::Folder, 0),
            entry("a.txt", Kind::File, 12),
            entry("dr-ben-okafor-2026-11-24.bundle", Kind::File, 64_000_000),
            entry("from\u{1b}[2J weiss.BUNDLE", Kind::File, 61_200_000),
        ])),
        "/run/media/anna/STICK/a.txt" => Ok(Listing {
            folder: "/run/media/anna/STICK".into(),
            entries: vec![entry("a.txt", Kind::File, 12)],
            cut: false,
            file: Some("a.txt".into()),
        }),
        "/run/media/anna/DISC" => Ok(listing(Vec::new())),
        other => Err(format!("There is no {other}.")),
    }
}

/// Answers everything that is asked before something is packed or taken in.
fn answer(app: &mut Harness) {
    loop {
        let waiting = app.take_waiting();
        let mut answered = false;
        for (ticket, request) in waiting {
            let reply = match &request {
                Request::CaseList => Reply::Cases { cases: cases() },
                Request::CardList => Reply::Cards { cards: cards() },
                Request::CaseShow { case } => Reply::Case(Box::new(view(case))),
                _ => {
                    app.waiting.push((ticket, request));
                    continue;
                }
            };
            answered = true;
            app.reply(ticket, reply);
        }
        if !answered && app.list(disk) == 0 {
            return;
        }
    }
}

fn progress(stage: &str, done: u64) -> Event {
    Event::Progress(Progress {
        stage: stage.into(),
        done,
        total: Some(64_000_000),
        unit: "bytes".into(),
        bytes_per_second: Some(8_000_000),
        seconds_left: Some(64_000_000_u64.saturating_sub(done) / 8_000_000),
    })
}

#[test]
fn worklist_and_case_lead_here() {
    for (key, place) in [("b", Place::BundleTake), ("B", Place::BundlePack)] {
        let mut app = Harness::of(crate::ui::worklist::Worklist::default());
        app.keys(key);
        assert_eq!(app.place(), place);
    }
    let mut app = Harness::of(crate::ui::case::CaseScreen::new("c-1", "amber falcon"));
    app.keys("F");
    answer(&mut app);
    assert_eq!(app.top::<PackBundle>().choice.cases_named(), ["c-1"]);
}

proptest::proptest! {
    #[test]
    fn no_sequence_of_keys_breaks_it(
        keys in proptest::collection::vec(0_u8..128, 0..60),
        width in 1_u16..120,
        packs in proptest::prelude::any::<bool>(),
    ) {
        let mut app = if packs { packing::at_stick() } else { taking::looked(taking::held()) };
        for key in keys {
            app.any_key(key);
            answer(&mut app);
            for (ticket, request) in app.take_waiting() {
                match request {
                    Request::BundlePack { .. } => app.reply(ticket, Reply::Packed(packing::packed())),
                    Request::BundleShow { .. } => app.reply(ticket, Reply::Bundle(taking::held())),
                    Request::BundleUnpack { .. } => {
                        app.fail(ticket, Failure::new(FailureCode::Damaged, "The file is damaged."));
                    }
                    _ => {}
                }
            }
            app.body((width, 3 + width / 3));
        }
    }
}

#[test]
fn no_size_of_a_terminal_breaks_it() {
    for (width, height) in [(1, 3), (2, 3), (10, 5), (40, 8), (300, 100)] {
        packing::at_choice().body((width, height));
        packing::at_stick().body((width, height));
        taking::looked(taking::held()).body((width, height));
        taking::at_bundles().body((width, height));
    }
}
