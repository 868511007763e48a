//! One object that a command is about, named as kubectl names it: found, read, and changed where nobody else has changed it meanwhile.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, bail};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Api, Client, Resource};
use reef_api::condition::{SUSPENDED, find};
use reef_api::names::{CLI_MANAGER, SUSPENDED_ANNOTATION};
use reef_api::suspension::{of_annotations, of_source};
use reef_api::{GitSource, Suspended, VirtualMachine, nearest};
use serde_json::{Value, json};

/// How often a change is tried of an object that others write to at the same time.
const TRIES: u32 = 10;

/// Kinds that a command can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A GitSource.
    Source,
    /// A VirtualMachine.
    Vm,
}

impl Kind {
    const WORDS: [(&'static str, Self); 8] = [
        ("gitsource", Self::Source),
        ("gitsources", Self::Source),
        ("gsrc", Self::Source),
        ("source", Self::Source),
        ("vm", Self::Vm),
        ("vms", Self::Vm),
        ("virtualmachine", Self::Vm),
        ("virtualmachines", Self::Vm),
    ];

    fn resource(self) -> ApiResource {
        match self {
            Self::Source => ApiResource::erase::<GitSource>(&()),
            Self::Vm => ApiResource::erase::<VirtualMachine>(&()),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Source => GitSource::kind(&()).into_owned(),
            Self::Vm => VirtualMachine::kind(&()).into_owned(),
        }
    }
}

/// `KIND/NAME`, or a name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    kind: Option<Kind>,
    name: String,
}

impl Named {
    /// The same as the name of a VM.
    ///
    /// # Errors
    /// Where it names another kind.
    pub fn vm(self) -> anyhow::Result<Self> {
        match self.kind {
            None | Some(Kind::Vm) => Ok(Self { kind: Some(Kind::Vm), ..self }),
            Some(Kind::Source) => bail!("gitsource/{} is no VM; write vm/NAME", self.name),
        }
    }
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, name) = text.split_once('/').map_or((None, text), |(word, name)| (Some(word.to_lowercase()), name));
        reef_api::dns1123_subdomain(name).map_err(|error| format!("{name:?} is no name of an object: {error}"))?;
        let kind = match &word {
            None => None,
            Some(word) => {
                let found = Kind::WORDS.iter().find(|(known, _)| known == word).map(|(_, kind)| *kind);
                Some(found.ok_or_else(|| unknown(word))?)
            }
        };
        Ok(Self { kind, name: name.to_owned() })
    }
}

fn unknown(word: &str) -> String {
    let near = nearest(word, &Kind::WORDS.map(|(known, _)| known));
    let meant = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    format!("the kind {word:?} is not known here: write gitsource/NAME or vm/NAME{meant}")
}

/// What is done to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An annotation gets a value.
    Mark(&'static str, String),
    /// Its annotation goes, and so does what its spec states of a suspension.
    Resume,
}

/// The object.
pub struct Subject {
    /// Its kind.
    pub kind: Kind,
    api: Api<DynamicObject>,
    namespace: String,
    object: DynamicObject,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.name(), self.namespace, self.name())
    }
}

impl Subject {
    /// Finds the one object that is named.
    ///
    /// # Errors
    /// Where there is none, or more than one, or the cluster does not answer.
    pub async fn find(client: &Client, namespace: &str, named: &Named) -> anyhow::Result<Self> {
        let kinds = named.kind.map_or_else(|| vec![Kind::Source, Kind::Vm], |kind| vec![kind]);
        let mut found = Vec::new();
        for kind in &kinds {
            let resource = kind.resource();
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
            let read = api.get_opt(&named.name).await;
            let read = read.with_context(|| format!("{} cannot be read in namespace {namespace}", resource.plural))?;
            found.extend(read.map(|object| Self { kind: *kind, api, namespace: namespace.to_owned(), object }));
        }
        match (found.pop(), found.pop()) {
            (Some(one), None) => Ok(one),
            (Some(one), Some(other)) => {
                bail!("{other} and {one} have this name; write {} or {}", other.word(), one.word())
            }
            (None, _) => {
                let kinds: Vec<String> = kinds.into_iter().map(Kind::name).collect();
                bail!(
                    "there is no {} {} in namespace {namespace}; `reef status -A` lists all",
                    kinds.join(" or "),
                    named.name
                )
            }
        }
    }

    fn name(&self) -> &str {
        self.object.metadata.name.as_deref().unwrap_or_default()
    }

    /// How it is named on the command line.
    pub fn word(&self) -> String {
        let kind = match self.kind {
            Kind::Source => "gitsource",
            Kind::Vm => "vm",
        };
        format!("{kind}/{} -n {}", self.name(), self.namespace)
    }

    /// The suspension that holds.
    pub fn suspended(&self, now: Timestamp) -> Option<Suspended> {
        match self.kind {
            Kind::Vm => of_annotations(self.object.metadata.annotations.as_ref(), now),
            Kind::Source => of_source(&self.object.clone().try_parse::<GitSource>().ok()?, now),
        }
    }

    /// The object as a VM, where it is one that can be read.
    pub fn vm(&self) -> Option<VirtualMachine> {
        (self.kind == Kind::Vm).then(|| self.object.clone().try_parse().ok()).flatten()
    }

    /// Whether it has the annotation of a suspension, whatever that says.
    pub fn annotated(&self) -> bool {
        self.object.metadata.annotations.as_ref().is_some_and(|found| found.contains_key(SUSPENDED_ANNOTATION))
    }

    /// Whether its spec states a suspension, whatever that says.
    pub fn states_suspension(&self) -> bool {
        self.kind == Kind::Source && self.object.data.pointer("/spec/suspend").is_some_and(|found| !found.is_null())
    }

    /// Whether its status tells of a suspension in these words.
    pub fn tells(&self, words: &str) -> bool {
        let told = self.object.data.pointer("/status/conditions").cloned().unwrap_or_default();
        let told: Vec<Condition> = serde_json::from_value(told).unwrap_or_default();
        find(&told, SUSPENDED).is_some_and(|told| told.status == "True" && told.message == words)
    }

    /// Reads it again.
    ///
    /// # Errors
    /// Where it is gone or cannot be read.
    pub async fn read_again(&mut self) -> anyhow::Result<()> {
        let read = self.api.get(self.name()).await;
        self.object = read.with_context(|| format!("{self} cannot be read again"))?;
        Ok(())
    }

    /// Makes the change that is decided by what was read, if the object is still as it was read; else it is read and decided anew.
    ///
    /// # Errors
    /// Where the decision says so, a right is missing, or the object is gone.
    pub async fn change(
        &mut self,
        mut decide: impl FnMut(&Self) -> anyhow::Result<Option<Change>>,
    ) -> anyhow::Result<()> {
        let params = PatchParams { field_manager: Some(CLI_MANAGER.to_owned()), ..PatchParams::default() };
        for _ in 0..TRIES {
            let Some(change) = decide(self)? else { return Ok(()) };
            match self.api.patch(self.name(), &params, &Patch::Merge(self.body(&change))).await {
                Ok(object) => {
                    self.object = object;
                    return Ok(());
                }
                Err(kube::Error::Api(status)) if status.code == 409 => self.read_again().await?,
                Err(kube::Error::Api(status)) if status.code == 403 => return Err(self.forbidden(&status.message)),
                Err(error) => return Err(error).with_context(|| format!("{self} cannot be changed")),
            }
        }
        bail!("{self} was changed by others each of {TRIES} times; try again")
    }

    /// A merge patch that holds for the version that was read.
    fn body(&self, change: &Change) -> Value {
        let meta = &self.object.metadata;
        let (name, value) = match change {
            Change::Mark(name, text) => (*name, Some(text)),
            Change::Resume => (SUSPENDED_ANNOTATION, None),
        };
        let metadata = json!({"uid": meta.uid, "resourceVersion": meta.resource_version, "annotations": {name: value}});
        if value.is_none() && self.states_suspension() {
            return json!({"metadata": metadata, "spec": {"suspend": null}});
        }
        json!({"metadata": metadata})
    }

    fn forbidden(&self, told: &str) -> anyhow::Error {
        let ApiResource { group, plural, .. } = self.kind.resource();
        let missing = format!("the right to patch {plural}.{group} in namespace {}", self.namespace);
        anyhow::anyhow!(
            "{self} cannot be changed: {missing} is missing; the ClusterRole reef-operator of deploy/rbac.yaml has it ({told})"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_named_as_kubectl_names_it() {
        let named = |kind, name: &str| Ok(Named { kind, name: name.to_owned() });
        assert_eq!("fleet".parse::<Named>(), named(None, "fleet"));
        assert_eq!("GitSource/fleet".parse::<Named>(), named(Some(Kind::Source), "fleet"));
        assert_eq!("vm/web-1".parse::<Named>(), named(Some(Kind::Vm), "web-1"));
        let told = "gitsorce/fleet".parse::<Named>().unwrap_err();
        assert_eq!(
            told,
            "the kind \"gitsorce\" is not known here: write gitsource/NAME or vm/NAME; did you mean gitsource?"
        );
        assert!("vm/".parse::<Named>().is_err() && "a/b/c".parse::<Named>().is_err());
    }
}
