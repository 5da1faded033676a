//! The vault's bytes: magic, strict CBOR with two wraps and the sealed body, and a hash of it all.

use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use super::{Passphrase, VAULT_BYTES_MAX, Vault, VaultError, VaultKeys};
use crate::encoding::id::Bytes;
use crate::encoding::labels::{FORMAT_VERSION, VAULT_BODY, VAULT_PASSPHRASE, VAULT_RECOVERY};
use crate::encoding::random::{CryptoRng, bytes};
use crate::encoding::{from_bytes, to_bytes};
use crate::identity::certificate::DeviceCertificate;
use crate::identity::keys::{DeviceSecrets, NoticeSecret, SealingSecret, Secret, SigningSecret};
use crate::identity::recovery::RecoveryCode;
use crate::identity::stretch::{Cost, stretch};
use crate::seal::aead;

/// The start of the file, so that people and programs see what it is.
pub(super) const MAGIC: &[u8; 8] = b"ORVAULT\n";

pub(super) const HASH_BYTES: usize = 32;

/// The file between magic and hash.
#[derive(Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct VaultFile {
    #[n(0)]
    pub(super) format: u32,
    #[n(1)]
    pub(super) passphrase: Wrap,
    #[n(2)]
    pub(super) recovery: Wrap,
    /// The vault's keys under the vault key.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(super) body: Vec<u8>,
}

/// The vault key under a stretched secret.
#[derive(Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Wrap {
    #[n(0)]
    pub(super) cost: Cost,
    #[n(1)]
    salt: Bytes<16>,
    #[n(2)]
    sealed: Bytes<48>,
}

/// The body in the clear.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Body {
    #[n(0)]
    identity: Secret,
    #[n(1)]
    transport: Secret,
    #[n(2)]
    signing: Secret,
    #[n(3)]
    sealing: Secret,
    #[n(4)]
    notice: Secret,
    #[n(5)]
    database: Secret,
    #[n(6)]
    certificate: DeviceCertificate,
}

/// Room for an encoded body, so that its buffer is never moved and left behind unwiped, in bytes.
const BODY_BYTES_MAX: usize = 4096;

pub(super) fn seal(
    keys: &VaultKeys,
    passphrase: &Passphrase,
    cost: Cost,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, VaultError> {
    let key = Secret::random(rng);
    let recovery = RecoveryCode::of(&keys.identity);
    let contents = VaultFile {
        format: FORMAT_VERSION,
        passphrase: Wrap::seal(&key, VAULT_PASSPHRASE, passphrase.bytes(), cost, rng)?,
        recovery: Wrap::seal(&key, VAULT_RECOVERY, recovery.seed().reveal(), cost, rng)?,
        body: keys.seal(&key)?,
    };
    let mut file = MAGIC.to_vec();
    file.extend_from_slice(&to_bytes(&contents));
    let hash = blake3::hash(&file);
    file.extend_from_slice(hash.as_bytes());
    Ok(file)
}

impl VaultKeys {
    fn seal(&self, key: &Secret) -> Result<Vec<u8>, VaultError> {
        let body = Body {
            identity: self.identity.seed().duplicate(),
            transport: self.device.transport.seed().duplicate(),
            signing: self.device.signing.seed().duplicate(),
            sealing: self.device.sealing.seed().duplicate(),
            notice: self.device.notice.0.duplicate(),
            database: self.database.duplicate(),
            certificate: self.certificate.clone(),
        };
        let mut sealed = Vec::with_capacity(BODY_BYTES_MAX);
        // Encoding into a Vec fails only if a custom Encode implementation reports an error; none of ours does.
        minicbor::encode(&body, &mut sealed).map_err(|_| VaultError::MismatchedKeys)?;
        // In place: the clear bytes are overwritten by the sealed ones.
        aead::seal(key, [0; 12], &body_aad(), &mut sealed).map_err(|_| VaultError::MismatchedKeys)?;
        Ok(sealed)
    }
}

impl VaultFile {
    pub(super) fn read(file: &[u8]) -> Result<Self, VaultError> {
        if file.len() > VAULT_BYTES_MAX {
            return Err(VaultError::Damaged);
        }
        let contents = file.strip_prefix(MAGIC).ok_or(VaultError::NoVault)?;
        let (contents, hash) = contents.split_last_chunk::<HASH_BYTES>().ok_or(VaultError::Damaged)?;
        if blake3::hash(&file[..MAGIC.len() + contents.len()]) != *hash {
            return Err(VaultError::Damaged);
        }
        if let Some(format) = format_of(contents).filter(|format| *format != FORMAT_VERSION) {
            return Err(VaultError::UnsupportedVersion { format });
        }
        from_bytes(contents, VAULT_BYTES_MAX).map_err(|_| VaultError::Damaged)
    }

    pub(super) fn open_body(&self, file: &[u8], key: &Secret) -> Result<Vault, VaultError> {
        let mut clear = Zeroizing::new(self.body.clone());
        aead::open(key, [0; 12], &body_aad(), &mut clear).map_err(|_| VaultError::Damaged)?;
        let body: Body = minicbor::decode(&clear).map_err(|_| VaultError::Damaged)?;
        let mut again = Zeroizing::new(Vec::with_capacity(BODY_BYTES_MAX));
        minicbor::encode(&body, &mut *again).map_err(|_| VaultError::Damaged)?;
        let keys = VaultKeys {
            identity: SigningSecret::from_seed(body.identity),
            device: DeviceSecrets {
                transport: SigningSecret::from_seed(body.transport),
                signing: SigningSecret::from_seed(body.signing),
                sealing: SealingSecret::from_seed(body.sealing),
                notice: NoticeSecret(body.notice),
            },
            certificate: body.certificate,
            database: body.database,
        };
        if *again != *clear || !keys.fit_together() {
            return Err(VaultError::Damaged);
        }
        Ok(Vault { keys, file: file.to_vec() })
    }
}

impl Wrap {
    fn seal(
        key: &Secret,
        label: &str,
        secret: &[u8],
        cost: Cost,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, VaultError> {
        let salt: [u8; 16] = bytes(rng);
        let wrapping = stretch(secret, &salt, cost).map_err(VaultError::Stretch)?;
        let mut sealed = Vec::with_capacity(48);
        sealed.extend_from_slice(key.reveal());
        aead::seal(&wrapping, [0; 12], &wrap_aad(label, cost, &salt), &mut sealed)
            .map_err(|_| VaultError::MismatchedKeys)?;
        let sealed = sealed.try_into().map_err(|_| VaultError::MismatchedKeys)?;
        Ok(Self { cost, salt: Bytes(salt), sealed: Bytes(sealed) })
    }

    /// The vault key, or `None` if the secret is another one (or somebody rewrote the wrap).
    pub(super) fn unwrap(&self, label: &str, secret: &[u8]) -> Result<Option<Secret>, VaultError> {
        let wrapping = stretch(secret, &self.salt.0, self.cost).map_err(VaultError::Stretch)?;
        let mut key = Zeroizing::new(self.sealed.0.to_vec());
        if aead::open(&wrapping, [0; 12], &wrap_aad(label, self.cost, &self.salt.0), &mut key).is_err() {
            return Ok(None);
        }
        Ok(key.as_slice().try_into().ok().map(Secret::new))
    }
}

/// Binds a wrap to its use, its cost and its salt.
fn wrap_aad(label: &str, cost: Cost, salt: &[u8; 16]) -> Vec<u8> {
    [label.as_bytes(), &[0], &FORMAT_VERSION.to_be_bytes(), &to_bytes(&cost), salt].concat()
}

fn body_aad() -> Vec<u8> {
    [VAULT_BODY.as_bytes(), &[0], &FORMAT_VERSION.to_be_bytes()].concat()
}

fn format_of(contents: &[u8]) -> Option<u32> {
    let mut decoder = minicbor::Decoder::new(contents);
    decoder.map().ok()??;
    (decoder.u8().ok()? == 0).then_some(())?;
    decoder.u32().ok()
}
