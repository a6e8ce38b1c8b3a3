//! From the settings to rustls' configuration. Every reason for refusal is for the log, in Redis's
//! words where Redis has them; the client of CONFIG SET is told to look there.

use super::pem;
use super::sessions::Sessions;
use super::stream::RECORD_SENT_MAX;
use ochre_ciphers::{Selection, select_ciphers, select_suites};
use ochre_engine::settings::{Settings, id};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The settings that [`configure`] reads: a change of any of them makes a new configuration.
pub(crate) const SETTINGS: &[&str] = &[
    "tls-cert-file",
    "tls-key-file",
    "tls-key-file-pass",
    "tls-ca-cert-file",
    "tls-ca-cert-dir",
    "tls-auth-clients",
    "tls-protocols",
    "tls-ciphers",
    "tls-ciphersuites",
    "tls-prefer-server-ciphers",
    "tls-session-caching",
    "tls-session-cache-size",
    "tls-session-cache-timeout",
];

/// A configuration, and what the operator should know of it.
pub(crate) struct Configured {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) remarks: Vec<String>,
}

/// Makes the configuration that `settings` ask for.
///
/// # Errors
/// With the reason, when a file cannot be used or a setting asks for what is not there.
pub(crate) fn configure(settings: &Settings) -> Result<Configured, String> {
    let mut remarks = Vec::new();
    let certificate = certificate(settings, &mut remarks)?;
    let roots = roots(settings)?;
    let versions = versions(&settings.words(id::TLS_PROTOCOLS))?;
    let provider = CryptoProvider {
        cipher_suites: suites(settings, &versions, &mut remarks)?,
        ..aws_lc_rs::default_provider()
    };
    let provider = Arc::new(provider);
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions)
        .map_err(|e| format!("Failed to configure TLS: {e}"))?;
    let auth = settings.choice(id::TLS_AUTH_CLIENTS);
    let builder = match (auth, roots) {
        ("no", _) => builder.with_no_client_auth(),
        (_, None) => return Err(NO_AUTHORITY.to_owned()),
        (auth, Some(roots)) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match auth {
                "optional" => verifier.allow_unauthenticated(),
                _ => verifier,
            };
            let verifier = verifier
                .build()
                .map_err(|e| format!("{NO_AUTHORITIES}: {e}"))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let resolver = Arc::new(SingleCertAndKey::from(certificate));
    let mut config = builder.with_cert_resolver(resolver);
    config.max_fragment_size = Some(RECORD_SENT_MAX);
    config.ignore_client_order = settings.flag(id::TLS_PREFER_SERVER_CIPHERS);
    if settings.flag(id::TLS_SESSION_CACHING) {
        let most = usize::try_from(settings.size(id::TLS_SESSION_CACHE_SIZE)).unwrap_or(0);
        let life = Duration::from_secs(settings.size(id::TLS_SESSION_CACHE_TIMEOUT));
        config.session_storage = Arc::new(Sessions::new(most, life));
    } else {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Configured {
        config: Arc::new(config),
        remarks,
    })
}

const NO_AUTHORITY: &str = "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-auth-clients is enabled!";
const NO_AUTHORITIES: &str = "Failed to configure CA certificate(s) file/directory";

fn path(bytes: &[u8]) -> Option<PathBuf> {
    (!bytes.is_empty()).then(|| Path::new(OsStr::from_bytes(bytes)).to_owned())
}

fn certificate(settings: &Settings, remarks: &mut Vec<String>) -> Result<CertifiedKey, String> {
    let file = path(&settings.text(id::TLS_CERT_FILE)).ok_or("No tls-cert-file configured!")?;
    let key_file = path(&settings.text(id::TLS_KEY_FILE)).ok_or("No tls-key-file configured!")?;
    let chain = pem::certificates(&file)
        .map_err(|e| format!("Failed to load certificate: {}: {e}", file.display()))?;
    let failed = |e: String| format!("Failed to load private key: {}: {e}", key_file.display());
    let key = pem::private_key(&key_file, &settings.text(id::TLS_KEY_FILE_PASS)).map_err(failed)?;
    let key = aws_lc_rs::sign::any_supported_type(&key).map_err(|e| failed(e.to_string()))?;
    let certificate = CertifiedKey::new(chain, key);
    if let Err(error) = certificate.keys_match() {
        // rustls does not read certificates of X.509 version 1, which OpenSSL's commands made by
        // default for long; other clients take them. The key stands in them as it is.
        let key = certificate.key.public_key();
        let is_in = |leaf: &[u8]| key.is_some_and(|k| memchr::memmem::find(leaf, &k).is_some());
        if !certificate.cert.first().is_some_and(|leaf| is_in(leaf)) {
            return Err(failed("it does not belong to the certificate".to_owned()));
        }
        remarks.push(format!(
            "Clients that use rustls refuse the certificate {}: {error}",
            file.display()
        ));
    }
    Ok(certificate)
}

/// The authorities that are trusted; `None` when none are named.
fn roots(settings: &Settings) -> Result<Option<RootCertStore>, String> {
    let file = path(&settings.text(id::TLS_CA_CERT_FILE));
    let folder = path(&settings.text(id::TLS_CA_CERT_DIR));
    if file.is_none() && folder.is_none() {
        return Ok(None);
    }
    let mut found = Vec::new();
    for (path, read) in [
        (file, pem::certificates as fn(&Path) -> _),
        (folder, pem::directory),
    ] {
        if let Some(path) = path {
            let more =
                read(&path).map_err(|e| format!("{NO_AUTHORITIES}: {}: {e}", path.display()))?;
            found.extend(more);
        }
    }
    let mut roots = RootCertStore::empty();
    // A bundle may hold certificates that no rule of today accepts; the others count.
    let (taken, refused) = roots.add_parsable_certificates(found);
    if taken == 0 {
        return Err(format!(
            "{NO_AUTHORITIES}: none of the {refused} certificates can be used"
        ));
    }
    Ok(Some(roots))
}

fn versions(words: &[String]) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let mut versions = Vec::new();
    for word in words {
        let version = match word.to_ascii_lowercase().as_str() {
            "tlsv1.2" => &version::TLS12,
            "tlsv1.3" => &version::TLS13,
            "tlsv1" | "tlsv1.1" => {
                return Err(format!(
                    "Invalid tls-protocols specified. Ochre has no {word}, which is broken. Use a combination of 'TLSv1.2' and 'TLSv1.3'."
                ));
            }
            _ => {
                return Err(
                    "Invalid tls-protocols specified. Use a combination of 'TLSv1.2' and 'TLSv1.3'."
                        .to_owned(),
                );
            }
        };
        versions.push(version);
    }
    if versions.is_empty() {
        versions = vec![&version::TLS12, &version::TLS13];
    }
    Ok(versions)
}

fn suites(
    settings: &Settings,
    versions: &[&SupportedProtocolVersion],
    remarks: &mut Vec<String>,
) -> Result<Vec<rustls::SupportedCipherSuite>, String> {
    let ciphers = settings.text(id::TLS_CIPHERS);
    let named = settings.text(id::TLS_CIPHERSUITES);
    let (ciphers, named) = (
        String::from_utf8_lossy(&ciphers),
        String::from_utf8_lossy(&named),
    );
    let old = select_ciphers(&ciphers)
        .ok_or_else(|| format!("Failed to configure ciphers: {ciphers}"))?;
    let new = select_suites(&named)
        .ok_or_else(|| format!("Failed to configure ciphersuites: {named}"))?;
    let mut suites = Vec::new();
    for (setting, Selection { suites: more, idle }) in
        [("tls-ciphersuites", new), ("tls-ciphers", old)]
    {
        for word in idle {
            remarks.push(format!(
                "{setting}: '{word}' selects nothing that Ochre has"
            ));
        }
        suites.extend(more.into_iter().filter(|s| versions.contains(&s.version())));
    }
    Ok(suites)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_that_is_read_is_there_and_has_effect() {
        use ochre_engine::settings::{Standing, lookup};
        for name in SETTINGS {
            let setting = lookup(name.as_bytes());
            assert!(
                setting.is_some_and(|s| s.standing == Standing::Live),
                "{name}"
            );
        }
    }

    #[test]
    fn protocols_are_named_in_any_case() {
        let parse = |text: &str| {
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            versions(&words)
        };
        assert_eq!(parse("").map(|v| v.len()), Ok(2));
        assert_eq!(parse("tlsV1.3"), Ok(vec![&version::TLS13]));
        assert!(parse("TLSv1.1 TLSv1.2").is_err());
        assert!(parse("SSLv3").is_err());
    }
}
