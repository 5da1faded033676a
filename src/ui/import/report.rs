//! What an import did: what is here now, what was left out and why, which files were skipped.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::plan::{all, left_out_line, skipped_line};
use crate::encoding::text::shown;
use crate::node::api::ImportReport;
use crate::ui::keys::Action;
use crate::ui::look::Look;
use crate::ui::widget::amount::{bytes, count};
use crate::ui::widget::list::Chosen;
use crate::ui::widget::text::{hanging, kind_of};

/// Characters of an id that are shown: enough to type it at the command line.
const ID_CHARS: usize = 10;

/// A report and how far it was scrolled. It prints nothing of it.
pub(super) struct ReportPage {
    report: ImportReport,
    scrolled: Chosen,
}

impl ReportPage {
    pub(super) fn new(report: ImportReport) -> Self {
        Self { report, scrolled: Chosen::default() }
    }

    /// The studies with at least one image that may be shared.
    pub(super) fn studies(&self) -> Vec<String> {
        let studies = self.report.studies.iter().filter(|study| !study.id.is_empty() && study.instances > 0);
        studies.map(|study| study.id.clone()).collect()
    }

    pub(super) fn with_left_out(&self) -> Vec<String> {
        let studies = self.report.studies.iter().filter(|study| !study.id.is_empty() && !study.left_out.is_empty());
        studies.map(|study| study.id.clone()).collect()
    }

    pub(super) fn act(&mut self, action: Action, area: Rect) {
        let height = usize::from(area.height);
        let lines = self.lines(area.width, Look { colour: false }).len();
        self.scrolled.act(action, (lines + 1).saturating_sub(height), height);
    }

    pub(super) fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: Look) {
        let lines = self.lines(area.width, look);
        let last = lines.len().saturating_sub(usize::from(area.height));
        let first = u16::try_from(self.scrolled.at.min(last)).unwrap_or(u16::MAX);
        frame.render_widget(Paragraph::new(lines).scroll((first, 0)), area);
    }

    fn lines(&self, width: u16, look: Look) -> Vec<Line<'static>> {
        let mut lines = vec![Line::raw("")];
        for study in &self.report.studies {
            let name = kind_of(&study.modality, &study.description);
            let id: String = shown(&study.id).chars().take(ID_CHARS).collect();
            lines.push(Line::from(vec![
                Span::styled(format!(" {name}  "), look.heading()),
                Span::styled(id, look.dim()),
            ]));
            let mut say = |style, words: &str| {
                lines.extend(hanging("   ", words, width).into_iter().map(|line| Line::styled(line, style)));
            };
            if study.id.is_empty() {
                say(look.bad(), "nothing of it is here: no image could be cleaned");
            } else {
                let words = format!(
                    "{} in {} may be shared; {} became {}",
                    count(study.instances, "image"),
                    count(study.series, "series"),
                    bytes(study.bytes_in),
                    bytes(study.bytes_stored)
                );
                say(look.good(), &words);
            }
            if study.already_held > 0 {
                say(look.plain(), &format!("{} of them were here already", study.already_held));
            }
            study.left_out.iter().for_each(|left| say(look.warn(), &format!("left out: {}", left_out_line(left))));
            all(&study.gaps).iter().for_each(|gap| say(look.warn(), &format!("missing: {gap}")));
            all(&study.warnings).iter().for_each(|words| say(look.bad(), &format!("careful: {words}")));
            lines.push(Line::raw(""));
        }
        if !self.report.skipped.is_empty() {
            let title = format!(" {} skipped", count(self.report.skipped.len(), "file"));
            lines.push(Line::styled(title, look.heading()));
            let files = self.report.skipped.iter();
            lines.extend(files.map(|file| Line::raw(skipped_line(&file.path, &file.why, usize::from(width)))));
        }
        lines
    }
}
