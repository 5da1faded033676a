//! Finding the files a user named: files, folders, ZIP archives, discs.
//!
//! Folders are walked to the bottom, hidden files and linked folders too, a loop of links once. A ZIP, known by
//! its first bytes, is read like a folder; an archive inside of it is not. The folder of a DICOMDIR is read like
//! any other, because indexes are often wrong and the files say it themselves.
//!
//! Files are listed, never held: [`SourceFile::beginning`] and [`SourceFile::whole`] read when asked, at most
//! [`FILE_BYTES_MAX`]. Paths may hold a patient's name, so they are [`Private`]. What another room keeps, sealed say,
//! is read through [`Held`] and is a file like any other from there on.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use walkdir::WalkDir;
use zip::ZipArchive;

use crate::encoding::private::Private;

/// Longest file that is read, in bytes: pixel data of defined length cannot be longer (PS3.5 §7.1).
pub const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Most files of one import.
pub const FILES_MAX: usize = 1_000_000;

/// Most members of a ZIP that are read.
pub const ZIP_MEMBERS_MAX: usize = 100_000;

/// How many times longer than the archive its members may be together, and how much they always may, in bytes.
/// Uncompressed images zip to a third; a bomb claims thousands of times its length.
pub const ZIP_RATIO_MAX: u64 = 200;
pub const ZIP_BYTES_ALWAYS: u64 = 64 * 1024 * 1024;

/// Deepest folder that is entered.
const FOLDER_DEPTH_MAX: usize = 64;

/// A file that may be DICOM.
#[derive(Clone)]
pub struct SourceFile {
    /// What to call it in lists: its path, and in a ZIP the archive's path and the member's.
    pub path: Private<String>,
    /// Length in bytes, as found when listed.
    pub bytes: u64,
    place: Place,
}

#[derive(Clone)]
enum Place {
    File(PathBuf),
    Member { archive: Arc<Mutex<ZipArchive<File>>>, index: usize },
    Held(Arc<dyn Held>),
}

/// A file that lies in no folder.
pub trait Held: Send + Sync {
    /// Length in bytes.
    fn bytes(&self) -> u64;

    /// Its first bytes, at most `bytes_max`.
    ///
    /// # Errors
    /// In words for a person, if it cannot be read any more.
    fn read(&self, bytes_max: u64) -> Result<Vec<u8>, String>;
}

/// Why a pipe, a socket or a device is not read.
pub const NOT_A_FILE: &str = "not a regular file";

/// A file that is not read, and why.
#[derive(Debug, Clone)]
pub struct SkippedFile {
    pub path: Private<String>,
    pub why: String,
}

/// What the user's paths lead to.
#[derive(Default)]
pub struct Found {
    pub files: Vec<SourceFile>,
    pub skipped: Vec<SkippedFile>,
}

/// Lists the files under these paths, each once, in the order of the paths and then of names.
///
/// # Errors
/// If a path does not exist or more than [`FILES_MAX`] files are found; anything less is skipped with a reason.
pub fn find(paths: &[PathBuf]) -> Result<Found, SourceError> {
    let mut found = Found::default();
    let mut seen = std::collections::HashSet::new();
    for path in paths {
        if let Err(error) = path.metadata() {
            return Err(SourceError::Unreachable { path: Private::new(path.clone()), why: reason(&error) });
        }
        let entries = WalkDir::new(path).follow_links(true).max_depth(FOLDER_DEPTH_MAX).sort_by_file_name().into_iter();
        for entry in entries {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {}
                Ok(entry) => {
                    // The same file named twice, or linked, would otherwise count as a duplicate.
                    let real = entry.path().canonicalize().unwrap_or_else(|_| entry.path().to_path_buf());
                    if seen.insert(real) {
                        found.add(entry.path());
                    }
                }
                Err(error) => {
                    let at = error.path().unwrap_or(path).to_path_buf();
                    let why = match (error.loop_ancestor(), error.io_error()) {
                        (Some(_), _) => "a link that leads back to its own folder".to_string(),
                        (None, Some(error)) => reason(error),
                        (None, None) => "the folder cannot be read".to_string(),
                    };
                    found.skip(&at, why);
                }
            }
            if found.files.len() > FILES_MAX {
                return Err(SourceError::TooManyFiles);
            }
        }
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, path: &Path) {
        match open(path) {
            Err(why) => self.skip(path, why),
            Ok((mut file, bytes)) => match is_zip(&mut file) {
                Ok(true) => self.add_members(path, file, bytes),
                Ok(false) => {
                    self.files.push(SourceFile { path: shown(path), bytes, place: Place::File(path.to_path_buf()) });
                }
                Err(error) => self.skip(path, reason(&error)),
            },
        }
    }

    fn add_members(&mut self, path: &Path, file: File, archive_bytes: u64) {
        let mut archive = match ZipArchive::new(file) {
            Ok(archive) => archive,
            Err(_) => return self.skip(path, "the ZIP archive is damaged".to_string()),
        };
        if archive.len() > ZIP_MEMBERS_MAX {
            return self.skip(path, format!("the ZIP archive has more than {ZIP_MEMBERS_MAX} members"));
        }
        let mut members = Vec::new();
        let mut skipped = Vec::new();
        let mut total: u64 = 0;
        for index in 0..archive.len() {
            let member = match archive.by_index_raw(index) {
                Ok(member) => member,
                Err(_) => {
                    skipped.push((format!("member {}", index + 1), "damaged in the ZIP archive"));
                    continue;
                }
            };
            if member.is_dir() {
                continue;
            }
            let name = member.name().map(|name| crate::encoding::text::shown(&name).into_owned());
            let name = name.unwrap_or_else(|_| format!("member {}", index + 1));
            total = total.saturating_add(member.size());
            match member.encrypted() {
                true => skipped.push((name, "encrypted; unpack the ZIP archive first")),
                false if member.size() > FILE_BYTES_MAX => skipped.push((name, "longer than 4 GiB")),
                false => members.push((name, index, member.size())),
            }
        }
        if total > archive_bytes.saturating_mul(ZIP_RATIO_MAX).max(ZIP_BYTES_ALWAYS) {
            return self.skip(path, format!("the ZIP archive claims to hold {ZIP_RATIO_MAX} times its own length"));
        }
        let archive = Arc::new(Mutex::new(archive));
        let within = |name: &str| Private::new(format!("{}/{name}", shown(path).reveal()));
        for (name, why) in skipped {
            self.skipped.push(SkippedFile { path: within(&name), why: why.to_string() });
        }
        for (name, index, bytes) in members {
            let place = Place::Member { archive: Arc::clone(&archive), index };
            self.files.push(SourceFile { path: within(&name), bytes, place });
        }
    }

    fn skip(&mut self, path: &Path, why: String) {
        self.skipped.push(SkippedFile { path: shown(path), why });
    }
}

impl SourceFile {
    /// A file that is held elsewhere, and what to call it in lists.
    pub fn held(name: Private<String>, held: Arc<dyn Held>) -> Self {
        Self { path: name, bytes: held.bytes(), place: Place::Held(held) }
    }

    /// The first bytes of the file, at most `bytes_max`.
    pub fn beginning(&self, bytes_max: usize) -> Result<Vec<u8>, String> {
        self.read(bytes_max as u64)
    }

    /// The whole file.
    pub fn whole(&self) -> Result<Vec<u8>, String> {
        let bytes = self.read(self.bytes)?;
        match bytes.len() as u64 == self.bytes {
            true => Ok(bytes),
            false => Err("the file changed while it was read".to_string()),
        }
    }

    fn read(&self, bytes_max: u64) -> Result<Vec<u8>, String> {
        let bytes_max = bytes_max.min(self.bytes);
        match &self.place {
            Place::File(path) => {
                let (file, bytes) = open(path)?;
                // A length the file really has on disk, so it may be reserved.
                let mut content = Vec::with_capacity(usize::try_from(bytes_max.min(bytes)).unwrap_or(0));
                file.take(bytes_max).read_to_end(&mut content).map_err(|error| reason(&error))?;
                Ok(content)
            }
            Place::Member { archive, index } => {
                let mut archive = archive.lock().unwrap_or_else(PoisonError::into_inner);
                let member = archive.by_index(*index).map_err(|_| "damaged in the ZIP archive".to_string())?;
                let mut content = Vec::new();
                member
                    .take(bytes_max)
                    .read_to_end(&mut content)
                    .map_err(|_| "damaged in the ZIP archive".to_string())?;
                Ok(content)
            }
            Place::Held(held) => held.read(bytes_max),
        }
    }
}

fn open(path: &Path) -> Result<(File, u64), String> {
    // Asked before opening: opening a pipe would wait for its writer.
    let metadata = path.metadata().map_err(|error| reason(&error))?;
    if !metadata.is_file() {
        return Err(NOT_A_FILE.to_string());
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err("longer than 4 GiB".to_string());
    }
    let file = File::open(path).map_err(|error| reason(&error))?;
    Ok((file, metadata.len()))
}

fn is_zip(file: &mut File) -> std::io::Result<bool> {
    let mut first = Vec::with_capacity(4);
    file.by_ref().take(4).read_to_end(&mut first)?;
    file.rewind()?;
    Ok(matches!(first[..], [b'P', b'K', 3, 4] | [b'P', b'K', 5, 6]))
}

fn shown(path: &Path) -> Private<String> {
    Private::new(crate::encoding::text::shown(&path.to_string_lossy()).into_owned())
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_string(),
        std::io::ErrorKind::PermissionDenied => "no permission to read it".to_string(),
        _ => format!("it cannot be read ({})", error.kind()),
    }
}

/// Why nothing could be listed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The path is the user's own typing; show it to her, do not log it.
    #[error("the path you named cannot be read: {why}")]
    Unreachable { path: Private<PathBuf>, why: String },
    #[error("more than {FILES_MAX} files; name the study's own folder")]
    TooManyFiles,
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn names(found: &Found, root: &Path) -> Vec<String> {
        let root = format!("{}/", root.display());
        found.files.iter().map(|f| f.path.reveal().replace(&root, "")).collect()
    }

    #[test]
    fn folders_are_walked_to_the_bottom_and_each_file_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/.hidden")).unwrap();
        for name in ["a/2", "a/1", "a/.hidden/3", ".4"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let again = folder.path().join("a/1");
        let found = find(&[folder.path().to_path_buf(), again]).unwrap();
        assert_eq!(names(&found, folder.path()), [".4", "a/.hidden/3", "a/1", "a/2"]);
        assert_eq!(found.files[2].whole().unwrap(), b"a/1");
        assert_eq!(found.files[2].beginning(2).unwrap(), b"a/");
    }

    #[cfg(unix)]
    #[test]
    fn a_loop_of_links_ends() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("1"), "x").unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
        let found = find(&[folder.path().to_path_buf()]).unwrap();
        assert_eq!(found.files.len(), 1);
        assert_eq!(found.skipped.len(), 2);
    }

    fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in members {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn a_zip_is_read_like_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disc.zip");
        std::fs::write(&path, zip(&[("IMAGES/1", b"one"), ("../../etc/2", b"two")])).unwrap();
        let found = find(std::slice::from_ref(&path)).unwrap();
        assert_eq!(names(&found, folder.path()), ["disc.zip/IMAGES/1", "disc.zip/../../etc/2"]);
        assert_eq!(found.files[1].whole().unwrap(), b"two");
    }

    #[test]
    fn damaged_encrypted_and_absurd_archives_are_skipped_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let good = zip(&[("1", &[7; 5000])]);
        let mut encrypted = good.clone();
        let central = good.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        encrypted[6] |= 1;
        encrypted[central + 8] |= 1;
        let bomb = zip(&[("1", &vec![0; 80 << 20])]);
        let list = [
            ("cut.zip", good[..good.len() / 2].to_vec(), "the ZIP archive is damaged"),
            ("encrypted.zip", encrypted, "encrypted; unpack the ZIP archive first"),
            ("bomb.zip", bomb, "the ZIP archive claims to hold 200 times its own length"),
        ];
        for (name, bytes, why) in list {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let found = find(&[path]).unwrap();
            assert!(found.files.is_empty(), "{name}");
            assert_eq!(found.skipped[0].why, why, "{name}");
        }
    }

    #[test]
    fn a_member_that_is_longer_than_it_says_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let mut lying = zip(&[("1", &[7; 5000])]);
        let central = lying.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        lying[central + 24..central + 28].copy_from_slice(&100u32.to_le_bytes());
        let path = folder.path().join("lying.zip");
        std::fs::write(&path, lying).unwrap();
        let found = find(&[path]).unwrap();
        assert!(found.files.iter().all(|file| file.whole().map_or(true, |bytes| bytes.len() <= 100)));
    }

    #[test]
    fn a_path_that_does_not_exist_is_an_error() {
        let error = find(&[PathBuf::from("/nowhere/DOE^JANE")]).err().unwrap();
        assert_eq!(error.to_string(), "the path you named cannot be read: there is no such file");
        assert!(!format!("{error:?}").contains("DOE"));
    }
}
