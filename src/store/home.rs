//! The folder of one installation, and small files in it that are replaced whole.
//!
//! Private files are created private: there is no moment in which another user could open them. A file is
//! replaced by writing a new one beside it, fsync, rename and fsync of the folder, so after a crash the old or
//! the new one is there, never a half. What is written must be sealed already; nothing here seals.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::database::DATABASE_FILE;
use super::error::HomeError;
use super::lock::LOCK_FILE;
use crate::encoding::id::base32;
use crate::encoding::random;

/// How the name of a file that was not finished ends.
pub(super) const UNFINISHED_SUFFIX: &str = ".unfinished";

/// Makes sure that `home` is a folder only this user can enter, creating it if needed.
///
/// A folder that others may enter is closed to them if it is empty or already a home. One that holds other
/// files is refused: closing, say, `/tmp` to everybody else would be no service.
pub fn prepare_home(home: &Path) -> Result<(), HomeError> {
    let io = |error| HomeError::io(home, error);
    match fs::metadata(home) {
        Ok(metadata) if !metadata.is_dir() => Err(HomeError::NotAFolder(home.to_owned())),
        Ok(metadata) if is_private(&metadata) => Ok(()),
        Ok(_) => {
            let is_home = home.join(LOCK_FILE).exists() || home.join(DATABASE_FILE).exists();
            if !is_home && fs::read_dir(home).map_err(io)?.next().is_some() {
                return Err(HomeError::OpenToOthers(home.to_owned()));
            }
            make_private(home).map_err(io)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = home.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                fs::create_dir_all(parent).map_err(io)?;
            }
            create_private_folder(home).map_err(io)?;
            sync_parent(home).map_err(io)
        }
        Err(error) => Err(io(error)),
    }
}

/// Replaces the file at `path` by one with these bytes that only this user can read. When it returns, the new
/// file is durable; if it fails or the machine stops, the old one is still there.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), HomeError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let nonce = base32(&random::bytes::<10>(&mut random::system()));
    let unfinished = path.with_file_name(format!(".{name}.{nonce}{UNFINISHED_SUFFIX}"));
    let written = write_new(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path));
    if let Err(error) = written {
        // The first error is the one to report; a leftover is swept when the home is next locked.
        let _ = fs::remove_file(&unfinished);
        return Err(HomeError::io(path, error));
    }
    sync_parent(path).map_err(|error| HomeError::io(path, error))
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private_options().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes what [`write_private`] had not finished when the machine stopped. Only for who holds the lock.
pub(super) fn sweep_unfinished(home: &Path) -> io::Result<()> {
    for item in fs::read_dir(home)? {
        let name = item?.file_name();
        if name.to_string_lossy().ends_with(UNFINISHED_SUFFIX) {
            fs::remove_file(home.join(name))?;
        }
    }
    Ok(())
}

/// Options that create a file with mode 0600, whatever the umask.
pub fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates a folder with mode 0700; its parent must exist.
pub(super) fn create_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes a name in the folder around `path` durable.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => sync_folder(parent),
        None => sync_folder(&PathBuf::from(".")),
    }
}

/// fsync of a folder. Windows has no such call and keeps names in its journal.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

#[cfg(unix)]
fn is_private(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o077 == 0
}

#[cfg(unix)]
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// On Windows a folder in the user's profile inherits that only its user may enter.
#[cfg(not(unix))]
fn is_private(_: &fs::Metadata) -> bool {
    true
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn open_to_all(path: &Path) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_home_is_made_private_with_its_parents() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("a/b");
        prepare_home(&home).unwrap();
        assert_eq!(mode(&home), 0o700);
    }

    #[test]
    fn an_empty_folder_open_to_others_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        open_to_all(folder.path());
        prepare_home(folder.path()).unwrap();
        assert_eq!(mode(folder.path()), 0o700);
    }

    #[test]
    fn a_folder_with_other_files_open_to_others_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "x").unwrap();
        open_to_all(folder.path());
        assert!(matches!(prepare_home(folder.path()), Err(HomeError::OpenToOthers(_))));
        assert_eq!(mode(folder.path()), 0o755);
        assert!(matches!(prepare_home(&folder.path().join("thesis.txt")), Err(HomeError::NotAFolder(_))));
    }

    #[test]
    fn a_private_file_is_replaced_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        write_private(&path, b"first").unwrap();
        write_private(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_replacement_keeps_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        fs::create_dir(&path).unwrap(); // a folder cannot be replaced by a file
        assert!(matches!(write_private(&path, b"new"), Err(HomeError::Io { .. })));
        assert!(path.is_dir());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn unfinished_files_are_swept_and_others_kept() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".vault.abc.unfinished"), "x").unwrap();
        fs::write(folder.path().join("vault"), "x").unwrap();
        sweep_unfinished(folder.path()).unwrap();
        assert!(!folder.path().join(".vault.abc.unfinished").exists());
        assert!(folder.path().join("vault").exists());
    }
}
