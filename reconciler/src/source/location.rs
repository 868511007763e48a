//! Where a repository is and who asks for it, validated. Connects to nothing.

use std::fmt;
use std::path::Path;

use http::Uri;
use reef_api::GitSourceSpec;
use reef_api::check::is_commit;

use super::credentials::Credentials;
use super::known_hosts::{KnownHosts, KnownHostsError};
use super::path::{PathError, RepoPath};
use super::text::{escaped, is_unprintable};

/// Longer addresses are mistakes.
const URL_LENGTH: usize = 2048;

/// An address without anything that could be a secret, for messages.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Redacted(String);

impl Redacted {
    /// Takes an address that holds no user, password, query or unprintable character.
    pub(super) fn of(text: &str) -> Self {
        Self(escaped(text, URL_LENGTH))
    }
}

impl fmt::Display for Redacted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for Redacted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Redacted({})", self.0)
    }
}

/// Whether repositories of this machine's file system may be named: they are read with the controller's own rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileUrls {
    /// They may.
    Allowed,
    /// They may not.
    Refused,
}

/// How much of the past is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum History {
    /// The tip alone, where the transport can.
    #[default]
    Tip,
    /// Everything: needed to tell whether a tip descends from an older one.
    Full,
}

/// Why a text is no usable location.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// Not an address.
    #[error("`{url}` is no address of a Git repository: {problem}")]
    Url {
        /// The address, without its secrets.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A scheme that is not supported.
    #[error("scheme `{scheme}` is not supported; use https, ssh or http")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// A local repository, and those are not allowed.
    #[error("local repositories (file://) are not allowed; start the controller with the flag that allows them")]
    FileRefused,
    /// Not a name of a branch or tag.
    #[error("`{reference}` is no valid name of a branch or tag")]
    Reference {
        /// The name, escaped.
        reference: String,
    },
    /// Not the whole name of a commit.
    #[error("`{commit}` is no commit: it has 40 or 64 hexadecimal digits")]
    Commit {
        /// The name, escaped.
        commit: String,
    },
    /// Not a folder in a repository.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Host keys that cannot be read.
    #[error(transparent)]
    KnownHosts(#[from] KnownHostsError),
    /// Credentials of the wrong kind for the address.
    #[error("the secret holds {found}, which is of no use for {scheme}")]
    Credentials {
        /// What the secret holds.
        found: &'static str,
        /// The address's scheme.
        scheme: &'static str,
    },
}

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Https,
    Http,
    Ssh,
    File,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Ssh => "ssh",
            Self::File => "file",
        }
    }
}

/// A validated place to fetch from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    url: String,
    shown: Redacted,
    scheme: Scheme,
    port: Option<u16>,
    reference: Option<String>,
    path: RepoPath,
    credentials: Credentials,
    known_hosts: KnownHosts,
    history: History,
    commit: Option<String>,
}

impl Location {
    /// Reads an address: `https://`, `http://`, `ssh://`, `user@host:path`, and `file://` where it is allowed.
    ///
    /// A user and password in an HTTP address become its credentials.
    pub fn parse(url: &str, files: FileUrls) -> Result<Self, LocationError> {
        let problem = |problem| LocationError::Url { url: without_userinfo(url), problem };
        if url.len() > URL_LENGTH {
            return Err(problem("it is too long"));
        }
        if url.chars().any(|character| character.is_whitespace() || is_unprintable(character)) {
            return Err(problem("it holds blanks or control characters"));
        }
        match url.split_once("://") {
            Some(("file", path)) => Self::file(url, path, files),
            Some(("https", _)) => Self::network(url, Scheme::Https),
            Some(("http", _)) => Self::network(url, Scheme::Http),
            Some(("ssh", _)) => Self::network(url, Scheme::Ssh),
            Some((scheme, _)) => Err(LocationError::Scheme { scheme: escaped(scheme, 40) }),
            None => Self::scp(url),
        }
    }

    fn bare(url: String, shown: &str, scheme: Scheme) -> Self {
        Self {
            url,
            shown: Redacted::of(shown),
            scheme,
            port: None,
            reference: None,
            path: RepoPath::root(),
            credentials: Credentials::None,
            known_hosts: KnownHosts::default(),
            history: History::Tip,
            commit: None,
        }
    }

    fn file(url: &str, path: &str, files: FileUrls) -> Result<Self, LocationError> {
        match files {
            FileUrls::Refused => Err(LocationError::FileRefused),
            FileUrls::Allowed if Path::new(path).is_absolute() => Ok(Self::bare(url.to_owned(), url, Scheme::File)),
            FileUrls::Allowed => {
                Err(LocationError::Url { url: url.to_owned(), problem: "a file path must be absolute: file:///path" })
            }
        }
    }

    fn network(url: &str, scheme: Scheme) -> Result<Self, LocationError> {
        let problem = |problem| LocationError::Url { url: without_userinfo(url), problem };
        let uri: Uri = url.parse().map_err(|_| problem("it cannot be parsed"))?;
        let authority = uri.authority().ok_or_else(|| problem("it names no host"))?;
        check_host(authority.host()).map_err(problem)?;
        if uri.query().is_some() {
            return Err(problem("it has a query, which may hide a secret; use a secret instead"));
        }
        let userinfo = authority.as_str().rsplit_once('@').map(|(userinfo, _)| userinfo);
        let host = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, host)| host);
        let shown = format!("{}://{host}{}", scheme.name(), uri.path());
        let (kept, credentials) = match (scheme, userinfo) {
            (Scheme::Ssh, Some(user)) if user.contains(':') => {
                return Err(problem("it holds a password; use a key in a secret"));
            }
            (Scheme::Ssh, Some(user)) => (format!("ssh://{user}@{host}{}", uri.path()), Credentials::None),
            (_, Some(userinfo)) => (shown.clone(), basic(userinfo)),
            (_, None) => (shown.clone(), Credentials::None),
        };
        Ok(Self { port: authority.port_u16(), credentials, ..Self::bare(kept, &shown, scheme) })
    }

    fn scp(url: &str) -> Result<Self, LocationError> {
        let problem = |problem| LocationError::Url { url: without_userinfo(url), problem };
        let (host, path) =
            url.split_once(':').ok_or_else(|| problem("it has no scheme; write https://, ssh:// or user@host:path"))?;
        let (user, host) = host.rsplit_once('@').map_or((None, host), |(user, host)| (Some(user), host));
        check_host(host).map_err(problem)?;
        if path.is_empty() || user.is_some_and(|user| user.is_empty() || user.starts_with('-')) {
            return Err(problem("write it as user@host:path"));
        }
        // Kept as it is written: the path is relative to the user's home, which no `ssh://` address can say.
        Ok(Self::bare(url.to_owned(), &format!("{host}:{path}"), Scheme::Ssh))
    }

    /// Reads where a GitSource points to, without its secret.
    pub fn of_spec(spec: &GitSourceSpec, files: FileUrls) -> Result<Self, LocationError> {
        Self::parse(&spec.url, files)?
            .with_reference(spec.reference.as_deref())?
            .with_path(spec.path.as_deref().unwrap_or_default())?
            .with_known_hosts(spec.known_hosts.as_deref().unwrap_or_default())
    }

    /// Follows a branch, a tag or a full reference instead of the default branch.
    pub fn with_reference(self, reference: Option<&str>) -> Result<Self, LocationError> {
        let invalid = |reference: &str| LocationError::Reference { reference: escaped(reference, 200) };
        match reference {
            None => Ok(Self { reference: None, ..self }),
            Some(name) if is_reference(name) => Ok(Self { reference: Some(name.to_owned()), ..self }),
            Some(name) => Err(invalid(name)),
        }
    }

    /// Reads only what lies below a folder.
    pub fn with_path(self, path: &str) -> Result<Self, LocationError> {
        Ok(Self { path: RepoPath::parse(path)?, ..self })
    }

    /// Shows credentials to the other side.
    pub fn with_credentials(self, credentials: Credentials) -> Result<Self, LocationError> {
        let mismatch = |found| LocationError::Credentials { found, scheme: self.scheme.name() };
        match (&credentials, self.scheme) {
            (Credentials::Basic { .. }, Scheme::Ssh | Scheme::File) => Err(mismatch("a user and a password")),
            (Credentials::SshKey { .. }, Scheme::Https | Scheme::Http | Scheme::File) => Err(mismatch("an SSH key")),
            (Credentials::None, _) => Ok(self),
            _ => Ok(Self { credentials, ..self }),
        }
    }

    /// Trusts the SSH host keys of a `known_hosts` text, and no others.
    pub fn with_known_hosts(self, text: &str) -> Result<Self, LocationError> {
        Ok(Self { known_hosts: KnownHosts::parse(text)?, ..self })
    }

    /// Fetches more or less of the past.
    #[must_use]
    pub fn with_history(self, history: History) -> Self {
        Self { history, ..self }
    }

    /// Reads this commit, and not what the branch or tag points to.
    pub fn at_commit(self, commit: &str) -> Result<Self, LocationError> {
        if !is_commit(commit) {
            return Err(LocationError::Commit { commit: escaped(commit, 100) });
        }
        Ok(Self { commit: Some(commit.to_ascii_lowercase()), ..self })
    }

    /// The commit that is read instead of the tip.
    #[must_use]
    pub fn commit(&self) -> Option<&str> {
        self.commit.as_deref()
    }

    /// The address without secrets, for people.
    #[must_use]
    pub fn shown(&self) -> &Redacted {
        &self.shown
    }

    /// The branch, tag or full reference; none for the default branch.
    #[must_use]
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &RepoPath {
        &self.path
    }

    /// The folder of a repository on this machine.
    pub(super) fn local(&self) -> Option<&Path> {
        match self.scheme {
            Scheme::File => self.url.strip_prefix("file://").map(Path::new),
            Scheme::Https | Scheme::Http | Scheme::Ssh => None,
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(22)
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    pub(super) fn known_hosts(&self) -> &KnownHosts {
        &self.known_hosts
    }

    pub(super) fn history(&self) -> History {
        self.history
    }
}

fn basic(userinfo: &str) -> Credentials {
    let (username, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    Credentials::Basic { username: percent_decoded(username), password: percent_decoded(password) }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A host that starts with a dash would be read as an option by programs that are given it.
fn check_host(host: &str) -> Result<(), &'static str> {
    if host.is_empty() || host.starts_with('-') || host.contains('/') {
        return Err("it names no valid host");
    }
    Ok(())
}

fn is_reference(name: &str) -> bool {
    let full = if name.starts_with("refs/") { name.to_owned() } else { format!("refs/heads/{name}") };
    !name.starts_with('-') && !name.contains(['*', ':']) && name.len() <= 250 && git2::Reference::is_valid_name(&full)
}

/// An address that somebody else wrote, without what could be a secret in it, whether it is one or not.
#[must_use]
pub fn shown_address(url: &str) -> String {
    without_userinfo(url)
}

/// Cuts everything up to the last `@`, and any query, from a text that may not even be an address.
fn without_userinfo(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    escaped(&if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") }, 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Location, LocationError> {
        Location::parse(url, FileUrls::Refused)
    }

    #[test]
    fn the_forms_that_git_users_know_are_accepted() {
        for (url, kept) in [
            ("https://git.example.com/a/b.git", "https://git.example.com/a/b.git"),
            ("http://127.0.0.1:8080/r", "http://127.0.0.1:8080/r"),
            ("ssh://git@host:2222/r.git", "ssh://git@host:2222/r.git"),
            ("git@host:team/r.git", "git@host:team/r.git"),
        ] {
            assert_eq!(parse(url).map(|location| location.url), Ok(kept.to_owned()));
        }
    }

    #[test]
    fn other_schemes_and_deceiving_addresses_are_refused() {
        for url in [
            "ext::sh -c id",
            "git://host/r",
            "ftp://h/r",
            "file:///srv/r.git",
            "/srv/r.git",
            "--upload-pack=id",
            "ssh://-oProxyCommand=id/r",
            "-oProxyCommand=id:r",
            "https:///r",
            "https://h/r\n",
            "ssh://u:pw@h/r",
            "https://h/r?token=x",
        ] {
            assert!(parse(url).is_err(), "{url}");
        }
        assert!(Location::parse("file:///srv/r.git", FileUrls::Allowed).is_ok());
        assert!(Location::parse("file://srv/r.git", FileUrls::Allowed).is_err());
    }

    #[test]
    fn no_secret_of_an_address_is_ever_shown() {
        let location = parse("https://me:s%33cret@h/r").unwrap();
        assert_eq!(location.credentials, Credentials::Basic { username: "me".into(), password: "s3cret".into() });
        let shown = format!("{location:?} {}", location.shown());
        assert_eq!(parse("git@host:team/r.git").unwrap().shown().to_string(), "host:team/r.git");
        assert!(!shown.contains("s3cret") && !shown.contains("s%33cret") && !shown.contains("me:s"), "{shown}");
        for url in ["ssh://u:s3cret@h/r", "https://u:s3cret@h/r?x", "weird u:s3cret@h", "https://u:s3@cret@h/a b"] {
            let error = parse(url).unwrap_err().to_string();
            assert!(!error.contains("s3"), "{error}");
        }
    }

    #[test]
    fn references_that_git_refuses_are_refused() {
        let location = parse("https://h/r").unwrap();
        for name in ["main", "release/1.0", "refs/heads/main", "v1"] {
            assert!(location.clone().with_reference(Some(name)).is_ok(), "{name}");
        }
        for name in ["", "a..b", "-x", "a b", "a:b", "*", "a\0", "x.lock"] {
            assert!(location.clone().with_reference(Some(name)).is_err(), "{name:?}");
        }
    }

    #[test]
    fn credentials_of_the_wrong_kind_are_refused() {
        let key = Credentials::SshKey { username: None, private_key: "k".into(), passphrase: None };
        let error = parse("https://h/r").unwrap().with_credentials(key).unwrap_err();
        assert_eq!(error.to_string(), "the secret holds an SSH key, which is of no use for https");
    }
}
