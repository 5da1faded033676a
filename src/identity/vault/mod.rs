//! The vault: one small file with the secrets of this installation, useless without passphrase or recovery code.
//!
//! A random vault key seals the body (identity, device and database secrets); the key itself is wrapped twice, by
//! Argon2id over the passphrase and over the recovery code. Everything else private lies in the database, sealed
//! under the database secret kept here.
//!
//! This module makes and reads the *bytes*. Writing them so that a power cut leaves the old or the new file, waiting
//! [`delay_after`] wrong passphrases, and keeping the file 0600 is for the running program.
//!
//! **Every change makes a new vault key and both wraps anew**, so each key here seals exactly one message (all nonces
//! are zero), and an old copy of the file together with the old passphrase tells nothing about the new one's key.
//! A BLAKE3 hash at the end tells damage from a wrong passphrase before the slow part; it is no protection: the seals
//! are, against somebody who rewrites the file, hash and all.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::certificate::DeviceCertificate;
use super::keys::{DeviceSecrets, IdentityKey, NoticeSecret, Secret, SigningSecret};
use super::recovery::RecoveryCode;
use super::stretch::{Cost, StretchError};
use crate::encoding::labels::{VAULT_PASSPHRASE, VAULT_RECOVERY};
use crate::encoding::random::CryptoRng;
use crate::encoding::time::Timestamp;

mod file;

use file::{VaultFile, seal};

/// Longest vault file in bytes.
pub const VAULT_BYTES_MAX: usize = 16 * 1024;

/// Shortest passphrase, in characters.
pub const PASSPHRASE_CHARS_MIN: usize = 8;

/// Longest passphrase, in bytes of UTF-8.
pub const PASSPHRASE_BYTES_MAX: usize = 1024;

/// Longest wait after wrong passphrases.
pub const PASSPHRASE_DELAY_MAX: Duration = Duration::from_secs(300);

/// What the vault keeps.
pub struct VaultKeys {
    pub identity: SigningSecret,
    pub device: DeviceSecrets,
    /// This device under the identity's signature.
    pub certificate: DeviceCertificate,
    /// What the rows of the local database are sealed under.
    pub database: Secret,
}

/// An open vault.
pub struct Vault {
    keys: VaultKeys,
    file: Vec<u8>,
}

impl Vault {
    /// Seals new keys. Takes about 0.4 s at the standard cost.
    pub fn create(
        keys: VaultKeys,
        passphrase: &SecretString,
        cost: Cost,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, VaultError> {
        if !keys.fit_together() {
            return Err(VaultError::MismatchedKeys);
        }
        let passphrase = Passphrase::chosen(passphrase)?;
        let file = seal(&keys, &passphrase, cost, rng)?;
        Ok(Self { keys, file })
    }

    /// Opens a vault file with the passphrase.
    pub fn open(file: &[u8], passphrase: &SecretString) -> Result<Self, VaultError> {
        let contents = VaultFile::read(file)?;
        let passphrase = Passphrase::typed(passphrase).ok_or(VaultError::WrongPassphrase)?;
        let key = contents.passphrase.unwrap(VAULT_PASSPHRASE, passphrase.bytes())?;
        contents.open_body(file, &key.ok_or(VaultError::WrongPassphrase)?)
    }

    /// Opens a vault file with the recovery code; the next step is a new passphrase.
    pub fn open_with_recovery(file: &[u8], code: &RecoveryCode) -> Result<Self, VaultError> {
        let contents = VaultFile::read(file)?;
        let key = contents.recovery.unwrap(VAULT_RECOVERY, code.seed().reveal())?;
        contents.open_body(file, &key.ok_or(VaultError::WrongRecoveryCode)?)
    }

    /// Whether `passphrase` opens this vault: for unlocking the screen and before irreversible acts.
    pub fn check_passphrase(&self, passphrase: &SecretString) -> Result<(), VaultError> {
        Self::open(&self.file, passphrase).map(|_| ())
    }

    /// Seals everything anew under another passphrase. The caller then replaces the file with [`Vault::to_bytes`].
    pub fn change_passphrase(
        &mut self,
        passphrase: &SecretString,
        cost: Cost,
        rng: &mut impl CryptoRng,
    ) -> Result<(), VaultError> {
        let passphrase = Passphrase::chosen(passphrase)?;
        self.file = seal(&self.keys, &passphrase, cost, rng)?;
        Ok(())
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.file.clone()
    }

    pub fn keys(&self) -> &VaultKeys {
        &self.keys
    }

    pub fn identity(&self) -> IdentityKey {
        self.keys.certificate.identity()
    }

    /// The words that restore the identity.
    pub fn recovery_code(&self) -> RecoveryCode {
        RecoveryCode::of(&self.keys.identity)
    }

    /// Wipes everything but what a locked node goes on with (design 5).
    pub fn lock(self) -> LockedVault {
        let VaultKeys { device, certificate, .. } = self.keys;
        let DeviceSecrets { transport, notice, .. } = device;
        LockedVault { transport, notice, certificate, file: self.file }
    }
}

/// What a locked node holds: it answers the network and reads urgency notices, and opens and signs nothing.
pub struct LockedVault {
    pub transport: SigningSecret,
    pub notice: NoticeSecret,
    pub certificate: DeviceCertificate,
    file: Vec<u8>,
}

impl LockedVault {
    pub fn unlock(&self, passphrase: &SecretString) -> Result<Vault, VaultError> {
        Vault::open(&self.file, passphrase)
    }
}

/// How long to wait before the next try after so many wrong passphrases in a row: 1 s, then twice as long each time.
pub fn delay_after(failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => {
            Duration::from_secs(1u64.checked_shl(doublings).unwrap_or(u64::MAX)).min(PASSPHRASE_DELAY_MAX)
        }
    }
}

impl VaultKeys {
    /// A new device for an identity, new or restored: a restored home is a new device.
    pub fn new(identity: SigningSecret, now: Timestamp, rng: &mut impl CryptoRng) -> Self {
        let device = DeviceSecrets::random(rng);
        let certificate = DeviceCertificate::issue(&identity, &device, now);
        Self { identity, device, certificate, database: Secret::random(rng) }
    }

    fn fit_together(&self) -> bool {
        let statement = &self.certificate.statement;
        self.certificate.verify().is_ok()
            && statement.identity.0 == self.identity.public()
            && statement.device == self.device.device()
            && statement.transport == self.device.transport_key()
            && statement.sealing == self.device.sealing.public()
            && statement.notice == self.device.notice.public()
    }
}

/// A passphrase in Unicode's composed form (NFC, as RFC 8265 asks), so that every keyboard types the same bytes.
struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// One that protects something from now on.
    fn chosen(passphrase: &SecretString) -> Result<Self, VaultError> {
        let passphrase = Self::typed(passphrase).ok_or(VaultError::PassphraseTooLong)?;
        let chars = passphrase.0.chars().count();
        if chars < PASSPHRASE_CHARS_MIN { Err(VaultError::PassphraseTooShort { chars }) } else { Ok(passphrase) }
    }

    /// One that is tried; `None` if it is longer than any passphrase.
    fn typed(passphrase: &SecretString) -> Option<Self> {
        let text = passphrase.expose_secret();
        if text.len() > PASSPHRASE_BYTES_MAX {
            return None;
        }
        // Composing makes no text longer than three times its bytes (UAX #15), so the buffer is never moved.
        let mut composed = Zeroizing::new(String::with_capacity(3 * PASSPHRASE_BYTES_MAX));
        composed.extend(text.nfc());
        Some(Self(composed))
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Why a vault does not open or cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error("the passphrase does not open this vault; try again, or use the recovery code")]
    WrongPassphrase,
    #[error("these recovery words belong to another identity than this vault")]
    WrongRecoveryCode,
    #[error("the vault file is damaged; restore it from a backup, or restore the identity with the recovery code")]
    Damaged,
    #[error("this file is no Overread vault")]
    NoVault,
    #[error("the vault is of format {format}, which needs a newer version of Overread")]
    UnsupportedVersion { format: u32 },
    #[error("a passphrase has at least {} characters; this one has {chars}", PASSPHRASE_CHARS_MIN)]
    PassphraseTooShort { chars: usize },
    #[error("a passphrase has at most {} bytes", PASSPHRASE_BYTES_MAX)]
    PassphraseTooLong,
    #[error("the vault's key cannot be computed: {0}")]
    Stretch(StretchError),
    /// A bug of ours: nothing is written.
    #[error("the keys for the vault do not belong together; nothing was saved")]
    MismatchedKeys,
}

#[cfg(test)]
mod tests;
