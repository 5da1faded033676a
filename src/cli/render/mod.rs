//! Answers as text for people: aligned, calm, and safe to draw.
//!
//! Pure: an answer and a width give a text. Lists show short ids, which commands take as they are; a single thing
//! shows its whole id. Every string of a colleague or a header passes [`shown`]. Start with [`text`].

mod case;
mod layout;
mod other;
mod pacs;
mod people;
mod plan;
mod study;

use crate::encoding::text::shown;
use crate::node::api::{Event, Reply};

pub(super) use layout::field;
pub(super) use plan::{patients, plan};

/// The text of an answer, with its line feeds.
pub(super) fn text(reply: &Reply, width: usize) -> String {
    match reply {
        Reply::Initialised(initialised) => people::initialised(initialised),
        Reply::Status(status) => people::status(status),
        Reply::RecoveryCode { words } => people::recovery_code(words),
        Reply::Card(card) => people::card(card),
        Reply::Cards { cards } => people::cards(cards, width),
        Reply::CardsAdded { added, refused } => people::cards_added(added, refused, width),
        Reply::SafetyWords { words, who } => people::safety_words(words, who),
        Reply::Verified { who, verified, wrong_word } => people::verified(who, *verified, *wrong_word),
        Reply::Paired { colleague } => people::paired(colleague),
        Reply::Imported(report) => study::imported(report, width),
        Reply::Studies { studies } => study::studies(studies, width),
        Reply::Study(detail) => study::study(detail, width),
        Reply::Reviewed { pages, images } => study::reviewed(pages, *images),
        Reply::Included { included } => format!("{} included.\n", layout::count(*included, "image")),
        Reply::LeftOut { images } => study::left_out_images(images, width),
        Reply::Decided { admitted, kept_out, masked } => {
            format!("{} admitted, {masked} masked, {kept_out} kept out.\n", layout::count(*admitted, "image"))
        }
        Reply::Masked { images } => study::masked(images, width),
        Reply::Patients { patients } => study::patients(patients, width),
        Reply::Exported { instances, bytes, directory } => study::exported(*instances, *bytes, directory),
        Reply::File(file) => format!("A file of {} bytes.\n", file.bytes.len()),
        Reply::Image(image) => study::image(image),
        Reply::CaseCreated { case, spoken, delivery, .. } => case::created(case, spoken, delivery, width),
        Reply::Cases { cases } => case::cases(cases, width),
        Reply::Case(view) => case::case(view, width),
        Reply::Log { entries } => case::log(entries, width),
        Reply::Marks { marks } => case::marks(marks, width),
        Reply::Mark { mark, delivery } => case::mark(mark, delivery, width),
        Reply::Template { toml } => toml.clone(),
        Reply::DraftKept { saved, elsewhere } => case::draft_kept(saved, elsewhere.as_ref()),
        Reply::Draft { draft } => case::draft(draft.as_ref()),
        Reply::Opinions { opinions } => case::opinions(opinions, width),
        Reply::Opinion { opinion } => case::opinion(opinion, width),
        Reply::Written { ids, delivery } => case::written(ids, delivery, width),
        Reply::Synced { peers, delivery } => other::synced(peers, delivery, width),
        Reply::Fetched { chunks_have, chunks_total, bytes, seconds, complete, .. } => {
            other::fetched(*chunks_have, *chunks_total, *bytes, *seconds, *complete)
        }
        Reply::Transfers { transfers } => other::transfers(transfers, width),
        Reply::Packed(packed) => other::packed(packed),
        Reply::Bundle(bundle) => other::bundle(bundle),
        Reply::Unpacked { spoken, entries_new, chunks_new, problems, .. } => {
            other::unpacked(spoken, *entries_new, *chunks_new, problems)
        }
        Reply::Inbox(inbox) => pacs::inbox(inbox, width),
        Reply::Discarded { studies, instances } => pacs::discarded(*studies, *instances),
        Reply::VerifyReport { ok, entries, chunks, problems, state_hash } => {
            other::verify_report(*ok, *entries, *chunks, problems, state_hash.as_deref())
        }
        Reply::Doctor { checks } => other::doctor(checks, width),
        Reply::Settings(settings) => other::settings(settings),
        Reply::Nothing {} => "Done.\n".into(),
    }
}

/// The text of something that happens on the way, without a last line feed; progress is drawn elsewhere.
pub(super) fn event(event: &Event) -> Option<String> {
    Some(match event {
        Event::Progress(_) | Event::Live(_) => return None,
        Event::PairingOpen { command, .. } => format!(
            "Read this line to your colleague, who types it:\n\n    {}\n\nThe code works once, and for two minutes.",
            shown(command)
        ),
        Event::ConfirmPerson { name, site, fingerprint } => {
            format!("The code was used by {}, {} (fingerprint {}).", shown(name), shown(site), shown(fingerprint))
        }
        Event::Delivery { member, state, .. } => format!("{}: {}", shown(member), shown(state)),
        Event::Ready { peer, addresses } => {
            let mut text = format!("Ready. This device is {}", shown(peer));
            for address in addresses {
                text += &format!("\n  {}", shown(address));
            }
            text
        }
        Event::Happened { what, case, who } => {
            let mut text = shown(what).into_owned();
            for more in [who, case].into_iter().flatten() {
                text += &format!("  {}", layout::short(more));
            }
            text
        }
        Event::Notice { text } => shown(text).into_owned(),
        Event::PacsListening { .. }
        | Event::PacsAssociation { .. }
        | Event::PacsArrival { .. }
        | Event::PacsRefusal { .. }
        | Event::InboxStudy { .. } => return pacs::event(event),
    })
}

#[cfg(test)]
mod tests;
