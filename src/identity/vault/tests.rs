use proptest::prelude::*;

use super::file::{HASH_BYTES, MAGIC};
use super::*;
use crate::encoding::random::Seeded;
use crate::encoding::to_bytes;

const PASSPHRASE: &str = "correct horse";

fn keys(seed: u64) -> VaultKeys {
    let mut rng = Seeded::new(seed);
    VaultKeys::new(SigningSecret::random(&mut rng), Timestamp(5), &mut rng)
}

fn vault() -> Vault {
    Vault::create(keys(1), &PASSPHRASE.into(), Cost::TEST, &mut Seeded::new(2)).ok().unwrap()
}

fn rehash(file: &mut [u8]) {
    let end = file.len() - HASH_BYTES;
    let hash = blake3::hash(&file[..end]);
    file[end..].copy_from_slice(hash.as_bytes());
}

fn refusal(file: &[u8]) -> Option<VaultError> {
    Vault::open(file, &PASSPHRASE.into()).err()
}

#[test]
fn what_was_sealed_opens_with_passphrase_and_with_recovery_code() {
    let vault = vault();
    let file = vault.to_bytes();
    for opened in [
        Vault::open(&file, &PASSPHRASE.into()),
        Vault::open_with_recovery(&file, &vault.recovery_code()),
        Vault::open(&file, &PASSPHRASE.into()).and_then(|vault| vault.lock().unlock(&PASSPHRASE.into())),
    ] {
        let opened = opened.ok().unwrap();
        assert_eq!(opened.keys().identity.seed().reveal(), vault.keys().identity.seed().reveal());
        assert_eq!(opened.keys().device.sealing.seed().reveal(), vault.keys().device.sealing.seed().reveal());
        assert_eq!(opened.keys().database.reveal(), vault.keys().database.reveal());
        assert_eq!(opened.identity(), vault.identity());
    }
}

#[test]
fn a_vault_at_the_standard_cost_opens() {
    let vault = Vault::create(keys(1), &PASSPHRASE.into(), Cost::STANDARD, &mut Seeded::new(2)).ok().unwrap();
    assert_eq!(vault.check_passphrase(&PASSPHRASE.into()), Ok(()));
}

#[test]
fn another_passphrase_or_code_is_named_as_such() {
    let vault = vault();
    for wrong in ["", "correct hors", "correct horse ", "Correct horse", &"x".repeat(5000)] {
        assert_eq!(vault.check_passphrase(&wrong.into()), Err(VaultError::WrongPassphrase));
    }
    let other = RecoveryCode::of(&keys(3).identity);
    assert_eq!(Vault::open_with_recovery(&vault.file, &other).err(), Some(VaultError::WrongRecoveryCode));
}

#[test]
fn a_passphrase_is_the_same_from_every_keyboard() {
    let composed = "Z\u{fc}rich 1833";
    let vault = Vault::create(keys(1), &composed.into(), Cost::TEST, &mut Seeded::new(2)).ok().unwrap();
    assert_eq!(vault.check_passphrase(&"Zu\u{308}rich 1833".into()), Ok(()));
}

#[test]
fn a_short_or_endless_passphrase_is_not_taken() {
    for (passphrase, expected) in [
        ("1234567", VaultError::PassphraseTooShort { chars: 7 }),
        ("äöüäöüä", VaultError::PassphraseTooShort { chars: 7 }),
        (&"x".repeat(PASSPHRASE_BYTES_MAX + 1), VaultError::PassphraseTooLong),
    ] {
        let made = Vault::create(keys(1), &passphrase.into(), Cost::TEST, &mut Seeded::new(2));
        assert_eq!(made.err(), Some(expected));
    }
}

#[test]
fn keys_that_do_not_belong_together_are_not_sealed() {
    let mixed = VaultKeys { device: keys(2).device, ..keys(1) };
    let made = Vault::create(mixed, &PASSPHRASE.into(), Cost::TEST, &mut Seeded::new(2));
    assert_eq!(made.err(), Some(VaultError::MismatchedKeys));
}

#[test]
fn a_new_passphrase_replaces_the_old_one_and_every_sealed_byte() {
    let mut vault = vault();
    let old = VaultFile::read(&vault.file).unwrap();
    let code = vault.recovery_code();
    vault.change_passphrase(&"another one".into(), Cost::TEST, &mut Seeded::new(9)).unwrap();
    assert_eq!(refusal(&vault.file), Some(VaultError::WrongPassphrase));
    assert_eq!(vault.check_passphrase(&"another one".into()), Ok(()));
    assert!(Vault::open_with_recovery(&vault.to_bytes(), &code).is_ok());
    let new = VaultFile::read(&vault.file).unwrap();
    assert!(old.body != new.body && old.passphrase != new.passphrase && old.recovery != new.recovery);
    assert_eq!(
        vault.change_passphrase(&"short".into(), Cost::TEST, &mut Seeded::new(9)),
        Err(VaultError::PassphraseTooShort { chars: 5 })
    );
    assert_eq!(vault.check_passphrase(&"another one".into()), Ok(()));
}

#[test]
fn one_flipped_bit_anywhere_is_named_as_damage() {
    let file = vault().to_bytes();
    for position in 0..file.len() {
        let mut flipped = file.clone();
        flipped[position] ^= 1 << (position % 8);
        let expected = if position < MAGIC.len() { VaultError::NoVault } else { VaultError::Damaged };
        assert_eq!(refusal(&flipped), Some(expected), "byte {position}");
    }
}

#[test]
fn whoever_flips_a_bit_and_mends_the_hash_gets_nowhere() {
    let file = vault().to_bytes();
    let code = vault().recovery_code();
    let contents = VaultFile::read(&file).unwrap();
    let place = |wrap: Vec<u8>| {
        let start = file.windows(wrap.len()).position(|window| window == wrap).unwrap();
        start..start + wrap.len()
    };
    let (passphrase, recovery) = (place(to_bytes(&contents.passphrase)), place(to_bytes(&contents.recovery)));
    for position in MAGIC.len()..file.len() - HASH_BYTES {
        let mut flipped = file.clone();
        flipped[position] ^= 1 << (position % 8);
        rehash(&mut flipped);
        let by_passphrase = Vault::open(&flipped, &PASSPHRASE.into()).is_err();
        let by_code = Vault::open_with_recovery(&flipped, &code).is_err();
        // A rewritten wrap spoils its own way in; everything else spoils both.
        assert!(by_passphrase || recovery.contains(&position), "byte {position}");
        assert!(by_code || passphrase.contains(&position), "byte {position}");
        assert!(by_passphrase || by_code, "byte {position}");
    }
}

#[test]
fn hostile_files_are_refused_for_their_fault() {
    let file = vault().to_bytes();
    let altered = |change: fn(&mut VaultFile)| {
        let mut contents = VaultFile::read(&file).unwrap();
        change(&mut contents);
        let mut altered = [MAGIC.as_slice(), &to_bytes(&contents), &[0; HASH_BYTES]].concat();
        rehash(&mut altered);
        altered
    };
    let giant = StretchError::TooCostly { memory_kib: 100 << 20, passes: 3, lanes: 1 };
    let mut trailing = [&file[..file.len() - HASH_BYTES], &[0; HASH_BYTES + 1]].concat();
    rehash(&mut trailing);
    for (attack, file, expected) in [
        ("nothing", vec![], VaultError::NoVault),
        ("something else", b"PK\x03\x04 no vault at all, but long enough to hold a hash".to_vec(), VaultError::NoVault),
        ("only the magic", MAGIC.to_vec(), VaultError::Damaged),
        ("cut in half", file[..file.len() / 2].to_vec(), VaultError::Damaged),
        ("endless", [file.as_slice(), &[0; VAULT_BYTES_MAX]].concat(), VaultError::Damaged),
        ("a byte after the end", trailing, VaultError::Damaged),
        ("a format of tomorrow", altered(|f| f.format = 2), VaultError::UnsupportedVersion { format: 2 }),
        (
            "a cost of 100 GiB",
            altered(|f| f.passphrase.cost = Cost::hostile(100 << 20, 3, 1)),
            VaultError::Stretch(giant),
        ),
        (
            "no cost at all",
            altered(|f| f.passphrase.cost = Cost::hostile(0, 0, 0)),
            VaultError::Stretch(StretchError::Unusable),
        ),
        ("another cost", altered(|f| f.passphrase.cost = Cost::hostile(16, 1, 1)), VaultError::WrongPassphrase),
        ("swapped wraps", altered(|f| std::mem::swap(&mut f.passphrase, &mut f.recovery)), VaultError::WrongPassphrase),
        ("an empty body", altered(|f| f.body.clear()), VaultError::Damaged),
        ("a huge body", altered(|f| f.body = vec![0; 8192]), VaultError::Damaged),
    ] {
        assert_eq!(refusal(&file), Some(expected), "{attack}");
    }
}

#[test]
fn the_file_holds_no_secret_in_the_clear() {
    let vault = vault();
    let keys = vault.keys();
    let file = vault.to_bytes();
    for secret in [
        keys.identity.seed(),
        &keys.database,
        keys.device.transport.seed(),
        keys.device.signing.seed(),
        keys.device.sealing.seed(),
        &keys.device.notice.0,
    ] {
        assert!(!file.windows(8).any(|window| window == &secret.reveal()[..8]));
    }
    assert!(!file.windows(7).any(|window| window == b"correct"));
}

#[test]
fn the_delay_grows_and_ends_at_its_limit() {
    let delays: Vec<u64> = (0..6).map(|failures| delay_after(failures).as_secs()).collect();
    assert_eq!(delays, [0, 1, 2, 4, 8, 16]);
    assert_eq!(delay_after(64), PASSPHRASE_DELAY_MAX);
    assert_eq!(delay_after(u32::MAX), PASSPHRASE_DELAY_MAX);
}

proptest! {
    #[test]
    fn random_bytes_never_open_and_never_panic(bytes: Vec<u8>) {
        let mut file = [MAGIC.as_slice(), &bytes, &[0; HASH_BYTES]].concat();
        rehash(&mut file);
        prop_assert!(refusal(&file).is_some());
    }

    #[test]
    fn any_passphrase_that_is_taken_opens(passphrase in "\\PC{8,40}") {
        if let Ok(vault) = Vault::create(keys(1), &passphrase.as_str().into(), Cost::TEST, &mut Seeded::new(2)) {
            prop_assert_eq!(vault.check_passphrase(&passphrase.into()), Ok(()));
        }
    }
}
