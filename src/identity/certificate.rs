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

/// The public keys of one device under its person's signature.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DeviceCertificate {
    #[n(0)]
    pub statement: DeviceStatement,
    #[n(1)]
    signature: Signature,
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
        let signature = identity.sign(SIGN_DEVICE_CERTIFICATE, &to_bytes(&statement));
        Self { statement, signature }
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
        verify(&statement.identity.0, SIGN_DEVICE_CERTIFICATE, &to_bytes(statement), &self.signature)?;
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
    #[error("the device's certificate is not signed by its person")]
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
}
