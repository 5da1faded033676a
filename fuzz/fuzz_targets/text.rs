//! The check of typed text, with and without the patient's words.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use overread::encoding::text::{shown, shown_lines};
use overread::study::deidentify::dates::read_date;
use overread::study::deidentify::vocabulary::{Approvals, clean};
use overread::study::deidentify::words::IdentifyingWords;
use overread::study::typed_text::{HitKind, check};

static KNOWN: LazyLock<IdentifyingWords> = LazyLock::new(|| {
    let mut known = IdentifyingWords::new();
    known.add_name("Müller^Jürgen^^Dr");
    known.add_name("山田^太郎");
    known.add_identifier("PAT-0815/7");
    known.add_date(read_date("19540723").expect("a date"));
    known
});

fuzz_target!(|text: &str| {
    for known in [None, Some(&*KNOWN)] {
        let hits = check(text, known);
        for hit in &hits {
            // A place that can be shown.
            assert!(text.get(hit.range.clone()).is_some_and(|place| !place.is_empty()));
        }
        assert!(hits.is_sorted_by_key(|hit| hit.range.start));
        assert!(known.is_some() || !hits.iter().any(|hit| hit.kind == HitKind::Name));
    }
    // A name somebody puts between blanks is found whatever stands around it.
    let named = format!("{} Müller {}", text.get(..text.floor_char_boundary(300)).unwrap_or_default(), "x");
    assert!(check(&named, Some(&KNOWN)).iter().any(|hit| named[hit.range.clone()].contains("Müller")));
    clean(text, &KNOWN, &Approvals::default());
    let mut words = IdentifyingWords::new();
    words.add_name(text);
    words.add_identifier(text);
    for safe in [shown(text), shown_lines(text)] {
        assert_eq!(shown_lines(&safe), safe);
        assert!(!safe.contains(|c: char| c.is_control() && c != '\n'));
    }
});
