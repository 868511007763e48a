//! The two configurations by which API servers know the webhook: what they trust is seen, and made to be what is served.

use futures::stream::{BoxStream, StreamExt, select};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use kube::api::{Patch, PatchParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watch_object};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Field manager of what the webhook writes.
const MANAGER: &str = "reef-webhook";

/// One of the two kinds of configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Of what is filled in.
    Mutating,
    /// Of what is refused.
    Validating,
}

/// A configuration, as far as trust is concerned: each webhook's name, and the authorities that it trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    uid: String,
    webhooks: Vec<(String, Vec<u8>)>,
}

impl Trust {
    /// Whether every webhook of it trusts this bundle, and no other authority.
    pub fn is(&self, bundle: &str) -> bool {
        self.webhooks.iter().all(|(_, trusted)| trusted == bundle.as_bytes())
    }

    /// Notes that all of its webhooks were made to trust this bundle.
    pub fn trusting(&mut self, bundle: &str) {
        for (_, trusted) in &mut self.webhooks {
            *trusted = bundle.as_bytes().to_vec();
        }
    }
}

/// Both configurations of one name.
#[derive(Clone)]
pub struct Configurations {
    requests: Client,
    watches: Client,
    name: String,
}

/// What a watch of a configuration tells: what it trusts now, nothing where it does not exist.
pub type Seen = (Which, Result<Option<Trust>, watcher::Error>);

impl Configurations {
    /// Those of this name.
    pub fn new(requests: Client, watches: Client, name: &str) -> Self {
        Self { requests, watches, name: name.to_owned() }
    }

    /// Watches both.
    pub fn watch(&self) -> BoxStream<'static, Seen> {
        let mutating = watched(&self.watches, &self.name, |found: &MutatingWebhookConfiguration| {
            let hooks = found.webhooks.iter().flatten();
            trust(found, hooks.map(|hook| (hook.name.clone(), hook.client_config.ca_bundle.clone())).collect())
        });
        let validating = watched(&self.watches, &self.name, |found: &ValidatingWebhookConfiguration| {
            let hooks = found.webhooks.iter().flatten();
            trust(found, hooks.map(|hook| (hook.name.clone(), hook.client_config.ca_bundle.clone())).collect())
        });
        let named = |which| move |seen| (which, seen);
        select(mutating.map(named(Which::Mutating)), validating.map(named(Which::Validating))).boxed()
    }

    /// Has one of them trust this bundle, where it is still the one that was seen.
    ///
    /// # Errors
    /// Where the API server refuses, or does not answer.
    pub async fn publish(&self, which: Which, seen: &Trust, bundle: &str) -> Result<(), kube::Error> {
        let body = self.patch(which, seen, bundle);
        let params = PatchParams::apply(MANAGER).force();
        match which {
            Which::Mutating => {
                let api: Api<MutatingWebhookConfiguration> = Api::all(self.requests.clone());
                api.patch(&self.name, &params, &Patch::Apply(body)).await.map(drop)
            }
            Which::Validating => {
                let api: Api<ValidatingWebhookConfiguration> = Api::all(self.requests.clone());
                api.patch(&self.name, &params, &Patch::Apply(body)).await.map(drop)
            }
        }
    }

    fn patch(&self, which: Which, seen: &Trust, bundle: &str) -> Value {
        let kind = match which {
            Which::Mutating => "MutatingWebhookConfiguration",
            Which::Validating => "ValidatingWebhookConfiguration",
        };
        let bundle = ByteString(bundle.as_bytes().to_vec());
        let hook = |(name, _): &(String, Vec<u8>)| json!({"name": name, "clientConfig": {"caBundle": bundle}});
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
            "metadata": {"name": self.name, "uid": seen.uid},
            "webhooks": seen.webhooks.iter().map(hook).collect::<Vec<_>>(),
        })
    }
}

fn trust(found: &impl Resource, hooks: Vec<(String, Option<ByteString>)>) -> Trust {
    let webhooks = hooks.into_iter().map(|(name, trusted)| (name, trusted.unwrap_or_default().0)).collect();
    Trust { uid: found.meta().uid.clone().unwrap_or_default(), webhooks }
}

fn watched<K>(
    client: &Client,
    name: &str,
    read: fn(&K) -> Trust,
) -> BoxStream<'static, Result<Option<Trust>, watcher::Error>>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Send + Sync + 'static,
{
    let api: Api<K> = Api::all(client.clone());
    let seen = watch_object(api, name).default_backoff();
    seen.map(move |found| found.map(|found| found.as_ref().map(read))).boxed()
}
