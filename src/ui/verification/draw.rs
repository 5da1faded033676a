//! A verification on the screen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::{Report, Verification, What};
use crate::encoding::text::shown;
use crate::ui::look::Look;
use crate::ui::widget::amount::{LOCKS_LATER, draw_progress};
use crate::ui::widget::popup;
use crate::ui::widget::wrap::wrapped;

/// Cells before the lines, and before those of what was found.
const INDENT_CELLS: usize = 2;
const PROBLEM_CELLS: usize = 4;

pub(super) fn verification(screen: &Verification, frame: &mut Frame<'_>, area: Rect, look: Look) {
    if screen.asked.is_none() {
        let lines = Paragraph::new(lines(screen, area.width, look))
            .scroll((u16::try_from(screen.first).unwrap_or(u16::MAX), 0));
        frame.render_widget(lines, area);
        return;
    }
    let what = match &screen.what {
        What::Everything => "every case, every stored entry and every piece of an image".into(),
        What::Case { spoken, .. } => format!("the case {}: its entries and the images that are here", shown(spoken)),
    };
    let head = Text { cells: area.width, look, lines: vec![Line::raw("")] }
        .plain(&format!("Verifying {what}."))
        .dim(&format!("Every signature, seal and hash once more, on this machine alone. Deliveries are taken in meanwhile. Esc stops it; nothing is changed either way. {LOCKS_LATER}"))
        .gap();
    let rows = u16::try_from(head.lines.len()).unwrap_or(u16::MAX);
    let [text, rest] = popup::head(area, rows);
    frame.render_widget(Paragraph::new(head.lines), text);
    match &screen.progress {
        Some(at) => draw_progress(frame, rest, Some(at), look),
        None => frame.render_widget(Paragraph::new(Line::styled("  reading the entries …", look.dim())), rest),
    }
}

/// The report, broken into lines of this width.
pub(super) fn lines(screen: &Verification, cells: u16, look: Look) -> Vec<Line<'static>> {
    let text = Text { cells, look, lines: vec![Line::raw("")] };
    let text = match &screen.found {
        None => text,
        // Its hint is about the command line.
        Some(Err(failure)) => text
            .styled(INDENT_CELLS, &failure.what, look.bad())
            .plain("Nothing was changed. r verifies again; the set-up check in the settings looks at disk and home."),
        Some(Ok(report)) if report.ok => same(text, &screen.what, report),
        Some(Ok(report)) => damaged(text, &screen.what, report),
    };
    text.lines
}

fn amounts(report: &Report) -> String {
    let of = |count: u64, one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
    let entries = of(report.entries, "entry", "entries");
    format!("{entries} and {}", of(report.chunks, "piece of an image", "pieces of images"))
}

/// Nothing was found.
fn same(text: Text, what: &What, report: &Report) -> Text {
    let look = text.look;
    let text = text.styled(INDENT_CELLS, "All is as it was signed.", look.good());
    let text = text.plain(&format!("Verified: {}.", amounts(report))).gap();
    match (what, &report.state_hash) {
        (What::Everything, _) => text.dim("To compare with a colleague that both hold the same: v on a case of the worklist."),
        (What::Case { .. }, Some(hash)) => text
            .plain("State of the case:")
            .styled(PROBLEM_CELLS, hash, look.heading())
            .dim("Another member who verifies this case sees the same state if both hold the same entries. Compare it by phone; the first eight characters are enough."),
        (What::Case { .. }, None) => text
            .dim("There is no state to compare yet: not every entry can be opened here."),
    }
}

fn damaged(text: Text, what: &What, report: &Report) -> Text {
    let look = text.look;
    let found = match report.problems.len() {
        1 => "1 problem was found".to_owned(),
        count => format!("{count} problems were found"),
    };
    let text = text
        .styled(INDENT_CELLS, &format!("NOT AS IT WAS SIGNED: {found}."), look.bad())
        .plain(&format!("Verified: {}.", amounts(report)))
        .gap()
        .styled(INDENT_CELLS, "What to do next", look.heading());
    let text = match what {
        What::Everything => text
            .plain("A case that is DAMAGED in the worklist: v says what of it, Del deletes it here; a colleague's program then sends it again.")
            .plain("Damaged images of a case: f on the worklist fetches them again from a colleague who has them. Of a study imported here: import it again.")
            .plain("The database or a private record: stop using this home, keep a copy of its folder, and look at the disk."),
        What::Case { is_damaged: true, .. } => text
            .plain("Nothing of this case is shown or written until it is whole. Del on the worklist deletes it here; a colleague's program then sends it again.")
            .plain("If no other member has it, do not delete it: keep a copy of the home's folder first."),
        What::Case { is_damaged: false, .. } => text
            .plain("Damaged images: Ctrl+F in the case, or f on the worklist, fetches them again from a colleague who has them.")
            .plain("Damaged entries: Del on the worklist deletes the case here; a colleague's program then sends it again. Not if no other member has it."),
    };
    let text = text
        .plain("Do not rest an opinion on what is damaged. Look at the disk: what it lost once it may lose again.")
        .gap()
        .styled(INDENT_CELLS, "What was found", look.heading());
    report.problems.iter().fold(text, |text, problem| text.styled(PROBLEM_CELLS, problem, look.plain()))
}

/// Text that grows line by line.
struct Text {
    cells: u16,
    look: Look,
    lines: Vec<Line<'static>>,
}

impl Text {
    fn styled(mut self, indent: usize, words: &str, style: Style) -> Self {
        let room = usize::from(self.cells).saturating_sub(indent + 1);
        let parts = wrapped(&shown(words), room).into_iter();
        self.lines.extend(parts.map(|part| Line::styled(format!("{:indent$}{part}", ""), style)));
        self
    }

    fn plain(self, words: &str) -> Self {
        let style = self.look.plain();
        self.styled(INDENT_CELLS, words, style)
    }

    fn dim(self, words: &str) -> Self {
        let style = self.look.dim();
        self.styled(INDENT_CELLS, words, style)
    }

    fn gap(mut self) -> Self {
        self.lines.push(Line::raw(""));
        self
    }
}
