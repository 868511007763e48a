//! One conversation with a remote: everything that makes it safe is a callback or an option here. Reads no file of the tree.

use std::cell::{Cell, RefCell};

use git2::cert::Cert;
use git2::{
    AutotagOption, CertificateCheckStatus, Cred, CredentialType, ErrorClass, ErrorCode, FetchOptions, Oid, Progress,
    ProxyOptions, RemoteCallbacks, RemoteRedirect, RemoteUpdateFlags, Repository,
};

use super::credentials::Credentials;
use super::error::FetchError;
use super::known_hosts::{Trust, fingerprint, key_type};
use super::location::{History, Location};
use super::pool::Abandoned;
use super::repositories::Limits;
use super::text::escaped_bytes;

/// Why something with Git did not work.
#[derive(Debug)]
pub(super) enum Failure {
    /// A new clone may help.
    Damaged(git2::Error),
    /// A new clone does not help.
    Final(FetchError),
}

/// The one conversation.
pub(super) struct Conversation<'a> {
    pub(super) location: &'a Location,
    pub(super) limits: &'a Limits,
    pub(super) abandoned: &'a Abandoned,
}

/// Where references land that one transfer brought.
const INCOMING: &str = "refs/incoming/";

/// What a callback decided; libgit2 only passes on that it failed.
pub(super) type Verdict = RefCell<Option<FetchError>>;

impl Conversation<'_> {
    /// Brings the objects of the location's reference into `repository` and tells what it points to; or those of the location's commit, where it names one.
    ///
    /// Nothing that the clone keeps moves: an unfinished transfer leaves nothing behind.
    pub(super) fn download(&self, repository: &Repository) -> Result<Oid, Failure> {
        let empty = self.transfer(repository, &self.refspecs())?;
        let tip = self.arrived(repository, empty)?;
        self.location.commit().map_or(Ok(tip), |commit| self.find(repository, commit))
    }

    /// One transfer. Tells whether the other side has nothing at all.
    fn transfer(&self, repository: &Repository, refspecs: &[String]) -> Result<bool, Failure> {
        let verdict = Verdict::default();
        let fail = |error| self.classify(error, &verdict);
        forget_incoming(repository).map_err(Failure::Damaged)?;
        let mut remote = repository.remote_anonymous(self.location.url()).map_err(fail)?;
        let mut options = self.options(&verdict);
        remote.download(refspecs, Some(&mut options)).map_err(fail)?;
        let empty = remote.list().map_err(Failure::Damaged)?.is_empty();
        remote.update_tips(None, RemoteUpdateFlags::empty(), AutotagOption::None, None).map_err(Failure::Damaged)?;
        // The answer is here; how the other side says goodbye does not matter.
        let _ = remote.disconnect();
        Ok(empty)
    }

    /// A commit, once the reference was fetched with the source's own credentials: what is in the clone may be of others' fetches. Where it is not there the
    /// other side is asked for it by its name, which some refuse.
    fn find(&self, repository: &Repository, commit: &str) -> Result<Oid, Failure> {
        let here = || Oid::from_str(commit).ok().filter(|id| repository.find_commit(*id).is_ok());
        if let Some(id) = here() {
            return Ok(id);
        }
        let asked = self.transfer(repository, &[format!("+{commit}:{INCOMING}commit")]);
        if let Err(Failure::Final(error @ (FetchError::TooLarge { .. } | FetchError::TimedOut { .. }))) = asked {
            return Err(Failure::Final(error));
        }
        here().ok_or_else(|| {
            Failure::Final(FetchError::CommitMissing {
                url: self.location.shown().clone(),
                commit: commit.to_owned(),
                reference: self.location.reference().unwrap_or("HEAD").to_owned(),
            })
        })
    }

    /// Remembers what was fetched: the next transfer starts from it.
    pub(super) fn remember(&self, repository: &Repository, tip: Oid) -> Result<(), Failure> {
        // A commit that was asked for by its name says nothing about where the reference is.
        if self.location.commit().is_some() {
            return Ok(());
        }
        repository.reference(&self.kept_as(), tip, true, "fetched").map(|_| ()).map_err(Failure::Damaged)
    }

    fn kept_as(&self) -> String {
        let name = self.location.reference().unwrap_or("HEAD");
        format!("refs/kept/{}", name.trim_start_matches("refs/"))
    }

    /// The references that may be meant, the first match wins.
    fn candidates(&self) -> Vec<String> {
        match self.location.reference() {
            None => vec!["HEAD".to_owned()],
            Some(full) if full.starts_with("refs/") => vec![full.to_owned()],
            Some(name) => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
        }
    }

    /// With `+`: a tip that was rewritten is still the tip.
    fn refspecs(&self) -> Vec<String> {
        self.candidates().iter().map(|name| format!("+{name}:{INCOMING}{name}")).collect()
    }

    /// A fetch of a branch that is gone succeeds and changes nothing: only what came in with this one counts.
    ///
    /// Not read from the remote's list, whose names panic when they are not UTF-8.
    fn arrived(&self, repository: &Repository, empty: bool) -> Result<Oid, Failure> {
        let url = self.location.shown().clone();
        let found =
            self.candidates().iter().find_map(|name| repository.refname_to_id(&format!("{INCOMING}{name}")).ok());
        found.ok_or_else(|| {
            Failure::Final(if empty {
                FetchError::Empty { url }
            } else {
                FetchError::BranchMissing { url, reference: self.location.reference().unwrap_or("HEAD").to_owned() }
            })
        })
    }

    fn options<'c>(&'c self, verdict: &'c Verdict) -> FetchOptions<'c> {
        let mut options = FetchOptions::new();
        options
            .remote_callbacks(self.callbacks(verdict))
            .proxy_options(ProxyOptions::new())
            .follow_redirects(RemoteRedirect::None)
            .download_tags(AutotagOption::None)
            .update_fetchhead(false);
        if self.location.local().is_none() && self.location.history() == History::Tip {
            options.depth(1);
        }
        options
    }

    fn callbacks<'c>(&'c self, verdict: &'c Verdict) -> RemoteCallbacks<'c> {
        let asked = Cell::new(0_u32);
        let mut callbacks = RemoteCallbacks::new();
        callbacks
            .transfer_progress(move |progress| self.goes_on(&progress, verdict))
            .sideband_progress(move |_| self.still_wanted(verdict))
            .credentials(move |_, user, allowed| {
                asked.set(asked.get().saturating_add(1));
                self.credential(user, allowed, asked.get(), verdict)
            })
            .certificate_check(move |certificate, host| self.check(certificate, host, verdict));
        callbacks
    }

    fn still_wanted(&self, verdict: &Verdict) -> bool {
        if self.abandoned.is_set() {
            let detail = format!("the transfer took longer than {} s", self.limits.total.as_secs());
            verdict.replace(Some(FetchError::TimedOut { url: self.location.shown().clone(), detail }));
        }
        !self.abandoned.is_set()
    }

    fn goes_on(&self, progress: &Progress<'_>, verdict: &Verdict) -> bool {
        let received = u64::try_from(progress.received_bytes()).unwrap_or(u64::MAX);
        let objects = progress.total_objects();
        let detail = if received > self.limits.pack_bytes {
            format!("the transfer passed {} bytes", self.limits.pack_bytes)
        } else if objects > self.limits.objects {
            format!("{objects} objects are offered, and {} are allowed", self.limits.objects)
        } else {
            return self.still_wanted(verdict);
        };
        verdict.replace(Some(FetchError::TooLarge { url: self.location.shown().clone(), detail }));
        false
    }

    /// Git asks again after a refusal, for ever; the same answer is given once.
    fn credential(
        &self,
        user: Option<&str>,
        allowed: CredentialType,
        asked: u32,
        verdict: &Verdict,
    ) -> Result<Cred, git2::Error> {
        let refused = |detail: &str| {
            verdict.replace(Some(FetchError::Auth { url: self.location.shown().clone(), detail: detail.to_owned() }));
            git2::Error::new(ErrorCode::Auth, ErrorClass::Callback, detail)
        };
        match self.location.credentials() {
            Credentials::SshKey { username, .. } if allowed.is_username() && asked == 1 => {
                Cred::username(username.as_deref().unwrap_or("git"))
            }
            _ if asked > 2 => Err(refused("they were not accepted")),
            Credentials::None => Err(refused("it asks for credentials, and the source has none")),
            Credentials::Basic { .. } if asked > 1 => Err(refused("the user or password was not accepted")),
            Credentials::Basic { username, password } if allowed.is_user_pass_plaintext() => {
                Cred::userpass_plaintext(username, password)
            }
            Credentials::SshKey { username, private_key, passphrase }
                if allowed.is_ssh_key() || allowed.is_ssh_memory() =>
            {
                let user = user.or(username.as_deref()).unwrap_or("git");
                Cred::ssh_key_from_memory(user, None, private_key, passphrase.as_deref())
            }
            Credentials::Basic { .. } | Credentials::SshKey { .. } => {
                Err(refused("it does not take the kind of credentials of the source"))
            }
        }
    }

    /// TLS is judged by OpenSSL; an SSH host by the known hosts of the source and by nothing else.
    fn check(
        &self,
        certificate: &Cert<'_>,
        host: &str,
        verdict: &Verdict,
    ) -> Result<CertificateCheckStatus, git2::Error> {
        let Some(offered) = certificate.as_hostkey() else {
            return Ok(CertificateCheckStatus::CertificatePassthrough);
        };
        let key = offered.hostkey().unwrap_or_default();
        let trust = self.location.known_hosts().judge(host, self.location.port(), key);
        if trust == Trust::Trusted {
            return Ok(CertificateCheckStatus::CertificateOk);
        }
        let kind = escaped_bytes(key_type(key).unwrap_or_default(), 40);
        let detail = format!(
            "{trust}; it offers {kind} {}",
            offered.hash_sha256().map(|hash| fingerprint(hash)).unwrap_or_default()
        );
        verdict.replace(Some(FetchError::HostKey { url: self.location.shown().clone(), detail: detail.clone() }));
        Err(git2::Error::new(ErrorCode::Certificate, ErrorClass::Callback, detail))
    }
}

/// What came in before says nothing about what is there now.
fn forget_incoming(repository: &Repository) -> Result<(), git2::Error> {
    for reference in repository.references_glob(&format!("{INCOMING}*"))? {
        reference?.delete()?;
    }
    Ok(())
}
