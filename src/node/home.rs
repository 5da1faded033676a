//! A home folder and the person it belongs to.
//!
//! `HOME/vault` is the small vault; everything else is the store's. [`Open`] is what exists only while the vault is
//! open: secrets, colleagues, settings. Locking drops it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;

use super::api::{Failure, FailureCode, Passphrase};
use super::library::sentence;
use super::settings::Settings;
use crate::case::room::Author;
use crate::encoding::random;
use crate::encoding::time::Timestamp;
use crate::identity::card::{CARD_VALID_MS, Card, CardDetails};
use crate::identity::keys::{DeviceKey, IdentityKey, SigningSecret};
use crate::identity::recovery::RecoveryCode;
use crate::identity::stretch::Cost;
use crate::identity::trust::{Colleague, Colleagues, TestCards};
use crate::identity::vault::{PASSPHRASE_CHARS_MIN, Vault, VaultError, VaultKeys};
use crate::store::{
    Batch, DatabaseKeys, HomeError, HomeLock, LockError, Store, StoreError, Table, prepare_home, write_private,
};

/// Largest vault file that is read, in bytes.
const VAULT_BYTES_MAX: u64 = 1024 * 1024;

/// A home this process is the node of.
pub(super) struct Home {
    path: PathBuf,
    _lock: HomeLock,
}

/// What exists only while the vault is open.
pub(super) struct Open {
    pub vault: Vault,
    pub people: Colleagues,
    pub settings: Settings,
    pub card: Card,
}

impl Home {
    /// Takes the home's lock.
    pub fn take(path: &Path) -> Result<Self, Failure> {
        let unusable = |error| home_failure(&format!("The folder {} cannot be used", path.display()), error);
        prepare_home(path).map_err(unusable)?;
        let lock = HomeLock::take(path).map_err(|error| match error {
            LockError::Held { .. } => {
                Failure::new(FailureCode::InUse, sentence(&error)).hint("Ask the running node, or stop it first.")
            }
            LockError::Home(error) => unusable(error),
        })?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn vault_path(&self) -> PathBuf {
        self.path.join("vault")
    }

    /// The vault file, if this home has one.
    pub fn vault_file(&self) -> Result<Option<Vec<u8>>, Failure> {
        use std::io::Read;
        let file = match std::fs::File::open(self.vault_path()) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(vault_unreadable(&error)),
        };
        let mut bytes = Vec::new();
        file.take(VAULT_BYTES_MAX).read_to_end(&mut bytes).map_err(|error| vault_unreadable(&error))?;
        Ok(Some(bytes))
    }

    /// Replaces the vault file, durable before it returns.
    pub fn write_vault(&self, vault: &Vault) -> Result<(), Failure> {
        write_private(&self.vault_path(), &vault.to_bytes())
            .map_err(|error| home_failure("The vault cannot be written", error))
    }

    /// Makes an identity or restores one, with a device, a vault and a card.
    pub fn create(
        &self,
        identity: SigningSecret,
        details: CardDetails,
        passphrase: &Passphrase,
        now: Timestamp,
    ) -> Result<(Open, Arc<Store>), Failure> {
        let mut rng = random::system();
        let keys = VaultKeys::new(identity, now, &mut rng);
        let passphrase = secret(passphrase);
        let vault = Vault::create(keys, &passphrase, Cost::STANDARD, &mut rng).map_err(vault_failure)?;
        let card = issue(&vault, None, details, now)?;
        // The database comes first: a vault without one would open to nothing.
        let store = open_store(&self.path, &vault)?;
        let settings = Settings::default();
        let mut batch = Batch::new();
        batch.put_row(Table::Setting, OWN_CARD, &card.to_bytes());
        settings.put(&mut batch);
        store.commit(batch).map_err(store_failure)?;
        self.write_vault(&vault)?;
        let people = Colleagues::new(vault.identity(), TestCards::Refuse);
        Ok((Open { vault, people, settings, card }, Arc::new(store)))
    }

    /// Opens the vault and what it guards.
    pub fn open(
        &self,
        passphrase: &Passphrase,
        store: Option<Arc<Store>>,
        test_cards: TestCards,
    ) -> Result<(Open, Arc<Store>), Failure> {
        let file = self.vault_file()?.ok_or_else(no_vault)?;
        let vault = Vault::open(&file, &secret(passphrase)).map_err(vault_failure)?;
        let store = match store {
            Some(store) => {
                store.unlock(database_keys(&vault)).map_err(store_failure)?;
                store
            }
            None => Arc::new(open_store(&self.path, &vault)?),
        };
        let card = store.row(Table::Setting, OWN_CARD).map_err(store_failure)?;
        let card = card.as_ref().and_then(|bytes| Card::from_bytes(bytes).ok()).ok_or_else(|| {
            Failure::new(FailureCode::Damaged, "This home's own card is missing or damaged.")
                .hint("Restore the home with `overread vault recover` in a new folder.")
        })?;
        let rows = store.rows(Table::Colleague).map_err(store_failure)?;
        let colleagues = rows.iter().filter_map(|row| Colleague::from_bytes(&row.value).ok());
        let people = Colleagues::from_rows(vault.identity(), test_cards, colleagues);
        let settings = Settings::load(&store)?;
        Ok((Open { vault, people, settings, card }, store))
    }
}

impl Open {
    pub fn identity(&self) -> IdentityKey {
        self.vault.identity()
    }

    pub fn device(&self) -> DeviceKey {
        self.vault.keys().certificate.device()
    }

    /// The pen of this device.
    pub fn author(&self) -> Author<'_> {
        let keys = self.vault.keys();
        Author { certificate: &keys.certificate, secrets: &keys.device }
    }

    /// What people call this identity: me, a colleague's local name, or what the case says.
    pub fn name_of(&self, identity: &IdentityKey, noted: Option<&str>) -> String {
        if *identity == self.identity() {
            return self.card.name().into_owned();
        }
        let local = self.people.get(identity).map(|colleague| colleague.name().to_owned());
        let name = local.or_else(|| noted.map(|name| format!("{name} (not a colleague)")));
        crate::encoding::text::shown(&name.unwrap_or_else(|| identity.short())).into_owned()
    }

    /// Issues the card anew after something on it changed.
    pub fn reissue(&mut self, details: CardDetails, store: &Store, now: Timestamp) -> Result<(), Failure> {
        let card = issue(&self.vault, Some(&self.card), details, now)?;
        let mut batch = Batch::new();
        batch.put_row(Table::Setting, OWN_CARD, &card.to_bytes());
        store.commit(batch).map_err(store_failure)?;
        self.card = card;
        Ok(())
    }
}

/// Row of this person's own card.
const OWN_CARD: &[u8] = b"own card";

fn issue(vault: &Vault, previous: Option<&Card>, details: CardDetails, now: Timestamp) -> Result<Card, Failure> {
    let keys = vault.keys();
    let serial = Card::next_serial(previous, now);
    let devices = previous.map_or_else(|| vec![keys.certificate.clone()], |card| card.devices().to_vec());
    let revoked = previous.map_or_else(Vec::new, |card| card.revoked().to_vec());
    let expires = now.plus_ms(CARD_VALID_MS);
    Card::issue(&keys.identity, serial, details, devices, revoked, now, expires).map_err(|error| {
        Failure::new(FailureCode::WrongUse, format!("The card cannot be made: {error}"))
            .hint("Shorten the name, site or phone, and leave out control characters.")
    })
}

fn open_store(home: &Path, vault: &Vault) -> Result<Store, Failure> {
    Store::open(home, database_keys(vault)).map_err(store_failure)
}

fn database_keys(vault: &Vault) -> DatabaseKeys {
    DatabaseKeys::derive(&vault.keys().database)
}

pub(super) fn secret(passphrase: &Passphrase) -> SecretString {
    SecretString::from(passphrase.0.clone())
}

pub(super) fn no_vault() -> Failure {
    Failure::new(FailureCode::NotFound, "This home has no identity yet.")
        .hint("Start with `overread init --name NAME --site SITE`, or with `overread ask` or `overread join`.")
}

pub(super) fn recovery_code(words: &str) -> Result<RecoveryCode, Failure> {
    RecoveryCode::parse(words).map_err(|error| {
        Failure::new(FailureCode::WrongUse, format!("This is not a recovery code: {error}"))
            .hint("Type the 24 words in their order; the first four letters of each are enough.")
    })
}

/// Words for what is wrong with a vault.
pub(super) fn vault_failure(error: VaultError) -> Failure {
    match error {
        VaultError::WrongPassphrase => Failure::new(FailureCode::WrongPassphrase, "The passphrase is wrong."),
        VaultError::PassphraseTooShort { .. } => Failure::new(
            FailureCode::WrongUse,
            format!("The passphrase is shorter than {PASSPHRASE_CHARS_MIN} characters."),
        )
        .hint("Take four or more unrelated words."),
        other => Failure::new(FailureCode::Damaged, format!("The vault cannot be opened: {other}"))
            .hint("Restore the identity in a new folder: `overread --home DIR vault recover`."),
    }
}

fn vault_unreadable(error: &std::io::Error) -> Failure {
    Failure::new(FailureCode::Failed, format!("The vault cannot be read: {error}"))
        .hint("Mend the permissions of the home folder, or choose another with --home DIR.")
}

/// Words for what is wrong with the home folder or a file in it.
pub(super) fn home_failure(what: &str, error: HomeError) -> Failure {
    match error {
        HomeError::Full(_) => disk_full(&error),
        other => Failure::new(FailureCode::Failed, format!("{what}: {other}"))
            .hint("Choose another with --home DIR, or mend its permissions."),
    }
}

fn disk_full(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(FailureCode::DiskFull, sentence(error))
        .hint("Free some space and repeat the command: what was acknowledged is kept, nothing is done twice.")
}

/// Words for what is wrong with the disk.
pub(super) fn store_failure(error: StoreError) -> Failure {
    match error {
        StoreError::Full => disk_full(&error),
        StoreError::Home(error) => home_failure("The store failed", error),
        StoreError::Locked => Failure::new(FailureCode::Locked, "The node is locked.").hint("Give the passphrase."),
        StoreError::DamagedChunk { .. } => Failure::new(FailureCode::Damaged, format!("{error}"))
            .hint("`overread verify all` lists everything that is damaged; `overread fetch CASE` gets it again."),
        StoreError::NewerFormat { .. } => {
            Failure::new(FailureCode::Failed, sentence(&error)).hint("Use the newer version of the program.")
        }
        StoreError::WrongKey | StoreError::Damaged(_) | StoreError::DamagedRow => {
            Failure::new(FailureCode::Damaged, format!("The store failed: {error}")).hint(
                "Restore the home from a backup, or the identity in a new folder: `overread --home DIR vault recover`.",
            )
        }
        other => Failure::new(FailureCode::Failed, format!("The store failed: {other}"))
            .hint("Repeat the command. If it fails again, look at the disk, and at what the program says with -v."),
    }
}
