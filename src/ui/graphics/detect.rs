//! Which pictures a terminal can show: decided from its environment, its answers, and what the user set.
//!
//! Pure: [`super::query`] asks the terminal, this judges. A wrong guess upwards fills the screen with rubbish, one
//! downwards costs sharpness; so whatever did not answer gets half-blocks. Inside tmux and screen pictures are placed
//! by a program that does not know about them, and the cursor of a pane is not the terminal's: half-blocks again,
//! except that tmux may speak Sixel itself, when the user says so.

use std::fmt;
use std::str::FromStr;

/// A way to show pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// Kitty's: pictures that the terminal keeps, scales and layers.
    Kitty,
    /// DEC's: bands of six rows in a palette.
    Sixel,
    /// iTerm2's: image files in place of cells.
    Iterm2,
    /// Characters that are two pixels each.
    HalfBlocks,
    /// No pictures at all.
    #[default]
    None,
}

/// What the user wants, in place of what was found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Setting {
    #[default]
    Auto,
    Always(Protocol),
}

/// Colours that cells can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// 24 bits.
    True,
    /// The palette of 256, which has a ramp of greys.
    Palette256,
    /// The sixteen of old: four greys.
    Sixteen,
    /// None wanted or none there: characters of different weight.
    None,
}

/// Size of a cell in screen pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellSize {
    pub width: u32,
    pub height: u32,
}

/// What the environment tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    pub colours: Colours,
    /// tmux or GNU screen.
    pub multiplexed: bool,
    pub ssh: bool,
    /// The patch number of xterm, if it is one.
    pub xterm: Option<u32>,
    /// It names itself as a terminal that takes iTerm2's pictures.
    pub iterm2: bool,
    /// It answers for protocols in which it misplaces pictures: WezTerm, Konsole.
    pub misplaces: bool,
}

/// What the terminal answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    pub protocol: Protocol,
    pub cell: Option<CellSize>,
    pub sixel: SixelLimits,
}

/// What a terminal says it takes as Sixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SixelLimits {
    pub registers: Option<u32>,
    /// The widest and highest graphic, in pixels.
    pub size_max_px: Option<(u32, u32)>,
}

/// What this terminal shows pictures with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    pub protocol: Protocol,
    /// Why this protocol, in words for `doctor`.
    pub because: &'static str,
    pub cell: CellSize,
    /// Whether the terminal told the size of a cell; otherwise it is a guess.
    pub cell_known: bool,
    pub colours: Colours,
    pub multiplexed: bool,
    pub ssh: bool,
    pub xterm: Option<u32>,
    pub sixel: SixelLimits,
}

/// Terminals that take iTerm2's pictures, as `TERM_PROGRAM` names them.
const ITERM2: [&str; 9] = ["iTerm", "WezTerm", "mintty", "vscode", "Tabby", "Hyper", "rio", "Bobcat", "WarpTerminal"];

/// Below this, `doctor` and the first start warn: neighbouring tissues begin to share a grey.
pub const GREYS_MIN: u16 = 64;

/// Taken where the terminal tells nothing: right for most fonts within a few pixels.
const CELL_GUESS: CellSize = CellSize { width: 8, height: 16 };

/// Sides of cells that can be believed.
const CELL_PX: std::ops::RangeInclusive<u32> = 2..=128;

/// What terminals that speak Sixel have if they do not say.
const REGISTERS_GUESS: u32 = 256;

/// xterm's `maxGraphicSize`, if it does not answer.
const XTERM_SIZE_MAX_PX: (u32, u32) = (1000, 1000);

impl Environment {
    /// Reads it through a function that knows the variables.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        let term = variable("TERM").unwrap_or_default();
        let multiplexed = variable("TMUX").is_some()
            || variable("STY").is_some()
            || term.starts_with("tmux")
            || term.starts_with("screen");
        let colours = if variable("NO_COLOR").is_some() || term == "dumb" {
            Colours::None
        } else if variable("COLORTERM").is_some_and(|value| value == "truecolor" || value == "24bit")
            || term.contains("direct")
            || term == "xterm-kitty"
            || term == "xterm-ghostty"
            || variable("WT_SESSION").is_some()
        {
            Colours::True
        } else if term.contains("256color") || variable("XTERM_VERSION").is_some() {
            Colours::Palette256
        } else {
            Colours::Sixteen
        };
        Self {
            colours,
            multiplexed,
            ssh: variable("SSH_CONNECTION").is_some() || variable("SSH_TTY").is_some(),
            xterm: variable("XTERM_VERSION").as_deref().and_then(xterm_patch),
            iterm2: variable("TERM_PROGRAM").is_some_and(|name| ITERM2.iter().any(|known| name.contains(known)))
                || variable("LC_TERMINAL").is_some_and(|name| name.contains("iTerm")),
            misplaces: variable("WEZTERM_EXECUTABLE").is_some() || variable("KONSOLE_VERSION").is_some(),
        }
    }
}

/// The number in `XTerm(379)`.
fn xterm_patch(version: &str) -> Option<u32> {
    version.strip_prefix("XTerm(")?.strip_suffix(')')?.parse().ok()
}

impl Capabilities {
    /// Decides. Without an answer (not a terminal, or it stayed silent) half-blocks remain.
    pub fn of(environment: &Environment, answer: Option<&Answer>, setting: Setting) -> Self {
        let (protocol, because) = match (setting, answer) {
            (Setting::Always(Protocol::Kitty | Protocol::Iterm2), _) if environment.multiplexed => {
                (Protocol::HalfBlocks, "set otherwise, but tmux and screen cannot place such pictures")
            }
            (Setting::Always(wish), _) => (wish, "as set"),
            (Setting::Auto, _) if environment.multiplexed => {
                (Protocol::HalfBlocks, "inside tmux or screen, which cannot be relied on to place pictures")
            }
            (Setting::Auto, Some(answer)) => (answer.protocol, "as the terminal answered"),
            (Setting::Auto, None) => (Protocol::HalfBlocks, "the terminal did not answer"),
        };
        let believable = |cell: &CellSize| CELL_PX.contains(&cell.width) && CELL_PX.contains(&cell.height);
        let cell = answer.and_then(|answer| answer.cell).filter(believable);
        Self {
            protocol,
            because,
            cell: cell.unwrap_or(CELL_GUESS),
            cell_known: cell.is_some(),
            colours: environment.colours,
            multiplexed: environment.multiplexed,
            ssh: environment.ssh,
            xterm: environment.xterm,
            sixel: answer.map(|answer| answer.sixel).unwrap_or_default(),
        }
    }

    /// Greys that the screen can tell apart, as far as protocol and colours go.
    pub fn greys(&self) -> u16 {
        match self.protocol {
            Protocol::Kitty | Protocol::Iterm2 => 256,
            Protocol::Sixel => super::palette::Palette::new(self.registers()).greys(),
            Protocol::HalfBlocks => super::half_blocks::greys(self.colours),
            Protocol::None => 0,
        }
    }

    /// Colour registers for Sixel.
    pub fn registers(&self) -> u32 {
        self.sixel.registers.unwrap_or(REGISTERS_GUESS)
    }

    /// The largest Sixel graphic, if there is a largest.
    pub fn sixel_size_max_px(&self) -> Option<(u32, u32)> {
        self.sixel.size_max_px.or(self.xterm.map(|_| XTERM_SIZE_MAX_PX))
    }

    /// What happened, and what to try, if too few greys can be shown.
    pub fn warning(&self) -> Option<(String, &'static str)> {
        let greys = self.greys();
        (greys < GREYS_MIN).then(|| {
            (
                format!("This terminal shows {greys} of 256 greys. Fine differences are lost."),
                "Use a terminal with the Kitty, iTerm2 or Sixel protocol, outside tmux.",
            )
        })
    }
}

impl Protocol {
    pub const ALL: [Self; 5] = [Self::Kitty, Self::Sixel, Self::Iterm2, Self::HalfBlocks, Self::None];

    pub fn name(self) -> &'static str {
        match self {
            Self::Kitty => "kitty",
            Self::Sixel => "sixel",
            Self::Iterm2 => "iterm2",
            Self::HalfBlocks => "half-blocks",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Setting {
    type Err = UnknownSetting;

    fn from_str(text: &str) -> Result<Self, UnknownSetting> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        Protocol::ALL.into_iter().find(|protocol| protocol.name() == text).map(Self::Always).ok_or(UnknownSetting)
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("Graphics are one of auto, kitty, sixel, iterm2, half-blocks and none.")]
pub struct UnknownSetting;

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::read(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into()))
    }

    fn answer(protocol: Protocol) -> Answer {
        let cell = Some(CellSize { width: 10, height: 20 });
        Answer { protocol, cell, sixel: SixelLimits::default() }
    }

    #[test]
    fn colours_are_read_from_the_environment() {
        for (variables, colours) in [
            (&[("TERM", "xterm-kitty")][..], Colours::True),
            (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")], Colours::True),
            (&[("TERM", "xterm-256color")], Colours::Palette256),
            (&[("TERM", "linux")], Colours::Sixteen),
            (&[], Colours::Sixteen),
            (&[("TERM", "dumb")], Colours::None),
            (&[("TERM", "xterm-kitty"), ("NO_COLOR", "1")], Colours::None),
            (&[("TERM", "xterm-kitty"), ("NO_COLOR", "")], Colours::True),
        ] {
            assert_eq!(environment(variables).colours, colours, "{variables:?}");
        }
    }

    #[test]
    fn terminals_that_name_themselves_are_known() {
        for (variables, iterm2, misplaces) in [
            (&[("TERM_PROGRAM", "iTerm.app")][..], true, false),
            (&[("LC_TERMINAL", "iTerm2")], true, false),
            (&[("TERM_PROGRAM", "WezTerm"), ("WEZTERM_EXECUTABLE", "/usr/bin/wezterm")], true, true),
            (&[("KONSOLE_VERSION", "230800")], false, true),
            (&[("TERM_PROGRAM", "tmux")], false, false),
        ] {
            let found = environment(variables);
            assert_eq!((found.iterm2, found.misplaces), (iterm2, misplaces), "{variables:?}");
        }
    }

    #[test]
    fn the_terminals_answer_decides() {
        let capabilities = Capabilities::of(&environment(&[]), Some(&answer(Protocol::Kitty)), Setting::Auto);
        assert_eq!((capabilities.protocol, capabilities.greys()), (Protocol::Kitty, 256));
        assert_eq!((capabilities.cell.width, capabilities.cell_known), (10, true));
    }

    #[test]
    fn silence_means_half_blocks() {
        let capabilities = Capabilities::of(&environment(&[]), None, Setting::Auto);
        assert_eq!((capabilities.protocol, capabilities.cell_known), (Protocol::HalfBlocks, false));
    }

    #[test]
    fn inside_a_multiplexer_only_sixel_can_be_insisted_on() {
        for inside in [("TMUX", "/tmp/tmux-0/default,1,0"), ("STY", "1.pts"), ("TERM", "screen-256color")] {
            let environment = environment(&[inside]);
            let answer = answer(Protocol::Kitty);
            let protocol = |setting| Capabilities::of(&environment, Some(&answer), setting).protocol;
            assert_eq!(protocol(Setting::Auto), Protocol::HalfBlocks, "{inside:?}");
            assert_eq!(protocol(Setting::Always(Protocol::Kitty)), Protocol::HalfBlocks);
            assert_eq!(protocol(Setting::Always(Protocol::Iterm2)), Protocol::HalfBlocks);
            assert_eq!(protocol(Setting::Always(Protocol::Sixel)), Protocol::Sixel);
        }
    }

    #[test]
    fn a_setting_is_stronger_than_the_answer() {
        for name in ["kitty", "sixel", "iterm2", "half-blocks", "none"] {
            let setting: Setting = name.parse().unwrap();
            let capabilities = Capabilities::of(&environment(&[]), Some(&answer(Protocol::Kitty)), setting);
            assert_eq!(capabilities.protocol.to_string(), name);
        }
        assert_eq!("auto".parse(), Ok(Setting::Auto));
        assert_eq!("Kitty ".parse::<Setting>(), Err(UnknownSetting));
    }

    #[test]
    fn cells_of_absurd_size_are_not_believed() {
        for (width, height) in [(0, 0), (1, 20), (10, 100_000)] {
            let answer = Answer { cell: Some(CellSize { width, height }), ..answer(Protocol::Sixel) };
            let capabilities = Capabilities::of(&environment(&[]), Some(&answer), Setting::Auto);
            assert_eq!((capabilities.cell, capabilities.cell_known), (CELL_GUESS, false));
        }
    }

    #[test]
    fn few_greys_are_warned_of() {
        let with = |variables: &[_], protocol| {
            Capabilities::of(&environment(variables), None, Setting::Always(protocol)).warning()
        };
        assert_eq!(with(&[("COLORTERM", "truecolor")], Protocol::HalfBlocks), None);
        assert_eq!(with(&[], Protocol::Sixel), None);
        let (what, _) = with(&[("TERM", "xterm-256color")], Protocol::HalfBlocks).unwrap();
        assert_eq!(what, "This terminal shows 30 of 256 greys. Fine differences are lost.");
        assert!(with(&[("TERM", "linux")], Protocol::HalfBlocks).unwrap().0.contains("shows 4 of"));
    }

    #[test]
    fn xterm_is_known_by_its_patch_number() {
        assert_eq!(environment(&[("XTERM_VERSION", "XTerm(379)")]).xterm, Some(379));
        assert_eq!(environment(&[("XTERM_VERSION", "other")]).xterm, None);
    }
}
