//! Images that wait for somebody to look: listed, opened, decided one by one.

use super::*;

fn risky(number: u16) -> Image {
    Image { burned_in: "YES", series: 3, number, ..CT }
}

/// A home with one plain image and three that wait.
fn home_with_three() -> (Home, LocalStudy, TempDir) {
    let home = Home::new();
    let files = folder(&[CT, risky(1), risky(2), risky(3)]);
    let id = home.import(&[files.path()]).unwrap().studies.remove(0).id;
    let study = home.study(&id);
    (home, study, files)
}

fn uids(home: &Home, study: &LocalStudy) -> Vec<String> {
    left_out_images(&home.store, study, &BTreeSet::new(), false)
        .unwrap()
        .into_iter()
        .map(|image| image.sop_instance_uid)
        .collect()
}

fn decided(home: &Home, study: &LocalStudy, admit: &[String], keep_out: &[String]) -> Result<LocalStudy, Failure> {
    let decisions = Decisions { admit, keep_out, mask: &[] };
    decide(&home.store, study, &decisions, &BTreeSet::new(), "Dr Reader", NOW, &control())?;
    Ok(home.study(&study.id.to_string()))
}

fn states(home: &Home, study: &LocalStudy) -> Vec<String> {
    left_out_images(&home.store, study, &BTreeSet::new(), false).unwrap().into_iter().map(|image| image.state).collect()
}

#[test]
fn what_waits_is_listed_with_its_reason_and_opens_as_it_was_sealed() {
    let (home, study, _files) = home_with_three();
    let images = left_out_images(&home.store, &study, &BTreeSet::new(), false).unwrap();
    assert_eq!(images.len(), 3);
    for (image, number) in images.iter().zip(1..) {
        assert_eq!((image.series_number, image.number, image.frames), (Some(3), Some(number), 1));
        assert_eq!((image.frames_to_see.as_slice(), image.rows, image.columns), (&[1][..], 8, 8));
        assert_eq!((image.state.as_str(), image.looked.as_ref()), ("waits", None));
        assert_eq!(image.why, "the header says text is burned in");
        let key = study.study_key();
        let (hash, bytes) =
            open_left_out(&home.store, &study.id, &key, &image.sop_instance_uid).unwrap().expect("it waits");
        assert_eq!(data_encoding::HEXLOWER.encode(&hash), image.plain_hash);
        assert_eq!(&hash, blake3::hash(&bytes).as_bytes());
        let original = risky(u16::try_from(number).unwrap()).bytes();
        let pixels = |file: &[u8]| part10::read(file).unwrap().pixel.unwrap().bytes.into_owned();
        assert_eq!(pixels(&bytes), pixels(&original));
        let in_manifest = open_file(&home.store, &study.head, &key, &image.sop_instance_uid).unwrap_err();
        assert_eq!(in_manifest.code, FailureCode::NotFound);
    }
    for stranger in ["", "1.2.3", &"9".repeat(4096)] {
        assert!(open_left_out(&home.store, &study.id, &study.study_key(), stranger).unwrap().is_none());
    }
}

#[test]
fn one_image_is_admitted_another_kept_out_and_the_third_still_waits() {
    let (home, study, files) = home_with_three();
    let [first, second, third] = &uids(&home, &study)[..] else { panic!("three wait") };
    let after = decided(&home, &study, std::slice::from_ref(first), std::slice::from_ref(second)).unwrap();
    assert_eq!((after.head.instances(), after.head.left_out, after.left_out()), (2, 2, 2));
    let images = left_out_images(&home.store, &after, &BTreeSet::new(), false).unwrap();
    let look = |at: usize| images[at].looked.clone().unwrap();
    assert_eq!(states(&home, &after), ["admitted", "kept out", "waits"]);
    for at in [0, 1] {
        assert_eq!((look(at).who.as_str(), look(at).at), ("Dr Reader", NOW.to_string()));
        assert_eq!(look(at).plain_hash, images[at].plain_hash, "the record names the bytes that were looked at");
    }
    let (_, admitted) = open_file(&home.store, &after.head, &after.study_key(), first).unwrap();
    let header = part10::read(&admitted).unwrap().header;
    assert_eq!(text(&header, tags::BURNED_IN_ANNOTATION), "NO");
    for uid in [second, third] {
        assert!(open_file(&home.store, &after.head, &after.study_key(), uid).is_err());
    }

    let again = home.import(&[files.path()]).unwrap().studies.remove(0);
    assert_eq!((again.left_out.iter().map(|left| left.instances).sum::<usize>(), again.already_held), (2, 4));
    assert_eq!(states(&home, &after), ["admitted", "kept out", "waits"], "importing again forgets no look");
}

#[test]
fn a_series_is_let_in_without_what_somebody_kept_out() {
    let (home, study, _files) = home_with_three();
    let second = uids(&home, &study).remove(1);
    let after = decided(&home, &study, &[], std::slice::from_ref(&second)).unwrap();
    assert_eq!(include(&home.store, &after, &["3".into()], "Dr Reader", NOW, &control()).unwrap(), 2);
    let after = home.study(&study.id.to_string());
    assert_eq!(states(&home, &after), ["admitted", "kept out", "admitted"]);
    assert_eq!((after.head.instances(), after.left_out()), (3, 1));

    let after = decided(&home, &after, &[second], &[]).unwrap();
    assert_eq!(states(&home, &after), ["admitted"; 3], "who kept it out may think again");
    assert_eq!((after.head.instances(), after.left_out()), (4, 0));
}

#[test]
fn a_decision_about_anything_else_changes_nothing() {
    let (home, study, _files) = home_with_three();
    let [first, second, _] = &uids(&home, &study)[..] else { panic!("three wait") };
    let study = decided(&home, &study, std::slice::from_ref(first), &[]).unwrap();
    let (rows, head) = (home.rows(), study.head.clone());
    let one = |uid: &str| vec![uid.to_owned()];
    for (name, admit, keep_out, code) in [
        ("nothing", vec![], vec![], FailureCode::WrongUse),
        ("both at once", one(second), one(second), FailureCode::WrongUse),
        ("twice", vec![second.clone(), second.clone()], vec![], FailureCode::WrongUse),
        ("a stranger beside a known one", vec![second.clone(), "1.2.3".into()], vec![], FailureCode::NotFound),
        ("one that is in already", one(first), vec![], FailureCode::NotFound),
        ("one that is in already, taken back", vec![], one(first), FailureCode::NotFound),
    ] {
        let failure = decided(&home, &study, &admit, &keep_out).err().expect(name);
        assert_eq!(failure.code, code, "{name}");
        assert!(failure.hint.is_some(), "{name}");
    }
    assert_eq!((home.rows(), home.study(&study.id.to_string()).head), (rows, head));
    assert_eq!(states(&home, &study), ["admitted", "waits", "waits"]);
}

#[test]
fn every_burned_in_sample_can_be_looked_at_and_decided_by_itself() {
    let Some(samples) = samples("burned-in") else { return };
    let home = Home::new();
    home.import(&[&samples]).unwrap();
    let mut looked = 0;
    for study in load_all(&home.store).unwrap() {
        for image in left_out_images(&home.store, &study, &BTreeSet::new(), false).unwrap() {
            let key = study.study_key();
            let (_, bytes) =
                open_left_out(&home.store, &study.id, &key, &image.sop_instance_uid).unwrap().expect("it waits");
            for frame in &image.frames_to_see {
                let tile = decode_whole_range(&bytes, *frame).unwrap();
                assert_eq!((tile.height, tile.width), (image.rows, image.columns));
            }
            let study = home.study(&study.id.to_string());
            decided(&home, &study, &[image.sop_instance_uid], &[]).unwrap();
            looked += 1;
        }
        assert_eq!(home.study(&study.id.to_string()).left_out(), 0);
    }
    assert_eq!(looked, 7);
}
