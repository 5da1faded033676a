//! How this terminal shows pictures, for the set-up check: in words, as facts for scripts, and as a picture of grey
//! steps that anybody can count.

use std::io::{self, Write};

use crossterm::cursor::MoveTo;
use crossterm::execute;
use crossterm::style::Print;
use crossterm::terminal::{disable_raw_mode, enable_raw_mode, size as terminal_size};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Rect, Size};
use ratatui::{Terminal, TerminalOptions};
use serde_json::{Value, json};

use super::graphics::{
    Capabilities, Content, Environment, Protocol, Quality, Screen, Setting, Viewport, half_blocks, query, test_picture,
};
use super::widget::amount::bytes;
use crate::node::api::Check;

/// The grey steps on the command line, in cells.
const COLUMNS: u16 = 64;
const ROWS: u16 = 12;

/// Below this, moving pictures come as drafts, in bytes a second: a full frame at a comfortable pace.
const FAST_ENOUGH: f64 = 2_000_000.0;

/// What was found out about the terminal in front of a command.
pub struct Looked {
    capabilities: Capabilities,
    bytes_per_second: Option<f64>,
}

impl Looked {
    /// Asks the terminal, and measures how fast it takes what is written. Standard input and output must be one.
    ///
    /// # Errors
    /// If it does not obey.
    pub fn look(setting: Setting) -> io::Result<Self> {
        enable_raw_mode()?;
        let environment = Environment::read(|name| std::env::var(name).ok());
        let capabilities = Capabilities::of(&environment, query::ask(&environment).as_ref(), setting);
        let bytes_per_second = query::bytes_per_second();
        disable_raw_mode()?;
        Ok(Self { capabilities, bytes_per_second })
    }

    pub fn checks(&self) -> Vec<Check> {
        checks(&self.capabilities, self.bytes_per_second)
    }

    /// The same for scripts.
    pub fn facts(&self) -> Value {
        let Capabilities { protocol, because, cell, cell_known, .. } = &self.capabilities;
        json!({
            "protocol": protocol.name(),
            "because": because,
            "cell": { "width": cell.width, "height": cell.height, "known": cell_known },
            "greys": self.capabilities.greys(),
            "multiplexed": self.capabilities.multiplexed,
            "ssh": self.capabilities.ssh,
            "bytes_per_second": self.bytes_per_second.map(f64::round),
        })
    }

    /// Shows the grey steps below what was written so far.
    ///
    /// # Errors
    /// If the terminal does not take them.
    pub fn show_grey_steps(&self) -> io::Result<()> {
        if self.capabilities.protocol == Protocol::None {
            return Ok(());
        }
        let below = TerminalOptions { viewport: ratatui::Viewport::Inline(ROWS + 1) };
        let mut terminal = Terminal::with_options(CrosstermBackend::new(io::stdout()), below)?;
        let mut screen = Screen::new(&self.capabilities, std::process::id());
        let (columns, rows) = terminal_size()?;
        let mut area = Rect::default();
        terminal.draw(|frame| {
            area = frame.area();
            area = Rect { width: area.width.min(COLUMNS), height: area.height.min(ROWS), ..area };
            if self.capabilities.protocol == Protocol::HalfBlocks {
                let (width, height) = half_blocks::size_px(area);
                let steps = test_picture::grey_steps(width, height);
                half_blocks::draw(frame.buffer_mut(), area, &steps, None, self.capabilities.colours, Quality::EXACT);
            }
        })?;
        let (width, height) = screen.size_px(area);
        let steps = test_picture::grey_steps(width, height);
        let viewport = Viewport { area, content: Content::Flat { raster: &steps, overlay: None } };
        let bytes = screen.show(&[viewport], &[], Size::new(columns, rows), Quality::EXACT);
        let mut out = io::stdout();
        out.write_all(&bytes)?;
        execute!(out, MoveTo(0, area.bottom()), Print("\r\n"))
    }
}

/// What the picture of grey steps shows, and what to look for.
pub const GREY_STEPS: &str = "
Grey steps: rows of 16, 32, 64 and 256; below, a patch inside black and one
inside white. What you cannot tell apart here, you cannot tell apart in images.";

/// How a terminal shows pictures, as lines of the set-up check.
pub fn checks(capabilities: &Capabilities, bytes_per_second: Option<f64>) -> Vec<Check> {
    let Capabilities { protocol, because, cell, cell_known, .. } = capabilities;
    let guess = if *cell_known { "" } else { ", a guess" };
    let sharp = !matches!(protocol, Protocol::HalfBlocks | Protocol::None);
    let pictures = Check {
        name: "pictures".into(),
        ok: sharp,
        what: format!("{protocol}, {because}; a cell has {} x {} pixels{guess}", cell.width, cell.height),
        hint: (!sharp).then(|| {
            "Orientation only. Kitty, WezTerm, iTerm2, foot or xterm with Sixel show images, also over SSH, but not \
             through tmux. If this terminal can show them, say so: `overread settings set graphics sixel`."
                .into()
        }),
    };
    let warning = capabilities.warning();
    let greys = Check {
        name: "greys".into(),
        ok: warning.is_none(),
        what: warning.as_ref().map_or_else(|| format!("{} of 256", capabilities.greys()), |(what, _)| what.clone()),
        hint: warning.map(|(_, hint)| hint.into()),
    };
    let slow = bytes_per_second.is_some_and(|rate| rate < FAST_ENOUGH);
    let output = Check {
        name: "output".into(),
        ok: true,
        what: match bytes_per_second {
            Some(rate) => format!("{}/s", bytes(rate as u64)),
            None => "not measured".into(),
        },
        hint: slow.then(|| "Pictures that move come as drafts; at rest they are exact.".into()),
    };
    vec![pictures, greys, output]
}

/// In place of [`checks`], where there is no terminal.
pub fn not_looked_at() -> Check {
    let what = "not looked at: standard input and output are no terminal".into();
    Check { name: "pictures".into(), ok: true, what, hint: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capabilities(variables: &[(&str, &str)], setting: Setting) -> Capabilities {
        let environment = Environment::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).into())
        });
        Capabilities::of(&environment, None, setting)
    }

    #[test]
    fn a_terminal_that_shows_images_is_as_it_should_be() {
        let checks = checks(&capabilities(&[], Setting::Always(Protocol::Kitty)), Some(52_428_800.0));
        let said: Vec<_> = checks.iter().map(|check| (check.ok, check.what.as_str())).collect();
        let pictures = (true, "kitty, as set; a cell has 8 x 16 pixels, a guess");
        assert_eq!(said, [pictures, (true, "256 of 256"), (true, "50.0 MiB/s")]);
        assert!(checks.iter().all(|check| check.hint.is_none()));
    }

    #[test]
    fn inside_tmux_and_with_few_greys_it_says_what_is_lost_and_what_to_try() {
        let variables = [("TMUX", "/tmp/x,1,0"), ("TERM", "screen-256color")];
        let checks = checks(&capabilities(&variables, Setting::Auto), Some(100_000.0));
        assert!(!checks[0].ok && checks[0].what.contains("inside tmux or screen"), "{checks:?}");
        assert!(checks[0].hint.as_deref().unwrap().contains("Orientation only."));
        assert_eq!(
            (checks[1].ok, checks[1].what.as_str()),
            (false, "This terminal shows 30 of 256 greys. Fine differences are lost.")
        );
        assert!(checks[2].hint.as_deref().unwrap().contains("drafts"));
    }

    #[test]
    fn facts_for_scripts_name_the_protocol_and_why() {
        let looked = Looked { capabilities: capabilities(&[], Setting::Auto), bytes_per_second: None };
        let facts = looked.facts();
        assert_eq!(
            (&facts["protocol"], &facts["because"]),
            (&json!("half-blocks"), &json!("the terminal did not answer"))
        );
        assert_eq!(
            (&facts["cell"]["known"], &facts["greys"], &facts["bytes_per_second"]),
            (&json!(false), &json!(4), &Value::Null)
        );
    }
}
