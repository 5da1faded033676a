//! The keys of persons and devices, and strict Ed25519 signatures over a label and bytes.
//!
//! Secrets have no `Debug`, cannot be copied and are wiped on drop. ring already refuses non-canonical `S` and
//! `R`; keys of small order or in a non-canonical form are refused here, so that one signature can never be
//! valid for two messages (the strict rule of format 1).

use std::sync::OnceLock;

use curve25519_dalek::edwards::CompressedEdwardsY;
use hpke::{Deserializable, Kem, Serializable};
use minicbor::{Decode, Encode};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::encoding::id::{Bytes, typed_id};
use crate::encoding::random::{self, CryptoRng};

typed_id!(
    /// A person: the public half of an identity key.
    IdentityKey, 'p'
);
typed_id!(
    /// One installation of a person: the public half of its signing key, which also names its log.
    DeviceKey, 'd'
);
typed_id!(
    /// The public half of a device's transport key; libp2p's PeerId is made of it.
    TransportKey
);

/// Length of an X-Wing public key in bytes.
pub const SEALING_KEY_BYTES: usize = 1216;

/// The public half of a device's X-Wing key: what is sealed to it only this device opens.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct SealingKey(#[n(0)] pub Box<Bytes<SEALING_KEY_BYTES>>);

/// The public half of a device's X25519 notice key: notices say an urgency class, nothing else, and a locked
/// device can still open them (design 5). X-Wing would make each notice 1.2 KiB and a case of 64 members'
/// entries larger than an entry may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct NoticeKey(#[n(0)] pub Bytes<32>);

/// An Ed25519 signature over a label and bytes.
pub type Signature = Bytes<64>;

/// Checks that `signature` is `key`'s over `label` and `bytes`.
pub fn verify(key: &[u8; 32], label: &str, bytes: &[u8], signature: &Signature) -> Result<(), BadSignature> {
    strict_point(key).map_err(|_| BadSignature)?;
    UnparsedPublicKey::new(&ED25519, key).verify(&labelled(label, bytes), &signature.0).map_err(|_| BadSignature)
}

/// Refuses keys that are no canonical point or lie in the small subgroup.
pub fn strict_point(key: &[u8; 32]) -> Result<(), WeakKey> {
    let point = CompressedEdwardsY(*key).decompress().ok_or(WeakKey)?;
    if point.is_small_order() || point.compress().0 != *key {
        return Err(WeakKey);
    }
    Ok(())
}

fn labelled(label: &str, bytes: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(label.len() + 1 + bytes.len());
    message.extend_from_slice(label.as_bytes());
    message.push(0);
    message.extend_from_slice(bytes);
    message
}

/// The signature is not this key's over these bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not fit")]
pub struct BadSignature;

/// The key is of small order or not in canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a usable Ed25519 key")]
pub struct WeakKey;

/// 32 secret bytes: a seed, a symmetric key. Wiped on drop; no `Debug`, no `Clone`: copies are made on purpose
/// with [`Secret::duplicate`].
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub fn random(rng: &mut impl CryptoRng) -> Self {
        Self(random::bytes(rng))
    }

    /// Takes the secret out on purpose.
    pub fn reveal(&self) -> &[u8; 32] {
        &self.0
    }

    pub fn duplicate(&self) -> Self {
        Self(self.0)
    }
}

impl<C> Encode<C> for Secret {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Secret {
    fn decode(d: &mut minicbor::Decoder<'b>, context: &mut C) -> Result<Self, minicbor::decode::Error> {
        Bytes::<32>::decode(d, context).map(|bytes| Self(bytes.0))
    }
}

/// An Ed25519 seed that signs: a person's or a device's.
#[derive(ZeroizeOnDrop)]
pub struct SigningSecret {
    seed: Secret,
}

impl SigningSecret {
    pub fn from_seed(seed: Secret) -> Self {
        Self { seed }
    }

    pub fn random(rng: &mut impl CryptoRng) -> Self {
        Self { seed: Secret::random(rng) }
    }

    pub fn seed(&self) -> &Secret {
        &self.seed
    }

    pub fn public(&self) -> [u8; 32] {
        let mut public = [0; 32];
        public.copy_from_slice(self.key_pair().public_key().as_ref());
        public
    }

    pub fn sign(&self, label: &str, bytes: &[u8]) -> Signature {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.key_pair().sign(&labelled(label, bytes)).as_ref());
        Bytes(signature)
    }

    #[expect(clippy::expect_used, reason = "proof on the line above the call")]
    fn key_pair(&self) -> Ed25519KeyPair {
        // ring refuses a seed only if it is not 32 bytes long, and a Secret always is.
        Ed25519KeyPair::from_seed_unchecked(self.seed.reveal()).expect("a seed of 32 bytes")
    }
}

type XWing = hpke::kem::XWing;
type X25519 = hpke::kem::X25519HkdfSha256;

/// The four secret keys of this installation. They never leave it; a backup does not hold them.
pub struct DeviceSecrets {
    pub transport: SigningSecret,
    pub signing: SigningSecret,
    pub sealing: SealingSecret,
    pub notice: NoticeSecret,
}

impl DeviceSecrets {
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        Self {
            transport: SigningSecret::random(rng),
            signing: SigningSecret::random(rng),
            sealing: SealingSecret::from_seed(Secret::random(rng)),
            notice: NoticeSecret(Secret::random(rng)),
        }
    }

    pub fn device(&self) -> DeviceKey {
        DeviceKey(self.signing.public())
    }

    pub fn transport_key(&self) -> TransportKey {
        TransportKey(self.transport.public())
    }
}

/// The seed of a device's X-Wing key, and the key once it was needed: whoever opens hundreds of seals derives it once.
pub struct SealingSecret {
    seed: Secret,
    /// Wiped on drop, as the seed is.
    private: OnceLock<<XWing as Kem>::PrivateKey>,
}

impl SealingSecret {
    pub fn from_seed(seed: Secret) -> Self {
        Self { seed, private: OnceLock::new() }
    }

    /// For the vault.
    pub fn seed(&self) -> &Secret {
        &self.seed
    }

    pub fn public(&self) -> SealingKey {
        let (_, public) = self.key_pair();
        let mut bytes = [0; SEALING_KEY_BYTES];
        public.write_exact(&mut bytes);
        SealingKey(Box::new(Bytes(bytes)))
    }

    pub(crate) fn private(&self) -> &<XWing as Kem>::PrivateKey {
        self.private.get_or_init(|| self.key_pair().0)
    }

    fn key_pair(&self) -> (<XWing as Kem>::PrivateKey, <XWing as Kem>::PublicKey) {
        XWing::derive_keypair(self.seed.reveal())
    }
}

/// The seed of a device's notice key.
pub struct NoticeSecret(pub Secret);

impl NoticeSecret {
    pub fn public(&self) -> NoticeKey {
        let (_, public) = self.key_pair();
        let mut bytes = [0; 32];
        public.write_exact(&mut bytes);
        NoticeKey(Bytes(bytes))
    }

    pub(crate) fn key_pair(&self) -> (<X25519 as Kem>::PrivateKey, <X25519 as Kem>::PublicKey) {
        X25519::derive_keypair(self.0.reveal())
    }
}

impl SealingKey {
    /// The key in the form `hpke` takes, or `None` if these bytes are no X-Wing key.
    pub(crate) fn to_hpke(&self) -> Option<<XWing as Kem>::PublicKey> {
        <XWing as Kem>::PublicKey::from_bytes(&self.0.0).ok()
    }
}

impl NoticeKey {
    /// The key in the form `hpke` takes, or `None` if these bytes are no X25519 key.
    pub(crate) fn to_hpke(self) -> Option<<X25519 as Kem>::PublicKey> {
        <X25519 as Kem>::PublicKey::from_bytes(&self.0.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::random::Seeded;

    #[test]
    fn a_signature_holds_for_its_label_bytes_and_key_only() {
        let mut rng = Seeded::new(1);
        let secret = SigningSecret::random(&mut rng);
        let other = SigningSecret::random(&mut rng);
        let signature = secret.sign("label", b"bytes");
        assert_eq!(verify(&secret.public(), "label", b"bytes", &signature), Ok(()));
        assert_eq!(verify(&secret.public(), "label", b"bytez", &signature), Err(BadSignature));
        assert_eq!(verify(&secret.public(), "labe", b"lbytes", &signature), Err(BadSignature));
        assert_eq!(verify(&other.public(), "label", b"bytes", &signature), Err(BadSignature));
    }

    #[test]
    fn small_order_and_non_canonical_keys_are_refused() {
        let mut identity_element = [0; 32];
        identity_element[0] = 1;
        let mut non_canonical = [0xff; 32];
        non_canonical[0] = 0xee; // p + 1, another spelling of the identity element
        non_canonical[31] = 0x7f;
        for key in [identity_element, [0; 32], non_canonical] {
            assert_eq!(strict_point(&key), Err(WeakKey));
        }
        assert_eq!(strict_point(&SigningSecret::random(&mut Seeded::new(2)).public()), Ok(()));
    }
}
