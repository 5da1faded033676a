//! Asking the terminal what it can: the only part of the graphics that touches it.
//!
//! The questions about the protocol and the size of a cell, and how their answers read, are those of `ratatui-image`.
//! The answers are read here: its own reader waits as long as keys are typed, and takes one from the app afterwards. It
//! does not ask how many colours and pixels Sixel may have either, and a graphic that is larger than xterm's limit is
//! dropped whole; so that is asked here (XTSMGRAPHICS).

use std::io::Write;
use std::time::{Duration, Instant};

use ratatui_image::picker::ProtocolType;
use ratatui_image::picker::cap_parser::{Parser, QueryStdioOptions, Response};

use super::detect::{Answer, CellSize, Environment, Protocol, SixelLimits};

/// xterm gives itself so few registers by default as the terminal it plays had.
const REGISTERS_WISHED: u32 = 256;

/// How long a terminal may take to answer, over a satellite too; typing does not make it longer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);

/// Most bytes that are read for an answer.
const ANSWER_BYTES_MAX: usize = 4096;

/// What is written to measure the way to the terminal, and how long that may take.
const MEASURED_BYTES: usize = 128 * 1024;
const MEASURED_TIME_MAX: Duration = Duration::from_secs(5);

/// Asks. The terminal must be in raw mode and nobody else read from it; before the first event is read.
///
/// Nothing is asked inside a multiplexer, where answers come from the wrong terminal and asking changes settings.
pub fn ask(environment: &Environment) -> Option<Answer> {
    if environment.multiplexed {
        return Some(Answer { protocol: Protocol::HalfBlocks, cell: cell_size(), sixel: SixelLimits::default() });
    }
    let answers = ask_protocol(environment)?;
    let cell = answers.iter().find_map(|answer| match answer {
        Response::CellSize(Some((width, height))) => {
            Some(CellSize { width: (*width).into(), height: (*height).into() })
        }
        _ => None,
    });
    let cell = cell.or_else(cell_size);
    // Pictures of pixels need to know how many a cell has.
    let protocol = match cell {
        Some(_) if answers.contains(&Response::Kitty) => Protocol::Kitty,
        Some(_) if answers.contains(&Response::Sixel) => Protocol::Sixel,
        Some(_) if environment.iterm2 => Protocol::Iterm2,
        _ => Protocol::HalfBlocks,
    };
    let sixel = if protocol == Protocol::Sixel { ask_sixel(environment) } else { SixelLimits::default() };
    Some(Answer { protocol, cell, sixel })
}

/// Asks for protocols and the size of a cell; nothing if it cannot be asked.
fn ask_protocol(environment: &Environment) -> Option<Vec<Response>> {
    let mut options = QueryStdioOptions::default();
    if environment.misplaces {
        options.blacklist_protocols = vec![ProtocolType::Kitty, ProtocolType::Sixel];
    }
    let mut terminal = std::io::stdout();
    let question = Parser::query(false, options);
    terminal.write_all(question.as_bytes()).and_then(|()| terminal.flush()).ok()?;
    let (mut parser, mut answers) = (Parser::new(), Vec::new());
    read_bytes(ANSWER_TIME_MAX, |byte| {
        let read = parser.push(byte.into());
        let is_last = read.contains(&Response::Status);
        answers.extend(read);
        is_last
    });
    Some(answers)
}

/// The size of a cell as the system knows it, without asking the terminal: where it tells, also after a change of font.
#[cfg(unix)]
pub fn cell_size() -> Option<CellSize> {
    let window = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    let side = |pixels: u16, cells: u16| pixels.checked_div(cells).map(u32::from).filter(|side| *side > 0);
    let (width, height) = (side(window.ws_xpixel, window.ws_col)?, side(window.ws_ypixel, window.ws_row)?);
    Some(CellSize { width, height })
}

#[cfg(not(unix))]
pub fn cell_size() -> Option<CellSize> {
    None
}

/// Bytes a second that the terminal takes, blanks on its other screen: from the first written until it answers a
/// question that stands behind the last. Nothing, if it does not answer. The terminal must be as for [`ask`].
pub fn bytes_per_second() -> Option<f64> {
    let mut out = std::io::stdout();
    let blanks = vec![b' '; MEASURED_BYTES];
    let began = Instant::now();
    let written = out.write_all(b"\x1b[?1049h\x1b[H").and_then(|()| out.write_all(&blanks));
    let written = written.and_then(|()| out.write_all(b"\x1b[5n")).and_then(|()| out.flush());
    let answered = written.is_ok() && read_until_status(MEASURED_TIME_MAX).ends_with(b"\x1b[0n");
    let seconds = began.elapsed().as_secs_f64();
    let back = out.write_all(b"\x1b[?1049l").and_then(|()| out.flush());
    (answered && back.is_ok() && seconds > 0.0).then(|| MEASURED_BYTES as f64 / seconds)
}

/// Asks how many registers and pixels a Sixel graphic may have; who does not answer has no limits that we know.
fn ask_sixel(environment: &Environment) -> SixelLimits {
    let mut question = String::new();
    if environment.xterm.is_some() {
        question = format!("\x1b[?1;3;{REGISTERS_WISHED}S");
    }
    // Each answers the status report at the end, and nothing after it.
    question.push_str("\x1b[?1;1;0S\x1b[?2;1;0S\x1b[5n");
    let mut terminal = std::io::stdout();
    if terminal.write_all(question.as_bytes()).and_then(|()| terminal.flush()).is_err() {
        return SixelLimits::default();
    }
    sixel_limits(&read_until_status(ANSWER_TIME_MAX))
}

/// Reads until the answer to the status report, the end of time, or too many bytes.
fn read_until_status(time_max: Duration) -> Vec<u8> {
    let mut answer = Vec::new();
    read_bytes(time_max, |byte| {
        answer.push(byte);
        answer.ends_with(b"\x1b[0n")
    });
    answer
}

/// Reads byte by byte until one is the last, the end of time, or too many bytes.
#[cfg(unix)]
fn read_bytes(time_max: Duration, mut is_last: impl FnMut(u8) -> bool) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let stdin = std::io::stdin();
    let deadline = Instant::now() + time_max;
    for _ in 0..ANSWER_BYTES_MAX {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut waited_for = [PollFd::new(&stdin, PollFlags::IN)];
        let Ok(timeout) = Timespec::try_from(left) else { break };
        if !matches!(poll(&mut waited_for, Some(&timeout)), Ok(1..)) {
            break;
        }
        // Past the buffer of std's stdin, where poll does not see what lies; and no further than the answer.
        let mut byte = [0];
        if !matches!(rustix::io::read(&stdin, &mut byte), Ok(1)) || is_last(byte[0]) {
            break;
        }
    }
}

#[cfg(not(unix))]
fn read_bytes(_time_max: Duration, _is_last: impl FnMut(u8) -> bool) {}

/// Finds the answers: `CSI ? 1 ; 0 ; registers S` and `CSI ? 2 ; 0 ; width ; height S`.
fn sixel_limits(answer: &[u8]) -> SixelLimits {
    let text = String::from_utf8_lossy(answer);
    let mut limits = SixelLimits::default();
    for part in text.split("\x1b[?").skip(1) {
        let Some((numbers, _)) = part.split_once('S') else { continue };
        let Ok(numbers) = numbers.split(';').map(str::parse).collect::<Result<Vec<u32>, _>>() else { continue };
        match numbers.as_slice() {
            [1, 0, registers] if *registers >= 2 => limits.registers = Some(*registers),
            [2, 0, width, height] if *width > 0 && *height > 0 => limits.size_max_px = Some((*width, *height)),
            _ => {}
        }
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_about_sixel_are_found_among_others() {
        let answer = b"\x1b[?1;0;256S\x1b[?1;0;1024S\x1b[?2;0;1000;900S\x1b[0n";
        let expected = SixelLimits { registers: Some(1024), size_max_px: Some((1000, 900)) };
        assert_eq!(sixel_limits(answer), expected);
    }

    #[test]
    fn refusals_and_rubbish_are_no_answers() {
        for answer in [
            &b""[..],
            b"\x1b[?1;3S\x1b[?2;3;0;0S\x1b[0n",
            b"\x1b[?1;0;0S\x1b[?2;0;0;0S",
            b"\x1b[?1;0;99999999999999S\x1b[?2;0;-4;4S",
            b"\x1b[?\xff\x1b[?S\x1b[?;;S",
            b"\x1b[?1;0;256",
        ] {
            assert_eq!(sixel_limits(answer), SixelLimits::default(), "{answer:?}");
        }
    }
}
