//! Choosing files and folders: a folder on the screen, marks that stay while one walks, a path that completes itself.
//!
//! The folder is read in the background; until it is here the one before stays. Nothing is opened: what a file is, the
//! node says. [`destination`] chooses where something is written.

mod destination;
mod draw;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crossterm::event::KeyEvent;
use ratatui::layout::{Position, Rect};

use crate::ui::files::{Entry, Kind, Listing};
use crate::ui::keys::Action;
use crate::ui::message::Ticket;
use crate::ui::screen::Context;
use crate::ui::widget::field::Field;
use crate::ui::widget::list::Chosen;

pub use destination::{Destination, Written};
pub use draw::{draw_list, draw_place};

/// How bundles are named.
pub const BUNDLE_ENDING: &str = "bundle";

/// Folders under which systems put sticks and discs, the likeliest first.
const MEDIA: [&str; 4] = ["/run/media", "/media", "/Volumes", "/mnt"];

/// Most files and folders marked at once.
const MARKED_MAX: usize = 500;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Any files and folders, several at once, the folder itself too.
    Anything,
    /// One bundle.
    Bundle,
    /// A place in a folder.
    Place,
}

/// A folder and what is marked in it and elsewhere.
#[derive(Debug)]
pub struct Browser {
    wanted: Wanted,
    listing: Option<Listing>,
    failed: Option<String>,
    chosen: Chosen,
    hidden: bool,
    marked: BTreeSet<PathBuf>,
    path: Field,
    typing: bool,
    reading: Option<(Ticket, Reading)>,
    /// What was typed to the end: a file that is there, or of a place a name that may not be.
    named: Option<PathBuf>,
}

/// Why a folder is being read.
#[derive(Debug)]
enum Reading {
    /// To go there; the cursor goes to the entry she came from.
    Open { from: Option<OsString>, was_typed: bool },
    /// To go there, and on to what is called so: into it if it is a folder.
    Named { name: OsString },
    /// To find a stick or disc; these folders come next.
    Media {
        next: &'static [&'static str],
        /// It is the only folder of one where systems put them.
        within: bool,
        /// Such an only folder with nothing in it, the first that was found.
        empty: Option<Listing>,
    },
    /// To complete a path whose last part begins like this.
    Complete { typed_folder: String, part: String },
}

impl Browser {
    pub fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            listing: None,
            failed: None,
            chosen: Chosen::default(),
            hidden: false,
            marked: BTreeSet::new(),
            path: Field::new("", "/media/disc, ~/studies/ct.zip …"),
            typing: false,
            reading: None,
            named: None,
        }
    }

    pub fn is_typing(&self) -> bool {
        self.typing
    }

    pub fn path(&self) -> &Field {
        &self.path
    }

    pub fn folder(&self) -> Option<&Path> {
        self.listing.as_ref().map(|listing| listing.folder.as_path())
    }

    pub fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    pub fn chosen(&self) -> Chosen {
        self.chosen
    }

    /// Puts the cursor where was clicked; whether it was there already.
    pub fn clicked(&mut self, at: Position, list: Rect) -> bool {
        let Some(row) = self.chosen.line_at(list, at) else { return false };
        let is_again = row == self.chosen.at;
        if row < self.rows() {
            self.chosen.at = row;
        }
        is_again && row < self.rows()
    }

    pub fn is_cut(&self) -> bool {
        self.listing.as_ref().is_some_and(|listing| listing.cut)
    }

    /// The entries that are seen, what is looked for first; above them stands the folder itself, where that can be it.
    pub fn entries(&self) -> Vec<&Entry> {
        let entries = self.listing.iter().flat_map(|listing| &listing.entries);
        let mut seen: Vec<&Entry> = entries.filter(|entry| self.hidden || !entry.is_hidden()).collect();
        if self.wanted == Wanted::Bundle {
            seen.sort_by_key(|entry| (!is_bundle(entry), entry.kind != Kind::Folder));
        }
        seen
    }

    /// Rows above the entries.
    fn rows_above(&self) -> usize {
        usize::from(self.wanted != Wanted::Bundle && self.listing.is_some())
    }

    pub fn rows(&self) -> usize {
        self.entries().len() + self.rows_above()
    }

    /// Whether something of this name lies in the folder.
    pub fn holds(&self, name: &str) -> bool {
        self.listing.iter().flat_map(|listing| &listing.entries).any(|entry| entry.name == *name)
    }

    /// The file under the cursor.
    pub fn chosen_file(&self) -> Option<PathBuf> {
        let entry = self.chosen_entry().filter(|entry| matches!(entry.kind, Kind::File | Kind::Archive))?;
        self.path_of(Some(entry))
    }

    /// Whether the cursor is on the folder itself.
    pub fn is_at_folder(&self) -> bool {
        self.chosen.at < self.rows_above()
    }

    /// What was typed to the end, once.
    pub fn take_named(&mut self) -> Option<PathBuf> {
        self.named.take()
    }

    pub fn marked(&self) -> &BTreeSet<PathBuf> {
        &self.marked
    }

    pub fn is_marked(&self, entry: Option<&Entry>) -> bool {
        self.path_of(entry).is_some_and(|path| self.marked.contains(&path))
    }

    /// What an import would take: what is marked, or else what the cursor is on.
    pub fn wanted(&self) -> Vec<PathBuf> {
        if self.marked.is_empty() {
            return self.path_of(self.chosen_entry()).into_iter().collect();
        }
        self.marked.iter().cloned().collect()
    }

    /// The preset file under the cursor, if it is one by its name.
    pub fn preset_file(&self) -> Option<PathBuf> {
        let entry = self.chosen_entry().filter(|entry| entry.kind == Kind::File);
        self.path_of(Some(entry?)).filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
    }

    pub fn clear_marks(&mut self) {
        self.marked.clear();
    }

    /// The path of an entry; without one, of the folder.
    fn path_of(&self, entry: Option<&Entry>) -> Option<PathBuf> {
        let folder = self.folder()?;
        Some(entry.map_or_else(|| folder.to_owned(), |entry| folder.join(&entry.name)))
    }

    fn chosen_entry(&self) -> Option<&Entry> {
        self.entries().get(self.chosen.at.checked_sub(self.rows_above())?).copied()
    }

    pub fn start(&mut self, context: &mut Context<'_>) {
        if self.listing.is_none() && self.reading.is_none() {
            let first = if self.wanted == Wanted::Place { "~" } else { "" };
            self.open(Path::new(first), None, context);
        }
    }

    fn open(&mut self, path: &Path, from: Option<OsString>, context: &mut Context<'_>) {
        self.reading = Some((context.list(path), Reading::Open { from, was_typed: false }));
    }

    /// Takes an action; `false` if it is about something else.
    pub fn act(&mut self, action: Action, page: usize, context: &mut Context<'_>) -> bool {
        if self.typing {
            match action {
                Action::Back => {
                    self.typing = false;
                    self.failed = None;
                }
                Action::Open => self.open_typed(context),
                Action::NextField => self.complete(context),
                _ => return false,
            }
            return true;
        }
        if self.chosen.act(action, self.rows(), page) {
            return true;
        }
        match action {
            Action::Open | Action::FolderBelow => match self.chosen_entry() {
                Some(entry) if entry.kind == Kind::Folder => {
                    if let Some(path) = self.path_of(self.chosen_entry()) {
                        self.open(&path, None, context);
                    }
                }
                _ if action == Action::FolderBelow => context.say("Choose a folder to go into."),
                _ if self.wanted == Wanted::Anything => self.mark(context),
                _ => return false,
            },
            Action::Mark if self.wanted == Wanted::Anything => {
                self.mark(context);
                self.chosen.act(Action::Down, self.rows(), page);
            }
            Action::FolderAbove => {
                if let Some(folder) = self.folder().map(Path::to_owned)
                    && let Some(above) = folder.parent()
                {
                    self.open(above, folder.file_name().map(ToOwned::to_owned), context);
                }
            }
            Action::FolderHome => self.open(Path::new("~"), None, context),
            Action::FolderMedia => self.look_for_media(&MEDIA, None, context),
            Action::HiddenFiles => {
                let name = self.chosen_entry().map(|entry| entry.name.clone());
                self.hidden = !self.hidden;
                self.go_to(name.as_ref());
            }
            Action::Refresh => {
                if let Some(folder) = self.folder().map(Path::to_owned) {
                    let name = self.chosen_entry().map(|entry| entry.name.clone());
                    self.open(&folder, name, context);
                }
            }
            Action::TypePath => {
                let folder = self.folder().and_then(Path::to_str).map(|folder| folder.trim_end_matches('/').to_owned());
                self.path.set(&folder.map(|folder| folder + "/").unwrap_or_default());
                self.typing = true;
            }
            _ => return false,
        }
        true
    }

    /// Goes to what was typed.
    fn open_typed(&mut self, context: &mut Context<'_>) {
        let typed = PathBuf::from(self.path.text().trim());
        let ends_as_folder =
            self.path.text().trim_end().ends_with('/') || typed.starts_with("~") && typed.iter().count() == 1;
        match (typed.parent(), typed.file_name()) {
            (Some(parent), Some(name)) if self.wanted == Wanted::Place && !ends_as_folder => {
                let parent = self.meant_by(parent);
                self.reading = Some((context.list(&parent), Reading::Named { name: name.to_owned() }));
            }
            _ => {
                let typed = self.meant_by(&typed);
                self.reading = Some((context.list(&typed), Reading::Open { from: None, was_typed: true }));
            }
        }
    }

    /// A path without a beginning is meant from the folder that is seen.
    fn meant_by(&self, typed: &Path) -> PathBuf {
        match self.folder() {
            Some(folder) if typed.is_relative() && !typed.starts_with("~") => folder.join(typed),
            _ => typed.to_owned(),
        }
    }

    fn look_for_media(&mut self, folders: &'static [&'static str], empty: Option<Listing>, context: &mut Context<'_>) {
        match (folders, empty) {
            ([first, next @ ..], empty) => {
                let reading = Reading::Media { next, within: false, empty };
                self.reading = Some((context.list(Path::new(first)), reading));
            }
            // A person's folder without a stick in it, or a stick with nothing on it: nobody can tell.
            ([], Some(empty)) => {
                self.take(empty, None);
                context.say("This is empty, and no other stick or disc is mounted; / types another path.");
            }
            ([], None) => context.say("No stick and no disc is mounted here; / types another path."),
        }
    }

    fn mark(&mut self, context: &mut Context<'_>) {
        let entry = self.chosen_entry();
        if entry.is_some_and(|entry| entry.kind == Kind::Other) {
            context.say("That is neither a file nor a folder.");
            return;
        }
        let Some(path) = self.path_of(entry) else { return };
        if self.marked.remove(&path) {
            return;
        }
        if self.marked.len() >= MARKED_MAX {
            context.say("No more can be marked at once: mark their folder.");
            return;
        }
        self.marked.insert(path);
    }

    pub fn key(&mut self, key: KeyEvent) {
        if self.typing {
            self.path.key(key);
        }
    }

    pub fn paste(&mut self, text: &str) {
        if !self.typing {
            self.path.clear();
            self.typing = true;
        }
        // File managers paste paths in quotes or as URLs of files.
        let text = text.trim().trim_matches(['\'', '"']);
        match text.strip_prefix("file://") {
            Some(url) => self.path.paste(&decoded(url.strip_prefix("localhost").unwrap_or(url))),
            None => self.path.paste(text),
        }
    }

    /// Asks for the folder in which the typed path is completed.
    fn complete(&mut self, context: &mut Context<'_>) {
        let text = self.path.text();
        let cut = text.rfind('/').map_or(0, |slash| slash + 1);
        let (typed_folder, part) = text.split_at(cut);
        if typed_folder.is_empty() && part == "~" {
            self.path.set("~/");
            return;
        }
        let (typed_folder, part) = (typed_folder.to_owned(), part.to_owned());
        let folder = self.meant_by(Path::new(&typed_folder));
        self.reading = Some((context.list(&folder), Reading::Complete { typed_folder, part }));
    }

    /// A folder came; one that nobody waits for any more is dropped.
    pub fn listed(&mut self, ticket: Ticket, outcome: &Result<Listing, String>, context: &mut Context<'_>) {
        if self.reading.as_ref().is_none_or(|(awaited, _)| *awaited != ticket) {
            return;
        }
        let Some((_, reading)) = self.reading.take() else { return };
        let (listing, reading) = match (outcome, reading) {
            (Ok(listing), reading) => (listing.clone(), reading),
            (Err(_), Reading::Media { next, empty, .. }) => return self.look_for_media(next, empty, context),
            (Err(why), _) => {
                self.failed = Some(why.clone());
                return;
            }
        };
        self.failed = None;
        match reading {
            Reading::Open { from, was_typed } => {
                let name = listing.file.clone().or(from);
                if was_typed {
                    self.typing = false;
                    self.named = listing.file.as_ref().map(|file| listing.folder.join(file));
                }
                self.take(listing, name.as_ref());
            }
            Reading::Named { name } => {
                let path = listing.folder.join(&name);
                self.typing = false;
                if listing.entries.iter().any(|entry| entry.name == name && entry.kind == Kind::Folder) {
                    return self.open(&path, None, context);
                }
                self.take(listing, None);
                self.named = Some(path);
            }
            Reading::Media { next, within, empty } => match &listing.entries[..] {
                [] if within => self.look_for_media(next, empty.or(Some(listing)), context),
                [] => self.look_for_media(next, empty, context),
                // Of one person's folder with her sticks in it, the sticks are meant.
                [one] if !within && one.kind == Kind::Folder => {
                    let ticket = context.list(&listing.folder.join(&one.name));
                    self.reading = Some((ticket, Reading::Media { next, within: true, empty }));
                }
                _ => self.take(listing, None),
            },
            Reading::Complete { typed_folder, part } => {
                // She typed on meanwhile: what she typed counts.
                if self.path.text() != format!("{typed_folder}{part}") {
                    return;
                }
                match completed(&listing, &part) {
                    Some(more) => self.path.set(&format!("{typed_folder}{more}")),
                    None => context.say("Nothing there begins like this."),
                }
                self.listing = Some(listing);
                self.chosen = Chosen::default();
            }
        }
    }

    /// Shows a folder, with the cursor at what is called so.
    fn take(&mut self, listing: Listing, name: Option<&OsString>) {
        self.listing = Some(listing);
        self.chosen = Chosen::default();
        self.go_to(name);
    }

    fn go_to(&mut self, name: Option<&OsString>) {
        let at = name.and_then(|name| self.entries().iter().position(|entry| entry.name == *name));
        self.chosen.at = at.map_or(self.chosen.at, |at| at + self.rows_above());
        self.chosen.keep_within(self.rows());
    }
}

/// The longest beginning that all entries share which begin like this; a single folder gets its slash.
fn completed(listing: &Listing, part: &str) -> Option<String> {
    let fits = |entry: &&Entry| {
        entry.name.to_str().is_some_and(|name| name.starts_with(part)) && (part.starts_with('.') || !entry.is_hidden())
    };
    let mut found = listing.entries.iter().filter(fits);
    let first = found.next()?;
    let mut shared = first.name.to_str()?.to_owned();
    let mut alone = true;
    for name in found.filter_map(|entry| entry.name.to_str()) {
        alone = false;
        let same: usize = shared.chars().zip(name.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
        shared.truncate(same);
    }
    if alone && first.kind == Kind::Folder {
        shared.push('/');
    }
    Some(shared)
}

/// The path that a URL means, `%20` being a blank; as it stands if that is no text.
fn decoded(url: &str) -> String {
    let mut bytes = Vec::with_capacity(url.len());
    let mut rest = url.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        // A sign before a number is no digit of it.
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| url.to_owned())
}

fn is_bundle(entry: &Entry) -> bool {
    let ending = Path::new(&entry.name).extension();
    entry.kind == Kind::File && ending.is_some_and(|ending| ending.eq_ignore_ascii_case(BUNDLE_ENDING))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_a_file_is_the_path_it_means() {
        for (url, path) in [
            ("/media/MY%20DISC/M%c3%BCller", "/media/MY DISC/Müller"),
            ("/a%2", "/a%2"),
            ("/100%/%zz%+1%", "/100%/%zz%+1%"),
            ("/%ff", "/%ff"),
            ("", ""),
        ] {
            assert_eq!(decoded(url), path);
        }
    }
}
