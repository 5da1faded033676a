//! Handing an epoch's secret to devices, and down to the epochs before it.
//!
//! Every change of a case's readers starts an epoch with a fresh secret. It is sealed to each reader's device
//! with HPKE (RFC 9180 base mode, X-Wing, HKDF-SHA256, AES-256-GCM), bound to the case, the secret's commitment
//! and the recipient, so a seal cannot be moved. The secrets of the epochs before are wrapped under the new one:
//! newcomers read the history, the removed read nothing later (format 4).

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::{X25519HkdfSha256, XWing};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open, single_shot_seal_with_rng};
use minicbor::{Decode, Encode};

use super::aead::{self, OpenError, TAG_BYTES};
use crate::encoding::id::{Bytes, CaseId, EntryId};
use crate::encoding::labels::{
    DERIVE_ENTRY_COMMITMENT, DERIVE_ENTRY_KEY, DERIVE_EPOCH_COMMITMENT, DERIVE_EPOCH_WRAP, DERIVE_LIVE_KEY, SEAL_EPOCH,
    SEAL_NOTICE,
};
use crate::encoding::random::CryptoRng;
use crate::identity::keys::{DeviceKey, NoticeKey, NoticeSecret, SealingKey, SealingSecret, Secret};

/// Length of an X-Wing seal of a 32-byte secret: 1,120 bytes encapsulation, 32 secret, 16 tag.
pub const EPOCH_SEAL_BYTES: usize = XWING_ENCAPSULATION_BYTES + 32 + TAG_BYTES;

const XWING_ENCAPSULATION_BYTES: usize = 1120;

/// Length of a sealed notice: 32 bytes encapsulation, 1 class, 16 tag.
pub const NOTICE_BYTES: usize = 32 + 1 + TAG_BYTES;

/// In the first entry of a case, whose id does not exist yet, these stand for it.
pub const NO_CASE_YET: CaseId = CaseId([0; 32]);

/// The secret of an epoch: whoever holds it reads what was written in it and in all epochs before.
pub struct EpochSecret(pub Secret);

/// An [`EpochSecret`] sealed to one device.
pub type EpochSeal = Bytes<EPOCH_SEAL_BYTES>;

/// An [`EpochSecret`] wrapped under a later one.
pub type WrappedEpoch = Bytes<{ 32 + TAG_BYTES }>;

impl EpochSecret {
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::random(rng))
    }

    /// What the `members` entry publishes, so that nobody can be handed another secret unnoticed.
    pub fn commitment(&self) -> [u8; 32] {
        aead::derive_bytes(&self.0, DERIVE_EPOCH_COMMITMENT, &[])
    }

    /// Seals the secret to a device.
    pub fn seal_to(
        &self,
        case: CaseId,
        device: DeviceKey,
        key: &SealingKey,
        rng: &mut impl CryptoRng,
    ) -> Result<EpochSeal, OpenError> {
        let public = key.to_hpke().ok_or(OpenError)?;
        let info = epoch_info(case, &self.commitment(), device);
        let (encapsulation, sealed) = single_shot_seal_with_rng::<AesGcm256, HkdfSha256, XWing>(
            &OpModeS::Base,
            &public,
            &info,
            self.0.reveal(),
            &[],
            rng,
        )
        .map_err(|_| OpenError)?;
        joined(&encapsulation.to_bytes(), &sealed)
    }

    /// Opens a seal made for this device; the secret must match the published commitment.
    pub fn open(
        seal: &EpochSeal,
        case: CaseId,
        commitment: &[u8; 32],
        device: DeviceKey,
        key: &SealingSecret,
    ) -> Result<Self, OpenError> {
        let (encapsulation, sealed) = seal.0.split_at(XWING_ENCAPSULATION_BYTES);
        let encapsulation = <XWing as Kem>::EncappedKey::from_bytes(encapsulation).map_err(|_| OpenError)?;
        let info = epoch_info(case, commitment, device);
        let opened = single_shot_open::<AesGcm256, HkdfSha256, XWing>(
            &OpModeR::Base,
            key.private(),
            &encapsulation,
            &info,
            sealed,
            &[],
        )
        .map_err(|_| OpenError)?;
        Self::checked(opened, commitment)
    }

    /// Wraps the secret of an earlier epoch under this one.
    pub fn wrap(&self, earlier: &Self, epoch: EntryId) -> Result<WrappedEpoch, OpenError> {
        let mut message = earlier.0.reveal().to_vec();
        aead::seal(&self.wrap_key(epoch), aead::counter_nonce(0), &epoch.0, &mut message)?;
        message.try_into().map(Bytes).map_err(|_| OpenError)
    }

    /// Unwraps the secret of the earlier epoch with this id and published commitment.
    pub fn unwrap(&self, wrapped: &WrappedEpoch, epoch: EntryId, commitment: &[u8; 32]) -> Result<Self, OpenError> {
        let mut message = wrapped.0.to_vec();
        aead::open(&self.wrap_key(epoch), aead::counter_nonce(0), &epoch.0, &mut message)?;
        Self::checked(message, commitment)
    }

    /// The key of one entry; the random salt in its header makes it a key of its own.
    pub fn entry_key(&self, case: CaseId, device: DeviceKey, salt: &[u8; 32]) -> EntryKey {
        EntryKey(aead::derive(&self.0, DERIVE_ENTRY_KEY, &[&case.0, &device.0, salt]))
    }

    /// The key of one live message; so is this one by its salt.
    pub fn live_key(&self, case: CaseId, device: DeviceKey, salt: &[u8; 32]) -> LiveKey {
        LiveKey(aead::derive(&self.0, DERIVE_LIVE_KEY, &[&case.0, &device.0, salt]))
    }

    pub fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }

    fn wrap_key(&self, epoch: EntryId) -> Secret {
        aead::derive(&self.0, DERIVE_EPOCH_WRAP, &[&epoch.0])
    }

    fn checked(opened: Vec<u8>, commitment: &[u8; 32]) -> Result<Self, OpenError> {
        let secret = Self(Secret::new(opened.try_into().map_err(|_| OpenError)?));
        if secret.commitment() != *commitment {
            return Err(OpenError);
        }
        Ok(secret)
    }
}

/// The key of a single entry; a certificate may disclose it without opening anything else.
pub struct EntryKey(pub Secret);

impl EntryKey {
    /// What the entry's header publishes about its key.
    pub fn commitment(&self) -> [u8; 32] {
        aead::derive_bytes(&self.0, DERIVE_ENTRY_COMMITMENT, &[])
    }

    /// Seals an entry's content under its header (without the body hash).
    pub fn seal(&self, header: &[u8], mut content: Vec<u8>) -> Result<Vec<u8>, OpenError> {
        aead::seal(&self.0, aead::counter_nonce(0), header, &mut content)?;
        Ok(content)
    }

    pub fn open(&self, header: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let mut content = sealed.to_vec();
        aead::open(&self.0, aead::counter_nonce(0), header, &mut content)?;
        Ok(content)
    }
}

/// The key of a single live message.
pub struct LiveKey(Secret);

impl LiveKey {
    /// Seals what is said under its statement (with nothing sealed).
    pub fn seal(&self, statement: &[u8], mut content: Vec<u8>) -> Result<Vec<u8>, OpenError> {
        aead::seal(&self.0, aead::counter_nonce(0), statement, &mut content)?;
        Ok(content)
    }

    pub fn open(&self, statement: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let mut content = sealed.to_vec();
        aead::open(&self.0, aead::counter_nonce(0), statement, &mut content)?;
        Ok(content)
    }
}

/// An urgency class sealed to one device's notice key.
pub type SealedNotice = Bytes<NOTICE_BYTES>;

/// Seals an urgency class (one byte) so that a locked device can open it. Bound to case, device and salt of the
/// entry it stands in.
pub fn seal_notice(
    class: u8,
    context: NoticeContext<'_>,
    key: NoticeKey,
    rng: &mut impl CryptoRng,
) -> Result<SealedNotice, OpenError> {
    let public = key.to_hpke().ok_or(OpenError)?;
    let (encapsulation, sealed) = single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &public,
        &context.info(),
        &[class],
        &[],
        rng,
    )
    .map_err(|_| OpenError)?;
    joined(&encapsulation.to_bytes(), &sealed)
}

/// Opens a notice.
pub fn open_notice(notice: &SealedNotice, context: NoticeContext<'_>, key: &NoticeSecret) -> Result<u8, OpenError> {
    let (encapsulation, sealed) = notice.0.split_at(32);
    let encapsulation = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulation).map_err(|_| OpenError)?;
    let (private, _) = key.key_pair();
    let opened = single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &private,
        &encapsulation,
        &context.info(),
        sealed,
        &[],
    )
    .map_err(|_| OpenError)?;
    opened.first().copied().ok_or(OpenError)
}

/// Where a notice stands and for whom it is.
#[derive(Debug, Clone, Copy)]
pub struct NoticeContext<'a> {
    pub case: CaseId,
    pub salt: &'a [u8; 32],
    pub device: DeviceKey,
}

impl NoticeContext<'_> {
    fn info(&self) -> Vec<u8> {
        [SEAL_NOTICE.as_bytes(), &[0], &self.case.0, self.salt, &self.device.0].concat()
    }
}

fn epoch_info(case: CaseId, commitment: &[u8; 32], device: DeviceKey) -> Vec<u8> {
    [SEAL_EPOCH.as_bytes(), &[0], &case.0, commitment, &device.0].concat()
}

fn joined<const N: usize>(encapsulation: &[u8], sealed: &[u8]) -> Result<Bytes<N>, OpenError> {
    [encapsulation, sealed].concat().try_into().map(Bytes).map_err(|_| OpenError)
}

/// A wrapped epoch secret beside the id of its epoch.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct WrappedParent {
    #[n(0)]
    pub epoch: EntryId,
    #[n(1)]
    pub wrapped: WrappedEpoch,
}

/// An epoch secret sealed to a device, beside that device's key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DeviceSeal {
    #[n(0)]
    pub device: DeviceKey,
    #[n(1)]
    pub seal: EpochSeal,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::random::Seeded;

    const CASE: CaseId = CaseId([1; 32]);
    const DEVICE: DeviceKey = DeviceKey([2; 32]);

    fn sealed() -> (SealingSecret, EpochSecret, EpochSeal) {
        let mut rng = Seeded::new(3);
        let key = SealingSecret::from_seed(Secret::random(&mut rng));
        let secret = EpochSecret::random(&mut rng);
        let seal = secret.seal_to(CASE, DEVICE, &key.public(), &mut rng).unwrap();
        (key, secret, seal)
    }

    #[test]
    fn a_seal_opens_for_its_device_case_and_commitment_only() {
        let (key, secret, seal) = sealed();
        let commitment = secret.commitment();
        let open = |case, commitment: &[u8; 32], device, key| EpochSecret::open(&seal, case, commitment, device, key);
        assert!(open(CASE, &commitment, DEVICE, &key).is_ok_and(|s| s.0.reveal() == secret.0.reveal()));
        assert!(open(CaseId([9; 32]), &commitment, DEVICE, &key).is_err());
        assert!(open(CASE, &[9; 32], DEVICE, &key).is_err());
        assert!(open(CASE, &commitment, DeviceKey([9; 32]), &key).is_err());
        assert!(open(CASE, &commitment, DEVICE, &SealingSecret::from_seed(Secret::new([9; 32]))).is_err());
    }

    #[test]
    fn one_flipped_bit_anywhere_in_a_seal_is_refused() {
        let (key, secret, seal) = sealed();
        for position in (0..EPOCH_SEAL_BYTES).step_by(97).chain([EPOCH_SEAL_BYTES - 1]) {
            let mut altered = seal;
            altered.0[position] ^= 1;
            assert!(EpochSecret::open(&altered, CASE, &secret.commitment(), DEVICE, &key).is_err(), "{position}");
        }
    }

    #[test]
    fn an_earlier_secret_is_unwrapped_under_its_own_id_only() {
        let mut rng = Seeded::new(4);
        let (earlier, later) = (EpochSecret::random(&mut rng), EpochSecret::random(&mut rng));
        let epoch = EntryId([5; 32]);
        let wrapped = later.wrap(&earlier, epoch).unwrap();
        assert!(later.unwrap(&wrapped, epoch, &earlier.commitment()).is_ok());
        assert!(later.unwrap(&wrapped, EntryId([6; 32]), &earlier.commitment()).is_err());
        assert!(later.unwrap(&wrapped, epoch, &later.commitment()).is_err());
        assert!(earlier.unwrap(&wrapped, epoch, &earlier.commitment()).is_err());
    }

    #[test]
    fn a_notice_says_its_class_to_its_device_only() {
        let mut rng = Seeded::new(5);
        let key = NoticeSecret(Secret::random(&mut rng));
        let context = NoticeContext { case: CASE, salt: &[7; 32], device: DEVICE };
        let notice = seal_notice(2, context, key.public(), &mut rng).unwrap();
        assert_eq!(open_notice(&notice, context, &key), Ok(2));
        let elsewhere = NoticeContext { salt: &[8; 32], ..context };
        assert_eq!(open_notice(&notice, elsewhere, &key), Err(OpenError));
        assert_eq!(open_notice(&notice, context, &NoticeSecret(Secret::random(&mut rng))), Err(OpenError));
    }

    #[test]
    fn an_entry_opens_under_its_own_header_and_salt_only() {
        let secret = EpochSecret(Secret::new([1; 32]));
        let key = secret.entry_key(CASE, DEVICE, &[3; 32]);
        let sealed = key.seal(b"header", b"content".to_vec()).unwrap();
        assert_eq!(key.open(b"header", &sealed).unwrap(), b"content");
        assert_eq!(key.open(b"headex", &sealed), Err(OpenError));
        assert_eq!(secret.entry_key(CASE, DEVICE, &[4; 32]).open(b"header", &sealed), Err(OpenError));
    }
}
