//! Files and values of the command line that are read before the node is asked.
//!
//! The node may be another process with another working directory: every path goes to it absolute.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::node::api::{Failure, FailureCode, Rectangle};

/// Longest text file taken as context, report or opinion, in bytes.
const TEXT_BYTES_MAX: u64 = 256 * 1024;

/// Most points of one mark.
const POINTS_MAX: usize = 4096;

pub(super) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| {
        Failure::new(FailureCode::WrongUse, format!("{} is no path: {error}.", path.display()))
            .hint("Give the name of a file or folder.")
    })
}

pub(super) fn absolute_all(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    paths.iter().map(|path| absolute(path)).collect()
}

/// The text of a file, or of standard input for `-`.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    let name = if path == Path::new("-") { "standard input".into() } else { path.display().to_string() };
    let bytes = if path == Path::new("-") { bounded(io::stdin()) } else { File::open(path).and_then(bounded) };
    let bytes = bytes.map_err(|error| {
        let code = if error.kind() == io::ErrorKind::NotFound { FailureCode::NotFound } else { FailureCode::Failed };
        Failure::new(code, format!("{name} cannot be read: {error}."))
            .hint("Nothing was changed. Look at the file's name.")
    })?;
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        return Err(Failure::new(FailureCode::WrongUse, format!("{name} is longer than {TEXT_BYTES_MAX} bytes."))
            .hint("Give a text of ordinary length."));
    }
    String::from_utf8(bytes).map_err(|_| {
        Failure::new(FailureCode::WrongUse, format!("{name} is not UTF-8 text."))
            .hint("Save it as plain text in UTF-8.")
    })
}

/// The text of a file whose surrounding blank lines do not matter.
pub(super) fn text_if_given(path: Option<&Path>) -> Result<Option<String>, Failure> {
    path.map(|path| text(path).map(|text| text.trim().to_owned())).transpose()
}

/// A text given as an argument; `-` reads standard input.
pub(super) fn argument(text: String) -> Result<String, Failure> {
    if text == "-" { self::text(Path::new("-")).map(|text| text.trim().to_owned()) } else { Ok(text) }
}

fn bounded(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(TEXT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// One image: its SOP Instance UID and a frame, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageName {
    pub(super) sop_instance_uid: String,
    pub(super) frame: u32,
}

/// Reads `SOP_UID[#FRAME]`.
pub(super) fn image_name(text: &str) -> Result<ImageName, String> {
    let (uid, frame) = match text.split_once('#') {
        Some((uid, frame)) => (uid, frame.parse().ok().filter(|frame| *frame >= 1)),
        None => (text, Some(1)),
    };
    let frame = frame.ok_or("the frame after # counts from 1")?;
    // PS3.5 section 9: digits and dots, at most 64 characters.
    let is_uid = !uid.is_empty() && uid.len() <= 64 && uid.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !is_uid {
        return Err("an image is named by its SOP Instance UID, digits and dots, and #FRAME if it has several".into());
    }
    Ok(ImageName { sop_instance_uid: uid.into(), frame })
}

/// Reads `COLUMN,ROW,COLUMNS,ROWS`, in pixels.
pub(super) fn rectangle(text: &str) -> Result<Rectangle, String> {
    let numbers: Option<Vec<u32>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some([_, _, 0, _] | [_, _, _, 0]) => Err("a rectangle is at least one pixel wide and high".into()),
        Some(&[column, row, columns, rows]) => Ok(Rectangle { column, row, columns, rows }),
        _ => Err("a rectangle is COLUMN,ROW,COLUMNS,ROWS in whole pixels: 0,0,640,40".into()),
    }
}

/// Points of a mark: column and row in pixels, (0,0) the centre of the first pixel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Points(pub(super) Vec<(f64, f64)>);

/// Reads `"c,r c,r"`.
pub(super) fn points(text: &str) -> Result<Points, String> {
    let points: Option<Vec<(f64, f64)>> = text.split_whitespace().map(point).collect();
    match points {
        Some(points) if points.is_empty() => Err("give at least one point, as column,row".into()),
        Some(points) if points.len() > POINTS_MAX => Err(format!("a mark has at most {POINTS_MAX} points")),
        Some(points) => Ok(Points(points)),
        None => Err("points are column,row in pixels, one after the other: \"103.5,88 140,92\"".into()),
    }
}

fn point(text: &str) -> Option<(f64, f64)> {
    let (column, row) = text.split_once(',')?;
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    Some((number(column)?, number(row)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_image_is_a_uid_and_a_frame_from_one() {
        let image = |uid: &str, frame| Ok(ImageName { sop_instance_uid: uid.into(), frame });
        assert_eq!(image_name("1.2.840.1"), image("1.2.840.1", 1));
        assert_eq!(image_name("1.2.840.1#12"), image("1.2.840.1", 12));
        for bad in ["", "#1", "1.2#0", "1.2#", "1.2#-1", "1.2#1#2", "c-abcd", "1.2 ", &"1".repeat(65)] {
            assert!(image_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rectangle_is_where_it_begins_and_how_large_it_is() {
        assert_eq!(rectangle("3, 4,640,40"), Ok(Rectangle { column: 3, row: 4, columns: 640, rows: 40 }));
        for bad in
            ["", "1,2,3", "1,2,3,4,5", "1,2,0,4", "1,2,3,0", "-1,2,3,4", "1.5,2,3,4", "a,b,c,d", "4294967296,0,1,1"]
        {
            assert!(rectangle(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn points_are_columns_and_rows() {
        assert_eq!(points("103.5,88  -0.5,92"), Ok(Points(vec![(103.5, 88.0), (-0.5, 92.0)])));
        for bad in ["", " ", "1", "1,", ",1", "1,2,3", "1;2", "nan,1", "1,inf", "a,b", "1, 2"] {
            assert!(points(bad).is_err(), "{bad}");
        }
        assert!(points(&"1,1 ".repeat(POINTS_MAX + 1)).is_err());
    }

    proptest! {
        #[test]
        fn any_points_written_are_read_back(written in prop::collection::vec((-1e6..1e6, -1e6..1e6), 1..20)) {
            let text = written.iter().map(|(c, r)| format!("{c},{r}")).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(points(&text), Ok(Points(written)));
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in "\\PC{0,40}") {
            let _ = (points(&text), image_name(&text), rectangle(&text));
        }
    }

    #[test]
    fn a_text_file_is_read_within_its_limit() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "Known HCC.\n").unwrap();
        assert_eq!(text_if_given(Some(file.path())).unwrap().as_deref(), Some("Known HCC."));
        std::fs::write(file.path(), vec![b'a'; 256 * 1024 + 1]).unwrap();
        assert_eq!(text(file.path()).unwrap_err().code, FailureCode::WrongUse);
        std::fs::write(file.path(), [0xff, 0x00]).unwrap();
        assert_eq!(text(file.path()).unwrap_err().code, FailureCode::WrongUse);
        assert_eq!(text(Path::new("/nowhere/at/all")).unwrap_err().code.exit_code(), 4);
    }
}
