//! Every key and what it does, in one place: the hints at the bottom, the help and the command palette read the same
//! table that decides. `table` holds the keys, the rest of the folder the types it is made of.

mod action;
mod chord;
mod place;
mod table;

use crossterm::event::{KeyCode, KeyModifiers};

pub use action::{Action, Change, Tool};
pub use chord::Chord;
pub use place::Place;
pub use table::{Binding, bindings};

/// What a key does in a place. While somebody types, only keys that type nothing count.
pub fn action(place: Place, typing: bool, chord: Chord) -> Option<Action> {
    if typing && types(chord) {
        return None;
    }
    bindings(place).into_iter().find(|binding| binding.chord == chord).map(|binding| binding.action)
}

/// Whether a key writes or edits text.
fn types(chord: Chord) -> bool {
    match chord.code {
        KeyCode::Char(_) => !chord.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT),
        KeyCode::Backspace | KeyCode::Delete | KeyCode::Left | KeyCode::Right | KeyCode::Home | KeyCode::End => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_text_while_somebody_types_and_control_keys_are_not() {
        assert_eq!(action(Place::Worklist, true, Chord::key('q')), None);
        assert_eq!(action(Place::Worklist, false, Chord::key('q')), Some(Action::Quit));
        assert_eq!(action(Place::Worklist, true, Chord::control('q')), Some(Action::Quit));
    }
}
