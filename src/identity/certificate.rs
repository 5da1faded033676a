//! A person's word that a device is hers.
//!
//! Only who holds the identity secret certifies. A certificate is small, self-contained and the same wherever it
//! stands: in a card, in a case's `members` and `device` entries, in a pairing.

use minicbor::{Decode, Encode};

use super::keys::{
    BadSignature, DeviceKey, DeviceSecrets, IdentityKey, NoticeKey, SealingKey, Signature, SigningSecret, TransportKey,
    WeakKey, strict_point, verify,
};
use crate::encoding::labels::SIGN_DEVICE_CERTIFICATE;
use crate::encoding::time::Timestamp;
use crate::encoding::to_bytes;

/// The public keys of one device under its person's signature, and the device's own: without the second a
/// person could claim another's device, and with it what that device wrote.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DeviceCertificate {
    #[n(0)]
    pub statement: DeviceStatement,
    #[n(1)]
    by_identity: Signature,
    #[n(2)]
    by_device: Signature,
}

/// What a [`DeviceCertificate`] says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DeviceStatement {
    #[n(0)]
    pub identity: IdentityKey,
    #[n(1)]
    pub device: DeviceKey,
    #[n(2)]
    pub transport: TransportKey,
    #[n(3)]
    pub sealing: SealingKey,
    #[n(4)]
    pub notice: NoticeKey,
    /// Claimed by the person's own clock.
    #[n(5)]
    pub certified: Timestamp,
}

impl DeviceCertificate {
    /// Certifies a device with the identity's secret.
    pub fn issue(identity: &SigningSecret, device: &DeviceSecrets, now: Timestamp) -> Self {
        let statement = DeviceStatement {
            identity: IdentityKey(identity.public()),
            device: device.device(),
            transport: device.transport_key(),
            sealing: device.sealing.public(),
            notice: device.notice.public(),
            certified: now,
        };
        let bytes = to_bytes(&statement);
        let by_identity = identity.sign(SIGN_DEVICE_CERTIFICATE, &bytes);
        let by_device = device.signing.sign(SIGN_DEVICE_CERTIFICATE, &bytes);
        Self { statement, by_identity, by_device }
    }

    /// Checks the signature and that every key in it can be used.
    pub fn verify(&self) -> Result<(), CertificateError> {
        let statement = &self.statement;
        for key in [&statement.identity.0, &statement.device.0, &statement.transport.0] {
            strict_point(key)?;
        }
        if statement.sealing.to_hpke().is_none() || statement.notice.to_hpke().is_none() {
            return Err(CertificateError::UnusableKey);
        }
        let bytes = to_bytes(statement);
        verify(&statement.identity.0, SIGN_DEVICE_CERTIFICATE, &bytes, &self.by_identity)?;
        verify(&statement.device.0, SIGN_DEVICE_CERTIFICATE, &bytes, &self.by_device)?;
        Ok(())
    }

    pub fn identity(&self) -> IdentityKey {
        self.statement.identity
    }

    pub fn device(&self) -> DeviceKey {
        self.statement.device
    }
}

/// Why a certificate is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    #[error("the device's certificate is not signed by its person and the device itself")]
    Signature(#[from] BadSignature),
    #[error("the certificate holds a weak key")]
    WeakKey(#[from] WeakKey),
    #[error("the certificate holds a key that cannot be sealed to")]
    UnusableKey,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{from_bytes, random::Seeded};

    fn certificate() -> DeviceCertificate {
        let mut rng = Seeded::new(1);
        let identity = SigningSecret::random(&mut rng);
        DeviceCertificate::issue(&identity, &DeviceSecrets::random(&mut rng), Timestamp(5))
    }

    #[test]
    fn an_issued_certificate_verifies_after_a_round_trip() {
        let bytes = to_bytes(&certificate());
        let read: DeviceCertificate = from_bytes(&bytes, 4096).unwrap();
        assert_eq!(read.verify(), Ok(()));
    }

    #[test]
    fn any_other_statement_under_the_same_signature_is_refused() {
        let mut other_time = certificate();
        other_time.statement.certified = Timestamp(6);
        assert_eq!(other_time.verify(), Err(CertificateError::Signature(BadSignature)));
        let mut other_person = certificate();
        other_person.statement.identity = IdentityKey(SigningSecret::random(&mut Seeded::new(9)).public());
        assert_eq!(other_person.verify(), Err(CertificateError::Signature(BadSignature)));
        let mut weak = certificate();
        weak.statement.device = DeviceKey([0; 32]);
        assert_eq!(weak.verify(), Err(CertificateError::WeakKey(WeakKey)));
    }

    #[test]
    fn nobody_certifies_a_device_that_does_not_agree() {
        let mut rng = Seeded::new(2);
        let (thief, owner) = (SigningSecret::random(&mut rng), SigningSecret::random(&mut rng));
        let device = DeviceSecrets::random(&mut rng);
        let honest = DeviceCertificate::issue(&owner, &device, Timestamp(5));
        let mut stolen = honest.clone();
        stolen.statement.identity = IdentityKey(thief.public());
        stolen.by_identity = thief.sign(SIGN_DEVICE_CERTIFICATE, &to_bytes(&stolen.statement));
        assert_eq!(stolen.verify(), Err(CertificateError::Signature(BadSignature)));
    }
}
