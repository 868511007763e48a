//! What libgit2, OpenSSL and libssh2 report, put into our own classes. Their codes are coarse: where two causes share one, their words decide.

use git2::{ErrorClass, ErrorCode};

use super::error::FetchError;
use super::remote::{Conversation, Failure, Verdict};
use super::text::escaped;

/// libgit2 does not say which of these a certificate fails.
const TRUSTED_CERTIFICATE: &str =
    "it has to be valid today, name this host, and come from an authority that the controller trusts (SSL_CERT_FILE)";

/// libssh2 does not say which of these is wrong with a key.
const USABLE_KEY: &str = "the private key cannot be read, or not opened with this passphrase";

impl Conversation<'_> {
    /// Says what a failed transfer means; what a callback decided comes first.
    pub(super) fn classify(&self, error: git2::Error, verdict: &Verdict) -> Failure {
        if let Some(decided) = verdict.take() {
            return Failure::Final(decided);
        }
        match self.transport(&error) {
            Some(known) => Failure::Final(known),
            None => Failure::Damaged(error),
        }
    }

    /// The failures that no clone is to blame for.
    fn transport(&self, error: &git2::Error) -> Option<FetchError> {
        let url = self.location.shown().clone();
        let detail = self.scrubbed(error.message());
        let says = |words: &str| detail.contains(words);
        let (code, class) = (error.code(), error.class());
        Some(match class {
            _ if code == ErrorCode::Auth => FetchError::Auth { url, detail },
            _ if code == ErrorCode::Certificate => FetchError::HostKey { url, detail },
            _ if code == ErrorCode::Timeout => FetchError::TimedOut { url, detail },
            // A certificate that OpenSSL refuses, and that we leave refused, has no code of its own.
            ErrorClass::Ssl if says("certificate") => {
                FetchError::HostKey { url, detail: format!("{detail}; {TRUSTED_CERTIFICATE}") }
            }
            ErrorClass::Ssh if says("private key") => FetchError::Auth { url, detail: USABLE_KEY.to_owned() },
            ErrorClass::Ssh if says("Timed out") || says("Timeout") => FetchError::TimedOut { url, detail },
            ErrorClass::Http | ErrorClass::Net if says("redirect") => FetchError::Redirected { url },
            ErrorClass::Http if detail.ends_with("401") || detail.ends_with("403") => FetchError::Auth { url, detail },
            ErrorClass::Http | ErrorClass::Net | ErrorClass::Ssl | ErrorClass::Ssh => {
                FetchError::Unreachable { url, detail }
            }
            ErrorClass::Os if says("No space left") => FetchError::Cache { url, detail },
            ErrorClass::Os => FetchError::Unreachable { url, detail },
            ErrorClass::NoMemory => FetchError::TooLarge { url, detail },
            ErrorClass::Repository if code == ErrorCode::NotFound && self.location.local().is_some() => {
                FetchError::Unreachable { url, detail }
            }
            _ => return None,
        })
    }

    /// libgit2's words without any secret, fit for people.
    pub(super) fn scrubbed(&self, message: &str) -> String {
        let secrets = self.location.credentials().secrets();
        let clean = secrets
            .iter()
            .filter(|secret| !secret.is_empty())
            .fold(message.to_owned(), |text, secret| text.replace(secret, "***"));
        escaped(clean.trim(), 300)
    }
}
