//! Keeps the certificate: looks at the Secret and at the configurations, takes one turn, and looks again.
//!
//! Every replica does so by itself. A write names the version that was seen, so that of two that renew at once one has done it, and the other sees it.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::watch_object;
use kube::{Api, Client};
use reef_api::Clock;
use reef_watch::Chain;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::configurations::{Configurations, Trust, Which};
use super::issue::{IssueError, authority, certificate};
use super::stored::Stored;
use super::tls::{Serving, TlsError};
use crate::decide::{Lifetimes, Turn, turn};

/// After a failure it is tried again so much later.
const AGAIN: Duration = Duration::from_secs(5);
/// No wait is longer: a clock may have been set.
const LONGEST: Duration = Duration::from_secs(3600);
/// More authorities are never trusted at once.
const MOST_AUTHORITIES: usize = 3;

/// Where the certificate is kept, and who is to trust it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Namespace of the Secret.
    pub namespace: String,
    /// Name of the Secret.
    pub secret: String,
    /// Name of both webhook configurations.
    pub configurations: String,
    /// Hosts that the certificate is for, names or addresses.
    pub hosts: Vec<String>,
}

/// Why a turn could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// No certificate could be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// What was made could not be served.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The API server refused, or did not answer.
    #[error("{what}: {}", Chain(source))]
    Api {
        /// What was asked for.
        what: String,
        /// What came of it.
        source: Box<kube::Error>,
    },
    /// The Secret is somebody else's.
    #[error(
        "Secret {0} holds a certificate and no authority of Reef's: name another one with --tls-secret, delete it, or mount it and use --tls-cert and --tls-key"
    )]
    Foreign(String),
}

impl KeeperError {
    /// Whether somebody else has written meanwhile: it is looked at again, and is often done.
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Api { source, .. } if matches!(source.as_ref(), kube::Error::Api(status) if status.code == 409))
    }
}

/// Keeps the certificate of one webhook.
pub struct Keeper {
    secrets: Api<Secret>,
    watched_secrets: Api<Secret>,
    configurations: Configurations,
    place: Place,
    lifetimes: Lifetimes,
    clock: Arc<dyn Clock>,
    serving: Serving,
    seen: State,
}

/// What was seen last; nothing before the first look.
#[derive(Default)]
struct State {
    secret: Option<Option<Secret>>,
    mutating: Option<Option<Trust>>,
    validating: Option<Option<Trust>>,
    /// Since when both configurations trust this bundle.
    published: Option<(String, Instant)>,
}

impl State {
    fn trusts(&self) -> Option<[(Which, Option<&Trust>); 2]> {
        let (mutating, validating) = (self.mutating.as_ref()?, self.validating.as_ref()?);
        Some([(Which::Mutating, mutating.as_ref()), (Which::Validating, validating.as_ref())])
    }
}

impl Keeper {
    /// One for this place. `watches` is a client whose answers may be long in coming.
    pub fn new(
        requests: &Client,
        watches: &Client,
        place: Place,
        lifetimes: Lifetimes,
        clock: Arc<dyn Clock>,
        serving: Serving,
    ) -> Self {
        Self {
            secrets: Api::namespaced(requests.clone(), &place.namespace),
            watched_secrets: Api::namespaced(watches.clone(), &place.namespace),
            configurations: Configurations::new(requests.clone(), watches.clone(), &place.configurations),
            place,
            lifetimes,
            clock,
            serving,
            seen: State::default(),
        }
    }

    /// Keeps it until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut secret = watch_object(self.watched_secrets.clone(), &self.place.secret).default_backoff().boxed();
        let mut configurations = self.configurations.watch();
        let mut pause = LONGEST;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(seen) = secret.next() => match seen {
                    Ok(found) => self.seen.secret = Some(found),
                    Err(error) => tracing::warn!(error = %Chain(&error), "the watch of the certificate's Secret is interrupted"),
                },
                Some((which, seen)) = configurations.next() => match (which, seen) {
                    (Which::Mutating, Ok(found)) => self.seen.mutating = Some(found),
                    (Which::Validating, Ok(found)) => self.seen.validating = Some(found),
                    (_, Err(error)) => tracing::warn!(error = %Chain(&error), "the watch of a webhook configuration is interrupted"),
                },
                () = tokio::time::sleep(pause) => {}
            }
            pause = self.turns().await.unwrap_or_else(|error| {
                if error.is_conflict() {
                    tracing::debug!(%error, "another replica was first");
                } else {
                    tracing::warn!(%error, "the certificate cannot be kept at present");
                }
                AGAIN
            });
        }
    }

    /// Takes turns until there is nothing to do; for how long there is nothing.
    async fn turns(&mut self) -> Result<Duration, KeeperError> {
        // More are never needed in a row; whatever comes then comes later.
        for _ in 0..4 {
            let Some(secret) = self.seen.secret.clone() else { return Ok(LONGEST) };
            let stored = self.read(secret.as_ref())?;
            if let Some(pair) = &stored.served
                && self.serving.serve(pair)?
            {
                tracing::info!("another certificate is served");
            }
            let Some(published) = self.published(&stored.bundle()) else { return Ok(LONGEST) };
            let now = self.clock.now();
            match turn(&stored.certificates(&self.place.hosts), published, self.lifetimes, now) {
                Turn::Wait(until) => return Ok(pause(now, until)),
                Turn::Publish => self.publish(&stored).await?,
                made => {
                    let next = self.made(stored, made, now)?;
                    self.write(secret, &next).await?;
                }
            }
        }
        Ok(AGAIN)
    }

    fn read(&self, secret: Option<&Secret>) -> Result<Stored, KeeperError> {
        let Some(secret) = secret else { return Ok(Stored::default()) };
        let stored = Stored::read(secret);
        let data = secret.data.as_ref();
        let has = |name: &str| data.and_then(|data| data.get(name)).is_some_and(|value| !value.0.is_empty());
        if has("tls.key") && !has("ca.key") {
            return Err(KeeperError::Foreign(format!("{}/{}", self.place.namespace, self.place.secret)));
        }
        Ok(stored)
    }

    /// For how long all configurations that there are have trusted this bundle. The outer nothing: it is not known yet.
    fn published(&mut self, bundle: &str) -> Option<Option<Duration>> {
        let trusts = self.seen.trusts()?;
        if trusts.iter().any(|(_, trust)| trust.is_some_and(|trust| !trust.is(bundle))) {
            self.seen.published = None;
            return Some(None);
        }
        let since = match &self.seen.published {
            Some((known, since)) if known == bundle => *since,
            _ => {
                let now = Instant::now();
                self.seen.published = Some((bundle.to_owned(), now));
                now
            }
        };
        Some(Some(since.elapsed()))
    }

    /// What the Secret is to hold after a turn.
    fn made(&self, mut stored: Stored, turn: Turn, now: Timestamp) -> Result<Stored, KeeperError> {
        if turn == Turn::NewAuthority {
            let made = authority(now, self.lifetimes.authority)?;
            stored.authorities.insert(0, made.certificate);
            stored.authorities.truncate(MOST_AUTHORITIES);
            stored.authority_key = made.key;
            tracing::info!("a new authority was made");
        }
        if let Turn::Keep(count) = turn {
            stored.authorities.truncate(count);
        }
        if (turn == Turn::NewCertificate || stored.served.is_none())
            && let Some(newest) = stored.newest()
        {
            stored.served = Some(certificate(&newest, &self.place.hosts, now, self.lifetimes.served)?);
            tracing::info!("a new certificate was made");
        }
        Ok(stored)
    }

    async fn write(&mut self, secret: Option<Secret>, stored: &Stored) -> Result<(), KeeperError> {
        let name = &self.place.secret;
        let failed = |source| KeeperError::Api {
            what: format!("Secret {}/{name}", self.place.namespace),
            source: Box::new(source),
        };
        let params = PostParams::default();
        let written = match secret {
            None => {
                let mut secret = Secret {
                    type_: Some("kubernetes.io/tls".to_owned()),
                    data: Some(stored.data()),
                    ..Secret::default()
                };
                secret.metadata.name = Some(name.clone());
                self.secrets.create(&params, &secret).await
            }
            Some(mut secret) => {
                secret.data = Some(stored.data());
                self.secrets.replace(name, &params, &secret).await
            }
        };
        self.seen.secret = Some(Some(written.map_err(failed)?));
        Ok(())
    }

    async fn publish(&mut self, stored: &Stored) -> Result<(), KeeperError> {
        let bundle = stored.bundle();
        for which in [Which::Mutating, Which::Validating] {
            let seen = match which {
                Which::Mutating => &mut self.seen.mutating,
                Which::Validating => &mut self.seen.validating,
            };
            let Some(Some(trust)) = seen else { continue };
            if trust.is(&bundle) {
                continue;
            }
            let what = || format!("{which:?}WebhookConfiguration {}", self.place.configurations);
            let published = self.configurations.publish(which, trust, &bundle).await;
            published.map_err(|source| KeeperError::Api { what: what(), source: Box::new(source) })?;
            trust.trusting(&bundle);
            tracing::info!(?which, "the configuration trusts what is to be trusted");
        }
        Ok(())
    }
}

fn pause(now: Timestamp, until: Timestamp) -> Duration {
    let rest = now.duration_until(until).max(SignedDuration::from_millis(10));
    rest.unsigned_abs().min(LONGEST)
}
