//! The studies of a case and how much of them is here, in one line.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

use crate::encoding::text::shown;
use crate::node::api::{CaseView, HereView};
use crate::ui::look::Look;
use crate::ui::widget::text::kind_of;
use crate::ui::worklist::arrived;

pub(super) fn draw(case: &CaseView, here: &[HereView], frame: &mut Frame<'_>, area: Rect, look: Look) {
    let mut spans = Vec::new();
    for study in &case.studies {
        spans.push(Span::styled(format!("{} ", study.role), look.heading()));
        let when = if study.role == "index" { String::new() } else { format!(" {}", study.relative_date) };
        spans.push(Span::raw(format!("{}{when}, ", kind_of(&study.modality, &study.description))));
        spans.push(if study.withdrawn {
            let still: Vec<_> = study.still_held_by.iter().map(|name| shown(name)).collect();
            let owner = case.role == "owner" && !still.is_empty();
            let words = if owner { format!("; not deleted yet by {}", still.join(", ")) } else { String::new() };
            Span::styled(format!("withdrawn by its sender{words}"), look.bad())
        } else {
            let style = if study.chunks_have < study.chunks_total { look.warn() } else { look.dim() };
            Span::styled(
                format!("{} images, {}", study.instances, arrived(study.chunks_have, study.chunks_total)),
                style,
            )
        });
        spans.push(Span::raw("   "));
    }
    if spans.is_empty() {
        spans.push(Span::styled("This case has no images.", look.dim()));
    }
    let names: Vec<String> = here.iter().map(name).collect();
    let words = if names.is_empty() { String::new() } else { format!("here now: {}", names.join(", ")) };
    let width = u16::try_from(words.width()).unwrap_or(u16::MAX).min(area.width);
    let [studies, others] = Layout::horizontal([Constraint::Min(0), Constraint::Length(width)]).areas(area);
    frame.render_widget(Paragraph::new(Line::from(spans)), studies);
    frame.render_widget(Paragraph::new(Line::styled(words, look.good())), others);
}

/// Who has the case open.
fn name(person: &HereView) -> String {
    if person.me { "you, on another device".into() } else { shown(&person.name).into_owned() }
}
