//! ZIP archives and files on a disc, as an import finds them.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use overread::study::source::{ZIP_BYTES_ALWAYS, ZIP_MEMBERS_MAX, ZIP_RATIO_MAX, find};
use tempfile::TempDir;

/// In memory where there is such a folder: a run writes a file.
static FOLDER: LazyLock<TempDir> =
    LazyLock::new(|| TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a folder"));

fuzz_target!(|data: &[u8]| {
    let path: PathBuf = FOLDER.path().join("disc.zip");
    std::fs::write(&path, data).expect("a file");
    let found = find(&[path]).expect("a file that is there");
    assert!(found.files.len() <= ZIP_MEMBERS_MAX);
    let total: u64 = found.files.iter().map(|file| file.bytes).sum();
    assert!(total <= (data.len() as u64 * ZIP_RATIO_MAX).max(ZIP_BYTES_ALWAYS));
    let mut read = 0;
    for file in found.files.iter().take(20) {
        let beginning = file.beginning(100);
        assert!(beginning.is_err() || beginning.is_ok_and(|bytes| bytes.len() <= 100));
        if let Ok(bytes) = file.whole() {
            assert_eq!(bytes.len() as u64, file.bytes);
            read += file.bytes;
        }
        if read > 4 * 1024 * 1024 {
            break;
        }
    }
});
