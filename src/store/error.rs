//! Why something could not be stored or read back.

use std::io;
use std::path::PathBuf;

use crate::encoding::id::ChunkId;

/// Why the store refused. What was acknowledged before stays.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Rows are sealed and the keys are not here (design 5); entries and chunks can still be stored and read.
    #[error("locked: unlock first to reach private data")]
    Locked,
    #[error(
        "this database was sealed under another key: the vault and the database in this home do not belong together"
    )]
    WrongKey,
    #[error("another program has this database open")]
    InUse,
    #[error("this home was written by a newer version of the program (store format {found}, this one knows {known})")]
    NewerFormat { found: u64, known: u64 },
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error("the disk is full: nothing was lost; make room and try again")]
    Full,
    #[error("the disk failed: {0}")]
    Io(#[source] io::Error),
    #[error("the database is damaged ({0}): restore this home from a backup")]
    Damaged(String),
    /// The row's sealed bytes do not open in their place.
    #[error("a private record is damaged or was moved")]
    DamagedRow,
    /// The caller may forget the chunk and fetch it again.
    #[error("a stored piece of an image is damaged: {id:?}")]
    DamagedChunk { id: ChunkId },
    #[error("{what} has {bytes} bytes where at most {bytes_max} are allowed")]
    TooLarge { what: &'static str, bytes: usize, bytes_max: usize },
    #[error("the store is closed")]
    Closed,
}

/// Why a folder cannot be this installation's home, or a file in it could not be written.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    #[error(
        "{} is open to other users and holds other files: choose an empty folder, or close it with chmod 700",
        .0.display()
    )]
    OpenToOthers(PathBuf),
    #[error("the disk is full: {} was not written", .0.display())]
    Full(PathBuf),
    #[error("{} cannot be used: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl HomeError {
    pub(super) fn io(path: &std::path::Path, source: io::Error) -> Self {
        if is_full(&source) { Self::Full(path.to_owned()) } else { Self::Io { path: path.to_owned(), source } }
    }
}

impl StoreError {
    /// Whether redb refuses all further work after this until the database is opened anew.
    pub(super) fn closes_the_database(&self) -> bool {
        matches!(self, Self::Full | Self::Io(_) | Self::Damaged(_))
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::Full } else { Self::Io(error) }
    }
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => Self::Damaged(error.to_string()),
            redb::Error::Io(error) => error.into(),
            redb::Error::PreviousIo => Self::Io(io::Error::other("an earlier access to the database failed")),
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// redb has an error type for each step; all of them lead to the same causes here.
macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                redb::Error::from(error).into()
            }
        }
    )*};
}
from_redb!(redb::DatabaseError, redb::TransactionError, redb::TableError, redb::StorageError, redb::CommitError);
