//! TLS towards Postgres, as libpq's modes have it.
//!
//! The driver only knows the traits; what stands here binds rustls to them. There is no channel binding: it would take
//! a parser for certificates.

use std::{io, pin::Pin, sync::Arc, task};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{self, CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    server::ParsedCertificate,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

use crate::db::BoxFuture;

/// Whose certificate is taken.
pub(super) enum Trust {
    /// Everybody's: who listens learns nothing, who stands in between learns all.
    Anybody,
    /// One of these authorities, or one of these certificates itself.
    Known {
        /// A PEM file; without it the system's.
        root: Option<String>,
        /// And the name must be that of the host.
        named: bool,
    },
}

impl Trust {
    /// Those that `root` holds, for any host.
    pub(super) fn authorities(root: Option<&str>) -> Self {
        Self::Known { root: root.map(str::to_owned), named: false }
    }

    /// Those that `root` holds, for the host's name.
    pub(super) fn names(root: Option<&str>) -> Self {
        let root = root.filter(|root| *root != "system").map(str::to_owned);
        Self::Known { root, named: true }
    }
}

/// Makes streams encrypted.
#[derive(Clone)]
pub(super) struct Tls(Arc<ClientConfig>);

impl Tls {
    /// With this trust; says what is wrong with its file.
    pub(super) fn new(trust: Trust) -> Result<Self, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let check: Arc<dyn ServerCertVerifier> = match trust {
            Trust::Anybody => Arc::new(Check { provider: provider.clone(), known: None }),
            Trust::Known { root, named } => {
                let known = Some(Known::load(root.as_deref(), named, &provider)?);
                Arc::new(Check { provider: provider.clone(), known })
            }
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(check)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}

#[derive(Debug)]
struct Check {
    provider: Arc<CryptoProvider>,
    known: Option<Known>,
}

#[derive(Debug)]
struct Known {
    authorities: Arc<WebPkiServerVerifier>,
    certificates: Vec<CertificateDer<'static>>,
    named: bool,
}

impl Known {
    fn load(
        root: Option<&str>,
        named: bool,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let certificates = match root {
            Some(path) => from_file(path)?,
            // What cannot be read of the system's is left out, as every other program does.
            None => rustls_native_certs::load_native_certs().certs,
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        let authorities =
            WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone())
                .build()
                .map_err(|error| {
                    let place = root.unwrap_or("the system");
                    format!("{place} has no certificate authority: {error}")
                })?;
        Ok(Self { authorities, certificates, named })
    }

    fn check(
        &self,
        server: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let checked = self.authorities.verify_server_cert(server, between, name, &[], now);
        match checked.map(drop) {
            // The name is looked at last.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.named => Ok(()),
            // A certificate that signed itself, as `openssl req -x509` makes it, calls itself an authority, which a
            // server's must not be. Its time was looked at before; it is believed if it was named itself.
            Err(error) if is_authority(&error) => {
                if !self.certificates.contains(server) {
                    return Err(CertificateError::UnknownIssuer.into());
                }
                if self.named {
                    verify_server_name(&ParsedCertificate::try_from(server)?, name)?;
                }
                Ok(())
            }
            other => other,
        }
    }
}

fn from_file(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(|found| found.collect());
    let found: Vec<CertificateDer<'static>> =
        read.map_err(|error| format!("sslrootcert {path}: {error}"))?;
    if found.is_empty() {
        return Err(format!("sslrootcert {path}: it holds no certificate in PEM"));
    }
    Ok(found)
}

fn is_authority(error: &rustls::Error) -> bool {
    let rustls::Error::InvalidCertificate(CertificateError::Other(other)) = error else {
        return false;
    };
    // Its type is of a crate that is not named here; another text would refuse too much, and a test would notice.
    other.to_string() == "CaUsedAsEndEntity"
}

impl ServerCertVerifier for Check {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(known) = &self.known {
            known.check(server, between, name, now)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// One handshake to come.
pub(super) struct Handshake {
    config: Arc<ClientConfig>,
    host: String,
}

impl<S> MakeTlsConnect<S> for Tls
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type TlsConnect = Handshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<Handshake> {
        Ok(Handshake { config: self.0.clone(), host: host.to_owned() })
    }
}

impl<S> TlsConnect<S> for Handshake
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Encrypted<S>>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let name = ServerName::try_from(self.host).map_err(io::Error::other)?;
            let stream = TlsConnector::from(self.config).connect(name, stream).await;
            let stream = stream.map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => io::Error::other(format!(
                    "{error}; whom to believe is named by `sslrootcert` in db.url"
                )),
                _ => error,
            })?;
            Ok(Encrypted(Box::new(stream)))
        })
    }
}

/// An encrypted stream. In a box, since it is large and the driver's enum holds a plain one as well.
pub(super) struct Encrypted<S>(Box<tokio_rustls::client::TlsStream<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
        bytes: &[u8],
    ) -> task::Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
