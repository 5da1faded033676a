//! Golden pictures: every image in samples against judges that share no code with the program.
//!
//! `judge.py` reads each file by itself (pydicom, dcmtk) and computes stored values, pictures, statistics, lengths,
//! angles, letters and SUVs after the text of the standard; dcm2pnm draws the same windows. A picture equals numpy's
//! to rounding and dcm2pnm's to one grey level; where a judge is known to be wrong, [`EXPLAINED`] says so with the
//! clause, and an explanation that no longer explains anything fails as well.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use overread::case::content::{Point, Shape};
use overread::study::geometry::orientation;
use overread::study::measure::measure_in;
use overread::study::pixels::{Frame, Image, PixelError, Window};
use serde_json::{Value, json};
use tempfile::TempDir;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples");

/// Images of at most this many samples in all frames are judged whole; of larger ones the first, middle and last frame.
const WHOLE_SAMPLES_MAX: usize = 4 * 1024 * 1024;

/// Differences that are right by the standard's text: file (or its beginning), what differs, why.
const EXPLAINED: &[(&str, &str, &str)] = &[
    ("mr-series/abdomen-localizers", "7/", NOT_WHOLE),
    ("transfer-syntaxes/same-ct-slice/jpeg-baseline.dcm", "7/", NOT_WHOLE),
    ("transfer-syntaxes/same-ct-slice/jpeg-extended-12bit.dcm", "7/", NOT_WHOLE),
    ("transfer-syntaxes/same-ct-slice/jpeg-spectral-selection-12bit.dcm", "7/", NOT_WHOLE),
    ("transfer-syntaxes/same-ct-slice/jpeg-progressive-12bit.dcm", "7/", NOT_WHOLE),
    ("media/dicomdir-2-patients/77654033/CR", "7/", NOT_WHOLE),
    ("colour/sc-ybr-full.dcm", "default: dcm2pnm: 2 ", CENTRE_OF_CHROMA),
    ("multiframe/us-cine-30-frames-jpeg.dcm#1", "default: dcm2pnm: 3 ", CENTRE_OF_CHROMA),
    ("multiframe/enhanced-ct-2-frames.dcm", "default: dcm2pnm: another shape", SUPPLEMENTAL),
    ("multiframe/enhanced-ct-2-frames.dcm", "auto: dcm2pnm: another shape", SUPPLEMENTAL),
    ("multiframe/enhanced-ct-2-frames.dcm", "file:1: dcm2pnm: another shape", SUPPLEMENTAL),
    ("multiframe/enhanced-ct-2-frames.dcm", "598/-426: dcm2pnm: another shape", SUPPLEMENTAL),
    ("multiframe/enhanced-ct-2-frames.dcm", "7/-425: dcm2pnm: another shape", SUPPLEMENTAL),
    (
        "broken/no-meta.dcm",
        "",
        "a stray byte before the data set: pydicom reads another header (pixels::tests has its hash)",
    ),
    (
        "broken/undefined-length-nested-private.dcm",
        "the judge failed",
        "pydicom cannot read it (pixels::tests has its hash)",
    ),
];

/// PS3.3 C.11.1.1.2: output = m x SV + b, without a word of rounding, and C.11.2.1.2 windows what comes out.
const NOT_WHOLE: &str = "dcm2pnm rounds modality values to whole numbers before a narrow window";

/// PS3.3 C.7.6.3.1.2 defines YBR_FULL by its equations; numpy inverts them and agrees.
const CENTRE_OF_CHROMA: &str = "dcm2pnm has grey at Cb = Cr = 127.5 instead of 128, so that its greys are not grey";

/// PS3.3 C.7.6.19 and C.8.16.2.1.1: with Pixel Presentation COLOR, values from the palette's first one on are coloured.
const SUPPLEMENTAL: &str = "dcm2pnm knows no supplemental palette and draws grey";

/// Files that are no images or of which a frame cannot be shown, with words of the reason.
const UNREADABLE: &[(&str, &str)] = &[
    ("broken/bulk-data-3gb-truncated.dcm", "cut off: it should have at least 3221227392 bytes and has 100000"),
    ("broken/j2k-embedded-sequence-delimiter.dcm", "the codestream is 1024 x 3722445056 x 1 of 16 bits"),
    ("broken/meta-missing-transfer-syntax.dcm", "the transfer syntax is not stated"),
    ("broken/mr-truncated-pixel-data.dcm", "cut off: it should have at least 9692 bytes and has 9630"),
    ("broken/not-an-image-zip.zip!dwv-test_bad/dwv-test_no-number-rows.dcm", "Rows is not usable"),
    ("broken/oob-declared-46341x46341.dcm", "an image of 46341 x 46341 pixels is larger than can be shown"),
    ("private/private-sequence-nested.dcm", "Rows is not usable"),
];

#[test]
fn every_picture_and_every_number_is_what_independent_judges_make_of_the_same_file() {
    let Some(samples) = samples() else { return };
    let folder = TempDir::new().unwrap();
    let mut judge = Judge::start(folder.path());
    let mut told = Told::default();
    for (name, path) in samples.files(folder.path()) {
        let Ok(file) = std::fs::read(&path) else { panic!("{name}: cannot be read") };
        let image = match Image::read(&file) {
            Ok(image) => image,
            Err(PixelError::NoPixelData) => continue,
            Err(error) => {
                told.refused(&name, &error.to_string());
                continue;
            }
        };
        for number in frames(&image) {
            match image.frame(number) {
                Ok(frame) => {
                    let job = job(&path, &image, number, &frame, folder.path());
                    told.judged(&name, number, &judge.judges(&job));
                }
                Err(error) => told.refused(&name, &error.to_string()),
            }
        }
    }
    told.end();
}

/// What came out, to be compared with what was expected at the end.
#[derive(Default)]
struct Told {
    frames: usize,
    checked: u64,
    decoders: BTreeMap<String, usize>,
    /// By file and difference.
    wrong: Vec<(String, String)>,
    refused: BTreeMap<String, String>,
}

impl Told {
    fn judged(&mut self, name: &str, frame: u32, answer: &Value) {
        self.frames += 1;
        self.checked += answer["checked"].as_u64().unwrap();
        *self.decoders.entry(answer["stored"].as_str().unwrap().to_owned()).or_default() += 1;
        for wrong in answer["wrong"].as_array().unwrap() {
            self.wrong.push((format!("{name}#{frame}"), wrong.as_str().unwrap().to_owned()));
        }
    }

    fn refused(&mut self, name: &str, why: &str) {
        assert!(!why.is_empty(), "{name}: no reason");
        self.refused.insert(name.to_owned(), why.to_owned());
    }

    fn end(self) {
        let explains = |(name, difference): &(String, String), (file, what, _): &(&str, &str, &str)| {
            name.starts_with(file) && difference.starts_with(what)
        };
        let unexplained: Vec<String> = self
            .wrong
            .iter()
            .filter(|wrong| !EXPLAINED.iter().any(|explained| explains(wrong, explained)))
            .map(|(name, difference)| format!("{name}: {difference}"))
            .collect();
        let stale: Vec<_> =
            EXPLAINED.iter().filter(|explained| !self.wrong.iter().any(|wrong| explains(wrong, explained))).collect();
        let refused: Vec<String> = self
            .refused
            .iter()
            .filter(|(name, why)| !UNREADABLE.iter().any(|(file, words)| name == file && why.contains(words)))
            .map(|(name, why)| format!("{name}: {why}"))
            .collect();
        eprintln!("{} frames, {} comparisons, stored values by {:?}", self.frames, self.checked, self.decoders);
        assert!(unexplained.is_empty(), "unexplained:\n{}", unexplained.join("\n"));
        assert!(refused.is_empty(), "refused:\n{}", refused.join("\n"));
        assert!(stale.is_empty(), "these explain nothing any more: {stale:?}");
        assert!(self.frames >= 300 && self.checked >= 10_000, "{} frames, {} checks", self.frames, self.checked);
    }
}

/// One process that judges job after job.
struct Judge {
    child: Child,
    jobs: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Judge {
    fn start(folder: &Path) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/judge.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (jobs, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, jobs, answers }
    }

    fn judges(&mut self, job: &Value) -> Value {
        writeln!(self.jobs, "{job}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|_| panic!("no answer for {job}"))
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn frames(image: &Image<'_>) -> Vec<u32> {
    let count = image.description().frames;
    match image.description().frame_samples().saturating_mul(count as usize) <= WHOLE_SAMPLES_MAX {
        true => (1..=count).collect(),
        false => {
            let mut frames = vec![1, count / 2 + 1, count];
            frames.dedup();
            frames
        }
    }
}

/// What the program makes of a frame, for the judge to make as well.
fn job(path: &Path, image: &Image<'_>, number: u32, frame: &Frame, folder: &Path) -> Value {
    let (kind, stored) = frame.stored_array();
    let stored_file = folder.join("stored");
    std::fs::write(&stored_file, stored).unwrap();
    let pictures: Vec<Value> = windows(frame)
        .into_iter()
        .enumerate()
        .map(|(at, (words, window))| {
            let file = folder.join(format!("picture-{at}"));
            std::fs::write(&file, frame.display(window).unwrap().bytes).unwrap();
            json!({ "window": words, "file": file, "dcmtk": number == 1 })
        })
        .collect();
    json!({
        "path": path,
        "frame": number,
        "stored": [stored_file, kind],
        "shape": [frame.rows(), frame.columns(), frame.samples()],
        "photometric": frame.photometric().as_str(),
        "unit": frame.unit().ucum(),
        "pictures": pictures,
        "marks": if number == 1 { marks(image, frame) } else { Vec::new() },
        "letters": letters(image, number),
        "suv": frame.suv().ok().map(|suv| suv.factor),
    })
}

/// The default, each of the file's, the automatic one, and two by numbers: over half of the values, and narrow.
fn windows(frame: &Frame) -> Vec<(String, Window)> {
    let mut windows = vec![("default".to_owned(), Window::Default)];
    if !frame.photometric().is_grey() {
        return windows;
    }
    windows.push(("auto".to_owned(), Window::Auto));
    windows
        .extend(frame.choices().iter().map(|choice| (format!("file:{}", choice.number), Window::File(choice.number))));
    if let Ok(Some((width, level))) = frame.width_level(Window::Auto) {
        for (width, level) in [((width / 2.0).floor().max(1.0), level.floor()), (7.0, level.floor() + 1.0)] {
            windows.push((format!("{width}/{level}"), Window::Values { width, level }));
        }
    }
    windows
}

/// Marks of every shape, laid out by the size of the image.
fn marks(image: &Image<'_>, frame: &Frame) -> Vec<Value> {
    let (columns, rows) = (f64::from(frame.columns() - 1), f64::from(frame.rows() - 1));
    let at = |x: f64, y: f64| Point { column: (columns * x * 4.0).round() / 4.0, row: (rows * y * 4.0).round() / 4.0 };
    // No side of such a polygon goes through the centre of a pixel, where the judge's rule would have to be ours.
    let off = |x, y| Point { column: at(x, y).column + 0.137_035, row: at(x, y).row + 0.061_803 };
    let (middle, half) = (at(0.5, 0.5), (columns.min(rows) * 0.8).round() / 4.0);
    let beside = |x: f64, y: f64| Point { column: middle.column + x * half, row: middle.row + y * half };
    let shapes = [
        ("probe", Shape::Probe, vec![at(0.41, 0.57)]),
        ("length", Shape::Length, vec![at(0.2, 0.1), at(0.7, 0.85)]),
        ("angle", Shape::Angle, vec![at(0.1, 0.2), at(0.5, 0.4), at(0.6, 0.9)]),
        ("cobb", Shape::Cobb, vec![at(0.1, 0.1), at(0.8, 0.3), at(0.2, 0.9), at(0.9, 0.4)]),
        ("bidirectional", Shape::Bidirectional, vec![at(0.2, 0.5), at(0.9, 0.5), at(0.4, 0.2), at(0.5, 0.7)]),
        // Turned by the angle of a 3-4-5 triangle.
        ("ellipse", Shape::Ellipse, vec![beside(-0.8, -0.6), beside(0.8, 0.6), beside(0.3, -0.4), beside(-0.3, 0.4)]),
        ("rectangle", Shape::Rectangle, vec![at(0.3, 0.25), at(0.75, 0.8)]),
        (
            "freehand",
            Shape::Freehand,
            vec![off(0.2, 0.31), off(0.77, 0.22), off(0.61, 0.6), off(0.83, 0.88), off(0.3, 0.71)],
        ),
    ];
    let measured = shapes.into_iter().filter_map(|(name, shape, points)| {
        let measurement = measure_in(image, 1, shape, &points).ok()?;
        let (measured, extra) = (measurement.measured, measurement.extra);
        let statistics = extra.statistics.map(|s| json!([s.count, s.mean, s.standard_deviation, s.minimum, s.maximum]));
        Some(json!({
            "shape": name,
            "points": points.iter().map(|point| [point.column, point.row]).collect::<Vec<_>>(),
            "value": measured.as_ref().map(|measured| measured.value),
            "unit": measured.map(|measured| measured.unit),
            "short": extra.short_axis.map(|measured| measured.value),
            "area": extra.area.map(|measured| measured.value),
            "perimeter": extra.perimeter.map(|measured| measured.value),
            "statistics": statistics,
        }))
    });
    measured.collect()
}

/// The letters of every way a picture can be turned.
fn letters(image: &Image<'_>, frame: u32) -> Vec<Value> {
    let letters = orientation(image.header(), frame);
    let turns = [false, true].into_iter().flat_map(|mirrored| (0..4).map(move |quarters| (mirrored, quarters)));
    turns
        .map(|(mirrored, quarters)| {
            let turned = letters.as_ref().map(|letters| letters.turned(mirrored, quarters));
            let edges = turned.map(|l| [l.left, l.right, l.top, l.bottom]);
            json!({ "mirrored": mirrored, "quarters": quarters, "edges": edges })
        })
        .collect()
}

/// The samples, if they and the judges are here.
struct Samples {
    names: Vec<String>,
}

fn samples() -> Option<Samples> {
    let required = std::env::var_os("CI").is_some();
    let Ok(table) = std::fs::read_to_string(Path::new(SAMPLES).join("truth.tsv")) else {
        eprintln!("SKIPPED: no samples at {SAMPLES}: no picture was judged");
        return None;
    };
    let runs = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    let tools = ["dcm2pnm", "dcmj2pnm", "dcml2pnm", "dcmdjpeg", "dcmdjpls"];
    let ready = runs(Command::new("python3").args(["-c", "import numpy, pydicom.pixels"]))
        && tools.iter().all(|tool| runs(Command::new(tool).arg("--version")));
    if !ready {
        assert!(!required, "CI needs python3 with numpy and pydicom, and dcmtk");
        eprintln!("SKIPPED: pictures are judged by python3 with numpy and pydicom, and by dcmtk; they are not here");
        return None;
    }
    let names = table.lines().skip(1).filter_map(|line| line.split('\t').next()).map(str::to_owned).collect();
    Some(Samples { names })
}

impl Samples {
    /// Name and place of every file; archives are unpacked, and of their long series every eighth file is taken.
    fn files(&self, folder: &Path) -> Vec<(String, PathBuf)> {
        let mut unpacked = BTreeMap::<&str, PathBuf>::new();
        let mut files = Vec::new();
        for (index, name) in self.names.iter().enumerate().filter(|(_, name)| !name.ends_with('/')) {
            let path = match name.split_once('!') {
                None => Path::new(SAMPLES).join(name),
                Some((archive, _)) if archive.starts_with("ct-series/") && index % 8 != 0 => continue,
                Some((archive, member)) => {
                    let count = unpacked.len();
                    let place =
                        unpacked.entry(archive).or_insert_with(|| unpack(archive, &folder.join(format!("{count}"))));
                    place.join(member)
                }
            };
            match path.extension().is_some_and(|extension| extension == "xz") {
                true => {
                    let plain = Command::new("xz").arg("-dc").arg(&path).output().unwrap();
                    let place = folder.join(format!("plain-{index}"));
                    std::fs::write(&place, plain.stdout).unwrap();
                    files.push((name.clone(), place));
                }
                false => files.push((name.clone(), path)),
            }
        }
        files
    }
}

fn unpack(archive: &str, place: &Path) -> PathBuf {
    std::fs::create_dir(place).unwrap();
    let path = Path::new(SAMPLES).join(archive);
    let mut command = match archive.ends_with(".zip") {
        true => Command::new("python3"),
        false => Command::new("tar"),
    };
    match archive.ends_with(".zip") {
        true => command.args(["-m", "zipfile", "-e"]).arg(&path).arg(place),
        false => command.arg("-xJf").arg(&path).arg("-C").arg(place),
    };
    assert!(command.status().unwrap().success(), "{archive}");
    place.to_owned()
}
