//! What the accounts of Reef's roles asked for, by the audit logs of API servers, against what `deploy/rbac.yaml` grants them: nothing that is needed is
//! refused, and nothing is granted that nobody ever uses.
//!
//! The logs say which verb was asked for on which resource, and how it was answered; nothing here knows why a role asks.
use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::rbac::v1::PolicyRule;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;

use super::accounts::RBAC;

/// The roles that have an account of their own.
pub const ROLES: [&str; 3] = ["controller", "daemon", "webhook"];

/// A verb on a resource, as rules name them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// API group, empty for the core group.
    pub group: String,
    /// Resource, with its part where it is about one.
    pub resource: String,
    /// Verb.
    pub verb: String,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, resource, verb } = self;
        if group.is_empty() { write!(f, "{verb} {resource}") } else { write!(f, "{verb} {resource}.{group}") }
    }
}

/// What one account asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Rights that it needed and had.
    pub used: BTreeSet<Right>,
    /// What was refused, in the server's words.
    pub refused: BTreeSet<String>,
}

/// One line of a log.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Event {
    verb: String,
    user: User,
    impersonated_user: Option<User>,
    object_ref: Option<Object>,
    response_status: Response,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct User {
    username: String,
    extra: serde_json::Map<String, Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Object {
    api_group: String,
    resource: String,
    subresource: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Response {
    code: u16,
    message: String,
}

/// What is read of a document of `deploy/rbac.yaml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Document {
    kind: String,
    metadata: ObjectMeta,
    rules: Vec<PolicyRule>,
}

impl Event {
    fn right(&self, verb: &str) -> Option<Right> {
        let Object { api_group, resource, subresource } = self.object_ref.clone()?;
        let resource = if subresource.is_empty() { resource } else { format!("{resource}/{subresource}") };
        Some(Right { group: api_group, resource, verb: verb.to_owned() })
    }

    /// What had to be granted for it.
    fn needed(&self) -> Vec<Right> {
        let impersonate =
            |group: &str, resource: String| Right { group: group.to_owned(), resource, verb: "impersonate".to_owned() };
        if let Some(another) = &self.impersonated_user {
            let extras =
                another.extra.keys().map(|key| impersonate("authentication.k8s.io", format!("userextras/{key}")));
            return extras.chain([impersonate("", "serviceaccounts".to_owned())]).collect();
        }
        // An apply that makes its object needs both.
        let makes = self.verb == "patch" && self.response_status.code == 201;
        let verbs = [Some(self.verb.as_str()), makes.then_some("create")];
        verbs.into_iter().flatten().filter_map(|verb| self.right(verb)).collect()
    }
}

/// What an installation grants to the account of a role, in the whole cluster and in its own namespace.
///
/// # Errors
/// `deploy/rbac.yaml` cannot be read.
pub fn granted(role: &str) -> Result<BTreeSet<Right>> {
    let name = format!("reef-{role}");
    let mut rights = BTreeSet::new();
    for document in serde_yaml::Deserializer::from_str(RBAC) {
        let document = Document::deserialize(document)?;
        let grants = ["ClusterRole", "Role"].contains(&document.kind.as_str());
        if grants && document.metadata.name.as_deref() == Some(name.as_str()) {
            rights.extend(document.rules.iter().flat_map(each));
        }
    }
    ensure!(!rights.is_empty(), "deploy/rbac.yaml grants nothing to {name}");
    Ok(rights)
}

fn each(rule: &PolicyRule) -> BTreeSet<Right> {
    let (groups, resources) = (rule.api_groups.iter().flatten(), rule.resources.iter().flatten());
    let pairs = groups.flat_map(|group| resources.clone().map(move |resource| (group, resource)));
    let rights = pairs.flat_map(|(group, resource)| {
        rule.verbs.iter().map(|verb| Right { group: group.clone(), resource: resource.clone(), verb: verb.clone() })
    });
    rights.collect()
}

/// What the account of a role asked for, by the logs of one cluster.
///
/// # Errors
/// The audit log cannot be read.
pub fn asked(logs: &Path, role: &str) -> Result<Asked> {
    let log = logs.join("audit.log");
    let text = fs::read_to_string(&log).with_context(|| format!("{} cannot be read", log.display()))?;
    let user = format!("system:serviceaccount:reef-system:reef-{role}");
    let mut asked = Asked::default();
    // The last line may be half written.
    let events = text.lines().filter_map(|line| serde_json::from_str::<Event>(line).ok());
    for event in events.filter(|event| event.user.username == user) {
        if event.response_status.code == 403 {
            asked.refused.insert(event.response_status.message);
        } else {
            asked.used.extend(event.needed());
        }
    }
    Ok(asked)
}

/// Holds what was asked for in all runs below a folder against what is granted, prints it, and fails where a right was never used.
///
/// # Errors
/// There are no logs, or a right is granted that nobody ever used.
pub fn compare(folder: &Path) -> Result<()> {
    let runs = runs(folder)?;
    ensure!(!runs.is_empty(), "no audit log is below {}: run the tests of the real tier first", folder.display());
    let mut unused = Vec::new();
    for role in ROLES {
        let mut used = BTreeSet::new();
        for run in &runs {
            used.extend(asked(run, role)?.used);
        }
        let granted = granted(role)?;
        let spare = granted.difference(&used).filter(|right| !is_for_doubt(right, &granted));
        unused.extend(spare.map(|right| format!("reef-{role} may {right}")));
        println!("reef-{role}: {} rights, {} of them used", granted.len(), granted.intersection(&used).count());
    }
    ensure!(
        unused.is_empty(),
        "{} runs used none of these; take them out of deploy/rbac.yaml, or test what needs them:\n  {}",
        runs.len(),
        unused.join("\n  ")
    );
    Ok(())
}

/// Whether a right is to read one object of a kind that is watched. That is done where a watch leaves something in doubt, which no run brings about for
/// each kind; the simulation does.
fn is_for_doubt(right: &Right, granted: &BTreeSet<Right>) -> bool {
    right.verb == "get" && granted.contains(&Right { verb: "watch".to_owned(), ..right.clone() })
}

/// Folders of logs that have an audit log.
fn runs(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut runs = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    runs.retain(|run| run.join("audit.log").is_file());
    runs.sort();
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"{"verb":"patch","user":{"username":"system:serviceaccount:reef-system:reef-controller"},"objectRef":{"resource":"virtualmachines","apiGroup":"cloudhypervisor.quill.today"},"responseStatus":{"code":201}}
{"verb":"get","user":{"username":"system:serviceaccount:reef-system:reef-controller"},"objectRef":{"resource":"secrets"},"responseStatus":{"code":403,"message":"secrets \"a\" is forbidden"}}
{"verb":"create","user":{"username":"system:serviceaccount:reef-system:reef-controller"},"impersonatedUser":{"username":"x","extra":{"reef.dev/applied-by":["reef-controller"]}},"objectRef":{"resource":"pods"},"responseStatus":{"code":200}}
{"verb":"list","user":{"username":"system:serviceaccount:reef-system:reef-daemon"},"objectRef":{"resource":"pods"},"responseStatus":{"code":200}}
{"verb":"list","user":{"usern"#;

    #[test]
    fn an_apply_that_makes_needs_two_rights_and_one_as_another_only_those_to_act_so() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("audit.log"), LOG).unwrap();
        let asked = asked(folder.path(), "controller").unwrap();
        let told: Vec<String> = asked.used.iter().map(ToString::to_string).collect();
        let expected = [
            "impersonate serviceaccounts",
            "impersonate userextras/reef.dev/applied-by.authentication.k8s.io",
            "create virtualmachines.cloudhypervisor.quill.today",
            "patch virtualmachines.cloudhypervisor.quill.today",
        ];
        assert_eq!(told, expected);
        assert_eq!(asked.refused, BTreeSet::from(["secrets \"a\" is forbidden".to_owned()]));
    }

    #[test]
    fn rights_of_both_kinds_of_roles_are_read() {
        let webhook: Vec<String> = granted("webhook").unwrap().iter().map(ToString::to_string).collect();
        assert!(webhook.contains(&"update secrets".to_owned()), "{webhook:?}");
        assert!(webhook.contains(&"list sizingpolicies.reef.dev".to_owned()), "{webhook:?}");
        let told = compare(tempfile::tempdir().unwrap().path()).unwrap_err().to_string();
        assert!(told.contains("run the tests of the real tier first"), "{told}");
    }
}
