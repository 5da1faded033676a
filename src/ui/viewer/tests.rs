//! The viewer in its case, over synthetic slices; what the background does is done at once.

mod again;
mod coming_back;
mod memory;
mod together;

use std::collections::HashMap;
use std::sync::Arc;

use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use crate::node::api::{
    AboutView, CaseStudyView, CaseView, Event, Failure, FailureCode, HereView, InstancePlace, InstanceView, LiveView,
    MarkView, MemberView, MessageView, PencilView, Reply, Request, SeriesView, StudyDetail, StudyView,
};
use crate::study::measure::measure_in;
use crate::study::plane::Plane;
use crate::study::synthetic;
use crate::ui::app::harness::{Harness, SIZES, case};
use crate::ui::case::CaseScreen;
use crate::ui::keys::Place;
use crate::ui::message::{Grown, Message, Ticket, Wish};
use crate::ui::picture::{NotShown, Opened, Picture};
use crate::view::mpr::Reformat;
use crate::view::raster::Scene;

/// A series: its examination, and which of 60 slices it has; those from 100 on lie where the ones 100 before them do.
type Series = (u64, &'static [u32]);

const THICK: Series = (1, &[30, 32, 34]);
const THIN: Series = (1, &[29, 30, 31, 32, 33, 34, 35]);
/// Another patient, another frame of reference.
const PRIOR: Series = (2, &[40, 42, 44]);

/// A case on the screen, with its images.
struct Case {
    app: Harness,
    files: HashMap<String, Vec<u8>>,
    series: Vec<Series>,
    marks: Vec<MarkView>,
    messages: Vec<MessageView>,
    /// Images left out of each series, and what is said of gaps in it.
    lacking: (usize, Vec<String>),
    /// How many chunks each study has.
    chunks: u64,
    /// The request that lasts while the case is open.
    attending: Option<Ticket>,
    inking: Option<Ticket>,
}

fn uid((seed, _): Series, at: usize, slice: u32) -> String {
    format!("{seed}.{at}.{slice}")
}

impl Case {
    fn of(series: &[Series]) -> Self {
        Self::with(series, Vec::new(), (160, 50))
    }

    fn with(series: &[Series], marks: Vec<MarkView>, size: (u16, u16)) -> Self {
        Self::lacking(series, (0, Vec::new()), marks, size)
    }

    fn lacking(series: &[Series], lacking: (usize, Vec<String>), marks: Vec<MarkView>, size: (u16, u16)) -> Self {
        let mut case = Self::unanswered(series, lacking, marks, size);
        case.serve();
        if size.0 >= 110 {
            case.keys("p");
        }
        case
    }

    /// Before anything was answered.
    fn unserved(series: &[Series], marks: Vec<MarkView>, size: (u16, u16)) -> Self {
        Self::unanswered(series, (0, Vec::new()), marks, size)
    }

    fn unanswered(series: &[Series], lacking: (usize, Vec<String>), marks: Vec<MarkView>, size: (u16, u16)) -> Self {
        let mut files = HashMap::new();
        for (at, series) in series.iter().enumerate() {
            for slice in series.1 {
                files.insert(uid(*series, at, *slice), synthetic::slice(series.0, *slice % 100, 60).unwrap());
            }
        }
        let mut app = Harness::of(CaseScreen::new("c-1", "amber falcon"));
        app.message(Message::Resized { columns: size.0, rows: size.1 });
        let (series, messages) = (series.to_vec(), Vec::new());
        Self { app, files, series, marks, messages, lacking, chunks: 10, attending: None, inking: None }
    }

    fn view(&self) -> CaseView {
        let member = |name: &str, me| MemberView {
            name: name.into(),
            identity: format!("p-{name}"),
            role: "reader".into(),
            delivery: "delivered".into(),
            me,
        };
        let studies = self.series.iter().enumerate().map(|(at, _)| CaseStudyView {
            id: format!("s-{at}"),
            role: if at == 0 { "index".into() } else { format!("prior {at}") },
            modality: "CT".into(),
            description: "Chest".into(),
            instances: 3,
            chunks_have: self.chunks,
            chunks_total: self.chunks,
            withdrawn: false,
            deleted_by: Vec::new(),
            still_held_by: Vec::new(),
            relative_date: "-90 days".into(),
        });
        CaseView {
            members: vec![member("Dr. Anna Weber", true), member("Dr. Ben Okafor", false)],
            studies: studies.collect(),
            marks: self.marks.clone(),
            messages: self.messages.clone(),
            ..case("c-1", "amber falcon")
        }
    }

    fn detail(&self, study: &str) -> StudyDetail {
        let at: usize = study.trim_start_matches("s-").parse().unwrap();
        let series = self.series[at];
        let images = series.1.iter().map(|slice| {
            let uid = uid(series, at, *slice);
            let opened = Opened::read(&self.files[&uid]).unwrap();
            let plane = opened.planes()[0].clone().unwrap();
            let [a, b, c] = plane.across();
            let [d, e, f] = plane.down();
            InstanceView {
                sop_instance_uid: uid,
                number: Some(i32::try_from(*slice).unwrap()),
                frames: 1,
                rows: 512,
                columns: 512,
                here: true,
                place: Some(InstancePlace {
                    position: plane.origin_mm(),
                    orientation: [a, b, c, d, e, f],
                    spacing: [plane.between_rows_mm(), plane.between_columns_mm()],
                    thickness: Some(2.5),
                }),
            }
        });
        let series_view = SeriesView {
            series_instance_uid: format!("9.{at}"),
            modality: "CT".into(),
            description: format!("Series {at}"),
            number: Some(1),
            instances: series.1.len(),
            instances_have: series.1.len(),
            left_out: self.lacking.0,
            gaps: self.lacking.1.clone(),
            sop_instance_uids: Vec::new(),
            images: images.collect(),
        };
        StudyDetail {
            masked: Vec::new(),
            study: StudyView {
                id: study.into(),
                modality: "CT".into(),
                description: "Chest".into(),
                series: 1,
                instances: series.1.len(),
                left_out: 0,
                bytes_stored: 1,
                origin: "mine".into(),
                cases: Vec::new(),
            },
            series_list: vec![series_view],
            identity: None,
        }
    }

    fn opened(&self, uid: &str) -> Arc<Opened> {
        Arc::new(Opened::read(&self.files[uid]).unwrap())
    }

    /// Answers and does all that is asked and wished for, until nothing more is.
    fn serve(&mut self) {
        loop {
            let asked: Vec<_> = self.app.take_waiting();
            let wished = std::mem::take(&mut self.app.wished);
            if asked.is_empty() && wished.is_empty() {
                break;
            }
            asked.into_iter().for_each(|(ticket, request)| self.answer(ticket, request));
            for wish in wished {
                self.carry_out(wish);
            }
        }
        self.scenes();
    }

    fn answer(&mut self, ticket: Ticket, request: Request) {
        match request {
            Request::CaseShow { .. } => self.app.reply(ticket, Reply::Case(Box::new(self.view()))),
            Request::StudyShow { study, .. } => {
                self.app.reply(ticket, Reply::Study(self.detail(&study)));
            }
            Request::Attend { .. } => self.attending = Some(ticket),
            Request::MarkAdd { .. } => self.inking = Some(ticket),
            Request::Pencil { .. } | Request::MarkRemove { .. } => self.app.reply(ticket, Reply::Nothing {}),
            _ => {}
        }
    }

    fn carry_out(&mut self, wish: Wish) {
        let message = match wish {
            Wish::Picture(key) => {
                let outcome = Picture::decode(&key, &self.opened(&key.sop_instance_uid));
                let outcome = outcome.map(Arc::new).map_err(NotShown::by_file);
                Message::Pictured { key, outcome }
            }
            Wish::Thumbnail(key) => {
                let picture = Picture::decode(&key, &self.opened(&key.sop_instance_uid));
                let outcome =
                    picture.and_then(|picture| picture.thumbnail()).map_err(|why| Some(NotShown::by_file(why)));
                Message::Thumbnailed { key, outcome }
            }
            Wish::Measure { ticket, picture, shape, points } => {
                let outcome = measure_in(&picture.opened.image, picture.key.frame, shape, &points);
                Message::Measured { ticket, outcome: outcome.map_err(|error| error.to_string()) }
            }
            Wish::Volume { ticket, mut volume, slices } => {
                for (slice, key) in slices {
                    let opened = self.opened(&key.sop_instance_uid);
                    let frame = opened.image.frame(1).unwrap();
                    let plane = Plane::of(opened.image.header(), 1).unwrap();
                    let values = frame.values_without_padding().unwrap();
                    volume.insert(slice, &plane, &values, frame.unit()).unwrap();
                }
                Message::VolumeGrew { ticket, grown: Grown { volume, refused: None, is_done: true } }
            }
            Wish::Reformat { ticket, volume, plane, slab } => {
                let outcome = Reformat::of(&volume, &plane, slab).map(Arc::new).map_err(|error| error.to_string());
                Message::Reformatted { ticket, outcome }
            }
            _ => return,
        };
        self.app.message(message);
    }

    /// A study has other images now, and the case says so.
    fn arrives(&mut self, study: usize, series: Series) {
        self.arrived(study, series);
        self.app.pass(6_000);
        self.serve();
    }

    /// The same, before the case says so.
    fn arrived(&mut self, study: usize, series: Series) {
        for slice in series.1 {
            let file = synthetic::slice(series.0, *slice % 100, 60).unwrap();
            self.files.insert(uid(series, study, *slice), file);
        }
        self.series[study] = series;
        self.chunks += 1;
    }

    /// A moment passes.
    fn passes(&mut self) {
        self.app.pass(300);
        self.serve();
    }

    fn scenes(&mut self) -> Vec<(Rect, Scene)> {
        self.app.scenes()
    }

    fn keys(&mut self, keys: &str) -> &mut Self {
        for key in keys.chars() {
            self.key(KeyCode::Char(key));
        }
        self
    }

    fn key(&mut self, code: KeyCode) -> &mut Self {
        self.app.key(code);
        self.serve();
        self
    }

    fn far(&mut self, code: KeyCode) -> &mut Self {
        self.app.press(code, KeyModifiers::SHIFT);
        self.serve();
        self
    }

    fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) -> &mut Self {
        let event = MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
        self.app.message(Message::Pointer(event));
        self.serve();
        self
    }

    fn drag(&mut self, from: (u16, u16), to: (u16, u16)) -> &mut Self {
        self.mouse(MouseEventKind::Down(MouseButton::Left), from.0, from.1);
        self.mouse(MouseEventKind::Drag(MouseButton::Left), to.0, to.1);
        self.mouse(MouseEventKind::Up(MouseButton::Left), to.0, to.1)
    }

    fn shows(&mut self, words: &str) -> bool {
        self.scenes();
        let screen = self.app.screen();
        let shows = screen.contains(words);
        if !shows {
            println!("{words:?} is not in\n{screen}");
        }
        shows
    }

    /// What the others do now.
    fn live(&mut self, pencils: Vec<PencilView>) {
        let here = vec![HereView { name: "Dr. Ben Okafor".into(), identity: "p-Dr. Ben Okafor".into(), me: false }];
        let live = LiveView { case: "c-1".into(), here, pencils };
        let ticket = self.attending.expect("the case is attended");
        self.app.message(Message::OnTheWay { ticket, event: Event::Live(live) });
        self.serve();
    }

    /// How often words stand on the screen.
    fn count(&mut self, words: &str) -> usize {
        self.scenes();
        self.app.screen().matches(words).count()
    }

    fn inked(&self) -> &Request {
        self.app.asked.iter().rev().find(|request| matches!(request, Request::MarkAdd { .. })).expect("it was inked")
    }
}

fn mark(kind: &str, image: &str, points: &[(f64, f64)]) -> MarkView {
    MarkView {
        id: format!("m-{kind}"),
        kind: kind.into(),
        image: image.into(),
        frame: 1,
        points: points.to_vec(),
        value: Some(12.34),
        unit: Some("mm".into()),
        basis: Some("in-patient pixel spacing".into()),
        label: Some("nod\u{1b}[31mule".into()),
        author: "Dr. Ben Okafor".into(),
        author_identity: "p-Dr. Ben Okafor".into(),
        time: "2026-11-24T09:00:00Z".into(),
        late: false,
        forked: false,
    }
}

#[test]
fn a_picture_says_what_it_is_and_how_it_is_shown() {
    let mut case = Case::of(&[THICK]);
    assert!(case.shows("1 CT Series 0  image 1/3"));
    assert!(case.shows("mm: in-patient pixel spacing") && case.shows(" cm"));
    case.keys("5");
    assert!(case.shows("mediastinum W 350 L 50"));
    case.keys("j").keys("j").keys("j");
    assert!(case.shows("image 3/3"));
    case.keys("i");
    assert!(case.shows("inverted"));
}

#[test]
fn an_outline_of_the_screen_at_both_sizes() {
    for size in [(80, 24), (200, 60)] {
        let mut case = Case::with(
            &[THICK, PRIOR],
            vec![mark("length", &uid(THICK, 0, 30), &[(100.0, 100.0), (200.0, 100.0)])],
            size,
        );
        case.keys("5");
        case.app.looks_like("viewer/single");
        case.keys("g");
        case.app.looks_like("viewer/beside");
    }
}

#[test]
fn series_of_one_frame_of_reference_scroll_together() {
    let mut case = Case::of(&[THICK, THIN]);
    case.keys("gj");
    assert!(case.shows("image 2/3"));
    assert!(case.shows("image 4/7"), "slice 32 is the fourth of the thin ones");
    case.keys("l").keys("j");
    assert!(case.shows("image 3/3") && case.shows("image 4/7"), "each alone");
    // The thin series begins below the first of the thick ones.
    case.keys("l").keys(" ").key(KeyCode::Home);
    assert!(case.shows("image 1/7"));
    assert!(case.shows("image 3/3") || case.shows("image 1/3"));
}

#[test]
fn series_of_two_examinations_are_linked_by_hand_or_not_at_all() {
    let mut case = Case::of(&[THICK, PRIOR]);
    case.keys("gj");
    assert!(case.shows("image 2/3") && case.shows("image 1/3"), "nothing says how they lie to each other");
    case.keys(" j j");
    case.keys("L");
    assert!(case.shows("Linked by hand"));
    case.keys("k");
    // The toast about it goes away.
    case.app.pass(10_000);
    assert!(case.shows("manual link"));
    case.keys("L").keys("j");
    assert!(!case.shows("manual link"));
}

#[test]
fn a_mark_belongs_to_the_image_on_which_it_was_begun() {
    let mut case = Case::of(&[THICK]);
    case.keys("d ").key(KeyCode::Right);
    // The wheel scrolls on meanwhile.
    case.mouse(MouseEventKind::ScrollDown, 80, 20);
    assert!(case.shows("image 2/3"));
    case.keys(" ");
    assert!(case.shows("This mark is on another image"));
    case.mouse(MouseEventKind::ScrollUp, 80, 20).keys(" ");
    assert!(case.shows("mm (in-patient pixel spacing"));
    case.mouse(MouseEventKind::ScrollDown, 80, 20).key(KeyCode::Enter);
    let Request::MarkAdd { sop_instance_uid, points, .. } = case.inked() else { unreachable!() };
    assert_eq!((sop_instance_uid.as_str(), points.len()), (uid(THICK, 0, 30).as_str(), 2));
}

#[test]
fn two_corners_make_an_ellipse_that_can_be_adjusted_labelled_and_taken_back() {
    let mut case = Case::of(&[THICK]);
    case.keys("e ").far(KeyCode::Right).far(KeyCode::Right).far(KeyCode::Down).keys(" ");
    assert!(case.shows("HU (mean of"), "the mean with its basis");
    case.key(KeyCode::Tab).key(KeyCode::Left).key(KeyCode::Left);
    case.keys("l").keys("cyst q").key(KeyCode::Enter);
    let Request::MarkAdd { points, label, kind, .. } = case.inked() else { unreachable!() };
    assert_eq!((kind.as_str(), label.as_deref()), ("ellipse", Some("cyst q")));
    assert_eq!(points, &[(254.0, 261.0), (276.0, 261.0), (265.0, 256.0), (265.0, 266.0)]);
    case.key(KeyCode::Esc).keys("e ").far(KeyCode::Right).far(KeyCode::Down).keys(" uu");
    assert!(case.shows("ellipse: point 1 of 2"));
}

#[test]
fn a_mouse_draws_moves_and_chooses() {
    let mut case =
        Case::with(&[THICK], vec![mark("length", &uid(THICK, 0, 30), &[(200.0, 256.0), (300.0, 256.0)])], (160, 50));
    case.keys("d").drag((60, 20), (80, 20));
    assert!(case.shows("mm (in-patient pixel spacing"), "one drag draws a length");
    case.key(KeyCode::Esc);
    // The middle of the image, where the colleague's line is.
    let area = case.scenes()[0].0;
    let middle = (area.x + area.width / 2, area.y + area.height / 2);
    case.mouse(MouseEventKind::Down(MouseButton::Left), middle.0, middle.1);
    case.mouse(MouseEventKind::Up(MouseButton::Left), middle.0, middle.1);
    assert!(case.shows("12.3 mm Dr. Ben Okafor"), "the chosen mark says whose it is");
    case.keys("5").drag((60, 20), (70, 20));
    assert!(!case.shows("mediastinum"), "a drag changes the window");
}

#[test]
fn marks_are_hidden_by_author_and_those_beside_the_image_are_named_and_not_drawn() {
    let first = uid(THICK, 0, 30);
    let marks = vec![
        mark("length", &first, &[(200.0, 256.0), (300.0, 256.0)]),
        mark("arrow", &first, &[(-9.0, 1.0), (5.0, f64::NAN)]),
    ];
    let mut case = Case::with(&[THICK], marks, (160, 50));
    assert!(case.shows("nod[31mule 12.3 mm"));
    assert!(case.shows("the mark lies outside the image and is not drawn"));
    case.keys("nN");
    assert!(!case.shows("nod[31mule 12.3 mm"));
    assert!(case.shows("marks of Dr. Ben Okafor hidden"));
    case.keys("N");
    assert!(case.shows("nod[31mule 12.3 mm"));
}

#[test]
fn images_that_come_in_between_do_not_change_the_one_that_is_looked_at() {
    let mut case = Case::of(&[THICK]);
    case.keys("j");
    assert!(case.shows("image 2/3"));
    case.arrives(0, THIN);
    assert!(case.shows("image 4/7"), "still slice 32");
}

#[test]
fn three_planes_have_letters_of_their_own_and_one_window_and_go_away_again() {
    let mut case = Case::of(&[THIN]);
    case.keys("M5");
    assert_eq!(case.count("mediastinum W 350 L 50"), 4);
    for words in ["coronal ", "sagittal ", "axial "] {
        assert!(case.shows(words));
    }
    case.keys("  T");
    assert!(case.shows("MIP of 10.0 mm"));
    case.keys(">T");
    assert!(case.shows("MinIP of 15.0 mm"));
    case.keys("d");
    assert!(case.shows("Marks stand on images as they were acquired"));
    case.keys("M");
    assert_eq!((case.count("mediastinum"), case.count("image 1/7")), (1, 1));
}

#[test]
fn the_crosshair_is_in_one_place_of_the_patient_and_names_the_value_there() {
    let mut case = Case::of(&[THICK, THIN]);
    case.keys("gx");
    let frame = case.opened(&uid(THICK, 0, 30)).image.frame(1).unwrap();
    let value = frame.modality_at(256, 256).unwrap();
    assert_eq!(case.count(&format!("{value:.1} HU")), 2, "the same slice in both");
    assert!(case.shows("image 1/3") && case.shows("image 2/7"));
    case.keys("j").key(KeyCode::Left);
    assert!(case.shows("image 2/3") && case.shows("image 4/7"));
    case.key(KeyCode::Esc);
    assert_eq!(case.count(" HU"), 0);
}

#[test]
fn what_makes_no_volume_is_refused_in_words() {
    let mut case = Case::of(&[(1, &[30])]);
    case.keys("M");
    assert!(case.shows("1 slices make no volume; at least 2 are needed"));
    assert!(case.shows("image 1/1"));
}

#[test]
fn a_colleague_who_looks_is_named_and_her_pencil_comes_and_goes() {
    let mut case = Case::of(&[THICK]);
    let pencil = |points: &[(f64, f64)]| PencilView {
        author: "Dr. Ben Okafor".into(),
        identity: "p-Dr. Ben Okafor".into(),
        device: "d-1".into(),
        study: "s-0".into(),
        image: uid(THICK, 0, 30),
        frame: 1,
        kind: "length".into(),
        points: points.to_vec(),
    };
    case.live(vec![pencil(&[(200.0, 256.0), (300.0, 256.0)])]);
    assert!(case.shows("here now: Dr. Ben Okafor") && case.shows("Dr. Ben Okafor draws"));
    case.live(vec![pencil(&[(f64::NAN, 1e300)]), pencil(&[]), pencil(&[(1.0, 1.0); 400])]);
    case.live(Vec::new());
    assert!(case.shows("here now") && !case.shows("draws"));
    // And she sees what is drawn here, as it is drawn, until it is dropped.
    case.keys("d ").key(KeyCode::Right);
    case.app.pass(250);
    case.serve();
    case.key(KeyCode::Esc);
    case.app.pass(250);
    case.serve();
    let told = case.app.asked.iter().filter_map(|request| match request {
        Request::Pencil { pencil, .. } => Some(pencil.as_ref().map_or(0, |pencil| pencil.points.len())),
        _ => None,
    });
    let told: Vec<usize> = told.collect();
    assert_eq!((told.iter().max(), told.last()), (Some(&2), Some(&0)));
}

#[test]
fn a_message_takes_along_what_is_seen_and_others_can_see_it_too() {
    let mut case = Case::of(&[THICK, PRIOR]);
    case.keys("g").keys("8").keys(" j").keys("+");
    case.keys("Shere").key(KeyCode::Enter);
    let said = case.app.asked.iter().rev().find_map(|request| match request {
        Request::Say { view, text, .. } => Some((view.clone(), text.clone())),
        _ => None,
    });
    let (Some(view), text) = said.unwrap() else { panic!("without a view") };
    assert_eq!((text.as_str(), view.rows, view.columns, view.active), ("here", 1, 2, 1));
    let images: Vec<_> =
        view.viewports.iter().flatten().map(|image| (image.image.clone(), image.window.clone())).collect();
    assert_eq!(images, [(uid(THICK, 0, 30), "bone".into()), (uid(PRIOR, 1, 42), "default".into())]);
    assert!(view.viewports[1].as_ref().unwrap().part.is_some(), "it was zoomed");

    let mut other = Case::of(&[THICK, PRIOR]);
    let message = MessageView {
        id: "e-1".into(),
        author: "Dr. Ben Okafor".into(),
        author_identity: "p-Dr. Ben Okafor".into(),
        text: "here".into(),
        time: "2026-11-24T10:00:00Z".into(),
        late: false,
        view: Some(view),
        about: None,
    };
    other.messages = vec![message];
    other.app.come_back();
    other.serve();
    other.keys("V");
    assert!(other.shows("What Dr. Ben Okafor saw."));
    assert!(other.shows("bone W 2000 L 350") && other.shows("prior 1 image 2/3"));
    other.keys("V");
    assert!(other.shows("What you looked at before.") && !other.shows("prior 1 image"));
}

#[test]
fn a_mark_is_answered_and_the_answer_leads_back_to_it() {
    let second = uid(THICK, 0, 32);
    let length = MarkView {
        value: Some(12.0),
        unit: Some("mm".into()),
        ..mark("length", &second, &[(200.0, 256.0), (300.0, 256.0)])
    };
    for (columns, rows) in SIZES {
        let mut case = Case::with(&[THICK], vec![length.clone()], (columns, rows));
        case.keys("D");
        assert_eq!(case.app.said(), "Choose a mark first: n goes from one to the next.");
        case.keys("nD").app.pass(20_000);
        case.serve();
        assert!(case.shows("about Dr. Ben Okafor's length 12"), "the editor says what it is about");
        case.keys("Along the wrong axis?");
        case.app.looks_like("answer-mark");
        case.key(KeyCode::Enter);
        let said = case.app.asked.iter().rev().find_map(|request| match request {
            Request::Say { reply_to, text, .. } => Some((reply_to.clone(), text.clone())),
            _ => None,
        });
        assert_eq!(said, Some((Some("m-length".into()), "Along the wrong axis?".into())));
        // The next thing that is said is about nothing.
        case.key(KeyCode::Esc).keys("s");
        assert!(!case.shows("about Dr. Ben"));
    }
    for (columns, rows) in SIZES {
        let mut other = Case::with(&[THICK], vec![length.clone()], (columns, rows));
        let about = |state: &str, image: Option<String>| AboutView {
            id: "m-length".into(),
            kind: "mark".into(),
            state: state.into(),
            author: Some("Dr. Ben Okafor".into()),
            words: "length 12 mm".into(),
            frame: image.as_ref().map(|_| 1),
            image,
        };
        let answer = |text: &str, about| MessageView {
            id: "e-1".into(),
            author: "Dr. Anna Weber".into(),
            author_identity: "p-Dr. Anna Weber".into(),
            text: text.into(),
            time: "2026-11-24T10:00:00Z".into(),
            late: false,
            view: None,
            about: Some(about),
        };
        other.messages = vec![
            answer("Along the wrong axis?", about("here", Some(second.clone()))),
            answer("And this?", about("deleted", None)),
            answer("And that?", about("unknown", None)),
        ];
        other.app.come_back();
        other.serve();
        if columns >= 110 {
            other.keys("p");
        }
        other.key(KeyCode::Tab).key(KeyCode::Tab);
        other.app.looks_like("answers");
        other.keys("V");
        assert!(other.app.said().starts_with("What Dr. Anna Weber answers."), "{}", other.app.said());
        other.keys("p");
        assert!(other.shows("image 2/3"));
        other.keys("V");
        assert!(other.shows("What you looked at before.") && other.shows("image 1/3"));
    }
}

#[test]
fn one_series_is_cut_at_a_time_and_never_under_the_name_of_another() {
    let mut case = Case::of(&[THICK, THIN]);
    case.keys("g,");
    assert_eq!(case.count("axial "), 1);
    case.keys(" ,");
    assert_eq!(case.count("axial "), 1, "the first one shows its frames again");
    assert!(case.shows("image 1/3"));
}

#[test]
fn viewports_follow_to_where_the_scroll_ends_whatever_was_opened_on_the_way() {
    let mut case = Case::of(&[THICK, THIN]);
    case.keys("gx");
    case.app.key(KeyCode::Char('j')).key(KeyCode::Char('j'));
    case.serve();
    assert!(case.shows("image 3/3") && case.shows("image 6/7"));
}

#[test]
fn a_crosshair_is_drawn_only_on_slices_that_hold_its_point() {
    let mut case = Case::of(&[THICK, (1, &[50, 52])]);
    case.keys("gx");
    assert_eq!(case.count(" HU"), 1, "50 mm away is not here");
    assert!(case.shows("no slice here; the nearest is"));
    case.key(KeyCode::Esc);
    assert!(!case.shows("no slice here"));
}

#[test]
fn enter_twice_inks_once_and_a_mark_that_was_changed_meanwhile_stays() {
    let mut case = Case::of(&[THICK]);
    case.keys("d ").far(KeyCode::Right).keys(" ");
    case.key(KeyCode::Enter).key(KeyCode::Enter);
    let inked = case.app.asked.iter().filter(|request| matches!(request, Request::MarkAdd { .. })).count();
    assert_eq!(inked, 1);
    case.key(KeyCode::Left);
    let ticket = case.inking.expect("it was asked for");
    case.app.reply(ticket, Reply::Nothing {});
    case.serve();
    assert!(case.shows("Enter inks it"), "it is another mark now");
}

#[test]
fn the_label_that_is_inked_is_the_one_she_was_asked_about() {
    let mut case = Case::of(&[THICK]);
    case.keys("d ").far(KeyCode::Right).keys(" l").keys("1939").key(KeyCode::Enter);
    let refuse = |case: &mut Case| {
        let ticket = case.inking.take().expect("it was asked for");
        case.app.fail(ticket, Failure::new(FailureCode::TextCheck, "It looks like a date."));
    };
    // She goes on writing before the node has answered.
    case.keys("l").keys(" Meier");
    refuse(&mut case);
    assert!(case.app.asks().contains("Ink it as it is?"), "{}", case.app.asks());
    case.keys("y");
    let inked = |case: &Case| match case.inked() {
        Request::MarkAdd { label, text_checked, .. } => (label.clone().unwrap_or_default(), *text_checked),
        other => panic!("{other:?}"),
    };
    assert_eq!(inked(&case), ("1939".into(), true));
    let ticket = case.inking.take().expect("it was asked for");
    case.app.reply(ticket, Reply::Nothing {});
    case.serve();
    assert!(case.app.said().contains("with the label it had before"), "{}", case.app.said());
    case.key(KeyCode::Enter);
    assert_eq!(inked(&case), ("1939 Meier".into(), false), "the other label is looked through first");
}

#[test]
fn the_mark_that_is_deleted_is_the_one_the_question_named() {
    let first = uid(THICK, 0, 30);
    let mine = |kind: &str| MarkView {
        author: "Dr. Anna Weber".into(),
        author_identity: "p-Dr. Anna Weber".into(),
        ..mark(kind, &first, &[(9.0, 9.0), (50.0, 50.0)])
    };
    let mut case = Case::with(&[THICK], vec![mine("length"), mine("arrow")], (160, 50));
    case.keys("n").key(KeyCode::Delete);
    assert!(case.app.asks().contains("Delete your mark?"));
    // It goes while the question stands, and another one moves up.
    case.marks.remove(0);
    case.app.pass(6_000);
    case.serve();
    case.keys("y");
    let removed = case.app.asked.iter().find_map(|request| match request {
        Request::MarkRemove { mark } => Some(mark.clone()),
        _ => None,
    });
    assert_eq!(removed.as_deref(), Some("m-length"));
}

#[test]
fn a_key_turns_the_image_on_the_screen_into_a_key_image_and_back() {
    let (first, second) = (uid(THICK, 0, 30), uid(THICK, 0, 32));
    let theirs = MarkView { value: None, label: None, ..mark("key-image", &first, &[]) };
    let mut case = Case::with(&[THICK], vec![theirs.clone()], (160, 50));
    assert!(case.shows("key image of Dr. Ben Okafor"));
    case.keys("K");
    let Request::MarkAdd { sop_instance_uid, kind, points, .. } = case.inked() else { unreachable!() };
    assert_eq!((sop_instance_uid, kind.as_str(), points.len()), (&first, "key-image", 0));
    let ticket = case.inking.take().unwrap();
    let mine = MarkView {
        id: "m-mine".into(),
        author: "Dr. Anna Weber".into(),
        author_identity: "p-Dr. Anna Weber".into(),
        ..theirs
    };
    case.marks.push(mine);
    case.app.reply(ticket, Reply::Nothing {});
    case.serve();
    assert!(case.shows("key image of Dr. Ben Okafor, Dr. Anna Weber"));
    case.keys("K");
    assert!(
        case.app.asked.iter().any(|asked| matches!(asked, Request::MarkRemove { mark } if mark == "m-mine")),
        "the own one goes, the colleague's stays"
    );
    case.keys("j");
    assert_eq!(case.count("key image of"), 0, "{second} is none");
    case.keys("n");
    assert!(case.shows("image 1/3"), "n goes to key images too");
    case.keys("m");
    assert_eq!(case.count("key image of"), 0, "hidden with the marks");
    case.app.asked.clear();
    case.marks.push(MarkView {
        id: "m-mine".into(),
        author: "Dr. Anna Weber".into(),
        author_identity: "p-Dr. Anna Weber".into(),
        ..case.marks[0].clone()
    });
    case.app.pass(6_000);
    case.serve();
    case.keys("K");
    assert!(!case.app.asked.iter().any(|asked| matches!(asked, Request::MarkRemove { .. })), "it is not seen");
    assert!(case.app.said().contains("m shows them"));
}

#[test]
fn an_image_that_two_call_a_key_image_counts_once() {
    let first = uid(THICK, 0, 30);
    let of = |author: &str| MarkView {
        author: author.into(),
        author_identity: format!("p-{author}"),
        ..mark("key-image", &first, &[])
    };
    let mut case = Case::with(&[THICK, PRIOR], vec![of("Dr. Anna Weber"), of("Dr. Ben Okafor")], (200, 60));
    case.passes();
    assert!(case.shows("3 images  1 key"));
}

#[test]
fn small_pictures_of_the_series_stand_where_there_is_room_and_a_click_shows_one() {
    let mut case = Case::with(&[THICK, PRIOR, THIN], Vec::new(), (200, 60));
    case.passes();
    assert!(case.shows("prior 2 7") && case.shows("prior 1 3"));
    let scenes = case.scenes();
    assert_eq!(scenes.len(), 4, "the viewport and three small pictures");
    let entry = scenes[2].0;
    case.mouse(MouseEventKind::Down(MouseButton::Left), entry.x + 3, entry.y + 3);
    case.mouse(MouseEventKind::Up(MouseButton::Left), entry.x + 3, entry.y + 3);
    assert!(case.shows("prior 1 image 1/3"));
    case.mouse(MouseEventKind::ScrollDown, entry.x + 3, entry.y + 3);
    assert!(case.shows("prior 2 image 1/7"), "the wheel goes from series to series");
    case.keys("P");
    assert_eq!(case.scenes().len(), 1, "P takes them away");
    case.keys("P");
    assert_eq!(case.scenes().len(), 4);
    // Two rows of two leave the strip no room that the pictures would not miss; who asked for it keeps it.
    case.keys("g");
    assert!(case.scenes().len() > 4);

    let mut narrow = Case::with(&[THICK, PRIOR], Vec::new(), (80, 24));
    narrow.passes();
    assert_eq!(narrow.scenes().len(), 1);
    narrow.keys("P");
    assert_eq!(narrow.scenes().len(), 3, "asked for, it stands beside a narrow picture too");
}

#[test]
fn a_series_of_which_nothing_is_here_says_so_and_has_its_picture_once_it_comes() {
    let mut case = Case::with(&[THICK, PRIOR], Vec::new(), (80, 24));
    let (mut away, view) = (case.detail("s-1"), Box::new(case.view()));
    away.series_list[0].images.iter_mut().for_each(|image| image.here = false);
    let whole = case.detail("s-0");
    let arriving = move |away: StudyDetail, have| {
        let (view, whole) = (view.clone(), whole.clone());
        move |request: &Request| match request {
            Request::CaseShow { .. } => {
                let mut view = view.clone();
                view.studies[1].chunks_have = have;
                Some(Ok(Reply::Case(view)))
            }
            Request::StudyShow { study, .. } if study == "s-0" => Some(Ok(Reply::Study(whole.clone()))),
            Request::StudyShow { .. } => Some(Ok(Reply::Study(away.clone()))),
            _ => None,
        }
    };
    case.app.script(arriving(away.clone(), 1));
    case.app.pass(6_000);
    case.serve();
    case.keys("P");
    assert!(case.shows("prior 1 0/3") && case.shows("not here yet"));
    away.series_list[0].images[2].here = true;
    case.app.script(arriving(away, 2));
    case.app.pass(6_000);
    case.serve();
    case.passes();
    assert!(case.shows("prior 1 1/3"));
    assert_eq!(case.count("not here yet"), 0);
    assert_eq!(case.scenes().len(), 3, "the image that came stands for its series");
}

#[test]
fn an_opinion_that_is_begun_with_a_pencil_in_hand_inks_the_mark_first() {
    let mut case = Case::of(&[THICK]);
    case.keys("d ");
    case.app.control('o');
    assert_eq!(case.app.place(), Place::Marking, "a length of one point is no mark yet");
    case.far(KeyCode::Right).keys(" ");
    case.app.control('o');
    case.serve();
    assert_eq!(case.app.place(), Place::Marking, "the form waits until the mark is written");
    let ticket = case.inking.take().expect("it is inked");
    case.app.reply(ticket, Reply::Nothing {});
    assert_eq!(case.app.place(), Place::Opinion);
    case.app.key(KeyCode::Esc);
    case.serve();
    assert_eq!(case.app.place(), Place::Case, "the pencil is gone");
}

#[test]
fn what_is_on_the_screen_and_has_not_arrived_is_asked_for_first_and_once() {
    let mut case = Case::of(&[THIN]);
    let (mut detail, view) = (case.detail("s-0"), Box::new(case.view()));
    for image in detail.series_list[0].images.iter_mut().skip(2) {
        image.here = false;
    }
    case.app.script(move |request| match request {
        Request::CaseShow { .. } => {
            let mut view = view.clone();
            view.studies[0].chunks_have = 3;
            Some(Ok(Reply::Case(view)))
        }
        Request::StudyShow { .. } => Some(Ok(Reply::Study(detail.clone()))),
        _ => None,
    });
    let hurried = |case: &mut Case| {
        case.passes();
        let asked = std::mem::take(&mut case.app.asked).into_iter().filter_map(|request| match request {
            Request::OnScreen { images, .. } => {
                Some(images.into_iter().map(|image| image.sop_instance_uid).collect::<Vec<_>>())
            }
            _ => None,
        });
        asked.collect::<Vec<_>>()
    };
    case.app.pass(6_000);
    case.serve();
    let uids = |slices: &[u32]| slices.iter().map(|slice| uid(THIN, 0, *slice)).collect::<Vec<_>>();
    assert_eq!(hurried(&mut case), [uids(&[31, 32, 33, 34, 35])], "those ahead, the nearest first");
    assert!(hurried(&mut case).is_empty(), "not again");
    case.key(KeyCode::End);
    assert!(case.shows("this image has not arrived yet"));
    assert_eq!(hurried(&mut case), [uids(&[35])]);
    case.key(KeyCode::Up);
    assert_eq!(hurried(&mut case), [uids(&[34, 33, 32, 31])], "the way the reader goes");
}

/// Where words stand on the screen.
fn place_of(case: &mut Case, words: &str) -> (u16, u16) {
    case.scenes();
    let screen = case.app.screen();
    let found =
        screen.lines().enumerate().find_map(|(row, line)| Some((line[..line.find(words)?].chars().count(), row)));
    let (column, row) = found.unwrap_or_else(|| panic!("no {words} in {screen}"));
    (u16::try_from(column).unwrap(), u16::try_from(row).unwrap())
}

#[test]
fn a_click_on_a_mark_in_the_panel_jumps_to_it_and_keys_go_on_and_back() {
    for size in SIZES {
        let at = |slice| uid(THICK, 0, slice);
        let points = [(200.0, 256.0), (300.0, 256.0)];
        let unknown = MarkView { kind: "hologram".into(), ..mark("hologram", &at(30), &points) };
        let marks = vec![mark("length", &at(32), &points), unknown, mark("arrow", &at(34), &points)];
        let mut case = Case::with(&[THICK], marks, size);
        let is_narrow = size.0 < 110;
        if !is_narrow {
            case.keys("p");
        }
        for _ in 0..3 {
            case.key(KeyCode::Tab);
        }
        case.app.looks_like("case/marks");
        for (words, image) in [("Okafor arrow", "image 3/3"), ("Okafor length", "image 2/3")] {
            let (column, row) = place_of(&mut case, words);
            case.mouse(MouseEventKind::Down(MouseButton::Left), column, row);
            assert!(case.shows(image));
            case.app.pass(7_000);
            case.serve();
            if is_narrow {
                assert!(!case.shows(words), "a narrow screen has images or panel");
                case.keys("p");
            }
            assert!(case.shows(&format!("› Dr. Ben {words}")));
        }
        // The line below a mark is its own; one that this program does not draw leads nowhere.
        let (column, row) = place_of(&mut case, "Okafor hologram");
        case.mouse(MouseEventKind::Down(MouseButton::Left), column, row);
        assert!(case.shows("› Dr. Ben Okafor length"));
        let (column, row) = place_of(&mut case, "Okafor arrow");
        case.mouse(MouseEventKind::Down(MouseButton::Left), column, row + 1);
        assert!(case.shows("image 3/3"));
        if is_narrow {
            case.keys("p");
        }
        case.keys("{");
        assert!(case.shows("› Dr. Ben Okafor length"));
        case.keys("}");
        assert!(case.shows("› Dr. Ben Okafor arrow"));
        case.key(KeyCode::Enter);
        assert!(case.shows("image 3/3"));
    }
}

#[test]
fn no_warning_is_lost_beside_another_viewport_on_a_small_screen() {
    let gaps = vec!["2 slices are missing between 5.0 and 12.5 mm".to_owned()];
    for size in SIZES {
        let mut case = Case::lacking(&[THICK, PRIOR], (3, gaps.clone()), Vec::new(), size);
        case.keys("gr");
        for words in ["3 left out for burned-in text", "turned"] {
            assert!(case.shows(words));
        }
        // Broken over lines where it is longer than the viewport.
        assert!(case.shows("2 slices are missing between 5.0"));
        case.app.looks_like("viewer/warnings");
        let covered = case.app.covered();
        for (inside, _) in case.scenes() {
            let here: Vec<&Rect> = covered.iter().filter(|area| inside.intersects(**area)).collect();
            for (at, area) in here.iter().enumerate() {
                assert!(!here[at + 1..].iter().any(|other| other.intersects(**area)), "words over words");
            }
        }
        // Two below each other have less room: what finds none is counted, the gravest stand.
        case.keys("g");
        assert!(case.shows("3 left out for burned-in text") && case.shows("reduced 1:3.7") == (size == SIZES[0]));
        case.app.looks_like("viewer/warnings-stacked");
    }
}
