//! From settings to what the TLS library takes.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};

use crate::config::{TlsConfig, TlsVersion};
use crate::error::HttpError;
use crate::source::Source;

/// The texts that the settings name, as they were when they were read.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Pem {
    ca: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Pem {
    /// Reads the files that the settings name.
    pub(crate) fn read(settings: &TlsConfig) -> Result<Self, HttpError> {
        let ca = settings.ca.as_ref().map(|ca| read(ca, "CA cert")).transpose()?;
        let identity = match &settings.identity {
            Some((cert, key)) => Some((read(cert, "client cert")?, read(key, "client key")?)),
            None => None,
        };
        Ok(Self { ca, identity })
    }
}

/// Whether any of the settings stands in a file, which may change.
pub(crate) fn has_files(settings: &TlsConfig) -> bool {
    let identity = settings.identity.iter().flat_map(|(cert, key)| [cert, key]);
    settings.ca.iter().chain(identity).any(|source| matches!(source, Source::File(_)))
}

fn read(source: &Source, what: &'static str) -> Result<Vec<u8>, HttpError> {
    match source {
        Source::Text(text) => Ok(text.as_bytes().to_vec()),
        Source::File(path) => {
            std::fs::read(path).map_err(|error| HttpError::file(what, Path::to_path_buf(path), error))
        }
    }
}

/// The library's settings. Reads the system's authorities if the settings name none, which takes some milliseconds.
pub(crate) fn client_config(settings: &TlsConfig, pem: &Pem, enable_http2: bool) -> Result<ClientConfig, HttpError> {
    let fail = |error: rustls::Error| HttpError::TlsSettings(error.to_string());
    // Given to each client instead of installed for the process: whoever links us decides about theirs.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone());
    let builder = builder.with_protocol_versions(&versions(settings)?).map_err(fail)?;
    let trust = if settings.insecure_skip_verify {
        Trust::Anything
    } else {
        Trust::in_authorities(pem.ca.as_deref(), provider.clone())?
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(Verifier { trust, provider }));
    let mut config = match &pem.identity {
        Some((cert, key)) => {
            let key = PrivateKeyDer::from_pem_slice(key)
                .map_err(|error| HttpError::TlsSettings(format!("unable to use client key: {error}")))?;
            builder.with_client_auth_cert(certificates(cert, "client cert")?, key).map_err(fail)?
        }
        None => builder.with_no_client_auth(),
    };
    if enable_http2 {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    }
    Ok(config)
}

/// The versions that the settings allow: at least one.
pub(crate) fn versions(settings: &TlsConfig) -> Result<Vec<&'static SupportedProtocolVersion>, HttpError> {
    let known = [(TlsVersion::Tls12, &rustls::version::TLS12), (TlsVersion::Tls13, &rustls::version::TLS13)];
    let is_allowed = |version| {
        settings.min_version.is_none_or(|min| version >= min) && settings.max_version.is_none_or(|max| version <= max)
    };
    let versions: Vec<_> = known.into_iter().filter(|(version, _)| is_allowed(*version)).map(|(_, it)| it).collect();
    if versions.is_empty() {
        return Err(HttpError::TlsSettings("only TLS 1.2 and 1.3 are spoken, and neither is allowed".to_owned()));
    }
    Ok(versions)
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, HttpError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(HttpError::TlsSettings(format!("unable to use specified {what}: no certificate in it"))),
        Err(error) => Err(HttpError::TlsSettings(format!("unable to use specified {what}: {error}"))),
    }
}

/// The name to expect in a server's certificate and to tell it that we expect.
pub(crate) fn server_name(name: &str) -> io::Result<ServerName<'static>> {
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    ServerName::try_from(bare.to_owned()).map_err(|_| io::Error::other(format!("{name:?} is no name of a server")))
}

/// Decides whether a server is the one that was meant. That it has its certificate's key is checked in any case.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Trust {
    /// What `insecure_skip_verify` asks for.
    Anything,
    /// In what an authority signed, and in a certificate that is itself among the given ones.
    ///
    /// The second is for exporters with a certificate that they signed themselves, which users give as `ca_file`. Go takes
    /// it; the library's own check does not, since it never takes an authority's certificate for a server's.
    Authorities { given: Vec<CertificateDer<'static>>, signers: Arc<WebPkiServerVerifier> },
}

impl Trust {
    /// In the authorities in `ca`, or in the system's without it.
    fn in_authorities(ca: Option<&[u8]>, provider: Arc<CryptoProvider>) -> Result<Self, HttpError> {
        let fail = |error: String| HttpError::TlsSettings(format!("unable to use specified CA cert: {error}"));
        let given = ca.map(|pem| certificates(pem, "CA cert")).transpose()?.unwrap_or_default();
        let mut store = RootCertStore::empty();
        if ca.is_none() {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if store.is_empty() {
                return Err(HttpError::TlsSettings("the system has no certificate authorities".to_owned()));
            }
        }
        for certificate in &given {
            store.add(certificate.clone()).map_err(|error| fail(error.to_string()))?;
        }
        let signers = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider)
            .build()
            .map_err(|error| fail(error.to_string()))?;
        Ok(Self::Authorities { given, signers })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.trust {
            Trust::Anything => Ok(ServerCertVerified::assertion()),
            Trust::Authorities { given, .. } if given.contains(end_entity) => {
                // Whoever gave us this very certificate trusts it, so its dates are not looked at.
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            Trust::Authorities { signers, .. } => {
                signers.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
