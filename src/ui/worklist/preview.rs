//! The chosen case at a glance: its words, and beside them a key image.
//!
//! That is the image somebody marked last, a key image before all others; where nobody marked any, the middle of the
//! longest series of the index examination. Until it has arrived the nearest one stands for it.

use ratatui::Frame;
use ratatui::layout::{Layout, Rect};
use ratatui::prelude::Constraint;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use crate::encoding::text::shown;
use crate::node::api::{CaseStudyView, CaseView, InstanceView, Reply, Request, SeriesView, StudyDetail};
use crate::ui::look::Look;
use crate::ui::message::{Thumbnailed, Ticket};
use crate::ui::patient;
use crate::ui::picture::PictureKey;
use crate::ui::screen::{Context, Dots, Outcome};
use crate::ui::thumbnails::Thumbnails;
use crate::ui::viewer::KEY_IMAGE;
use crate::ui::widget::text::kind_of;
use crate::view::raster::Scene;

/// How long an examination that is still arriving is not looked into again once it has an image, in milliseconds.
const LOOK_AGAIN_MS: u64 = 5_000;

/// Most pixels of an object that is opened for a small picture, all frames together: its file is read whole.
const PIXELS_MAX: u64 = 64 << 20;

/// The chosen case.
#[derive(Debug, Default)]
pub(super) struct Preview {
    /// Whole, once the node has answered.
    case: Option<Box<CaseView>>,
    asking: Option<Ticket>,
    looking: Option<Ticket>,
    looked: Option<Looked>,
    detail: Option<StudyDetail>,
    thumbnails: Thumbnails,
}

/// The examination that was looked into last.
#[derive(Debug)]
struct Looked {
    study: String,
    /// How many of its chunks were here then.
    chunks: u64,
    at_ms: u64,
}

impl Preview {
    /// Looks at a case, or at none; what is known of it stays until the node has answered.
    pub fn look_at(&mut self, id: Option<&str>, context: &mut Context<'_>) {
        if self.case.as_deref().map(|case| case.id.as_str()) != id {
            (self.case, self.detail, self.looked) = (None, None, None);
        }
        self.asking = id.map(|id| context.ask(Request::CaseShow { case: id.to_owned() }));
    }

    /// Takes an answer; `false` if it was to something else.
    pub fn answered(&mut self, ticket: Ticket, outcome: &Outcome, context: &mut Context<'_>) -> bool {
        if self.asking == Some(ticket) {
            self.asking = None;
            if let Ok(Reply::Case(case)) = outcome.as_deref() {
                self.case = Some(case.clone());
                self.look_into_index(context);
            }
        } else if self.looking == Some(ticket) {
            self.looking = None;
            if let Ok(Reply::Study(detail)) = outcome.as_deref() {
                self.detail = Some(detail.clone());
            }
        } else {
            return false;
        }
        if let Some(key) = self.image() {
            self.thumbnails.keep(&[key], context);
        }
        true
    }

    fn look_into_index(&mut self, context: &mut Context<'_>) {
        let Some(index) = self.case.as_deref().and_then(index) else { return };
        let is_due = self.looked.as_ref().is_none_or(|looked| {
            let rests = self.image().is_some() && context.now_ms.saturating_sub(looked.at_ms) < LOOK_AGAIN_MS;
            let is_whole = index.chunks_have == index.chunks_total;
            looked.study != index.id || (looked.chunks != index.chunks_have && (is_whole || !rests))
        });
        if is_due {
            self.looked = Some(Looked { study: index.id.clone(), chunks: index.chunks_have, at_ms: context.now_ms });
            self.looking = Some(context.ask(Request::StudyShow { study: index.id.clone(), identity: false }));
        }
    }

    pub fn thumbnailed(&mut self, key: &PictureKey, outcome: &Thumbnailed) {
        self.thumbnails.made(key, outcome);
    }

    /// The frame that stands for the case.
    fn image(&self) -> Option<PictureKey> {
        let (case, detail) = (self.case.as_deref()?, self.detail.as_ref()?);
        let index = index(case).filter(|index| index.id == detail.study.id)?;
        let key = |image: &InstanceView, frame: u32| PictureKey {
            study: index.id.as_str().into(),
            sop_instance_uid: image.sop_instance_uid.as_str().into(),
            frame,
        };
        let images = || detail.series_list.iter().flat_map(|series| &series.images).filter(|image| is_shown(image));
        let (key_images, others): (Vec<_>, Vec<_>) = case.marks.iter().rev().partition(|mark| mark.kind == KEY_IMAGE);
        let marked = key_images.into_iter().chain(others).find_map(|mark| {
            let image = images().find(|image| image.sop_instance_uid == mark.image)?;
            (1..=image.frames).contains(&mark.frame).then(|| key(image, mark.frame))
        });
        marked.or_else(|| {
            let with_pixels = |series: &&SeriesView| series.images.iter().any(|image| image.frames > 0);
            let longest =
                detail.series_list.iter().rev().filter(with_pixels).max_by_key(|series| series.images.len())?;
            let middle = longest.images.len() / 2;
            let here = longest.images.iter().enumerate().filter(|(_, image)| is_shown(image));
            let (_, nearest) = here.min_by_key(|(at, _)| at.abs_diff(middle))?;
            Some(key(nearest, nearest.frames / 2 + 1))
        })
    }

    /// Where the words and the picture stand.
    fn parts(area: Rect) -> [Rect; 2] {
        // A cell is twice as high as wide.
        let wide = (area.height * 2).min(area.width / 3);
        let [words, _, picture] =
            Layout::horizontal([Constraint::Min(0), Constraint::Length(1), Constraint::Length(wide)]).areas(area);
        [words, picture]
    }

    /// The picture of the case that is chosen, if it is this one.
    pub fn scene(&self, area: Rect, chosen: &str, dots: Dots) -> Option<(Rect, Scene)> {
        self.case.as_deref().filter(|case| case.id == chosen)?;
        let [_, place] = Self::parts(area);
        Some((place, self.thumbnails.scene(&self.image()?, dots.size(place))?))
    }

    /// Draws the case that is chosen, if it is this one.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, chosen: &str, look: Look) {
        let Some(case) = self.case.as_deref().filter(|case| case.id == chosen) else { return };
        let [words, place] = Self::parts(area);
        let has_images = index(case).is_some();
        let words = if has_images { words } else { area };
        frame.render_widget(Paragraph::new(at_a_glance(case, look)).wrap(Wrap { trim: false }), words);
        let instead = match self.image() {
            _ if !has_images => return,
            Some(key) if self.thumbnails.refused(&key).is_some() => "cannot be shown",
            Some(_) => return,
            None if self.detail.is_some() => "no image here yet",
            None => return,
        };
        let middle = Rect { y: place.y + place.height / 2, height: place.height - place.height / 2, ..place };
        let line = Paragraph::new(Span::styled(instead, look.dim())).centered().wrap(Wrap { trim: true });
        frame.render_widget(line, middle);
    }
}

/// Whether an image can stand for a case.
fn is_shown(image: &InstanceView) -> bool {
    let pixels = [image.rows, image.columns, image.frames].map(u64::from);
    image.here && (1..=PIXELS_MAX).contains(&pixels.into_iter().fold(1, u64::saturating_mul))
}

/// The examination that the question is about.
fn index(case: &CaseView) -> Option<&CaseStudyView> {
    case.studies.iter().find(|study| study.role == "index" && !study.withdrawn)
}

fn at_a_glance(case: &CaseView, look: Look) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for patient in case.patient.iter().chain(&case.other_patients) {
        lines.push(Line::from(vec![
            Span::styled("real patient, seen by you only: ", look.dim()),
            Span::styled(patient::who(patient), look.heading()),
            Span::raw(format!("  {}", patient::examination(patient))),
        ]));
    }
    lines.push(Line::styled(shown(&case.question).into_owned(), look.heading()));
    for study in &case.studies {
        let gone = if study.withdrawn { ", withdrawn" } else { "" };
        lines.push(Line::raw(format!(
            "{}: {}, {} images{gone}",
            study.role,
            kind_of(&study.modality, &study.description),
            study.instances
        )));
    }
    let mut members = vec![Span::styled("members: ", look.dim())];
    for (number, member) in case.members.iter().filter(|member| !member.me).enumerate() {
        if number > 0 {
            members.push(Span::raw(", "));
        }
        members.push(Span::raw(format!("{} ({}) ", shown(&member.name), member.role)));
        members.push(Span::styled(member.delivery.clone(), look.delivery(&member.delivery)));
    }
    lines.push(Line::from(members));
    for opinion in &case.opinions {
        lines.push(Line::from(vec![
            Span::styled(format!("{} ({}): ", shown(&opinion.author), opinion.agreement), look.good()),
            Span::raw(shown(&opinion.impression).into_owned()),
        ]));
    }
    if let Some(message) = case.messages.last() {
        lines.push(Line::from(vec![
            Span::styled(format!("{}: ", shown(&message.author)), look.dim()),
            Span::raw(shown(&message.text).into_owned()),
        ]));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::api::{MarkView, StudyView};
    use crate::study::geometry::{PixelsOnly, Scale};
    use crate::study::pixels::Picture;
    use crate::ui::app::harness::{Harness, SIZES, case, summary};
    use crate::ui::message::{Message, Wish};
    use crate::view::mapping::ImagePlane;
    use crate::view::thumbnail::Thumbnail;

    fn mark(kind: &str, image: &str) -> MarkView {
        MarkView {
            id: format!("m-{kind}{image}"),
            kind: kind.into(),
            image: image.into(),
            frame: 1,
            points: Vec::new(),
            value: None,
            unit: None,
            basis: None,
            label: None,
            author: "Dr. Ben Okafor".into(),
            author_identity: "p-Dr. Ben Okafor".into(),
            time: "2026-11-24T09:00:00Z".into(),
            late: false,
            forked: false,
        }
    }

    /// A series whose images are here or not.
    fn series(uid: &str, here: &[bool]) -> SeriesView {
        let images = here.iter().enumerate().map(|(at, here)| InstanceView {
            sop_instance_uid: format!("{uid}.{at}"),
            number: None,
            frames: 1,
            rows: 4,
            columns: 4,
            here: *here,
            place: None,
        });
        SeriesView {
            series_instance_uid: uid.into(),
            modality: "CT".into(),
            description: "Chest".into(),
            number: None,
            instances: here.len(),
            instances_have: here.iter().filter(|here| **here).count(),
            left_out: 0,
            gaps: Vec::new(),
            sop_instance_uids: Vec::new(),
            images: images.collect(),
        }
    }

    fn detail(series_list: Vec<SeriesView>) -> StudyDetail {
        let study = StudyView {
            id: "s-1".into(),
            modality: "CT".into(),
            description: "Chest".into(),
            series: series_list.len(),
            instances: 0,
            left_out: 0,
            bytes_stored: 0,
            origin: "mine".into(),
            cases: Vec::new(),
        };
        StudyDetail { study, series_list, masked: Vec::new(), identity: None }
    }

    fn with_images(id: &str, marks: Vec<MarkView>) -> CaseView {
        let index = CaseStudyView {
            id: "s-1".into(),
            role: "index".into(),
            modality: "CT".into(),
            description: "Chest".into(),
            instances: 5,
            chunks_have: 5,
            chunks_total: 5,
            withdrawn: false,
            deleted_by: Vec::new(),
            still_held_by: Vec::new(),
            relative_date: String::new(),
        };
        CaseView { studies: vec![index], marks, ..case(id, "amber falcon") }
    }

    fn chosen(marks: Vec<MarkView>, series_list: Vec<SeriesView>) -> Option<String> {
        let case = Some(Box::new(with_images("c-1", marks)));
        let preview = Preview { case, detail: Some(detail(series_list)), ..Preview::default() };
        preview.image().map(|key| key.sop_instance_uid.to_string())
    }

    #[test]
    fn the_key_image_called_so_last_goes_before_the_newest_mark_and_that_before_the_middle() {
        let both = || vec![series("1", &[true; 3]), series("2", &[true; 5])];
        assert_eq!(chosen(Vec::new(), both()).as_deref(), Some("2.2"), "the middle of the longest series");
        let marks = vec![mark("length", "1.0"), mark("length", "1.1")];
        assert_eq!(chosen(marks.clone(), both()).as_deref(), Some("1.1"));
        let key = [vec![mark("key-image", "2.0"), mark("key-image", "2.1")], marks].concat();
        assert_eq!(chosen(key, both()).as_deref(), Some("2.1"));
    }

    #[test]
    fn what_has_not_arrived_is_stood_for_by_what_is_nearest() {
        let half = vec![series("1", &[true, true, false, false, false])];
        assert_eq!(chosen(vec![mark("length", "1.4")], half).as_deref(), Some("1.1"));
        assert_eq!(chosen(Vec::new(), vec![series("1", &[false])]), None);
        assert_eq!(chosen(vec![MarkView { frame: 9, ..mark("length", "1.0") }], vec![series("1", &[false])]), None);
    }

    #[test]
    fn an_object_of_many_pixels_is_not_opened_for_it() {
        let mut large = series("1", &[true; 3]);
        for image in &mut large.images[..2] {
            (image.rows, image.columns, image.frames) = (4_000, 4_000, 5);
        }
        assert_eq!(chosen(vec![mark("length", "1.0")], vec![large]).as_deref(), Some("1.2"));
    }

    #[test]
    fn while_images_arrive_it_looks_now_and_then_and_once_more_at_the_end() {
        use std::cell::Cell;
        use std::rc::Rc;
        let (have, looks) = (Rc::new(Cell::new(1)), Rc::new(Cell::new(0)));
        let (arrived, looked) = (have.clone(), looks.clone());
        let mut app = Harness::new(SIZES[0], move |request| match request {
            Request::CaseList => Some(Ok(Reply::Cases { cases: vec![summary("c-1", "amber falcon", "Cyst?")] })),
            Request::CaseShow { .. } => {
                let mut case = with_images("c-1", Vec::new());
                case.studies[0].chunks_have = arrived.get();
                Some(Ok(Reply::Case(Box::new(case))))
            }
            Request::StudyShow { .. } => {
                looked.set(looked.get() + 1);
                let here = arrived.get() > 1;
                Some(Ok(Reply::Study(detail(vec![series("1", &[here; 5])]))))
            }
            _ => None,
        });
        let mut arrives = |chunks, later_ms| {
            have.set(chunks);
            app.later(later_ms);
            app.followed(crate::node::api::Event::Happened {
                what: "chunks".into(),
                case: Some("c-1".into()),
                who: None,
            });
            looks.get()
        };
        assert_eq!(arrives(2, 100), 2, "the first look found no image");
        assert_eq!(arrives(3, 100), 2);
        assert_eq!(arrives(4, LOOK_AGAIN_MS), 3);
        assert_eq!(arrives(5, 100), 4, "all of it is here");
        assert_eq!(arrives(5, LOOK_AGAIN_MS), 4);
    }

    #[test]
    fn the_picture_is_of_the_chosen_case_and_never_of_the_one_before() {
        for size in SIZES {
            let cases = vec![summary("c-1", "amber falcon", "Cyst?"), summary("c-2", "blue heron", "Old?")];
            let mut app = Harness::new(size, move |request| match request {
                Request::CaseList => Some(Ok(Reply::Cases { cases: cases.clone() })),
                Request::CaseShow { case } if case == "c-1" => {
                    Some(Ok(Reply::Case(Box::new(with_images("c-1", Vec::new())))))
                }
                Request::StudyShow { .. } => Some(Ok(Reply::Study(detail(vec![series("1", &[true; 3])])))),
                _ => None,
            });
            let wished = std::mem::take(&mut app.wished).into_iter().find_map(|wish| match wish {
                Wish::Thumbnail(key) => Some(key),
                _ => None,
            });
            let key = wished.expect("a small picture is wished for");
            assert!(app.scenes().is_empty());
            let plane = ImagePlane::new(4, 4, &Scale::Pixels { aspect: 1.0, why: PixelsOnly::NoSpacing });
            let picture = Picture { rows: 4, columns: 4, samples: 1, bytes: vec![9; 16] };
            let outcome = Ok(Thumbnail::of(&plane, picture).unwrap());
            app.message(Message::Thumbnailed { key, outcome });
            assert_eq!(app.scenes().len(), 1);
            app.keys("j");
            assert!(app.scenes().is_empty(), "the other case has another patient");
            app.keys("k");
            assert_eq!(app.scenes().len(), 1, "it is kept for when she comes back");
        }
    }
}
