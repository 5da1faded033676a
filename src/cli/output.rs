//! Everything the command line writes passes here.
//!
//! Without `--json` results go to standard output as text and everything else to standard error. With it,
//! standard output carries JSON only: one document, or one object a line for a stream. Whatever is written is
//! stripped of control characters once more at this last door, so that a forgotten field cannot reach the
//! terminal; JSON spells them as escapes instead, since a script needs them as they are.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use serde_json::{Value, json};

use crate::encoding::text::{shown, shown_lines};
use crate::node::api::{Failure, Progress};

use super::progress::Meter;

/// Columns where the width is unknown.
const WIDTH_UNKNOWN: usize = 100;

/// Narrowest and widest text that is laid out, in columns: longer lines are hard to read.
const WIDTH_MIN: usize = 40;
const WIDTH_MAX: usize = 120;

/// Where a command writes.
pub(super) struct Output {
    json: bool,
    stream: bool,
    quiet: bool,
    verbose: bool,
    width: usize,
    terminal: bool,
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    meter: Meter,
}

impl Output {
    /// Writes to the process's own standard output and error.
    pub(super) fn standard(json: bool, quiet: bool, verbose: bool) -> Self {
        Self {
            json,
            stream: false,
            quiet,
            verbose,
            width: width(),
            terminal: io::stderr().is_terminal(),
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            meter: Meter::new(io::stderr().is_terminal() && !quiet),
        }
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Columns for laid out text.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// From now on standard output is one object a line, and the last has `event`.
    pub(super) fn begin_stream(&mut self) {
        self.stream = true;
    }

    /// The result of a command: its document, or its text.
    pub(super) fn result(&mut self, document: Value, text: &str) {
        self.meter.clear();
        if self.json {
            self.document(document);
        } else {
            self.write_out(&shown_lines(text));
        }
    }

    /// Bytes that are the result as they are: a template, a script for the shell.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        let _ = self.out.write_all(bytes).and_then(|()| self.out.flush());
    }

    /// Something that happens and that the person has to see: its text, in JSON on standard error, and in a stream
    /// its object too.
    pub(super) fn event(&mut self, object: &Value, text: Option<&str>) {
        self.meter.clear();
        if self.json && self.stream {
            self.write_out(&one_line(object));
        }
        match text {
            Some(text) if self.json => self.show(text),
            Some(text) => self.write_out(&format!("{}\n", shown_lines(text))),
            None => {}
        }
    }

    /// Something for the person on the way, not the result.
    pub(super) fn say(&mut self, text: &str) {
        if !self.quiet {
            self.write_err(text);
        }
    }

    /// Like [`Self::say`], for who wants to know more.
    pub(super) fn detail(&mut self, text: &str) {
        if self.verbose {
            self.say(text);
        }
    }

    /// What a question is about: without it the answer would be blind, so it is said even if quiet.
    pub(super) fn show(&mut self, text: &str) {
        self.write_err(text);
    }

    /// Something that may be wrong; said even if quiet.
    pub(super) fn warn(&mut self, text: &str) {
        self.write_err(&format!("Careful: {text}"));
    }

    /// How far something is.
    pub(super) fn progress(&mut self, progress: &Progress) {
        if let Some(line) = self.meter.show(progress, self.verbose) {
            self.say(&line);
        }
    }

    /// Takes away what is drawn for the moment only, before a question is asked.
    pub(super) fn clear(&mut self) {
        self.meter.clear();
    }

    /// Takes a secret from the screen, with what scrolled away, before the next person sits down at it.
    pub(super) fn wipe_screen(&mut self) {
        if self.terminal {
            // Where it fails, the secret stays until it scrolls away.
            let _ = self.err.write_all(b"\x1b[2J\x1b[3J\x1b[H").and_then(|()| self.err.flush());
        }
    }

    /// Why a command was not carried out.
    pub(super) fn failure(&mut self, failure: &Failure) {
        self.meter.clear();
        if self.json {
            self.document(failure_document(failure, self.stream));
        } else {
            self.write_err(failure_text(failure).trim_end());
        }
    }

    fn document(&mut self, mut document: Value) {
        if let (true, Value::Object(fields)) = (self.stream, &mut document) {
            fields.entry("event").or_insert_with(|| "done".into());
        }
        self.write_out(&one_line(&document));
    }

    // A reader that went away (`| head`) is no failure of the command; what it did is done.

    fn write_out(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }

    fn write_err(&mut self, text: &str) {
        self.meter.clear();
        let _ = writeln!(self.err, "{}", shown_lines(text)).and_then(|()| self.err.flush());
    }
}

/// The document of a failure: `{error: {code, what, hint}}`, in a stream with its `event`.
pub(super) fn failure_document(failure: &Failure, stream: bool) -> Value {
    let mut document = json!({ "format": 1, "error": failure });
    if let (Value::Object(error), None) = (&mut document["error"], &failure.hint) {
        error.insert("hint".into(), Value::Null);
    }
    if stream {
        document["event"] = "error".into();
    }
    document
}

/// What happened, what more there is to see, and what to do.
pub(super) fn failure_text(failure: &Failure) -> String {
    let mut text = format!("{}\n", shown(&failure.what));
    for (name, lines) in &failure.details {
        let _ = writeln!(text, "  {}:", shown(name));
        for line in lines {
            let _ = writeln!(text, "    {}", shown(line));
        }
    }
    if let Some(hint) = &failure.hint {
        let _ = writeln!(text, "{}", shown(hint));
    }
    text
}

/// JSON on one line. Characters a terminal would obey occur in JSON only inside strings, where an escape means
/// the same.
fn one_line(value: &Value) -> String {
    let plain = value.to_string();
    let mut line = String::with_capacity(plain.len() + 1);
    for c in plain.chars() {
        if shown(c.encode_utf8(&mut [0; 4])).is_empty() {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(line, "\\u{unit:04x}");
            }
        } else {
            line.push(c);
        }
    }
    line.push('\n');
    line
}

fn width() -> usize {
    let terminal = io::stdout().is_terminal().then(|| rustix::termios::tcgetwinsize(io::stdout()).ok()).flatten();
    terminal.map_or(WIDTH_UNKNOWN, |size| usize::from(size.ws_col)).clamp(WIDTH_MIN, WIDTH_MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::node::api::FailureCode;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What was written.
    pub(in crate::cli) struct Captured {
        out: Sink,
        err: Sink,
    }

    impl Captured {
        pub(in crate::cli) fn text() -> (Output, Self) {
            Self::new(false)
        }

        pub(in crate::cli) fn json() -> (Output, Self) {
            Self::new(true)
        }

        fn new(json: bool) -> (Output, Self) {
            let captured = Self { out: Sink::default(), err: Sink::default() };
            let (out, err) = (Box::new(captured.out.clone()), Box::new(captured.err.clone()));
            let meter = Meter::new(false);
            (
                Output {
                    json,
                    stream: false,
                    quiet: false,
                    verbose: false,
                    width: 80,
                    terminal: false,
                    out,
                    err,
                    meter,
                },
                captured,
            )
        }

        pub(in crate::cli) fn out(&self) -> String {
            String::from_utf8(self.out.0.lock().unwrap().clone()).unwrap()
        }

        pub(in crate::cli) fn err(&self) -> String {
            String::from_utf8(self.err.0.lock().unwrap().clone()).unwrap()
        }
    }

    const HOSTILE: &str = "Eve\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\u{e0041}";

    fn ambiguous() -> Failure {
        Failure::new(FailureCode::Ambiguous, "Two cases begin with c-abcd")
            .hint("Type more of the id.")
            .detail("cases", vec!["c-abcde".into(), "c-abcdf".into()])
    }

    #[test]
    fn an_error_is_what_happened_then_what_to_do() {
        let (mut output, captured) = Captured::text();
        output.failure(&ambiguous());
        assert_eq!(captured.out(), "");
        assert_eq!(
            captured.err(),
            "Two cases begin with c-abcd\n  cases:\n    c-abcde\n    c-abcdf\nType more of the id.\n"
        );
    }

    #[test]
    fn an_error_in_json_stands_on_standard_output() {
        let (mut output, captured) = Captured::json();
        output.failure(&ambiguous());
        assert_eq!(captured.err(), "");
        let document: Value = serde_json::from_str(&captured.out()).unwrap();
        assert_eq!(
            document,
            json!({"format": 1, "error": {
                "code": "ambiguous", "what": "Two cases begin with c-abcd", "hint": "Type more of the id.",
                "details": {"cases": ["c-abcde", "c-abcdf"]},
            }})
        );
    }

    #[test]
    fn a_stream_ends_with_done_or_error() {
        let (mut output, captured) = Captured::json();
        output.begin_stream();
        output.event(&json!({"event": "ready"}), Some("Ready."));
        output.result(json!({"format": 1}), "");
        output.failure(&Failure::new(FailureCode::NotReached, "Nobody answered."));
        let lines: Vec<Value> = captured.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
        assert_eq!(events, ["ready", "done", "error"]);
        assert_eq!(lines[2]["error"]["hint"], Value::Null);
    }

    #[test]
    fn control_characters_never_reach_the_output() {
        for json in [false, true] {
            let (mut output, captured) = Captured::new(json);
            output.result(json!({"name": HOSTILE, "format": 1}), &format!("{HOSTILE}\n"));
            output.say(HOSTILE);
            output.warn(HOSTILE);
            output.event(&json!({"event": HOSTILE}), Some(HOSTILE));
            output.failure(
                &Failure::new(FailureCode::Failed, HOSTILE).hint(HOSTILE).detail(HOSTILE, vec![HOSTILE.into()]),
            );
            for text in [captured.out(), captured.err()] {
                assert!(text.lines().all(|line| shown(line) == line), "{text:?}");
            }
        }
    }

    #[test]
    fn json_still_holds_the_characters_themselves() {
        let (mut output, captured) = Captured::json();
        output.result(json!({"name": HOSTILE}), "");
        let document: Value = serde_json::from_str(&captured.out()).unwrap();
        assert_eq!(document["name"], HOSTILE);
    }

    #[test]
    fn text_for_the_person_goes_to_standard_error_when_a_script_reads_standard_output() {
        let (mut output, captured) = Captured::json();
        output.say("Read this aloud.");
        output.event(&json!({"event": "notice"}), Some("Half way."));
        assert_eq!(captured.out(), "");
        assert_eq!(captured.err(), "Read this aloud.\nHalf way.\n");
    }

    #[test]
    fn quiet_keeps_warnings_and_results() {
        let (mut output, captured) = Captured::text();
        output.quiet = true;
        output.say("Half way.");
        output.warn("others can read it.");
        output.result(json!({}), "Done.\n");
        assert_eq!((captured.out().as_str(), captured.err().as_str()), ("Done.\n", "Careful: others can read it.\n"));
    }
}
