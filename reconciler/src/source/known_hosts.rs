//! The SSH host keys that a source trusts, compared in this process: no file of the machine and no agent has a say.

use std::fmt;

use k8s_openapi::ByteString;

use super::text::escaped;

/// The trusted keys of a `known_hosts` text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownHosts {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    hosts: Vec<String>,
    key: Vec<u8>,
    revoked: bool,
}

/// Why a `known_hosts` text cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KnownHostsError {
    /// Host names are hashed.
    #[error(
        "line {line} of the known hosts has a hashed host name; write plain names, as `ssh-keyscan HOST` prints them"
    )]
    Hashed {
        /// The line, from 1.
        line: usize,
    },
    /// Not `hosts type key`.
    #[error("line {line} of the known hosts is not `HOST TYPE KEY`")]
    Form {
        /// The line, from 1.
        line: usize,
    },
    /// Certificate authorities.
    #[error("line {line} of the known hosts has the marker `{marker}`, which is not supported")]
    Marker {
        /// The line, from 1.
        line: usize,
        /// The marker, escaped.
        marker: String,
    },
}

/// What the keys say about a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    Trusted,
    /// No entry names the host.
    Unknown,
    /// Entries name the host, none has this key.
    Changed,
    /// Entries name the host, all of them with keys of other algorithms.
    OtherKind,
    /// The key must never be accepted again.
    Revoked,
}

impl KnownHosts {
    /// Reads the format of OpenSSH, without hashed names and certificate authorities.
    pub fn parse(text: &str) -> Result<Self, KnownHostsError> {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let entries = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        Ok(Self { entries: entries.map(|(number, line)| parse_line(number, line)).collect::<Result<_, _>>()? })
    }

    /// Judges the key that a host offers.
    pub(super) fn judge(&self, host: &str, port: u16, key: &[u8]) -> Trust {
        let name =
            if port == 22 { host.to_ascii_lowercase() } else { format!("[{}]:{port}", host.to_ascii_lowercase()) };
        let named: Vec<&Entry> = self.entries.iter().filter(|entry| entry.names(&name)).collect();
        if named.iter().any(|entry| entry.revoked && entry.key == key) {
            Trust::Revoked
        } else if named.iter().any(|entry| !entry.revoked && entry.key == key) {
            Trust::Trusted
        } else if named.is_empty() {
            Trust::Unknown
        } else if named.iter().all(|entry| key_type(&entry.key) != key_type(key)) {
            Trust::OtherKind
        } else {
            Trust::Changed
        }
    }
}

impl Entry {
    fn names(&self, name: &str) -> bool {
        let negated = self.hosts.iter().filter_map(|host| host.strip_prefix('!')).any(|pattern| glob(pattern, name));
        !negated && self.hosts.iter().any(|pattern| glob(pattern, name))
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Trusted => "its host key is known",
            Self::Unknown => "its host is not among the known hosts of the source",
            Self::Changed => "its host key differs from the known hosts of the source",
            Self::OtherKind => {
                "the known hosts of the source have other kinds of keys of its host: add this one if it is the right one"
            }
            Self::Revoked => "its host key is marked as revoked",
        })
    }
}

fn parse_line(line: usize, text: &str) -> Result<Entry, KnownHostsError> {
    let mut words = text.split_ascii_whitespace().peekable();
    let marker = words.next_if(|word| word.starts_with('@'));
    let revoked = match marker {
        None => false,
        Some("@revoked") => true,
        Some(marker) => return Err(KnownHostsError::Marker { line, marker: escaped(marker, 40) }),
    };
    let (Some(hosts), Some(kind), Some(key)) = (words.next(), words.next(), words.next()) else {
        return Err(KnownHostsError::Form { line });
    };
    if hosts.starts_with('|') {
        return Err(KnownHostsError::Hashed { line });
    }
    let key = decode(key).filter(|key| key_type(key) == Some(kind.as_bytes())).ok_or(KnownHostsError::Form { line })?;
    Ok(Entry { hosts: hosts.split(',').map(str::to_ascii_lowercase).collect(), key, revoked })
}

/// Base64, by the type whose JSON form it is.
fn decode(text: &str) -> Option<Vec<u8>> {
    serde_json::from_value::<ByteString>(serde_json::Value::String(text.to_owned())).ok().map(|bytes| bytes.0)
}

/// Base64 without padding, as OpenSSH prints fingerprints.
pub(super) fn fingerprint(sha256: &[u8]) -> String {
    let text =
        serde_json::to_value(ByteString(sha256.to_vec())).ok().and_then(|value| value.as_str().map(str::to_owned));
    format!("SHA256:{}", text.unwrap_or_default().trim_end_matches('='))
}

/// The algorithm that a key in wire form starts with.
pub(super) fn key_type(key: &[u8]) -> Option<&[u8]> {
    let (length, rest) = key.split_first_chunk::<4>()?;
    rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// `*` and `?` as in OpenSSH; linear in the product of the lengths.
fn glob(pattern: &str, name: &str) -> bool {
    let mut reachable: Vec<bool> = std::iter::once(true).chain(name.bytes().map(|_| false)).collect();
    for token in pattern.bytes() {
        let mut before = false;
        let mut open = false;
        let bytes = std::iter::once(None).chain(name.bytes().map(Some));
        for (slot, byte) in reachable.iter_mut().zip(bytes) {
            let here = *slot;
            open |= here;
            *slot = match token {
                b'*' => open,
                b'?' => before,
                _ => before && byte == Some(token),
            };
            before = here;
        }
    }
    reachable.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of another server.
    const OTHER: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIIt7B24A+gpJXPYSkUgXmWk4DRjlmA7M9NK7iwI5pdfq";
    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    fn key() -> Vec<u8> {
        decode(KEY).unwrap()
    }

    fn known(text: &str) -> KnownHosts {
        KnownHosts::parse(text).unwrap()
    }

    #[test]
    fn a_key_is_trusted_only_for_the_hosts_it_is_listed_for() {
        let hosts = known(&format!(
            "# comment\n\nGitHub.com,*.example.com,!evil.example.com ssh-ed25519 {KEY} c\n[other]:2222 ssh-ed25519 {KEY}\n"
        ));
        assert_eq!(hosts.judge("github.com", 22, &key()), Trust::Trusted);
        assert_eq!(hosts.judge("a.example.com", 22, &key()), Trust::Trusted);
        assert_eq!(hosts.judge("evil.example.com", 22, &key()), Trust::Unknown);
        assert_eq!(hosts.judge("github.com", 2222, &key()), Trust::Unknown);
        assert_eq!(hosts.judge("other", 2222, &key()), Trust::Trusted);
        assert_eq!(hosts.judge("github.com", 22, &decode(OTHER).unwrap()), Trust::Changed);
        assert_eq!(hosts.judge("github.com", 22, b"\0\0\0\x07ssh-rsa..."), Trust::OtherKind);
        assert_eq!(KnownHosts::default().judge("github.com", 22, &key()), Trust::Unknown);
    }

    #[test]
    fn a_revoked_key_is_never_trusted() {
        let hosts = known(&format!("h ssh-ed25519 {KEY}\n@revoked * ssh-ed25519 {KEY}\n"));
        assert_eq!(hosts.judge("h", 22, &key()), Trust::Revoked);
    }

    #[test]
    fn lines_that_cannot_be_honoured_are_refused_by_number() {
        assert_eq!(
            KnownHosts::parse(&format!("\n|1|a=|b= ssh-ed25519 {KEY}")),
            Err(KnownHostsError::Hashed { line: 2 })
        );
        assert_eq!(KnownHosts::parse("h ssh-ed25519"), Err(KnownHostsError::Form { line: 1 }));
        assert_eq!(KnownHosts::parse(&format!("h ssh-rsa {KEY}")), Err(KnownHostsError::Form { line: 1 }));
        assert_eq!(
            KnownHosts::parse(&format!("@cert-authority h ssh-ed25519 {KEY}")),
            Err(KnownHostsError::Marker { line: 1, marker: "@cert-authority".into() })
        );
    }

    #[test]
    fn patterns_match_as_in_openssh() {
        for (pattern, name, wanted) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a", "ab", false),
            ("*.b", "b", false),
        ] {
            assert_eq!(glob(pattern, name), wanted, "{pattern} {name}");
        }
    }
}
