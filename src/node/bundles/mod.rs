//! Bundles, as the command `bundle` sees them: cases as one sealed file, packed for members and taken in from members.
//!
//! The container is room `courier`'s; here is decided what goes in, whom it is from, and what is kept. Taking a bundle
//! in is an act of this person, so it answers the invitations in it; everything else follows the rules of a connection:
//! the sender must be a colleague who is not blocked, or a fellow member for the cases shared with her; a new case must
//! come from a colleague and name this device.

mod pack;
mod show;
mod unpack;

use std::fs::File;
use std::path::Path;

pub(super) use unpack::Unpacking;

use super::api::{Failure, FailureCode};
use super::core::Node;
use crate::case::spoken::spoken_name;
use crate::courier::{BundleError, Sender};
use crate::encoding::id::CaseId;
use crate::encoding::text::shown;

/// Whose a bundle is.
struct Origin {
    /// The colleague's name, her identity if she is none.
    name: String,
    standing: SenderStanding,
}

/// What a sender may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SenderStanding {
    /// Anything, new cases too.
    Colleague,
    /// Entries of cases that are here.
    FellowMember,
    Blocked,
    Unknown,
}

impl SenderStanding {
    fn word(self) -> &'static str {
        match self {
            Self::Colleague => "colleague",
            Self::FellowMember => "member",
            Self::Blocked => "blocked",
            Self::Unknown => "unknown",
        }
    }
}

impl Node {
    fn origin(&self, sender: &Sender) -> Origin {
        let identity = sender.identity();
        let device = sender.device();
        let open = self.open_part();
        let name = open.map_or_else(|| identity.short(), |open| open.name_of(&identity, None));
        let is_me = open.is_some_and(|open| open.identity() == identity);
        let is_member = || {
            let mut cases = self.rooms.ids().into_iter().filter_map(|case| self.rooms.get(&case));
            cases.any(|open| open.room.membership().current_device(&device).is_some())
        };
        let standing = match open.and_then(|open| open.people.get(&identity)) {
            Some(colleague) if colleague.is_blocked() => SenderStanding::Blocked,
            Some(colleague) if !colleague.card().revoked().contains(&device) => SenderStanding::Colleague,
            _ if is_me => SenderStanding::Colleague,
            _ if is_member() => SenderStanding::FellowMember,
            _ => SenderStanding::Unknown,
        };
        Origin { name, standing }
    }
}

/// Opens a bundle's file for reading.
fn open_file(path: &Path) -> Result<File, Failure> {
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::new(FailureCode::NotFound, format!("There is no file {}.", path.display()))
                .hint("Look at the name, and whether the stick is mounted.")
        }
        _ => Failure::new(FailureCode::Failed, format!("{} cannot be read: {error}", path.display())),
    })?;
    if file.metadata().is_ok_and(|about| about.is_file()) {
        return Ok(file);
    }
    Err(Failure::new(FailureCode::WrongUse, format!("{} is no file.", path.display()))
        .hint("Name the bundle itself, usually NAME.bundle."))
}

/// Words for why a bundle does not open.
fn open_failure(path: &Path, error: &BundleError) -> Failure {
    let (code, hint) = match error {
        BundleError::NotABundle => (FailureCode::WrongUse, "A bundle is made by `overread bundle pack`."),
        BundleError::OtherVersion(_) => (FailureCode::WrongUse, "Update overread, then repeat."),
        BundleError::HeadDamaged | BundleError::BadOpening(_) => {
            (FailureCode::Damaged, "Copy it again from where it came; if that does not help, let it be packed again.")
        }
        BundleError::NotForMe => {
            (FailureCode::Untrusted, "Send your colleague your card (`overread card export F`) and ask for a new one.")
        }
        BundleError::Forged => (FailureCode::Untrusted, "Call your colleague: somebody else made this file."),
        BundleError::Read(_) => (FailureCode::Failed, "Look whether the stick is still there, then repeat."),
    };
    Failure::new(code, format!("{}: {error}.", path.display())).hint(hint)
}

/// What people call a case.
fn called(case: &CaseId) -> String {
    format!("{} ({})", spoken_name(case), case.short())
}

/// Problems as people read them; how many more there are if the list was cut.
fn problem_words(problems: &[crate::courier::Problem], count: u64) -> Vec<String> {
    let mut words: Vec<String> = problems.iter().map(|problem| shown(&problem.to_string()).into_owned()).collect();
    let more = count.saturating_sub(problems.len() as u64);
    if more > 0 {
        words.push(format!("and {more} more"));
    }
    words
}
