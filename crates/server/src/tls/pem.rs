//! Certificates and private keys out of PEM files.
//!
//! A private key may be encrypted as PKCS #8 is (`BEGIN ENCRYPTED PRIVATE KEY`, what OpenSSL 3 writes);
//! the older kind with a `DEK-Info` header is refused with a word on how to convert it.

use pkcs8::der::pem::PemLabel as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

/// Bytes of a file of certificates or of a key at most; bundles of all public authorities have 300 KB.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Files of a directory of authorities at most.
const FILES_MAX: usize = 65_536;

/// Why a file is of no use, for the log.
pub(super) type Reason = String;

fn read(path: &Path) -> Result<Vec<u8>, Reason> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| system(&error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it has more than {FILE_BYTES_MAX} bytes"));
    }
    Ok(bytes)
}

/// The operating system's own words, without Rust's suffix.
fn system(error: &std::io::Error) -> Reason {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_owned()
}

/// The certificates of a file, at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Reason> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    match found {
        Ok(found) if found.is_empty() => Err("it holds no certificate".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(error.to_string()),
    }
}

/// The certificates of a directory: of the files that `openssl rehash` named (`1a2b3c4d.0`), as
/// OpenSSL looks for no others.
pub(super) fn directory(path: &Path) -> Result<Vec<CertificateDer<'static>>, Reason> {
    let mut found = BTreeSet::new();
    for (seen, entry) in std::fs::read_dir(path).map_err(|e| system(&e))?.enumerate() {
        if seen == FILES_MAX {
            return Err(format!("it has more than {FILES_MAX} files"));
        }
        let entry = entry.map_err(|e| system(&e))?;
        if is_hash(&entry.file_name().to_string_lossy()) {
            let path = entry.path();
            let more = certificates(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            found.extend(more.into_iter().map(|c| c.to_vec()));
        }
    }
    if found.is_empty() {
        return Err("it has no certificates with names as `openssl rehash` makes them".to_owned());
    }
    Ok(found.into_iter().map(CertificateDer::from).collect())
}

fn is_hash(name: &str) -> bool {
    name.split_once('.').is_some_and(|(hash, number)| {
        let digits =
            |text: &str, radix| !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
        hash.len() == 8 && digits(hash, 16) && digits(number, 10)
    })
}

/// The private key of a file, decrypted with `password` if it is encrypted.
pub(super) fn private_key(path: &Path, password: &[u8]) -> Result<PrivateKeyDer<'static>, Reason> {
    let text = read(path)?;
    if let Some(block) = encrypted_block(&text) {
        return decrypt(block, password);
    }
    if memchr::memmem::find(&text, b"Proc-Type: 4,ENCRYPTED").is_some() {
        return Err(
            "it is encrypted in the form before PKCS #8; convert it with `openssl pkcs8 -topk8`"
                .to_owned(),
        );
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => "it holds no private key".to_owned(),
        other => other.to_string(),
    })
}

/// The encrypted key of a file that may hold certificates and remarks too.
fn encrypted_block(text: &[u8]) -> Option<&str> {
    let label = pkcs8::EncryptedPrivateKeyInfoOwned::PEM_LABEL;
    let start = memchr::memmem::find(text, format!("-----BEGIN {label}-----").as_bytes())?;
    let end = format!("-----END {label}-----");
    let len = memchr::memmem::find(&text[start..], end.as_bytes())? + end.len();
    std::str::from_utf8(&text[start..start + len]).ok()
}

fn decrypt(block: &str, password: &[u8]) -> Result<PrivateKeyDer<'static>, Reason> {
    if password.is_empty() {
        return Err("it is encrypted and tls-key-file-pass is not set".to_owned());
    }
    let (_, document) = pkcs8::SecretDocument::from_pem(block).map_err(|e| e.to_string())?;
    let encrypted = pkcs8::EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
        .map_err(|e| e.to_string())?;
    let plain = encrypted.decrypt(password).map_err(|e| {
        format!("it cannot be decrypted: is tls-key-file-pass the right one? ({e})")
    })?;
    Ok(PrivatePkcs8KeyDer::from(plain.as_bytes().to_vec()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes-256-cbc`; the
    /// password is `secret`.
    const ENCRYPTED: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgWIB+E4wxbvQICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEPRdMCG7fBLGMMfuWbHVdSoEgZCT
UGSIZEGud1odDETmTIo7s9PnD0XEFc3N3KYH6pqMW2d2ZrA8XPr5OliHqSZYCh2+
pVvBvcnMBMxEwCHJOq2ltZGNFAIFg7DMsBKEYEx/8Im9UPbBIBEWPwX5dKSW2ar4
BKvnKlRcABhnlTJFzps9LIV+eVVapYhUbGTvuNfDSAvnb2TE10ZMXZrnrBgbGaU=
-----END ENCRYPTED PRIVATE KEY-----
";

    #[test]
    fn encrypted_keys_open_with_their_password() {
        let text = format!("a remark\n{ENCRYPTED}");
        let block = encrypted_block(text.as_bytes()).expect("there is one");
        let key = decrypt(block, b"secret").expect("the right password");
        rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).expect("a key");
        let wrong = decrypt(block, b"wrong").expect_err("the wrong password");
        assert!(
            wrong.contains("is tls-key-file-pass the right one?"),
            "{wrong}"
        );
        let none = decrypt(block, b"").expect_err("no password");
        assert!(none.contains("tls-key-file-pass is not set"), "{none}");
        assert!(encrypted_block(b"-----BEGIN ENCRYPTED PRIVATE KEY-----").is_none());
    }

    #[test]
    fn names_of_a_rehashed_directory_are_known() {
        for (name, expected) in [
            ("1a2b3c4d.0", true),
            ("1a2b3c4d.12", true),
            ("1a2b3c4d.r0", false),
            ("1a2b3c4.0", false),
            ("1a2b3c4g.0", false),
            ("1a2b3c4d.", false),
            ("ca.pem", false),
        ] {
            assert_eq!(is_hash(name), expected, "{name}");
        }
    }
}
