//! Cases as one sealed file, for a stick or any other way where no network reaches: [`PackBundle`] makes one,
//! [`TakeBundle`] takes one in.
//!
//! The node decides what goes in and from whom anything is taken; here a person chooses from what is here, sees what
//! would happen before it does, and what came of it.

mod choice;
mod pack;
mod pack_draw;
mod take;
mod take_draw;

#[cfg(test)]
mod tests;

pub use pack::PackBundle;
pub use take::TakeBundle;

use ratatui::text::Line;

use super::look::Look;
use super::message::Ticket;
use super::widget::text::hanging;
use crate::encoding::text::shown;
use crate::node::api::{Failure, FailureCode, Progress};

/// A request that takes long.
#[derive(Debug)]
struct Busy {
    ticket: Ticket,
    progress: Option<Progress>,
}

/// What went wrong and what to do next here: some hints of the node are for the command line.
fn trouble(failure: &Failure) -> String {
    let here = failure.hint.as_deref().filter(|hint| !hint.contains(['`']) && !hint.contains("--"));
    let hint = here.unwrap_or(match failure.code {
        FailureCode::NotAMember => "Bring her into the case first: B in the case.",
        FailureCode::NotFound => "Ask a colleague about a case first: n in the worklist.",
        FailureCode::Untrusted => "Look at her card first: c in the worklist.",
        FailureCode::DiskFull => "Make room or take a larger stick, or pack only the images that carry marks.",
        FailureCode::Damaged => "Fetch the case again (f in the worklist), then repeat.",
        FailureCode::WrongUse => "Choose the file that your colleague packed; its name usually ends in .bundle.",
        _ => "Try again.",
    });
    let what = shown(&failure.what);
    let stop = if what.ends_with(['.', '!', '?', ':']) { "" } else { "." };
    format!("{what}{stop} {}", shown(hint))
}

/// A label and what stands beside it, over several lines where it is long.
fn field(label: &str, words: &str, width: u16, look: Look) -> Vec<Line<'static>> {
    let mut lines = hanging(&format!("  {label:<10} "), words, width).into_iter();
    let Some(first) = lines.next() else { return Vec::new() };
    let rest = first.chars().skip(13).collect::<String>();
    let label = ratatui::text::Span::styled(format!("  {label:<10} "), look.dim());
    std::iter::once(Line::from(vec![label, rest.into()])).chain(lines.map(Line::raw)).collect()
}

/// `12 entries, 240 pieces of images`.
fn amounts(entries: u64, chunks: u64) -> String {
    let entries = if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") };
    match chunks {
        0 => format!("{entries}, no images"),
        1 => format!("{entries}, 1 piece of images"),
        _ => format!("{entries}, {chunks} pieces of images"),
    }
}

/// A sentence in its style, over several lines.
fn sentence(words: &str, style: ratatui::style::Style, width: u16) -> Vec<Line<'static>> {
    hanging("  ", words, width).into_iter().map(|line| Line::styled(line, style)).collect()
}
