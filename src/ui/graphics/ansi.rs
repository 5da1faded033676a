//! The few escape sequences that all protocols share.

use ratatui::layout::Position;

/// Keeps the cursor's place and attributes (DECSC).
pub const KEEP_CURSOR: &[u8] = b"\x1b7";

/// Takes them up again (DECRC).
pub const BACK_TO_CURSOR: &[u8] = b"\x1b8";

/// Puts the cursor on a cell; cells are counted from 0, by terminals from 1.
pub fn go_to(out: &mut Vec<u8>, cell: Position) {
    out.extend(format!("\x1b[{};{}H", u32::from(cell.y) + 1, u32::from(cell.x) + 1).bytes());
}
