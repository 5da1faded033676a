//! What an entry's sealed part says, kind by kind.

use overread::case::content::{Content, ContentError};
use serde_json::{Value as Json, json};

use super::cbor::Value;
use super::{blob, compare, decode_refusal};

pub(super) fn refusal(error: &ContentError) -> &'static str {
    match error {
        ContentError::Encoding(error) => decode_refusal(error),
        ContentError::TooLong { .. } | ContentError::TooMany { .. } => "limit",
        ContentError::Field(_) => "range",
    }
}

pub(super) fn map(fields: Vec<(u64, Value)>) -> Value {
    Value::Map(fields.into_iter().map(|(field, value)| (Value::Uint(field), value)).collect())
}

pub(super) fn content(kind: u64, fields: Vec<(u64, Value)>) -> Value {
    Value::Array(vec![Value::Uint(kind), map(fields)])
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn id(byte: u8) -> Value {
    Value::Bytes(vec![byte; 32])
}

fn list(items: Vec<Value>) -> Value {
    Value::Array(items)
}

pub(super) fn image(frame: u64) -> Value {
    map(vec![(0, id(1)), (1, text("2.25.7")), (2, Value::Uint(frame))])
}

pub(super) fn point(column: f64) -> Value {
    map(vec![(0, Value::Float(column)), (1, Value::Float(-0.5))])
}

fn mark(frame: u64, points: Vec<Value>) -> Value {
    content(4, vec![(1, image(frame)), (2, Value::Uint(1)), (3, list(points))])
}

fn opinion(impression: &str, confidence: u64) -> Value {
    let series = map(vec![
        (0, id(1)),
        (1, text("2.25.7")),
        (2, Value::Uint(120)),
        (3, Value::Uint(119)),
        (4, Value::Uint(118)),
        (5, Value::Float(1.5)),
        (6, text("kitty")),
        (7, Value::Uint(256)),
    ]);
    let basis = map(vec![(0, id(2)), (1, list(vec![id(3)])), (2, list(vec![series])), (3, Value::Bool(true))]);
    let call = map(vec![(0, text("Dr. Weiß")), (1, text("14:05")), (2, text("herself"))]);
    content(
        6,
        vec![
            (0, text(impression)),
            (1, Value::Uint(2)),
            (2, text("A nodule of 7 mm in the left upper lobe.")),
            (3, text("CT in three months.")),
            (4, Value::Uint(confidence)),
            (5, basis),
            (6, call),
        ],
    )
}

/// A view in numbers that can each be wrong.
struct Seen {
    rows: u64,
    columns: u64,
    active: u64,
    /// How many viewports there are, where not as many as the layout has; and how many of them show an image.
    viewports: Option<usize>,
    shown: usize,
    frame: u64,
    window: Value,
    quarter_turns: u64,
    part: Option<(f64, f64)>,
}

impl Default for Seen {
    fn default() -> Self {
        let window = window(4, vec![Value::Float(1500.0), Value::Float(-600.0)]);
        let part = Some((128.5, 300.25));
        Self { rows: 1, columns: 1, active: 0, viewports: None, shown: 1, frame: 3, window, quarter_turns: 1, part }
    }
}

fn window(number: u64, fields: Vec<Value>) -> Value {
    list(vec![Value::Uint(number), list(fields)])
}

fn view(seen: Seen) -> Value {
    let viewports = seen.viewports.unwrap_or((seen.rows * seen.columns) as usize);
    let part = seen.part.map(|(span, column)| (6, map(vec![(0, Value::Float(span)), (1, point(column))])));
    let fields = [
        (0, image(seen.frame)),
        (1, text("2.25.8")),
        (2, seen.window),
        (3, Value::Uint(seen.quarter_turns)),
        (4, Value::Bool(true)),
        (5, Value::Bool(false)),
    ];
    let shown = map(fields.into_iter().chain(part).collect());
    let viewport = |n| if n < seen.shown { map(vec![(0, shown.clone())]) } else { map(vec![]) };
    map(vec![
        (0, Value::Uint(seen.rows)),
        (1, Value::Uint(seen.columns)),
        (2, Value::Uint(seen.active)),
        (3, list((0..viewports).map(viewport).collect())),
    ])
}

fn seen(seen: Seen) -> Value {
    content(8, vec![(0, text("See slice 3.")), (1, view(seen))])
}

/// One of each kind, in full, written by hand: what this program must read.
fn good() -> Vec<(&'static str, Value)> {
    let person = map(vec![(0, id(1)), (1, text("Anna Weiß")), (2, text("Kantonsspital Süd"))]);
    let measured = map(vec![(0, Value::Float(7.2)), (1, text("mm")), (2, text("pixel spacing"))]);
    let call = map(vec![(0, text("Dr. Weiß")), (1, text("14:05")), (2, text("herself"))]);
    vec![
        ("members note", content(0, vec![(0, list(vec![person])), (1, text("second reader"))])),
        (
            "case",
            content(
                1,
                vec![
                    (0, text("Metastasis?")),
                    (1, text("Melanoma 2019.")),
                    (2, text("No focal lesion.")),
                    (3, Value::Uint(2)),
                    (4, Value::Uint(1_800_000_000_000)),
                    (5, Value::Uint(0)),
                ],
            ),
        ),
        ("case without any field", content(1, vec![])),
        ("study withdrawn", content(3, vec![(0, id(1)), (1, text("wrong patient"))])),
        (
            "mark",
            content(
                4,
                vec![
                    (0, id(9)),
                    (1, image(3)),
                    (2, Value::Uint(1)),
                    (3, list(vec![point(10.25), point(20.0)])),
                    (4, text("nodule")),
                    (5, measured),
                    (6, text("2.25.99")),
                ],
            ),
        ),
        ("mark deleted", content(5, vec![(0, id(9))])),
        ("opinion", opinion("Metastasis is likely.", 80)),
        ("addendum", content(7, vec![(0, id(8)), (1, text("Agreed with surgery."))])),
        ("message", content(8, vec![(0, text("See slice 3.")), (1, view(Seen::default())), (2, id(7))])),
        ("message with six viewports", seen(Seen { rows: 2, columns: 3, active: 5, shown: 4, ..Seen::default() })),
        ("message with the file's window", seen(Seen { window: window(0, vec![]), ..Seen::default() })),
        ("message with the whole range", seen(Seen { window: window(1, vec![]), ..Seen::default() })),
        ("message with a preset of later", seen(Seen { window: window(3, vec![text("spleen")]), ..Seen::default() })),
        ("message with an empty viewport", seen(Seen { shown: 0, ..Seen::default() })),
        ("message with a whole image", seen(Seen { part: None, ..Seen::default() })),
        ("critical finding", content(9, vec![(0, text("Tension pneumothorax")), (1, call), (2, id(8))])),
        ("receipt", content(10, vec![(0, list(vec![id(1)])), (1, list(vec![id(2)])), (2, list(vec![id(3)]))])),
    ]
}

#[test]
fn content_is_as_committed() {
    let study_added = {
        let key = overread::identity::keys::Secret::new(super::study::STUDY_KEY);
        let study = overread::seal::chunk::StudyKey(key.duplicate()).study_id();
        let role = overread::case::content::StudyRole::Prior(2);
        let head = super::study::head();
        Content::StudyAdded(Box::new(overread::case::content::StudyAdded { study, role, key, head }))
    };
    let mut good: Vec<(&str, Vec<u8>)> = good().into_iter().map(|(name, value)| (name, value.to_bytes())).collect();
    good.push(("study added", study_added.to_bytes()));
    let good: Vec<Json> = good
        .into_iter()
        .map(|(name, bytes)| {
            let content = Content::from_bytes(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(content.to_bytes() == bytes, "{name}");
            json!({"name": name, "bytes": blob(&bytes)})
        })
        .collect();

    let values = |width, level| {
        let window = window(4, vec![Value::Float(width), Value::Float(level)]);
        seen(Seen { window, ..Seen::default() }).to_bytes()
    };
    let part = |span, column| seen(Seen { part: Some((span, column)), ..Seen::default() }).to_bytes();
    let unknown = content(18, vec![(0, text("a ballot"))]).to_bytes();
    assert!(Content::from_bytes(&unknown) == Ok(Content::Unknown(18)));
    let long = "x".repeat(32 * 1024 + 1);
    let line = "x".repeat(1025);
    let person = map(vec![(0, id(1)), (1, text(&line)), (2, text(""))]);
    let message = content(8, vec![(0, text("See slice 3."))]).to_bytes();
    let reversed = content(7, vec![(1, text("x")), (0, id(8))]).to_bytes();
    let bad: Vec<(&str, Vec<u8>, &str)> = vec![
        ("a kind number in two bytes", [&[0x82, 0x18, 8], &message[2..]].concat(), "encoding"),
        ("an array of indefinite length", [&[0x9f], &message[1..], &[0xff]].concat(), "encoding"),
        ("a text of indefinite length", vec![0x82, 8, 0xa1, 0, 0x7f, 0x61, b'x', 0xff], "encoding"),
        ("a text that is not UTF-8", vec![0x82, 8, 0xa1, 0, 0x61, 0xff], "encoding"),
        ("fields out of order", reversed, "encoding"),
        ("a field twice", content(7, vec![(0, id(8)), (1, text("x")), (1, text("x"))]).to_bytes(), "encoding"),
        ("a field that is null", content(8, vec![(0, text("x")), (2, Value::Null)]).to_bytes(), "encoding"),
        ("a field that is missing", content(8, vec![]).to_bytes(), "encoding"),
        ("an unknown field", content(8, vec![(0, text("x")), (3, Value::Uint(1))]).to_bytes(), "encoding"),
        ("a number in half precision", half_precision(), "encoding"),
        ("bytes after the end", [message.as_slice(), &[0]].concat(), "encoding"),
        ("an unknown kind with bytes after it", [unknown.as_slice(), &[0]].concat(), "encoding"),
        ("kind 11 of three parts", vec![0x83, 11, 0xa0, 0], "encoding"),
        ("an id of 31 bytes", content(5, vec![(0, Value::Bytes(vec![1; 31]))]).to_bytes(), "encoding"),
        ("an urgency that is none", content(1, vec![(3, Value::Uint(3))]).to_bytes(), "encoding"),
        ("a message of 32 KiB and a byte", content(8, vec![(0, text(&long))]).to_bytes(), "limit"),
        ("a name of 1025 bytes", content(0, vec![(0, list(vec![person]))]).to_bytes(), "limit"),
        ("513 points", mark(1, vec![point(1.0); 513]).to_bytes(), "limit"),
        ("no points", mark(1, vec![]).to_bytes(), "range"),
        ("frame 0", mark(0, vec![point(1.0)]).to_bytes(), "range"),
        ("an infinite column", mark(1, vec![point(f64::INFINITY)]).to_bytes(), "range"),
        ("a column that is no number", mark(1, vec![point(f64::NAN)]).to_bytes(), "range"),
        ("an empty impression", opinion(" \n", 80).to_bytes(), "range"),
        ("a view of no rows", seen(Seen { rows: 0, ..Seen::default() }).to_bytes(), "range"),
        ("a view of four columns", seen(Seen { columns: 4, ..Seen::default() }).to_bytes(), "range"),
        (
            "a view of four billion rows",
            seen(Seen { rows: 1 << 31, viewports: Some(0), ..Seen::default() }).to_bytes(),
            "range",
        ),
        (
            "a view with too few viewports",
            seen(Seen { columns: 2, viewports: Some(1), ..Seen::default() }).to_bytes(),
            "range",
        ),
        ("a view with ten viewports", seen(Seen { viewports: Some(10), ..Seen::default() }).to_bytes(), "limit"),
        ("a view whose active viewport is none", seen(Seen { active: 1, ..Seen::default() }).to_bytes(), "range"),
        ("a view of frame 0", seen(Seen { frame: 0, ..Seen::default() }).to_bytes(), "range"),
        ("four quarter turns", seen(Seen { quarter_turns: 4, ..Seen::default() }).to_bytes(), "range"),
        (
            "a view of window 0",
            seen(Seen { window: window(2, vec![Value::Uint(0)]), ..Seen::default() }).to_bytes(),
            "range",
        ),
        ("a window of no kind", seen(Seen { window: window(5, vec![]), ..Seen::default() }).to_bytes(), "encoding"),
        (
            "a preset of 65 bytes",
            seen(Seen { window: window(3, vec![text(&"x".repeat(65))]), ..Seen::default() }).to_bytes(),
            "limit",
        ),
        ("a window of no width", values(0.0, 40.0), "range"),
        ("a window whose width is no number", values(f64::NAN, 40.0), "range"),
        ("a window that is infinitely wide", values(f64::INFINITY, 40.0), "range"),
        ("a huge window", values(1e300, 40.0), "range"),
        ("a level that is no number", values(80.0, f64::NAN), "range"),
        ("a huge level", values(80.0, -1e300), "range"),
        ("a span of nothing", part(0.0, 1.0), "range"),
        ("a span that is no number", part(f64::NAN, 1.0), "range"),
        ("a huge span", part(1e300, 1.0), "range"),
        ("a centre that is no number", part(100.0, f64::NAN), "range"),
        ("a centre far away", part(100.0, 1e300), "range"),
        ("101 percent", opinion("x", 101).to_bytes(), "range"),
        (
            "513 receipts",
            content(10, vec![(0, list(vec![id(1); 513])), (1, list(vec![])), (2, list(vec![]))]).to_bytes(),
            "limit",
        ),
    ];
    let bad: Vec<Json> = bad
        .into_iter()
        .map(|(name, bytes, expected)| {
            let error = Content::from_bytes(&bytes).err().expect(name);
            assert_eq!(refusal(&error), expected, "{name}: {error}");
            json!({"name": name, "bytes": blob(&bytes), "refusal": expected})
        })
        .collect();
    let unknown = json!([{"name": "a kind of later", "bytes": blob(&unknown), "kind": 18}]);
    compare("content.json", &json!({"good": good, "unknown": unknown, "bad": bad}));
}

/// A mark whose column is 1.0 in two bytes, as RFC 8949 §4.2.1 would prefer it; this format writes eight.
fn half_precision() -> Vec<u8> {
    let bytes = mark(1, vec![point(1.0)]).to_bytes();
    let long = [&[0xfb][..], &1.0f64.to_be_bytes()].concat();
    let at = bytes.windows(long.len()).position(|window| window == long).unwrap();
    [&bytes[..at], &[0xf9, 0x3c, 0x00], &bytes[at + long.len()..]].concat()
}
