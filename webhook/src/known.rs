//! What is known of the cluster: its policies and sources, followed by watches. A VM is read when it is asked about.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{BoxStream, select};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch_resource};
use kube::{Api, Client};
use reef_api::names::SOURCE_ANNOTATION;
use reef_api::source::DriftPolicy;
use reef_api::{
    EffectivePolicy, GitSource, GitSourceSpec, PolicyConflict, SizingPolicy, SizingPolicySpec, VirtualMachine,
};
use reef_watch::{Chain, Health, Restored, with_past};
use tokio_util::sync::CancellationToken;

use crate::decide::Owner;

/// The loop goes round so often when nothing happens, which is how others see that it is not stuck.
const BEAT: Duration = Duration::from_secs(5);

/// Namespace and name.
type Key = (String, String);

/// What is known; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Known {
    shared: Arc<RwLock<Facts>>,
}

#[derive(Debug, Default)]
struct Facts {
    policies: Listed<SizingPolicySpec>,
    sources: Listed<GitSourceSpec>,
}

/// Objects of one kind; those that are listed anew stand beside the ones of before until the list is complete.
#[derive(Debug)]
struct Listed<T> {
    objects: BTreeMap<Key, T>,
    coming: Option<BTreeMap<Key, T>>,
    complete: bool,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), coming: None, complete: false }
    }
}

impl<T> Listed<T> {
    fn take(&mut self, event: Event<DynamicObject>, read: impl Fn(DynamicObject) -> Option<T>) {
        match event {
            Event::Init => self.coming = Some(BTreeMap::new()),
            Event::InitApply(object) => {
                let key = key(&object);
                if let (Some(coming), Some(spec)) = (&mut self.coming, read(object)) {
                    coming.insert(key, spec);
                }
            }
            Event::InitDone => {
                self.objects = self.coming.take().unwrap_or_default();
                self.complete = true;
            }
            Event::Apply(object) => {
                let key = key(&object);
                match read(object) {
                    Some(spec) => drop(self.objects.insert(key, spec)),
                    // What was readable is better than nothing: the controller goes on by it as well.
                    None => tracing::warn!(
                        namespace = key.0,
                        name = key.1,
                        "an object cannot be read and is left as it was"
                    ),
                }
            }
            Event::Delete(object) => drop(self.objects.remove(&key(&object))),
        }
    }
}

fn key(object: &DynamicObject) -> Key {
    (object.metadata.namespace.clone().unwrap_or_default(), object.metadata.name.clone().unwrap_or_default())
}

impl Known {
    /// Whether everything was listed once.
    pub fn is_complete(&self) -> bool {
        self.read(|facts| facts.policies.complete && facts.sources.complete)
    }

    /// The policy for a VM of this namespace.
    ///
    /// # Errors
    /// When two policies of the same specificity match.
    pub fn policy_for(&self, namespace: &str, vm: &VirtualMachine) -> Result<EffectivePolicy, PolicyConflict> {
        let labels = vm.metadata.labels.clone().unwrap_or_default();
        self.read(|facts| EffectivePolicy::select(within(&facts.policies.objects, namespace), &labels))
    }

    /// Selectors of the policies of this namespace but one.
    pub fn other_selectors(&self, namespace: &str, name: &str) -> BTreeMap<String, Option<LabelSelector>> {
        self.read(|facts| {
            let policies = within(&facts.policies.objects, namespace).filter(|(other, _)| *other != name);
            policies.map(|(other, spec)| (other.to_owned(), spec.selector.clone())).collect()
        })
    }

    /// The source that states a VM, where it is there.
    pub fn owner_of(&self, vm: &VirtualMachine) -> Option<Owner> {
        let source = vm.metadata.annotations.as_ref()?.get(SOURCE_ANNOTATION)?;
        let (namespace, name) = source.split_once('/')?;
        let drift = self.read(|facts| {
            let spec = facts.sources.objects.get(&(namespace.to_owned(), name.to_owned()))?;
            // What is not applied is nobody's but the other writer's.
            Some(if spec.applies() { spec.drift.unwrap_or_default() } else { DriftPolicy::Allow })
        })?;
        Some(Owner { source: source.clone(), drift })
    }

    fn read<T>(&self, look: impl FnOnce(&Facts) -> T) -> T {
        look(&self.shared.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.shared.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Follows the cluster until told to stop, and tells that it does.
    pub async fn follow(&self, client: Client, health: &Health, stop: CancellationToken) {
        let mut beat = tokio::time::interval(BEAT);
        while !stop.is_cancelled() {
            let mut seen = seen(&client);
            loop {
                health.turned(self.is_complete());
                let seen = tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    _ = beat.tick() => continue,
                    seen = seen.next() => seen,
                };
                match seen {
                    Some((kind, Ok(event))) => self.take(kind, event),
                    Some((kind, Err(error))) => {
                        tracing::warn!(?kind, error = %Chain(&error), "a watch is interrupted");
                        if Restored::told_by(&error).is_some() {
                            break;
                        }
                    }
                    None => break,
                }
            }
        }
    }

    fn take(&self, kind: Kind, event: Event<DynamicObject>) {
        self.change(|facts| match kind {
            Kind::Policy => facts.policies.take(event, |found| Some(found.try_parse::<SizingPolicy>().ok()?.spec)),
            Kind::Source => facts.sources.take(event, |found| Some(found.try_parse::<GitSource>().ok()?.spec)),
        });
    }
}

fn within<'a, T>(objects: &'a BTreeMap<Key, T>, namespace: &str) -> impl Iterator<Item = (&'a str, &'a T)> {
    let from = (namespace.to_owned(), String::new());
    let namespace = namespace.to_owned();
    objects
        .range(from..)
        .take_while(move |((of, _), _)| *of == namespace)
        .map(|((_, name), spec)| (name.as_str(), spec))
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Policy,
    Source,
}

type Seen = (Kind, Result<Event<DynamicObject>, watcher::Error>);

fn seen(client: &Client) -> BoxStream<'static, Seen> {
    let watched = |kind, resource: &ApiResource| {
        let api: Api<DynamicObject> = Api::all_with(with_past(client.clone()), resource);
        watch_resource(api, watcher::Config::default()).default_backoff().map(move |event| (kind, event))
    };
    let policies = watched(Kind::Policy, &ApiResource::erase::<SizingPolicy>(&()));
    let sources = watched(Kind::Source, &ApiResource::erase::<GitSource>(&()));
    select(policies, sources).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(name: &str, team: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "reef.dev/v1alpha1", "kind": "SizingPolicy",
            "metadata": {"name": name, "namespace": "vms"},
            "spec": {"selector": {"matchLabels": {"team": team}}},
        }))
        .unwrap()
    }

    fn names(known: &Known) -> Vec<String> {
        known.other_selectors("vms", "").into_keys().collect()
    }

    #[test]
    fn what_is_listed_anew_takes_the_place_of_what_was_known_when_it_is_complete() {
        let known = Known::default();
        let take = |event| {
            let read = |found: DynamicObject| Some(found.try_parse::<SizingPolicy>().ok()?.spec);
            known.change(|facts| facts.policies.take(event, read));
        };
        take(Event::Init);
        take(Event::InitApply(policy("a", "x")));
        assert_eq!(names(&known), Vec::<String>::new());
        take(Event::InitDone);
        take(Event::Apply(policy("b", "y")));
        assert_eq!(names(&known), ["a", "b"]);
        take(Event::Init);
        take(Event::InitApply(policy("b", "y")));
        assert_eq!(names(&known), ["a", "b"]);
        take(Event::InitDone);
        assert_eq!(names(&known), ["b"]);
        let mut odd = policy("b", "y");
        odd.data = json!({"spec": {"bounds": 3}});
        take(Event::Apply(odd));
        assert_eq!(names(&known), ["b"]);
        assert_eq!(known.other_selectors("other", ""), BTreeMap::new());
    }
}
