//! Encrypted connections: rustls, with the certificates of the system unless others are named.

use crate::error::Error;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
    SupportedCipherSuite, version,
};

/// How connections are encrypted.
///
/// ```no_run
/// use ochre_client::{Config, TlsConfig};
///
/// let tls = TlsConfig::new()?
///     .ca_file("ca.crt")?
///     .client_certificate("client.crt", "client.key")?;
/// let config = Config::parse("rediss://cache.example:6380")?.tls(tls);
/// # Ok::<(), ochre_client::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TlsConfig {
    roots: Roots,
    identity: Option<Arc<Identity>>,
    server_name: Option<String>,
    /// Of TLS 1.2 and 1.3; nothing means what rustls prefers.
    ciphers: Option<Vec<SupportedCipherSuite>>,
    suites: Option<Vec<SupportedCipherSuite>>,
    /// What the above amounts to, once a connection needed it; it also remembers sessions, so that the next
    /// connection's handshake is shorter.
    ready: Arc<OnceLock<Arc<ClientConfig>>>,
}

#[derive(Clone, Debug)]
enum Roots {
    System,
    Given(Arc<RootCertStore>),
    /// Any certificate is taken.
    None,
}

#[derive(Debug)]
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

fn unusable(what: &Path, reason: impl std::fmt::Display) -> Error {
    Error::config(format!("{}: {reason}", what.display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let all = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| unusable(path, e))?;
    match all.is_empty() {
        true => Err(unusable(path, "no certificate")),
        false => Ok(all),
    }
}

impl TlsConfig {
    /// Trusts what the system trusts.
    ///
    /// # Errors
    /// None at present; certificates are read when the first connection is made.
    pub fn new() -> Result<TlsConfig, Error> {
        Ok(TlsConfig {
            roots: Roots::System,
            identity: None,
            server_name: None,
            ciphers: None,
            suites: None,
            ready: Arc::default(),
        })
    }

    /// Trusts the certificates of a PEM file, and no others.
    ///
    /// # Errors
    /// When the file has none, or one that is malformed.
    pub fn ca_file(mut self, path: impl AsRef<Path>) -> Result<TlsConfig, Error> {
        let path = path.as_ref();
        let mut roots = RootCertStore::empty();
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|e| unusable(path, e))?;
        }
        self.roots = Roots::Given(Arc::new(roots));
        self.ready = Arc::default();
        Ok(self)
    }

    /// Trusts the certificates of the PEM files in a folder, and no others.
    ///
    /// # Errors
    /// When the folder cannot be read, or holds no certificate.
    pub fn ca_folder(mut self, path: impl AsRef<Path>) -> Result<TlsConfig, Error> {
        let path = path.as_ref();
        let mut roots = RootCertStore::empty();
        for entry in std::fs::read_dir(path).map_err(|e| unusable(path, e))? {
            let file = entry.map_err(|e| unusable(path, e))?.path();
            // Such folders hold other things as well.
            let all = certificates(&file).unwrap_or_default();
            roots.add_parsable_certificates(all);
        }
        if roots.is_empty() {
            return Err(unusable(path, "no certificate"));
        }
        self.roots = Roots::Given(Arc::new(roots));
        self.ready = Arc::default();
        Ok(self)
    }

    /// Shows the server a certificate, from PEM files.
    ///
    /// # Errors
    /// When one of the files does not have what it should.
    pub fn client_certificate(
        mut self,
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<TlsConfig, Error> {
        let key = key.as_ref();
        self.identity = Some(Arc::new(Identity {
            chain: certificates(certificate.as_ref())?,
            key: PrivateKeyDer::from_pem_file(key).map_err(|e| unusable(key, e))?,
        }));
        self.ready = Arc::default();
        Ok(self)
    }

    /// Expects the server's certificate to be for this name, whatever address was connected to.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> TlsConfig {
        self.server_name = Some(name.into());
        self
    }

    /// Offers only these ciphers in TLS 1.2, in their order: a list as `openssl-ciphers(1)` documents it.
    ///
    /// # Errors
    /// When the list is malformed or selects nothing that is there.
    pub fn ciphers(mut self, list: &str) -> Result<TlsConfig, Error> {
        let none = || Error::config(format!("no cipher of TLS 1.2 in '{list}'"));
        self.ciphers = Some(ochre_ciphers::select_ciphers(list).ok_or_else(none)?.suites);
        self.ready = Arc::default();
        Ok(self)
    }

    /// Offers only these cipher suites in TLS 1.3, in their order: OpenSSL's names with colons between them.
    ///
    /// # Errors
    /// When the list selects nothing that is there.
    pub fn cipher_suites(mut self, list: &str) -> Result<TlsConfig, Error> {
        let none = || Error::config(format!("no cipher suite of TLS 1.3 in '{list}'"));
        self.suites = Some(ochre_ciphers::select_suites(list).ok_or_else(none)?.suites);
        self.ready = Arc::default();
        Ok(self)
    }

    /// Takes any certificate: the connection is encrypted, and who is at its other end is not known.
    #[must_use]
    pub fn danger_accept_any_certificate(mut self) -> TlsConfig {
        self.roots = Roots::None;
        self.ready = Arc::default();
        self
    }

    /// What rustls needs to make connections by this, for those who drive them without Tokio.
    ///
    /// # Errors
    /// When the system has no certificates, or the client's own do not fit its key.
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(config) = self.ready.get() {
            return Ok(config.clone());
        }
        let config = Arc::new(self.build()?);
        Ok(self.ready.get_or_init(|| config).clone())
    }

    /// What this amounts to for other protocols over TLS: rustls's configuration, and the name that the certificate of
    /// the server `host` has to be for.
    ///
    /// # Errors
    /// When a certificate is of no use, or `host` is no name.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn rustls(
        &self,
        host: &str,
    ) -> Result<(Arc<ClientConfig>, ServerName<'static>), Error> {
        let name = self.server_name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name)
            .map_err(|_| Error::config(format!("'{host}' is no name of a server")))?;
        Ok((self.ready().await?, name))
    }

    pub(crate) async fn connect(
        &self,
        host: &str,
        tcp: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Error> {
        let (config, name) = self.rustls(host).await?;
        Ok(TlsConnector::from(config).connect(name, tcp).await?)
    }

    async fn ready(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(config) = self.ready.get() {
            return Ok(config.clone());
        }
        // Reads the system's certificates, which are many files.
        let this = self.clone();
        let config = tokio::task::spawn_blocking(move || this.client_config()).await;
        config.map_err(io::Error::other)?
    }

    fn provider(&self) -> CryptoProvider {
        let mut provider = aws_lc_rs::default_provider();
        let named = [
            (&version::TLS13, &self.suites),
            (&version::TLS12, &self.ciphers),
        ];
        for (version, suites) in named {
            if let Some(suites) = suites {
                provider.cipher_suites.retain(|s| s.version() != version);
                provider.cipher_suites.extend(suites);
            }
        }
        provider
    }

    fn build(&self) -> Result<ClientConfig, Error> {
        let provider = Arc::new(self.provider());
        let wrong = |e: TlsError| Error::config(format!("TLS: {e}"));
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(wrong)?;
        let builder = match &self.roots {
            Roots::Given(roots) => builder.with_root_certificates(roots.clone()),
            Roots::System => builder.with_root_certificates(system_roots()?),
            Roots::None => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
        };
        match &self.identity {
            None => Ok(builder.with_no_client_auth()),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(wrong),
        }
    }
}

fn system_roots() -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let reason = found.errors.first().map(ToString::to_string);
        let reason = reason.unwrap_or_else(|| "the system has no certificates".to_owned());
        return Err(io::Error::other(reason).into());
    }
    Ok(roots)
}

/// Checks signatures, so that the peer has the key of its certificate, and nothing else.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
