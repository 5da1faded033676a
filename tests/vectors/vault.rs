//! The vault file.

use overread::encoding::from_bytes;
use overread::encoding::random::Seeded;
use overread::identity::keys::{Secret, SigningSecret};
use overread::identity::recovery::RecoveryCode;
use overread::identity::stretch::{Cost, StretchError};
use overread::identity::vault::{Vault, VaultError, VaultKeys};
use secrecy::SecretString;
use serde_json::{Value as Json, json};

use super::cbor::Value;
use super::{NOW, base64, blob, compare, device_json, flipped, hex};

const MAGIC: &[u8] = b"ORVAULT\n";
const PASSPHRASE: &str = "Zwölf Boxkämpfer jagen Viktor";

fn refusal(error: &VaultError) -> &'static str {
    match error {
        VaultError::WrongPassphrase => "wrong-passphrase",
        VaultError::WrongRecoveryCode => "wrong-recovery-code",
        VaultError::Damaged => "damaged",
        VaultError::NoVault => "no-vault",
        VaultError::UnsupportedVersion { .. } => "version",
        VaultError::Stretch(StretchError::TooCostly { .. }) => "too-costly",
        VaultError::Stretch(StretchError::Unusable) => "unusable-cost",
        VaultError::PassphraseTooShort { .. } | VaultError::PassphraseTooLong | VaultError::MismatchedKeys => "ours",
    }
}

fn passphrase(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

/// A vault of these contents with a good hash at its end.
fn file(contents: &Value) -> Vec<u8> {
    let mut file = [MAGIC, &contents.to_bytes()].concat();
    let hash = blake3::hash(&file);
    file.extend_from_slice(hash.as_bytes());
    file
}

fn keys(rng: &mut Seeded) -> VaultKeys {
    VaultKeys::new(SigningSecret::random(rng), NOW, rng)
}

#[test]
fn vaults_are_as_committed() {
    let mut rng = Seeded::new(40);
    // A cost that tries every bad file in a moment; programs write Cost::STANDARD.
    let cheap: Cost = from_bytes(&[0xa3, 0, 8, 1, 1, 2, 1], 16).unwrap();
    let good: Vec<Json> = [("standard cost", Cost::STANDARD), ("cheap", cheap)]
        .into_iter()
        .map(|(name, cost)| {
            let vault = Vault::create(keys(&mut rng), &passphrase(PASSPHRASE), cost, &mut rng).unwrap();
            let file = vault.to_bytes();
            // The same passphrase in decomposed form (NFD) opens it too.
            let decomposed = PASSPHRASE.replace('ö', "o\u{308}").replace('ä', "a\u{308}");
            assert!(Vault::open(&file, &passphrase(&decomposed)).is_ok(), "{name}");
            assert!(Vault::open_with_recovery(&file, &vault.recovery_code()).is_ok(), "{name}");
            json!({
                "name": name, "file": base64(&file), "passphrase": PASSPHRASE, "passphrase_decomposed": decomposed,
                "recovery": vault.recovery_code().words().join(" "),
                "identity_seed": hex(vault.keys().identity.seed().reveal()),
                "device": device_json(&vault.keys().device), "database": hex(vault.keys().database.reveal()),
            })
        })
        .collect();

    let vault = Vault::create(keys(&mut rng), &passphrase(PASSPHRASE), cheap, &mut rng).unwrap();
    let bytes = vault.to_bytes();
    let contents = Value::read(&bytes[MAGIC.len()..bytes.len() - 32]);
    assert_eq!(file(&contents), bytes);
    let Value::Bytes(body) = contents.clone().at(&[3]).clone() else { panic!("a body is bytes") };
    let with = |path: &[u64], value: Value| file(&contents.clone().set(path, value));
    let other_salt = Value::Bytes(vec![1; 16]);
    let bad: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        ("another passphrase", bytes.clone(), "Zwölf Boxkämpfer jagen Victor", "wrong-passphrase"),
        ("a flipped bit", flipped(&bytes, 100), PASSPHRASE, "damaged"),
        ("cut off", bytes[..bytes.len() - 1].to_vec(), PASSPHRASE, "damaged"),
        ("another file", b"SQLite format 3\0".to_vec(), PASSPHRASE, "no-vault"),
        ("too long", [bytes.as_slice(), &[0; 16 * 1024]].concat(), PASSPHRASE, "damaged"),
        ("another format", with(&[0], Value::Uint(2)), PASSPHRASE, "version"),
        ("an altered body under a good hash", with(&[3], Value::Bytes(flipped(&body, 9))), PASSPHRASE, "damaged"),
        ("an altered salt under a good hash", with(&[1, 1], other_salt), PASSPHRASE, "wrong-passphrase"),
        ("an altered cost under a good hash", with(&[1, 0, 1], Value::Uint(2)), PASSPHRASE, "wrong-passphrase"),
        ("a cost of 100 GiB", with(&[1, 0, 0], Value::Uint(100 * 1024 * 1024)), PASSPHRASE, "too-costly"),
        ("a cost of nothing", with(&[1, 0, 1], Value::Uint(0)), PASSPHRASE, "unusable-cost"),
        ("an unknown field", file(&contents.clone().with_field(4, Value::Uint(1))), PASSPHRASE, "damaged"),
    ];
    let bad: Vec<Json> = bad
        .into_iter()
        .map(|(name, file, typed, expected)| {
            let error = Vault::open(&file, &passphrase(typed)).err().expect(name);
            assert_eq!(refusal(&error), expected, "{name}: {error}");
            json!({"name": name, "file": blob(&file), "passphrase": typed, "refusal": expected})
        })
        .collect();
    let other_code = RecoveryCode::of(&SigningSecret::from_seed(Secret::new([9; 32])));
    let error = Vault::open_with_recovery(&bytes, &other_code).err().unwrap();
    let bad_recovery = json!([{
        "name": "the recovery code of another identity", "file": base64(&bytes),
        "recovery": other_code.words().join(" "), "refusal": refusal(&error),
    }]);
    compare("vault.json", &json!({"good": good, "bad": bad, "bad_recovery": bad_recovery}));
}
