//! The examination that everybody is given: a synthetic chest CT, as files in a folder.

use std::path::{Path, PathBuf};

use overread::study::synthetic;
use overread::study::write::WriteError;

use crate::Outcome;

/// About 250 MiB, as in the goals.
pub const SLICES: u32 = 500;

/// The same patient every time.
const SEED: u64 = 7;

#[derive(Debug, thiserror::Error)]
enum WriteStudy {
    #[error("a file of the examination cannot be written: {0}")]
    Disk(#[from] std::io::Error),
    #[error("the examination cannot be made: {0}")]
    Dicom(#[from] WriteError),
}

/// Writes an examination, and waits until the disk is idle again: what is measured next must not pay for it.
pub fn write_ct(folder: &Path, slices: u32) -> Outcome<PathBuf> {
    let ct = folder.join("CT");
    std::fs::create_dir(&ct)?;
    synthetic::study(SEED, slices, |number, bytes| -> Result<(), WriteStudy> {
        Ok(std::fs::write(ct.join(format!("IM{number:05}.dcm")), bytes)?)
    })?;
    rustix::fs::sync();
    Ok(ct)
}

/// Copies the files of one folder into a new one.
pub fn copy(from: &Path, to: &Path) -> Outcome<Vec<PathBuf>> {
    std::fs::create_dir(to)?;
    let mut copies = Vec::new();
    for file in std::fs::read_dir(from)? {
        let file = file?;
        let copy = to.join(file.file_name());
        std::fs::copy(file.path(), &copy)?;
        copies.push(copy);
    }
    Ok(copies)
}

/// Length of a folder's files in MiB.
pub fn mib(folder: &Path) -> Outcome<f64> {
    let mut bytes = 0;
    for file in std::fs::read_dir(folder)? {
        bytes += file?.metadata()?.len();
    }
    Ok(bytes as f64 / f64::from(1 << 20))
}
