//! Any keys, pointers, pastes and sizes over a node that tells nothing but lies: the app never panics, and no control
//! character reaches a cell.
//!
//! What a test does is decided by its seed alone.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use crossterm::event::{KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent};
use serde_json::{Value, json};

use super::harness::Harness;
use super::*;
use crate::node::api::{Failure, FailureCode, HereView, LiveView, PencilView};
use crate::study::measure::measure_in;
use crate::ui::case::CaseScreen;
use crate::ui::files::{Entry, Kind, Listing};
use crate::ui::message::Grown;
use crate::ui::picture::{NotShown, Opened, Picture, PictureKey};
use crate::ui::worker::voxels;
use crate::view::mpr::Reformat;

/// Events of one seed.
const EVENTS: usize = 1_250;

/// After so many events the case is opened again, wherever the keys led.
const RETURN_EVERY: usize = 25;

/// Sample files longer than this are left out, since decoding them takes long without optimisation.
const SAMPLE_BYTES_MAX: u64 = 600_000;

/// What somebody writes who wants to command the terminal, or to break a line's width.
const TEXT: &str = "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{202e}evil\u{2066}\r\n\t\u{0}\u{7f}\u{200b}e\u{301}\u{301}東京 \
                    \u{1f3f3}\u{fe0f}\u{200d}\u{1f308}\u{fffd}\u{2028}\u{85}z";

/// A count of what the node holds: more than a home ever has, and yet counted.
const MANY: u32 = u32::MAX;

#[test]
fn any_keys_over_a_hostile_study_1() {
    play(1);
}

#[test]
fn any_keys_over_a_hostile_study_2() {
    play(2);
}

#[test]
fn any_keys_over_a_hostile_study_3() {
    play(3);
}

#[test]
fn any_keys_over_a_hostile_study_4() {
    play(4);
}

#[test]
fn any_keys_over_a_hostile_study_5() {
    play(5);
}

#[test]
fn any_keys_over_a_hostile_study_6() {
    play(6);
}

#[test]
fn any_keys_over_a_hostile_study_7() {
    play(7);
}

#[test]
fn any_keys_over_a_hostile_study_8() {
    play(8);
}

fn play(seed: u64) {
    let mut player = Player::new(seed);
    for number in 0..EVENTS {
        if number % RETURN_EVERY == 0 || player.app.is_quitting() {
            player.open_case();
        }
        player.event();
        player.carry_out();
        player.look();
    }
    assert!(player.shown > 100, "only {} pictures were shown", player.shown);
}

/// The app, the disk it reads, and who plays with them.
struct Player {
    app: Harness,
    dice: Dice,
    files: Arc<HashMap<String, Arc<Vec<u8>>>>,
    decoded: HashMap<PictureKey, Result<Arc<Picture>, String>>,
    size: (u16, u16),
    /// Scenes drawn so far.
    shown: usize,
}

impl Player {
    fn new(seed: u64) -> Self {
        let files = Arc::new(files());
        let app = Self::start(&files, seed);
        Self { app, dice: Dice(seed), files, decoded: HashMap::new(), size: (80, 24), shown: 0 }
    }

    fn start(files: &Arc<HashMap<String, Arc<Vec<u8>>>>, seed: u64) -> Harness {
        let (files, mut dice) = (Arc::clone(files), Dice(seed ^ 0xbad));
        let mut uids: Vec<String> = files.keys().cloned().collect();
        uids.sort();
        uids.sort_by_cached_key(|_| dice.roll());
        // From half blocks to a coarse terminal: large pictures take long without optimisation.
        let (across, down) = [(1, 2), (2, 4), (4, 8), (5, 9)][(dice.roll() % 4) as usize];
        Harness::new((80, 24), move |request| answer(request, &uids, &mut dice)).with_dots(across, down)
    }

    /// A case whose pictures fill the screen, in an app that has not been quit.
    fn open_case(&mut self) {
        if self.app.is_quitting() || self.app.place() == Place::Unlock {
            self.app = Self::start(&self.files, self.dice.roll());
        }
        self.app.back_to::<Worklist>();
        self.app.go(Go::Over(Box::new(CaseScreen::new("c-hostile", TEXT))));
        let size = (80 + self.below(140) as u16, 24 + self.below(40) as u16);
        self.resize(size);
        // The panel covers the pictures of a narrow screen; what is on it is another matter.
        if size.0 < 110 && self.below(3) > 0 {
            self.app.keys("p");
        }
    }

    fn resize(&mut self, size: (u16, u16)) {
        self.size = size;
        self.app.message(Message::Resized { columns: size.0, rows: size.1 });
    }

    fn below(&mut self, end: u64) -> u64 {
        self.dice.roll() % end
    }

    fn event(&mut self) {
        let message = match self.below(100) {
            0..50 => self.bound_key(),
            50..65 => Message::Key(self.any_key()),
            65..85 => Message::Pointer(self.pointer()),
            85..88 => Message::Paste(TEXT.chars().cycle().take(self.below(3_000) as usize).collect()),
            88..90 => {
                let size = (self.below(301) as u16, self.below(101) as u16);
                return self.resize(size);
            }
            90..97 => {
                let milliseconds = self.below(2_000);
                self.app.pass(milliseconds);
                return;
            }
            97 => Message::Followed(Event::InboxStudy {
                study: TEXT.into(),
                modality: TEXT.into(),
                instances: usize::MAX,
                state: ["arriving", "complete", "incomplete"][self.below(3) as usize].into(),
            }),
            _ => Message::Followed(Event::Happened {
                what: TEXT.into(),
                case: Some("c-hostile".into()).filter(|_| self.below(2) == 0),
                who: Some(TEXT.into()),
            }),
        };
        self.app.message(message);
    }

    /// A key that means something where the app is.
    fn bound_key(&mut self) -> Message {
        let bindings = keys::bindings(self.app.place());
        let at = self.below(bindings.len() as u64) as usize;
        let chord = bindings[at].chord;
        Message::Key(KeyEvent::new(chord.code, chord.modifiers))
    }

    fn any_key(&mut self) -> KeyEvent {
        const CODES: [KeyCode; 20] = [
            KeyCode::Backspace,
            KeyCode::Enter,
            KeyCode::Left,
            KeyCode::Right,
            KeyCode::Up,
            KeyCode::Down,
            KeyCode::Home,
            KeyCode::End,
            KeyCode::PageUp,
            KeyCode::PageDown,
            KeyCode::Tab,
            KeyCode::BackTab,
            KeyCode::Delete,
            KeyCode::Insert,
            KeyCode::Null,
            KeyCode::Esc,
            KeyCode::CapsLock,
            KeyCode::Menu,
            KeyCode::KeypadBegin,
            KeyCode::F(255),
        ];
        let code = match self.below(4) {
            0 => CODES[self.below(CODES.len() as u64) as usize],
            1 => KeyCode::Char(TEXT.chars().nth(self.below(TEXT.chars().count() as u64) as usize).unwrap()),
            _ => KeyCode::Char(char::from(b' ' + self.below(95) as u8)),
        };
        let modifiers = match self.below(3) {
            0 => KeyModifiers::from_bits_truncate(self.dice.roll() as u8),
            _ => KeyModifiers::NONE,
        };
        let kind = [KeyEventKind::Press, KeyEventKind::Repeat, KeyEventKind::Release][self.below(20).min(2) as usize];
        let kind = if kind == KeyEventKind::Release && self.below(9) > 0 { KeyEventKind::Press } else { kind };
        KeyEvent::new_with_kind(code, modifiers, kind)
    }

    fn pointer(&mut self) -> MouseEvent {
        let button = [MouseButton::Left, MouseButton::Right, MouseButton::Middle][self.below(3) as usize];
        let kind = match self.below(8) {
            0 => MouseEventKind::Down(button),
            1 => MouseEventKind::Up(button),
            2 | 3 => MouseEventKind::Drag(button),
            4 => MouseEventKind::Moved,
            5 => MouseEventKind::ScrollDown,
            6 => MouseEventKind::ScrollUp,
            _ => [MouseEventKind::ScrollLeft, MouseEventKind::ScrollRight][self.below(2) as usize],
        };
        let mut at = |inside| match self.below(10) {
            0 => self.dice.roll() as u16,
            _ => self.below(inside) as u16,
        };
        let (column, row) = (at(200), at(60));
        MouseEvent { kind, column, row, modifiers: KeyModifiers::from_bits_truncate(self.below(8) as u8) }
    }

    /// Does what the background does.
    fn carry_out(&mut self) {
        // What nobody answers is answered with nonsense at times.
        if self.below(4) == 0 && !self.app.waiting.is_empty() {
            let outcome = if self.below(2) == 0 { Ok(Reply::Nothing {}) } else { Err(failure()) };
            self.app.answer(outcome);
        }
        let attends =
            |(ticket, request): &(Ticket, Request)| matches!(request, Request::Attend { .. }).then_some(*ticket);
        if let Some(ticket) = self.app.waiting.iter().find_map(attends)
            && self.below(4) == 0
        {
            let live = self.live();
            self.app.message(Message::OnTheWay { ticket, event: Event::Live(live) });
        }
        while let Some(wish) = self.app.wished.pop() {
            let message = match wish {
                Wish::Picture(key) if self.below(20) == 0 => Message::PictureDropped(key),
                Wish::Picture(key) => {
                    let lasts = self.below(2) == 0;
                    let outcome = self.decoded(&key).map_err(|why| NotShown { why, lasts });
                    Message::Pictured { key, outcome }
                }
                Wish::Measure { ticket, picture, shape, points } => {
                    let outcome = measure_in(&picture.opened.image, picture.key.frame, shape, &points);
                    Message::Measured { ticket, outcome: outcome.map_err(|error| error.to_string()) }
                }
                Wish::Volume { ticket, mut volume, slices } => {
                    let mut refused = None;
                    for (slice, key) in slices {
                        let opened = self.opened(&key);
                        let put = opened.and_then(|opened| voxels(&key, &opened)).and_then(|(plane, values, unit)| {
                            volume.insert(slice, &plane, &values, unit).map_err(|error| error.to_string())
                        });
                        refused = refused.or(put.err());
                    }
                    let is_done = self.below(4) > 0;
                    Message::VolumeGrew { ticket, grown: Grown { volume, refused, is_done } }
                }
                Wish::Reformat { ticket, volume, plane, slab } => {
                    let outcome = Reformat::of(&volume, &plane, slab).map(Arc::new);
                    Message::Reformatted { ticket, outcome: outcome.map_err(|error| error.to_string()) }
                }
                Wish::List { ticket, path } => Message::Listed { ticket, outcome: listing(&path) },
                Wish::ReadText { ticket, .. } => Message::TextRead { ticket, outcome: Ok(TEXT.repeat(40)) },
                _ => continue,
            };
            self.app.message(message);
        }
    }

    /// Somebody is here, and draws what no image holds.
    fn live(&mut self) -> LiveView {
        let odd = [f64::NAN, f64::INFINITY, -1e300, 1e300, -0.5, 3.0, 20.0];
        let image = self.files.keys().next().cloned().unwrap_or_default();
        let count = self.below(8);
        let points = (0..count).map(|_| (odd[self.below(7) as usize], odd[self.below(7) as usize])).collect();
        let pencil = PencilView {
            author: TEXT.into(),
            identity: TEXT.into(),
            device: TEXT.into(),
            study: "s-hostile".into(),
            image,
            frame: 1,
            kind: ["length", "ellipse", "cobb", "freehand"][self.below(4) as usize].into(),
            points,
        };
        let here = HereView { name: TEXT.into(), identity: TEXT.into(), me: self.below(2) == 0 };
        LiveView { case: "c-hostile".into(), here: vec![here], pencils: vec![pencil] }
    }

    fn decoded(&mut self, key: &PictureKey) -> Result<Arc<Picture>, String> {
        if let Some(known) = self.decoded.get(key) {
            return known.clone();
        }
        let decoded = self.opened(key).and_then(|opened| Picture::decode(key, &opened)).map(Arc::new);
        self.decoded.insert(key.clone(), decoded.clone());
        decoded
    }

    fn opened(&self, key: &PictureKey) -> Result<Arc<Opened>, String> {
        let file = self.files.get(&*key.sop_instance_uid).ok_or(TEXT)?;
        Opened::read(file).map(Arc::new)
    }

    /// Makes the scenes, as the terminal would, and draws every cell.
    fn look(&mut self) {
        let scenes = self.app.scenes();
        self.shown += scenes.len();
        if self.below(20) == 0 {
            for (_, scene) in &scenes {
                scene.flatten(64, 48);
            }
        }
        for area in self.app.covered() {
            assert!(area.right() <= self.size.0 && area.bottom() <= self.size.1, "{area:?} of {:?}", self.size);
        }
        let buffer = self.app.buffer();
        let bad = |c: char| {
            c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        if let Some(cell) = buffer.content().iter().find(|cell| cell.symbol().contains(bad)) {
            panic!("a cell holds {:?} at {:?}: {}", cell.symbol(), self.app.place(), self.app.screen());
        }
    }
}

fn failure() -> Failure {
    Failure::new(FailureCode::TextCheck, TEXT).hint(TEXT).detail(TEXT, vec![TEXT.into(), TEXT.into()])
}

fn listing(path: &Path) -> Result<Listing, String> {
    let entry = |name: &str, kind| Entry { name: OsString::from(name), kind, bytes: u64::MAX };
    let entries = vec![entry(TEXT, Kind::Folder), entry("a", Kind::File), entry(&format!("{TEXT}.zip"), Kind::Archive)];
    Ok(Listing { folder: path.join(TEXT), entries, cut: true, file: Some(OsString::from(TEXT)) })
}

/// What the node says: everything that can be text is hostile, everything that can be a number is absurd.
fn answer(request: &Request, uids: &[String], dice: &mut Dice) -> Option<Result<Reply, Failure>> {
    let reply = match request {
        Request::CaseList => json!({"reply": "cases", "value": {"cases": [summary("c-hostile"), summary(TEXT)]}}),
        Request::CaseShow { .. } => return Some(Ok(Reply::Case(Box::new(case(uids, dice))))),
        Request::CaseLog { .. } => json!({"reply": "log", "value": {"entries": [{
            "id": TEXT, "author": TEXT, "device": TEXT, "sequence": u64::MAX, "time": TEXT, "what": TEXT,
            "outcome": TEXT, "flags": [TEXT, TEXT]}]}}),
        Request::StudyShow { .. } => json!({"reply": "study", "value": detail(uids)}),
        Request::StudyList => json!({"reply": "studies", "value": {"studies": [study("s-hostile"), study(TEXT)]}}),
        Request::StudyPatients => json!({"reply": "patients", "value": {"patients": [
            {"study": "s-hostile", "patient": patient()}, {"study": TEXT, "patient": patient()}]}}),
        Request::StudyLeftOut { .. } => {
            let images: Vec<Value> = uids.iter().map(|uid| left_out(uid)).collect();
            json!({"reply": "left_out", "value": {"images": images}})
        }
        Request::Transfers => {
            let line = |direction: &str, state: &str| {
                json!({"case": "c-hostile", "spoken": TEXT, "direction": direction, "who": TEXT, "identity": TEXT,
                    "state": state, "waits_for": TEXT, "chunks_done": u64::MAX, "chunks_total": 1,
                    "images_done": u64::MAX, "images_total": 0, "bytes_done": u64::MAX, "bytes_total": u64::MAX,
                    "bytes_per_second": u64::MAX, "seconds_left": u64::MAX, "at": TEXT})
            };
            json!({"reply": "transfers", "value": {"transfers": [line("giving", "not sent"), line("taking", "arriving"),
                line(TEXT, TEXT), line("taking", "complete")]}})
        }
        Request::InboxList => {
            let arrival = |state: &str| {
                json!({"id": TEXT, "modality": TEXT, "series": MANY, "instances": MANY, "bytes": u64::MAX, "from": TEXT,
                    "complete": true, "state": state, "missing": MANY, "first": TEXT, "last": TEXT, "imported": true,
                    "patient": patient()})
            };
            let listener = json!({"hosts": [TEXT], "port": u16::MAX, "ae_title": TEXT, "tls": true, "allowed": [TEXT],
                "any_ae": false});
            json!({"reply": "inbox", "value": {"studies": [arrival("arriving"), arrival("incomplete"), arrival(TEXT)],
                "listening": TEXT, "listener": listener, "refused": TEXT, "no_room": TEXT, "wiped": MANY}})
        }
        Request::Import(_) if dice.roll().is_multiple_of(4) => return Some(Err(failure())),
        Request::Import(_) => imported(),
        Request::CardList => json!({"reply": "cards", "value": {"cards": [card("me"), card("verified"), card(TEXT)]}}),
        Request::CardShow { .. } => json!({"reply": "card", "value": card("me")}),
        Request::CardVerify { heard: None, .. } => {
            json!({"reply": "safety_words", "value": {"words": vec![TEXT; 6], "who": TEXT}})
        }
        Request::SettingsShow => json!({"reply": "settings", "value": {"retention_days": u32::MAX, "listen": {
            "address": TEXT, "ae_title": TEXT, "allow": [TEXT], "any_ae": false, "tls": null, "commit": false,
            "bytes_max": null}}}),
        Request::Doctor => json!({"reply": "doctor", "value": {"checks": [
            {"name": TEXT, "ok": true, "what": TEXT, "hint": TEXT}, {"name": "", "ok": false, "what": "", "hint": null}]}}),
        Request::Verify { .. } => json!({"reply": "verify_report", "value": {"ok": false, "entries": u64::MAX,
            "chunks": u64::MAX, "problems": [TEXT, TEXT], "state_hash": TEXT}}),
        Request::OpinionDraftShow { .. } => json!({"reply": "draft", "value": {"draft": {
            "saved": TEXT, "revision": u64::MAX, "opinion": {"impression": TEXT.repeat(20), "agreement": TEXT,
            "findings": TEXT, "confidence": u32::MAX,
            "critical": {"finding": TEXT, "called": TEXT, "at": TEXT, "taken_by": TEXT}}}}}),
        Request::OpinionDraftKeep { .. } => json!({"reply": "draft_kept", "value": {"saved": TEXT,
            "elsewhere": {"kept": {"saved": TEXT}}}}),
        Request::RecoveryCode => json!({"reply": "recovery_code", "value": {"words": vec![TEXT; 24]}}),
        Request::Say { .. } | Request::MarkAdd { .. } | Request::CaseNew(_) if dice.roll().is_multiple_of(2) => {
            return Some(Err(failure()));
        }
        _ => return None,
    };
    Some(Ok(serde_json::from_value(reply).unwrap_or_else(|error| panic!("{request:?}: {error}"))))
}

fn patient() -> Value {
    json!({"name": TEXT, "patient_id": TEXT, "birth_date": TEXT, "study_date": "99999999", "accession": TEXT,
        "study_description": TEXT})
}

fn card(trust: &str) -> Value {
    json!({"identity": TEXT, "name": TEXT, "site": TEXT, "phone": TEXT, "alias": TEXT, "devices": [TEXT],
        "addresses": [TEXT, TEXT], "fingerprint": TEXT, "trust": trust, "serial": u64::MAX, "expires": TEXT,
        "expired": false, "text": TEXT})
}

fn summary(id: &str) -> Value {
    json!({"id": id, "spoken": TEXT, "question": TEXT, "urgency": TEXT, "status": "open", "role": TEXT,
        "standing": TEXT, "due": TEXT, "members": MANY, "opinions": MANY, "messages": MANY,
        "chunks_have": u64::MAX, "chunks_total": 1, "not_sent": true, "people": [TEXT, ""], "unread": MANY,
        "patient": TEXT})
}

fn study(id: &str) -> Value {
    json!({"id": id, "modality": TEXT, "description": TEXT, "series": MANY, "instances": MANY,
        "left_out": MANY, "bytes_stored": u64::MAX, "origin": "mine", "cases": [TEXT]})
}

/// Every file as an image: with the frames it claims, with more, and with none.
fn detail(uids: &[String]) -> Value {
    let image = |(at, uid): (usize, &String)| {
        let frames = [1, 1, 1, 2, 1, 1, 1, 0, 1, 1, 12][at % 11];
        // Some lie in a stack, some at places that no image has.
        let (rows, columns) = if at % 3 == 0 { (u32::MAX, 0) } else { (64, 64) };
        let step = if at % 5 == 0 { 1e300 } else { at as f64 };
        let place = json!({"position": [0.0, 0.0, step], "orientation": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            "spacing": [0.5, if at % 11 == 0 { 0.0 } else { 0.5 }], "thickness": -1e9});
        json!({"sop_instance_uid": uid, "number": at, "frames": frames, "rows": rows, "columns": columns,
            "here": at % 7 != 6, "place": place})
    };
    let images: Vec<Value> = uids.iter().enumerate().map(image).collect();
    let series = |number: i64, images: &[Value]| {
        json!({"series_instance_uid": format!("{number}{TEXT}"), "modality": TEXT, "description": TEXT, "number": number,
            "instances": MANY, "instances_have": 0, "left_out": MANY, "gaps": [TEXT],
            "sop_instance_uids": [], "images": images})
    };
    let mut list: Vec<Value> = images.chunks(8).zip(0..).map(|(images, number)| series(number, images)).collect();
    list.push(series(i64::MIN, &[]));
    let mut detail = study("s-hostile");
    detail["series_list"] = Value::Array(list);
    detail["identity"] = Value::Null;
    detail
}

/// A viewport of a view that nobody had.
fn shown(uid: &str) -> Value {
    json!({"study": "s-hostile", "series_instance_uid": TEXT, "image": uid, "frame": 1, "window": TEXT,
        "quarter_turns": u32::MAX, "mirrored": true, "inverted": true,
        "part": {"span": 1e-300, "centre": [1e300, -1e300]}})
}

fn case(uids: &[String], dice: &mut Dice) -> crate::node::api::CaseView {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e300, 1e300, f64::MIN_POSITIVE, -0.5, 3.0, 1e9];
    let kinds =
        ["probe", "length", "angle", "cobb", "bidirectional", "ellipse", "rectangle", "freehand", "arrow", "text"];
    let delivery = json!({"member": TEXT, "identity": TEXT, "state": TEXT});
    let view = json!({"id": "c-hostile", "spoken": TEXT, "question": TEXT.repeat(50), "context": TEXT,
        "first_report": TEXT.repeat(200), "urgency": TEXT, "due": TEXT, "status": TEXT, "blind": true, "role": TEXT,
        "standing": "accepted", "here": [{"name": TEXT, "identity": TEXT, "me": false}], "members": [
            {"name": "me", "identity": "p-me", "role": TEXT, "delivery": TEXT, "me": true},
            {"name": TEXT, "identity": TEXT, "role": TEXT, "delivery": TEXT, "me": false}],
        "studies": [{"id": "s-hostile", "role": TEXT, "modality": TEXT, "description": TEXT, "instances": u64::MAX,
            "chunks_have": dice.roll(), "chunks_total": 1, "withdrawn": false, "deleted_by": [TEXT],
            "relative_date": TEXT}],
        "marks": [], "opinions": [{"id": TEXT, "author": TEXT, "state": TEXT, "agreement": TEXT,
            "confidence": u32::MAX, "impression": TEXT, "findings": TEXT, "recommendation": TEXT,
            "basis": {"question": TEXT, "heads": MANY, "incomplete": true, "limitations": [TEXT], "series": [
                {"series_instance_uid": TEXT, "expected": 0, "received": u32::MAX, "displayed": u32::MAX}]},
            "addenda": [{"text": TEXT, "time": TEXT}], "signed_before": [TEXT], "delivery": [delivery], "time": TEXT}],
        "messages": [{"id": TEXT, "author": TEXT, "text": TEXT, "time": TEXT, "late": true, "about": {
            "id": TEXT, "kind": TEXT, "state": "here", "author": TEXT, "words": TEXT, "image": uids[0], "frame": 1}}, {
            "id": TEXT, "author": TEXT, "text": TEXT.repeat(20), "time": TEXT, "late": true,
            "view": {"rows": dice.roll() % 4, "columns": dice.roll() % 4, "active": dice.roll() % 12,
                "viewports": [shown(&uids[0]), null, shown(&uids[1 % uids.len()]), shown(TEXT)]}}],
        "criticals": [{"id": TEXT, "author": TEXT, "finding": TEXT, "called": TEXT, "at": TEXT, "taken_by": TEXT,
            "time": TEXT}],
        "receipts": [{"entry": TEXT, "opened": [TEXT], "read": [TEXT]}], "entries": MANY, "heads": [TEXT],
        "forks": [{"device": TEXT, "person": TEXT, "entries": [TEXT, TEXT]}], "unreadable": MANY,
        "unknown": MANY, "state_hash": TEXT, "patient": patient()});
    let mut view: crate::node::api::CaseView = serde_json::from_value(view).unwrap();
    for (at, uid) in uids.iter().enumerate() {
        for _ in 0..4 {
            let kind = kinds[(dice.roll() % kinds.len() as u64) as usize];
            let points = (0..1 + dice.roll() % 6).map(|_| {
                let mut coordinate = || match dice.roll() % 3 {
                    0 => odd[(dice.roll() % odd.len() as u64) as usize],
                    _ => (dice.roll() % 100) as f64,
                };
                (coordinate(), coordinate())
            });
            view.marks.push(crate::node::api::MarkView {
                id: format!("{at} {}{TEXT}", view.marks.len()),
                kind: kind.into(),
                image: uid.clone(),
                frame: u32::try_from(1 + at % 2).unwrap(),
                points: points.collect(),
                value: Some(odd[at % odd.len()]),
                unit: Some(TEXT.into()),
                basis: Some(TEXT.into()),
                label: Some(TEXT.into()),
                author: if at % 2 == 0 { "me".into() } else { TEXT.into() },
                author_identity: if at % 2 == 0 { "p-me".into() } else { TEXT.into() },
                time: TEXT.into(),
                late: true,
                forked: true,
            });
        }
    }
    view
}

fn left_out(uid: &str) -> Value {
    json!({"sop_instance_uid": uid, "series_instance_uid": TEXT, "series_number": i32::MIN,
        "series_description": TEXT, "modality": TEXT, "number": i32::MAX, "frames": u32::MAX,
        "frames_to_see": [0, 1, u32::MAX], "rows": 0, "columns": u32::MAX, "why": TEXT, "plain_hash": TEXT,
        "state": "waits", "given": false,
        "mask": [{"column": 0, "row": u32::MAX, "columns": u32::MAX, "rows": u32::MAX}], "looked": {"who": TEXT, "at": TEXT, "plain_hash": TEXT}})
}

fn imported() -> Value {
    let left_out = json!({"series": TEXT, "instances": MANY, "why": TEXT});
    let attribute = json!({"tag": TEXT, "name": TEXT, "action": TEXT, "reason": TEXT, "count": MANY});
    json!({"reply": "imported", "value": {"studies": [{"id": TEXT, "modality": TEXT, "description": TEXT,
        "series": MANY, "instances": MANY, "left_out": [left_out], "gaps": [TEXT], "bytes_in": u64::MAX,
        "bytes_stored": u64::MAX, "already_held": MANY, "warnings": [TEXT]}],
        "skipped": [{"path": TEXT, "why": TEXT}], "plan": {"patients": [patient(), patient()],
        "attributes": [attribute], "kept_text": [TEXT], "dropped_text": [TEXT], "codes": [TEXT],
        "left_out": [left_out], "gaps": [TEXT], "warnings": [TEXT]}, "seconds": -1.0}})
}

/// The samples that are broken or odd, and the same small image with headers that contradict it.
fn files() -> HashMap<String, Arc<Vec<u8>>> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples");
    let mut files = HashMap::new();
    for folder in ["broken", "overlays", "multiframe", "charsets", "colour", "transfer-syntaxes/same-mr-64x64"] {
        let Ok(entries) = samples.join(folder).read_dir() else {
            eprintln!("SKIPPED: no samples in {folder}");
            continue;
        };
        for entry in entries.map(|entry| entry.unwrap()) {
            if entry.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= SAMPLE_BYTES_MAX) {
                let name = format!("{folder}/{}", entry.file_name().display());
                files.insert(name, Arc::new(std::fs::read(entry.path()).unwrap()));
            }
        }
    }
    for (number, file) in contradictions().into_iter().enumerate() {
        files.insert(format!("contradiction {number}"), Arc::new(file));
    }
    files.insert("empty".into(), Arc::default());
    files
}

/// A small image whose header says something else than its pixels.
fn contradictions() -> Vec<Vec<u8>> {
    use dicom_core::{DataElement, PrimitiveValue, VR};
    use dicom_dictionary_std::tags;

    let whole = crate::study::synthetic::slice(7, 0, 1).unwrap();
    let number = |tag, value: u16| DataElement::new(tag, VR::US, PrimitiveValue::from(value));
    let text = |tag, text: &str| DataElement::new(tag, VR::DS, PrimitiveValue::from(text));
    let changes = [
        vec![number(tags::ROWS, 0)],
        vec![number(tags::COLUMNS, 0)],
        vec![number(tags::ROWS, u16::MAX), number(tags::COLUMNS, u16::MAX)],
        vec![number(tags::ROWS, 1)],
        vec![number(tags::COLUMNS, 1)],
        vec![number(tags::BITS_ALLOCATED, 1)],
        vec![number(tags::BITS_STORED, 0), number(tags::HIGH_BIT, u16::MAX)],
        vec![number(tags::SAMPLES_PER_PIXEL, 3)],
        vec![text(tags::WINDOW_CENTER, "NaN"), text(tags::WINDOW_WIDTH, "-1e308")],
        vec![text(tags::WINDOW_CENTER, "1e308"), text(tags::WINDOW_WIDTH, "0")],
        vec![text(tags::RESCALE_SLOPE, "1e308"), text(tags::RESCALE_INTERCEPT, "-1e308")],
        vec![text(tags::RESCALE_SLOPE, "0")],
        vec![text(tags::PIXEL_SPACING, "1e-300\\1e300")],
        vec![text(tags::PIXEL_SPACING, "-1\\0")],
        vec![text(tags::IMAGE_ORIENTATION_PATIENT, "0\\0\\0\\0\\0\\0")],
        vec![text(tags::IMAGE_ORIENTATION_PATIENT, "NaN\\inf\\1\\1\\1\\1")],
        vec![DataElement::new(tags::NUMBER_OF_FRAMES, VR::IS, PrimitiveValue::from("2147483647"))],
    ];
    let mut files: Vec<Vec<u8>> = changes
        .into_iter()
        .map(|changes| {
            let mut object = dicom_object::from_reader(whole.as_slice()).unwrap();
            for change in changes {
                object.put(change);
            }
            let mut bytes = Vec::new();
            object.write_all(&mut bytes).unwrap();
            bytes
        })
        .collect();
    for length in [132, 400, whole.len() / 2, whole.len() - 1] {
        files.push(whole[..length].to_vec());
    }
    files
}
