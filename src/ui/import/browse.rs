//! Choosing what to take in: a folder on the screen, marks that stay while one walks, a path that completes itself.
//!
//! The folder is read in the background; until it is here the one before stays. Nothing is opened: what is DICOM, the
//! plan says.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crossterm::event::KeyEvent;

use crate::ui::files::{Entry, Kind, Listing};
use crate::ui::keys::Action;
use crate::ui::message::Ticket;
use crate::ui::screen::Context;
use crate::ui::widget::field::Field;
use crate::ui::widget::list::Chosen;

/// Most files and folders marked at once.
const MARKED_MAX: usize = 500;

/// A folder and what is marked in it and elsewhere.
#[derive(Debug)]
pub(super) struct Browser {
    listing: Option<Listing>,
    failed: Option<String>,
    chosen: Chosen,
    hidden: bool,
    marked: BTreeSet<PathBuf>,
    path: Field,
    typing: bool,
    reading: Option<(Ticket, Reading)>,
}

/// Why a folder is being read.
#[derive(Debug)]
enum Reading {
    /// To go there; the cursor goes to the entry she came from.
    Open { from: Option<OsString> },
    /// To complete a path whose last part begins like this.
    Complete { typed_folder: String, part: String },
}

impl Default for Browser {
    fn default() -> Self {
        Self {
            listing: None,
            failed: None,
            chosen: Chosen::default(),
            hidden: false,
            marked: BTreeSet::new(),
            path: Field::new("", "/media/disc, ~/studies/ct.zip …"),
            typing: false,
            reading: None,
        }
    }
}

impl Browser {
    pub(super) fn is_typing(&self) -> bool {
        self.typing
    }

    pub(super) fn path(&self) -> &Field {
        &self.path
    }

    pub(super) fn folder(&self) -> Option<&Path> {
        self.listing.as_ref().map(|listing| listing.folder.as_path())
    }

    pub(super) fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    pub(super) fn chosen(&self) -> Chosen {
        self.chosen
    }

    pub(super) fn choose(&mut self, at: usize) {
        self.chosen.at = at;
        self.chosen.keep_within(self.rows());
    }

    pub(super) fn is_cut(&self) -> bool {
        self.listing.as_ref().is_some_and(|listing| listing.cut)
    }

    /// The entries that are seen; above them stands the folder itself.
    pub(super) fn entries(&self) -> Vec<&Entry> {
        let entries = self.listing.iter().flat_map(|listing| &listing.entries);
        entries.filter(|entry| self.hidden || !entry.is_hidden()).collect()
    }

    pub(super) fn rows(&self) -> usize {
        self.entries().len() + usize::from(self.listing.is_some())
    }

    pub(super) fn marked(&self) -> &BTreeSet<PathBuf> {
        &self.marked
    }

    pub(super) fn is_marked(&self, entry: Option<&Entry>) -> bool {
        self.path_of(entry).is_some_and(|path| self.marked.contains(&path))
    }

    /// What an import would take: what is marked, or else what the cursor is on.
    pub(super) fn wanted(&self) -> Vec<PathBuf> {
        if self.marked.is_empty() {
            return self.path_of(self.chosen_entry()).into_iter().collect();
        }
        self.marked.iter().cloned().collect()
    }

    /// The preset file under the cursor, if it is one by its name.
    pub(super) fn preset_file(&self) -> Option<PathBuf> {
        let entry = self.chosen_entry().filter(|entry| entry.kind == Kind::File);
        self.path_of(Some(entry?)).filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
    }

    pub(super) fn clear_marks(&mut self) {
        self.marked.clear();
    }

    /// The path of an entry; without one, of the folder.
    fn path_of(&self, entry: Option<&Entry>) -> Option<PathBuf> {
        let folder = self.folder()?;
        Some(entry.map_or_else(|| folder.to_owned(), |entry| folder.join(&entry.name)))
    }

    fn chosen_entry(&self) -> Option<&Entry> {
        self.entries().get(self.chosen.at.checked_sub(1)?).copied()
    }

    pub(super) fn start(&mut self, context: &mut Context<'_>) {
        if self.listing.is_none() && self.reading.is_none() {
            self.open(Path::new(""), None, context);
        }
    }

    fn open(&mut self, path: &Path, from: Option<OsString>, context: &mut Context<'_>) {
        self.reading = Some((context.list(path), Reading::Open { from }));
    }

    /// Takes an action; `false` if it is about something else.
    pub(super) fn act(&mut self, action: Action, page: usize, context: &mut Context<'_>) -> bool {
        if self.typing {
            match action {
                Action::Back => {
                    self.typing = false;
                    self.failed = None;
                }
                Action::Open => self.open(&PathBuf::from(self.path.text().trim()), None, context),
                Action::NextField => self.complete(context),
                _ => return false,
            }
            return true;
        }
        if self.chosen.act(action, self.rows(), page) {
            return true;
        }
        match action {
            Action::Open => match self.chosen_entry() {
                Some(entry) if entry.kind == Kind::Folder => {
                    if let Some(path) = self.path_of(self.chosen_entry()) {
                        self.open(&path, None, context);
                    }
                }
                _ => self.mark(context),
            },
            Action::Mark => {
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

    pub(super) fn key(&mut self, key: KeyEvent) {
        if self.typing {
            self.path.key(key);
        }
    }

    pub(super) fn paste(&mut self, text: &str) {
        if !self.typing {
            self.path.clear();
            self.typing = true;
        }
        // File managers paste paths in quotes or as URLs of files.
        let text = text.trim().trim_matches(['\'', '"']);
        self.path.paste(text.strip_prefix("file://").unwrap_or(text));
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
        let folder = match (typed_folder.as_str(), self.folder()) {
            ("", Some(folder)) => folder.to_owned(),
            (typed, _) => PathBuf::from(typed),
        };
        self.reading = Some((context.list(&folder), Reading::Complete { typed_folder, part }));
    }

    /// A folder came; one that nobody waits for any more is dropped.
    pub(super) fn listed(&mut self, ticket: Ticket, outcome: &Result<Listing, String>, context: &mut Context<'_>) {
        if self.reading.as_ref().is_none_or(|(awaited, _)| *awaited != ticket) {
            return;
        }
        let Some((_, reading)) = self.reading.take() else { return };
        let listing = match outcome {
            Ok(listing) => listing.clone(),
            Err(why) => {
                self.failed = Some(why.clone());
                return;
            }
        };
        self.failed = None;
        match reading {
            Reading::Open { from } => {
                let name = listing.file.clone().or(from);
                self.listing = Some(listing);
                self.typing = false;
                self.chosen = Chosen::default();
                self.go_to(name.as_ref());
            }
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

    fn go_to(&mut self, name: Option<&OsString>) {
        let at = name.and_then(|name| self.entries().iter().position(|entry| entry.name == *name));
        self.chosen.at = at.map_or(self.chosen.at, |at| at + 1);
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
