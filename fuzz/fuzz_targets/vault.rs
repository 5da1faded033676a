//! The vault file. A passphrase that is too long to be one keeps Argon2 out: only the file's form is looked at.

#![no_main]

use libfuzzer_sys::fuzz_target;
use overread::identity::vault::{PASSPHRASE_BYTES_MAX, VAULT_BYTES_MAX, Vault, VaultError};
use secrecy::SecretString;

const MAGIC: &[u8] = b"ORVAULT\n";

fuzz_target!(|data: &[u8]| {
    let passphrase = SecretString::from("x".repeat(PASSPHRASE_BYTES_MAX + 1));
    assert!(Vault::open(data, &passphrase).is_err());
    // The hash at the end is no protection, so whoever writes a file gets it right.
    let mut file = [MAGIC, data].concat();
    let hash = blake3::hash(&file);
    file.extend_from_slice(hash.as_bytes());
    match Vault::open(&file, &passphrase) {
        Err(VaultError::WrongPassphrase) => assert!(file.len() <= VAULT_BYTES_MAX),
        Err(_) => {}
        Ok(_) => unreachable!("no passphrase is that long"),
    }
});
