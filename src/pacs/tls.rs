//! DICOM over TLS (PS3.15 Annex B.12): whose certificate is shown, and whose is asked for.
//!
//! TLS 1.2 and 1.3 with the suites of ring. The provider is named in every configuration: a second one is in the tree,
//! and the automatic choice between two panics. Without an authority for client certificates TLS keeps others from
//! listening, but says nothing of who calls.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use zeroize::Zeroizing;

/// Largest PEM file that is read, in bytes.
pub const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// Where the PEM files lie.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// This side's certificate, with those between it and its authority.
    pub certificates: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities whose client certificates are asked for; `None`: no client shows one.
    pub authorities: Option<PathBuf>,
}

/// The configuration of a listener.
///
/// # Errors
/// If a file cannot be read, or does not hold what it should, or certificate and key do not belong together.
pub fn server_config(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificates = certificates(&files.certificates)?;
    let pem = read(&files.key)?;
    let key = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| TlsError::Lacks { path: files.key.clone(), what: "a private key in PEM, without passphrase" })?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?;
    let builder = match &files.authorities {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in self::certificates(path)? {
                roots.add(authority).map_err(TlsError::Unusable)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| TlsError::Authorities { path: path.clone(), why: error.to_string() })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    Ok(Arc::new(builder.with_single_cert(certificates, key).map_err(TlsError::Unusable)?))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(TlsError::Lacks { path: path.to_owned(), what: "certificates in PEM" }),
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let mut pem = Zeroizing::new(Vec::new());
    File::open(path)
        .and_then(|file| file.take(PEM_BYTES_MAX).read_to_end(&mut pem))
        .map_err(|error| TlsError::Unreadable { path: path.to_owned(), why: error.kind() })?;
    Ok(pem)
}

/// Why there is no TLS: our own files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{} cannot be read: {why}", path.display())]
    Unreadable { path: PathBuf, why: std::io::ErrorKind },
    #[error("{} holds no {what}", path.display())]
    Lacks { path: PathBuf, what: &'static str },
    #[error("the authorities in {} cannot be used: {why}", path.display())]
    Authorities { path: PathBuf, why: String },
    #[error("certificate and key cannot be used: {0}")]
    Unusable(rustls::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_hold_something_else_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "").unwrap();
        let files = |certificates: &Path| TlsFiles {
            certificates: certificates.to_owned(),
            key: empty.clone(),
            authorities: None,
        };
        let error = server_config(&files(&folder.path().join("none.pem"))).unwrap_err();
        assert!(matches!(error, TlsError::Unreadable { why: std::io::ErrorKind::NotFound, .. }), "{error}");
        let error = server_config(&files(&empty)).unwrap_err();
        assert!(error.to_string().ends_with("empty.pem holds no certificates in PEM"), "{error}");
    }
}
