//! TLS to a pool, and whom it trusts.

use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{self, CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

/// Whose certificates are taken for a pool's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// What the system's authorities vouch for.
    #[default]
    System,
    /// What these authorities vouch for, and nobody else.
    Authorities(Vec<CertificateDer<'static>>),
    /// The one with this fingerprint, whoever vouches for it, whatever its name and dates.
    Fingerprint(Fingerprint),
}

/// The SHA-256 of a certificate in DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// What is wrong with whom to trust.
#[derive(Debug, Error)]
pub enum TrustError {
    /// The file of authorities.
    #[error("tls-ca: {path:?}: {source}; expected certificates in PEM")]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: pem::Error,
    },
    /// A fingerprint that is none.
    #[error("tls-fingerprint: {0:?}; expected the SHA-256 of a certificate, 64 hex digits, with or without colons")]
    Fingerprint(String),
}

impl Trust {
    /// The authorities in a file of PEM.
    pub fn authorities(path: &Path) -> Result<Trust, TrustError> {
        let error = |source| TrustError::File { path: path.to_owned(), source };
        let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        match certificates.map_err(error)? {
            none if none.is_empty() => Err(error(pem::Error::NoItemsFound)),
            certificates => Ok(Trust::Authorities(certificates)),
        }
    }
}

impl FromStr for Fingerprint {
    type Err = TrustError;

    fn from_str(text: &str) -> Result<Fingerprint, TrustError> {
        let digits: String = text.chars().filter(|digit| *digit != ':').collect();
        let bytes = hex::decode_to_array(&digits);
        bytes.map(Fingerprint).map_err(|_| TrustError::Fingerprint(text.to_owned()))
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Begins TLS on a connection to this host.
pub(super) async fn handshake(trust: &Trust, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let name =
        ServerName::try_from(host.to_owned()).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(trust, Arc::clone(&provider))?;
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(io::Error::other)?.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    TlsConnector::from(Arc::new(config.with_no_client_auth())).connect(name, stream).await.map_err(plainly)
}

/// What [`Verifier`] says, without the words that rustls puts before it.
fn plainly(error: io::Error) -> io::Error {
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(rustls::Error::General(what)) => io::Error::other(what.clone()),
        _ => error,
    }
}

/// Whether a certificate is refused for its dates, as a good one is by a clock that is wrong.
fn is_of_dates(error: &rustls::Error) -> bool {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    matches!(
        error,
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. })
    )
}

/// Checks certificates as [`Trust`] says. What it refuses it names by its fingerprint, so that a person can pin that.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    Vouched(Arc<WebPkiServerVerifier>),
    Pinned(Fingerprint),
}

impl Verifier {
    fn new(trust: &Trust, provider: Arc<CryptoProvider>) -> io::Result<Verifier> {
        let vouched = |authorities: &[CertificateDer<'static>]| {
            let mut roots = RootCertStore::empty();
            // A system may have some that cannot be read; the others count.
            roots.add_parsable_certificates(authorities.iter().cloned());
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
            verifier.map(Rule::Vouched).map_err(io::Error::other)
        };
        let rule = match trust {
            Trust::System => vouched(&rustls_native_certs::load_native_certs().certs)?,
            Trust::Authorities(authorities) => vouched(authorities)?,
            Trust::Fingerprint(fingerprint) => Rule::Pinned(*fingerprint),
        };
        Ok(Verifier { provider, rule })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found = Fingerprint(Sha256::digest(certificate).into());
        match &self.rule {
            Rule::Vouched(authorities) => {
                authorities.verify_server_cert(certificate, intermediates, name, ocsp, now).map_err(|error| {
                    let clock = if is_of_dates(&error) { "; is this machine's clock right?" } else { "" };
                    rustls::Error::General(format!(
                        "{error}{clock}; if this certificate is the right one, pin it by its fingerprint, {found}"
                    ))
                })
            }
            Rule::Pinned(pinned) if *pinned == found => Ok(ServerCertVerified::assertion()),
            Rule::Pinned(pinned) => Err(rustls::Error::General(format!(
                "the pool's certificate has the fingerprint {found}, and not {pinned}, which is pinned"
            ))),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_openssl_writes_them() {
        let plain: Fingerprint = "0123456789abcdef".repeat(4).parse().unwrap();
        let colons = [["01:23:45:67:89:AB:CD:EF"; 4].join(":"), plain.to_string()];
        assert!(colons.iter().all(|text| text.parse::<Fingerprint>().unwrap() == plain));
        for wrong in ["", "01", &"g".repeat(64), &"0".repeat(63), &"0".repeat(66)] {
            let error = wrong.parse::<Fingerprint>().unwrap_err().to_string();
            assert!(error.contains(wrong) && error.contains("64 hex digits"), "{error}");
        }
    }

    #[test]
    fn a_file_without_authorities_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        assert!(Trust::authorities(&file).unwrap_err().to_string().contains("ca.pem"));
        std::fs::write(&file, "no certificate").unwrap();
        assert!(Trust::authorities(&file).unwrap_err().to_string().contains("PEM"));
    }
}
