//! Lossless, byte-exact packing of a rebuilt DICOM file before it is sealed (format 9).
//!
//! A file has three parts: what stands before its pixel data, the pixel data, what follows. The outer two go
//! through zstd. The pixel data is cut into bands of at most [`BAND_BYTES_MAX`]; a band of uncompressed 8- or
//! 16-bit samples goes through the MED predictor (`predict`), is laid out by plane (low bytes, then high
//! bytes) and through zstd level 1; any other band through zstd alone, or stored if that does not help. A band
//! is the unit of memory: neither packing, unpacking nor checking needs more than one besides the input.
//!
//! The [`Layout`] is a hint, never trusted: packing is exact on every sequence of bytes whatever the header
//! claims about rows and columns, and what does not fill a row is packed as plain bytes.
//!
//! What it does not do: look inside compressed pixel data, or predict from one file to the next, since each
//! instance must open by itself. Start with [`Packer::pack`] and [`unpack`].
//!
//! ```text
//! offset  bytes  meaning (numbers little-endian)
//! 0       1      version, 1
//! 1       1      bytes a sample: 0 (no layout), 1 or 2
//! 2       1      samples a pixel that are interleaved, 1 to 4
//! 3       1      flags: 1 big-endian words, 2 signed
//! 4       4      pixels a row
//! 8       4      rows an image
//! 12      8      bytes before the pixel data
//! 20      8      bytes of pixel data
//! 28      8      bytes after the pixel data
//! 36      8      length of the packed outer parts
//! 44      32     BLAKE3 of the whole file
//! 76      …      the outer parts, one zstd frame; then the bands: method (1), length (4), bytes
//! ```

use std::io::Read;

use self::rows::Rows;

mod predict;
mod rows;
#[cfg(test)]
mod tests;

/// Version of the container.
const VERSION: u8 = 1;

/// Length of the container's fixed start in bytes.
const START_BYTES: usize = 76;

/// Longest band of pixel data in bytes: it should stay in the processor's second-level cache.
pub const BAND_BYTES_MAX: usize = 512 * 1024;

/// Longest sum of the parts before and after the pixel data, in bytes.
pub const OUTER_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// zstd level of pixel data; a higher one costs half the speed for a few percent after the predictor.
const PIXEL_LEVEL: i32 = 1;

/// zstd level of headers, which are small.
const OUTER_LEVEL: i32 = 3;

const STORED: u8 = 0;
const ZSTD: u8 = 1;
const MED: u8 = 2;

/// How uncompressed pixel data is laid out, as far as the predictor cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Bytes a sample, 1 or 2 (Bits Allocated 8 or 16).
    pub sample_bytes: u8,
    /// Samples of a pixel that stand side by side: Samples per Pixel, or 1 when the data is colour by plane.
    pub interleaved: u8,
    pub big_endian: bool,
    /// Pixel Representation is 1.
    pub signed: bool,
    /// Columns.
    pub columns: u32,
    /// Rows; the predictor starts anew with each image.
    pub rows: u32,
}

impl Layout {
    /// Bytes a row, or `None` if the predictor does not know this layout.
    fn row_bytes(&self) -> Option<usize> {
        let known = matches!(self.sample_bytes, 1 | 2) && (1..=4).contains(&self.interleaved) && self.rows > 0;
        let row = u64::from(self.columns) * u64::from(self.interleaved) * u64::from(self.sample_bytes);
        let row = usize::try_from(row).ok()?;
        (known && (1..=BAND_BYTES_MAX).contains(&row)).then_some(row)
    }
}

/// A file in the three parts that packing treats differently.
#[derive(Debug, Clone, Copy)]
pub struct FileParts<'a> {
    pub before: &'a [u8],
    pub pixels: &'a [u8],
    pub after: &'a [u8],
    pub layout: Option<Layout>,
}

impl FileParts<'_> {
    /// Length of the file in bytes.
    pub fn bytes(&self) -> u64 {
        self.before.len() as u64 + self.pixels.len() as u64 + self.after.len() as u64
    }

    /// BLAKE3 of the whole file.
    pub fn plain_hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.before).update(self.pixels).update(self.after);
        *hasher.finalize().as_bytes()
    }
}

/// A packed file.
#[derive(Clone)]
pub struct Packed {
    pub bytes: Vec<u8>,
    /// BLAKE3 of the file as it was: all readers can prove that they see the same pixels.
    pub plain_hash: [u8; 32],
    /// BLAKE3 of `bytes`, from which the object's key is made.
    pub packed_hash: [u8; 32],
    /// Length of the file as it was, in bytes.
    pub plain_bytes: u64,
}

/// Packs files one after another; keep one a thread, its working memory is used again.
pub struct Packer {
    pixels: zstd::bulk::Compressor<'static>,
    outer: zstd::bulk::Compressor<'static>,
    unpacker: Unpacker,
    rows: Rows,
    planes: Vec<u8>,
    squeezed: Vec<u8>,
}

impl Packer {
    pub fn new() -> Result<Self, PackError> {
        Ok(Self {
            pixels: zstd::bulk::Compressor::new(PIXEL_LEVEL).map_err(PackError::Zstd)?,
            outer: zstd::bulk::Compressor::new(OUTER_LEVEL).map_err(PackError::Zstd)?,
            unpacker: Unpacker::new().map_err(PackError::Zstd)?,
            rows: Rows::default(),
            planes: Vec::new(),
            squeezed: Vec::new(),
        })
    }

    /// Packs a file and checks by unpacking that not one byte changed, so that the original may be let go.
    pub fn pack(&mut self, parts: &FileParts<'_>) -> Result<Packed, PackError> {
        let packed = self.pack_unchecked(parts)?;
        let mut outer = parts.before.iter().chain(parts.after);
        let mut pixels = parts.pixels;
        let mut same = true;
        let checked = self.unpacker.run(&packed.bytes, parts.bytes(), &mut |piece| match piece {
            Piece::Outer(bytes) => same &= bytes.iter().eq(outer.by_ref().take(bytes.len())),
            Piece::Pixels(bytes) => match pixels.split_at_checked(bytes.len()) {
                Some((expected, rest)) => {
                    same &= expected == bytes;
                    pixels = rest;
                }
                None => same = false,
            },
        });
        if checked.is_err() || !same || !pixels.is_empty() || outer.next().is_some() {
            return Err(PackError::NotExact);
        }
        Ok(packed)
    }

    /// [`Packer::pack`] without the check, for measuring what it costs.
    fn pack_unchecked(&mut self, parts: &FileParts<'_>) -> Result<Packed, PackError> {
        let outer_bytes = parts.before.len() as u64 + parts.after.len() as u64;
        if outer_bytes > OUTER_BYTES_MAX {
            return Err(PackError::HeaderTooLong { bytes: outer_bytes });
        }
        let layout = parts.layout.filter(|layout| layout.row_bytes().is_some());
        let plain_hash = parts.plain_hash();
        let outer = match parts.after {
            [] => self.outer.compress(parts.before),
            after => self.outer.compress(&[parts.before, after].concat()),
        }
        .map_err(PackError::Zstd)?;

        let mut bytes = Vec::with_capacity(START_BYTES + outer.len() + parts.pixels.len() / 2);
        let start = Start {
            layout,
            before: parts.before.len() as u64,
            pixels: parts.pixels.len() as u64,
            after: parts.after.len() as u64,
            outer_packed: outer.len() as u64,
            plain_hash,
        };
        start.write(&mut bytes);
        bytes.extend_from_slice(&outer);

        let mut rest = parts.pixels;
        let mut first_row = 0;
        self.rows.forget();
        for band in bands(rest.len() as u64, layout) {
            // bands() adds up to exactly the length it was given.
            let (now, later) = rest.split_at(band.bytes.min(rest.len()));
            rest = later;
            match layout {
                Some(layout) if band.rows > 0 => self.pack_rows(now, layout, first_row, &mut bytes)?,
                _ => self.pack_plain(now, &mut bytes)?,
            }
            first_row += band.rows as u64;
        }
        let packed_hash = *blake3::hash(&bytes).as_bytes();
        Ok(Packed { bytes, plain_hash, packed_hash, plain_bytes: parts.bytes() })
    }

    fn pack_rows(&mut self, band: &[u8], layout: Layout, first_row: u64, out: &mut Vec<u8>) -> Result<(), PackError> {
        self.planes.resize(band.len(), 0);
        self.rows.distances(band, layout, first_row, &mut self.planes);
        squeeze(&mut self.pixels, &self.planes, &mut self.squeezed)?;
        if layout.sample_bytes == 1 {
            // Few-coloured pictures (label maps, screens) are often smaller without the predictor.
            let mut plain = Vec::new();
            squeeze(&mut self.pixels, band, &mut plain)?;
            if plain.len() < self.squeezed.len() {
                return push_band(ZSTD, &plain, out);
            }
        }
        if self.squeezed.len() < band.len() {
            push_band(MED, &self.squeezed, out)
        } else {
            push_band(STORED, band, out)
        }
    }

    fn pack_plain(&mut self, band: &[u8], out: &mut Vec<u8>) -> Result<(), PackError> {
        squeeze(&mut self.pixels, band, &mut self.squeezed)?;
        if self.squeezed.len() < band.len() {
            push_band(ZSTD, &self.squeezed, out)
        } else {
            push_band(STORED, band, out)
        }
    }
}

fn squeeze(zstd: &mut zstd::bulk::Compressor<'_>, plain: &[u8], squeezed: &mut Vec<u8>) -> Result<(), PackError> {
    squeezed.clear();
    squeezed.reserve(zstd::zstd_safe::compress_bound(plain.len()));
    zstd.compress_to_buffer(plain, squeezed).map_err(PackError::Zstd)?;
    Ok(())
}

fn push_band(method: u8, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), PackError> {
    // A band is at most BAND_BYTES_MAX long and is stored if packing made it longer.
    let length = u32::try_from(bytes.len()).map_err(|_| PackError::NotExact)?;
    out.push(method);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

/// Gives back the file that was packed.
///
/// `bytes_max` is the longest file to accept, in bytes: the length the signed manifest states.
pub fn unpack(packed: &[u8], bytes_max: u64) -> Result<Vec<u8>, UnpackError> {
    let mut file = Vec::new();
    let mut outer = Vec::new();
    let start = Unpacker::new().map_err(UnpackError::Zstd)?.run(packed, bytes_max, &mut |piece| match piece {
        Piece::Outer(bytes) => {
            let (before, after) = bytes.split_at(before_length(packed).min(bytes.len()));
            file.extend_from_slice(before);
            outer = after.to_vec();
        }
        Piece::Pixels(bytes) => file.extend_from_slice(bytes),
    })?;
    file.extend_from_slice(&outer);
    if blake3::hash(&file).as_bytes() != &start.plain_hash {
        return Err(UnpackError::OtherBytes);
    }
    Ok(file)
}

fn before_length(packed: &[u8]) -> usize {
    Start::read(packed).ok().and_then(|start| usize::try_from(start.before).ok()).unwrap_or(0)
}

/// A piece of an unpacked file, in the order in which they come.
enum Piece<'a> {
    /// What stands before and after the pixel data, together, once.
    Outer(&'a [u8]),
    /// The next band.
    Pixels(&'a [u8]),
}

struct Unpacker {
    zstd: zstd::bulk::Decompressor<'static>,
    rows: Rows,
    planes: Vec<u8>,
    band: Vec<u8>,
}

impl Unpacker {
    fn new() -> std::io::Result<Self> {
        Ok(Self { zstd: zstd::bulk::Decompressor::new()?, rows: Rows::default(), planes: Vec::new(), band: Vec::new() })
    }

    fn run(&mut self, packed: &[u8], bytes_max: u64, take: &mut dyn FnMut(Piece<'_>)) -> Result<Start, UnpackError> {
        let start = Start::read(packed)?;
        let outer_bytes = start.before.saturating_add(start.after);
        let bytes = outer_bytes.saturating_add(start.pixels);
        if bytes > bytes_max || outer_bytes > OUTER_BYTES_MAX {
            return Err(UnpackError::TooLong { bytes, bytes_max });
        }
        let mut rest = packed.get(START_BYTES..).ok_or(UnpackError::Truncated)?;
        take(Piece::Outer(&inflate_outer(split(&mut rest, start.outer_packed)?, outer_bytes)?));

        let mut first_row = 0;
        self.rows.forget();
        for band in bands(start.pixels, start.layout) {
            let method = split(&mut rest, 1)?[0];
            let length = u32::from_le_bytes(array(split(&mut rest, 4)?));
            let squeezed = split(&mut rest, u64::from(length))?;
            match (method, start.layout) {
                (STORED, _) if squeezed.len() == band.bytes => {
                    self.rows.remember(squeezed, start.layout);
                    take(Piece::Pixels(squeezed));
                }
                (ZSTD, _) => {
                    inflate(&mut self.zstd, squeezed, band.bytes, &mut self.band)?;
                    self.rows.remember(&self.band, start.layout);
                    take(Piece::Pixels(&self.band));
                }
                (MED, Some(layout)) if band.rows > 0 => {
                    inflate(&mut self.zstd, squeezed, band.bytes, &mut self.planes)?;
                    self.band.resize(band.bytes, 0);
                    self.rows.rebuild(&self.planes, layout, first_row, &mut self.band);
                    take(Piece::Pixels(&self.band));
                }
                _ => return Err(UnpackError::Malformed("a band's method does not fit")),
            }
            first_row += band.rows as u64;
        }
        if !rest.is_empty() {
            return Err(UnpackError::Malformed("bytes follow the last band"));
        }
        Ok(start)
    }
}

/// Inflates a band, which must be exactly `bytes` (at most [`BAND_BYTES_MAX`]) long.
fn inflate(
    zstd: &mut zstd::bulk::Decompressor<'_>,
    squeezed: &[u8],
    bytes: usize,
    plain: &mut Vec<u8>,
) -> Result<(), UnpackError> {
    plain.clear();
    plain.reserve(bytes);
    let inflated = zstd.decompress_to_buffer(squeezed, plain).map_err(UnpackError::Zstd)?;
    if inflated != bytes {
        return Err(UnpackError::Malformed("a band is not as long as it should be"));
    }
    Ok(())
}

/// Inflates the outer parts; memory grows with what truly comes out, not with what is claimed.
fn inflate_outer(squeezed: &[u8], bytes: u64) -> Result<Vec<u8>, UnpackError> {
    let mut outer = Vec::new();
    let decoder = zstd::stream::read::Decoder::with_buffer(squeezed).map_err(UnpackError::Zstd)?;
    decoder.take(bytes + 1).read_to_end(&mut outer).map_err(UnpackError::Zstd)?;
    if outer.len() as u64 != bytes {
        return Err(UnpackError::Malformed("the header is not as long as it should be"));
    }
    Ok(outer)
}

fn split<'a>(rest: &mut &'a [u8], bytes: u64) -> Result<&'a [u8], UnpackError> {
    let bytes = usize::try_from(bytes).map_err(|_| UnpackError::Truncated)?;
    let (now, later) = rest.split_at_checked(bytes).ok_or(UnpackError::Truncated)?;
    *rest = later;
    Ok(now)
}

/// The first bytes of a slice that is known to hold them (0 where it does not).
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    for (to, from) in array.iter_mut().zip(bytes) {
        *to = *from;
    }
    array
}

/// A piece of the pixel data; `rows` is 0 for plain bytes.
struct Band {
    bytes: usize,
    rows: usize,
}

/// Cuts the pixel data: bands of whole rows, then what does not fill a row as plain bytes.
fn bands(pixels: u64, layout: Option<Layout>) -> impl Iterator<Item = Band> {
    let row_bytes = layout.and_then(|layout| layout.row_bytes());
    let mut rows = row_bytes.map_or(0, |row| pixels / row as u64);
    let mut plain = pixels - row_bytes.map_or(0, |row| rows * row as u64);
    let rows_of_band = row_bytes.map_or(0, |row| BAND_BYTES_MAX / row);
    std::iter::from_fn(move || {
        if rows > 0 {
            let now = rows.min(rows_of_band as u64);
            rows -= now;
            Some(Band { bytes: now as usize * row_bytes.unwrap_or(0), rows: now as usize })
        } else if plain > 0 {
            let now = plain.min(BAND_BYTES_MAX as u64);
            plain -= now;
            Some(Band { bytes: now as usize, rows: 0 })
        } else {
            None
        }
    })
}

/// The container's fixed start.
struct Start {
    layout: Option<Layout>,
    before: u64,
    pixels: u64,
    after: u64,
    outer_packed: u64,
    plain_hash: [u8; 32],
}

impl Start {
    fn write(&self, out: &mut Vec<u8>) {
        let layout = self.layout;
        out.push(VERSION);
        out.push(layout.map_or(0, |l| l.sample_bytes));
        out.push(layout.map_or(0, |l| l.interleaved));
        out.push(layout.map_or(0, |l| u8::from(l.big_endian) | u8::from(l.signed) << 1));
        out.extend_from_slice(&layout.map_or(0, |l| l.columns).to_le_bytes());
        out.extend_from_slice(&layout.map_or(0, |l| l.rows).to_le_bytes());
        for length in [self.before, self.pixels, self.after, self.outer_packed] {
            out.extend_from_slice(&length.to_le_bytes());
        }
        out.extend_from_slice(&self.plain_hash);
    }

    fn read(packed: &[u8]) -> Result<Self, UnpackError> {
        let &version = packed.first().ok_or(UnpackError::Truncated)?;
        if version != VERSION {
            return Err(UnpackError::NewerVersion { version });
        }
        let start: &[u8; START_BYTES] = packed.first_chunk().ok_or(UnpackError::Truncated)?;
        let number = |at: usize| u64::from_le_bytes(array(&start[at..at + 8]));
        let layout = match start[1] {
            0 => None,
            sample_bytes => {
                let layout = Layout {
                    sample_bytes,
                    interleaved: start[2],
                    big_endian: start[3] & 1 != 0,
                    signed: start[3] & 2 != 0,
                    columns: u32::from_le_bytes(array(&start[4..8])),
                    rows: u32::from_le_bytes(array(&start[8..12])),
                };
                layout.row_bytes().ok_or(UnpackError::Malformed("an impossible layout"))?;
                Some(layout)
            }
        };
        Ok(Self {
            layout,
            before: number(12),
            pixels: number(20),
            after: number(28),
            outer_packed: number(36),
            plain_hash: array(&start[44..]),
        })
    }
}

/// Why a file could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error("the header is {bytes} bytes long, more than {OUTER_BYTES_MAX}")]
    HeaderTooLong { bytes: u64 },
    #[error("zstd failed: {0}")]
    Zstd(std::io::Error),
    /// Our bug; the original is kept.
    #[error("unpacking did not give the same bytes back; the original was kept (please report this)")]
    NotExact,
}

/// Why packed bytes were refused.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("packed by a newer version ({version})")]
    NewerVersion { version: u8 },
    #[error("the packed file ends too early")]
    Truncated,
    #[error("it would unpack to {bytes} bytes where at most {bytes_max} are allowed")]
    TooLong { bytes: u64, bytes_max: u64 },
    #[error("damaged: {0}")]
    Malformed(&'static str),
    #[error("damaged: {0}")]
    Zstd(std::io::Error),
    #[error("damaged: the file inside does not have the hash it should have")]
    OtherBytes,
}
