//! The words in and around a viewport: what it is, what to beware of, how it is shown, and which side is which.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

use super::super::graphics::{Protocol, limits};
use super::super::look::Look;
use super::super::screen::Dots;
use super::super::widget::text::shortened;
use super::super::widget::wrap::wrapped;
use super::Stack;
use super::port::{Port, Subject};
use crate::encoding::text::shown;
use crate::study::geometry::Letters;
use crate::study::pixels::Window;
use crate::view::corner::{Corners, Facts, Lossy};
use crate::view::letters::letters;
use crate::view::mapping::Mapping;
use crate::view::marks::Label;
use crate::view::pose::Orientation;
use crate::view::space::location;

/// Words in cells of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnPicture {
    pub area: Rect,
    pub text: String,
    /// A number of `view::raster::INKS`; none: letters.
    pub ink: Option<u8>,
}

/// The words around a picture: one line above it, one below.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    pub corners: Corners,
    /// Warnings of the viewer, beside the picture's own.
    pub beware: Vec<String>,
}

impl OnPicture {
    /// A label of ink, as near to its place as the cells allow: inside the picture, and over no other words, so that no
    /// number runs into another. None where no row below is free.
    pub fn label(label: Label, inside: Rect, dots: Dots, others: &[Self]) -> Option<Self> {
        let cell = |at: u32, dots: u32| u16::try_from(at / dots.max(1)).unwrap_or(u16::MAX);
        let text = if wide(&label.text) > inside.width { "…".to_owned() } else { label.text };
        let width = wide(&text);
        let x = inside.x.saturating_add(cell(label.at.0, dots.across).min(inside.width.saturating_sub(width)));
        let first = inside.y.saturating_add(cell(label.at.1, dots.down));
        let mut rows = (first..inside.bottom()).map(|y| Rect { x, y, width, height: 1 });
        let area = rows.find(|area| !others.iter().any(|other| other.area.intersects(*area)))?;
        (!text.is_empty()).then_some(Self { area, text, ink: Some(label.ink) })
    }

    /// The orientation letters at the edges of a picture; none rather than guessed ones.
    pub fn letters(unturned: Option<&Letters>, orientation: Orientation, inside: Rect) -> Vec<Self> {
        let Some(Letters { left, right, top, bottom }) = letters(unturned, orientation) else { return Vec::new() };
        let (middle_x, middle_y) = (inside.x + inside.width / 2, inside.y + inside.height / 2);
        let (last_x, last_y) = (inside.right().saturating_sub(wide(&right)), inside.bottom().saturating_sub(1));
        let places = [
            (inside.x, middle_y, left),
            (last_x, middle_y, right),
            (middle_x, inside.y, top),
            (middle_x, last_y, bottom),
        ];
        let words = places.into_iter().map(|(x, y, text)| Self {
            area: Rect { x, y, width: wide(&text), height: 1 }.intersection(inside),
            text,
            ink: None,
        });
        words.filter(|words| !words.area.is_empty()).collect()
    }

    pub fn draw(&self, frame: &mut Frame<'_>, look: Look) {
        let style = self.ink.map_or(look.heading(), |ink| look.ink(ink));
        frame.render_widget(Paragraph::new(Span::styled(self.text.as_str(), look.on_picture(style))), self.area);
    }
}

fn wide(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

impl Around {
    /// What is to be said of a picture that is shown.
    pub fn of(stack: &Stack, port: &Port, subject: &Subject, mapping: &Mapping, protocol: Protocol) -> Self {
        let frame = subject.frame();
        let picture = subject.picture();
        let window = port.window_of(frame);
        let name = match window {
            Window::Preset(preset) => Some(preset.name().to_owned()),
            Window::File(number) => {
                let choice = frame.choices().into_iter().find(|choice| choice.number == number);
                let name = choice.and_then(|choice| choice.name).unwrap_or_else(|| "of the file".into());
                Some(format!("{number} {name}"))
            }
            Window::Auto => Some("whole range".into()),
            Window::Default | Window::Values { .. } => None,
        };
        let (counted, image, missing) = match &port.cut {
            // At most 4096 planes.
            Some(cut) => (stack.counted(cut.cut.name()), (cut.index() as usize + 1, cut.count() as usize), 0),
            None => (stack.counted("image"), (port.at + 1, stack.slots.len()), stack.missing()),
        };
        let location = subject.plane().map(location);
        let scale = subject.scale();
        let viewport = mapping.viewport();
        let corners = Corners::of(&Facts {
            series: &stack.heading(),
            counted: &counted,
            image,
            missing,
            location: location.as_deref(),
            window_name: name.as_deref(),
            width_level: frame.width_level(window).ok().flatten(),
            inverted: port.pose.inverted,
            zoom: port.pose.zoom_in(mapping.plane(), viewport),
            reduction: mapping.reduction(viewport),
            // A reformat says so itself, with how.
            interpolated: subject.acquired().is_some() && port.pose.smooth && mapping.is_enlarged(),
            lossy: match subject {
                Subject::Frame(picture) => picture.lossy,
                Subject::Reformat { .. } if picture.lossy == Lossy::No => Lossy::No,
                // Slices may differ: that they are lossy is all that holds for a cut.
                Subject::Reformat { .. } => Lossy::Yes { ratio: None },
            },
            scale: &scale,
            limits: &limits(protocol, &picture.modality).iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        // The gravest first: what is not what was asked for, then what is not all there is.
        let mut beware = Vec::new();
        beware.extend(port.cut.as_ref().filter(|cut| !cut.is_current()).map(|cut| match cut.refused() {
            Some(why) => shown(why).into_owned(),
            None => "cutting …".to_owned(),
        }));
        beware.extend(port.link_words.clone());
        beware.extend((stack.left_out > 0).then(|| format!("{} left out for burned-in text", stack.left_out)));
        beware.extend((stack.unknown > 0).then(|| format!("{} not announced yet", stack.unknown)));
        beware.extend(stack.gaps.iter().map(|gap| shown(gap).into_owned()));
        if let Subject::Reformat { reformat, .. } = subject {
            beware.push(reformat.basis());
        }
        beware.extend((port.pose.orientation != Orientation::default()).then(|| "turned".to_owned()));
        if let Some(picture) = subject.acquired() {
            beware.extend(picture.shutter.is_some().then(|| "shutter".to_owned()));
            beware.extend(picture.overlays_refused.iter().cloned());
        }
        Self { corners, beware }
    }

    /// What to beware of, the gravest first.
    fn warnings(&self) -> impl Iterator<Item = &String> {
        self.corners.top_right.iter().chain(&self.beware)
    }

    /// Cells above the picture that warnings may have: which of the images it is stands there in any case.
    fn warning_cells(&self, width: u16) -> usize {
        let number = self.corners.top_left.get(1).map_or(0, |number| number.width() + GAP.len());
        usize::from(width).saturating_sub(number)
    }

    /// The warnings that find no room above the picture, on it: at its upper right, below the letter at the edge and
    /// above the one at the side. Those that find none there either are counted.
    pub fn more_warnings(&self, inside: Rect) -> Vec<OnPicture> {
        let (_, left) = fitting_and_left(self.warnings(), self.warning_cells(inside.width));
        let rows = usize::from((inside.height / 2).saturating_sub(1));
        let mut lines: Vec<(usize, String)> = Vec::new();
        for (number, warning) in left.iter().enumerate() {
            lines.extend(wrapped(warning, usize::from(inside.width)).into_iter().map(|line| (number, line)));
        }
        if lines.len() > rows {
            lines.truncate(rows.saturating_sub(1));
            // One that is cut off is told as one that is not shown: half a warning may say another thing.
            let whole = left.iter().enumerate().take_while(|(number, warning)| {
                let shown = lines.iter().filter(|(of, _)| of == number).count();
                shown == wrapped(warning, usize::from(inside.width)).len()
            });
            let whole = whole.count();
            lines.retain(|(number, _)| *number < whole);
            if rows > 0 {
                lines.push((whole, format!("+{} more", left.len() - whole)));
            }
        }
        let placed = lines.into_iter().zip(inside.y.saturating_add(1)..inside.bottom()).map(|((_, text), y)| {
            let width = wide(&text).min(inside.width);
            OnPicture { area: Rect { x: inside.right() - width, y, width, height: 1 }, text, ink: Some(WARNING_INK) }
        });
        placed.filter(|words| !words.area.is_empty()).collect()
    }

    /// Draws the line above the picture: what it is, and at the right what to beware of. Where there is no room for all,
    /// the series' name gives way first, then where the image lies; further warnings stand on the picture.
    pub fn draw_head(&self, frame: &mut Frame<'_>, (area, inside): (Rect, Rect), style: Style, look: Look) {
        let [name, image @ ..] = self.corners.top_left.as_slice() else { return };
        let number = image.first().map_or(0, |number| number.width() + GAP.len());
        let width = self.warning_cells(area.width);
        let (mut beware, more) = fitting_and_left(self.warnings(), width);
        if !more.is_empty() && self.more_warnings(inside).is_empty() {
            beware = fitting(self.warnings(), width);
        }
        let left = (width + number).saturating_sub(beware.width() + GAP.len());
        let image = fitting(image, left);
        let name = shortened(name, left.saturating_sub(image.width() + GAP.len()));
        let gap = if name.is_empty() { "" } else { GAP };
        let left = Line::from(vec![Span::styled(name, style), Span::raw(gap), Span::raw(image)]);
        frame.render_widget(Paragraph::new(left), area);
        draw_right(frame, area, Line::styled(beware, look.warn()));
    }

    /// Draws the line below it: how it is shown, and what a length rests on if there is room for it.
    pub fn draw_foot(&self, frame: &mut Frame<'_>, area: Rect, more: &[Span<'static>], look: Look) {
        let width = usize::from(area.width);
        let mut left = Line::raw(fitting(&self.corners.bottom_left, width));
        for span in more {
            if left.width() + GAP.len() + span.width() <= width {
                left.push_span(GAP);
                left.push_span(span.clone());
            }
        }
        let right = fitting(&self.corners.bottom_right, width.saturating_sub(left.width() + GAP.len()));
        frame.render_widget(Paragraph::new(left), area);
        draw_right(frame, area, Line::styled(right, look.dim()));
    }
}

/// Of warnings that stand on a picture: a number of `view::raster::INKS`.
const WARNING_INK: u8 = 4;

/// Between two texts in a line.
const GAP: &str = "  ";

/// As many of the texts as fit, each whole, because a number that is cut off is another number; then a sign that there
/// are more.
fn fitting<'a>(texts: impl IntoIterator<Item = &'a String>, room: usize) -> String {
    let mut line = String::new();
    for text in texts {
        let gap = if line.is_empty() { "" } else { GAP };
        if line.width() + gap.len() + text.width() > room {
            return match line.is_empty() {
                true if room > 0 => "…".into(),
                false if line.width() + 2 <= room => line + " …",
                _ => line,
            };
        }
        line = line + gap + text;
    }
    line
}

/// As many of the texts as fit, each whole, and those that do not.
fn fitting_and_left<'a>(texts: impl Iterator<Item = &'a String>, room: usize) -> (String, Vec<&'a str>) {
    let (mut line, mut left) = (String::new(), Vec::new());
    for text in texts {
        let gap = if line.is_empty() { "" } else { GAP };
        // Those after one that does not fit are less grave: none of them goes before it.
        if left.is_empty() && line.width() + gap.len() + text.width() <= room {
            line = line + gap + text;
        } else {
            left.push(text.as_str());
        }
    }
    (line, left)
}

fn draw_right(frame: &mut Frame<'_>, area: Rect, line: Line<'_>) {
    let width = u16::try_from(line.width()).unwrap_or(u16::MAX).min(area.width);
    frame.render_widget(Paragraph::new(line), Rect { x: area.right() - width, width, ..area });
}

/// Draws a word where a picture would be.
pub fn draw_instead(frame: &mut Frame<'_>, inside: Rect, word: Line<'_>) {
    let middle = Rect { y: inside.y + inside.height / 2, height: inside.height - inside.height / 2, ..inside };
    frame.render_widget(Paragraph::new(word).centered().wrap(Wrap { trim: true }), middle);
}

/// Line above, picture and line below of a viewport.
pub fn parts(area: Rect) -> [Rect; 3] {
    let head = Rect { height: 1.min(area.height), ..area };
    let foot_height = u16::from(area.height > 1);
    let foot = Rect { y: area.bottom() - foot_height, height: foot_height, ..area };
    let inside = Rect { y: head.bottom(), height: area.height - head.height - foot.height, ..area };
    [head, inside, foot]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_cut_off_and_what_is_left_out_is_told() {
        let texts = ["bone W 2000 L 350".to_owned(), "zoom 0.64".to_owned()];
        assert_eq!(fitting(&texts, 40), "bone W 2000 L 350  zoom 0.64");
        assert_eq!(fitting(&texts, 27), "bone W 2000 L 350 …");
        assert_eq!(fitting(&texts, 17), "bone W 2000 L 350");
        assert_eq!((fitting(&texts, 16), fitting(&texts, 0)), ("…".into(), String::new()));
        assert_eq!(["Axial 1 mm", "Axial", "Axial 1"].map(|name| shortened(name, 6)), ["Axial…", "Axial", "Axial…"]);
        assert_eq!(shortened("Axial 1", 5), "");
    }

    fn warned(warnings: &[&str], width: u16, height: u16) -> (String, Vec<String>) {
        let beware = warnings.iter().map(ToString::to_string).collect();
        let around = Around { corners: Corners::default(), beware };
        let (head, _) = fitting_and_left(around.warnings(), around.warning_cells(width));
        let more = around.more_warnings(Rect::new(4, 2, width, height));
        assert!(more.iter().all(|words| words.area.right() == 4 + width && words.area.width == wide(&words.text)));
        (head, more.into_iter().map(|words| words.text).collect())
    }

    #[test]
    fn warnings_without_room_above_the_picture_stand_on_it_in_order_and_the_rest_is_counted() {
        let all = ["not for reading", "3 left out for burned-in text", "turned"];
        assert_eq!(warned(&all, 80, 12), (format!("{}  {}  {}", all[0], all[1], all[2]), Vec::new()));
        let (head, more) = warned(&all, 20, 12);
        assert_eq!(
            (head.as_str(), more),
            (all[0], vec!["3 left out for".into(), "burned-in text".into(), "turned".into()])
        );
        // One that is not whole is not begun: two rows hold one and the count of the others.
        let (_, more) = warned(&[all[0], all[2], all[1]], 20, 6);
        assert_eq!(more, ["turned", "+1 more"]);
        assert_eq!(warned(&all, 20, 6).1, ["+2 more"]);
        assert_eq!(warned(&all, 20, 4).1, ["+2 more"]);
        assert_eq!(warned(&all, 20, 3).1, [""; 0]);
    }
}
