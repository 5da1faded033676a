//! Where the app cannot begin as usual: another program holds the home, or its node is of another version.

use std::path::Path;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};
use tokio::sync::mpsc;

use super::app::App;
use super::display::Display;
use super::keys::{Action, Place};
use super::look::Look;
use super::message::Wish;
use super::screen::{Context, Dots, Screen};
use super::signals::Signals;
use super::terminal::{Reader, Terminal};
use super::widget::popup;
use super::{MESSAGES_MAX, Start, now, terminal_failure};
use crate::encoding::text::shown;
use crate::node::NodeOptions;
use crate::node::api::{Failure, FailureCode, VERSION};
use crate::node::client::Client;

/// How long nothing is said of a home that does not open: a node that is just ending needs a moment.
const SILENT_FOR: Duration = Duration::from_secs(1);

/// Opens the home. While another program holds it and does not answer, the screen says so and it is tried again.
/// Nothing: the person left, or the system asked for the end.
///
/// # Errors
/// If the home cannot be opened for another reason, or the terminal not used.
pub(super) async fn open(home: &Path, options: NodeOptions, start: &Start) -> Result<Option<Client>, Failure> {
    let opening = || Box::pin(Client::open(home, options.clone()));
    let mut opened = opening();
    if let Ok(ended) = tokio::time::timeout(SILENT_FOR, &mut opened).await {
        return ended.map(Some);
    }
    let mut signals = Signals::listen().map_err(terminal_failure)?;
    let mut terminal = Terminal::take().map_err(terminal_failure)?;
    let (sender, mut messages) = mpsc::channel(MESSAGES_MAX);
    let pictures = Display::new(terminal.capabilities(start.graphics.unwrap_or_default()));
    let mut app = App::held(start.options(&pictures), terminal.size().map_err(terminal_failure)?);
    let _reader = Reader::start(sender);
    loop {
        terminal.draw(|frame| app.draw(frame)).map_err(terminal_failure)?;
        tokio::select! {
            () = signals.any() => return Ok(None),
            ended = &mut opened => match ended {
                Err(failure) if failure.code == FailureCode::InUse => opened = opening(),
                ended => return ended.map(Some),
            },
            message = messages.recv() => {
                let Some(message) = message else { return Ok(None) };
                // The rest of what it wishes for cannot be done without a node.
                if app.update(message, now(), 0).iter().any(|wish| matches!(wish, Wish::Redraw)) {
                    terminal.forget().map_err(terminal_failure)?;
                }
                if app.is_quitting() {
                    return Ok(None);
                }
            }
        }
    }
}

/// Another program holds the home.
#[derive(Debug)]
pub(super) struct Held;

impl Screen for Held {
    fn place(&self) -> Place {
        Place::Held
    }

    fn title(&self) -> String {
        "another program holds this home".into()
    }

    fn act(&mut self, _action: Action, _context: &mut Context<'_>) {}

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let lines = [
            "Another program has this home open and does not answer; only one may write in it at a time.",
            "",
            "If it is just starting or ending, wait: it is tried again by itself, and nothing is lost.",
            "",
            "If not, end it: a window of Overread, or `overread node`. `ps -e | grep overread` finds it.",
        ];
        draw_box(frame, area, "This home is in use", lines.map(str::to_owned), look);
    }
}

/// The node of the home is of another version. What comes after it is the app's business, as at every start.
#[derive(Debug)]
pub(super) struct OtherVersion {
    theirs: Option<String>,
}

impl OtherVersion {
    /// If that is so.
    pub(super) fn of(theirs: Option<&str>) -> Option<Self> {
        (theirs != Some(VERSION)).then(|| Self { theirs: theirs.map(str::to_owned) })
    }
}

impl Screen for OtherVersion {
    fn place(&self) -> Place {
        Place::OtherVersion
    }

    fn title(&self) -> String {
        "a node of another version".into()
    }

    fn act(&mut self, _action: Action, _context: &mut Context<'_>) {}

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let theirs = self.theirs.as_deref().map_or_else(
            || "is older than this program".to_owned(),
            |version| format!("is of version {}", shown(version)),
        );
        let lines = [
            format!("The node that runs for this home {theirs}; this program is of version {VERSION}."),
            String::new(),
            "They may not understand each other, and what it does not know it refuses.".into(),
            String::new(),
            "Better: quit here, end that node (Ctrl+C where `overread node` runs, or its window), and start again."
                .into(),
        ];
        draw_box(frame, area, "Another version runs", lines, look);
    }
}

fn draw_box<const ROWS: usize>(frame: &mut Frame<'_>, area: Rect, title: &str, lines: [String; ROWS], look: Look) {
    let lines: Vec<Line<'_>> = lines.into_iter().map(Line::raw).collect();
    let text = Paragraph::new(lines).wrap(Wrap { trim: false });
    let width = 76.min(area.width);
    let height = u16::try_from(text.line_count(width.saturating_sub(4))).unwrap_or(u16::MAX).saturating_add(2);
    let inside = popup::open(frame, popup::middle(area, width, height), title, look);
    frame.render_widget(text, inside);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::api::{Reply, Request, Status};
    use crate::ui::app::harness::{Harness, SIZES, status};

    #[test]
    fn a_home_that_is_held_says_by_whom_and_that_it_is_tried_again() {
        for size in SIZES {
            let mut app = Harness::of(Held);
            let seen = app.body(size);
            assert!(seen.contains("This home is in use") && seen.contains("tried again by itself"), "{seen}");
            app.body_looks_like("held");
            app.keys("q");
            assert!(app.is_quitting());
        }
    }

    #[test]
    fn a_node_of_another_version_is_told_of_before_all_else_and_may_be_used_all_the_same() {
        for theirs in [None, Some("0.0.1".to_owned())] {
            let mut app = Harness::new((80, 24), move |request| {
                let Reply::Status(ours) = status(true) else { unreachable!() };
                let status = Status { version: theirs.clone(), ..ours };
                matches!(request, Request::Status).then_some(Ok(Reply::Status(status)))
            });
            assert!(app.shows("Another version runs") && app.shows(VERSION), "{}", app.screen());
            app.looks_like(if app.shows("0.0.1") { "other-version" } else { "older-version" });
            app.enter();
            assert!(app.shows("No case yet."), "{}", app.screen());
        }
    }
}
