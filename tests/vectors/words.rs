//! What people read to each other and write down: fingerprints, safety words, recovery codes, a case's spoken name.

use overread::case::spoken::spoken_name;
use overread::encoding::id::CaseId;
use overread::encoding::random::Seeded;
use overread::encoding::to_bytes;
use overread::identity::card::fingerprint;
use overread::identity::keys::{IdentityKey, Secret, SigningSecret};
use overread::identity::recovery::{RecoveryCode, RecoveryError};
use overread::identity::wordlist::Word;
use overread::identity::words::{AwaitingNonce, AwaitingReveal, OwnHalf};
use serde_json::{Value as Json, json};

use super::{Person, compare, hex, keys_folder, writes_anew};

fn of_cbor_bytes(cbor: &[u8]) -> String {
    hex(minicbor::Decoder::new(cbor).bytes().unwrap())
}

#[test]
fn words_are_as_committed() {
    let (anna, ben) = (Person::new(30, 0).key(), Person::new(31, 0).key());
    let identities: Vec<Json> = [anna, ben, IdentityKey([1; 32])]
        .iter()
        .map(|identity| {
            let half = OwnHalf::of(identity).unwrap().words().join(" ");
            json!({"identity": hex(&identity.0), "id": identity.to_string(), "fingerprint": fingerprint(identity), "half": half})
        })
        .collect();

    let mut rng = Seeded::new(32);
    let (starter, commitment) = AwaitingNonce::start(anna, ben, &mut rng);
    let (answerer, answer) = AwaitingReveal::answer(ben, anna, commitment, &mut rng);
    let (reveal, words) = starter.answered(answer);
    assert_eq!(answerer.revealed(reveal).unwrap().words(), words.words());
    let live = json!({
        "starter": hex(&anna.0), "answerer": hex(&ben.0), "commitment": of_cbor_bytes(&to_bytes(&commitment)),
        "starter_nonce": of_cbor_bytes(&to_bytes(&reveal)), "answerer_nonce": of_cbor_bytes(&to_bytes(&answer)),
        "words": words.words().join(" "),
    });

    let codes: Vec<Json> = [[0; 32], [0xff; 32], *Secret::random(&mut Seeded::new(33)).reveal()]
        .into_iter()
        .map(|seed| {
            let code = RecoveryCode::of(&SigningSecret::from_seed(Secret::new(seed)));
            json!({"seed": hex(&seed), "words": code.words().join(" ")})
        })
        .collect();
    let wrong = format!("{}zoo", "abandon ".repeat(23));
    assert_eq!(RecoveryCode::parse(&wrong).err(), Some(RecoveryError::Checksum));
    let short = "abandon ".repeat(23).trim().to_owned();
    assert_eq!(RecoveryCode::parse(&short).err(), Some(RecoveryError::Count { typed: 23 }));
    let unknown = format!("{}arts", "abandon ".repeat(23));
    assert!(matches!(RecoveryCode::parse(&unknown).err(), Some(RecoveryError::NotAWord { position: 24, .. })));
    let bad_codes = json!([
        {"words": wrong, "refusal": "checksum"}, {"words": short, "refusal": "count"},
        {"words": unknown, "refusal": "not-a-word"},
    ]);
    let cases: Vec<Json> = [CaseId([0; 32]), CaseId([3; 32])]
        .iter()
        .map(|case| json!({"case": hex(&case.0), "id": case.to_string(), "spoken": spoken_name(case)}))
        .collect();
    let made = json!({
        "identities": identities, "live": live, "recovery": codes, "bad_recovery": bad_codes, "cases": cases,
    });
    compare("words.json", &made);
}

#[test]
fn the_word_list_is_as_committed() {
    let words: String = (0..2048).map(|index| format!("{}\n", Word::at(index).as_str())).collect();
    let path = keys_folder().join("vectors/wordlist.txt");
    if writes_anew() {
        std::fs::write(&path, &words).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), words);
}
