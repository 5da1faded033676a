//! Whose study this is too: the patients already here, over the screen that asks.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use crate::node::api::StudyPatient;
use crate::ui::keys::Action;
use crate::ui::look::Look;
use crate::ui::patient;
use crate::ui::widget::list::Chosen;
use crate::ui::widget::popup;

/// The patients of the studies imported here; the first line is nobody of them.
#[derive(Default)]
pub(super) struct Picker {
    /// `None` until the node has answered.
    patients: Option<Vec<StudyPatient>>,
    chosen: Chosen,
}

impl Picker {
    pub(super) fn fill(&mut self, mut patients: Vec<StudyPatient>) {
        patients
            .sort_by(|a, b| (&a.patient.name, &b.patient.study_date).cmp(&(&b.patient.name, &a.patient.study_date)));
        self.patients = Some(patients);
    }

    pub(super) fn chosen(&self) -> Option<&StudyPatient> {
        self.patients.as_ref()?.get(self.chosen.at.checked_sub(1)?)
    }

    pub(super) fn is_nobody(&self) -> bool {
        self.patients.is_some() && self.chosen.at == 0
    }

    pub(super) fn act(&mut self, action: Action, area: Rect) {
        let rows = self.patients.as_ref().map_or(0, |patients| patients.len() + 1);
        self.chosen.act(action, rows, usize::from(area.height.saturating_sub(6)));
    }

    pub(super) fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: Look) {
        let wanted = self.patients.as_ref().map_or(1, |patients| patients.len() + 1);
        let height = u16::try_from(wanted).unwrap_or(u16::MAX).saturating_add(2);
        let place = popup::middle(area, area.width.saturating_sub(4).min(120), height.min(area.height));
        let inside = popup::open(frame, place, "The files are of the same patient as", look);
        let Some(patients) = &self.patients else {
            frame.render_widget(Paragraph::new(Line::styled("reading the patients …", look.dim())), inside);
            return;
        };
        let rows = std::iter::once("nobody whose study is here (another identifier is another patient)".to_owned())
            .chain(
                patients
                    .iter()
                    .map(|one| format!("{}, {}", patient::who(&one.patient), patient::examination(&one.patient))),
            );
        let room = usize::from(inside.height);
        let lines =
            rows.enumerate().skip(self.chosen.first_seen(room)).take(room).map(|(at, words)| {
                Line::styled(words, if at == self.chosen.at { look.chosen() } else { look.plain() })
            });
        frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), inside);
    }
}
