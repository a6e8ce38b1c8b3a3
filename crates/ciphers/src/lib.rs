//! OpenSSL's names for ciphers, on the ciphers that rustls has.
//!
//! What servers and clients of Redis call `tls-ciphers` is a cipher list as `openssl-ciphers(1)` documents it,
//! `tls-ciphersuites` a list of names. As with OpenSSL, a word that selects nothing is passed over, and a list that selects nothing
//! at all is an error. The expansions in the tests were taken from `openssl ciphers` 3.0.

use rustls::SupportedCipherSuite;
use rustls::crypto::aws_lc_rs::cipher_suite as suites;

/// A cipher of TLS 1.2: OpenSSL's name, what aliases select it, its strength.
struct Cipher {
    name: &'static str,
    tags: &'static [&'static str],
    bits: u16,
    suite: SupportedCipherSuite,
}

/// Aliases that select every cipher that there is here.
const EVERY: &[&str] = &[
    "ALL", "DEFAULT", "ECDH", "ECDHE", "EECDH", "HIGH", "TLSv1.2", "kECDHE", "kEECDH",
];

/// In OpenSSL's order of preference.
#[rustfmt::skip]
const CIPHERS: [Cipher; 6] = [
    Cipher { name: "ECDHE-ECDSA-AES256-GCM-SHA384", tags: &["ECDSA", "aECDSA", "AES", "AES256", "AESGCM", "FIPS"], bits: 256, suite: suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 },
    Cipher { name: "ECDHE-RSA-AES256-GCM-SHA384", tags: &["aRSA", "AES", "AES256", "AESGCM", "FIPS"], bits: 256, suite: suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 },
    Cipher { name: "ECDHE-ECDSA-CHACHA20-POLY1305", tags: &["ECDSA", "aECDSA", "CHACHA20"], bits: 256, suite: suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 },
    Cipher { name: "ECDHE-RSA-CHACHA20-POLY1305", tags: &["aRSA", "CHACHA20"], bits: 256, suite: suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 },
    Cipher { name: "ECDHE-ECDSA-AES128-GCM-SHA256", tags: &["ECDSA", "aECDSA", "AES", "AES128", "AESGCM", "FIPS"], bits: 128, suite: suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 },
    Cipher { name: "ECDHE-RSA-AES128-GCM-SHA256", tags: &["aRSA", "AES", "AES128", "AESGCM", "FIPS"], bits: 128, suite: suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 },
];

/// The cipher suites of TLS 1.3, in OpenSSL's order of preference.
const SUITES: [(&str, SupportedCipherSuite); 3] = [
    ("TLS_AES_256_GCM_SHA384", suites::TLS13_AES_256_GCM_SHA384),
    (
        "TLS_CHACHA20_POLY1305_SHA256",
        suites::TLS13_CHACHA20_POLY1305_SHA256,
    ),
    ("TLS_AES_128_GCM_SHA256", suites::TLS13_AES_128_GCM_SHA256),
];

/// The highest security level that every cipher and key here meets: 112 bits.
const SECLEVEL_MAX: u8 = 2;

impl Cipher {
    /// Whether all parts of `word`, joined by `+`, are this cipher's name or an alias for it.
    fn answers_to(&self, word: &str) -> bool {
        word.split('+')
            .all(|part| part == self.name || EVERY.contains(&part) || self.tags.contains(&part))
    }
}

/// What a cipher list selected.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The suites in their order.
    pub suites: Vec<SupportedCipherSuite>,
    /// Words that select nothing here.
    pub idle: Vec<String>,
}

/// The ciphers of TLS 1.2 that the cipher list `text` selects; the empty list selects all.
/// `None` when it selects none or is not well formed.
#[must_use]
pub fn select_ciphers(text: &str) -> Option<Selection> {
    let text = if text.is_empty() { "DEFAULT" } else { text };
    let mut chosen: Vec<usize> = Vec::new();
    let mut killed = [false; CIPHERS.len()];
    let mut idle = Vec::new();
    for word in text.split([':', ',', ' ', ';']).filter(|w| !w.is_empty()) {
        if let Some(directive) = word.strip_prefix('@') {
            apply_directive(directive, &mut chosen)?;
            continue;
        }
        let operator = word.chars().next().filter(|c| matches!(c, '!' | '-' | '+'));
        let name = &word[operator.map_or(0, char::len_utf8)..];
        if name.is_empty() {
            return None;
        }
        let hit: Vec<usize> = (0..CIPHERS.len())
            .filter(|i| CIPHERS[*i].answers_to(name))
            .collect();
        if hit.is_empty() && operator.is_none() {
            idle.push(word.to_owned());
        }
        match operator {
            None => {
                let fresh = |i: &usize| !killed[*i] && !chosen.contains(i);
                let fresh: Vec<usize> = hit.into_iter().filter(fresh).collect();
                chosen.extend(fresh);
            }
            Some('+') => {
                let (moved, kept) = chosen.into_iter().partition(|i| hit.contains(i));
                chosen = kept;
                chosen.extend::<Vec<usize>>(moved);
            }
            Some(operator) => {
                chosen.retain(|i| !hit.contains(i));
                if operator == '!' {
                    hit.iter().for_each(|i| killed[*i] = true);
                }
            }
        }
    }
    if chosen.is_empty() {
        return None;
    }
    let suites = chosen.into_iter().map(|i| CIPHERS[i].suite).collect();
    Some(Selection { suites, idle })
}

fn apply_directive(directive: &str, chosen: &mut [usize]) -> Option<()> {
    if directive == "STRENGTH" {
        chosen.sort_by_key(|i| std::cmp::Reverse(CIPHERS[*i].bits));
        return Some(());
    }
    let level: u8 = directive.strip_prefix("SECLEVEL=")?.parse().ok()?;
    (level <= SECLEVEL_MAX).then_some(())
}

/// The suites of TLS 1.3 that `text` names, with colons between them; the empty list selects all.
/// `None` when it selects none.
#[must_use]
pub fn select_suites(text: &str) -> Option<Selection> {
    let mut selection = Selection {
        suites: Vec::new(),
        idle: Vec::new(),
    };
    if text.is_empty() {
        selection.suites.extend(SUITES.iter().map(|s| s.1));
        return Some(selection);
    }
    for word in text.split(':').map(str::trim).filter(|w| !w.is_empty()) {
        match SUITES.iter().find(|(name, _)| *name == word) {
            None => selection.idle.push(word.to_owned()),
            Some((_, suite)) if selection.suites.contains(suite) => {}
            Some((_, suite)) => selection.suites.push(*suite),
        }
    }
    (!selection.suites.is_empty()).then_some(selection)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A letter a cipher: what `openssl ciphers -s -tls1_2 LIST` prints of ours.
    fn letters(list: &str) -> String {
        let letter = |suite: &SupportedCipherSuite| {
            let at = CIPHERS.iter().position(|c| c.suite == *suite);
            ["E", "R", "e", "r", "1", "2"][at.expect("one of ours")]
        };
        select_ciphers(list).map_or_else(String::new, |s| s.suites.iter().map(letter).collect())
    }

    #[test]
    fn cipher_lists_select_what_openssl_selects() {
        for (list, expected) in [
            ("", "ERer12"),
            ("DEFAULT", "ERer12"),
            ("DEFAULT:!MEDIUM", "ERer12"),
            ("HIGH:!aNULL", "ERer12"),
            ("aRSA", "Rr2"),
            ("ECDSA", "Ee1"),
            ("AESGCM", "ER12"),
            ("AES128", "12"),
            ("CHACHA20", "er"),
            ("FIPS", "ER12"),
            ("ECDHE+AESGCM", "ER12"),
            ("kECDHE+aECDSA", "Ee1"),
            ("AESGCM:CHACHA20:+AES256", "12erER"),
            ("ALL:-AES:AES128", "er12"),
            ("ALL:!AES:AES128", "er"),
            ("AES128:AES256:@STRENGTH", "ER12"),
            ("@SECLEVEL=1:ECDHE", "ERer12"),
            (
                "ECDHE-RSA-AES128-GCM-SHA256,ECDHE-ECDSA-AES128-GCM-SHA256;nope",
                "21",
            ),
            ("EECDH:EDH", "ERer12"),
            ("SHA256", ""),
            ("RSA", ""),
            ("ecdhe", ""),
            ("AES256-SHA", ""),
            ("MEDIUM", ""),
            ("!x", ""),
            ("ALL:!", ""),
            ("ALL:@SECLEVEL=3", ""),
            ("ALL:@ORDER", ""),
        ] {
            assert_eq!(letters(list), expected, "{list}");
        }
        let idle = select_ciphers("AES:nope:!MD5").map(|s| s.idle);
        assert_eq!(idle, Some(vec!["nope".to_owned()]));
    }

    #[test]
    fn suites_are_named_one_by_one() {
        let count = |list| select_suites(list).map_or(0, |s| s.suites.len());
        assert_eq!(count(""), 3);
        assert_eq!(count("TLS_AES_128_GCM_SHA256"), 1);
        assert_eq!(
            count("nope:TLS_AES_128_GCM_SHA256:TLS_AES_128_GCM_SHA256"),
            1
        );
        assert_eq!(count("nope"), 0);
        assert_eq!(count("TLS_AES_128_CCM_SHA256"), 0);
    }
}
