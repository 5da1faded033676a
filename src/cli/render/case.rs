//! The case room on paper: worklist, case, history, marks, opinions.

use crate::encoding::text::{shown, shown_lines};
use crate::node::api::{
    BasisView, CaseStudyView, CaseSummary, CaseView, CriticalView, DeliveryView, Elsewhere, KeptDraft, LogEntry,
    MarkView, MemberView, MessageView, OpinionView,
};

use super::layout::{Table, count, field, items, section, short, wrap};
use super::study::patient;

pub(super) fn created(case: &str, spoken: &str, delivery: &[DeliveryView], width: usize) -> String {
    format!("Case \"{}\" {}\n", shown(spoken), shown(case)) + &section("Delivery", &self::delivery(delivery, width))
}

pub(super) fn written(ids: &[String], delivery: &[DeliveryView], width: usize) -> String {
    let mut text = String::from("Saved.\n");
    for id in ids {
        text += &format!("  {}\n", shown(id));
    }
    text + &section("Delivery", &self::delivery(delivery, width))
}

/// Saved is not sent, sent is not read: each member with its state.
pub(super) fn delivery(delivery: &[DeliveryView], width: usize) -> String {
    if delivery.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["member", "state"]);
    for one in delivery {
        table.row([&one.member, &one.state]);
    }
    table.text(width)
}

pub(super) fn cases(cases: &[CaseSummary], width: usize) -> String {
    if cases.is_empty() {
        return "No case yet. Next: `overread ask PATH --to NAME \"QUESTION\"`.\n".into();
    }
    let mut table = Table::new(&["id", "name", "urgency", "standing", "status", "pictures", "opinions", "question"]);
    for case in cases {
        let standing = if case.not_sent { format!("{}, not sent", case.standing) } else { case.standing.clone() };
        table.row([
            &short(&case.id),
            &case.spoken,
            &case.urgency,
            &standing,
            &case.status,
            &share(case.chunks_have, case.chunks_total),
            &case.opinions.to_string(),
            &case.question,
        ]);
    }
    table.text(width)
}

pub(super) fn case(view: &CaseView, width: usize) -> String {
    let mut text = String::new();
    for real in view.patient.iter().chain(&view.other_patients) {
        text += &patient(real, width);
        text.push('\n');
    }
    text += &field("question", &view.question, width);
    text += &field("context", view.context.as_deref().unwrap_or_default(), width);
    text += &field("first report", view.first_report.as_deref().unwrap_or_default(), width);
    text += &field("case", &format!("\"{}\" {}", shown(&view.spoken), shown(&view.id)), usize::MAX);
    text += &field("urgency", &view.urgency, width);
    text += &field("due", view.due.as_deref().unwrap_or_default(), width);
    text += &field("status", &status(view), width);
    text += &field("your role", &view.role, width);
    text += &section("Critical findings", &criticals(&view.criticals, width));
    text += &section("Members", &members(&view.members, width));
    let here: Vec<&str> = view.here.iter().map(|here| here.name.as_str()).collect();
    text += &field("here now", &here.join(", "), width);
    text += &section("Studies", &studies(&view.studies, width));
    text += &section("Marks", &if view.marks.is_empty() { String::new() } else { marks(&view.marks, width) });
    for opinion in &view.opinions {
        text += &section("Opinion", &self::opinion(opinion, width.saturating_sub(2)));
    }
    text += &section("Messages", &messages(&view.messages, width));
    text += &section("Careful", &items(&warnings(view), width));
    text
}

fn status(view: &CaseView) -> String {
    let blind = if view.blind { ", blind" } else { "" };
    format!("{}, {}{blind}", view.status, view.standing)
}

fn warnings(view: &CaseView) -> Vec<String> {
    let mut warnings: Vec<String> = view
        .forks
        .iter()
        .map(|fork| {
            let (one, other) = &fork.entries;
            format!(
                "A device of {} wrote two histories: {} and {} contradict each other.",
                fork.person,
                short(one),
                short(other)
            )
        })
        .collect();
    if view.unreadable > 0 {
        warnings.push(format!("{} cannot be read here (yet).", count(view.unreadable, "entry")));
    }
    if view.unknown > 0 {
        warnings.push(format!("{} of a kind that needs a newer version.", count(view.unknown, "entry")));
    }
    warnings
}

fn criticals(criticals: &[CriticalView], width: usize) -> String {
    criticals
        .iter()
        .flat_map(|critical| {
            let called = match (&critical.called, &critical.at, &critical.taken_by) {
                (Some(called), Some(at), Some(taken_by)) => format!(" (called {called} at {at}, taken by {taken_by})"),
                _ => String::new(),
            };
            wrap(&format!("{}: {}{called}", critical.author, critical.finding), width.saturating_sub(2))
        })
        .map(|line| line + "\n")
        .collect()
}

fn members(members: &[MemberView], width: usize) -> String {
    let mut table = Table::new(&["name", "role", "delivery"]);
    for member in members {
        let delivery = if member.me { "this is you" } else { &member.delivery };
        table.row([&member.name, &member.role, delivery]);
    }
    table.text(width)
}

fn studies(studies: &[CaseStudyView], width: usize) -> String {
    if studies.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["id", "role", "modality", "images", "pictures", "days", "description"]);
    for study in studies {
        let have = if study.withdrawn { "withdrawn".into() } else { share(study.chunks_have, study.chunks_total) };
        table.row([
            &short(&study.id),
            &study.role,
            &study.modality,
            &study.instances.to_string(),
            &have,
            &study.relative_date,
            &study.description,
        ]);
    }
    table.text(width)
}

fn messages(messages: &[MessageView], width: usize) -> String {
    let mut text = String::new();
    for message in messages {
        let late = if message.late { " (late)" } else { "" };
        text += &format!("{}  {}{late}\n", shown(&message.time), shown(&message.author));
        if let Some(about) = &message.about {
            text += &format!("  {}\n", shown(&about.sentence(None)));
        }
        for line in wrap(&message.text, width.saturating_sub(4)) {
            text += &format!("  {line}\n");
        }
    }
    text
}

pub(super) fn log(entries: &[LogEntry], width: usize) -> String {
    let mut table = Table::new(&["entry", "time", "author", "outcome", "what"]);
    for entry in entries {
        let flags = entry.flags.iter().map(|flag| format!(" [{flag}]")).collect::<String>();
        table.row([&short(&entry.id), &entry.time, &entry.author, &entry.outcome, &format!("{}{flags}", entry.what)]);
    }
    table.text(width)
}

pub(super) fn marks(marks: &[MarkView], width: usize) -> String {
    if marks.is_empty() {
        return "No mark yet.\n".into();
    }
    let mut table = Table::new(&["id", "kind", "value", "basis", "author", "label"]);
    for mark in marks {
        let basis = mark.basis.as_deref().unwrap_or_default();
        let label = mark.label.as_deref().unwrap_or_default();
        table.row([&short(&mark.id), &mark.kind, &value(mark), basis, &mark.author, label]);
    }
    table.text(width)
}

pub(super) fn mark(mark: &MarkView, delivery: &[DeliveryView], width: usize) -> String {
    let mut text = field("mark", &mark.id, usize::MAX);
    text += &field("kind", &mark.kind, width);
    text += &field("value", &value(mark), width);
    text += &field("basis", mark.basis.as_deref().unwrap_or_default(), width);
    text += &field("label", mark.label.as_deref().unwrap_or_default(), width);
    text += &field("image", &format!("{} frame {}", shown(&mark.image), mark.frame), usize::MAX);
    text + &section("Delivery", &self::delivery(delivery, width))
}

fn value(mark: &MarkView) -> String {
    match (mark.value, &mark.unit) {
        (Some(value), Some(unit)) => format!("{value:.1} {}", shown(unit)),
        (Some(value), None) => format!("{value:.1}"),
        (None, _) => String::new(),
    }
}

pub(super) fn opinions(opinions: &[OpinionView], width: usize) -> String {
    if opinions.is_empty() {
        return "No opinion yet. Next: `overread opinion template CASE`, then `overread opinion sign CASE`.\n".into();
    }
    let mut table = Table::new(&["id", "author", "state", "agreement", "time", "impression"]);
    for opinion in opinions {
        table.row([
            &short(&opinion.id),
            &opinion.author,
            &opinion.state,
            &opinion.agreement,
            &opinion.time,
            &opinion.impression,
        ]);
    }
    table.text(width)
}

/// A draft as the file that can be edited and signed.
pub(super) fn draft(draft: Option<&KeptDraft>) -> String {
    let Some(draft) = draft else { return "No draft.\n".into() };
    let opinion = toml::to_string_pretty(&draft.opinion).unwrap_or_default();
    format!("# Draft of {}, not signed\n{}", shown(&draft.saved), shown_lines(&opinion))
}

pub(super) fn draft_kept(saved: &str, elsewhere: Option<&Elsewhere>) -> String {
    let also = match elsewhere {
        Some(Elsewhere::Kept { saved }) => format!(" It takes the place of one that was kept at {}.", shown(saved)),
        Some(Elsewhere::Dropped) => " The one before was dropped or signed meanwhile.".into(),
        None => String::new(),
    };
    format!("Kept at {}, sealed, on this machine alone.{also}\n", shown(saved))
}

pub(super) fn opinion(opinion: &OpinionView, width: usize) -> String {
    let mut text = String::new();
    // What the opinion could not rest on stands before what it says.
    for limitation in &opinion.basis.limitations {
        text += &field("limitation", limitation, width);
    }
    for later in &opinion.signed_before {
        text += &field("signed before", later, width);
    }
    text += &field("impression", &opinion.impression, width);
    text += &field("agreement", &opinion.agreement, width);
    if let Some(confidence) = opinion.confidence {
        text += &field("confidence", &format!("{confidence} %"), width);
    }
    text += &field("findings", opinion.findings.as_deref().unwrap_or_default(), width);
    text += &field("recommendation", opinion.recommendation.as_deref().unwrap_or_default(), width);
    text += &field("author", &format!("{}, {}", opinion.author, opinion.time), width);
    if opinion.state != "signed" {
        text += &field("state", &opinion.state, width);
    }
    text += &basis(&opinion.basis, width);
    for addendum in &opinion.addenda {
        text += &field("addendum", &format!("{}\n{}", addendum.time, addendum.text), width);
    }
    text += &field("opinion", &opinion.id, usize::MAX);
    text + &section("Delivery", &delivery(&opinion.delivery, width))
}

fn basis(basis: &BasisView, width: usize) -> String {
    let mut text = field("asked", &basis.question, width);
    let (expected, received) = basis
        .series
        .iter()
        .fold((0_u64, 0_u64), |(e, r), series| (e + u64::from(series.expected), r + u64::from(series.received)));
    text += &field(
        "rests on",
        &format!(
            "{received} of {expected} images in {} received; {}",
            count(basis.series.len(), "series"),
            displayed(basis)
        ),
        width,
    );
    text
}

fn displayed(basis: &BasisView) -> String {
    let known: Option<u64> = basis.series.iter().map(|series| series.displayed.map(u64::from)).sum();
    match known {
        Some(displayed) if !basis.series.is_empty() => format!("{displayed} displayed"),
        _ => "displayed unknown".into(),
    }
}

/// `12 of 500`, `all 500`.
fn share(have: u64, total: u64) -> String {
    match (have, total) {
        (_, 0) => "-".into(),
        (have, total) if have >= total => format!("all {total}"),
        (have, total) => format!("{have} of {total}"),
    }
}
