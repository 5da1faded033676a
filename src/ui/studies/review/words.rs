//! What is said beside the picture: the list, what is known of the image, what is drawn over it.

use ratatui::text::{Line, Span};

use super::masks::Cursor;
use super::{Decision, LeftOutReview};
use crate::encoding::text::shown;
use crate::node::api::LeftOutImage;
use crate::ui::look::Look;
use crate::ui::widget::amount::count;
use crate::ui::widget::text::kind_of;

impl LeftOutReview {
    pub(super) fn counted(&self, images: &[LeftOutImage], look: Look) -> Vec<Line<'static>> {
        let open = images
            .iter()
            .filter(|image| image.state == "waits" && !self.decisions.contains_key(&image.sop_instance_uid));
        let open = open.count();
        let style = if open == 0 { look.good() } else { look.warn() };
        vec![
            Line::styled(format!(" {open} of {} to look at", images.len()), style),
            Line::styled(" series image frames", look.dim()),
        ]
    }

    pub(super) fn row(&self, image: &LeftOutImage, look: Look) -> Line<'static> {
        let number = |number: Option<i32>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let (word, style) = match (self.decisions.get(&image.sop_instance_uid), image.state.as_str()) {
            (Some(Decision::Admit), _) if !self.masks.of(image).is_empty() => ("goes masked", look.good()),
            (Some(Decision::Admit), _) => ("will go in", look.good()),
            (Some(Decision::KeepOut), _) => ("stays out", look.warn()),
            (None, _) if self.masks.is_changed(image) => ("drawn on", look.warn()),
            (None, "admitted") if !image.mask.is_empty() => ("masked", look.good()),
            (None, "admitted") => ("admitted", look.good()),
            (None, "kept out") => ("kept out", look.warn()),
            (None, "in") => ("never out", look.dim()),
            (None, _) => ("", look.plain()),
        };
        Line::from(vec![
            Span::raw(format!(" {:>6} {:>5} {:>6}  ", number(image.series_number), number(image.number), image.frames)),
            Span::styled(word, style),
        ])
    }

    pub(super) fn about(&self, image: &LeftOutImage, look: Look) -> Vec<Line<'static>> {
        let what = kind_of(&image.modality, &image.series_description);
        let frame = match image.frames_to_see.get(self.frame_at) {
            Some(frame) if image.frames > 1 => format!(
                ", frame {frame} of {} ({} of {} to see, {} unseen)",
                image.frames,
                self.frame_at + 1,
                image.frames_to_see.len(),
                self.unseen(image).len()
            ),
            _ => String::new(),
        };
        let mut lines = vec![
            Line::styled(format!("{what}: {} x {} pixels{frame}", image.columns, image.rows), look.heading()),
            match image.why.is_empty() {
                true => Line::styled("never left out: nothing said that text is burned in", look.dim()),
                false => Line::styled(format!("left out: {}", shown(&image.why)), look.warn()),
            },
        ];
        lines.extend(self.about_masks(image, look));
        if let Some(looked) = &image.looked {
            let day: String = shown(&looked.at).chars().take(16).collect::<String>().replace('T', " ");
            lines.push(Line::styled(format!("{} by {}, {day}", image.state, shown(&looked.who)), look.dim()));
        }
        lines
    }

    /// Where the cursor stands, or what is drawn over the image.
    fn about_masks(&self, image: &LeftOutImage, look: Look) -> Option<Line<'static>> {
        if let Some(Cursor { at, corner }) = self.masks.cursor {
            let words = match corner {
                Some(corner) => format!(
                    "covering from {},{} to {},{}: Space sets the corner",
                    corner.column, corner.row, at.column, at.row
                ),
                None => format!("cursor at {},{}: Space sets a corner, or drag with the mouse", at.column, at.row),
            };
            return Some(Line::styled(words, look.heading()));
        }
        let rectangles = count(self.masks.of(image).len(), "rectangle");
        match (self.masks.of(image).is_empty(), self.masks.is_changed(image)) {
            (true, false) => None,
            (true, true) => Some(Line::styled("no rectangle: it stays masked as it is", look.warn())),
            (false, false) => Some(Line::styled(format!("masked by {rectangles} in every frame"), look.good())),
            (false, true) => {
                Some(Line::styled(format!("{rectangles}: black in every frame, once admitted"), look.warn()))
            }
        }
    }

    /// What stands in place of a picture.
    pub(super) fn instead(&self, look: Look) -> Line<'static> {
        let Some(image) = self.image() else { return Line::raw("") };
        match self.key_of(image, self.frame_at) {
            None => Line::raw("This object has no pixels: nothing can be burned into it."),
            Some(key) => match self.failed.get(&key) {
                Some((not, _)) if not.lasts => {
                    Line::styled(format!("It cannot be shown, so it stays out: {}", shown(&not.why)), look.bad())
                }
                Some((not, _)) => Line::styled(
                    format!("It could not be opened, and is tried again: {}", shown(&not.why)),
                    look.warn(),
                ),
                None => Line::styled("opening the picture …", look.dim()),
            },
        }
    }
}
