//! What people read, word for word, and what they must never get to read.

use super::*;
use crate::node::api::*;

const HOSTILE: &str = "Eve\u{1b}[2J\n\u{9b}31m\u{202e}";
const WIDTH: usize = 100;

fn delivery(member: &str, state: &str) -> DeliveryView {
    DeliveryView { member: member.into(), identity: "p-abcd".into(), state: state.into() }
}

fn left_out_image(text: &str) -> LeftOutImage {
    LeftOutImage {
        sop_instance_uid: text.into(),
        series_instance_uid: text.into(),
        series_number: Some(3),
        series_description: text.into(),
        modality: text.into(),
        number: None,
        frames: 1,
        frames_to_see: vec![1],
        rows: 8,
        columns: 8,
        why: text.into(),
        plain_hash: text.into(),
        state: "waits".into(),
        looked: None,
        mask: vec![Rectangle { column: 1, row: 2, columns: 3, rows: 4 }],
        given: true,
    }
}

fn patient(text: &str) -> PlanPatient {
    PlanPatient { name: text.into(), study_description: text.into(), ..PlanPatient::default() }
}

fn draft(text: &str) -> KeptDraft {
    let opinion = OpinionDraft { impression: text.into(), findings: Some(text.into()), ..OpinionDraft::default() };
    KeptDraft { saved: text.into(), revision: 7, opinion }
}

#[test]
fn a_draft_is_shown_as_the_file_that_is_signed() {
    let shown = text(&Reply::Draft { draft: Some(draft("Old,\n\"unchanged\"")) }, WIDTH);
    assert!(shown.starts_with("# Draft of Old, \"unchanged\", not signed\n"), "{shown}");
    let read: OpinionDraft = toml::from_str(&shown).unwrap();
    assert_eq!(read, draft("Old,\n\"unchanged\"").opinion);
}

fn card(name: &str) -> CardView {
    CardView {
        identity: "p-abcdefghijkl".into(),
        name: name.into(),
        site: "Neuro, Bonn".into(),
        phone: Some(name.into()),
        alias: None,
        devices: vec!["d-abcd".into()],
        addresses: vec![name.into()],
        fingerprint: "ab12 cd34".into(),
        trust: "unverified".into(),
        serial: 3,
        expires: Some("2027-01-01T00:00:00Z".into()),
        expired: true,
        last_reached: None,
        text: None,
    }
}

fn mark(text: &str) -> MarkView {
    MarkView {
        id: "m-abcdefghijkl".into(),
        kind: "length".into(),
        image: "1.2.3".into(),
        frame: 1,
        points: vec![(1.0, 2.0)],
        value: Some(12.34),
        unit: Some("mm".into()),
        basis: Some("pixel spacing".into()),
        label: Some(text.into()),
        author: "Dr Beck".into(),
        author_identity: "p-Dr Beck".into(),
        time: "2026-11-24T10:00:00Z".into(),
        late: false,
        forked: false,
    }
}

fn opinion(text: &str) -> OpinionView {
    let series = BasisSeriesView { series_instance_uid: "1.2".into(), expected: 120, received: 119, displayed: None };
    OpinionView {
        id: "o-abcdefghijkl".into(),
        author: "Dr Beck".into(),
        author_identity: "p-Dr Beck".into(),
        state: "signed".into(),
        agreement: "agree".into(),
        confidence: Some(90),
        impression: text.into(),
        findings: None,
        recommendation: Some("CT in 3 months".into()),
        basis: BasisView {
            question: "New?".into(),
            heads: 1,
            incomplete: true,
            limitations: vec!["1 of 120 images was missing.".into()],
            series: vec![series],
        },
        addenda: vec![AddendumView { text: text.into(), time: "2026-11-24T11:00:00Z".into() }],
        signed_before: Vec::new(),
        delivery: vec![delivery("Dr Weber", "read")],
        time: "2026-11-24T10:00:00Z".into(),
    }
}

fn case(text: &str) -> CaseView {
    CaseView {
        id: "c-abcdefghijkl".into(),
        spoken: "amber-falcon".into(),
        question: text.into(),
        context: None,
        first_report: None,
        asked_by: Vec::new(),
        other_patients: Vec::new(),
        urgency: "routine".into(),
        due: None,
        status: "open".into(),
        blind: false,
        role: "reader".into(),
        standing: "accepted".into(),
        members: vec![
            MemberView {
                name: text.into(),
                identity: "p-abcd".into(),
                role: "owner".into(),
                delivery: "opened".into(),
                me: false,
            },
            MemberView {
                name: "Dr Beck".into(),
                identity: "p-efgh".into(),
                role: "reader".into(),
                delivery: String::new(),
                me: true,
            },
        ],
        here: Vec::new(),
        studies: vec![CaseStudyView {
            id: "s-abcdefghijkl".into(),
            role: "index".into(),
            modality: "CT".into(),
            description: text.into(),
            instances: 120,
            chunks_have: 3,
            chunks_total: 240,
            withdrawn: false,
            deleted_by: Vec::new(),
            still_held_by: Vec::new(),
            relative_date: "0".into(),
        }],
        marks: vec![mark(text)],
        opinions: vec![opinion(text)],
        messages: vec![MessageView {
            id: "1".into(),
            author: text.into(),
            author_identity: format!("p-{text}"),
            text: text.into(),
            time: "2026-11-24T10:00:00Z".into(),
            late: true,
            view: None,
            about: None,
        }],
        criticals: vec![CriticalView {
            id: "1".into(),
            author: "Dr Beck".into(),
            finding: text.into(),
            called: Some("Dr Weber".into()),
            at: Some("10:05".into()),
            taken_by: Some("Dr Weber".into()),
            time: String::new(),
        }],
        receipts: Vec::new(),
        entries: 9,
        heads: Vec::new(),
        forks: vec![ForkView { device: "d-1".into(), person: text.into(), entries: ("e-1".into(), "e-2".into()) }],
        unreadable: 1,
        unknown: 2,
        state_hash: None,
        patient: None,
    }
}

fn plan_view(text: &str) -> PlanView {
    let attribute = |name: &str, action: &str| PlanAttribute {
        tag: "(0010,0010)".into(),
        name: name.into(),
        action: action.into(),
        reason: String::new(),
        count: 1,
    };
    PlanView {
        patients: vec![PlanPatient {
            name: "DOE^JANE".into(),
            patient_id: "4711".into(),
            birth_date: "1970-01-02".into(),
            study_date: "2026-11-20".into(),
            accession: "A1".into(),
            study_description: text.into(),
        }],
        attributes: vec![attribute("Patient's Name", "replace"), attribute("Institution Name", "remove")],
        kept_text: vec![text.into()],
        ..PlanView::default()
    }
}

fn import_report(text: &str) -> ImportReport {
    let study = ImportedStudy {
        id: "s-abcdefghijkl".into(),
        modality: "CT".into(),
        description: text.into(),
        series: 2,
        instances: 120,
        left_out: vec![LeftOut { series: text.into(), instances: 1, why: "burned-in text possible".into() }],
        gaps: vec![text.into()],
        bytes_in: 63_000_000,
        bytes_stored: 21_000_000,
        already_held: 0,
        warnings: vec![text.into()],
    };
    let skipped = vec![SkippedFile { path: text.into(), why: "no DICOM".into() }];
    ImportReport { studies: vec![study], skipped, plan: Some(plan_view(text)), seconds: 0.4 }
}

/// Each kind of answer, with a text from outside wherever one can stand.
fn every_reply(text: &str) -> Vec<Reply> {
    let study = StudyView {
        id: "s-abcdefghijkl".into(),
        modality: text.into(),
        description: text.into(),
        series: 1,
        instances: 2,
        left_out: 1,
        bytes_stored: 3,
        origin: "mine".into(),
        cases: vec![text.into()],
    };
    let series = SeriesView {
        series_instance_uid: text.into(),
        modality: text.into(),
        description: text.into(),
        number: Some(1),
        instances: 2,
        instances_have: 1,
        left_out: 0,
        gaps: vec![text.into()],
        sop_instance_uids: vec![text.into()],
        images: Vec::new(),
    };
    let identity = plan_view(text).patients.pop();
    let summary = CaseSummary {
        id: "c-abcdefghijkl".into(),
        spoken: text.into(),
        question: text.into(),
        urgency: "stat".into(),
        status: "open".into(),
        role: "reader".into(),
        standing: "invited".into(),
        due: None,
        members: 2,
        opinions: 0,
        messages: 0,
        chunks_have: 0,
        chunks_total: 0,
        not_sent: true,
        people: Vec::new(),
        unread: 0,
        patient: None,
        other_patients: 0,
    };
    let entry = LogEntry {
        id: text.into(),
        author: text.into(),
        device: text.into(),
        sequence: 1,
        time: text.into(),
        what: text.into(),
        outcome: text.into(),
        flags: vec![text.into()],
    };
    let peer = PeerView {
        name: text.into(),
        identity: text.into(),
        device: text.into(),
        connected: true,
        path: Some(text.into()),
        address: Some(text.into()),
    };
    let image = ImageView {
        rows: 1,
        columns: 1,
        samples: 1,
        values: vec![0.0],
        unit: text.into(),
        basis: Some(text.into()),
        integer: true,
        photometric: text.into(),
        windows: vec![WindowView { number: 1, name: Some(text.into()), width: None, level: None }],
    };
    let bundle = BundleView {
        packed: Some(text.into()),
        bytes: 1,
        for_me: false,
        from: Some(text.into()),
        standing: Some(text.into()),
        cases: vec![text.into()],
        entries: 1,
        chunks: 1,
        problems: vec![text.into()],
    };
    let status = Status {
        initialised: true,
        locked: true,
        running: false,
        identity: Some(text.into()),
        name: Some(text.into()),
        site: Some(text.into()),
        recovery_confirmed: None,
        disk_low_bytes: None,
        version: None,
    };
    let words = || vec![text.to_owned(); 24];
    vec![
        Reply::Initialised(Initialised { identity: text.into(), device: text.into(), fingerprint: text.into() }),
        Reply::Status(status),
        Reply::RecoveryCode { words: words() },
        Reply::Card(card(text)),
        Reply::Cards { cards: vec![card(text)] },
        Reply::CardsAdded {
            added: vec![card(text)],
            refused: vec![SkippedFile { path: text.into(), why: text.into() }],
        },
        Reply::SafetyWords { words: words(), who: text.into() },
        Reply::Verified { who: text.into(), verified: false, wrong_word: Some(2) },
        Reply::Paired { colleague: card(text) },
        Reply::Imported(import_report(text)),
        Reply::Studies { studies: vec![study.clone()] },
        Reply::Study(StudyDetail { study, series_list: vec![series], identity, masked: words() }),
        Reply::Reviewed { pages: words(), images: 3 },
        Reply::Included { included: 1 },
        Reply::LeftOut { images: vec![left_out_image(text)] },
        Reply::Decided { admitted: 1, kept_out: 1, masked: 1 },
        Reply::Masked { images: words() },
        Reply::Patients { patients: vec![StudyPatient { study: text.into(), patient: patient(text) }] },
        Reply::Exported { instances: 1, bytes: 1, directory: text.into() },
        Reply::Image(image),
        Reply::CaseCreated {
            case: text.into(),
            spoken: text.into(),
            delivery: vec![delivery(text, text)],
            ids: words(),
        },
        Reply::Cases { cases: vec![summary] },
        Reply::Case(Box::new(case(text))),
        Reply::Log { entries: vec![entry] },
        Reply::Marks { marks: vec![mark(text)] },
        Reply::Mark { mark: mark(text), delivery: vec![delivery(text, text)] },
        Reply::Opinions { opinions: vec![opinion(text)] },
        Reply::Opinion { opinion: opinion(text) },
        Reply::Draft { draft: Some(draft(text)) },
        Reply::DraftKept { saved: text.into(), elsewhere: Some(Elsewhere::Kept { saved: text.into() }) },
        Reply::Written { ids: words(), delivery: vec![delivery(text, text)] },
        Reply::Synced { peers: vec![peer], delivery: vec![delivery(text, text)] },
        Reply::Fetched { case: text.into(), chunks_have: 1, chunks_total: 2, bytes: 3, seconds: 0.5, complete: false },
        Reply::Packed(PackedBundle {
            path: text.into(),
            bytes: 1,
            cases: words(),
            entries: 1,
            chunks: 1,
            chunks_missing: 1,
            recipients: words(),
        }),
        Reply::Bundle(bundle),
        Reply::Unpacked { cases: words(), spoken: words(), entries_new: 1, chunks_new: 1, problems: words() },
        Reply::VerifyReport { ok: false, entries: 1, chunks: 1, problems: words(), state_hash: Some(text.into()) },
        Reply::Doctor {
            checks: vec![Check { name: text.into(), ok: false, what: text.into(), hint: Some(text.into()) }],
        },
        Reply::Nothing {},
    ]
}

#[test]
fn control_characters_of_a_hostile_name_reach_no_text() {
    for reply in every_reply(HOSTILE) {
        let drawn = text(&reply, WIDTH);
        assert!(drawn.lines().all(|line| shown(line) == line), "{drawn:?}");
    }
    let person = Event::ConfirmPerson { name: HOSTILE.into(), site: HOSTILE.into(), fingerprint: HOSTILE.into() };
    let drawn = event(&person).unwrap();
    assert_eq!(shown(&drawn), drawn);
}

#[test]
fn every_document_says_its_format() {
    for reply in every_reply("x") {
        assert_eq!(reply.document()["format"], 1, "{reply:?}");
    }
}

#[test]
fn every_answer_has_a_text_that_ends_its_line() {
    for reply in every_reply("x") {
        let drawn = text(&reply, WIDTH);
        assert!(drawn.ends_with('\n') && drawn.trim().len() > 2, "{reply:?}: {drawn:?}");
    }
}

#[test]
fn an_opinion_begins_with_what_it_could_not_rest_on() {
    assert_eq!(
        text(&Reply::Opinion { opinion: opinion("Old, unchanged since 2024") }, WIDTH),
        "\
limitation      1 of 120 images was missing.
impression      Old, unchanged since 2024
agreement       agree
confidence      90 %
recommendation  CT in 3 months
author          Dr Beck, 2026-11-24T10:00:00Z
asked           New?
rests on        119 of 120 images in 1 series received; displayed unknown
addendum        2026-11-24T11:00:00Z
                Old, unchanged since 2024
opinion         o-abcdefghijkl

Delivery
  member    state
  Dr Weber  read
"
    );
}

#[test]
fn a_new_case_says_its_name_and_who_has_it() {
    let reply = Reply::CaseCreated {
        case: "c-abcdefghijkl".into(),
        spoken: "amber-falcon".into(),
        delivery: vec![delivery("Dr Beck", "on the way"), delivery("Dr Li", "not sent")],
        ids: Vec::new(),
    };
    assert_eq!(
        text(&reply, WIDTH),
        "Case \"amber-falcon\" c-abcdefghijkl\n\nDelivery\n  member   state\n  Dr Beck  on the way\n  Dr Li    not sent\n"
    );
}

#[test]
fn an_import_says_what_stayed_behind_and_why() {
    let report = ImportReport { plan: None, ..import_report("Thorax") };
    assert_eq!(
        text(&Reply::Imported(report), WIDTH),
        "\
s-abcdefghijkl  CT Thorax
  120 images in 2 series, 60.1 MiB stored as 20.0 MiB

Left out
  - 1 object of Thorax: burned-in text possible

Gaps
  - Thorax

Careful
  - Thorax

Skipped files
  - Thorax: no DICOM
"
    );
}

#[test]
fn the_plan_shows_the_patient_and_what_is_done() {
    assert_eq!(
        plan(&plan_view("CT Thorax"), WIDTH),
        "\
The real patient (stays on this machine):
patient         DOE^JANE
born            1970-01-02
patient ID      4711
examination     2026-11-20
accession       A1
called          CT Thorax

What is done to the headers
  remove          1 attribute: Institution Name
  replace         1 attribute: Patient's Name

Free text that remains: read it
  - CT Thorax
"
    );
}

#[test]
fn two_examinations_of_one_patient_are_one_patient() {
    let mut view = plan_view("CT");
    let mut earlier = view.patients[0].clone();
    earlier.study_date = "2025-01-01".into();
    view.patients.push(earlier.clone());
    assert_eq!(patients(&view), 1);
    earlier.patient_id = "4712".into();
    view.patients.push(earlier);
    assert_eq!(patients(&view), 2);
    assert!(plan(&view, WIDTH).contains("Careful: these are examinations of more than one patient."));
}

#[test]
fn a_case_shows_question_members_and_dangers() {
    let drawn = text(&Reply::Case(Box::new(case("New lesion?"))), WIDTH);
    for line in [
        "question        New lesion?",
        "case            \"amber-falcon\" c-abcdefghijkl",
        "  Dr Beck: New lesion? (called Dr Weber at 10:05, taken by Dr Weber)",
        "  Dr Beck      reader  this is you",
        "  s-abcdefgh  index  CT        120     3 of 240  0     New lesion?",
        "  2026-11-24T10:00:00Z  New lesion? (late)",
        "  - A device of New lesion? wrote two histories: e-1 and e-2 contradict each other.",
        "  - 1 entry cannot be read here (yet).",
        "  - 2 entries of a kind that needs a newer version.",
    ] {
        assert!(drawn.lines().any(|drawn| drawn == line), "{line:?} is not in\n{drawn}");
    }
    assert!(!drawn.contains("patient  "), "{drawn}");
}

#[test]
fn the_line_to_read_aloud_stands_alone() {
    let open = Event::PairingOpen {
        code: "7-amber".into(),
        addresses: Vec::new(),
        command: "overread join 7-amber@/ip4/10.0.0.1/tcp/4".into(),
    };
    assert_eq!(
        event(&open).unwrap(),
        "Read this line to your colleague, who types it:\n\n    overread join 7-amber@/ip4/10.0.0.1/tcp/4\n\n\
         The code works once, and for two minutes."
    );
}

#[test]
fn the_recovery_code_is_numbered_down_its_columns() {
    let words: Vec<String> = (1..=24).map(|n| format!("word{n}")).collect();
    let drawn = text(&Reply::RecoveryCode { words }, WIDTH);
    assert!(drawn.lines().any(|line| line == "   1 word1        7 word7       13 word13      19 word19"), "{drawn}");
}

#[test]
fn the_inbox_shows_whose_studies_stand_there_and_what_lacks() {
    let empty = |listening: Option<&str>| {
        text(&Reply::Inbox(InboxView { listening: listening.map(Into::into), ..InboxView::default() }), WIDTH)
    };
    assert_eq!(empty(Some("0.0.0.0:11112")), "Nothing has arrived. Listening at 0.0.0.0:11112.\n");
    assert_eq!(empty(None), "Nothing has arrived, and nobody listens. Next: `overread pacs listen --allow AE`.\n");
    let study = InboxStudy {
        id: "i-abcdefghijkl".into(),
        modality: "CT".into(),
        series: 1,
        instances: 2,
        bytes: 2048,
        from: "PACS1".into(),
        state: "incomplete".into(),
        missing: 1,
        last: "2026-11-24T10:00:00Z".into(),
        patient: PlanPatient { name: format!("DOE^JANE{HOSTILE}"), ..PlanPatient::default() },
        ..InboxStudy::default()
    };
    assert_eq!(
        text(&Reply::Inbox(InboxView { studies: vec![study], ..InboxView::default() }), WIDTH),
        "i-abcdefgh  CT, 2 objects in 1 series, 2.0 KiB, from PACS1\n\
         state           incomplete, 1 sent and not here\n\
         last arrival    2026-11-24T10:00:00Z\n\
         patient         DOE^JANEEve[2J\n                31m\n\n\
         Next: `overread pacs import ID`. What is not imported is gone when the node ends or is locked.\n"
    );
}

#[test]
fn who_listens_is_told_what_to_do_about_a_refusal_and_of_a_study_only_that_it_begins() {
    let association = |state: &str, why: Option<&str>, stored| Event::PacsAssociation {
        from: Some("PACS1".into()),
        address: "10.0.0.3:4004".into(),
        state: state.into(),
        why: why.map(Into::into),
        hint: why.map(|_| "If it may: listen again with --allow PACS1".into()),
        stored,
        again: 0,
        refused: 0,
    };
    let arrival = |instances| Event::PacsArrival {
        study: "i-abcdefghijkl".into(),
        from: "PACS1".into(),
        modality: "CT".into(),
        instances,
        again: false,
    };
    for (happened, expected) in [
        (association("opened", None, 0), None),
        (association("released", None, 3), Some("PACS1 (10.0.0.3:4004) is done. 3 new.")),
        (
            association("refused", Some("\"PACS1\" is not allowed to send here."), 0),
            Some(
                "PACS1 (10.0.0.3:4004) was refused.\n  \"PACS1\" is not allowed to send here.\n  \
                 If it may: listen again with --allow PACS1",
            ),
        ),
        (arrival(1), Some("i-abcdefgh  CT arrives from PACS1.")),
        (arrival(2), None),
    ] {
        assert_eq!(event(&happened).as_deref(), expected);
    }
}
