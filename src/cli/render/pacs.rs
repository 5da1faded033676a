//! What neighbours send, and what of it stands in the inbox.

use crate::cli::progress::bytes;
use crate::encoding::text::shown;
use crate::node::api::{Event, InboxStudy, InboxView};

use super::layout::{count, field, short};
use super::study::patient;

pub(super) fn inbox(inbox: &InboxView, width: usize) -> String {
    if inbox.studies.is_empty() {
        return match &inbox.listening {
            Some(address) => format!("Nothing has arrived. Listening at {}.\n", shown(address)),
            None => "Nothing has arrived, and nobody listens. Next: `overread pacs listen --allow AE`.\n".into(),
        };
    }
    let mut text = String::new();
    for study in &inbox.studies {
        text += &one(study, width);
        text.push('\n');
    }
    text + "Next: `overread pacs import ID`. What is not imported is gone when the node ends or is locked.\n"
}

fn one(study: &InboxStudy, width: usize) -> String {
    let mut text = format!(
        "{}  {}, {} in {}, {}, from {}\n",
        short(&study.id),
        shown(&study.modality),
        count(study.instances, "object"),
        count(study.series, "series"),
        bytes(study.bytes),
        shown(&study.from)
    );
    let missing = match study.missing {
        0 => String::new(),
        missing => format!(", {missing} sent and not here"),
    };
    let imported = if study.imported { ", imported in part" } else { "" };
    text += &field("state", &format!("{}{missing}{imported}", shown(&study.state)), width);
    text += &field("last arrival", &study.last, width);
    text + &patient(&study.patient, width)
}

pub(super) fn discarded(studies: usize, instances: usize) -> String {
    format!("{} discarded, {} in all.\n", count(studies, "study"), count(instances, "object"))
}

/// Of the objects of a study only the first is worth a line.
pub(super) fn event(event: &Event) -> Option<String> {
    Some(match event {
        Event::PacsListening { address, ae_title, tls, allowed, any_ae } => {
            let how = if *tls { "DICOM over TLS" } else { "DICOM" };
            let mut text = format!("Listening for {how} at {} as {}.", shown(address), shown(ae_title));
            text += &match (any_ae, allowed.is_empty()) {
                (true, _) => "\nCareful: whoever reaches this port can send.".to_owned(),
                (false, true) => "\nNobody may send yet: give --allow AE for each sender.".to_owned(),
                (false, false) => format!("\nMay send: {}.", shown(&allowed.join(", "))),
            };
            text
        }
        Event::PacsAssociation { state, .. } if state == "opened" => return None,
        Event::PacsAssociation { from, address, state, why, hint, stored, again, refused } => {
            let who = match from {
                Some(from) => format!("{} ({})", shown(from), shown(address)),
                None => shown(address).into_owned(),
            };
            let mut text = match state.as_str() {
                "refused" => format!("{who} was refused."),
                "cut off" => format!("{who} was cut off."),
                _ => format!("{who} is done."),
            };
            for (number, what) in [(stored, "new"), (again, "here already"), (refused, "refused")] {
                if *number > 0 {
                    text += &format!(" {number} {what}.");
                }
            }
            for more in [why, hint].into_iter().flatten() {
                text += &format!("\n  {}", shown(more));
            }
            text
        }
        Event::PacsArrival { study, from, modality, instances: 1, again: false } => {
            format!("{}  {} arrives from {}.", short(study), shown(modality), shown(from))
        }
        Event::PacsRefusal { from, why } => format!("An object of {} was refused: {}.", shown(from), shown(why)),
        _ => return None,
    })
}
