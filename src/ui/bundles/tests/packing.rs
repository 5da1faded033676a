//! Packing.

use super::*;

/// The packing with everything read.
pub(super) fn at_choice() -> Harness {
    let mut app = Harness::of(PackBundle::default());
    answer(&mut app);
    app
}

/// The packing at the stick, with Ben chosen.
pub(super) fn at_stick() -> Harness {
    let mut app = at_choice();
    app.keys(" ").enter();
    answer(&mut app);
    app.keys("m");
    answer(&mut app);
    app.key(KeyCode::Down).enter();
    answer(&mut app);
    app
}

/// What is asked of the node once the summary was agreed to.
pub(super) fn packing(app: &mut Harness) -> (Vec<String>, Vec<String>, bool, PathBuf) {
    assert!(app.asks().starts_with("Pack this bundle?"), "{}", app.said());
    app.keys("y");
    match app.waiting.last().map(|(_, request)| request.clone()) {
        Some(Request::BundlePack { recipients, cases, key_images, path }) => (recipients, cases, key_images, path),
        other => panic!("{other:?}"),
    }
}

pub(super) fn packed() -> PackedBundle {
    PackedBundle {
        path: "/run/media/anna/STICK/dr-ben-okafor-2026-11-24-2.bundle".into(),
        bytes: 64_000_000,
        cases: vec!["c-1".into(), "c-2".into()],
        entries: 12,
        chunks: 390,
        chunks_missing: 0,
        recipients: vec!["Dr. Ben Okafor".into()],
    }
}

#[test]
fn people_and_cases_are_chosen_from_what_is_here() {
    let mut app = Harness::of(PackBundle::default());
    app.body_looks_like("bundles/pack-reading");
    answer(&mut app);
    app.body_looks_like("bundles/pack-choose");
    app.keys(" ");
    app.body_looks_like("bundles/pack-chosen");
    let shown = app.body((80, 24));
    assert!(!shown.contains("dead dodo") && !shown.contains("Weber"), "neither damaged cases nor oneself: {shown}");
}

#[test]
fn everything_shared_goes_to_the_chosen_into_a_file_that_is_new() {
    let mut app = at_stick();
    app.body_looks_like("bundles/pack-where");
    app.key(KeyCode::Home).enter();
    app.body_looks_like("bundles/pack-summary");
    let (recipients, cases, key_images, path) = packing(&mut app);
    assert_eq!(recipients, ["p-okafork3vq7m2x5n4w"]);
    assert!(cases.is_empty() && !key_images, "all that is shared, all images");
    assert_eq!(path, Path::new("/run/media/anna/STICK/dr-ben-okafor-2026-11-24-2.bundle"), "the plain name is taken");
    app.body_looks_like("bundles/pack-beginning");
    app.on_the_way(progress("pack", 24_000_000));
    app.pass(1_800_000);
    app.body_looks_like("bundles/pack-busy");
    app.on_the_way(progress("pack", 64_000_000));
    app.body_looks_like("bundles/pack-reading-back");
    app.answer(Ok(Reply::Packed(packed())));
    app.body_looks_like("bundles/packed");
    assert_eq!(app.place(), Place::BundlePacked);
    app.enter();
    assert_eq!(app.place(), Place::Everywhere);
}

#[test]
fn what_is_missing_here_is_said_and_long_lists_are_scrolled() {
    let mut app = at_stick();
    app.keys("w");
    packing(&mut app);
    let recipients = (0..40).map(|at| format!("Dr. Number {at}{EVIL}")).collect();
    app.answer(Ok(Reply::Packed(PackedBundle { chunks_missing: 30, recipients, ..packed() })));
    app.body_looks_like("bundles/packed-missing");
    assert!(!app.body((80, 10)).contains("on the way"));
    app.key(KeyCode::End);
    assert!(app.body((80, 24)).contains("on the way"), "{}", app.body((80, 24)));
    app.keys("p");
    assert_eq!(app.place(), Place::BundlePack);
}

#[test]
fn chosen_cases_and_marked_images_alone_go_in() {
    let mut app = at_choice();
    app.key(KeyCode::Tab).key(KeyCode::Down).keys(" m");
    app.body_looks_like("bundles/pack-one-case");
    // Gita is only in the chosen case, Eva in none.
    app.key(KeyCode::Tab).key(KeyCode::Down).keys(" ").enter();
    answer(&mut app);
    app.keys("w");
    assert!(app.asks().contains("Gita Rao, County Hospital (UNVERIFIED"), "{}", app.asks());
    assert!(app.asks().contains("1 case: \"blue heron\", 120 images, 62% here"), "{}", app.asks());
    assert!(app.asks().contains("not all images have arrived here"), "{}", app.asks());
    let (recipients, cases, key_images, path) = packing(&mut app);
    assert_eq!((&recipients[..], &cases[..]), (&["p-raok3vq7m2x5n4w".to_owned()][..], &["c-2".to_owned()][..]));
    assert!(key_images);
    assert_eq!(path, Path::new("/home/anna/dr-gita-rao-2026-11-24.bundle"));
}

#[test]
fn who_does_not_fit_cannot_be_chosen_and_it_says_why() {
    let mut app = at_choice();
    app.enter();
    assert_eq!(app.said(), "Choose first who can open it: Space.");
    let place = |app: &mut Harness, name: &str| {
        app.top::<PackBundle>().choice.people().iter().position(|person| person.name.contains(name)).unwrap()
    };
    for (name, words) in [("Eva", "You share no case with her."), ("Fritz", "You have blocked her")] {
        let at = place(&mut app, name);
        app.key(KeyCode::Home);
        for _ in 0..at {
            app.key(KeyCode::Down);
        }
        app.keys(" ");
        assert!(app.said().starts_with(words), "{}", app.said());
    }
    // With Gita chosen only the second case is left, and with the first case chosen she cannot be.
    let at = place(&mut app, "Gita");
    app.key(KeyCode::Home);
    for _ in 0..at {
        app.key(KeyCode::Down);
    }
    app.keys(" ").key(KeyCode::Tab).keys(" ");
    assert!(app.said().starts_with("Somebody chosen above is not a member"), "{}", app.said());
    app.key(KeyCode::Tab).keys(" ").key(KeyCode::Tab).keys(" ").key(KeyCode::Tab).keys(" ");
    assert!(app.said().starts_with("She is not a member of the chosen case."), "{}", app.said());
}

#[test]
fn a_case_leads_to_its_own_packing_with_its_only_other_member_chosen() {
    let mut app = Harness::of(PackBundle::of("c-1"));
    answer(&mut app);
    app.body_looks_like("bundles/pack-of-case");
    app.enter();
    answer(&mut app);
    app.keys("w");
    let (recipients, cases, ..) = packing(&mut app);
    assert_eq!((&recipients[..], &cases[..]), (&["p-okafork3vq7m2x5n4w".to_owned()][..], &["c-1".to_owned()][..]));
    // Of several nobody is guessed.
    let mut app = Harness::of(PackBundle::of("c-2"));
    answer(&mut app);
    assert!(app.top::<PackBundle>().choice.recipients().is_empty());
}

#[test]
fn packing_an_invitation_says_that_it_accepts_it() {
    let mut app = Harness::of(PackBundle::of("c-3"));
    answer(&mut app);
    app.enter();
    answer(&mut app);
    app.keys("w");
    assert!(app.asks().contains("accepts the invitation"), "{}", app.asks());
}

#[test]
fn without_colleagues_or_cases_it_says_what_to_do() {
    let mut app = Harness::of(PackBundle::default());
    for (ticket, request) in app.take_waiting() {
        match request {
            Request::CaseList => app.reply(ticket, Reply::Cases { cases: Vec::new() }),
            _ => app.reply(ticket, Reply::Cards { cards: Vec::new() }),
        }
    }
    app.body_looks_like("bundles/pack-nobody");
}

#[test]
fn nothing_is_written_over_a_file() {
    let mut app = at_stick();
    // The file under the cursor gives its name.
    app.key(KeyCode::End).key(KeyCode::Up).enter();
    assert_eq!(app.place(), Place::Naming);
    app.enter();
    app.body_looks_like("bundles/pack-taken");
    app.keys("w");
    assert!(app.asks().is_empty() && app.said().contains("nothing is written over it"), "{}", app.said());
    app.keys("n");
    app.body_looks_like("bundles/pack-naming");
    app.control('u').keys("../x").enter().keys("w");
    assert!(app.asks().is_empty() && app.said().contains("without a slash"), "{}", app.said());
    app.control('u').keys("for ben").enter().keys("w");
    assert_eq!(packing(&mut app).3, Path::new("/run/media/anna/STICK/for ben.bundle"));
}

#[test]
fn a_whole_path_is_typed_completed_and_taken() {
    let mut app = at_stick();
    app.keys("/");
    assert_eq!(app.place(), Place::TypedPath);
    app.control('u').keys("/run/media/anna/D").key(KeyCode::Tab);
    answer(&mut app);
    app.keys("trip").enter();
    answer(&mut app);
    assert_eq!(app.place(), Place::Destination);
    app.keys("w");
    assert_eq!(packing(&mut app).3, Path::new("/run/media/anna/DISC/trip.bundle"));
    // A folder that is typed is gone to, and what is not there says so.
    let mut app = at_stick();
    app.keys("/").control('u').keys("/run/media/anna/DISC").enter();
    answer(&mut app);
    app.keys("w");
    assert_eq!(packing(&mut app).3, Path::new("/run/media/anna/DISC/dr-ben-okafor-2026-11-24.bundle"));
    let mut app = at_stick();
    app.keys("/").control('u').keys("/gone/trip.bundle").enter();
    answer(&mut app);
    assert!(app.body((80, 24)).contains("There is no /gone."), "{}", app.body((80, 24)));
}

#[test]
fn packing_can_be_stopped_and_a_failure_says_what_to_do_here() {
    let mut app = at_stick();
    app.keys("w");
    packing(&mut app);
    let (ticket, _) = app.waiting[0].clone();
    app.key(KeyCode::Esc);
    assert!(app.wished.iter().any(|wish| matches!(wish, Wish::Cancel { ticket: own } if *own == ticket)));
    assert!(app.said().starts_with("Stopped:") && app.place() == Place::Destination);
    app.take_waiting();
    // An answer that comes all the same belongs to nobody.
    app.reply(ticket, Reply::Packed(packed()));
    assert_eq!(app.place(), Place::Destination);
    let full = || {
        Failure::new(FailureCode::DiskFull, "There is no room for /run/media/anna/STICK/x.bundle.")
            .hint("Make room or take a larger stick; --key-images packs only the images that carry marks.")
    };
    app.keys("w");
    packing(&mut app);
    app.answer(Err(full()));
    answer(&mut app);
    app.body_looks_like("bundles/pack-failed");
    assert!(!app.body((200, 60)).contains("--key-images"), "no options of the command line");
}

#[test]
fn leaving_while_it_packs_stops_it() {
    let mut app = at_stick();
    app.keys("w");
    packing(&mut app);
    app.end();
    assert!(app.wished.iter().any(|wish| matches!(wish, Wish::Cancel { .. })));
}

#[test]
fn a_mouse_chooses_and_goes_on() {
    let mut app = at_choice();
    let click = |app: &mut Harness, words: &str| {
        let screen = app.screen();
        let (row, line) = screen.lines().enumerate().find(|(_, line)| line.contains(words)).unwrap();
        let column = line.chars().count() as u16 / 2;
        let kind = MouseEventKind::Down(MouseButton::Left);
        let row = row as u16;
        app.message(Message::Pointer(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    };
    click(&mut app, "Ben Okafor");
    click(&mut app, "images: all");
    click(&mut app, "go on: where");
    answer(&mut app);
    let packing = app.top::<PackBundle>();
    assert!(packing.key_images && packing.choice.recipients() == ["p-okafork3vq7m2x5n4w"]);
    assert_eq!(app.place(), Place::Destination);
    click(&mut app, "./  write");
    assert!(app.asks().is_empty() && app.said() == "Click it once more, or press w, to write here.");
    click(&mut app, "./  write");
    assert!(app.asks().starts_with("Pack this bundle?"));
}
