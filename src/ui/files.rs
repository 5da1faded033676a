//! What the app reads from the disk by itself: which files a folder holds, and a text that a person names.
//!
//! Only names, kinds and sizes: what a file is, the node finds out when it makes the plan. These functions block, and
//! [`super::worker`] calls them in the background. Everything is bounded, since a folder may hold a million files and
//! a text may be a disk image.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use crate::case::content::TEXT_BYTES_MAX;
use crate::encoding::text::shown;

/// Most entries of a folder that are listed.
pub const ENTRIES_MAX: usize = 10_000;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Folder,
    /// A ZIP by its name.
    Archive,
    File,
    /// A socket, a device, a link to nothing.
    Other,
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: OsString,
    pub kind: Kind,
    pub bytes: u64,
}

impl Entry {
    pub fn is_hidden(&self) -> bool {
        self.name.as_encoded_bytes().starts_with(b".")
    }

    /// The name as a terminal may draw it.
    pub fn shown(&self) -> String {
        shown(&self.name.to_string_lossy()).into_owned()
    }
}

/// A folder: folders first, then by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Absolute.
    pub folder: PathBuf,
    pub entries: Vec<Entry>,
    /// Whether there are more than [`ENTRIES_MAX`].
    pub cut: bool,
    /// The file that was asked for, if the path was one.
    pub file: Option<OsString>,
}

/// Lists a folder; of a file, the folder it lies in. An empty path is where the program was started, `~` the home.
pub fn list(typed: &Path) -> Result<Listing, String> {
    let path = absolute(typed).map_err(|error| words(typed, &error))?;
    let is_folder = std::fs::metadata(&path).map_err(|error| words(&path, &error))?.is_dir();
    let (folder, file) = match (is_folder, path.parent(), path.file_name()) {
        (false, Some(parent), Some(name)) => (parent.to_owned(), Some(name.to_owned())),
        _ => (path, None),
    };
    let mut entries = Vec::new();
    let mut cut = false;
    for entry in std::fs::read_dir(&folder).map_err(|error| words(&folder, &error))? {
        // What disappears while it is read is not there.
        let Ok(entry) = entry else { continue };
        if entries.len() == ENTRIES_MAX {
            cut = true;
            break;
        }
        let name = entry.file_name();
        let (kind, bytes) = match std::fs::metadata(entry.path()) {
            Ok(about) if about.is_dir() => (Kind::Folder, 0),
            Ok(about) if about.is_file() && is_archive(&name) => (Kind::Archive, about.len()),
            Ok(about) if about.is_file() => (Kind::File, about.len()),
            _ => (Kind::Other, 0),
        };
        entries.push(Entry { name, kind, bytes });
    }
    entries.sort_by_cached_key(|entry| {
        (entry.kind != Kind::Folder, entry.name.to_string_lossy().to_lowercase(), entry.name.clone())
    });
    Ok(Listing { folder, entries, cut, file })
}

/// The text of a file, without the blank lines around it.
pub fn read_text(typed: &Path) -> Result<String, String> {
    let path = absolute(typed).map_err(|error| words(typed, &error))?;
    if !std::fs::metadata(&path).map_err(|error| words(&path, &error))?.is_file() {
        return Err(format!("{} is no file.", shown(&path.to_string_lossy())));
    }
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(TEXT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| words(&path, &error))?;
    if bytes.len() > TEXT_BYTES_MAX {
        return Err(format!("{} is longer than {TEXT_BYTES_MAX} bytes.", shown(&path.to_string_lossy())));
    }
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| format!("{} is no text in UTF-8.", shown(&path.to_string_lossy())))?;
    Ok(text.trim().to_owned())
}

/// The absolute path, without `.` and `..`: what is shown is what is read.
fn absolute(typed: &Path) -> io::Result<PathBuf> {
    let mut parts = typed.components();
    let path = match parts.next() {
        None => std::env::current_dir()?,
        Some(first) if first == Component::Normal(OsStr::new("~")) => {
            let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
            let home = home.ok_or_else(|| io::Error::other("there is no home folder"))?;
            Path::new(&home).join(parts)
        }
        Some(_) => std::path::absolute(typed)?,
    };
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            // Of a link to a folder this is the folder the link lies in, which is where she came from.
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    Ok(plain)
}

fn is_archive(name: &OsStr) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"))
}

fn words(path: &Path, error: &io::Error) -> String {
    let path = path.to_string_lossy();
    let path = shown(&path);
    match error.kind() {
        io::ErrorKind::NotFound => format!("There is no {path}."),
        io::ErrorKind::PermissionDenied => format!("You may not read {path}."),
        io::ErrorKind::NotADirectory => format!("{path} is no folder."),
        _ => format!("{path} cannot be read: {error}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_first_then_names_whatever_their_case() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.dcm", "A.zip", ".hidden"] {
            std::fs::write(folder.path().join(name), "12345").unwrap();
        }
        std::fs::create_dir(folder.path().join("z")).unwrap();
        let listing = list(folder.path()).unwrap();
        let seen: Vec<_> = listing.entries.iter().map(|entry| (entry.shown(), entry.kind, entry.bytes)).collect();
        let expected = [("z", Kind::Folder, 0), (".hidden", Kind::File, 5), ("A.zip", Kind::Archive, 5)];
        assert_eq!(seen[..3], expected.map(|(name, kind, bytes)| (name.to_owned(), kind, bytes)));
        assert!(listing.entries[1].is_hidden() && !listing.cut && listing.file.is_none());
    }

    #[test]
    fn a_file_is_shown_in_its_folder_and_dots_are_walked() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("one"), "").unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        let listing = list(&folder.path().join("sub/.././one")).unwrap();
        assert_eq!((listing.folder.as_path(), listing.file), (folder.path(), Some("one".into())));
    }

    #[test]
    fn names_that_would_trick_a_terminal_are_shown_without_power() {
        let entry = Entry { name: "a\u{1b}[2Jb\u{202e}".into(), kind: Kind::File, bytes: 0 };
        assert_eq!(entry.shown(), "a[2Jb");
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        assert!(list(&gone).unwrap_err().starts_with("There is no "));
        let long = folder.path().join("long");
        std::fs::write(&long, vec![b'a'; TEXT_BYTES_MAX + 1]).unwrap();
        assert!(read_text(&long).unwrap_err().contains("longer than"));
        std::fs::write(&long, [0xff, 0xfe]).unwrap();
        assert!(read_text(&long).unwrap_err().contains("UTF-8"));
        assert!(read_text(folder.path()).unwrap_err().ends_with("is no file."));
        std::fs::write(&long, "\n report \n").unwrap();
        assert_eq!(read_text(&long).unwrap(), "report");
    }
}
