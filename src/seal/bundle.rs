//! Handing the key of a bundle to the devices it is for, without saying which they are.
//!
//! The key is sealed to each recipient like an epoch's secret (RFC 9180 base mode, X-Wing), bound to the bundle's
//! serial and the recipient. No name stands beside a seal: a reader tries each with its own key. Places that no
//! recipient needs are filled with [decoys](BundleKey::decoy), which are real seals to a key that is thrown away.
//! Random bytes would not do: the coefficients of an ML-KEM ciphertext are not uniform, and the top bit of an X25519
//! point is always clear, so anybody could count the recipients.

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open, single_shot_seal_with_rng};

use super::aead::{self, OpenError, TAG_BYTES};
use crate::encoding::id::Bytes;
use crate::encoding::labels::{DERIVE_BUNDLE_COMMITMENT, DERIVE_BUNDLE_KEY, SEAL_BUNDLE};
use crate::encoding::random::CryptoRng;
use crate::identity::keys::{DeviceKey, SealingKey, SealingSecret, Secret};

/// Length of a bundle's serial in bytes.
pub const BUNDLE_SERIAL_BYTES: usize = 16;

/// Length of one seal: 1,120 bytes encapsulation, 32 key, 16 tag.
pub const BUNDLE_SEAL_BYTES: usize = XWING_ENCAPSULATION_BYTES + 32 + TAG_BYTES;

const XWING_ENCAPSULATION_BYTES: usize = 1120;

/// A [`BundleKey`] sealed to one device, or to nobody.
pub type BundleSeal = Bytes<BUNDLE_SEAL_BYTES>;

/// The random key of one bundle: who holds it reads the bundle's outer layer, so sizes and names of what is inside.
pub struct BundleKey(Secret);

impl BundleKey {
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::random(rng))
    }

    /// The key with these bytes, for known-answer vectors.
    #[cfg(test)]
    pub(crate) fn from_secret(secret: Secret) -> Self {
        Self(secret)
    }

    /// Seals the key to a recipient's device.
    pub fn seal_to(
        &self,
        serial: &[u8; BUNDLE_SERIAL_BYTES],
        device: DeviceKey,
        key: &SealingKey,
        rng: &mut impl CryptoRng,
    ) -> Result<BundleSeal, OpenError> {
        let public = key.to_hpke().ok_or(OpenError)?;
        let (encapsulation, sealed) = single_shot_seal_with_rng::<AesGcm256, HkdfSha256, XWing>(
            &OpModeS::Base,
            &public,
            &info(serial, device),
            self.0.reveal(),
            &[],
            rng,
        )
        .map_err(|_| OpenError)?;
        let seal = [encapsulation.to_bytes().as_slice(), &sealed].concat();
        seal.try_into().map(Bytes).map_err(|_| OpenError)
    }

    /// A seal of random bytes to a fresh key that nobody keeps: not to be told from a recipient's.
    pub fn decoy(rng: &mut impl CryptoRng) -> Result<BundleSeal, OpenError> {
        let nobody = SealingSecret::from_seed(Secret::random(rng)).public();
        Self::random(rng).seal_to(&[0; BUNDLE_SERIAL_BYTES], DeviceKey([0; 32]), &nobody, rng)
    }

    /// Tries each seal with this device's key; [`OpenError`] if none is for it.
    pub fn open_any(
        seals: &[BundleSeal],
        serial: &[u8; BUNDLE_SERIAL_BYTES],
        device: DeviceKey,
        key: &SealingSecret,
    ) -> Result<Self, OpenError> {
        let info = info(serial, device);
        seals.iter().find_map(|seal| open_one(seal, &info, key.private())).ok_or(OpenError)
    }

    /// What the sender signs, so that she cannot be named as the packer of a bundle under another key.
    pub fn commitment(&self) -> [u8; 32] {
        aead::derive_bytes(&self.0, DERIVE_BUNDLE_COMMITMENT, &[])
    }

    /// The key of the bundle's segments, bound to the hash of its head: nothing moves to another bundle.
    pub fn segment_key(&self, head_hash: &[u8; 32]) -> Secret {
        aead::derive(&self.0, DERIVE_BUNDLE_KEY, &[head_hash])
    }
}

fn open_one(seal: &BundleSeal, info: &[u8], private: &<XWing as Kem>::PrivateKey) -> Option<BundleKey> {
    let (encapsulation, sealed) = seal.0.split_at(XWING_ENCAPSULATION_BYTES);
    let encapsulation = <XWing as Kem>::EncappedKey::from_bytes(encapsulation).ok()?;
    let opened =
        single_shot_open::<AesGcm256, HkdfSha256, XWing>(&OpModeR::Base, private, &encapsulation, info, sealed, &[])
            .ok()?;
    opened.try_into().ok().map(|key| BundleKey(Secret::new(key)))
}

fn info(serial: &[u8; BUNDLE_SERIAL_BYTES], device: DeviceKey) -> Vec<u8> {
    [SEAL_BUNDLE.as_bytes(), &[0], serial, &device.0].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::random::Seeded;

    const SERIAL: [u8; 16] = [1; 16];
    const DEVICE: DeviceKey = DeviceKey([2; 32]);

    fn sealed() -> (SealingSecret, BundleKey, BundleSeal) {
        let mut rng = Seeded::new(3);
        let secret = SealingSecret::from_seed(Secret::random(&mut rng));
        let key = BundleKey::random(&mut rng);
        let seal = key.seal_to(&SERIAL, DEVICE, &secret.public(), &mut rng).unwrap();
        (secret, key, seal)
    }

    #[test]
    fn a_seal_opens_for_its_device_and_serial_only() {
        let (secret, key, seal) = sealed();
        let decoy = BundleKey::decoy(&mut Seeded::new(4)).unwrap();
        let open = |serial: &[u8; 16], device, secret| BundleKey::open_any(&[decoy, seal], serial, device, secret);
        assert!(open(&SERIAL, DEVICE, &secret).is_ok_and(|opened| opened.commitment() == key.commitment()));
        assert!(open(&[9; 16], DEVICE, &secret).is_err());
        assert!(open(&SERIAL, DeviceKey([9; 32]), &secret).is_err());
        assert!(open(&SERIAL, DEVICE, &SealingSecret::from_seed(Secret::new([9; 32]))).is_err());
    }

    #[test]
    fn one_flipped_bit_anywhere_in_a_seal_is_refused() {
        let (secret, _, seal) = sealed();
        for position in (0..BUNDLE_SEAL_BYTES).step_by(97).chain([BUNDLE_SEAL_BYTES - 1]) {
            let mut altered = seal;
            altered.0[position] ^= 1;
            assert!(BundleKey::open_any(&[altered], &SERIAL, DEVICE, &secret).is_err(), "{position}");
        }
    }

    #[test]
    fn a_decoy_opens_for_nobody() {
        let (secret, _, _) = sealed();
        let decoy = BundleKey::decoy(&mut Seeded::new(4)).unwrap();
        assert!(BundleKey::open_any(&[decoy], &[0; 16], DeviceKey([0; 32]), &secret).is_err());
    }

    #[test]
    fn another_head_gives_another_segment_key() {
        let (_, key, _) = sealed();
        assert_ne!(key.segment_key(&[1; 32]).reveal(), key.segment_key(&[2; 32]).reveal());
        assert_ne!(*key.segment_key(&[1; 32]).reveal(), key.commitment());
    }
}
