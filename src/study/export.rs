//! Taking a study out: plain DICOM files for the reader's own viewer.
//!
//! Names say the place in the study and nothing else (`series-001/00001.dcm`): no text of a header becomes a
//! path. Each file is checked against its hash before it is written and is on disk before the export says so; until
//! it is whole it has another name, so that no viewer opens half an image, however the writing ended.
//! Nothing is overwritten: the folder must be empty or new, so that an export never mixes with an older one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::manifest::InstanceEntry;
use super::object::{ObjectError, open_object};
use super::packing::{UnpackError, unpack};
use super::source::FILE_BYTES_MAX;
use crate::encoding::id::ChunkId;
use crate::encoding::private::Private;
use crate::seal::chunk::StudyKey;

/// How the name of a file ends that is not whole yet.
const PART_SUFFIX: &str = ".part";

/// What an export wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exported {
    pub files: u64,
    pub bytes: u64,
}

/// Writes the instances of each series under `folder`, in the order given.
///
/// # Errors
/// At the first instance that is missing or damaged; what was written before stays and is whole.
pub fn export(
    key: &StudyKey,
    series: &[Vec<InstanceEntry>],
    folder: &Path,
    mut fetch: impl FnMut(&ChunkId) -> Option<Vec<u8>>,
) -> Result<Exported, ExportError> {
    let failed = |path: &Path| {
        let path = Private::new(path.to_path_buf());
        move |error: io::Error| ExportError::Write { path, why: error.kind().to_string() }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    if fs::read_dir(folder).map_err(failed(folder))?.next().is_some() {
        return Err(ExportError::NotEmpty);
    }
    let mut exported = Exported::default();
    for (instances, number) in series.iter().zip(1..) {
        let series_folder = folder.join(format!("series-{number:03}"));
        if instances.is_empty() {
            continue;
        }
        fs::create_dir(&series_folder).map_err(failed(&series_folder))?;
        for (instance, place) in instances.iter().zip(1..) {
            let file = open_instance(key, instance, &mut fetch)?;
            let path = series_folder.join(format!("{place:05}.dcm"));
            write_whole(&path, |part| part.write_all(&file)).map_err(failed(&path))?;
            exported.files += 1;
            exported.bytes += file.len() as u64;
        }
        sync_folder(&series_folder).map_err(failed(&series_folder))?;
    }
    sync_folder(folder).map_err(failed(folder))?;
    Ok(exported)
}

/// Opens one instance and checks that it is the file its manifest names.
pub fn open_instance(
    key: &StudyKey,
    instance: &InstanceEntry,
    fetch: impl FnMut(&ChunkId) -> Option<Vec<u8>>,
) -> Result<Vec<u8>, ExportError> {
    let packed = open_object(key, &instance.object, fetch)?;
    let file = unpack(&packed, instance.file_bytes.min(FILE_BYTES_MAX + 1024 * 1024))?;
    let same = blake3::hash(&file).as_bytes() == &instance.plain_hash.0 && file.len() as u64 == instance.file_bytes;
    if same { Ok(file) } else { Err(ExportError::OtherFile) }
}

/// Writes a file that has its name once it is whole, into a folder that this export made.
fn write_whole(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(PART_SUFFIX);
    let mut file = OpenOptions::new().write(true).create_new(true).open(&part)?;
    let written = write(&mut file).and_then(|()| file.sync_all());
    // Not every platform renames or removes what is open.
    drop(file);
    let written = written.and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // The first error is the one to report; a leftover has no name that a viewer opens.
        let _ = fs::remove_file(&part);
    }
    written
}

/// Makes the names in a folder durable, where the platform lets one.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("the folder is not empty; name a new one, nothing is overwritten")]
    NotEmpty,
    /// The path is the user's own; show it to her, do not log it.
    #[error("a file cannot be written: {why}")]
    Write { path: Private<PathBuf>, why: String },
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error("an instance opens to another file than its manifest names")]
    OtherFile,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_name_when_it_is_whole_and_a_full_disk_leaves_nothing_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let names = || {
            let items = fs::read_dir(folder.path()).unwrap();
            items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
        };
        let path = folder.path().join("00001.dcm");
        let full = write_whole(&path, |file| {
            file.write_all(&[7; 512])?;
            assert_eq!(names(), ["00001.dcm.part"]);
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(full.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(names().is_empty(), "{:?}", names());
        write_whole(&path, |file| file.write_all(b"whole")).unwrap();
        assert_eq!((names(), fs::read(&path).unwrap()), (vec!["00001.dcm".to_owned()], b"whole".to_vec()));
    }
}
