//! What a message answers: a mark, an opinion, a critical finding or another message of its case.
//!
//! The reference is the id of the entry, which nothing checks in the fold (format 9): a message may come before what it
//! answers, outlive a mark that was deleted, or name what never was. All of that is said in words.

use super::api::{AboutView, Failure, FailureCode};
use super::core::Node;
use super::opinions::SHAPES;
use crate::case::state::CaseState;
use crate::encoding::id::{CaseId, EntryId, ID_PREFIX_CHARS_MIN, IdPrefix, MarkId, OpinionId, base32};
use crate::encoding::text::shown;
use crate::view::marks::value_text;

/// Most characters of somebody's words that name what is answered.
const WORDS_CHARS_MAX: usize = 40;

impl Node {
    /// The entry that a person typed to answer it: an id of a mark, an opinion, a critical finding or a message.
    pub fn find_answered(&mut self, case: CaseId, typed: &str) -> Result<EntryId, Failure> {
        let state = self.state(case)?;
        let shared = &state.shared;
        let prefix = IdPrefix::parse(typed);
        let marks = shared.marks.iter().map(|mark| (MarkId::LETTER, EntryId(mark.id.0)));
        let opinions = shared.opinions.iter().map(|opinion| (OpinionId::LETTER, EntryId(opinion.id.0)));
        let said = shared.messages.iter().map(|said| said.stamp.entry);
        let said = said.chain(shared.criticals.iter().map(|said| said.stamp.entry)).map(|entry| (' ', entry));
        let plain = typed.to_ascii_lowercase();
        let fits = |(letter, entry): &(char, EntryId)| match &prefix {
            Some(prefix) => prefix.matches(*letter, entry.as_bytes()),
            None => plain.len() >= ID_PREFIX_CHARS_MIN && base32(entry.as_bytes()).starts_with(&plain),
        };
        let mut found: Vec<EntryId> = marks.chain(opinions).chain(said).filter(fits).map(|(_, entry)| entry).collect();
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(Failure::new(
                FailureCode::NotFound,
                format!("The case has no mark, opinion or message {} to answer.", shown(typed)),
            )
            .hint("`overread case show CASE --json` has their ids. A mark that was deleted cannot be answered.")),
            _ => Err(Failure::new(FailureCode::Ambiguous, format!("{} may be one of several.", shown(typed)))
                .hint("Type more characters.")),
        }
    }

    /// What is answered, as far as it is here.
    pub fn about_view(&self, state: &CaseState, entry: EntryId) -> AboutView {
        let shared = &state.shared;
        let here = |kind: &str, id: String, author, words: String| AboutView {
            id,
            kind: kind.into(),
            state: "here".into(),
            author: Some(self.name_in(state, author)),
            words,
            image: None,
            frame: None,
        };
        if let Some(mark) = shared.marks.iter().find(|mark| mark.id.0 == entry.0) {
            let kind = SHAPES.iter().find(|(_, shape)| *shape == mark.mark.shape).map_or("mark", |(word, _)| word);
            let measured = mark.mark.measured.as_ref().map(|measured| value_text(measured.value, &measured.unit));
            let label = mark.mark.label.as_deref().map(beginning);
            let words: Vec<String> = [Some(kind.to_owned()), measured, label].into_iter().flatten().collect();
            let view = here("mark", mark.id.to_string(), &mark.stamp.author, shown(&words.join(" ")).into_owned());
            let image = Some(shown(&mark.mark.image.sop_instance_uid).into_owned());
            return AboutView { image, frame: Some(mark.mark.image.frame), ..view };
        }
        if let Some(opinion) = shared.opinions.iter().find(|opinion| opinion.id.0 == entry.0) {
            return here("opinion", opinion.id.to_string(), &opinion.stamp.author, "opinion".into());
        }
        let id = base32(entry.as_bytes());
        if let Some(said) = shared.messages.iter().find(|said| said.stamp.entry == entry) {
            return here("message", id, &said.stamp.author, format!("words “{}”", beginning(&said.content.text)));
        }
        if let Some(said) = shared.criticals.iter().find(|said| said.stamp.entry == entry) {
            let words = format!("critical finding “{}”", beginning(&said.content.finding));
            return here("critical finding", id, &said.stamp.author, words);
        }
        // What was a mark once and is none now was deleted; whatever else stands in the history is named by its kind.
        let line = state.log.iter().find(|line| line.stamp.entry == entry);
        AboutView {
            kind: line.map_or("unknown", |line| line.what).into(),
            state: line.map_or("unknown", |line| if line.what == "mark" { "deleted" } else { "here" }).into(),
            author: line.map(|line| self.name_in(state, &line.stamp.author)),
            words: line.map_or("", |line| line.what).into(),
            id,
            image: None,
            frame: None,
        }
    }
}

fn beginning(text: &str) -> String {
    let text = shown(text);
    let mut short: String = text.chars().take(WORDS_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
