use super::*;
use crate::cli::output::tests::Captured;
use crate::cli::person::script::Script;
use crate::cli::session::tests::{run, scripted, status};
use crate::node::api::{CaseSummary, MemberView};

fn join() -> Join {
    Join {
        code: "7-amber@/ip4/10.0.0.1/tcp/4".into(),
        at: Vec::new(),
        yes: true,
        no_fetch: false,
        first_start: FirstStart::default(),
    }
}

fn weber() -> CardView {
    CardView {
        identity: "p-weber".into(),
        name: "Dr Weber".into(),
        site: "Köln".into(),
        phone: None,
        alias: None,
        devices: Vec::new(),
        addresses: Vec::new(),
        fingerprint: "ab".into(),
        trust: "verified".into(),
        serial: 1,
        expires: None,
        expired: false,
        last_reached: None,
        text: None,
    }
}

fn summary(id: &str) -> CaseSummary {
    CaseSummary {
        id: id.into(),
        spoken: "amber-falcon".into(),
        question: String::new(),
        urgency: "routine".into(),
        status: "open".into(),
        role: "reader".into(),
        standing: "invited".into(),
        due: None,
        members: 2,
        opinions: 0,
        messages: 0,
        chunks_have: 0,
        chunks_total: 0,
        not_sent: false,
        people: Vec::new(),
        unread: 0,
        patient: None,
        other_patients: 0,
    }
}

fn view(id: &str, owner: &str) -> Reply {
    let document = serde_json::json!({
        "id": id, "spoken": "amber-falcon", "question": "Is the lesion new?", "context": null, "first_report": null,
        "urgency": "routine", "due": null, "status": "open", "blind": false, "role": "reader", "standing": "invited",
        "members": [], "studies": [], "marks": [], "opinions": [], "messages": [], "criticals": [], "receipts": [],
        "entries": 1, "heads": [], "forks": [], "unreadable": 0, "unknown": 0, "state_hash": null, "patient": null,
    });
    let mut view: CaseView = serde_json::from_value(document).unwrap();
    view.members.push(MemberView {
        name: "somebody".into(),
        identity: owner.into(),
        role: "owner".into(),
        delivery: "opened".into(),
        me: false,
    });
    Reply::Case(Box::new(view))
}

#[test]
fn the_invitation_of_the_one_who_read_the_code_is_opened_and_no_other() {
    let mut looked = 0;
    let (output, captured) = Captured::json();
    let (mut session, asked) = scripted(output, &Script::nobody(), move |envelope, _| match &envelope.request {
        Request::Status => Ok(status(true, false)),
        Request::PairJoin { code, at } => {
            assert_eq!((code.as_str(), at.as_slice()), ("7-amber", &["/ip4/10.0.0.1/tcp/4".to_owned()][..]));
            Ok(Reply::Paired { colleague: weber() })
        }
        Request::CaseList => {
            looked += 1;
            let ids: &[&str] = if looked == 1 { &["c-other"] } else { &["c-other", "c-hers"] };
            Ok(Reply::Cases { cases: ids.iter().map(|id| summary(id)).collect() })
        }
        Request::CaseShow { case } => Ok(view(case, if case == "c-hers" { "p-weber" } else { "p-eve" })),
        Request::CaseAccept { case } => Ok(view(case, "p-weber")),
        other => panic!("{other:?}"),
    });
    assert_eq!(run(join().run(&mut session)), Ok(0));
    let document: serde_json::Value = serde_json::from_str(&captured.out()).unwrap();
    assert_eq!((&document["case"], &document["question"]), (&json!("c-hers"), &json!("Is the lesion new?")));
    assert_eq!(document["colleague"]["identity"], "p-weber");
    let asked = asked.lock().unwrap();
    let accepted: Vec<_> = asked
        .iter()
        .filter_map(|envelope| match &envelope.request {
            Request::CaseAccept { case } => Some(case.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(accepted, ["c-hers"]);
}

#[test]
fn an_invitation_that_does_not_come_is_not_reached_in_time() {
    let (mut session, _) = scripted(Captured::text().0, &Script::nobody(), |envelope, _| match envelope.request {
        Request::Status => Ok(status(true, false)),
        Request::PairJoin { .. } => Ok(Reply::Paired { colleague: weber() }),
        _ => Ok(Reply::Cases { cases: Vec::new() }),
    });
    session.manner.wait_seconds = Some(1);
    let failure = run(join().run(&mut session)).unwrap_err();
    assert_eq!(failure.code.exit_code(), 7);
    assert_eq!(failure.what, "You are colleagues now, but no invitation came within 1 s.");
}

#[test]
fn a_first_start_without_name_and_nobody_to_ask_is_wrong_use() {
    let (mut session, asked) = scripted(Captured::text().0, &Script::nobody(), |_, _| Ok(status(false, false)));
    assert_eq!(run(join().run(&mut session)).unwrap_err().code.exit_code(), 2);
    assert_eq!(asked.lock().unwrap().len(), 1);
}
