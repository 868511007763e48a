//! What is shown to a Git server, read from a Secret. Nothing here prints a secret.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::ByteString;

/// What to show to the other side.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing.
    #[default]
    None,
    /// A user and a password or token, over HTTP.
    Basic {
        /// The user.
        username: String,
        /// The password or token.
        password: String,
    },
    /// A private key, over SSH.
    SshKey {
        /// The user when the address names none; `git` when absent.
        username: Option<String>,
        /// The key in OpenSSH or PEM form.
        private_key: String,
        /// Opens the key.
        passphrase: Option<String>,
    },
}

impl Credentials {
    /// Every text that must not appear anywhere.
    pub(super) fn secrets(&self) -> Vec<&str> {
        match self {
            Self::None => Vec::new(),
            Self::Basic { password, .. } => vec![password],
            Self::SshKey { private_key, passphrase, .. } => {
                std::iter::once(private_key.as_str()).chain(passphrase.as_deref()).collect()
            }
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic(..)",
            Self::SshKey { .. } => "SshKey(..)",
        })
    }
}

/// Why a Secret cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Neither form is complete.
    #[error("the secret needs `username` and `password`, or `identity` with an SSH key")]
    Incomplete,
    /// A value that is no text.
    #[error("`{key}` of the secret is not UTF-8")]
    NotText {
        /// The key of the value.
        key: &'static str,
    },
}

/// A Secret's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretContent {
    /// What to show to the other side.
    pub credentials: Credentials,
    /// Host keys to expect, in the form of `known_hosts`.
    pub known_hosts: Option<String>,
}

impl SecretContent {
    /// Reads `identity` (with `username`, and `password` as its passphrase) or `username` and `password`; and `known_hosts`.
    pub fn read(data: &BTreeMap<String, ByteString>) -> Result<Self, SecretError> {
        let text = |key: &'static str| {
            let bytes = data.get(key).map(|bytes| bytes.0.clone());
            bytes.map(String::from_utf8).transpose().map_err(|_| SecretError::NotText { key })
        };
        let credentials = match (text("identity")?, text("username")?, text("password")?) {
            (Some(private_key), username, passphrase) => Credentials::SshKey { username, private_key, passphrase },
            (None, Some(username), Some(password)) => Credentials::Basic { username, password },
            (None, _, _) => return Err(SecretError::Incomplete),
        };
        Ok(Self { credentials, known_hosts: text("known_hosts")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &[u8])]) -> Result<SecretContent, SecretError> {
        SecretContent::read(&pairs.iter().map(|(key, bytes)| ((*key).to_owned(), ByteString(bytes.to_vec()))).collect())
    }

    #[test]
    fn both_forms_of_a_secret_are_read() {
        let basic = Credentials::Basic { username: "ann".into(), password: "pw".into() };
        assert_eq!(
            read(&[("username", b"ann"), ("password", b"pw")]),
            Ok(SecretContent { credentials: basic, known_hosts: None })
        );
        let key = Credentials::SshKey { username: None, private_key: "key".into(), passphrase: Some("pw".into()) };
        assert_eq!(
            read(&[("identity", b"key"), ("password", b"pw"), ("known_hosts", b"h")]),
            Ok(SecretContent { credentials: key, known_hosts: Some("h".into()) })
        );
    }

    #[test]
    fn half_a_secret_is_refused_without_showing_it() {
        assert_eq!(read(&[("username", b"ann")]), Err(SecretError::Incomplete));
        assert_eq!(read(&[("identity", b"\xff")]), Err(SecretError::NotText { key: "identity" }));
        let shown = format!("{:?}", read(&[("username", b"ann"), ("password", b"hunter2")]));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
