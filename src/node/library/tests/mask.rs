//! Images that are masked: what goes out, what stays, and what no import undoes.

use super::*;
use crate::node::api::ImageMask;
use crate::study::mask::Rectangle;
use crate::study::pixels::read_frame;

/// Over the pixels with indices 9, 10, 17 and 18.
const OVER: Rectangle = Rectangle { column: 1, row: 1, columns: 2, rows: 2 };
const ELSEWHERE: Rectangle = Rectangle { column: 5, row: 5, columns: 1, rows: 9 };

/// An image and the rectangles over it.
type Masks<'a> = (&'a str, &'a [Rectangle]);

fn risky(number: u16) -> Image {
    Image { burned_in: "YES", series: 3, number, ..CT }
}

/// A home with two plain images and two that wait.
fn home_with_four() -> (Home, LocalStudy, TempDir) {
    let home = Home::new();
    let files = folder(&[numbers(2), vec![risky(1), risky(2)]].concat());
    let id = home.import(&[files.path()]).unwrap().studies.remove(0).id;
    let study = home.study(&id);
    (home, study, files)
}

fn masked(
    home: &Home,
    study: &LocalStudy,
    masks: &[Masks<'_>],
    given: &BTreeSet<String>,
    control: &Control<'_>,
) -> Result<LocalStudy, Failure> {
    let mask = |(uid, rectangles): &Masks<'_>| ImageMask {
        sop_instance_uid: (*uid).to_owned(),
        rectangles: rectangles.to_vec(),
    };
    let masks: Vec<_> = masks.iter().map(mask).collect();
    let decisions = Decisions { mask: &masks, ..Decisions::default() };
    decide(&home.store, study, &decisions, given, "Dr Reader", NOW, control)?;
    Ok(home.study(&study.id.to_string()))
}

fn images(home: &Home, study: &LocalStudy) -> Vec<crate::node::api::LeftOutImage> {
    left_out_images(&home.store, study, &BTreeSet::new(), true).unwrap()
}

/// The stored values of an image as the manifest has it.
fn values(home: &Home, study: &LocalStudy, uid: &str) -> Vec<f64> {
    let (_, file) = open_file(&home.store, &study.head, &study.study_key(), uid).unwrap();
    read_frame(&file, 1).unwrap().values.iter().collect()
}

fn none() -> BTreeSet<String> {
    BTreeSet::new()
}

#[test]
fn an_image_that_waits_goes_in_masked_and_its_original_stays_aside() {
    let (home, study, _files) = home_with_four();
    let waiting = &images(&home, &study)[2];
    assert_eq!((waiting.state.as_str(), waiting.mask.len()), ("waits", 0));
    let uid = waiting.sop_instance_uid.clone();
    let after = masked(&home, &study, &[(&uid, &[OVER, ELSEWHERE])], &none(), &control()).unwrap();
    assert_eq!((after.head.instances(), after.left_out()), (3, 1));
    let values = values(&home, &after, &uid);
    for (at, value) in values.iter().enumerate() {
        let is_covered = [9, 10, 17, 18, 45, 53, 61].contains(&at);
        assert_eq!(*value, if is_covered { 0.0 } else { (at * 300 + 1) as f64 }, "pixel {at}");
    }
    let shown = images(&home, &after).into_iter().find(|image| image.sop_instance_uid == uid).unwrap();
    let clipped = Rectangle { rows: 3, ..ELSEWHERE };
    assert_eq!((shown.state.as_str(), shown.mask.as_slice()), ("admitted", &[OVER, clipped][..]));
    assert_eq!((shown.plain_hash == waiting.plain_hash, shown.looked.unwrap().who.as_str()), (true, "Dr Reader"));
    assert_eq!(show(&home.store, &after, false, Vec::new()).unwrap().masked, std::slice::from_ref(&uid));

    let (_, original) = open_left_out(&home.store, &after.id, &after.study_key(), &uid).unwrap().unwrap();
    assert_eq!(read_frame(&original, 1).unwrap().values.at(9), Some(2701.0));
    let (_, file) = open_file(&home.store, &after.head, &after.study_key(), &uid).unwrap();
    let header = part10::read(&file).unwrap().header;
    assert_eq!(text(&header, tags::BURNED_IN_ANNOTATION), "NO");
    assert_eq!(text(&header, tags::SOP_INSTANCE_UID), uid);
    let codes = header.get(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE).unwrap().items().unwrap();
    assert!(codes.iter().any(|code| text(code, tags::CODE_VALUE) == "113101"));
}

#[test]
fn what_was_under_a_mask_is_in_no_export_and_no_chunk_that_a_manifest_names() {
    let (home, study, _files) = home_with_four();
    let masks: Vec<_> = images(&home, &study).into_iter().map(|image| image.sop_instance_uid).collect();
    let masks: Vec<Masks<'_>> = masks.iter().map(|uid| (uid.as_str(), &[OVER][..])).collect();
    let after = masked(&home, &study, &masks, &none(), &control()).unwrap();
    let originals: BTreeSet<_> = images(&home, &after)
        .iter()
        .flat_map(|image| {
            let rows = super::super::left_out::of_study(&home.store, &after.id).unwrap();
            let row = rows.into_iter().find(|row| row.entry.sop_instance == image.sop_instance_uid).unwrap();
            row.entry.object.chunks
        })
        .collect();
    assert_eq!(originals.len(), 4, "the originals are kept");
    let key = after.study_key();
    let named: BTreeSet<_> =
        open_pages(&home.store, &after.head, &key).iter().flatten().flat_map(chunks_of).copied().collect();
    assert_eq!((named.len(), named.intersection(&originals).count()), (4, 0));
    let out = home.export(&after, "out");
    let files: Vec<u8> = walkdir::WalkDir::new(&out)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .flat_map(|entry| std::fs::read(entry.path()).unwrap())
        .collect();
    for number in 1..=2_u16 {
        let pair = |first: u16| [first.to_le_bytes(), (first + 300).to_le_bytes()].concat();
        let holds = |bytes: &[u8]| files.windows(bytes.len()).any(|window| window == bytes);
        assert!(holds(&pair(3 * 300 + number)), "the search finds what is there");
        assert!(!holds(&pair(9 * 300 + number)) && !holds(&pair(17 * 300 + number)), "burned-in text went out");
    }
}

#[test]
fn importing_the_same_files_again_undoes_no_mask_and_doubles_no_image() {
    let (home, study, files) = home_with_four();
    let uids: Vec<_> = images(&home, &study).into_iter().map(|image| image.sop_instance_uid).collect();
    // One that was never risky, one that was.
    let masks: [Masks<'_>; 2] = [(&uids[0], &[OVER]), (&uids[2], &[OVER])];
    let after = masked(&home, &study, &masks, &none(), &control()).unwrap();
    let (rows, listed) = (home.rows(), images(&home, &after));
    for _ in 0..2 {
        let again = home.import(&[files.path()]).unwrap().studies.remove(0);
        assert_eq!((again.already_held, again.left_out.len(), again.left_out[0].instances), (4, 1, 1));
        let told = "2 images are held masked: they stay so".to_owned();
        assert!(again.warnings.contains(&told), "{:?}", again.warnings);
        let now = home.study(&study.id.to_string());
        assert_eq!((&now.head, home.rows(), images(&home, &now)), (&after.head, rows, listed.clone()));
    }
    let request = ImportRequest { paths: vec![files.path().into()], dry_run: true, ..ImportRequest::default() };
    let plan = home.run(&request).unwrap().plan.unwrap();
    assert!(plan.warnings.contains(&"2 images are held masked: they stay so".to_owned()), "{:?}", plan.warnings);
    assert_eq!(values(&home, &after, &uids[0])[9], 0.0);
}

#[test]
fn a_mask_is_made_anew_from_the_original_with_other_rectangles() {
    let (home, study, _files) = home_with_four();
    let uid = images(&home, &study)[0].sop_instance_uid.clone();
    let first = masked(&home, &study, &[(&uid, &[OVER])], &none(), &control()).unwrap();
    let second = masked(&home, &first, &[(&uid, &[ELSEWHERE])], &none(), &control()).unwrap();
    assert_eq!((values(&home, &second, &uid)[9], values(&home, &second, &uid)[45]), (2701.0, 0.0));
    assert_eq!(second.head.instances(), study.head.instances(), "it takes its own place");
    let back = masked(&home, &second, &[(&uid, &[OVER])], &none(), &control()).unwrap();
    assert_eq!(back.head, first.head, "the same mask gives the same bytes");
}

#[test]
fn what_a_case_has_given_away_is_not_masked_and_what_is_named_wrongly_changes_nothing() {
    let (home, study, _files) = home_with_four();
    let all = images(&home, &study);
    let (plain, waits) = (all[0].sop_instance_uid.as_str(), all[2].sop_instance_uid.as_str());
    let given = given_images(&home.store, std::slice::from_ref(&study.head), &study.study_key()).unwrap();
    assert_eq!(given.len(), 2);
    let beside = Rectangle { column: 8, ..OVER };
    let rows = home.rows();
    let bad: [(&str, &[Masks], FailureCode); 6] = [
        ("given away", &[(waits, &[OVER]), (plain, &[OVER])], FailureCode::Unsafe),
        ("a stranger", &[(waits, &[OVER]), ("1.2.3", &[OVER])], FailureCode::NotFound),
        ("twice", &[(waits, &[OVER]), (waits, &[ELSEWHERE])], FailureCode::WrongUse),
        ("no rectangle", &[(waits, &[])], FailureCode::WrongUse),
        ("beside the image", &[(waits, &[OVER, beside])], FailureCode::WrongUse),
        ("too many", &[(waits, &[OVER; 65])], FailureCode::WrongUse),
    ];
    for (name, masks, code) in bad {
        let failure = masked(&home, &study, masks, &given, &control()).err().expect(name);
        assert_eq!((failure.code, failure.hint.is_some()), (code, true), "{name}: {failure}");
    }
    assert_eq!((home.rows(), home.study(&study.id.to_string()).head), (rows, study.head.clone()));
    assert!(left_out_images(&home.store, &study, &given, true).unwrap()[0].given);
    masked(&home, &study, &[(waits, &[OVER])], &given, &control()).expect("nobody was given this one");
}

#[test]
fn a_mask_that_is_stopped_or_cannot_be_done_leaves_all_as_it_was() {
    let (home, study, _files) = home_with_four();
    let uids: Vec<_> = images(&home, &study).into_iter().map(|image| image.sop_instance_uid).collect();
    let masks: Vec<Masks<'_>> = uids.iter().map(|uid| (uid.as_str(), &[OVER][..])).collect();
    let stop = AtomicBool::new(false);
    // Stopped by the first progress: something is stored by then, and nothing names it.
    let progress = |_: Progress| stop.store(true, Ordering::Relaxed);
    let control = Control { cancelled: &stop, progress: &progress, started: Instant::now() };
    let stopped = masked(&home, &study, &masks, &none(), &control).err().expect("stopped");
    assert_eq!(stopped.code, FailureCode::Interrupted);
    assert_eq!(home.study(&study.id.to_string()).head, study.head);
    assert!(images(&home, &study).iter().all(|image| image.mask.is_empty()));
    assert!(study.left_out() == 2 && home.study(&study.id.to_string()).left_out() == 2);
}

#[test]
fn a_series_is_masked_whole_but_for_what_was_kept_out() {
    let (home, study, _files) = home_with_four();
    let last = images(&home, &study)[3].sop_instance_uid.clone();
    let keep_out = [last.clone()];
    let decisions = Decisions { keep_out: &keep_out, ..Decisions::default() };
    decide(&home.store, &study, &decisions, &none(), "Dr Reader", NOW, &control()).unwrap();
    let study = home.study(&study.id.to_string());
    let named = |images: &[String], series: &[&str]| {
        let series: Vec<_> = series.iter().map(|name| (*name).to_owned()).collect();
        masks_for(&home.store, &study, images, &series, &[OVER]).map(|masks| masks.len())
    };
    assert_eq!(named(&[], &["3"]).unwrap(), 1);
    assert_eq!(named(std::slice::from_ref(&last), &["3", "1"]).unwrap(), 4, "by its UID it may be masked all the same");
    assert_eq!(named(&[], &["9"]).unwrap_err().code, FailureCode::NotFound);
    assert_eq!(named(&[], &[]).unwrap_err().code, FailureCode::WrongUse);
    let masks = masks_for(&home.store, &study, std::slice::from_ref(&last), &[], &[OVER]).unwrap();
    let decisions = Decisions { mask: &masks, ..Decisions::default() };
    decide(&home.store, &study, &decisions, &none(), "Dr Reader", NOW, &control()).unwrap();
    let states: Vec<_> = images(&home, &study).into_iter().map(|image| image.state).collect();
    assert_eq!(states, ["in", "in", "waits", "admitted"]);
}

#[test]
fn a_contact_sheet_shows_what_a_mask_left_and_says_where_it_lies() {
    let (home, study, _files) = home_with_four();
    let uid = images(&home, &study)[2].sop_instance_uid.clone();
    let after = masked(&home, &study, &[(&uid, &[OVER, ELSEWHERE])], &none(), &control()).unwrap();
    let out = home.folder.path().join("review");
    review(&home.store, &after, &out, &decode_whole_range, &control()).unwrap();
    let index = std::fs::read_to_string(out.join("review.txt")).unwrap();
    let line = index.lines().find(|line| line.contains(&uid)).unwrap();
    assert!(line.ends_with("frame 1 of 1, 8 x 8 pixels, masked at 1,1,2,2 5,5,1,3, drawn at 80"), "{line}");
}
