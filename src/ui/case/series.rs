//! The studies of a case and how much of them is here, in one line.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::encoding::text::shown;
use crate::node::api::CaseView;
use crate::ui::look::Look;
use crate::ui::worklist::arrived;

pub(super) fn draw(case: &CaseView, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let mut spans = Vec::new();
    for study in &case.studies {
        spans.push(Span::styled(format!("{} ", study.role), look.heading()));
        let when = if study.role == "index" { String::new() } else { format!(" {}", study.relative_date) };
        spans.push(Span::raw(format!("{} {}{when}, ", shown(&study.modality), shown(&study.description))));
        spans.push(if study.withdrawn {
            Span::styled("withdrawn by its sender", look.bad())
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
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}
