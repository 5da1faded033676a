//! Chunks on disk: append-only segment files.
//!
//! One file a chunk would need one fsync a chunk (about 4 ms each, 2 s for a CT). So the chunks of a group are
//! written one after the other into files of at most 64 MiB, `chunks/<group>/<number>.seg`, and one fsync makes
//! all of a commit durable. The index in the database says where a chunk lies and where a segment ends; it is
//! committed after the fsync, so it never names bytes that are not there. Bytes past the indexed end were
//! never acknowledged: they are cut off when the store is opened and overwritten when it goes on. Groups get
//! folders of their own so that deleting a study unlinks its files and the bytes are free at once.
//!
//! A record is a magic number, the chunk's id, its length and its sealed bytes, so that a segment can be read
//! without the index (a rescue), and a wrong index entry is noticed.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::HEXLOWER;

use super::batch::{ChunkGroup, VerifiedChunk};
use super::home::{create_private_folder, private_options, sync_folder};
use crate::encoding::id::ChunkId;
use crate::seal::chunk::CHUNK_BYTES_MAX;

/// Longest segment in bytes.
pub(super) const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Bytes of a record before the chunk: magic (4), id (32), length (4, little-endian).
pub(super) const RECORD_HEADER_BYTES: usize = 40;

const RECORD_MAGIC: [u8; 4] = *b"OCK1";

/// Segment files kept open for reading.
const OPEN_SEGMENTS_MAX: usize = 64;

const CHUNKS_FOLDER: &str = "chunks";

/// Where a chunk's record begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) group: ChunkGroup,
    pub(super) segment: u32,
    pub(super) offset: u64,
    /// Length of the sealed chunk.
    pub(super) bytes: u32,
}

impl Place {
    /// Where the record ends; `None` if the numbers overflow.
    pub(super) fn end(&self) -> Option<u64> {
        self.offset.checked_add(RECORD_HEADER_BYTES as u64)?.checked_add(u64::from(self.bytes))
    }
}

/// The segment files of a home.
pub(super) struct Segments {
    folder: PathBuf,
    open: Mutex<HashMap<(ChunkGroup, u32), Arc<File>>>,
}

impl Segments {
    pub(super) fn open(home: &Path) -> io::Result<Self> {
        let folder = home.join(CHUNKS_FOLDER);
        if !folder.exists() {
            create_private_folder(&folder)?;
            sync_folder(home)?;
        }
        Ok(Self { folder, open: Mutex::new(HashMap::new()) })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn group_folder(&self, group: ChunkGroup) -> PathBuf {
        self.folder.join(HEXLOWER.encode(group.as_bytes()))
    }

    pub(super) fn path(&self, group: ChunkGroup, segment: u32) -> PathBuf {
        self.group_folder(group).join(format!("{segment:08}.seg"))
    }

    /// The sealed bytes at a place; `None` if what lies there is not this chunk.
    pub(super) fn read(&self, id: ChunkId, place: Place) -> io::Result<Option<Vec<u8>>> {
        if place.bytes as usize > CHUNK_BYTES_MAX {
            return Ok(None);
        }
        let file = match self.file(place.group, place.segment) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let (mut header, mut sealed) = ([0; RECORD_HEADER_BYTES], vec![0; place.bytes as usize]);
        let after_header = place.offset.saturating_add(RECORD_HEADER_BYTES as u64);
        let read = read_exact_at(&file, &mut header, place.offset)
            .and_then(|()| read_exact_at(&file, &mut sealed, after_header));
        match read {
            // Past the end of the file, or of what an offset can be.
            Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput) => {
                return Ok(None);
            }
            read => read?,
        }
        let intact = header == record_header(id, sealed.len()) && ChunkId::of(&sealed) == id;
        Ok(intact.then_some(sealed))
    }

    fn file(&self, group: ChunkGroup, segment: u32) -> io::Result<Arc<File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(&(group, segment)) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(File::open(self.path(group, segment))?);
        if open.len() >= OPEN_SEGMENTS_MAX {
            open.clear();
        }
        open.insert((group, segment), Arc::clone(&file));
        Ok(file)
    }

    /// Unlinks a segment that the index no longer names.
    pub(super) fn remove(&self, group: ChunkGroup, segment: u32) -> io::Result<()> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&(group, segment));
        match fs::remove_file(self.path(group, segment)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Removes a group's folder if it is empty.
    pub(super) fn remove_folder(&self, group: ChunkGroup) -> io::Result<()> {
        match fs::remove_dir(self.group_folder(group)) {
            Ok(()) => sync_folder(&self.folder),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Cuts off and removes what a crash left beyond the index. `end_of` gives the indexed end of a segment, or
    /// `None` for a segment the index does not know. Files with other names are left alone.
    pub(super) fn sweep<E: From<io::Error>>(
        &self,
        mut end_of: impl FnMut(ChunkGroup, u32) -> Result<Option<u64>, E>,
    ) -> Result<(), E> {
        for (group, folder) in self.group_folders()? {
            for item in fs::read_dir(folder)? {
                let item = item?;
                let Some(segment) = segment_number(&item.file_name().to_string_lossy()) else { continue };
                let end = end_of(group, segment)?;
                self.cut(group, segment, end)?;
            }
            self.remove_folder(group)?;
        }
        Ok(())
    }

    /// Cuts a segment at its indexed end, or removes it if it has none.
    pub(super) fn cut(&self, group: ChunkGroup, segment: u32, end: Option<u64>) -> io::Result<()> {
        let Some(end) = end else { return self.remove(group, segment) };
        let file = private_options().write(true).open(self.path(group, segment))?;
        if file.metadata()?.len() > end { file.set_len(end) } else { Ok(()) }
    }

    fn group_folders(&self) -> io::Result<Vec<(ChunkGroup, PathBuf)>> {
        let mut folders = Vec::new();
        for item in fs::read_dir(&self.folder)? {
            let item = item?;
            let group = HEXLOWER.decode(item.file_name().as_encoded_bytes()).ok();
            if let Some(group) = group.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
                folders.push((ChunkGroup(group), item.path()));
            }
        }
        Ok(folders)
    }
}

/// What one commit appends. Nothing counts before [`Appender::sync`] and the commit of the index.
pub(super) struct Appender<'s> {
    segments: &'s Segments,
    touched: HashMap<(ChunkGroup, u32), Touched>,
    /// Segments deleted in this commit are unlinked after it, so their numbers cannot be used again yet.
    first_free: HashMap<ChunkGroup, u32>,
    new_groups: bool,
}

struct Touched {
    file: File,
    is_new: bool,
}

impl<'s> Appender<'s> {
    pub(super) fn new(segments: &'s Segments) -> Self {
        Self { segments, touched: HashMap::new(), first_free: HashMap::new(), new_groups: false }
    }

    /// Says that this commit deletes a segment of the group.
    pub(super) fn deleted(&mut self, group: ChunkGroup, segment: u32) {
        let first_free = self.first_free.entry(group).or_default();
        *first_free = (*first_free).max(segment.saturating_add(1));
    }

    /// Writes a record behind `last`, the group's last segment and its end, or into a new segment.
    pub(super) fn append(
        &mut self,
        group: ChunkGroup,
        last: Option<(u32, u64)>,
        chunk: &VerifiedChunk,
    ) -> io::Result<Place> {
        let record_bytes = (RECORD_HEADER_BYTES + chunk.sealed().len()) as u64;
        let (segment, offset) = match last {
            Some((segment, end)) if end.saturating_add(record_bytes) <= SEGMENT_BYTES_MAX => (segment, end),
            Some((segment, _)) => (segment.checked_add(1).ok_or_else(|| io::Error::other("too many segments"))?, 0),
            None => (self.first_free.get(&group).copied().unwrap_or(0), 0),
        };
        let file = self.file(group, segment, offset)?;
        write_all_at(file, &record_header(chunk.id(), chunk.sealed().len()), offset)?;
        write_all_at(file, chunk.sealed(), offset + RECORD_HEADER_BYTES as u64)?;
        Ok(Place { group, segment, offset, bytes: chunk.sealed().len() as u32 })
    }

    fn file(&mut self, group: ChunkGroup, segment: u32, begin: u64) -> io::Result<&File> {
        use std::collections::hash_map::Entry;
        match self.touched.entry((group, segment)) {
            Entry::Occupied(touched) => Ok(&touched.into_mut().file),
            Entry::Vacant(vacant) => {
                if begin == 0 && !self.segments.group_folder(group).exists() {
                    create_private_folder(&self.segments.group_folder(group))?;
                    self.new_groups = true;
                }
                let path = self.segments.path(group, segment);
                let file = private_options().write(true).create(begin == 0).truncate(false).open(path)?;
                // A torn tail may be longer than what is written over it.
                if file.metadata()?.len() > begin {
                    file.set_len(begin)?;
                }
                Ok(&vacant.insert(Touched { file, is_new: begin == 0 }).file)
            }
        }
    }

    /// Makes all appended records durable, with the names of new files and folders.
    pub(super) fn sync(&self) -> io::Result<()> {
        for touched in self.touched.values() {
            touched.file.sync_data()?;
        }
        let mut folders: Vec<ChunkGroup> =
            self.touched.iter().filter(|(_, touched)| touched.is_new).map(|((group, _), _)| *group).collect();
        folders.sort_unstable();
        folders.dedup();
        for group in folders {
            sync_folder(&self.segments.group_folder(group))?;
        }
        if self.new_groups { sync_folder(self.segments.folder()) } else { Ok(()) }
    }

    /// The segments that were written to, whose ends are to be settled if the commit failed.
    pub(super) fn touched(&self) -> Vec<(ChunkGroup, u32)> {
        self.touched.keys().copied().collect()
    }
}

fn record_header(id: ChunkId, bytes: usize) -> [u8; RECORD_HEADER_BYTES] {
    let mut header = [0; RECORD_HEADER_BYTES];
    header[..4].copy_from_slice(&RECORD_MAGIC);
    header[4..36].copy_from_slice(id.as_bytes());
    header[36..].copy_from_slice(&(bytes as u32).to_le_bytes());
    header
}

fn segment_number(file_name: &str) -> Option<u32> {
    let digits = file_name.strip_suffix(".seg")?;
    (digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

// Positioned reads and writes share no cursor, so threads need no lock to read one file.

#[cfg(unix)]
pub(super) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
pub(super) fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                bytes = &mut bytes[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GROUP: ChunkGroup = ChunkGroup([5; 32]);

    fn chunk(content: &[u8]) -> VerifiedChunk {
        VerifiedChunk::check(ChunkId::of(content), content.to_vec()).unwrap()
    }

    fn last(place: Place) -> Option<(u32, u64)> {
        Some((place.segment, place.end().unwrap()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn what_is_appended_is_read_back(contents in prop::collection::vec(
            prop::collection::vec(any::<u8>(), 0..300), 1..20)) {
            let home = tempfile::tempdir().unwrap();
            let segments = Segments::open(home.path()).unwrap();
            let mut appender = Appender::new(&segments);
            let mut end = None;
            let mut places = Vec::new();
            for content in &contents {
                let place = appender.append(GROUP, end, &chunk(content)).unwrap();
                end = last(place);
                places.push(place);
            }
            appender.sync().unwrap();
            for (content, place) in contents.iter().zip(places) {
                let read = segments.read(ChunkId::of(content), place).unwrap();
                prop_assert_eq!(read.as_ref(), Some(content));
            }
        }
    }

    #[test]
    fn a_place_that_is_not_the_chunks_reads_as_nothing() {
        let home = tempfile::tempdir().unwrap();
        let segments = Segments::open(home.path()).unwrap();
        let mut appender = Appender::new(&segments);
        let (a, b) = (chunk(b"first"), chunk(b"second"));
        let first = appender.append(GROUP, None, &a).unwrap();
        let second = appender.append(GROUP, last(first), &b).unwrap();
        assert!(segments.read(a.id(), first).unwrap().is_some());
        let hostile = [
            ("another chunk's place", a.id(), second),
            ("past the end", a.id(), Place { offset: 4000, ..first }),
            ("at the end of numbers", a.id(), Place { offset: u64::MAX - 10, ..first }),
            ("between two records", a.id(), Place { offset: 1, ..first }),
            ("a length too short", a.id(), Place { bytes: 4, ..first }),
            ("a length past the end", a.id(), Place { bytes: 500, ..second }),
            ("a length over the limit", a.id(), Place { bytes: u32::MAX, ..first }),
            ("a segment that is not there", a.id(), Place { segment: 9, ..first }),
            ("a group that is not there", a.id(), Place { group: ChunkGroup([6; 32]), ..first }),
        ];
        for (attack, id, place) in hostile {
            assert!(!matches!(segments.read(id, place), Ok(Some(_))), "{attack}");
        }
    }

    #[test]
    fn a_full_segment_is_followed_by_the_next() {
        let home = tempfile::tempdir().unwrap();
        let segments = Segments::open(home.path()).unwrap();
        let mut appender = Appender::new(&segments);
        let chunk = chunk(b"x");
        appender.append(GROUP, None, &chunk).unwrap();
        let record_bytes = RECORD_HEADER_BYTES as u64 + 1;
        let fits = appender.append(GROUP, Some((0, SEGMENT_BYTES_MAX - record_bytes)), &chunk).unwrap();
        assert_eq!((fits.segment, fits.end()), (0, Some(SEGMENT_BYTES_MAX)));
        let next = appender.append(GROUP, last(fits), &chunk).unwrap();
        assert_eq!((next.segment, next.offset), (1, 0));
        assert!(appender.append(GROUP, Some((u32::MAX, SEGMENT_BYTES_MAX)), &chunk).is_err());
    }

    #[test]
    fn what_a_failed_commit_appended_is_cut_off() {
        let home = tempfile::tempdir().unwrap();
        let segments = Segments::open(home.path()).unwrap();
        let mut kept = Appender::new(&segments);
        let first = kept.append(GROUP, None, &chunk(b"kept")).unwrap();
        kept.sync().unwrap();
        let mut failed = Appender::new(&segments);
        failed.append(GROUP, last(first), &chunk(b"gone")).unwrap();
        failed.append(ChunkGroup([6; 32]), None, &chunk(b"gone")).unwrap();
        for (group, segment) in failed.touched() {
            segments.cut(group, segment, (group == GROUP).then_some(first.end().unwrap())).unwrap();
            segments.remove_folder(group).unwrap();
        }
        assert_eq!(fs::metadata(segments.path(GROUP, 0)).unwrap().len(), first.end().unwrap());
        assert!(!segments.group_folder(ChunkGroup([6; 32])).exists());
    }

    #[test]
    fn the_sweep_cuts_torn_tails_and_unknown_segments_and_leaves_foreign_files() {
        let home = tempfile::tempdir().unwrap();
        let segments = Segments::open(home.path()).unwrap();
        for (name, bytes) in [("00000000.seg", 100), ("00000001.seg", 100), ("notes.txt", 5), ("+0000001.seg", 5)] {
            fs::create_dir_all(segments.group_folder(GROUP)).unwrap();
            fs::write(segments.group_folder(GROUP).join(name), vec![1; bytes]).unwrap();
        }
        fs::create_dir(segments.group_folder(ChunkGroup([6; 32]))).unwrap();
        fs::create_dir(segments.folder().join("not-a-group")).unwrap();
        segments.sweep::<io::Error>(|_, segment| Ok((segment == 0).then_some(60))).unwrap();
        assert_eq!(fs::metadata(segments.path(GROUP, 0)).unwrap().len(), 60);
        assert!(!segments.path(GROUP, 1).exists());
        assert!(segments.group_folder(GROUP).join("notes.txt").exists());
        assert!(segments.group_folder(GROUP).join("+0000001.seg").exists());
        assert!(!segments.group_folder(ChunkGroup([6; 32])).exists());
        assert!(segments.folder().join("not-a-group").exists());
    }
}
